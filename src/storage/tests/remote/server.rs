//! Real servers, each on a port and in a folder of its own. What is not on the machine is installed below the target
//! folder, once. A server that cannot be had fails the test.
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Slow machines start slowly.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Where a server listens that has a socket file.
pub(crate) const SOCKET: &str = "server.sock";

/// As many above are for those that need two.
pub(crate) const PORTS: Range<u16> = 12_000..22_000;

/// Makes a command of a port and a folder.
type Start = dyn Fn(u16, &Path) -> Command;

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
    command: Box<Start>,
}

impl Server {
    /// Starts what `command` makes of a port and a folder.
    pub(crate) fn start(command: impl Fn(u16, &Path) -> Command + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Somebody else may take a port that was free a moment ago.
        for _ in 0..2 {
            let port = free_port();
            if let Ok(child) = spawn(&command, port, folder.path()) {
                return Server { child, port, folder, command: Box::new(command) };
            }
        }
        let port = free_port();
        let child = spawn(&command, port, folder.path()).unwrap_or_else(|error| panic!("{error}"));
        Server { child, port, folder, command: Box::new(command) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// While it is stopped, connections to it are made, and nothing is answered.
    pub(crate) fn stop(&self) {
        self.signal("-STOP");
        // Each of its threads takes note of it by itself, on a busy machine late. proc(5): the state follows the name.
        let threads = || std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let is_stopped = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'));
        let stat = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("stat")).unwrap();
        while !threads().all(|thread| is_stopped(stat(thread.unwrap()))) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        run(Command::new("kill").args([signal, &self.child.id().to_string()]));
    }

    /// What it answers to these lines; the last of them has to make it hang up.
    pub(crate) fn say(&self, lines: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(lines.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The same one once more, on the same port.
    pub(crate) fn restart(&mut self) {
        let child = spawn(&self.command, self.port, self.folder.path());
        self.child = child.unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One that no other server of these tests has had, and below those that the system gives to clients: a server that is
/// away for a moment finds its port again.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().wrapping_mul(61));
        let port = PORTS.start + u16::try_from(number % u32::from(PORTS.end - PORTS.start)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn spawn(command: &Start, port: u16, folder: &Path) -> Result<Child, String> {
    let log = File::create(folder.join("server.log")).unwrap();
    let mut command = command(port, folder);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let start = Instant::now();
    while !listens(port, folder) {
        let ended = child.try_wait().unwrap();
        if ended.is_some() || start.elapsed() > START_LIMIT {
            let _ = child.kill();
            let log = fs::read_to_string(folder.join("server.log")).unwrap_or_default();
            return Err(format!("{command:?} does not listen: {ended:?}\n{log}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child)
}

fn listens(port: u16, folder: &Path) -> bool {
    UnixStream::connect(folder.join(SOCKET)).is_ok() || TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Runs a command that has to end well, and returns what it prints.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with what `install` puts there, made once for all tests.
fn installed(name: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers");
    fs::create_dir_all(&root).unwrap();
    // Tests run beside each other.
    let lock = File::create(root.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let (folder, done) = (root.join(name), root.join(format!("{name}.done")));
    if !done.exists() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        install(&folder);
        File::create(done).unwrap();
    }
    folder
}

/// The folder of a Python environment with these packages.
pub(crate) fn python_environment(name: &str, packages: &[&str]) -> PathBuf {
    installed(name, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(packages));
    })
}

/// The folder in which a package of Node lies.
pub(crate) fn node_package(name: &str, package: &str) -> PathBuf {
    installed(name, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(folder).arg(package);
        run(&mut npm);
    })
}

/// A certificate for `localhost` that nobody has signed, good for 30 days from some time on, and its key.
pub(crate) fn certificate(folder: &Path, made: &str) -> (PathBuf, PathBuf) {
    let (cert, key) = (folder.join(format!("{made}.pem")), folder.join(format!("{made}.key")));
    let mut openssl = Command::new("faketime");
    openssl.args([made, "openssl"]);
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=some server",
    ]);
    openssl.args([
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "subjectAltName=DNS:localhost",
    ]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&cert);
    run(&mut openssl);
    (cert, key)
}
