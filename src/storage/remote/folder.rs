//! A folder that several machines share, such as one of NFS. A value is the file `<first two characters>/<key>`: written
//! beside its place and renamed, so that no half value is ever there.
use std::fs::{self, File, FileTimes, Metadata, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::backend::{Backend, BackendError, Later, MAX_VALUE_BYTES, Rights, try_both};
use super::sink::Sink;

/// Values are read in pieces of this size: each is a step into the background.
const PIECE_BYTES: usize = 256 << 10;

/// See the file's head.
pub struct Folder {
    name: String,
    dir: Arc<PathBuf>,
    serial: AtomicU64,
}

impl Folder {
    /// The values in this folder, which must be there: an empty folder may be one that is not mounted.
    pub fn new(dir: PathBuf) -> Self {
        Folder { name: format!("Folder: {}", dir.display()), dir: Arc::new(dir), serial: AtomicU64::new(0) }
    }

    fn place(&self, key: &str) -> PathBuf {
        self.dir.join(key.get(..2).unwrap_or("--")).join(key)
    }
}

impl Backend for Folder {
    fn name(&self) -> &str {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, to: &'a mut Sink) -> Later<'a, bool> {
        let place = self.place(key);
        Box::pin(async move {
            let begin = move || open(&place)?.map(read).transpose();
            let Some((mut file, mut piece)) = in_background(begin).await? else { return Ok(false) };
            loop {
                to.take(&piece).await?;
                if piece.len() < PIECE_BYTES {
                    return Ok(true);
                }
                (file, piece) = in_background(move || read(file)).await?;
            }
        })
    }

    fn has<'a>(&'a self, key: &'a str) -> Later<'a, bool> {
        let place = self.place(key);
        Box::pin(in_background(move || {
            let Some(file) = open(&place)? else { return Ok(false) };
            // For who cleans up by the last access; what belongs to somebody else may refuse it.
            let _ = file.set_times(FileTimes::new().set_accessed(SystemTime::now()));
            Ok(file.metadata().is_ok_and(|metadata| metadata.len() > 0))
        }))
    }

    fn put<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Later<'a, ()> {
        let (place, dir) = (self.place(key), Arc::clone(&self.dir));
        // Unlike any key, and one for each writer on each machine.
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let temp = format!(".{key}.{}.{}.{serial}", host(), std::process::id());
        Box::pin(in_background(move || write(&dir, &place, &temp, &value)))
    }

    fn check(&self) -> Later<'_, Rights> {
        Box::pin(try_both(self))
    }
}

/// A hanging file system blocks a thread of its own; the caller goes on when its time is over.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackendError> + Send + 'static,
) -> Result<T, BackendError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(BackendError::Unreachable(error.to_string())))
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}

fn open(place: &Path) -> Result<Option<File>, BackendError> {
    let open = || -> io::Result<(File, Metadata)> {
        // A pipe in the place of a file must not be waited for.
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(place)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    match open() {
        Ok((_, metadata)) if metadata.is_file() && metadata.len() > MAX_VALUE_BYTES => {
            Err(BackendError::TooLarge)
        }
        Ok((file, metadata)) => Ok(metadata.is_file().then_some(file)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(trouble(&error)),
    }
}

/// Another machine may not have made the folder of this key yet; or somebody has put a link or a file there.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ELOOP | libc::ENOTDIR))
}

/// The next piece; a shorter one is the last.
fn read(mut file: File) -> Result<(File, Vec<u8>), BackendError> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let read = (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece);
    read.map_err(|error| trouble(&error))?;
    Ok((file, piece))
}

fn write(dir: &Path, place: &Path, temp: &str, value: &[u8]) -> Result<(), BackendError> {
    let folder = place.parent().unwrap_or(dir);
    let temp = folder.join(temp);
    let write = || -> io::Result<()> {
        // Whoever may write into the shared folder may do so everywhere in it.
        let mode = fs::metadata(dir)?.mode();
        // Not with its parents: where the shared folder itself is missing, it is not mounted.
        match fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(mode & 0o7777))?,
        }
        let mut file = File::create_new(&temp)?;
        file.set_permissions(Permissions::from_mode(mode & 0o666))?;
        file.write_all(value)?;
        file.sync_data()?;
        fs::rename(&temp, place)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temp);
        // It may be mounted later.
        if fs::metadata(dir).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return BackendError::Unreachable("the folder is not there".to_owned());
        }
        let is_folder = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_dir());
        if is_folder(place) || is_folder(dir) && fs::metadata(folder).is_ok() && !is_folder(folder) {
            return BackendError::Obstructed("something else lies in its place".to_owned());
        }
        trouble(&error)
    })
}

fn trouble(error: &io::Error) -> BackendError {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            BackendError::Denied(error.to_string())
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => BackendError::Full(error.to_string()),
        _ => BackendError::Unreachable(error.to_string()),
    }
}
