//! What an observer saw, a change, and whether the result still stands. No compiler and no observer run here.
use super::{World, bytes, manifest, record};
use crate::inputs::{
    Compiled, Early, KnownManifest, NotStorable, Place, Watched, Words, Young, early, files, observe,
};
use cachepot_engine::compiler::rustc::Holds;
use cachepot_engine::observed::{Kind, Observed as Seen};
use cachepot_wire::EnvBlock;
use std::ffi::OsStr;
use std::sync::Arc;

fn env(pairs: &[(&str, &str)]) -> EnvBlock {
    EnvBlock::from_pairs(pairs.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value))))
}

/// A world in which a compile has read `a.rs`; everything else is up to a test.
fn world() -> World {
    let world = World::new();
    world.write("a.rs", "a");
    world.write("d/one", "1");
    world.write("deps/libb-1.rmeta", "b");
    world.write("deps/libb-1.rlib", "b");
    world.folder("other");
    world.link("a.rs", "link");
    world
}

impl World {
    fn seen(&self) -> Seen {
        let path = |name: &str| bytes(&self.path(name));
        Seen {
            read: ["a.rs", "deps/libb-1.rmeta"].map(path).into(),
            looked_at: [(path("d"), Kind::Folder), (path("d/one"), Kind::File)].into(),
            absent: [path("none"), path("none/below")].into(),
            links: [(path("link"), b"a.rs".to_vec())].into(),
            resolved: ["d/one", "deps/libb-1.rlib"].map(|name| (path(name), path(name))).into(),
            listed: ["d", "deps"].map(|name| (path(name), 1)).into(),
            variables: ["SET", "UNSET", "TERM"].map(|name| name.as_bytes().to_vec()).into(),
            written: [(path("out/a"), Kind::File), (path("out"), Kind::Folder)].into(),
            ..Seen::default()
        }
    }

    fn watched(&self, seen: Seen) -> Watched {
        let path = |name: &str| bytes(&self.path(name));
        Watched {
            seen: Arc::new(seen),
            early: Arc::default(),
            covered: Arc::default(),
            folders: ["deps", "other"].map(|name| (Holds::Dependencies, path(name))).into(),
            outputs: vec![path("out/a")],
            linked: Vec::new(),
            within: Vec::new(),
            observer: b"/observer.so".to_vec(),
            env: env(&[("SET", "1")]),
            message_width: None,
            variables: vec![b"ALSO".to_vec()],
        }
    }

    fn look(&self, watched: Watched, start: files::Moment) -> Result<super::Observed, NotStorable> {
        let compiled = Compiled {
            inputs: vec![self.path("a.rs")],
            folders: Vec::new(),
            brought: Vec::new(),
            words: Words::default(),
            limits: super::Limits::default(),
            sides: None,
            watched: Some(watched),
            bases: cachepot_engine::bases::Bases::default(),
            reads_maps: false,
            key_files: Vec::new(),
            asked: start,
            start,
        };
        observe(&self.memory, &self.place(), &compiled)
    }
}

#[test]
fn every_condition_counts() {
    type Change = fn(&World);
    type Row<'a> = (&'a str, bool, &'a [(&'a str, &'a str)], Change);
    let rows: &[Row<'_>] = &[
        ("nothing", true, &[("SET", "1")], |_| ()),
        ("an unread variable", true, &[("SET", "1"), ("X", "1"), ("TERM", "x")], |_| ()),
        ("another value", false, &[("SET", "2")], |_| ()),
        ("no value", false, &[], |_| ()),
        ("a variable is set", false, &[("SET", "1"), ("UNSET", "")], |_| ()),
        ("one of the crate's", false, &[("SET", "1"), ("ALSO", "x")], |_| ()),
        ("one of the loader's", false, &[("SET", "1"), ("LD_LIBRARY_PATH", "/x")], |_| ()),
        ("content", false, &[("SET", "1")], |w| w.write("a.rs", "b")),
        ("the same again", true, &[("SET", "1")], |w| w.write("a.rs", "a")),
        ("what was missing", false, &[("SET", "1")], |w| w.write("none", "")),
        ("a link to nothing", false, &[("SET", "1")], |w| w.link("gone", "none")),
        ("below what was missing", false, &[("SET", "1")], |w| w.write("none/below", "")),
        ("size", false, &[("SET", "1")], |w| w.write("d/one", "11")),
        ("a link instead", false, &[("SET", "1")], |w| {
            w.rename("d/one", "one");
            w.link("//w/one", "d/one");
        }),
        ("a link in the way", false, &[("SET", "1")], |w| {
            w.rename("d", "e");
            w.link("//w/e", "d");
        }),
        ("another target", false, &[("SET", "1")], |w| {
            w.write("b.rs", "a");
            w.link("b.rs", "link");
        }),
        ("an entry", false, &[("SET", "1")], |w| w.write("d/two", "")),
        ("an entry of dependencies", true, &[("SET", "1")], |w| w.write("deps/libc.rmeta", "")),
        ("the form that was not read", true, &[("SET", "1")], |w| w.remove("deps/libb-1.rlib")),
        ("the name elsewhere", false, &[("SET", "1")], |w| w.write("other/libb-1.rmeta", "b")),
        ("another name elsewhere", true, &[("SET", "1")], |w| w.write("other/libc-1.rmeta", "b")),
    ];
    for (what, stands, variables, change) in rows {
        let world = world();
        let observed = world.look(world.watched(world.seen()), world.start()).unwrap();
        let known =
            KnownManifest::new(manifest([record(observed, "result")]), &world.memory, &Default::default());
        let find = |variables: &[(&str, &str)], place: &Place| {
            known.find(&world.memory, place, &env(variables), &|_| ()).is_some()
        };
        assert!(find(&[("SET", "1")], &world.place()), "{what}: does not stand at first");
        change(&world);
        assert_eq!(find(variables, &world.place()), *stands, "{what}");
    }
}

/// rustc lists a folder of `-L` once; whoever does so again is a macro.
#[test]
fn all_entries_of_a_searched_folder_count_where_it_is_listed_again() {
    let world = world();
    let mut seen = world.seen();
    seen.listed.insert(bytes(&world.path("deps")), 2);
    let observed = world.look(world.watched(seen), world.start()).unwrap();
    let known =
        KnownManifest::new(manifest([record(observed, "result")]), &world.memory, &Default::default());
    let stands = || known.find(&world.memory, &world.place(), &env(&[("SET", "1")]), &|_| ()).is_some();
    assert!(stands());
    world.write("deps/libc.rmeta", "");
    assert!(!stands());
}

#[test]
fn what_was_left_behind_is_not_kept() {
    let world = world();
    let start = world.start();
    let mut seen = world.seen();
    seen.written.insert(bytes(&world.path("more")), Kind::File);
    let uses = |why| Err(NotStorable::Uses(why));
    assert_eq!(world.look(world.watched(seen), start).map(drop), uses("writes other files"));
    let mut seen = world.seen();
    seen.removed.insert(bytes(&world.path("gone")));
    assert_eq!(world.look(world.watched(seen), start).map(drop), uses("removes files"));
    let mut seen = world.seen();
    seen.read.insert(b"/dev/zero".to_vec());
    assert_eq!(world.look(world.watched(seen), start).map(drop), uses("reads what is no file"));
    let mut seen = world.seen();
    seen.read.insert(bytes(&world.path("gone")));
    assert_eq!(world.look(world.watched(seen), start).map(drop), Err(NotStorable::Unreadable));
}

/// cargo starts a compile when the crate that it waits for is there.
#[test]
fn a_young_file_that_was_read_before_is_no_younger() {
    let world = world();
    world.start();
    world.write("deps/libb-1.rmeta", "young");
    let young = Young { folders: vec![world.path("deps")], ..Young::default() };
    let found: Early = early(&world.memory, &world.place(), &young);
    assert!(found.files.contains_key(&bytes(&world.path("deps/libb-1.rmeta"))));
    assert!(found.folders.contains_key(&bytes(&world.path("deps"))));
    let start = files::now();
    // By its times it may have come later: the moment before is what such a clock tells.
    let before = (start.0 - 1, start.1);
    let watched = || world.watched(world.seen());
    assert_eq!(world.look(watched(), before).map(drop), Err(NotStorable::TooNew));
    let with_early = Watched { early: Arc::new(found), ..watched() };
    let mut seen = world.seen();
    // Only what was read before: the others are as young.
    seen.read = [bytes(&world.path("deps/libb-1.rmeta"))].into();
    (seen.looked_at, seen.listed, seen.resolved) = Default::default();
    seen.links.clear();
    let with_early = Watched { seen: Arc::new(seen), ..with_early };
    assert!(world.look(with_early.clone(), before).is_ok());
    world.write("deps/libb-1.rmeta", "other");
    assert_eq!(world.look(with_early, before).map(drop), Err(NotStorable::TooNew));
}

/// What was old in a folder of crates is asked again only where it was gone meanwhile.
#[test]
fn old_crates_are_looked_at_once() {
    let world = world();
    world.write("deps/liba-1.rlib", "old");
    world.start();
    std::thread::sleep(std::time::Duration::from_millis(60));
    let young = Young { folders: vec![world.path("deps")], ..Young::default() };
    let is_found = |name: &str| {
        let found = early(&world.memory, &world.place(), &young).files;
        found.contains_key(&bytes(&world.path("deps").join(name)))
    };
    assert!(!is_found("liba-1.rlib"));
    world.write("deps/liba-1.rlib", "new");
    world.write("deps/libz-1.rlib", "new");
    assert!(!is_found("liba-1.rlib") && is_found("libz-1.rlib"));
    world.remove("deps/liba-1.rlib");
    assert!(!is_found("liba-1.rlib"));
    world.write("deps/liba-1.rlib", "anew");
    assert!(is_found("liba-1.rlib"));
}
