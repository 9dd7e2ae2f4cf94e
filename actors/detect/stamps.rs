//! Files beside how they were when they were looked at, and whether they still are.
use crate::inputs::Stamp;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::stat::{Mode, fstatat, stat};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file beside how it was when it was looked at.
pub(super) type Stamped = (PathBuf, Option<Stamp>);

/// So many files of one folder are asked for from there: finding the folder anew for each takes longer than opening it once.
const MANY: usize = 4;

/// How they are now.
pub(super) fn stamped(paths: impl IntoIterator<Item = PathBuf>) -> Vec<Stamped> {
    let with_stamp = |path: PathBuf| {
        let stamp = stamp_of(&path);
        (path, stamp)
    };
    paths.into_iter().map(with_stamp).collect()
}

/// Whether all are as they were. Where many that lie in one folder stand one behind the other, that is quick.
pub(super) fn stand(all: &[Stamped]) -> bool {
    all.chunk_by(|(one, _), (other, _)| split(one).0 == split(other).0).all(are_same)
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    stat(path).ok().map(|stat| Stamp::of(&stat))
}

/// Whether files of one folder are as they were.
fn are_same(files: &[Stamped]) -> bool {
    let folder = files.first().filter(|_| files.len() >= MANY).map(|(path, _)| split(path).0);
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = folder.and_then(|folder| open(folder, flags, Mode::empty()).ok());
    files.iter().all(|(path, stamp)| {
        let now = match (&folder, split(path).1) {
            (Some(folder), name) if !name.is_empty() => {
                fstatat(folder, name, AtFlags::empty()).ok().map(|stat| Stamp::of(&stat))
            }
            _ => stamp_of(path),
        };
        now == *stamp
    })
}

/// The folder, with its last slash, and the name, which is empty behind a last slash.
fn split(path: &Path) -> (&OsStr, &OsStr) {
    let bytes = path.as_os_str().as_bytes();
    let (folder, name) = bytes.split_at(memchr::memrchr(b'/', bytes).map_or(0, |slash| slash + 1));
    (OsStr::from_bytes(folder), OsStr::from_bytes(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// What may happen to files of a folder, or to the folder; and whether they stand after it.
    #[test]
    fn they_stand_until_one_is_another() {
        type Row = (&'static str, fn(&Path), bool);
        let rows: &[Row] = &[
            ("nothing", |_| {}, true),
            ("another content", |at| fs::write(at.join("lib/3"), "another").unwrap(), false),
            ("one is gone", |at| fs::remove_file(at.join("lib/0")).unwrap(), false),
            ("one that was absent", |at| fs::write(at.join("lib/gone"), "").unwrap(), false),
            ("a file of another name", |at| fs::write(at.join("lib/new"), "").unwrap(), true),
            ("the few", |at| fs::write(at.join("bin/cc"), "another").unwrap(), false),
            (
                "another folder takes the place",
                |at| {
                    fs::rename(at.join("lib"), at.join("old")).unwrap();
                    fs::create_dir(at.join("lib")).unwrap();
                },
                false,
            ),
            (
                "a link to the same folder",
                |at| {
                    fs::rename(at.join("lib"), at.join("old")).unwrap();
                    symlink("old", at.join("lib")).unwrap();
                },
                true,
            ),
            (
                "a link led elsewhere",
                |at| {
                    fs::remove_file(at.join("lib/link")).unwrap();
                    symlink("2", at.join("lib/link")).unwrap();
                },
                false,
            ),
            ("the folder is gone", |at| fs::remove_dir_all(at.join("lib")).unwrap(), false),
        ];
        for (what, change, expected) in rows {
            let folder = tempfile::tempdir().unwrap();
            let at = folder.path();
            fs::create_dir(at.join("lib")).unwrap();
            fs::create_dir(at.join("bin")).unwrap();
            for name in ["lib/0", "lib/1", "lib/2", "lib/3", "bin/cc"] {
                fs::write(at.join(name), name).unwrap();
            }
            symlink("1", at.join("lib/link")).unwrap();
            let names = ["bin/cc", "lib/0", "lib/1", "lib/2", "lib/3", "lib/gone", "lib/link"];
            let all = stamped(names.map(|name| at.join(name)));
            change(at);
            assert_eq!(stand(&all), *expected, "{what}");
            let one_by_one = all.iter().all(|(path, stamp)| stamp_of(path) == *stamp);
            assert_eq!(one_by_one, *expected, "{what}");
        }
    }

    #[test]
    fn an_empty_list_and_odd_paths_stand() {
        assert!(stand(&[]));
        let odd = ["/", "/usr/", "/usr/.", "/usr/..", "", "nosuch"].map(PathBuf::from);
        assert!(stand(&stamped(odd.into_iter().flat_map(|path| vec![path; MANY]))));
    }
}
