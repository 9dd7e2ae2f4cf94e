//! Where the socket is: one folder per user, mode 0700, owner checked.
use crate::env_block::EnvBlock;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The longest path that fits into `sockaddr_un` with its closing zero, see unix(7).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The number that stands for no number.
const DEFAULT_PORT: u16 = 4226;

/// The places a client and its coordinator agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The listening socket.
    pub socket: PathBuf,
    /// Held by whoever starts a coordinator.
    pub lock: PathBuf,
    /// Private files of running compiles (dependency files).
    pub scratch: PathBuf,
    /// The folder of all of them.
    pub folder: PathBuf,
}

fn non_empty<'a>(env: &'a EnvBlock, name: &str) -> Option<&'a OsStr> {
    env.get(name).filter(|value| !value.is_empty())
}

/// Finds the places from the environment: `CACHEPOT_SERVER_UDS` names the socket itself,
/// `CACHEPOT_COORDINATOR_PORT` gives it a number, else it is `coordinator.sock`.
pub fn places(env: &EnvBlock, uid: u32) -> Places {
    // A relative folder would mean another coordinator in every working directory.
    let absolute = |name| non_empty(env, name).map(Path::new).filter(|path| path.is_absolute());
    let temporary = absolute("TMPDIR").unwrap_or(Path::new("/tmp"));
    let own = |folder: &Path| folder.join(format!("cachepot-{uid}"));
    let mut folder = match absolute("XDG_RUNTIME_DIR") {
        Some(runtime) if runtime.is_dir() => runtime.join("cachepot"),
        _ => own(temporary),
    };
    // What is no number is as if it were not set, as the settings warn.
    let port =
        non_empty(env, "CACHEPOT_COORDINATOR_PORT").and_then(|port| port.to_str()?.trim().parse().ok());
    let name = match port {
        Some(DEFAULT_PORT) | None => "coordinator.sock".to_owned(),
        Some(port) => format!("coordinator-{port}.sock"),
    };
    let mut socket = folder.join(name);
    if let Some(chosen) = non_empty(env, "CACHEPOT_SERVER_UDS") {
        socket = std::path::absolute(chosen).unwrap_or_else(|_| PathBuf::from(chosen));
        folder = socket.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    }
    if socket.as_os_str().len() > MAX_SOCKET_PATH_BYTES {
        // Too deep for a socket: a short name in the temporary directory that stands for the long one.
        let short = format!("s-{:016x}.sock", fnv(socket.as_os_str().as_bytes()));
        folder = own(Path::new("/tmp"));
        socket = folder.join(short);
    }
    let mut lock = socket.clone().into_os_string();
    lock.push(".lock");
    let mut scratch = socket.clone().into_os_string();
    scratch.push(".d");
    Places { socket, lock: lock.into(), scratch: scratch.into(), folder }
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Makes the folder with mode 0700 if it is absent.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Whether a file (the socket) belongs to this user: nobody else's coordinator is ever asked.
///
/// # Errors
/// When it is absent or not ours.
pub fn check_owner(path: &Path, uid: u32) -> io::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    if metadata.uid() == uid {
        return Ok(());
    }
    let text = format!(
        "`{}` belongs to user {}, not to {uid}; remove it or set CACHEPOT_SERVER_UDS",
        path.display(),
        metadata.uid()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}
