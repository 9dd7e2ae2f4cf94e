//! Real servers, each on a free port in a folder of its own, killed at the end.
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No server takes longer to start.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that runs.
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: TempDir,
    words: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// Starts a program with these words, in which `{port}` is a free port and `{folder}` a folder; waits until it takes
    /// connections.
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), words)
    }

    /// The same in a folder that was prepared.
    pub(crate) fn start_in(folder: TempDir, words: &[&str]) -> Self {
        let port = free_port();
        let place = folder.path().to_str().unwrap();
        let fill = |word: &&str| word.replace("{port}", &port.to_string()).replace("{folder}", place);
        let words = words.iter().map(fill).collect();
        let mut server = Server { port, folder, words, child: None };
        server.go_on();
        server
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().map_or(0, Child::id).to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Starts it again at the same place.
    pub(crate) fn go_on(&mut self) {
        let (program, words) = self.words.split_first().unwrap();
        let quiet = Stdio::null;
        let mut command = Command::new(program);
        command.args(words).current_dir(self.folder.path()).stdin(quiet()).stdout(quiet()).stderr(quiet());
        self.child = Some(command.spawn().unwrap_or_else(|error| panic!("`{program}`: {error}")));
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "`{program}` does not start: {ended:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A listener that takes connections and never answers.
pub(crate) fn black_hole() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A certificate for `localhost`, signed by itself: `cert.pem` and `key.pem` in this folder.
#[cfg(feature = "redis")]
pub(crate) fn make_certificate(folder: &Path) {
    let words = "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost \
                 -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
                 -keyout key.pem -out cert.pem";
    let made = Command::new("openssl").args(words.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
