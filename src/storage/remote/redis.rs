//! Redis, and what speaks its protocol (Valkey, KeyDB): one server, or a cluster of them. The crate `redis` does the protocol, TLS and the
//! form of URLs; commands are at <https://redis.io/docs/latest/commands/>.
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, TlsCertificates,
};

use super::backend::{
    Backend, BackendError, Later, MAX_VALUE_BYTES, Progress, Rights, UnusableSetting, try_both,
};
use super::tls;

/// Values up to this size come in one answer; each further piece tells that the remote is alive.
const PIECE: u64 = 256 << 10;
/// Longer than any caller waits: what is given up by then is a connection that is dead.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Where a Redis is.
pub struct RedisSettings {
    /// `redis://[user][:password]@host[:port][/db]`, `rediss://…[#insecure]`, `unix:///path`; for a cluster several with
    /// commas or spaces between.
    pub url: String,
    /// What all names begin with.
    pub key_prefix: String,
    /// How long the server is to keep a value.
    pub expiry: Option<Duration>,
    /// Certificates (PEM) that the server may be signed by, in the place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether it is a cluster.
    pub cluster: bool,
}

/// See the file's head.
pub struct Redis {
    name: String,
    key_prefix: String,
    expiry: Option<Duration>,
    source: Source,
    /// Whether this user may read in pieces.
    in_pieces: AtomicBool,
    /// The connection that all share, and its number.
    link: Mutex<(u64, Option<Link>)>,
    /// One connects at a time.
    connecting: tokio::sync::Mutex<()>,
}

enum Source {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Redis {
    /// For these settings; connects when it is first asked.
    ///
    /// # Errors
    /// [`UnusableSetting`] for a URL or a file of certificates that cannot be used.
    pub fn new(settings: RedisSettings) -> Result<Self, UnusableSetting> {
        let RedisSettings { url, key_prefix, expiry, ca_file, cluster } = settings;
        tls::choose_provider();
        let urls: Vec<&str> = url.split([',', ' ']).filter(|url| !url.is_empty()).collect();
        let nodes: Vec<ConnectionInfo> =
            urls.iter().map(|url| url.into_connection_info().map_err(unusable)).collect::<Result<_, _>>()?;
        let root_cert = ca_file.as_deref().map(tls::read_ca_file).transpose()?;
        let certificates = root_cert.map(|root| TlsCertificates { client_tls: None, root_cert: Some(root) });
        let source = match (<[ConnectionInfo; 1]>::try_from(nodes), cluster) {
            (Ok([node]), false) => Source::One(Box::new(match certificates {
                Some(certificates) => Client::build_with_tls(node, certificates).map_err(unusable)?,
                None => Client::open(node).map_err(unusable)?,
            })),
            (Err(_), false) => {
                return Err(unusable("one server is needed; a cluster is told by `cluster = true`"));
            }
            (nodes, true) => {
                let nodes = nodes.map_or_else(|nodes| nodes, Vec::from);
                // Who retries, and for how long, is not decided here.
                let builder = ClusterClient::builder(nodes).retries(1).connection_timeout(CONNECT_LIMIT);
                let builder = match certificates {
                    Some(certificates) => builder.certs(certificates),
                    None => builder,
                };
                Source::Cluster(Box::new(builder.build().map_err(unusable)?))
            }
        };
        let shown: Vec<String> = urls.iter().map(|url| without_password(url)).collect();
        let name = format!("Redis: {}", shown.join(","));
        let (in_pieces, link, connecting) = (AtomicBool::new(true), Mutex::default(), Default::default());
        Ok(Redis { name, key_prefix, expiry, source, in_pieces, link, connecting })
    }

    /// The connection, made if there is none.
    async fn link(&self) -> Result<(u64, Link), BackendError> {
        if let Some(link) = self.present() {
            return Ok(link);
        }
        let _one = self.connecting.lock().await;
        if let Some(link) = self.present() {
            return Ok(link);
        }
        let limits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(None);
        let made = match &self.source {
            Source::One(client) => {
                client.get_multiplexed_async_connection_with_config(&limits).await.map(Link::One)
            }
            Source::Cluster(client) => client.get_async_connection().await.map(Link::Cluster),
        };
        let made = made.map_err(|error| trouble(&error))?;
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        *link = (link.0 + 1, Some(made.clone()));
        Ok((link.0, made))
    }

    fn present(&self) -> Option<(u64, Link)> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        Some((link.0, link.1.clone()?))
    }

    /// Forgets a connection, unless there is another one by now.
    fn forget(&self, number: u64) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.0 == number {
            link.1 = None;
        }
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, BackendError> {
        let (number, mut link) = self.link().await?;
        // Whoever asks may give up at any time: the answer may never come, and so no other either.
        let mut unanswered = Unanswered { redis: Some(self), number };
        let answer = match &mut link {
            Link::One(connection) => ask(command, connection).await,
            Link::Cluster(connection) => ask(command, connection).await,
        };
        if !answer.as_ref().is_err_and(is_broken) {
            unanswered.redis = None;
        }
        answer.map_err(|error| trouble(&error))
    }

    async fn read(&self, key: &str, progress: &Progress) -> Result<Option<Vec<u8>>, BackendError> {
        let key = format!("{}{key}", self.key_prefix);
        if self.in_pieces.load(Ordering::Relaxed) {
            match self.read_in_pieces(&key, progress).await {
                // Many users may GET and SET and nothing else.
                Err(BackendError::Denied(said)) if said.starts_with("NOPERM") => {
                    self.in_pieces.store(false, Ordering::Relaxed);
                }
                other => return other,
            }
        }
        let value: Option<Vec<u8>> = self.ask(redis::cmd("GET").arg(&key)).await?;
        progress.add(value.as_ref().map_or(0, Vec::len));
        Ok(value.filter(|value| !value.is_empty()))
    }

    async fn read_in_pieces(&self, key: &str, progress: &Progress) -> Result<Option<Vec<u8>>, BackendError> {
        let mut value = Vec::new();
        loop {
            let from = value.len() as u64;
            let mut command = redis::cmd("GETRANGE");
            let piece: Vec<u8> = self.ask(command.arg(key).arg(from).arg(from + PIECE - 1)).await?;
            progress.add(piece.len());
            value.extend_from_slice(&piece);
            if value.len() as u64 > MAX_VALUE_BYTES {
                return Err(BackendError::TooLarge);
            }
            if (piece.len() as u64) < PIECE {
                // The server says of what is not there that it is empty.
                return Ok((!value.is_empty()).then_some(value));
            }
        }
    }

    async fn write(&self, key: &str, value: Vec<u8>) -> Result<(), BackendError> {
        let mut command = redis::cmd("SET");
        command.arg(format!("{}{key}", self.key_prefix)).arg(value);
        if let Some(expiry) = self.expiry {
            command.arg("EX").arg(expiry.as_secs().max(1));
        }
        self.ask(&command).await
    }
}

/// A question without an answer, when it is dropped: takes its connection with it.
struct Unanswered<'a> {
    redis: Option<&'a Redis>,
    number: u64,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(redis) = self.redis {
            redis.forget(self.number);
        }
    }
}

async fn ask<T: redis::FromRedisValue>(
    command: &redis::Cmd,
    connection: &mut (impl ConnectionLike + Send),
) -> Result<T, RedisError> {
    command.query_async(connection).await
}

impl Backend for Redis {
    fn name(&self) -> &str {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, progress: &'a Progress) -> Later<'a, Option<Vec<u8>>> {
        Box::pin(self.read(key, progress))
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()> {
        Box::pin(self.write(key, value))
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(try_both(self))
    }
}

/// Whether the connection is of no use any more.
fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error()
}

fn trouble(error: &RedisError) -> BackendError {
    // The server's own words; they name the user and the command, but no password.
    let said = || format!("{} {}", error.code().unwrap_or_default(), error.detail().unwrap_or_default());
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "READONLY")) => {
            BackendError::Denied(said())
        }
        // There is no room just now, where the server does not evict: this value is skipped.
        (_, Some("OOM" | "MISCONF")) => BackendError::TooLarge,
        (_, Some("LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN")) => {
            BackendError::Throttled { retry_after: None }
        }
        (ErrorKind::Server(_), _) => BackendError::Denied(said()),
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => BackendError::Malformed(error.to_string()),
        _ => BackendError::Unreachable(error.to_string()),
    }
}

fn unusable(reason: impl std::fmt::Display) -> UnusableSetting {
    // What the crate says of a URL does not repeat it.
    UnusableSetting { setting: "url", reason: reason.to_string() }
}

/// The URL with `*****` for a password, before the host or in the query.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let place = match rest.rsplit_once('@') {
        Some((user, place)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:*****@{place}"),
            None => format!("{user}@{place}"),
        },
        None => rest.to_owned(),
    };
    let hidden = |part: &str| part.split_once('=').map_or(String::new(), |(name, _)| format!("{name}=*****"));
    let is_secret = |part: &&str| part.starts_with("pass");
    let query = query.map(|query| {
        let parts =
            query.split('&').map(|part| if is_secret(&part) { hidden(part) } else { part.to_owned() });
        format!("?{}", parts.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{place}{}", query.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t284_no_password_is_shown() {
        let rows = [
            ("redis://host", "redis://host"),
            ("redis://:secret@host:1/2", "redis://:*****@host:1/2"),
            ("rediss://me:sec:r@et@host/#insecure", "rediss://me:*****@host/#insecure"),
            ("redis://me@host", "redis://me@host"),
            ("unix:///run/r.sock?db=2&pass=secret&user=me", "unix:///run/r.sock?db=2&pass=*****&user=me"),
        ];
        for (url, shown) in rows {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_being_repeated() {
        for url in ["", "secret", "http://:secret@host", "redis://:secret@", "redis://a,redis://:secret@b"] {
            let settings = RedisSettings {
                url: url.to_owned(),
                key_prefix: String::new(),
                expiry: None,
                ca_file: None,
                cluster: false,
            };
            let error = Redis::new(settings).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!error.is_empty() && !error.contains("secret"), "{url}: {error}");
        }
    }
}
