//! Memcached: one server, or several that share the keys.
//!
//! A server takes values of up to 1 MiB where nobody has changed that, so larger ones are cut. A value that is not whole,
//! or of which parts are from another writing, is not there.
//!
//! ```text
//! under `<key>`:       0 content                               where it is small
//!                    | 1 chunks:u32 length:u64 digest:32*u8    of all chunks together; written last
//! under `<key>.<n>`:   chunk n, from 0 on; on the server of the key
//! ```
use std::time::{Duration, SystemTime};

use cachepot_engine::digest::{ContentHasher, Digest};

use super::backend::{
    Backend, BackendError, Later, MAX_VALUE_BYTES, Rights, UnusableSetting, check_key, try_both,
};
use super::memcached_server::{Link, Login, Server};
use super::sink::Sink;

const SMALL: u8 = 0;
const HEAD: u8 = 1;
/// What fits into a server with its usual limit, beside the key and what the server adds.
const MAX_CHUNK: usize = 1_000_000 - 1024;
/// Chunks may be smaller than ours, but not without end.
const MAX_CHUNKS: u32 = 4096;
/// Servers take keys of 250 bytes; a dot and a number may follow.
const MAX_KEY: usize = 240;
/// What is more than this is read by the server as a date.
const LONGEST_SPAN: u64 = 30 * 86_400;
/// The server's dates end in 2038.
const LAST_DATE: u64 = i32::MAX as u64;

/// Where the servers are, and how values are kept there.
#[derive(Clone, Default)]
pub struct MemcachedSettings {
    /// Each `tcp://host:port`, `host:port`, `[::1]:port` or `unix:///path`. All who share a cache have to name the same, in
    /// any order.
    pub servers: Vec<String>,
    /// For how long a value is kept there after it was written or found to be there, in whole seconds.
    pub expiry: Option<Duration>,
    /// What each key begins with, as it stands. Keys that a server would not take are hashed with it.
    pub key_prefix: String,
    /// For servers with `-Y`; together with a password.
    pub username: Option<String>,
    /// See `username`.
    pub password: Option<String>,
}

/// One server or several.
pub struct Memcached {
    name: String,
    servers: Vec<Server>,
    expiry: Option<u64>,
    key_prefix: String,
}

impl Memcached {
    /// Prepares everything, without the network.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub fn new(settings: MemcachedSettings) -> Result<Memcached, UnusableSetting> {
        let login = login(settings.username, settings.password)?;
        let parse = |text: &String| {
            let reason = "write `host:port`, `[::1]:port` or `unix:///path`, without a user".to_owned();
            let server = Server::parse(text.trim(), login.as_ref());
            server.ok_or(UnusableSetting { setting: "servers", reason })
        };
        let mut servers = settings.servers.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        servers.sort_by(|a, b| a.address.cmp(&b.address));
        servers.dedup_by(|a, b| a.address == b.address);
        if servers.is_empty() {
            return Err(UnusableSetting { setting: "servers", reason: "there are none".to_owned() });
        }
        let expiry = settings.expiry.map(|expiry| expiry.as_secs());
        if expiry == Some(0) {
            let reason = "it has to be a second or more".to_owned();
            return Err(UnusableSetting { setting: "expiry", reason });
        }
        let addresses: Vec<&str> = servers.iter().map(|server| server.address.as_str()).collect();
        let name = format!("Memcached: {}", addresses.join(", "));
        Ok(Memcached { name, servers, expiry, key_prefix: settings.key_prefix })
    }

    /// A key in a form that servers take.
    fn key(&self, key: &str) -> String {
        let key = format!("{}{key}", self.key_prefix);
        let fits = key.len() <= MAX_KEY && key.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { key } else { Digest::of(key.as_bytes()).to_string() }
    }

    /// The server of a key: the one that scores highest. When one is added, only the keys that it wins move.
    fn server(&self, key: &str) -> Result<&Server, BackendError> {
        let score = |server: &&Server| Digest::of(format!("{}\n{key}", server.address).as_bytes());
        let none = || BackendError::Unreachable("there is no server".to_owned());
        self.servers.iter().max_by_key(score).ok_or_else(none)
    }

    /// What the server has to be told.
    fn expiry(&self) -> u64 {
        match self.expiry {
            None => 0,
            Some(span) if span <= LONGEST_SPAN => span,
            Some(span) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                now.as_secs().saturating_add(span).min(LAST_DATE)
            }
        }
    }

    async fn read(&self, key: &str, to: &mut Sink) -> Result<bool, BackendError> {
        let key = self.key(key);
        read_at(self.server(&key)?, &key, to).await
    }

    async fn write(&self, key: &str, value: &[u8]) -> Result<(), BackendError> {
        if value.len() as u64 > MAX_VALUE_BYTES {
            return Err(BackendError::TooLarge);
        }
        let key = self.key(key);
        let server = self.server(&key)?;
        let mut may_reuse = true;
        loop {
            let mut link = server.link(may_reuse).await?;
            let outcome = store(server, &mut link, &key, self.expiry(), value).await;
            if !server.take_back(link, &outcome) {
                return outcome;
            }
            may_reuse = false;
        }
    }

    /// Whether there is a value; its time begins anew.
    async fn renew(&self, key: &str) -> Result<bool, BackendError> {
        let key = self.key(key);
        let server = self.server(&key)?;
        let mut may_reuse = true;
        loop {
            let mut link = server.link(may_reuse).await?;
            let outcome = touch(server, &mut link, &key, self.expiry()).await;
            if !server.take_back(link, &outcome) {
                return outcome;
            }
            may_reuse = false;
        }
    }

    /// Each server on its own: the one key that is tried lies on one of them.
    async fn check_each(&self) -> Result<Rights, BackendError> {
        for server in &self.servers {
            match read_at(server, &self.key(&check_key()), &mut Sink::default()).await {
                Err(error @ BackendError::Denied(_)) => {
                    return Ok(Rights { trouble: error.to_string(), ..Rights::default() });
                }
                outcome => drop(outcome?),
            }
        }
        try_both(self).await
    }
}

fn login(user: Option<String>, password: Option<String>) -> Result<Option<Login>, UnusableSetting> {
    let (user, password) = match (user, password) {
        (None, None) => return Ok(None),
        (Some(user), Some(password)) => (user, password),
        (None, Some(_)) => {
            let reason = "there is a password without a user".to_owned();
            return Err(UnusableSetting { setting: "username", reason });
        }
        (Some(_), None) => {
            let reason = "there is a user without a password".to_owned();
            return Err(UnusableSetting { setting: "password", reason });
        }
    };
    let reason = "it has to be one word".to_owned();
    if user.is_empty() || user.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(UnusableSetting { setting: "username", reason });
    }
    if password.is_empty() || password.contains(char::is_control) {
        let reason = "it is empty, or holds a control character".to_owned();
        return Err(UnusableSetting { setting: "password", reason });
    }
    Ok(Some(Login { user, password }))
}

async fn read_at(server: &Server, key: &str, to: &mut Sink) -> Result<bool, BackendError> {
    let mut may_reuse = true;
    loop {
        let mut link = server.link(may_reuse).await?;
        let outcome = fetch(server, &mut link, key, to).await;
        // What was handed on once is not handed on again.
        if !server.take_back(link, &outcome) || to.bytes() > 0 {
            return outcome;
        }
        may_reuse = false;
    }
}

async fn fetch(server: &Server, link: &mut Link, key: &str, to: &mut Sink) -> Result<bool, BackendError> {
    let progress = to.progress();
    let Some(value) = server.get(link, key, &progress).await? else { return Ok(false) };
    if let Some((&SMALL, value)) = value.split_first() {
        return to.take(value).await.map(|()| true);
    }
    let Some(head) = Head::read(&value) else { return Ok(false) };
    if head.length > MAX_VALUE_BYTES {
        return Err(BackendError::TooLarge);
    }
    let (mut length, mut hasher) = (0, ContentHasher::default());
    for n in 0..head.chunks {
        let chunk = server.get(link, &format!("{key}.{n}"), &progress).await?;
        let Some(chunk) = chunk.filter(|chunk| !chunk.is_empty()) else { return Ok(false) };
        length += chunk.len() as u64;
        if length > head.length {
            return Ok(false);
        }
        hasher.update(&chunk);
        to.take(&chunk).await?;
    }
    Ok(length == head.length && hasher.finish() == head.digest)
}

async fn store(
    server: &Server,
    link: &mut Link,
    key: &str,
    expiry: u64,
    value: &[u8],
) -> Result<(), BackendError> {
    if value.len() < MAX_CHUNK {
        return server.set(link, key, expiry, [&[SMALL], value]).await;
    }
    let mut chunks = 0;
    for chunk in value.chunks(MAX_CHUNK) {
        server.set(link, &format!("{key}.{chunks}"), expiry, [&[], chunk]).await?;
        chunks += 1;
    }
    server.set(link, key, expiry, [&[HEAD], &Head::of(value, chunks).write()]).await
}

/// Chunks live as long as their head; one that is lost is found by whoever reads.
async fn touch(server: &Server, link: &mut Link, key: &str, expiry: u64) -> Result<bool, BackendError> {
    if !server.touch(link, key, expiry).await? {
        return Ok(false);
    }
    // How many there are would have to be fetched; of a small value there are none.
    for n in 0..MAX_CHUNKS {
        if !server.touch(link, &format!("{key}.{n}"), expiry).await? {
            break;
        }
    }
    Ok(true)
}

/// What the chunks together have to be.
struct Head {
    chunks: u32,
    length: u64,
    digest: Digest,
}

impl Head {
    fn of(value: &[u8], chunks: u32) -> Self {
        Head { chunks, length: value.len() as u64, digest: Digest::of(value) }
    }

    fn write(&self) -> Vec<u8> {
        [&self.chunks.to_le_bytes(), self.length.to_le_bytes().as_slice(), &self.digest.0].concat()
    }

    /// `None` where it is none of ours.
    fn read(value: &[u8]) -> Option<Self> {
        let rest = value.strip_prefix(&[HEAD])?;
        let (chunks, rest) = rest.split_first_chunk()?;
        let (length, digest) = rest.split_first_chunk()?;
        let chunks = Some(u32::from_le_bytes(*chunks)).filter(|chunks| *chunks <= MAX_CHUNKS)?;
        let digest = Digest(digest.try_into().ok()?);
        Some(Head { chunks, length: u64::from_le_bytes(*length), digest })
    }
}

impl Backend for Memcached {
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
        Box::pin(async move { self.write(key, &value).await })
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(self.check_each())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(n: usize) -> Memcached {
        let servers = (0..n).map(|n| format!("host{n}")).collect();
        Memcached::new(MemcachedSettings { servers, ..MemcachedSettings::default() }).unwrap()
    }

    #[test]
    fn a_server_more_takes_its_share_and_moves_nothing_else() {
        let (three, four) = (servers(3), servers(4));
        let mut moved = 0;
        for key in (0..1000).map(|n| format!("key-{n}")) {
            let (before, after) = (three.server(&key).unwrap(), four.server(&key).unwrap());
            assert!(after.address == "host3:11211" || after.address == before.address);
            moved += u32::from(after.address != before.address);
        }
        assert!((150..350).contains(&moved), "{moved}");
    }

    #[test]
    fn t275_keys_have_a_form_that_servers_take() {
        let with = |prefix: &str| Memcached { key_prefix: prefix.to_owned(), ..servers(1) };
        assert_eq!(with("a:").key("key"), "a:key");
        let mut seen = std::collections::BTreeSet::new();
        for prefix in ["a b", "ä", "a\n", "\u{7f}", &"a".repeat(239)] {
            let key = with(prefix).key("key");
            assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert!(seen.insert(key));
        }
    }

    #[test]
    fn t275_more_than_thirty_days_are_a_date() {
        let told = |expiry| Memcached { expiry, ..servers(1) }.expiry();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!((told(None), told(Some(1)), told(Some(LONGEST_SPAN))), (0, 1, LONGEST_SPAN));
        assert!((now + LONGEST_SPAN..now + LONGEST_SPAN + 60).contains(&told(Some(LONGEST_SPAN + 1))));
        assert_eq!(told(Some(u64::MAX)), LAST_DATE);
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let unusable = |change: &dyn Fn(&mut MemcachedSettings)| {
            let servers = vec!["host:1".to_owned()];
            let mut settings = MemcachedSettings { servers, ..MemcachedSettings::default() };
            change(&mut settings);
            Memcached::new(settings).err().unwrap().setting
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(unusable(&|s| s.servers.clear()), "servers");
        assert_eq!(unusable(&|s| s.servers.push("user:password@host".to_owned())), "servers");
        assert_eq!(unusable(&|s| s.expiry = Some(Duration::from_millis(999))), "expiry");
        assert_eq!(unusable(&|s| s.username = text("user")), "password");
        assert_eq!(unusable(&|s| s.password = text("word")), "username");
        assert_eq!(unusable(&|s| (s.username, s.password) = (text("a b"), text("c"))), "username");
        assert_eq!(unusable(&|s| (s.username, s.password) = (text("a"), text("b\r\nc"))), "password");
    }
}
