//! Takes the lines that `-H` adds out of a compiler's standard error.
//!
//! GCC writes one line per header, `<dots> <path>`, and at the end a list under
//! `Multiple include guards may be useful for:` (GCC manual, "Preprocessor Options", `-H`).
use std::collections::HashSet;

const GUARDS: &[u8] = b"Multiple include guards may be useful for:";

/// Splits a stream as it comes; a line that could be a header line is held back until it is whole.
#[derive(Default)]
pub(crate) struct HeaderTrace {
    /// The header lines, each ended by a newline.
    pub(crate) trace: Vec<u8>,
    held: Vec<u8>,
    headers: HashSet<Vec<u8>>,
    in_guards: bool,
    /// In the middle of an ordinary line: what follows belongs to it.
    inside_line: bool,
}

impl HeaderTrace {
    /// Takes the next piece of the stream; the value is what the user is to see.
    pub(crate) fn pass(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(piece.len());
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            if self.inside_line {
                shown.extend_from_slice(part);
                self.inside_line = !part.ends_with(b"\n");
                continue;
            }
            self.held.extend_from_slice(part);
            if self.held.ends_with(b"\n") {
                let line = std::mem::take(&mut self.held);
                if !self.take(&line) {
                    shown.extend_from_slice(&line);
                }
            } else if !self.could_be_ours() {
                shown.append(&mut self.held);
                self.inside_line = true;
            }
        }
        shown
    }

    /// What was held back when the stream ended.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn could_be_ours(&self) -> bool {
        self.held.first() == Some(&b'.') || GUARDS.starts_with(&self.held) || self.in_guards
    }

    /// Whether a whole line is one of ours.
    fn take(&mut self, line: &[u8]) -> bool {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if let Some(path) = header(text) {
            self.headers.insert(path.to_vec());
            self.trace.extend_from_slice(line);
            return true;
        }
        if text == GUARDS {
            self.in_guards = true;
            return true;
        }
        self.in_guards &= self.headers.contains(text);
        self.in_guards
    }
}

/// The path of a line of dots, a blank and a path.
fn header(line: &[u8]) -> Option<&[u8]> {
    let dots = line.iter().take_while(|&&byte| byte == b'.').count();
    let path = line.get(dots..)?.strip_prefix(b" ")?;
    (dots > 0 && !path.is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lines_are_taken_out_whatever_the_pieces() {
        let stream = b". a.h\n.. sub/b.h\nwarning: x\n...no\nMultiple include guards may be useful for:\na.h\nerror: y";
        for size in 1..=stream.len() {
            let mut filter = HeaderTrace::default();
            let mut shown: Vec<u8> = stream.chunks(size).flat_map(|piece| filter.pass(piece)).collect();
            shown.extend(filter.end());
            assert_eq!(shown, b"warning: x\n...no\nerror: y");
            assert_eq!(filter.trace, b". a.h\n.. sub/b.h\n");
        }
    }
}
