//! JobserverActor under its keeper, and what its askers do without it.
use super::{CORES, World, until};
use crate::jobserver_actor::{Acquire, Wanted};
use crate::keeper::ActorName;
use crate::permits::Deadline;
use crate::pulse::Poison;
use crate::routes::ask;
use crate::together;
use cachepot_wire::CompileRequest;
use std::cell::Cell;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

impl World {
    async fn kill_jobserver(&self) {
        let route = self.shared.routes().jobserver.unwrap();
        assert!(route.send(Poison::Panic).await.is_err(), "it died of it");
    }

    async fn lend(&self, program: &str, pid: u32) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        let request = CompileRequest { argv: vec![program.into()], ..CompileRequest::default() };
        self.shared.slots.lend(Wanted::by(&request), pid.cast_signed()).await
    }

    fn soon(&self) -> Deadline {
        Deadline::after(Duration::from_millis(20))
    }
}

#[actix::test]
async fn as_many_run_as_there_are_slots() {
    let world = World::start();
    let slots = &world.shared.slots;
    let mut held = Vec::new();
    for _ in 0..CORES {
        held.push(slots.take().await.filter(|slot| slot.has_token()).unwrap());
    }
    assert!(slots.take_until(world.soon()).await.is_none(), "refuses when full, in time");
    let (waiting, ()) = tokio::join!(slots.take(), async { drop(held.pop()) });
    assert!(waiting.unwrap().has_token());
}

#[actix::test]
async fn comes_back_after_a_panic_and_old_tokens_go_back_to_the_old_fifo() {
    let world = World::start();
    let before = world.shared.slots.take().await.unwrap();
    let fifos = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("jobserver-")).collect()
    };
    assert_eq!(fifos().len(), 1);
    world.kill_jobserver().await;
    // At once, without waiting for the keeper: the asker does that.
    let after = world.shared.slots.take().await.unwrap();
    assert!(after.has_token());
    assert_eq!(world.life(ActorName::Jobserver), 1);
    assert_eq!(fifos().len(), 2, "the old one lives as long as its token");
    drop(before);
    until(|| fifos().len() == 1).await;
    drop(after);
    let all: Vec<_> = [world.shared.slots.take().await, world.shared.slots.take().await].into();
    assert!(all.iter().flatten().all(|slot| slot.has_token()));
}

#[actix::test]
async fn those_in_line_when_it_dies_stay_in_line() {
    let world = World::start();
    let slots = &world.shared.slots;
    let permit = Arc::new(Arc::clone(&world.shared.permits.hashing).acquire_owned().await.unwrap());
    let route = world.shared.routes().jobserver;
    let deadline = Deadline::after(super::LIMIT);
    let mut held = Vec::new();
    for _ in 0..CORES {
        let acquire = Acquire { deadline, permit: Arc::clone(&permit) };
        held.push(ask(route.as_ref(), acquire, deadline).await.unwrap().unwrap());
    }
    // Its permit is free, but there is no token.
    let (slot, ()) = tokio::join!(slots.take_until(deadline), async {
        tokio::task::yield_now().await;
        world.kill_jobserver().await;
        drop(held);
    });
    assert!(slot.unwrap().has_token());
}

#[actix::test]
async fn without_the_actor_work_goes_on_at_once_and_within_the_cores() {
    let world = World::start();
    // Kept, or else it would end and be made anew.
    let _actor = world.shared.routes();
    world.shared.routes.send_modify(|routes| routes.jobserver = None);
    let mut held = Vec::new();
    for _ in 0..CORES {
        held.push(world.shared.slots.take().await.filter(|slot| !slot.has_token()).unwrap());
    }
    assert!(world.shared.slots.take_until(world.soon()).await.is_none());
    assert!(world.lend("rustc", std::process::id()).await.is_empty());
}

#[actix::test]
async fn given_up_after_too_many_deaths() {
    tokio::time::pause();
    let world = World::start();
    for life in 0..6 {
        assert_eq!(world.life(ActorName::Jobserver), life);
        // From before the death: the keeper may be faster than we are.
        let mut changes = world.shared.routes.subscribe();
        world.kill_jobserver().await;
        let settled = || {
            let alive = world.shared.routes().jobserver.is_some();
            if life == 5 { !alive } else { alive && world.life(ActorName::Jobserver) == life + 1 }
        };
        while !settled() {
            tokio::time::timeout(super::LIMIT, changes.changed()).await.unwrap().unwrap();
        }
    }
    assert!(world.shared.routes().jobserver.is_none());
    assert!(!world.shared.slots.take().await.unwrap().has_token());
}

#[actix::test]
async fn skips_expired_work() {
    let world = World::start();
    let permit = Arc::new(Arc::clone(&world.shared.permits.slots).acquire_owned().await.unwrap());
    let route = world.shared.routes().jobserver.unwrap();
    let late = Acquire { deadline: Deadline::after(Duration::ZERO), permit };
    assert!(route.send(late).await.unwrap().is_none(), "although a slot is free");
}

/// A process that takes two tokens from the fifo whose name it reads, and lives on.
fn greedy() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read -r fifo; head -c 2 \"$fifo\"; exec sleep 600"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[actix::test]
async fn tokens_of_a_killed_client_come_back() {
    let world = World::start();
    let mut child = greedy();
    assert!(world.lend("gcc", child.id()).await.is_empty());
    assert!(world.lend("rustc", 0).await.is_empty(), "a client in another namespace");
    let told = world.lend("/usr/bin/rustc", child.id()).await;
    let [(name, value)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(name, "CARGO_MAKEFLAGS");
    let fifo = value.to_str().unwrap().strip_prefix("-j --jobserver-auth=fifo:").unwrap();
    child.stdin.take().unwrap().write_all(format!("{fifo}\n").as_bytes()).unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 2]).unwrap();
    let leases = &world.shared.permits.leases;
    let n_leases = leases.available_permits();
    child.kill().unwrap();
    child.wait().unwrap();
    until(|| leases.available_permits() > n_leases).await;
    let mut held = Vec::new();
    for _ in 0..CORES {
        held.push(world.shared.slots.take().await.filter(|slot| slot.has_token()).unwrap());
    }
}

/// Pieces of work run beside each other as far as there are slots, and without any further slot one after the other.
#[actix::test]
async fn pieces_share_the_slots() {
    let world = World::start();
    let _own = world.shared.slots.take().await.unwrap();
    let (busy, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let piece = |number: u32| {
        let (busy, most) = (Rc::clone(&busy), Rc::clone(&most));
        async move {
            busy.set(busy.get() + 1);
            most.set(most.get().max(busy.get()));
            tokio::time::sleep(Duration::from_millis(5)).await;
            busy.set(busy.get() - 1);
            number
        }
    };
    let all = async || together::all((0..8).map(piece).collect(), &world.shared.slots).await;
    assert_eq!((all().await, most.replace(0)), (Some((0..8).collect()), CORES));
    let mut held = Vec::new();
    for _ in 1..CORES {
        held.push(world.shared.slots.take().await.unwrap());
    }
    assert_eq!((all().await, most.replace(0)), (Some((0..8).collect()), 1));
    drop(held);
    let lost = |number: u32| async move { assert_ne!(number, 1, "poisoned") };
    let slots = world.shared.slots.clone();
    let all =
        tokio::task::spawn_local(async move { together::all((0..4).map(lost).collect(), &slots).await });
    assert!(all.await.map_or(true, |answers| answers.is_none()), "a lost piece is told");
}
