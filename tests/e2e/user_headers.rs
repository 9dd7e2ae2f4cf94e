//! `-MMD`: the dependency file leaves out just what the plain compiler leaves out, whatever made a header one of the
//! system's, and the result is found again. Every compile is compared with the plain one, byte by byte.
use crate::harness::{CLIENT, Sandbox};
use std::ffi::OsStr;

/// Compiles a project in several ways.
#[track_caller]
fn check(files: &[(&str, &str)], words: &str) {
    let mut sandbox = Sandbox::new("user_headers").file("some/a", "");
    for (name, text) in files {
        sandbox = sandbox.file(name, text);
    }
    for compiler in ["gcc", "clang"] {
        for depend in ["-MMD", "-MMD -MP -MF some/x.d -MT one -MT two"] {
            sandbox.expect_same(format!("{compiler} -c a.c {depend} {words}"));
        }
    }
}

const SYSTEM: &str = "#include <stdio.h>\n#include <stdlib.h>\n";
const U: (&str, &str) = ("u.h", "int u;\n");

#[test]
fn t080_headers_that_become_system_headers() {
    let rows: &[&[(&str, &str)]] = &[
        &[
            ("a.c", "#include \"s.h\"\n#include \"u.h\"\n"),
            ("s.h", "#pragma GCC system_header\n#include \"t.h\"\n"),
            ("t.h", "int t;\n"),
            U,
        ],
        &[
            ("a.c", "#include \"s.h\"\n#include \"u.h\"\n"),
            ("s.h", "#include \"u.h\"\n# pragma GCC \\\n system_header\n#include \"t.h\"\n"),
            ("t.h", "int t;\n"),
            U,
        ],
        &[
            ("a.c", "#include \"s.h\"\n"),
            ("s.h", "#pra\\\ngma GCC system_header\n#include \"t.h\"\n"),
            ("t.h", "int t;\n"),
        ],
        &[
            ("a.c", "#include \"s.h\"\n"),
            ("s.h", "#pragma GCC sys\\\ntem_header\n#include \"t.h\"\n"),
            ("t.h", "int t;\n"),
        ],
        &[
            ("a.c", "#include \"s.h\"\n"),
            ("s.h", "_Pragma(\"GCC system_header\")\n#include \"t.h\"\n"),
            ("t.h", "int t;\n"),
        ],
        &[
            ("a.c", "#include \"s.h\"\n"),
            ("s.h", "#define P(x) _Pragma(#x)\nP(GCC system_header)\n#include \"t.h\"\n"),
            ("t.h", "int t;\n"),
        ],
        &[("a.c", "#include \"s.h\"\n"), ("s.h", "# 1 \"s.h\" 3\n#include \"t.h\"\n"), ("t.h", "int t;\n")],
        &[
            ("a.c", "#include \"s.h\"\n"),
            ("s.h", "%: /* c */ 1 \"s.h\" 3\n#include \"t.h\"\n"),
            ("t.h", "int t;\n"),
        ],
        &[
            ("a.c", "#include \"s.h\"\n"),
            ("s.h", "#inc\\\nlude \"t.h\"\n# include \\\n \"u.h\"\n"),
            ("t.h", "int t;\n"),
            U,
        ],
        &[
            ("a.c", "#define H \"t.h\"\n#include H\n#define S <stdio.h>\n#include S\n"),
            ("t.h", "#include <stddef.h>\n"),
        ],
    ];
    rows.iter().for_each(|files| check(files, ""));
}

#[test]
fn t080_folders_of_both_kinds() {
    let a = "#include \"h.h\"\n#include <stdio.h>\n#include <n.h>\n";
    let files = [
        ("a.c", a),
        ("h.h", "#include \"inc/m.h\"\n"),
        ("inc/m.h", SYSTEM),
        ("inc/n.h", "#include \"m.h\"\n"),
    ];
    for words in [
        "-Iinc",
        "-isystem inc",
        "-idirafter inc",
        "-iquote . -isystem inc -I.",
        "-I. -Iinc -I/usr/include",
        "-Iinc -I/usr",
        "-Iinc -I/",
        "-Iinc -include h.h",
        "-Iinc -include stdio.h",
        "-Iinc -include /usr/include/stdio.h",
        "-Iinc -imacros inc/n.h",
        "-I. -isystem ./inc",
        "-I./inc/../inc",
        "-Iinc -fsanitize=address,undefined",
        "-Iinc -g3",
        "-Iinc -flto -frandom-seed=1",
        "-Iinc -O2 -g -fno-canonical-system-headers",
        "-Iinc -Wp,-DX",
        "-Iinc -frecord-gcc-switches",
        "-Iinc -MD",
    ] {
        check(&files, words);
    }
}

#[test]
fn t080_names_that_both_kinds_have() {
    let rows: &[(&[(&str, &str)], &str)] = &[
        // A header of the system's includes the user's.
        (
            &[
                ("a.c", "#include <stdio.h>\n"),
                ("inc/features.h", "#include_next <features.h>\n#include \"f.h\"\n"),
                ("inc/f.h", "int f;\n"),
            ],
            "-Iinc",
        ),
        (
            &[
                ("a.c", "#include <features.h>\n#include <stdio.h>\n"),
                ("inc/features.h", "#include_next <features.h>\n"),
            ],
            "-Iinc",
        ),
        (
            &[
                ("a.c", "#include <stdio.h>\n#include <features.h>\n"),
                ("inc/features.h", "#include_next <features.h>\n"),
            ],
            "-Iinc",
        ),
        (
            &[
                ("a.c", "#include \"stdlib.h\"\n#include <bits/x.h>\n"),
                ("inc/bits/x.h", "#include <stdlib.h>\n"),
                ("stdlib.h", "int s;\n"),
            ],
            "-Iinc",
        ),
        (&[("a.c", "#include \"/usr/include/stdio.h\"\n")], ""),
        (&[("a.c", "#include <../include/stdio.h>\n")], ""),
        (&[("a.c", "#include \"../../../../../../../../usr/include/stdio.h\"\n#include <string.h>\n")], ""),
        (
            &[
                ("a.c", "#include \"h.h\"\n#include \"./h.h\"\n#include \"inc/../h.h\"\n"),
                ("h.h", "#include <stdio.h>\n"),
                ("inc/x", ""),
            ],
            "",
        ),
        (
            &[
                ("a.c", "#include \"sp ace.h\"\n#include \"do$lar.h\"\n#include <stdio.h>\n"),
                ("sp ace.h", ""),
                ("do$lar.h", ""),
            ],
            "",
        ),
        (&[("a.c", "#define X \"//usr/include/stdio.h\"\n#include X\n")], ""),
        // clang lists what it finds so.
        (&[("a.c", "#if __has_include(\"/usr/include/fcntl.h\")\nint f;\n#endif\n")], ""),
        (&[("a.c", "#define X \"/usr/include/fcntl.h\"\n#if __has_include(X)\nint f;\n#endif\n")], ""),
        (&[("a.c", "#define HAS __has_include\n#if HAS(\"/usr/include/fcntl.h\")\nint f;\n#endif\n")], ""),
        (&[("a.c", "#define X \"/./usr/include/stdio.h\"\n#include X\n")], ""),
        (&[("a.c", "#define O <\n#define X O/usr/include/stdio.h>\n#include X\n")], ""),
        (&[("a.c", "#define S() /\n#define X <S()usr/include/stdio.h>\n#include X\n")], ""),
        (
            &[("a.c", "#pragma include_alias(\"foo.h\",\"/usr/include/stdio.h\")\n#include \"foo.h\"\n")],
            "-fms-extensions",
        ),
        (
            &[
                ("a.c", "#include \"h.h\"\n"),
                (
                    "h.h",
                    "#define P _P##ra##gm##a\n#define S(x) P(#x)\n#define T(x) S(x)\n#define C(a,b) a##b\nT(GCC C(system_,header))\n#include \"k.h\"\n",
                ),
                ("k.h", "int k;\n"),
            ],
            "",
        ),
        (
            &[
                ("a.c", "#include \"/dev/null\"\n#include \"h.h\"\n"),
                ("h.h", "#pragma GCC system_header\n#include \"k.h\"\n"),
                ("k.h", "int k;\n"),
            ],
            "",
        ),
        (&[("a.c", "#include <stdio.h>\n#error no\n")], ""),
        (&[("a.c", "#include <stdio.h>\n#include \"missing.h\"\n")], ""),
        (&[("a.c", "#include <stdio.h>\nint x = y;\n")], ""),
        (&[("a.c", "#include <stdio.h>\nvoid f(void) { __asm__(\"no such thing\"); }\n")], ""),
        (&[("a.c", "#include <stdio.h>\n#include <sys/param.h>\n#warning told\nint f(void) { }\n")], "-Wall"),
    ];
    rows.iter().for_each(|(files, words)| check(files, words));
}

#[test]
fn t080_links_and_variables() {
    for compiler in ["gcc", "clang"] {
        for (links, words) in [
            ("ln -s /usr/include/stdio.h s.h", ""),
            ("ln -s /usr/include/x86_64-linux-gnu inc", "-Iinc"),
            ("ln -s /usr/include inc", "-isystem inc"),
            (
                "mkdir real; echo 'int r;' > real/r.h; ln -s real inc; echo '#include \"inc/r.h\"' >> a.c",
                "-I.",
            ),
            ("mkdir inc; echo 'int r;' > inc/r.h; ln inc/r.h r.h; echo '#include \"r.h\"' >> a.c", "-Iinc"),
            // It fails, and writes the file all the same.
            ("echo '#error no' > r.h; ln -s r.h l.h; echo '#include \"l.h\"' >> a.c", ""),
        ] {
            let source = "#include <stdio.h>\n#if __has_include(\"s.h\")\n#include \"s.h\"\n#endif\n#include <sys/cdefs.h>\n";
            let sandbox = Sandbox::new("user_links").file("a.c", source);
            sandbox.sh(links).settle();
            sandbox.expect_same(format!("{compiler} -c a.c -MMD {words}"));
        }
        for name in ["CPATH", "C_INCLUDE_PATH"] {
            let sandbox = Sandbox::new("user_env")
                .env(name, "inc")
                .file("a.c", "#include <h.h>\n")
                .file("inc/h.h", SYSTEM);
            sandbox.expect_same(format!("{compiler} -c a.c -MMD"));
        }
        let sandbox = Sandbox::new("user_words").file("a.c", SYSTEM).file("words", "-MMD -c");
        sandbox.expect_same(format!("{compiler} @words a.c"));
        sandbox.expect_same(format!("{compiler} -c -Wp,-MMD,x.d a.c"));
    }
}

/// Where lines of a dependency file are broken: names of all lengths at all columns.
#[test]
fn t080_lines_break_where_the_compiler_breaks_them() {
    for compiler in ["gcc", "g++", "clang"] {
        let (mut sandbox, mut source) = (Sandbox::new("user_lines"), SYSTEM.to_owned());
        for length in (1..90).chain(30..36) {
            let name = format!("{}{length}.h", "n".repeat(length));
            source += &format!(
                "#include \"{name}\"\n#include <{}>\n",
                ["time.h", "signal.h", "math.h"][length % 3]
            );
            sandbox = sandbox.file(&name, "");
        }
        let target = "t".repeat(60);
        let sandbox = sandbox.file("a.c", source);
        for words in
            ["", "-MP", &format!("-MT {target}"), &format!("-MP -MT {target} -MT {target}x -MQ {target}y")]
        {
            sandbox.hits(format!("{compiler} -c a.c -MMD {words}"));
        }
    }
}

#[test]
fn t080_other_outputs_stay_as_they_are() {
    for compiler in ["gcc", "clang"] {
        let odd = Sandbox::new("user_odd")
            .file("a.S", "#include \"a b.h\"\n")
            .file("a.c", "#include \"a b.h\"\n#include <stddef.h>\nint f(void) { return 1; }\n")
            .file("a b.h", "#define A 1\n")
            .file("r.d", "x");
        for words in [
            "a.S -o z.o",
            "a.c -fstack-usage",
            "a.c -g -gsplit-dwarf",
            "a.c -o z.o -MP",
            "a.c -MT t -MQ $u -MP",
        ] {
            odd.expect_same(format!("{compiler} -c -MMD {words}"));
        }
        // The file is a link, a fifo, a stream.
        odd.sh("ln -s r.d a.d").settle();
        odd.expect_same(format!("{compiler} -c -MMD a.c"));
        let line = format!(
            "rm -f a.d; mkfifo a.d; (cat a.d > seen &) ; \"$CACHEPOT_CLIENT\" {compiler} -c -MMD a.c && sleep 0.2 && cat seen"
        );
        let told =
            odd.command("/bin/sh").env("CACHEPOT_CLIENT", CLIENT).args(["-c", &line]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&told.stdout), "a.o: a.c a\\ b.h\n");
    }
}

#[test]
fn t080_words_that_look_like_it() {
    let sandbox = Sandbox::new("user_words").file("a.c", SYSTEM);
    for words in [
        "gcc -c a.c --write-user-dependencies",
        "gcc -c a.c --write-user-dependencies -MT -MMD",
        "gcc -c a.c --write-user-dependencies -MF -MMD",
        "clang -c a.c --write-dependencies -MMD",
        "clang -c a.c -MMD --write-dependencies",
        "gcc -c -MMD -MMD a.c",
        "clang -c -MMD -- a.c",
    ] {
        sandbox.expect_same(words);
    }
    let words =
        ["gcc", "-c", "a.c", "-MMD", "-MT", "12345678901234\n00000000000000000000000000000000000000000001"];
    sandbox.expect_same(words.map(OsStr::new));
}

/// A fifo as a header, which the compile alone may read.
#[test]
fn t037_a_header_that_is_read_once() {
    for name in ["r.h", "q r.h"] {
        let sandbox =
            Sandbox::new("user_fifo").file("a.c", format!("#include <stddef.h>\n#include \"{name}\"\n"));
        let line = format!(
            "mkfifo '{name}'; (echo 'int r;' > '{name}' &) ; exec \"$CACHEPOT_CLIENT\" gcc -c -MMD a.c"
        );
        let told =
            sandbox.command("/bin/sh").env("CACHEPOT_CLIENT", CLIENT).args(["-c", &line]).status().unwrap();
        assert!(told.success());
    }
}
