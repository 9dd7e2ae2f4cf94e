//! What a text that was compiled does with names of files, beside naming them where compilers leave them out of their
//! outputs, or where anybody finds them there.
use crate::job::Family;
use memchr::memmem;

/// How a text asks for the name of a file, so that the unit may make something of it: its length, a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// By `__FILE__` or `__BASE_FILE__`, which give what maps of macros make of it.
    pub by_macro: bool,
    /// Otherwise.
    pub by_compiler: bool,
}

impl Asks {
    /// What a text does. clang names lambdas and nameless types by their places.
    pub fn of(text: &[u8], family: Family) -> Self {
        let holds = |name: &str| memmem::find(text, name.as_bytes()).is_some();
        let is_clang = family == Family::Clang;
        Asks {
            by_macro: holds("__FILE__") || holds("__BASE_FILE__"),
            by_compiler: holds("__builtin_FILE")
                || holds("source_location")
                || (is_clang && holds("__PRETTY_FUNCTION__")),
        }
    }

    /// Adds what another text of the same unit does.
    pub fn merge(&mut self, other: Asks) {
        self.by_macro |= other.by_macro;
        self.by_compiler |= other.by_compiler;
    }
}

/// Whether a text may say that it comes from a file with an absolute path: by `#line`, as preprocessed text says it, or by
/// the assembler's `.file`. Compilers map such names where they have a map for them, wherever the text lies.
pub fn names_origin(text: &[u8]) -> bool {
    let hashes = [b"#".as_slice(), b"%:", b"??="];
    let behind = |start: &'static [u8]| {
        memmem::find_iter(text, start).filter_map(move |at| text.get(at + start.len()..))
    };
    hashes.into_iter().flat_map(behind).any(is_origin) || behind(b".file").any(is_assembler_file)
}

/// The rest of a line behind a hash. Only what is certain to be something else, or a relative name, is none.
fn is_origin(rest: &[u8]) -> bool {
    let rest = without_blanks(rest);
    if matches!(rest, [b'\\' | b'/', ..]) {
        return rest.starts_with(b"/*") || rest.starts_with(b"\\\n") || rest.starts_with(b"\\\r");
    }
    let (rest, is_directive) = match rest.strip_prefix(b"line") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let after = without_blanks(rest);
    if is_directive && !matches!(after.first(), Some(b'0'..=b'9')) {
        // A macro may stand for anything; without a blank in between it is another word.
        return after.len() < rest.len()
            && after.first().is_some_and(|&byte| is_of_word(byte) || byte == b'\\');
    }
    let n_digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let name = without_blanks(after.get(n_digits..).unwrap_or_default());
    match name {
        _ if n_digits == 0 => false,
        [b'"', b'/' | b'\\', ..] | [b'\\', ..] => true,
        [byte, ..] => is_directive && is_of_word(*byte),
        [] => false,
    }
}

/// The rest of a line behind `.file`: a number, perhaps, and an absolute name, which may be escaped.
fn is_assembler_file(rest: &[u8]) -> bool {
    let name = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'0'..=b'9' | b'\\'));
    let name = name.and_then(|at| rest.get(at..)).and_then(|name| name.strip_prefix(b"\""));
    name.is_some_and(|name| matches!(name.first(), Some(b'/' | b'\\')))
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let n_blanks = text.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    text.get(n_blanks..).unwrap_or_default()
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
