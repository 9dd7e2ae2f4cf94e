//! What a run depends on, and what cannot be kept of one.
use super::{HIT, MISS, build, package, plain, went};
use crate::harness::Sandbox;
use cachepot_engine::stats::Stat;

/// What cargo is not told of counts as well: it starts the script because the target folder is gone.
#[test]
fn what_a_run_read_decides() {
    type Change = fn(Sandbox) -> Sandbox;
    let rows: &[(&str, &str, Change, bool)] = &[
        (
            "a file",
            "text = fs::read_to_string(\"data\").unwrap();",
            |s| {
                s.write("data", "two");
                s
            },
            true,
        ),
        (
            "a file of a child",
            "text = String::from_utf8(Command::new(\"sh\").args([\"-c\", \"cat data\"]).output()\
          .unwrap().stdout).unwrap();",
            |s| {
                s.write("data", "two");
                s
            },
            true,
        ),
        (
            "a folder",
            "text = fs::read_dir(\"src\").unwrap().count().to_string();",
            |s| {
                s.write("src/more", "");
                s
            },
            true,
        ),
        (
            "a missing file",
            "text = fs::metadata(\"src/more\").is_ok().to_string();",
            |s| {
                s.write("src/more", "");
                s
            },
            true,
        ),
        ("a variable", "text = env::var(\"ASKED\").unwrap_or_default();", |s| s.env("ASKED", "1"), true),
        (
            "a list of variables",
            "text = env::vars().filter(|(name, _)| name.starts_with(\"ASK\")).count().to_string();",
            |s| s.env("ASKED", "1"),
            true,
        ),
        (
            "a file behind a link of its own",
            "std::os::unix::fs::symlink(env::current_dir().unwrap(), out.join(\"in\")).unwrap(); \
          text = fs::read_to_string(out.join(\"in/data\")).unwrap(); fs::remove_file(out.join(\"in\")).unwrap(); \
          std::os::unix::fs::symlink(env::current_dir().unwrap(), out.join(\"in\")).unwrap();",
            |s| {
                s.write("data", "two");
                s
            },
            true,
        ),
        (
            "a missing file behind such a link",
            "std::os::unix::fs::symlink(env::current_dir().unwrap(), out.join(\"in\")).unwrap(); \
          text = fs::metadata(out.join(\"in/more\")).is_ok().to_string();",
            |s| {
                s.write("more", "");
                s
            },
            true,
        ),
        (
            "a program in PATH",
            "text = String::from_utf8(Command::new(\"tool\").output().unwrap().stdout).unwrap();",
            |s| {
                s.write("first/tool", "#!/bin/sh\necho first").sh("chmod +x first/tool");
                s
            },
            true,
        ),
        (
            "who may run a file",
            "fs::copy(\"data\", out.join(\"copy\")).unwrap(); use std::os::unix::fs::PermissionsExt; \
             text = format!(\"{:o}\", fs::metadata(out.join(\"copy\")).unwrap().permissions().mode());",
            |s| {
                s.sh("chmod +x data");
                s
            },
            true,
        ),
        (
            "another file",
            "text = fs::read_to_string(\"data\").unwrap();",
            |s| {
                s.write("other", "");
                s
            },
            false,
        ),
    ];
    side_by_side(rows, |at, (what, does, change, is_other)| {
        let sandbox = package(&format!("decides{at}"), does);
        sandbox
            .write("data", "one")
            .write("second/tool", "#!/bin/sh\necho second")
            .sh("mkdir first; chmod +x second/tool");
        let path = std::env::var("PATH").unwrap();
        let work = sandbox.work();
        let sandbox = sandbox.env("PATH", format!("{0}/first:{0}/second:{path}", work.display()));
        let first = build(&sandbox);
        let (second, counts) = went(&sandbox, || build(&sandbox));
        let is_kept = !what.starts_with("a file behind");
        assert_eq!((second == first, counts == HIT), (true, is_kept), "{what}: the second time");
        let sandbox = change(sandbox);
        let (third, counts) = went(&sandbox, || build(&sandbox));
        assert_eq!(third, plain(&sandbox), "{what}");
        assert_eq!(
            (third != first, counts == MISS),
            (*is_other, *is_other || !is_kept),
            "{what}: after the change"
        );
    });
}

/// Does this for all rows, in two threads: each builds several times.
fn side_by_side<R: Sync>(rows: &[R], check: impl Fn(usize, &R) + Sync) {
    std::thread::scope(|threads| {
        for thread in 0..2 {
            let own = rows.iter().enumerate().skip(thread).step_by(2);
            threads.spawn(|| own.for_each(|(at, row)| check(at, row)));
        }
    });
}

/// The script runs each time.
#[test]
fn what_cannot_be_repeated_is_not_kept() {
    let rows = [
        ("the time", "text = format!(\"{:?}\", std::time::SystemTime::now());", "the time of day"),
        (
            "the time, by a script",
            "Command::new(\"python3\").arg(\"./dated.py\").status().unwrap();",
            "the time of day",
        ),
        (
            "the time, by a script of cargo's hidden home",
            "Command::new(\"sh\").arg(env::var(\"HOME\").unwrap() + \"/.tools/cargo/dated.sh\").status().unwrap();",
            "the time of day",
        ),
        (
            "the time, by a way back out of the home",
            "Command::new(\"sh\").arg(env::var(\"HOME\").unwrap() + \"/../work/dated.sh\").status().unwrap();",
            "the time of day",
        ),
        (
            "rights elsewhere",
            "use std::os::unix::fs::PermissionsExt; \
             fs::set_permissions(\"dated.py\", fs::Permissions::from_mode(0o755)).unwrap();",
            "writes other files",
        ),
        (
            "a file elsewhere for a moment",
            "if fs::metadata(\"cfg\").is_err() { fs::write(\"cfg\", \"\").unwrap(); fs::remove_file(\"cfg\").unwrap(); }",
            "writes other files",
        ),
        (
            "a way by its own process",
            "text = fs::metadata(\"/proc/self/cwd/cfg\").is_ok().to_string();",
            "a call that cannot be followed",
        ),
        (
            "a link in place of its folder",
            "fs::remove_dir(&out).unwrap(); std::os::unix::fs::symlink(env::current_dir().unwrap().join(\"src\"), &out).unwrap();",
            "",
        ),
        (
            "files elsewhere by a step back",
            "fs::write(out.join(\"../../../left\"), \"\").unwrap();",
            "writes other files",
        ),
        (
            "files elsewhere by a step back of a child",
            "Command::new(\"sh\").args([\"-c\", \"cd $OUT_DIR && echo 1 >o && cp o ../../../../copied\"]).status().unwrap();",
            "writes other files",
        ),
        (
            "files elsewhere by a link of its own",
            "std::os::unix::fs::symlink(\"../../../../..\", out.join(\"l\")).unwrap(); fs::write(out.join(\"l/left\"), \"\").unwrap();",
            "writes other files",
        ),
        (
            "a folder moved elsewhere",
            "fs::create_dir(out.join(\"t\")).unwrap(); fs::rename(out.join(\"t\"), out.join(\"../../../moved\")).unwrap();",
            "writes other files",
        ),
        (
            "a removal elsewhere",
            "fs::remove_file(out.join(\"../../../../../dated.sh\")).unwrap(); fs::write(\"dated.sh\", \"\").unwrap();",
            "writes other files",
        ),
        ("files elsewhere", "fs::write(\"src/left\", \"\").unwrap();", "writes other files"),
        ("a fifo", "Command::new(\"mkfifo\").arg(out.join(\"f\")).status().unwrap();", ""),
        (
            "a static program",
            "Command::new(\"./static\").status().unwrap();",
            "a program that could not be observed",
        ),
    ];
    side_by_side(&rows, |at, (what, does, reason)| {
        let sandbox = package(&format!("odd{at}"), does);
        let cargo_home = sandbox.root().join("home/.tools/cargo");
        let sandbox = sandbox.env("CARGO_HOME", &cargo_home);
        sandbox.write("dated.py", "import time\nprint(time.time())\n");
        for dated in ["dated.sh", "../home/.tools/cargo/dated.sh"] {
            sandbox.write(dated, "echo $EPOCHSECONDS\n");
        }
        sandbox.write("static.c", "int main(void) { return 0; }").sh("gcc -static static.c -o static");
        build(&sandbox);
        let (_, counts) = went(&sandbox, || build(&sandbox));
        assert_eq!(counts, MISS, "{what}");
        let reasons =
            sandbox.quiet().names(Stat::NotCached).map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        let skipped = sandbox.cachepot(["--show-stats"]).stdout();
        assert!(
            reasons.iter().any(|found| found == reason) || skipped.contains(reason),
            "{what}: {reasons:?} {skipped}"
        );
    });
}
