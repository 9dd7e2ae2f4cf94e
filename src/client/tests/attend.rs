//! Running compilers: each case is a shell script in the place of a compiler, run by a process of its own.
use crate::compile;
use crate::signals;
use cachepot_wire::{EnvBlock, Message, Plan, Report, fd, frame};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

const SCRIPT: &str = "CACHEPOT_TEST_SCRIPT";

/// Not a test: the client of one case.
#[test]
fn client() {
    let Some(script) = std::env::var_os(SCRIPT) else { return };
    // As the kernel gives it to a new program; Rust's own start ignores it.
    signals::restore_broken_pipes(libc::SIG_DFL);
    // Only this thread is to take signals, as if the process had no other.
    ending_signals().thread_unblock().unwrap();
    let env = EnvBlock::from_pairs([(OsStr::new("PATH"), OsStr::new("/usr/bin:/bin"))]);
    let connection = UnixStream::connect("socket").unwrap();
    let argv = ["sh".into(), "-c".into(), script];
    let plan = Plan { argv: argv.to_vec(), watched: vec!["out".into(), "side".into()], ..Plan::default() };
    std::process::exit(compile::run(&plan, &env, &connection).unwrap_or(2));
}

fn ending_signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect()
}

/// A client at work, and the coordinator that it talks to.
struct Case {
    folder: TempDir,
    child: Child,
    connection: UnixStream,
}

impl Case {
    fn start(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "tests::attend::client", "--nocapture", "-q"]).current_dir(folder.path());
        command.env(SCRIPT, script).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Inherited by the child and all its threads.
        ending_signals().thread_block().unwrap();
        let child = command.spawn().unwrap();
        ending_signals().thread_unblock().unwrap();
        let (connection, _) = listener.accept().unwrap();
        Case { folder, child, connection }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for a line on standard error: the script is that far.
    fn wait_for(&mut self, text: &str) {
        let mut reader = BufReader::new(self.child.stderr.as_mut().unwrap());
        let mut line = String::new();
        while line.trim() != text {
            line.clear();
            assert_ne!(reader.read_line(&mut line).unwrap(), 0, "ended before `{text}`");
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// The report; it is answered, as a coordinator does.
    fn report(&mut self) -> (Report, Vec<OwnedFd>) {
        let (kind, payload, descriptors) = fd::receive_frame(self.connection.as_fd()).unwrap();
        let Ok(Message::Report(report)) = Message::decode(kind, &payload) else { panic!("no report") };
        let answer = frame::encode(cachepot_wire::Reply::Stored { narrowed: None }.encode()).unwrap();
        let _ = fd::send_all(self.connection.as_fd(), &answer, &[]);
        (report, descriptors)
    }

    fn end(mut self) -> (ExitStatus, String) {
        let mut text = String::new();
        let status = self.child.wait().unwrap();
        let _ = self.child.stderr.take().unwrap().read_to_string(&mut text);
        (status, text)
    }
}

#[test]
fn status_streams_and_outputs_are_reported() {
    let mut case = Case::start("echo words; echo trouble >&2; echo object > out; mkdir side; exit 0");
    let (report, descriptors) = case.report();
    assert_eq!(report.ending, cachepot_wire::Ending::Exited(0));
    assert_eq!((report.stdout.as_slice(), report.stderr.as_slice()), (&b"words\n"[..], &b"trouble\n"[..]));
    assert_eq!((report.watched, descriptors.len(), report.cut), (vec![true, true], 2, false));
    let (status, errors) = case.end();
    assert_eq!((status.code(), errors.as_str()), (Some(0), "trouble\n"));
}

#[test]
fn a_failure_is_passed_on_without_outputs() {
    let mut case = Case::start("echo object > out; exit 3");
    let (report, descriptors) = case.report();
    assert_eq!(report.ending, cachepot_wire::Ending::Exited(3));
    assert_eq!((report.watched, descriptors.len()), (vec![false, false], 0));
    assert_eq!(case.end().0.code(), Some(3));
}

/// Trap T65.
#[test]
fn the_client_dies_by_the_compiler_s_signal() {
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGABRT] {
        let mut case = Case::start(&format!("ulimit -c 0; kill -{} $$", signal as i32));
        assert_eq!(case.report().0.ending, cachepot_wire::Ending::Signaled(signal as i32));
        assert_eq!(case.end().0.signal(), Some(signal as i32), "{signal}");
    }
}

/// Trap T228: the compiler gets the signal and may remove what it has begun; then we end as it did.
#[test]
fn signals_are_passed_down() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let name = signal.as_str().trim_start_matches("SIG");
        let script = format!(
            "trap 'rm out; trap - {name}; kill -{name} $$' {name}; touch out; echo ready >&2; \
             while :; do sleep 0.01; done"
        );
        let mut case = Case::start(&script);
        case.wait_for("ready");
        assert!(case.path("out").exists());
        case.signal(signal);
        assert_eq!(case.report().0.ending, cachepot_wire::Ending::Signaled(signal as i32));
        assert!(!case.path("out").exists());
        assert_eq!(case.end().0.signal(), Some(signal as i32));
    }
}

/// A terminal sends its signals to the whole group: the compiler, busy with cleaning up, gets only one.
#[test]
fn a_signal_to_the_group_reaches_the_compiler_once() {
    let script = "trap 'n=x$n; echo $n > got; sleep 0.05; exit 7' TERM; echo $$ > pid; echo ready >&2; \
                  while :; do sleep 0.01; done";
    let mut case = Case::start(script);
    case.wait_for("ready");
    let compiler: i32 = std::fs::read_to_string(case.path("pid")).unwrap().trim().parse().unwrap();
    case.signal(Signal::SIGTERM);
    kill(Pid::from_raw(compiler), Signal::SIGTERM).unwrap();
    assert_eq!(case.report().0.ending, cachepot_wire::Ending::Exited(7));
    assert_eq!(std::fs::read_to_string(case.path("got")).unwrap(), "x\n");
    assert_eq!(case.end().0.code(), Some(7));
}

/// Something that the compiler leaves behind holds its pipes, silent or not: the build goes on. What it says cannot be
/// told from what the compiler said, so nothing is stored.
#[test]
fn grandchildren_are_not_waited_for() {
    for rest in ["sleep 60", "while echo more >&2; do sleep 0.001; done"] {
        let mut case = Case::start(&format!("echo object > out; ({rest}) & echo $! > pid; exit 0"));
        let (report, _) = case.report();
        assert!(report.cut && report.ending == cachepot_wire::Ending::Exited(0));
        let grandchild: i32 = std::fs::read_to_string(case.path("pid")).unwrap().trim().parse().unwrap();
        let client = case.child.wait().unwrap();
        assert_eq!(client.code(), Some(0), "{rest}");
        let _ = kill(Pid::from_raw(grandchild), Signal::SIGKILL);
    }
}

/// Trap T93: both pipes full at once.
#[test]
fn long_streams_do_not_block_each_other() {
    let mut case = Case::start("yes out | head -c 3000000 & yes err | head -c 300000 >&2; wait");
    let mut child_out = case.child.stdout.take().unwrap();
    let mut child_err = case.child.stderr.take().unwrap();
    let out = std::thread::spawn(move || std::io::copy(&mut child_out, &mut std::io::sink()).unwrap());
    let err = std::thread::spawn(move || std::io::copy(&mut child_err, &mut std::io::sink()).unwrap());
    let (report, _) = case.report();
    assert_eq!((report.stdout.len(), report.stderr.len()), (3_000_000, 300_000));
    case.child.wait().unwrap();
    assert!(out.join().unwrap() >= 3_000_000);
    assert_eq!(err.join().unwrap(), 300_000);
}

/// Trap T228: nobody reads the messages any more.
#[test]
fn a_closed_reader_ends_a_compiler_that_goes_on_talking() {
    let mut case = Case::start("while :; do echo word; done");
    drop(case.child.stdout.take());
    let (report, _) = case.report();
    assert!(report.cut && report.ending != cachepot_wire::Ending::Exited(0));
    assert!(!case.end().0.success());
}

/// Trap T58: opening a fifo for reading waits for a writer.
#[test]
fn a_fifo_as_output_is_not_waited_for() {
    let mut case = Case::start("mkfifo out; exit 0");
    case.report();
    assert_eq!(case.end().0.code(), Some(0));
}

/// Trap T229: a coordinator that goes away costs a stored result, not the build.
#[test]
fn a_coordinator_that_goes_away_changes_nothing() {
    let mut case = Case::start("mkfifo go; echo ready >&2; read x < go; echo done; exit 5");
    case.wait_for("ready");
    let (here, _) = UnixStream::pair().unwrap();
    case.connection = here;
    let _ = std::fs::OpenOptions::new().write(true).open(case.path("go"));
    assert_eq!(case.end().0.code(), Some(5));
}

/// Whatever bytes a name has.
#[test]
fn raw_bytes_go_through() {
    let mut case = Case::start("printf '\\377\\200' ; exit 0");
    assert_eq!(case.report().0.stdout, OsStr::from_bytes(b"\xff\x80").as_bytes());
    case.end();
}
