//! What a remote has to offer: get, has, put, a check of rights, and a name. Nothing has a default body, so that a wrapper
//! cannot lose a method. Keys are short ASCII names (`[0-9a-z-]`); values are opaque here.
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

use super::sink::Sink;

/// The largest value that is read from a remote or written there; more is [`BackendError::TooLarge`].
pub const MAX_VALUE_BYTES: u64 = 256 << 20;

/// What a call of a [`Backend`] comes to, later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// A place on another machine that keeps values by name.
///
/// Time limits are the caller's: it drops the future of a call that takes too long, and a backend must stand that at
/// each await. Backends never retry and never log.
pub trait Backend: Send + Sync {
    /// What statistics and the log call it, without secrets, as in `Redis: redis://:*****@host`.
    fn name(&self) -> &str;
    /// Gives the value of a key to `to` as it comes; false where there is none, and then what was given is none of it.
    fn get<'a>(&'a self, key: &'a str, to: &'a mut Sink) -> Later<'a, bool>;
    /// Whether there is a value for a key, without fetching it; what expires some time after it was written begins anew
    /// with that, where the remote can do so.
    fn has<'a>(&'a self, key: &'a str) -> Later<'a, bool>;
    /// Stores a value, replacing the one that the key had; done when the remote has said so.
    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()>;
    /// What may be done there, as found by trying.
    fn check(&self) -> Later<'_, Rights>;
}

/// What may be done at a remote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Values can be read.
    pub read: bool,
    /// Values can be written.
    pub write: bool,
    /// What is wrong, in plain words without secrets; empty where nothing is.
    pub trouble: String,
}

/// The key of a value that is read and written to find out what may be done: one of a few hundred, for all machines of a
/// team may start at once, and servers let one value be written a few times a second only.
pub fn check_key() -> String {
    format!("cachepot-check-{:02x}", RandomState::new().hash_one(0) & 0xff)
}

/// Finds out what may be done by doing it: reads a value that may be absent, and writes it.
///
/// # Errors
/// What says nothing of rights: no connection, no sense in the answer, too much asked.
pub async fn try_both(backend: &dyn Backend) -> Result<Rights, BackendError> {
    let mut rights = try_reading(backend).await?;
    match backend.put(&check_key(), b"cachepot".to_vec()).await {
        // What lies in the way of one says nothing of others.
        Ok(()) | Err(BackendError::Obstructed(_)) => rights.write = true,
        Err(error) => rights.note(error)?,
    }
    Ok(rights)
}

/// The same for those who may not, or do not want to, write.
///
/// # Errors
/// As [`try_both`].
pub async fn try_reading(backend: &dyn Backend) -> Result<Rights, BackendError> {
    let mut rights = Rights::default();
    match backend.get(&check_key(), &mut Sink::default()).await {
        Ok(_) => rights.read = true,
        Err(error) => rights.note(error)?,
    }
    Ok(rights)
}

impl Rights {
    /// Takes note of a refusal; anything else is an error.
    fn note(&mut self, error: BackendError) -> Result<(), BackendError> {
        match error {
            BackendError::Denied(_) | BackendError::TooLarge | BackendError::Full(_) => {
                if self.trouble.is_empty() {
                    self.trouble = error.to_string();
                }
                Ok(())
            }
            other => Err(other),
        }
    }
}

/// Why a remote did not do what it was asked. None of these may fail a build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The secret is wrong, the right is missing, or the place (bucket, database) does not exist. Trying again does not
    /// help.
    #[error("the remote refuses: {0}")]
    Denied(String),
    /// It asks to be left alone for a while.
    #[error("the remote is asked too much")]
    Throttled {
        /// For how long, if it said so.
        retry_after: Option<Duration>,
    },
    /// The value is larger than it, or we, accept.
    #[error("the value is larger than the remote accepts")]
    TooLarge,
    /// It has no room and evicts nothing: this value is skipped, and others can be read all the same.
    #[error("the remote has no room: {0}")]
    Full(String),
    /// Something that is none of ours lies in the place of this value; others can be written.
    #[error("the value cannot be written: {0}")]
    Obstructed(String),
    /// No connection, a broken one, or no answer in time.
    #[error("the remote cannot be reached: {0}")]
    Unreachable(String),
    /// It answered, but not in its protocol, or that it has trouble of its own.
    #[error("the answer of the remote makes no sense: {0}")]
    Malformed(String),
    /// Whoever asked wants no more of the value.
    #[error("the rest of the value is not wanted")]
    Unwanted,
}

/// The value of a key, in memory; `None` where there is none.
///
/// # Errors
/// Those of [`Backend::get`].
pub async fn get_whole(backend: &dyn Backend, key: &str) -> Result<Option<Vec<u8>>, BackendError> {
    let mut sink = Sink::default();
    let is_there = backend.get(key, &mut sink).await?;
    Ok(is_there.then(|| sink.into_value()))
}

/// A setting of a remote that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct UnusableSetting {
    /// What it is, as in `URL`; never its value, which may hold a secret.
    pub setting: &'static str,
    /// What is wrong, and what would be right.
    pub reason: String,
}
