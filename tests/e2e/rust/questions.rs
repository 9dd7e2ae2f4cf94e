//! `rustc -vV`, with which cargo begins a build.
use crate::harness::{CLIENT, Sandbox, finish, wait_until};
use std::fs;

/// A program that answers as a rustc in the sandbox would, and keeps count.
const RUSTC: &str = r#"
#include <stdio.h>
#include <string.h>
int main(int count, char **words) {
    fputs("asked\n", fopen("asked", "a"));
    if (count > 2) printf("%s\n", SYSROOT);
    else if (!strcmp(words[1], "--version")) puts("rustc 1.95.0 (0 2026-01-01)");
    else puts("rustc 1.95.0 (" TEXT ")\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0");
    return 0;
}
"#;

fn make(sandbox: &Sandbox, text: &str) {
    let sysroot = sandbox.work().join("sysroot");
    sandbox.write("rustc.c", RUSTC).sh(&format!(
        "mkdir -p sysroot/bin; gcc -w -o new '-DTEXT=\"{text}\"' '-DSYSROOT=\"{}\"' rustc.c; mv new sysroot/bin/rustc",
        sysroot.display()
    ));
}

/// What it says under a variable.
fn ask(sandbox: &Sandbox, (name, value): (&str, &str)) -> String {
    let rustc = sandbox.work().join("sysroot/bin/rustc");
    let mut command = sandbox.command(CLIENT);
    finish(command.args([rustc.as_os_str(), "-vV".as_ref()]).env(name, value)).succeeds().stdout()
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
    make(&sandbox, "one");
    assert!(ask(&sandbox, ANY).starts_with("rustc 1.95.0 (one)\n"));
    wait_until("the answer is remembered", || is_remembered(&sandbox, ANY));
    assert!(ask(&sandbox, ANY).starts_with("rustc 1.95.0 (one)\n"));
    let counts = ["RUSTC_FORCE_RUSTC_VERSION", "LD_VERBOSE"].map(|name| (name, false));
    for (name, is_indifferent) in counts.into_iter().chain([("RUST_BACKTRACE", true)]) {
        assert_eq!(is_remembered(&sandbox, (name, "1")), is_indifferent, "{name}");
    }
    make(&sandbox, "two");
    assert!(ask(&sandbox, ANY).starts_with("rustc 1.95.0 (two)\n"));
}

/// A script in front may say something else each time.
#[test]
fn a_script_is_asked_each_time() {
    let sandbox = Sandbox::new("script");
    make(&sandbox, "one");
    sandbox.sh("mv sysroot real; mkdir -p sysroot/bin; mv real/bin/rustc sysroot/real");
    sandbox
        .write("sysroot/bin/rustc", "#!/bin/sh\nexec sysroot/real \"$@\"\n")
        .sh("chmod +x sysroot/bin/rustc");
    for _ in 0..20 {
        assert!(!is_remembered(&sandbox, ANY));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
