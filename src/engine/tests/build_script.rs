//! Runs of build scripts, and what stands in place of one.
use super::rustc::{call, job};
use crate::compiler::build_script::*;
use crate::job::{Discovery, Language, Parsed, Role};
use cachepot_wire::message::STUB_MARK as MARK;
use cachepot_wire::{CompileRequest, EnvBlock, OutputBody};
use std::ffi::{OsStr, OsString};
use std::path::Path;

const ON: &str = "CACHEPOT_BUILD_SCRIPTS=1";

/// What lies beside, where the stub goes, and the stub.
fn stub_of(line: &str) -> Option<(String, String, Vec<u8>)> {
    let (request, _) = call(line);
    let template = [b"before", MARK, &[1; 8192], b"after"].concat();
    let stub = stub(&job(line), &request, &template, Path::new("/opt/cachepot-coordinator"))?;
    let OutputBody::Inline(bytes) = stub.stub.body else { panic!("{line}") };
    assert!(stub.stub.executable && bytes.len() == template.len());
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    Some((path(&stub.beside), path(&stub.stub.path), bytes))
}

/// A compile of a program with this name, into this folder.
fn program(words: &str, name: &str, folder: &str) -> String {
    format!(
        "{words} rustc --crate-name {name} build.rs --crate-type bin --out-dir {folder} -C extra-filename=-0123456789abcdef"
    )
}

#[test]
fn only_build_scripts_of_cargo_have_stubs_and_most_only_on_request() {
    let fetched = |words: &str, with: &str| {
        let line = program(words, "build_script_build", "/t/debug/build/a-0123456789abcdef");
        line.replace(" build.rs", " /h/.cargo/registry/src/i/a/build.rs") + " --extern " + with
    };
    let rows = [
        (fetched("HOME=/h", "cc=/t/libcc.rlib"), true),
        (fetched("CARGO_HOME=/h/.cargo", "cmake=/t/libcmake.rlib"), true),
        (
            fetched("HOME=/h cd:/h/.cargo/git/checkouts/a", "cc=/t/libcc.rlib")
                .replace("/h/.cargo/registry/src/i/a/", ""),
            true,
        ),
        (fetched("HOME=/h CACHEPOT_BUILD_SCRIPTS=0", "cc=/t/libcc.rlib"), false),
        (fetched("HOME=/h CACHEPOT_BUILD_SCRIPTS=", "cc=/t/libcc.rlib"), false),
        (fetched("HOME=/h", "ccc=/t/libccc.rlib"), false),
        (fetched("HOME=/other", "cc=/t/libcc.rlib"), false),
        (fetched(&format!("HOME=/h {ON}"), "ccc=/t/libccc.rlib"), true),
        (program(ON, "build_script_build", "/t/debug/build/a-0123456789abcdef"), true),
        (program(ON, "build_script_main", "/t/x86_64-linux/release/build/a-0123456789abcdef"), true),
        (program(&format!("cd:/w {ON}"), "build_script_build", "t/debug/build/a-0123456789abcdef"), true),
        (program("", "build_script_build", "/t/debug/build/a-0123456789abcdef"), false),
        (
            program("CACHEPOT_BUILD_SCRIPTS=0", "build_script_build", "/t/debug/build/a-0123456789abcdef"),
            false,
        ),
        (program(ON, "build_script_build", "/t/debug/deps"), false),
        (program(ON, "build_script_build", "/t/debug/build/a"), false),
        (program(ON, "other", "/t/debug/build/a-0123456789abcdef"), false),
        (
            format!(
                "{ON} rustc --crate-name build_script_build b.rs --crate-type lib --out-dir /t/debug/build/a-0123456789abcdef"
            ),
            false,
        ),
    ];
    for (line, is_one) in rows {
        assert_eq!(stub_of(&line).is_some(), is_one, "{line}");
    }
}

#[test]
fn a_stub_holds_two_names() {
    let line = program(ON, "build_script_build", "/t/debug/build/a-0123456789abcdef");
    let (beside, path, bytes) = stub_of(&line).unwrap();
    let program = "/t/debug/build/a-0123456789abcdef/build_script_build-0123456789abcdef";
    assert_eq!((beside, path), (format!("{program}.real"), program.to_owned()));
    let names = b"build_script_build-0123456789abcdef.real\0/opt/cachepot-coordinator\0\x01";
    assert!(bytes.starts_with(&[b"before", MARK, names].concat()));
    // Names that have no room, and a program that is no stub.
    let (request, _) = call(&line);
    let runner = format!("/{}", "r".repeat(5000));
    assert_eq!(stub(&job(&line), &request, &[MARK, &[1; 8192]].concat(), Path::new(&runner)), None);
    assert_eq!(stub(&job(&line), &request, b"other", Path::new("/r")), None);
}

fn request(words: &[&str], env: &[(&str, &str)]) -> CompileRequest {
    CompileRequest {
        argv: words.iter().map(Into::into).collect(),
        cwd: "/w".into(),
        env: EnvBlock::from_pairs(env.iter().map(|(name, value)| (OsStr::new(*name), OsStr::new(*value)))),
        stderr_is_terminal: false,
    }
}

#[test]
fn runs_are_taken_for_what_they_are() {
    let on = ("CACHEPOT_BUILD_SCRIPTS", "1");
    let words = ["--run-build-script", "0022", "/t/script.real", "word"];
    let asked = request(&words, &[on, ("OUT_DIR", "/t/out")]);
    assert!(is_run(&asked) && !is_run(&request(&["rustc"], &[])));
    let Parsed::Compile(job) = parse(&asked, "/run/packed".into()) else { panic!("{asked:?}") };
    assert_eq!((job.language, &job.discovery), (Language::BuildScript, &Discovery::Observed));
    assert_eq!(
        (job.source.as_path(), job.key_words.as_slice()),
        (Path::new("/t/script.real"), &[OsString::from("0022"), OsString::from("word")][..])
    );
    assert_eq!(job.key_directory, Some("/w".into()));
    assert!(job.native_cpu);
    assert_eq!(
        (job.outputs[0].role, job.outputs[0].path.as_path()),
        (Role::OutDir, Path::new("/run/packed"))
    );
    let plan = plan(&job);
    assert_eq!((&plan.watched, &plan.scratch), (&vec!["/run/packed".into()], &plan.watched));
    for env in [&[on][..], &[on, ("OUT_DIR", "out")]] {
        let refused = parse(&request(&words, env), "/run/packed".into());
        assert!(matches!(refused, Parsed::NotCacheable(_)), "{env:?}");
    }
    assert!(matches!(parse(&request(&words, &[("OUT_DIR", "/t/out")]), "/p".into()), Parsed::Compile(_)));
    let off = [("CACHEPOT_BUILD_SCRIPTS", "0"), ("OUT_DIR", "/t/out")];
    assert_eq!(parse(&request(&words, &off), "/p".into()), Parsed::NotACompile);
    assert_eq!(parse(&request(&words[..2], &[on]), "/p".into()), Parsed::NotACompile);
}

#[test]
fn all_variables_count_but_those_of_sessions() {
    for name in ["OUT_DIR", "TARGET", "NUM_JOBS", "PATH", "TMPDIR", "TERM", "CACHEPOT_REMAP_RELATIVE", "X"] {
        assert!(is_key_variable(name), "{name}");
    }
    for name in ["CARGO_MAKEFLAGS", "CACHEPOT_RECACHE", "SHLVL", "SSH_TTY", "_"] {
        assert!(!is_key_variable(name), "{name}");
    }
}

#[test]
fn files_of_other_scripts_may_be_young() {
    let env = [("DEP_Z_INCLUDE", "/t/z/out/include"), ("DEP_Z_VERSION", "12"), ("OUT_DIR", "/t/out")];
    assert_eq!(left_by_others(&request(&[], &env).env), [Path::new("/t/z/out/include")]);
}
