//! Dependency text of `-MD` made into that of `-MMD`, and what makes headers system headers.
use crate::job::Family::{self, Clang, Gcc};
use crate::narrow::narrow;
use crate::scan::Findings;

fn without_system(text: &str, family: Family) -> Option<String> {
    let narrowed = narrow(text.as_bytes(), family, |name| name.starts_with(b"/usr"))?;
    Some(String::from_utf8(narrowed).unwrap())
}

#[test]
fn system_headers_are_left_out() {
    const ROWS: &[(Family, &str, &str)] = &[
        (Gcc, "a.o: a.c /usr/x.h h.h\n", "a.o: a.c h.h\n"),
        (Gcc, "a.o: a.c\n", "a.o: a.c\n"),
        (Gcc, "a.o b.o: a.c /usr/x.h h.h\n/usr/x.h:\nh.h:\n", "a.o b.o: a.c h.h\nh.h:\n"),
        (Clang, "a.o: a.c /usr/x.h h.h\n\n/usr/x.h:\n\nh.h:\n", "a.o: a.c h.h\n\nh.h:\n"),
        (Clang, "a.o: /usr/list a.c h.h\n/usr/list:\nh.h:\n", "a.o: a.c h.h\nh.h:\n"),
        (Gcc, "a.o: a.c h.h h.h /usr/x.h\n", "a.o: a.c h.h h.h\n"),
        (
            Gcc,
            "a.o: a.c /usr/include/a/rather/long/path/of/some/header.h one/more.h \\\n two/more.h\n",
            "a.o: a.c one/more.h two/more.h\n",
        ),
        (
            Clang,
            "a.o: a.c /usr/include/a/rather/long/path/of/some/header.h one/more.h \\\n  two/more.h\n",
            "a.o: a.c one/more.h two/more.h\n",
        ),
    ];
    for (family, text, expected) in ROWS {
        assert_eq!(without_system(text, *family).as_deref(), Some(*expected), "{text:?}");
    }
}

#[test]
fn what_is_not_understood_is_left_to_the_compiler() {
    const ROWS: &[&str] = &[
        "",
        "a.o: a.c",
        "a.o a.c\n",
        "a.o: a.c a\\ b.h\n",
        "a.o: a.c a$$b.h\n",
        "a.o: a.c a\\#b.h\n",
        "a.o: a.c \\\n h.h\n",
        "a.o: a.c  h.h\n",
        "a.o: a.c h.h\nh.h:\nx.h:\n",
        "a.o: a.c h.h i.h\nh.h:\n",
        "a.o: a.c h.h\r\n",
        "one\ntwo: a.c h.h\n",
    ];
    for text in ROWS {
        assert_eq!(without_system(text, Gcc), None, "{text:?}");
        assert_eq!(without_system(text, Clang), None, "{text:?}");
    }
}

/// `i`: an include whose name is not spelled out; `s`: the text may turn into a system header.
#[test]
fn texts_that_hide_what_they_include_or_are() {
    const ROWS: &[(&str, &str)] = &[
        ("#include <a.h>\n# include \"b.h\"\n#import <c.h>\n#include_next <d.h>\n", ""),
        ("#include H\n", "i"),
        ("#include_next H\n", "i"),
        ("# /* c */ import H\n", "i"),
        ("#include \\\n <a.h>\n", "i"),
        ("#inc\\\nlude <a.h>\n", "is"),
        ("%:include <a.h>\n", "i"),
        ("??=include <a.h>\n", "i"),
        ("int x; // include H\n#define include 1\n", ""),
        ("#pragma once\n#pragma GCC diagnostic push\n#line 3\n#if 1\n#define X 3\n", ""),
        ("#pragma GCC system_header\n", "s"),
        ("#pragma clang system_header\n", "s"),
        ("#pragma GCC \\\n system_header\n", "s"),
        ("#pragma GCC sys\\\ntem_header\n", "s"),
        ("#pragma omp parallel for \\\n private(x)\n", "s"),
        ("#pra\\\ngma GCC sys\\\ntem_header\n", "is"),
        ("# 3 \"a.h\" 3\n", "s"),
        ("# /* c\n */ 3 \"a.h\" 3\n", "s"),
        ("%: 3 \"a.h\" 3\n", "s"),
        ("_Pragma(\"GCC diagnostic push\")\n_Pragma ( \"once\" )\n", ""),
        ("_Pragma(\"GCC system_header\")\n", "s"),
        ("_Pragma(\"GCC sys\\\ntem_header\")\n", "s"),
        ("#define P(x) _Pragma(#x)\n", "s"),
        ("#define P _Pra ## gma\n", "s"),
        ("#define P _P##ra##gm##a\n", "s"),
        ("#pragma include_alias(<a.h>, <b.h>)\n", "s"),
        ("int x??/\n;\n", "is"),
    ];
    for (text, expected) in ROWS {
        let found = Findings::of(text.as_bytes());
        let seen = [(found.computed_include, 'i'), (found.may_turn_system, 's')];
        let seen: String = seen.iter().filter(|(is_so, _)| *is_so).map(|(_, c)| c).collect();
        assert_eq!(seen, *expected, "{text:?}");
    }
}

/// What a computed include may put together; parts of paths count as well.
#[test]
fn absolute_paths_on_lines_of_directives() {
    const ROWS: &[(&str, &[&str])] = &[
        ("#define P \"/opt\"\n", &["/opt\""]),
        ("#define P \"/usr/a-b.h\"\n", &["/a-b.h\"", "/usr/a-b.h\""]),
        ("#define P /usr\n#include X(/opt)\n", &["/opt", "/usr"]),
        ("#include \\\n</opt>\n", &["/opt"]),
        ("#define Q (a)/b + a/c + a / d\nchar *p = \"/usr\";\n", &["/b", "/c"]),
        ("#define P \"/./usr\"\n#define R \"//opt\"\n", &["/opt\"", "/usr\""]),
        ("#define P \"/usr x\"\n#define R \"/opt\\x\"\n", &["/opt", "/usr x\""]),
        ("#define P '\"' /usr \"\n#define R \"/opt\n", &["/opt", "/usr"]),
        ("#define O <\n#define P O/usr>\n", &["/usr"]),
        ("#define S() /\n", &["/"]),
        ("#define T \"/tmp/\"\n", &["/tmp/\""]),
        ("#define Q 1 // usr/a\n#if X /* /usr */\n", &[]),
        ("int x; ??/\n; char *p = \"/usr\";\n", &["/usr"]),
    ];
    for (text, expected) in ROWS {
        let found = Findings::of(text.as_bytes()).paths;
        let found: Vec<_> = found.iter().map(|path| std::str::from_utf8(path).unwrap()).collect();
        assert_eq!(found, *expected, "{text:?}");
    }
}
