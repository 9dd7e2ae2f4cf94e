//! The client's environment as it travels.
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The environment as one block of `NAME=value` strings, each ended by a zero byte, in the order of `environ`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvBlock(pub Vec<u8>);

impl EnvBlock {
    /// Collects pairs into a block.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>) -> Self {
        let mut block = Vec::new();
        for (name, value) in pairs {
            block.extend_from_slice(name.as_bytes());
            block.push(b'=');
            block.extend_from_slice(value.as_bytes());
            block.push(0);
        }
        EnvBlock(block)
    }
    /// Every variable as name and value; strings without `=` are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.strings().filter_map(|entry| {
            // The first byte may be `=` in the name on some systems; a name is never empty.
            let at = entry.iter().skip(1).position(|&byte| byte == b'=')? + 1;
            Some((OsStr::from_bytes(entry.get(..at)?), OsStr::from_bytes(entry.get(at + 1..)?)))
        })
    }
    /// The value of a variable; the first of two with one name counts, as for `getenv`.
    #[inline(never)]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.strings().find_map(|entry| value(entry, name.as_bytes())).map(OsStr::from_bytes)
    }
    fn strings(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (entry, after) = rest.split_at_checked(length(rest)).filter(|_| !rest.is_empty())?;
            rest = after.get(1..).unwrap_or_default();
            Some(entry)
        })
    }
}

fn value<'e>(entry: &'e [u8], name: &[u8]) -> Option<&'e [u8]> {
    entry.strip_prefix(name)?.strip_prefix(b"=")
}

/// How far it is to the next zero byte, or to the end.
fn length(text: &[u8]) -> usize {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = LOW << 7;
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        // Eight bytes at a time: the lowest of these bits is that of the first zero (Hacker's Delight, 6-1).
        let word = u64::from_le_bytes(*word);
        let zeros = word.wrapping_sub(LOW) & !word & HIGH;
        if zeros != 0 {
            return at * 8 + zeros.trailing_zeros() as usize / 8;
        }
    }
    words.len() * 8 + rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len())
}
