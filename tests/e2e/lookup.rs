//! What the preprocessor would see: headers that appear, move, change or are asked for; time; variables.
use crate::harness::Went::{Failed, Hit, Refused, Stored, Uses};
use crate::harness::{Sandbox, wait_until};
use std::time::SystemTime;

const COMPILERS: [&str; 4] = ["gcc", "g++", "clang", "clang++"];

#[test]
fn t001_t004_the_time_of_day_is_never_repeated() {
    let sandbox = Sandbox::new("time")
        .file("a.c", "const char *t = __TIME__;")
        .file("plain.c", "const char *t = STAMP;")
        .file("paste.c", "#define A(x) __TI##x\nconst char *t = A(ME__);")
        .file("header.c", "#include \"h.h\"\nconst char *t = STAMP;")
        .file("h.h", "#define STAMP __TIME__\n")
        .file("unused.c", "#define STAMP __TIME__\nint x;");
    for compiler in ["gcc", "clang"] {
        for line in
            ["-c a.c", "-c plain.c -DSTAMP=__TIME__", "-c plain.c -include h.h", "-c paste.c", "-c header.c"]
        {
            for _ in 0..2 {
                assert_eq!(
                    sandbox.cached(format!("{compiler} {line}")).1,
                    Uses("__TIME__"),
                    "{compiler} {line}"
                );
            }
        }
        sandbox.hits(format!("{compiler} -c unused.c"));
    }
}

#[test]
fn t002_t005_dates_hit_on_their_day() {
    // Results with a date stand for a quarter of an hour; the test must not lie on both sides of its end.
    wait_until("a quarter", || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() % 900 < 890);
    let sandbox = Sandbox::new("date").file("a.c", "const char *t = __DATE__;").file("b.c", "int x;");
    let day = |sandbox: Sandbox, seconds| sandbox.env("SOURCE_DATE_EPOCH", seconds);
    sandbox.hits("gcc -c a.c");
    let sandbox = day(sandbox, "86400");
    sandbox.hits("gcc -c a.c");
    sandbox.expect(Stored, "gcc -c b.c");
    let sandbox = day(sandbox, "864000");
    sandbox.hits("gcc -c a.c");
    let sandbox = day(sandbox, "86400");
    sandbox.expect(Hit, "gcc -c a.c");
    assert!(sandbox.expect(Hit, "gcc -c a.c").file("a.o").windows(11).any(|text| text == b"Jan  2 1970"));
}

#[test]
fn t003_the_time_of_the_file_is_followed() {
    let sandbox = Sandbox::new("timestamp").file("a.c", "const char *t = __TIMESTAMP__;");
    for compiler in ["gcc", "clang"] {
        sandbox.sh("touch -d '2020-01-01 00:00:00' a.c").hits(format!("{compiler} -c a.c"));
        sandbox.sh("touch -d '2021-01-01 00:00:00' a.c").expect(Stored, format!("{compiler} -c a.c"));
        sandbox.sh("touch -d '2020-01-01 00:00:00' a.c").expect(Hit, format!("{compiler} -c a.c"));
    }
}

#[test]
fn t006_has_include_turns_true() {
    let text = "#if __has_include(\"opt.h\")\nint with;\n#else\nint without;\n#endif\n";
    for compiler in COMPILERS {
        let line = format!("{compiler} -c a.c -Isub");
        let sandbox = Sandbox::new("has_include").file("a.c", text).file("sub/other.h", "");
        sandbox.hits(&*line);
        sandbox.write("sub/opt.h", "").hits(&*line);
        sandbox.sh("rm sub/opt.h").expect(Hit, &*line);
        sandbox.write("opt.h", "").hits(&*line);
    }
}

/// As xxhash does, which many programs bring along.
#[test]
fn t006_has_include_under_another_name_turns_true() {
    let give = "#ifndef HAS\n#define HAS __has_include\n#endif\n";
    let ask = "#include \"give.h\"\n#if HAS(\"opt.h\")\nint with;\n#else\nint without;\n#endif\n";
    for compiler in COMPILERS {
        let line = format!("{compiler} -c a.c -Isub");
        let sandbox = Sandbox::new("has").file("a.c", ask).file("give.h", give).file("sub/other.h", "");
        sandbox.hits(&*line);
        sandbox.write("sub/opt.h", "").hits(&*line);
        sandbox.sh("rm sub/opt.h").expect(Hit, &*line);
        let computed = "#include \"give.h\"\n#define NAME \"opt.h\"\n#if HAS(NAME)\nint with;\n#endif\n";
        sandbox.write("a.c", computed).expect(Uses("__has_include"), &*line);
        sandbox.write("a.c", ask).expect(Hit, &*line);
        let by_word = "#include \"give.h\"\n#if ASK(\"opt.h\")\nint with;\n#endif\n";
        sandbox.write("a.c", by_word).expect(Uses("__has_include"), format!("{line} -DASK=HAS"));
    }
}

/// Two headers named `x.h`; the first found one decides.
fn shadowed(name: &str) -> Sandbox {
    Sandbox::new(name).file("a.c", "#include \"x.h\"\n").file("b/x.h", "int from_b;\n").file("a/other.h", "")
}

#[test]
fn t007_t008_a_header_appears_earlier_in_the_path() {
    for compiler in COMPILERS {
        let line = format!("{compiler} -c a.c -Ia -Ib");
        let sandbox = shadowed("earlier");
        sandbox.hits(&*line);
        sandbox.write("a/x.h", "int from_a;\n").hits(&*line);
        sandbox.sh("mv a/x.h away").expect(Hit, &*line);
        sandbox.sh("mv away a/x.h").expect(Hit, &*line);
        sandbox.write("x.h", "int from_here;\n").hits(&*line);
        sandbox.sh("rm x.h a/x.h").expect(Hit, &*line);
    }
}

#[test]
fn t009_a_missing_folder_appears() {
    for compiler in COMPILERS {
        let line = format!("{compiler} -c a.c -Imissing/deep -Ib");
        let sandbox = shadowed("missing");
        sandbox.hits(&*line);
        sandbox.sh("mkdir missing").expect(Hit, &*line);
        sandbox.write("missing/deep/x.h", "int from_missing;\n").hits(&*line);
        sandbox.sh("rm -r missing").expect(Hit, &*line);
    }
}

#[test]
fn t010_a_header_appears_beside_the_including_one() {
    for compiler in COMPILERS {
        let line = format!("{compiler} -c a.c -Ib");
        let sandbox = shadowed("beside");
        sandbox.write("a.c", "#include \"sub/h.h\"\n").write("sub/h.h", "#include \"x.h\"\n").hits(&*line);
        sandbox.write("sub/x.h", "int from_sub;\n").hits(&*line);
    }
}

#[test]
fn t011_odd_candidates_are_absent_until_they_turn_real() {
    for compiler in ["gcc", "clang"] {
        let line = format!("{compiler} -c a.c -If.txt -Ilink -Idir -Ib");
        let sandbox = shadowed("odd");
        // For clang this would be a map of headers.
        if compiler == "gcc" {
            sandbox.write("f.txt", "");
        }
        sandbox.sh("ln -s nowhere link; mkdir -p dir; ln -s ../nothing dir/x.h").hits(&*line);
        sandbox.write("nothing", "int by_link;\n").hits(&*line);
        sandbox.sh("rm nothing").expect(Hit, &*line);
        sandbox.write("nowhere/x.h", "int from_nowhere;\n").hits(&*line);
        sandbox.sh("rm -rf nowhere f.txt").write("f.txt/x.h", "int from_f;\n").hits(&*line);
    }
}

/// Compilers end with an error where they cannot tell whether a header is there.
#[test]
fn t011_candidates_that_lead_nowhere() {
    for compiler in ["gcc", "clang"] {
        let sandbox = shadowed("loops").file("s.c", "#include <sub/y.h>\n").file("b/sub/y.h", "int y;\n");
        let (line, below) = (format!("{compiler} -c a.c -Ia -Ib"), format!("{compiler} -c s.c -Ia -Ib"));
        sandbox.sh("mkdir -p a").hits(&*line);
        sandbox.hits(&*below);
        sandbox.sh("ln -s x.h a/x.h; ln -s sub a/sub").expect(Failed, &*line);
        sandbox.expect(Failed, &*below);
        sandbox.sh("rm a/*").expect(Hit, &*line);
        // gcc ends with an error, clang goes on.
        sandbox.sh("rmdir a; ln -s a a");
        assert_eq!(sandbox.plain(&*line), sandbox.cached(&*line).0);
        sandbox.sh("rm a; mkdir a").expect(Hit, &*line);
    }
}

#[test]
fn t011_a_folder_that_is_named_like_the_header() {
    let sandbox = shadowed("dir_header");
    sandbox.sh("mkdir a/x.h").hits("gcc -c a.c -Ia -Ib");
    sandbox.sh("rmdir a/x.h").write("a/x.h", "int from_a;\n").hits("gcc -c a.c -Ia -Ib");
}

#[test]
fn t012_the_order_and_the_kind_of_folders_count() {
    let text = "int s(unsigned a) { return a < 0 ? 1 : (int) \"x\"; }\n";
    for compiler in ["gcc", "clang"] {
        let sandbox = shadowed("order").file("a/x.h", format!("int from_a;\n{text}"));
        for line in [
            "-Ia -Ib",
            "-Ib -Ia",
            "-isystem a -Ib",
            "-idirafter a -Ib",
            "-iquote a -Ib",
            "-isystem a -isystem b",
        ] {
            sandbox.hits(format!("{compiler} -c a.c -Wall -Wextra {line}"));
        }
        // An option that the compiler moves or drops: `-I` of a system folder.
        sandbox.hits(format!("{compiler} -c a.c -Ia -isystem a"));
    }
}

#[test]
fn t013_a_header_goes_with_its_use() {
    let sandbox = Sandbox::new("gone").file("a.c", "#include \"a.h\"\n").file("a.h", "#include \"dead.h\"\n");
    sandbox.write("dead.h", "int d;\n").hits("gcc -c a.c -MD");
    sandbox.write("a.h", "int d;\n").sh("rm dead.h");
    let seen = sandbox.hits("gcc -c a.c -MD");
    assert!(seen.file("a.d").ends_with(b" a.h\n"));
}

#[test]
fn t014_search_variables_count() {
    let variables = [
        ("CPATH", "gcc -c a.c"),
        ("C_INCLUDE_PATH", "clang -c a.c"),
        ("CPLUS_INCLUDE_PATH", "g++ -c a.cc"),
        ("CPATH", "clang++ -c a.cc"),
    ];
    for (variable, line) in variables {
        let sandbox =
            Sandbox::new("variables").file("a.c", "#include <x.h>\n").file("a.cc", "#include <x.h>\n");
        let sandbox =
            sandbox.file("one/x.h", "int one;\n").file("two/x.h", "int two;\n").file("def/x.h", "int def;\n");
        let line = format!("{line} -idirafter def");
        sandbox.hits(&*line);
        let sandbox = sandbox.env(variable, "one");
        sandbox.hits(&*line);
        let sandbox = sandbox.env(variable, "missing:two");
        sandbox.hits(&*line);
        sandbox.write("missing/x.h", "int appeared;\n").hits(&*line);
        let sandbox = sandbox.env(variable, "one");
        sandbox.expect(Hit, &*line);
        // An empty part stands for the working directory.
        let sandbox = sandbox.env(variable, "one:").file("here/x.h", "int here;\n");
        sandbox.expect(Stored, &*line);
        let sandbox = sandbox.without(variable);
        sandbox.expect(Hit, &*line);
    }
}

#[test]
fn t016_variables_that_write_files_are_refused() {
    for variable in ["DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES"] {
        let sandbox = Sandbox::new("output_variable").file("a.c", "int x;").env(variable, "extra.d");
        sandbox.expect(Refused(variable), "gcc -c a.c");
    }
}

#[test]
fn t020_forced_files_that_leave_no_text() {
    for compiler in ["gcc", "clang"] {
        for word in ["-include", "-imacros"] {
            let sandbox =
                Sandbox::new("forced").file("a.c", "int x = VALUE;\n").file("m.h", "#define VALUE 1\n");
            let line = format!("{compiler} -c a.c {word} m.h -Isub");
            sandbox.hits(&*line);
            sandbox.write("m.h", "#define VALUE 2\n").hits(&*line);
            sandbox.write("m.h", "#define VALUE 1\n").expect(Hit, &*line);
        }
        let sandbox =
            Sandbox::new("forced_path").file("a.c", "int x = VALUE;\n").file("sub/m.h", "#define VALUE 1\n");
        let line = format!("{compiler} -c a.c -include m.h -Isub");
        sandbox.hits(&*line);
        sandbox.write("m.h", "#define VALUE 2\n").hits(&*line);
    }
}

#[test]
fn t021_incbin_is_not_kept() {
    let sandbox = Sandbox::new("incbin")
        .file("a.c", "asm(\".section .rodata\\n.incbin \\\"f.bin\\\"\\n.text\");\n")
        .file("split.c", "asm(\".section .rodata\\n.inc\" \"bin \\\"f.bin\\\"\\n.text\");\n")
        .file("a.S", ".section .rodata\n.incbin \"f.bin\"\n")
        .file("a.s", ".section .rodata\n.incbin \"f.bin\"\n")
        .file("inc.s", ".include \"f.inc\"\n")
        .file("f.inc", ".long 1\n")
        .file("f.bin", "12345");
    for compiler in ["gcc", "clang"] {
        for source in ["a.c", "split.c", "a.S", "a.s", "inc.s"] {
            let line = format!("{compiler} -c {source}");
            let (_, went) = sandbox.cached(&*line);
            assert!(matches!(went, Uses(_) | Refused(_)), "{line}: {went:?}");
            sandbox.write("f.bin", "67890").write("f.inc", ".long 2\n").expect(went, &*line);
        }
    }
}

#[test]
fn t049_headers_found_in_other_ways() {
    let sandbox = Sandbox::new("ways")
        .file("a.c", "#define H <m.h>\n#include H\n")
        .file("next.c", "#include <n.h>\n")
        .file("a/n.h", "#include_next <n.h>\n")
        .file("b/n.h", "int n1;\n")
        .file("b/m.h", "int m1;\n");
    for compiler in ["gcc", "clang"] {
        for source in ["a.c", "next.c"] {
            let line = format!("{compiler} -c {source} -Ia -Ib");
            sandbox.write("b/n.h", "int n1;\n").write("b/m.h", "int m1;\n").hits(&*line);
            sandbox.write("b/n.h", "int n2;\n").write("b/m.h", "int m2;\n").hits(&*line);
        }
        sandbox.write("a/m.h", "int m3;\n").hits(format!("{compiler} -c a.c -Ia -Ib"));
        sandbox.sh("rm a/m.h");
    }
}

#[test]
fn t050_two_states_of_a_header_both_hit() {
    let sandbox = Sandbox::new("states").file("a.c", "#include \"x.h\"\n").file("x.h", "int one;\n");
    sandbox.hits("gcc -c a.c");
    sandbox.write("x.h", "int two;\n").hits("gcc -c a.c");
    for text in ["int one;\n", "int two;\n", "int one;\n"] {
        sandbox.write("x.h", text).expect(Hit, "gcc -c a.c");
    }
}

/// gcc does not list it among those that it searches, and clang might read it.
#[test]
fn a_file_in_the_place_of_a_searched_folder_becomes_a_folder() {
    for (compiler, began) in [("gcc", Stored), ("clang", Uses("header map"))] {
        let sandbox = Sandbox::new("no_folder").file("a.c", "#include <h.h>\nint x = V;\n");
        let sandbox = sandbox.file("inc/h.h", "#define V 1\n").file("other/h.h", "#define V 2\n");
        let sandbox = sandbox.file("file", "").env("CPATH", "link");
        let line = format!("{compiler} -c -Iinc a.c");
        let folder = format!("{compiler} -c -Iinc a.c -DF");
        sandbox.sh("ln -s file link").expect(began, &*line);
        sandbox.sh("ln -sfn other link").hits(&*folder);
        sandbox.expect(Stored, &*line);
    }
}

/// gcc ends with an error for a searched folder below a file, and says nothing of one that is not there.
#[test]
fn a_file_where_no_folder_was() {
    let sandbox = Sandbox::new("below").file("a.c", "int x;\n");
    sandbox.hits("gcc -c -Iinc/x a.c");
    sandbox.write("inc", "").expect(Failed, "gcc -c -Iinc/x a.c");
    sandbox.sh("rm inc").expect(Hit, "gcc -c -Iinc/x a.c");
}
