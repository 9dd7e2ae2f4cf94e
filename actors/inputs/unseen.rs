//! Which variables a file may ask for without being seen, and whether a script may ask for the time. An interpreter copies the whole environment before its script
//! names one; and what a macro asks for is not to be told from what rustc always asks for.
use super::files::{Identity, Stamp};
use crate::wrapper;
use cachepot_engine::compiler::rustc::INDIFFERENT_VARIABLES;
use cachepot_engine::observed::{dated, direct};
use foldhash::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Names of variables.
pub(super) type Names = Arc<[Vec<u8>]>;

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum As {
    Script,
    Macro,
}

/// Answers by file, remembered by stamp.
#[derive(Default)]
pub struct Unseen {
    names: Mutex<HashMap<(Identity, As), (Stamp, Names)>>,
    dated: Mutex<HashMap<Identity, (Stamp, bool)>>,
}

/// Beyond this many the memory starts anew.
const MAX_ANSWERS: usize = 4096;

/// What shells go by, whatever their script says.
const OF_SHELLS: [&str; 6] = ["BASHOPTS", "BASH_ENV", "ENV", "IFS", "PATH", "SHELLOPTS"];

impl Unseen {
    /// Of a program or a file that one may have run: nothing, where it is no script.
    pub(super) fn of_script(&self, path: &Path, stamp: &Stamp) -> Names {
        self.known(As::Script, stamp, || {
            let names = wrapper::names(path);
            let shells = OF_SHELLS.into_iter().filter(|_| !names.is_empty());
            let can_be_one = |name: &&str| !name.starts_with(|first: char| first.is_ascii_digit());
            let names = names.iter().map(String::as_str).filter(can_be_one).chain(shells);
            names.map(|name| name.as_bytes().to_vec()).collect()
        })
    }

    /// Of a crate that rustc loads, or a library of one: what it names, or what the standard library asks for in its place.
    pub(super) fn of_macro(&self, path: &Path, stamp: &Stamp) -> Names {
        self.known(As::Macro, stamp, || {
            let file = std::fs::read(path).ok();
            let may_ask = |name: &&str| file.as_ref().is_none_or(|file| direct::names_variable(file, name));
            let names = INDIFFERENT_VARIABLES.iter().copied().chain(["PATH"]).filter(may_ask);
            names.map(|name| name.as_bytes().to_vec()).collect()
        })
    }

    /// Whether a file may make a script or a compiler write down the time. What cannot be read may.
    pub(super) fn may_be_dated(&self, path: &Path, stamp: &Stamp) -> bool {
        let lock = || self.dated.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, is_dated)) = lock().get(&stamp.identity()).filter(|(then, _)| then == stamp) {
            return *is_dated;
        }
        let text = std::fs::read(path);
        let is_dated = text.map_or(true, |text| dated::may_be(path.as_os_str().as_bytes(), &text));
        let mut dated = lock();
        if dated.len() >= MAX_ANSWERS {
            dated.clear();
        }
        dated.insert(stamp.identity(), (*stamp, is_dated));
        is_dated
    }

    fn known(&self, what: As, stamp: &Stamp, look: impl FnOnce() -> Names) -> Names {
        let lock = || self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, names)) = lock().get(&(stamp.identity(), what)).filter(|(then, _)| then == stamp) {
            return Arc::clone(names);
        }
        let names = look();
        let mut known = lock();
        if known.len() >= MAX_ANSWERS {
            known.clear();
        }
        known.insert((stamp.identity(), what), (*stamp, Arc::clone(&names)));
        names
    }
}
