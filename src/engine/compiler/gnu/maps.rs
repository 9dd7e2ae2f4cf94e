//! What stands for the working directory in the key, and how prefix maps let two checkouts share.
//!
//! A map `OLD=NEW` whose OLD holds the working directory enters the key as NEW and the part of the directory
//! below OLD. That is equal for two checkouts, and so is the output: every path a user spelled is in the key
//! as it stands. Headers below OLD that nobody spelled are looked for when the result is recorded.
use super::line::Line;
use crate::bases::Bases;
use crate::job::{Driver, Family};
use crate::options::{Row, Treatment};
use cachepot_wire::CompileRequest;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// A prefix map of the command line.
#[derive(Debug)]
pub(super) struct Map {
    /// Where its word stands in the key.
    at: usize,
    word: &'static str,
    /// Applies to debug information.
    debug: bool,
    /// Old and new text; `None` where compilers disagree on which `=` counts.
    parts: Option<(Vec<u8>, Vec<u8>)>,
}

impl Map {
    /// The map in the value of a word.
    pub(super) fn new(row: Row, at: usize, value: &OsStr) -> Self {
        let mut halves = value.as_bytes().split(|&byte| byte == b'=').map(<[u8]>::to_vec);
        let parts = match (halves.next(), halves.next(), halves.next()) {
            (Some(old), Some(new), None) if !old.is_empty() => Some((old, new)),
            _ => None,
        };
        Map { at, word: row.word, debug: row.does == Treatment::DebugMap, parts }
    }

    /// Whether it means the same in all checkouts: a map of macros, of a folder in a base or of one that holds none, which
    /// is not the beginning of another base's name.
    pub(super) fn is_like_everywhere(&self, bases: &Bases) -> bool {
        self.parts.as_ref().is_some_and(|(old, new)| {
            let own = bases.holding(old);
            let is_apart = !bases.iter().any(|base| Some(base) != own && base.folder.starts_with(old));
            self.word == "-fmacro-prefix-map=" && !bases.is_named_in(new) && is_apart
        })
    }

    /// The rest of the directory below the old prefix, if that is a whole number of path components.
    fn below<'d>(&self, directory: &'d [u8]) -> Option<&'d [u8]> {
        let (old, _) = self.parts.as_ref()?;
        let rest = directory.strip_prefix(old.as_slice())?;
        (old.first() == Some(&b'/') && (rest.is_empty() || rest.starts_with(b"/") || old.ends_with(b"/")))
            .then_some(rest)
    }

    /// Whether a compiler would apply it to the directory: by bytes, not by components.
    fn applies(&self, directory: &[u8]) -> bool {
        self.parts.as_ref().is_none_or(|(old, _)| directory.starts_with(old))
    }
}

/// The directory as it enters the key.
pub(super) struct Directory {
    /// Text for the key.
    pub(super) key: Option<OsString>,
    /// Folders that maps took out of the key; with bases, those whose names macros do not give.
    pub(super) mapped: Vec<PathBuf>,
}

/// Decides on the directory, and rewrites in the key the maps that make it shareable. Where there are bases, no word but
/// those for debug information brings it into an output, and the compile runs with a `PWD` that is the directory.
pub(super) fn settle(
    line: &mut Line<'_>,
    driver: &Driver,
    request: &CompileRequest,
    bases: &Bases,
) -> Directory {
    if !bases.is_empty() {
        let key = line.debug.then(|| request.cwd.clone().into_os_string());
        let old = line.maps.iter().filter_map(|map| map.parts.as_ref().map(|(old, _)| old));
        let mapped =
            old.filter(|old| bases.holding(old).is_some()).map(|old| OsString::from_vec(old.clone()).into());
        return Directory { key, mapped: mapped.collect() };
    }
    let whole = whole_text(request);
    let cwd = request.cwd.as_os_str().as_bytes();
    // Where PWD names another path we cannot tell which one the compiler will use.
    let shareable =
        whole.as_bytes() == cwd && !line.whole_directory && line.maps.iter().all(|map| map.parts.is_some());
    let wanted = line.whole_directory || line.lto || (line.debug && !line.compile_directory);
    if !shareable {
        return Directory {
            key: (wanted || line.compile_directory && line.debug).then_some(whole),
            mapped: Vec::new(),
        };
    }
    let debug_text = match winner(line, driver, cwd) {
        Ok(map) => map.and_then(|map| Some([map.parts.as_ref()?.1.as_slice(), map.below(cwd)?].concat())),
        Err(Unclear) => return Directory { key: wanted.then_some(whole), mapped: Vec::new() },
    };
    let mapped = rewrite(line, cwd);
    let key = wanted.then(|| debug_text.filter(|_| !line.lto).map_or(whole, |text| tagged(b"mapped", &text)));
    Directory { key, mapped }
}

/// The working directory, with PWD behind it where gcc and clang may prefer that (T69).
fn whole_text(request: &CompileRequest) -> OsString {
    let cwd = request.cwd.as_os_str();
    match request.env.get("PWD") {
        Some(pwd) if pwd != cwd && pwd.as_bytes().first() == Some(&b'/') => {
            tagged(cwd.as_bytes(), pwd.as_bytes())
        }
        _ => cwd.to_owned(),
    }
}

/// Joins two texts by a byte that no path holds.
fn tagged(first: &[u8], second: &[u8]) -> OsString {
    OsString::from_vec([first, b"\0", second].concat())
}

/// Nobody knows which of several maps counts.
struct Unclear;

/// The map that the compiler applies to the directory in debug information: gcc takes the last that fits;
/// clang's choice depends on its version, so only a single one is clear.
fn winner<'l>(line: &'l Line<'_>, driver: &Driver, cwd: &[u8]) -> Result<Option<&'l Map>, Unclear> {
    let mut fitting = line.maps.iter().filter(|map| map.debug && map.applies(cwd));
    let last = fitting.next_back();
    let clear = driver.family == Family::Gcc || fitting.next().is_none();
    match last {
        Some(map) if !clear || map.below(cwd).is_none() => Err(Unclear),
        other => Ok(other),
    }
}

/// Replaces the old side of every map that holds the directory by what lies below it.
fn rewrite(line: &mut Line<'_>, cwd: &[u8]) -> Vec<PathBuf> {
    let mut mapped = Vec::new();
    for map in &line.maps {
        let (Some((old, new)), Some(rest), Some(word)) =
            (&map.parts, map.below(cwd), line.key.get_mut(map.at))
        else {
            continue;
        };
        *word = OsString::from_vec([map.word.as_bytes(), b"\0", rest, b"\0", new].concat());
        mapped.push(OsString::from_vec(old.clone()).into());
    }
    mapped
}
