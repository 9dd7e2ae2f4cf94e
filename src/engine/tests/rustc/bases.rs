//! Which folders are left out, and what rustc is told.
use super::{call, job};
use crate::compiler::rustc::plan;
use crate::digest::Digest;
use crate::job::Driver;
use crate::job::Family;
use crate::key::{JobFacts, job_key};
use std::ffi::OsStr;

const CARGO: &str = "CACHEPOT_REMAP_RELATIVE=1 HOME=/h";

/// The words added to a line.
fn added(line: &str) -> String {
    let argv = plan(&job(line), &call(line).0).argv;
    let words = argv.iter().filter_map(|word| word.to_str()?.strip_prefix("--remap-path-prefix="));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn t174_folders_that_are_left_out() {
    const CARGO_HOME: &str = "/h/.cargo/git=/cargo/git /h/.cargo/registry=/cargo/registry";
    let rows: &[(&str, String)] = &[
        ("cd:/w RUSTC", String::new()),
        ("cd:/w CACHEPOT_REMAP_RELATIVE=0 HOME=/h RUSTC", String::new()),
        ("cd:/w CACHEPOT_REMAP_RELATIVE= HOME=/h RUSTC", String::new()),
        ("cd:/w CARGO RUSTC", format!("/w=. {CARGO_HOME}")),
        ("cd:/ CARGO RUSTC", CARGO_HOME.to_owned()),
        ("cd:/w CACHEPOT_REMAP_RELATIVE=1 RUSTC", "/w=.".to_owned()),
        (
            "cd:/w CACHEPOT_REMAP_RELATIVE=1 HOME=/h CARGO_HOME=/c RUSTC",
            "/w=. /c/git=/cargo/git /c/registry=/cargo/registry".to_owned(),
        ),
        // In the order of their length.
        (
            "cd:/w CARGO RUSTC --out-dir /w/target/debug/deps",
            format!("/w=. /w/target=/cargo/target {CARGO_HOME}"),
        ),
        ("cd:/w CARGO RUSTC --out-dir /t/debug/examples", format!("/w=. /t=/cargo/target {CARGO_HOME}")),
        (
            "cd:/w CARGO RUSTC --out-dir /t/debug/build/a-b-0123456789abcdef",
            format!("/w=. /t=/cargo/target {CARGO_HOME}"),
        ),
        (
            "cd:/w CARGO RUSTC --out-dir /t/debug/build/a-0123456789abcdef/out/probe",
            format!("/w=. /t=/cargo/target {CARGO_HOME}"),
        ),
        ("cd:/w CARGO RUSTC --out-dir /x/build/a-b/c", format!("/w=. {CARGO_HOME}")),
        ("cd:/w CARGO RUSTC --out-dir t/d/deps", format!("/w=. /w/t=/cargo/target {CARGO_HOME}")),
        ("cd:/w CARGO RUSTC --out-dir /d/deps", format!("/w=. {CARGO_HOME}")),
        (
            "cd:/w CARGO RUSTC --target x-y --out-dir /t/x-y/d/deps",
            format!("/w=. /t=/cargo/target {CARGO_HOME}"),
        ),
        ("cd:/w CARGO RUSTC --target x-y --out-dir /t/d/deps", format!("/w=. /t=/cargo/target {CARGO_HOME}")),
        // A package of a registry, and one beside the workspace.
        (
            "cd:/h/.cargo/registry/src/i/p CARGO rustc --crate-name a /h/.cargo/registry/src/i/p/a.rs --test",
            CARGO_HOME.to_owned(),
        ),
        (
            "cd:/x/p CARGO rustc --crate-name a /x/p/a.rs --test",
            format!("/x/p=/cargo/package/p {CARGO_HOME}"),
        ),
    ];
    for (line, expected) in rows {
        assert_eq!(added(&line.replace("CARGO ", &format!("{CARGO} "))), *expected, "{line}");
    }
}

/// Before the user's own words, and after the toolchain or the compiler behind Clippy.
#[test]
fn words_stand_before_the_users() {
    const ROWS: &[(&str, &str)] = &[
        ("rustc --crate-name a a.rs --test", "rustc X --crate-name a a.rs --test"),
        ("rustc a.rs --crate-name a --test", "rustc a.rs X --crate-name a --test"),
        (
            "clippy-driver rustc --crate-name a --test -- a.rs",
            "clippy-driver rustc X --crate-name a --test -- a.rs",
        ),
    ];
    for (line, expected) in ROWS {
        let line = format!("CACHEPOT_REMAP_RELATIVE=1 {line}");
        let argv = plan(&job(&line), &call(&line).0).argv.join(OsStr::new(" "));
        assert_eq!(argv, expected.replace('X', "--remap-path-prefix=/w=.").as_str());
    }
}

fn key(line: &str) -> Digest {
    let driver = Driver { family: Family::Rustc, major: 95, plus_plus: false };
    let identity = Digest::of(b"rustc");
    let (variables, key_files, cpu, pwd_leads_here) = (&[][..], &[][..], None, false);
    let job = job(line);
    job_key(&JobFacts { identity, driver: &driver, job: &job, variables, key_files, cpu, pwd_leads_here })
}

#[test]
fn t174_checkouts_share_a_key_where_the_user_wants_it() {
    let line = |env: &str, work: &str, home: &str, target: &str| {
        key(&format!(
            "cd:{work} {env} HOME={home} RUSTC --out-dir {target}/debug/deps -L dependency={target}/debug/deps \
             --extern b={target}/debug/deps/libb.rmeta -C link-arg=-Wl,-rpath={work}/x"
        ))
    };
    let on = "CACHEPOT_REMAP_RELATIVE=1";
    let one = line(on, "/w", "/h", "/w/target");
    assert_eq!(one, line(on, "/other/place", "/h", "/other/place/target"));
    assert_eq!(one, line(on, "/other/place", "/home/me", "/t"));
    assert_ne!(one, line("X=1", "/w", "/h", "/w/target"));
    assert_ne!(line("X=1", "/w", "/h", "/w/target"), line("X=1", "/other", "/h", "/other/target"));
    // What lies outside of them counts as it is spelled.
    let other = |rest: &str| key(&format!("cd:/w {on} RUSTC {rest}"));
    assert_ne!(other("-L /x"), other("-L /y"));
    assert_ne!(other("--remap-path-prefix /w=x"), other("--remap-path-prefix /w=y"));
}
