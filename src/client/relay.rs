//! One stream of the compiler: passed on as it comes, and kept.
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// More than this of one stream is passed on but not kept.
const KEEP_BYTES: usize = 32 << 20;

/// A pipe from the compiler.
pub(crate) struct Relay<'a> {
    /// `None` once the stream has ended, or once nobody reads what is passed on: the compiler then meets a closed
    /// pipe itself and does what it does.
    from: Option<File>,
    to: BorrowedFd<'a>,
    /// What was passed on.
    pub(crate) kept: Vec<u8>,
    /// Not everything that came is kept.
    pub(crate) cut: bool,
}

impl<'a> Relay<'a> {
    /// Passes on from a pipe to another stream.
    pub(crate) fn new(from: impl Into<OwnedFd>, to: BorrowedFd<'a>) -> Self {
        Relay { from: Some(File::from(from.into())), to, kept: Vec::new(), cut: false }
    }

    /// What to wait for; `None` when the stream has ended.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.from.as_ref().map(AsFd::as_fd)
    }

    /// Passes on what is there and tells how much it was; called when the pipe is readable or ended.
    pub(crate) fn step(&mut self) -> usize {
        let mut buffer = [0; 1 << 14];
        let Some(from) = &mut self.from else { return 0 };
        match from.read(&mut buffer) {
            Ok(count @ 1..) => {
                self.pass_on(buffer.get(..count).unwrap_or_default());
                count
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => 0,
            Ok(0) | Err(_) => {
                self.from = None;
                0
            }
        }
    }

    /// Stops listening; what may still come is not part of the stream.
    pub(crate) fn close(&mut self) {
        self.cut |= self.from.take().is_some();
    }

    fn pass_on(&mut self, piece: &[u8]) {
        match write_whole(self.to, piece) {
            // What is not open for writing takes nothing from a compiler either, and no signal tells it so.
            Ok(()) | Err(Errno::EBADF) => {}
            Err(_) => self.close(),
        }
        if self.kept.len() + piece.len() <= KEEP_BYTES {
            self.kept.extend_from_slice(piece);
        } else {
            self.cut = true;
        }
    }
}

/// Writes everything. A terminal or pipe that somebody made non-blocking is waited for.
///
/// # Errors
/// As `write(2)`.
pub(crate) fn write_whole(to: impl AsFd, mut bytes: &[u8]) -> nix::Result<()> {
    while !bytes.is_empty() {
        match nix::unistd::write(&to, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut room = [PollFd::new(to.as_fd(), PollFlags::POLLOUT)];
                match poll(&mut room, PollTimeout::NONE) {
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
