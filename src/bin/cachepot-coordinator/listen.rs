//! Binds the socket, so that there is at most one coordinator at a place and no live one loses its socket file.
//!
//! Whoever removes or makes a socket file holds the bind lock (`SOCKET.bind`) while it does so. That lock is not
//! the starters' lock: a starter may be interrupted while its coordinator lives on.
use cachepot_client::process::with_umask;
use cachepot_client::start::{ADDRESS_IN_USE, prepare_folder};
use cachepot_wire::fd::own_uid;
use cachepot_wire::socket::{Places, check_owner};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Binding takes no longer; a lock held for this long is held by something stuck.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no socket.
#[derive(Debug)]
pub(crate) enum ListenError {
    /// Another coordinator answers there.
    AddressInUse,
    /// There is something else at the path.
    NotASocket(PathBuf),
    /// The folder cannot be used.
    Folder(PathBuf, io::Error),
    /// The lock file cannot be used.
    Lock(PathBuf, io::Error),
    /// The socket cannot be made.
    Bind(PathBuf, io::Error),
}

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ListenError::AddressInUse => f.write_str(ADDRESS_IN_USE),
            ListenError::NotASocket(path) => {
                let path = path.display();
                write!(f, "`{path}` is there and is no socket; remove it or set CACHEPOT_SERVER_UDS")
            }
            ListenError::Folder(path, e) => {
                write!(f, "use the folder `{}` for the socket: {e}", path.display())
            }
            ListenError::Lock(path, error) => write!(f, "use the lock file `{}`: {error}", path.display()),
            ListenError::Bind(path, error) => write!(f, "listen on `{}`: {error}", path.display()),
        }
    }
}

impl std::error::Error for ListenError {}

/// A socket file and how to know it again.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    bind_lock: PathBuf,
    identity: [i128; 3],
}

/// What tells this file from every other: file systems give the numbers of removed files to new ones at once, but
/// with another time.
fn identity(metadata: &fs::Metadata) -> [i128; 3] {
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    [metadata.dev().into(), metadata.ino().into(), changed]
}

/// Listens at the socket's place. A socket file that nobody answers behind is replaced.
///
/// To be called before there are threads: the umask is changed for a moment.
///
/// # Errors
/// [`ListenError`].
pub(crate) fn bind(places: &Places) -> Result<(UnixListener, SocketFile), ListenError> {
    prepare_folder(&places.folder).map_err(|error| ListenError::Folder(places.folder.clone(), error))?;
    let mut bind_lock = places.socket.clone().into_os_string();
    bind_lock.push(".bind");
    let bind_lock = PathBuf::from(bind_lock);
    let _held = hold(&bind_lock).map_err(|error| ListenError::Lock(bind_lock.clone(), error))?;
    let at_socket = |error| ListenError::Bind(places.socket.clone(), error);
    remove_stale(&places.socket)?;
    let listener = with_umask(0o177, || UnixListener::bind(&places.socket)).map_err(at_socket)?;
    let metadata = fs::symlink_metadata(&places.socket).map_err(at_socket)?;
    let identity = identity(&metadata);
    Ok((listener, SocketFile { path: places.socket.clone(), bind_lock, identity }))
}

fn hold(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file =
        options.read(true).write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
    if file.metadata()?.uid() != own_uid() {
        return Err(ErrorKind::PermissionDenied.into());
    }
    let end = Instant::now() + LOCK_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() > end => return Err(ErrorKind::TimedOut.into()),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(2)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// With the bind lock: makes room unless somebody answers.
fn remove_stale(socket: &Path) -> Result<(), ListenError> {
    let at_socket = |error| ListenError::Bind(socket.to_owned(), error);
    match fs::symlink_metadata(socket) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at_socket(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(ListenError::NotASocket(socket.to_owned()));
        }
        Ok(_) => check_owner(socket, own_uid()).map_err(at_socket)?,
    }
    match UnixStream::connect(socket) {
        Ok(_) => Err(ListenError::AddressInUse),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(socket).map_err(at_socket)
        }
        Err(error) => Err(at_socket(error)),
    }
}

impl SocketFile {
    /// Removes the file, if it is still this one: from now on clients find no coordinator here.
    pub(crate) fn remove(&self) {
        // Without the lock a successor could be binding right now: then a stale file is the smaller evil.
        let Ok(_held) = hold(&self.bind_lock) else { return };
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity) {
            // A stale file is replaced by the next coordinator.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
#[path = "listen_test.rs"]
mod tests;
