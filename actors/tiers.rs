//! Remotes behind the local store: what a request that found nothing does to bring results here. A plain async policy over
//! the RemoteStorageActors; the look-up begins again with what it brings, and what stands is put into the local store.
use crate::carried::keeps_long;
use crate::in_hand::InHand;
use crate::packer::Packer;
use crate::pending::{ToShare, Write};
use crate::permits::Deadline;
use crate::remote_storage_actor::{Fetch, Push};
use crate::routes::ask;
use crate::shared::Shared;
use crate::tier::{Tier, hold};
use crate::traffic::Traffic;
use cachepot_engine::bases::Bases;
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::Entry;
use cachepot_engine::stats::{RemoteReport, Stat};
use cachepot_storage::local::{Fetched, Ingested};
use cachepot_storage::recent::Recent;
use cachepot_storage::remote::bundle::{self, JobBundle, SMALL_BYTES};
use cachepot_storage::remote::sink::Sink;
use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// More than anybody has; each has its place in `Routes`.
pub(crate) const MAX_TIERS: usize = 8;
/// How long it is remembered that a remote had nothing new for a job: another machine may store it any time.
const ABSENCE: Duration = Duration::from_secs(3);
/// What is remembered of this, in bytes.
const MAX_ABSENCE_BYTES: usize = 1 << 20;
/// What results in hand may weigh together.
const MAX_IN_HAND_BYTES: usize = 32 << 20;
/// How long a compile takes of which nothing is known.
const TYPICAL_COMPILE: Duration = Duration::from_millis(300);
/// How long a question may take that nobody waits for.
const BESIDE_LIMIT: Duration = Duration::from_secs(20);
/// What is kept of a request's time to answer its client.
const RESERVE: Duration = Duration::from_millis(300);

/// See the file's head.
pub(crate) struct Tiers {
    list: Vec<Arc<Tier>>,
    /// Those whose settings cannot be used.
    unusable: Vec<RemoteReport>,
    /// Makes the objects that are written.
    pub(crate) packer: Packer,
    /// When a remote last had nothing new, by its place in the list and the object.
    absent: Mutex<Recent<(usize, Digest), Instant>>,
    /// What is being brought: whoever wants the same waits for its turn.
    coming: Mutex<HashMap<(usize, Digest), Turn>>,
    /// Results that were brought: they may not be in the local store yet, or never, where it takes nothing.
    in_hand: Mutex<Recent<Digest, Arc<InHand>>>,
}

/// Holds what the first one was brought.
type Turn = Arc<tokio::sync::Mutex<Option<Brought>>>;

/// A question to a remote, for one request.
pub(crate) struct Question<'a> {
    /// Everything.
    pub(crate) shared: &'a Arc<Shared>,
    /// The remote's place in the list.
    pub(crate) at: usize,
    /// When the request must have its answer.
    pub(crate) deadline: Deadline,
}

/// What came of asking a remote.
#[derive(Clone)]
pub(crate) enum Brought {
    /// Nothing.
    Nothing,
    /// Records that were not known are in the local store.
    News,
    /// A result, and perhaps the same. It is in no store yet: it may stand for nothing.
    Entry(Digest, Arc<InHand>),
}

impl Tiers {
    /// These remotes, in the order in which they are asked, at most [`MAX_TIERS`], and what is told of others.
    pub(crate) fn new((list, unusable): (Vec<Arc<Tier>>, Vec<RemoteReport>), traffic: &Arc<Traffic>) -> Self {
        let packer = Packer::new(Arc::clone(traffic));
        let absent = Mutex::new(Recent::new(MAX_ABSENCE_BYTES));
        let in_hand = Mutex::new(Recent::new(MAX_IN_HAND_BYTES));
        Tiers { list, unusable, packer, absent, coming: Mutex::default(), in_hand }
    }

    /// All of them.
    pub(crate) fn list(&self) -> &[Arc<Tier>] {
        &self.list
    }

    /// For the statistics.
    pub(crate) fn reports(&self) -> Vec<RemoteReport> {
        self.list.iter().map(|tier| tier.report()).chain(self.unusable.iter().cloned()).collect()
    }

    /// Takes a result in hand, for whoever asks for it next.
    fn take(&self, result: Digest, entry: Entry, files: Vec<Ingested>) -> Brought {
        match InHand::new(entry, files) {
            Ok(taken) => {
                let taken = Arc::new(taken);
                hold(&self.in_hand).insert(result, Arc::clone(&taken), taken.weight());
                Brought::Entry(result, taken)
            }
            Err(error) => {
                tracing::debug!(%error, "a result from a remote cannot be opened");
                Brought::Nothing
            }
        }
    }

    /// A result that was brought a moment ago.
    pub(crate) fn in_hand(&self, result: &Digest) -> Option<Arc<InHand>> {
        hold(&self.in_hand).get(result)
    }

    /// The places of those that are asked.
    pub(crate) fn readable(&self) -> impl Iterator<Item = usize> + use<> {
        let places: Vec<usize> = (0..self.list.len()).filter(|at| self.list[*at].mode.reads()).collect();
        places.into_iter()
    }

    /// Writes that are not done.
    pub(crate) fn pending(&self) -> usize {
        self.list.iter().map(|tier| tier.pending()).sum()
    }

    /// Whether there is a remote that takes results now.
    pub(crate) fn take_writes(&self) -> bool {
        self.list.iter().any(|tier| tier.takes_writes())
    }

    /// Whether writes go on that the end of the coordinator should wait for.
    pub(crate) fn are_busy(&self) -> bool {
        self.list.iter().any(|tier| tier.pending() > 0 && !tier.is_left_alone.load(Ordering::Relaxed))
    }

    /// Has a result written to all remotes, behind the build; from memory, where it is carried there, else from the
    /// local store.
    pub(crate) fn push(&self, shared: &Shared, what: ToShare) {
        self.push_above(shared, self.list.len(), what);
    }

    /// Has it written to those that are asked before the one at this place.
    fn push_above(&self, shared: &Shared, at: usize, mut what: ToShare) {
        if at == 0 {
            return;
        }
        // A small store may have let it go by the end of a build.
        what.is_large &= keeps_long(&shared.store);
        let routes = shared.routes();
        let above = self.list.iter().take(at);
        let targets = above.zip(&routes.remotes).filter(|(tier, _)| tier.mode.writes());
        for (tier, route) in targets {
            if let Some(route) = route {
                let announced = Arc::clone(&tier.announced);
                route.do_send(Push { what: what.clone(), announced });
            }
        }
    }

    fn is_absent(&self, what: &(usize, Digest)) -> bool {
        hold(&self.absent).get(what).is_some_and(|since| since.elapsed() < ABSENCE)
    }

    fn note_absence(&self, at: usize, key: Digest) {
        hold(&self.absent).insert((at, key), Instant::now(), size_of::<(usize, Digest, Instant)>());
    }
}

impl Question<'_> {
    /// Whether to wait for the answer. Where not, the remote is asked all the same, beside the compile: what it has is
    /// there for the next one, and it is waited for again when it has something.
    pub(crate) fn is_worth_it(&self, job: Digest, bases: &Bases) -> bool {
        let stats = self.shared.stats.snapshot();
        let compiles = u32::try_from(stats.count(Stat::Compiles)).unwrap_or(u32::MAX);
        let compile = stats.time(Stat::CompileDuration).checked_div(compiles).unwrap_or(TYPICAL_COMPILE);
        let Some(tier) = self.shared.tiers.list.get(self.at) else { return false };
        let is_worth_it = hold(&tier.odds).are_worth(compile);
        if !is_worth_it {
            let (shared, at, bases) = (Arc::clone(self.shared), self.at, bases.clone());
            actix::spawn(async move {
                let deadline = Deadline::after(BESIDE_LIMIT);
                Question { shared: &shared, at, deadline }.bring_job(job, &bases).await;
            });
        }
        is_worth_it
    }

    /// Brings what the remote knows of a job.
    pub(crate) async fn bring_job(&self, job: Digest, bases: &Bases) -> Brought {
        let (to, bases) = (Arc::clone(self.shared), bases.clone());
        let take_in = move |object: &mut dyn Read| {
            let JobBundle { manifest, newest } = JobBundle::open(&job, object).ok()?;
            let result = manifest.records.front().map(|record| record.result);
            // The result before its record, as everywhere.
            let taken = result.zip(newest).map(|(result, entry)| to.tiers.take(result, entry, Vec::new()));
            let is_new = to.manifests.merge(&job, manifest, &to.memory, &bases);
            Some(match taken {
                Some(taken) => taken,
                None if is_new => Brought::News,
                None => Brought::Nothing,
            })
        };
        self.bring(job, take_in).await
    }

    /// Brings a result.
    pub(crate) async fn bring_result(&self, result: Digest) -> Brought {
        let to = Arc::clone(self.shared);
        let take_in = move |object: &mut dyn Read| {
            let mut outputs = to.store.incoming();
            let entry = bundle::read_result(&result, object, &mut outputs).ok()?;
            Some(to.tiers.take(result, entry, outputs.into_files()))
        };
        self.bring(result, take_in).await
    }

    /// Brings an object, once for all who want it at the same time; `take_in` says `None` of one that is not as it
    /// should be.
    async fn bring(
        &self,
        key: Digest,
        take_in: impl FnOnce(&mut dyn Read) -> Option<Brought> + Send + 'static,
    ) -> Brought {
        let tiers = &self.shared.tiers;
        let what = (self.at, key);
        if tiers.is_absent(&what) {
            return Brought::Nothing;
        }
        let turn = Arc::clone(hold(&tiers.coming).entry(what).or_default());
        let brought = match tokio::time::timeout(self.left(), turn.lock()).await {
            Ok(mut turn) => match &*turn {
                Some(brought) => brought.clone(),
                None => turn.insert(self.fetch(key, take_in).await).clone(),
            },
            Err(_) => Brought::Nothing,
        };
        let mut coming = hold(&tiers.coming);
        // Ours, and the one in the table.
        if Arc::strong_count(&turn) <= 2 {
            coming.remove(&what);
        }
        brought
    }

    async fn fetch(
        &self,
        key: Digest,
        take_in: impl FnOnce(&mut dyn Read) -> Option<Brought> + Send + 'static,
    ) -> Brought {
        let routes = self.shared.routes();
        let Some(tier) = self.shared.tiers.list.get(self.at) else { return Brought::Nothing };
        let route = routes.remotes.get(self.at).and_then(Option::as_ref);
        let (to, mut pieces) = Sink::stream();
        let (guard, room) = (Arc::clone(&tier.guard), Arc::clone(&self.shared.permits.unpacking));
        // Goes on where this request has no more time for it: the next one finds the result in hand.
        let taken = actix::spawn(async move {
            // No thread waits for a remote that may have nothing.
            let is_coming = pieces.begin().await;
            let _permit = if is_coming { room.acquire_owned().await.ok()? } else { return None };
            let open = move || take_in(guard.read(&key, pieces).ok()?.as_mut());
            tokio::task::spawn_blocking(open).await.ok().flatten()
        });
        let brought = match ask(route, Fetch { key, to }, Deadline::after(self.left())).await {
            Ok(true) => match tokio::time::timeout(self.left(), taken).await {
                Ok(taken) => taken.ok().flatten(),
                Err(_) => Some(Brought::Nothing),
            },
            Ok(false) | Err(_) => Some(Brought::Nothing),
        };
        if brought.is_none() {
            tracing::warn!(remote = tier.name, "an object is damaged or not to be believed; it is a miss");
            self.shared.stats.bump_named(Stat::RemoteErrors, tier.name);
        }
        let brought = brought.unwrap_or(Brought::Nothing);
        if matches!(brought, Brought::Nothing) {
            self.shared.tiers.note_absence(self.at, key);
        }
        brought
    }

    fn left(&self) -> Duration {
        self.deadline.left().saturating_sub(RESERVE)
    }
}

impl Question<'_> {
    /// Opens a result that stands, and has it put into the tiers above this remote, once, behind the build. `None` where
    /// it cannot be opened.
    pub(crate) fn hand_over(&self, job: Digest, result: Digest, brought: &InHand) -> Option<Fetched> {
        // Before it is put: a store that fails removes its files.
        let opened = brought.opened();
        if let Some(to_put) = brought.to_put() {
            let (to, at, has_files) = (Arc::clone(self.shared), self.at, brought.has_files());
            let is_large = brought.bytes() > SMALL_BYTES as u64;
            // Until it is: the end waits for what is announced.
            let above = self.shared.tiers.list.iter().take(at);
            let announced: Vec<_> = above.map(|tier| Arc::clone(&tier.announced)).collect();
            tokio::task::spawn_blocking(move || {
                if let Err(error) = to_put.put(&to.store, &result) {
                    tracing::debug!(%error, "a result from a remote does not go into the local store");
                    return;
                }
                if has_files {
                    hold(&to.tiers.in_hand).remove(&result);
                }
                // What is written there is read from the local store.
                let write = Write { job, result };
                to.tiers.push_above(&to, at, ToShare { write, is_large, carried: None });
                drop(announced);
            });
        }
        opened.ok()
    }
}
