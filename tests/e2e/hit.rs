//! What a hit must be: the same as a compile here and now would give, and nothing less than a hit where it can be.
use crate::harness::Went::{Failed, Hit, Stored, TooNew};
use crate::harness::{CLIENT, Sandbox, finish, wait_for, wait_until};
use cachepot_engine::stats::Stat;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

const TEXT: &str = "#include <assert.h>\nint f(int a) { assert(a); return a; }\n";

#[test]
fn t019_t091_t097_the_environment_shapes_the_text() {
    let text = "int f(void) { int unused; return 0; }\n";
    for compiler in ["gcc", "clang"] {
        let line = format!("{compiler} -c -Wall a.c");
        let variables = [
            ("LC_ALL", "C.UTF-8"),
            ("LANG", "C.UTF-8"),
            ("LC_MESSAGES", "C.UTF-8"),
            ("GCC_COLORS", "warning=01;35"),
            ("TERM", "xterm"),
            ("COLUMNS", "40"),
        ];
        let sandbox = Sandbox::new("environment").file("a.c", text).env("LC_ALL", "C");
        sandbox.hits(&*line);
        let mut sandbox = sandbox.without("LC_ALL");
        for (name, value) in variables {
            sandbox = sandbox.env(name, value);
            let (_, went) = sandbox.cached(&*line);
            assert!(matches!(went, Hit | Stored), "{went:?}");
            sandbox.expect(Hit, &*line);
            sandbox = sandbox.without(name);
        }
        let sandbox = sandbox.env("LC_ALL", "C");
        sandbox.expect(Hit, &*line);
    }
}

#[test]
fn t039_equal_text_in_two_folders() {
    for compiler in ["gcc", "clang"] {
        let sandbox =
            Sandbox::new("folders").file("a/x.c", "#include \"r.h\"\n").file("b/x.c", "#include \"r.h\"\n");
        let sandbox = sandbox.file("a/r.h", "int a;\n").file("b/r.h", "int b;\n");
        sandbox.hits(format!("{compiler} -c a/x.c"));
        sandbox.hits(format!("{compiler} -c b/x.c"));
        let sandbox = sandbox.prelude("cd a");
        sandbox.hits(format!("{compiler} -c x.c"));
        let sandbox = sandbox.prelude("cd b");
        sandbox.hits(format!("{compiler} -c x.c"));
    }
}

#[test]
fn t040_sources_by_links() {
    for compiler in ["gcc", "clang"] {
        let sandbox = Sandbox::new("links").file("a/x.c", "#include \"r.h\"\nconst char *n = __FILE__;\n");
        let sandbox = sandbox.file("a/r.h", "int a;\n").file("b/r.h", "int b;\n").file("c/r.h", "int c;\n");
        sandbox.sh("ln -s ../a/x.c b/x.c; ln a/x.c c/x.c");
        for folder in ["a", "b", "c"] {
            sandbox.hits(format!("{compiler} -c {folder}/x.c -o o.o"));
        }
    }
}

#[test]
fn t041_t068_t069_the_directory_is_part_of_some_results() {
    for compiler in ["gcc", "clang"] {
        let sandbox =
            Sandbox::new("directory").file("one/a.c", TEXT).file("two/a.c", TEXT).file("deep/two/a.c", TEXT);
        // Without debug information the directory reaches nothing; with it, it does.
        let (one, two) = ("cd one", "cd two");
        let both = [
            ("", Hit),
            ("-g0", Hit),
            ("-g -g0", Hit),
            ("-gz", Hit),
            ("-g", Stored),
            ("-ggdb3", Stored),
            ("-S -g", Stored),
        ];
        let mut sandbox = sandbox;
        for (words, expected) in both {
            let line = format!("{compiler} -c {words} a.c");
            sandbox = sandbox.prelude(one);
            sandbox.cached(&*line);
            sandbox.expect(Hit, &*line);
            sandbox = sandbox.prelude(two);
            sandbox.expect(expected, &*line);
            sandbox.expect(Hit, &*line);
        }
        for folder in ["one", "two"] {
            let path = sandbox.work().join(folder).join("a.c");
            sandbox.hits([compiler.as_ref(), "-c".as_ref(), path.as_os_str()]);
        }
        // PWD is believed where it leads here, and only there.
        sandbox.sh("ln -s one link");
        let line = format!("{compiler} -c -g a.c");
        for pwd in ["link", "one", "two", "gone"] {
            let value = sandbox.work().join(pwd);
            sandbox = sandbox.prelude(&format!("cd one; export PWD='{}'", value.display()));
            sandbox.cached(&*line);
            sandbox.expect(Hit, &*line);
        }
        for odd in ["export PWD=.", "unset PWD", "export PWD="] {
            sandbox = sandbox.prelude(&format!("cd one; {odd}"));
            sandbox.cached(&*line);
            sandbox.expect(Hit, &*line);
        }
    }
}

#[test]
fn t042_t045_positions_and_text_count() {
    for compiler in ["gcc", "clang"] {
        let line = format!("{compiler} -c -O1 a.c");
        let sandbox = Sandbox::new("positions").file("a.c", TEXT);
        sandbox.hits(&*line);
        for text in [
            format!("\n{TEXT}"),
            format!("// above\n\n{TEXT}"),
            "char *s = \"/* one */\";\n".into(),
            "char *s = \"/* two */\";\n".into(),
        ] {
            sandbox.write("a.c", text).hits(&*line);
        }
        sandbox.write("a.c", TEXT).expect(Hit, &*line);
    }
}

#[test]
fn t067_t072_t095_t099_words_and_their_order() {
    let text = "int f(int a) { int unused; return A; }\n";
    let lines = [
        "-DA=1",
        "-DA=2",
        "-DA=1 -DB",
        "-DB -DA=1 -UA -DA=3",
        "-DA=3 -UA -DA=1",
        "-Wall -Wno-unused -DA=1",
        "-Wno-unused -Wall -DA=1",
        "-O2 -O0 -DA=1",
        "-O0 -O2 -DA=1",
        "-std=c99 -std=c11 -DA=1",
        "-std=c11 -std=c99 -DA=1",
        "-march=native -DA=1",
        "-mtune=native -DA=1",
        "-march=x86-64 -DA=1",
        "-fPIC -DA=1",
        "-fpic -DA=1",
        "-Dab -Dc=1 -DA=1",
        "-Dabc -D_c=1 -DA=1",
    ];
    for compiler in ["gcc", "clang"] {
        let sandbox = Sandbox::new("words").file("a.c", text);
        for line in lines {
            sandbox.hits(format!("{compiler} -c a.c {line}"));
        }
        let recorded = if compiler == "gcc" { "-frecord-gcc-switches" } else { "-grecord-command-line" };
        for words in ["-DA=1", "-DA=1 -DB", "-Ix -DA=1"] {
            sandbox.cached(format!("{compiler} -c a.c -g {recorded} {words}"));
            sandbox.expect(
                sandbox.cached(format!("{compiler} -c a.c -g {recorded} {words}")).1,
                format!("{compiler} -c a.c -g {recorded} {words}"),
            );
        }
    }
}

#[test]
fn t070_t071_maps_stand_for_the_directory() {
    for compiler in ["gcc", "clang"] {
        let mut sandbox = Sandbox::new("maps").file("one/a.c", TEXT).file("two/a.c", TEXT);
        let root = sandbox.work();
        let words = ["-fdebug-prefix-map", "-ffile-prefix-map"];
        for word in words {
            let line = |folder: &str| format!("{compiler} -c -g {word}={}/{folder}=/src a.c", root.display());
            sandbox = sandbox.prelude("cd one");
            sandbox.hits(line("one"));
            sandbox = sandbox.prelude("cd two");
            // One name for both: shared, or at least right.
            sandbox.cached(line("two"));
            sandbox.expect(Hit, line("two"));
            // A map for another folder covers nothing.
            sandbox.expect(Stored, line("one"));
            let twice = format!("{} {word}={}=/other", line("two"), root.display());
            sandbox.hits(&*twice);
            let swapped =
                format!("{compiler} -c -g {word}={r}=/other {word}={r}/two=/src a.c", r = root.display());
            sandbox.cached(&*swapped);
            sandbox.expect(Hit, &*swapped);
        }
    }
}

#[test]
fn t073_t074_t075_split_debug_information() {
    for compiler in ["gcc", "clang"] {
        let sandbox = Sandbox::new("split").file("a.c", TEXT).file("out/x", "");
        for output in ["", "-o b.o", "-o out/a.o", "-o out/a.b.o", "-o noext"] {
            sandbox.hits(format!("{compiler} -c -g -gsplit-dwarf a.c {output}"));
        }
        // An old file is never taken for the result of this compile.
        sandbox.write("a.dwo", "old");
        for words in [
            "-gsplit-dwarf -g0",
            "-g -gsplit-dwarf -gno-split-dwarf",
            "-gsplit-dwarf -g1",
            "-g0 -gsplit-dwarf",
        ] {
            let line = format!("{compiler} -c {words} a.c");
            let plain = sandbox.plain(&*line);
            for _ in 0..2 {
                assert_eq!(plain, sandbox.cached(&*line).0, "{line}");
            }
        }
        sandbox.sh("rm a.dwo");
        for words in [
            "-gsplit-dwarf -g0",
            "-g -gsplit-dwarf -gno-split-dwarf",
            "-gsplit-dwarf -g1",
            "-g0 -gsplit-dwarf",
        ] {
            let line = format!("{compiler} -c {words} a.c");
            let plain = sandbox.plain(&*line);
            assert_eq!(plain, sandbox.cached(&*line).0, "{line}");
        }
    }
}

#[test]
fn t065_a_compiler_that_is_killed() {
    let sandbox = Sandbox::new("killed")
        .file("a.c", TEXT)
        .file("bin/gcc", "#!/bin/sh\ncase \"$*\" in *a.c*) kill -9 $$;; esac\nexec /usr/bin/gcc \"$@\"\n");
    sandbox.sh("chmod +x bin/gcc");
    for _ in 0..2 {
        let ended = finish(sandbox.command(CLIENT).args(["bin/gcc", "-c", "a.c"]));
        assert_eq!(ended.status.signal(), Some(9), "{ended}");
    }
    sandbox.expect_stat(Stat::CacheWrites, 0).expect_stat(Stat::CompileFails, 2);
}

#[test]
fn t126_a_source_that_changes_meanwhile_is_not_kept() {
    let wrapper = "#!/bin/sh\n/usr/bin/gcc \"$@\" || exit\ncase \"$*\" in *a.c*) touch h.h;; esac\n";
    let sandbox = Sandbox::new("meanwhile")
        .file("a.c", "#include \"h.h\"\n")
        .file("h.h", "int h;\n")
        .file("bin/gcc", wrapper);
    sandbox.sh("chmod +x bin/gcc");
    for _ in 0..2 {
        assert_eq!(sandbox.cached("bin/gcc -c a.c").1, TooNew);
    }
}

#[test]
fn t127_t128_t129_edits_behind_the_clocks_back() {
    for compiler in ["gcc", "clang"] {
        let line = format!("{compiler} -c a.c");
        let sandbox = Sandbox::new("edits").file("a.c", "#include \"h.h\"\n").file("h.h", "int one;\n");
        sandbox.sh("touch -d 2020-01-01 h.h a.c").hits(&*line);
        // The same size, the same time.
        sandbox.write("h.h", "int two;\n").sh("touch -d 2020-01-01 h.h").hits(&*line);
        // Another file under the same name.
        sandbox.write("new", "int six;\n").sh("touch -d 2020-01-01 new; mv new h.h").hits(&*line);
        sandbox.write("h.h", "int one;\n").expect(Hit, &*line);
        // Many edits without a pause: each compile sees its own.
        for index in 0..10 {
            sandbox.write("h.h", format!("int v_{index};\n"));
            let words = [CLIENT, compiler, "-c", "a.c"].map(OsString::from).to_vec();
            let _ = sandbox.run(&words).succeeds();
            let bytes = fs::read(sandbox.work().join("a.o")).unwrap();
            let name = format!("v_{index}");
            assert!(bytes.windows(name.len()).any(|text| text == name.as_bytes()), "{index}");
        }
    }
}

#[test]
fn t130_t131_times_alone_change_nothing() {
    let sandbox = Sandbox::new("times").file("a.c", "#include \"h.h\"\n").file("h.h", "int one;\n");
    sandbox.hits("gcc -c a.c");
    sandbox.sh("touch h.h a.c").expect(Hit, "gcc -c a.c");
    sandbox.sh("cp h.h new; mv new h.h").expect(Hit, "gcc -c a.c");
    sandbox.sh("touch -d 2099-01-01 h.h").expect(Hit, "gcc -c a.c");
    sandbox.write("h.h", "int two;\n").sh("touch -d 2099-01-01 h.h");
    sandbox.expect(TooNew, "gcc -c a.c");
}

#[test]
fn t133_long_command_lines() {
    let sandbox = Sandbox::new("long").file("a.c", TEXT).env("LARGE", "x".repeat(100_000));
    let line = |n: usize| {
        (0..n).fold("gcc -c a.c".to_owned(), |line, index| format!("{line} -Ifolder/number/{index}"))
    };
    sandbox.hits(line(3_000));
    let words: Vec<OsString> = ["gcc", "-c", "a.c"].into_iter().map(OsString::from).collect();
    let many = (0..16).map(|index| format!("-DV{index}={}", "y".repeat(90_000)).into());
    let words: Vec<OsString> = words.into_iter().chain(many).collect();
    assert_eq!(sandbox.plain(words.clone()), sandbox.cached(words).0);
}

#[test]
fn t135_probes_of_a_configure_script() {
    let sandbox = Sandbox::new("probes");
    for index in 0..30 {
        let text =
            if index % 3 == 0 { format!("int f_{index} = nothing;\n") } else { format!("int f_{index};\n") };
        sandbox.write("conftest.c", text);
        let line = "gcc -c -g conftest.c";
        sandbox.expect(if index % 3 == 0 { Failed } else { Stored }, line);
    }
}

#[test]
fn t324_equal_compiles_at_once() {
    let sandbox = Sandbox::new("at_once").file("a.c", TEXT).file("bad.c", "int x = y;\n");
    let plain = sandbox.plain("gcc -c a.c -o o.o");
    sandbox.settle();
    let mut children: Vec<_> = (0..12)
        .map(|index| {
            let source = if index % 4 == 3 { "bad.c" } else { "a.c" };
            let mut command = sandbox.command(CLIENT);
            command.args(["gcc", "-c", source, "-o", &format!("o{index}.o")]).stderr(Stdio::null());
            (index, command.spawn().unwrap())
        })
        .collect();
    for (index, child) in &mut children {
        assert_eq!(wait_for(child).success(), *index % 4 != 3);
        if *index % 4 != 3 {
            assert_eq!(fs::read(sandbox.work().join(format!("o{index}.o"))).unwrap(), plain.file("o.o"));
        }
    }
    sandbox.quiet();
    sandbox.expect(Hit, "gcc -c a.c -o o.o");
}

#[test]
fn t325_a_hit_runs_no_compiler() {
    let wrapper = "#!/bin/sh\necho run >>../runs\nexec /usr/bin/gcc \"$@\"\n";
    let sandbox = Sandbox::new("counted").file("a.c", TEXT).file("bin/gcc", wrapper);
    sandbox.sh("chmod +x bin/gcc").hits("bin/gcc -c a.c");
    let runs = || fs::read_to_string(sandbox.root().join("runs")).unwrap().lines().count();
    let before = runs();
    for _ in 0..3 {
        assert_eq!(sandbox.cached("bin/gcc -c a.c").1, Hit);
    }
    assert_eq!(runs(), before);
    sandbox.write("a.c", "int y;\n");
    assert_eq!(sandbox.cached("bin/gcc -c a.c").1, Stored);
    assert_eq!(runs(), before + 1);
}

#[test]
fn t322_a_hit_starts_no_process() {
    let sandbox = Sandbox::new("trace").file("a.c", TEXT);
    if !std::path::Path::new("/usr/bin/strace").exists() {
        eprintln!("skipped: no strace");
        return;
    }
    sandbox.hits("gcc -c a.c");
    let trace =
        ["/usr/bin/strace", "-f", "-qq", "-e", "trace=process", "-o", "../trace", CLIENT, "gcc", "-c", "a.c"];
    let _ = sandbox.run(&trace.map(OsString::from).to_vec()).succeeds();
    let text = fs::read_to_string(sandbox.root().join("trace")).unwrap();
    let starts =
        text.lines().filter(|line| ["execve(", "clone", "fork("].iter().any(|call| line.contains(call)));
    assert_eq!(starts.count(), 1, "{text}");
    wait_until("the hit is counted", || sandbox.stats().stats.count(Stat::CacheHits) == 2);
}
