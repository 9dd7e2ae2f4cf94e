//! Folders whose names are left out of keys, records and messages, so that a checkout elsewhere finds what this one made.
//!
//! Where the name of such a folder stands in a text, a mark takes its place: a zero byte, which no path, word or value
//! holds, and the letter of the folder. Absent on purpose: which folders these are for a compiler, and making it leave
//! them out of what it writes.
use std::borrow::Cow;

/// A folder that is somewhere else in another checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Tells the bases of one call apart, and is the same in all checkouts.
    pub letter: u8,
    /// Its path: absolute, without `.`, `..`, doubled slashes and a closing slash.
    pub folder: Vec<u8>,
    /// What the compiler is told to write instead of it.
    pub instead: String,
}

impl Base {
    /// Whether it is the folder in which the compiler runs: the kernel tells its name, so no part of it is a link, and
    /// `..` leads up from it.
    pub fn is_where_it_runs(&self) -> bool {
        matches!(self.letter, b'w' | b'p')
    }
}

/// The bases of a call; for most there are none, and then every text stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bases(Vec<Base>);

/// What stands before a mark's letter.
pub const MARK: u8 = 0;

impl Bases {
    /// Takes folders in any order. Those that texts do not hold as they are (escaped in JSON or in a dependency file)
    /// are left out, and so is the root.
    pub fn new(bases: impl IntoIterator<Item = Base>) -> Self {
        let mut bases: Vec<Base> = bases.into_iter().filter(|base| is_plain(&base.folder)).collect();
        // Of two that fit the longer one is meant; of two that are one folder, the first.
        let length = |base: &Base| std::cmp::Reverse(base.folder.len());
        bases.sort_by(|one, other| (length(one), &one.folder).cmp(&(length(other), &other.folder)));
        bases.dedup_by(|later, earlier| later.folder == earlier.folder);
        Bases(bases)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, a folder before those that hold it.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Base> {
        self.0.iter()
    }

    /// A text with marks for all folders whose names stand in it as whole paths or beginnings of paths.
    pub fn neutral<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut out, mut copied) = (Vec::new(), 0);
        for at in memchr::memchr_iter(b'/', text) {
            let Some((base, end)) = (at >= copied).then(|| self.at(text, at)).flatten() else { continue };
            out.extend_from_slice(text.get(copied..at).unwrap_or_default());
            out.extend([MARK, base.letter]);
            copied = end;
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// A text with the folders for the marks; `None` where a mark is none of ours.
    pub fn real<'t>(&self, text: &'t [u8]) -> Option<Cow<'t, [u8]>> {
        let mut parts = text.split(|&byte| byte == MARK);
        let first = parts.next().unwrap_or_default();
        if first.len() == text.len() {
            return Some(Cow::Borrowed(text));
        }
        let mut out = first.to_vec();
        for part in parts {
            let (letter, rest) = part.split_first()?;
            out.extend_from_slice(&self.of_letter(*letter)?.folder);
            out.extend_from_slice(rest);
        }
        Some(Cow::Owned(out))
    }

    /// The base of a letter.
    pub fn of_letter(&self, letter: u8) -> Option<&Base> {
        self.0.iter().find(|base| base.letter == letter)
    }

    /// The base that a path leads into, or is.
    pub fn holding(&self, path: &[u8]) -> Option<&Base> {
        self.at(path, 0).map(|(base, _)| base)
    }

    /// Whether the name of a base stands in a text, whatever is around it.
    pub fn is_named_in(&self, text: &[u8]) -> bool {
        self.0.iter().any(|base| memchr::memmem::find(text, &base.folder).is_some())
    }

    /// Whether a path only begins as a base does: `/a/project`, where `/a/pro` is one.
    pub fn cut(&self, path: &[u8]) -> bool {
        self.holding(path).is_none() && self.0.iter().any(|base| path.starts_with(&base.folder))
    }

    /// The base whose name begins at `at`, and where it ends.
    fn at(&self, text: &[u8], at: usize) -> Option<(&Base, usize)> {
        if at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|&byte| is_of_name(byte)) {
            return None;
        }
        let rest = text.get(at..)?;
        let fits = |base: &&Base| {
            let after = rest.strip_prefix(base.folder.as_slice());
            after.is_some_and(|after| after.first().is_none_or(|&byte| byte == b'/' || !is_of_name(byte)))
        };
        self.0.iter().find(fits).map(|base| (base, at + base.folder.len()))
    }
}

/// Whether a byte goes on with the name of a file: a slash, too, for `//w` is not `/w`.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/_-.+~@%#$&!^{}[]()".contains(&byte) || !byte.is_ascii()
}

fn is_plain(folder: &[u8]) -> bool {
    let is_odd = |&byte: &u8| byte <= b' ' || byte == 127 || b"\"\\'=:,;|<>?*`#$".contains(&byte);
    let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.iter().any(is_odd);
    folder.strip_prefix(b"/").is_some_and(|names| names.split(|&byte| byte == b'/').all(is_name))
}
