//! A remote as everybody may see it: where it is, what is done there, and what is known of it. Its RemoteStorageActor does the rest.
use crate::latency::Latencies;
use crate::odds::Odds;
use cachepot_config::Mode;
use cachepot_engine::digest::Digest;
use cachepot_engine::stats::RemoteReport;
use cachepot_storage::recent::Recent;
use cachepot_storage::remote::backend::{Backend, Later, Rights, try_reading};
use cachepot_storage::remote::guard::Guard;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How much is remembered of what a remote lacks, in bytes.
const MAX_LACKING_BYTES: usize = 1 << 20;

/// See the file's head.
pub(crate) struct Tier {
    /// Its name in the settings, which is its name in the statistics.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) backend: Arc<dyn Backend>,
    /// Who is believed, and who may read.
    pub(crate) guard: Arc<Guard>,
    /// What is done there.
    pub(crate) mode: Mode,
    /// Writes that the actor knows of and has not done.
    pub(crate) queued: AtomicUsize,
    /// A copy goes with each write that the actor has not read yet.
    pub(crate) announced: Arc<()>,
    /// Whether it is left alone just now.
    pub(crate) is_left_alone: AtomicBool,
    /// Whether it refuses what is written.
    pub(crate) refuses_writes: AtomicBool,
    /// Keys under which it had nothing, or what is not to be trusted (true): blobs are written then without asking whether they
    /// are there.
    pub(crate) lacking: Mutex<Recent<Digest, bool>>,
    /// How long its answers took.
    pub(crate) latencies: Mutex<Latencies>,
    /// Whether it is worth waiting for.
    pub(crate) odds: Mutex<Odds>,
}

impl Tier {
    /// What may be done there, by trying; nothing is written where nothing is to be.
    pub(crate) fn check(&self) -> Later<'_, Rights> {
        check(self.backend.as_ref(), self.mode)
    }

    /// Takes note that it has nothing under a key, or what is not to be trusted.
    pub(crate) fn note_lack(&self, key: Digest, is_suspect: bool) {
        hold(&self.lacking).insert(key, is_suspect, size_of::<Digest>());
    }

    /// Takes note of how long an answer took, and whether there was anything.
    pub(crate) fn note_answer(&self, is_hit: bool, took: Duration) {
        hold(&self.latencies).add(took);
        hold(&self.odds).note(is_hit, took);
    }

    /// Whether what is written now comes through, as far as is known.
    pub(crate) fn takes_writes(&self) -> bool {
        let holds = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        self.mode.writes() && !holds(&self.is_left_alone) && !holds(&self.refuses_writes)
    }

    /// Writes that are not done.
    pub(crate) fn pending(&self) -> usize {
        // In this order: on its way from one to the other, a write counts twice rather than not at all.
        let announced = Arc::strong_count(&self.announced) - 1;
        fence(Ordering::Acquire);
        announced + self.queued.load(Ordering::Relaxed)
    }

    /// For the statistics.
    pub(crate) fn report(&self) -> RemoteReport {
        let latencies = hold(&self.latencies).clone();
        let within = |percent| latencies.percentile(percent);
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let percentiles = [within(50), within(95), within(99)].map(|time| time.map(micros));
        RemoteReport {
            name: self.name.to_owned(),
            location: self.backend.name().to_owned(),
            mode: self.mode.name().to_owned(),
            is_left_alone: self.is_left_alone.load(Ordering::Relaxed),
            pending_writes: self.pending() as u64,
            latency_micros: match percentiles {
                [Some(half), Some(most), Some(nearly_all)] => Some([half, most, nearly_all]),
                _ => None,
            },
            unusable: None,
        }
    }
}

/// Nothing is lacking yet.
pub(crate) fn nothing_lacking() -> Mutex<Recent<Digest, bool>> {
    Mutex::new(Recent::new(MAX_LACKING_BYTES))
}

/// See [`Tier::check`].
pub(crate) fn check(backend: &dyn Backend, mode: Mode) -> Later<'_, Rights> {
    if mode.writes() { backend.check() } else { Box::pin(try_reading(backend)) }
}

/// The value behind a lock, whatever became of others who held it.
pub(crate) fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
