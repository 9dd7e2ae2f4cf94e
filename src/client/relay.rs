//! One stream of the compiler: passed on as it comes, and kept.
use crate::header_trace::HeaderTrace;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// More than this of one stream is passed on but not kept.
const KEEP_BYTES: usize = 32 << 20;

/// Where the stream goes.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    Stdout,
    Stderr,
}

/// A pipe from the compiler.
pub(crate) struct Relay {
    from: File,
    to: Target,
    filter: Option<HeaderTrace>,
    /// What was passed on.
    pub(crate) kept: Vec<u8>,
    /// More came than is kept.
    pub(crate) cut: bool,
    /// The other side is still open.
    pub(crate) open: bool,
}

impl Relay {
    pub(crate) fn new(from: impl Into<OwnedFd>, to: Target, filter: Option<HeaderTrace>) -> Self {
        Relay { from: File::from(from.into()), to, filter, kept: Vec::new(), cut: false, open: true }
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }

    /// Passes on what is there; called when the pipe is readable or ended.
    pub(crate) fn step(&mut self) {
        let mut buffer = [0; 1 << 14];
        match self.from.read(&mut buffer) {
            Ok(0) => self.finish(),
            Ok(count) => {
                let piece = buffer.get(..count).unwrap_or_default();
                match &mut self.filter {
                    Some(filter) => {
                        let shown = filter.pass(piece);
                        self.pass_on(&shown);
                    }
                    None => self.pass_on(piece),
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => self.finish(),
        }
    }

    fn finish(&mut self) {
        self.open = false;
        let rest = self.filter.as_mut().map(HeaderTrace::end).unwrap_or_default();
        self.pass_on(&rest);
    }

    fn pass_on(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        // A reader that has gone does not stop the compile.
        let _ = match self.to {
            Target::Stdout => std::io::stdout().write_all(piece).and_then(|()| std::io::stdout().flush()),
            Target::Stderr => std::io::stderr().write_all(piece),
        };
        if self.kept.len() + piece.len() <= KEEP_BYTES {
            self.kept.extend_from_slice(piece);
        } else {
            self.cut = true;
        }
    }

    /// The header lines that were taken out.
    pub(crate) fn trace(&mut self) -> Vec<u8> {
        self.filter.as_mut().map(|filter| std::mem::take(&mut filter.trace)).unwrap_or_default()
    }
}
