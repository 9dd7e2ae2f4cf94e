//! Starts a coordinator, so that among any number of clients that find none exactly one is started.
//!
//! 1. The folder is made (mode 0700) and must belong to this user, or to root where the user chose it.
//! 2. The lock file is locked. Whoever waits for it also tries to connect: with the first success all go on.
//! 3. With the lock: connect once more (somebody was faster), else look whether a start failed a moment ago
//!    (the lock file holds the reason for [`FAILURE_IS_REMEMBERED`]), else run the coordinator, detached.
//! 4. The coordinator reports on a pipe: `1` when it answers, `0` and a text when it cannot. Its death ends the
//!    pipe, so that nobody waits in vain.
//!
//! Absent on purpose: removing a socket file. Only the coordinator that binds does that (its `listen.rs`), under
//! a lock of its own, because the lock here dies with an interrupted client while its coordinator lives on.
use crate::process::{Detached, ProcessHold, is_pipe, wait_readable};
use cachepot_wire::EnvBlock;
use cachepot_wire::fd::{self, own_uid, peer};
use cachepot_wire::socket::{Places, check_owner, make_folder};
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fmt, thread};

/// The coordinator's directory when it was started; relative settings are relative to it.
pub const DIRECTORY_VARIABLE: &str = "CACHEPOT_STARTUP_DIRECTORY";
/// Orders the program to be the coordinator.
pub const COORDINATOR_VARIABLE: &str = "CACHEPOT_START_COORDINATOR";
/// What a coordinator reports that found another one answering at its socket.
pub const ADDRESS_IN_USE: &str = "Address in use";
/// How long a client waits for its turn, and then for the coordinator.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long a coordinator may leave a client waiting at the door, or leave what it is sent unread.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a failed start keeps others from trying.
const FAILURE_IS_REMEMBERED: Duration = Duration::from_secs(3);
/// What is told, and remembered, of one that said nothing.
const ENDED_SILENTLY: &str =
    "it ended before it was ready; its log (CACHEPOT_LOG, CACHEPOT_ERROR_LOG) may tell why";
/// Longest report that is read.
const MAX_REPORT_BYTES: u64 = 64 << 10;

/// Why there is no coordinator.
#[derive(Debug)]
pub enum StartError {
    /// The folder of the socket cannot be used.
    Folder(PathBuf, io::Error),
    /// The lock file cannot be used.
    Lock(PathBuf, io::Error),
    /// Another starter held the lock all the time.
    Busy,
    /// One is already running, and the order was to start one.
    AddressInUse,
    /// The program could not be started.
    Spawn(io::Error),
    /// The coordinator ended and said why.
    Failed(String),
    /// The coordinator ended without a word: killed, or crashed.
    Ended,
    /// As before, a moment ago, for another client.
    FailedBefore(String),
    /// The coordinator did not get ready in time.
    TimedOut,
    /// The coordinator got ready but cannot be reached.
    Connect(io::Error),
    /// The coordinator to be replaced does not go away.
    NotReplaced(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Folder(path, e) => {
                write!(f, "use the folder `{}` for the socket: {e}", path.display())
            }
            StartError::Lock(path, error) => write!(f, "use the lock file `{}`: {error}", path.display()),
            StartError::Busy => f.write_str("Connection to coordinator timed out"),
            StartError::AddressInUse => write!(f, "Coordinator startup failed: {ADDRESS_IN_USE}"),
            StartError::Spawn(error) => write!(f, "Coordinator startup failed: {error}"),
            StartError::Failed(reason) => write!(f, "Coordinator startup failed: {reason}"),
            StartError::Ended => write!(f, "Coordinator startup failed: {ENDED_SILENTLY}"),
            StartError::FailedBefore(reason) => {
                write!(f, "Coordinator startup failed a moment ago: {reason}")
            }
            StartError::TimedOut => f.write_str("Timed out waiting for coordinator startup"),
            StartError::Connect(error) => write!(f, "connect to the coordinator just started: {error}"),
            StartError::NotReplaced(error) => write!(f, "replace the coordinator of another build: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Connects to a coordinator of this user.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` where none is running, `PermissionDenied` where it belongs to somebody else.
pub fn connect(places: &Places) -> io::Result<UnixStream> {
    check_owner(&places.socket, own_uid())?;
    let stream = fd::connect(&places.socket, CONNECT_LIMIT)?;
    if peer(stream.as_fd())?.uid == own_uid() {
        Ok(stream)
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Connects, starting a coordinator where none is running.
///
/// # Errors
/// [`StartError`]; the compile then goes on without the cache.
pub fn start(places: &Places, env: &EnvBlock, coordinator: &Path) -> Result<UnixStream, StartError> {
    match take_turn(places, |_| true)? {
        Turn::Running(stream) => Ok(stream),
        Turn::Ours(mut turn) => {
            if let Some(reason) = turn.recent_failure() {
                return Err(StartError::FailedBefore(reason));
            }
            turn.run_or_join(places, env, coordinator)
        }
    }
}

/// Starts a coordinator on the user's explicit order: one that is running is an error, and a start that
/// failed a moment ago is tried again.
///
/// # Errors
/// [`StartError`].
pub fn start_new(places: &Places, env: &EnvBlock, coordinator: &Path) -> Result<UnixStream, StartError> {
    match take_turn(places, |_| true)? {
        Turn::Running(_) => Err(StartError::AddressInUse),
        Turn::Ours(mut turn) => turn.run(places, env, coordinator),
    }
}

/// Starts a coordinator in place of the one with process id `old`, which is of another build: asks it to end by
/// `SIGTERM` (it stops listening at once, requests in flight go on) and starts a new one. If it has been
/// replaced meanwhile, connects to its successor.
///
/// # Errors
/// [`StartError`]; [`StartError::NotReplaced`] where it lives in another PID namespace or does not stop listening.
pub fn replace(
    places: &Places,
    env: &EnvBlock,
    coordinator: &Path,
    old: i32,
) -> Result<UnixStream, StartError> {
    let is_new = |stream: &UnixStream| peer(stream.as_fd()).is_ok_and(|peer| peer.pid != old);
    match take_turn(places, is_new)? {
        Turn::Running(stream) => Ok(stream),
        Turn::Ours(mut turn) => {
            retire(places, old).map_err(StartError::NotReplaced)?;
            turn.run_or_join(places, env, coordinator)
        }
    }
}

/// Ends the coordinator at the socket if it is still this one, and waits until it has stopped listening.
fn retire(places: &Places, old: i32) -> io::Result<()> {
    if old <= 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it lives in another PID namespace"));
    }
    let is_old = |stream: UnixStream| peer(stream.as_fd()).is_ok_and(|peer| peer.pid == old);
    let hold = match ProcessHold::of(old) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
        result => result?,
    };
    if !connect(places).is_ok_and(is_old) {
        return Ok(());
    }
    hold.terminate()?;
    let end = Instant::now() + START_LIMIT;
    while connect(places).is_ok_and(is_old) {
        if Instant::now() > end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// They name descriptors or a fifo of a build. A coordinator in the background gets neither these nor the
/// descriptors, also when it is started inside make on purpose: it outlives the build, and make at its end reads its
/// pipe until nobody has it open for writing, so it would wait for the coordinator for ever (seen with make 4.3).
/// One in the foreground is waited for anyway; it keeps what [`jobserver_descriptors`] names.
const JOBSERVER_VARIABLES: [&str; 3] = ["MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS"];

/// The jobserver's two descriptors that `MAKEFLAGS` names, if they are open pipes; none where it names a fifo.
pub fn jobserver_descriptors(env: &EnvBlock) -> Vec<RawFd> {
    let flags = env.get("MAKEFLAGS").unwrap_or_default().to_string_lossy();
    let mut named = flags.split_ascii_whitespace().filter_map(|word| {
        let value =
            word.strip_prefix("--jobserver-auth=").or_else(|| word.strip_prefix("--jobserver-fds="))?;
        let (read, write) = value.split_once(',')?;
        Some([read.parse().ok()?, write.parse().ok()?])
    });
    // The last one counts, as for make.
    let pair: [RawFd; 2] = named.next_back().unwrap_or([-1, -1]);
    if pair.iter().all(|&fd| fd > 2 && is_pipe(fd)) { pair.to_vec() } else { Vec::new() }
}

enum Turn {
    /// A coordinator answers.
    Running(UnixStream),
    /// None does, and it is on us to start one.
    Ours(Lock),
}

struct Lock(File);

fn take_turn(places: &Places, accept: impl Fn(&UnixStream) -> bool) -> Result<Turn, StartError> {
    prepare_folder(&places.folder).map_err(|error| StartError::Folder(places.folder.clone(), error))?;
    let lock = open_lock(&places.lock).map_err(|error| StartError::Lock(places.lock.clone(), error))?;
    let end = Instant::now() + START_LIMIT;
    let mut pause = Duration::from_millis(1);
    loop {
        // First the lock, then the look at the socket: so nobody can have started one in between.
        let locked = lock.try_lock();
        if let Some(stream) = connect(places).ok().filter(&accept) {
            return Ok(Turn::Running(stream));
        }
        match locked {
            Ok(()) => return Ok(Turn::Ours(Lock(lock))),
            Err(TryLockError::WouldBlock) if Instant::now() > end => return Err(StartError::Busy),
            Err(TryLockError::WouldBlock) => thread::sleep(pause),
            Err(TryLockError::Error(error)) => return Err(StartError::Lock(places.lock.clone(), error)),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Makes the folder and checks whose it is. A folder that the user chose may belong to root (`/tmp`, `/run`): the
/// socket's owner and the peer are checked in any case.
///
/// # Errors
/// When it cannot be made, or belongs to another user.
pub fn prepare_folder(folder: &Path) -> io::Result<()> {
    make_folder(folder)?;
    for metadata in [std::fs::symlink_metadata(folder)?, std::fs::metadata(folder)?] {
        if metadata.uid() != own_uid() && metadata.uid() != 0 {
            let text = format!("it belongs to user {}; remove it or set CACHEPOT_SERVER_UDS", metadata.uid());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
    }
    Ok(())
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file =
        options.read(true).write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
    if file.metadata()?.uid() == own_uid() { Ok(file) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

impl Lock {
    fn recent_failure(&mut self) -> Option<String> {
        // A moment in the future (the clock was set back) is none to go by.
        let age = self.0.metadata().ok()?.modified().ok()?.elapsed().ok()?;
        let mut reason = String::new();
        (&self.0).take(MAX_REPORT_BYTES).read_to_string(&mut reason).ok()?;
        (!reason.is_empty() && age < FAILURE_IS_REMEMBERED).then_some(reason)
    }

    fn remember(&mut self, failure: &str) {
        // Best effort: without it the next client tries again, which is only slower.
        let _ = self
            .0
            .set_len(0)
            .and_then(|()| self.0.rewind())
            .and_then(|()| self.0.write_all(failure.as_bytes()));
    }

    /// As [`Lock::run`]; where somebody started one in the foreground meanwhile, which takes no turn, that one will do.
    fn run_or_join(
        &mut self,
        places: &Places,
        env: &EnvBlock,
        coordinator: &Path,
    ) -> Result<UnixStream, StartError> {
        match self.run(places, env, coordinator) {
            Err(StartError::AddressInUse) => connect_to_new(places),
            result => result,
        }
    }

    fn run(&mut self, places: &Places, env: &EnvBlock, coordinator: &Path) -> Result<UnixStream, StartError> {
        let once = || launch(places, env, coordinator).and_then(|()| connect_to_new(places));
        let started = match once() {
            // Somebody ended it just now, which says nothing about the next one. One that crashes does so again.
            Err(StartError::Ended | StartError::Connect(_)) => once(),
            result => result,
        };
        match &started {
            Ok(_) | Err(StartError::AddressInUse) => self.remember(""),
            Err(StartError::Failed(reason)) => self.remember(reason),
            Err(StartError::Ended) => self.remember(ENDED_SILENTLY),
            Err(error) => self.remember(&error.to_string()),
        }
        started
    }
}

/// The coordinator said that it answers, or that another one does: one that is just binding gets a moment.
fn connect_to_new(places: &Places) -> Result<UnixStream, StartError> {
    let end = Instant::now() + Duration::from_secs(1);
    loop {
        match connect(places) {
            Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            result => return result.map_err(StartError::Connect),
        }
    }
}

/// Runs the coordinator and waits for its report.
fn launch(places: &Places, env: &EnvBlock, coordinator: &Path) -> Result<(), StartError> {
    let directory = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let socket = directory.join(&places.socket);
    let mut variables: Vec<(&OsStr, &OsStr)> =
        env.iter().filter(|(name, _)| !is_dropped(name.as_bytes())).collect();
    for (name, value) in [
        (COORDINATOR_VARIABLE, OsStr::new("1")),
        (DIRECTORY_VARIABLE, directory.as_os_str()),
        ("CACHEPOT_SERVER_UDS", socket.as_os_str()),
        ("RUST_BACKTRACE", OsStr::new("1")),
    ] {
        variables.push((OsStr::new(name), value));
    }
    let detached = Detached { program: coordinator, env: variables };
    let pipe = detached.spawn().map_err(StartError::Spawn)?;
    if !wait_readable(pipe.as_fd(), START_LIMIT).map_err(StartError::Spawn)? {
        return Err(StartError::TimedOut);
    }
    let mut first = Vec::new();
    (&pipe).take(1).read_to_end(&mut first).map_err(StartError::Spawn)?;
    match first.as_slice() {
        b"1" => Ok(()),
        _ => {
            // The pipe ends with the coordinator, which is about to: its text is short and already written.
            let mut reason = String::new();
            let _ = pipe.take(MAX_REPORT_BYTES).read_to_string(&mut reason);
            match reason.as_str() {
                "" => Err(StartError::Ended),
                ADDRESS_IN_USE => Err(StartError::AddressInUse),
                _ => Err(StartError::Failed(reason)),
            }
        }
    }
}

/// Variables that say how this process was started or preloaded, not what the user set for the coordinator; and
/// those set anew.
fn is_dropped(name: &[u8]) -> bool {
    name.starts_with(b"CACHEPOT_STARTUP_")
        || [COORDINATOR_VARIABLE, "CACHEPOT_START_SERVER", "CACHEPOT_NO_DAEMON", "CACHEPOT_SERVER_UDS"]
            .iter()
            .chain(&["RUST_BACKTRACE", "LD_PRELOAD", "LD_AUDIT", "RUNNING_UNDER_RR", "PWD", "OLDPWD"])
            .chain(&JOBSERVER_VARIABLES)
            .any(|variable| name == variable.as_bytes())
}

/// Finds the coordinator: beside this executable (links resolved), else on `PATH`.
pub fn coordinator_program(own_exe: Option<&Path>) -> Option<PathBuf> {
    const NAME: &str = "cachepot-coordinator";
    let is_program = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let beside = own_exe.and_then(Path::parent).map(|folder| folder.join(NAME));
    let path: OsString = env::var_os("PATH").unwrap_or_default();
    // An empty or relative entry of PATH names a folder of the build; no program of ours is there.
    let on_path =
        env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(NAME));
    beside.into_iter().chain(on_path).find(is_program)
}
