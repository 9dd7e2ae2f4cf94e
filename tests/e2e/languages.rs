//! Which language a source is in, and what kind of result is asked for.
use crate::harness::Went::{Failed, Hit, Refused, Stored};
use crate::harness::{Sandbox, wait_until};

/// Text that every language of the family takes, and that tells them apart.
const SOURCE: &str =
    "#ifdef __cplusplus\nint plus;\n#endif\n#ifdef __OBJC__\nint objc;\n#endif\nint f(int a) { return a; }\n";

#[test]
fn t036_languages_by_name_and_by_word() {
    let names = ["a.c", "a.cc", "a.cpp", "a.cxx", "a.C", "a.c++", "a.cp", "a.CPP", "a.m", "a.mm", "a.M"];
    for compiler in ["gcc", "g++", "clang", "clang++"] {
        let sandbox =
            names.iter().fold(Sandbox::new("languages"), |sandbox, name| sandbox.file(name, SOURCE));
        for name in names {
            let line = format!("{compiler} -c {name} -o o.o");
            match sandbox.cached(&*line).1 {
                Stored => sandbox.expect(Hit, &*line),
                // A front end that is not installed.
                other => sandbox.expect(other, &*line),
            };
        }
        for words in ["-x c++ a.c", "-x c a.cc", "-x c++ -x none a.c", "-x c++ -x c a.c"] {
            sandbox.hits(format!("{compiler} -c {words} -o o.o"));
        }
        sandbox.expect(Hit, format!("{compiler} -c -xc++ a.c -o o.o"));
        // The word stands behind the file: it means nothing to it.
        sandbox.expect(Stored, format!("{compiler} -c a.c -x c++ -o o.o"));
        for words in ["-x nonsense a.c", "-x ada a.c"] {
            sandbox.expect(Refused("-x"), format!("{compiler} -c {words} -o o.o"));
        }
    }
}

#[test]
fn t036_preprocessed_sources_and_assembly() {
    let assembly = "#ifdef VALUE\n.globl f\n#endif\nf: .long 1\n";
    let sandbox = Sandbox::new("preprocessed")
        .file("a.i", "# 1 \"x.c\"\nint x;\n")
        .file("a.ii", "# 1 \"x.cc\"\nint x;\n")
        .file("a.s", "f: .long 1\n")
        .file("a.S", assembly)
        .file("a.sx", assembly);
    for compiler in ["gcc", "clang"] {
        for source in ["a.i", "a.ii", "a.s", "a.S"] {
            sandbox.hits(format!("{compiler} -c {source}"));
        }
        sandbox.hits(format!("{compiler} -c a.S -DVALUE"));
        sandbox.hits(format!("{compiler} -c -x assembler-with-cpp a.sx -DVALUE"));
        sandbox.hits(format!("{compiler} -c -x cpp-output a.i"));
        sandbox.write("a.i", format!("int {compiler};\n")).expect(Stored, format!("{compiler} -c a.i"));
    }
}

#[test]
fn t086_no_dependency_file_for_a_source_read_as_it_is() {
    let sandbox = Sandbox::new("no_dependencies").file("a.i", "int x;\n").file("a.s", "f: .long 1\n");
    for compiler in ["gcc", "clang"] {
        for line in ["-c -MD a.i", "-c -MD a.s", "-c -MMD -MF x.d a.s"] {
            sandbox.hits(format!("{compiler} {line}"));
        }
    }
}

#[test]
fn t037_sources_that_are_no_files() {
    let sandbox = Sandbox::new("stdin").file("a.c", "int x;").prelude("exec <a.c");
    for compiler in ["gcc", "clang"] {
        for source in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
            let line = format!("{compiler} -x c -c {source} -o o.o");
            let plain = sandbox.plain(&*line);
            let (cached, went) = sandbox.cached(&*line);
            assert_eq!(plain, cached);
            assert!(matches!(went, Refused(_)), "{line}: {went:?}");
        }
    }
    // A pipe with a name: read once, by the compiler.
    let sandbox = sandbox.prelude("cat a.c >p.c &\nexec </dev/null");
    sandbox.sh("mkfifo p.c");
    let plain = sandbox.plain("gcc -c p.c");
    for _ in 0..2 {
        assert_eq!(plain, sandbox.cached("gcc -c p.c").0);
    }
}

#[test]
fn t038_line_markers_are_only_names() {
    let sandbox = Sandbox::new("markers").file("a.h", "");
    sandbox.sh("mkfifo pipe; mkdir folder");
    for compiler in ["gcc", "clang"] {
        for name in ["/dev/tty", "/dev/stdin", "pipe", "folder", "gone.c", ""] {
            sandbox.write("a.c", format!("#line 1 \"{name}\"\nint x;\n#include \"a.h\"\n"));
            let line = format!("{compiler} -c -g a.c");
            let (_, went) = sandbox.cached(&*line);
            assert_eq!(went, Stored, "{line} {name}");
            sandbox.expect(Hit, &*line);
        }
    }
}

#[test]
fn t046_t047_odd_texts() {
    let texts: [&[u8]; 10] = [
        b"",
        b"\n",
        b"// only\n",
        b"\xef\xbb\xbfint x;\n",
        b"int x; int y;",
        b"#inc\\\nlude \"h.h\"\n",
        b"int a;\r\n#include \"h.h\"\r\n",
        b"??=include \"h.h\"\n",
        b"%:include \"h.h\"\n",
        b"/* \xff\xfe */ int x;\n",
    ];
    for compiler in ["gcc -std=c99", "clang -std=c99"] {
        for text in texts {
            let sandbox = Sandbox::new("texts").file("a.c", text).file("h.h", "int h;\n");
            let line = format!("{compiler} -c a.c -include h.h -MD");
            sandbox.hits(&*line);
            sandbox.write("h.h", "int other;\n").hits(&*line);
        }
    }
}

#[test]
fn t098_kinds_of_results_share_nothing() {
    let sandbox = Sandbox::new("results").file("a.c", SOURCE);
    for line in [
        "gcc -c",
        "gcc -S",
        "clang -c",
        "clang -S",
        "clang -c -emit-llvm",
        "clang -S -emit-llvm",
        "gcc -c -flto -frandom-seed=1",
        "clang -c -flto",
    ] {
        sandbox.hits(format!("{line} a.c -o out"));
    }
    for line in [
        "clang -emit-ast a.c -o out",
        "gcc -E a.c",
        "gcc -fsyntax-only a.c",
        "clang -fsyntax-only a.c",
        "gcc a.c -M",
    ] {
        let plain = sandbox.plain(line);
        let (cached, went) = sandbox.cached(line);
        assert_eq!(plain, cached);
        assert!(!matches!(went, Hit | Stored | Failed), "{line}: {went:?}");
    }
}

#[test]
fn t117_t124_compilers_are_told_apart() {
    let sandbox = Sandbox::new("compilers").file("a.c", SOURCE);
    let mut count = 0;
    for compiler in
        ["gcc", "g++", "clang", "clang++", "x86_64-linux-gnu-gcc", "x86_64-w64-mingw32-gcc", "cc", "c++"]
    {
        sandbox.hits(format!("{compiler} -c a.c -o o.o"));
        count += 1;
    }
    wait_until("all are kept", || sandbox.quiet().count(cachepot_engine::stats::Stat::CacheWrites) == count);
    sandbox.sh("mkdir bin; ln -s /usr/bin/gcc bin/my.compiler-1.2; ln -s /usr/bin/clang bin/clang++");
    sandbox.hits("bin/my.compiler-1.2 -c a.c -o o.o");
    // One program, two names: the name says what it is.
    sandbox.hits("bin/clang++ -c a.c -o o.o");
}

#[test]
fn t091_t092_t043_diagnostics_are_replayed() {
    let text = "#warning \"seen\"\nint f(void) { int unused; return \"x\"; }";
    for compiler in ["gcc", "g++ -fpermissive", "clang"] {
        let sandbox = Sandbox::new("diagnostics").file("a.c", text);
        for words in [
            "",
            "-fdiagnostics-color=always",
            "-fdiagnostics-color=never",
            "-fdiagnostics-color=auto",
            "-fmessage-length=40",
            "-fno-diagnostics-show-caret",
            "-w",
        ] {
            let line = format!("{compiler} -c -Wall {words} a.c");
            match sandbox.cached(&*line).1 {
                Stored => assert_eq!(sandbox.expect(Hit, &*line).stderr.is_empty(), words == "-w", "{line}"),
                other => {
                    assert_eq!(other, Failed, "{line}");
                    sandbox.expect(Failed, &*line);
                }
            }
        }
        let line = format!("{compiler} -c -Wall a.c");
        for added in ["// above\n", "\n", "/* more */"] {
            sandbox.write("a.c", format!("{added}{text}"));
            let went = sandbox.cached(&*line).1;
            assert!(matches!(went, Stored | Failed), "{went:?}");
            sandbox.expect(if went == Stored { Hit } else { Failed }, &*line);
        }
    }
}
