//! What a linker makes.
use super::{lib, rustc};
use crate::harness::Sandbox;
use crate::harness::Went::{Hit, Stored};

const MAIN: &str =
    "unsafe extern \"C\" { fn two() -> i32; } fn main() { println!(\"{}\", unsafe { two() }) }";

/// A program that takes `two` from an archive in `second`.
fn with_archive(name: &str) -> Sandbox {
    let sandbox = Sandbox::new(name).file("main.rs", MAIN).file("two.c", "int two(void) { return 2; }");
    sandbox.sh("mkdir first second; gcc -c two.c; ar rcsD second/libtwo.a two.o; rm two.o");
    sandbox
}

fn line() -> String {
    rustc("main --crate-type bin -L native=first -L native=second -l static=two")
}

#[test]
fn t148_t149_a_native_library_changes_or_is_shadowed() {
    let sandbox = with_archive("native");
    sandbox.hits(line());
    sandbox.write("two.c", "int two(void) { return 3; }");
    sandbox.sh("gcc -c two.c; ar rcsD second/libtwo.a two.o; rm two.o").hits(line());
    sandbox.write("two.c", "int two(void) { return 4; }");
    sandbox.sh("gcc -c two.c; ar rcsD first/libtwo.a two.o; rm two.o").hits(line());
    sandbox.sh("rm first/libtwo.a").expect(Hit, line());
}

#[test]
fn t159_words_for_the_linker() {
    let sandbox = Sandbox::new("words").file("main.rs", "fn main() {}");
    let line = |words: &str| rustc(&format!("main --crate-type bin {words}"));
    sandbox.hits(line(""));
    sandbox.hits(line("-C link-arg=-Wl,--build-id=0x12"));
    sandbox.hits(line("-C link-arg=-Wl,--build-id=0x13"));
    sandbox.hits(line("-C strip=symbols"));
    // Over what is there, as when a program is built again.
    for linker in ["-C link-arg=-fuse-ld=bfd", "-C linker-features=-lld", ""] {
        sandbox.write("main.rs", format!("fn main() {{ println!(\"{linker}\") }}"));
        sandbox.sh(&line(linker)).write("main.rs", "fn main() { println!(\"\") }").hits(line(linker));
    }
}

/// The program is called as before, and another one answers.
#[test]
fn t177_a_linker_that_comes_first_in_path() {
    let path = std::env::var("PATH").unwrap();
    let sandbox = Sandbox::new("linker").file("main.rs", "fn main() {}").file("bin/none", "");
    let bin = sandbox.work().join("bin");
    let sandbox = sandbox.env("PATH", format!("{}:{path}", bin.display()));
    let line = rustc("main --crate-type bin");
    sandbox.hits(line.clone());
    sandbox.write("bin/cc", "#!/bin/sh\nexec /usr/bin/cc -Wl,--build-id=0x77 \"$@\"\n").sh("chmod +x bin/cc");
    sandbox.hits(line.clone());
    sandbox.write("bin/cc", "#!/bin/sh\nexec /usr/bin/cc -Wl,--build-id=0x78 \"$@\"\n");
    sandbox.hits(line.clone());
    sandbox.sh("rm bin/cc").expect(Hit, line);
}

#[test]
fn t176_programs_and_libraries_run() {
    let sandbox = Sandbox::new("run")
        .file("main.rs", "fn main() { println!(\"it runs\") }")
        .file("a.rs", "#[no_mangle] pub extern \"C\" fn a() -> u32 { 7 }");
    let line = rustc("main --crate-type bin -o out/main");
    sandbox.sh("mkdir out").hits(line.clone());
    let client = crate::harness::CLIENT;
    sandbox.sh(&format!("{client} {line} && ./out/main | grep -q runs && strip out/main && rm out/main"));
    sandbox.expect(Hit, line);
    sandbox.hits(rustc("a --crate-type cdylib -o out/liba.so"));
    sandbox.hits(rustc("a --crate-type dylib -C prefer-dynamic -o out/liba.so"));
    sandbox.hits(rustc("main --test -o out/test"));
    // A folder that is not there is made by rustc alone.
    sandbox.sh("rmdir out").expect_same(rustc("main --crate-type bin --out-dir out"));
}

/// Who may not be run is passed over.
#[test]
fn t177_a_linker_that_may_not_be_run_any_more() {
    let path = std::env::var("PATH").unwrap();
    let sandbox = Sandbox::new("rights")
        .file("main.rs", "fn main() {}")
        .file("bin/cc", "#!/bin/sh\nexec /usr/bin/cc -s \"$@\"\n");
    let bin = sandbox.work().join("bin");
    let sandbox = sandbox.env("PATH", format!("{}:{path}", bin.display()));
    let line = rustc("main --crate-type bin");
    sandbox.sh("chmod +x bin/cc").hits(line.clone());
    // It is there, and the search went on: that is no condition which could be asked for later.
    sandbox.sh("chmod -x bin/cc").expect(Stored, line);
}

/// A terminal and an editor put different folders first.
#[test]
fn another_path_that_leads_to_the_same_programs() {
    let path = std::env::var("PATH").unwrap();
    let sandbox = Sandbox::new("terminals").file("main.rs", "fn main() {}").file("bin/tool", "");
    let line = rustc("main --crate-type bin --emit link,dep-info");
    let bin = sandbox.work().join("bin");
    sandbox.hits(line.clone());
    let sandbox = sandbox.env("PATH", format!("{}:/nowhere:{path}", bin.display()));
    sandbox.expect(Hit, line.clone());
    let tool = "#!/bin/sh\nexec /usr/bin/cc -s \"$@\"\n";
    sandbox.write("bin/cc", tool).sh("chmod +x bin/cc").hits(line);
}

/// Another `PATH`, though it leads to the same programs, makes another result.
fn counts_by_text(sandbox: Sandbox, line: &str) {
    let path = std::env::var("PATH").unwrap();
    sandbox.hits(line);
    sandbox.env("PATH", format!("/nowhere:{path}")).hits(line);
}

/// Without a dep-info nobody tells that the crate itself reads it.
#[test]
fn a_crate_that_names_path() {
    let sandbox = Sandbox::new("itself").file("main.rs", "fn main() { println!(env!(\"PATH\")); }");
    counts_by_text(sandbox, &rustc("main --crate-type bin"));
}

/// A macro may make something of its text, also where its name comes from elsewhere.
#[test]
fn a_macro_that_asks_for_path() {
    let text = "extern crate proc_macro; #[proc_macro] pub fn value(name: proc_macro::TokenStream) -> proc_macro::TokenStream { \
        format!(\"{:?}\", std::env::var(name.to_string()).unwrap()).parse().unwrap() }";
    let main = "fn main() { println!(\"{}\", m::value!(PATH)); }";
    let sandbox = Sandbox::new("named").file("m.rs", text).file("main.rs", main);
    sandbox.sh(&rustc("m --crate-type proc-macro -C prefer-dynamic"));
    counts_by_text(sandbox, &rustc("main --crate-type bin --extern m=libm.so --emit link,dep-info"));
}

/// The linker is searched for in the working directory, too.
#[test]
fn t177_a_path_from_the_working_directory() {
    let path = std::env::var("PATH").unwrap();
    let sandbox = Sandbox::new("relative")
        .file("main.rs", "fn main() {}")
        .file("tool", "#!/bin/sh\nexec /usr/bin/cc -s \"$@\"\n");
    let sandbox = sandbox.env("PATH", format!(":bin:{path}"));
    let line = rustc("main --crate-type bin");
    sandbox.hits(line.clone());
    for place in ["bin/cc", "cc"] {
        sandbox.sh(&format!("mkdir -p bin; cp tool {place}; chmod +x {place}")).hits(line.clone());
        sandbox.sh("rm -rf bin/cc cc").expect(Hit, line.clone());
    }
}

/// The loader finds a macro's library in a folder that it searches first.
#[test]
fn t148_a_library_of_a_macro_is_shadowed() {
    let text = "extern crate proc_macro; #[link(name = \"q\")] unsafe extern \"C\" { fn q() -> i32; } \
        #[proc_macro] pub fn ask(_: proc_macro::TokenStream) -> proc_macro::TokenStream { unsafe { q() }.to_string().parse().unwrap() }";
    let shared = |answer: i32, place: &str| {
        format!(
            "mkdir -p {place}; echo 'int q(void) {{ return {answer}; }}' >q.c; gcc -shared -fPIC q.c -o {place}/libq.so"
        )
    };
    for place in ["first", ".", "second/glibc-hwcaps/x86-64-v2"] {
        let sandbox =
            Sandbox::new("shadowed").file("ask.rs", text).file("a.rs", "pub const A: i32 = ask::ask!();");
        sandbox.sh(&shared(1, "second"));
        sandbox.sh(&rustc("ask --crate-type proc-macro -C prefer-dynamic -L native=second"));
        let sandbox = sandbox.env("LD_LIBRARY_PATH", ":first:second");
        let line = lib("--extern ask=libask.so");
        sandbox.hits(line.clone());
        sandbox.sh(&shared(2, place)).hits(line);
    }
}

/// A shell takes the whole environment before its script names a variable.
#[test]
fn t177_a_linker_that_is_a_script() {
    let line = rustc("main --crate-type bin -C linker=./link-cc");
    let inner = "exec cc -Wl,--build-id=${MY_ID:-0x33} \"$@\"\n";
    let outer = "#!/usr/bin/env bash\n[ -z \"$OTHER\" ] || set -- -O1 \"$@\"\n. ./inner.sh\n";
    for (name, texts) in [("script", [inner, ""]), ("scripts", ["sh ./inner.sh \"$@\"\n", inner])] {
        let sandbox = Sandbox::new(name)
            .file("main.rs", "fn main() {}")
            .file("link-cc", format!("#!/bin/sh\n{}", texts[0]))
            .file("inner.sh", format!("#!/bin/sh\n{}", texts[1]));
        sandbox.sh("chmod +x link-cc");
        sandbox.hits(line.clone());
        let sandbox = sandbox.env("MY_ID", "0x11");
        sandbox.hits(line.clone());
        sandbox.env("MY_ID", "0x22").hits(line.clone());
    }
    let sandbox = Sandbox::new("bash").file("main.rs", "fn main() {}").file("link-cc", outer);
    sandbox.write("inner.sh", "exec cc \"$@\"\n").sh("chmod +x link-cc").hits(line.clone());
    sandbox.write("inner.sh", "exec cc -s \"$@\"\n").hits(line);
}
