//! What a remote has to offer: get, put, a check of rights, and a name. Nothing has a default body, so that a wrapper
//! cannot lose a method. Keys are short ASCII names; values are opaque here.
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What a call of a [`Backend`] comes to, later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// A place on another machine that keeps values by name.
pub trait Backend: Send + Sync {
    /// What statistics and the log call it, without secrets, as in `Redis: redis://:*****@host`.
    fn name(&self) -> &str;
    /// The value of a key; `None` where there is none.
    fn get<'a>(&'a self, key: &'a str) -> Later<'a, Option<Vec<u8>>>;
    /// Stores a value, replacing the one that the key had.
    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()>;
    /// What may be done there, as found by trying.
    fn check(&self) -> Later<'_, Rights>;
}

/// What may be done at a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Values can be read.
    pub read: bool,
    /// Values can be written.
    pub write: bool,
    /// What is wrong, in plain words without secrets; empty where nothing is.
    pub trouble: String,
}

/// Why a remote did not do what it was asked. None of these may fail a build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The secret is wrong, or the right is missing. Trying again does not help.
    #[error("the remote refuses: {0}; check its user, password and rights")]
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
    /// No connection, a broken one, or no answer in time.
    #[error("the remote cannot be reached: {0}")]
    Unreachable(String),
    /// It answered, but not in its protocol.
    #[error("the answer of the remote makes no sense: {0}")]
    Malformed(String),
}
