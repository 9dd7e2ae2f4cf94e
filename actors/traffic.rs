//! How many sessions are in flight, and since when nobody asked.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A build asks again sooner, unless it works on something else.
const CALM: Duration = Duration::from_secs(1);

/// See the file's head.
pub struct Traffic {
    inside: AtomicUsize,
    last: Mutex<Instant>,
}

impl Default for Traffic {
    fn default() -> Self {
        Traffic { inside: AtomicUsize::new(0), last: Mutex::new(Instant::now()) }
    }
}

impl Traffic {
    /// A session begins; it ends when the value is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Inside {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Inside(Arc::clone(self))
    }
    /// The sessions in flight.
    pub(crate) fn n_inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }
    /// Whether no build seems to be going on.
    pub(crate) fn is_calm(&self) -> bool {
        self.is_idle_for(CALM)
    }
    /// Whether none is, and none was for so long.
    pub(crate) fn is_idle_for(&self, limit: Duration) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.n_inside() == 0 && last.elapsed() >= limit
    }
}

/// A session in flight.
pub(crate) struct Inside(Arc<Traffic>);

impl Drop for Inside {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}
