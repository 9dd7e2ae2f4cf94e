//! A sandbox per test: own home, cache, socket and work folder, and an environment with nothing else in it. The
//! coordinator of a sandbox ends with it.
use cachepot_engine::stats::{Stat, StatsReport};
use cachepot_wire::EnvBlock;
use cachepot_wire::fd::own_uid;
use cachepot_wire::socket::{Places, places};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

mod compile;

pub(crate) use compile::{CLIENT, Went};

/// The administration program; messages call it `cachepot`.
pub(crate) const COORDINATOR: &str = env!("CARGO_BIN_EXE_cachepot-coordinator");

/// No step of a test takes longer on a slow machine; one that does hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Everything a test works in.
pub(crate) struct Sandbox {
    root: TempDir,
    env: BTreeMap<OsString, OsString>,
    /// Shell commands before each compile: `cd sub`, `umask 077`.
    prelude: String,
}

impl Sandbox {
    /// Makes a sandbox; the name shows up in paths.
    pub(crate) fn new(name: &str) -> Self {
        let root = tempfile::Builder::new().prefix(&format!("cachepot-{name}-")).tempdir().unwrap();
        for folder in ["home", "run", "work"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("config"), "").unwrap();
        let sandbox = Sandbox { root, env: BTreeMap::new(), prelude: String::new() };
        let place = |below: &str| sandbox.root.path().join(below).into_os_string();
        let (home, cache, run) = (place("home"), place("cache"), place("run"));
        let (socket, config) = (place("run/c.sock"), place("config"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        sandbox
            .env("PATH", path)
            .env("HOME", home)
            .env("CACHEPOT_DIR", cache)
            .env("CACHEPOT_SERVER_UDS", socket)
            .env("CACHEPOT_CONF", config)
            .env("XDG_RUNTIME_DIR", run)
    }

    /// Sets a variable for everything run from here on.
    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// From here on as on another machine: the same work folder, but a cache folder and a coordinator of its own.
    pub(crate) fn on_machine(self, name: &str) -> Self {
        let place = |below: String| self.root().join(below).into_os_string();
        let (cache, socket) = (place(format!("cache-{name}")), place(format!("run/{name}.sock")));
        self.env("CACHEPOT_DIR", cache).env("CACHEPOT_SERVER_UDS", socket)
    }

    /// Takes a variable away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.remove(OsStr::new(name));
        self
    }

    /// Writes a file below the work folder.
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Writes the configuration file.
    pub(crate) fn config(self, text: &str) -> Self {
        fs::write(self.root().join("config"), text).unwrap();
        self
    }

    /// The folder that holds everything.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// The working directory of what is run.
    pub(crate) fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    /// A program with this sandbox's environment and working directory, ready for more arguments.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.env).current_dir(self.work()).stdin(Stdio::null());
        command
    }

    /// Runs `cachepot` with options.
    pub(crate) fn cachepot<const N: usize>(&self, options: [&str; N]) -> Finished {
        finish(self.command(COORDINATOR).args(options))
    }

    /// Runs a shell line; `$CACHEPOT` is the program.
    pub(crate) fn shell(&self, line: &str) -> Finished {
        finish(self.command("/bin/sh").env("CACHEPOT", COORDINATOR).args(["-c", line]))
    }

    /// The environment as a client sends it.
    pub(crate) fn env_block(&self) -> EnvBlock {
        EnvBlock::from_pairs(self.env.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())))
    }

    /// Where client and coordinator meet.
    pub(crate) fn places(&self) -> Places {
        places(&self.env_block(), own_uid())
    }

    /// Process ids of the coordinators that belong to this sandbox.
    pub(crate) fn coordinators(&self) -> Vec<u32> {
        let here = [b"CACHEPOT_DIR=", self.root().join("cache").as_os_str().as_bytes()].concat();
        let is_ours = |process: &Path| {
            let Ok(environment) = fs::read(process.join("environ")) else { return false };
            let variables: Vec<&[u8]> = environment.split(|&byte| byte == 0).collect();
            let is_coordinator = variables
                .iter()
                .any(|&v| v == b"CACHEPOT_START_COORDINATOR=1" || v == b"CACHEPOT_START_SERVER=1");
            is_coordinator && variables.iter().any(|variable| variable.starts_with(&here))
        };
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let ours =
            processes.filter(|path| is_ours(path)).filter_map(|p| p.file_name()?.to_str()?.parse().ok());
        let ours: Vec<u32> = ours.collect();
        // A child of one that has not become its program yet is none.
        ours.iter().copied().filter(|&id| parent(id).is_none_or(|parent| !ours.contains(&parent))).collect()
    }

    /// The statistics, asked for as JSON.
    pub(crate) fn stats(&self) -> StatsReport {
        let ask = || self.cachepot(["--show-stats", "--stats-format=json"]);
        let mut answer = ask();
        // A start that was cut short by a test is remembered for a moment.
        wait_until("statistics", || {
            if answer.stderr().contains("a moment ago") {
                answer = ask();
                return false;
            }
            true
        });
        StatsReport::from_json(&answer.succeeds().stdout()).unwrap()
    }

    /// Checks a statistic.
    #[track_caller]
    pub(crate) fn expect_stat(&self, stat: Stat, count: u64) -> &Self {
        assert_eq!(self.stats().stats.count(stat), count, "{stat:?}");
        self
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for pid in self.coordinators() {
            // Asking nicely is tested elsewhere; here nothing may be left behind, whatever went wrong.
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits for a child, not for ever.
#[track_caller]
pub(crate) fn wait_for(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("process {} does not end", child.id());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a command to its end, and to the end of its streams: a daemon that holds them open fails the test.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Finished {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let reader = |mut stream: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let stdout = reader(Box::new(child.stdout.take().unwrap()));
    let stderr = reader(Box::new(child.stderr.take().unwrap()));
    let status = wait_for(&mut child);
    wait_until("the end of the streams", || stdout.is_finished() && stderr.is_finished());
    Finished { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// A program that has ended.
#[derive(Debug)]
#[must_use]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Finished {
    /// Checks for exit status 0 and silence on standard error.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert!(self.status.success() && self.stderr.is_empty(), "{self}");
        self
    }
    /// Checks the exit status.
    #[track_caller]
    pub(crate) fn fails_with(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }
    /// Checks the whole of standard error.
    #[track_caller]
    pub(crate) fn says(self, stderr: &str) -> Self {
        assert_eq!(self.stderr(), stderr, "{self}");
        self
    }
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout(), self.stderr())
    }
}

/// The parent of a process.
fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Behind the name, which may hold anything, stand the state and the parent.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}
