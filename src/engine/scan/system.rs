//! What makes a text, or one that it includes, a system header, and what hides an `#include`. All of it only has to be
//! never missed: a text that is suspected for nothing costs a preprocessor run under `-MMD`. And what else directives say
//! of files.
use super::lexer::Place;
use super::{contains, is_word};

/// Whether words may be cut without a backslash: a trigraph stands for one.
pub(super) fn hides_words(text: &[u8]) -> bool {
    contains(text, b"??/")
}

/// Whether the first word behind a `#` names an include whose operand is no spelled name, or the start of such a word.
/// Includes with a spelled name are no words.
pub(super) fn may_include(word: &[u8], after: &[u8]) -> bool {
    matches!(word, b"include" | b"include_next" | b"import") || is_cut(after)
}

/// Whether a word may be what makes the rest of a text a system header. `leads`: it is the first behind a `#`.
pub(super) fn may_turn(word: &[u8], after: &[u8], leads: bool, is_string: bool) -> bool {
    let by_directive = leads
        && (is_cut(after)
            || word.first().is_some_and(u8::is_ascii_digit)
            || (word == b"pragma" && goes_on(after)));
    let by_operator = match word {
        b"_Pragma" => !is_spelled_operand(after),
        b"__pragma" => true,
        // `##` may put the operator together.
        _ if is_string || word.len() > 6 => false,
        _ => (word.len() > 2 && is_part(word, b"_Pragma")) || matches!(word, b"_P" | b"Pr"),
    };
    by_directive || by_operator || TURNS.iter().any(|name| is_part(name, word))
}

/// What the first word behind a `#` begins to say of whose lines the next ones are.
pub(super) enum LinesOf<'t> {
    /// Nothing.
    Same,
    /// Those of this file.
    File(&'t [u8]),
    /// Perhaps those of another file, whose name is not spelled out.
    Unknown,
}

/// Reads a `#line` or a line marker.
pub(super) fn lines_of<'t>(word: &[u8], after: &'t [u8]) -> LinesOf<'t> {
    let line = after.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii();
    // Blanks for gcc are also what `trim_ascii` leaves, and digits may be parted by a quote.
    let goes_on = |&byte: &u8| is_word(byte) || !(b' '..0x80).contains(&byte) || b"\"\\/'$".contains(&byte);
    let is_marker = word.iter().all(u8::is_ascii_digit) && line.first().is_some_and(goes_on);
    // A number alone leaves the name as it is.
    let is_line = word == b"line" && !line.iter().all(u8::is_ascii_digit);
    if !is_marker && !is_line && !is_cut(after) {
        return LinesOf::Same;
    }
    let n_digits = line.iter().take_while(|byte| is_line && byte.is_ascii_digit()).count();
    let name = line.get(n_digits..).and_then(|rest| rest.trim_ascii_start().strip_prefix(b"\""));
    let end = name.and_then(|name| name.iter().position(|byte| b"\"\\\r".contains(byte)));
    match name.zip(end).and_then(|(name, end)| name.split_at_checked(end)) {
        Some((name, [b'"', ..])) if !name.is_empty() && !is_cut(after) => LinesOf::File(name),
        _ => LinesOf::Unknown,
    }
}

/// Whether a word may belong to `#pragma GCC dependency`, which warns by the age of a file. On the line of a directive it may be
/// the value of a macro.
pub(super) fn compares_age(word: &[u8], before: &[u8], after: &[u8], place: Place) -> bool {
    if !is_or_begins(b"dependency", word, after) {
        return false;
    }
    let is_between = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\\';
    let end = before.iter().rposition(|byte| !is_between(byte)).map_or(0, |at| at + 1);
    let line = before.get(..end).and_then(|before| before.rsplit(|&byte| byte == b'\n').next());
    let names = |vendor| line.is_some_and(|line| contains(line, vendor));
    place == Place::Directive || names(b"GCC") || names(b"clang")
}

/// Whether a word is this name, or its start where a splice cuts it.
pub(super) fn is_or_begins(name: &[u8], word: &[u8], after: &[u8]) -> bool {
    word == name || (word.len() > 1 && is_cut(after) && name.starts_with(word))
}

/// What a pragma that does so is called.
const TURNS: [&[u8]; 2] = [b"system_header", b"include_alias"];

/// Whether one word is a part of another. Words are short: it takes longer to prepare a search than to look.
fn is_part(word: &[u8], of: &[u8]) -> bool {
    word.len() <= of.len() && of.windows(word.len()).any(|part| part == word)
}

/// Whether a splice cuts a word.
fn is_cut(after: &[u8]) -> bool {
    after.first() == Some(&b'\\')
}

/// Whether the line goes on behind its end.
fn goes_on(after: &[u8]) -> bool {
    let line = after.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.contains(&b'\\') || line.contains(&b'\r')
}

/// Whether the operand of `_Pragma` is one plain string on the same line.
fn is_spelled_operand(after: &[u8]) -> bool {
    let line = after.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let inside = line.trim_ascii_start().strip_prefix(b"(").map(<[u8]>::trim_ascii_start);
    let text = inside.and_then(|inside| inside.strip_prefix(b"\""));
    let end =
        text.and_then(|text| text.iter().position(|&byte| !is_word(byte) && !b" \t.,()-=".contains(&byte)));
    text.zip(end).is_some_and(|(text, end)| text.get(end) == Some(&b'"'))
}

/// The absolute path whose first component may be this word. Before the slash may stand whatever a macro replaces. One that a
/// string names goes on nowhere: it ends with the closing quote.
pub(super) fn path((word, before, after): (&[u8], &[u8], &[u8]), place: Place) -> Option<Vec<u8>> {
    before.strip_suffix(b"/")?;
    let in_string = if place == Place::String { up_to_quote(after) } else { None };
    let n_path = || after.iter().take_while(|&&byte| is_word(byte) || b"./+-".contains(&byte)).count();
    let rest = in_string.or_else(|| after.get(..n_path())).unwrap_or_default();
    Some([b"/", word, rest].concat())
}

/// The rest of a string with its quote, where nothing in it is more than it seems.
fn up_to_quote(after: &[u8]) -> Option<&[u8]> {
    let end = after.iter().position(|byte| b"\"\\?\r\n".contains(byte))?;
    after.get(..=end).filter(|rest| rest.ends_with(b"\""))
}

/// Whether what follows a slash on the line of a directive may bring the first component of a path later. A string that
/// ends with one goes on nowhere.
pub(super) fn is_lone_slash(after: &[u8]) -> bool {
    matches!(after.first(), None | Some(b'\n' | b'\r' | b'#' | b'\\'))
}
