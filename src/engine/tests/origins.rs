//! What directives say of other files: whose lines these are, which file is older, which header was precompiled; and of
//! places for the assembler.
use crate::scan::Findings;

fn of(text: &str) -> Findings {
    Findings::of(text.as_bytes())
}

/// The pragma that warns by the age of a file.
#[test]
fn pragmas_that_compare_ages_are_found() {
    for text in [
        "#pragma GCC dependency \"f\"",
        "_Pragma(\"GCC dependency \\\"f\\\"\")",
        "#pragma GCC/**/dependency \"f\"",
        "#pragma GCC \\\n dependency \"f\"",
        "#pragma GCC depen\\\ndency \"f\"",
        "_Pragma(\"GCC/**/dependency \\\"f\\\"\")",
        "PP(GCC /**/\n dependency \"f\")",
        "#define D dependency\nPP(GCC D \"f\")",
    ] {
        assert!(of(text).dependency, "{text:?}");
    }
    for text in
        ["int dependency; // GCC dependency", "#include <dependency>", "#error dependency", "#pragma GCC x"]
    {
        assert!(!of(text).dependency, "{text:?}");
    }
}

/// Texts that say where they come from, and preprocessed ones that name a precompiled header.
#[test]
fn lines_of_other_files_are_found() {
    let rows = [
        ("#line 2 \"g.y\"", Some("g.y")),
        ("# 2 \"g.y\"", Some("g.y")),
        ("# 2 \"/usr/include/a b.h\" 1 3 4\r\n", Some("/usr/include/a b.h")),
        (" %: line 2 \"g.y\"", Some("g.y")),
        ("%\\\n:line 2 \"g.y\"", Some("g.y")),
        ("%\\\0\n:line 2 \"g.y\"", Some("g.y")),
        ("%\\ \r\n:line 2 \"g.y\"", Some("g.y")),
        ("?\x3f=line 2 \"g.y\"", Some("g.y")),
        ("s = R\"(x)\";\n# /* note */ 2 \"g.y\"", Some("g.y")),
        ("s = R\"(x)\";\n# /* more\n */ line 2 \"g.y\"", Some("g.y")),
        ("#line 2\nint line;", None),
        ("# 2\n", None),
        ("mov r0, #5\n", None),
        ("ldr r0, [r1, #4]", None),
        ("// # 2 \"g.y\"", None),
        ("#define line 1", None),
        ("f(\"100%\\n\", line 2 \"g.y\");", None),
    ];
    for (text, expected) in rows {
        let found = of(text);
        let names = expected.iter().map(|name| name.as_bytes().to_vec());
        assert_eq!((found.lines_of, found.computed_lines), (names.collect(), false), "{text:?}");
    }
    // Where the name is not told.
    for text in [
        "# 0'2 \"g.y\"",
        "# 2\x0b\"g.y\"",
        "# 2\0\"g.y\"",
        "# 2 \u{c4}",
        "# 2 $P",
        "#/**/line/**/2 \"g.y\"",
        "# 2 /**/ \"g.y\"",
        "#line PLACE",
        "#line 2 PLACE",
        "#line 2 \"g\\056y\"",
        "#line 2 \"\"",
        "#li\\\nne 2 \"g.y\"",
        "# \\\n line 2\\\n \"g.y\"",
        "# 2\\\n \"g.y\"",
    ] {
        assert!(of(text).computed_lines, "{text:?}");
    }
    assert!(of("#pragma GCC pch_preprocess \"x.gch\"").precompiled);
    assert!(of("#pragma GCC pch_pre\\\nprocess \"x.gch\"").precompiled);
    assert!(!of("#pragma GCC poison x").precompiled);
}

/// Places in a source that an assembler is told.
#[test]
fn places_for_the_assembler_are_found() {
    for text in [
        "asm(\".file 1 \\\"x.c\\\"\");",
        "asm(\".loc 1 1\\nnop\");",
        "asm(\".loc\\t1 1\");",
        "asm(\".loc \" N);",
        "asm(\".loc\" \" 1 1\");",
        "\t.loc 1 1\n",
        "asm(S(.LOC 1 1));",
    ] {
        assert!(of(text).names_places, "{text:?}");
    }
    for text in ["a.loc = b.file; c.file\n1", "\t.file \"x.c\"\n", "\"a.file\" \"x.loc is\" \"b.loc\\n\""] {
        assert!(!of(text).names_places, "{text:?}");
    }
}
