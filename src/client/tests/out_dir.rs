//! What a build script leaves: packed, and put back elsewhere.
use crate::out_dir::{pack, unpack};
use cachepot_wire::folder::{self, Item, Kind, Mode};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const UMASK: u32 = 0o022;

/// Every path below a folder: its mode, what it holds, and when it was modified if that is long ago.
fn all(folder: &Path) -> Vec<(String, u32, Vec<u8>, Option<i64>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for path in fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
            let metadata = path.symlink_metadata().unwrap();
            let content = match () {
                () if metadata.is_symlink() => {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                }
                () if metadata.is_file() => fs::read(&path).unwrap(),
                () => Vec::new(),
            };
            let is_old = metadata.is_file() && metadata.mtime() < 1_000_000_000;
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            found.push((name, metadata.mode(), content, is_old.then_some(metadata.mtime())));
            if metadata.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

fn began() -> (u64, u32) {
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 1, 0)
}

fn pair() -> (tempfile::TempDir, tempfile::TempDir) {
    (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
}

#[test]
fn all_comes_back() {
    let (from, to) = pair();
    let path = |name: &str| from.path().join(name);
    fs::create_dir_all(path("a/b")).unwrap();
    fs::write(path("a/b/file"), "text").unwrap();
    fs::write(path("a-program"), vec![7; 100_000]).unwrap();
    fs::set_permissions(path("a-program"), Permissions::from_mode(0o755)).unwrap();
    fs::write(path("secret"), "").unwrap();
    fs::set_permissions(path("secret"), Permissions::from_mode(0o400)).unwrap();
    File::options()
        .write(true)
        .open(path("a/b/file"))
        .unwrap()
        .set_modified(UNIX_EPOCH + Duration::from_secs(12_345))
        .unwrap();
    symlink("/nowhere", path("link")).unwrap();
    symlink("b/file", path("a/inside")).unwrap();
    fs::create_dir(path("closed")).unwrap();
    fs::write(path("closed/file"), "in").unwrap();
    fs::set_permissions(path("closed"), Permissions::from_mode(0o555)).unwrap();
    let bytes = pack(from.path(), UMASK, began()).unwrap();
    unpack(to.path(), &bytes).unwrap();
    assert_eq!(all(to.path()), all(from.path()));
    assert_eq!(pack(to.path(), UMASK, began()).unwrap(), bytes);
}

#[test]
fn what_cannot_come_back_is_not_packed() {
    type Make = fn(&Path);
    let rows: [(&str, Make); 2] = [
        ("a file with two names", |folder| {
            fs::write(folder.join("a"), "").unwrap();
            fs::hard_link(folder.join("a"), folder.join("b")).unwrap();
        }),
        ("a fifo", |folder| nix::unistd::mkfifo(&folder.join("f"), nix::sys::stat::Mode::S_IRWXU).unwrap()),
    ];
    for (what, make) in rows {
        let (from, _) = pair();
        make(from.path());
        assert!(pack(from.path(), UMASK, began()).is_err(), "{what}");
    }
}

#[test]
fn a_folder_is_filled_whole_or_stays_empty() {
    let file = |path: &str| Item {
        path: path.into(),
        kind: Kind::File { mode: Mode::New, modified: None, content: b"x".to_vec() },
    };
    let (to, _) = pair();
    // The second name is longer than any file system takes.
    let bytes = folder::encode(&[file("a"), file(&"b".repeat(300))]);
    assert!(unpack(to.path(), &bytes).is_err());
    assert_eq!(all(to.path()), []);
    assert!(unpack(to.path(), b"no folder").is_err());
    fs::write(to.path().join("mine"), "").unwrap();
    assert!(unpack(to.path(), &folder::encode(&[file("a")])).is_err());
    assert_eq!(all(to.path()).len(), 1);
}
