//! A running compiler: its streams passed on, our signals passed down, its end awaited.
use crate::relay::Relay;
use crate::signals::{self, Held};
use cachepot_wire::Ending;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// A signal that a terminal or `kill` sends to a whole process group reaches the compiler without us. A second one
/// would end it before it has removed its unfinished output, so it gets this long to end by the first.
const PATIENCE: Duration = Duration::from_millis(200);
/// How often the compiler is looked at where the kernel does not tell of its end.
const LOOK_MS: u16 = 50;
/// What a pipe may hold at most (`fs.pipe-max-size` is a mebibyte).
const MAX_LEFT_BYTES: usize = 1 << 20;

/// How long streams are passed on that something else holds open which the child has started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Until the child has ended: it has its reader no more than a compiler has.
    ToItsEnd,
    /// Until they end: their reader waits for that.
    ToTheirEnd,
}

/// Attends to a child until it has ended and its streams are passed on.
pub(crate) fn attend(pid: Pid, streams: &mut [Relay<'_>; 2], signals: &Held, until: Streams) -> Ending {
    let mut compiler = Compiler { pid, ended: signals::exit_watch(pid), told: None };
    let ending = loop {
        if let Some(ending) = compiler.turn(streams, signals) {
            break ending;
        }
    };
    if until == Streams::ToTheirEnd {
        pass_on_all(streams, signals);
    }
    for stream in streams {
        drain(stream);
    }
    ending
}

struct Compiler {
    pid: Pid,
    /// Becomes readable at its end; `None` on a kernel that cannot tell.
    ended: Option<OwnedFd>,
    /// A signal that it may have received already, and when it is to be passed on.
    told: Option<(Signal, Instant)>,
}

impl Compiler {
    /// Waits until something happens, and does what is to be done.
    fn turn(&mut self, streams: &mut [Relay<'_>; 2], signals: &Held) -> Option<Ending> {
        let mut watched = Vec::with_capacity(4);
        let of = |fd| PollFd::new(fd, PollFlags::POLLIN);
        watched.extend(streams.iter().filter_map(Relay::descriptor).map(of));
        watched.extend(signals.descriptor().map(of));
        watched.extend(self.ended.iter().map(|fd| of(fd.as_fd())));
        // An interrupted wait is a wait in which nothing happened.
        let happened = poll(&mut watched, self.timeout()).is_ok();
        let mut raised =
            watched.iter().map(|fd| happened && fd.any().unwrap_or(false)).collect::<Vec<_>>().into_iter();
        drop(watched);
        for stream in streams.iter_mut().filter(|stream| stream.descriptor().is_some()) {
            if raised.next() == Some(true) {
                stream.step();
            }
        }
        if signals.descriptor().is_some() && raised.next() == Some(true) {
            while let Some(signal) = signals.take() {
                self.told = self.told.or(Some((signal, Instant::now() + PATIENCE)));
            }
        }
        let may_have_ended = self.ended.is_none() || raised.next() == Some(true);
        if let Some(ending) = may_have_ended.then(|| wait(self.pid)).flatten() {
            return Some(ending);
        }
        if let Some((signal, _)) = self.told.filter(|(_, when)| *when <= Instant::now()) {
            self.told = None;
            let _ = kill(self.pid, signal);
        }
        None
    }

    fn timeout(&self) -> PollTimeout {
        let until = self.told.map(|(_, when)| when.saturating_duration_since(Instant::now()));
        match (until, &self.ended) {
            (Some(until), _) => {
                PollTimeout::from(u16::try_from(until.as_millis()).unwrap_or(LOOK_MS).min(LOOK_MS) + 1)
            }
            (None, None) => PollTimeout::from(LOOK_MS),
            (None, Some(_)) => PollTimeout::NONE,
        }
    }
}

/// Passes streams on until both have ended, or a signal comes.
fn pass_on_all(streams: &mut [Relay<'_>; 2], signals: &Held) {
    while streams.iter().any(|stream| stream.descriptor().is_some()) {
        let of = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut watched: Vec<_> = streams.iter().filter_map(Relay::descriptor).map(of).collect();
        watched.extend(signals.descriptor().map(of));
        let happened = poll(&mut watched, PollTimeout::NONE).is_ok();
        let raised: Vec<_> = watched.iter().map(|fd| happened && fd.any().unwrap_or(false)).collect();
        let mut raised = raised.into_iter();
        for stream in streams.iter_mut().filter(|stream| stream.descriptor().is_some()) {
            if raised.next() == Some(true) {
                stream.step();
            }
        }
        if raised.next() == Some(true) {
            return;
        }
    }
}

/// Passes on what the compiler left in a pipe. Something that it started may hold the pipe open for ever, and write
/// to it: nobody waits for that.
fn drain(stream: &mut Relay<'_>) {
    let mut left = MAX_LEFT_BYTES;
    while let Some(descriptor) = stream.descriptor() {
        let mut watched = [PollFd::new(descriptor, PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::ZERO) {
            Ok(1..) if left > 0 => left = left.saturating_sub(stream.step()),
            Err(nix::errno::Errno::EINTR) => {}
            _ => stream.close(),
        }
    }
}

/// How the child ended, if it has.
fn wait(pid: Pid) -> Option<Ending> {
    loop {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => return Some(Ending::Exited(code)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Some(Ending::Signaled(signal as i32)),
            Ok(WaitStatus::StillAlive) => return None,
            Err(nix::errno::Errno::EINTR) | Ok(_) => {}
            Err(_) => return Some(Ending::Exited(1)),
        }
    }
}
