//! Two checkouts in different folders that share results.
use super::SYSROOT;
use crate::harness::{CLIENT, Sandbox, finish};
use cachepot_engine::stats::Stat;
use std::fs;
use std::path::{Path, PathBuf};

/// A package with a build script, a macro that looks at files by its own folder, a library with warnings, and a
/// program.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", "[workspace]\nmembers = [\"lib\", \"bin\", \"ask\"]\nresolver = \"2\"\n"),
    (
        "ask/Cargo.toml",
        "[package]\nname = \"ask\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n",
    ),
    (
        "ask/src/lib.rs",
        "#[proc_macro] pub fn ask(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \
         let folder = std::env::var(\"CARGO_MANIFEST_DIR\").unwrap(); \
         let text = std::fs::read_to_string(folder.clone() + \"/hidden.txt\").unwrap(); \
         let above = std::path::Path::new(&folder).ancestors().skip(1).find_map(|folder| \
         std::fs::read_to_string(folder.join(\"above.txt\")).ok()); \
         format!(\"{:?}\", format!(\"{text} {above:?}\")).parse().unwrap() }",
    ),
    (
        "lib/Cargo.toml",
        "[package]\nname = \"lib\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nask = { path = \"../ask\" }\n",
    ),
    (
        "lib/src/lib.rs",
        "pub fn asked() -> &'static str { ask::ask!() } pub fn place() -> &'static str { file!() } \
         fn unused() {} pub fn boom(at: usize) -> u8 { [1u8, 2][at..][0] }",
    ),
    ("lib/hidden.txt", "hidden"),
    (
        "bin/Cargo.toml",
        "[package]\nname = \"bin\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nlib = { path = \"../lib\" }\n",
    ),
    (
        "bin/build.rs",
        "fn main() { std::fs::write(std::env::var(\"OUT_DIR\").unwrap() + \"/made.rs\", \"const MADE: u32 = 5;\").unwrap(); }",
    ),
    (
        "bin/src/main.rs",
        "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\")); fn main() { \
         println!(\"{} {} {MADE}\", lib::asked(), lib::place()); \
         if std::env::args().count() > 1 { lib::boom(std::env::args().count() + 5); } }",
    ),
];

/// A sandbox with the package in several folders.
fn checkouts(name: &str, folders: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new(name)
        .env("RUSTC", format!("{}/bin/rustc", *SYSROOT))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_NET_OFFLINE", "true")
        .env("CACHEPOT_REMAP_RELATIVE", "1");
    let files = folders.iter().flat_map(|folder| FILES.iter().map(move |file| (folder, file)));
    files.fold(sandbox, |sandbox, (folder, (path, text))| sandbox.file(&format!("{folder}/{path}"), text))
}

/// Builds one of them anew; what cargo said, hits and misses.
fn build(sandbox: &Sandbox, folder: &str) -> (String, u64, u64) {
    let folder = sandbox.work().join(folder);
    let _ = fs::remove_dir_all(folder.join("target"));
    let counts = || {
        let stats = sandbox.quiet();
        (stats.count(Stat::CacheHits), stats.count(Stat::CacheMisses))
    };
    let before = counts();
    let mut cargo = sandbox.command(format!("{}/bin/cargo", *SYSROOT));
    let went = finish(cargo.arg("build").env("RUSTC_WRAPPER", CLIENT).current_dir(&folder));
    assert!(went.status.success(), "{went}");
    let again = finish(cargo.arg("--verbose"));
    assert!(!again.stderr().contains("Running"), "{again}");
    let after = counts();
    (went.stderr(), after.0 - before.0, after.1 - before.1)
}

fn program(sandbox: &Sandbox, folder: &str) -> PathBuf {
    sandbox.work().join(folder).join("target/debug/bin")
}

fn says(sandbox: &Sandbox, folder: &str) -> String {
    finish(&mut sandbox.command(program(sandbox, folder))).succeeds().stdout()
}

#[test]
fn t174_another_checkout_hits_and_speaks_of_its_own_folder() {
    let sandbox = checkouts("elsewhere", &["one/pro", "two/far"]);
    let (first_text, hits, misses) = build(&sandbox, "one/pro");
    assert_eq!((hits, misses), (0, 4));
    let (text, hits, misses) = build(&sandbox, "two/far");
    assert_eq!((hits, misses), (4, 0), "{text}");
    let name = |folder: &str| sandbox.work().join(folder).display().to_string();
    // Warnings, and what cargo reads of the compile.
    assert!(text.contains("lib/src/lib.rs") && text.contains("unused"), "{text}");
    let neutral = |text: &str, folder: &str| text.replace(&name(folder), "HERE");
    // Before them stands what cargo compiles, in an order of its own.
    let diagnostics = |text: String| {
        let (begin, end) = (text.find("warning: ").unwrap(), text.find("    Finished").unwrap());
        text[begin..end].to_owned()
    };
    assert_eq!(diagnostics(neutral(&text, "two/far")), diagnostics(neutral(&first_text, "one/pro")));
    let deps = sandbox.work().join("two/far/target/debug/deps");
    for path in fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path()) {
        let content = fs::read(&path).unwrap();
        let holds = |text: &str| content.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds(&name("one/pro")), "{}", path.display());
        assert!(
            path.extension().is_none_or(|end| end != "d") || holds(&name("two/far")),
            "{}",
            path.display()
        );
    }
    assert_eq!(says(&sandbox, "two/far"), "hidden None lib/src/lib.rs 5\n");
    // A panic in a library names its file from the root of the workspace.
    let panic = finish(sandbox.command(program(&sandbox, "two/far")).arg("x").env("RUST_BACKTRACE", "1"));
    assert!(panic.stderr().contains("lib/src/lib.rs:1:"), "{panic}");
    assert!(!panic.stderr().contains("one/pro"), "{panic}");
}

/// What counts is what is in the other checkout: read, missing, found above it.
#[test]
fn t174_another_checkout_with_other_files_compiles_for_itself() {
    let sandbox = checkouts("elsewhere-edits", &["one/pro", "two/far", "three/a/b"]);
    build(&sandbox, "one/pro");
    sandbox.write("two/far/lib/hidden.txt", "other");
    let (_, hits, misses) = build(&sandbox, "two/far");
    assert_eq!((hits, misses), (2, 2));
    assert_eq!(says(&sandbox, "two/far"), "other None lib/src/lib.rs 5\n");
    sandbox.write("two/far/lib/hidden.txt", "hidden").write("two/above.txt", "above");
    build(&sandbox, "two/far");
    assert_eq!(says(&sandbox, "two/far"), "hidden Some(\"above\") lib/src/lib.rs 5\n");
    // One that lies deeper has more folders above it.
    sandbox.write("three/above.txt", "deep");
    build(&sandbox, "three/a/b");
    assert_eq!(says(&sandbox, "three/a/b"), "hidden Some(\"deep\") lib/src/lib.rs 5\n");
    build(&sandbox, "one/pro");
    assert_eq!(says(&sandbox, "one/pro"), "hidden None lib/src/lib.rs 5\n");
}

/// A name that is in a result after all: it is good for its own folder.
#[test]
fn t174_a_result_that_names_its_folder_is_not_shared() {
    let sandbox = checkouts("elsewhere-named", &["one/pro", "two/far"]);
    for folder in ["one/pro", "two/far"] {
        let text = "pub fn asked() -> &'static str { env!(\"CARGO_MANIFEST_DIR\") } \
            pub fn place() -> &'static str { file!() } pub fn boom(_: usize) {}";
        sandbox.write(&format!("{folder}/lib/src/lib.rs"), text);
    }
    for round in 0..2 {
        for folder in ["one/pro", "two/far"] {
            let (_, hits, misses) = build(&sandbox, folder);
            let expected = match (round, folder) {
                (0, "one/pro") => (0, 4),
                (0, _) => (2, 2),
                _ => (4, 0),
            };
            assert_eq!((hits, misses), expected, "{round} {folder}");
            let name = sandbox.work().join(folder);
            assert_eq!(says(&sandbox, folder), format!("{}/lib lib/src/lib.rs 5\n", name.display()));
        }
    }
}

/// In bitcode, which is all that a library holds under LTO, texts do not stand as they are.
#[test]
fn t174_a_name_in_bitcode_is_not_shared() {
    let sandbox = checkouts("elsewhere-lto", &["one/pro", "two/far"]);
    for folder in ["one/pro", "two/far"] {
        let text = "#[inline(never)] pub fn asked() -> &'static str { env!(\"CARGO_MANIFEST_DIR\") } \
            pub fn place() -> &'static str { file!() } pub fn boom(_: usize) {}";
        sandbox.write(&format!("{folder}/lib/src/lib.rs"), text);
        let profile = format!("{}[profile.dev]\nlto = \"fat\"\nopt-level = 1\n", FILES[0].1);
        sandbox.write(&format!("{folder}/Cargo.toml"), &profile);
        build(&sandbox, folder);
        let name = sandbox.work().join(folder);
        assert_eq!(says(&sandbox, folder), format!("{}/lib lib/src/lib.rs 5\n", name.display()));
    }
}

/// Without the setting, folders count.
#[test]
fn t174_folders_count_where_nobody_asked_for_sharing() {
    let sandbox = checkouts("elsewhere-off", &["one/pro", "two/far"]).without("CACHEPOT_REMAP_RELATIVE");
    build(&sandbox, "one/pro");
    let (_, hits, _) = build(&sandbox, "two/far");
    assert_eq!(hits, 0);
    assert!(Path::new(&program(&sandbox, "two/far")).exists());
}
