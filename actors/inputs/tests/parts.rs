//! The small parts: paths, names, stamps, surveys, memories.
use super::super::files::{Stamp, changed_since};
use super::super::names::Names;
use super::super::paths::{below, normal, parent, strip};
use super::super::survey::Survey;
use super::*;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::sync::Arc;

#[test]
fn paths() {
    let rows = [
        ("", "", ""),
        (".", "", ""),
        ("/", "/", "/"),
        ("//", "/", "/"),
        ("a", "a", ""),
        ("./a", "a", ""),
        ("a/", "a", ""),
        ("a//b/./c/", "a/b/c", "a/b"),
        ("/a", "/a", "/"),
        ("/./a/.", "/a", "/"),
        ("a/../b", "a/../b", "a/.."),
        ("../a", "../a", ".."),
        ("...", "...", ""),
    ];
    for (path, expected, folder) in rows {
        let path = normal(path.as_bytes());
        assert_eq!(path, expected.as_bytes());
        assert_eq!(normal(&path), path);
        assert_eq!(parent(&path), folder.as_bytes(), "{expected}");
    }
    let rows: &[(&str, &str, Option<&str>)] = &[
        ("a/b", "a", Some("b")),
        ("a/b", "", Some("a/b")),
        ("ab/c", "a", None),
        ("a", "a", None),
        ("/a/b", "/a", Some("b")),
        ("/a", "/", Some("a")),
        ("/a", "", None),
        ("a", "/", None),
        ("/a/b", "a", None),
    ];
    for (path, folder, expected) in rows {
        let name = strip(path.as_bytes(), folder.as_bytes());
        assert_eq!(name, expected.map(str::as_bytes), "{path} {folder}");
        if let Some(name) = name {
            assert_eq!(below(folder.as_bytes(), name), path.as_bytes());
        }
    }
}

#[test]
fn names_follow_from_paths() {
    let inputs = ["s/a.c", "inc/p/x.h", "/abs/y.h"].map(str::as_bytes);
    let folders = ["", "inc", "inc/p", "/abs", "s"].map(str::as_bytes);
    let names = Names::of(&inputs.map(normal), &folders, [&b"./sys//z.h"[..]].into_iter());
    for name in ["a.c", "s/a.c", "x.h", "p/x.h", "inc/p/x.h", "y.h", "sys/z.h"] {
        assert!(names.holds(name.as_bytes()), "{name}");
    }
    for name in ["", "p", "inc", "inc/p", "abs/y.h", "z.h", "x", "x.h/y"] {
        assert!(!names.holds(name.as_bytes()), "{name}");
    }
}

/// What follows from a folder above is what the kernel says, also behind links and `..`.
#[test]
fn canonical_folders() {
    let world = World::new();
    ["a/b/c", "//far/b/d"].iter().for_each(|folder| world.folder(folder));
    world.write("a/file", "");
    world.link("//far", "l");
    world.link("//w/a/b", "a/m");
    let place = world.place();
    let mut paths = ["", "..", "../far", "../w", "a", "a/..", "a/../l", "a/absent", "a/b", "a/b/c", "a/file"]
        .map(|path| path.as_bytes().to_vec())
        .to_vec();
    paths
        .extend(["a/file/x", "a/m", "a/m/..", "a/m/c", "l", "l/..", "l/../w", "l/b", "l/b/d"].map(Vec::from));
    paths.extend([Vec::from("/"), bytes(&world.path("//far"))]);
    paths.sort();
    let survey = Survey::of(paths.clone(), &place);
    let canonical = |path: &Vec<u8>| place.canonical(&CString::new(path.as_slice()).unwrap());
    let expected: BTreeSet<Vec<u8>> = paths.iter().filter_map(canonical).chain(paths.clone()).collect();
    assert_eq!(survey.forms(), expected.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert!(expected.contains(&bytes(&fs::canonicalize(world.path("l/b/d")).unwrap())));
}

#[test]
fn stamps_settle() {
    let stamp = |modified, changed| Stamp { device: 1, inode: 1, size: 1, modified, changed };
    const MS: i64 = 1_000_000;
    let rows: &[(Moment, Moment, Moment, bool)] = &[
        ((9, 5), (9, 5), (10, 5), true),
        ((9, 5), (9, 5), (9, 39 * MS), false),
        ((9, 5), (9, 5), (9, 41 * MS), true),
        ((9, 5), (9, 990 * MS), (10, 20 * MS), false),
        ((11, 5), (9, 5), (10, 5), false),
        ((9, 5), (11, 5), (10, 5), false),
        // Whole seconds: a file system that counts in them.
        ((9, 0), (9, 0), (11, 0), false),
        ((9, 0), (9, 0), (12, 0), true),
        ((0, 0), (9, 5), (10, 5), true),
        ((5, 5), (5, 5), (0, 0), false),
    ];
    for (modified, changed, now, expected) in rows {
        assert_eq!(
            stamp(*modified, *changed).is_settled(*now),
            *expected,
            "{modified:?} {changed:?} {now:?}"
        );
    }
    let rows: &[(Moment, Moment, Moment, bool)] = &[
        ((9, 5), (9, 5), (9, 6), false),
        ((9, 5), (9, 6), (9, 6), true),
        ((9, 6), (9, 5), (9, 6), true),
        ((9, 0), (9, 0), (9, 6), true),
        ((8, 0), (8, 0), (9, 6), false),
        ((99, 1), (9, 5), (10, 0), true),
    ];
    for (modified, changed, start, expected) in rows {
        assert_eq!(changed_since(&stamp(*modified, *changed), *start), *expected, "{modified:?} {start:?}");
    }
}

/// What is settled is not read again; a folder that changed is.
#[test]
fn memories_remember() {
    let world = World::new();
    world.write("d/x.h", "int x;");
    let place = world.place();
    let name = |name: &str| CString::new(name).unwrap();
    let listed = |folder: &str| {
        let folder = name(folder);
        world.memory.folders.list(&place, &folder, &files::stat(&place, &folder).ok()?)
    };
    let settled = || {
        let listing = listed("d").unwrap();
        let stat = files::stat(&place, &name("d/x.h")).unwrap();
        listing.settled && Stamp::of(&stat).is_settled(files::now())
    };
    wait_until(settled);
    let list = || listed("d").unwrap();
    let digest = || world.memory.files.digest(&place, &name("d/x.h")).unwrap();
    let (listing, known) = (list(), digest());
    assert!(Arc::ptr_eq(&listing, &list()) && Arc::ptr_eq(&known, &digest()));
    world.link("//w/d/x.h", "l.h");
    let behind = world.memory.files.digest(&place, &name("l.h")).unwrap();
    assert!(Arc::ptr_eq(&known, &behind), "known by device and inode");
    world.write("d/y.h", "");
    world.write("d/x.h", "int y;");
    assert_eq!(list().entries().count(), 2);
    assert_eq!(digest().digest, Digest::of(b"int y;"));
    for odd in ["d", "absent", "d/x.h/below", "/dev/null"] {
        assert!(world.memory.files.digest(&place, &name(odd)).is_none(), "{odd}");
    }
    for odd in ["absent", "d/x.h", "d/absent/x"] {
        assert!(listed(odd).is_none(), "{odd}");
    }
    assert!(world.memory.paths.intern(b"a\0b").is_none());
    let (one, other) = (world.memory.paths.intern(b"p").unwrap(), world.memory.paths.intern(b"p").unwrap());
    assert!(Arc::ptr_eq(&one, &other));
}

/// A fifo in the place of a header must not be waited for.
#[test]
fn fifos_are_no_inputs() {
    let world = World::new();
    nix::unistd::mkfifo(&world.path("f"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(world.memory.files.digest(&world.place(), &CString::new("f").unwrap()).is_none());
}
