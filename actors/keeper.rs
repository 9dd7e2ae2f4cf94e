//! The keeper: rebuilds actors that died, with growing pauses, and gives one up that dies again and again.
//! A plain task, not an actor: it must not share the fate of those it watches.
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Who died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorName {
    /// `compiler_info_cache.rs`.
    CompilerInfoCache,
    /// `hasher.rs`.
    Hasher,
    /// `storage_actor.rs`.
    LocalStorage,
    /// `jobserver_actor.rs`.
    Jobserver,
}

/// The how-manieth life of an actor; lets the keeper ignore the late death of one it has replaced.
pub type Generation = u64;

/// Deaths within a minute after which an actor is given up.
const MAX_DEATHS: usize = 5;
const MINUTE: Duration = Duration::from_secs(60);

/// Dropped with the actor, however it ends: stop, error or panic.
pub struct Obituary {
    /// Whose.
    pub actor: ActorName,
    /// Its life.
    pub born: Generation,
    /// The keeper.
    pub to: mpsc::UnboundedSender<Death>,
}

impl Drop for Obituary {
    fn drop(&mut self) {
        // The keeper may be gone at shutdown; then nobody needs to know.
        let _ = self.to.send(Death { actor: self.actor, born: self.born });
    }
}

/// The news of an actor's end.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// Whose.
    pub actor: ActorName,
    /// Its life.
    pub born: Generation,
}

/// What to do about a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Rebuild it after this pause.
    Rebuild(Duration),
    /// It dies too often: withdraw its route.
    GiveUp,
    /// It was replaced already.
    Ignore,
}

/// The keeper's memory.
#[derive(Default)]
pub struct Ledger {
    deaths: HashMap<ActorName, Vec<Instant>>,
    buried: HashMap<ActorName, Generation>,
}

impl Ledger {
    /// Judges a death that happened at `now`.
    pub fn judge(&mut self, death: Death, now: Instant) -> Verdict {
        let buried = self.buried.entry(death.actor).or_insert(0);
        if death.born < *buried {
            return Verdict::Ignore;
        }
        *buried = death.born + 1;
        let deaths = self.deaths.entry(death.actor).or_default();
        deaths.retain(|then| now.duration_since(*then) < MINUTE);
        deaths.push(now);
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

    #[test]
    fn pauses_grow_and_the_sixth_death_in_a_minute_is_the_last() {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        let mut before = None;
        for born in 0..MAX_DEATHS as u64 {
            let Verdict::Rebuild(pause) = ledger.judge(Death { actor: ActorName::Hasher, born }, start) else {
                panic!("given up at life {born}");
            };
            assert!(before.is_none_or(|before| pause > before));
            before = Some(pause);
        }
        assert_eq!(ledger.judge(Death { actor: ActorName::Hasher, born: 5 }, start), Verdict::GiveUp);
        assert_eq!(ledger.judge(Death { actor: ActorName::Hasher, born: 5 }, start), Verdict::Ignore);
        let later = start + MINUTE * 2;
        assert_eq!(ledger.judge(Death { actor: ActorName::Hasher, born: 6 }, later), Verdict::Rebuild(Duration::ZERO));
    }
}
