//! Directives by which an assembler takes a file in: spelled, or put together by whoever puts words together.
use super::extents::without_splices;
use super::lexer::{Place, follows_hash, is_cut, is_word};
use super::pieces::Pieces;
use super::strings::unescape;

/// Assembler directives that read a file; the assembler takes capital letters for small ones.
pub(super) const DIRECTIVES: [&str; 2] = [".incbin", ".include"];
/// Those whose body is repeated with words put in.
const MACROS: [&[u8]; 5] = [b"macro", b"irp", b"irpc", b"irep", b"irepc"];
/// The same as a string holds them.
pub(super) const DOTTED_MACROS: [&[u8]; 5] = [b".macro", b".irp", b".irpc", b".irep", b".irepc"];

/// What a text says of [`DIRECTIVES`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Directives {
    /// Pieces in strings, which may stand side by side, and such as a preprocessor may put between them.
    strings: [Pieces; 2],
    /// Words that a preprocessor may put behind a dot, and the dot.
    bare: [Pieces; 2],
    /// Words that it may put anywhere only where parentheses are unclear,
    outside: [Pieces; 2],
    /// and whether they are.
    has_unclear_parens: bool,
    /// Words that a macro of the assembler may put together,
    arguments: [Pieces; 2],
    /// and whether there are such macros,
    has_macros: bool,
    /// or the words for them where something may put a dot in front,
    may_have_macros: bool,
    /// and parameters in names of directives.
    has_parameters: bool,
}

impl Directives {
    /// A word, with what stands before and after.
    pub(super) fn word(&mut self, (word, before, after): (&[u8], &[u8], &[u8]), place: Place) {
        // In assembler text of C that has operands, braces hold alternatives.
        let joined = without_splices(before);
        let (cut_before, cut_after) = (joined.len() < before.len(), is_cut(after));
        let (dot, quote) = (joined.ends_with(b".") || before.ends_with(b".{"), before.ends_with(b"\""));
        if MACROS.iter().any(|name| name.eq_ignore_ascii_case(word)) {
            self.has_macros |= dot;
            self.may_have_macros |= quote || place != Place::Text;
        }
        if ends_with_parameter(before) {
            self.has_parameters = true;
            self.arguments.iter_mut().for_each(|pieces| pieces.add(0, 1));
        }
        // Every word of every text is asked for.
        let is_letter =
            |byte: &u8| matches!(byte | 0x20, b'i' | b'n' | b'c' | b'b' | b'l' | b'u' | b'd' | b'e');
        let fits = word.len() <= 7 && word.iter().all(is_letter);
        if !fits || follows_hash(before) {
            return;
        }
        let moves = !dot && !quote && is_bare(before, after, place, word.len());
        let bare = moves && (place != Place::Text || is_joined(before));
        let dot_moves = dot && matches!(place, Place::Argument | Place::Directive) && !selects_member(joined);
        for (at, name) in DIRECTIVES.iter().map(|name| name.as_bytes()).enumerate() {
            for from in 1..name.len() {
                let (start, to, end) = (if dot { 0 } else { from }, from + word.len(), name.len());
                if !name.get(from..to).is_some_and(|part| part.eq_ignore_ascii_case(word)) {
                    continue;
                }
                let ends =
                    cut_after || if to == end { takes_operand(after) } else { after.first() == Some(&b'"') };
                if bare || (ends && (quote || cut_before || (dot && from == 1))) {
                    self.strings[at].add(start, to);
                }
                let is_cut = dot && to < end && after.starts_with(b"{");
                if from == 1 && (is_cut || before.ends_with(b".{")) {
                    self.strings[at].add(0, end);
                }
                // In a traditional preprocessor a comment joins what stands beside it.
                if dot && from == 1 && to < end && after.starts_with(b"/*") {
                    self.strings[at].add(0, 1);
                    self.strings[at].add(1, end);
                }
                if dot_moves && from == 1 {
                    self.bare[at].add(0, to);
                }
                if bare {
                    self.bare[at].add(0, 1);
                    self.bare[at].add(from, to);
                } else if moves {
                    self.outside[at].add(from, to);
                }
                if !dot || from == 1 {
                    // Nothing but the directive is called `incbin`.
                    let is_sure = at == 0 && from == 1 && to == end;
                    self.arguments[at].add(if is_sure { 0 } else { start }, to);
                }
            }
        }
    }

    /// The end of a string whose last character is a dot.
    pub(super) fn dot_before_quote(&mut self) {
        self.strings.iter_mut().for_each(|pieces| pieces.add(0, 1));
    }

    /// What counts even in a comment: assemblers have comments of their own, in which ours may seem to begin.
    pub(super) fn comment(&mut self, text: &[u8]) {
        for at in memchr::memchr_iter(b'.', text) {
            let (before, rest) = text.split_at(at + 1);
            let length = rest.iter().position(|&byte| !is_word(byte)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            if length == 6 || length == 7 {
                self.word((word, before, after), Place::Text);
            }
        }
    }

    /// Strings of a text in which letters of a name are written as escape sequences: they are looked at without these.
    pub(super) fn escapes(&mut self, text: &[u8]) {
        let mut from = 0;
        while let Some(found) = text.get(from..).and_then(|rest| memchr::memchr(b'\\', rest)) {
            let at = from + found;
            // The second of two backslashes begins nothing.
            from = at + 2;
            if !text.get(at + 1..).is_some_and(is_letter) {
                continue;
            }
            let before = text.get(..at).unwrap_or_default();
            let start = before.iter().rposition(|byte| b"\"\n".contains(byte)).map_or(0, |at| at + 1);
            let length = string_length(text.get(at..).unwrap_or_default());
            self.escaped(text.get(start..at + length).unwrap_or_default());
            from = at + length;
        }
    }

    fn escaped(&mut self, string: &[u8]) {
        let mut plain = vec![b'"'];
        if !unescape(string, &mut plain) {
            for (pieces, name) in self.strings.iter_mut().zip(DIRECTIVES) {
                pieces.add(0, 1);
                pieces.add(1, name.len());
            }
            return;
        }
        plain.push(b'"');
        if plain.ends_with(b".\"") {
            self.dot_before_quote();
        }
        let mut at = 0;
        while let Some(rest) = plain.get(at..).filter(|rest| !rest.is_empty()) {
            let length = rest.iter().take_while(|&&byte| is_word(byte)).count();
            if length > 0 {
                let (word, after) = rest.split_at(length);
                self.word((word, plain.get(..at).unwrap_or_default(), after), Place::String);
            }
            at += length.max(1);
        }
    }

    /// Adds what another text of the same unit says.
    pub(super) fn merge(&mut self, other: &Directives) {
        self.has_macros |= other.has_macros;
        self.may_have_macros |= other.may_have_macros;
        self.has_parameters |= other.has_parameters;
        self.has_unclear_parens |= other.has_unclear_parens;
        let mine = self.strings.iter_mut().chain(&mut self.bare).chain(&mut self.outside);
        let theirs = other.strings.iter().chain(&other.bare).chain(&other.outside);
        mine.zip(theirs).for_each(|(mine, theirs)| mine.merge(theirs));
        self.arguments.iter_mut().zip(&other.arguments).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    /// Where no parentheses seem to be open, words may yet be handed to macros.
    pub(super) fn doubt_parens(&mut self) {
        self.has_unclear_parens = true;
    }

    /// One that is named whole, or in pieces that fit together.
    pub(super) fn made_up(&self) -> Option<&'static str> {
        let with_outside = |mut pieces: Pieces, at: usize| {
            if self.has_unclear_parens && self.outside[at] != Pieces::default() {
                pieces.merge(&self.outside[at]);
                pieces.add(0, 1);
            }
            pieces
        };
        let makes_up = |pieces: &[Pieces; 2], at: usize, end| with_outside(pieces[at], at).make_up(end);
        let by_macros = || self.by_macros().filter(|_| self.may_have_macros && self.has_parameters);
        self.spelled()
            .or_else(by_macros)
            .or_else(|| find(|at, end| makes_up(&self.strings, at, end) || makes_up(&self.bare, at, end)))
    }

    /// One by which the unit may take a file in, whatever its preprocessed text says.
    pub(super) fn spelled(&self) -> Option<&'static str> {
        let whole = find(|at, end| self.strings[at].is_whole(end));
        whole.or_else(|| self.by_macros().filter(|_| self.has_macros))
    }

    /// One that macros of the assembler may put together.
    pub(super) fn by_macros(&self) -> Option<&'static str> {
        find(|at, end| self.arguments[at].make_up(end))
    }
}

fn find(holds: impl Fn(usize, usize) -> bool) -> Option<&'static str> {
    let mut names = DIRECTIVES.into_iter().enumerate();
    names.find(|(at, name)| holds(*at, name.len())).map(|(_, name)| name)
}

/// Whether a word is `.loc` or `.file` with a number, which compilers write under `-g`: or strings that become so.
pub(super) fn names_place(word: &[u8], before: &[u8], after: &[u8], place: Place) -> bool {
    let is_one = || [&b"loc"[..], b"file"].iter().any(|name| name.eq_ignore_ascii_case(word));
    if !matches!(word.first(), Some(b'l' | b'L' | b'f' | b'F')) || !before.ends_with(b".") || !is_one() {
        return false;
    }
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let n_blanks = after.iter().take_while(is_blank).count();
    match after.get(n_blanks..).unwrap_or_default() {
        [b'0'..=b'9', ..] => n_blanks > 0,
        [b'\\', b't', ..] => !matches!(place, Place::Argument | Place::Text),
        [b'"', rest @ ..] if n_blanks == 0 => rest.trim_ascii_start().starts_with(b"\" "),
        [b'"' | b'%' | b'\\', ..] => n_blanks > 0 && matches!(place, Place::String | Place::Unclear),
        _ => false,
    }
}

/// Whether a text ends with a directive's dot and what makes the next word a parameter of the assembler's (`.\x`). Behind a
/// word such a dot belongs to it, as in `v0.\t`; in a string that word may be the rest of `\n`.
fn ends_with_parameter(before: &[u8]) -> bool {
    if !matches!(before.last(), Some(b'\\' | b'&' | b'$' | b'(' | b')')) {
        return false;
    }
    let n_marks = before.iter().rev().take_while(|byte| b"\\&$()".contains(byte)).count();
    let before = before.get(..before.len() - n_marks).unwrap_or_default();
    let Some(before) = before.strip_suffix(b".") else { return false };
    let is_escape = before.iter().rev().nth(1) == Some(&b'\\');
    is_escape || !before.last().is_some_and(|&byte| is_word(byte) || byte == b')')
}

/// Whether a word of this length may come to stand elsewhere: as a part of a macro, or in what is handed to one. A single letter
/// only beside a comma or a parenthesis: such letters are in every text.
fn is_bare(before: &[u8], after: &[u8], place: Place, length: usize) -> bool {
    if place == Place::String || before.last() == Some(&b'\\') || before.ends_with(b"->") {
        return false;
    }
    let left = before.trim_ascii_end().last();
    let right = after.trim_ascii_start().first();
    place == Place::Directive
        || length > 1
        || matches!(left, Some(b'(' | b','))
        || matches!(right, Some(b')' | b','))
        || is_joined(before)
}

/// Whether the dot at the end of a text follows what may have members.
fn selects_member(before: &[u8]) -> bool {
    let before = before.get(..before.len().saturating_sub(1)).unwrap_or_default();
    before.last().is_some_and(|&byte| is_word(byte) || b")]".contains(&byte))
}

/// Whether a word behind this may be put beside what a macro leaves there.
fn is_joined(before: &[u8]) -> bool {
    before.ends_with(b")") || before.ends_with(b"*/")
}

/// Whether the text after the name of an assembler directive may be its operand: then it is not the member of an
/// object. The operand is a string, perhaps escaped, or something that a macro replaces.
pub(super) fn takes_operand(after: &[u8]) -> bool {
    match after.trim_ascii_start() {
        [b'"' | b'\\' | b'%' | b'{' | b'$', ..] | [b'/', b'*', ..] => true,
        [byte, ..] => is_word(*byte),
        [] => false,
    }
}

/// Whether what stands behind a backslash may stand for a character of [`DIRECTIVES`].
fn is_letter(rest: &[u8]) -> bool {
    let (digits, base, most) = match rest {
        [b'x' | b'o' | b'u' | b'N', b'{', ..] => return true,
        [b'0'..=b'7', ..] => (rest, 8, 3),
        [b'x', digits @ ..] => (digits, 16, usize::MAX),
        [b'u', digits @ ..] => (digits, 16, 4),
        [b'U', digits @ ..] => (digits, 16, 8),
        _ => return false,
    };
    let digits = digits.iter().take(most).map_while(|&digit| char::from(digit).to_digit(base));
    let value = digits.fold(0u32, |value, digit| value.wrapping_mul(base).wrapping_add(digit));
    u8::try_from(value).is_ok_and(|byte| b".incbludeINCBLUDE".contains(&byte))
}

/// How far it is from the middle of a string to its end, or to that of its line.
fn string_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'"' | b'\n' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    rest.len()
}
