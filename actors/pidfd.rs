//! The end of a process that is not our child (pidfd_open(2), Linux 5.3).
#![allow(unsafe_code)]
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that is watched; its number cannot come to mean another one while this exists.
pub(crate) struct Process(AsyncFd<OwnedFd>);

impl Process {
    /// Takes hold of a process, which survives `exec`.
    ///
    /// # Errors
    /// As `pidfd_open(2)`: it is gone, in another namespace, or the kernel does not know the call.
    pub(crate) fn watch(pid: i32) -> io::Result<Self> {
        // SAFETY: the system call takes two numbers and answers a new descriptor, close-on-exec.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let raw = RawFd::try_from(raw).ok().filter(|&raw| raw >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the descriptor is new and nobody else's.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: the owned descriptor is open for as long as the AsyncFd has it.
        let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        Ok(Process(watched.map_err(io::Error::from)?))
    }

    /// Waits until it has ended, reaped or not.
    ///
    /// # Errors
    /// When the runtime ends.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        self.0.readable().await.map(drop)
    }
}
