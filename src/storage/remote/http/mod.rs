//! What all remotes share that are spoken to in HTTP: one client, one way to read an answer, one way to tell what went
//! wrong. The parts beside it know nothing of HTTP: `proxies.rs`, `names.rs`, `dates.rs`, `xml.rs`,
//! `renewed.rs`.
//!
//! Absent on purpose: retries, redirects, compression, HTTP/2, and texts of errors that hold an address, since an
//! address may hold a secret.

pub(super) mod answer;
pub(super) mod dates;
pub(super) mod names;
pub mod proxies;
pub(super) mod renewed;
pub(super) mod xml;

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, redirect};

use self::answer::Answer;
use self::proxies::Proxies;
use super::backend::{BackendError, UnusableSetting};
use super::sink::Progress;

/// Shorter than the time after which common servers close a connection themselves: a request that meets that moment
/// is lost.
const IDLE: Duration = Duration::from_secs(15);
const MAX_IDLE: usize = 8;
/// A checksum of less is computed on the spot.
const SMALL_BYTES: usize = 1 << 20;

const NO_CLIENT: &str = "no client can be made";
/// The library's words for a name that nobody knows.
const NO_HOST: &str = "dns error";

/// How requests leave this machine.
#[derive(Clone, Default)]
pub struct HttpSettings {
    /// A file with certificates in PEM that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Which requests go through which proxy.
    pub proxies: Proxies,
}

/// A client for one remote, with connections that are kept.
pub(super) struct Http {
    client: Client,
    has_proxies: bool,
}

impl Http {
    /// A client without time limits, which are the caller's.
    pub(super) fn new(settings: &HttpSettings) -> Result<Self, UnusableSetting> {
        build(settings, None)
    }

    /// A client for services that hand out tokens, with a limit for each question, since nobody gives such a one up.
    pub(super) fn limited(settings: &HttpSettings, limit: Duration) -> Result<Self, UnusableSetting> {
        build(settings, Some(limit))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and waits for the head of its answer, whatever its status is.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        progress: &Progress,
    ) -> Result<Answer, BackendError> {
        let request = request.build().map_err(|error| trouble(&error))?;
        let response = self.client.execute(request).await.map_err(|error| self.trouble(&error))?;
        let head = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
        progress.add(head.sum::<usize>().max(1));
        Ok(Answer::new(response))
    }

    /// What a failure means, with the name of a host that is not found; no more of an address is told.
    fn trouble(&self, error: &reqwest::Error) -> BackendError {
        let is_not_found = causes(error).any(|cause| cause.to_string().contains(NO_HOST));
        match error.url().and_then(reqwest::Url::host_str).filter(|_| is_not_found) {
            Some(host) if self.has_proxies => {
                BackendError::Unreachable(format!("the host `{host}`, or the proxy before it, is not found"))
            }
            Some(host) => BackendError::Unreachable(format!("the host `{host}` is not found")),
            None => trouble(error),
        }
    }
}

fn build(settings: &HttpSettings, limit: Option<Duration>) -> Result<Http, UnusableSetting> {
    // Proxies are those that were passed in; the library must not look for its own.
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("cachepot/", env!("CARGO_PKG_VERSION")))
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE);
    if let Some(limit) = limit {
        builder = builder.timeout(limit);
    }
    let proxies = settings.proxies.all()?;
    let has_proxies = !proxies.is_empty();
    for proxy in proxies {
        builder = builder.proxy(proxy);
    }
    builder = certificates(settings)?.into_iter().fold(builder, ClientBuilder::add_root_certificate);
    let client = builder.build().map_err(|error| {
        let reason = causes(&error).last().map_or_else(|| NO_CLIENT.to_owned(), ToString::to_string);
        UnusableSetting { setting: "TLS", reason }
    })?;
    Ok(Http { client, has_proxies })
}

/// Those of the file that the settings name.
fn certificates(settings: &HttpSettings) -> Result<Vec<Certificate>, UnusableSetting> {
    let Some(path) = &settings.ca_file else { return Ok(Vec::new()) };
    let unusable = |reason: String| UnusableSetting { setting: "CA file", reason };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if found.is_empty() {
        return Err(unusable("it holds no certificates in PEM".to_owned()));
    }
    Ok(found)
}

/// What each cause under an error says; not the error itself, whose text may hold the address.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: Option<&(dyn Error + 'static)> = error.source();
    std::iter::successors(first, |error| (*error).source())
}

/// Computes something of a whole value where that keeps no other task waiting.
pub(super) async fn aside<T: Send + 'static>(
    value: Vec<u8>,
    compute: fn(&[u8]) -> T,
) -> Result<(Vec<u8>, T), BackendError> {
    if value.len() < SMALL_BYTES {
        let computed = compute(&value);
        return Ok((value, computed));
    }
    let task = tokio::task::spawn_blocking(move || {
        let computed = compute(&value);
        (value, computed)
    });
    task.await.map_err(|_| BackendError::Malformed("no checksum can be computed".to_owned()))
}

/// What a failure below HTTP means.
pub(super) fn trouble(error: &reqwest::Error) -> BackendError {
    if error.is_timeout() {
        return BackendError::Unreachable("no answer in time".to_owned());
    }
    let texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    let said = |part: &str| texts.iter().any(|text| text.contains(part));
    if let Some(reason) = texts.iter().find_map(|text| text.split_once("invalid peer certificate: ")) {
        return BackendError::Unreachable(certificate_trouble(reason.1));
    }
    if said(NO_HOST) {
        return BackendError::Unreachable("the host is not found".to_owned());
    }
    if said("proxy auth") {
        return BackendError::Denied("the proxy wants a user and a password".to_owned());
    }
    // The library's words for an answer that is no HTTP.
    if texts.iter().any(|text| text.starts_with("invalid ") && text.contains("parsed")) {
        return BackendError::Malformed("it does not speak HTTP".to_owned());
    }
    let kind =
        causes(error).filter_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind).last();
    match kind {
        Some(ErrorKind::ConnectionRefused) => BackendError::Unreachable("nothing listens there".to_owned()),
        // Only a body ends so: fewer bytes came than its head had promised.
        Some(ErrorKind::UnexpectedEof) if error.is_body() || error.is_decode() => {
            BackendError::Malformed("the answer ends too early".to_owned())
        }
        _ => BackendError::Unreachable(texts.into_iter().last().unwrap_or_else(|| "no answer".to_owned())),
    }
}

/// What is wrong with the server's certificate, and what helps.
fn certificate_trouble(reason: &str) -> String {
    if reason.starts_with("UnknownIssuer") {
        return "its certificate is signed by an authority that is not trusted here (name a CA file)"
            .to_owned();
    }
    if reason.starts_with("certificate not valid for name") || reason.starts_with("NotValidForName") {
        return "its certificate is for another host name".to_owned();
    }
    if reason.contains("expired") || reason.contains("Expired") {
        return "its certificate has expired".to_owned();
    }
    if reason.contains("CaUsedAsEndEntity") {
        return "its certificate is that of an authority (CA:TRUE), which no server may show".to_owned();
    }
    format!("its certificate is not accepted: {reason}")
}
