//! A miss: the compiler runs as our own child, in the build's own session, terminal, limits and jobserver.
use crate::attend::attend;
use crate::bypass::{self, DEPTH_VARIABLE, Found};
use crate::connect;
use crate::narrow;
use crate::process;
use crate::relay::Relay;
use crate::signals::{self, die_by};
use cachepot_wire::{Ending, EnvBlock, Message, Plan, Reply, Report, frame, socket};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs what the plan says and reports it; the value is the exit status. Dies by the compiler's signal.
pub(crate) fn run(plan: &Plan, argv: &[OsString], env: &EnvBlock, connection: UnixStream) -> i32 {
    let Some((name, words)) = plan.argv.split_first() else { return bypass::exec(argv, env, &[]) };
    let Found::Program { path: program, behind } = bypass::find(name, env.get("PATH")) else {
        return bypass::exec(argv, env, &[]);
    };
    let can_rewrite = plan.widened.as_ref().is_none_or(|file| narrow::can_rewrite(file));
    if !can_rewrite || !plan.scratch.iter().all(|path| make_scratch(path).is_ok()) {
        remove_scratch(plan);
        return bypass::exec(argv, env, &[]);
    }
    process::survive_broken_pipes();
    let clone = |stream: &dyn AsFd| stream.as_fd().try_clone_to_owned();
    let (Ok(out), Ok(err)) = (clone(&std::io::stdout()), clone(&std::io::stderr())) else {
        remove_scratch(plan);
        return bypass::exec(argv, env, &[]);
    };
    let mut command = Command::new(&program);
    // `links/gcc`, a link to us, must not be the compiler's idea of where it lives.
    command.arg0(bypass::called(name, &program, behind)).args(words);
    command.envs(plan.env.iter().map(|(name, value)| (name, value)));
    command.env(DEPTH_VARIABLE, "1").stdout(Stdio::piped()).stderr(Stdio::piped());
    let held = signals::hold();
    held.spare(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            drop(held);
            remove_scratch(plan);
            return bypass::cannot_run(name, &error);
        }
    };
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else { return 2 };
    let mut streams = [Relay::new(stdout, out), Relay::new(stderr, err)];
    let pid = Pid::from_raw(child.id().cast_signed());
    let ending = attend(pid, &mut streams, &held);
    drop(held);
    let [stdout, stderr] = streams;
    let narrowed = report(plan, ending, stdout, stderr, &connection);
    match ending {
        Ending::Exited(status) => {
            let text = plan.widened.as_ref().zip(narrowed);
            let is_written = text.is_none_or(|(file, text)| narrow::rewrite(file, &text));
            if status == 0 && !is_written { 1 } else { status }
        }
        Ending::Signaled(signal) => die_by(signal),
    }
}

/// A private file is there before the compiler runs: it must not fail because of a folder that has gone.
fn make_scratch(path: &Path) -> std::io::Result<()> {
    let make = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop);
    match (make(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == std::io::ErrorKind::NotFound => {
            socket::make_folder(folder)?;
            make()
        }
        (made, _) => made,
    }
}

fn remove_scratch(plan: &Plan) {
    for path in &plan.scratch {
        let _ = std::fs::remove_file(path);
    }
}

/// Opens an output. A fifo that the user put there must not be waited for.
fn open_output(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Tells the coordinator and waits until it has its own copies; the value is the text for the user's dependency file
/// where the compile wrote more into it.
fn report(
    plan: &Plan,
    ending: Ending,
    stdout: Relay,
    stderr: Relay,
    connection: &UnixStream,
) -> Option<Vec<u8>> {
    // Of a compile that failed, only a dependency file to be narrowed counts.
    let counts =
        ending == Ending::Exited(0) || (plan.widened.is_some() && matches!(ending, Ending::Exited(_)));
    let opened: Vec<Option<File>> =
        plan.watched.iter().map(|path| if counts { open_output(path).ok() } else { None }).collect();
    remove_scratch(plan);
    let message = Message::Report(Report {
        ending,
        cut: stdout.cut || stderr.cut,
        stdout: stdout.kept,
        stderr: stderr.kept,
        watched: opened.iter().map(Option::is_some).collect(),
    });
    let descriptors: Vec<_> = opened.iter().flatten().map(AsRawFd::as_raw_fd).collect();
    // Whatever goes wrong from here on costs a stored result, not the build.
    let bytes = frame::encode(message.encode()).ok()?;
    connect::send(connection, &bytes, &descriptors).ok().filter(|()| counts)?;
    match connect::receive(connection) {
        Ok((Reply::Stored { narrowed }, _)) => narrowed,
        _ => None,
    }
}
