//! Reads the dep-info of rustc: a make dependency text with comments.
//!
//! ```text
//! dep-info = rule* file-rule* comment*     each in lines of its own, empty lines between
//! rule      = target ": " name (" " name)*     the target is not escaped
//! file-rule = name ":"
//! comment   = "# env-dep:" NAME ["=" value] | "# checksum:" ...
//! ```
//!
//! Every file has a rule of its own, so those are read: names that hold no blank but as `\ `. Nothing else is escaped
//! in a name. In a comment `\n`, `\r` and `\\` stand for a line end, a carriage return and a backslash. A name with a
//! line end comes out as names that do not exist. Source: `rustc_interface::passes::write_out_deps`; tried with
//! 1.95 and 1.97. Absent on purpose: reading the files named.
use crate::depfile::each_once;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What a dep-info names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepInfo {
    /// The source files, each once, as rustc spelled them: relative to its working directory or absolute.
    pub files: Vec<OsString>,
    /// The variables that the crate read by `env!` and `option_env!` with their values then; `None` for one
    /// that was not set.
    pub variables: Vec<(OsString, Option<OsString>)>,
}

/// Reads the text of a dep-info; `None` where it names no file, which is not that of a compile.
pub fn read(text: &[u8]) -> Option<DepInfo> {
    let mut found = DepInfo::default();
    for line in text.split(|&byte| byte == b'\n') {
        if let Some(variable) = line.strip_prefix(b"# env-dep:") {
            let mut halves = variable.splitn(2, |&byte| byte == b'=').map(unescape_value);
            found.variables.extend(halves.next().map(|name| (name, halves.next())));
        } else if let Some(name) = line.strip_suffix(b":").filter(|name| !name.is_empty()) {
            found.files.extend(unescape_name(name));
        }
    }
    found.files = each_once(found.files);
    (!found.files.is_empty()).then_some(found)
}

/// The name in a rule without prerequisites; `None` for a line that holds a blank of its own.
fn unescape_name(name: &[u8]) -> Option<OsString> {
    let mut plain = Vec::with_capacity(name.len());
    for &byte in name {
        if byte == b' ' && plain.pop() != Some(b'\\') {
            return None;
        }
        plain.push(byte);
    }
    Some(OsString::from_vec(plain))
}

fn unescape_value(text: &[u8]) -> OsString {
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let meant = match (byte, after.first()) {
            (b'\\', Some(b'n')) => Some(b'\n'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b'\\')) => Some(b'\\'),
            _ => None,
        };
        value.push(meant.unwrap_or(byte));
        rest = if meant.is_some() { after.get(1..).unwrap_or_default() } else { after };
    }
    OsString::from_vec(value)
}
