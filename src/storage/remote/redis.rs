//! Redis, and what speaks as it does: one server, or a cluster.
//!
//! Two connections are kept, one for reading and one for writing, so that no build waits behind a large value that is
//! being written. Calls share them. One whose call was given up, or that broke, is not used again.
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, Value};

use super::backend::{Backend, BackendError, Later, MAX_VALUE_BYTES, Rights, UnusableSetting, try_both};
use super::redis_url::{self, Address, at_once};
use super::sink::Sink;
use super::words::shown;

/// Values are read in pieces, to see that they are coming: the first has this size.
const FIRST_PIECE: usize = 256 << 10;
/// The others are larger, for each costs a way there and back.
const PIECE: usize = 1 << 20;
/// The library wants a limit for clusters; the caller's is shorter.
const NO_LIMIT: Duration = Duration::from_secs(3600);

/// Where the server is, and how values are kept there.
#[derive(Clone, Default)]
pub struct RedisSettings {
    /// `host[:port]`, `redis://[[user]:password@]host[:port][/db]`, or `rediss://` for TLS, with `#insecure` at the end to
    /// believe any certificate; or `unix:///path` or `redis+unix:///path`, with `?db=`, `user=` and `pass=`. Of a cluster
    /// several, with commas between.
    pub url: String,
    /// Where the URL names none.
    pub username: Option<String>,
    /// Where the URL has none.
    pub password: Option<String>,
    /// Where the URL names none.
    pub db: Option<u16>,
    /// What each key begins with, as it stands.
    pub key_prefix: String,
    /// For how long a value is kept there after it was written or found to be there, in whole seconds.
    pub expiry: Option<Duration>,
    /// Certificates (PEM) that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// The server is one of a cluster, whose others it names.
    pub cluster: bool,
}

/// A server, or a cluster of them.
pub struct Redis {
    name: String,
    place: Place,
    /// What has to be said first on each connection.
    login: Vec<Cmd>,
    /// Must not stand in any text.
    password: Option<String>,
    key_prefix: String,
    expiry: Option<u64>,
    reading: Slot,
    writing: Slot,
}

enum Place {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

/// A connection; the calls that share it have a copy each.
#[derive(Clone)]
enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    async fn say(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Link::One(connection) => command.query_async(connection).await,
            Link::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

/// Keeps one connection.
#[derive(Default)]
struct Slot {
    /// With a number that no other connection of this slot has had.
    kept: Mutex<Option<(u64, Link)>>,
    next: AtomicU64,
    /// Held by the one call that connects.
    connecting: tokio::sync::Mutex<()>,
}

impl Slot {
    fn kept(&self) -> MutexGuard<'_, Option<(u64, Link)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection in use: not kept any longer where the call does not come to its end.
struct InUse<'a> {
    slot: &'a Slot,
    number: u64,
    link: Link,
    is_new: bool,
    is_whole: bool,
}

impl<'a> InUse<'a> {
    fn kept(slot: &'a Slot) -> Option<Self> {
        let (number, link) = slot.kept().clone()?;
        Some(InUse { slot, number, link, is_new: false, is_whole: false })
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        let mut kept = self.slot.kept();
        if !self.is_whole && kept.as_ref().is_some_and(|(number, _)| *number == self.number) {
            *kept = None;
        }
    }
}

impl Redis {
    /// Prepares everything, without the network.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub fn new(settings: RedisSettings) -> Result<Redis, UnusableSetting> {
        let Address { name, info, others, login, password, certificates } = redis_url::address(&settings)?;
        let unusable = |error: RedisError| UnusableSetting {
            setting: "URL",
            reason: shown(&error.to_string(), password.as_deref()),
        };
        let place = match (settings.cluster, certificates) {
            (true, certificates) => {
                let builder =
                    ClusterClient::builder(std::iter::once(info).chain(others)).response_timeout(NO_LIMIT);
                let builder = builder.overall_response_timeout(None).tcp_settings(at_once());
                let builder = certificates.into_iter().fold(builder, |builder, certs| builder.certs(certs));
                Place::Cluster(Box::new(builder.build().map_err(unusable)?))
            }
            (false, Some(certs)) => {
                Place::One(Box::new(Client::build_with_tls(info, certs).map_err(unusable)?))
            }
            (false, None) => Place::One(Box::new(Client::open(info).map_err(unusable)?)),
        };
        let expiry = settings.expiry.map(|expiry| expiry.as_secs());
        if expiry == Some(0) {
            let reason = "it has to be a second or more".to_owned();
            return Err(UnusableSetting { setting: "expiry", reason });
        }
        let (reading, writing) = (Slot::default(), Slot::default());
        Ok(Redis { name, place, login, password, key_prefix: settings.key_prefix, expiry, reading, writing })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.key_prefix)
    }

    async fn read(&self, key: &str, to: &mut Sink) -> Result<bool, BackendError> {
        let key = self.key(key);
        let (mut at, mut size) = (0, FIRST_PIECE);
        loop {
            let mut command = redis::cmd("GETRANGE");
            command.arg(&key).arg(at).arg(at + size - 1);
            let piece: Vec<u8> = self.ask(&self.reading, &command).await?;
            if piece.len() > size {
                return Err(BackendError::Malformed("more than was asked for".to_owned()));
            }
            to.take(&piece).await?;
            if piece.len() < size {
                // A range of a key that is not there is empty; no value of ours is.
                return Ok(to.bytes() > 0);
            }
            (at, size) = (at + size, PIECE);
        }
    }

    /// Whether there is a value; its time begins anew.
    async fn renew(&self, key: &str) -> Result<bool, BackendError> {
        let mut command = redis::cmd(if self.expiry.is_some() { "EXPIRE" } else { "EXISTS" });
        command.arg(self.key(key));
        if let Some(seconds) = self.expiry {
            command.arg(seconds);
        }
        // Both answer with how many there are. As a replica cannot do one of them, this is asked where values are written.
        self.ask(&self.writing, &command).await
    }

    async fn write(&self, key: &str, value: Vec<u8>) -> Result<(), BackendError> {
        if value.len() as u64 > MAX_VALUE_BYTES {
            return Err(BackendError::TooLarge);
        }
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(value.as_slice());
        // The command has a copy.
        drop(value);
        if let Some(seconds) = self.expiry {
            command.arg("EX").arg(seconds);
        }
        self.ask(&self.writing, &command).await
    }

    async fn ask<T: FromRedisValue>(&self, slot: &Slot, command: &Cmd) -> Result<T, BackendError> {
        let mut may_repeat = true;
        loop {
            let mut used = self.link(slot).await?;
            let answer = used.link.say(command).await;
            if let Err(error) = &answer {
                // That the server has closed a connection that was kept shows only now, and says nothing of the server.
                if error.is_connection_dropped() && !used.is_new && may_repeat {
                    may_repeat = false;
                    continue;
                }
                used.is_whole = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
                return Err(self.failure(error));
            }
            used.is_whole = true;
            let answer = answer.and_then(|value| Ok(redis::from_redis_value(value)?));
            return answer.map_err(|error| self.failure(&error));
        }
    }

    /// The connection that is kept, or a new one.
    async fn link<'a>(&self, slot: &'a Slot) -> Result<InUse<'a>, BackendError> {
        if let Some(used) = InUse::kept(slot) {
            return Ok(used);
        }
        let _connecting = slot.connecting.lock().await;
        // Whoever held the lock may have made one.
        if let Some(used) = InUse::kept(slot) {
            return Ok(used);
        }
        let link = self.connect().await.map_err(|error| self.failure(&error))?;
        let number = slot.next.fetch_add(1, Ordering::Relaxed);
        *slot.kept() = Some((number, link.clone()));
        Ok(InUse { slot, number, link, is_new: true, is_whole: false })
    }

    async fn connect(&self) -> RedisResult<Link> {
        let mut link = match &self.place {
            Place::One(client) => {
                // Limits are the caller's.
                let config = AsyncConnectionConfig::new();
                let config = config.set_connection_timeout(None).set_response_timeout(None);
                Link::One(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Place::Cluster(client) => Link::Cluster(client.get_async_connection().await?),
        };
        for command in &self.login {
            link.say(command).await?;
        }
        Ok(link)
    }

    fn failure(&self, error: &RedisError) -> BackendError {
        let words = self.words(error);
        let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        match (error.code(), error.kind()) {
            (Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "READONLY" | "DENIED"), _) => {
                BackendError::Denied(words)
            }
            (Some("OOM"), _) => BackendError::Full(words),
            (Some("MOVED" | "ASK"), _) => {
                BackendError::Denied("it is one of a cluster, which the settings do not say".to_owned())
            }
            (Some("LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN"), _) => {
                BackendError::Throttled { retry_after: None }
            }
            (Some(_), _) if says(&["max number of clients"]) => BackendError::Throttled { retry_after: None },
            (Some(_), _) if says(&["maximum allowed size", "invalid bulk length"]) => BackendError::TooLarge,
            (Some(_), _) if says(&["DB index", "SELECT", "AUTH", "invalid password", "unknown command"]) => {
                BackendError::Denied(words)
            }
            // Of a cluster: wrapped, and without the words of the server.
            _ if says(&["AuthenticationFailed"]) => {
                BackendError::Denied("it does not accept the password".to_owned())
            }
            (_, ErrorKind::Io | ErrorKind::InvalidClientConfig | ErrorKind::ClusterConnectionNotFound) => {
                BackendError::Unreachable(words)
            }
            _ => BackendError::Malformed(words),
        }
    }

    /// What the server has said, or what has happened.
    fn words(&self, error: &RedisError) -> String {
        let text = match (error.code(), error.detail()) {
            (Some(code), Some(detail)) => format!("{code} {detail}"),
            _ => error.to_string(),
        };
        shown(&text, self.password.as_deref())
    }
}

impl Backend for Redis {
    fn name(&self) -> &str {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, to: &'a mut Sink) -> Later<'a, bool> {
        Box::pin(self.read(key, to))
    }

    fn has<'a>(&'a self, key: &'a str) -> Later<'a, bool> {
        Box::pin(self.renew(key))
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()> {
        Box::pin(self.write(key, value))
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(try_both(self))
    }
}
