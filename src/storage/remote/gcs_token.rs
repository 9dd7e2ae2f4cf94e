//! Tokens for Google's storage: for the key of a service account, or from an address that hands them out.
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use super::backend::{BackendError, UnusableSetting};
use super::http::answer::Answer;
use super::http::{Http, dates, names};
use super::sink::Progress;

/// How long an assertion may be used.
const ASSERTION_LIFE: Duration = Duration::from_secs(59 * 60);
/// Where machines of Google's cloud learn about themselves.
const METADATA: &str = "metadata.google.internal";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A token, and when it ends.
pub(super) type Token = (String, Option<SystemTime>);

/// Where tokens come from.
pub(super) enum TokenSource {
    Account(Box<ServiceAccount>),
    Address(Url),
}

impl TokenSource {
    /// What Google's cloud gives the machine that it runs.
    pub(super) fn metadata(host: Option<&str>, account: &str) -> Result<Self, UnusableSetting> {
        let (host, account) =
            (host.unwrap_or(METADATA), names::encoded(account.trim(), false).replace("%40", "@"));
        Self::address(&format!("http://{host}/computeMetadata/v1/instance/service-accounts/{account}/token"))
    }

    /// Any address that answers as Google's metadata does (`access_token`, `expires_in`), or with `accessToken` and
    /// `expireTime`.
    pub(super) fn address(text: &str) -> Result<Self, UnusableSetting> {
        let unusable = |reason: String| UnusableSetting { setting: "credentials URL", reason };
        let url = Url::parse(text.trim()).map_err(|error| unusable(error.to_string()))?;
        match url.scheme() {
            "http" | "https" => Ok(TokenSource::Address(url)),
            _ => Err(unusable("it begins with neither `http://` nor `https://`".to_owned())),
        }
    }

    pub(super) async fn fetch(&self, http: &Http, scope: &str) -> Result<Token, BackendError> {
        match self {
            TokenSource::Account(account) => {
                let assertion = account.assertion(scope, SystemTime::now())?;
                let grant = names::encoded(GRANT, false);
                let request = http
                    .client()
                    .post(account.token_url.clone())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(format!("grant_type={grant}&assertion={assertion}"));
                let answer = answered(http.send(request, &Progress::default()).await?).await?;
                standard(&answer)
            }
            TokenSource::Address(url) => {
                // Google's wants to see it, so that nobody is led there who does not know where it leads.
                let request = http.client().get(url.clone()).header("Metadata-Flavor", "Google");
                let answer = answered(http.send(request, &Progress::default()).await?).await?;
                if answer.get("access_token").is_some() {
                    return standard(&answer);
                }
                let ends = answer.get("expireTime").and_then(Value::as_str).and_then(dates::from_rfc3339);
                Ok((text_of(&answer, "accessToken")?, ends))
            }
        }
    }
}

/// The token of an answer as OAuth has it.
fn standard(answer: &Value) -> Result<Token, BackendError> {
    let seconds = answer.get("expires_in").and_then(Value::as_u64);
    let ends = seconds.and_then(|s| SystemTime::now().checked_add(Duration::from_secs(s)));
    Ok((text_of(answer, "access_token")?, ends))
}

/// The JSON of a good answer.
async fn answered(mut answer: Answer) -> Result<Value, BackendError> {
    let text = answer.text().await;
    let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
    if answer.status().is_success() {
        return Ok(value);
    }
    if let Some(clocks) = answer.clocks() {
        return Err(BackendError::Denied(clocks));
    }
    let part = |name| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let said = format!("no token: {} {}", part("error"), part("error_description"));
    Err(answer.refusal(said.trim()))
}

fn text_of(answer: &Value, name: &str) -> Result<String, BackendError> {
    let text = answer.get(name).and_then(Value::as_str);
    let malformed = || BackendError::Malformed(format!("no `{name}` from the service that gives tokens"));
    // It becomes a line of each request.
    let text = text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
    text.map(str::to_owned).ok_or_else(malformed)
}

/// What the key file of a service account says.
pub(super) struct ServiceAccount {
    email: String,
    token_url: Url,
    key: RsaKeyPair,
}

impl ServiceAccount {
    /// The text of an error tells nothing of what the file holds.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let file: Value = serde_json::from_str(&text).map_err(|_| "it is no JSON".to_owned())?;
        let part = |name: &str| {
            let found = file.get(name).and_then(Value::as_str);
            found.map(str::to_owned).ok_or_else(|| format!("`{name}` is missing"))
        };
        let token_url = Url::parse(&part("token_uri")?).ok();
        let token_url = token_url.filter(|url| matches!(url.scheme(), "http" | "https"));
        Ok(ServiceAccount {
            email: part("client_email")?,
            token_url: token_url.ok_or("`token_uri` is no address")?,
            key: key_of(&part("private_key")?).ok_or("`private_key` is no RSA key in PKCS#8")?,
        })
    }

    fn assertion(&self, scope: &str, now: SystemTime) -> Result<String, BackendError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = json!({
            "iss": self.email,
            "scope": scope,
            "aud": self.token_url.as_str(),
            "iat": now.as_secs(),
            "exp": (now + ASSERTION_LIFE).as_secs(),
        });
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "typ": "JWT"}).to_string());
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let outcome =
            self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        outcome
            .map_err(|_| BackendError::Denied("the key of the service account signs nothing".to_owned()))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn key_of(pem: &str) -> Option<RsaKeyPair> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.split_whitespace().collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(body).ok()?).ok()
}
