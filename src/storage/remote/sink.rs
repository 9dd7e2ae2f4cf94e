//! Where a remote's answer goes: into memory, or on to somebody who works on it while the rest is still coming. Counts, since what
//! comes late may still be coming.
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::backend::{BackendError, MAX_VALUE_BYTES};

/// Bytes are handed on in pieces of this size, or as they come where they come in larger ones.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that may wait: whoever brings more waits itself, so that memory has a bound.
const MAX_WAITING: usize = 4;

/// Takes the bytes of one value, in order. They are worth nothing before [`Sink::end`], and may be those of no whole value.
#[derive(Debug, Default)]
pub struct Sink {
    held: Vec<u8>,
    bytes: u64,
    to: Option<mpsc::Sender<Vec<u8>>>,
    progress: Arc<Progress>,
}

/// What a [`Sink`] hands on, as it comes. Ends like a value that is cut short where the value does not come to its end.
#[derive(Debug)]
pub struct Pieces {
    from: mpsc::Receiver<Vec<u8>>,
    first: Option<Vec<u8>>,
    current: io::Cursor<Vec<u8>>,
}

impl Sink {
    /// One that hands on what it takes; [`Sink::default`] keeps it.
    pub fn stream() -> (Self, Pieces) {
        let (to, from) = mpsc::channel(MAX_WAITING);
        let pieces = Pieces { from, first: None, current: io::Cursor::default() };
        (Sink { to: Some(to), ..Sink::default() }, pieces)
    }

    /// What has come so far, for whoever watches meanwhile.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Bytes of the value so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes some more of the value.
    ///
    /// # Errors
    /// `TooLarge`; `Unwanted` where nobody wants the rest.
    pub async fn take(&mut self, piece: &[u8]) -> Result<(), BackendError> {
        self.progress.add(piece.len());
        self.bytes += piece.len() as u64;
        if self.bytes > MAX_VALUE_BYTES {
            return Err(BackendError::TooLarge);
        }
        self.held.extend_from_slice(piece);
        if self.to.is_some() && self.held.len() >= PIECE_BYTES { self.hand_on().await } else { Ok(()) }
    }

    /// All of the value was taken.
    ///
    /// # Errors
    /// As [`Sink::take`].
    pub async fn end(&mut self) -> Result<(), BackendError> {
        let handed_on =
            if self.to.is_some() && !self.held.is_empty() { self.hand_on().await } else { Ok(()) };
        self.to = None;
        handed_on
    }

    /// The value, where it was kept.
    pub fn into_value(self) -> Vec<u8> {
        self.held
    }

    async fn hand_on(&mut self) -> Result<(), BackendError> {
        let Some(to) = &self.to else { return Ok(()) };
        let piece = std::mem::take(&mut self.held);
        let _waiting = self.progress.wait();
        to.send(piece).await.map_err(|_| BackendError::Unwanted)
    }
}

impl Pieces {
    /// Waits for the first of them; false where none comes.
    pub async fn begin(&mut self) -> bool {
        self.first = self.from.recv().await;
        self.first.is_some()
    }
}

impl Read for Pieces {
    /// Blocks until there is more: not for tasks.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(to)?;
            if read > 0 || to.is_empty() {
                return Ok(read);
            }
            match self.first.take().or_else(|| self.from.blocking_recv()) {
                Some(piece) => self.current = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}

/// How far an answer has come.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    waited: Mutex<Waited>,
}

#[derive(Debug, Default)]
struct Waited {
    before: Duration,
    since: Option<Instant>,
}

/// Ends with a wait.
struct Waiting<'a>(&'a Progress);

impl Progress {
    /// Some more have come, of a value or of what stands before it.
    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// All bytes that have come.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How long the remote has waited for us.
    pub fn waited(&self) -> Duration {
        let waited = self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        waited.before + waited.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn wait(&self) -> Waiting<'_> {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner).since = Some(Instant::now());
        Waiting(self)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waited = self.0.waited.lock().unwrap_or_else(PoisonError::into_inner);
        let since = waited.since.take();
        waited.before += since.map_or(Duration::ZERO, |since| since.elapsed());
    }
}
