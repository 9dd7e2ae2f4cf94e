//! A miss: the compiler runs as our own child, in the build's own session, terminal, limits and jobserver.
use crate::attend::{Streams, attend};
use crate::bypass;
use crate::connect;
use crate::image::{Image, Setting};
use crate::narrow;
use crate::place::place;
use crate::prepare::Prepared;
use crate::relay::Relay;
use crate::signals::{self, die_by};
use cachepot_wire::{Ending, EnvBlock, Message, Plan, Reply, Report, Stub, frame, socket};
use nix::sys::signal::SigSet;
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::io::PipeReader;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Runs what the plan says and reports it; the value is the exit status. Dies by the compiler's signal. `None` where
/// the compiler could not be started: then nothing has happened.
pub(crate) fn run(plan: &Plan, env: &EnvBlock, connection: &UnixStream) -> Option<i32> {
    let image = bypass::image(&plan.argv, env, &plan.env)?;
    run_image(&image, plan, connection, Streams::ToItsEnd, || ())
}

/// The same for another program; `finish` is called where it ends well, before its files are looked at.
pub(crate) fn run_image(
    image: &Image,
    plan: &Plan,
    connection: &UnixStream,
    until: Streams,
    finish: impl FnOnce(),
) -> Option<i32> {
    let can_rewrite = plan.widened.as_ref().is_none_or(|file| narrow::can_rewrite(file));
    if !can_rewrite || !plan.scratch.iter().all(|path| make_scratch(path).is_ok()) {
        remove_scratch(plan);
        return None;
    }
    let broken_pipe = signals::survive_broken_pipes();
    let held = signals::hold();
    let started = start(image, held.before(), broken_pipe);
    let Ok((pid, from_stdout, from_stderr)) = started else {
        drop(held);
        signals::restore_broken_pipes(broken_pipe);
        remove_scratch(plan);
        return None;
    };
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let mut streams = [Relay::new(from_stdout, out.as_fd()), Relay::new(from_stderr, err.as_fd())];
    let ending = attend(pid, &mut streams, &held, until);
    drop(held);
    let [stdout, stderr] = streams;
    if ending == Ending::Exited(0) {
        finish();
    }
    let narrowed = report(plan, ending, stdout, stderr, connection);
    Some(match ending {
        Ending::Exited(status) => {
            let text = plan.widened.as_ref().zip(narrowed);
            let is_written = text.is_none_or(|(file, text)| narrow::rewrite(file, &text));
            if let Some(stub) = plan.stub.as_ref().filter(|_| status == 0) {
                put(stub);
            }
            if status == 0 && !is_written { 1 } else { status }
        }
        Ending::Signaled(signal) => die_by(signal),
    })
}

/// Puts a stub in place. At every moment there is one or the other; where it cannot be, the output stays.
fn put(Stub { beside, stub }: &Stub) {
    let _ = std::fs::remove_file(beside);
    let is_there = std::fs::hard_link(&stub.path, beside).is_ok();
    if is_there && place(std::slice::from_ref(stub), Vec::new(), Prepared::default()).is_err() {
        let _ = std::fs::remove_file(beside);
    }
}

/// Starts the compiler; beside it the pipes that it writes its two streams to.
fn start(
    image: &Image,
    mask: SigSet,
    broken_pipe: libc::sighandler_t,
) -> std::io::Result<(Pid, PipeReader, PipeReader)> {
    let ((from_stdout, stdout), (from_stderr, stderr)) = (std::io::pipe()?, std::io::pipe()?);
    let setting = Setting { stdout: stdout.as_fd(), stderr: stderr.as_fd(), mask, broken_pipe };
    Ok((image.spawn(&setting)?, from_stdout, from_stderr))
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
    stdout: Relay<'_>,
    stderr: Relay<'_>,
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
