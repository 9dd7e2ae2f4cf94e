//! A look at what a compile depended on, long after it: by what was seen at its end.
use super::super::is_quiet;
use super::*;

const SOURCE: &str = "#include <x.h>\n#include <p/y.h>\n#include <l.h>\n#include <s.h>\n\
    #if __has_include(<opt.h>) || __has_include(<link.h>)\n#endif\n";
const UNIT: Unit = Unit {
    folders: &["ia", "ib", "//up/none", "//s/cur"],
    inputs: &["a.c", "ib/x.h", "ib/p/y.h", "ib/l.h", "//s/cur/s.h"],
};

/// `//s/cur` leads to one of two versions, and comes with the compiler.
fn world() -> World {
    let world = World::new();
    let texts = [("a.c", SOURCE), ("ib/x.h", "int x;"), ("ib/p/y.h", "int y;"), ("ia/opt.h", "")];
    world.write("src/l.h", "int l;");
    world.write("gen/opt", "");
    world.write("//up/README", "");
    world.folder("ib");
    world.folder("ia");
    symlink("../src/l.h", world.path("ib/l.h")).unwrap();
    symlink("../gen/opt", world.path("ia/link.h")).unwrap();
    let versions = [("//s/v1/s.h", "int s;"), ("//s/v2/s.h", "int t;"), ("//other/x.h", "int z;")];
    texts.iter().chain(&versions).for_each(|(name, text)| world.write(name, text));
    world.folder("//other/p");
    world.write("//other/p/y.h", "int u;");
    world.link("//s/v1", "//s/cur");
    world
}

/// A change between the end of the compile and the later look.
type Row = (&'static str, fn(&World));

/// What is seen at once, and what is seen after a change; `None` where that cannot be told.
fn looks(change: fn(&World), is_young: bool) -> (Observed, Option<Observed>) {
    let world = world();
    if !is_young {
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        ["ib/x.h", "ib/p/y.h"].iter().for_each(|name| world.set_modified(name, long_ago));
    }
    let compiled =
        Compiled { brought: vec![bytes(&world.path("//s/cur"))], ..world.compiled(&UNIT, world.start()) };
    let place = world.place();
    let observed = observe(&world.memory, &place, &compiled).unwrap();
    // Another coordinator would have to read everything anew.
    let memory = Memory::default();
    let sight = Sight::take(&memory, &place, &compiled).unwrap();
    change(&world);
    (observed, observe_later(&memory, &place, &compiled, &sight).ok())
}

#[test]
fn what_a_build_does_meanwhile_does_not_matter() {
    let rows: &[Row] = &[
        ("nothing", |_| ()),
        ("objects are written", |w| {
            ["a.o", "ia/a.o", "ib/a.o", "ib/p/y.o"].iter().for_each(|name| w.write(name, "object"));
        }),
        ("folders come and go", |w| {
            w.folder("ia/q");
            w.folder("ib/q");
            w.remove("ib/q");
        }),
        ("an earlier folder comes for a prefix", |w| w.folder("ia/p")),
        ("something is written above", |w| w.write("//log", "made")),
        ("an object is written where a link leads", |w| w.write("src/l.o", "object")),
        ("something is written above a folder that is not there", |w| w.write("//up/log", "made")),
        ("something is written beside the compiler", |w| w.write("//s/log", "made")),
        ("a young input is written once more", |w| w.write("ib/x.h", "int x;\n")),
        ("it is removed", |w| w.remove("ib/p/y.h")),
    ];
    for (what, change) in rows {
        let (observed, later) = looks(*change, true);
        assert_eq!(later, Some(observed), "{what}");
    }
}

#[test]
fn what_has_changed_meanwhile_is_not_told() {
    let rows: &[Row] = &[
        ("what is asked for disappears", |w| w.remove("ia/opt.h")),
        ("an old header comes between", |w| w.rename("//other/x.h", "ia/opt.h")),
        ("an input is replaced by an old file", |w| w.rename("//other/x.h", "ib/x.h")),
        ("so is one in a folder below", |w| w.rename("//other/p/y.h", "ib/p/y.h")),
        ("the folder below is replaced by an old one", |w| {
            w.rename("ib/p", "//p");
            w.rename("//other/p", "ib/p");
        }),
        ("a searched folder is replaced by an old one", |w| {
            w.rename("ib", "//ib");
            w.rename("//other", "ib");
        }),
        ("a link leads to another version", |w| w.link("//s/v2", "//s/cur")),
        ("another version bears the name", |w| {
            w.rename("//s/v1", "//s/v0");
            w.rename("//s/v2", "//s/v1");
        }),
        ("the folder of all versions is another", |w| {
            w.rename("//s", "//t");
            w.folder("//s");
            w.rename("//t/v2", "//s/v1");
            w.rename("//t/cur", "//s/cur");
        }),
        ("a link that is asked for leads to a folder", |w| {
            w.remove("gen/opt");
            w.folder("gen/opt");
        }),
        ("it leads to nothing", |w| w.remove("gen/opt")),
        ("a header of the compiler's is written", |w| w.write("//s/v1/s.h", "int s;")),
        ("a header comes to it", |w| w.write("//s/v1/x.h", "")),
    ];
    for (what, change) in rows {
        let (_, later) = looks(*change, false);
        assert_eq!(later, None, "{what}");
    }
}

#[test]
fn a_folder_is_quiet_when_nothing_came_for_some_minutes() {
    let world = world();
    let (there, start) = (bytes(&world.path("//s")), world.start());
    let later = (start.0 + 302, 0);
    assert_eq!([start, later].map(|start| is_quiet(&there, start)), [false, true]);
    assert!(!is_quiet(&bytes(&world.path("//none")), later) && !is_quiet(&bytes(&world.path("a.c")), later));
}

/// A step back out of a folder leads to where it lies now.
#[test]
fn a_folder_that_takes_the_place_of_a_link_to_it() {
    let world = World::new();
    let texts = [("a.c", "#include <l.h>\n"), ("ic/l.h", "int l;"), ("gen/l", "int old;"), ("//v/gen/x", "")];
    texts.iter().for_each(|(name, text)| world.write(name, text));
    world.folder("//v/ib");
    symlink("../gen/l", world.path("//v/ib/l.h")).unwrap();
    world.link("//v/ib", "ib");
    let unit = Unit { folders: &["ib", "ic"], inputs: &["a.c", "ic/l.h"] };
    let (place, compiled) = (world.place(), world.compiled(&unit, world.start()));
    let sight = Sight::take(&world.memory, &place, &compiled).unwrap();
    fs::remove_file(world.path("ib")).unwrap();
    world.rename("//v/ib", "ib");
    assert_eq!(observe_later(&world.memory, &place, &compiled, &sight).ok(), None);
}
