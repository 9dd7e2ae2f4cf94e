//! What clang's driver looks at before it says where headers are searched: installations of gcc and libc++, and folders
//! that are named after a target. What is not there yet is in none of its answers, and in no record.
use super::Memory;
use super::files::{is_file, stat};
use super::folders::Kind;
use super::paths::Place;
use cachepot_engine::digest::{Digest, KeyBuilder};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where it looks below a root.
const BASES: [&str; 3] = ["", "usr", "usr/local"];
/// Where gcc may be below that.
const LIBRARIES: [&str; 4] = ["lib", "lib32", "lib64", "libx32"];
/// Folders of an installation for the kinds of one processor.
const KINDS: [&str; 4] = ["", "32", "64", "x32"];
/// How the name of a target begins.
const PROCESSORS: [&str; 22] = [
    "aarch64",
    "alpha",
    "arm",
    "csky",
    "hexagon",
    "hppa",
    "i386",
    "i486",
    "i586",
    "i686",
    "ia64",
    "loongarch",
    "m68k",
    "mips",
    "powerpc",
    "ppc",
    "riscv",
    "s390",
    "sparc",
    "thumb",
    "wasm",
    "x86_64",
];

/// Names what is there below the roots, by names and not by time: other files there change nothing.
pub fn probed(memory: &Memory, place: &Place, roots: &[PathBuf]) -> Digest {
    let mut look = Look { memory, place, key: KeyBuilder::new("cachepot probed 1") };
    for root in roots {
        for base in BASES {
            look.base(&root.join(base));
        }
    }
    look.key.finish()
}

struct Look<'a> {
    memory: &'a Memory,
    place: &'a Place,
    key: KeyBuilder,
}

impl Look<'_> {
    fn base(&mut self, base: &Path) {
        let Some(targets) = self.names(base, is_target) else { return };
        let include = base.join("include");
        let _ = self.names(&include.join("c++"), |_| true);
        for target in self.names(&include, is_target).unwrap_or_default() {
            let _ = self.names(&include.join(name(&target)).join("c++"), |_| true);
        }
        for target in targets {
            let _ = self.names(&base.join(name(&target)).join("include/c++"), |_| true);
        }
        for library in LIBRARIES.map(|library| base.join(library)) {
            // Without it there is nothing in it.
            if self.names(&library, |name| name == b"gcc" || name == b"gcc-cross").is_none() {
                continue;
            }
            self.gcc(&library.join("gcc"));
            self.gcc(&library.join("gcc-cross"));
        }
    }

    /// Installations are folders named by target and version, with a file that must be there.
    fn gcc(&mut self, folder: &Path) {
        for target in self.names(folder, |_| true).unwrap_or_default() {
            let target = folder.join(name(&target));
            for version in self.names(&target, |_| true).unwrap_or_default() {
                let version = target.join(name(&version));
                for kind in KINDS {
                    let start = version.join(kind).join("crtbegin.o");
                    let is_there =
                        path(&start).is_some_and(|start| stat(self.place, &start).is_ok_and(|s| is_file(&s)));
                    self.key.field("start", &[is_there.into()]);
                }
            }
        }
    }

    /// The wanted names of folders in a folder, sorted; `None` where that is none.
    fn names(&mut self, folder: &Path, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<Box<[u8]>>> {
        let path = path(folder)?;
        let listing =
            stat(self.place, &path).ok().and_then(|stat| self.memory.folders.list(self.place, &path, &stat));
        self.key.field("is folder", &[listing.is_some().into()]);
        let listing = listing?;
        let wanted = listing
            .entries()
            .filter(|entry| matches!(entry.kind, Kind::Folder | Kind::Link) && is_wanted(entry.name));
        let mut names: Vec<Box<[u8]>> = wanted.map(|entry| entry.name.into()).collect();
        names.sort_unstable();
        self.key.list("names", names.iter());
        Some(names)
    }
}

fn path(path: &Path) -> Option<CString> {
    let bytes = path.as_os_str().as_bytes();
    CString::new(if bytes.is_empty() { b"." } else { bytes }).ok()
}

fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

fn is_target(name: &[u8]) -> bool {
    name.contains(&b'-') && PROCESSORS.iter().any(|start| name.starts_with(start.as_bytes()))
}
