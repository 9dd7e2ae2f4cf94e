//! Hasher pool: looks results up. Owns nothing but its thread; what it learns about files lies in the shared
//! [`Memory`]. Called by `find.rs`, `miss/conclude.rs` and `behind.rs`, and by another
//! Hasher that shares a look; bounded by `Permits::hashing`; when one dies, its request is answered with an error and the client
//! compiles by itself.
use crate::inputs::{Compiled, Early, Help, Look, Memory, Observed, Place, early, observe};
use crate::keeper::PoolObituary;
use crate::manifests::Manifests;
use crate::permits::{Deadline, Permit};
use crate::pool::{Internal, contain};
use crate::pulse;
use crate::subject::Subject;
use actix::{Actor, Handler, Message, SyncContext};
use cachepot_engine::digest::Digest;
use cachepot_storage::local::{Fetched, LocalStore};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

/// Looks for a result that stands.
#[derive(Message)]
#[rtype(result = "Result<LookUp, Internal>")]
pub struct FindResult {
    /// What for.
    pub subject: Arc<Subject>,
    /// The job's key, where no file has to be read for it.
    pub key: Option<Digest>,
    /// Only the key is wanted: the result is to be made anew.
    pub recache: bool,
    /// When the answer is of no use any more.
    pub deadline: Deadline,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Permit,
}

/// The outcome of a look-up; keys are the job's, for a record to come.
pub enum LookUp {
    /// This result stands.
    Found(Digest, Box<Fetched>),
    /// One stands, but its entry is not there or cannot be read: the job's key, the result's, and what was young.
    Lost(Digest, Digest, Early),
    /// None does.
    Unknown(Digest, Early),
    /// The deadline passed.
    Expired,
}

/// From one Hasher to another: share this, if it is not over by now. It holds nothing, and so needs no permit.
#[derive(Message)]
#[rtype(result = "()")]
struct ShareLook(Weak<Look>);

/// Looks at the inputs of a result once more, long after its compile: whether all is as it was seen then.
#[derive(Message)]
#[rtype(result = "Result<bool, Internal>")]
pub struct Confirm {
    /// The working directory of the compile.
    pub cwd: PathBuf,
    /// What to look at.
    pub compiled: Arc<Compiled>,
    /// What was seen.
    pub seen: Observed,
    /// Given back with the message.
    #[expect(dead_code, reason = "it is given back when the message is dropped")]
    pub permit: Arc<Permit>,
}

/// See the file's head.
pub struct Hasher {
    /// Shared by all Hashers.
    pub memory: Arc<Memory>,
    /// Manifests, read through the local store.
    pub manifests: Arc<Manifests>,
    /// The local store: a result that stands is opened where it was found, without a further hop.
    pub store: Arc<LocalStore>,
    /// Tells the keeper of its end.
    pub(crate) _obituary: PoolObituary,
}

impl Actor for Hasher {
    type Context = SyncContext<Self>;
}

pulse::lives!(Hasher, poisoned_in_pool);

impl Handler<FindResult> for Hasher {
    type Result = Result<LookUp, Internal>;

    fn handle(&mut self, message: FindResult, ctx: &mut Self::Context) -> Self::Result {
        if message.deadline.has_passed() {
            return Ok(LookUp::Expired);
        }
        let colleagues = ctx.address();
        let help = |look: &Arc<Look>| colleagues.do_send(ShareLook(Arc::downgrade(look)));
        contain(ctx, || self.find(&message, &help))
    }
}

impl Handler<ShareLook> for Hasher {
    type Result = ();

    fn handle(&mut self, ShareLook(look): ShareLook, _: &mut Self::Context) {
        if let Some(look) = look.upgrade() {
            look.share();
        }
    }
}

impl Handler<Confirm> for Hasher {
    type Result = Result<bool, Internal>;

    fn handle(&mut self, message: Confirm, ctx: &mut Self::Context) -> Self::Result {
        contain(ctx, || {
            let place = Place::open(&message.cwd).ok();
            let now = place.and_then(|place| observe(&self.memory, &place, &message.compiled).ok());
            now.is_some_and(|mut now| {
                // Outputs, which are not looked at again, may have tied it to more.
                now.record.ties.clone_from(&message.seen.record.ties);
                now == message.seen
            })
        })
    }
}

impl Hasher {
    fn find(&self, message: &FindResult, help: Help<'_>) -> LookUp {
        let subject = &message.subject;
        let key = message.key.unwrap_or_else(|| subject.key(&self.memory));
        let find = || self.manifests.find(&key, &self.memory, subject, help);
        let early = || early(&self.memory, &subject.place, &subject.young);
        match if message.recache { None } else { find() } {
            Some(result) => match self.store.fetch(&result) {
                Ok(Some(fetched)) => LookUp::Found(key, Box::new(fetched)),
                Ok(None) | Err(_) => LookUp::Lost(key, result, early()),
            },
            None => LookUp::Unknown(key, early()),
        }
    }
}
