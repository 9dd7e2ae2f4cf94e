//! rustc and clippy-driver. The checks; the rows are beside this file.
use crate::compiler::rustc::{
    CLIPPY_VARIABLES, INDIFFERENT_VARIABLES, KEY_VARIABLES, LINKER_VARIABLES, REFUSED_VARIABLES,
    answers_as_ever, is_key_variable, parse, plan,
};
use crate::job::{Discovery, Driver, Family, Job, Language, Parsed, Role};
use cachepot_wire::Existing;
use cachepot_wire::{CompileRequest, EnvBlock};
use std::ffi::{OsStr, OsString};

mod bases;
mod crates;
mod depinfo;
mod keys;
mod lines;
mod names;
mod words;

/// A call: words before the compiler of the form `NAME=value` are its environment; `cd:DIR` its directory; `tty`
/// gives it a terminal. `RUSTC` stands for `rustc --crate-name a`, `a.rs` and a library without further outputs.
pub(super) fn call(line: &str) -> (CompileRequest, Driver) {
    let short = |word| if word == "RUSTC" { "rustc --crate-name a a.rs --crate-type lib" } else { word };
    let mut words = line.split_whitespace().map(short).flat_map(str::split_whitespace).peekable();
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
    let is_clippy = request.argv[0] == "clippy-driver";
    let family = if is_clippy { Family::Clippy } else { Family::Rustc };
    (request, Driver { family, major: 95, plus_plus: false })
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

/// One line for what a command line was taken for: outputs (`?` when optional), or `!reason`, or `-` for no compile.
fn summary(line: &str) -> String {
    match parsed(line) {
        Parsed::NotACompile => "-".to_owned(),
        Parsed::NotCacheable(reason) => format!("!{}", reason.0),
        Parsed::Compile(job) => {
            assert_eq!((&job.discovery, job.language), (&Discovery::Observed, Language::Rust), "{line}");
            let name = |output: &crate::job::Output| {
                format!("{}{}", output.path.display(), if output.optional { "?" } else { "" })
            };
            job.outputs.iter().map(name).collect::<Vec<_>>().join(" ")
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
}

#[test]
fn every_output_has_its_role_and_way_of_writing() {
    const ROWS: &[(&str, &[(Role, Existing)])] = &[
        (
            "RUSTC --emit link,metadata,dep-info,obj,asm,llvm-ir,llvm-bc,mir",
            &[
                (Role::Rlib, Existing::Replaced),
                (Role::Metadata, Existing::Replaced),
                (Role::Dependencies, Existing::WrittenInto),
                (Role::Object, Existing::CopiedOver),
                (Role::Assembly, Existing::CopiedOver),
                (Role::LlvmIr, Existing::CopiedOver),
                (Role::LlvmBitcode, Existing::CopiedOver),
                (Role::Mir, Existing::WrittenInto),
            ],
        ),
        (
            "RUSTC --crate-type cdylib,staticlib",
            &[
                (Role::Rlib, Existing::Replaced),
                (Role::SharedLibrary, Existing::Replaced),
                (Role::StaticLibrary, Existing::Replaced),
            ],
        ),
        ("rustc --crate-name a a.rs --crate-type proc-macro", &[(Role::SharedLibrary, Existing::Replaced)]),
        ("rustc --crate-name a a.rs --crate-type bin", &[(Role::Executable, Existing::Replaced)]),
        ("RUSTC --test", &[(Role::Executable, Existing::Replaced)]),
    ];
    for (line, expected) in ROWS {
        let found: Vec<_> = job(line).outputs.iter().map(|output| (output.role, output.existing)).collect();
        assert_eq!(found, *expected, "{line}");
    }
}

fn key(line: &str) -> (Vec<OsString>, Option<OsString>, bool, Vec<std::path::PathBuf>) {
    let job = job(line);
    (job.key_words, job.key_directory, job.native_cpu, job.key_files)
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

/// T160, D64.
#[test]
fn this_processor_is_asked_for_by_name() {
    for (word, expected) in [
        ("-C target-cpu=native", true),
        ("-Ctarget_cpu=native", true),
        ("-Z tune-cpu=native", true),
        ("-C target-cpu=x86-64", false),
        ("", false),
    ] {
        assert_eq!(job(&format!("RUSTC {word}")).native_cpu, expected, "{word}");
    }
}

/// T161: a code generator that is a file counts by its content.
#[test]
fn a_code_generator_from_a_file_is_in_the_key() {
    assert_eq!(job("RUSTC -Zcodegen-backend=/b/x.so").key_files, [std::path::Path::new("/b/x.so")]);
    assert!(job("RUSTC -Zcodegen-backend=cranelift").key_files.is_empty());
}

#[test]
fn variables_of_the_key() {
    const ROWS: &[(&str, &str, bool)] = &[
        ("RUSTC", "RUSTC_BOOTSTRAP", true),
        ("RUSTC", "CARGO_PKG_VERSION", true),
        ("RUSTC", "CARGO_CRATE_NAME", true),
        ("RUSTC", "CARGO_FEATURE_STD", true),
        ("RUSTC", "CARGO", false),
        ("RUSTC", "CARGO_HOME", false),
        ("RUSTC", "CARGO_MAKEFLAGS", false),
        ("RUSTC", "CARGO_INCREMENTAL", false),
        ("RUSTC", "CARGO_MANIFEST_DIR", false),
        ("RUSTC", "CARGO_PRIMARY_PACKAGE", false),
        ("RUSTC", "CARGO_REGISTRY_TOKEN", false),
        ("RUSTC", "CARGO_BIN_EXE_x", false),
        ("RUSTC", "OUT_DIR", false),
        ("RUSTC", "PATH", false),
        ("RUSTC", "LC_ALL", false),
        ("RUSTC --crate-type cdylib", "LC_ALL", true),
        ("RUSTC", "CLIPPY_ARGS", false),
        ("clippy-driver rustc --crate-name a a.rs --emit metadata", "CLIPPY_ARGS", true),
        ("clippy-driver rustc --crate-name a a.rs --emit metadata", "CARGO_PRIMARY_PACKAGE", true),
    ];
    for (line, name, expected) in ROWS {
        assert_eq!(is_key_variable(&job(line), &call(line).1, name), *expected, "{line} {name}");
    }
    for table in [KEY_VARIABLES, CLIPPY_VARIABLES, LINKER_VARIABLES, REFUSED_VARIABLES, INDIFFERENT_VARIABLES]
    {
        assert!(table.is_sorted_by(|a, b| a < b));
    }
    assert!(INDIFFERENT_VARIABLES.iter().all(|name| !is_key_variable(&job("RUSTC"), &call("RUSTC").1, name)));
}

#[test]
fn words_are_added_for_a_terminal() {
    const ROWS: &[(&str, &str)] = &[
        ("rustc --crate-name a a.rs --test", "rustc --crate-name a a.rs --test"),
        ("tty rustc --crate-name a a.rs --test", "rustc --crate-name a a.rs --test --color=always"),
        ("tty rustc --crate-name a --test -- a.rs", "rustc --crate-name a --test --color=always -- a.rs"),
        ("tty NO_COLOR=1 rustc --crate-name a a.rs --test", "rustc --crate-name a a.rs --test"),
        ("tty CLICOLOR=0 rustc --crate-name a a.rs --test", "rustc --crate-name a a.rs --test"),
        ("TERM=xterm rustc --crate-name a a.rs --test", "rustc --crate-name a a.rs --test"),
        (
            "tty rustc --crate-name a a.rs --test --color never",
            "rustc --crate-name a a.rs --test --color never",
        ),
        (
            "tty rustc --crate-name a a.rs --test --error-format=json",
            "rustc --crate-name a a.rs --test --error-format=json",
        ),
        (
            "tty rustc --crate-name a a.rs --test --error-format=short",
            "rustc --crate-name a a.rs --test --error-format=short --color=always",
        ),
        (
            "tty clippy-driver rustc --crate-name a a.rs --test",
            "clippy-driver rustc --crate-name a a.rs --test --color=always",
        ),
    ];
    for (line, expected) in ROWS {
        let plan = plan(&job(line), &call(line).0);
        assert_eq!(plan.argv.join(OsStr::new(" ")), *expected, "{line}");
        assert!(
            plan.env.is_empty() && plan.scratch.is_empty() && plan.watched == [std::path::Path::new("a")]
        );
    }
}

#[test]
fn answers_change_with_what_rustc_and_the_loader_ask_for() {
    for (name, expected) in [
        ("HOME", true),
        ("LD_LIBRARY_PATH", true),
        ("RUSTC_WRAPPER", true),
        ("RUSTFLAGS", true),
        ("RUSTUP_TOOLCHAIN", true),
        ("RUST_BACKTRACE", true),
        ("GLIBC_TUNABLES", false),
        ("LD_PRELOAD", false),
        ("RUSTC_FORCE_RUSTC_VERSION", false),
        ("RUSTC_LOG", false),
        ("RUST_MIN_STACK", false),
    ] {
        let env = EnvBlock::from_pairs([(OsStr::new(name), OsStr::new("1"))]);
        assert_eq!(answers_as_ever(&env), expected, "{name}");
    }
}
