//! The library that observes compiles, as a file that the loader can take, and the logs that it writes.
use crate::program;
use cachepot_engine::digest::Digest;
use cachepot_engine::observed::{self, Call, Clients, Distrust, Names, Observed, format};
use cachepot_wire::EnvBlock;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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
    /// Of what is observed just now, by their paths.
    logs: Mutex<BTreeMap<PathBuf, Weak<Log>>>,
}

impl Observer {
    /// One of these bytes, to be laid into one of these folders.
    pub fn new(library: Option<&'static [u8]>, folders: [PathBuf; 2]) -> Self {
        let named = |bytes: &'static [u8]| {
            let digest = Digest::of(bytes).to_string();
            (bytes, format!("observer-{}.so", digest.get(..16).unwrap_or_default()).into())
        };
        Observer { library: library.map(named), folders, writing: Mutex::default(), logs: Mutex::default() }
    }

    /// An empty log. Processes of the same user find it for as long as it is kept.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn log(&self) -> io::Result<Arc<Log>> {
        let log = Arc::new(Log::new()?);
        let mut logs = locked(&self.logs);
        logs.retain(|_, log| log.strong_count() > 0);
        logs.insert(log.path.clone(), Arc::downgrade(&log));
        Ok(log)
    }

    /// The log of what has made a call, where that is observed itself.
    pub fn outer(&self, env: &EnvBlock) -> Option<Arc<Log>> {
        let path = Path::new(env.get(LOG)?);
        locked(&self.logs).get(path)?.upgrade()
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An environment without what makes a process report.
pub fn unobserved(env: &EnvBlock) -> EnvBlock {
    let is_file = |library: &&[u8]| {
        let name = library.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        name.starts_with(b"observer-") && name.ends_with(b".so")
    };
    let users = |value: &OsStr| {
        let (first, rest) = match value.as_bytes().iter().position(|&byte| byte == b':') {
            Some(at) => (value.as_bytes().get(..at), value.as_bytes().get(at + 1..)),
            None => (Some(value.as_bytes()), None),
        };
        let rest = if first.is_some_and(|first| is_file(&first)) { rest } else { Some(value.as_bytes()) };
        rest.map(|rest| OsStr::from_bytes(rest).to_owned())
    };
    let kept = env.iter().filter(|(name, _)| *name != LOG).filter_map(|(name, value)| {
        Some((name, if name == PRELOAD { users(value)? } else { value.to_owned() }))
    });
    let kept: Vec<_> = kept.collect();
    EnvBlock::from_pairs(kept.iter().map(|(name, value)| (*name, value.as_os_str())))
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
    calls: Mutex<Calls>,
}

/// What is known of calls of our client by what is observed.
#[derive(Clone, Default)]
struct Calls {
    all: Vec<Call>,
    /// One of them was a hit.
    has_hit: bool,
}

impl Log {
    fn new() -> io::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let file = File::from(memfd_create(c"cachepot-log", flags)?);
        // Room that is not written to takes no memory.
        file.set_len(format::LOG_BYTES as u64)?;
        file.write_all_at(&format::MAGIC, 0)?;
        fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL))?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into();
        Ok(Log { path, file, calls: Mutex::default() })
    }

    /// What to add to the environment of a compile that already has this in `LD_PRELOAD`.
    pub fn variables(&self, observer: &Path, preloaded: Option<&OsStr>) -> [(OsString, OsString); 2] {
        let mut libraries = observer.as_os_str().to_owned();
        if let Some(others) = preloaded.filter(|others| !others.is_empty()) {
            libraries.push(":");
            libraries.push(others);
        }
        [(PRELOAD.into(), libraries), (LOG.into(), self.path.clone().into_os_string())]
    }

    /// A client has called, which does not report: it looks for a compiler as a shell does.
    pub fn note(&self, call: Call) {
        locked(&self.calls).all.push(call);
    }

    /// It has got a result from the cache.
    pub fn note_hit(&self) {
        locked(&self.calls).has_hit = true;
    }

    /// Reads it after a compile that writes in folders with these names.
    ///
    /// # Errors
    /// [`Distrust`] where it does not tell everything.
    pub fn read(&self, names: Names<'_>) -> Result<Observed, Distrust> {
        let mut head = [0; format::LOG_HEAD_BYTES];
        self.file.read_exact_at(&mut head, 0).map_err(|_| Distrust::Damaged)?;
        let used = observed::used_bytes(&head)?.min(format::LOG_BYTES as u64);
        let mut log = vec![0; usize::try_from(used).map_err(|_| Distrust::Damaged)?];
        self.file.read_exact_at(&mut log, 0).map_err(|_| Distrust::Damaged)?;
        let Calls { all, has_hit } = locked(&self.calls).clone();
        if has_hit {
            return Err(Distrust::FromCache);
        }
        let is_client = |path: &[u8]| program::is_client(Path::new(OsStr::from_bytes(path)));
        observed::read(&log, names, &Clients { is_client: &is_client, calls: &all })
    }
}
