//! The disk store: what goes on behind the requests. Index, walks over the folder, eviction after them, clearing.
use std::collections::HashSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use cachepot_engine::envelope::Kind;

use super::index::{Index, NoIndex, Opened};
use super::layout::Key;
use super::scan::{self, Found};
use super::store::{LocalStore, hold};
use super::temp;
use crate::error::StoreError;

/// Seldom: each waking costs power on a machine where nothing happens.
const TICK: Duration = Duration::from_secs(1);
const INDEX_RETRY: Duration = Duration::from_secs(3);
const WALK_EVERY: Duration = Duration::from_secs(600);
/// While other coordinators store into the folder too.
const WALK_EVERY_SHARED: Duration = Duration::from_secs(60);
/// Between two of the 256 folders, on a walk that nobody waits for.
const WALK_PAUSE: Duration = Duration::from_millis(20);
/// Blobs without their entry are somebody's put in progress until this age, in microseconds.
const ORPHAN_AGE: u64 = 3600 * 1_000_000;

/// How a walk came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    Done,
    Stopped,
    /// A folder could not be listed.
    Failed,
}

impl LocalStore {
    /// Opens the index, counts what is there, keeps the account right and the folder below its limit, until
    /// `stop` is set (unpark the thread then). To be called once, on a thread of its own.
    pub fn maintain(&self, stop: &AtomicBool) {
        let mut next_index = Instant::now();
        let mut last_walk = Instant::now();
        let mut others_store = false;
        // Whether there is a walk or not: who was killed may have left much.
        temp::remove_leftovers(&self.layout.tmp);
        while !stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now >= next_index {
                self.attach_index();
                others_store |= hold(&self.index).is_some() && fs::remove_file(&self.layout.behind).is_ok();
                next_index = now + INDEX_RETRY;
            }
            let is_counted = hold(&self.ledger).is_complete();
            let is_wanted = self.walk_wanted.load(Ordering::Relaxed);
            let walk_every = if others_store { WALK_EVERY_SHARED } else { WALK_EVERY };
            if !is_counted || is_wanted || now >= last_walk + walk_every {
                let pause = if is_counted && !is_wanted { WALK_PAUSE } else { Duration::ZERO };
                // Before the walk: what happens meanwhile may ask for another one.
                others_store = false;
                self.walk_wanted.store(false, Ordering::Relaxed);
                let walk = self.walk(pause, stop);
                tracing::debug!(outcome = ?walk, elapsed_us = micros(now.elapsed()), "cache folder walked");
                if walk == Walk::Done {
                    last_walk = Instant::now();
                } else {
                    self.walk_wanted.store(true, Ordering::Relaxed);
                    rest(INDEX_RETRY, stop);
                }
            }
            self.shrink();
            rest(TICK, stop);
        }
    }

    /// Writes uses and changes to the index. To be called every few seconds.
    pub fn flush(&self) {
        let mut held = hold(&self.index);
        let Some(index) = held.as_ref() else {
            drop(held);
            return self.flush_without_index();
        };
        let changes = {
            let mut ledger = hold(&self.ledger);
            self.apply_touches(&mut ledger);
            ledger.take_dirty()
        };
        let in_place = index.is_in_place(&self.layout);
        let written = if !in_place {
            Err("its folder was removed or replaced".to_owned())
        } else if changes.is_empty() {
            Ok(())
        } else {
            index.write(&changes)
        };
        if let Err(reason) = written {
            tracing::warn!(reason, "index of the cache given up; it is built again");
            if let Some(index) = held.take() {
                index.abandon();
            }
            hold(&self.ledger).set_all_dirty();
        }
    }

    /// Flushes and closes the index. The store goes on without one; dropping the store does the same.
    pub fn shut_down(&self) {
        self.flush();
        let index = hold(&self.index).take();
        // A walk that is due means that the index may not know everything.
        let is_whole = hold(&self.ledger).is_complete() && !self.walk_wanted.load(Ordering::Relaxed);
        match index {
            Some(index) if is_whole => index.close(),
            Some(index) => index.abandon(),
            None => {}
        }
    }

    /// Removes all entries and manifests, and nothing else.
    ///
    /// # Errors
    /// The last failure; what can be removed is removed all the same.
    pub fn clear(&self) -> Result<(), StoreError> {
        let _walking = hold(&self.walking);
        let began = self.now();
        let mut problem = None;
        for (shard, digits) in self.layout.shards() {
            match scan::list(&shard, &digits) {
                Err(error) => problem = Some(StoreError::of_read(&shard, error)),
                Ok(found) => {
                    for (key, found) in found {
                        let _stripe = self.stripe(&key);
                        problem = self.delete(&key).err().or(problem);
                        // Blobs behind a gap in the numbers.
                        found.files.iter().for_each(|file| drop(fs::remove_file(file)));
                    }
                }
            }
        }
        temp::remove_leftovers(&self.layout.tmp);
        if problem.is_none() {
            hold(&self.ledger).finish_walk(&HashSet::new(), began);
        }
        problem.map_or(Ok(()), Err)
    }

    /// Opens the index if there is none yet and takes over what it knows.
    fn attach_index(&self) {
        let mut held = hold(&self.index);
        if held.is_some() {
            return;
        }
        let mut opened = Index::open(&self.layout);
        if let Err(NoIndex::Damaged(reason)) = &opened {
            tracing::warn!(reason, "index of the cache was damaged; it is built again");
            opened = Index::open(&self.layout);
        }
        let Opened { index, records, is_whole } = match opened {
            Ok(opened) => opened,
            Err(no_index) => {
                tracing::debug!(reason = %no_index, "no index of the cache");
                return;
            }
        };
        let mut ledger = hold(&self.ledger);
        let was_complete = ledger.is_complete();
        // Nothing known and not closed in order: the walk tells, until then the size is unknown.
        if was_complete || is_whole || !records.is_empty() {
            ledger.load(records.into_iter());
        }
        if was_complete {
            ledger.set_all_dirty();
        }
        if was_complete || !is_whole || fs::remove_file(&self.layout.behind).is_ok() {
            self.walk_wanted.store(true, Ordering::Relaxed);
        }
        *held = Some(index);
    }

    /// Another coordinator has the index: the time of use goes into the modification time, which walks read.
    fn flush_without_index(&self) {
        let touched = {
            let mut ledger = hold(&self.ledger);
            if !ledger.is_complete() {
                return;
            }
            if ledger.forget_dirty() {
                // In a folder that cannot be written nothing was stored either.
                let _ = File::create(&self.layout.behind);
            }
            let touched = self.apply_touches(&mut ledger);
            ledger.forget_dirty();
            touched
        };
        for (key, used) in touched {
            let file = File::open(self.layout.head(&key));
            // In a folder that cannot be written the use is forgotten.
            let _ = file.and_then(|file| file.set_modified(UNIX_EPOCH + Duration::from_micros(used)));
        }
    }

    /// Counts what is in the folder and removes leftovers.
    fn walk(&self, pause: Duration, stop: &AtomicBool) -> Walk {
        let _walking = hold(&self.walking);
        let began = self.now();
        hold(&self.ledger).begin_walk();
        temp::remove_leftovers(&self.layout.tmp);
        let mut seen = HashSet::new();
        for (shard, digits) in self.layout.shards() {
            if stop.load(Ordering::Relaxed) {
                hold(&self.ledger).abandon_walk();
                return Walk::Stopped;
            }
            let Ok(mut found) = scan::list(&shard, &digits) else {
                hold(&self.ledger).abandon_walk();
                return Walk::Failed;
            };
            found.retain(|key, found| !self.remove_orphan(key, found, began));
            let mut ledger = hold(&self.ledger);
            for (key, found) in &found {
                ledger.found(*key, found.record(), began);
            }
            drop(ledger);
            seen.extend(found.into_keys());
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
        hold(&self.ledger).finish_walk(&seen, began);
        Walk::Done
    }

    /// Removes blobs that no entry names, if they are too old to belong to a put in progress.
    fn remove_orphan(&self, key: &Key, found: &Found, now: u64) -> bool {
        if found.has_head || key.kind != Kind::Result || found.changed.saturating_add(ORPHAN_AGE) > now {
            return false;
        }
        let _stripe = self.stripe(key);
        let is_orphan = fs::symlink_metadata(self.layout.head(key)).is_err();
        if is_orphan {
            let remove = |file: &PathBuf| drop(fs::remove_file(file));
            found.files.iter().for_each(remove);
        }
        is_orphan
    }

    /// Enforces the limit: it may have been lowered since the last start, or another coordinator stored.
    fn shrink(&self) {
        let _evicting = hold(&self.evicting);
        let victims = {
            let mut ledger = hold(&self.ledger);
            if ledger.is_tight(0) {
                self.apply_touches(&mut ledger);
            }
            ledger.shrink()
        };
        if let Err(error) = self.evict(victims) {
            tracing::debug!(%error, "cannot make the cache smaller");
        }
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// Sleeps, but not beyond `stop`.
fn rest(length: Duration, stop: &AtomicBool) {
    let end = Instant::now() + length;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        && !stop.load(Ordering::Relaxed)
    {
        std::thread::park_timeout(left);
    }
}
