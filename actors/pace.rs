//! How long a kind of work took last: what is quick is done where it is asked for, and what waits for a disk or a network, by a
//! pool.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// More than a look at a thousand files whose names the kernel has in memory.
const QUICK: Duration = Duration::from_millis(3);

/// See the file's head.
pub struct Pace {
    /// In microseconds.
    last: AtomicU64,
}

impl Default for Pace {
    /// Nothing is known.
    fn default() -> Self {
        Pace { last: AtomicU64::new(u64::MAX) }
    }
}

impl Pace {
    /// Whether it is likely to be quick.
    pub(crate) fn is_quick(&self) -> bool {
        u128::from(self.last.load(Ordering::Relaxed)) <= QUICK.as_micros()
    }
    /// Takes note of how long it took.
    pub(crate) fn note(&self, took: Duration) {
        self.last.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_only_when_it_was_seen() {
        let pace = Pace::default();
        assert!(!pace.is_quick());
        pace.note(QUICK);
        assert!(pace.is_quick());
        pace.note(QUICK * 2);
        assert!(!pace.is_quick());
    }
}
