//! Services that hand out temporary credentials of AWS: to a machine, to a container, for a token, or at an address that
//! the user names. Each is asked only where the environment points to it, the machine's excepted.
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use reqwest::{RequestBuilder, Url};
use serde_json::Value;

use super::aws_credentials::{Credentials, Lookup, region};
use super::backend::{BackendError, UnusableSetting};
use super::http::answer::Answer;
use super::http::{Http, HttpSettings, dates, names, xml};
use super::sink::Progress;

/// For a question to a service that is somewhere else.
const FAR_LIMIT: Duration = Duration::from_secs(10);
/// For a question to an agent beside the container.
const AGENT_LIMIT: Duration = Duration::from_secs(2);
/// On a machine that is not in this cloud nobody answers, and a build should not notice.
const MACHINE_LIMIT: Duration = Duration::from_millis(300);
const AGENT: &str = "http://169.254.170.2";
const MACHINE: &str = "http://169.254.169.254";
const ROLES: &str = "latest/meta-data/iam/security-credentials/";

/// Credentials, and when they end.
pub(super) type Found = (Credentials, Option<SystemTime>);

/// Which services the environment points to.
#[derive(Clone, Default)]
pub(super) struct Services {
    iam_url: Option<String>,
    web_identity: Option<WebIdentity>,
    container: Option<Container>,
    /// The address of the machine's own; `None` where it is switched off.
    machine: Option<String>,
}

#[derive(Clone)]
struct WebIdentity {
    /// It is written anew from time to time.
    token_file: PathBuf,
    role: String,
    session: String,
    address: String,
}

#[derive(Clone)]
struct Container {
    address: String,
    token: Option<String>,
    token_file: Option<PathBuf>,
}

impl Services {
    pub(super) fn from_env(env: Lookup<'_>) -> Self {
        let value = |name: &str| env(name).filter(|value| !value.is_empty());
        let region = region(env).unwrap_or_else(|| "us-east-1".to_owned());
        let cloud = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let usual = || format!("https://sts.{region}.{cloud}/");
        let web_identity = value("AWS_WEB_IDENTITY_TOKEN_FILE").zip(value("AWS_ROLE_ARN"));
        let relative = value("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").map(|path| format!("{AGENT}{path}"));
        let container = relative.or_else(|| value("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
        let is_off = value("AWS_EC2_METADATA_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let machine = || value("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|| MACHINE.to_owned());
        Services {
            iam_url: value("AWS_IAM_CREDENTIALS_URL"),
            web_identity: web_identity.map(|(token_file, role)| WebIdentity {
                token_file: PathBuf::from(token_file),
                role,
                session: value("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "cachepot".to_owned()),
                address: value("AWS_ENDPOINT_URL_STS").unwrap_or_else(usual),
            }),
            container: container.map(|address| Container {
                address,
                token: value("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
                token_file: value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from),
            }),
            machine: (!is_off).then(machine),
        }
    }
}

/// The services, and how they are spoken to.
pub(super) struct Asker {
    services: Services,
    far: Http,
    /// Without a proxy: what is on this machine or beside it is never asked through one.
    near: Http,
}

impl Asker {
    pub(super) fn new(services: Services, http: &HttpSettings) -> Result<Self, UnusableSetting> {
        let near = Http::limited(&HttpSettings::default(), AGENT_LIMIT)?;
        Ok(Asker { services, far: Http::limited(http, FAR_LIMIT)?, near })
    }

    /// What comes before the files of profiles; `None` where the environment points to none of these.
    pub(super) async fn before_profiles(&self) -> Option<Result<Found, BackendError>> {
        if let Some(address) = &self.services.iam_url {
            return Some(self.at_address(address).await);
        }
        let identity = self.services.web_identity.as_ref()?;
        Some(self.for_token(identity).await)
    }

    /// What comes after them; `None` where there is nobody.
    pub(super) async fn after_profiles(&self) -> Option<Result<Found, BackendError>> {
        if let Some(container) = &self.services.container {
            return Some(self.of_container(container).await);
        }
        let address = self.services.machine.as_ref()?;
        // Whoever does not answer is not there.
        self.of_machine(address).await.map(Ok)
    }

    async fn at_address(&self, address: &str) -> Result<Found, BackendError> {
        let url = url_of(address, "AWS_IAM_CREDENTIALS_URL")?;
        let http = if is_near(&url) { &self.near } else { &self.far };
        found_in_json(&asked(http, http.client().get(url)).await?)
    }

    async fn of_container(&self, container: &Container) -> Result<Found, BackendError> {
        let url = url_of(&container.address, "AWS_CONTAINER_CREDENTIALS_FULL_URI")?;
        // As in Amazon's own libraries: the token goes to nobody who could be anybody.
        if url.scheme() != "https" && !is_near(&url) {
            let text =
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither on this machine nor of `https`".to_owned();
            return Err(BackendError::Denied(text));
        }
        let token = match &container.token_file {
            Some(path) => Some(read(path, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")?),
            None => container.token.clone(),
        };
        let mut request = self.near.client().get(url);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        found_in_json(&asked(&self.near, request).await?)
    }

    async fn of_machine(&self, address: &str) -> Option<Found> {
        let base = names::endpoint("AWS_EC2_METADATA_SERVICE_ENDPOINT", address).ok()?;
        let client = self.near.client();
        let session = client
            .put(base.join("latest/api/token").ok()?)
            .header("x-aws-ec2-metadata-token-ttl-seconds", "60");
        let session = asked(&self.near, session.timeout(MACHINE_LIMIT)).await.ok()?;
        let get = |url: Url| {
            let request = client.get(url).header("x-aws-ec2-metadata-token", session.trim());
            asked(&self.near, request.timeout(MACHINE_LIMIT))
        };
        let roles = base.join(ROLES).ok()?;
        let names = get(roles.clone()).await.ok()?;
        let role = names::encoded(names.lines().next()?.trim(), false);
        found_in_json(&get(roles.join(&role).ok()?).await.ok()?).ok()
    }

    async fn for_token(&self, identity: &WebIdentity) -> Result<Found, BackendError> {
        let token = read(&identity.token_file, "AWS_WEB_IDENTITY_TOKEN_FILE")?;
        let url = url_of(&identity.address, "AWS_ENDPOINT_URL_STS")?;
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", &identity.role),
            ("RoleSessionName", &identity.session),
            ("WebIdentityToken", &token),
        ];
        let fields = fields.map(|(name, value)| format!("{name}={}", names::encoded(value, false)));
        let request = self.far.client().post(url).header("content-type", "application/x-www-form-urlencoded");
        found_in_xml(&asked(&self.far, request.body(fields.join("&"))).await?)
    }
}

/// The text of a good answer.
async fn asked(http: &Http, request: RequestBuilder) -> Result<String, BackendError> {
    let mut answer: Answer = http.send(request, &Progress::default()).await?;
    let text = answer.text().await;
    if answer.status().is_success() {
        return Ok(text);
    }
    let part = |name| xml::told(&text, name).unwrap_or_default();
    let said = format!("no AWS credentials: {} {}", part("Code"), part("Message"));
    Err(answer.refusal(said.trim()))
}

fn url_of(text: &str, variable: &str) -> Result<Url, BackendError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| BackendError::Denied(format!("{variable} is no address of `http` or `https`")))
}

/// Whether it is this machine, or an agent on its link.
fn is_near(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // The second is Amazon's own, for agents.
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.segments().starts_with(&[0xfd00, 0xec2]),
        Err(_) => host == "localhost",
    }
}

fn read(path: &PathBuf, variable: &str) -> Result<String, BackendError> {
    let text = std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    text.map_err(|error| BackendError::Denied(format!("the file of {variable} cannot be read: {error}")))
}

fn found_in_json(text: &str) -> Result<Found, BackendError> {
    let value = serde_json::from_str::<Value>(text).unwrap_or_default();
    found(|name| value.get(name).and_then(Value::as_str).map(str::to_owned), "Token")
}

fn found_in_xml(text: &str) -> Result<Found, BackendError> {
    found(|name| xml::element(text, name), "SessionToken")
}

fn found(part: impl Fn(&str) -> Option<String>, token: &str) -> Result<Found, BackendError> {
    let missing =
        |name: &str| BackendError::Malformed(format!("no `{name}` in the answer with AWS credentials"));
    let credentials = Credentials {
        access_key_id: part("AccessKeyId").ok_or_else(|| missing("AccessKeyId"))?,
        secret_access_key: part("SecretAccessKey").ok_or_else(|| missing("SecretAccessKey"))?,
        session_token: part(token),
    };
    Ok((credentials, part("Expiration").as_deref().and_then(dates::from_rfc3339)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_its_link_are_near() {
        for (address, expected) in [
            ("http://localhost:1/", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]/", true),
            ("http://169.254.169.254/", true),
            ("http://[fd00:ec2::23]/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.evil.org/", false),
            ("http://[fd00::1]/", false),
        ] {
            assert_eq!(is_near(&Url::parse(address).unwrap()), expected, "{address}");
        }
    }
}
