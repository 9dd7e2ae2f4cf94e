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
        self.0.split(|&byte| byte == 0).filter_map(|entry| {
            // The first byte may be `=` in the name on some systems; a name is never empty.
            let at = entry.iter().skip(1).position(|&byte| byte == b'=')? + 1;
            Some((OsStr::from_bytes(entry.get(..at)?), OsStr::from_bytes(entry.get(at + 1..)?)))
        })
    }
    /// The value of a variable; the first of two with one name counts, as for `getenv`.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.iter().find(|(key, _)| key.as_bytes() == name.as_bytes()).map(|(_, value)| value)
    }
}
