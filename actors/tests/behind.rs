//! The queue of checks behind the build: what does not fit is not checked, and all of it comes back.
use super::{World, until};
use crate::behind::{self, Check};
use crate::detect::{CompilerQuery, detect};
use crate::inputs::{Compiled, Limits, Place, Words, now, observe};
use cachepot_engine::bases::Bases;
use cachepot_engine::digest::Digest;
use cachepot_wire::EnvBlock;
use std::path::PathBuf;
use std::sync::Arc;

async fn check(world: &World) -> Check {
    let folder = world.folder.path();
    std::fs::write(folder.join("a.c"), "int x;\n").unwrap();
    let program = PathBuf::from("/usr/bin/gcc");
    let (name, env, cwd) = (program.clone().into_os_string(), EnvBlock::default(), folder.to_owned());
    let query = CompilerQuery { program, name, env, cwd, named: Vec::new(), here: None };
    let compiler = detect(&query, &world.shared.slots, folder, &world.shared.settled).await.unwrap();
    let compiled = || {
        let (inputs, words, start) = (vec!["a.c".into()], Words::default(), now());
        Compiled {
            inputs,
            folders: Vec::new(),
            brought: Vec::new(),
            words,
            reads_maps: false,
            key_files: Vec::new(),
            limits: Limits::default(),
            sides: None,
            watched: None,
            bases: Bases::default(),
            asked: start,
            start,
        }
    };
    let place = Place::open(folder).unwrap();
    let mut seen = None;
    // Not while the file is as young as the compile.
    until(|| {
        let compiled = compiled();
        seen = observe(&world.shared.memory, &place, &compiled).ok().map(|observed| (compiled, observed));
        seen.is_some()
    })
    .await;
    let (compiled, observed) = seen.unwrap();
    let words = ["gcc", "a.c", "-E"].map(Into::into).to_vec();
    let (job, result) = (Digest::of(b"job"), Digest::of(b"result"));
    Check {
        job,
        result,
        is_large: false,
        query,
        compiler: Arc::new(compiler),
        words,
        compiled: Arc::new(compiled),
        observed,
    }
}

#[actix::test]
async fn what_does_not_fit_is_not_checked_and_all_room_comes_back() {
    let world = World::start();
    let permits = &world.shared.permits;
    let check = check(&world).await;
    let room = u32::try_from(permits.checks.available_permits()).unwrap();
    let taken = permits.checks.try_acquire_many(room).unwrap();
    behind::queue(&world.shared, check);
    drop(taken);
    assert!(permits.checks_are_idle());
    for _ in 0..3 {
        behind::queue(&world.shared, self::check(&world).await);
    }
    assert!(!permits.checks_are_idle());
    assert!(permits.recording_is_idle(), "nobody else waits for them");
    until(|| permits.checks_are_idle() && permits.checking.available_permits() == 1).await;
}
