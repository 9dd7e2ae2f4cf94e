//! The model tree: two checkouts of a tiny project, the environment, and the earlier contents of
//! its files. Absent: what the project is, which edit comes next, and running anything.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::SystemTime;

use crate::random::Random;

/// A script that stands for a program; it keeps its inode and mode.
pub(crate) const SCRIPT: &str = "tool/cc";

/// A new content that suits the name of a file.
pub(crate) type Fresh = fn(&str, &mut Random) -> Vec<u8>;

/// What `PWD` says about the folder a command runs in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pwd {
    /// The real path.
    Real,
    /// The same folder through a symbolic link.
    Link,
    /// Not set.
    Unset,
    /// The path of another folder.
    Lie,
}

/// The state that compiles depend on.
pub(crate) struct Model {
    /// Holds the checkouts `tree` and `copy`, and the links `here0` and `here1` to them.
    pub(crate) base: PathBuf,
    /// Which checkout commands run in: 0 or 1.
    pub(crate) checkout: usize,
    /// Variables beside the fixed ones.
    pub(crate) env: BTreeMap<String, String>,
    /// What `PWD` says.
    pub(crate) pwd: Pwd,
    /// Umask in octal, where it differs from that of the test.
    pub(crate) umask: Option<&'static str>,
    /// Makes new contents.
    pub(crate) fresh: Fresh,
    history: HashMap<PathBuf, Vec<(Vec<u8>, SystemTime)>>,
}

impl Model {
    /// Two empty checkouts below `base`, in place of what is there.
    pub(crate) fn new(base: &Path, fresh: Fresh) -> io::Result<Self> {
        if base.exists() {
            fs::remove_dir_all(base)?;
        }
        for (checkout, link) in [("tree", "here0"), ("copy", "here1")] {
            fs::create_dir_all(base.join(checkout))?;
            symlink(checkout, base.join(link))?;
        }
        Ok(Self {
            base: base.to_owned(),
            checkout: 0,
            env: BTreeMap::new(),
            pwd: Pwd::Real,
            umask: None,
            fresh,
            history: HashMap::new(),
        })
    }

    /// Writes `files` into both checkouts. If they are to differ, the second gets other digits where that is possible.
    pub(crate) fn fill(
        &self,
        files: &[(String, Vec<u8>)],
        differ: bool,
        random: &mut Random,
    ) -> io::Result<()> {
        for checkout in 0..2 {
            let root = self.root_of(checkout);
            for (path, text) in files {
                let other = if differ { same_size(text, random) } else { None };
                let text = if checkout == 1 { other.as_ref().unwrap_or(text) } else { text };
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap())?;
                fs::write(path, text)?;
            }
            let status = Process::new("chmod").arg("755").arg(root.join(SCRIPT)).status()?;
            assert!(status.success());
        }
        Ok(())
    }

    /// The checkout with this number.
    pub(crate) fn root_of(&self, checkout: usize) -> PathBuf {
        self.base.join(["tree", "copy"][checkout])
    }

    /// The checkout that commands run in.
    pub(crate) fn root(&self) -> PathBuf {
        self.root_of(self.checkout)
    }

    /// Regular files of `checkout`, relative, sorted; links are not followed.
    pub(crate) fn files(&self, checkout: usize) -> Vec<String> {
        let root = self.root_of(checkout);
        let mut found = Vec::new();
        collect(&root, &root, &mut found);
        found.sort();
        found
    }

    /// Writes into the existing file, so that inode and mode stay; creates it where it is absent.
    pub(crate) fn write_in_place(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.remember(path);
        if !path.ends_with(SCRIPT) {
            return fs::write(path, bytes);
        }
        // By another process: a descriptor open for writing here could be inherited by a child of
        // another thread for a moment, and the script would be "busy" when it is started.
        let text = String::from_utf8_lossy(bytes).into_owned();
        Process::new("sh").args(["-c", "printf %s \"$1\" > \"$2\"", "sh", &text]).arg(path).status().map(drop)
    }

    /// Writes a new file and renames it over the old one; the script keeps its inode and mode.
    pub(crate) fn write_by_rename(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if path.ends_with(SCRIPT) {
            return self.write_in_place(path, bytes);
        }
        self.remember(path);
        let beside = path.with_extension("new");
        fs::write(&beside, bytes)?;
        fs::rename(&beside, path)
    }

    /// Earlier contents of `path` with their mtimes, oldest first.
    pub(crate) fn earlier(&self, path: &Path) -> &[(Vec<u8>, SystemTime)] {
        self.history.get(path).map_or(&[], Vec::as_slice)
    }

    /// Files of `checkout` that have earlier contents, also those that are deleted now; sorted.
    pub(crate) fn remembered(&self, checkout: usize) -> Vec<PathBuf> {
        let root = self.root_of(checkout);
        let mut paths: Vec<PathBuf> =
            self.history.keys().filter(|path| path.starts_with(&root)).cloned().collect();
        paths.sort();
        paths
    }

    /// Keeps the present content of `path` for a later revert.
    pub(crate) fn remember(&mut self, path: &Path) {
        let Ok(bytes) = fs::read(path) else { return };
        let Ok(written) = modified(path) else { return };
        let states = self.history.entry(path.to_owned()).or_default();
        states.push((bytes, written));
        if states.len() > 6 {
            states.remove(0);
        }
    }
}

/// The mtime of `path`, links followed.
pub(crate) fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

/// Gives `path` the mtime `to`; its ctime becomes the present time, as always.
pub(crate) fn set_modified(path: &Path, to: SystemTime) -> io::Result<()> {
    File::open(path)?.set_times(FileTimes::new().set_modified(to))
}

/// The same bytes with one digit changed, or `None` where there is no number of ours.
pub(crate) fn same_size(content: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let places: Vec<usize> = (1..content.len())
        .filter(|&at| content[at - 1] == b'1' && (b'0'..b'4').contains(&content[at]))
        .collect();
    if places.is_empty() {
        return None;
    }
    let mut changed = content.to_vec();
    let at = *random.pick(&places);
    changed[at] = b'0' + (changed[at] - b'0' + 1 + u8::try_from(random.below(3)).unwrap()) % 4;
    Some(changed)
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            collect(root, &entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}
