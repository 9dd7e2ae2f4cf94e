//! S3, and what speaks like it. Requests are signed here, since the libraries for S3 hide what a user has to be told: the
//! code of an error, the clock of the server, the region of a bucket.
use std::path::PathBuf;
use std::time::SystemTime;

use reqwest::header::CACHE_CONTROL;
use reqwest::{Method, Url};

use super::aws_credentials::{AwsCredentials, AwsSources, Credentials};
use super::backend::{Backend, BackendError, Later, MAX_VALUE_BYTES, Rights, UnusableSetting, try_both};
use super::http::answer::Answer;
use super::http::proxies::Proxies;
use super::http::{Http, HttpSettings, aside, dates, names, xml};
use super::sigv4::{Signable, Signer, sha256_hex};
use super::sink::{Progress, Sink};

/// Fifteen days: what is older has been stored anew, or is not asked for.
const MAX_AGE: &str = "max-age=1296000";
const OCTETS: &str = "application/octet-stream";
const USUAL_REGION: &str = "us-east-1";
/// After these other credentials are looked for.
const OUTDATED: [&str; 4] = ["ExpiredToken", "InvalidToken", "InvalidAccessKeyId", "TokenRefreshRequired"];

/// Where the bucket is, and how it is spoken to.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// The bucket; it must be there already.
    pub bucket: String,
    /// `host`, `host:port` or a URL; without it, AWS.
    pub endpoint: Option<String>,
    /// The region; `us-east-1` where it is not known.
    pub region: Option<String>,
    /// What each key begins with.
    pub key_prefix: String,
    /// The bucket is part of the endpoint's host name, not of the path.
    pub virtual_host_style: bool,
    /// TLS for an endpoint without a scheme.
    pub use_ssl: bool,
    /// Requests are not signed.
    pub public: bool,
    /// Where credentials are found.
    pub credentials: AwsSources,
    /// Certificates that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// The server is asked to encrypt what it stores, with a key of its own.
    pub server_side_encryption: bool,
    /// Which requests go through which proxy.
    pub proxies: Proxies,
}

/// A bucket.
pub struct S3 {
    name: String,
    http: Http,
    /// Of the bucket, ending in `/`.
    base: Url,
    /// As the header says it.
    host: String,
    region: String,
    key_prefix: String,
    encrypts: bool,
    /// `None` where requests are not signed.
    credentials: Option<AwsCredentials>,
}

impl S3 {
    /// Prepares everything, without the network.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub fn new(settings: S3Settings) -> Result<S3, UnusableSetting> {
        let bucket = settings.bucket.trim();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if bucket.is_empty() || !bucket.chars().all(is_plain) || bucket.chars().all(|c| c == '.') {
            let reason = "a name of letters, digits, `.`, `-` and `_` is expected".to_owned();
            return Err(UnusableSetting { setting: "bucket", reason });
        }
        let region = region_of(&settings)?;
        let base = base_of(&settings, bucket, &region)?;
        let http = HttpSettings { ca_file: settings.ca_file, proxies: settings.proxies };
        let credentials = match settings.public {
            true => None,
            false => Some(AwsCredentials::new(settings.credentials, &http)?),
        };
        let host = base.host_str().unwrap_or_default();
        Ok(S3 {
            name: format!("S3, bucket: {bucket}"),
            http: Http::new(&http)?,
            host: base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            base,
            region,
            key_prefix: names::key_prefix(&settings.key_prefix)?,
            encrypts: settings.server_side_encryption,
            credentials,
        })
    }

    /// Keys are spread, since listings in a browser are unbearable otherwise.
    fn object_key(&self, key: &str) -> String {
        let mut object = self.key_prefix.clone();
        for letter in key.chars().take(3) {
            object.push(letter);
            object.push('/');
        }
        object + key
    }

    async fn send(
        &self,
        method: Method,
        key: &str,
        value: Option<Vec<u8>>,
        progress: &Progress,
    ) -> Result<Answer, BackendError> {
        let path = format!("{}{}", self.base.path(), names::encoded(&self.object_key(key), true));
        let (value, body_digest) = match value {
            Some(value) => aside(value, sha256_hex).await.map(|(value, digest)| (Some(value), digest))?,
            None => (None, sha256_hex(b"")),
        };
        let mut headers = vec![("host", self.host.clone())];
        if value.is_some() {
            headers.push(("content-type", OCTETS.to_owned()));
            if self.encrypts {
                headers.push(("x-amz-server-side-encryption", "AES256".to_owned()));
            }
        }
        if let Some(credentials) = &self.credentials {
            let credentials = credentials.get().await?;
            self.sign(&credentials, (method.as_str(), &path, &body_digest), &mut headers);
        }
        let mut url = self.base.clone();
        url.set_path(&path);
        let mut request = self.http.client().request(method, url);
        // The host is the library's to say.
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        if let Some(value) = value {
            request = request.header(CACHE_CONTROL, MAX_AGE).body(value);
        }
        self.http.send(request, progress).await
    }

    fn sign(
        &self,
        credentials: &Credentials,
        (method, path, body_digest): (&str, &str, &str),
        headers: &mut Vec<(&'static str, String)>,
    ) {
        let time = dates::compact(SystemTime::now());
        headers.push(("x-amz-content-sha256", body_digest.to_owned()));
        headers.push(("x-amz-date", time.clone()));
        if let Some(token) = &credentials.session_token {
            headers.push(("x-amz-security-token", token.clone()));
        }
        headers.sort();
        let signer = Signer { credentials, region: &self.region, service: "s3", time: &time };
        let request = Signable { method, path, query: "", headers, body_digest };
        let authorization = signer.authorization(&request);
        headers.push(("authorization", authorization));
    }

    /// What an answer that is no success means; `Ok` where the key is just not there.
    async fn refusal(&self, mut answer: Answer) -> Result<(), BackendError> {
        let said = Said::of(&answer.text().await);
        if answer.status() == 404 && matches!(said.code.as_str(), "" | "NoSuchKey") {
            return Ok(());
        }
        // The answer to HEAD has no words, and most of these come with 400.
        let may_be_outdated = said.code.is_empty() && answer.status() == 400;
        if (may_be_outdated || OUTDATED.contains(&said.code.as_str()))
            && let Some(credentials) = &self.credentials
        {
            credentials.forget().await;
        }
        Err(said.meaning(&answer, &self.region))
    }
}

impl Backend for S3 {
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
            let not_found = BackendError::Denied("status 404: no such bucket?".to_owned());
            self.refusal(answer).await.and(Err(not_found))
        })
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(try_both(self))
    }
}

fn region_of(settings: &S3Settings) -> Result<String, UnusableSetting> {
    let region = settings.region.as_deref().map(str::trim).filter(|region| !region.is_empty());
    let region = region.unwrap_or(USUAL_REGION);
    // It becomes part of a host name.
    if region.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Ok(region.to_owned());
    }
    let reason = "a name such as `eu-west-1` is expected".to_owned();
    Err(UnusableSetting { setting: "region", reason })
}

/// The address of the bucket.
fn base_of(settings: &S3Settings, bucket: &str, region: &str) -> Result<Url, UnusableSetting> {
    let endpoint = settings.endpoint.as_deref().map(str::trim).filter(|endpoint| !endpoint.is_empty());
    let text = match endpoint {
        Some(endpoint) => {
            let scheme = if settings.use_ssl { "https" } else { "http" };
            let has_scheme = endpoint.contains("://");
            let text = if has_scheme { endpoint.to_owned() } else { format!("{scheme}://{endpoint}") };
            let mut url = names::endpoint("endpoint", &text)?;
            if !url.username().is_empty() || url.password().is_some() {
                let reason = "S3 takes no user and no password in an address".to_owned();
                return Err(UnusableSetting { setting: "endpoint", reason });
            }
            if !settings.virtual_host_style {
                return names::endpoint("endpoint", &format!("{url}{bucket}/"));
            }
            let host = url.domain().map(|host| format!("{bucket}.{host}"));
            if host.is_none_or(|host| url.set_host(Some(&host)).is_err()) {
                let reason = "an address of numbers cannot have the bucket in its name".to_owned();
                return Err(UnusableSetting { setting: "endpoint", reason });
            }
            url.to_string()
        }
        None => {
            let cloud = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
            // No certificate covers a host name with a bucket that has dots.
            if bucket.contains(['.', '_']) {
                format!("https://s3.{region}.{cloud}/{bucket}/")
            } else {
                format!("https://{bucket}.s3.{region}.{cloud}/")
            }
        }
    };
    names::endpoint("endpoint", &text)
}

/// What a server says is wrong.
#[derive(Default)]
struct Said {
    code: String,
    message: String,
    region: String,
    /// The time in the request, and the server's.
    times: (String, String),
}

impl Said {
    fn of(text: &str) -> Self {
        let element = |name| xml::told(text, name).unwrap_or_default();
        Said {
            code: element("Code"),
            message: element("Message"),
            region: element("Region"),
            times: (element("RequestTime"), element("ServerTime")),
        }
    }

    fn meaning(self, answer: &Answer, our_region: &str) -> BackendError {
        let region = answer.header("x-amz-bucket-region").unwrap_or(&self.region);
        let is_elsewhere = matches!(answer.status().as_u16(), 301 | 307)
            || matches!(
                self.code.as_str(),
                "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException"
            );
        if is_elsewhere && !region.is_empty() && region != our_region {
            let text = format!("the bucket is in the region {region}, not in {our_region}");
            return BackendError::Denied(text);
        }
        if self.code == "RequestTimeTooSkewed" {
            let (ours, theirs) = self.times;
            let ours = if ours.is_empty() { dates::compact(SystemTime::now()) } else { ours };
            let date = answer.header("date").unwrap_or("unknown").to_owned();
            let theirs = if theirs.is_empty() { date } else { theirs };
            let text = format!("the clock of this machine is wrong: {ours} here, {theirs} at the server");
            return BackendError::Denied(text);
        }
        match self.code.as_str() {
            "SlowDown" | "ServiceUnavailable" => answer.refusal(""),
            "EntityTooLarge" => BackendError::TooLarge,
            "RequestTimeout" => BackendError::Unreachable("the request took too long".to_owned()),
            "" => answer.refusal(""),
            code => answer.refusal(&format!("{code}: {}", self.message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(settings: &S3Settings) -> String {
        base_of(settings, &settings.bucket, &region_of(settings).unwrap()).unwrap().to_string()
    }

    #[test]
    fn an_endpoint_is_taken_as_it_is_and_completed() {
        let of = |bucket: &str, endpoint: &str, use_ssl| S3Settings {
            bucket: bucket.to_owned(),
            endpoint: Some(endpoint.to_owned()),
            use_ssl,
            ..S3Settings::default()
        };
        for (bucket, endpoint, use_ssl, expected) in [
            ("b", "", false, "https://b.s3.us-east-1.amazonaws.com/"),
            ("b.c", "", false, "https://s3.us-east-1.amazonaws.com/b.c/"),
            ("b", "host", false, "http://host/b/"),
            ("b", "host:9000", true, "https://host:9000/b/"),
            ("b", "http://host:9000/s3", true, "http://host:9000/s3/b/"),
            ("b", "[::1]:9000", false, "http://[::1]:9000/b/"),
        ] {
            assert_eq!(base(&of(bucket, endpoint, use_ssl)), expected);
        }
        let china = S3Settings { region: Some("cn-north-1".to_owned()), ..of("b", "", false) };
        assert_eq!(base(&china), "https://b.s3.cn-north-1.amazonaws.com.cn/");
        base_of(&of("b", "http://u:p@host", false), "b", "r").unwrap_err();
        let by_name = |of: S3Settings| S3Settings { virtual_host_style: true, ..of };
        assert_eq!(base(&by_name(of("b", "host:9000", true))), "https://b.host:9000/");
        assert_eq!(base(&by_name(of("b.c", "http://host/s3/", false))), "http://b.c.host/s3/");
        assert_eq!(base(&by_name(of("b", "", false))), "https://b.s3.us-east-1.amazonaws.com/");
        for numbers in ["127.0.0.1:9000", "[::1]"] {
            base_of(&by_name(of("b", numbers, false)), "b", "r").unwrap_err();
        }
    }

    #[test]
    fn settings_that_lead_elsewhere_are_refused() {
        let good = S3Settings { bucket: "b".to_owned(), public: true, ..S3Settings::default() };
        assert_eq!(S3::new(good.clone()).unwrap().object_key("abcd"), "a/b/c/abcd");
        for bucket in ["", "..", "a/b", "a b", "a?b"] {
            let text = S3::new(S3Settings { bucket: bucket.to_owned(), ..good.clone() }).err().unwrap();
            assert_eq!(text.setting, "bucket");
        }
        let region = S3Settings { region: Some("x.evil.org/".to_owned()), ..good.clone() };
        assert_eq!(S3::new(region).err().unwrap().setting, "region");
        let prefix = S3Settings { key_prefix: "../x".to_owned(), ..good };
        assert_eq!(S3::new(prefix).err().unwrap().setting, "key prefix");
    }
}
