//! Memcached: one server, or several that share the keys. The protocol is in `memcached/connection.rs`.
//!
//! ```text
//! value = 0 byte*                        in one item
//!       | 1 count:u32 size:u64 digest    in `count` items of `<key>.<number>`
//! ```
//! Servers take items of 1 MiB unless told otherwise, so longer values are cut. Pieces of two writes may mix, and any of them may be
//! evicted: the digest of the whole tells, and then there is no such value.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cachepot_engine::digest::Digest;

use super::backend::{
    Backend, BackendError, Later, MAX_VALUE_BYTES, Progress, Rights, UnusableSetting, try_both,
};
use connection::{Credentials, Server};

mod connection;

/// What a piece may hold: an item of 1 MiB has its key and some dozen bytes beside it.
const PIECE_BYTES: usize = 1_000_000;
/// The longest key that servers take is 250 bytes; ours are 64, and the number of a piece.
const MAX_PREFIX_BYTES: usize = 150;
/// Longer times are taken for dates by the servers.
const MAX_RELATIVE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Where the servers are.
pub struct MemcachedSettings {
    /// `tcp://host[:port]`, `host[:port]`, `unix:///path`.
    pub servers: Vec<String>,
    /// What all keys begin with.
    pub key_prefix: String,
    /// How long the servers are to keep a value.
    pub expiry: Option<Duration>,
    /// User and password, for servers that ask for them (`memcached -Y`).
    pub credentials: Option<(String, String)>,
}

/// See the file's head.
pub struct Memcached {
    name: String,
    servers: Vec<Server>,
    key_prefix: String,
    expiry: Option<Duration>,
}

impl Memcached {
    /// For these settings; connects when it is first asked.
    ///
    /// # Errors
    /// [`UnusableSetting`] for an address or a prefix that cannot be used.
    pub fn new(settings: MemcachedSettings) -> Result<Self, UnusableSetting> {
        let MemcachedSettings { servers, key_prefix, expiry, credentials } = settings;
        let is_fine = |byte: u8| byte.is_ascii_graphic();
        if key_prefix.len() > MAX_PREFIX_BYTES || !key_prefix.bytes().all(is_fine) {
            let reason = format!("at most {MAX_PREFIX_BYTES} printable characters of ASCII without spaces");
            return Err(UnusableSetting { setting: "key_prefix", reason });
        }
        let name = format!("Memcached: {}", servers.join(" "));
        let credentials = credentials.map(|(user, password)| Credentials::new(&user, &password));
        let servers: Vec<Server> =
            servers.iter().map(|place| Server::new(place, credentials.clone())).collect::<Result<_, _>>()?;
        if servers.is_empty() {
            return Err(UnusableSetting { setting: "url", reason: "no server is named".to_owned() });
        }
        Ok(Memcached { name, servers, key_prefix, expiry })
    }

    /// The server of a key. Each key ranks the servers by itself, so that one more takes its share and moves no other
    /// key (rendezvous hashing).
    fn server(&self, key: &str) -> Result<&Server, BackendError> {
        let rank = |server: &&Server| Digest::of(format!("{} {key}", server.place()).as_bytes()).0;
        self.servers.iter().max_by_key(rank).ok_or_else(|| BackendError::Unreachable("no server".to_owned()))
    }

    async fn item(&self, key: &str, progress: &Progress) -> Result<Option<Vec<u8>>, BackendError> {
        self.server(key)?.get(&format!("{}{key}", self.key_prefix), progress).await
    }

    async fn put_item(&self, key: &str, value: &[&[u8]]) -> Result<(), BackendError> {
        let seconds = self.expiry.map_or(0, in_seconds);
        self.server(key)?.set(&format!("{}{key}", self.key_prefix), value, seconds).await
    }

    async fn read(&self, key: &str, progress: &Progress) -> Result<Option<Vec<u8>>, BackendError> {
        // What comes beside the value is not told.
        let Some(mut item) = self.item(key, &Progress::default()).await? else { return Ok(None) };
        match item.split_first() {
            Some((0, value)) => {
                progress.add(value.len());
                item.remove(0);
                Ok(Some(item))
            }
            Some((1, head)) => match Head::read(head) {
                Some(head) => self.read_pieces(key, head, progress).await,
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    async fn read_pieces(
        &self,
        key: &str,
        head: Head,
        progress: &Progress,
    ) -> Result<Option<Vec<u8>>, BackendError> {
        if head.size > MAX_VALUE_BYTES {
            return Err(BackendError::TooLarge);
        }
        let mut value = Vec::new();
        for number in 0..head.count {
            let Some(piece) = self.item(&format!("{key}.{number}"), progress).await? else {
                return Ok(None);
            };
            value.extend_from_slice(&piece);
            if value.len() as u64 > head.size {
                return Ok(None);
            }
        }
        Ok((Digest::of(&value) == head.digest).then_some(value))
    }

    async fn write(&self, key: &str, value: &[u8]) -> Result<(), BackendError> {
        if value.len() < PIECE_BYTES {
            return self.put_item(key, &[&[0], value]).await;
        }
        let pieces = value.chunks(PIECE_BYTES);
        let (count, size) = (pieces.len() as u32, value.len() as u64);
        for (number, piece) in pieces.enumerate() {
            self.put_item(&format!("{key}.{number}"), &[piece]).await?;
        }
        // Last: whoever reads it finds the pieces.
        let head = Head { count, size, digest: Digest::of(value) };
        self.put_item(key, &[&[1], &head.encode()]).await
    }
}

/// What stands in the place of a value that was cut.
struct Head {
    count: u32,
    size: u64,
    digest: Digest,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (count, size) = (u32::from_le_bytes(*count), u64::from_le_bytes(*size));
        Some(Head { count, size, digest: Digest(rest.try_into().ok()?) })
    }
    fn encode(&self) -> Vec<u8> {
        [&self.count.to_le_bytes()[..], &self.size.to_le_bytes(), &self.digest.0].concat()
    }
}

/// A time as the protocol wants it.
fn in_seconds(expiry: Duration) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = if expiry > MAX_RELATIVE { now + expiry } else { expiry };
    time.as_secs().max(1)
}

impl Backend for Memcached {
    fn name(&self) -> &str {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, progress: &'a Progress) -> Later<'a, Option<Vec<u8>>> {
        Box::pin(self.read(key, progress))
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()> {
        Box::pin(async move { self.write(key, &value).await })
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(try_both(self))
    }
}
