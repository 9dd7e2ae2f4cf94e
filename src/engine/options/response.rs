//! Response files: `@file` stands for the words in that file, also within such a file.
//!
//! gcc and clang cut the text by nearly the same rules. Where they differ, or where versions of gcc differ
//! (an escape within quotes, an empty word, an open quote), the call is not cacheable with the reason `@`.
//! rustc's argument files have one word in each line.
//! Absent on purpose: reading files; the caller passes a function.
use crate::job::Reason;
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

const MAX_DEPTH: usize = 32;
const MAX_WORDS: usize = 100_000;
/// Response files of one call may have so many bytes together.
pub const MAX_BYTES: usize = 16 << 20;

/// Reads a response file.
pub type Read<'r> = dyn FnMut(&OsStr) -> Result<Option<Vec<u8>>, Reason> + 'r;

/// The reason for everything that is not a plain response file.
pub fn refuse() -> Reason {
    Reason("@".to_owned())
}

/// The words of `argv` with every readable `@file` replaced by the words in it.
///
/// `read` gives the content of a file named relative to the working directory, or `None` where there is no such
/// file: the word then stands for itself, as for the compilers (T31).
///
/// # Errors
/// What `read` gives; the reason `@` for files that name themselves, are too large, or are quoted in a way that compilers
/// read differently.
pub fn expand<'a>(argv: &'a [OsString], read: &mut Read<'_>) -> Result<Cow<'a, [OsString]>, Reason> {
    if !argv.iter().skip(1).any(|word| word.as_bytes().first() == Some(&b'@')) {
        return Ok(Cow::Borrowed(argv));
    }
    let mut expansion = Expansion { read, words: Vec::new(), n_bytes: 0 };
    for (at, word) in argv.iter().enumerate() {
        expansion.add(word.clone(), if at == 0 { MAX_DEPTH } else { 0 }, at == 0)?;
    }
    Ok(Cow::Owned(expansion.words))
}

/// The words of `argv` with every `@file` replaced by the lines of that file, as rustc reads argument files: nothing is
/// quoted, an empty line is an empty word, and a `@` in a file stands for itself.
///
/// `read` as for [`expand`].
///
/// # Errors
/// What `read` gives; the reason `@` for files that are not there (rustc fails), are too large, or are no text.
pub fn expand_argfiles<'a>(argv: &'a [OsString], read: &mut Read<'_>) -> Result<Cow<'a, [OsString]>, Reason> {
    let file =
        |word: &OsString| word.as_bytes().strip_prefix(b"@").map(|name| OsStr::from_bytes(name).to_owned());
    if !argv.iter().skip(1).any(|word| file(word).is_some()) {
        return Ok(Cow::Borrowed(argv));
    }
    let mut words: Vec<OsString> = argv.first().cloned().into_iter().collect();
    let mut n_bytes = 0_usize;
    for word in argv.iter().skip(1) {
        let Some(name) = file(word) else {
            words.push(word.clone());
            continue;
        };
        let text = read(&name)?.and_then(|text| String::from_utf8(text).ok()).ok_or_else(refuse)?;
        n_bytes = n_bytes.saturating_add(text.len());
        words.extend(text.lines().map(OsString::from));
        if n_bytes > MAX_BYTES || words.len() > MAX_WORDS {
            return Err(refuse());
        }
    }
    Ok(Cow::Owned(words))
}

struct Expansion<'a, 'r> {
    read: &'a mut Read<'r>,
    words: Vec<OsString>,
    n_bytes: usize,
}

impl Expansion<'_, '_> {
    fn add(&mut self, word: OsString, depth: usize, literal: bool) -> Result<(), Reason> {
        let file = word.as_bytes().strip_prefix(b"@").filter(|name| !literal && !name.is_empty());
        let text = file.map(|name| (self.read)(OsStr::from_bytes(name))).transpose()?.flatten();
        let Some(text) = text else {
            if self.words.len() >= MAX_WORDS {
                return Err(refuse());
            }
            self.words.push(word);
            return Ok(());
        };
        self.n_bytes = self.n_bytes.saturating_add(text.len());
        if depth >= MAX_DEPTH || self.n_bytes > MAX_BYTES {
            return Err(refuse());
        }
        for inner in split(&text)? {
            self.add(inner, depth + 1, false)?;
        }
        Ok(())
    }
}

/// Cuts the text of a response file into words.
///
/// # Errors
/// The reason `@` where compilers do not agree.
pub fn split(text: &[u8]) -> Result<Vec<OsString>, Reason> {
    // A NUL ends the text for gcc; a byte order mark makes clang decode it.
    if text.contains(&0) || text.starts_with(b"\xEF\xBB\xBF") || text.starts_with(b"\xFF\xFE") {
        return Err(refuse());
    }
    let mut words = Vec::new();
    let mut bytes = text.iter().copied().peekable();
    loop {
        while bytes.next_if(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).is_some() {}
        if bytes.peek().is_none() {
            return Ok(words);
        }
        words.push(next_word(&mut bytes)?);
    }
}

fn next_word(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>) -> Result<OsString, Reason> {
    let mut word = Vec::new();
    let mut quote = None;
    loop {
        match (bytes.peek().copied(), quote) {
            (None | Some(b' ' | b'\t' | b'\r' | b'\n'), None) => break,
            (None, Some(_)) => return Err(refuse()),
            (Some(b'\\'), _) => {
                bytes.next();
                word.push(escaped(bytes.peek().copied(), quote)?);
            }
            (Some(byte), Some(open)) if byte == open => quote = None,
            (Some(byte @ (b'"' | b'\'')), None) => quote = Some(byte),
            // Blanks for gcc only.
            (Some(b'\x0b' | b'\x0c'), None) => return Err(refuse()),
            (Some(byte), _) => word.push(byte),
        }
        bytes.next();
    }
    // clang drops an empty word, gcc keeps it.
    if word.is_empty() { Err(refuse()) } else { Ok(OsString::from_vec(word)) }
}

/// The byte after a backslash, where all agree on what it stands for.
fn escaped(byte: Option<u8>, quote: Option<u8>) -> Result<u8, Reason> {
    match (byte, quote) {
        (None | Some(b'\n' | b'\r'), _) | (_, Some(b'\'')) => Err(refuse()),
        (Some(byte), None) => Ok(byte),
        (Some(byte @ (b'"' | b'\\' | b'$' | b'`')), Some(_)) => Ok(byte),
        (Some(_), Some(_)) => Err(refuse()),
    }
}
