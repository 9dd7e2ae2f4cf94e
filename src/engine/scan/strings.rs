//! Strings of a preprocessed text as the compiler takes them: those side by side are one, escapes are characters.
use super::directives::takes_operand;
use super::lexer::is_word;

/// Whether any string holds this directive with an operand, in small or capital letters. A text with strings whose
/// content cannot be told here (raw ones, or without an end) may hold anything.
pub(super) fn any_spells(text: &[u8], name: &[u8]) -> bool {
    let mut strings = Strings { text, at: 0 };
    let is_used = |text: &[u8]| {
        let parts = text.split_at_checked(name.len());
        let is_whole = |after: &[u8]| !after.first().is_some_and(|&byte| is_word(byte));
        parts.is_some_and(|(part, after)| {
            part.eq_ignore_ascii_case(name) && is_whole(after) && takes_operand(after)
        })
    };
    let holds = |string: &[u8]| (0..string.len()).any(|at| string.get(at..).is_some_and(is_used));
    let mut joined = Vec::new();
    loop {
        match strings.next() {
            Next::Part(part) if unescape(part, &mut joined) => {}
            Next::Break if holds(&joined) => return true,
            Next::Break => joined.clear(),
            Next::End => return holds(&joined),
            Next::Part(_) | Next::Unclear => return true,
        }
    }
}

enum Next<'t> {
    /// A string, quotes left out, that goes on the one before.
    Part(&'t [u8]),
    /// Something else than a string.
    Break,
    /// From here on nothing is certain.
    Unclear,
    End,
}

struct Strings<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Strings<'t> {
    fn next(&mut self) -> Next<'t> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(&byte) = rest.first() else { return Next::End };
            let starts_line =
                self.text.get(..self.at).is_none_or(|before| before.last().is_none_or(|&b| b == b'\n'));
            match byte {
                // A line marker, which may stand between two strings.
                b'#' if starts_line => self.at += length_until(rest, b'\n'),
                byte if byte.is_ascii_whitespace() => self.at += 1,
                b'"' => {
                    let Some(length) = quoted(rest) else { return Next::Unclear };
                    self.at += length;
                    return Next::Part(rest.get(1..length - 1).unwrap_or_default());
                }
                b'\'' => {
                    self.at += quoted(rest).unwrap_or(1);
                    return Next::Break;
                }
                byte if is_word(byte) => {
                    let number = byte.is_ascii_digit();
                    // In numbers of C++ and C23 quotes stand between the digits.
                    let goes_on = |&byte: &u8| is_word(byte) || (number && byte == b'\'');
                    let length = rest.iter().position(|byte| !goes_on(byte)).unwrap_or(rest.len());
                    self.at += length;
                    let (word, after) = rest.split_at(length);
                    match after.first() {
                        Some(b'"') if word.ends_with(b"R") => return Next::Unclear,
                        // `u8"..."` and its like go on what stands before, too.
                        Some(b'"') => {}
                        _ => return Next::Break,
                    }
                }
                _ => {
                    self.at += 1;
                    return Next::Break;
                }
            }
        }
    }
}

fn length_until(text: &[u8], end: u8) -> usize {
    memchr::memchr(end, text).unwrap_or(text.len())
}

/// The length of what is quoted, both quotes included; `None` where the line ends before.
fn quoted(rest: &[u8]) -> Option<usize> {
    let quote = rest.first()?;
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'\n' => return None,
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// Appends what a string stands for; false where that cannot be told (`\N{...}`, `\x{...}`).
pub(super) fn unescape(string: &[u8], into: &mut Vec<u8>) -> bool {
    let mut rest = string;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            into.push(byte);
            continue;
        }
        let Some((&kind, after)) = rest.split_first() else { return false };
        let (digits, base, most) = match kind {
            b'0'..=b'7' => (rest, 8, 3),
            b'x' => (after, 16, usize::MAX),
            b'u' => (after, 16, 4),
            b'U' => (after, 16, 8),
            b'N' | b'o' => return false,
            // A line feed, a quote: none of them is part of a name.
            _ => {
                into.push(b'\\');
                rest = after;
                continue;
            }
        };
        let length = digits.iter().take(most).take_while(|byte| char::from(**byte).is_digit(base)).count();
        if length == 0 {
            return false;
        }
        let (digits, after) = digits.split_at(length);
        let value = digits.iter().fold(0u32, |value, &digit| {
            value.wrapping_mul(base).wrapping_add(char::from(digit).to_digit(base).unwrap_or_default())
        });
        // Beyond ASCII it is part of no name.
        into.push(u8::try_from(value).unwrap_or(b'?'));
        rest = after;
    }
    true
}
