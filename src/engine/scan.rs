//! What the text of an input says that its name does not: time macros, `__has_include`, `.incbin`, `#embed`.
//!
//! The scan leaves comments out and knows no `#if`: it may see a use where there is none (then a result is kept for
//! a shorter time or not at all), and must never miss one. Names that are put together from pieces are
//! recognised by them.
use lexer::{Lexer, Part, Place, is_word};
use pieces::Pieces;
use std::collections::BTreeSet;

mod lexer;
mod pieces;

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
/// Assembler directives that read a file; the assembler takes capital letters for small ones.
const DIRECTIVES: [&[u8]; 2] = [b".incbin", b".include"];

/// What a text (or several texts of one unit, merged) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Pieces of [`MACROS`].
    macros: [Pieces; 3],
    /// Pieces of [`DIRECTIVES`] in strings.
    directives: [Pieces; 2],
    /// `#embed` or `__has_embed` occurs.
    pub embed: bool,
    /// `#pragma GCC dependency` occurs: a warning depends on the age of a file.
    pub dependency: bool,
    /// `__has_include` with an operand that is not spelled out.
    pub computed_has_include: bool,
    /// The text was too long to be looked at.
    pub unread: bool,
    /// Operands of `__has_include` and `__has_include_next`.
    pub has_include: BTreeSet<Vec<u8>>,
    /// Names in `#include` and its like, as spelled.
    pub includes: BTreeSet<Vec<u8>>,
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
    /// count as well, and so do the macros themselves where the preprocessor leaves them (`#pragma message`).
    pub fn in_preprocessed(text: &[u8]) -> Self {
        let mut found = Findings::of(text).time_macros();
        // A form is followed by the closing quote, or by a backslash where it was made a string once more.
        for quote in memchr::memchr_iter(b'"', text) {
            let rest = text.get(quote + 1..).unwrap_or_default();
            let has = |forms: &[&[u8]]| forms.iter().any(|form| has_form(rest, form));
            found.time |= has(&[b"00:00:00", b"??:??:??"]);
            found.date |= has(&[b"aaa 00 0000", b"aaa  0 0000", b"??? ?? ????"]);
            found.timestamp |= has(&[
                b"aaa aaa 00 00:00:00 0000",
                b"aaa aaa  0 00:00:00 0000",
                // What a compiler writes where it cannot tell.
                b"??? ??? ?? ??:??:?? ????",
            ]);
        }
        found
    }

    /// Whether any is used.
    pub fn any(self) -> bool {
        self.time || self.date || self.timestamp
    }
}

/// Whether a text begins with this form and a string may end behind it: `0` stands for a digit, `a` for a letter.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'a' => byte.is_ascii_alphabetic(),
        other => byte == other,
    };
    matches!(text.get(form.len()), Some(b'"' | b'\\')) && text.iter().zip(form).all(fits)
}

impl Findings {
    /// Scans a text.
    pub fn of(text: &[u8]) -> Self {
        let mut found = Findings::default();
        let mut lexer = Lexer::new(text);
        while let Some(part) = lexer.next() {
            match part {
                Part::Word { word, before, after, place } => match word.first() {
                    Some(b'_' | b'h') if is_piece_of_has_include(word) => {
                        found.has_include(word, before, after, &mut lexer);
                    }
                    Some(b'_' | b'T' | b'D' | b'A' | b'E' | b'I' | b'M' | b'S' | b'P') => {
                        found.capitals(word);
                        found.directive(word, before, after);
                    }
                    _ => found.small_word((word, before, after), place, &mut lexer),
                },
                Part::Include(name) => drop(found.includes.insert(name.to_vec())),
                Part::Comment(text) => found.comment(text),
                Part::DotBeforeQuote => found.directives.iter_mut().for_each(|pieces| pieces.add(0, 1)),
            }
        }
        found
    }

    /// What a text says that nobody has looked at: everything.
    pub fn unread() -> Self {
        Findings { unread: true, ..Findings::default() }
    }

    fn capitals(&mut self, word: &[u8]) {
        let fits = |byte: &u8| b"_TIMEDASP".contains(byte);
        if word.len() <= 13 && word.iter().all(fits) {
            self.macros.iter_mut().zip(MACROS).for_each(|(pieces, name)| pieces.add_word(name, word));
        }
    }

    fn small_word(&mut self, word: (&[u8], &[u8], &[u8]), place: Place, lexer: &mut Lexer<'_>) {
        let (word, before, after) = word;
        match (word, place) {
            (b"embed", Place::Directive) => {
                self.embed = true;
                lexer.doubt_line();
            }
            (b"include" | b"include_next" | b"import", Place::Directive) => lexer.doubt_line(),
            (b"dependency", _) => {
                let before = before.trim_ascii_end();
                self.dependency |= before.ends_with(b"GCC") || before.ends_with(b"clang");
            }
            _ => {}
        }
        self.directive(word, before, after);
    }

    fn has_include(&mut self, word: &[u8], before: &[u8], after: &[u8], lexer: &mut Lexer<'_>) {
        let operand = match word {
            b"__has_include" | b"__has_include_next" => operand(before, after),
            _ => Operand::Computed,
        };
        match operand {
            Operand::Name(name, length) => {
                self.has_include.insert(name.to_vec());
                lexer.skip(length);
            }
            Operand::Query => {}
            Operand::Computed => {
                self.computed_has_include = true;
                lexer.doubt_line();
            }
        }
        self.embed |= word == b"__has_embed";
    }

    /// `.incbin`, or strings that may be put together to it (`".inc" "bin"`).
    fn directive(&mut self, word: &[u8], before: &[u8], after: &[u8]) {
        let (dot, quote) = (before.last() == Some(&b'.'), before.last() == Some(&b'"'));
        if !dot && !quote {
            return;
        }
        for (pieces, name) in self.directives.iter_mut().zip(DIRECTIVES) {
            for from in 1..name.len() {
                let (start, to) = (if dot { 0 } else { from }, from + word.len());
                let part = name.get(from..to).is_some_and(|part| part.eq_ignore_ascii_case(word));
                let ends = if to == name.len() { takes_operand(after) } else { after.first() == Some(&b'"') };
                if part && ends && (quote || from == 1) {
                    pieces.add(start, to);
                }
            }
        }
    }

    /// What counts even in a comment: assemblers have comments of their own, in which ours may seem to begin.
    fn comment(&mut self, text: &[u8]) {
        for at in memchr::memchr_iter(b'.', text) {
            let (before, rest) = text.split_at(at + 1);
            let length = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            if length == 6 || length == 7 {
                self.directive(word, before, after);
            }
        }
    }

    /// Adds what another text of the same unit says.
    pub fn merge(&mut self, other: &Findings) {
        self.macros.iter_mut().zip(&other.macros).for_each(|(mine, theirs)| mine.merge(theirs));
        self.directives.iter_mut().zip(&other.directives).for_each(|(mine, theirs)| mine.merge(theirs));
        self.embed |= other.embed;
        self.dependency |= other.dependency;
        self.computed_has_include |= other.computed_has_include;
        self.unread |= other.unread;
        self.has_include.extend(other.has_include.iter().cloned());
        self.includes.extend(other.includes.iter().cloned());
    }

    /// The time macros that the unit may use: named whole, or in pieces that fit together.
    pub fn time_macros(&self) -> TimeMacros {
        let used = |at: usize| self.macros[at].make_up(MACROS[at].len());
        TimeMacros { time: used(0), date: used(1), timestamp: used(2) }
    }

    /// Whether the unit may take a file in by the assembler's `.incbin`.
    pub fn may_incbin(&self) -> bool {
        self.directives[0].make_up(DIRECTIVES[0].len())
    }

    /// Whether the unit may take a file in by the assembler's `.include`.
    pub fn may_assembler_include(&self) -> bool {
        // A lone `"."` beside the word `"include"` is what parsers and languages are made of.
        self.directives[1].without(0, 1).make_up(DIRECTIVES[1].len())
    }
}

/// Whether the text after the name of an assembler directive may be its operand: then it is not the member of an
/// object. The operand is a string, perhaps escaped, or something that a macro replaces.
fn takes_operand(after: &[u8]) -> bool {
    match after.trim_ascii_start() {
        [b'"' | b'\\' | b'%' | b'{' | b'$', ..] | [b'/', b'*', ..] => true,
        [byte, ..] => is_word(*byte),
        [] => false,
    }
}

/// Whether a word is the name of a question of this kind, or a piece by which one may be put together.
fn is_piece_of_has_include(word: &[u8]) -> bool {
    let name = b"__has_include_next";
    let starts = |skipped: usize, at_least: usize| {
        word.len() >= at_least && name.get(skipped..).is_some_and(|name| name.starts_with(word))
    };
    let ends = word.ends_with(b"s_include") || word == b"_include";
    starts(0, 5)
        || starts(1, 5)
        || starts(2, 4)
        || word == b"__has_embed"
        || (ends && is_end_of_has_include(word))
}

fn is_end_of_has_include(word: &[u8]) -> bool {
    b"__has_include".ends_with(word)
}

pub(crate) fn contains(text: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(text, needle).is_some()
}

enum Operand<'t> {
    /// Spelled out, and the length up to its closing character.
    Name(&'t [u8], usize),
    /// `defined(__has_include)`, `#ifdef __has_include`: nothing is searched here.
    Query,
    Computed,
}

/// The operand in the text after `__has_include`; what stands before it tells whether it only asks for the name.
fn operand<'t>(before: &[u8], after: &'t [u8]) -> Operand<'t> {
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"(").unwrap_or(before).trim_ascii_end();
    let question = before.rsplit(|&byte| !is_word(byte)).next().unwrap_or_default();
    if matches!(question, b"ifdef" | b"ifndef" | b"elifdef" | b"elifndef" | b"defined") {
        return Operand::Query;
    }
    let line = after.split(|&byte| byte == b'\n' || byte == b'\r').next().unwrap_or_default();
    // Without parentheses it gets another name, which could be used with anything.
    let Some(inside) = line.trim_ascii_start().strip_prefix(b"(").map(<[u8]>::trim_ascii_start) else {
        return Operand::Computed;
    };
    let (close, name) = match inside.split_first() {
        Some((b'<', name)) => (b'>', name),
        Some((b'"', name)) => (b'"', name),
        _ => return Operand::Computed,
    };
    match name.iter().position(|&byte| byte == close) {
        Some(end) => Operand::Name(name.get(..end).unwrap_or_default(), line.len() - name.len() + end + 1),
        None => Operand::Computed,
    }
}
