//! The jobserver without actors: with pipes, with make, and with processes that are killed.
use super::{environment, until};
use crate::jobserver::{Jobserver, is_wanted};
use cachepot_wire::EnvBlock;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A pipe as make makes one: blocking, with some slots.
fn pipe_of_make(slots: usize) -> (PipeReader, PipeWriter, EnvBlock) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'+'; slots]).unwrap();
    let options = format!(" -j3 --jobserver-auth={},{}", reader.as_raw_fd(), writer.as_raw_fd());
    (reader, writer, environment("MAKEFLAGS", options))
}

#[test]
fn a_slot_comes_back_when_its_token_is_dropped_also_by_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let jobserver = Arc::new(Jobserver::own(folder.path(), 3).unwrap());
    let take = || jobserver.try_take().unwrap();
    let held = [take(), take(), take()];
    assert!(held.iter().all(Option::is_some));
    assert!(take().is_none(), "there are three");
    drop(held);
    let in_panic = Arc::clone(&jobserver);
    let ended = std::thread::spawn(move || {
        let _token = in_panic.try_take().unwrap().unwrap();
        assert_eq!(in_panic.count_free(), 2);
        panic!("with a token in hand");
    });
    assert!(ended.join().is_err());
    assert_eq!(jobserver.count_free(), 3);
}

#[test]
fn an_own_fifo_goes_away_unless_a_process_was_told_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let jobserver = Arc::new(Jobserver::own(folder.path(), 2).unwrap());
    let path = jobserver.path().to_owned();
    let (lease, _) = jobserver.lend().unwrap();
    lease.end();
    drop(jobserver);
    assert!(!path.exists());
    let jobserver = Arc::new(Jobserver::own(folder.path(), 2).unwrap());
    let path = jobserver.path().to_owned();
    drop(jobserver.lend());
    drop(jobserver);
    assert!(path.exists());
}

#[test]
fn tokens_that_are_in_use_are_never_doubled_and_surplus_goes() {
    let folder = tempfile::tempdir().unwrap();
    let jobserver = Arc::new(Jobserver::own(folder.path(), 4).unwrap());
    let (first, second) = (jobserver.lend().unwrap().0, jobserver.lend().unwrap().0);
    let mut fifo = File::options().read(true).write(true).open(jobserver.path()).unwrap();
    fifo.read_exact(&mut [0; 2]).unwrap();
    first.end();
    assert_eq!(jobserver.count_free(), 2, "the second may hold them");
    let ours = jobserver.try_take().unwrap();
    second.end();
    assert_eq!(jobserver.count_free(), 1, "we hold one");
    drop(ours);
    assert_eq!(jobserver.count_free(), 4);
    // One that nobody knew of gives tokens back when they were made good already.
    fifo.write_all(b"++").unwrap();
    jobserver.lend().unwrap().0.end();
    assert_eq!(jobserver.count_free(), 4);
}

#[test]
fn t234_what_is_named_but_not_there_is_passed_over() {
    let (reader, writer, _) = pipe_of_make(2);
    let (other, _writer) = std::io::pipe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let abandoned = folder.path().join("fifo");
    nix::unistd::mkfifo(&abandoned, Mode::S_IRWXU).unwrap();
    let file = File::create(folder.path().join("file")).unwrap();
    let pair = |read: i32, write: i32| format!("--jobserver-auth={read},{write}");
    let rows = [
        String::new(),
        pair(9998, 9999),
        pair(reader.as_raw_fd(), 9999),
        pair(-2, -2),
        pair(0, 1),
        pair(file.as_raw_fd(), file.as_raw_fd()),
        // Numbers that were given to something else meanwhile.
        pair(other.as_raw_fd(), writer.as_raw_fd()),
        "--jobserver-auth=fifo:/nonexistent/fifo".to_owned(),
        "--jobserver-auth=fifo:fifo".to_owned(),
        format!("--jobserver-auth=fifo:{}", folder.path().join("file").display()),
        // Its make was killed.
        format!("--jobserver-auth=fifo:{}", abandoned.display()),
    ];
    for options in rows {
        assert!(Jobserver::inherited(&environment("MAKEFLAGS", &options)).is_none(), "{options}");
    }
}

#[test]
fn inherited_descriptors_keep_their_flags_and_every_token() {
    let (mut reader, writer, env) = pipe_of_make(2);
    let jobserver = Arc::new(Jobserver::inherited(&env).unwrap());
    let taken = [jobserver.try_take().unwrap(), jobserver.try_take().unwrap()];
    assert!(taken.iter().all(Option::is_some));
    assert!(jobserver.try_take().unwrap().is_none(), "no slot besides what is read, and no waiting for it");
    for end in [reader.as_fd(), writer.as_fd()] {
        let flags = OFlag::from_bits_retain(fcntl(end, FcntlArg::F_GETFL).unwrap());
        assert!(!flags.contains(OFlag::O_NONBLOCK), "make shares this open file");
    }
    assert!(jobserver.lend().is_none(), "not ours to give away");
    drop(taken);
    drop((jobserver, writer));
    let mut left = Vec::new();
    reader.read_to_end(&mut left).unwrap();
    assert_eq!(left, b"++");
}

#[actix::test]
async fn waiting_ends_when_another_process_gives_a_token_back() {
    let (mut reader, mut writer, env) = pipe_of_make(0);
    let jobserver = Arc::new(Jobserver::inherited(&env).unwrap());
    let waiting = actix::spawn({
        let jobserver = Arc::clone(&jobserver);
        async move { jobserver.take().await }
    });
    tokio::task::yield_now().await;
    // Woken, but somebody else was faster: with one thread here nobody can read in between.
    writer.write_all(b"x").unwrap();
    reader.read_exact(&mut [0]).unwrap();
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    writer.write_all(b"y").unwrap();
    drop(waiting.await.unwrap().unwrap());
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"y", "the byte that was taken");
}

#[test]
fn only_a_rustc_whose_build_offers_nothing_is_told() {
    let (none, make) = (EnvBlock::default(), environment("MAKEFLAGS", "-j --jobserver-auth=3,4"));
    for (program, env, expected) in [
        ("rustc", &none, true),
        ("/opt/rust/bin/rustc.exe", &none, true),
        ("clippy-driver", &none, true),
        ("rustc", &environment("MAKEFLAGS", "k"), true),
        ("rustc", &environment("CARGO_MAKEFLAGS", "-j --jobserver-auth=fifo:/f"), false),
        ("rustc", &make, false),
        ("gcc", &none, false),
        ("clang++", &none, false),
        ("rustdoc", &none, false),
    ] {
        assert_eq!(is_wanted(program.as_ref(), env), expected, "{program}");
    }
}

const HELPER: &str = "CACHEPOT_TEST_JOBSERVER_HELPER";

/// Not a test but the program that [`run_helper`]'s builds run: what a coordinator in a build's foreground does.
#[test]
fn helper_inside_a_build() {
    let Some(report) = std::env::var_os(HELPER) else { return };
    let pairs: Vec<_> = std::env::vars_os().collect();
    let env = EnvBlock::from_pairs(pairs.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())));
    let jobserver = Arc::new(Jobserver::inherited(&env).unwrap());
    let mut held = Vec::new();
    while let Some(token) = jobserver.try_take().unwrap() {
        held.push(token);
    }
    let count = held.len();
    let ended = std::thread::spawn(move || {
        let _held = held;
        panic!("with every token in hand");
    });
    assert!(ended.join().is_err());
    std::fs::write(report, format!("{count} {}", jobserver.count_free())).unwrap();
}

fn helper(report: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::jobserver::helper_inside_a_build"]).env(HELPER, report);
    command
}

#[test]
fn t234_make_misses_no_token_of_its_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let (makefile, report) = (folder.path().join("Makefile"), folder.path().join("report"));
    let again = folder.path().join("again");
    let helper = helper(&report);
    let words: Vec<_> = helper.get_args().map(|word| word.to_str().unwrap()).collect();
    let line = format!("'{}' {}", helper.get_program().display(), words.join(" "));
    // The second one finds every token that the first one had.
    let text = format!(
        "second: first\n\t+{HELPER}='{}' {line}\nfirst:\n\t+{HELPER}='{}' {line}\n",
        again.display(),
        report.display()
    );
    std::fs::write(&makefile, text).unwrap();
    let mut make = Command::new("make");
    make.args(["-j3", "-f"]).arg(&makefile).env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    let Ok(output) = make.env_remove("CARGO_MAKEFLAGS").output() else {
        eprintln!("skipped: no make");
        return;
    };
    let told = String::from_utf8_lossy(&output.stderr);
    // make counts at its end: `INTERNAL: Exiting with 2 jobserver tokens available; should be 3!`
    assert!(output.status.success() && !told.contains("INTERNAL"), "{told}");
    assert_eq!(std::fs::read_to_string(report).unwrap(), "2 2");
    assert_eq!(std::fs::read_to_string(again).unwrap(), "2 2");
}

#[test]
fn t234_a_build_misses_no_token_of_its_fifo() {
    let folder = tempfile::tempdir().unwrap();
    let (fifo, report) = (folder.path().join("fifo"), folder.path().join("report"));
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    // As make 4.4 does it.
    let mut server = File::options().read(true).write(true).open(&fifo).unwrap();
    server.write_all(b"++").unwrap();
    let options = format!(" -j3 --jobserver-auth=fifo:{}", fifo.display());
    let mut helper = helper(&report);
    let output = helper.env("MAKEFLAGS", options).env_remove("CARGO_MAKEFLAGS").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(std::fs::read_to_string(report).unwrap(), "2 2");
    server.read_exact(&mut [0; 2]).unwrap();
}

/// Enough work that a kill hits it in mid-compile.
fn crate_text(functions: usize) -> String {
    let body =
        "let mut v: Vec<String> = (0..x).map(|i| format!(\"{i}-{x}\")).collect(); v.sort(); v.concat()";
    (0..functions).map(|n| format!("pub fn f{n}(x: u64) -> String {{ {body} }}\n")).collect()
}

#[actix::test]
async fn a_real_rustc_draws_from_the_fifo_and_may_be_killed() {
    let folder = tempfile::tempdir().unwrap();
    let jobserver = Arc::new(Jobserver::own(folder.path(), 3).unwrap());
    let rustc = |functions: usize| {
        let (lease, (name, value)) = jobserver.lend().unwrap();
        let source = folder.path().join("lib.rs");
        std::fs::write(&source, crate_text(functions)).unwrap();
        let mut command = Command::new("rustc");
        command.args(["--crate-type=lib", "--emit=obj", "-Ccodegen-units=4", "-O"]).arg(source);
        command.arg("--out-dir").arg(folder.path()).env(name, value).env_remove("MAKEFLAGS");
        command.stderr(Stdio::piped());
        (lease, command)
    };
    let (lease, mut small) = rustc(10);
    let output = small.output().unwrap();
    // A warning here would tell that it cannot use the fifo.
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    lease.end();
    assert_eq!(jobserver.count_free(), 3, "nothing was missing");

    let (lease, mut large) = rustc(3000);
    let mut child = large.spawn().unwrap();
    until(|| jobserver.count_free() < 3).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(jobserver.count_free() < 3, "the killed one kept its tokens");
    lease.end();
    assert_eq!(jobserver.count_free(), 3);
}
