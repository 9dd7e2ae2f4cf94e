//! The other actors under the keeper: panics, deaths and freezes, and what a request makes of them.
use super::{CORES, World, until};
use crate::drive::{self, Outcome};
use crate::keeper::ActorName;
use crate::permits::Deadline;
use crate::pulse::{Poison, Pulse};
use crate::remote_storage_actor::Fetch;
use crate::request_router::{Gate, RequestRouter};
use crate::routes::{AskError, ask};
use crate::storage_actor::LiftWindow;
use actix::Actor;
use cachepot_engine::digest::Digest;
use cachepot_engine::stats::Stat;
use cachepot_storage::remote::sink::Sink;
use cachepot_wire::{CompileRequest, EnvBlock};
use std::ffi::OsStr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

fn limit() -> Deadline {
    Deadline::after(super::LIMIT)
}

#[actix::test]
async fn the_compiler_cache_comes_back_after_a_panic() {
    let world = World::start();
    let route = world.shared.routes().compilers;
    assert_eq!(ask(route.as_ref(), Poison::Panic, limit()).await.unwrap_err(), AskError::Closed);
    world.reaches_life(ActorName::CompilerInfoCache, 1).await;
    assert!(ask(world.shared.routes().compilers.as_ref(), Pulse, limit()).await.is_ok());
    assert_eq!(world.shared.stats.snapshot().count(Stat::ActorRestarts), 1);
}

#[actix::test]
async fn the_compiler_cache_is_given_up_after_too_many_deaths() {
    tokio::time::pause();
    let world = World::start();
    for _ in 0..6 {
        let mut changes = world.shared.routes.subscribe();
        assert!(ask(world.shared.routes().compilers.as_ref(), Poison::Panic, limit()).await.is_err());
        tokio::time::timeout(super::LIMIT, changes.changed()).await.unwrap().unwrap();
    }
    assert!(world.shared.routes().compilers.is_none());
    assert!(matches!(compile(&world, "int x;").await, Outcome::Yours));
}

struct Fall;

impl actix::Message for Fall {
    type Result = ();
}

impl actix::Handler<Fall> for RequestRouter {
    type Result = ();

    fn handle(&mut self, _: Fall, _: &mut Self::Context) {
        panic!("poisoned");
    }
}

#[actix::test]
async fn a_coordinator_ends_with_its_router() {
    let world = World::start();
    let listener = tokio::net::UnixListener::bind(world.folder.path().join("socket")).unwrap();
    let gate = Arc::new(Gate::new());
    let router = RequestRouter::new(listener, Arc::clone(&world.shared), Arc::clone(&gate)).start();
    assert!(router.send(Fall).await.is_err());
    tokio::time::timeout(super::LIMIT, gate.closed()).await.unwrap();
}

#[actix::test]
async fn pools_come_back_after_a_panic() {
    let world = World::start();
    let routes = world.shared.routes();
    for _ in 0..3 * CORES {
        assert!(ask(routes.hashers.as_ref(), Poison::Panic, limit()).await.unwrap().is_err());
        assert!(ask(routes.local_store.as_ref(), Poison::Panic, limit()).await.unwrap().is_err());
    }
    assert!(ask(routes.hashers.as_ref(), Pulse, limit()).await.is_ok());
    assert!(ask(routes.local_store.as_ref(), Pulse, limit()).await.is_ok());
    assert_eq!((world.life(ActorName::Hasher), world.life(ActorName::LocalStorage)), (0, 0));
}

#[actix::test]
async fn a_pool_that_lost_a_thread_is_replaced() {
    let world = World::start();
    let routes = world.shared.routes();
    assert!(ask(routes.hashers.as_ref(), Poison::Die, limit()).await.is_err());
    assert!(ask(routes.local_store.as_ref(), Poison::Die, limit()).await.is_err());
    world.reaches_life(ActorName::Hasher, 1).await;
    world.reaches_life(ActorName::LocalStorage, 1).await;
    assert!(ask(world.shared.routes().hashers.as_ref(), Pulse, limit()).await.is_ok());
    assert!(ask(world.shared.routes().local_store.as_ref(), Pulse, limit()).await.is_ok());
}

#[actix::test]
async fn a_remote_comes_back_after_a_panic() {
    let world = World::start();
    let remote = || world.shared.routes().remotes[0].clone();
    assert!(ask(remote().as_ref(), Poison::Panic, limit()).await.is_err());
    world.reaches_life(ActorName::RemoteStorage(0), 1).await;
    let fetch = Fetch { key: Digest([0; 32]), to: Sink::default() };
    assert_eq!(ask(remote().as_ref(), fetch, limit()).await, Ok(false));
}

#[actix::test]
async fn actors_are_replaced_when_frozen() {
    let world = World::with_pulse(Duration::from_millis(250));
    let (thaw, until_then) = mpsc::channel();
    let (until_then, routes) = (Arc::new(Mutex::new(until_then)), world.shared.routes());
    let freeze = || Poison::Freeze(Arc::clone(&until_then));
    for _ in 0..CORES {
        actix::spawn(routes.hashers.as_ref().unwrap().send(freeze()));
        actix::spawn(routes.local_store.as_ref().unwrap().send(freeze()));
    }
    actix::spawn(routes.compilers.as_ref().unwrap().send(freeze()));
    actix::spawn(routes.jobserver.as_ref().unwrap().send(freeze()));
    actix::spawn(routes.remotes[0].as_ref().unwrap().send(freeze()));
    // A request behind them is answered in time.
    let permit = Arc::clone(&world.shared.permits.local_store).acquire_owned().await.unwrap();
    let deadline = Deadline::after(Duration::from_millis(20));
    let nothing = Digest([0; 32]);
    let message = LiftWindow { job: nothing, result: nothing, permit: Arc::new(permit) };
    let late = ask(routes.local_store.as_ref(), message, deadline).await;
    assert_eq!(late.err(), Some(AskError::Late));
    for actor in ActorName::all(1) {
        world.reaches_life(actor, 1).await;
    }
    for actor in ActorName::all(1) {
        assert_eq!(world.shared.routes().pulse(actor, limit()).await, Some(Ok(())), "{actor:?}");
    }
    drop(thaw);
    // What lay in the frozen pool's queue is dropped with it or worked off: the permit comes back.
    let bound = 64.max(CORES * 8);
    drop(routes);
    until(|| world.shared.permits.local_store.available_permits() == bound).await;
}

/// A request through `drive.rs`, for the C compiler of this machine.
async fn compile(world: &World, text: &str) -> Outcome {
    let source = world.folder.path().join("a.c");
    std::fs::write(&source, text).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let request = CompileRequest {
        argv: ["cc", "-c", "a.c"].map(Into::into).to_vec(),
        cwd: world.folder.path().to_owned(),
        env: EnvBlock::from_pairs([(OsStr::new("PATH"), path.as_os_str())]),
        stderr_is_terminal: false,
    };
    let (hints, _) = crate::hints::Hints::channel();
    drive::compile(&world.shared, request, 0, &hints).await
}

#[actix::test]
async fn a_request_that_meets_a_dead_actor_is_the_clients_own() {
    let world = World::start();
    let job = match compile(&world, "int x;").await {
        Outcome::Miss(miss) => miss.job(),
        Outcome::Hit(..) | Outcome::Yours => panic!("a miss"),
    };
    // Only for a job of which something may be known is a Hasher asked.
    world.shared.store.put_manifest(&job, b"any").unwrap();
    // Kept, or else they would end and be made anew.
    let _actors = world.shared.routes();
    world.shared.routes.send_modify(|routes| routes.hashers = None);
    assert!(matches!(compile(&world, "int x;").await, Outcome::Yours));
    assert_eq!(world.shared.stats.snapshot().count(Stat::RanWithoutCache), 1);
}
