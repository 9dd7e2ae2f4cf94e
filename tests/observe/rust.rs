//! rustc without macros of its users: what it reads, and what a link takes.
use crate::harness::{Place, RUSTC, names};
use std::fmt::Write;

const LIBRARY: &str = "mod part; pub const TEXT: &str = include_str!(\"text.txt\"); \
    pub const VALUE: &str = env!(\"VALUE\"); pub const NONE: Option<&str> = option_env!(\"NOT_SET\");";

#[test]
fn a_library_names_its_sources_and_variables() {
    let place = Place::new("library")
        .file("lib.rs", LIBRARY)
        .file("part.rs", "pub fn part() {}")
        .file("text.txt", "text");
    let line = [&RUSTC, "--crate-type", "lib", "--emit", "link,metadata,dep-info", "lib.rs"];
    let facts = place.compile(&line, &["liblib.rlib", "liblib.rmeta", "lib.d"]);
    for name in ["lib.rs", "part.rs", "text.txt"] {
        assert!(facts.read.contains(&place.path(name)), "{name}");
    }
    assert!(facts.absent.contains(&place.path("part/mod.rs")), "{:?}", facts.absent);
    for name in ["VALUE", "NOT_SET"] {
        assert!(facts.variables.contains(name.as_bytes()), "{name}");
    }
    assert!(facts.programs.contains(RUSTC.as_bytes()));
    assert_eq!(facts.programs.len(), 1);
    assert!(names(&facts.libraries, "libc.so.6"));
    assert!(facts.removed.is_empty(), "{:?}", facts.removed);
}

#[test]
fn many_threads_are_observed_as_one() {
    let mut text = String::new();
    for number in 0..64 {
        writeln!(text, "pub mod m{number} {{ pub fn f(x: u64) -> u64 {{ x.rotate_left({number}) * 3 }} }}")
            .unwrap();
    }
    let place = Place::new("threads").file("lib.rs", &text);
    let line = [&RUSTC, "--crate-type", "lib", "-Ccodegen-units=16", "-Copt-level=1", "lib.rs"];
    let facts = place.compile(&line, &["liblib.rlib"]);
    assert!(facts.read.contains(&place.path("lib.rs")));
}

/// By the linker that rustc brings along and by the system's.
#[test]
fn a_link_names_libraries_start_files_and_where_it_searched() {
    let place = Place::new("link")
        .file(
            "main.rs",
            "unsafe extern \"C\" { fn two() -> i32; } fn main() { unsafe { assert!(two() == 2) } }",
        )
        .file("two.c", "int two(void) { return 2; }")
        .file("first/empty", "")
        .run(&["mkdir", "second"])
        .run(&["gcc", "-c", "two.c"])
        .run(&["ar", "rcs", "second/libtwo.a", "two.o"]);
    for linker in ["-Clinker-features=-lld", "-Copt-level=0"] {
        let libraries = ["-Lnative=first", "-Lnative=second", "-lstatic=two", "-lm"];
        let line = [&[RUSTC.as_str(), "main.rs", linker], &libraries[..]].concat();
        let facts = place.compile(&line, &["main"]);
        assert!(facts.read.contains(&place.path("second/libtwo.a")), "{:?}", facts.read);
        assert!(facts.absent.contains(&place.path("first/libtwo.a")), "{:?}", facts.absent);
        for name in ["Scrt1.o", "crti.o", "libc.so.6", "libgcc_s.so.1"] {
            assert!(names(&facts.read, name), "{name}: {:?}", facts.read);
        }
        for name in ["cc", "collect2"] {
            assert!(names(&facts.programs, name), "{name}: {:?}", facts.programs);
        }
        assert!(facts.absent.contains(&place.path("first/libc.so")), "{:?}", facts.absent);
    }
}

#[test]
fn a_compile_that_fails_fails_as_it_would() {
    let place = Place::new("fails").file("lib.rs", "mod gone;");
    let line = [&RUSTC, "--crate-type", "lib", "lib.rs"];
    let plain = place.command(&line).output().unwrap();
    let went = place.observe(&line);
    assert!(!plain.status.success());
    assert_eq!(went.output, plain);
    assert!(went.read().unwrap().absent.contains(&place.path("gone.rs")));
}
