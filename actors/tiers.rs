//! Remotes behind the local store: all of them, what is known of what they have, and what was brought. How it is brought is in
//! `question.rs`.
use crate::carried::keeps_long;
use crate::in_hand::{self, InHand};
use crate::packer::Packer;
use crate::pending::ToShare;
use crate::remote_storage_actor::Push;
use crate::shared::Shared;
use crate::tier::{Tier, hold};
use crate::traffic::Traffic;
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::Entry;
use cachepot_engine::stats::RemoteReport;
use cachepot_storage::local::Ingested;
use cachepot_storage::recent::Recent;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// More than anybody has; each has its place in `Routes`.
pub(crate) const MAX_TIERS: usize = 8;
/// How long it is remembered that a remote had nothing new under a key: another machine may store it any time.
const ABSENCE: Duration = Duration::from_secs(3);
/// What is remembered of this, in bytes.
const MAX_ABSENCE_BYTES: usize = 1 << 20;
/// What results in hand may weigh together.
const MAX_IN_HAND_BYTES: usize = 32 << 20;
/// What heads of results may weigh together.
const MAX_HEAD_BYTES: usize = 8 << 20;

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
    coming: Mutex<HashMap<(usize, Object), Turn>>,
    /// Results that were brought: they may not be in the local store yet, or never, where it takes nothing.
    in_hand: Mutex<Recent<Digest, Arc<InHand>>>,
    /// Heads of results whose blobs are coming, by the remote's place in the list: they travel with their job, for which
    /// only the first one asks.
    heads: Mutex<Recent<(usize, Digest), Arc<Entry>>>,
}

/// An object of a remote.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    /// What it knows of a job.
    Job(Digest),
    /// The entry of a result.
    Result(Digest),
    /// The blobs of a result; others may have the same.
    Blobs {
        /// Of the object.
        key: Digest,
        /// The result.
        of: Digest,
    },
}

impl Object {
    /// Its key.
    pub(crate) fn key(self) -> Digest {
        match self {
            Object::Job(key) | Object::Result(key) | Object::Blobs { key, .. } => key,
        }
    }
}

/// Holds what the first one was brought.
pub(crate) type Turn = Arc<tokio::sync::Mutex<Option<Brought>>>;

/// What came of asking a remote.
#[derive(Clone)]
pub(crate) enum Brought {
    /// Nothing.
    Nothing,
    /// Records that were not known are in the local store.
    News,
    /// The head of a result: its entry, whose blobs are still to be brought.
    Head(Digest, Arc<Entry>),
    /// A result, and perhaps the same. It is in no store yet: it may stand for nothing.
    Entry(Digest, Arc<InHand>),
}

impl Tiers {
    /// These remotes, in the order in which they are asked, at most [`MAX_TIERS`], and what is told of others.
    pub(crate) fn new((list, unusable): (Vec<Arc<Tier>>, Vec<RemoteReport>), traffic: &Arc<Traffic>) -> Self {
        let packer = Packer::new(Arc::clone(traffic));
        let absent = Mutex::new(Recent::new(MAX_ABSENCE_BYTES));
        let in_hand = Mutex::new(Recent::new(MAX_IN_HAND_BYTES));
        let heads = Mutex::new(Recent::new(MAX_HEAD_BYTES));
        Tiers { list, unusable, packer, absent, coming: Mutex::default(), in_hand, heads }
    }

    /// All of them.
    pub(crate) fn list(&self) -> &[Arc<Tier>] {
        &self.list
    }

    /// For the statistics.
    pub(crate) fn reports(&self) -> Vec<RemoteReport> {
        self.list.iter().map(|tier| tier.report()).chain(self.unusable.iter().cloned()).collect()
    }

    /// What an entry comes to: a result in hand, or its head.
    pub(crate) fn take(&self, result: Digest, entry: Entry) -> Brought {
        let is_head = entry.blobs().next().is_some();
        if is_head {
            Brought::Head(result, Arc::new(entry))
        } else {
            self.take_whole(result, entry, Vec::new())
        }
    }

    /// Takes a result in hand with the files of its blobs, for whoever asks for it next.
    pub(crate) fn take_whole(&self, result: Digest, entry: Entry, files: Vec<Ingested>) -> Brought {
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

    /// The head of a result whose blobs are coming from a remote.
    pub(crate) fn head(&self, at: usize, result: Digest) -> Option<Arc<Entry>> {
        hold(&self.heads).get(&(at, result))
    }

    /// From now on they are.
    pub(crate) fn keep_head(&self, at: usize, result: Digest, head: &Arc<Entry>) {
        hold(&self.heads).insert((at, result), Arc::clone(head), in_hand::weight(head));
    }

    /// They came, or do not come.
    pub(crate) fn forget_head(&self, at: usize, result: Digest) {
        hold(&self.heads).remove(&(at, result));
    }

    /// What remotes have for a job is to be replaced.
    pub(crate) fn suspect(&self, job: Digest) {
        self.list.iter().for_each(|tier| tier.note_lack(job, true));
    }

    /// Lets go of a result that is in the local store, or of all at the end.
    pub(crate) fn let_go(&self, result: Option<&Digest>) {
        let mut in_hand = hold(&self.in_hand);
        match result {
            Some(result) => in_hand.remove(result),
            None => *in_hand = Recent::new(MAX_IN_HAND_BYTES),
        }
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
    pub(crate) fn push_above(&self, shared: &Shared, at: usize, mut what: ToShare) {
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

    /// Whether a remote had nothing new under a key a moment ago.
    pub(crate) fn is_absent(&self, at: usize, key: Digest) -> bool {
        hold(&self.absent).get(&(at, key)).is_some_and(|since| since.elapsed() < ABSENCE)
    }

    /// Takes note that it has nothing new.
    pub(crate) fn note_absence(&self, at: usize, key: Digest) {
        hold(&self.absent).insert((at, key), Instant::now(), size_of::<(usize, Digest, Instant)>());
    }

    /// Waits in line for an object; whoever is first brings it for all.
    pub(crate) async fn in_turn(
        &self,
        (at, object): (usize, Object),
        patience: Duration,
        bring: impl Future<Output = Brought>,
    ) -> Brought {
        let turn = Arc::clone(hold(&self.coming).entry((at, object)).or_default());
        let brought = match tokio::time::timeout(patience, turn.lock()).await {
            Ok(mut turn) => match &*turn {
                Some(brought) => brought.clone(),
                None => turn.insert(bring.await).clone(),
            },
            Err(_) => Brought::Nothing,
        };
        let mut coming = hold(&self.coming);
        // Ours, and the one in the table.
        if Arc::strong_count(&turn) <= 2 {
            coming.remove(&(at, object));
        }
        brought
    }
}
