//! A miss: the compiler runs as our own child, in the build's own session, terminal, limits and jobserver.
use crate::bypass::{self, DEPTH_VARIABLE, Found};
use crate::connect;
use crate::header_trace::HeaderTrace;
use crate::process;
use crate::relay::{Relay, Target};
use cachepot_wire::{Ending, EnvBlock, Message, Plan, Report, frame, socket};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Signals that a user or a build system sends to a compiler to end it.
const ENDING_SIGNALS: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Runs what the plan says and reports it; the value is the exit status. Dies by the compiler's signal.
pub(crate) fn run(plan: &Plan, argv: &[OsString], env: &EnvBlock, connection: UnixStream) -> i32 {
    let Some((name, words)) = plan.argv.split_first() else { return bypass::exec(argv, env, &[]) };
    let Found::Program { path: program, behind } = bypass::find(name, env.get("PATH")) else {
        return bypass::exec(argv, env, &[]);
    };
    if !plan.scratch.iter().all(|path| make_scratch(path).is_ok()) {
        remove_scratch(plan);
        return bypass::exec(argv, env, &[]);
    }
    process::survive_broken_pipes();
    let mut command = Command::new(&program);
    // `links/gcc`, a link to us, must not be the compiler's idea of where it lives.
    command.arg0(bypass::called(name, &program, behind)).args(words).envs(plan.env.iter().map(|(name, value)| (name, value)));
    command.env(DEPTH_VARIABLE, "1").stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, watch) = match signals::held(|| command.spawn()) {
        (Ok(child), watch) => (child, watch),
        (Err(error), watch) => {
            drop(watch);
            remove_scratch(plan);
            return bypass::cannot_run(name, &error);
        }
    };
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else { return 2 };
    let filter = plan.header_trace.then(HeaderTrace::default);
    let mut streams = [Relay::new(stdout, Target::Stdout, None), Relay::new(stderr, Target::Stderr, filter)];
    let pid = Pid::from_raw(child.id().cast_signed());
    let ending = attend(pid, &mut streams, &watch);
    drop(watch);
    let [stdout, stderr] = streams;
    report(plan, ending, stdout, stderr, &connection);
    match ending {
        Ending::Exited(status) => status,
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

/// Passes the streams on and signals down until the compiler has ended.
fn attend(pid: Pid, streams: &mut [Relay; 2], signals: &signals::Held) -> Ending {
    let ended = signals::exit_watch(pid);
    let mut status = None;
    loop {
        let [stdout, stderr] = &*streams;
        if status.is_some() && !stdout.open && !stderr.open {
            break;
        }
        let mut watched = Vec::with_capacity(4);
        watched.extend(streams.iter().filter(|s| s.open).map(|s| PollFd::new(s.descriptor(), PollFlags::POLLIN)));
        let n_streams = watched.len();
        watched.push(PollFd::new(signals.descriptor(), PollFlags::POLLIN));
        watched.extend(ended.iter().filter(|_| status.is_none()).map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)));
        if n_streams == 0 && ended.is_none() {
            // Both streams are closed: only the end is left to wait for.
            status = status.or_else(|| wait(pid, None));
            continue;
        }
        // A grandchild may hold the pipes open for ever: once the compiler is gone, only what is there counts.
        let timeout = if status.is_some() { PollTimeout::from(20u8) } else { PollTimeout::NONE };
        let ready = poll(&mut watched, timeout);
        if status.is_some() && ready == Ok(0) {
            break;
        }
        let raised: Vec<bool> = watched.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(watched);
        let mut raised = raised.into_iter();
        for stream in streams.iter_mut().filter(|stream| stream.open) {
            if raised.next() == Some(true) {
                stream.step();
            }
        }
        if raised.next() == Some(true) {
            while let Some(signal) = signals.take() {
                let _ = kill(pid, signal);
            }
        }
        if raised.next() == Some(true) {
            status = wait(pid, Some(WaitPidFlag::WNOHANG));
        }
    }
    status.unwrap_or(Ending::Exited(1))
}

fn wait(pid: Pid, flags: Option<WaitPidFlag>) -> Option<Ending> {
    loop {
        match waitpid(pid, flags) {
            Ok(WaitStatus::Exited(_, code)) => return Some(Ending::Exited(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Some(Ending::Signaled(signal as i32)),
            Ok(WaitStatus::StillAlive) => return None,
            Err(nix::errno::Errno::EINTR) | Ok(_) => {}
            Err(_) => return Some(Ending::Exited(1)),
        }
    }
}

/// Tells the coordinator and waits until it has its own copies.
fn report(plan: &Plan, ending: Ending, stdout: Relay, mut stderr: Relay, connection: &UnixStream) {
    let succeeded = ending == Ending::Exited(0);
    let opened: Vec<Option<File>> =
        plan.watched.iter().map(|path| if succeeded { open_watched(path).ok() } else { None }).collect();
    remove_scratch(plan);
    let message = Message::Report(Report {
        ending,
        cut: stdout.cut || stderr.cut,
        header_trace: stderr.trace(),
        stdout: stdout.kept,
        stderr: stderr.kept,
        watched: opened.iter().map(Option::is_some).collect(),
    });
    let descriptors: Vec<_> = opened.iter().flatten().map(AsRawFd::as_raw_fd).collect();
    // Whatever goes wrong from here on costs a stored result, not the build.
    let Ok(bytes) = frame::encode(message.encode()) else { return };
    if connect::send(connection, &bytes, &descriptors).is_ok() && succeeded {
        let _ = connect::receive(connection);
    }
}

/// A pipe with a name would wait for a writer, who has just gone.
fn open_watched(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

fn die_by(signal: i32) -> i32 {
    if let Ok(signal) = Signal::try_from(signal) {
        let _ = signals::default_action(signal);
        let only: SigSet = std::iter::once(signal).collect();
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&only), None);
        let _ = raise(signal);
    }
    128 + signal
}

/// The system interfaces of this file that need `unsafe`.
mod signals {
    #![allow(unsafe_code)]
    use super::{ENDING_SIGNALS, Pid, SigSet, Signal, SigmaskHow, sigprocmask};
    use std::mem::{MaybeUninit, size_of};
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

    /// Ending signals wait in a descriptor instead of ending us before the compiler has ended.
    pub(super) struct Held {
        descriptor: OwnedFd,
        before: SigSet,
    }

    /// Holds the ending signals back and runs `start`. The child gets them as usual: the standard library
    /// starts children with an empty mask.
    pub(super) fn held<T>(start: impl FnOnce() -> T) -> (T, Held) {
        let set: SigSet = ENDING_SIGNALS.into_iter().collect();
        let mut before = SigSet::empty();
        let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before));
        // SAFETY: the set is a valid sigset; -1 asks for a new descriptor.
        let raw = unsafe { libc::signalfd(-1, set.as_ref(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        let descriptor = if raw >= 0 {
            // SAFETY: the kernel just made it for us.
            unsafe { OwnedFd::from_raw_fd(raw) }
        } else {
            // Without the descriptor signals act as usual; a pipe end that never speaks takes its place.
            let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
            match std::io::pipe() {
                Ok((silent, _)) => silent.into(),
                Err(_) => std::process::exit(2),
            }
        };
        (start(), Held { descriptor, before })
    }

    impl Held {
        pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
            self.descriptor.as_fd()
        }

        /// The next signal that arrived.
        pub(super) fn take(&self) -> Option<Signal> {
            let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
            let size = size_of::<libc::signalfd_siginfo>();
            // SAFETY: the buffer has the size that is stated; it is only read when it was filled whole.
            unsafe {
                let count = libc::read(self.descriptor.as_raw_fd(), info.as_mut_ptr().cast(), size);
                if usize::try_from(count) != Ok(size) {
                    return None;
                }
                Signal::try_from(info.assume_init().ssi_signo.cast_signed()).ok()
            }
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            // What arrived and was passed on is done with; the mask goes back to what it was.
            while self.take().is_some() {}
            let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
        }
    }

    /// A descriptor that becomes readable when the process ends (Linux 5.3).
    pub(super) fn exit_watch(pid: Pid) -> Option<OwnedFd> {
        // SAFETY: pidfd_open only takes numbers.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        let raw = i32::try_from(raw).ok().filter(|&raw| raw >= 0)?;
        // SAFETY: the kernel just made it for us.
        Some(unsafe { OwnedFd::from_raw_fd(raw) })
    }

    /// Gives a signal its default action.
    pub(super) fn default_action(signal: Signal) -> nix::Result<()> {
        // SAFETY: the default action runs no code of ours.
        unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) }.map(drop)
    }
}
