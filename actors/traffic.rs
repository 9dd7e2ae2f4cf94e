//! How many sessions are in flight, since when nobody asked, and whether there is time left for what goes on behind.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A build asks again sooner, unless it works on something else.
const CALM: Duration = Duration::from_secs(1);

/// See the file's head.
pub struct Traffic {
    inside: AtomicUsize,
    last: Mutex<Instant>,
    /// True when the coordinator is to end.
    hurries: watch::Sender<bool>,
}

impl Default for Traffic {
    fn default() -> Self {
        Traffic {
            inside: AtomicUsize::new(0),
            last: Mutex::new(Instant::now()),
            hurries: watch::Sender::new(false),
        }
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
    /// Whether no build seems to be going on, or nothing can wait for its end any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.hurries() || self.is_idle_for(CALM)
    }
    /// From now on nothing waits for a quiet moment or for an idle processor.
    pub(crate) fn hurry(&self) {
        self.hurries.send_replace(true);
    }
    /// Whether that was said.
    pub(crate) fn hurries(&self) -> bool {
        *self.hurries.borrow()
    }
    /// Waits until it is said.
    pub(crate) async fn wait_for_hurry(&self) {
        // The sender is ours: it does not end first.
        let _ = self.hurries.subscribe().wait_for(|hurries| *hurries).await;
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
