//! Paths, each kept once, and the folder that relative ones start from.
use foldhash::HashSet;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlink};
use nix::sys::stat::Mode;
use std::borrow::{Borrow, Cow};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::hash::{Hash, Hasher};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The paths of all manifests in memory: most units name the same headers.
#[derive(Default)]
pub struct Paths(Mutex<HashSet<Kept>>);

/// A path that is found by its bytes.
#[derive(PartialEq, Eq)]
struct Kept(Arc<CStr>);

impl Borrow<[u8]> for Kept {
    fn borrow(&self) -> &[u8] {
        self.0.to_bytes()
    }
}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bytes().hash(state);
    }
}

/// Above this many paths, those that nobody uses any more are forgotten.
const SWEEP_ABOVE: usize = 1 << 16;

impl Paths {
    /// The one copy of a path; `None` for one with a zero byte inside, which no file has.
    pub fn intern(&self, path: &[u8]) -> Option<Arc<CStr>> {
        let mut set = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = set.get(path) {
            return Some(Arc::clone(&known.0));
        }
        let path: Arc<CStr> = CString::new(path).ok()?.into();
        if set.len() > SWEEP_ABOVE && set.len().is_power_of_two() {
            set.retain(|path| Arc::strong_count(&path.0) > 1);
        }
        set.insert(Kept(Arc::clone(&path)));
        Some(path)
    }
}

/// A client's working directory, held open so that relative paths cost no more than absolute ones.
#[derive(Clone)]
pub struct Place {
    folder: Arc<OwnedFd>,
    name: Arc<Path>,
}

impl Place {
    /// Opens a working directory.
    ///
    /// # Errors
    /// When it cannot be reached from here.
    pub fn open(cwd: &Path) -> nix::Result<Self> {
        let folder = open(cwd, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Place { folder: Arc::new(folder), name: cwd.into() })
    }
    /// The descriptor that relative paths start from.
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
    /// Its path.
    pub fn name(&self) -> &Path {
        &self.name
    }
    /// The path of a folder without links; `None` where there is no folder.
    pub fn canonical(&self, folder: &CStr) -> Option<Vec<u8>> {
        let path = if folder.is_empty() { c"." } else { folder };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        // The kernel knows the name of what is open: one question instead of one for each component.
        let open = match openat(self.folder(), path, flags, Mode::empty()) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return None,
            open => open.ok(),
        };
        let name =
            open.and_then(|open| readlink(format!("/proc/self/fd/{}", open.as_raw_fd()).as_str()).ok());
        name.map(OsString::into_vec).or_else(|| {
            let path = self.name.join(OsStr::from_bytes(folder.to_bytes()));
            Some(std::fs::canonicalize(path).ok()?.into_os_string().into_vec())
        })
    }
}

/// Takes out `.` components, doubled slashes and a closing slash; `..` stays, for it may follow a link.
pub(super) fn normal(path: &[u8]) -> Cow<'_, [u8]> {
    let below_root = path.strip_prefix(b"/").unwrap_or(path);
    if below_root.is_empty() || below_root.split(|&byte| byte == b'/').all(is_name) {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    if path.first() == Some(&b'/') {
        out.push(b'/');
    }
    for part in path.split(|&byte| byte == b'/').filter(|part| is_name(part)) {
        if !out.is_empty() && out.last() != Some(&b'/') {
            out.push(b'/');
        }
        out.extend_from_slice(part);
    }
    Cow::Owned(out)
}

/// Whether a component leads anywhere.
fn is_name(part: &[u8]) -> bool {
    !part.is_empty() && part != b"."
}

/// Puts a name below a folder; the empty folder is the working directory.
pub(super) fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(folder.len() + 1 + name.len());
    put_below(&mut path, folder, name);
    path
}

/// The same in memory that is there already.
pub(super) fn put_below(path: &mut Vec<u8>, folder: &[u8], name: &[u8]) {
    path.clear();
    path.extend_from_slice(folder);
    if !path.is_empty() && path.last() != Some(&b'/') && !name.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// The part of a normal path below a normal folder.
pub(super) fn strip<'a>(path: &'a [u8], folder: &[u8]) -> Option<&'a [u8]> {
    if folder.is_empty() {
        return (path.first() != Some(&b'/')).then_some(path);
    }
    let rest = path.strip_prefix(folder)?;
    if folder.ends_with(b"/") { Some(rest) } else { rest.strip_prefix(b"/") }
}

/// The folder part of a normal path; empty for a name in the working directory.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) => b"/",
        Some(at) => path.get(..at).unwrap_or_default(),
        None => b"",
    }
}
