//! Runs of build scripts that come from the cache, where the user asked for that.
use super::SYSROOT;
use crate::harness::{CLIENT, Finished, Sandbox, finish};
use cachepot_engine::stats::Stat;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

mod decides;

const MANIFEST: &str =
    "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\nbuild = \"build.rs\"\n[workspace]\n";
const PROGRAM: &str = "fn main() { println!(\"{}\", include_str!(concat!(env!(\"OUT_DIR\"), \"/made\"))); }";

/// A package whose build script does this, with `out` for its folder and `text` to go into `made` there.
fn package(name: &str, does: &str) -> Sandbox {
    let sandbox = Sandbox::new(name)
        .file("Cargo.toml", MANIFEST)
        .file("src/main.rs", PROGRAM)
        .env("RUSTC", format!("{}/bin/rustc", *SYSROOT))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_NET_OFFLINE", "true")
        .env("CACHEPOT_BUILD_SCRIPTS", "1");
    script(&sandbox, does);
    sandbox
}

fn script(sandbox: &Sandbox, does: &str) {
    let text = format!(
        "#![allow(unused)] use std::{{env, fs, path::PathBuf, process::Command}}; fn main() {{ \
         let out = PathBuf::from(env::var(\"OUT_DIR\").unwrap()); let mut text = String::new(); {does} \
         fs::write(out.join(\"made\"), text).unwrap(); }}"
    );
    sandbox.write("build.rs", text);
}

fn try_cargo(sandbox: &Sandbox, is_cached: bool) -> Finished {
    let mut command = sandbox.command(format!("{}/bin/cargo", *SYSROOT));
    command.args(["build", "--quiet"]);
    if is_cached {
        command.env("RUSTC_WRAPPER", CLIENT);
    }
    finish(&mut command)
}

fn clean(sandbox: &Sandbox) {
    let _ = fs::remove_dir_all(sandbox.work().join("target"));
}

/// A build from nothing through cachepot; the value is what the program says, which is what the script wrote.
fn build(sandbox: &Sandbox) -> String {
    clean(sandbox);
    let _ = try_cargo(sandbox, true).succeeds();
    finish(&mut sandbox.command(sandbox.work().join("target/debug/p"))).succeeds().stdout()
}

/// The same by cargo alone.
fn plain(sandbox: &Sandbox) -> String {
    clean(sandbox);
    let _ = try_cargo(sandbox, false).succeeds();
    finish(&mut sandbox.command(sandbox.work().join("target/debug/p"))).succeeds().stdout()
}

fn runs(sandbox: &Sandbox) -> [u64; 2] {
    let stats = sandbox.quiet();
    let of = |stat| stats.names(stat).find(|(name, _)| *name == "Build script").map_or(0, |(_, count)| count);
    [of(Stat::HitsByLanguage), of(Stat::MissesByLanguage)]
}

/// How often a run hit and missed in a build.
fn went(sandbox: &Sandbox, build: impl FnOnce() -> String) -> (String, [u64; 2]) {
    let before = runs(sandbox);
    let says = build();
    let after = runs(sandbox);
    (says, [after[0] - before[0], after[1] - before[1]])
}

const HIT: [u64; 2] = [1, 0];
const MISS: [u64; 2] = [0, 1];

fn folder(sandbox: &Sandbox) -> PathBuf {
    let build = sandbox.work().join("target/debug/build");
    let mut folders = fs::read_dir(build).unwrap().map(|entry| entry.unwrap().path());
    folders.find(|folder| folder.join("output").exists()).unwrap()
}

/// What a run has left, and what cargo noted of it.
fn left(sandbox: &Sandbox) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let (mut found, mut open) = (BTreeMap::new(), vec![folder(sandbox).join("out")]);
    for note in ["output", "stderr"] {
        found.insert(note.into(), (0, fs::read(folder(sandbox).join(note)).unwrap()));
    }
    while let Some(at) = open.pop() {
        for path in fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
            let metadata = path.symlink_metadata().unwrap();
            let content = match () {
                () if metadata.is_symlink() => {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                }
                () if metadata.is_file() => fs::read(&path).unwrap(),
                () => Vec::new(),
            };
            if metadata.is_dir() {
                open.push(path.clone());
            }
            found.insert(path, (metadata.mode(), content));
        }
    }
    found
}

/// What stands under each name of a script's program, but for `.real`, which lies beside.
fn programs(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    let build = sandbox.work().join("target/debug/build");
    let mut found = BTreeMap::new();
    for folder in fs::read_dir(build).unwrap().map(|entry| entry.unwrap().path()) {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let is_program = path.is_file() && path.metadata().unwrap().permissions().mode() & 0o111 != 0;
            if is_program && !name.ends_with(".real") {
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn t182_a_run_comes_back_whole() {
    let sandbox = package(
        "runs",
        "let _ = fs::remove_file(out.join(\"link\")); fs::create_dir_all(out.join(\"sub\")).unwrap(); fs::write(out.join(\"sub/tool\"), \"#!/bin/sh\").unwrap(); \
         std::os::unix::fs::symlink(\"sub/tool\", out.join(\"link\")).unwrap(); \
         use std::os::unix::fs::PermissionsExt; \
         fs::set_permissions(out.join(\"sub/tool\"), fs::Permissions::from_mode(0o750)).unwrap(); \
         println!(\"cargo:rustc-env=A=b\"); eprintln!(\"on stderr\"); \
         println!(\"cargo:rerun-if-changed=data\"); text = fs::read_to_string(\"data\").unwrap();",
    );
    sandbox.write("data", "one");
    assert_eq!(plain(&sandbox), "one\n");
    let expected = (left(&sandbox), programs(&sandbox));
    assert_eq!(expected.1.len(), 2);
    for (round, counts) in [("cold", MISS), ("warm", HIT), ("again", HIT)] {
        assert_eq!(went(&sandbox, || build(&sandbox)), ("one\n".to_owned(), counts), "{round}");
        assert_eq!((left(&sandbox), programs(&sandbox)), expected, "{round}");
        let mut again = sandbox.command(format!("{}/bin/cargo", *SYSROOT));
        let again = finish(again.arg("build").env("RUSTC_WRAPPER", CLIENT)).stderr();
        assert!(!again.contains("Compiling"), "{round}: {again}");
    }
}

/// Without a word from the user: of packages that cargo fetched, those that compile C.
#[test]
fn runs_of_fetched_packages_that_compile_c() {
    let dependencies = "[dependencies]\nc-sys.path = \"home/registry/src/i/c-sys\"\n\
         other.path = \"home/registry/src/i/other\"\nown.path = \"own\"\n";
    let of = |name: &str, needs: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{needs}")
    };
    let needs = |path: &str| format!("[build-dependencies]\ncc.path = \"{path}\"\n");
    let builds = "fn main() { cc::compile(); std::fs::write(std::env::var(\"OUT_DIR\").unwrap() + \"/c\", \"c\").unwrap(); }";
    let sandbox = package("compiles", "text = \"made\".to_owned();")
        .file("Cargo.toml", format!("{MANIFEST}{dependencies}"))
        .file("home/registry/src/i/cc/Cargo.toml", of("cc", ""))
        .file("home/registry/src/i/cc/src/lib.rs", "pub fn compile() {}")
        .file("home/registry/src/i/c-sys/Cargo.toml", of("c-sys", &needs("../cc")))
        .file("home/registry/src/i/c-sys/src/lib.rs", "")
        .file("home/registry/src/i/c-sys/build.rs", builds)
        .file("home/registry/src/i/other/Cargo.toml", of("other", ""))
        .file("home/registry/src/i/other/src/lib.rs", "")
        .file("home/registry/src/i/other/build.rs", "fn main() {}")
        .file("own/Cargo.toml", of("own", &needs("../home/registry/src/i/cc")))
        .file("own/src/lib.rs", "")
        .file("own/build.rs", builds)
        .without("CACHEPOT_BUILD_SCRIPTS");
    let home = sandbox.work().join("home");
    let sandbox = sandbox.env("CARGO_HOME", home);
    for (round, counts) in [("cold", MISS), ("warm", HIT)] {
        assert_eq!(went(&sandbox, || build(&sandbox)).1, counts, "{round}");
    }
    let sandbox = sandbox.env("CACHEPOT_BUILD_SCRIPTS", "0");
    assert_eq!(went(&sandbox, || build(&sandbox)).1, [0, 0]);
}

/// Everything that a shell in between would have changed, and what comes when the script has ended.
#[test]
fn a_script_sees_and_says_what_it_would_without_cachepot() {
    let does = "for name in [\"A.B\", \"CC_x86_64-unknown-linux-gnu\", \"IFS\"] { println!(\"{name}={:?}\", env::var(name)); } \
        println!(\"{:?}\", env::args().skip(1).collect::<Vec<_>>()); \
        Command::new(\"sh\").args([\"-c\", \"(sleep 1; echo late; echo later >&2) &\"]).status().unwrap();";
    let sandbox =
        package("sees", does).env("A.B", "dot").env("CC_x86_64-unknown-linux-gnu", "cc").env("IFS", "x");
    plain(&sandbox);
    let expected = left(&sandbox);
    assert!(String::from_utf8_lossy(&expected[Path::new("output")].1).contains("late"));
    for (round, counts) in [("cold", MISS), ("warm", HIT)] {
        assert_eq!(went(&sandbox, || build(&sandbox)).1, counts, "{round}");
        assert_eq!(left(&sandbox), expected, "{round}");
    }
}

/// A stub that has not run yet: cargo was stopped before that.
fn stub(sandbox: &Sandbox) -> &'static str {
    let words = "build.rs --edition=2021 --crate-name build_script_build --crate-type bin --emit=dep-info,link \
        -C extra-filename=-0123456789abcdef --out-dir target/debug/build/p-0123456789abcdef";
    sandbox.sh("mkdir -p out target/debug/build/p-0123456789abcdef");
    let mut command = sandbox.command(CLIENT);
    let _ = finish(command.arg(format!("{}/bin/rustc", *SYSROOT)).args(words.split_whitespace())).succeeds();
    "debug/build/p-0123456789abcdef/build_script_build-0123456789abcdef"
}

/// A stub finds its script beside it, and starts nothing where the user wants no cached runs or no cachepot. One that has run is the
/// program from then on.
#[test]
fn a_stub_becomes_the_script() {
    let sandbox = package("stub", "text = fs::read_to_string(\"data\").unwrap();");
    let program = stub(&sandbox);
    sandbox.sh("mv target moved").write("data", "one");
    let _ = sandbox.cachepot(["--stop-coordinator"]);
    let is_stub = || {
        let path = sandbox.work().join("moved").join(program);
        let (stub, beside) = (path.metadata().unwrap(), path.with_extension("real").metadata().unwrap());
        stub.ino() != beside.ino()
    };
    let says = |variable: &str, value: &str| {
        let mut command = sandbox.command(sandbox.work().join("moved").join(program));
        let _ = finish(command.env("OUT_DIR", sandbox.work().join("out")).env(variable, value)).succeeds();
        fs::read_to_string(sandbox.work().join("out/made")).unwrap()
    };
    assert!(is_stub());
    assert_eq!((says("CACHEPOT_BUILD_SCRIPTS", "0").as_str(), is_stub()), ("one", true));
    sandbox.write("data", "two");
    assert_eq!((says("CACHEPOT_DISABLE", "1").as_str(), is_stub()), ("two", false));
    sandbox.write("data", "three");
    assert_eq!((says("X", "1").as_str(), sandbox.coordinators()), ("three", Vec::new()));
}

#[test]
fn a_failed_script_fails_as_without_cachepot() {
    let sandbox =
        package("fails", "println!(\"cargo:warning=w\"); eprintln!(\"why\"); std::process::exit(3);");
    let told = |is_cached| {
        clean(&sandbox);
        try_cargo(&sandbox, is_cached).fails_with(101).stderr()
    };
    let plain = told(false);
    for round in ["cold", "again"] {
        assert_eq!(told(true), plain, "{round}");
    }
    assert_eq!(runs(&sandbox), [0, 0]);
}

/// One program of a package that is needed by a build script, too, runs twice at the same time, and one run ends before the other.
#[test]
fn a_script_that_runs_twice_is_kept_twice() {
    let sandbox = package("both", "")
        .file("d/src/lib.rs", "")
        .file("d/Cargo.toml", MANIFEST.replace("\"p\"", "\"d\"").replace("[workspace]\n", ""))
        .file(
            "d/build.rs",
            "fn main() { let is_slow = std::env::var(\"OPT_LEVEL\").unwrap() == \"3\"; \
             std::fs::write(std::env::var(\"OUT_DIR\").unwrap() + \"/x\", \"\").unwrap(); \
             std::thread::sleep(std::time::Duration::from_millis(if is_slow { 1000 } else { 50 })); }",
        )
        .file(
            "Cargo.toml",
            format!("{MANIFEST}[dependencies]\nd.path = \"d\"\n[build-dependencies]\nd.path = \"d\"\n"),
        );
    let release = || {
        clean(&sandbox);
        let mut command = sandbox.command(format!("{}/bin/cargo", *SYSROOT));
        let command = command.args(["build", "--quiet", "--release", "-j2"]).env("RUSTC_WRAPPER", CLIENT);
        let _ = finish(command).succeeds();
        String::new()
    };
    assert_eq!(went(&sandbox, release).1, [0, 3]);
    // A hit ends so soon that cargo may begin the other run after it, which then finds the program itself.
    assert!([[3, 0], [2, 0]].contains(&went(&sandbox, release).1));
    let build = sandbox.work().join("target/release/build");
    let folders = fs::read_dir(build).unwrap().map(|entry| entry.unwrap().path());
    for path in folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()) {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        assert!(end.is_empty() || end.parse::<u32>().is_err(), "{}", path.display());
    }
}

/// cargo runs a script once more where something changed that it had named; what the first run left is still there. Where the script
/// itself changed, too, a stub is what it runs.
#[test]
fn a_folder_that_is_not_empty_is_left_to_the_script() {
    let does = "println!(\"cargo:rerun-if-changed=data\"); \
        let before = fs::read_to_string(out.join(\"made\")).unwrap_or_default(); text = before + \"x\";";
    let sandbox = package("twice", does);
    sandbox.write("data", "one");
    assert_eq!(build(&sandbox), "x\n");
    sandbox.settle();
    sandbox.write("data", "two");
    let again = || {
        let _ = try_cargo(&sandbox, true).succeeds();
        finish(&mut sandbox.command(sandbox.work().join("target/debug/p"))).succeeds().stdout()
    };
    assert_eq!(again(), "xx\n");
    sandbox.sh("touch build.rs");
    assert_eq!(again(), "xxx\n");
    assert!(sandbox.quiet().names(Stat::NotCached).any(|(name, _)| name == "OUT_DIR is not empty"));
}

/// A script that compiles C through cachepot: the compile is cached by itself, and its inputs are those of the run.
#[test]
fn a_compile_inside_of_a_run_counts() {
    let does = format!(
        "let compile = |words: &[&str]| assert!(Command::new({CLIENT:?}).args(words).status().unwrap().success()); \
         compile(&[\"gcc\", \"-c\", \"c.c\", \"-o\", out.join(\"c.o\").to_str().unwrap()]); \
         Command::new(\"gcc\").arg(out.join(\"c.o\")).arg(\"-o\").arg(out.join(\"c\")).status().unwrap(); \
         text = String::from_utf8(Command::new(out.join(\"c\")).output().unwrap().stdout).unwrap();"
    );
    let sandbox = package("inside", &does);
    sandbox.write("c.c", "#include <stdio.h>\n#include \"h.h\"\nint main(void) { puts(H); return 0; }");
    sandbox.write("h.h", "#define H \"one\"").sh("mkdir first");
    let path = std::env::var("PATH").unwrap();
    let first = format!("{}/first:{path}", sandbox.work().display());
    let sandbox = sandbox.env("PATH", first);
    assert_eq!(went(&sandbox, || build(&sandbox)), ("one\n\n".to_owned(), MISS));
    assert_eq!(went(&sandbox, || build(&sandbox)), ("one\n\n".to_owned(), HIT));
    sandbox.write("h.h", "#define H \"two\"");
    assert_eq!(went(&sandbox, || build(&sandbox)), ("two\n\n".to_owned(), MISS));
    assert_eq!(went(&sandbox, || build(&sandbox)), ("two\n\n".to_owned(), HIT));
    // The compile is there, the run is not: nobody sees what the compile depends on.
    sandbox.write("h.h", "#define H \"one\"");
    let sandbox = sandbox.env("ANOTHER", "1");
    assert_eq!(went(&sandbox, || build(&sandbox)), ("one\n\n".to_owned(), MISS));
    assert_eq!(went(&sandbox, || build(&sandbox)), ("one\n\n".to_owned(), MISS));
    sandbox.write("h.h", "#define H \"two\"");
    assert_eq!(build(&sandbox), "two\n\n");
    // The client searched for gcc.
    let sandbox = sandbox.env("ANOTHER", "2");
    sandbox.write("h.h", "#define H \"three\"");
    assert_eq!(went(&sandbox, || build(&sandbox)), ("three\n\n".to_owned(), MISS));
    assert_eq!(went(&sandbox, || build(&sandbox)), ("three\n\n".to_owned(), HIT));
    sandbox
        .write("first/gcc", "#!/bin/sh\nexec /usr/bin/gcc -DX \"$@\" -include x.h")
        .write("x.h", "#undef puts\n");
    sandbox.write("x.h", "#include <stdio.h>\n#define puts(x) puts(\"other\")\n").sh("chmod +x first/gcc");
    assert_eq!(build(&sandbox), plain(&sandbox));
    assert_eq!(build(&sandbox), "other\n\n");
}

/// Whatever becomes of the coordinator, the script runs, once.
#[test]
fn a_run_outlives_its_coordinator() {
    let does = "let count = fs::read_to_string(\"/proc/self/cwd/../count\").unwrap_or_default(); \
        text = String::from(\"done\"); let coordinator = env::var(\"COORDINATOR\").unwrap_or_default(); \
        if !coordinator.is_empty() { Command::new(\"sh\").args([\"-c\", &coordinator]).status().unwrap(); }";
    let sandbox = package("outlives", does);
    build(&sandbox);
    let [coordinator] = sandbox.coordinators()[..] else { panic!("{:?}", sandbox.coordinators()) };
    let sandbox = sandbox.env("COORDINATOR", format!("kill -9 {coordinator}"));
    assert_eq!(build(&sandbox), "done\n");
    let packed = fs::read_dir(sandbox.places().scratch).into_iter().flatten().flatten();
    let left: Vec<_> = packed.map(|entry| entry.path()).filter(|path| is_packed(path)).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

/// Files of running compiles bear a number.
fn is_packed(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(|first: char| first.is_ascii_digit()))
        && fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 == 0)
}
