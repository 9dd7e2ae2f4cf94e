//! LocalStorageActor: what a compile left is looked at, copied and written to the local disk store. Owns the queue in
//! front of it; the store itself is shared with the Hashers, who read, so that no hit waits behind a copy. Called by `miss.rs` and
//! `behind.rs`, bounded by `Permits::local_store`; when one dies, its request is answered with an error and the result is not kept.
use crate::carried::Carried;
use crate::inputs::{Compiled, Memory, NotStorable, Observed, observe};
use crate::keeper::PoolObituary;
use crate::manifests::Manifests;
use crate::permits::Permit;
use crate::pool::{Internal, contain};
use crate::pulse;
use crate::subject::Subject;
use actix::{Actor, Handler, Message, SyncContext};
use cachepot_engine::digest::Digest;
use cachepot_engine::job::Role;
use cachepot_engine::manifest::Record;
use cachepot_storage::error::StoreError;
use cachepot_storage::local::{EntryMeta, Ingested, LocalStore};
use std::fs::File;
use std::sync::Arc;

/// Looks at the inputs of a finished compile and takes private copies of its outputs, in one go: the client waits for
/// both.
#[derive(Message)]
#[rtype(result = "Result<Result<(Observed, Vec<Ingested>), NotTaken>, Internal>")]
pub struct TakeIn {
    /// Where the compile ran.
    pub subject: Arc<Subject>,
    /// What to look at.
    pub compiled: Arc<Compiled>,
    /// The outputs, open for reading.
    pub files: Vec<File>,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Permit,
}

/// Why a compile was not taken in.
#[derive(Debug)]
pub enum NotTaken {
    /// Its inputs do not allow it.
    Inputs(NotStorable),
    /// The store failed.
    Store(StoreError),
}

/// Keeps a result and its record. The answer is a copy in memory, where there is room for one.
#[derive(Message)]
#[rtype(result = "Result<Result<Option<Arc<Carried>>, StoreError>, Internal>")]
pub(crate) struct Keep {
    /// The job's key.
    pub job: Digest,
    /// What the compiler said.
    pub meta: EntryMeta,
    /// What it wrote.
    pub outputs: Vec<(Role, bool, Ingested)>,
    /// The result's key, and what it depended on.
    pub record: Record,
    /// For the copy: with one, the result counts as kept though the store may not take it.
    pub room: Option<Permit>,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Arc<Permit>,
}

/// Lets a result stand beyond its window.
#[derive(Message)]
#[rtype(result = "Result<Result<(), StoreError>, Internal>")]
pub struct LiftWindow {
    /// The job's key.
    pub job: Digest,
    /// The result's.
    pub result: Digest,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Arc<Permit>,
}

/// See the file's head.
pub struct LocalStorageActor {
    /// The store.
    pub store: Arc<LocalStore>,
    /// Manifests in front of it.
    pub manifests: Arc<Manifests>,
    /// What is known of files.
    pub memory: Arc<Memory>,
    /// Tells the keeper of its end.
    pub(crate) _obituary: PoolObituary,
}

impl Actor for LocalStorageActor {
    type Context = SyncContext<Self>;
}

pulse::lives!(LocalStorageActor, poisoned_in_pool);

impl Handler<TakeIn> for LocalStorageActor {
    type Result = Result<Result<(Observed, Vec<Ingested>), NotTaken>, Internal>;

    fn handle(&mut self, message: TakeIn, ctx: &mut Self::Context) -> Self::Result {
        contain(ctx, || self.take_in(&message))
    }
}

impl Handler<Keep> for LocalStorageActor {
    type Result = Result<Result<Option<Arc<Carried>>, StoreError>, Internal>;

    fn handle(&mut self, message: Keep, ctx: &mut Self::Context) -> Self::Result {
        contain(ctx, || self.keep(message))
    }
}

impl Handler<LiftWindow> for LocalStorageActor {
    type Result = Result<Result<(), StoreError>, Internal>;

    fn handle(&mut self, message: LiftWindow, ctx: &mut Self::Context) -> Self::Result {
        contain(ctx, || self.manifests.lift_window(&message.job, &message.result))
    }
}

impl LocalStorageActor {
    fn take_in(&self, message: &TakeIn) -> Result<(Observed, Vec<Ingested>), NotTaken> {
        let observed = observe(&self.memory, &message.subject.place, &message.compiled);
        let observed = observed.map_err(NotTaken::Inputs)?;
        let size = |file: &File| file.metadata().map_or(0, |metadata| metadata.len());
        let copies = message.files.iter().map(|file| self.store.ingest(file, size(file)));
        Ok((observed, copies.collect::<Result<_, _>>().map_err(NotTaken::Store)?))
    }

    fn keep(&self, mut message: Keep) -> Result<Option<Arc<Carried>>, StoreError> {
        let room = message.room.take();
        // A copy that cannot be read is none.
        let carried = room.and_then(|room| Carried::new(&message, room).ok());
        let record = message.record;
        // The entry first: a record whose entry is missing would only cost a miss, but it would cost it each time.
        let put = self.store.put_entry(&record.result, message.meta, message.outputs);
        match put.and_then(|()| self.manifests.add(&message.job, record)) {
            Err(error) if carried.is_some() => {
                tracing::debug!(%error, "a result goes to remotes alone");
                Ok(carried)
            }
            outcome => outcome.map(|()| carried),
        }
    }
}
