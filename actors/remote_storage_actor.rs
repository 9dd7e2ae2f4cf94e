//! RemoteStorageActor, one per remote: asks it, and writes to it behind the build. Owns the decision when it is left alone
//! (`breaker.rs`), what it refuses, and the queue of writes (`pending.rs`). Called by `question.rs` and `tiers.rs`; all of them share one thread, which
//! no hit of the local store waits for. When one dies, its request is answered with an error, which is a miss; writes
//! that were not done lie in the queue's folder for its next life.
use crate::keeper::Obituary;
use crate::pending::{Pending, ToShare, Write};
use crate::shared::Shared;
use crate::tier::Tier;
use crate::transfer::{hand_on, within};
use crate::upload::{Written, upload};
use actix::fut::ready;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use cachepot_engine::digest::Digest;
use cachepot_engine::stats::Stat;
use cachepot_storage::remote::backend::{BackendError, Rights, try_reading};
use cachepot_storage::remote::breaker::{Breaker, Ticket};
use cachepot_storage::remote::sink::Sink;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long requests wait for the first try to connect: a build may lose a second to a dead remote, in all.
const START_LIMIT: Duration = Duration::from_millis(850);
/// How long a try may take that nobody waits for.
const PROBE_LIMIT: Duration = Duration::from_secs(10);
/// How often a remote that is left alone may be tried again.
const TICK: Duration = Duration::from_secs(1);
/// Writes at the same time: enough for a remote that is far away, and little of the network.
const MAX_WRITES: usize = 4;
/// Refused reads in a row after which none is tried: some servers refuse what is not there.
const MAX_REFUSED_READS: u32 = 8;

/// Asks for an object: whether it is there, and was handed on as it came.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct Fetch {
    /// Its key.
    pub(crate) key: Digest,
    /// Where it goes.
    pub(crate) to: Sink,
}

/// Has a result written, some time.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Push {
    /// The result.
    pub(crate) what: ToShare,
    /// Says, while it is there, that this is still to be read: nobody takes the coordinator for idle.
    pub(crate) announced: Arc<()>,
}

/// See the file's head.
pub(crate) struct RemoteStorageActor {
    tier: Arc<Tier>,
    shared: Arc<Shared>,
    breaker: Breaker,
    /// True when the first try is over, or has shown that reading works.
    tried: watch::Sender<bool>,
    /// What may be written is known.
    is_checked: bool,
    started: Instant,
    may_read: bool,
    may_write: bool,
    refused_reads: u32,
    pending: Pending,
    writing: usize,
    _obituary: Obituary,
}

crate::pulse::lives!(RemoteStorageActor, poisoned_in_context);

impl RemoteStorageActor {
    /// For a remote; writes that are not done are kept in `folder`.
    pub(crate) fn new(tier: Arc<Tier>, shared: Arc<Shared>, folder: PathBuf, obituary: Obituary) -> Self {
        let (may_read, may_write) = (tier.mode.reads(), tier.mode.writes());
        let pending = Pending::open(folder);
        tier.queued.store(pending.len(), Ordering::Relaxed);
        RemoteStorageActor {
            tier,
            shared,
            breaker: Breaker::new(RandomState::new().hash_one(0)),
            tried: watch::Sender::new(false),
            is_checked: false,
            started: Instant::now(),
            may_read,
            may_write,
            refused_reads: 0,
            pending,
            writing: 0,
            _obituary: obituary,
        }
    }

    fn bump(&self, stat: Stat) {
        self.shared.stats.bump_named(stat, self.tier.name);
    }

    /// Finds out, without anybody waiting, whether the remote answers and what may be done there.
    fn try_it(&mut self, ticket: Option<Ticket>, ctx: &mut Context<Self>) {
        let (tier, tried) = (Arc::clone(&self.tier), self.tried.clone());
        let asks_first = ticket.is_none() && tier.mode.reads() && tier.mode.writes();
        let check = async move {
            // Whoever waits to read need not wait until something is written.
            if asks_first && try_reading(tier.backend.as_ref()).await.is_ok_and(|rights| rights.read) {
                tried.send_replace(true);
            }
            tier.check().await
        };
        let check = within(PROBE_LIMIT, check);
        let done = check.into_actor(self).map(move |outcome, actor, ctx| {
            if let Ok(rights) = &outcome {
                actor.note_rights(rights);
            }
            match (ticket, outcome) {
                (Some(ticket), outcome) => {
                    actor.breaker.end(ticket, outcome.as_ref().map(drop), Instant::now());
                }
                // The first try of all.
                (None, Err(error)) => {
                    actor.warn("cannot be used and is left alone for now", &error);
                    actor.breaker.trip(Instant::now());
                }
                (None, Ok(_)) => {}
            }
            actor.tried.send_replace(true);
            actor.is_checked = true;
            actor.show_state();
            actor.write_on(ctx);
        });
        ctx.spawn(done);
    }

    fn note_rights(&mut self, rights: &Rights) {
        let wanted = (self.may_read, self.may_write);
        // Whoever may not list gets refusals for what is not there: only an answered write tells of reading.
        self.may_read &= rights.read || !rights.write;
        self.may_write &= rights.write;
        if wanted != (self.may_read, self.may_write) {
            let what = match (self.may_read, self.may_write) {
                (true, _) => "is read only",
                (false, true) => "is written only",
                (false, false) => "is not used",
            };
            tracing::warn!(remote = self.tier.name, reason = %rights.trouble, "the remote {what}");
        }
        if !self.may_write {
            self.drop_writes();
        }
    }

    fn warn(&self, what: &str, error: &BackendError) {
        let (remote, location) = (self.tier.name, self.tier.backend.name());
        tracing::warn!(remote, location, %error, "the remote {what}; compiles go on without it");
    }

    fn show_state(&mut self) {
        if self.breaker.is_open() {
            // Memory is for those who take something.
            self.pending.let_go();
        }
        self.tier.is_left_alone.store(self.breaker.is_open(), Ordering::Relaxed);
        self.tier.refuses_writes.store(!self.may_write, Ordering::Relaxed);
        self.tier.queued.store(self.pending.len(), Ordering::Release);
    }

    fn read(&mut self, key: Digest, mut to: Sink) -> ResponseActFuture<Self, bool> {
        let is_there = self.may_read && *self.tried.borrow();
        let Some(ticket) = is_there.then(|| self.breaker.begin(Instant::now())).flatten() else {
            self.bump(Stat::RemoteSkipped);
            return Box::pin(ready(false).into_actor(self));
        };
        let (backend, began) = (Arc::clone(&self.tier.backend), Instant::now());
        let (name, progress) = (self.tier.guard.name(&key), to.progress());
        self.breaker.watch(&ticket, to.progress());
        let call = async move { hand_on(backend.as_ref(), &name, &mut to).await };
        Box::pin(call.into_actor(self).map(move |outcome, actor, _| {
            let is_news = actor.breaker.end(ticket, outcome.as_ref().map(drop), Instant::now());
            actor.note_read((key, outcome), is_news, began.elapsed().saturating_sub(progress.waited()))
        }))
    }

    fn note_read(
        &mut self,
        (key, outcome): (Digest, Result<Option<u64>, BackendError>),
        is_left_alone: bool,
        took: Duration,
    ) -> bool {
        self.show_state();
        match outcome {
            Ok(found) => {
                self.tier.note_answer(found.is_some(), took);
                self.refused_reads = 0;
                if found.is_none() {
                    self.tier.note_lack(key, false);
                }
                self.bump(if found.is_some() { Stat::RemoteHits } else { Stat::RemoteMisses });
                self.shared.stats.add_named(Stat::RemoteBytesRead, self.tier.name, found.unwrap_or_default());
                found.is_some()
            }
            Err(BackendError::Denied(_)) if self.refused_reads < MAX_REFUSED_READS => {
                self.tier.note_answer(false, took);
                self.refused_reads += 1;
                self.bump(Stat::RemoteMisses);
                false
            }
            Err(error) => {
                self.bump(Stat::RemoteErrors);
                if matches!(error, BackendError::Denied(_)) && std::mem::take(&mut self.may_read) {
                    self.warn("is not read any more", &error);
                } else if is_left_alone {
                    self.warn("is left alone for a while", &error);
                } else {
                    tracing::debug!(remote = self.tier.name, %error, "no answer from a remote");
                }
                false
            }
        }
    }

    /// Starts as many writes as may be.
    fn write_on(&mut self, ctx: &mut Context<Self>) {
        let is_calm = self.shared.traffic.is_calm();
        while self.writing < MAX_WRITES && self.is_checked && !self.breaker.is_open() && self.may_write {
            let Some(write) = self.pending.take(is_calm, Instant::now()) else { break };
            self.writing += 1;
            let (tier, shared) = (Arc::clone(&self.tier), Arc::clone(&self.shared));
            let (carried, is_first_try) = (self.pending.carried(write), self.pending.is_first_try(write));
            let done = upload(tier, shared, write, (carried, is_first_try)).into_actor(self).map(
                move |outcome, actor, ctx| {
                    actor.writing -= 1;
                    actor.note_write(write, outcome);
                    actor.write_on(ctx);
                },
            );
            ctx.spawn(done);
        }
    }

    fn note_write(&mut self, write: Write, outcome: Result<Written, BackendError>) {
        match outcome {
            Ok(Written::Bytes(bytes)) => {
                self.breaker.note(Ok(()), Instant::now());
                self.pending.done(write);
                if bytes > 0 {
                    self.bump(Stat::RemoteWrites);
                    self.shared.stats.add_named(Stat::RemoteBytesWritten, self.tier.name, bytes);
                }
            }
            Ok(Written::Gone) => self.pending.done(write),
            Ok(Written::NotPacked) => {
                self.bump(Stat::RemoteWriteErrors);
                self.pending.again(write);
            }
            Err(error) => {
                let is_left_alone = self.breaker.note(Err(&error), Instant::now());
                self.bump(Stat::RemoteWriteErrors);
                match &error {
                    BackendError::Denied(_) => {
                        self.pending.done(write);
                        if std::mem::take(&mut self.may_write) {
                            self.warn("takes no writes and is read only", &error);
                        }
                        self.drop_writes();
                    }
                    BackendError::TooLarge | BackendError::Full(_) | BackendError::Obstructed(_) => {
                        self.pending.done(write);
                    }
                    // One that never comes through must not keep the others out.
                    _ => self.pending.again(write),
                }
                if is_left_alone {
                    self.warn("is left alone for a while", &error);
                }
            }
        }
        self.show_state();
    }

    fn drop_writes(&mut self) {
        self.pending.clear();
        self.show_state();
    }
}

impl Actor for RemoteStorageActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.try_it(None, ctx);
        ctx.run_interval(TICK, |actor, ctx| {
            if let Some(ticket) = actor.breaker.begin_probe(Instant::now()) {
                actor.try_it(Some(ticket), ctx);
            }
            actor.write_on(ctx);
        });
        let shared = Arc::clone(&self.shared);
        let hurry = async move { shared.traffic.wait_for_hurry().await };
        ctx.spawn(hurry.into_actor(self).map(|(), actor, ctx| actor.write_on(ctx)));
    }
}

impl Handler<Fetch> for RemoteStorageActor {
    type Result = ResponseActFuture<Self, bool>;

    fn handle(&mut self, Fetch { key, to }: Fetch, _: &mut Self::Context) -> Self::Result {
        if *self.tried.borrow() {
            return self.read(key, to);
        }
        let mut tried = self.tried.subscribe();
        let left = START_LIMIT.saturating_sub(self.started.elapsed());
        let wait = async move {
            // Whether it was tried in time or not: `read` looks for itself.
            let _ = tokio::time::timeout(left, tried.wait_for(|tried| *tried)).await;
        };
        Box::pin(wait.into_actor(self).then(move |(), actor, _| actor.read(key, to)))
    }
}

impl Handler<Push> for RemoteStorageActor {
    type Result = ();

    fn handle(&mut self, Push { what, announced }: Push, ctx: &mut Self::Context) {
        if !self.may_write || !self.pending.add(what) {
            self.bump(Stat::RemoteWriteErrors);
        }
        self.show_state();
        drop(announced);
        self.write_on(ctx);
    }
}
