//! gcc and clang. The checks; the rows are beside this file.
use crate::compiler::gnu::{dependency_scan, inputs, narrow_scan, parse, plan};
use crate::job::{Discovery, Driver, Family, Job, Parsed, Role};
use cachepot_wire::{CompileRequest, EnvBlock};
use std::ffi::{OsStr, OsString};
use std::path::Path;

mod bases;
mod keys;
mod lines;
mod plans;

/// A call: words before the compiler of the form `NAME=value` are its environment; `cd:DIR` its directory; `tty`
/// gives it a terminal. The driver is told by the compiler's name.
fn call(line: &str) -> (CompileRequest, Driver) {
    let mut words = line.split_whitespace().peekable();
    let mut request = CompileRequest { cwd: "/w".into(), ..CompileRequest::default() };
    let mut env = Vec::new();
    while let Some(word) =
        words.next_if(|word| word.contains('=') || word.starts_with("cd:") || *word == "tty")
    {
        if let Some(directory) = word.strip_prefix("cd:") {
            request.cwd = directory.into();
        } else if let Some((name, value)) = word.split_once('=') {
            env.push((OsStr::new(name), OsStr::new(value)));
        } else {
            request.stderr_is_terminal = true;
            env.push((OsStr::new("TERM"), OsStr::new("xterm")));
        }
    }
    request.env = EnvBlock::from_pairs(env);
    request.argv = words.map(|word| OsString::from(if word == "''" { "" } else { word })).collect();
    let name = request.argv[0].to_string_lossy().into_owned();
    let family = if name.starts_with("clang") { Family::Clang } else { Family::Gcc };
    let major = if family == Family::Clang { 14 } else { 12 };
    (request, Driver { family, major, plus_plus: name.ends_with("++") })
}

fn parsed(line: &str) -> Parsed {
    let (request, driver) = call(line);
    parse(&request, &driver, &request.argv)
}

pub(super) fn job(line: &str) -> Job {
    match parsed(line) {
        Parsed::Compile(job) => *job,
        other => panic!("{line}: {other:?}"),
    }
}

/// One line for what a command line was taken for: outputs (`?` when optional), language and discovery; `!reason`;
/// or `-` for no compile.
fn summary(line: &str) -> String {
    match parsed(line) {
        Parsed::NotACompile => "-".to_owned(),
        Parsed::NotCacheable(reason) => format!("!{}", reason.0),
        Parsed::Compile(job) => {
            let outputs: Vec<_> = job
                .outputs
                .iter()
                .map(|output| format!("{}{}", output.path.display(), if output.optional { "?" } else { "" }))
                .collect();
            let how = match job.discovery {
                Discovery::SourceOnly => "source".to_owned(),
                Discovery::UserFile(file) => format!("user {}", file.display()),
                Discovery::PrivateFile => "private".to_owned(),
                Discovery::UserFileAndScan(file) => format!("scan {}", file.display()),
                Discovery::Widened(file) => format!("widened {}", file.display()),
                Discovery::Trace => "trace".to_owned(),
                Discovery::Observed => "observed".to_owned(),
            };
            format!("{} [{}] {how}", outputs.join(" "), job.language.name())
        }
    }
}

#[test]
fn lines_are_taken_for_what_they_are() {
    let wrong: Vec<_> = lines::ROWS
        .iter()
        .filter(|(line, expected)| summary(line) != *expected)
        .map(|(line, expected)| format!("{line}\n  expected {expected}\n  found    {}", summary(line)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines::ROWS.len() + keys::SHARE.len() + keys::DIFFER.len() >= 150);
}

/// A word alone makes a line not cacheable, and is the reason.
#[test]
fn hard_words_are_the_reason() {
    for (compiler, word, expected) in lines::HARD {
        assert_eq!(
            summary(&format!("{compiler} -c a.c {word}")),
            format!("!{expected}"),
            "{compiler} {word}"
        );
    }
}

fn key(line: &str) -> (Vec<OsString>, Option<OsString>, bool) {
    let job = job(line);
    (job.key_words, job.key_directory, job.native_cpu)
}

#[test]
fn these_share_a_key() {
    for (one, other) in keys::SHARE {
        assert_eq!(key(one), key(other), "{one}\n{other}");
    }
}

#[test]
fn these_do_not_share_a_key() {
    for (one, other) in keys::DIFFER {
        assert_ne!(key(one), key(other), "{one}\n{other}");
    }
}

#[test]
fn files_of_new_options_are_part_of_the_key() {
    let words = [
        "-fexperimental-sanitize-metadata-ignorelist=",
        "-fms-hotpatch-functions-file=",
        "-frandomize-layout-seed-file=",
    ];
    for word in words {
        assert_eq!(job(&format!("clang -c a.c {word}f")).key_files, [Path::new("f")], "{word}");
    }
}

/// clang reads these where they are, and does without them.
#[test]
fn files_that_nobody_names_are_part_of_the_key() {
    let files = |line| job(line).key_files;
    assert_eq!(files("clang -c a.c -isysroot s"), [Path::new("s/SDKSettings.json")]);
    assert_eq!(files("SDKROOT=/s clang -c a.c"), [Path::new("/s/SDKSettings.json")]);
    let lists = files("clang -c a.c -fsanitize=address -resource-dir=r");
    assert!(lists.contains(&"r/share/asan_ignorelist.txt".into()));
    assert!(files("clang -c a.c -resource-dir=r").is_empty());
    assert!(files("gcc -c a.c -isysroot s").is_empty());
}

/// What these name or contain reaches the output, or says where something is found.
#[test]
fn variables_of_the_key() {
    for name in ["LLVM_OVERRIDE_PRODUCER", "GCONV_PATH", "INCLUDE", "VCToolsInstallDir", "TZDIR"] {
        assert!(crate::compiler::gnu::KEY_VARIABLES.contains(&name), "{name}");
    }
}

#[test]
fn environment_tables_are_sorted() {
    use crate::compiler::gnu::{KEY_VARIABLES, REFUSED_VARIABLES};
    for table in [KEY_VARIABLES, REFUSED_VARIABLES] {
        assert!(table.is_sorted_by(|a, b| a < b));
    }
    assert!(REFUSED_VARIABLES.iter().all(|name| !KEY_VARIABLES.contains(name)));
}
