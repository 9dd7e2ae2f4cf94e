//! A server for WebDAV whose answers a test can hold back.
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a client writes to find out whether it may.
const CHECK: &str = "/cachepot-check-";

/// See the file's head. Its threads end with the test's process.
pub(super) struct Dav {
    pub(super) address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// No request is answered.
    is_closed: AtomicBool,
    /// No request to write is answered, but for the check.
    is_silent: AtomicBool,
    /// Each request to write is refused with this status, where there is one.
    refusal: AtomicU16,
    /// Larger ones are refused as too large, where this is not 0.
    limit: AtomicUsize,
    /// Larger answers stand still after so many bytes, where this is not 0.
    pause: AtomicUsize,
    /// So many bytes are sent each second, where this is not 0.
    pace: AtomicUsize,
}

impl Dav {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Dav { address, state }
    }

    /// Holds all answers back, or gives them from here on.
    pub(super) fn close(&self, is_closed: bool) {
        self.state.is_closed.store(is_closed, Ordering::SeqCst);
    }

    /// Leaves writes without any answer, or takes them from here on.
    pub(super) fn ignore_writes(&self, is_silent: bool) {
        self.state.is_silent.store(is_silent, Ordering::SeqCst);
    }

    /// Refuses writes with this status.
    pub(super) fn refuse_writes(&self, status: u16) {
        self.state.refusal.store(status, Ordering::SeqCst);
    }

    /// Refuses larger values.
    pub(super) fn refuse_writes_above(&self, limit: usize) {
        self.state.limit.store(limit, Ordering::SeqCst);
    }

    /// Lets larger answers stand still after so many bytes; 0 lets them go on.
    pub(super) fn pause_after(&self, bytes: usize) {
        self.state.pause.store(bytes, Ordering::SeqCst);
    }

    /// Sends so many bytes each second.
    pub(super) fn pace(&self, bytes: usize) {
        self.state.pace.store(bytes, Ordering::SeqCst);
    }

    /// How many objects it has.
    pub(super) fn len(&self) -> usize {
        self.state.files.lock().unwrap().keys().filter(|path| !path.starts_with(CHECK)).count()
    }
}

/// One request after the other, until the client hangs up.
fn serve(stream: TcpStream, state: &State) {
    let Ok(mut answers) = stream.try_clone() else { return };
    let mut requests = BufReader::new(stream);
    while let Some((method, path, body)) = request(&mut requests) {
        while state.is_closed.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let is_write = method == "PUT" && !path.starts_with(CHECK);
        if is_write && state.is_silent.load(Ordering::SeqCst) {
            while state.is_silent.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
            return;
        }
        let (status, body) = answer(state, &method, path, body);
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
        let body = if method == "HEAD" { Vec::new() } else { body };
        let whole = [head.as_bytes(), &body].concat();
        let (first, rest) =
            whole.split_at_checked(state.pause.load(Ordering::SeqCst)).unwrap_or((&whole, &[]));
        if answers.write_all(first).is_err() {
            return;
        }
        while state.pause.load(Ordering::SeqCst) > 0 && !rest.is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
        if slowly(&mut answers, rest, state.pace.load(Ordering::SeqCst)).is_err() {
            return;
        }
    }
}

fn slowly(to: &mut TcpStream, bytes: &[u8], pace: usize) -> std::io::Result<()> {
    for piece in bytes.chunks(if pace > 0 { (pace / 10).max(1) } else { usize::MAX }) {
        to.write_all(piece)?;
        if pace > 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

fn answer(state: &State, method: &str, path: String, body: Vec<u8>) -> (u16, Vec<u8>) {
    let mut files = state.files.lock().unwrap();
    let (refusal, limit) = (state.refusal.load(Ordering::SeqCst), state.limit.load(Ordering::SeqCst));
    match method {
        "PUT" if refusal > 0 => (refusal, Vec::new()),
        "PUT" if limit > 0 && body.len() > limit => (413, Vec::new()),
        "PUT" => {
            files.insert(path, body);
            (201, Vec::new())
        }
        "HEAD" | "GET" => files.get(&path).map_or((404, Vec::new()), |body| (200, body.clone())),
        _ => (405, Vec::new()),
    }
}

fn request(from: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let mut line = || {
        let mut line = String::new();
        from.read_line(&mut line).ok().filter(|&n| n > 0).map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let (method, rest) = first.split_once(' ')?;
    let path = rest.split_once(' ')?.0.to_owned();
    let mut length = 0;
    loop {
        let header = line()?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some((method.to_owned(), path, body))
}
