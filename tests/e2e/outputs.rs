//! Where outputs go, how they are named, which mode they have, and what dependency files say.
use crate::harness::Went::{Failed, Hit, Refused, Stored};
use crate::harness::{CLIENT, Sandbox, wait_for, wait_until};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

const HEADER: &str = "int h;\n";
const SOURCE: &str = "#include \"h.h\"\nint f(int a) { return a + h; }\n";

#[test]
fn t052_t053_outputs_are_named_as_the_driver_does() {
    let names = ["sub/a.c", "sub/dir.x/a.b.c", "a..c", "sub/.c.c", "-dash.c"];
    for compiler in ["gcc", "clang"] {
        let sandbox = names.iter().fold(Sandbox::new("names"), |sandbox, name| sandbox.file(name, "int x;"));
        let sandbox = sandbox.file("noext", "int x;").file("dot.", "int x;");
        for name in &names[..4] {
            for mode in ["-c", "-S", "-c -MD", "-c -g -gsplit-dwarf"] {
                sandbox.hits(format!("{compiler} {mode} {name}"));
            }
        }
        for name in ["noext", "dot."] {
            sandbox.hits(format!("{compiler} -c -x c {name}"));
            sandbox.hits(format!("{compiler} -c -MD -x c {name}"));
        }
        sandbox.hits(format!("{compiler} -c ./-dash.c"));
        if compiler == "clang" {
            let line = "clang -c -- -dash.c";
            assert_eq!(sandbox.plain(line), sandbox.cached(line).0);
        }
        for output in ["o.o", "sub/o", "sub/o.p.q", "o."] {
            sandbox.hits(format!("{compiler} -c -MD -g -gsplit-dwarf sub/a.c -o {output}"));
        }
    }
}

#[test]
fn t054_devices_stay_devices() {
    let sandbox = Sandbox::new("devices").file("a.c", "int x;");
    for compiler in ["gcc", "clang"] {
        for output in ["/dev/null", "-", "/dev/stdout"] {
            sandbox.expect(Refused("output is not a file"), format!("{compiler} -S a.c -o {output}"));
        }
    }
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    // A name of ours for the device.
    sandbox.sh("ln -s /dev/null null.o");
    sandbox.plain("gcc -c a.c -o null.o");
    let _ = sandbox.cached("gcc -c a.c -o null.o");
    let (seen, _) = sandbox.cached("gcc -c a.c -o null.o");
    assert_eq!(seen.stderr, "");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn t055_places_where_nothing_can_be_put() {
    let sandbox = Sandbox::new("nowhere").file("a.c", "int x;").file("folder/file", "");
    sandbox.hits("gcc -c a.c -o good.o");
    // The same job: the entry is there, its place is not.
    for output in ["missing/a.o", "folder", "folder/file/a.o"] {
        let plain = sandbox.plain(format!("gcc -c a.c -o {output}"));
        let (cached, _) = sandbox.cached(format!("gcc -c a.c -o {output}"));
        let stable = |text: &str| {
            let words = text.split(' ').filter(|word| !word.starts_with("/tmp/cc"));
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(stable(&plain.stderr), stable(&cached.stderr), "{output}");
        assert_ne!(plain.stderr, "");
    }
}

/// The state of the outputs before the compile, made by a shell line.
#[test]
fn t056_t057_t058_what_is_at_the_output_before() {
    let before = [
        "echo old > a.o",
        "echo old > target; ln -s target a.o",
        "ln -s target a.o",
        "echo old > a.o; ln a.o other",
        "echo old > a.o; chmod 444 a.o",
        "echo old > a.o; chmod 755 a.o",
        "echo old > a.s; ln a.s other",
        "echo old > a.s; chmod 640 a.s",
        "echo old > target; ln -s target a.s",
        "echo old > a.d; ln a.d other",
        "echo old > target; ln -s target a.d",
        "echo old > a.d; chmod 640 a.d",
        "mkdir a.d",
    ];
    for compiler in ["gcc", "clang"] {
        for line in before {
            for mode in ["-c", "-S"] {
                let sandbox = Sandbox::new("before").file("a.c", SOURCE).file("h.h", HEADER);
                let compile = format!("{compiler} {mode} -MD a.c");
                sandbox.hits(&*compile);
                let plain = sandbox.sh(line).plain(&*compile);
                let (cached, _) = sandbox.cached(&*compile);
                assert_eq!(plain, cached, "{compile} after {line}");
            }
        }
        let sandbox = Sandbox::new("rebuild").file("a.c", SOURCE).file("h.h", HEADER);
        sandbox.hits(format!("{compiler} -c -MD a.c"));
        // The plain case is still a hit, not a way around.
        sandbox.sh("echo old > a.o; echo old > a.d").expect(Hit, format!("{compiler} -c -MD a.c"));
    }
}

#[test]
fn t059_t060_the_mode_is_the_callers() {
    let sandbox = Sandbox::new("modes").file("a.c", SOURCE).file("h.h", HEADER);
    sandbox.hits("gcc -c -MD a.c");
    let mut sandbox = sandbox;
    for mask in ["077", "002", "000", "027"] {
        sandbox = sandbox.prelude(&format!("umask {mask}"));
        for compiler in ["gcc", "clang"] {
            let _ = sandbox.cached(format!("{compiler} -c -MD a.c"));
            sandbox.expect(Hit, format!("{compiler} -c -MD a.c"));
        }
    }
    // A folder that hands its group on; changing the group needs root.
    let sandbox = sandbox.prelude("umask 022");
    sandbox.sh("mkdir out; chgrp 12345 out 2>/dev/null || true; chmod 2775 out");
    sandbox.hits("gcc -c -MD -MF out/a.d -MT a.o a.c -o out/a.o");
}

#[test]
fn t061_make_is_content_after_a_hit() {
    let makefile = "a.o: a.c h.h\n\t$(CLIENT) gcc -c a.c\n";
    let sandbox = Sandbox::new("make").file("a.c", SOURCE).file("h.h", HEADER).file("Makefile", makefile);
    sandbox.hits("gcc -c a.c");
    let sandbox = sandbox.env("CLIENT", crate::harness::CLIENT);
    sandbox.sh("touch a.c h.h").settle();
    let began = SystemTime::now();
    sandbox.sh("make -s").expect_stat(cachepot_engine::stats::Stat::CacheHits, 2);
    let metadata = fs::metadata(sandbox.work().join("a.o")).unwrap();
    let modified = metadata.modified().unwrap();
    assert!(modified <= SystemTime::now() && modified + std::time::Duration::from_millis(20) >= began);
    assert!(metadata.mtime() >= fs::metadata(sandbox.work().join("h.h")).unwrap().mtime());
    assert_eq!(sandbox.shell("make").succeeds().stdout(), "make: 'a.o' is up to date.\n");
}

#[test]
fn t062_when_one_output_cannot_be_put_none_is_old() {
    for compiler in ["gcc", "clang"] {
        let sandbox = Sandbox::new("mixture").file("a.c", SOURCE).file("h.h", HEADER);
        let line = format!("{compiler} -c -MD -MF dep/a.d a.c");
        sandbox.sh("mkdir dep").hits(&*line);
        sandbox.sh("rmdir dep; echo old > a.o");
        let plain = sandbox.plain(&*line);
        assert_eq!(plain, sandbox.cached(&*line).0);
    }
}

#[test]
fn t063_t066_a_failure_is_the_compilers_and_is_not_kept() {
    for compiler in ["gcc", "g++", "clang", "clang++"] {
        let sandbox = Sandbox::new("failure")
            .file("a.c", "int x = y;\n")
            .file("include.c", "#include \"missing.h\"\n")
            .file("warn.c", "int f(void) { int unused; return 0; }\n")
            .file("error.c", "#error no\n");
        for line in ["-c a.c", "-c -MD include.c", "-c -Wall -Werror warn.c", "-S error.c", "-c gone.c"] {
            let line = format!("{compiler} {line}");
            for _ in 0..2 {
                sandbox.expect(Failed, &*line);
            }
        }
        for file in ["a.o", "include.o", "include.d", "warn.o", "error.s"] {
            sandbox.write(file, "old");
        }
        for line in ["-c a.c", "-c -MD include.c", "-c -Wall -Werror warn.c", "-S error.c"] {
            sandbox.expect(Failed, format!("{compiler} {line}"));
        }
    }
}

#[test]
fn t080_t081_t083_dependency_files_in_all_spellings() {
    let words = [
        "-MD",
        "-MMD",
        "-MD -MF x.d",
        "-MD -MFx.d",
        "-MMD -MP",
        "-MD -MT t",
        "-MD -MT t -MQ $u -MT v",
        "-MD -MQ a$b",
        "-MD -MG",
        "-MMD -MD",
        "-Wp,-MD,x.d",
        "-Wp,-MMD,x.d",
        "-Wp,-MD,x.d -MT t",
        "-MD -MP -MF sub/x.d -MT sub/a.o",
        "-MT t -MD",
        "-MF one.d -MD -MF two.d",
    ];
    for compiler in ["gcc", "g++", "clang"] {
        for words in words {
            for output in ["", "-o sub/o.o"] {
                let sandbox =
                    Sandbox::new("depend").file("a.c", SOURCE).file("h.h", HEADER).file("sub/x", "");
                let line = format!("{compiler} -c a.c {words} {output}");
                let (_, went) = sandbox.cached(&*line);
                if went == Stored {
                    sandbox.expect(Hit, &*line);
                    // What the file names is followed: also where it leaves system headers out.
                    sandbox.write("h.h", "int h, changed;\n").expect(Stored, &*line);
                } else {
                    assert!(matches!(went, Refused(_) | Failed), "{line}: {went:?}");
                    sandbox.expect(went, &*line);
                }
            }
        }
    }
}

#[test]
fn t082_equal_sources_under_two_names() {
    for compiler in ["gcc", "clang"] {
        let sandbox = Sandbox::new("twins").file("a.c", SOURCE).file("b.c", SOURCE).file("h.h", HEADER);
        for line in ["-MD a.c", "-MD b.c", "-MD a.c -o c.o", "-MD a.c -o d.o -MF e.d"] {
            sandbox.hits(format!("{compiler} -c {line}"));
        }
        // Without `-MD` the name of the object reaches nothing.
        sandbox.hits(format!("{compiler} -c a.c"));
        sandbox.expect(Hit, format!("{compiler} -c a.c -o c.o"));
        sandbox.expect(
            Hit,
            format!("{compiler} -c a.c -MD -MT t -o x.o -MF x.d")
                .replace("-MD -MT t ", "")
                .replace(" -MF x.d", ""),
        );
    }
}

#[test]
fn t084_dependencies_to_devices() {
    let sandbox = Sandbox::new("dep_device").file("a.c", SOURCE).file("h.h", HEADER);
    for compiler in ["gcc", "clang"] {
        for file in ["/dev/null", "/dev/stdout", "-"] {
            sandbox.expect(Refused("output is not a file"), format!("{compiler} -c a.c -MD -MF {file}"));
        }
    }
}

#[test]
fn t088_t132_names_of_all_kinds() {
    let names: [&[u8]; 9] = [
        b"with space",
        b"dollar$x",
        b"hash#x",
        b"colon:x",
        b"percent%x",
        b"back\\slash",
        b"\xff\xfe",
        b"\xc3\xa9",
        b"tab\tx",
    ];
    for compiler in ["gcc", "clang"] {
        for name in names {
            // clang names such a file wrongly in its own `.d`.
            if compiler == "clang" && [&b"back\\slash"[..], b"tab\tx"].contains(&name) {
                continue;
            }
            let sandbox = Sandbox::new("kinds");
            let file = |end: &str| OsString::from_vec([name, end.as_bytes()].concat());
            fs::write(sandbox.work().join(file(".h")), HEADER).unwrap();
            let text = [b"#include \"", name, b".h\"\nconst char *n = __FILE__;\n"].concat();
            fs::write(sandbox.work().join(file(".c")), text).unwrap();
            let words = [compiler, "-c", "-MD", "-g"].map(OsStr::new);
            let line: Vec<OsString> = words.iter().map(OsString::from).chain([file(".c")]).collect();
            sandbox.hits(line.clone());
            fs::write(sandbox.work().join(file(".h")), "int other;\n").unwrap();
            sandbox.hits(line);
        }
    }
}

#[test]
fn t134_names_at_the_limit() {
    let sandbox = Sandbox::new("limit").file("a.c", SOURCE).file("h.h", HEADER);
    let name = format!("{}.o", "n".repeat(253));
    sandbox.hits([
        OsStr::new("gcc"),
        OsStr::new("-c"),
        OsStr::new("a.c"),
        OsStr::new("-o"),
        OsStr::from_bytes(name.as_bytes()),
    ]);
}

/// A hit knows nothing of the source, so it would write over it; compilers refuse to.
#[test]
fn one_file_named_twice() {
    for compiler in ["gcc", "clang"] {
        let sandbox = Sandbox::new("twice").file("a.c", "int x;\n");
        sandbox.sh("ln -s . d").hits(format!("{compiler} -c a.c -o a.o"));
        sandbox.hits(format!("{compiler} -c a.c -MD -MF x.d -o a.o"));
        for words in ["-o a.c", "-o ./a.c", "-o d/a.c", "-MD -MF a.o -o a.o"] {
            sandbox.expect(Refused("one file named twice"), format!("{compiler} -c a.c {words}"));
        }
    }
}

/// What lies in the place when the compiler has ended may be another's.
#[test]
fn one_output_of_two_compiles_at_once() {
    let slow = "#!/bin/sh\n/usr/bin/gcc \"$@\" || exit\n\
                case $* in *-DX=1*) while [ ! -e ../go ]; do sleep 0.01; done ;; esac\n";
    let sandbox = Sandbox::new("one_output").file("a.c", "int x = X;\n").file("slow", slow);
    sandbox.sh("chmod +x slow").settle();
    let start = |x: u32| {
        let macro_word = format!("-DX={x}");
        sandbox.command(CLIENT).args(["./slow", &macro_word, "-c", "a.c", "-o", "o.o"]).spawn().unwrap()
    };
    let mut first = start(1);
    wait_until("the first object", || sandbox.work().join("o.o").exists());
    assert!(wait_for(&mut start(2)).success());
    fs::write(sandbox.root().join("go"), "").unwrap();
    assert!(wait_for(&mut first).success());
    sandbox.quiet();
    for x in [1, 2] {
        sandbox.expect(Stored, format!("./slow -DX={x} -c a.c -o o.o"));
    }
}

/// clang says so, and ends well.
#[test]
fn an_output_of_its_own_accord_that_cannot_be_written() {
    let sandbox = Sandbox::new("dwo").file("a.S", ".text\nf: nop\n");
    let line = "clang -c -g -gsplit-dwarf a.S";
    sandbox.sh("mkdir a.dwo").settle();
    let (_, went) = sandbox.cached(line);
    assert_ne!(went, Stored);
    sandbox.sh("rmdir a.dwo").hits(line);
    // Under LTO it is written for assembler, and not for C.
    sandbox.hits("clang -c -g -gsplit-dwarf -flto a.S");
}
