//! Results in memory on their way to remotes: those that the local store does not take, or may let go before they are
//! written. No actor; made by `storage_actor.rs`, owned by `pending.rs`.
use crate::permits::{Deadline, MAX_CARRIED_KIB, Permit};
use crate::shared::Shared;
use crate::storage_actor::Keep;
use cachepot_engine::entry::{Body, Entry, EntryOutput};
use cachepot_engine::manifest::Record;
use cachepot_storage::local::LocalStore;
use cachepot_storage::remote::bundle::{MAX_CONTENT_BYTES, SMALL_BYTES};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A store of this size keeps what is new for longer than it takes to write it.
const LARGE_STORE: u64 = 1 << 30;

/// A result with its record.
pub(crate) struct Carried {
    record: Record,
    /// With all outputs inside.
    entry: Entry,
    /// How much it takes, in bytes.
    size: u64,
    /// Given back when the last remote has it.
    _room: Permit,
}

impl Carried {
    /// A copy of what is to be kept.
    ///
    /// # Errors
    /// As from reading a file.
    pub(crate) fn new(result: &Keep, room: Permit) -> io::Result<Arc<Self>> {
        let outputs = result.outputs.iter().map(|(role, executable, content)| {
            let body = Body::Inline(content.read()?);
            Ok(EntryOutput { role: *role, executable: *executable, body })
        });
        let meta = result.meta.clone();
        let entry = Entry {
            status: meta.status,
            stdout: meta.stdout,
            stderr: meta.stderr,
            outputs: outputs.collect::<io::Result<_>>()?,
        };
        let size = result.outputs.iter().map(|(_, _, content)| content.size()).sum();
        Ok(Arc::new(Carried { record: result.record.clone(), entry, size, _room: room }))
    }

    /// How much it takes, in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What is to be written.
    pub(crate) fn content(&self) -> (Record, Entry) {
        (self.record.clone(), self.entry.clone())
    }
}

/// Memory for a result of this many bytes; `None` where no remote takes it, where the local store is sure to be enough,
/// and where there is none. Only for what the store does not take somebody waits: nothing is lost by that.
pub(crate) async fn room(shared: &Shared, bytes: u64, deadline: Deadline) -> Option<Permit> {
    let (store, kib) = (&shared.store, kib(bytes)?);
    // That a disk is full shows when something is written there. Of what is small a copy costs little.
    let is_enough = store.takes(bytes) && keeps_long(store) && bytes > SMALL_BYTES as u64;
    if !shared.tiers.take_writes() || is_enough {
        return None;
    }
    let patience = if store.takes(bytes) { Duration::ZERO } else { deadline.left() };
    let room = Arc::clone(&shared.permits.carrying).acquire_many_owned(kib);
    tokio::time::timeout(patience, room).await.ok()?.ok()
}

/// What so many bytes need of the memory for results; `None` where no object holds so much.
pub(crate) fn kib(bytes: u64) -> Option<u32> {
    let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).saturating_add(1).min(MAX_CARRIED_KIB);
    (bytes <= MAX_CONTENT_BYTES).then_some(kib)
}

/// Whether what a store has is still there when it is written to remotes.
pub(crate) fn keeps_long(store: &LocalStore) -> bool {
    store.usage().max_bytes >= LARGE_STORE
}

/// An empty one.
#[cfg(test)]
pub(crate) fn record_of(result: cachepot_engine::digest::Digest) -> Record {
    Record {
        result,
        inputs: Vec::new(),
        n_read: 0,
        folders: Vec::new(),
        names: Vec::new(),
        present: Vec::new(),
        states: Vec::new(),
        same: Vec::new(),
        exist: Vec::new(),
        mtimes: Vec::new(),
        window: None,
        ties: Vec::new(),
        surroundings: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pending::{Pending, ToShare, Write};
    use cachepot_engine::digest::Digest;
    use cachepot_storage::local::EntryMeta;
    use tokio::sync::Semaphore;

    #[test]
    fn memory_is_given_back_when_nobody_takes_a_result() {
        let folder = tempfile::tempdir().unwrap();
        let (all, write) =
            (Arc::new(Semaphore::new(3)), Write { job: Digest([1; 32]), result: Digest([2; 32]) });
        let permit = || Arc::clone(&all).try_acquire_owned().unwrap();
        let meta = EntryMeta { status: 0, stdout: b"text".to_vec(), stderr: Vec::new() };
        let record = record_of(write.result);
        let job = write.job;
        let keep = Keep { job, meta, outputs: Vec::new(), record, room: None, permit: Arc::new(permit()) };
        let mut pending = Pending::open(folder.path().to_path_buf());
        let share =
            |carried: &Arc<Carried>| ToShare { write, is_large: false, carried: Some(Arc::clone(carried)) };
        for left in [2, 2] {
            let carried = Carried::new(&keep, permit()).unwrap();
            assert_eq!(carried.content().1.stdout, b"text");
            assert!(pending.add(share(&carried)));
            assert!(pending.carried(write).is_some_and(|it| Arc::ptr_eq(&it, &carried)));
            drop(carried);
            assert_eq!(all.available_permits(), 1);
            pending.let_go();
            // It is still to be written.
            assert_eq!((all.available_permits(), pending.len()), (left, 1));
        }
        assert!(pending.add(share(&Carried::new(&keep, permit()).unwrap())));
        pending.done(write);
        assert_eq!(all.available_permits(), 2);
    }
}
