//! One Memcached server: its address, its connections, and of its text protocol what we need.
//!
//! A connection belongs to one call at a time, and is kept only when an exchange is complete. So one whose call was given
//! up is closed, and no call reads the answer to another.
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

use super::backend::{BackendError, MAX_VALUE_BYTES};
use super::sink::Progress;
use super::words::shown;

const DEFAULT_PORT: u16 = 11_211;
/// Connections that are kept while nobody uses them.
const MAX_KEPT: usize = 4;
/// The first line of an answer is a key and two numbers, or a sentence.
const MAX_LINE: u64 = 2048;

/// A user and a password.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

/// A server.
pub(super) struct Server {
    place: Place,
    /// Its address in one form, by which keys are shared out.
    pub(super) address: String,
    login: Option<Login>,
    kept: Mutex<Vec<Link>>,
}

enum Place {
    Tcp(String, u16),
    Unix(PathBuf),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection.
pub(super) struct Link {
    stream: BufReader<Box<dyn Stream>>,
    is_reused: bool,
}

impl Server {
    /// Reads `tcp://host:port`, `host:port`, `host`, `[::1]:port` or `unix:///path`.
    pub(super) fn parse(text: &str, login: Option<&Login>) -> Option<Self> {
        let place = match text.strip_prefix("unix://") {
            Some(path) if path.starts_with('/') => Place::Unix(PathBuf::from(path)),
            Some(_) => return None,
            None => tcp(text.strip_prefix("tcp://").unwrap_or(text))?,
        };
        let address = match &place {
            Place::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp(host, port) => format!("{host}:{port}"),
            Place::Unix(path) => format!("unix://{}", path.display()),
        };
        Some(Server { place, address, login: login.cloned(), kept: Mutex::default() })
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Link>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that was kept, where it may be one, or a new one.
    pub(super) async fn link(&self, may_reuse: bool) -> Result<Link, BackendError> {
        let kept = may_reuse.then(|| self.kept().pop()).flatten();
        match kept {
            Some(link) => Ok(link),
            None => self.connect().await,
        }
    }

    /// Takes a connection back. True where the server had closed it while nobody used it: that says nothing of the
    /// server, and a new one should be asked.
    pub(super) fn take_back<T>(&self, mut link: Link, outcome: &Result<T, BackendError>) -> bool {
        let mut kept = self.kept();
        match outcome {
            Ok(_) if kept.len() < MAX_KEPT => {
                link.is_reused = true;
                kept.push(link);
            }
            Err(BackendError::Unreachable(_)) if link.is_reused => {
                // The others are as old.
                kept.clear();
                return true;
            }
            Ok(_) | Err(_) => {}
        }
        false
    }

    async fn connect(&self) -> Result<Link, BackendError> {
        let stream = self.open().await.map_err(|error| self.lost(&error))?;
        let mut link = Link { stream: BufReader::with_capacity(64 << 10, stream), is_reused: false };
        let Some(login) = &self.login else { return Ok(link) };
        // A server that wants no password would store it as a value, for everybody to read.
        link.send(&[b"version\r\n"]).await.map_err(|error| self.lost(&error))?;
        if self.line(&mut link).await?.starts_with("VERSION ") {
            return Ok(link);
        }
        let text = format!("{} {}", login.user, login.password);
        let head = format!("set auth 0 0 {}\r\n", text.len());
        let parts = [head.as_bytes(), text.as_bytes(), b"\r\n"];
        link.send(&parts).await.map_err(|error| self.lost(&error))?;
        match self.line(&mut link).await?.as_str() {
            "STORED" => Ok(link),
            other => Err(self.refusal(other)),
        }
    }

    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        match &self.place {
            Place::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Place::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        }
    }

    /// What lies under a key.
    pub(super) async fn get(
        &self,
        link: &mut Link,
        key: &str,
        progress: &Progress,
    ) -> Result<Option<Vec<u8>>, BackendError> {
        link.send(&[format!("get {key}\r\n").as_bytes()]).await.map_err(|error| self.lost(&error))?;
        let line = self.line(link).await?;
        progress.add(line.len());
        if line == "END" {
            return Ok(None);
        }
        let malformed = || BackendError::Malformed(format!("{}: not the value of the key", self.address));
        let Some(rest) = line.strip_prefix("VALUE ") else { return Err(self.refusal(&line)) };
        let mut words = rest.split(' ');
        let (name, _flags, size) = (words.next(), words.next(), words.next());
        let size: u64 = size.and_then(|size| size.parse().ok()).ok_or_else(malformed)?;
        if name != Some(key) {
            return Err(malformed());
        }
        if size > MAX_VALUE_BYTES {
            return Err(BackendError::TooLarge);
        }
        let value = link.read(size, progress).await.map_err(|error| self.lost(&error))?;
        if !self.line(link).await?.is_empty() || self.line(link).await? != "END" {
            return Err(malformed());
        }
        Ok(Some(value))
    }

    /// Stores these parts under a key.
    pub(super) async fn set(
        &self,
        link: &mut Link,
        key: &str,
        expiry: u64,
        parts: [&[u8]; 2],
    ) -> Result<(), BackendError> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let head = format!("set {key} 0 {expiry} {size}\r\n");
        let [first, second] = parts;
        let sent = link.send(&[head.as_bytes(), first, second, b"\r\n"]).await;
        // One that refuses may have said why before it hung up.
        match (self.line(link).await, sent) {
            (Ok(line), _) if line == "STORED" => Ok(()),
            (Ok(line), _) => Err(self.refusal(&line)),
            (Err(_), Err(error)) => Err(self.lost(&error)),
            (Err(error), Ok(())) => Err(error),
        }
    }

    /// Lets the time of what lies under a key begin anew; false where nothing does.
    pub(super) async fn touch(&self, link: &mut Link, key: &str, expiry: u64) -> Result<bool, BackendError> {
        let command = format!("touch {key} {expiry}\r\n");
        link.send(&[command.as_bytes()]).await.map_err(|error| self.lost(&error))?;
        match self.line(link).await?.as_str() {
            "TOUCHED" => Ok(true),
            "NOT_FOUND" => Ok(false),
            other => Err(self.refusal(other)),
        }
    }

    /// The next line of the answer, without its end.
    async fn line(&self, link: &mut Link) -> Result<String, BackendError> {
        let mut line = Vec::new();
        let read = (&mut link.stream).take(MAX_LINE).read_until(b'\n', &mut line).await;
        read.map_err(|error| self.lost(&error))?;
        if line.is_empty() {
            return Err(self.lost(&io::ErrorKind::UnexpectedEof.into()));
        }
        let line = line.strip_suffix(b"\r\n").and_then(|line| std::str::from_utf8(line).ok());
        let malformed = || BackendError::Malformed(format!("{}: it speaks another protocol", self.address));
        line.map(str::to_owned).ok_or_else(malformed)
    }

    /// What a line means that is not the one that was hoped for.
    fn refusal(&self, line: &str) -> BackendError {
        let words = shown(line, self.login.as_ref().map(|login| login.password.as_str()));
        let words = format!("{}: {words}", self.address);
        match line {
            "SERVER_ERROR object too large for cache" => BackendError::TooLarge,
            // It says something else to each command.
            _ if line.starts_with("CLIENT_ERROR") && line.contains("auth") => {
                let reason = match self.login {
                    Some(_) => "it does not accept this user and password",
                    None => "it wants a user and a password",
                };
                BackendError::Denied(format!("{}: {reason}", self.address))
            }
            _ if line.contains("Too many open connections") => BackendError::Throttled { retry_after: None },
            _ if line.to_lowercase().starts_with("server_error out of memory") => BackendError::Full(words),
            _ => BackendError::Malformed(words),
        }
    }

    fn lost(&self, error: &io::Error) -> BackendError {
        let text = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it has hung up".to_owned(),
            _ => error.to_string(),
        };
        BackendError::Unreachable(format!("{}: {text}", self.address))
    }
}

impl Link {
    async fn send(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        // Small parts in one piece.
        let size: usize = parts.iter().map(|part| part.len()).sum();
        if size <= 64 << 10 {
            self.stream.write_all(&parts.concat()).await?;
        } else {
            for part in parts {
                self.stream.write_all(part).await?;
            }
        }
        self.stream.flush().await
    }

    /// So many bytes; memory grows with what has come, not with what was announced.
    async fn read(&mut self, size: u64, progress: &Progress) -> io::Result<Vec<u8>> {
        let mut value = Vec::new();
        while (value.len() as u64) < size {
            let left = usize::try_from(size - value.len() as u64).unwrap_or(usize::MAX);
            let piece = self.stream.fill_buf().await?;
            let piece = piece.get(..left).unwrap_or(piece);
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            value.extend_from_slice(piece);
            let n = piece.len();
            progress.add(n);
            self.stream.consume(n);
        }
        Ok(value)
    }
}

fn tcp(text: &str) -> Option<Place> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) };
            (host, port)
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_host = |c: char| c.is_alphanumeric() || "-._:%".contains(c);
    let port = port.map_or(Some(DEFAULT_PORT), |port| port.parse().ok())?;
    (!host.is_empty() && host.chars().all(is_host)).then(|| Place::Tcp(host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        for (text, address) in [
            ("tcp://host:1", "host:1"),
            ("host:1", "host:1"),
            ("host", "host:11211"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:1", "[::1]:1"),
            ("tcp://[::1]", "[::1]:11211"),
            ("unix:///a/b c", "unix:///a/b c"),
        ] {
            assert_eq!(Server::parse(text, None).unwrap().address, address);
        }
        for text in [
            "",
            ":1",
            "host:",
            "host:x",
            "host:70000",
            "::1:1",
            "[::1:1",
            "[::1]1",
            "[host]:1",
            "unix://a",
            "memcached://host",
            "user:password@host:1",
            "user@host",
            "ho st",
            "host/path",
        ] {
            assert!(Server::parse(text, None).is_none(), "{text}");
        }
    }
}
