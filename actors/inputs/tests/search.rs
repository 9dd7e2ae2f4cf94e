//! Files that come between (traps T6 to T11, T105).
use super::*;

/// `x.h` is found in the second of two folders.
const SECOND: Unit = Unit { folders: &["ia", "ib"], inputs: &["a.c", "ib/x.h"] };
const DEEP: Unit = Unit { folders: &["ia", "ib"], inputs: &["a.c", "ib/p/q/x.h"] };
const BESIDE: Unit = Unit { folders: &["ib"], inputs: &["a.c", "sub/h.h", "ib/x.h"] };
const NEXT: Unit = Unit { folders: &["ia", "mid", "ib"], inputs: &["a.c", "ia/x.h", "ib/x.h"] };
const ASKS: Unit = Unit { folders: &["ia"], inputs: &["a.c"] };

fn second(world: &World) {
    world.write("a.c", "#include <x.h>\n");
    world.write("ib/x.h", "int x;");
    world.folder("ia");
}

fn deep(world: &World) {
    world.write("a.c", "#include <p/q/x.h>\n");
    world.write("ib/p/q/x.h", "int x;");
    world.folder("ia");
}

fn beside(world: &World) {
    second(world);
    world.write("sub/h.h", "#include \"x.h\"\n");
}

fn asks(world: &World) {
    world.write("a.c", "#if __has_include(\"opt.h\")\n#endif\n");
    world.folder("ia");
}

fn asks_and_has(world: &World) {
    asks(world);
    world.write("ia/opt.h", "1");
}

#[test]
fn headers_that_come_between() {
    check(&[
        case("nothing", SECOND, second, |_| (), HIT),
        case("in an earlier folder", SECOND, second, |w| w.write("ia/x.h", ""), MISS),
        case("another name", SECOND, second, |w| w.write("ia/y.h", ""), HIT),
        case("another name beside", SECOND, second, |w| w.write("y.h", ""), HIT),
        case("beside the source", SECOND, second, |w| w.write("x.h", ""), MISS),
        case(
            "come and gone",
            SECOND,
            second,
            |w| {
                w.write("ia/x.h", "");
                w.remove("ia/x.h");
            },
            HIT,
        ),
        case("a folder of that name", SECOND, second, |w| w.folder("ia/x.h"), HIT),
        case(
            "a folder becomes a file",
            SECOND,
            |w| {
                second(w);
                w.folder("ia/x.h");
            },
            |w| {
                w.remove("ia/x.h");
                w.write("ia/x.h", "");
            },
            MISS,
        ),
        case("a dangling link", SECOND, second, |w| w.link("//none", "ia/x.h"), HIT),
        case(
            "a link that no longer dangles",
            SECOND,
            |w| {
                second(w);
                w.link("//none", "ia/x.h");
            },
            |w| w.write("//none", ""),
            MISS,
        ),
        case(
            "a link to a folder, then to a file",
            SECOND,
            |w| {
                second(w);
                w.folder("//f");
                w.write("//g", "");
                w.link("//f", "ia/x.h");
            },
            |w| w.link("//g", "ia/x.h"),
            MISS,
        ),
        case("beside the includer", BESIDE, beside, |w| w.write("sub/x.h", ""), MISS),
        case(
            "between two of one name",
            NEXT,
            |w| {
                second(w);
                w.write("ia/x.h", "#include_next <x.h>");
                w.folder("mid");
            },
            |w| w.write("mid/x.h", ""),
            MISS,
        ),
    ]);
}

#[test]
fn folders_that_come_between() {
    check(&[
        case(
            "missing folder comes with it",
            SECOND,
            |w| {
                second(w);
                w.remove("ia");
            },
            |w| w.write("ia/x.h", ""),
            MISS,
        ),
        case("part of a name comes", DEEP, deep, |w| w.write("ia/p/q/x.h", ""), MISS),
        case("part of a name comes without it", DEEP, deep, |w| w.write("ia/p/y.h", ""), HIT),
        case(
            "the last part comes",
            DEEP,
            |w| {
                deep(w);
                w.folder("ia/p/q");
            },
            |w| w.write("ia/p/q/x.h", ""),
            MISS,
        ),
        case(
            "a file becomes a folder",
            DEEP,
            |w| {
                deep(w);
                w.write("ia/p", "");
            },
            |w| {
                w.remove("ia/p");
                w.write("ia/p/q/x.h", "");
            },
            MISS,
        ),
        case(
            "a link to a folder comes",
            DEEP,
            |w| {
                deep(w);
                w.write("//far/q/x.h", "");
            },
            |w| w.link("//far", "ia/p"),
            MISS,
        ),
        case(
            "a dangling link to a folder no longer dangles",
            DEEP,
            |w| {
                deep(w);
                w.link("//far", "ia/p");
            },
            |w| w.write("//far/q/x.h", ""),
            MISS,
        ),
        case(
            "a file behind a link to a folder",
            DEEP,
            |w| {
                deep(w);
                w.folder("//far/q");
                w.link("//far", "ia/p");
            },
            |w| w.write("//far/q/x.h", ""),
            MISS,
        ),
        case(
            "a folder moved in",
            DEEP,
            |w| {
                deep(w);
                w.write("//far/q/x.h", "");
            },
            |w| w.rename("//far", "ia/p"),
            MISS,
        ),
    ]);
}

/// Trap T11: folders that are none.
#[test]
fn folders_that_are_none() {
    check(&[
        case(
            "a file as a folder",
            SECOND,
            |w| {
                second(w);
                w.remove("ia");
                w.write("ia", "");
            },
            |w| {
                w.remove("ia");
                w.write("ia/x.h", "");
            },
            MISS,
        ),
        case(
            "below a file",
            Unit { folders: &["f/g", "ib"], ..SECOND },
            |w| {
                second(w);
                w.write("f", "");
            },
            |w| {
                w.remove("f");
                w.write("f/g/x.h", "");
            },
            MISS,
        ),
        case(
            "a dangling link as a folder",
            SECOND,
            |w| {
                second(w);
                w.remove("ia");
                w.link("//far", "ia");
            },
            |w| w.write("//far/x.h", ""),
            MISS,
        ),
    ]);
}

/// Trap T11: a folder that may be searched but not read, and one that may not even be searched. For root all may be.
#[test]
fn folders_that_may_not_be_read() {
    fn mode(world: &World, name: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fn closed(world: &World, mode_of_it: u32) {
        second(world);
        mode(world, "ia", mode_of_it);
    }
    check(&[
        case("searched, nothing", SECOND, |w| closed(w, 0o311), |_| (), HIT),
        case("searched, comes", SECOND, |w| closed(w, 0o311), |w| w.write("ia/x.h", ""), MISS),
        case("searched, another", SECOND, |w| closed(w, 0o311), |w| w.write("ia/y.h", ""), HIT),
        case("searched, precompiled", SECOND, |w| closed(w, 0o311), |w| w.write("ia/x.h.gch", ""), MISS),
        case(
            "closed, then opened",
            SECOND,
            |w| closed(w, 0),
            |w| {
                mode(w, "ia", 0o755);
                w.write("ia/x.h", "");
            },
            MISS,
        ),
        case(
            "closed with it, then opened",
            SECOND,
            |w| {
                second(w);
                w.write("ia/x.h", if nix::unistd::geteuid().is_root() { "int x;" } else { "" });
                mode(w, "ia", 0);
            },
            |w| {
                mode(w, "ia", 0o755);
                w.write("ia/x.h", "int y;");
            },
            MISS,
        ),
    ]);
}

#[test]
fn folders_behind_links() {
    const LINKED: Unit = Unit { folders: &["link"], inputs: &["a.c", "link/x.h"] };
    fn linked(world: &World) {
        world.write("a.c", "#include <x.h>\n");
        world.write("//r1/x.h", "int x;");
        world.write("//r2/x.h", "int x;");
        world.write("//r3/x.h", "int y;");
        world.folder("//r4");
        world.link("//r1", "link");
    }
    check(&[
        case("nothing", LINKED, linked, |_| (), HIT),
        case("to the same content", LINKED, linked, |w| w.link("//r2", "link"), HIT),
        case("to other content", LINKED, linked, |w| w.link("//r3", "link"), MISS),
        case("to nothing", LINKED, linked, |w| w.link("//r4", "link"), MISS),
        case(
            "a folder instead",
            LINKED,
            linked,
            |w| {
                w.remove("link");
                w.write("link/x.h", "int y;");
            },
            MISS,
        ),
        case(
            "includer behind a link",
            Unit { folders: &["ib"], inputs: &["l/a.c", "ib/x.h"] },
            |w| {
                second(w);
                w.folder("//real");
                w.link("//real", "l");
                w.write("l/a.c", "#include \"x.h\"\n");
            },
            |w| w.write("//real/x.h", ""),
            MISS,
        ),
    ]);
}

/// Trap T6.
#[test]
fn names_that_are_asked_for() {
    check(&[
        case("nothing", ASKS, asks, |_| (), HIT),
        case("appears", ASKS, asks, |w| w.write("ia/opt.h", ""), MISS),
        case("appears beside", ASKS, asks, |w| w.write("opt.h", ""), MISS),
        case("another appears", ASKS, asks, |w| w.write("ia/other.h", ""), HIT),
        case("a folder appears", ASKS, asks, |w| w.folder("ia/opt.h"), HIT),
        case("is there", ASKS, asks_and_has, |_| (), HIT),
        case("disappears", ASKS, asks_and_has, |w| w.remove("ia/opt.h"), MISS),
        case("changes", ASKS, asks_and_has, |w| w.write("ia/opt.h", "22"), HIT),
        case(
            "becomes a folder",
            ASKS,
            asks_and_has,
            |w| {
                w.remove("ia/opt.h");
                w.folder("ia/opt.h");
            },
            MISS,
        ),
        case("becomes a dangling link", ASKS, asks_and_has, |w| w.link("//none", "ia/opt.h"), MISS),
        case(
            "asked for in a folder",
            ASKS,
            |w| {
                asks(w);
                w.write("a.c", "#if __has_include(<sys/opt.h>)\n#endif\n");
            },
            |w| w.write("ia/sys/opt.h", ""),
            MISS,
        ),
        case(
            "asked for above",
            Unit { folders: &["i/a"], inputs: &["a.c"] },
            |w| {
                w.write("a.c", "#if __has_include(<../opt.h>)\n#endif\n");
                w.folder("i/a");
            },
            |w| w.write("i/opt.h", ""),
            MISS,
        ),
    ]);
}

/// Trap T105.
#[test]
fn precompiled_headers() {
    check(&[
        case("beside the header", SECOND, second, |w| w.write("ib/x.h.gch", ""), MISS),
        case("as a folder", SECOND, second, |w| w.folder("ib/x.h.gch"), MISS),
        case("in an earlier folder", SECOND, second, |w| w.write("ia/x.h.gch", ""), MISS),
        case("for clang", SECOND, second, |w| w.write("ib/x.h.pch", ""), MISS),
        case("of another header", SECOND, second, |w| w.write("ib/y.h.gch", ""), HIT),
        case("in a deep folder", DEEP, deep, |w| w.write("ia/p/q/x.h.gch", ""), MISS),
        case(
            "of an absolute header",
            Unit { folders: &[], inputs: &["a.c", "//abs/x.h"] },
            |w| {
                w.write("a.c", "");
                w.write("//abs/x.h", "");
            },
            |w| w.write("//abs/x.h.gch", ""),
            MISS,
        ),
    ]);
}
