//! Cuts a text into words and leaves block comments and line comments out, where it is certain that they are some.
//!
//! Nothing but a comment hides anything: words in strings are words. So all that matters is never to take text for
//! a comment. The lexer knows at every byte whether it is certain; where it is not (after a quote without its
//! partner, on a line that goes on after a splice, from the first raw string on) it hides nothing, and a `/*` there
//! ends all certainty. Standards differ on `//` (C90 has none), so a `//` before a `/*` or `*/` hides nothing either.
use super::extents::{comment_length, include_name, is_spliced, string_length, without_splices};
use super::parens::Parens;

/// A part of a text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'t> {
    /// Letters, digits and underscores, with what stands before and after.
    Word {
        word: &'t [u8],
        before: &'t [u8],
        after: &'t [u8],
        place: Place,
        /// The first behind a `#`: the name of a directive.
        leads: bool,
    },
    /// The name of an `#include` or its like, quotes and brackets left out.
    Include(&'t [u8]),
    /// A comment.
    Comment(&'t [u8]),
    /// A slash on the line of a directive, with what stands behind it.
    Slash(&'t [u8]),
    /// The end of a string whose last character is a dot.
    DotBeforeQuote,
}

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the line of a preprocessing directive, or perhaps so.
    Directive,
    /// In a string or a character, for certain.
    String,
    /// Between parentheses, as far as these are clear.
    Argument,
    /// Anywhere else, as far as that is certain.
    Text,
    /// Anywhere.
    Unclear,
}

pub(super) struct Lexer<'t> {
    text: &'t [u8],
    at: usize,
    /// Comments count as text from here on.
    plain: bool,
    /// What follows on this line may lie inside a string or a comment.
    unsure: bool,
    /// After a `//` that may be none.
    after_slashes: bool,
    /// Nothing but blanks and comments on this line so far.
    fresh: bool,
    /// A `#` was on this line.
    directive: bool,
    /// No word since the last `#`.
    after_hash: bool,
    /// On the line of a directive: behind a `<` without its `>`.
    angle: bool,
    /// The end of the string that we are in.
    string_end: usize,
    parens: Parens,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        // `??/` is a trigraph of the backslash for some: it may splice anything, also the end of a comment.
        let plain = super::contains(text, b"??/");
        let (unsure, after_slashes, directive, after_hash, angle) = (false, false, false, false, false);
        let (at, string_end, fresh, parens) = (0, 0, true, Parens::default());
        Lexer {
            text,
            at,
            plain,
            unsure,
            after_slashes,
            fresh,
            directive,
            after_hash,
            angle,
            string_end,
            parens,
        }
    }

    /// Whether parentheses may be open where none seem to be, now that the text has ended.
    pub(super) fn has_unclear_parens(&self) -> bool {
        self.plain || self.parens.are_unclear()
    }

    /// Whether this is the line of a directive.
    pub(super) fn in_directive(&self) -> bool {
        self.directive
    }

    fn before(&self) -> &'t [u8] {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// After a word whose operand may hold quotes and slashes of another kind.
    pub(super) fn doubt_line(&mut self) {
        self.unsure = true;
    }

    /// Leaves out what follows a word, unless that is uncertain.
    pub(super) fn skip(&mut self, length: usize) {
        if self.plain || self.unsure || !self.directive || self.at < self.string_end {
            self.unsure = true;
        } else {
            self.at += length;
            // What was left out held one.
            self.parens.paren(b'(', self.at, true);
        }
    }

    fn new_line(&mut self) {
        if is_spliced(self.before()) {
            self.unsure |= self.after_slashes;
            self.fresh = false;
        } else {
            (self.unsure, self.fresh, self.directive, self.angle) = (false, true, false, false);
            self.parens.end_line();
        }
        self.after_slashes = false;
    }

    fn quote(&mut self, quote: u8, rest: &'t [u8]) {
        if self.at < self.string_end {
            return;
        }
        let before = without_splices(self.before());
        let word = before.rsplit(|&byte| !is_word(byte)).next().unwrap_or_default();
        if quote == b'"' && matches!(word, b"R" | b"LR" | b"uR" | b"UR" | b"u8R" | b"8R") {
            // Its lines are no lines.
            self.plain = true;
            return;
        }
        if self.unsure || self.after_slashes {
            return;
        }
        if quote == b'\'' && may_separate(before) {
            self.unsure = true;
        } else if let Some(length) = string_length(quote, rest) {
            self.string_end = self.at + length;
        } else {
            self.parens.string_with_splices(self.at, rest);
            self.unsure = true;
        }
    }

    /// A slash: the length of the comment that it starts.
    fn slash(&mut self, rest: &'t [u8]) -> Option<usize> {
        if self.plain || self.at < self.string_end || self.after_slashes {
            return None;
        }
        match rest.get(1)? {
            // A splice, perhaps, in the middle of what starts a comment.
            b'\\' => self.plain = true,
            kind @ (b'/' | b'*') if self.angle && may_close_angle(rest) => {
                let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
                self.plain |= *kind == b'*' && !super::contains(line, b"*/");
                self.unsure = true;
            }
            b'/' if !self.unsure => {
                let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                self.after_slashes = true;
                let comment = rest.get(1..end).unwrap_or_default();
                let clear = !super::contains(comment, b"/*") && !super::contains(comment, b"*/");
                return clear.then_some(end);
            }
            b'*' if self.unsure => self.plain = true,
            b'*' => match comment_length(rest) {
                None => self.plain = true,
                length => return length,
            },
            _ => {}
        }
        None
    }

    /// A `#`: the name, if it is an `#include` spelled on one line.
    fn include(&mut self, rest: &'t [u8]) -> Option<&'t [u8]> {
        if self.at < self.string_end {
            return None;
        }
        let starts_line = self.fresh;
        (self.directive, self.after_hash, self.fresh) = (true, true, false);
        self.parens.hash(starts_line);
        let (offset, name) = include_name(rest)?;
        self.parens.name(b"include", true);
        if starts_line && !self.plain && !self.unsure {
            self.at += offset + name.len() + 1;
        } else {
            self.unsure = true;
            self.at += 1;
        }
        Some(name)
    }

    /// A `%:` or `??=`.
    fn other_hash(&mut self) {
        (self.directive, self.after_hash) = (true, true);
        if self.at >= self.string_end {
            self.parens.hash(false);
        }
    }

    fn paren(&mut self, byte: u8) {
        self.fresh = false;
        if self.at < self.string_end || self.after_slashes {
            return;
        }
        // Behind `??` it is a bracket for some.
        let is_sure = !self.unsure && !self.before().ends_with(b"??");
        self.parens.paren(byte, self.at, is_sure);
    }

    /// Whether a `<` is none that shifts or compares.
    fn begins_name(&self, byte: u8, rest: &[u8]) -> bool {
        let next = rest.get(1).is_some_and(|next| !b"<= \t".contains(next));
        byte == b'<' && next && self.before().last() != Some(&b'<')
    }

    fn word(&mut self, rest: &'t [u8]) -> Part<'t> {
        let length = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let before = self.before();
        let place = if self.at < self.string_end && !self.plain {
            Place::String
        } else if self.directive || (self.plain && before.trim_ascii_end().ends_with(b"*/")) {
            Place::Directive
        } else if self.plain {
            Place::Unclear
        } else if self.parens.are_open() {
            Place::Argument
        } else {
            Place::Text
        };
        // The rest of such a line is a message.
        let is_message = matches!(word, b"error" | b"warning") && follows_hash(before);
        self.directive &= !is_message;
        self.at += length;
        self.fresh = false;
        // Where comments count as text, one may stand in front of it.
        let leads = std::mem::replace(&mut self.after_hash, false)
            || (self.plain && before.trim_ascii_end().ends_with(b"*/"));
        if leads {
            let hash = without_splices(before).trim_ascii_end();
            self.parens.name(word, hash.ends_with(b"#") || hash.ends_with(b"*/"));
        }
        Part::Word { word, before, after, place, leads }
    }
}

impl<'t> Iterator for Lexer<'t> {
    type Item = Part<'t>;

    fn next(&mut self) -> Option<Part<'t>> {
        loop {
            let rest = self.text.get(self.at..)?;
            let byte = *rest.first()?;
            match byte {
                b'\n' => self.new_line(),
                // Alone it ends a line for some compilers and not for others.
                b'\r' if rest.get(1) != Some(&b'\n') => {
                    (self.unsure, self.after_slashes) = (true, false);
                    self.parens.doubt_directive();
                }
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => {}
                b'"' | b'\'' => {
                    let ends_with_dot = byte == b'"' && self.before().last() == Some(&b'.');
                    self.quote(byte, rest);
                    self.fresh = false;
                    if ends_with_dot {
                        self.at += 1;
                        return Some(Part::DotBeforeQuote);
                    }
                }
                b'/' => {
                    if let Some(length) = self.slash(rest) {
                        self.at += length;
                        return Some(Part::Comment(rest.get(..length)?));
                    }
                    self.fresh = false;
                    if self.directive {
                        self.at += 1;
                        return Some(Part::Slash(rest.get(1..)?));
                    }
                }
                b'#' => {
                    if let Some(name) = self.include(rest) {
                        return Some(Part::Include(name));
                    }
                }
                // `%:` and, as a trigraph, `??=` are spellings of `#`.
                b'%' if rest.get(1) == Some(&b':') || rest.get(1..).is_some_and(is_cut) => self.other_hash(),
                b'?' if rest.starts_with(b"??=") => self.other_hash(),
                b'(' | b')' => self.paren(byte),
                b'<' | b'>' => {
                    self.angle = self.directive && self.begins_name(byte, rest);
                    self.fresh = false;
                }
                _ if is_word(byte) => return Some(self.word(rest)),
                _ => self.fresh = false,
            }
            self.at += 1;
        }
    }
}

/// Whether what seems to be a comment may lie in a name (`<a/*b.h>`): where a macro or a splice hides what asks for a header.
fn may_close_angle(rest: &[u8]) -> bool {
    let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.iter().any(|byte| b">\\\r".contains(byte))
}

/// Whether a quote may stand in a number, as it does since C23 and C++14: what begins with a digit, or with a dot and a digit,
/// goes on with letters, dots, and signs behind an exponent.
fn may_separate(before: &[u8]) -> bool {
    let n_letters = before.iter().rev().take_while(|&&byte| is_word(byte)).count();
    let (before, word) = before.split_at(before.len() - n_letters);
    let is_prefix = matches!(word, b"L" | b"u" | b"U" | b"u8");
    match before.last() {
        Some(b'.' | b'\'' | b'$' | b'\n' | 0x80..) => true,
        Some(b'+' | b'-') if before.iter().rev().nth(1).is_some_and(|byte| b"eEpP\n".contains(byte)) => true,
        _ => !word.is_empty() && !is_prefix,
    }
}

/// Whether a text begins with a splice.
pub(super) fn is_cut(rest: &[u8]) -> bool {
    let behind = rest.strip_prefix(b"\\").unwrap_or_default();
    behind.iter().find(|byte| !b" \t\r\x0b\x0c\0".contains(byte)) == Some(&b'\n')
}

/// Whether a text ends with the `#` of a directive.
pub(super) fn follows_hash(before: &[u8]) -> bool {
    before.trim_ascii_end().strip_suffix(b"#").is_some_and(|before| before.last() != Some(&b'#'))
}

pub(super) fn is_word(byte: u8) -> bool {
    WORD[byte as usize]
}

/// By byte: every byte of every text is asked for.
const WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        word[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    word
};
