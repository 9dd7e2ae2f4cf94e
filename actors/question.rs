//! A question of one request to one remote: brings results here, and has what stands put into the local store. A plain async
//! policy over the RemoteStorageActors; the look-up begins again with what it brings.
use crate::hints::Hints;
use crate::in_hand::InHand;
use crate::pending::{ToShare, Write};
use crate::permits::Deadline;
use crate::remote_storage_actor::Fetch;
use crate::routes::ask;
use crate::shared::Shared;
use crate::tier::hold;
use crate::tiers::{Brought, Object};
use cachepot_engine::bases::Bases;
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::Entry;
use cachepot_engine::stats::Stat;
use cachepot_storage::local::Fetched;
use cachepot_storage::remote::blobs;
use cachepot_storage::remote::bundle::{self, JobBundle, SMALL_BYTES};
use cachepot_storage::remote::sink::Sink;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// How long a compile takes of which nothing is known.
const TYPICAL_COMPILE: Duration = Duration::from_millis(300);
/// How long a question may take that nobody waits for.
const BESIDE_LIMIT: Duration = Duration::from_secs(20);
/// What is kept of a request's time to answer its client.
const RESERVE: Duration = Duration::from_millis(300);

/// See the file's head.
pub(crate) struct Question<'a> {
    /// Everything.
    pub(crate) shared: &'a Arc<Shared>,
    /// The remote's place in the list.
    pub(crate) at: usize,
    /// When the request must have its answer.
    pub(crate) deadline: Deadline,
}

impl Question<'_> {
    /// Whether to wait for the answer. Where not, the remote is asked all the same, beside the compile: what it has is
    /// there for the next one, and it is waited for again when it has something.
    pub(crate) fn is_worth_it(&self, job: Digest, bases: &Bases) -> bool {
        let stats = self.shared.stats.snapshot();
        let compiles = u32::try_from(stats.count(Stat::Compiles)).unwrap_or(u32::MAX);
        let compile = stats.time(Stat::CompileDuration).checked_div(compiles).unwrap_or(TYPICAL_COMPILE);
        let Some(tier) = self.shared.tiers.list().get(self.at) else { return false };
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
            let taken = result.zip(newest).map(|(result, entry)| to.tiers.take(result, entry));
            let is_new = to.manifests.merge(&job, manifest, &to.memory, &bases);
            Some(match taken {
                Some(taken) => taken,
                None if is_new => Brought::News,
                None => Brought::Nothing,
            })
        };
        self.bring(Object::Job(job), take_in).await
    }

    /// Brings a result; its head may have come already.
    pub(crate) async fn bring_result(
        &self,
        result: Digest,
        head: Option<Arc<Entry>>,
        hints: &Hints,
    ) -> Brought {
        if let Some(head) = head {
            return self.bring_blobs(result, head, hints).await;
        }
        // Its blobs are coming to another request.
        if let Some(head) = self.shared.tiers.head(self.at, result) {
            match self.bring_blobs(result, head, hints).await {
                Brought::Nothing => {}
                brought => return brought,
            }
        }
        let to = Arc::clone(self.shared);
        let take_in = move |object: &mut dyn Read| {
            Some(to.tiers.take(result, bundle::read_result(&result, object).ok()?))
        };
        match self.bring(Object::Result(result), take_in).await {
            Brought::Head(_, head) => self.bring_blobs(result, head, hints).await,
            brought => brought,
        }
    }

    /// Brings the blobs of a result; its client is told meanwhile what has come.
    async fn bring_blobs(&self, result: Digest, head: Arc<Entry>, hints: &Hints) -> Brought {
        let Some(key) = blobs::key(&head) else { return Brought::Nothing };
        self.shared.tiers.keep_head(self.at, result, &head);
        let (to, hints) = (Arc::clone(self.shared), hints.clone());
        let take_in = move |object: &mut dyn Read| {
            let mut outputs = to.store.incoming(head.blobs().map(|(size, _)| size));
            let mut grown = hints.coming(&head, outputs.growing());
            let entry = blobs::read(&head, (&key, object), &mut outputs, &mut grown).ok()?;
            // Who waited for it has compiled meanwhile.
            if to.store.look_up(&result).is_ok_and(|stored| stored.is_some()) {
                return Some(Brought::News);
            }
            Some(to.tiers.take_whole(result, entry, outputs.into_files()))
        };
        self.bring(Object::Blobs { key, of: result }, take_in).await
    }

    /// Brings an object, once for all who want it at the same time; `take_in` says `None` of one that is not as it
    /// should be.
    async fn bring(
        &self,
        object: Object,
        take_in: impl FnOnce(&mut dyn Read) -> Option<Brought> + Send + 'static,
    ) -> Brought {
        let tiers = &self.shared.tiers;
        if tiers.is_absent(self.at, object.key()) {
            return Brought::Nothing;
        }
        let bring = async {
            let brought = match self.is_here(object).await {
                Some(brought) => brought,
                None => self.fetch(object, take_in).await,
            };
            if let Object::Blobs { of, .. } = object {
                tiers.forget_head(self.at, of);
            }
            brought
        };
        tiers.in_turn((self.at, object), self.left(), bring).await
    }

    /// What the last turn brought, for who has looked before it ended and comes after that.
    async fn is_here(&self, object: Object) -> Option<Brought> {
        let (Object::Result(result) | Object::Blobs { of: result, .. }) = object else { return None };
        if let Some(in_hand) = self.shared.tiers.in_hand(&result) {
            return Some(Brought::Entry(result, in_hand));
        }
        let to = Arc::clone(self.shared);
        let look = move || to.store.fetch(&result).is_ok_and(|stored| stored.is_some());
        let looked = tokio::time::timeout(self.left(), tokio::task::spawn_blocking(look)).await;
        matches!(looked, Ok(Ok(true))).then_some(Brought::News)
    }

    async fn fetch(
        &self,
        object: Object,
        take_in: impl FnOnce(&mut dyn Read) -> Option<Brought> + Send + 'static,
    ) -> Brought {
        let key = object.key();
        let routes = self.shared.routes();
        let Some(tier) = self.shared.tiers.list().get(self.at) else { return Brought::Nothing };
        let route = routes.remotes.get(self.at).and_then(Option::as_ref);
        let (to, mut pieces) = Sink::stream();
        let guard = match object {
            Object::Job(_) | Object::Result(_) => Arc::clone(&tier.guard),
            Object::Blobs { .. } => Arc::new(tier.guard.without_signatures()),
        };
        let room = Arc::clone(&self.shared.permits.unpacking);
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
            tier.note_lack(key, true);
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

    /// Opens a result that stands, and has it put into the tiers above this remote, once, behind the build. `None` where
    /// it cannot be opened.
    pub(crate) fn hand_over(&self, job: Digest, result: Digest, brought: &InHand) -> Option<Fetched> {
        // Before it is put: a store that fails removes its files.
        let opened = brought.opened();
        if let Some(to_put) = brought.to_put() {
            let (to, at, has_files) = (Arc::clone(self.shared), self.at, brought.has_files());
            let is_large = brought.bytes() > SMALL_BYTES as u64;
            // Until it is: the end waits for what is announced.
            let above = self.shared.tiers.list().iter().take(at);
            let announced: Vec<_> = above.map(|tier| Arc::clone(&tier.announced)).collect();
            tokio::task::spawn_blocking(move || {
                if let Err(error) = to_put.put(&to.store, &result) {
                    tracing::debug!(%error, "a result from a remote does not go into the local store");
                    return;
                }
                if has_files {
                    to.tiers.let_go(Some(&result));
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
