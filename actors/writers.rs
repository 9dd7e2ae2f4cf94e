//! Who writes where at this moment. Two calls that write one file at the same time would be taken for each other: the
//! client opens what lies there when its compiler has ended. Such a result is not kept.
//!
//! Absent on purpose: what other programs write, and other names that links give to a folder.
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The running compiles by the places that they write to.
#[derive(Default)]
pub struct Writers(Mutex<HashMap<PathBuf, Vec<Arc<AtomicBool>>>>);

impl Writers {
    fn places(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<Arc<AtomicBool>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is about to write to these places, relative to `cwd`: the compiles that are at work there are not
    /// alone.
    pub fn disturb<'p>(&self, cwd: &Path, places: impl Iterator<Item = &'p Path>) {
        let running = self.places();
        if !running.is_empty() {
            let others = places.filter_map(|place| running.get(&cwd.join(place))).flatten();
            others.for_each(|other| other.store(true, Ordering::Relaxed));
        }
    }

    /// Begins a compile that writes to these places.
    pub fn begin<'p>(self: &Arc<Self>, cwd: &Path, places: impl Iterator<Item = &'p Path>) -> Writing {
        let disturbed = Arc::new(AtomicBool::new(false));
        let places: Vec<PathBuf> = places.map(|place| cwd.join(place)).collect();
        let mut running = self.places();
        for place in &places {
            let here = running.entry(place.clone()).or_default();
            here.iter().for_each(|other| other.store(true, Ordering::Relaxed));
            disturbed.fetch_or(!here.is_empty(), Ordering::Relaxed);
            here.push(Arc::clone(&disturbed));
        }
        Writing { among: Arc::clone(self), places, disturbed }
    }
}

/// A compile that writes; it ends when this is dropped.
pub struct Writing {
    among: Arc<Writers>,
    places: Vec<PathBuf>,
    disturbed: Arc<AtomicBool>,
}

impl Writing {
    /// Ends it, and tells whether nobody else wrote to its places meanwhile.
    pub fn end(&mut self) -> bool {
        let mut running = self.among.places();
        for place in self.places.drain(..) {
            if let Some(here) = running.get_mut(&place) {
                here.retain(|other| !Arc::ptr_eq(other, &self.disturbed));
                if here.is_empty() {
                    running.remove(&place);
                }
            }
        }
        !self.disturbed.load(Ordering::Relaxed)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.end();
    }
}
