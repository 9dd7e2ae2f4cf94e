//! Who uses how much, and who goes first. Absent on purpose: files, clocks, locks.
//!
//! Bytes are file lengths. A put reserves its bytes before it writes them, so that what lies on the disk never
//! exceeds the limit; what it replaces is counted until then.
use std::collections::{HashMap, HashSet};

use cachepot_engine::envelope::Kind;

use super::layout::Key;

/// From this limit on, eviction makes room for more than one put.
const BATCH_FROM: u64 = 64 * 1024 * 1024;

/// What is known of one entry or manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) bytes: u64,
    /// Microseconds since 1970, made unique by the clock of the store.
    pub(crate) used: u64,
}

/// The account of the whole folder.
#[derive(Debug)]
pub(crate) struct Ledger {
    limit: u64,
    total: u64,
    reserved: u64,
    results: u64,
    records: HashMap<Key, Record>,
    /// Changed since the last call of [`Ledger::take_dirty`].
    dirty: HashSet<Key>,
    /// Removed before the index was read: what it says of them is old. `None` once it was read.
    removed: Option<HashSet<Key>>,
    /// Removed while a walk over the folder goes on, which may have seen them before.
    removed_in_walk: Option<HashSet<Key>>,
}

/// The answer of [`Ledger::reserve`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// Reserved. These have to go first; they are out of the account already.
    After(Vec<(Key, Record)>),
    /// Other puts have reserved so much that the limit would be passed: ask again when one has ended.
    Later,
    /// Larger than the limit.
    Never,
}

impl Ledger {
    pub(crate) fn new(limit: u64) -> Self {
        Ledger {
            limit,
            total: 0,
            reserved: 0,
            results: 0,
            records: HashMap::new(),
            dirty: HashSet::new(),
            removed: Some(HashSet::new()),
            removed_in_walk: None,
        }
    }
    /// Bytes in use; `None` until the folder is known.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.is_complete().then_some(self.total)
    }
    /// Entries known, manifests not counted.
    pub(crate) fn results(&self) -> u64 {
        self.results
    }
    pub(crate) fn get(&self, key: &Key) -> Option<Record> {
        self.records.get(key).copied()
    }
    /// Whether all that lies in the folder has been counted once.
    pub(crate) fn is_complete(&self) -> bool {
        self.removed.is_none()
    }

    /// Sets bytes aside for a put and names who has to go first: the caller removes their files before it writes.
    pub(crate) fn reserve(&mut self, bytes: u64) -> Room {
        if bytes > self.limit {
            return Room::Never;
        }
        if self.reserved + bytes > self.limit {
            return Room::Later;
        }
        self.reserved += bytes;
        Room::After(self.shrink())
    }
    /// Whether a put of this size would make somebody go.
    pub(crate) fn is_tight(&self, bytes: u64) -> bool {
        self.total.saturating_add(self.reserved).saturating_add(bytes) > self.limit
    }
    /// Names who has to go so that the rest, and what is reserved, fits.
    pub(crate) fn shrink(&mut self) -> Vec<(Key, Record)> {
        let room = self.limit.saturating_sub(self.reserved);
        if self.total <= room {
            return Vec::new();
        }
        let slack = if self.limit >= BATCH_FROM { self.limit / 100 } else { 0 };
        let target = room.saturating_sub(slack);
        let mut oldest: Vec<(u64, Key)> =
            self.records.iter().map(|(key, record)| (record.used, *key)).collect();
        oldest.sort_unstable_by_key(|(used, _)| *used);
        let mut victims = Vec::new();
        for (_, key) in oldest {
            if self.total <= target {
                break;
            }
            victims.extend(self.remove(&key).map(|record| (key, record)));
        }
        victims
    }
    /// Gives up a reservation.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
    }
    /// Writes down what is in place now, instead of whatever the key had before.
    pub(crate) fn set(&mut self, key: Key, record: Record) {
        let old = self.records.insert(key, record);
        self.total = self.total - old.map_or(0, |old| old.bytes) + record.bytes;
        self.results += u64::from(old.is_none() && key.kind == Kind::Result);
        self.dirty.insert(key);
    }
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Record> {
        for removed in [&mut self.removed, &mut self.removed_in_walk].into_iter().flatten() {
            removed.insert(*key);
        }
        let old = self.records.remove(key)?;
        self.total -= old.bytes;
        self.results -= u64::from(key.kind == Kind::Result);
        self.dirty.insert(*key);
        Some(old)
    }
    /// Notes a use. `false` if the key is unknown.
    pub(crate) fn touch(&mut self, key: &Key, used: u64) -> bool {
        let Some(record) = self.records.get_mut(key) else { return false };
        if used > record.used {
            record.used = used;
            self.dirty.insert(*key);
        }
        true
    }

    /// Adds what the index knows and this account does not. What the account knows is newer, but for the use.
    pub(crate) fn load(&mut self, known: impl Iterator<Item = (Key, Record)>) {
        let removed = self.removed.take().unwrap_or_default();
        for (key, record) in known {
            if removed.contains(&key) {
                // The index has to forget it.
                self.dirty.insert(key);
            } else if !self.touch(&key, record.used) {
                self.set(key, record);
                // It comes from the index, so the index has it.
                self.dirty.remove(&key);
            }
        }
    }
    /// Begins a walk over the whole folder.
    pub(crate) fn begin_walk(&mut self) {
        self.removed_in_walk = Some(HashSet::new());
    }
    /// Corrects the account by what a walk that began at `began` has found. A record used since then may be
    /// newer than the finding and stays as it is.
    pub(crate) fn found(&mut self, key: Key, found: Record, began: u64) {
        if self.removed_in_walk.as_ref().is_some_and(|removed| removed.contains(&key)) {
            return;
        }
        match self.records.get(&key) {
            Some(known) if known.used >= began => {}
            Some(known) if known.bytes == found.bytes => {
                self.touch(&key, found.used);
            }
            Some(known) => self.set(key, Record { used: known.used.max(found.used), ..found }),
            None => self.set(key, Record { used: found.used.min(began), ..found }),
        }
    }
    /// Ends a walk over the whole folder: what was neither found nor used since it began is gone.
    pub(crate) fn finish_walk(&mut self, seen: &HashSet<Key>, began: u64) {
        let is_gone = |(key, record): &(&Key, &Record)| record.used < began && !seen.contains(*key);
        let gone: Vec<Key> = self.records.iter().filter(is_gone).map(|(key, _)| *key).collect();
        for key in gone {
            self.remove(&key);
        }
        (self.removed, self.removed_in_walk) = (None, None);
    }
    /// Ends a walk that did not see everything.
    pub(crate) fn abandon_walk(&mut self) {
        self.removed_in_walk = None;
    }
    /// What the index has not heard of yet: the record now, or that there is none.
    pub(crate) fn take_dirty(&mut self) -> Vec<(Key, Option<Record>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().map(|key| (key, self.get(&key))).collect()
    }
    /// For a store whose index is held by somebody else. Says whether there was anything.
    pub(crate) fn forget_dirty(&mut self) -> bool {
        !std::mem::take(&mut self.dirty).is_empty()
    }
    /// Makes the next [`Ledger::take_dirty`] name everything.
    pub(crate) fn set_all_dirty(&mut self) {
        self.dirty.extend(self.records.keys().copied());
    }
}

#[cfg(test)]
#[path = "evict_test.rs"]
mod tests;
