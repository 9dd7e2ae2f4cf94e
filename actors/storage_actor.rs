//! LocalStorageActor: what a compile left is looked at, copied and written to the local disk store. Owns the queue in
//! front of it; the store itself is shared with the Hashers, who read, so that no hit waits behind a copy. Called by `miss.rs` and
//! `behind.rs`, bounded by `Permits::local_store`; when one dies, its request is answered with an error and the result is not kept.
use crate::carried::{self, Carried};
use crate::inputs::{Compiled, Memory, NotStorable, Observed, Sight, observe_later, observe_sides};
use crate::keeper::PoolObituary;
use crate::manifests::Manifests;
use crate::permits::Permit;
use crate::pool::{Internal, contain};
use crate::pulse;
use crate::subject::Subject;
use actix::{Actor, Handler, Message, SyncContext};
use cachepot_engine::digest::Digest;
use cachepot_engine::job::{Family, Role};
use cachepot_engine::manifest::Record;
use cachepot_storage::error::StoreError;
use cachepot_storage::local::{EntryMeta, Ingested, LocalStore};
use std::ffi::OsString;
use std::fs::File;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Looks at the inputs of a finished compile and takes private copies of its outputs, in one go: the client waits for
/// both.
#[derive(Message)]
#[rtype(result = "Result<Result<TakenIn, NotTaken>, Internal>")]
pub struct TakeIn {
    /// Where the compile ran.
    pub subject: Arc<Subject>,
    /// What to look at.
    pub compiled: Arc<Compiled>,
    /// The outputs, open for reading.
    pub files: Vec<File>,
    /// Whether the rest of the look may wait.
    pub may_wait: bool,
    /// Memory for what the disk does not take, where a remote does.
    pub memory: Option<Arc<Semaphore>>,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Permit,
}

/// What is known of a compile's files when its client goes on.
pub enum Seen {
    /// All.
    Whole(Box<Observed>),
    /// What nobody can tell later; the rest has time.
    InPart(Box<Sight>),
}

/// What [`TakeIn`] brings.
pub struct TakenIn {
    /// What is known of the inputs.
    pub seen: Seen,
    /// For each input, whether it is a system header: where that is asked for and sure.
    pub system: Option<Vec<bool>>,
    /// The outputs.
    pub copies: Copies,
}

/// Looks at the rest.
#[derive(Message)]
#[rtype(result = "Result<Result<Observed, NotStorable>, Internal>")]
pub struct LookAgain {
    /// Where the compile ran.
    pub subject: Arc<Subject>,
    /// What to look at.
    pub compiled: Arc<Compiled>,
    /// What was seen at its end.
    pub sight: Box<Sight>,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Permit,
}

/// Private copies of outputs.
#[derive(Debug)]
pub struct Copies {
    /// One per output.
    pub outputs: Vec<Ingested>,
    /// Where they are in memory because the disk does not take them.
    pub room: Option<Permit>,
}

/// Why a compile was not taken in.
#[derive(Debug)]
pub enum NotTaken {
    /// Its inputs do not allow it.
    Inputs(NotStorable),
    /// The store failed.
    Store(StoreError),
}

/// Keeps a result and its record.
#[derive(Message)]
#[rtype(result = "Result<Kept, Internal>")]
pub(crate) struct Keep {
    /// The job's key.
    pub job: Digest,
    /// What the compiler said.
    pub meta: EntryMeta,
    /// What it wrote.
    pub outputs: Vec<(Role, bool, Ingested)>,
    /// The result's key, and what it depended on.
    pub record: Record,
    /// For a copy in memory.
    pub room: Option<Permit>,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Arc<Permit>,
}

/// What came of keeping a result.
pub(crate) struct Kept {
    /// A copy in memory, where there was room and the store does not have it, or not for long.
    pub carried: Option<Arc<Carried>>,
    /// Why the store does not have it.
    pub failure: Option<StoreError>,
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
    type Result = Result<Result<TakenIn, NotTaken>, Internal>;

    fn handle(&mut self, message: TakeIn, ctx: &mut Self::Context) -> Self::Result {
        contain(ctx, || message.take_in(&self.memory, &self.store))
    }
}

impl Handler<LookAgain> for LocalStorageActor {
    type Result = Result<Result<Observed, NotStorable>, Internal>;

    fn handle(&mut self, message: LookAgain, ctx: &mut Self::Context) -> Self::Result {
        let LookAgain { subject, compiled, sight, .. } = &message;
        contain(ctx, || observe_later(&self.memory, &subject.place, compiled, sight))
    }
}

impl Handler<Keep> for LocalStorageActor {
    type Result = Result<Kept, Internal>;

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

impl TakeIn {
    /// Does it.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(crate) fn take_in(&self, memory: &Memory, store: &LocalStore) -> Result<TakenIn, NotTaken> {
        let (seen, system) = self.look(memory).map_err(NotTaken::Inputs)?;
        let copies = self.files.iter().map(|file| store.ingest(file, size(file)));
        let copies = match copies.collect::<Result<_, _>>() {
            Ok(outputs) => Ok(Copies { outputs, room: None }),
            Err(error) if error.is_of_disk() => self.in_memory(store).ok_or(error),
            Err(error) => Err(error),
        };
        let copies = copies.map_err(NotTaken::Store)?;
        if bears_inode(&self.subject, &copies.outputs) {
            return Err(NotTaken::Inputs(NotStorable::Uses("#pragma omp target")));
        }
        Ok(TakenIn { seen, system, copies })
    }

    fn look(&self, memory: &Memory) -> Result<(Seen, Option<Vec<bool>>), NotStorable> {
        let (place, compiled) = (&self.subject.place, &self.compiled);
        if self.may_wait {
            let sight = Sight::take(memory, place, compiled)?;
            let system = sight.system(memory, place, compiled)?;
            return Ok((Seen::InPart(Box::new(sight)), system));
        }
        let (observed, system) = observe_sides(memory, place, compiled)?;
        Ok((Seen::Whole(Box::new(observed)), system))
    }

    /// Copies for remotes alone. A client waits, and so nobody waits for memory here.
    fn in_memory(&self, store: &LocalStore) -> Option<Copies> {
        let kib = carried::kib(self.bytes())?;
        let room = Arc::clone(self.memory.as_ref()?).try_acquire_many_owned(kib).ok()?;
        let copies = self.files.iter().map(|file| store.ingest_into_memory(file, size(file)));
        Some(Copies { outputs: copies.collect::<Result<_, _>>().ok()?, room: Some(room) })
    }

    /// How large the outputs are.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(size).sum()
    }
}

impl LocalStorageActor {
    fn keep(&self, mut message: Keep) -> Kept {
        let room = message.room.take();
        // A copy that cannot be read is none.
        let carried = room.and_then(|room| Carried::new(&message, room).ok());
        let record = message.record;
        // The entry first: a record whose entry is missing would only cost a miss, but it would cost it each time.
        let put = self.store.put_entry(&record.result, message.meta, message.outputs);
        let failure = put.and_then(|()| self.manifests.add(&message.job, record)).err();
        // What a large store has is not needed twice.
        let carried = carried.filter(|_| failure.is_some() || !carried::keeps_long(&self.store));
        Kept { carried, failure }
    }
}

/// Whether names in an output hold device and inode of the source, as clang's names for `#pragma omp target` do: the same
/// text in another file makes another object then. Source: `getTargetEntryUniqueInfo` in clang's `CGOpenMPRuntime`.
fn bears_inode(subject: &Subject, outputs: &[Ingested]) -> bool {
    let is_open_mp = |word: &OsString| word.as_encoded_bytes().starts_with(b"-fopenmp");
    let is_possible = subject.driver.family == Family::Clang && subject.job.key_words.iter().any(is_open_mp);
    let is_without =
        |output: &Ingested| output.holds(&[b"__omp_offloading_"]).is_ok_and(|held| held == [false]);
    is_possible && !outputs.iter().all(is_without)
}

fn size(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}
