//! An answer: its status, its head, and its body, which is read in pieces and never beyond a limit.
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::super::backend::{BackendError, MAX_VALUE_BYTES};
use super::super::sink::Sink;
use super::{dates, trouble};

/// As much of an explanation as is read.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// Clouds refuse what is signed a quarter of an hour earlier or later, some of them five minutes.
const CLOCKS_APART: Duration = Duration::from_secs(5 * 60);

/// See the file's head.
pub(in super::super) struct Answer {
    response: Response,
}

impl Answer {
    pub(super) fn new(response: Response) -> Self {
        Answer { response }
    }

    pub(in super::super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A line of its head.
    pub(in super::super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Refuses what is plainly not the head of what was once stored: a page of somebody in between, what a proxy has packed.
    pub(in super::super) fn check_head(&self) -> Result<(), BackendError> {
        if self.status() != StatusCode::OK {
            return Err(BackendError::Malformed(format!("status {}", self.status().as_u16())));
        }
        if self.header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(BackendError::Malformed("a web page instead of a value".to_owned()));
        }
        if self.header(CONTENT_ENCODING.as_str()).is_some_and(|coding| coding != "identity") {
            return Err(BackendError::Malformed("somebody has packed the value anew".to_owned()));
        }
        Ok(())
    }

    /// Gives the value that a 200 carries to `to`. Whatever is plainly not what was once stored is refused, as is a length
    /// that is not the promised one.
    pub(in super::super) async fn value(mut self, to: &mut Sink) -> Result<(), BackendError> {
        self.check_head()?;
        let promised = self.response.content_length();
        if promised.is_some_and(|length| length > MAX_VALUE_BYTES) {
            return Err(BackendError::TooLarge);
        }
        while let Some(piece) = self.response.chunk().await.map_err(|error| trouble(&error))? {
            to.take(&piece).await?;
        }
        Ok(())
    }

    /// The beginning of what it says in words; empty where it breaks off.
    pub(in super::super) async fn text(&mut self) -> String {
        let mut text = Vec::new();
        while let Ok(Some(piece)) = self.response.chunk().await {
            text.extend_from_slice(&piece);
            if text.len() > MAX_TEXT_BYTES {
                break;
            }
        }
        text.truncate(MAX_TEXT_BYTES);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// What a status that is no success means, where the protocol of the remote says nothing better. `said` is what the
    /// server says about it, or empty.
    pub(in super::super) fn refusal(&self, said: &str) -> BackendError {
        let status = self.status();
        let number = status.as_u16();
        let told =
            if said.is_empty() { format!("status {number}") } else { format!("status {number}, {said}") };
        match number {
            300..=399 => BackendError::Denied(format!("{told}, it sends us {}", self.elsewhere())),
            407 => BackendError::Denied("the proxy wants a user and a password".to_owned()),
            408 => BackendError::Unreachable(told),
            // No room there for a value of this size.
            413 | 507 => BackendError::TooLarge,
            429 | 503 => BackendError::Throttled { retry_after: self.retry_after() },
            400..=499 => BackendError::Denied(told),
            _ => BackendError::Malformed(told),
        }
    }

    /// What differs, where the server's clock and ours do so much that it may refuse what is signed here.
    pub(in super::super) fn clocks(&self) -> Option<String> {
        let date = self.header("date")?;
        let (ours, theirs) = (SystemTime::now(), dates::from_http(date)?);
        let apart = ours.duration_since(theirs).or_else(|_| theirs.duration_since(ours)).ok()?;
        let text = || format!("the clock of this machine is wrong: {} here, {date} there", dates::http(ours));
        (apart > CLOCKS_APART).then(text)
    }

    /// How long it wants to be left alone: seconds or a date.
    fn retry_after(&self) -> Option<Duration> {
        let text = self.header(RETRY_AFTER.as_str())?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        dates::from_http(text)?.duration_since(SystemTime::now()).ok()
    }

    /// Where a redirect leads: the host alone, since the rest may hold a secret.
    fn elsewhere(&self) -> String {
        let location = self.header(LOCATION.as_str()).and_then(|text| reqwest::Url::parse(text).ok());
        match location.as_ref().and_then(reqwest::Url::host_str) {
            Some(host) => format!("to {host}"),
            None => "elsewhere".to_owned(),
        }
    }
}
