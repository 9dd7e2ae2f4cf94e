//! What must not be recorded, and what is.
use super::*;
use cachepot_engine::key::result_key;
use cachepot_engine::scan::Hidden;

const UNIT: Unit = Unit { folders: &["ia", "ib"], inputs: &["a.c", "ib/x.h"] };

fn world(source: &str) -> World {
    let world = World::new();
    world.write("a.c", source);
    world.write("ib/x.h", "int x;");
    world.folder("ia");
    world
}

/// Trap T126: what happens while the compiler runs.
#[test]
fn changes_during_the_compile() {
    use NotStorable::{TooNew, Unreadable, Uses};
    type Row = (&'static str, fn(&World), Option<NotStorable>);
    let rows: &[Row] = &[
        ("nothing", |_| (), None),
        ("an input is written", |w| w.write("ib/x.h", "int y;"), Some(TooNew)),
        ("with the same content", |w| w.write("ib/x.h", "int x;"), Some(TooNew)),
        (
            "with its old time",
            |w| {
                let time = w.modified("ib/x.h");
                w.write("ib/x.h", "int y;");
                w.set_modified("ib/x.h", time);
            },
            Some(TooNew),
        ),
        (
            "with a time to come",
            |w| {
                w.set_modified("ib/x.h", SystemTime::now() + Duration::from_secs(3600));
            },
            Some(TooNew),
        ),
        ("an old file is renamed over it", |w| w.rename("//old", "ib/x.h"), Some(TooNew)),
        ("a link to an old file takes its place", |w| w.link("//old", "ib/x.h"), Some(TooNew)),
        ("it is removed", |w| w.remove("ib/x.h"), Some(Unreadable)),
        (
            "it becomes a folder",
            |w| {
                w.remove("ib/x.h");
                w.folder("ib/x.h");
            },
            Some(Unreadable),
        ),
        ("a header comes between", |w| w.write("ia/x.h", ""), Some(TooNew)),
        ("an old file comes between", |w| w.rename("//old", "ia/x.h"), Some(TooNew)),
        ("a link to an old file comes between", |w| w.link("//old", "ia/x.h"), Some(TooNew)),
        ("a header of another name comes", |w| w.write("ia/y.h", ""), None),
        ("a precompiled header comes", |w| w.write("ia/x.h.gch", ""), Some(Uses("precompiled header"))),
        ("something asked for comes", |w| w.write("ia/opt.h", ""), Some(TooNew)),
    ];
    for (what, change, expected) in rows {
        let world = world("#include <x.h>\n#if __has_include(<opt.h>)\n#endif\n");
        world.write("//old", "int o;");
        let start = world.start();
        change(&world);
        assert_eq!(world.observe(&UNIT, start).err(), *expected, "{what}");
    }
}

/// Files whose content is in the job's key: it was read when the request came.
#[test]
fn key_files_that_change() {
    let world = world("");
    world.write("list.txt", "1");
    let asked = world.start();
    let compiled = |world: &World, key_file: &str| {
        let start = world.start();
        Compiled { key_files: vec![key_file.into()], asked, ..world.compiled(&UNIT, start) }
    };
    let outcome = |key_file| observe(&world.memory, &world.place(), &compiled(&world, key_file)).err();
    assert_eq!(outcome("list.txt"), None);
    assert_eq!(outcome("absent.txt"), None);
    assert_eq!(outcome("absent/absent.txt"), None);
    world.write("list.txt", "2");
    assert_eq!(outcome("list.txt"), Some(NotStorable::TooNew));
    world.write("other.txt", "was another");
    assert_eq!(outcome("absent.txt"), Some(NotStorable::TooNew));
    assert_eq!(outcome("absent/absent.txt"), Some(NotStorable::TooNew));
}

/// What a text may use whose effect is not known.
#[test]
fn texts_that_are_not_recorded() {
    let rows = [
        ("asm(\".incbin \\\"f\\\"\");", ".incbin"),
        ("asm(\".include \\\"f\\\"\");", ".include"),
        ("#embed <f>", "#embed"),
        ("#if __has_include(NAME)", "__has_include"),
        ("#if __has_include(\"/abs/opt.h\")", "__has_include"),
        ("#pragma GCC dependency \"f\"", "#pragma GCC dependency"),
        ("#pragma GCC pch_preprocess \"f.gch\"", "precompiled header"),
    ];
    for (text, expected) in rows {
        let world = world(text);
        let start = world.start();
        assert_eq!(world.observe(&UNIT, start).err(), Some(NotStorable::Uses(expected)), "{text}");
    }
}

/// What a text may use in some compiles and not in others.
#[test]
fn texts_that_are_not_recorded_everywhere() {
    let none = Limits::default();
    let (quotes, is_anywhere) = (Limits { quotes: true, ..none }, Limits { is_anywhere: true, ..none });
    let is_preprocessed = Limits { is_preprocessed: true, ..none };
    let rows = [
        ("#line 2 PLACE\n", quotes, "messages that quote another file"),
        ("#line 2 \"/no/such/g.y\"\n", quotes, "messages that quote another file"),
        ("#line 2 \"ia\"\n", quotes, "messages that quote another file"),
        ("asm(\".loc 1 1\");", is_anywhere, ".loc"),
        ("asm(\".inc\" \"bin \\\"f\\\"\");", is_preprocessed, ".incbin"),
        ("s = __TIME__;", is_preprocessed, "__TIME__"),
        ("s = __DATE__;", is_preprocessed, "__DATE__"),
        ("s = __TIMESTAMP__;", is_preprocessed, "__TIMESTAMP__"),
    ];
    for (text, limits, expected) in rows {
        let world = world(text);
        let start = world.start();
        let compiled = |limits| Compiled { limits, ..world.compiled(&UNIT, start) };
        let outcome = |limits| observe(&world.memory, &world.place(), &compiled(limits)).err();
        assert_eq!(outcome(limits), Some(NotStorable::Uses(expected)), "{text}");
        assert_eq!(outcome(none), None, "{text}");
    }
}

/// Files whose lines a text says to be its own, where there were messages that may quote them.
#[test]
fn quoted_files_are_inputs() {
    type Row = (&'static str, fn(&World), Option<NotStorable>);
    let rows: &[Row] = &[
        ("nothing", |_| (), None),
        ("it is written", |w| w.write("g.y", "new"), Some(NotStorable::TooNew)),
        ("an old file is renamed over it", |w| w.rename("//old", "g.y"), Some(NotStorable::TooNew)),
    ];
    for (what, change, expected) in rows {
        let world = world("#line 2 \"g.y\"\n# 1 \"gone.y\"\n# 1 \"/work/dir//\"\n# 1 \"./a.c\"\n");
        world.write("g.y", "old");
        world.write("//old", "old");
        let start = world.start();
        change(&world);
        let limits = Limits { quotes: true, ..Limits::default() };
        let compiled = Compiled { limits, ..world.compiled(&UNIT, start) };
        let observed = observe(&world.memory, &world.place(), &compiled);
        assert_eq!(observed.as_ref().err(), expected.as_ref(), "{what}");
        let Ok(observed) = observed else { continue };
        let paths: Vec<_> = observed.record.inputs.iter().map(|input| input.path.as_slice()).collect();
        assert_eq!(paths, [&b"a.c"[..], b"ib/x.h", b"g.y"]);
        assert_eq!((observed.record.n_read, observed.record.names), (2, vec![b"gone.y".to_vec()]));
    }
}

#[test]
fn words_of_the_command_line_count() {
    let world = world("");
    let start = world.start();
    let words = Words::new(vec!["-DT=__TIME__".into()], Vec::new());
    let compiled = Compiled { words, ..world.compiled(&UNIT, start) };
    assert!(observe(&world.memory, &world.place(), &compiled).unwrap().may_use.time);
}

#[test]
fn what_is_recorded() {
    let world = world("#include <x.h>\n#include <no.h>\n#if __has_include(<opt.h>)\n#endif\n");
    world.write("ia/opt.h", "");
    world.write("ib/opt.h", "1");
    world.write("ia/unrelated.h", "");
    let observed = world.observe(&UNIT, world.start()).unwrap();
    let texts = |list: &[Vec<u8>]| -> Vec<String> {
        let mut texts: Vec<_> = list.iter().map(|text| String::from_utf8(text.clone()).unwrap()).collect();
        texts.sort();
        texts
    };
    let inputs: Vec<_> = observed.record.inputs.iter().map(|input| input.path.clone()).collect();
    assert_eq!(texts(&inputs), ["a.c", "ib/x.h"]);
    assert_eq!(observed.record.inputs[1].digest, Digest::of(b"int x;"));
    assert_eq!(texts(&observed.record.names), ["no.h", "opt.h"]);
    assert_eq!(texts(&observed.record.present), ["ia/opt.h", "ib/opt.h"]);
    assert_eq!(texts(&observed.record.exist), ["ia/opt.h", "ib/opt.h"]);
    assert!(observed.record.exist.is_sorted() && observed.twins.is_empty() && !observed.may_use.any());
}

#[test]
fn time_macros_set_conditions() {
    let world = world("__TIME__ __DATE__ __TIMESTAMP__");
    let start = world.start();
    let observed = world.observe(&UNIT, start).unwrap();
    let used = |time, date, timestamp| Hidden { time, date, timestamp, directive: None };
    assert_eq!(observed.may_use, used(true, true, true));
    let job = Digest::of(b"job");
    let times = |used, is_fixed, start| {
        observed.clone().into_record(&job, used, is_fixed, start).map(|record| (record.mtimes, record.window))
    };
    assert_eq!(
        times(used(true, false, false), false, (start, files::now())),
        Err(NotStorable::Uses("__TIME__"))
    );
    assert_eq!(times(used(true, true, false), true, (start, files::now())), Ok((Vec::new(), None)));
    assert_eq!(times(used(false, false, false), false, (start, files::now())), Ok((Vec::new(), None)));
    let (mtimes, _) = times(used(false, false, true), true, (start, files::now())).unwrap();
    assert_eq!(mtimes.iter().map(|(input, _)| *input).collect::<Vec<_>>(), [0, 1]);
    // The quarter in which it began must be the one in which it ended.
    let date = times(used(false, true, false), false, ((start.0 - 900, 0), files::now()));
    assert_eq!(date, Err(NotStorable::Uses("__DATE__")));
    // The result's key is that of the whole record.
    let record =
        observed.clone().into_record(&job, used(false, false, true), true, (start, files::now())).unwrap();
    assert_eq!(record.result, result_key(&job, &record));
}
