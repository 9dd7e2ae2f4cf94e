//! Links named like compilers, caches in front of caches, and programs that cannot be run.
use crate::harness::Went::{Hit, Stored};
use crate::harness::{CLIENT, Sandbox, finish};
use cachepot_engine::stats::Stat;
use std::ffi::OsString;
use std::fs;

/// A folder of links to the client, first in PATH.
fn linked(name: &str, links: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new(name).file("a.c", "int x;\n").file("links/empty", "");
    for link in links {
        std::os::unix::fs::symlink(CLIENT, sandbox.work().join("links").join(link)).unwrap();
    }
    let path = format!("{}:{}", sandbox.work().join("links").display(), std::env::var("PATH").unwrap());
    sandbox.env("PATH", path)
}

fn object(sandbox: &Sandbox) -> Vec<u8> {
    let bytes = fs::read(sandbox.work().join("a.o")).unwrap();
    fs::remove_file(sandbox.work().join("a.o")).unwrap();
    bytes
}

#[test]
fn t119_links_named_like_compilers() {
    for compiler in ["gcc", "g++", "clang", "cc", "x86_64-linux-gnu-gcc"] {
        let sandbox = linked("linked", &[compiler]);
        let plain = finish(sandbox.command(format!("/usr/bin/{compiler}")).args(["-c", "a.c"])).succeeds();
        let plain = (plain.stdout(), object(&sandbox));
        sandbox.settle();
        let own = sandbox.work().join("links").join(compiler).to_string_lossy().into_owned();
        // By PATH, by its path, with the launcher in front, with two.
        let lines: [&[&str]; 5] =
            [&[compiler], &[&own], &[CLIENT, compiler], &[CLIENT, CLIENT, compiler], &[CLIENT, &own]];
        for (index, words) in lines.into_iter().enumerate() {
            let line: Vec<OsString> = words.iter().chain(&["-c", "a.c"]).map(OsString::from).collect();
            let seen = sandbox.run(&line).succeeds();
            assert_eq!((seen.stdout(), object(&sandbox)), plain, "{words:?}");
            sandbox.quiet();
            sandbox.expect_stat(Stat::CompileRequests, index as u64 + 1);
        }
        sandbox.expect_stat(Stat::CacheWrites, 1).expect_stat(Stat::CacheHits, 4);
    }
}

#[test]
fn t119_t120_another_cache_behind() {
    if !std::path::Path::new("/usr/bin/ccache").exists() {
        eprintln!("skipped: no ccache");
        return;
    }
    let sandbox = Sandbox::new("ccache").file("a.c", "int x;\n");
    let cache = sandbox.root().join("ccache");
    let sandbox = sandbox.env("CCACHE_DIR", cache);
    let plain = sandbox.plain("gcc -c a.c");
    for _ in 0..2 {
        assert_eq!(sandbox.cached("ccache gcc -c a.c").0, plain);
    }
    // ccache in front of us, and each in front of the other.
    let line = format!("ccache {CLIENT} gcc -c a.c");
    assert_eq!(sandbox.plain(&*line).file("a.o"), plain.file("a.o"));
    let sandbox = sandbox.env("CCACHE_PREFIX", CLIENT);
    for _ in 0..2 {
        assert_eq!(sandbox.cached("ccache gcc -c a.c").0, plain);
    }
}

#[test]
fn t120_a_circle_ends() {
    let sandbox = Sandbox::new("circle").file("a.c", "int x;\n");
    let wrapper = format!("#!/bin/sh\nexec {CLIENT} {}/gcc \"$@\"\n", sandbox.work().display());
    sandbox.write("gcc", wrapper).sh("chmod +x gcc");
    let ended = sandbox.run(&format!("{CLIENT} ./gcc -c a.c").as_str());
    assert!(!ended.status.success(), "{ended}");
    assert!(ended.stderr().contains("leads back to cachepot again and again"), "{ended}");
}

#[test]
fn t120_a_wrapper_that_calls_us_is_compiled_once() {
    let sandbox = Sandbox::new("nested").file("a.c", "int x;\n");
    sandbox.write("gcc", format!("#!/bin/sh\nexec {CLIENT} /usr/bin/gcc \"$@\"\n")).sh("chmod +x gcc");
    sandbox.settle();
    let line = [CLIENT, "./gcc", "-c", "a.c"].map(OsString::from).to_vec();
    for count in 1..4 {
        // Questions that identify the compiler do not ask either.
        let _ = sandbox.run(&line).succeeds();
        sandbox.quiet();
        sandbox.expect_stat(Stat::CompileRequests, count).expect_stat(Stat::CacheHits, count - 1);
    }
}

#[test]
fn t123_programs_that_cannot_be_run() {
    let sandbox = linked("cannot", &["nosuchcc"]).file("folder/x", "").file("text", "no program");
    for (name, code, text) in [
        ("nosuch", 127, "cachepot: error: nosuch: command not found\n"),
        ("./nosuch", 127, "cachepot: error: ./nosuch: command not found\n"),
        ("./folder", 126, "cachepot: error: ./folder: Permission denied (os error 13)\n"),
        ("./text", 126, "cachepot: error: ./text: Permission denied (os error 13)\n"),
        ("nosuchcc", 127, "cachepot: error: no `nosuchcc` in PATH but cachepot itself\n"),
    ] {
        let _ = finish(sandbox.command(CLIENT).args([name, "-c", "a.c"])).fails_with(code).says(text);
    }
}

#[test]
fn t121_the_compiler_is_found_as_the_caller_finds_it() {
    let wrapper = |define: &str| format!("#!/bin/sh\nexec /usr/bin/gcc -D{define} \"$@\"\n");
    let sandbox =
        Sandbox::new("found").file("sub/x", "").file("a.c", "int x = V;\n").file("sub/a.c", "int x = V;\n");
    sandbox
        .write("one/mycc", wrapper("V=1"))
        .write("two/mycc", wrapper("V=2"))
        .write("sub/mycc", wrapper("V=3"));
    sandbox.write("mycc", wrapper("V=4")).sh("chmod +x */mycc mycc; ln -s one now");
    let path = std::env::var("PATH").unwrap();
    let mut sandbox = sandbox;
    for folder in ["one", "two"] {
        let value = format!("{}:{path}", sandbox.work().join(folder).display());
        sandbox = sandbox.env("PATH", value);
        sandbox.hits("mycc -c a.c");
    }
    sandbox.hits("./mycc -c a.c");
    // An alternative is switched.
    sandbox.expect(Hit, "now/mycc -c a.c");
    sandbox.sh("rm now; ln -s two now").expect(Hit, "now/mycc -c a.c");
    // A relative folder in PATH, from two directories.
    let sandbox = sandbox.env("PATH", format!(".:{path}"));
    sandbox.expect(Hit, "mycc -c a.c");
    let sandbox = sandbox.prelude("cd sub");
    sandbox.expect(Stored, "mycc -c a.c");
}

#[test]
fn t094_t322_a_question_asks_nobody() {
    let sandbox = Sandbox::new("questions");
    for line in [
        "gcc --version",
        "clang --version",
        "gcc -dumpmachine",
        "gcc -v",
        "clang -###",
        "gcc -print-search-dirs",
    ] {
        let plain = sandbox.plain(line);
        let line: Vec<OsString> = [CLIENT].into_iter().chain(line.split(' ')).map(OsString::from).collect();
        let asked = sandbox.plain(line);
        assert_eq!(plain, asked);
    }
    assert!(sandbox.coordinators().is_empty());
}
