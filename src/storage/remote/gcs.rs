//! Google Cloud Storage, through its JSON interface.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};
use serde_json::Value;

use super::backend::{
    Backend, BackendError, Later, MAX_VALUE_BYTES, Rights, UnusableSetting, try_both, try_reading,
};
use super::gcs_token::{ServiceAccount, TokenSource};
use super::http::answer::Answer;
use super::http::proxies::Proxies;
use super::http::renewed::Renewed;
use super::http::{Http, HttpSettings, names};
use super::sink::{Progress, Sink};

const OCTETS: &str = "application/octet-stream";
const USUAL_BASE: &str = "https://www.googleapis.com";
const READ: &str = "https://www.googleapis.com/auth/devstorage.readonly";
const READ_WRITE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
/// For a question to whoever gives tokens.
const TOKEN_LIMIT: Duration = Duration::from_secs(10);
/// As much of what a server says as is told.
const MAX_TOLD: usize = 300;

/// Where the bucket is, and how it is spoken to.
#[derive(Clone, Default)]
pub struct GcsSettings {
    /// The bucket; it must be there already.
    pub bucket: String,
    /// What each key begins with.
    pub key_prefix: String,
    /// The JSON file of a service account; wins over the URL.
    pub key_file: Option<PathBuf>,
    /// An address that hands out tokens.
    pub credentials_url: Option<String>,
    /// Without both: an account whose tokens this machine is given by Google's cloud.
    pub service_account: Option<String>,
    /// Another host that gives them than Google's.
    pub metadata_host: Option<String>,
    /// Values are written too.
    pub read_write: bool,
    /// Another address than Google's.
    pub base_url: Option<String>,
    /// Certificates that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Which requests go through which proxy.
    pub proxies: Proxies,
}

/// A bucket.
pub struct Gcs {
    name: String,
    http: Http,
    base: Url,
    bucket: String,
    key_prefix: String,
    read_write: bool,
    tokens: Option<Arc<Tokens>>,
    token: Renewed<String>,
    /// Why requests go out without a token although a key file is named.
    trouble: String,
}

/// Where tokens come from, and how they are asked for.
struct Tokens {
    source: TokenSource,
    http: Http,
    scope: &'static str,
}

impl Gcs {
    /// Prepares everything, without the network. A key file that cannot be used is no error: requests go out without a
    /// token then, and [`Backend::check`] tells why.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub fn new(settings: GcsSettings) -> Result<Gcs, UnusableSetting> {
        let bucket = settings.bucket.trim();
        if bucket.is_empty() || !bucket.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) {
            let reason = "a name of letters, digits, `.`, `-` and `_` is expected".to_owned();
            return Err(UnusableSetting { setting: "bucket", reason });
        }
        let base = settings.base_url.as_deref().filter(|base| !base.trim().is_empty());
        let http = HttpSettings { ca_file: settings.ca_file, proxies: settings.proxies };
        let mut trouble = String::new();
        let source = match (&settings.key_file, &settings.credentials_url) {
            (Some(path), _) => match ServiceAccount::read(path) {
                Ok(account) => Some(TokenSource::Account(Box::new(account))),
                Err(reason) => {
                    trouble = format!("the key file cannot be used, requests go out without it: {reason}");
                    None
                }
            },
            (None, Some(url)) => Some(TokenSource::address(url)?),
            (None, None) => {
                let host = settings.metadata_host.as_deref();
                settings
                    .service_account
                    .as_deref()
                    .map(|account| TokenSource::metadata(host, account))
                    .transpose()?
            }
        };
        let scope = if settings.read_write { READ_WRITE } else { READ };
        let is_near = settings.key_file.is_none() && settings.credentials_url.is_none();
        let tokens = match source {
            Some(source) => {
                // No proxy is told who this machine is.
                let proxies = if is_near { Proxies::default() } else { http.proxies.clone() };
                let http =
                    Http::limited(&HttpSettings { ca_file: http.ca_file.clone(), proxies }, TOKEN_LIMIT)?;
                Some(Arc::new(Tokens { source, http, scope }))
            }
            None => None,
        };
        Ok(Gcs {
            name: format!("GCS, bucket: Bucket(name={bucket})"),
            http: Http::new(&http)?,
            base: names::endpoint("base URL", base.unwrap_or(USUAL_BASE))?,
            bucket: bucket.to_owned(),
            key_prefix: names::key_prefix(&settings.key_prefix)?,
            read_write: settings.read_write,
            tokens,
            token: Renewed::default(),
            trouble,
        })
    }

    /// A request to a place below the bucket; `kind` is empty or ends in `/`.
    fn request(&self, method: Method, kind: &str, object: &str, query: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{kind}storage/v1/b/{}/o{object}", self.base.path(), self.bucket));
        url.set_query(Some(query));
        self.http.client().request(method, url)
    }

    fn object(&self, key: &str) -> String {
        names::encoded(&format!("{}{key}", self.key_prefix), false)
    }

    async fn send(&self, request: RequestBuilder, progress: &Progress) -> Result<Answer, BackendError> {
        let Some(tokens) = &self.tokens else { return self.http.send(request, progress).await };
        let tokens = Arc::clone(tokens);
        let fetch = async move { tokens.source.fetch(&tokens.http, tokens.scope).await };
        let token = self.token.get(fetch).await?;
        let answer = self.http.send(request.bearer_auth(token), progress).await?;
        if answer.status() == 401 {
            self.token.forget().await;
        }
        Ok(answer)
    }
}

/// What an answer that is no success means, and what it says.
async fn refusal(mut answer: Answer) -> (BackendError, String) {
    let text = answer.text().await;
    let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
    let said = value.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(MAX_TOLD).collect();
    (answer.refusal(&said), text)
}

/// What an answer that is no success means; `Ok` where the object is just not there.
async fn absence(answer: Answer) -> Result<(), BackendError> {
    let status = answer.status();
    let (error, text) = refusal(answer).await;
    // Both are a 404, with the same code and in different forms.
    let no_bucket = text.contains("bucket does not exist");
    if status == 404 && !no_bucket { Ok(()) } else { Err(error) }
}

impl Backend for Gcs {
    fn name(&self) -> &str {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, to: &'a mut Sink) -> Later<'a, bool> {
        Box::pin(async move {
            let object = format!("/{}", self.object(key));
            let request = self.request(Method::GET, "download/", &object, "alt=media");
            let answer = self.send(request, &to.progress()).await?;
            if answer.status().is_success() {
                return answer.value(to).await.map(|()| true);
            }
            absence(answer).await.map(|()| false)
        })
    }

    fn has<'a>(&'a self, key: &'a str) -> Later<'a, bool> {
        Box::pin(async move {
            let object = format!("/{}", self.object(key));
            let request = self.request(Method::GET, "", &object, "fields=name");
            let mut answer = self.send(request, &Progress::default()).await?;
            if answer.status().is_success() {
                answer.check_head()?;
                // Unread it would cost the connection.
                answer.text().await;
                return Ok(true);
            }
            absence(answer).await.map(|()| false)
        })
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()> {
        Box::pin(async move {
            if !self.read_write {
                return Err(BackendError::Denied("it is only read, as the settings say".to_owned()));
            }
            if value.len() as u64 > MAX_VALUE_BYTES {
                return Err(BackendError::TooLarge);
            }
            let query = format!("name={}&uploadType=media", self.object(key));
            let request = self.request(Method::POST, "upload/", "", &query);
            let request = request.header("content-type", OCTETS).body(value);
            let mut answer = self.send(request, &Progress::default()).await?;
            if answer.status().is_success() {
                // It describes the object; unread it would cost the connection.
                answer.text().await;
                return Ok(());
            }
            Err(refusal(answer).await.0)
        })
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(async move {
            let mut rights = match self.read_write {
                true => try_both(self).await?,
                false => try_reading(self).await?,
            };
            if !self.trouble.is_empty() {
                rights.trouble.clone_from(&self.trouble);
            }
            Ok(rights)
        })
    }
}
