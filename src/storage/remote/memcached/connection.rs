//! The text protocol of memcached, as far as it is needed: `get` and `set`.
//!
//! Source: `doc/protocol.txt` of memcached 1.6, and its release notes 1.5.15 for the password, which goes as the value of the first `set`.
use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

use crate::remote::backend::{BackendError, MAX_VALUE_BYTES, Progress, UnusableSetting};

/// Connections that wait for the next request; more are closed.
const MAX_IDLE: usize = 4;
/// The longest line of an answer that makes sense.
const MAX_LINE: u64 = 4096;
/// How much is read before it is told.
const PIECE: usize = 64 << 10;

/// The bytes that log a user in.
#[derive(Clone)]
pub(super) struct Credentials(Vec<u8>);

impl Credentials {
    pub(super) fn new(user: &str, password: &str) -> Self {
        let both = format!("{user} {password}");
        Credentials(format!("set u 0 0 {}\r\n{both}\r\n", both.len()).into_bytes())
    }
}

enum Address {
    Tcp(String),
    Unix(String),
}

/// One of the servers.
pub(super) struct Server {
    place: String,
    address: Address,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<Connection>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Connection = BufReader<Box<dyn Stream>>;

impl Server {
    /// # Errors
    /// For a place that is none.
    pub(super) fn new(place: &str, credentials: Option<Credentials>) -> Result<Self, UnusableSetting> {
        let address = match place.split_once("://") {
            Some(("unix", path)) => Address::Unix(path.to_owned()),
            Some(("tcp", host)) => Address::Tcp(with_port(host)),
            None if !place.is_empty() => Address::Tcp(with_port(place)),
            _ => {
                let reason = format!("`{place}` is not of the form tcp://host:port or unix:///path");
                return Err(UnusableSetting { setting: "url", reason });
            }
        };
        Ok(Server { place: place.to_owned(), address, credentials, idle: Mutex::default() })
    }

    /// As in the settings.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The value of a key.
    pub(super) async fn get(&self, key: &str, progress: &Progress) -> Result<Option<Vec<u8>>, BackendError> {
        let mut connection = self.ask(&[format!("get {key}\r\n").as_bytes()]).await?;
        let line = line(&mut connection).await?;
        if line == "END" {
            self.keep(connection);
            return Ok(None);
        }
        // VALUE <key> <flags> <bytes>
        let words: Vec<&str> = line.split(' ').collect();
        let size = match words.as_slice() {
            ["VALUE", of, _, size] if *of == key => size.parse::<u64>().ok(),
            _ => return Err(refusal(&line)),
        };
        let size = size.ok_or_else(|| refusal(&line))?;
        if size > MAX_VALUE_BYTES {
            return Err(BackendError::TooLarge);
        }
        let value = body(&mut connection, size, progress).await?;
        for expected in ["", "END"] {
            let line = self::line(&mut connection).await?;
            if line != expected {
                return Err(refusal(&line));
            }
        }
        self.keep(connection);
        Ok(Some(value))
    }

    /// Stores the parts of a value; `expiry` as the protocol has it.
    pub(super) async fn set(&self, key: &str, parts: &[&[u8]], expiry: u64) -> Result<(), BackendError> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let head = format!("set {key} 0 {expiry} {size}\r\n");
        let request = [&[head.as_bytes()], parts, &[b"\r\n"]].concat();
        let mut connection = self.ask(&request).await?;
        let line = line(&mut connection).await?;
        match line.as_str() {
            "STORED" => {
                self.keep(connection);
                Ok(())
            }
            // The server swallows the value, and the connection stays in step.
            "SERVER_ERROR object too large for cache" | "SERVER_ERROR out of memory storing object" => {
                self.keep(connection);
                Err(BackendError::TooLarge)
            }
            _ => Err(refusal(&line)),
        }
    }

    /// Sends a request and waits for the first byte of its answer. A connection that was waiting may have been closed
    /// at the other end: then once more, on a new one.
    async fn ask(&self, request: &[&[u8]]) -> Result<Connection, BackendError> {
        let waiting = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = waiting
            && let Ok(connection) = send(connection, request).await
        {
            return Ok(connection);
        }
        let connection = self.connect().await?;
        send(connection, request).await.map_err(broken)
    }

    async fn connect(&self) -> Result<Connection, BackendError> {
        let stream: Box<dyn Stream> = match &self.address {
            Address::Tcp(host) => {
                let stream = TcpStream::connect(host).await.map_err(broken)?;
                stream.set_nodelay(true).map_err(broken)?;
                Box::new(stream)
            }
            Address::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(broken)?),
        };
        let connection = BufReader::new(stream);
        let Some(Credentials(request)) = &self.credentials else { return Ok(connection) };
        let mut connection = send(connection, &[request]).await.map_err(broken)?;
        let line = line(&mut connection).await?;
        if line == "STORED" { Ok(connection) } else { Err(refusal(&line)) }
    }

    /// Keeps a connection on which nothing is outstanding. Others are dropped, with whoever gave up in the middle.
    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }
}

fn with_port(host: &str) -> String {
    // `[::1]` has colons, too.
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:11211") }
}

async fn send(mut connection: Connection, request: &[&[u8]]) -> io::Result<Connection> {
    connection.write_all(&request.concat()).await?;
    connection.flush().await?;
    if connection.fill_buf().await?.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(connection)
}

async fn line(connection: &mut Connection) -> Result<String, BackendError> {
    let mut line = Vec::new();
    (&mut *connection).take(MAX_LINE).read_until(b'\n', &mut line).await.map_err(broken)?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
        None => Err(BackendError::Malformed("a line without an end".to_owned())),
    }
}

async fn body(connection: &mut Connection, size: u64, progress: &Progress) -> Result<Vec<u8>, BackendError> {
    // The claimed size is not trusted for an allocation.
    let mut value = Vec::new();
    let mut piece = vec![0; PIECE];
    while (value.len() as u64) < size {
        let left = usize::try_from(size - value.len() as u64).unwrap_or(PIECE).min(PIECE);
        let read = connection.read(piece.get_mut(..left).unwrap_or_default()).await.map_err(broken)?;
        if read == 0 {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        progress.add(read);
        value.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    Ok(value)
}

fn broken(error: io::Error) -> BackendError {
    BackendError::Unreachable(error.to_string())
}

/// What an answer means that is none of those that are asked for.
fn refusal(line: &str) -> BackendError {
    let line: String = line.chars().take(200).collect();
    if line.starts_with("CLIENT_ERROR") && line.contains("authentica") {
        BackendError::Denied(line)
    } else if line.starts_with("SERVER_ERROR out of memory") {
        BackendError::Throttled { retry_after: None }
    } else {
        BackendError::Malformed(line)
    }
}
