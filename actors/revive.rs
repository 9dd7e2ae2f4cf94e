//! Starts the actors and, for the keeper, starts them again.
use crate::compiler_info_cache::CompilerInfoCache;
use crate::hasher::Hasher;
use crate::keeper::{ActorName, Death, Generation, Ledger, Obituary, Verdict};
use crate::shared::Shared;
use crate::storage_actor::LocalStorageActor;
use actix::{Actor, SyncArbiter};
use cachepot_engine::stats::Stat;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Knows how each actor is made.
#[derive(Clone)]
pub struct Reviver {
    shared: Arc<Shared>,
    deaths: mpsc::UnboundedSender<Death>,
    cores: usize,
}

impl Reviver {
    /// For actors whose ends are told to `deaths`.
    pub fn new(shared: Arc<Shared>, deaths: mpsc::UnboundedSender<Death>, cores: usize) -> Self {
        Reviver { shared, deaths, cores }
    }

    /// Starts every actor once.
    pub fn start_all(&self) {
        for actor in [ActorName::CompilerInfoCache, ActorName::Hasher, ActorName::LocalStorage] {
            self.start(actor, 0);
        }
    }

    fn start(&self, actor: ActorName, born: Generation) {
        let obituary = Obituary { actor, born, to: self.deaths.clone() };
        let shared = &self.shared;
        match actor {
            ActorName::CompilerInfoCache => {
                let (slots, scratch) = (shared.slots.clone(), shared.scratch.clone());
                let cache = CompilerInfoCache::new(shared.compilers.clone(), slots, scratch, obituary).start();
                shared.routes.send_modify(|routes| routes.compilers = Some(cache));
            }
            ActorName::Hasher => {
                let (memory, manifests) = (Arc::clone(&shared.memory), Arc::clone(&shared.manifests));
                let obituary = Arc::new(obituary);
                let pool = SyncArbiter::start(self.cores.max(2), move || Hasher {
                    memory: Arc::clone(&memory),
                    manifests: Arc::clone(&manifests),
                    _obituary: Arc::clone(&obituary),
                });
                shared.routes.send_modify(|routes| routes.hashers = Some(pool));
            }
            ActorName::LocalStorage => {
                let (store, memory) = (Arc::clone(&shared.store), Arc::clone(&shared.memory));
                let (manifests, obituary) = (Arc::clone(&shared.manifests), Arc::new(obituary));
                let pool = SyncArbiter::start(self.cores.max(2), move || LocalStorageActor {
                    store: Arc::clone(&store),
                    manifests: Arc::clone(&manifests),
                    memory: Arc::clone(&memory),
                    _obituary: Arc::clone(&obituary),
                });
                shared.routes.send_modify(|routes| routes.local_store = Some(pool));
            }
            ActorName::Jobserver => {}
        }
    }

    fn withdraw(&self, actor: ActorName) {
        self.shared.routes.send_modify(|routes| match actor {
            ActorName::CompilerInfoCache => routes.compilers = None,
            ActorName::Hasher => routes.hashers = None,
            ActorName::LocalStorage => routes.local_store = None,
            ActorName::Jobserver => {}
        });
    }

    async fn revive(self, death: Death, verdict: Verdict) {
        match verdict {
            Verdict::Ignore => {}
            Verdict::GiveUp => {
                tracing::error!(actor = ?death.actor, "an actor died too often and is given up; compiles go on without the cache");
                self.withdraw(death.actor);
            }
            Verdict::Rebuild(pause) => {
                tracing::error!(actor = ?death.actor, "an actor died and is made anew");
                self.shared.stats.bump(Stat::ActorRestarts);
                tokio::time::sleep(pause).await;
                self.start(death.actor, death.born + 1);
            }
        }
    }
}

/// The keeper: a plain task.
pub async fn keep(mut news: mpsc::UnboundedReceiver<Death>, reviver: Reviver) {
    let mut ledger = Ledger::default();
    while let Some(death) = news.recv().await {
        let verdict = ledger.judge(death, Instant::now());
        // A task per death: the pause before one restart must not delay another.
        actix::spawn(reviver.clone().revive(death, verdict));
    }
}
