//! Builds by cargo.
use super::SYSROOT;
use crate::harness::{CLIENT, Sandbox, finish};
use cachepot_engine::stats::Stat;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const MACRO: &str = "use proc_macro::TokenStream; #[proc_macro] pub fn ask(_: TokenStream) -> TokenStream { \
    let file = std::fs::read_to_string(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/hidden.txt\")).unwrap(); \
    let value = std::env::var(\"HIDDEN\").unwrap_or_default(); format!(\"{:?}\", file + &value).parse().unwrap() }";
const LIBRARY: &str = "mod part; pub const TEXT: &str = include_str!(\"text.txt\"); \
    pub const VERSION: &str = env!(\"CARGO_PKG_VERSION\"); pub fn hidden() -> &'static str { ask::ask!() } \
    pub fn part() -> u32 { part::part() }";
const PROGRAM: &str = "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\")); fn main() { \
    println!(\"{} {} {} {} {MADE}\", lib::TEXT, lib::VERSION, lib::hidden(), lib::part()); }";
const SCRIPT: &str = "fn main() { println!(\"cargo:rerun-if-changed=build.rs\"); let out = std::env::var(\"OUT_DIR\").unwrap(); \
    std::fs::write(out + \"/made.rs\", \"const MADE: u32 = 5;\").unwrap(); }";

/// A workspace with a macro, a library that uses it, and a program with a build script.
fn workspace(name: &str) -> Sandbox {
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
    };
    Sandbox::new(name)
        .file("Cargo.toml", "[workspace]\nmembers = [\"ask\", \"lib\", \"bin\"]\nresolver = \"2\"\n")
        .file("ask/Cargo.toml", package("ask", "[lib]\nproc-macro = true\n"))
        .file("ask/src/lib.rs", MACRO)
        .file("ask/hidden.txt", "hidden")
        .file("lib/Cargo.toml", package("lib", "[dependencies]\nask = { path = \"../ask\" }\n"))
        .file("lib/src/lib.rs", LIBRARY)
        .file("lib/src/part.rs", "pub fn part() -> u32 { 3 }")
        .file("lib/src/text.txt", "text")
        .file("bin/Cargo.toml", package("bin", "[dependencies]\nlib = { path = \"../lib\" }\n"))
        .file("bin/src/main.rs", PROGRAM)
        .file("bin/build.rs", SCRIPT)
        .env("RUSTC", format!("{}/bin/rustc", *SYSROOT))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_NET_OFFLINE", "true")
}

/// Runs it; what it said beside.
fn cargo(sandbox: &Sandbox, words: &[&str], is_cached: bool) -> String {
    let mut command = sandbox.command(format!("{}/bin/cargo", *SYSROOT));
    command.args(words);
    if is_cached {
        command.env("RUSTC_WRAPPER", CLIENT);
    }
    let went = finish(&mut command);
    assert!(went.status.success(), "{went}");
    went.stderr()
}

/// Everything that compilers made: bytes and whether it can be executed. What cargo notes itself is left out.
fn made(sandbox: &Sandbox) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let (mut found, mut open) = (BTreeMap::new(), vec![sandbox.work().join("target")]);
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let is_note = [".fingerprint", "incremental"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !is_note {
                open.push(path);
            } else if path.is_file() && is_of_compiler(&path) {
                let mode = fs::metadata(&path).unwrap().permissions().mode();
                found.insert(path.clone(), (mode, fs::read(&path).unwrap()));
            }
        }
    }
    found
}

fn is_of_compiler(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("rlib" | "rmeta" | "so" | "d" | "rs"))
        || extension.is_none() && path.ends_with("bin")
}

fn counts(sandbox: &Sandbox) -> [u64; 3] {
    let stats = sandbox.quiet();
    [Stat::CacheHits, Stat::CacheMisses, Stat::CacheWrites].map(|stat| stats.count(stat))
}

fn says(sandbox: &Sandbox) -> String {
    finish(&mut sandbox.command(sandbox.work().join("target/debug/bin"))).succeeds().stdout()
}

#[test]
fn t182_a_workspace_comes_back_whole() {
    let sandbox = workspace("workspace");
    cargo(&sandbox, &["build", "--quiet"], false);
    let plain = made(&sandbox);
    assert_eq!(says(&sandbox), "text 0.1.0 hidden 3 5\n");
    for (round, expected) in [("cold", [0, 4, 4]), ("warm", [4, 4, 4])] {
        fs::remove_dir_all(sandbox.work().join("target")).unwrap();
        cargo(&sandbox, &["build", "--quiet"], true);
        assert_eq!(counts(&sandbox), expected, "{round}");
        let cached = made(&sandbox);
        assert_eq!(plain.keys().collect::<Vec<_>>(), cached.keys().collect::<Vec<_>>(), "{round}");
        for (path, node) in &plain {
            assert!(cached[path] == *node, "{round}: {} differs", path.display());
        }
        assert_eq!(says(&sandbox), "text 0.1.0 hidden 3 5\n");
        let again = cargo(&sandbox, &["build"], true);
        assert!(!again.contains("Compiling"), "{round}: {again}");
    }
}

/// cargo does not know these inputs: it builds anew because the target folder is gone.
#[test]
fn t143_hidden_inputs_of_a_workspace_are_followed() {
    let sandbox = workspace("edits").env("HIDDEN", "1");
    let build = |sandbox: &Sandbox| {
        let _ = fs::remove_dir_all(sandbox.work().join("target"));
        cargo(sandbox, &["build", "--quiet"], true);
        says(sandbox)
    };
    assert_eq!(build(&sandbox), "text 0.1.0 hidden1 3 5\n");
    sandbox.write("ask/hidden.txt", "other");
    assert_eq!(build(&sandbox), "text 0.1.0 other1 3 5\n");
    let sandbox = sandbox.env("HIDDEN", "2");
    assert_eq!(build(&sandbox), "text 0.1.0 other2 3 5\n");
    sandbox.write("lib/src/text.txt", "TEXT").write("lib/src/part.rs", "pub fn part() -> u32 { 4 }");
    assert_eq!(build(&sandbox), "TEXT 0.1.0 other2 4 5\n");
    sandbox.write("bin/build.rs", SCRIPT.replace('5', "6"));
    assert_eq!(build(&sandbox), "TEXT 0.1.0 other2 4 6\n");
    let before = counts(&sandbox);
    assert_eq!(build(&sandbox), "TEXT 0.1.0 other2 4 6\n");
    let after = counts(&sandbox);
    assert_eq!((after[0] - before[0], after[1] - before[1]), (4, 0));
}

#[test]
fn t172_incremental_compilation_is_left_out_where_the_user_says_so() {
    let sandbox = workspace("incremental").env("CARGO_INCREMENTAL", "1");
    let build = |sandbox: &Sandbox| {
        let _ = fs::remove_dir_all(sandbox.work().join("target"));
        cargo(sandbox, &["build", "--quiet"], true);
        assert_eq!(says(sandbox), "text 0.1.0 hidden 3 5\n");
    };
    build(&sandbox);
    assert_eq!(counts(&sandbox), [0, 0, 0]);
    assert_eq!(sandbox.quiet().count(Stat::RequestsNotCacheable), 4);
    let sandbox = sandbox.env("CACHEPOT_NO_INCREMENTAL", "1");
    build(&sandbox);
    build(&sandbox);
    assert_eq!(counts(&sandbox), [4, 4, 4]);
    let again = cargo(&sandbox, &["build"], true);
    assert!(!again.contains("Compiling"), "{again}");
}
