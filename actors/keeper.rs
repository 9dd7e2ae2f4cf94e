//! The keeper: rebuilds actors that died, with growing pauses, and gives one up that dies again and again.
//! A plain task, not an actor: it must not share the fate of those it watches.
use crate::tiers::MAX_TIERS;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Who died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ActorName {
    /// `compiler_info_cache.rs`.
    CompilerInfoCache,
    /// `hasher.rs`.
    Hasher,
    /// `storage_actor.rs`.
    LocalStorage,
    /// `jobserver_actor.rs`.
    Jobserver,
    /// `remote_storage_actor.rs`, by its place in the order of remotes.
    RemoteStorage(usize),
}

impl ActorName {
    /// Those that are always there.
    const ALWAYS: [ActorName; 4] =
        [ActorName::Jobserver, ActorName::CompilerInfoCache, ActorName::Hasher, ActorName::LocalStorage];
    /// No index is this large.
    pub(crate) const MAX: usize = Self::ALWAYS.len() + MAX_TIERS;

    /// All that the keeper watches, with this many remotes.
    pub(crate) fn all(n_remotes: usize) -> impl Iterator<Item = ActorName> {
        Self::ALWAYS.into_iter().chain((0..n_remotes.min(MAX_TIERS)).map(ActorName::RemoteStorage))
    }

    /// A number of its own.
    pub(crate) fn index(self) -> usize {
        match self {
            ActorName::Jobserver => 0,
            ActorName::CompilerInfoCache => 1,
            ActorName::Hasher => 2,
            ActorName::LocalStorage => 3,
            ActorName::RemoteStorage(at) => Self::ALWAYS.len() + at,
        }
    }
}

/// The how-manieth life of an actor; lets the keeper ignore the late death of one it has replaced.
pub(crate) type Generation = u64;

/// Deaths within a minute after which an actor is given up.
const MAX_DEATHS: usize = 5;
const MINUTE: Duration = Duration::from_secs(60);
/// The same for those that froze.
const LONG_WINDOW: Duration = Duration::from_secs(600);

/// Dropped with the actor, however it ends: stop, error or panic.
pub(crate) struct Obituary {
    /// Whose.
    pub actor: ActorName,
    /// Its life.
    pub born: Generation,
    /// The keeper.
    pub to: mpsc::UnboundedSender<Death>,
}

impl Obituary {
    fn send(&self) {
        // The keeper may be gone at shutdown; then nobody needs to know.
        let _ = self.to.send(Death { actor: self.actor, born: self.born, cause: Cause::Ended });
    }
}

impl Drop for Obituary {
    fn drop(&mut self) {
        self.send();
    }
}

/// What each actor of a pool holds. One that is made anew by its factory tells nothing; a thread that dies of a
/// panic counts as the death of the pool, which would be short of it for ever.
pub(crate) struct PoolObituary(pub(crate) Arc<Obituary>);

impl Drop for PoolObituary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.send();
        }
    }
}

/// The news of an actor's end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// Whose.
    pub actor: ActorName,
    /// Its life.
    pub born: Generation,
    /// How it is known.
    pub(crate) cause: Cause,
}

/// How a death is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The actor ended.
    Ended,
    /// It gives no sign of life. Its threads are still there: such lives may not be replaced for ever, and as it
    /// takes a while to notice, they are counted over [`LONG_WINDOW`].
    Silent,
}

/// How often each actor is asked for a sign of life, and how long it may take to give one.
pub(crate) const PULSE_INTERVAL: Duration = Duration::from_secs(5);
/// Signs of life missed in a row that count as a death.
const MAX_MISSED: u32 = 3;

/// How long an actor has been silent.
#[derive(Default)]
pub(crate) struct Silence {
    life: Generation,
    missed: u32,
}

impl Silence {
    /// Takes note of a sign of life, or of its lack; true once where an actor counts as dead.
    pub(crate) fn is_death(&mut self, life: Generation, answered: bool) -> bool {
        if answered || life != self.life {
            *self = Silence { life, missed: 0 };
        }
        self.missed += u32::from(!answered);
        self.missed == MAX_MISSED
    }
}

/// What to do about a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Rebuild it after this pause.
    Rebuild(Duration),
    /// It dies too often: withdraw its route.
    GiveUp,
    /// It was replaced already.
    Ignore,
}

/// The keeper's memory.
#[derive(Default)]
pub(crate) struct Ledger {
    deaths: HashMap<ActorName, Vec<(Instant, Cause)>>,
    buried: HashMap<ActorName, Generation>,
}

impl Ledger {
    /// Judges a death that happened at `now`.
    pub(crate) fn judge(&mut self, death: Death, now: Instant) -> Verdict {
        let buried = self.buried.entry(death.actor).or_insert(0);
        if death.born < *buried {
            return Verdict::Ignore;
        }
        *buried = death.born + 1;
        let deaths = self.deaths.entry(death.actor).or_default();
        deaths.retain(|(then, cause)| {
            let window = if *cause == Cause::Silent { LONG_WINDOW } else { MINUTE };
            now.duration_since(*then) < window
        });
        deaths.push((now, death.cause));
        match deaths.len() {
            0 | 1 => Verdict::Rebuild(Duration::ZERO),
            n if n <= MAX_DEATHS => Verdict::Rebuild(Duration::from_millis(50 << n.min(6))),
            _ => Verdict::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(born: Generation) -> Death {
        Death { actor: ActorName::Hasher, born, cause: Cause::Ended }
    }

    #[test]
    fn one_that_freezes_half_a_minute_after_each_birth_is_given_up_too() {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        let mut judge = |born: u32| {
            let death = Death { actor: ActorName::Hasher, born: born.into(), cause: Cause::Silent };
            ledger.judge(death, start + Duration::from_secs(30) * born)
        };
        assert!((0..5).all(|born| matches!(judge(born), Verdict::Rebuild(_))));
        assert_eq!(judge(5), Verdict::GiveUp);
    }

    #[test]
    fn three_signs_of_life_missed_in_a_row_are_a_death() {
        let mut silence = Silence::default();
        let told = |silence: &mut Silence, life, signs: &[bool]| -> Vec<bool> {
            signs.iter().map(|&answered| silence.is_death(life, answered)).collect()
        };
        assert_eq!(told(&mut silence, 0, &[false, false, true, false, false]), [false; 5]);
        assert_eq!(told(&mut silence, 0, &[false, false]), [true, false]);
        // Another life begins with its own count.
        assert_eq!(told(&mut silence, 1, &[false, false, false]), [false, false, true]);
    }

    #[test]
    fn pauses_grow_and_the_sixth_death_in_a_minute_is_the_last() {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        let mut before = None;
        for born in 0..MAX_DEATHS as u64 {
            let Verdict::Rebuild(pause) = ledger.judge(ended(born), start) else {
                panic!("given up at life {born}");
            };
            assert!(before.is_none_or(|before| pause > before));
            before = Some(pause);
        }
        assert_eq!(ledger.judge(ended(5), start), Verdict::GiveUp);
        assert_eq!(ledger.judge(ended(5), start), Verdict::Ignore);
        let later = start + MINUTE * 2;
        assert_eq!(ledger.judge(ended(6), later), Verdict::Rebuild(Duration::ZERO));
    }
}
