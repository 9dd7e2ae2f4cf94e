//! Looks at many files that several share.
use super::super::files::{Stamp, stat};
use super::super::look::Look;
use super::World;
use std::ffi::CStr;
use std::sync::Arc;

const FILES: usize = 200;

fn files(world: &World) -> (Arc<[Arc<CStr>]>, Arc<[Stamp]>) {
    let names: Vec<String> = (0..FILES).map(|number| format!("h{number}.h")).collect();
    for name in &names {
        world.write(name, name);
    }
    let paths: Arc<[Arc<CStr>]> =
        names.iter().map(|name| world.memory.paths.intern(name.as_bytes()).unwrap()).collect();
    let stamps = paths.iter().map(|path| Stamp::of(&stat(&world.place(), path).unwrap())).collect();
    (paths, stamps)
}

/// Whoever helps, and whatever becomes of the helper, every file is looked at.
#[test]
fn a_change_is_seen_wherever_it_is() {
    let nobody: &dyn Fn(&Arc<Look>) = &|_| ();
    let all: &dyn Fn(&Arc<Look>) = &|look| look.share();
    let lost: &dyn Fn(&Arc<Look>) = &|look| look.take_and_leave();
    let beside: &dyn Fn(&Arc<Look>) = &|look| {
        let look = Arc::clone(look);
        drop(std::thread::spawn(move || look.share()));
    };
    let changes: [fn(&World, &str); 3] = [
        |world, name| world.write(name, "another text"),
        |world, name| world.remove(name),
        |world, name| {
            world.remove(name);
            world.folder(name);
        },
    ];
    for (at, change) in
        [0, 7, 8, 100, FILES - 1].into_iter().flat_map(|at| changes.map(|change| (at, change)))
    {
        let world = World::new();
        let (paths, stamps) = files(&world);
        let stands = |help| {
            Look::begin(&world.place(), &paths, Arc::clone(&stamps), help).is_some_and(|look| look.end())
        };
        assert!([nobody, all, lost, beside].into_iter().all(stands));
        change(&world, &format!("h{at}.h"));
        assert!(![nobody, all, lost, beside].into_iter().any(stands), "{at}");
    }
}
