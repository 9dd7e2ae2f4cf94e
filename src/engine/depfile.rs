//! Texts that name the files a compiler read: make dependency text and header traces.
//!
//! Escapes of gcc and clang in dependency text: a blank in a name is written `\ `, with each backslash before it
//! doubled; `#` is written `\#` and `$` is written `$$`; a backslash before anything else stands for itself.
//! A name that ends with a backslash or holds a line end cannot be told from other names; it comes out as a name
//! that does not exist, and nothing is stored. Absent on purpose: reading the files named.
use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Why a dependency text names no inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DepfileError {
    /// There is no `target: prerequisites` in it.
    #[error("no rule in the dependency text")]
    NoRule,
    /// The rule has no prerequisites; a compile always has its source.
    #[error("no prerequisites in the dependency text")]
    Empty,
}

/// The prerequisites of the first rule, in order, each once.
///
/// # Errors
/// [`DepfileError`] where the text is not that of a compile.
pub fn inputs(text: &[u8]) -> Result<Vec<OsString>, DepfileError> {
    let colon = text.iter().enumerate().position(|(at, &byte)| byte == b':' && ends_targets(text, at));
    let rest = text.get(colon.ok_or(DepfileError::NoRule)? + 1..).unwrap_or_default();
    let names = each_once(Names { rest }.map(OsString::from_vec).collect());
    if names.is_empty() { Err(DepfileError::Empty) } else { Ok(names) }
}

/// Names in order, without those that have come before.
pub(crate) fn each_once(names: Vec<OsString>) -> Vec<OsString> {
    let mut seen = HashSet::with_capacity(names.len());
    let is_new: Vec<bool> = names.iter().map(|name| seen.insert(name)).collect();
    names.into_iter().zip(is_new).filter_map(|(name, is_new)| is_new.then_some(name)).collect()
}

/// A colon ends the targets when a blank, a line end or nothing follows.
pub(crate) fn ends_targets(text: &[u8], colon: usize) -> bool {
    match text.get(colon + 1) {
        None | Some(b' ' | b'\t' | b'\n' | b'\r') => true,
        Some(b'\\') => matches!(text.get(colon + 2), Some(b'\n' | b'\r')),
        Some(_) => false,
    }
}

/// The names up to the first line end that is not escaped.
struct Names<'a> {
    rest: &'a [u8],
}

impl Iterator for Names<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        loop {
            let is_plain = |byte: &&u8| !matches!(byte, b'\\' | b' ' | b'\t' | b'\r' | b'\n' | b'#' | b'$');
            let n_plain = self.rest.iter().take_while(is_plain).count();
            let (plain, rest) = self.rest.split_at(n_plain);
            name.extend_from_slice(plain);
            self.rest = rest;
            let n_slashes = self.rest.iter().take_while(|&&byte| byte == b'\\').count();
            let after = self.rest.get(n_slashes..).unwrap_or_default();
            let Some((&byte, tail)) = after.split_first() else {
                self.rest = after;
                name.extend(std::iter::repeat_n(b'\\', n_slashes));
                return (!name.is_empty()).then_some(name);
            };
            let is_line_end = byte == b'\n' || (byte == b'\r' && tail.first() == Some(&b'\n'));
            let mut ends = false;
            match byte {
                b' ' | b'\t' => {
                    name.extend(std::iter::repeat_n(b'\\', n_slashes / 2));
                    ends = n_slashes % 2 == 0;
                    if !ends {
                        name.push(byte);
                    }
                }
                _ if is_line_end => {
                    name.extend(std::iter::repeat_n(b'\\', n_slashes.saturating_sub(1)));
                    ends = true;
                }
                b'#' => {
                    name.extend(std::iter::repeat_n(b'\\', n_slashes.saturating_sub(1)));
                    name.push(byte);
                }
                _ => {
                    name.extend(std::iter::repeat_n(b'\\', n_slashes));
                    name.push(byte);
                }
            }
            self.rest = match byte {
                b'$' if tail.first() == Some(&b'$') => tail.get(1..).unwrap_or_default(),
                // The unescaped line end stays: it ends the rule for good.
                _ if is_line_end && n_slashes == 0 => &[],
                b'\r' if is_line_end => tail.get(1..).unwrap_or_default(),
                _ => tail,
            };
            if ends && !name.is_empty() {
                return Some(name);
            }
        }
    }
}

/// The paths in a header trace, in order, each once: lines of `-H` form (dots, a blank, a path) and the lines
/// of clang's header file, which hold nothing but a path.
pub fn header_trace(text: &[u8]) -> Vec<OsString> {
    let mut seen = HashSet::new();
    text.split(|&byte| byte == b'\n')
        .map(|line| {
            let n_dots = line.iter().take_while(|&&byte| byte == b'.').count();
            match line.get(n_dots..) {
                Some([b' ', path @ ..]) if n_dots > 0 => path,
                _ => line,
            }
        })
        .filter(|path| !path.is_empty() && seen.insert(*path))
        .map(|path| OsString::from_vec(path.to_vec()))
        .collect()
}
