//! What a text that was compiled does with names of files, beside naming them where compilers leave them out of their
//! outputs, or where anybody finds them there.
use crate::job::Family;
use memchr::memmem;
use std::borrow::Cow;

/// How a text asks for the name of a file, so that the unit may make something of it: its length, a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// By `__FILE__` or `__BASE_FILE__`, which give what maps of macros make of it; or it is what `assert` hands it to.
    pub by_macro: bool,
    /// Otherwise.
    pub by_compiler: bool,
}

impl Asks {
    /// What a text does. clang names lambdas and nameless types by their places.
    pub fn of(text: &[u8], family: Family) -> Self {
        let text = &*spliced(text);
        let holds = |name: &str| memmem::find(text, name.as_bytes()).is_some();
        let is_clang = family == Family::Clang;
        Asks {
            by_macro: ["__FILE__", "__BASE_FILE__", "__assert"].into_iter().any(holds),
            by_compiler: holds("__builtin_FILE")
                || holds("source_location")
                || (is_clang && (holds("__PRETTY_FUNCTION__") || holds("FUNCSIG__"))),
        }
    }

    /// Adds what another text of the same unit does.
    pub fn merge(&mut self, other: Asks) {
        self.by_macro |= other.by_macro;
        self.by_compiler |= other.by_compiler;
    }
}

/// A text whose lines go on where they end with a backslash (C11, 5.1.1.2), behind which gcc and clang allow blanks; or with
/// what stands for one.
fn spliced(text: &[u8]) -> Cow<'_, [u8]> {
    let ends = |rest: &[u8]| {
        let behind = rest.strip_prefix(b"\\").or_else(|| rest.strip_prefix(b"??/"))?;
        let behind = without_blanks(behind);
        let behind = behind.strip_prefix(b"\r").unwrap_or(behind).strip_prefix(b"\n")?;
        Some(rest.len() - behind.len())
    };
    let (mut out, mut copied) = (Vec::new(), 0);
    for at in memchr::memchr2_iter(b'\\', b'?', text) {
        if let Some(length) = text.get(at..).and_then(ends) {
            out.extend_from_slice(text.get(copied..at).unwrap_or_default());
            copied = at + length;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether a text may say that it comes from a file with an absolute path: by `#line`, as preprocessed text says it, or by
/// the assembler's `.file`. Compilers map such names where they have a map for them, wherever the text lies.
pub fn names_origin(text: &[u8]) -> bool {
    let text = &*spliced(text);
    let hashes = [b"#".as_slice(), b"%:", b"??="];
    let mut directives = hashes.into_iter().flat_map(|hash| {
        let begins = |at: &usize| begins_line(text.get(..*at).unwrap_or_default());
        memmem::find_iter(text, hash).filter(begins).filter_map(move |at| text.get(at + hash.len()..))
    });
    if directives.any(is_origin) {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    [&b".file"[..], b".linefile", b".appfile"].into_iter().any(|name| {
        let mut ends = memmem::find_iter(&lower, name).filter_map(|at| lower.get(at + name.len()..));
        ends.any(is_assembler_file)
    })
}

/// What may stand before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether what stands behind this is the first of its line, but for blanks and comments.
fn begins_line(before: &[u8]) -> bool {
    let n_blanks = before.iter().rev().take_while(|&&byte| is_blank(byte)).count();
    let before = before.get(..before.len() - n_blanks).unwrap_or_default();
    matches!(before.last(), None | Some(b'\n' | b'\r'))
        || before.ends_with(b"*/")
        || before == BYTE_ORDER_MARK
}

/// The rest of a line behind a hash. Only what is certain to be something else, or a relative name, is none.
fn is_origin(rest: &[u8]) -> bool {
    let rest = without_blanks(rest);
    let is_line =
        rest.strip_prefix(b"line").filter(|rest| !rest.first().is_some_and(|&byte| is_of_word(byte)));
    let after = match is_line {
        Some(after) => without_blanks(after),
        None if matches!(rest.first(), Some(b'0'..=b'9')) => rest,
        None => return rest.starts_with(b"/*"),
    };
    let n_digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let name = without_blanks(after.get(n_digits..).unwrap_or_default());
    // A macro may stand for anything, and a comment before it.
    let is_relative = matches!(name, [b'"', first, ..] if !matches!(first, b'/' | b'\\'));
    let is_none = matches!(name.first(), None | Some(b'\n' | b'\r'));
    n_digits == 0 || !(is_relative || is_none)
}

/// The rest of a line behind `.file`: a number, perhaps, and an absolute name, which may be escaped. In a text of C the
/// same may be the name of a member.
fn is_assembler_file(rest: &[u8]) -> bool {
    let name = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'0'..=b'9' | b'\\'));
    match name.and_then(|at| rest.get(at..)).unwrap_or_default() {
        [b'"', first, ..] => matches!(first, b'/' | b'\\'),
        name => name.starts_with(b"/*"),
    }
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let n_blanks = text.iter().take_while(|&&byte| is_blank(byte)).count();
    text.get(n_blanks..).unwrap_or_default()
}

/// Form feeds and vertical tabs stand between words, too.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 11 | 12)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
