//! What procedural macros read without a word to rustc.
use super::{lib, library, rustc};
use crate::harness::Sandbox;
use crate::harness::Went::{Hit, Uses};

/// A macro with this body, which evaluates to a text, and a library that uses it.
pub(super) fn with_macro(name: &str, body: &str) -> Sandbox {
    let text = format!(
        "extern crate proc_macro; #[proc_macro] pub fn ask(_: proc_macro::TokenStream) -> proc_macro::TokenStream {{ \
         let answer: String = {{ {body} }}; format!(\"{{answer:?}}\").parse().unwrap() }}"
    );
    let sandbox = Sandbox::new(name).file("ask.rs", text).file("a.rs", "pub const A: &str = ask::ask!();");
    let _ = sandbox.run(&rustc("ask --crate-type proc-macro -C prefer-dynamic")).succeeds();
    sandbox
}

fn line() -> String {
    lib("--extern ask=libask.so")
}

#[test]
fn t142_a_variable_that_a_macro_reads() {
    let sandbox = with_macro("variable", "std::env::var(\"HIDDEN\").unwrap_or_default()").env("HIDDEN", "1");
    sandbox.hits(line());
    let sandbox = sandbox.env("HIDDEN", "2");
    sandbox.hits(line());
    let sandbox = sandbox.without("HIDDEN").env("OTHER", "2");
    sandbox.hits(line());
    let sandbox = sandbox.env("HIDDEN", "1");
    sandbox.expect(Hit, line());
}

#[test]
fn t143_files_that_a_macro_reads() {
    let body = "if let Ok(text) = std::fs::read_to_string(\"first.txt\") { text } else { \
        std::fs::read_to_string(\"second.txt\").unwrap() }";
    let sandbox = with_macro("file", body).file("second.txt", "2");
    sandbox.hits(line());
    sandbox.write("second.txt", "3").hits(line());
    sandbox.write("first.txt", "1").hits(line());
    sandbox.sh("rm first.txt").expect(Hit, line());
    sandbox.sh("echo 4 >target.txt; ln -s target.txt first.txt").hits(line());
    sandbox.write("target.txt", "5").hits(line());
}

#[test]
fn t143_a_folder_that_a_macro_embeds() {
    let body = "let mut names: Vec<String> = std::fs::read_dir(\"data\").unwrap()\
        .map(|e| e.unwrap().file_name().into_string().unwrap()).collect(); names.sort(); names.join(\",\")";
    let sandbox = with_macro("folder", body).file("data/x", "").file("data/y", "");
    sandbox.hits(line());
    sandbox.write("data/x", "other content").expect(Hit, line());
    sandbox.write("data/z", "").hits(line());
    sandbox.sh("rm data/z").expect(Hit, line());
    sandbox.sh("rm data/y; mkdir data/y").hits(line());
}

/// rustc lists it, too, and knows by name what it found.
#[test]
fn t143_a_folder_that_a_macro_embeds_and_rustc_searches() {
    let body = "let mut names: Vec<String> = std::fs::read_dir(\"data\").unwrap()\
        .map(|e| e.unwrap().file_name().into_string().unwrap()).collect(); names.sort(); names.join(\",\")";
    let sandbox = with_macro("searched", body).file("data/x", "");
    for kind in ["native", "dependency", "all"] {
        let line = || lib(&format!("--extern ask=libask.so -L {kind}=data"));
        sandbox.hits(line());
        sandbox.write("data/z", "").hits(line());
        sandbox.sh("rm data/z").expect(Hit, line());
    }
}

#[test]
fn t143_size_and_kind_without_a_read() {
    let body = "let m = std::fs::metadata(\"x\"); m.map_or(\"none\".into(), |m| m.len().to_string())";
    let sandbox = with_macro("size", body);
    sandbox.hits(line());
    sandbox.write("x", "1").hits(line());
    sandbox.write("x", "22").hits(line());
    sandbox.sh("rm x; mkdir x").expect_same(line());
    sandbox.sh("rmdir x").expect(Hit, line());
}

#[test]
fn t144_a_macro_with_other_behaviour_under_its_name() {
    let sandbox = with_macro("behaviour", "\"1\".to_owned()");
    sandbox.hits(line());
    let text = std::fs::read_to_string(sandbox.work().join("ask.rs")).unwrap().replace("\"1\"", "\"2\"");
    sandbox.write("ask.rs", text);
    let _ = sandbox.run(&rustc("ask --crate-type proc-macro -C prefer-dynamic")).succeeds();
    sandbox.hits(line());
    sandbox.hits(rustc("ask --crate-type proc-macro -C prefer-dynamic"));
}

#[test]
fn t143_what_cannot_be_repeated_is_not_kept() {
    let sandbox = with_macro("leaves", "std::fs::write(\"left.txt\", \"x\").unwrap(); String::new()");
    sandbox.expect(Uses("writes other files"), line());
    let sandbox = with_macro("network", "std::net::TcpStream::connect(\"127.0.0.1:9\").is_ok().to_string()");
    sandbox.expect(Uses("the network"), line());
    let sandbox = with_macro("listens", "std::os::unix::net::UnixListener::bind(\"sk\").is_ok().to_string()");
    sandbox.expect(Uses("the network"), line());
}

/// Whoever starts a program may read them, too.
#[test]
fn t142_a_macro_that_may_read_all_variables() {
    let all = "std::env::vars().filter(|(name, _)| name.starts_with(\"HIDDEN\")).count().to_string()";
    let sandbox = with_macro("all", all);
    sandbox.hits(line());
    let sandbox = sandbox.env("HIDDEN_FIRST", "1");
    sandbox.hits(line());
    let sandbox = sandbox.env("HIDDEN_SECOND", "1");
    sandbox.hits(line());
    let sandbox = sandbox.env("HIDDEN_SECOND", "");
    sandbox.hits(line());
    let sandbox = sandbox.without("HIDDEN_SECOND").env("MFLAGS", "-j2");
    sandbox.expect(Hit, line());
}

#[test]
fn t143_a_program_that_a_macro_runs() {
    let body = "let ran = std::process::Command::new(\"cat\").arg(\"x\").output().unwrap(); \
        String::from_utf8(ran.stdout).unwrap() + &ran.status.to_string()";
    let sandbox = with_macro("runs", body).file("x", "1").file("bin/other", "");
    let path = format!("{}:{}", sandbox.work().join("bin").display(), std::env::var("PATH").unwrap());
    let sandbox = sandbox.env("PATH", path);
    sandbox.hits(line());
    sandbox.write("x", "2").hits(line());
    sandbox.sh("rm x").hits(line());
    sandbox.write("x", "2").expect(Hit, line());
    sandbox.sh("printf '#!/bin/sh\\necho ours' >bin/cat; chmod +x bin/cat").hits(line());
    let _ = sandbox.sh("rm bin/cat");
    sandbox.expect(Hit, line());
    let sandbox = with_macro(
        "asks",
        "let ran = std::process::Command::new(\"date\").output().unwrap(); \
        ran.status.to_string()",
    );
    sandbox.expect(Uses("the time of day"), line());
}

/// What is made and removed again was not there before.
#[test]
fn t143_a_file_for_a_moment() {
    let body = "let free = std::fs::metadata(\"lock\").is_err(); if free { std::fs::write(\"lock\", \"\").unwrap(); \
        std::fs::remove_file(\"lock\").unwrap(); } free.to_string()";
    let sandbox = with_macro("moment", body);
    sandbox.hits(line());
    sandbox.write("lock", "").hits(line());
}

/// rustc asks for them in every compile, so that a macro's question does not stand out.
#[test]
fn t142_variables_that_rustc_asks_for_as_well() {
    let body = "std::env::var(\"TERM\").unwrap_or_default() + std::env::temp_dir().to_str().unwrap()";
    let sandbox = with_macro("both", body).env("TERM", "a").env("TMPDIR", "/tmp");
    sandbox.hits(line());
    let sandbox = sandbox.env("TERM", "b");
    sandbox.hits(line());
    sandbox.env("TMPDIR", "/var/tmp").hits(line());
    let text = "pub const A: &[Option<&str>] = &[option_env!(\"TERM\"), option_env!(\"MAKEFLAGS\")];";
    for line in [lib(""), rustc("a --crate-type lib --emit metadata")] {
        let sandbox = library("both-in-crate", text).env("TERM", "a");
        sandbox.hits(line.clone());
        sandbox.env("TERM", "b").hits(line);
    }
    let sandbox = library("make", text).env("MAKEFLAGS", "-s");
    sandbox.hits(lib(""));
    sandbox.env("MAKEFLAGS", "-k").hits(lib(""));
}

/// The observer came in by them; nobody who asks for one is to see that.
#[test]
fn t142_variables_of_the_observer() {
    let names = ["LD_PRELOAD", "CACHEPOT_OBSERVE", "CACHEPOT_DEPTH"];
    let asks =
        |name| format!("std::env::var_os(\"{name}\").map_or(\"-\".into(), |v| v.into_string().unwrap())");
    let sandbox = with_macro("ours", &format!("[{}].join(\",\")", names.map(asks).join(", ")));
    sandbox.hits(line());
    // A library of the user's, as libfaketime is one.
    sandbox.sh("echo 'int nothing;' >nothing.c; gcc -shared -fPIC nothing.c -o nothing.so");
    let nothing = sandbox.work().join("nothing.so");
    sandbox.env("LD_PRELOAD", nothing.to_str().unwrap()).hits(line());
    let text = names.map(|name| format!("option_env!(\"{name}\")")).join(", ");
    library("ours-in-crate", &format!("pub const A: &[Option<&str>] = &[{text}];")).hits(lib(""));
}

#[test]
fn t143_what_the_kernel_writes_as_it_is_read() {
    for path in ["/proc/self/environ", "/proc/loadavg", "/sys/kernel/mm/transparent_hugepage/defrag"] {
        let sandbox = with_macro("kernel", &format!("std::fs::read({path:?}).unwrap(); String::new()"));
        sandbox.expect(Uses("reads what is no file"), line());
    }
}

#[test]
fn t143_a_list_of_temporary_files() {
    let body = "std::fs::read_dir(\"/tmp\").unwrap().filter(|entry| entry.as_ref().unwrap().file_name()\
        .to_str().unwrap().starts_with(\"cachepot-listed-\")).count().to_string()";
    let sandbox = with_macro("temporary", body);
    let _ = sandbox.run(&line());
    let one = tempfile::Builder::new().prefix("cachepot-listed-").tempfile_in("/tmp").unwrap();
    // What others do there may keep the result from being stored.
    assert_eq!(sandbox.cached(line()).0, sandbox.plain(line()));
    drop(one);
    let sandbox =
        with_macro("number", "std::fs::read_to_string(\"GMfifo.txt\").unwrap()").file("GMfifo.txt", "1");
    sandbox.hits(line());
    sandbox.write("GMfifo.txt", "2").hits(line());
}

#[test]
fn t143_the_time_of_day() {
    let sandbox = with_macro("clock", "let _ = std::time::SystemTime::now(); String::new()");
    sandbox.expect(Uses("the time of day"), line());
    let sandbox = with_macro("duration", "let _ = std::time::Instant::now(); String::new()");
    sandbox.hits(line());
}
