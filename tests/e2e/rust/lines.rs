//! Single calls of rustc.
use super::{LIB, SYSROOT, lib, library, rustc};
use crate::harness::CLIENT;
use crate::harness::Went::{Failed, Hit, NoCompile, Refused, Stored};

#[test]
fn t138_t146_variables_that_a_crate_reads() {
    let text = "pub const A: &str = env!(\"A\"); pub const B: Option<&str> = option_env!(\"B\");";
    let sandbox = library("variables", text).env("A", "1");
    sandbox.hits(lib(""));
    let sandbox = sandbox.env("A", "2");
    sandbox.hits(lib(""));
    let sandbox = sandbox.env("B", "");
    sandbox.hits(lib(""));
    let sandbox = sandbox.env("B", "x").env("UNREAD", "1");
    sandbox.hits(lib(""));
    let sandbox = sandbox.without("B").env("A", "1").env("CARGO_MAKEFLAGS", "-j");
    sandbox.expect(Hit, lib(""));
}

/// They change from build to build, so they count only where a crate reads them.
#[test]
fn t138_variables_of_the_build_that_a_crate_reads() {
    for (name, words) in [("told", "--emit dep-info,metadata,link"), ("untold", "--emit metadata,link")] {
        let line = || rustc(&format!("a --crate-type lib {words}"));
        let text = "pub const A: Option<&str> = option_env!(\"CARGO_MAKEFLAGS\");";
        let sandbox = library(name, text).env("CARGO_MAKEFLAGS", "1");
        sandbox.hits(line());
        let sandbox = sandbox.env("CARGO_MAKEFLAGS", "2");
        sandbox.hits(line());
        let sandbox = sandbox.without("CARGO_MAKEFLAGS");
        sandbox.hits(line());
    }
}

#[test]
fn t141_files_of_a_crate_are_followed() {
    let text = "mod b; #[path = \"odd.rs\"] mod c; pub const T: &str = include_str!(\"t.txt\");";
    let sandbox = library("files", text)
        .file("b.rs", "include!(\"i.rs\");")
        .file("odd.rs", "pub fn c() {}")
        .file("i.rs", "pub fn i() {}")
        .file("t.txt", "1");
    sandbox.hits(lib(""));
    for (name, content) in [("t.txt", "2"), ("i.rs", "pub fn j() {}"), ("odd.rs", ""), ("b.rs", "// none")] {
        sandbox.write(name, content).hits(lib(""));
    }
    sandbox.write("t.txt", "1").write("i.rs", "pub fn i() {}").write("odd.rs", "pub fn c() {}");
    sandbox.write("b.rs", "include!(\"i.rs\");").expect(Hit, lib(""));
}

#[test]
fn a_second_file_of_a_module_appears() {
    let sandbox = library("module", "mod b;").file("b.rs", "");
    sandbox.hits(lib(""));
    // E0761: the module has two files.
    sandbox.write("b/mod.rs", "").expect(Failed, lib(""));
    sandbox.sh("rm -r b").expect(Hit, lib(""));
    sandbox.sh("mkdir b; mv b.rs b/mod.rs").hits(lib(""));
}

#[test]
fn t152_t154_crates_that_a_crate_uses() {
    let sandbox = library("crates", "pub use b::b; pub fn a() -> u32 { b::b() }")
        .file("b.rs", "pub fn b() -> u32 { c::c() }")
        .file("c.rs", "#[inline] pub fn c() -> u32 { 1 }");
    let build = |name: &str, words: &str| {
        let went = sandbox.run(&rustc(&format!("{name} {LIB} {words}")));
        let _ = went.succeeds();
    };
    let line = lib("-L dependency=. --extern b=libb.rmeta");
    build("c", "");
    build("b", "--extern c=libc.rmeta");
    sandbox.hits(line.clone());
    sandbox.write("c.rs", "#[inline] pub fn c() -> u32 { 2 }");
    build("c", "");
    build("b", "--extern c=libc.rmeta");
    sandbox.hits(line.clone());
    // Another name for the same file is another crate.
    sandbox.write("a.rs", "pub use d::b;").hits(lib("-L dependency=. --extern d=libb.rmeta"));
    // A second one of the name further on.
    sandbox.sh("mkdir other; cp libc.r* other");
    sandbox.write("a.rs", "pub use b::b; pub fn a() -> u32 { b::b() }").expect(Hit, line);
    sandbox.expect_same(lib("-L dependency=other -L dependency=. --extern b=libb.rmeta"));
    sandbox.sh("rm other/*").expect_same(lib("-L dependency=other -L dependency=. --extern b=libb.rmeta"));
}

#[test]
fn t155_t156_t157_messages_come_again() {
    let text = "pub fn f() { let unused = 1; }";
    let sandbox = library("messages", text);
    let seen = sandbox.hits(lib("--error-format=json --json=artifacts,diagnostic-rendered-ansi"));
    let order: Vec<_> = seen.stderr.lines().filter(|line| line.contains("\"artifact\":")).collect();
    assert_eq!(order.len(), 3, "{order:?}");
    sandbox.hits(lib("--error-format=json"));
    assert!(sandbox.hits(lib("--cap-lints warn")).stderr.contains("unused"));
    assert_eq!(sandbox.hits(lib("--cap-lints allow")).stderr, "");
    sandbox.expect(Failed, lib("-D unused-variables"));
}

#[test]
fn t158_t173_t179_words() {
    let sandbox = library("words", "#[cfg(x)] pub fn x() {} pub fn a() {}").file("args", "--cfg\nx\n");
    sandbox.hits(lib("--cfg x --cfg y"));
    sandbox.expect(Hit, lib("--cfg y --cfg x"));
    sandbox.hits(lib("@args"));
    sandbox.write("args", "--cfg\nz\n").hits(lib("@args"));
    sandbox.hits(rustc("a --crate-type lib --emit dep-info=d.d,link=l.rlib,obj=o.o -C codegen-units=1"));
    sandbox.hits(rustc("a --crate-type rlib,cdylib,staticlib"));
}

/// Traps T169, T170 and T175 beside the one of its name.
#[test]
fn t172_what_is_not_kept_runs_as_ever() {
    let sandbox = library("plainly", "");
    // What it leaves for the next time is never the same.
    assert_eq!(sandbox.cached(lib("-C incremental=i")).1, Refused("incremental"));
    sandbox.expect(NoCompile, rustc("a --print file-names --crate-type lib"));
    sandbox.expect(Refused("-"), format!("{}/bin/rustc --crate-type lib -o x -", *SYSROOT));
    let probe = "rustc - --crate-name ___ --print=file-names --crate-type bin";
    let run = |client: &str| sandbox.shell(&format!("{client} {}/bin/{probe} </dev/null", *SYSROOT));
    assert_eq!(run(CLIENT).succeeds().stdout(), run("").succeeds().stdout());
    sandbox.hits(lib(""));
    sandbox.hits(lib("--test"));
}

#[test]
fn t168_clippy_is_another_compiler() {
    let sandbox =
        library("clippy", "pub fn f(x: u32) -> bool { if x == 1 { return true; } else { return false; } }");
    let line = |words: &str| lib(words).replace("bin/rustc", "bin/clippy-driver");
    sandbox.hits(lib("--cap-lints warn"));
    let seen = sandbox.hits(line("--cap-lints warn"));
    assert!(seen.stderr.contains("clippy"), "{seen:?}");
    // As cargo calls it.
    let wrapped = line("--cap-lints warn").replacen(
        "clippy-driver",
        &format!("clippy-driver {}/bin/rustc", *SYSROOT),
        1,
    );
    sandbox.expect_same(wrapped);
    let sandbox = sandbox.env("CLIPPY_ARGS", "-Aclippy::all__CLIPPY_HACKERY__");
    assert_eq!(sandbox.expect(Stored, line("--cap-lints warn")).stderr, "");
}

/// What is made for a unit of code generation is copied over the file that is there, with its mode; the rest is written
/// into it or replaces it.
#[test]
fn t059_modes_of_files_that_are_there_already() {
    let emit = "obj,asm,llvm-ir,llvm-bc,mir,dep-info,link";
    let line = rustc(&format!("a --crate-type lib --emit {emit} -Ccodegen-units=1"));
    for (umask, mode) in [("077", "604"), ("022", "660"), ("000", "600")] {
        let files = "a.o a.s a.ll a.bc a.mir a.d liba.rlib";
        let before = format!("umask {umask}; touch {files}; chmod {mode} {files}");
        library("modes", "pub fn f() {}").prelude(&before).hits(&*line);
    }
}

/// cargo tells rustc how wide its terminal is: only messages look otherwise then.
#[test]
fn the_width_of_a_terminal_counts_for_messages_alone() {
    let json = "--error-format=json --json=artifacts,diagnostic-rendered-ansi";
    let line = |width: &str| lib(&format!("{json} --diagnostic-width={width}"));
    let sandbox = library("quiet", "pub const A: i32 = 1;");
    sandbox.hits(line("80"));
    sandbox.expect(Hit, line("200"));
    sandbox.expect(Hit, lib(json));
    let long = "1 + ".repeat(100);
    let sandbox = library("warns", &format!("pub fn f() {{ let unused = {long}1; }}"));
    for width in ["80", "200"] {
        sandbox.hits(line(width));
    }
    sandbox.hits(lib(json));
    sandbox.expect(Hit, line("80"));
}
