//! Folders that are left out where a build script of cargo calls a compiler.
use super::{call, job};
use crate::compiler::gnu::{Asks, names_origin, plan};
use crate::digest::Digest;
use crate::job::Family;
use crate::key::{JobFacts, job_key};
use std::path::Path;

const CARGO: &str = "CACHEPOT_REMAP_RELATIVE=1 HOME=/h CARGO_MANIFEST_DIR=/w/p OUT_DIR=/w/target/debug/build/p-0123456789abcdef/out";
const OTHER: &str = "CACHEPOT_REMAP_RELATIVE=1 CARGO_HOME=/c CARGO_MANIFEST_DIR=/x/y/p OUT_DIR=/x/y/target/debug/build/p-0123456789abcdef/out";

/// The letters and folders of a line.
fn bases(line: &str) -> String {
    let line = line.replace("CARGO ", &format!("{CARGO} "));
    let bases = job(&line).bases;
    let texts =
        bases.iter().map(|base| format!("{}:{}", base.letter as char, String::from_utf8_lossy(&base.folder)));
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn t145_folders_that_are_left_out() {
    const HOME: &str = "/h/.cargo/registry g:/h/.cargo/git";
    let rows: &[(&str, String)] = &[
        ("cd:/w/p CARGO gcc -c a.c", format!("r:{HOME} w:/w")),
        ("cd:/w/p gcc -c a.c", String::new()),
        ("cd:/w/p CACHEPOT_REMAP_RELATIVE=1 HOME=/h gcc -c a.c", String::new()),
        // The target folder is elsewhere, or not named `target`.
        (
            "cd:/w/p CACHEPOT_REMAP_RELATIVE=1 HOME=/h CARGO_MANIFEST_DIR=/w/p OUT_DIR=/t/debug/build/p-0123456789abcdef/out gcc -c a.c",
            format!("r:{HOME} p:/w/p t:/t"),
        ),
        (
            "cd:/w/p CACHEPOT_REMAP_RELATIVE=1 HOME=/h TARGET=x-y CARGO_MANIFEST_DIR=/w/p OUT_DIR=/w/target/x-y/debug/build/p-0123456789abcdef/out gcc -c a.c",
            format!("r:{HOME} w:/w"),
        ),
        // A package of the registry.
        (
            "cd:/h/.cargo/registry/src/i/p CACHEPOT_REMAP_RELATIVE=1 HOME=/h CARGO_MANIFEST_DIR=/h/.cargo/registry/src/i/p OUT_DIR=/w/target/debug/build/p-0123456789abcdef/out gcc -c a.c",
            format!("r:{HOME} t:/w/target"),
        ),
    ];
    for (line, expected) in rows {
        let sorted = |text: &str| {
            let mut parts: Vec<&str> = text.split(' ').collect();
            parts.sort_unstable();
            parts.join(" ")
        };
        assert_eq!(sorted(&bases(line)), sorted(expected), "{line}");
    }
}

/// The name of a folder where anybody finds it is no harm; elsewhere it is.
#[test]
fn t145_words_with_which_folders_are_not_left_out() {
    let plain = [
        "-g",
        "-O2 -fPIC -Wall -m64 -pthread -std=c99 -DX=1",
        "-I/w/p/i -include /w/x.h",
        "-MD -MF /w/x.d -MT /w/x",
        "-Wa,--noexecstack",
        "-Wp,-DX",
    ];
    for words in plain {
        assert_ne!(bases(&format!("cd:/w/p CARGO gcc -c a.c -o /w/a.o {words}")), "", "{words}");
        assert_ne!(bases(&format!("cd:/w/p CARGO clang -c a.c -o /w/a.o {words}")), "", "{words}");
    }
    let unsure = [
        "-DX=/w/p",
        "-Wp,-DX=/w",
        "--sysroot=/w/s",
        "-isystem i",
        "-flto",
        "-gz",
        "-g -gsplit-dwarf",
        "-fdebug-types-section",
        "-frandom-seed=1",
        "-fsanitize=address",
        "-ffile-prefix-map=/w=x",
        "-fmacro-prefix-map=/=x",
        "-fmacro-prefix-map=/w/p=/w/q",
        "-fmacro-prefix-map=/w/p=b=c",
        "-frecord-gcc-switches",
        "-fstack-usage",
        "-funknown",
        "-fopenmp",
        "--sysroot=../s",
        "-isysroot s",
        "-fcoverage-prefix-map=/w/p=x",
        "-fms-extensions",
        "-fmacro-prefix-map=/h/.cargo/git=x -fmacro-prefix-map=/h=x",
        "-Wa,--compress-debug-sections",
        "-S",
    ];
    for words in unsure {
        assert_eq!(bases(&format!("cd:/w/p CARGO gcc -c a.c -o /w/a.o {words}")), "", "{words}");
    }
    for line in ["gcc -c a.s", "gcc -c a.i", "gcc -c a.m", "clang -c a.S", "COMPILER_PATH=/w/b gcc -c a.c"] {
        assert_eq!(bases(&format!("cd:/w/p CARGO {line}")), "", "{line}");
    }
    // A folder that begins like one.
    assert_eq!(bases("cd:/wide/p CARGO gcc -c a.c"), "");
}

#[test]
fn t145_compilers_are_told_where_there_is_debug_information() {
    let added = |line: &str| {
        let line = line.replace("CARGO ", &format!("{CARGO} "));
        let (request, driver) = call(&line);
        let plan = plan(&job(&line), &driver, Path::new("/s/1"), &request);
        let words = plan.argv.iter().filter_map(|word| word.to_str()?.strip_prefix("-fdebug-prefix-map="));
        let env = plan.env.iter().map(|(name, value)| format!("{}={}", name.display(), value.display()));
        env.chain(words.map(str::to_owned)).collect::<Vec<_>>().join(" ")
    };
    let maps = "/w=. /h/.cargo/git=/cargo/git /h/.cargo/registry=/cargo/registry";
    assert_eq!(added("cd:/w/p CARGO PWD=/l gcc -g -c a.c"), format!("PWD=/w/p {maps}"));
    assert_eq!(added("cd:/w/p CARGO PWD=/l gcc -c a.c"), "");
    assert_eq!(added("cd:/w/p gcc -g -c a.c"), "");
}

#[test]
fn t145_checkouts_share_a_key() {
    let key = |line: &str| {
        let (_, driver) = call(line);
        let (identity, variables, key_files, cpu) = (Digest::of(b"cc"), &[][..], &[][..], None);
        let (job, pwd_leads_here) = (job(line), false);
        job_key(&JobFacts { identity, driver: &driver, job: &job, variables, key_files, cpu, pwd_leads_here })
    };
    for words in ["-c a.c", "-g -c a.c", "-c a.c -I/W/i", "-g -c /W/p/a.c -o /W/target/a.o -MD"] {
        let (one, other) = (words.replace("/W", "/w"), words.replace("/W", "/x/y"));
        // What is kept for the one holds marks.
        let plain = key(&format!("cd:/w/p gcc {one}"));
        let one = key(&format!("cd:/w/p PWD=/a {CARGO} gcc {one}"));
        assert_eq!(one, key(&format!("cd:/x/y/p PWD=/b {OTHER} gcc {other}")), "{words}");
        assert_ne!(one, plain);
    }
}

#[test]
fn t145_texts_that_say_where_they_come_from() {
    let rows = [
        "#line 1 \"/a/b.y\"",
        " # line 12 \"/a\"",
        "#\tline N",
        "#line 3 NAME",
        "#line 3 \"\\057a\"",
        "# 1 \"/a/b.c\" 1 3",
        "%:line 1 \"/a\"",
        "??=line 1 \"/a\"",
        "/* x */ #line 1 \"/a\"",
        "#/**/line 1 \"a\"",
        "#\\\nline 1 \"/a\"",
        "#line \\\n1 \"/a\"",
        "\t.file \"/a/b.s\"",
        "\t.file 1 \"/a\" \"b.s\"",
        "asm(\".file \\\"/a/b\\\"\");",
        "#line/**/7 \"/a\"",
        "#line 7 /**/ \"/a\"",
        "# 7 F",
        "#\u{c}line 7 \"/a\"",
        "#line\u{b}7 \"/a\"",
        "#li\\\nne 7 \"/a\"",
        "#li\\ \nne 7 \"/a\"",
        "#li??/\nne 7 \"/a\"",
        "\u{feff}#line 7 \"/a\"",
        ".FILE 1 \"/a\"",
        ".file/**/1 \"/a\"",
        ".linefile 3 \"/a\"",
    ];
    for text in rows {
        assert!(names_origin(text.as_bytes()), "{text}");
    }
    let others = [
        "",
        "#include \"/a/b.h\"",
        "#define PATH \"/usr\"",
        "#line 1 \"b.y\"",
        "#line 7\n",
        "# 1 \"b.c\"",
        "#define S(line) #line",
        "a##line",
        "#liner x",
        "# define X 1",
        "#",
        "x.file = 1;",
        ".file \"b.s\"",
        "#define X \\\n 1",
        "https://x/#/y",
        "// see #7 of /x",
        "mov x, #7 \"/a\"",
    ];
    for text in others {
        assert!(!names_origin(text.as_bytes()), "{text}");
    }
}

#[test]
fn t145_texts_that_make_something_of_names() {
    let asks = |text: &str, family| {
        let Asks { by_macro, by_compiler } = Asks::of(text.as_bytes(), family);
        (by_macro, by_compiler)
    };
    for family in [Family::Gcc, Family::Clang] {
        assert_eq!(asks("sizeof(__FILE__)", family), (true, false));
        assert_eq!(asks("__BASE_FILE__", family), (true, false));
        assert_eq!(asks("__builtin_FILE()", family), (false, true));
        assert_eq!(asks("std::source_location", family), (false, true));
        assert_eq!(asks("__FILE_NAME__ FILE *f", family), (false, false));
        assert_eq!(asks("__FI\\\nLE__", family), (true, false));
        assert_eq!(asks("void __assert_fail(const char *, const char *);", family), (true, false));
        assert_eq!(asks("__FUNCSIG__", family), (false, family == Family::Clang));
        assert_eq!(asks("__PRETTY_FUNCTION__", family), (false, family == Family::Clang));
    }
}
