//! Which libraries and programs call the kernel by themselves, past the observer.
use super::files::{Identity, Stamp};
use cachepot_engine::observed::direct::calls_kernel;
use foldhash::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Answers by file, remembered by stamp.
#[derive(Default)]
pub struct DirectCalls(Mutex<HashMap<Identity, (Stamp, bool)>>);

/// Beyond this many the memory starts anew.
const MAX_ANSWERS: usize = 4096;

impl DirectCalls {
    /// Whether the file of this stamp does, as far as can be told: what cannot be read does.
    pub(super) fn calls_kernel(&self, path: &Path, stamp: &Stamp) -> bool {
        // The C library and the loader make the calls for all others.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("libc.so.") || name.starts_with("ld-linux") || name.starts_with("libpthread.so.") {
            return false;
        }
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, answer)) = known().get(&stamp.identity()).filter(|(then, _)| then == stamp) {
            return *answer;
        }
        let answer = std::fs::read(path).map_or(true, |file| calls_kernel(&file));
        let mut known = known();
        if known.len() >= MAX_ANSWERS {
            known.clear();
        }
        known.insert(stamp.identity(), (*stamp, answer));
        answer
    }
}
