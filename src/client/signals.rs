//! Signals while a compiler runs, and dying by one. The system interfaces here need `unsafe`.
#![allow(unsafe_code)]
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::{Pid, getpid, gettid};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Signals that a user or a build system sends to a compiler to end it.
const ENDING_SIGNALS: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Ending signals wait in a descriptor instead of ending us before the compiler has ended. A stream that nobody reads
/// any more is an error of the write instead of our end.
pub(crate) struct Held {
    /// `None` where the kernel has none to give: then signals act as usual.
    descriptor: Option<OwnedFd>,
    before: SigSet,
}

/// Holds the ending signals back from now on.
pub(crate) fn hold() -> Held {
    let set: SigSet = ENDING_SIGNALS.into_iter().chain([Signal::SIGPIPE]).collect();
    let mut before = SigSet::empty();
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before));
    // SAFETY: the set is a valid sigset; -1 asks for a new descriptor.
    let raw = unsafe { libc::signalfd(-1, set.as_ref(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    // SAFETY: the kernel just made it for us.
    let descriptor = (raw >= 0).then(|| unsafe { OwnedFd::from_raw_fd(raw) });
    if descriptor.is_none() {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
    Held { descriptor, before }
}

impl Held {
    /// The signals that were held back before: a child is to have them as we had them.
    pub(crate) fn before(&self) -> SigSet {
        self.before
    }

    /// Readable when [`Held::take`] has something to give.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor.as_ref().map(AsFd::as_fd)
    }

    /// The next ending signal that arrived.
    pub(crate) fn take(&self) -> Option<Signal> {
        loop {
            match self.next()? {
                Signal::SIGPIPE => {}
                signal => return Some(signal),
            }
        }
    }

    fn next(&self) -> Option<Signal> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the buffer has the size that is stated; it is only read when it was filled whole.
        unsafe {
            let count = libc::read(self.descriptor.as_ref()?.as_raw_fd(), info.as_mut_ptr().cast(), size);
            if usize::try_from(count) != Ok(size) {
                return None;
            }
            Signal::try_from(info.assume_init().ssi_signo.cast_signed()).ok()
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What arrived is done with; the mask goes back to what it was.
        while self.take().is_some() {}
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

/// From here on a reader that has gone is an error of `write`, not our end. The value is what was to happen before.
pub(crate) fn survive_broken_pipes() -> libc::sighandler_t {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) }
}

/// What is to happen at a broken pipe from here on.
pub(crate) fn restore_broken_pipes(action: libc::sighandler_t) {
    // SAFETY: an action as the C library gave it.
    unsafe { libc::signal(libc::SIGPIPE, action) };
}

/// A descriptor that becomes readable when the process ends (Linux 5.3).
pub(crate) fn exit_watch(pid: Pid) -> Option<OwnedFd> {
    // SAFETY: pidfd_open only takes numbers.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let raw = i32::try_from(raw).ok().filter(|&raw| raw >= 0)?;
    // SAFETY: the kernel just made it for us.
    Some(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Ends this process as the signal ended the compiler; the value is the status for a signal that ends nobody.
pub(crate) fn die_by(number: i32) -> i32 {
    if let Ok(signal) = Signal::try_from(number) {
        // SAFETY: the default action runs no code of ours.
        let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
        let only: SigSet = std::iter::once(signal).collect();
        let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&only), None);
        // Not `raise`, which needs a thread that the C library has started.
        // SAFETY: tgkill only takes numbers.
        unsafe { libc::syscall(libc::SYS_tgkill, getpid().as_raw(), gettid().as_raw(), number) };
    }
    128 + number
}
