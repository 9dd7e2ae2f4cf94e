//! What the text of an input says that its name does not: time macros, `__has_include`, `.incbin`, `#embed`.
//!
//! The scan leaves comments out and knows no `#if`: it may see a use where there is none (then a result is kept for
//! a shorter time or not at all), and must never miss one. Macros that are pasted together are recognised by
//! their pieces. Where a text could be taken for a comment without being one (raw strings, trigraphs),
//! comments count as text.
use std::collections::BTreeSet;

/// A quarter of an hour since the epoch. Every offset of a time zone is a multiple of one, so the local day is
/// the same all through it, whatever the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarter(pub u64);

impl Quarter {
    /// The quarter that holds this second since the epoch.
    pub fn of_seconds(seconds: u64) -> Self {
        Quarter(seconds / 900)
    }
}

/// The three macros whose value is not in the text.
const MACROS: [&[u8]; 3] = [b"__TIME__", b"__DATE__", b"__TIMESTAMP__"];

/// What a text (or several texts of one unit, merged) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// `__TIME__`, `__DATE__`, `__TIMESTAMP__`, in the order of [`MACROS`].
    macros: [MacroTraces; 3],
    /// The assembler's `.incbin` occurs.
    incbin: bool,
    /// The assembler's `.include` occurs.
    pub assembler_include: bool,
    /// A bit per place where `incbin` may be split, set when a string ends in `.` and the part before it.
    incbin_heads: u8,
    /// The same, set when a string begins with the part after it.
    incbin_tails: u8,
    /// `#embed` or `__has_embed` occurs.
    pub embed: bool,
    /// `__has_include` with an operand that is not spelled out.
    pub computed_has_include: bool,
    /// Operands of `__has_include` and `__has_include_next`.
    pub has_include: BTreeSet<Vec<u8>>,
    /// Names after `#include`, taken or not. Of this text alone: merging leaves them out.
    pub spelled: BTreeSet<Vec<u8>>,
}

/// What was seen of one macro's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct MacroTraces {
    /// The whole name.
    whole: bool,
    /// The name without underscores (`TIME`), as in `__ ## TIME ## __`.
    core: bool,
    /// A bit per place where the name may be split, set when the part before it occurs as a word.
    heads: u16,
    /// The same for the part after it.
    tails: u16,
}

impl MacroTraces {
    fn word(&mut self, name: &[u8], word: &[u8]) {
        self.whole |= word == name;
        self.core |= name.strip_prefix(b"__").and_then(|n| n.strip_suffix(b"__")) == Some(word);
        if word.len() < name.len() {
            self.heads |= u16::from(name.starts_with(word)) << word.len();
            self.tails |= u16::from(name.ends_with(word)) << (name.len() - word.len());
        }
    }
    fn merge(&mut self, other: &MacroTraces) {
        self.whole |= other.whole;
        self.core |= other.core;
        self.heads |= other.heads;
        self.tails |= other.tails;
    }
    fn may_be_used(&self) -> bool {
        // Bit 2 of the heads is the bare word `__`.
        self.whole || self.heads & self.tails != 0 || (self.core && self.heads & 0b100 != 0)
    }
}

/// Which time macros a unit may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeMacros {
    /// `__TIME__`.
    pub time: bool,
    /// `__DATE__`.
    pub date: bool,
    /// `__TIMESTAMP__`.
    pub timestamp: bool,
}

impl TimeMacros {
    /// Which of them left its value in a preprocessed text. Strings of the same form that were written by hand
    /// count as well.
    pub fn in_preprocessed(text: &[u8]) -> Self {
        let mut found = TimeMacros::default();
        let mut rest = text;
        while let Some(quote) = memchr::memchr(b'"', rest) {
            rest = rest.get(quote + 1..).unwrap_or_default();
            found.time |= has_form(rest, b"00:00:00\"");
            found.date |= has_form(rest, b"aaa 00 0000\"") || has_form(rest, b"aaa  0 0000\"");
            found.timestamp |= has_form(rest, b"aaa aaa 00 00:00:00 0000\"") || has_form(rest, b"aaa aaa  0 00:00:00 0000\"");
            // What a compiler writes where it cannot tell.
            found.time |= rest.starts_with(b"??:??:??\"");
            found.date |= rest.starts_with(b"??? ?? ????\"");
            found.timestamp |= rest.starts_with(b"??? ??? ?? ??:??:?? ????\"");
        }
        found
    }

    /// Whether any is used.
    pub fn any(self) -> bool {
        self.time || self.date || self.timestamp
    }
}

/// Whether a text begins with this form: `0` stands for a digit, `a` for a letter.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'a' => byte.is_ascii_alphabetic(),
        other => byte == other,
    };
    text.len() >= form.len() && text.iter().zip(form).all(fits)
}

impl Findings {
    /// Scans a text.
    pub fn of(text: &[u8]) -> Self {
        let mut found = Findings::default();
        let comments_are_plain = !contains(text, b"R\"") && !contains(text, b"??/");
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let rest = text.get(at..).unwrap_or_default();
            at += match byte {
                b'/' if comments_are_plain => comment_length(rest).unwrap_or(1),
                b'#' => include(rest).map_or(1, |(length, name)| {
                    found.spelled.insert(name.to_vec());
                    length
                }),
                _ if is_word(byte) => {
                    let length = rest.iter().position(|&b| !is_word(b)).unwrap_or(rest.len());
                    let (word, after) = rest.split_at(length);
                    found.word(word, text.get(..at).unwrap_or_default(), after);
                    length
                }
                _ => 1,
            };
        }
        found
    }

    /// Most words are dismissed by their first byte.
    fn word(&mut self, word: &[u8], before: &[u8], after: &[u8]) {
        match word.first() {
            Some(b'_' | b'T' | b'D' | b'A' | b'E' | b'I' | b'M' | b'S' | b'P') => {
                self.upper_word(word, before, after);
            }
            Some(b'i') if word == b"include" => {
                self.assembler_include |= before.last() == Some(&b'.') && is_assembler_directive(before, after);
            }
            Some(b'i' | b'n' | b'c' | b'b') => self.incbin_piece(word, before, after),
            Some(b'e') if word == b"embed" => self.embed |= starts_directive(before),
            _ => {}
        }
    }

    fn upper_word(&mut self, word: &[u8], before: &[u8], after: &[u8]) {
        match word {
            b"__has_include" | b"__has_include_next" => match operand(before, after) {
                Operand::Name(name) => {
                    self.has_include.insert(name);
                }
                Operand::Query => {}
                Operand::Computed => self.computed_has_include = true,
            },
            b"__has_embed" => self.embed = true,
            _ => self.macros.iter_mut().zip(MACROS).for_each(|(traces, name)| traces.word(name, word)),
        }
    }

    /// `incbin`, or strings that may be put together to it (`".inc" "bin"`).
    fn incbin_piece(&mut self, word: &[u8], before: &[u8], after: &[u8]) {
        const NAME: &[u8] = b"incbin";
        self.incbin |= word == NAME && is_assembler_directive(before, after);
        if before.last() == Some(&b'.') && after.first() == Some(&b'"') && NAME.starts_with(word) {
            self.incbin_heads |= 1 << word.len();
        }
        if before.last() == Some(&b'"') && NAME.ends_with(word) {
            self.incbin_tails |= 1 << (NAME.len() - word.len());
        }
    }

    /// Adds what another text of the same unit says.
    pub fn merge(&mut self, other: &Findings) {
        self.macros.iter_mut().zip(&other.macros).for_each(|(mine, theirs)| mine.merge(theirs));
        self.incbin |= other.incbin;
        self.incbin_heads |= other.incbin_heads;
        self.incbin_tails |= other.incbin_tails;
        self.assembler_include |= other.assembler_include;
        self.embed |= other.embed;
        self.computed_has_include |= other.computed_has_include;
        if !other.has_include.is_empty() {
            self.has_include.extend(other.has_include.iter().cloned());
        }
    }

    /// The time macros that the unit may use: named whole, or in pieces that fit together.
    pub fn time_macros(&self) -> TimeMacros {
        let [time, date, timestamp] = self.macros.map(|traces| traces.may_be_used());
        TimeMacros { time, date, timestamp }
    }

    /// Whether the unit may take a file in by the assembler's `.incbin`.
    pub fn may_incbin(&self) -> bool {
        self.incbin || self.incbin_heads & self.incbin_tails != 0
    }
}

/// Whether the next word names a preprocessing directive.
fn starts_directive(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    before.ends_with(b"#") || before.ends_with(b"%:") || before.ends_with(b"\\")
}

/// Whether a word is used as an assembler directive and not as the member of an object.
fn is_assembler_directive(before: &[u8], after: &[u8]) -> bool {
    let next = after.trim_ascii_start().first();
    matches!(before.last(), Some(b'.' | b'"')) && !matches!(next, Some(b'(' | b';' | b'=' | b',' | b')' | b'.' | b'/'))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(text, needle).is_some()
}

/// The length of the comment at the start of `rest`, if there is one.
fn comment_length(rest: &[u8]) -> Option<usize> {
    match rest.get(1)? {
        b'/' => Some(memchr::memchr(b'\n', rest).unwrap_or(rest.len())),
        b'*' => {
            let mut at = 2;
            loop {
                at += memchr::memchr(b'*', rest.get(at..)?)? + 1;
                // A splice may stand between the two characters that end a comment.
                let mut after = rest.get(at..)?;
                while let Some(spliced) = after.strip_prefix(b"\\\n") {
                    after = spliced;
                }
                if after.first() == Some(&b'/') {
                    return Some(rest.len() - after.len() + 1);
                }
            }
        }
        _ => None,
    }
}

/// The length of an `#include <...>`, whose name may look like a comment, and the name.
fn include(rest: &[u8]) -> Option<(usize, &[u8])> {
    let directive = rest.get(1..)?.trim_ascii_start();
    let name = directive.strip_prefix(b"include").or_else(|| directive.strip_prefix(b"import"))?;
    let name = name.strip_prefix(b"_next").unwrap_or(name).trim_ascii_start();
    let close = match name.first()? {
        b'<' => b'>',
        b'"' => b'"',
        _ => return None,
    };
    let end = memchr::memchr(close, name.get(1..)?)? + 1;
    Some((rest.len() - name.len() + end + 1, name.get(1..end)?))
}

enum Operand {
    Name(Vec<u8>),
    /// `defined(__has_include)`, `#ifdef __has_include`: nothing is searched here.
    Query,
    Computed,
}

/// The operand in the text after `__has_include`; what stands before it tells whether it only asks for the name.
fn operand(before: &[u8], after: &[u8]) -> Operand {
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"(").unwrap_or(before).trim_ascii_end();
    if [&b"ifdef"[..], b"ifndef", b"defined"].iter().any(|question| before.ends_with(question)) {
        return Operand::Query;
    }
    let line = after.split(|&b| b == b'\n').next().unwrap_or_default().trim_ascii();
    // Without parentheses it gets another name, which could be used with anything.
    let Some(inside) = line.strip_prefix(b"(").map(<[u8]>::trim_ascii_start) else { return Operand::Computed };
    let close = match inside.first() {
        Some(b'<') => b'>',
        Some(b'"') => b'"',
        _ => return Operand::Computed,
    };
    let name = inside.get(1..).unwrap_or_default();
    match name.iter().position(|&b| b == close) {
        Some(end) => Operand::Name(name.get(..end).unwrap_or_default().to_vec()),
        None => Operand::Computed,
    }
}

