//! Which libraries and programs do what no observer sees: call the kernel by themselves, or read the whole environment.
use super::files::{Identity, Stamp};
use cachepot_engine::observed::direct;
use foldhash::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What can be told from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Powers {
    /// It may call the kernel past the C library.
    pub(super) calls_kernel: bool,
    /// It may read all variables without naming one.
    pub(super) names_environment: bool,
}

/// Answers by file, remembered by stamp.
#[derive(Default)]
pub struct DirectCalls(Mutex<HashMap<Identity, (Stamp, Powers)>>);

/// Beyond this many the memory starts anew.
const MAX_ANSWERS: usize = 4096;

impl DirectCalls {
    /// What the file of this stamp may do: anything, where it cannot be read.
    pub(super) fn powers(&self, path: &Path, stamp: &Stamp) -> Powers {
        // The C library and the loader make the calls for all others.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if ["libc.so.", "ld-linux", "libpthread.so."].iter().any(|system| name.starts_with(system)) {
            return Powers { calls_kernel: false, names_environment: false };
        }
        if let Some((_, powers)) = self.known().get(&stamp.identity()).filter(|(then, _)| then == stamp) {
            return *powers;
        }
        let powers = match std::fs::read(path) {
            // A script: the program that reads it is another file.
            Ok(file) if !file.starts_with(b"\x7fELF") => {
                Powers { calls_kernel: false, names_environment: false }
            }
            Ok(file) => Powers {
                calls_kernel: direct::calls_kernel(&file),
                names_environment: direct::names_environment(&file),
            },
            Err(_) => Powers { calls_kernel: true, names_environment: true },
        };
        let mut known = self.known();
        if known.len() >= MAX_ANSWERS {
            known.clear();
        }
        known.insert(stamp.identity(), (*stamp, powers));
        powers
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Identity, (Stamp, Powers)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
