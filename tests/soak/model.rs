//! The model tree: two checkouts of a tiny project, the environment, and the earlier contents of
//! its files. Absent: which edit comes next (`step.rs`), and running anything (`oracle.rs`).

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::SystemTime;

use crate::content::{self, HEADERS};
use crate::random::Random;

/// Folders of a checkout that hold headers. `inc0`, `gone` and `sub/near` do not exist at first.
pub(crate) const HEADER_FOLDERS: &[&str] = &[
    "", "sub", "other", "inc0", "inc1", "inc2", "inc3", "quote", "sysinc", "idir", "cpath", "gone",
    "sub/near",
];

/// Folders that edits may replace as a whole.
pub(crate) const WHOLE_FOLDERS: &[&str] =
    &["sub", "other", "inc1", "inc2", "inc3", "quote", "sysinc", "idir", "cpath"];

/// Sources of a checkout; `sub/x.c` and `other/x.c` begin with the same text.
pub(crate) const SOURCES: &[&str] =
    &["main.c", "sub/x.c", "other/x.c", "sub/y.cpp", "z.cpp", "asm/plain.s", "asm/pre.S", "ready.i"];

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
    history: HashMap<PathBuf, Vec<(Vec<u8>, SystemTime)>>,
}

impl Model {
    /// Writes a new pair of checkouts below `base`, in place of what is there.
    pub(crate) fn create(base: &Path, random: &mut Random) -> io::Result<Self> {
        let model = Self {
            base: base.to_owned(),
            checkout: 0,
            env: BTreeMap::new(),
            pwd: Pwd::Real,
            umask: None,
            history: HashMap::new(),
        };
        if base.exists() {
            fs::remove_dir_all(base)?;
        }
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let twin = content::fresh("x.c", random);
        for source in SOURCES {
            let text = if source.ends_with("/x.c") { twin.clone() } else { content::fresh(source, random) };
            files.push(((*source).to_owned(), text));
        }
        for header in HEADERS.iter().filter(|name| **name != "opt.h") {
            for _ in 0..2 {
                let folder =
                    *random.pick(&["sub", "other", "inc1", "inc2", "inc3", "quote", "sysinc", "idir"]);
                files.push((format!("{folder}/{header}"), content::fresh(header, random)));
            }
            files.push((format!("inc3/{header}"), content::fresh(header, random)));
        }
        for name in ["tool/cc", "args.rsp", "asm/blob.bin", "cpath/c.h", "force.h"] {
            files.push((name.to_owned(), content::fresh(name, random)));
        }
        let differ = random.chance(50);
        for checkout in ["tree", "copy"] {
            let root = base.join(checkout);
            for folder in WHOLE_FOLDERS.iter().chain(&["tool", "asm", "out/deep"]) {
                fs::create_dir_all(root.join(folder))?;
            }
            symlink("inc2", root.join("link"))?;
            for (path, text) in &files {
                let other = if differ { content::same_size(text, random) } else { None };
                let text = if checkout == "copy" { other.as_ref().unwrap_or(text) } else { text };
                fs::write(root.join(path), text)?;
            }
            let status = Process::new("chmod").arg("755").arg(root.join("tool/cc")).status()?;
            assert!(status.success());
        }
        symlink("tree", base.join("here0"))?;
        symlink("copy", base.join("here1"))?;
        Ok(model)
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
        if !path.ends_with("tool/cc") {
            return fs::write(path, bytes);
        }
        // By another process: a descriptor open for writing here could be inherited by a child of
        // another thread for a moment, and the script would be "busy" when it is started.
        let text = String::from_utf8_lossy(bytes).into_owned();
        Process::new("sh").args(["-c", "printf %s \"$1\" > \"$2\"", "sh", &text]).arg(path).status().map(drop)
    }

    /// Writes a new file and renames it over the old one; the script keeps its inode and mode.
    pub(crate) fn write_by_rename(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if path.ends_with("tool/cc") {
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

    /// True where some file of either checkout uses a time macro.
    pub(crate) fn reads_clock(&self) -> bool {
        (0..2).any(|checkout| {
            let root = self.root_of(checkout);
            self.files(checkout).iter().any(|name| {
                let text = fs::read(root.join(name)).unwrap_or_default();
                text.windows(6).any(|part| part == b"__TIME" || part == b"__DATE")
            })
        })
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
