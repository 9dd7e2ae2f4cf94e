//! Inputs that change, or only seem to (traps T3, T8, T126 to T131).
use super::*;
use cachepot_engine::scan::Quarter;
use cachepot_wire::EnvBlock;

const UNIT: Unit = Unit { folders: &[], inputs: &["a.c", "x.h"] };

fn two_files(world: &World) {
    world.write("a.c", "#include \"x.h\"\n");
    world.write("x.h", "int x;");
}

fn linked(world: &World) {
    two_files(world);
    world.rename("x.h", "//real.h");
    world.link("//real.h", "x.h");
}

#[test]
fn inputs_that_change() {
    check(&[
        case("unchanged", UNIT, two_files, |_| (), HIT),
        case("touched", UNIT, two_files, |w| w.set_modified("x.h", SystemTime::now()), HIT),
        case("set back", UNIT, two_files, |w| w.set_modified("x.h", SystemTime::UNIX_EPOCH), HIT),
        case("written again", UNIT, two_files, |w| w.write("x.h", "int x;"), HIT),
        case("changed", UNIT, two_files, |w| w.write("x.h", "int y;"), MISS),
        case("source changed", UNIT, two_files, |w| w.write("a.c", "#include \"x.h\" "), MISS),
        case("grown", UNIT, two_files, |w| w.write("x.h", "int x; "), MISS),
        case(
            "same size, time restored",
            UNIT,
            two_files,
            |w| {
                let time = w.modified("x.h");
                w.write("x.h", "int y;");
                w.set_modified("x.h", time);
            },
            MISS,
        ),
        case(
            "renamed over",
            UNIT,
            two_files,
            |w| {
                w.write("n.h", "int y;");
                w.rename("n.h", "x.h");
            },
            MISS,
        ),
        case(
            "renamed over, same size and time",
            UNIT,
            two_files,
            |w| {
                w.write("n.h", "int y;");
                w.set_modified("n.h", w.modified("x.h"));
                w.rename("n.h", "x.h");
            },
            MISS,
        ),
        case(
            "renamed over by its like",
            UNIT,
            two_files,
            |w| {
                w.write("n.h", "int x;");
                w.rename("n.h", "x.h");
            },
            HIT,
        ),
        case(
            "link in its place",
            UNIT,
            two_files,
            |w| {
                w.write("//n.h", "int y;");
                w.link("//n.h", "x.h");
            },
            MISS,
        ),
        case(
            "link to its like",
            UNIT,
            two_files,
            |w| {
                w.rename("x.h", "//n.h");
                w.link("//n.h", "x.h");
            },
            HIT,
        ),
        case(
            "hard link in its place",
            UNIT,
            two_files,
            |w| {
                w.write("//n.h", "int y;");
                w.remove("x.h");
                fs::hard_link(w.path("//n.h"), w.path("x.h")).unwrap();
            },
            MISS,
        ),
        case(
            "folder in its place",
            UNIT,
            two_files,
            |w| {
                w.remove("x.h");
                w.folder("x.h");
            },
            MISS,
        ),
        case("removed", UNIT, two_files, |w| w.remove("x.h"), MISS),
        case(
            "moved away and back",
            UNIT,
            two_files,
            |w| {
                w.rename("x.h", "//n.h");
                w.rename("//n.h", "x.h");
            },
            HIT,
        ),
        case("behind a link", UNIT, linked, |w| w.write("//real.h", "int y;"), MISS),
        case(
            "link led elsewhere",
            UNIT,
            linked,
            |w| {
                w.write("//n.h", "int y;");
                w.link("//n.h", "x.h");
            },
            MISS,
        ),
        case("working directory removed", UNIT, two_files, |w| w.remove("//w"), MISS),
    ]);
}

/// Trap T127: more than one edit within one tick of the clock.
#[test]
fn edits_within_a_tick_are_seen() {
    let world = World::new();
    two_files(&world);
    let observed = world.observe(&UNIT, world.start()).unwrap();
    let known = super::super::KnownManifest::new(
        manifest([record(observed, "x")]),
        &world.memory,
        &Default::default(),
    );
    for round in 0..200 {
        world.write("x.h", if round % 2 == 0 { "int y;" } else { "int x;" });
        assert_eq!(
            known.find(&world.memory, &world.place(), &EnvBlock::default(), &|_| ()).is_some(),
            round % 2 == 1,
            "round {round}"
        );
    }
}

/// Trap T3: `__TIMESTAMP__` shows when a file was written.
#[test]
fn the_time_of_a_file_counts_where_it_is_shown() {
    let before: fn(&World) = |w| {
        two_files(w);
        w.write("x.h", "char *t = __TIMESTAMP__;");
    };
    let later: fn(&World) = |w| w.set_modified("x.h", w.modified("x.h") + Duration::from_secs(1));
    let source_later: fn(&World) = |w| w.set_modified("a.c", w.modified("a.c") + Duration::from_secs(1));
    check(&[
        case("untouched", UNIT, before, |_| (), HIT),
        case("touched", UNIT, before, later, MISS),
        case("source touched", UNIT, before, source_later, MISS),
        case(
            "written again with its time",
            UNIT,
            before,
            |w| {
                let time = w.modified("x.h");
                w.write("x.h", "char *t = __TIMESTAMP__;");
                w.set_modified("x.h", time);
            },
            HIT,
        ),
    ]);
}

/// Trap T2: a result that names the day is good for this quarter of an hour.
#[test]
fn a_window_opens_and_closes() {
    let world = World::new();
    two_files(&world);
    world.write("x.h", "__DATE__");
    let observed = world.observe(&UNIT, world.start()).unwrap();
    // At the very end of a quarter there is no window to be had.
    let may_use = observed.may_use;
    let Ok(base) = observed.into_record(&Digest::of(b"job"), may_use, false, (files::now(), files::now()))
    else {
        return;
    };
    let Some(Quarter(now)) = base.window else { panic!("no window") };
    for (window, stands) in [(now, true), (now - 1, false), (now + 2, false)] {
        let record = Record { window: Some(Quarter(window)), ..base.clone() };
        let known = super::super::KnownManifest::new(manifest([record]), &world.memory, &Default::default());
        assert_eq!(
            known.find(&world.memory, &world.place(), &EnvBlock::default(), &|_| ()).is_some(),
            stands
        );
    }
}

#[test]
fn a_manifest_weighs_more_after_its_first_check() {
    let world = World::new();
    two_files(&world);
    let record = record(world.observe(&UNIT, world.start()).unwrap(), "x");
    let longer = Record { exist: vec![vec![b'x'; 1000]], ..record.clone() };
    let known = |record: &Record| {
        super::super::KnownManifest::new(manifest([record.clone()]), &world.memory, &Default::default())
    };
    assert!(known(&longer).weight() > known(&record).weight() + 1000);
    let known = known(&record);
    let before = known.weight();
    assert!(
        known.find(&world.memory, &world.place(), &EnvBlock::default(), &|_| ()).is_some()
            && known.weight() > before
    );
    let after = known.weight();
    assert!(
        known.find(&world.memory, &world.place(), &EnvBlock::default(), &|_| ()).is_some()
            && known.weight() == after
    );
}

/// Traps T8 and T50: with several records, the one that fits the files as they are, not the newest.
#[test]
fn the_record_that_fits_is_found() {
    let world = World::new();
    two_files(&world);
    world.write("ib/x.h", "int b;");
    world.write("ia/x.h", "int a;");
    world.remove("x.h");
    let folders = &["ia", "ib"];
    let with_a = Unit { folders, inputs: &["a.c", "ia/x.h"] };
    let with_b = Unit { folders, inputs: &["a.c", "ib/x.h"] };
    let first = record(world.observe(&with_a, world.start()).unwrap(), "a");
    world.rename("ia/x.h", "//away.h");
    let second = record(world.observe(&with_b, world.start()).unwrap(), "b");
    let known =
        super::super::KnownManifest::new(manifest([first, second]), &world.memory, &Default::default());
    let found = || known.find(&world.memory, &world.place(), &EnvBlock::default(), &|_| ());
    assert_eq!(found(), Some(Digest::of(b"b")));
    world.rename("//away.h", "ia/x.h");
    assert_eq!(found(), Some(Digest::of(b"a")));
    world.write("ia/x.h", "int c;");
    assert_eq!(found(), None);
    world.remove("ia/x.h");
    assert_eq!(found(), Some(Digest::of(b"b")));
}

/// Two checkouts with relative paths share, as far as their files are equal.
#[test]
fn a_second_checkout_shares() {
    let world = World::new();
    let unit = Unit { folders: &["ia", "ib"], inputs: &["a.c", "ib/x.h"] };
    for checkout in ["w", "v"] {
        world.write(&format!("//{checkout}/a.c"), "#include <x.h>");
        world.write(&format!("//{checkout}/ib/x.h"), "int x;");
        world.folder(&format!("//{checkout}/ia"));
    }
    let observed = world.observe(&unit, world.start()).unwrap();
    let known = super::super::KnownManifest::new(
        manifest([record(observed, "x")]),
        &world.memory,
        &Default::default(),
    );
    let stands = |checkout: &str| {
        let place = Place::open(&world.path(&format!("//{checkout}"))).unwrap();
        known.find(&world.memory, &place, &EnvBlock::default(), &|_| ()).is_some()
    };
    assert!(stands("w") && stands("v") && stands("w"));
    world.write("//v/ia/x.h", "");
    assert!(!stands("v") && stands("w"));
    world.remove("//v/ia/x.h");
    assert!(stands("v") && stands("w"));
    world.write("//v/ib/x.h", "int y;");
    assert!(!stands("v") && stands("w"));
    world.folder("//empty");
    assert!(!stands("empty") && stands("w"));
}
