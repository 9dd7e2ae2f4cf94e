//! What the text of an input says that its name does not: time macros, `__has_include`, `.incbin`, `#embed`.
//!
//! The scan leaves comments out and knows no `#if`: it may see a use where there is none (then a result is kept for
//! a shorter time or not at all), and must never miss one. Names that are put together from pieces are
//! recognised by them.
use directives::{DIRECTIVES, DOTTED_MACROS, Directives};
use lexer::{Lexer, Part, Place, is_word};
use pieces::Pieces;
use std::collections::BTreeSet;
use system::LinesOf;

mod alias;
mod directives;
mod extents;
mod lexer;
mod parens;
mod pieces;
mod strings;
mod system;

pub use alias::Uses;

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
/// Names of the questions whether a file is there; `_next` at the end of a word is left out.
const QUESTIONS: [&[u8]; 2] = [b"__has_include", b"__has_embed"];

/// What a text (or several texts of one unit, merged) says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Pieces of [`MACROS`].
    macros: [Pieces; 3],
    /// [`DIRECTIVES`], and pieces of them.
    directives: Directives,
    /// Pieces of [`QUESTIONS`]; whole ones are looked at where they stand.
    questions: [Pieces; 2],
    /// `#embed` or `__has_embed` occurs.
    pub embed: bool,
    /// `#pragma GCC dependency` occurs: a warning depends on the age of a file.
    pub dependency: bool,
    /// `__has_include` with an operand that is not spelled out.
    computed_has_include: bool,
    /// An `#include` or its like whose name is not spelled out.
    pub computed_include: bool,
    /// Absolute paths on the lines of directives, or their beginnings: what such an include may lead to. A whole one bears the
    /// closing quote of its string.
    pub paths: BTreeSet<Vec<u8>>,
    /// From some line on, the text may count as a system header (`#pragma GCC system_header`, `# 1 "file" 3`).
    pub may_turn_system: bool,
    /// Files from which lines of the text come, by `#line` or a line marker.
    pub lines_of: BTreeSet<Vec<u8>>,
    /// It may say so with a name that is not spelled out.
    pub computed_lines: bool,
    /// The assembler may be told the place in a source (`.loc`): it writes the working directory beside it.
    pub names_places: bool,
    /// A precompiled header is named in what was preprocessed (`#pragma GCC pch_preprocess`).
    pub precompiled: bool,
    /// The text was too long to be looked at.
    pub unread: bool,
    /// Operands of `__has_include` and `__has_include_next`.
    pub has_include: BTreeSet<Vec<u8>>,
    /// Other names of `__has_include`: who has some is to be looked at with [`Uses`].
    pub aliases: BTreeSet<Vec<u8>>,
    /// Names in `#include` and its like, as spelled.
    pub includes: BTreeSet<Vec<u8>>,
}

/// What only the preprocessed text can tell: whether a unit uses what its files, taken together, could make up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// `__TIME__`.
    pub time: bool,
    /// `__DATE__`.
    pub date: bool,
    /// `__TIMESTAMP__`.
    pub timestamp: bool,
    /// One of [`DIRECTIVES`], put together from strings.
    pub directive: Option<&'static str>,
}

impl Hidden {
    /// What is used in a preprocessed text. Strings with the form of a time that were written by hand count as
    /// well, and so do the macros themselves where the preprocessor leaves them (`#pragma message`).
    pub fn in_preprocessed(text: &[u8]) -> Self {
        let findings = Findings::of(text);
        let (mut found, spelled) = (findings.hidden(), findings.directive_spelled());
        // A form is followed by the closing quote, or by a backslash where it was made a string once more.
        // It begins a string, or the name of a file that was included by it.
        for start in memchr::memchr2_iter(b'"', b'/', text) {
            let rest = text.get(start + 1..).unwrap_or_default();
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
        if found.directive.is_some() {
            let in_strings = |name: &&&str| strings::any_spells(text, name.as_bytes());
            let has_macros = || DOTTED_MACROS.iter().any(|name| strings::any_spells(text, name));
            let by_macros = || findings.directives.by_macros().filter(|_| has_macros());
            found.directive =
                spelled.or_else(|| DIRECTIVES.iter().find(in_strings).copied()).or_else(by_macros);
        }
        found
    }

    /// Whether anything is used.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// Whether it is the date and nothing else.
    pub fn is_date_alone(self) -> bool {
        self == Hidden { date: true, ..Self::default() }
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
        found.computed_include = system::hides_words(text);
        found.may_turn_system = found.computed_include;
        found.computed_lines = found.computed_include;
        while let Some(part) = lexer.next() {
            if let Part::Word { word, before, after, leads, place } = part {
                // Also in a string there.
                if lexer.in_directive() || place == Place::Unclear {
                    found.paths.extend(system::path((word, before, after), place));
                }
                found.computed_include |= leads && system::may_include(word, after);
                found.may_turn_system |= system::may_turn(word, after, leads, place == Place::String);
                if leads {
                    found.whose_lines(word, after);
                }
                found.names_places |= directives::names_place(word, before, after, place);
            }
            match part {
                Part::Word { word, before, after, place, .. } => match word.first() {
                    Some(b'_' | b'h') if is_start_of_question(word) => {
                        found.question((word, before, after), place, &mut lexer);
                    }
                    Some(b'_' | b'T' | b'D' | b'A' | b'E' | b'I' | b'M' | b'S' | b'P') => {
                        found.capitals((word, before, after), place);
                        found.piece_of_question(word, place);
                        found.directives.word((word, before, after), place);
                    }
                    _ => found.small_word((word, before, after), place, &mut lexer),
                },
                Part::Include(name) => drop(found.includes.insert(name.to_vec())),
                Part::Comment(text) => found.directives.comment(text),
                Part::Slash(after) if system::is_lone_slash(after) => found.doubt_paths(),
                Part::Slash(_) => {}
                Part::DotBeforeQuote => found.directives.dot_before_quote(),
            }
        }
        found.directives.escapes(text);
        if lexer.has_unclear_parens() {
            found.directives.doubt_parens();
        }
        found
    }

    fn whose_lines(&mut self, word: &[u8], after: &[u8]) {
        match system::lines_of(word, after) {
            LinesOf::Same => {}
            LinesOf::File(name) => drop(self.lines_of.insert(name.to_vec())),
            LinesOf::Unknown => self.computed_lines = true,
        }
    }

    /// Says that parentheses of the unit may not be what they seem: words of the command line ask for other comments or strings
    /// than the lexer knows.
    pub fn doubt_parens(&mut self) {
        self.directives.doubt_parens();
    }

    /// Says that the unit may put any path together: a traditional preprocessor replaces the parameters of macros in strings, too.
    pub fn doubt_paths(&mut self) {
        self.paths.insert(b"/".to_vec());
    }

    /// What a text says that nobody has looked at: everything.
    pub fn unread() -> Self {
        Findings { unread: true, ..Findings::default() }
    }

    fn capitals(&mut self, (word, before, after): (&[u8], &[u8], &[u8]), place: Place) {
        let fits = |byte: &u8| b"_TIMEDASP".contains(byte);
        if word.len() <= 13 && word.iter().all(fits) {
            let part = part_of_macro(before, after, place);
            self.macros.iter_mut().zip(MACROS).for_each(|(pieces, name)| pieces.add_word(name, word, part));
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
            _ => {
                self.dependency |= system::compares_age(word, before, after, place);
                self.precompiled |= system::is_or_begins(b"pch_preprocess", word, after);
            }
        }
        if !lexer::follows_hash(before) {
            self.piece_of_question(word, place);
        }
        self.directives.word((word, before, after), place);
    }

    fn question(&mut self, word: (&[u8], &[u8], &[u8]), place: Place, lexer: &mut Lexer<'_>) {
        let (word, before, after) = word;
        self.embed |= word == b"__has_embed";
        if !matches!(word, b"__has_include" | b"__has_include_next") {
            // An operand may follow.
            lexer.doubt_line();
            return self.piece_of_question(word, place);
        }
        let given = if place == Place::Directive { alias::given(before, after) } else { None };
        if let Some(name) = given.filter(|_| word == b"__has_include") {
            self.aliases.insert(name.to_vec());
            return;
        }
        match operand(before, after) {
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
    }

    /// Questions are asked in directives, so their pieces stand in directives.
    fn piece_of_question(&mut self, word: &[u8], place: Place) {
        let can_be_one = matches!(place, Place::Directive | Place::Unclear);
        if can_be_one && word.iter().all(|byte| b"_hasincludembxt".contains(byte)) {
            let word = word.strip_suffix(b"_next").unwrap_or(word);
            self.questions
                .iter_mut()
                .zip(QUESTIONS)
                .for_each(|(pieces, name)| pieces.add_word(name, word, pieces::Part::Any));
        }
    }

    /// Adds what another text of the same unit says.
    pub fn merge(&mut self, other: Findings) {
        self.merge_uses(&other);
        self.includes.extend(other.includes);
        self.paths.extend(other.paths);
        self.lines_of.extend(other.lines_of);
    }

    /// The same without the names in its `#include`s, of which a unit's texts have many, those of files whose lines they are,
    /// and without paths.
    pub fn merge_uses(&mut self, other: &Findings) {
        self.macros.iter_mut().zip(&other.macros).for_each(|(mine, theirs)| mine.merge(theirs));
        self.directives.merge(&other.directives);
        self.questions.iter_mut().zip(&other.questions).for_each(|(mine, theirs)| mine.merge(theirs));
        self.embed |= other.embed;
        self.dependency |= other.dependency;
        self.computed_include |= other.computed_include;
        self.may_turn_system |= other.may_turn_system;
        self.computed_lines |= other.computed_lines;
        self.names_places |= other.names_places;
        self.precompiled |= other.precompiled;
        self.computed_has_include |= other.computed_has_include;
        self.unread |= other.unread;
        self.has_include.extend(other.has_include.iter().cloned());
        self.aliases.extend(other.aliases.iter().cloned());
    }

    /// What is named whole, or in pieces that fit together.
    pub fn hidden(&self) -> Hidden {
        let used = |at: usize| self.macros[at].make_up(MACROS[at].len());
        let directive = self.directives.made_up();
        Hidden { time: used(0), date: used(1), timestamp: used(2), directive }
    }

    /// The assembler's directive that takes a file in, where a text spells it: one by which the unit may do so.
    pub fn directive_spelled(&self) -> Option<&'static str> {
        self.directives.spelled()
    }

    /// Whether the unit may ask for a file by a name that is not spelled out.
    pub fn may_ask_for_any(&self) -> bool {
        let mut questions = self.questions.iter().zip(QUESTIONS);
        self.computed_has_include || questions.any(|(pieces, name)| pieces.make_up(name.len()))
    }
}

/// What a word may be of a macro's name. Strings are not put together to names. And the first operand of `##` in the middle of a
/// macro, as in `g (__##x)`, ends none: where `x` is empty it stays as it is, but what is pasted in front of it is what its macro begins
/// with. glibc's `sys/cdefs.h` has both.
fn part_of_macro(before: &[u8], after: &[u8], place: Place) -> pieces::Part {
    let begins_paste = || {
        let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        let line = before.get(start..).unwrap_or_default().trim_ascii();
        // Not on the first line of a directive, where a macro begins.
        let is_within =
            !line.is_empty() && ![b"#".as_slice(), b"%:", b"??="].iter().any(|hash| line.starts_with(hash));
        is_within && after.trim_ascii_start().starts_with(b"##") && !line.ends_with(b"##")
    };
    // Lines that belong together.
    let is_cut = matches!(after.first(), Some(b'\\' | b'?')) || matches!(before.last(), Some(b'\n' | b'\r'));
    match place {
        Place::String if !is_cut => pieces::Part::Whole,
        Place::Directive if begins_paste() => pieces::Part::NotLast,
        _ => pieces::Part::Any,
    }
}

/// Whether a word is the name of a question, or the start of one.
fn is_start_of_question(word: &[u8]) -> bool {
    let starts = |name: &[u8]| word.len() >= 4 && name.starts_with(word);
    word == b"__has_embed" || [0, 1, 2].iter().any(|&from| starts(&b"__has_include_next"[from..]))
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
