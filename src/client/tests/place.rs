//! Outputs of a hit in every kind of place (traps T54 to T62).
use crate::prepare::Prepared;
use cachepot_wire::{Existing, OutputBody, PlacedOutput};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn place(outputs: &[PlacedOutput], descriptors: Vec<OwnedFd>) -> std::io::Result<()> {
    crate::place::place(outputs, descriptors, Prepared::default())
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn write(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn new(path: &Path) -> PlacedOutput {
    let body = OutputBody::Inline(b"new".to_vec());
    PlacedOutput { path: path.to_owned(), executable: false, existing: Existing::Replaced, body }
}

fn in_place(path: &Path) -> PlacedOutput {
    PlacedOutput { existing: Existing::WrittenInto, ..new(path) }
}

fn over(path: &Path) -> PlacedOutput {
    PlacedOutput { existing: Existing::CopiedOver, ..new(path) }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(umask.trim(), 8).unwrap()
}

#[test]
fn a_new_file_gets_this_process_s_mode() {
    let folder = Folder::new();
    let (plain, program) = (folder.path("a.o"), folder.path("b.o"));
    place(&[new(&plain), PlacedOutput { executable: true, ..new(&program) }], Vec::new()).unwrap();
    assert_eq!(fs::read(&plain).unwrap(), b"new");
    assert_eq!((mode(&plain), mode(&program)), (0o666 & !umask(), 0o777 & !umask()));
    assert_eq!(folder.names(), ["a.o", "b.o"]);
}

/// Trap T59. The umask belongs to the whole process, hence a process of its own.
#[test]
fn a_new_file_follows_the_umask() {
    if std::env::var_os("CACHEPOT_TEST_UMASK").is_some() {
        return a_new_file_gets_this_process_s_mode();
    }
    for umask in ["077", "002", "000"] {
        let status = std::process::Command::new("sh")
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "tests::place::a_new_file_follows_the_umask", "-q"])
            .env("CACHEPOT_TEST_UMASK", umask)
            .output()
            .unwrap();
        assert!(status.status.success(), "umask {umask}: {}", String::from_utf8_lossy(&status.stdout));
    }
}

#[test]
fn a_plain_file_is_replaced_or_written_as_the_compiler_would() {
    let folder = Folder::new();
    let (replaced, kept) = (folder.write("a.o", 0o600), folder.write("b.d", 0o640));
    let inode = fs::metadata(&replaced).unwrap().ino();
    let copied = folder.write("c.o", 0o604);
    place(&[new(&replaced), in_place(&kept), over(&copied)], Vec::new()).unwrap();
    assert_eq!((mode(&copied), fs::read(&copied).unwrap()), (0o666 & !umask(), b"new".to_vec()));
    assert_ne!(fs::metadata(&replaced).unwrap().ino(), inode);
    assert_eq!((mode(&replaced), mode(&kept)), (0o666 & !umask(), 0o640));
    assert_eq!(fs::read(&kept).unwrap(), b"new");
}

/// What is left to the compiler; each stays as it is.
#[test]
fn odd_places_are_left_alone() {
    let folder = Folder::new();
    let other = folder.write("other", 0o644);
    symlink(&other, folder.path("link")).unwrap();
    symlink("nowhere", folder.path("dangling")).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    nix::unistd::mkfifo(&folder.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    folder.write("readonly", 0o444);
    let before = folder.names();
    for name in ["link", "dangling", "folder", "fifo", "readonly", "absent/a.o"] {
        for output in [new, in_place, over].map(|output| output(&folder.path(name))) {
            place(&[output], Vec::new()).expect_err(name);
            assert_eq!(folder.names(), before, "{name}");
        }
    }
    assert_eq!(fs::read(&other).unwrap(), b"old");
    assert_eq!(fs::read(folder.path("readonly")).unwrap(), b"old");
    place(&[new(Path::new("/dev/null"))], Vec::new()).expect_err("device");
}

/// Trap T57: the other name keeps its bytes. What is written into keeps its names: that is the compiler's.
#[test]
fn hard_links_keep_their_bytes() {
    let folder = Folder::new();
    let (path, other) = (folder.write("a.o", 0o644), folder.path("other"));
    fs::hard_link(&path, &other).unwrap();
    place(&[in_place(&path)], Vec::new()).expect_err("written into");
    place(&[over(&path)], Vec::new()).expect_err("written into");
    place(&[new(&path)], Vec::new()).unwrap();
    assert_eq!((fs::read(&path).unwrap(), fs::read(&other).unwrap()), (b"new".to_vec(), b"old".to_vec()));
}

/// Trap T62: all or nothing.
#[test]
fn the_second_fails_and_the_first_is_untouched() {
    let folder = Folder::new();
    let first = folder.write("a.o", 0o644);
    let descriptor = |path: &Path| PlacedOutput { body: OutputBody::Descriptor(9), ..new(path) };
    let mut short = tempfile::tempfile().unwrap();
    short.write_all(b"short").unwrap();
    let seconds = [
        (new(&folder.path("absent/b.d")), None),
        (descriptor(&folder.path("b.d")), None),
        (descriptor(&folder.path("b.d")), Some(short)),
    ];
    for (second, blob) in seconds {
        place(&[new(&first), second], blob.into_iter().map(Into::into).collect()).unwrap_err();
        assert_eq!(fs::read(&first).unwrap(), b"old");
        assert_eq!(folder.names(), ["a.o"]);
    }
}

#[test]
fn blobs_are_copied_from_their_start_in_order() {
    let folder = Folder::new();
    let blob = |text: &[u8]| {
        let mut file: File = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file
    };
    let large: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    let output = |name: &str, body| PlacedOutput { body, ..new(&folder.path(name)) };
    let outputs = [
        output("a", OutputBody::Descriptor(large.len() as u64)),
        output("b", OutputBody::Inline(Vec::new())),
        output("c", OutputBody::Descriptor(0)),
        output("d", OutputBody::Descriptor(3)),
    ];
    place(&outputs, vec![blob(&large).into(), blob(b"").into(), blob(b"xyz").into()]).unwrap();
    let read = |name: &str| fs::read(folder.path(name)).unwrap();
    assert_eq!((read("a"), read("b"), read("c"), read("d")), (large, vec![], vec![], b"xyz".to_vec()));
}

/// Trap T134: a name at the limit of the file system has no room for a suffix.
#[test]
fn long_names_have_room() {
    let folder = Folder::new();
    let path = folder.path(&"x".repeat(255));
    place(&[new(&path)], Vec::new()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

/// The kernel cannot copy from there: it says so, or that it copied nothing.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_only_reading_copies() {
    let folder = Folder::new();
    let path = folder.path("a.o");
    let content = fs::read("/proc/version").unwrap();
    let place_all = |size: usize| {
        let body = OutputBody::Descriptor(size as u64);
        place(&[PlacedOutput { body, ..new(&path) }], vec![File::open("/proc/version").unwrap().into()])
    };
    place_all(content.len()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
    place_all(content.len() + 1).unwrap_err();
    assert_eq!((fs::read(&path).unwrap(), folder.names()), (content, vec!["a.o".to_owned()]));
}
