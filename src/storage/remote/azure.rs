//! Blobs of Azure.
use std::path::PathBuf;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use reqwest::{Method, Url};
use ring::hmac;

use super::backend::{Backend, BackendError, Later, MAX_VALUE_BYTES, Rights, UnusableSetting, try_both};
use super::http::answer::Answer;
use super::http::proxies::Proxies;
use super::http::{Http, HttpSettings, aside, dates, names, xml};
use super::sink::{Progress, Sink};

const OCTETS: &str = "application/octet-stream";
const VERSION: &str = "2017-04-17";

/// Where the container is, and how it is spoken to.
#[derive(Clone, Default)]
pub struct AzureSettings {
    /// As the portal shows it: `AccountName=...;AccountKey=...;EndpointSuffix=core.windows.net`.
    pub connection_string: String,
    /// The container; it must be there already.
    pub container: String,
    /// What each key begins with.
    pub key_prefix: String,
    /// Certificates that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Which requests go through which proxy.
    pub proxies: Proxies,
}

/// A container.
pub struct Azure {
    name: String,
    http: Http,
    /// Of the container, ending in `/`.
    base: Url,
    key_prefix: String,
    who: Who,
}

/// Who asks.
enum Who {
    Nobody,
    /// An account and its key.
    Account(String, Box<hmac::Key>),
    /// What is appended to each address.
    Signature(String),
}

impl Azure {
    /// Prepares everything, without the network.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub fn new(settings: AzureSettings) -> Result<Azure, UnusableSetting> {
        let container = settings.container.trim();
        if container.is_empty() || !container.chars().all(|c| c.is_ascii_alphanumeric() || "-$".contains(c)) {
            let reason = "a name of letters, digits and `-` is expected".to_owned();
            return Err(UnusableSetting { setting: "container", reason });
        }
        let connection = Connection::parse(&settings.connection_string)?;
        let base = names::endpoint("connection string", &format!("{}{container}/", connection.endpoint))?;
        let http = HttpSettings { ca_file: settings.ca_file, proxies: settings.proxies };
        Ok(Azure {
            name: format!("Azure, container: BlobContainer(url={base})"),
            http: Http::new(&http)?,
            base,
            key_prefix: names::key_prefix(&settings.key_prefix)?,
            who: connection.who,
        })
    }

    async fn send(
        &self,
        method: Method,
        key: &str,
        value: Option<Vec<u8>>,
        progress: &Progress,
    ) -> Result<Answer, BackendError> {
        let mut url = self.base.clone();
        let blob = names::encoded(&format!("{}{key}", self.key_prefix), true);
        url.set_path(&format!("{}{blob}", self.base.path()));
        let date = dates::http(SystemTime::now());
        let mut ours = vec![("x-ms-date", date.as_str()), ("x-ms-version", VERSION)];
        let mut sum = String::new();
        let mut body = None;
        if let Some(value) = value {
            let (value, computed) = aside(value, |value| STANDARD.encode(Md5::digest(value))).await?;
            (sum, body) = (computed, Some(value));
            ours.insert(0, ("x-ms-blob-type", "BlockBlob"));
        }
        let authorization = match &self.who {
            Who::Account(account, secret) => {
                let length = body.as_ref().map_or(0, Vec::len);
                let text = to_sign(&method, (length, &sum), &ours, &resource(account, &url));
                let signature = STANDARD.encode(hmac::sign(secret, text.as_bytes()).as_ref());
                Some(format!("SharedKey {account}:{signature}"))
            }
            Who::Signature(query) => {
                url.set_query(Some(query));
                None
            }
            Who::Nobody => None,
        };
        let mut request = self.http.client().request(method, url);
        for (name, value) in ours {
            request = request.header(name, value);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(body) = body {
            request = request.header("content-type", OCTETS).header("content-md5", sum).body(body);
        }
        self.http.send(request, progress).await
    }

    /// What an answer that is no success means; `Ok` where the blob is just not there.
    async fn refusal(&self, mut answer: Answer) -> Result<(), BackendError> {
        let text = answer.text().await;
        let code = xml::told(&text, "Code").or_else(|| answer.header("x-ms-error-code").map(str::to_owned));
        let code = code.unwrap_or_default();
        match (answer.status().as_u16(), code.as_str()) {
            (404, "" | "BlobNotFound") => return Ok(()),
            (403, _) if answer.clocks().is_some() => {
                return Err(BackendError::Denied(answer.clocks().unwrap_or_default()));
            }
            (_, "") => return Err(answer.refusal("")),
            _ => {}
        }
        // Further lines name the request, and may quote what was signed.
        let message = xml::told(&text, "Message").unwrap_or_default();
        let message = message.split("RequestId:").next().unwrap_or_default().trim();
        Err(answer.refusal(&format!("{code}: {message}")))
    }
}

impl Backend for Azure {
    fn name(&self) -> &str {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, to: &'a mut Sink) -> Later<'a, bool> {
        Box::pin(async move {
            let answer = self.send(Method::GET, key, None, &to.progress()).await?;
            if answer.status().is_success() {
                return answer.value(to).await.map(|()| true);
            }
            self.refusal(answer).await.map(|()| false)
        })
    }

    fn has<'a>(&'a self, key: &'a str) -> Later<'a, bool> {
        Box::pin(async move {
            let answer = self.send(Method::HEAD, key, None, &Progress::default()).await?;
            if answer.status().is_success() {
                return answer.check_head().map(|()| true);
            }
            self.refusal(answer).await.map(|()| false)
        })
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()> {
        Box::pin(async move {
            if value.len() as u64 > MAX_VALUE_BYTES {
                return Err(BackendError::TooLarge);
            }
            let answer = self.send(Method::PUT, key, Some(value), &Progress::default()).await?;
            if answer.status().is_success() {
                return Ok(());
            }
            let not_found = BackendError::Denied("status 404: no such container?".to_owned());
            self.refusal(answer).await.and(Err(not_found))
        })
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(try_both(self))
    }
}

/// The account, and the path as it is sent.
fn resource(account: &str, url: &Url) -> String {
    format!("/{account}{}", url.path())
}

/// The text that a key signs: the method, eleven headers of which we send three, ours, and the resource.
fn to_sign(method: &Method, (length, sum): (usize, &str), ours: &[(&str, &str)], resource: &str) -> String {
    let has_body = !sum.is_empty();
    let length = if length == 0 { String::new() } else { length.to_string() };
    let kind = if has_body { OCTETS } else { "" };
    let ours: String = ours.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    format!("{method}\n\n\n{length}\n{sum}\n{kind}\n\n\n\n\n\n\n{ours}{resource}")
}

/// What a connection string says.
struct Connection {
    /// Ending in `/`.
    endpoint: Url,
    who: Who,
}

impl Connection {
    fn parse(text: &str) -> Result<Self, UnusableSetting> {
        let value = |wanted: &str| {
            let mut parts = text.split(';').filter_map(|part| part.split_once('='));
            let (_, value) = parts.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
            Some(value.trim()).filter(|value| !value.is_empty())
        };
        let account = value("AccountName");
        let endpoint = endpoint_of(&value)?;
        let who = match (value("AccountKey"), value("SharedAccessSignature")) {
            (Some(key), _) => {
                let account = account.ok_or_else(|| unusable("`AccountName` is missing"))?;
                let key = STANDARD.decode(key).map_err(|_| unusable("`AccountKey` is not in base64"))?;
                Who::Account(account.to_owned(), Box::new(hmac::Key::new(hmac::HMAC_SHA256, &key)))
            }
            (None, Some(query)) => Who::Signature(query.trim_start_matches('?').to_owned()),
            (None, None) => Who::Nobody,
        };
        Ok(Connection { endpoint, who })
    }
}

fn endpoint_of<'a>(value: &impl Fn(&str) -> Option<&'a str>) -> Result<Url, UnusableSetting> {
    let protocol = value("DefaultEndpointsProtocol").unwrap_or("https");
    let text = match (value("BlobEndpoint"), value("AccountName"), value("EndpointSuffix")) {
        (Some(endpoint), ..) if endpoint.contains("://") => endpoint.to_owned(),
        (Some(endpoint), ..) => format!("{protocol}://{endpoint}"),
        (None, Some(account), Some(suffix)) => format!("{protocol}://{account}.blob.{suffix}/"),
        (None, None, Some(_)) => return Err(unusable("`AccountName` is missing, or `BlobEndpoint`")),
        (None, Some(_), None) => return Err(unusable("`EndpointSuffix` is missing, or `BlobEndpoint`")),
        (None, None, None) => {
            return Err(unusable("`AccountName` and `EndpointSuffix` are missing, or `BlobEndpoint`"));
        }
    };
    let url = names::endpoint("connection string", &text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("an address there takes no user and no password"));
    }
    Ok(url)
}

fn unusable(reason: &str) -> UnusableSetting {
    UnusableSetting { setting: "connection string", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<String, String> {
        match Connection::parse(text) {
            Ok(connection) => Ok(connection.endpoint.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn endpoints_are_found_in_connection_strings() {
        for (text, expected) in [
            (
                "AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1",
                "http://127.0.0.1:10000/devstoreaccount1/",
            ),
            ("AccountName=foo;EndpointSuffix=core.windows.net", "https://foo.blob.core.windows.net/"),
            (
                " accountname = foo ; EndpointSuffix=x.y;DefaultEndpointsProtocol=http;;Other=1",
                "http://foo.blob.x.y/",
            ),
            ("BlobEndpoint=h.org/a;SharedAccessSignature=?sv=1&sig=a%3D", "https://h.org/a/"),
        ] {
            assert_eq!(endpoint(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, missing) in [
            ("", "`AccountName` and `EndpointSuffix`"),
            ("AccountName=a", "`EndpointSuffix`"),
            ("EndpointSuffix=a", "`AccountName`"),
            ("BlobEndpoint=h;AccountKey=c2VjcmV0", "`AccountName`"),
            ("BlobEndpoint=h;AccountName=a;AccountKey=?secret?", "`AccountKey`"),
            ("BlobEndpoint=http://secret@h;AccountName=a", "user"),
        ] {
            let text = endpoint(text).unwrap_err();
            assert!(text.contains(missing) && !text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn what_is_signed_has_the_form_that_is_asked_for() {
        let url = Url::parse("https://testaccount.blob.core.windows.net/container/key").unwrap();
        let resource = resource("testaccount", &url);
        assert_eq!(resource, "/testaccount/container/key");
        let date = [("x-ms-date", "D"), ("x-ms-version", "V")];
        let expected = format!("GET\n{}x-ms-date:D\nx-ms-version:V\n{resource}", "\n".repeat(11));
        assert_eq!(to_sign(&Method::GET, (0, ""), &date, &resource), expected);
        let expected =
            format!("PUT\n\n\n5\nsum\n{OCTETS}\n\n\n\n\n\n\nx-ms-date:D\nx-ms-version:V\n{resource}");
        assert_eq!(to_sign(&Method::PUT, (5, "sum"), &date, &resource), expected);
    }
}
