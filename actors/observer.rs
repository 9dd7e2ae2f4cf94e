//! The library that observes compiles, as a file that the loader can take, and the logs that it writes.
use cachepot_engine::digest::Digest;
use cachepot_engine::observed::{self, Distrust, Observed, format};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The variables by which the loader and the library learn what to do.
const PRELOAD: &str = "LD_PRELOAD";
const LOG: &str = "CACHEPOT_OBSERVE";

/// See the file's head.
pub struct Observer {
    library: Option<(&'static [u8], OsString)>,
    /// Where it may lie: the first folder from which programs may be run.
    folders: [PathBuf; 2],
    /// One writer at a time.
    writing: Mutex<()>,
}

impl Observer {
    /// One of these bytes, to be laid into one of these folders.
    pub fn new(library: Option<&'static [u8]>, folders: [PathBuf; 2]) -> Self {
        let named = |bytes: &'static [u8]| {
            let digest = Digest::of(bytes).to_string();
            (bytes, format!("observer-{}.so", digest.get(..16).unwrap_or_default()).into())
        };
        Observer { library: library.map(named), folders, writing: Mutex::default() }
    }

    /// The file, which is written where it is not there; `None` where nothing can be observed here.
    pub fn file(&self) -> Option<PathBuf> {
        let (bytes, name) = self.library.as_ref()?;
        let is_there = |path: &Path| {
            fs::symlink_metadata(path).is_ok_and(|file| file.is_file() && file.len() == bytes.len() as u64)
        };
        let folder = self.folders.iter().find(|folder| may_hold_library(folder))?;
        let path = folder.join(name);
        if !is_there(&path) {
            let _one = self.writing.lock();
            if !is_there(&path) {
                write(&path, bytes)
                    .inspect_err(|error| tracing::warn!(%error, "cannot write the observer"))
                    .ok()?;
            }
        }
        Some(path)
    }
}

/// The loader separates names by blanks and colons, and maps nothing from where no program may run.
fn may_hold_library(folder: &Path) -> bool {
    let is_one_name = !folder.as_os_str().as_bytes().iter().any(|byte| b" \t\n:$".contains(byte));
    is_one_name && statvfs(folder).is_ok_and(|system| !system.flags().contains(FsFlags::ST_NOEXEC))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(std::process::id().to_string());
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o500).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&temporary, path));
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// The log of one compile. In memory and not on a disk, which may be full: whoever writes to a mapping that has no place
/// is ended by a signal, and here that would be the compiler.
pub struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// An empty one. Processes of the same user find it for as long as it is kept.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"cachepot-log", flags)?);
        // Room that is not written to takes no memory.
        file.set_len(format::LOG_BYTES as u64)?;
        file.write_all_at(&format::MAGIC, 0)?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL))?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into();
        Ok(Log { path, file })
    }

    /// What to add to the environment of a compile that already has this in `LD_PRELOAD`.
    pub fn variables(
        &self,
        observer: &Path,
        preloaded: Option<&std::ffi::OsStr>,
    ) -> [(OsString, OsString); 2] {
        let mut libraries = observer.as_os_str().to_owned();
        if let Some(others) = preloaded.filter(|others| !others.is_empty()) {
            libraries.push(":");
            libraries.push(others);
        }
        [(PRELOAD.into(), libraries), (LOG.into(), self.path.clone().into_os_string())]
    }

    /// Reads it after the compile.
    ///
    /// # Errors
    /// [`Distrust`] where it does not tell everything.
    pub fn read(&self) -> Result<Observed, Distrust> {
        let mut head = [0; format::LOG_HEAD_BYTES];
        self.file.read_exact_at(&mut head, 0).map_err(|_| Distrust::Damaged)?;
        let used = observed::used_bytes(&head)?.min(format::LOG_BYTES as u64);
        let mut log = vec![0; usize::try_from(used).map_err(|_| Distrust::Damaged)?];
        self.file.read_exact_at(&mut log, 0).map_err(|_| Distrust::Damaged)?;
        observed::read(&log)
    }
}
