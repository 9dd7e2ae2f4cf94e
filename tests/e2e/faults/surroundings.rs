//! Streams, environments and working directories of every kind.
use super::build::settle;
use super::{CLIENT, compiler, expect_nobody};
use crate::harness::{Finished, Sandbox, finish};
use cachepot_engine::stats::Stat;
use std::fs;

/// A sandbox with a unit that warns.
fn sandbox(name: &str) -> Sandbox {
    let sandbox = compiler(Sandbox::new(name), "cc1st", ":");
    sandbox.file("warn.c", "int f(void) { int unused; return 1; }\n")
}

/// Runs a shell line; `$C` is the client with gcc.
fn shell(sandbox: &Sandbox, line: &str) -> Finished {
    finish(sandbox.command("/bin/sh").env("C", format!("{CLIENT} gcc")).args(["-c", line]))
}

/// Runs a line with plain gcc and twice through cachepot: the same status, and the same `output` if it names one.
#[track_caller]
fn as_plain(sandbox: &Sandbox, line: &str, output: &str) {
    let run = |compiler: &str| {
        let path = sandbox.work().join(output);
        let _ = fs::remove_file(&path);
        let finished = finish(sandbox.command("/bin/sh").env("C", compiler).args(["-c", line]));
        (finished.status.code(), fs::read(path).ok(), finished)
    };
    let plain = run("gcc");
    for turn in ["miss", "hit"] {
        let (status, bytes, finished) = run(&format!("{CLIENT} gcc"));
        assert_eq!(status, plain.0, "{turn} of `{line}`: {finished}");
        assert!(bytes == plain.1, "{turn} of `{line}`: another output");
        if !sandbox.coordinators().is_empty() {
            settle(sandbox);
        }
    }
    expect_nobody(sandbox);
}

#[test]
fn t223_t228_streams_that_are_closed_or_full() {
    let sandbox = sandbox("streams");
    for line in [
        "$C -Wall -c warn.c -o w.o <&-",
        "$C -Wall -c warn.c -o w.o >&-",
        "$C -Wall -c warn.c -o w.o 2>&-",
        "$C -Wall -c warn.c -o w.o <&- >&- 2>&-",
        "$C -Wall -c warn.c -o w.o 2</dev/null",
        "$C -Wall -c unit.c -o w.o 2>&1 | head -c0",
        "$C -c unit.c -o w.o >/dev/full",
    ] {
        as_plain(&sandbox, line, "w.o");
    }
    // A reader that leaves: the compiler's own end is not always the same, so only that ours ends well.
    for _ in 0..2 {
        let _ = shell(&sandbox, "$C -Wall -c warn.c -o w.o 2>&1 | head -c0").succeeds();
    }
    assert!(sandbox.stats().stats.count(Stat::CacheHits) > 0);
}

#[test]
fn t222_a_pipeline_around_the_first_client_ends() {
    let sandbox = sandbox("pipeline");
    let _ = shell(&sandbox, "exec 7>&1; $C -c unit.c -o w.o 2>&1 | cat").succeeds();
    settle(&sandbox);
    let _ = shell(&sandbox, "$C -c unit.c -o v.o | cat").succeeds();
    assert_eq!(sandbox.coordinators().len(), 1);
    sandbox.expect_stat(Stat::CacheHits, 1);
}

#[test]
fn t223_standard_input_reaches_the_compiler() {
    let sandbox = sandbox("stdin");
    as_plain(&sandbox, "echo 'int x;' | $C -x c -c - -o i.o", "i.o");
    as_plain(&sandbox, "echo 'int x;' | $C -x c -E - >i.txt", "i.txt");
    sandbox.expect_stat(Stat::CacheHits, 0);
}

#[test]
fn t224_a_directory_that_is_gone() {
    let sandbox = sandbox("gone");
    let unit = sandbox.work().join("unit.c");
    let output = sandbox.work().join("g.o");
    let (unit, output) = (unit.display(), output.display());
    as_plain(&sandbox, &format!("mkdir -p d && cd d && rmdir ../d && $C -c {unit} -o {output}"), "g.o");
    as_plain(&sandbox, &format!("mkdir -p d && cd d && rmdir ../d && $C -c {unit}"), "unit.o");
}

#[test]
fn t239_t225_homes_and_temporary_folders() {
    let sandbox = sandbox("homes").without("CACHEPOT_CONF");
    for line in [
        "unset HOME; $C -c unit.c -o h.o",
        "HOME= $C -c unit.c -o h.o",
        "HOME=/nonexistent $C -c unit.c -o h.o",
        "HOME=/proc $C -c unit.c -o h.o",
        "TMPDIR=/nonexistent $C -c unit.c -o h.o",
        "umask 077; $C -c unit.c -o h.o; stat -c %a h.o >mode",
        "ulimit -v 4000000; $C -c unit.c -o h.o",
    ] {
        as_plain(&sandbox, line, "h.o");
        super::signal_coordinators("KILL", &sandbox);
        as_plain(&sandbox, line, "h.o");
    }
    assert_eq!(fs::read_to_string(sandbox.work().join("mode")).unwrap(), "600\n");
    // Nowhere to put anything: the compile all the same.
    let nowhere =
        "unset HOME CACHEPOT_SERVER_UDS XDG_RUNTIME_DIR; export TMPDIR=/nonexistent CACHEPOT_DIR=/proc/c;";
    as_plain(&sandbox, &format!("{nowhere} $C -c unit.c -o h.o"), "h.o");
}

#[test]
fn large_environments_and_argument_lists() {
    let sandbox = sandbox("large");
    let fill = "v=$(head -c 100000 /dev/zero | tr '\\0' x)";
    let environment = (0..10).map(|n| format!(" L{n}=$v")).collect::<String>();
    as_plain(&sandbox, &format!("{fill}; export{environment}; $C -c unit.c -o l.o"), "l.o");
    let words = "$(seq -f -DNAME_%g=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 1 12000)";
    // More than gcc itself can pass on.
    as_plain(&sandbox, &format!("$C {words} -c unit.c -o l.o"), "l.o");
    as_plain(&sandbox, &format!("$C {} -c unit.c -o l.o", words.replace("12000", "1200")), "l.o");
    assert_eq!(sandbox.stats().stats.count(Stat::CacheHits), 2);
}

#[test]
fn huge_diagnostics_pass_through() {
    let noise = "head -c 50000000 /dev/zero | tr '\\0' '.' | fold -w 99 >&2; echo out";
    let sandbox = compiler(Sandbox::new("noise"), "noisy", noise);
    for _ in 0..2 {
        let line = "$CLIENT ./noisy -c unit.c 2>&1 >out | wc -c; cat out";
        let counted = finish(sandbox.command("/bin/sh").env("CLIENT", CLIENT).args(["-c", line])).succeeds();
        assert_eq!(counted.stdout(), "50505050\nout\n");
    }
    // Too long to be kept.
    sandbox.expect_stat(Stat::CacheHits, 0).expect_stat(Stat::StoreSkipped, 2);
}

#[test]
fn t225_the_first_client_may_not_write_large_files() {
    let sandbox = sandbox("size").file("big.c", "char f[1 << 17] = {1};");
    let _ = shell(&sandbox, "ulimit -f 64; $C -c unit.c -o w.o").succeeds();
    let first = sandbox.coordinators();
    as_plain(&sandbox, "$C -c big.c -o w.o", "w.o");
    assert_eq!(sandbox.coordinators(), first);
}

#[test]
fn pipes_with_names() {
    let sandbox = sandbox("pipes");
    let _ = shell(&sandbox, "mkfifo f").succeeds();
    as_plain(&sandbox, "cat f >f.s & $C -S unit.c -o f; wait", "f.s");
    as_plain(&sandbox, "cat unit.c >f & $C -x c -c f -o f.o; wait", "f.o");
    as_plain(&sandbox, "cat f >d.txt & $C -c unit.c -o d.o -MD -MF f; wait", "d.txt");
    as_plain(&sandbox, "echo unit.c -o r.o >f & $C -c @f; wait", "r.o");
    as_plain(&sandbox, "$C -c unit.c -o /dev/null", "nothing");
    let _ = shell(&sandbox, "test -p f && test -c /dev/null").succeeds();
}

#[test]
fn t234_a_nested_make_keeps_its_jobserver() {
    // The compiler is itself a make, as with LTO: it finds the jobserver that its parent made.
    let sandbox =
        compiler(Sandbox::new("jobs"), "jobs", "echo \"$MAKEFLAGS\" >flags; ls -l /proc/self/fd >fds");
    let makefile = format!("all:\n\t+@{CLIENT} ./jobs -c unit.c -o j.o\n");
    let sandbox = sandbox.file("Makefile", makefile);
    let _ = finish(sandbox.command("make").args(["-j3"])).succeeds();
    let flags = fs::read_to_string(sandbox.work().join("flags")).unwrap();
    let pair = flags.split("--jobserver-auth=").nth(1).unwrap().split_ascii_whitespace().next().unwrap();
    let descriptors = fs::read_to_string(sandbox.work().join("fds")).unwrap();
    if !pair.starts_with("fifo:") {
        assert!(
            pair.split(',').all(|fd| descriptors.contains(&format!(" {fd} -> pipe:"))),
            "{pair}\n{descriptors}"
        );
    }
}
