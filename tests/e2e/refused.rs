//! Calls that are not cached: what they do is the compiler's, and the reason is counted.
use crate::harness::Went::{Hit, NoCompile, Refused, Stored, TooNew, Unsupported, Uses};
use crate::harness::{CLIENT, Sandbox};
use cachepot_engine::stats::Stat;

#[test]
fn reasons_are_counted_and_results_are_the_compilers() {
    let sandbox = Sandbox::new("refused").file("a.c", "int x;\n").file("b.c", "int y;\n").file("o/x", "");
    let both = ["gcc", "clang"];
    let rows: [(&[&str], &str, &str); 16] = [
        (&both, "-c a.c b.c", "multiple input files"),
        (&both, "-c", "no input file"),
        (&both, "-E a.c -c", "-E"),
        (&both, "-M a.c -c", "-M"),
        (&both, "-MM a.c -c", "-MM"),
        (&both, "-fsyntax-only a.c -c", "-fsyntax-only"),
        (&both, "-c a.c -save-temps", "-save-temps"),
        (&both, "-c a.c -fprofile-use=p", "-fprofile"),
        (&["gcc"], "-c a.c -B .", "-B"),
        (&["gcc"], "-c a.c -specs=s", "-specs="),
        (&["gcc"], "-c a.c -fplugin=p.so", "-fplugin"),
        (&["gcc"], "-c a.c -fdump-tree-all", "-fdump-"),
        (&["clang"], "-c a.c -ftime-trace", "-ftime-trace"),
        (&["gcc"], "-c a.c -aux-info f", "-aux-info"),
        (&["gcc"], "-c a.c -Wa,-a=list", "-Wa,"),
        (&both, "-c a.c --nonsense-of-tomorrow v", "--nonsense-of-tomorrow"),
    ];
    for (compilers, words, reason) in rows {
        for compiler in compilers {
            let line = format!("{compiler} {words}");
            let plain = sandbox.plain(&*line);
            let (cached, went) = sandbox.cached(&*line);
            // These name the moment or a temporary file.
            if words.contains("-ftime-trace") || words.contains("-Wa,") {
                assert_eq!(plain.file("a.o"), cached.file("a.o"));
            } else {
                assert_eq!(plain, cached);
            }
            assert_eq!(went, Refused(reason), "{line}");
        }
    }
    sandbox.expect_stat(Stat::CacheWrites, 0);
}

#[test]
fn t094_words_whose_stream_is_the_product() {
    let sandbox = Sandbox::new("streams").file("a.c", "#include \"h.h\"\n").file("h.h", "int h;\n");
    for compiler in ["gcc", "clang"] {
        for _ in 0..2 {
            sandbox.expect(Refused("-H"), format!("{compiler} -H -c a.c"));
            assert_eq!(sandbox.cached(format!("{compiler} -v -c a.c")).1, Refused("-v"));
            assert!(matches!(sandbox.cached(format!("{compiler} -### -c a.c")).1, Refused(_)));
        }
    }
}

#[test]
fn t137_programs_that_are_no_compilers() {
    let sandbox =
        Sandbox::new("others").file("a.c", "int x;\n").file("tool", "#!/bin/sh\necho \"$*\"\nexit 7\n");
    sandbox.sh("chmod +x tool");
    for _ in 0..2 {
        sandbox.expect(Unsupported, "./tool -c a.c");
        sandbox.expect(Unsupported, "ar --version -c");
    }
    sandbox.expect(NoCompile, "gcc a.c -shared -o a.so");
}

#[test]
fn t030_t031_t032_response_files() {
    for compiler in ["gcc", "clang"] {
        let sandbox = Sandbox::new("response").file("a.c", "int x = V;\n").file("r", "-c a.c -DV=1\n");
        let line = format!("{compiler} @r");
        sandbox.hits(&*line);
        sandbox.write("r", "-c 'a.c' \"-DV=2\"\n").hits(&*line);
        sandbox.write("r", "-c a.c\n\n\t -DV=\\3\n").hits(&*line);
        sandbox.write("r", "@s").write("s", "-c a.c -DV=4").hits(&*line);
        sandbox.write("s", "-c a.c -DV=5").hits(&*line);
        sandbox.write("r", "-c a.c -DV=1").expect(Hit, &*line);
        let many: String = (0..2_000).map(|index| format!("-DLONG_NAME_OF_A_MACRO_{index}\n")).collect();
        sandbox.write("r", format!("-c a.c -DV=1\n{many}")).hits(&*line);
        let (_, went) = sandbox.cached(format!("{compiler} -c a.c -DV=1 @missing"));
        assert_ne!(went, Stored);
        assert_eq!(
            sandbox.plain(format!("{compiler} -c a.c @missing")),
            sandbox.cached(format!("{compiler} -c a.c @missing")).0
        );
    }
}

/// The compiler reads it after us.
#[test]
fn t030_a_response_file_that_changes_under_the_compiler() {
    let script = "#!/bin/sh\ncase $* in *@r*) cp next r;; esac\nexec gcc \"$@\"\n";
    let sandbox = Sandbox::new("changing").file("a.c", "int x = V;\n").file("cc", script);
    let sandbox = sandbox.file("r", "-c a.c -DV=1\n").file("next", "-c a.c -DV=2\n");
    sandbox.sh("chmod +x cc");
    for _ in 0..2 {
        sandbox.write("r", "-c a.c -DV=1\n").expect(TooNew, "./cc @r");
    }
}

#[test]
fn t048_t104_a_precompiled_header_is_not_passed_over() {
    // gcc names it in no dependency file.
    let rows = [
        ("a.c", "b/h.h", "-Ib"),
        ("quote.c", "b/h.h", ""),
        ("forced.c", "b/h.h", "-include b/h.h"),
        ("forced.c", "b/h.h", "-include h.h -Ib"),
    ];
    for (source, header, words) in rows {
        let sandbox =
            Sandbox::new("pch").file("a.c", "#include <h.h>\nint x = V;\n").file(header, "#define V 1\n");
        let sandbox =
            sandbox.file("quote.c", "#include \"b/h.h\"\nint x = V;\n").file("forced.c", "int x = V;\n");
        let line = format!("gcc -c {source} {words}");
        sandbox.hits(&*line);
        for value in [2, 3] {
            sandbox.write(header, format!("#define V {value}\n")).sh(&format!("gcc -c {header}"));
            sandbox.write(header, "#define V 1\n").expect(Uses("precompiled header"), &*line);
        }
        sandbox.sh(&format!("rm {header}.gch")).expect(Hit, &*line);
    }
}

#[test]
fn t022_embedded_files() {
    // These compilers do not know the directive; a text that has it is not kept even where it is passed over.
    let sandbox = Sandbox::new("embed").file("a.c", "#if 0\n#embed \"f\"\n#endif\nint x;\n");
    for compiler in ["gcc", "clang"] {
        let (_, went) = sandbox.cached(format!("{compiler} -c a.c"));
        assert_eq!(went, Uses("#embed"));
    }
}

/// libfaketime shows compilers a day that we do not see.
#[test]
fn another_clock() {
    let sandbox = Sandbox::new("clock").file("a.c", "const char *d = __DATE__;\n").env("FAKETIME", "-9y");
    sandbox.expect(Refused("FAKETIME"), "gcc -c a.c");
}

#[test]
fn t037_a_fifo_is_read_once() {
    let sandbox = Sandbox::new("fifo").prelude("rm -f f.c; mkfifo f.c; (echo 'int x;' >f.c &);");
    for words in ["-c f.c", "-c f.c -MMD"] {
        for _ in 0..2 {
            let _ = sandbox.run(&format!("{CLIENT} gcc {words} -o f.o")).succeeds();
        }
    }
    sandbox.expect_stat(Stat::CacheWrites, 0);
}

/// clang names the code by device and inode of the source.
#[test]
fn offloaded_code() {
    let source = |pragma: &str| format!("int f(int *a) {{\n#pragma omp {pragma}\na[0]++; return 0; }}\n");
    let sandbox =
        Sandbox::new("offload").file("a.c", source("target map(a[0:1])")).file("b.c", source("parallel"));
    sandbox.expect(Uses("#pragma omp target"), "clang -fopenmp -c a.c");
    sandbox.expect(Uses("#pragma omp target"), "clang -fopenmp -S a.c");
    sandbox.hits("clang -fopenmp -c b.c");
    sandbox.hits("clang -c a.c");
}

/// clang reads a plain file among the folders of headers as a map of names.
#[test]
fn a_map_of_headers() {
    let sandbox = Sandbox::new("map").file("a.c", "#include <x.h>\n").file("i/x.h", "int x;\n");
    let lines = ["clang -c a.c -Im -Ii", "clang -c a.c -isystem m -Ii"];
    for line in lines {
        sandbox.hits(line);
        sandbox.write("m", "no map").expect(Uses("header map"), line);
        sandbox.sh("rm m").expect(Hit, line);
    }
    sandbox.write("m", "no map").hits("gcc -c a.c -Im -Ii");
}
