//! A look at many files: whether each is as it was when it was last read. Most of a hit with many headers is the
//! kernel finding them in its memory, so whoever has time may share the work.
use super::files::{Stamp, is_file, stat};
use super::paths::Place;
use std::ffi::CStr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Files that one worker takes at a time: few, for the last ones that a helper has taken are looked at twice.
const PART: usize = 8;
/// A look at fewer files is done before a helper has woken up.
const WORTH_HELP: usize = 96;

/// Hands a look to somebody else, who may come early, late or never.
pub type Help<'a> = &'a dyn Fn(&Arc<Look>);

/// See the file's head.
pub struct Look {
    place: Place,
    paths: Arc<[Arc<CStr>]>,
    /// One for each path.
    stamps: Arc<[Stamp]>,
    /// The first part that nobody has taken.
    next: AtomicUsize,
    /// Parts that were found unchanged.
    unchanged: Box<[AtomicBool]>,
    /// One file at least is not as it was.
    changed: AtomicBool,
}

impl Look {
    /// Begins to look whether all plain files at these paths bear these stamps; `None` where the first ones do not.
    pub(super) fn begin(
        place: &Place,
        paths: &Arc<[Arc<CStr>]>,
        stamps: Arc<[Stamp]>,
        help: Help<'_>,
    ) -> Option<Arc<Self>> {
        if paths.len() != stamps.len() {
            return None;
        }
        let parts = paths.len().div_ceil(PART);
        let look = Arc::new(Look {
            place: place.clone(),
            paths: Arc::clone(paths),
            stamps,
            next: AtomicUsize::new(1),
            unchanged: (0..parts).map(|_| AtomicBool::new(false)).collect(),
            changed: AtomicBool::new(false),
        });
        // Most records that do not stand are told by their source already.
        let first = look.unchanged.first().filter(|_| look.part_stands(0))?;
        first.store(true, Ordering::Relaxed);
        if look.is_long() {
            help(&look);
        }
        Some(look)
    }

    /// Whether somebody was asked to help, and so has begun meanwhile.
    pub(super) fn is_long(&self) -> bool {
        self.paths.len() >= WORTH_HELP
    }

    /// Nobody wants to know any more.
    pub(super) fn abandon(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Looks at what nobody else has looked at: whether all stand.
    pub(super) fn end(&self) -> bool {
        self.share();
        self.finish()
    }

    /// Takes part after part, until none is left or something changed.
    pub fn share(&self) {
        while !self.changed.load(Ordering::Relaxed) {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(unchanged) = self.unchanged.get(part) else { return };
            if self.part_stands(part) {
                unchanged.store(true, Ordering::Release);
            } else {
                self.changed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// A helper that takes a part and never does it.
    #[cfg(test)]
    pub(super) fn take_and_leave(&self) {
        self.next.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody waits for a helper: what it has taken and not done yet is done again.
    fn finish(&self) -> bool {
        let stands = |(part, unchanged): (usize, &AtomicBool)| {
            unchanged.load(Ordering::Acquire) || self.part_stands(part)
        };
        !self.changed.load(Ordering::Relaxed) && self.unchanged.iter().enumerate().all(stands)
    }

    fn part_stands(&self, part: usize) -> bool {
        let range: Range<usize> = part * PART..(part * PART + PART).min(self.paths.len());
        let (Some(paths), Some(stamps)) = (self.paths.get(range.clone()), self.stamps.get(range)) else {
            return false;
        };
        paths.iter().zip(stamps).all(|(path, stamp)| {
            stat(&self.place, path).is_ok_and(|stat| is_file(&stat) && Stamp::of(&stat) == *stamp)
        })
    }
}
