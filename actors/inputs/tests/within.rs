//! What a run saw in a folder that was empty before, where it made links.
use super::{World, bytes};
use crate::inputs::{NotStorable, Watched};
use cachepot_engine::observed::{Kind, Observed as Seen};
use cachepot_wire::EnvBlock;
use std::sync::Arc;

/// `out` is the empty folder; `out/dir` leads to `src`, `out/file` to `src/f`, `out/in` to `out/made`, `out/gone` nowhere.
fn world() -> World {
    let world = World::new();
    for file in ["src/f", "out/made/g"] {
        world.write(file, "");
    }
    for (to, from) in [("//w/src", "out/dir"), ("//w/src/f", "out/file"), ("//w/out/made", "out/in")] {
        world.link(to, from);
    }
    world
}

fn watched(world: &World, seen: Seen) -> Watched {
    Watched {
        seen: Arc::new(seen),
        early: Arc::default(),
        covered: Arc::default(),
        folders: Vec::new(),
        outputs: Vec::new(),
        linked: Vec::new(),
        within: vec![bytes(&world.path("out"))],
        observer: Vec::new(),
        env: EnvBlock::default(),
        message_width: None,
        variables: Vec::new(),
    }
}

/// A run that has made the links, and left them.
fn linked(world: &World) -> Seen {
    let links = ["out/dir", "out/file", "out/in"].map(|name| bytes(&world.path(name)));
    Seen {
        written: links.clone().map(|path| (path, Kind::Link)).into(),
        own_links: links.map(|path| (path, 1)).into(),
        ..Seen::default()
    }
}

#[test]
fn what_lies_behind_own_links_counts_where_it_is() {
    let world = world();
    // A path that was looked for in vain, and the name under which that counts.
    let rows = [
        ("src/none", Some("src/none")),
        ("outside", Some("outside")),
        ("out", None),
        ("out/none", None),
        ("out/made/none", None),
        ("out/dir/none", Some("src/none")),
        ("out/dir/deep/none", Some("src/deep/none")),
        ("out/in/none", None),
        ("out/made/../none", None),
        ("out/made/../dir/none", Some("src/none")),
        ("out/../src/none", Some("src/none")),
        ("out/dir/../none", Some("none")),
    ];
    for (path, expected) in rows {
        let absent = [bytes(&world.path(path))].into();
        let seen = Seen { absent, ..linked(&world) };
        let seen = watched(&world, seen).seen_outside(&world.memory, &world.place()).unwrap();
        let expected: Vec<_> = expected.iter().map(|path| bytes(&world.path(path))).collect();
        assert_eq!(seen.absent.iter().cloned().collect::<Vec<_>>(), expected, "{path}");
    }
}

#[test]
fn a_link_that_is_left_ties_to_what_it_leads_to() {
    let world = world();
    let seen = watched(&world, linked(&world)).seen_outside(&world.memory, &world.place()).unwrap();
    let expected = ["src", "src/f"].map(|name| (bytes(&world.path(name)), Kind::Unknown));
    assert_eq!(seen.looked_at, expected.into());
}

#[test]
fn what_cannot_be_told_is_not_kept() {
    let world = world();
    type Change = fn(&World, &mut Seen);
    let rows: [(&str, Change); 9] = [
        ("content that nobody was seen to make", |world, seen| {
            seen.read.insert(bytes(&world.path("out/made/g")));
        }),
        ("a link that has gone", |world, seen| {
            seen.own_links.insert(bytes(&world.path("out/gone")), 1);
            seen.read.insert(bytes(&world.path("out/gone/f")));
        }),
        ("a link that led elsewhere before", |world, seen| {
            seen.own_links.insert(bytes(&world.path("out/dir")), 2);
            seen.absent.insert(bytes(&world.path("out/dir/f")));
        }),
        ("a link that leads nowhere", |world, seen| {
            world.link("//w/none", "out/nowhere");
            seen.own_links.insert(bytes(&world.path("out/nowhere")), 1);
            seen.written.insert(bytes(&world.path("out/nowhere")), Kind::Link);
        }),
        ("a link that is a folder now", |world, seen| {
            seen.written.insert(bytes(&world.path("out/dir")), Kind::Folder);
            seen.read.insert(bytes(&world.path("out/dir/f")));
        }),
        ("a file elsewhere for a moment", |world, seen| {
            seen.ever_made.insert(bytes(&world.path("src/moment")));
        }),
        ("a file in a folder for temporary ones that was there", |_, seen| {
            seen.ever_made.insert(b"/tmp/somebody's/file".to_vec());
        }),
        ("a program of its own that is gone", |world, seen| {
            seen.own_code.insert(bytes(&world.path("out/gone")));
        }),
        ("a step back from what is not there", |world, seen| {
            seen.absent.insert(bytes(&world.path("out/was/../../src/none")));
        }),
    ];
    for (what, change) in rows {
        let mut seen = linked(&world);
        change(&world, &mut seen);
        let outside = watched(&world, seen).seen_outside(&world.memory, &world.place());
        assert!(matches!(outside, Err(NotStorable::Uses(_))), "{what}");
    }
    let ever_made = ["/tmp/own", "/tmp/own/file"].map(|path| path.as_bytes().to_vec()).into();
    let seen = Seen { ever_made, ..linked(&world) };
    assert!(watched(&world, seen).seen_outside(&world.memory, &world.place()).is_ok());
    // What it made itself, behind a link or a step back.
    let read = ["out/in/g", "out/made/../made/g"].map(|name| bytes(&world.path(name))).into();
    let seen = Seen { read, ..linked(&world) };
    let seen = watched(&world, seen).seen_outside(&world.memory, &world.place()).unwrap();
    assert!(seen.read.is_empty());
}
