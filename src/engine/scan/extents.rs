//! How far lines, strings, comments and names reach.

/// Whether the line before a line feed goes on behind it. Compilers allow blanks after the backslash.
pub(super) fn is_spliced(line: &[u8]) -> bool {
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c | 0));
    end.is_some_and(|end| line.get(end) == Some(&b'\\'))
}

/// A text without the splices at its end.
pub(super) fn without_splices(mut text: &[u8]) -> &[u8] {
    while let Some(line) = text.strip_suffix(b"\n") {
        if !is_spliced(line) {
            break;
        }
        let backslash = line.iter().rposition(|&byte| byte == b'\\').unwrap_or_default();
        text = line.get(..backslash).unwrap_or_default();
    }
    text
}

/// The length of a string or character up to its closing quote, if that stands on the same line.
pub(super) fn string_length(quote: u8, rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'\n' | b'\r' => return None,
            b'\\' if matches!(rest.get(at + 1), Some(b'\n' | b'\r') | None) => return None,
            b'\\' => at += 2,
            // A trigraph may stand for a backslash.
            b'?' if rest.get(at..).is_some_and(|rest| rest.starts_with(b"??/")) => return None,
            &byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The length of a block comment; `None` where it does not end, or compilers differ on where.
pub(super) fn comment_length(rest: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        at += memchr::memchr(b'*', rest.get(at..)?)? + 1;
        let mut after = rest.get(at..)?;
        // Splices may stand between the two characters that end a comment.
        while let Some(spliced) = after.strip_prefix(b"\\") {
            let n_blanks = spliced.iter().take_while(|byte| b" \t\x0b\x0c".contains(byte)).count();
            after = match spliced.get(n_blanks..)? {
                [b'\n', next @ ..] | [b'\r', b'\n', next @ ..] => next,
                [b'\r' | 0, ..] => return None,
                _ => break,
            };
        }
        if after.first() == Some(&b'/') {
            return Some(rest.len() - after.len() + 1);
        }
    }
}

/// The name in an `#include` or its like that is spelled on one line, and how far it is from the `#`.
pub(super) fn include_name(rest: &[u8]) -> Option<(usize, &[u8])> {
    let line = rest.split(|&byte| byte == b'\n' || byte == b'\r').next().unwrap_or_default();
    let directive = line.get(1..)?.trim_ascii_start();
    let name = directive.strip_prefix(b"include").or_else(|| directive.strip_prefix(b"import"))?;
    let name = name.strip_prefix(b"_next").unwrap_or(name).trim_ascii_start();
    let close = match name.first()? {
        b'<' => b'>',
        b'"' => b'"',
        _ => return None,
    };
    let inside = name.get(1..)?;
    let length = memchr::memchr(close, inside)?;
    Some((line.len() - inside.len(), inside.get(..length)?))
}
