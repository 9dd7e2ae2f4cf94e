//! `rustc -vV`, with which cargo begins a build, and what it asks next.
use crate::harness::{CLIENT, Sandbox, finish, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;

/// A program that answers as a rustc in the sandbox would, and keeps count. Where there is a `gate`, it does not say who it is.
const RUSTC: &str = r#"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
    int is_clippy = !!strstr(words[0], "clippy-driver");
    fputs("asked\n", fopen("asked", "a"));
    while (strcmp(words[1], "-") && !access("gate", F_OK)) usleep(1000);
    if (count > 2 && strcmp(words[2], "--verbose")) {
        if (CHANGES) fclose(fopen(SYSROOT "/lib/new", "w")), remove(SYSROOT "/lib/new");
        printf("%s\n", SYSROOT);
    }
    else if (!strcmp(words[1], "--version") && (count == 2 || is_clippy))
        printf("%s (0 2026-01-01)\n", is_clippy ? "clippy 0.1.95" : "rustc 1.95.0");
    else puts("rustc 1.95.0 (" TEXT ")\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0");
    return 0;
}
"#;

/// Makes one that says this; `changes` is whether it changes a folder of its own as it is asked for its place.
fn make(sandbox: &Sandbox, text: &str, changes: bool) {
    let sysroot = sandbox.work().join("sysroot");
    sandbox.write("rustc.c", RUSTC).sh(&format!(
        "mkdir -p sysroot/bin sysroot/lib/rustlib/x86_64-unknown-linux-gnu/lib; gcc -w -o new -DCHANGES={} '-DTEXT=\"{text}\"' '-DSYSROOT=\"{}\"' rustc.c; mv new sysroot/bin/rustc",
        u8::from(changes),
        sysroot.display()
    ));
}

/// What it says under a variable.
fn ask(sandbox: &Sandbox, variable: (&str, &str)) -> String {
    ask_with(sandbox, &["-vV"], variable)
}

fn ask_with(sandbox: &Sandbox, words: &[&str], variable: (&str, &str)) -> String {
    ask_program(sandbox, "rustc", words, variable)
}

fn ask_program(sandbox: &Sandbox, program: &str, words: &[&str], (name, value): (&str, &str)) -> String {
    let mut command = sandbox.command(CLIENT);
    command.arg(sandbox.work().join("sysroot/bin").join(program)).args(words);
    finish(command.env(name, value)).succeeds().stdout()
}

fn count(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.work().join("asked")).map_or(0, |text| text.lines().count())
}

/// Whether an answer came without rustc.
fn is_remembered(sandbox: &Sandbox, variable: (&str, &str)) -> bool {
    let before = count(sandbox);
    let _ = ask(sandbox, variable);
    count(sandbox) == before
}

const ANY: (&str, &str) = ("ANOTHER", "1");

#[test]
fn rustc_is_asked_again_only_where_it_may_say_something_else() {
    let sandbox = Sandbox::new("questions");
    make(&sandbox, "one", false);
    assert!(ask(&sandbox, ANY).starts_with("rustc 1.95.0 (one)\n"));
    wait_until("the answer is remembered", || is_remembered(&sandbox, ANY));
    let (answer, before) = (ask(&sandbox, ANY), count(&sandbox));
    assert!(answer.starts_with("rustc 1.95.0 (one)\n"));
    assert_eq!(ask_with(&sandbox, &["--version", "--verbose"], ANY), answer);
    assert_eq!(count(&sandbox), before);
    assert_eq!(ask_with(&sandbox, &["--version"], ANY), "rustc 1.95.0 (0 2026-01-01)\n");
    let counts = ["RUSTC_FORCE_RUSTC_VERSION", "LD_VERBOSE"].map(|name| (name, false));
    for (name, is_indifferent) in counts.into_iter().chain([("RUST_BACKTRACE", true)]) {
        assert_eq!(is_remembered(&sandbox, (name, "1")), is_indifferent, "{name}");
    }
    make(&sandbox, "two", false);
    assert!(ask(&sandbox, ANY).starts_with("rustc 1.95.0 (two)\n"));
}

/// Where the question is spelled out it names itself; what cargo asks is passed on to rustc.
#[test]
fn clippy_says_who_it_is() {
    let sandbox = Sandbox::new("clippy");
    make(&sandbox, "one", false);
    sandbox.sh("cp sysroot/bin/rustc sysroot/bin/clippy-driver");
    for _ in 0..20 {
        let answer = ask_program(&sandbox, "clippy-driver", &["--version", "--verbose"], ANY);
        assert_eq!(answer, "clippy 0.1.95 (0 2026-01-01)\n");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn is_never_remembered(sandbox: &Sandbox) -> bool {
    let pause = || std::thread::sleep(std::time::Duration::from_millis(20));
    (0..20).inspect(|_| pause()).all(|_| !is_remembered(sandbox, ANY))
}

/// As cargo names folders of the build to build scripts.
#[test]
fn the_loader_may_be_led_to_folders_that_have_nothing_for_it() {
    let mut sandbox = Sandbox::new("folders");
    make(&sandbox, "one", false);
    let work = sandbox.work().display().to_string();
    sandbox.sh("mkdir -p deps");
    sandbox = sandbox.env("LD_LIBRARY_PATH", format!("{work}/deps:{work}/sysroot/lib"));
    assert!(ask(&sandbox, ANY).starts_with("rustc 1.95.0 (one)\n"));
    wait_until("the answer is remembered", || is_remembered(&sandbox, ANY));
    sandbox.write("deps/libany.so", "no library");
    assert!(is_remembered(&sandbox, ANY));
    let places = [
        "mkdir deps/glibc-hwcaps",
        "rmdir deps/glibc-hwcaps; ln -s \"$(gcc -print-file-name=libc.so.6)\" deps",
    ];
    for place in places {
        sandbox.sh(place);
        assert!(is_never_remembered(&sandbox), "{place}");
    }
}

/// How often rustc is asked until an answer under a variable is remembered, but for what the client lets it answer.
fn questions(sandbox: &Sandbox, variable: (&str, &str)) -> usize {
    let (before, mut own) = (count(sandbox), 0);
    wait_until("the answer is remembered", || {
        let is_remembered = is_remembered(sandbox, variable);
        own += usize::from(!is_remembered);
        is_remembered
    });
    count(sandbox) - before - own
}

/// Cargo names other folders to each of the programs that it runs.
#[test]
fn who_rustc_is_is_known_under_other_folders_too() {
    let sandbox = Sandbox::new("kin");
    make(&sandbox, "one", false);
    let work = sandbox.work().display().to_string();
    sandbox.sh("mkdir -p deps with/glibc-hwcaps");
    assert!(questions(&sandbox, ANY) > 0);
    let deps = format!("{work}/deps");
    assert_eq!(questions(&sandbox, ("LD_LIBRARY_PATH", &deps)), 0);
    let own = format!("{work}/sysroot/lib");
    assert!(questions(&sandbox, ("LD_LIBRARY_PATH", &own)) > 0, "its own, by another name");
    assert_eq!(questions(&sandbox, ("PATH", &format!("{work}/with"))), 0);
    assert!(questions(&sandbox, ("COMPILER_PATH", "/nowhere")) > 0, "a variable that we know nothing of");
    let with = format!("{work}/with");
    assert!((0..20).all(|_| !is_remembered(&sandbox, ("LD_LIBRARY_PATH", &with))), "other libraries");
    make(&sandbox, "two", false);
    // What is asked as it is made is not sure of itself.
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(questions(&sandbox, ("LD_LIBRARY_PATH", &format!("{work}:{deps}"))) > 0, "another one");
    assert!(ask(&sandbox, ("LD_LIBRARY_PATH", &deps)).starts_with("rustc 1.95.0 (two)\n"));
}

/// Cargo asks for names of files before it compiles anything.
#[test]
fn who_asks_for_names_does_not_wait_until_it_is_known_who_rustc_is() {
    let sandbox = Sandbox::new("names");
    make(&sandbox, "one", false);
    sandbox.write("gate", "");
    ask_with(&sandbox, &["-", "--crate-name", "___", "--print=file-names"], ANY);
    sandbox.expect_stat(Stat::RequestsNotCompile, 1).sh("rm gate");
    wait_until("it was asked meanwhile", || is_remembered(&sandbox, ANY));
}

/// What one client hears under its own variables is no answer for others.
#[test]
fn an_answer_under_a_variable_of_rustc_is_not_kept() {
    let sandbox = Sandbox::new("variable");
    make(&sandbox, "one", false);
    ask(&sandbox, ("RUSTC_FORCE_RUSTC_VERSION", "1"));
    assert!(is_never_remembered(&sandbox));
    let library = sandbox.env("LD_LIBRARY_PATH", ".");
    ask(&library, ANY);
    assert!(is_never_remembered(&library));
}

#[test]
fn an_answer_of_a_toolchain_that_changes_is_not_kept() {
    let sandbox = Sandbox::new("changing");
    make(&sandbox, "one", true);
    assert!(is_never_remembered(&sandbox));
}

/// A script in the place of rustc, which runs another program.
fn stand_in(sandbox: &Sandbox, program: &str) {
    let text = format!("#!/bin/sh\nexec {program} \"$@\"\n");
    sandbox.write("sysroot/bin/rustc", text).sh("chmod +x sysroot/bin/rustc");
}

/// It might be a program of rustup, which runs another one elsewhere.
#[test]
fn a_program_whose_toolchain_has_a_script_in_its_place_is_asked_each_time() {
    let sandbox = Sandbox::new("linked");
    make(&sandbox, "one", false);
    sandbox.sh("mkdir real proxy; cp sysroot/bin/rustc proxy; mv sysroot/bin/rustc real");
    stand_in(&sandbox, "real/rustc");
    for _ in 0..20 {
        let before = count(&sandbox);
        ask_program(&sandbox, "../../proxy/rustc", &["-vV"], ANY);
        assert!(count(&sandbox) > before);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// A script in front may say something else each time.
#[test]
fn a_script_is_asked_each_time() {
    let sandbox = Sandbox::new("script");
    make(&sandbox, "one", false);
    sandbox.sh("mv sysroot real; mkdir -p sysroot/bin; mv real/bin/rustc sysroot/real");
    stand_in(&sandbox, "sysroot/real");
    assert!(is_never_remembered(&sandbox));
}
