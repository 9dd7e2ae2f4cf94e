//! Names and folders in every spelling: the same file under several names, and names that no path shows.
use super::*;

fn twice(world: &World) {
    world.write("a.c", "#include <x.h>\n");
    world.write("ib/x.h", "int x;");
    world.folder("ia");
}

#[test]
fn spellings_of_folders() {
    const SLASHES: Unit = Unit { folders: &["ia/", "./ib//"], inputs: &["a.c", "./ib///x.h"] };
    const TWO: Unit = Unit { folders: &["ib", "./ib", "//w/ib"], inputs: &["a.c", "ib/x.h"] };
    const HERE: Unit = Unit { folders: &["."], inputs: &["sub/a.c", "./x.h"] };
    const ABOVE: Unit = Unit { folders: &["o/ia"], inputs: &["src/a.c", "src/../x/x.h"] };
    const NOWHERE: Unit = Unit { folders: &["", "ib"], inputs: &["a.c", "ib/x.h"] };
    fn here(world: &World) {
        world.write("sub/a.c", "#include \"x.h\"\n");
        world.write("x.h", "int x;");
    }
    fn above(world: &World) {
        world.write("src/a.c", "#include \"../x/x.h\"\n");
        world.write("x/x.h", "int x;");
        world.folder("o/ia");
    }
    check(&[
        case("slashes and dots", SLASHES, twice, |_| (), HIT),
        case("slashes and dots, between", SLASHES, twice, |w| w.write("ia/x.h", ""), MISS),
        case("one folder under two names", TWO, twice, |_| (), HIT),
        case(
            "one folder under two names, touched",
            TWO,
            twice,
            |w| {
                w.set_modified("ib/x.h", SystemTime::UNIX_EPOCH);
            },
            HIT,
        ),
        case("one folder under two names, changed", TWO, twice, |w| w.write("ib/x.h", "int y;"), MISS),
        case("found in the working directory", HERE, here, |_| (), HIT),
        case("beside the source", HERE, here, |w| w.write("sub/x.h", ""), MISS),
        case("above", ABOVE, above, |_| (), HIT),
        case("above another folder", ABOVE, above, |w| w.write("o/x/x.h", ""), MISS),
        case("an empty name is the working directory", NOWHERE, twice, |w| w.write("x.h", ""), MISS),
    ]);
}

/// gcc names a system header by its canonical path where that is shorter (`-fcanonical-system-headers`).
#[test]
fn canonical_system_headers() {
    const CANONICAL: Unit = Unit { folders: &["ia", "link"], inputs: &["a.c", "//r1/x.h"] };
    const FARM: Unit = Unit { folders: &["ia", "farm"], inputs: &["a.c", "//store/x-1.h"] };
    fn canonical(world: &World) {
        world.write("a.c", "#include <x.h>\n");
        world.write("//r1/x.h", "int x;");
        world.write("//r2/x.h", "int y;");
        world.folder("//r3");
        world.link("//r1", "link");
        world.folder("ia");
    }
    fn farm(world: &World) {
        world.write("a.c", "#include <p/x.h>\n");
        world.write("//store/x-1.h", "int x;");
        world.write("//store/x-2.h", "int y;");
        world.link("//store/x-1.h", "farm/p/x.h");
        world.folder("ia");
    }
    check(&[
        case("folder behind a link", CANONICAL, canonical, |_| (), HIT),
        case("folder behind a link, changed", CANONICAL, canonical, |w| w.write("//r1/x.h", "int y;"), MISS),
        case("folder behind a link led elsewhere", CANONICAL, canonical, |w| w.link("//r2", "link"), MISS),
        case("folder behind a link led to nothing", CANONICAL, canonical, |w| w.link("//r3", "link"), MISS),
        case("before a folder behind a link", CANONICAL, canonical, |w| w.write("ia/x.h", ""), MISS),
        case("header behind a link", FARM, farm, |_| (), HIT),
        case(
            "header behind a link led elsewhere",
            FARM,
            farm,
            |w| w.link("//store/x-2.h", "farm/p/x.h"),
            MISS,
        ),
        case("before a header behind a link", FARM, farm, |w| w.write("ia/p/x.h", ""), MISS),
    ]);
}

/// A source that includes itself is searched like any other file.
#[test]
fn a_source_may_be_searched() {
    const SELF: Unit = Unit { folders: &["ia"], inputs: &["a.c"] };
    const COMPUTED: Unit = Unit { folders: &["ia"], inputs: &["s/a.c"] };
    fn itself(world: &World) {
        world.write("a.c", "#include <a.c>\n");
        world.folder("ia");
    }
    fn computed(world: &World) {
        world.write("s/a.c", "#include __FILE__\n");
        world.folder("ia");
    }
    check(&[
        case("by name", SELF, itself, |w| w.write("ia/a.c", ""), MISS),
        case("by a macro", COMPUTED, computed, |w| w.write("ia/s/a.c", ""), MISS),
    ]);
}

/// Trap T48: with `#pragma once`, compilers read one of two equal files and do not name the other.
#[test]
fn twins_count_as_inputs() {
    const TWINS: Unit = Unit { folders: &[], inputs: &["a.c", "p/x.h"] };
    fn twins(world: &World) {
        world.write("a.c", "#include \"p/x.h\"\n#include \"q/x.h\"\n");
        let time = SystemTime::now() - Duration::from_secs(100);
        for name in ["p/x.h", "q/x.h"] {
            world.write(name, "#pragma once\nint x;\n");
            world.set_modified(name, time);
        }
    }
    fn linked_twins(world: &World) {
        twins(world);
        world.link("//w/p/x.h", "q/x.h");
    }
    fn touch(world: &World, name: &str) {
        world.set_modified(name, SystemTime::now());
    }
    check(&[
        case("untouched", TWINS, twins, |_| (), HIT),
        case("the other changes", TWINS, twins, |w| w.write("q/x.h", "int y;\n"), MISS),
        case("the other is removed", TWINS, twins, |w| w.remove("q/x.h"), MISS),
        // They are compared by time as well.
        case("the other is touched", TWINS, twins, |w| touch(w, "q/x.h"), MISS),
        case("a link is touched", TWINS, linked_twins, |w| touch(w, "q/x.h"), HIT),
        case(
            "a link is led elsewhere",
            TWINS,
            linked_twins,
            |w| {
                w.write("//n.h", "int y;");
                w.link("//n.h", "q/x.h");
            },
            MISS,
        ),
        case(
            "a link becomes a copy",
            TWINS,
            linked_twins,
            |w| {
                w.remove("q/x.h");
                w.write("q/x.h", "#pragma once\nint x;\n");
            },
            MISS,
        ),
    ]);
}

/// Names that a text spells in vain: on a platform that is not this one.
#[test]
fn spelled_names_do_no_harm() {
    const SPELLS: Unit = Unit { folders: &["ia"], inputs: &["a.c"] };
    fn spells(world: &World) {
        world.write("a.c", "#ifdef _WIN32\n#include <windows.h>\n#include \"/abs/x.h\"\n#endif\n");
        world.folder("ia");
    }
    fn spells_and_has(world: &World) {
        spells(world);
        world.write("ia/windows.h", "1");
    }
    check(&[
        case("nothing", SPELLS, spells, |_| (), HIT),
        case("is there", SPELLS, spells_and_has, |_| (), HIT),
        case("changes", SPELLS, spells_and_has, |w| w.write("ia/windows.h", "2"), HIT),
        case("disappears", SPELLS, spells_and_has, |w| w.remove("ia/windows.h"), HIT),
    ]);
}
