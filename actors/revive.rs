//! Starts the actors and, for the keeper, starts them again.
use crate::compiler_info_cache::CompilerInfoCache;
use crate::hasher::Hasher;
use crate::jobserver_actor::{JobserverActor, Origin};
use crate::keeper::{
    ActorName, Cause, Death, Generation, Ledger, Obituary, PULSE_INTERVAL, PoolObituary, Silence, Verdict,
};
use crate::permits::Deadline;
use crate::remote_storage_actor::RemoteStorageActor;
use crate::shared::Shared;
use crate::storage_actor::LocalStorageActor;
use actix::{Actor, Arbiter, ArbiterHandle, Context, SyncArbiter};
use cachepot_engine::stats::Stat;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Knows how each actor is made.
#[derive(Clone)]
pub(crate) struct Reviver {
    shared: Arc<Shared>,
    deaths: mpsc::UnboundedSender<Death>,
    cores: usize,
    jobserver: Origin,
    pulse: Duration,
    /// The thread of all remotes; the coordinator's own where there are none.
    remotes: ArbiterHandle,
}

impl Reviver {
    /// For actors whose ends are told to `deaths`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        deaths: mpsc::UnboundedSender<Death>,
        cores: usize,
        jobserver: Origin,
    ) -> Self {
        let remotes =
            if shared.tiers.list().is_empty() { Arbiter::current() } else { Arbiter::new().handle() };
        Reviver { shared, deaths, cores, jobserver, pulse: PULSE_INTERVAL, remotes }
    }

    /// The same with another time between signs of life.
    #[cfg(test)]
    pub(crate) fn with_pulse(self, pulse: Duration) -> Self {
        Reviver { pulse, ..self }
    }

    /// Starts every actor once.
    pub(crate) fn start_all(&self) {
        for actor in ActorName::all(self.shared.tiers.list().len()) {
            self.start(actor, 0);
        }
    }

    fn start(&self, actor: ActorName, born: Generation) {
        let obituary = Obituary { actor, born, to: self.deaths.clone() };
        let shared = &self.shared;
        shared.routes.send_modify(|routes| *routes.life(actor) = born);
        match actor {
            ActorName::CompilerInfoCache => {
                let (slots, published) = (shared.slots.clone(), shared.compilers.clone());
                let places = (shared.scratch.clone(), Arc::clone(&shared.settled));
                let cache = CompilerInfoCache::new(published, slots, places, obituary).start();
                shared.routes.send_modify(|routes| routes.compilers = Some(cache));
            }
            ActorName::Hasher => {
                let (memory, manifests) = (Arc::clone(&shared.memory), Arc::clone(&shared.manifests));
                let (store, obituary) = (Arc::clone(&shared.store), Arc::new(obituary));
                let pool = SyncArbiter::start(self.cores.max(2), move || Hasher {
                    memory: Arc::clone(&memory),
                    manifests: Arc::clone(&manifests),
                    store: Arc::clone(&store),
                    _obituary: PoolObituary(Arc::clone(&obituary)),
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
                    _obituary: PoolObituary(Arc::clone(&obituary)),
                });
                shared.routes.send_modify(|routes| routes.local_store = Some(pool));
            }
            ActorName::Jobserver => {
                let actor = JobserverActor::new(&self.jobserver, obituary).start();
                shared.routes.send_modify(|routes| routes.jobserver = Some(actor));
            }
            ActorName::RemoteStorage(at) => {
                let Some(tier) = shared.tiers.list().get(at).cloned() else { return };
                let (of, folder) = (Arc::clone(shared), shared.pending_folder(tier.name));
                let make = move |_: &mut Context<RemoteStorageActor>| {
                    RemoteStorageActor::new(tier, of, folder, obituary)
                };
                let actor = RemoteStorageActor::start_in_arbiter(&self.remotes, make);
                shared.routes.send_modify(|routes| {
                    if let Some(route) = routes.remotes.get_mut(at) {
                        *route = Some(actor);
                    }
                });
            }
        }
    }

    fn withdraw(&self, actor: ActorName) {
        self.shared.routes.send_modify(|routes| match actor {
            ActorName::CompilerInfoCache => routes.compilers = None,
            ActorName::Hasher => routes.hashers = None,
            ActorName::LocalStorage => routes.local_store = None,
            ActorName::Jobserver => routes.jobserver = None,
            ActorName::RemoteStorage(at) => {
                if let Some(route) = routes.remotes.get_mut(at) {
                    *route = None;
                }
                // Nobody writes any more: nothing is to be waited for.
                if let Some(tier) = self.shared.tiers.list().get(at) {
                    tier.queued.store(0, Ordering::Relaxed);
                }
            }
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

/// Finds an actor that is frozen by its silence.
async fn feel_pulse(reviver: Reviver, actor: ActorName) {
    let mut silence = Silence::default();
    loop {
        tokio::time::sleep(reviver.pulse).await;
        let mut routes = reviver.shared.routes();
        let born = *routes.life(actor);
        let Some(sign) = routes.pulse(actor, Deadline::after(reviver.pulse)).await else { continue };
        if silence.is_death(born, sign.is_ok()) {
            tracing::error!(?actor, "an actor gives no sign of life");
            // Its address goes away with the route; what it holds comes back when it thaws.
            let _ = reviver.deaths.send(Death { actor, born, cause: Cause::Silent });
        }
    }
}

/// The keeper: a plain task.
pub(crate) async fn keep(mut news: mpsc::UnboundedReceiver<Death>, reviver: Reviver) {
    let mut ledger = Ledger::default();
    for actor in ActorName::all(reviver.shared.tiers.list().len()) {
        actix::spawn(feel_pulse(reviver.clone(), actor));
    }
    while let Some(death) = news.recv().await {
        let verdict = ledger.judge(death, Instant::now());
        // A task per death: the pause before one restart must not delay another.
        actix::spawn(reviver.clone().revive(death, verdict));
    }
}
