//! A client with a process of its own, and a coordinator that says what a test has it say.
use cachepot_wire::{EnvBlock, Existing, HitReply, Message, OutputBody, PlacedOutput, Reply, fd, frame};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::{NamedTempFile, TempDir};

/// Before the C library is up or with it: each case goes both ways.
pub(super) const WAYS: [&str; 2] = ["early", "late"];
const WAY: &str = "CACHEPOT_TEST_WAY";
/// The compiler, which tells what it has open.
pub(super) const COMPILER: &str = "ls -l /proc/self/fd > ../open; exit 7";
pub(super) const COMPILER_RAN: i32 = 7;
pub(super) const HIT: i32 = 3;
/// Where files are that the kernel cannot copy to another file system itself.
pub(super) const MEMORY: &str = "/dev/shm";

/// Not a test: the client of one case.
#[test]
fn client() {
    let Some(way) = std::env::var_os(WAY) else { return };
    let pair = |(name, value)| (OsStr::new(name), OsStr::new(value));
    let env =
        EnvBlock::from_pairs([("PATH", "/usr/bin:/bin"), ("CACHEPOT_SERVER_UDS", "../socket")].map(pair));
    let words: Vec<OsString> = ["cachepot", "sh", "-c", COMPILER].map(Into::into).into();
    let early = if way == "early" { crate::early(words.clone(), env.clone()) } else { None };
    std::process::exit(early.unwrap_or_else(|| crate::main(words, env)));
}

/// A client at work in the folder `work`, and the coordinator that it talks to.
pub(super) struct Case {
    folder: TempDir,
    pub(super) child: Child,
    pub(super) connection: UnixStream,
}

impl Case {
    pub(super) fn start(way: &str) -> Self {
        Case::start_in(way, |_| {})
    }

    /// As [`Case::start`]; the folder is made ready first.
    pub(super) fn start_in(way: &str, make_ready: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        fs::create_dir(&work).unwrap();
        make_ready(&work);
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "umask 027; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "tests::scripted::client", "--nocapture", "-q"]);
        let child = command.current_dir(work).env(WAY, way).stdout(Stdio::null()).spawn().unwrap();
        let (connection, _) = listener.accept().unwrap();
        let (kind, payload, _) = fd::receive_frame(connection.as_fd()).unwrap();
        assert!(matches!(Message::decode(kind, &payload), Ok(Message::Compile(_))));
        Case { folder, child, connection }
    }

    pub(super) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(super) fn say(&self, reply: Reply, files: &[&Source]) {
        // Opened anew: another descriptor of the same file.
        let files: Vec<File> = files.iter().map(|file| File::open(file.0.path()).unwrap()).collect();
        let raw: Vec<_> = files.iter().map(AsRawFd::as_raw_fd).collect();
        fd::send_all(self.connection.as_fd(), &frame::encode(reply.encode()).unwrap(), &raw).unwrap();
    }

    pub(super) fn say_hit(&self, outputs: &[PlacedOutput], files: &[&Source]) {
        let outputs = outputs.to_vec();
        let (stdout, stderr, notice) = (Vec::new(), Vec::new(), String::new());
        self.say(Reply::Hit(HitReply { status: HIT, stdout, stderr, outputs, notice }), files);
    }

    /// The files without a name in the client's folder, in the order they were opened in.
    pub(super) fn unnamed(&self) -> Vec<Metadata> {
        let work = self.work();
        let is_unnamed =
            |target: &Path| target.starts_with(&work) && target.to_str().unwrap().ends_with(" (deleted)");
        let mut open: Vec<_> =
            fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().flatten().collect();
        open.sort_by_key(|entry| entry.file_name().to_str().unwrap().parse::<u32>().unwrap());
        let open = open.iter().map(std::fs::DirEntry::path);
        // A descriptor may be closed meanwhile.
        open.filter(|path| fs::read_link(path).is_ok_and(|target| is_unnamed(&target)))
            .filter_map(|path| fs::metadata(path).ok())
            .collect()
    }

    /// Waits until so much is copied of each; the value is their inodes.
    pub(super) fn wait_for(&self, sizes: &[u64]) -> Vec<u64> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let unnamed = self.unnamed();
            if unnamed.iter().map(Metadata::len).eq(sizes.iter().copied()) {
                return unnamed.iter().map(Metadata::ino).collect();
            }
            assert!(Instant::now() < end, "{unnamed:?}, not {sizes:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        names(&self.work())
    }

    pub(super) fn expect_end(&mut self, status: i32) {
        assert_eq!(self.child.wait().unwrap().code(), Some(status));
    }

    /// The compiler runs, and gets nothing of what was announced.
    pub(super) fn expect_compiler(&mut self) {
        self.expect_end(COMPILER_RAN);
        let open = fs::read_to_string(self.folder.path().join("open")).unwrap();
        let lines: Vec<_> = open.lines().filter(|line| line.contains(" -> ")).collect();
        assert!(
            !lines.is_empty()
                && !lines.iter().any(|line| line.contains("(deleted)") || line.contains("blob"))
        );
    }
}

pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A file of the coordinator's, which grows.
pub(super) struct Source(NamedTempFile);

impl Source {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Source::new_in(&std::env::temp_dir(), bytes)
    }
    pub(super) fn new_in(folder: &Path, bytes: &[u8]) -> Self {
        let mut source = Source(tempfile::Builder::new().prefix("blob").tempfile_in(folder).unwrap());
        source.add(bytes);
        source
    }
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }
}

pub(super) fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

pub(super) fn output(path: &str, size: usize) -> PlacedOutput {
    let body = OutputBody::Descriptor(size as u64);
    PlacedOutput { path: path.into(), executable: false, existing: Existing::Replaced, body }
}

/// Whether the file system has files without a name. Elsewhere there is nothing to see of what is prepared.
pub(super) fn has_unnamed() -> bool {
    let has = tempfile::tempdir().is_ok_and(|folder| {
        File::options().write(true).custom_flags(libc::O_TMPFILE).open(folder.path()).is_ok()
    });
    if !has {
        println!("skipped: no files without a name here");
    }
    has
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
