//! What texts say: time macros, `__has_include`, assembler directives, `#embed`, and that nothing hides them.
use crate::scan::{Findings, Hidden};
use proptest::prelude::*;

fn of(text: &str) -> Findings {
    Findings::of(text.as_bytes())
}

/// The macros that a text may use: `t`, `d`, `s` for the time stamp of the file.
pub(super) fn macros(text: &str) -> String {
    let Hidden { time, date, timestamp, .. } = of(text).hidden();
    [(time, 't'), (date, 'd'), (timestamp, 's')].iter().filter(|(used, _)| *used).map(|(_, c)| c).collect()
}

/// Traps T1 to T5.
#[test]
fn time_macros_are_found_in_every_form() {
    let rows: &[(&str, &str)] = &[
        ("int x;", ""),
        ("s = __TIME__;", "t"),
        ("s = __DATE__ __TIME__;", "td"),
        ("__TIMESTAMP__", "s"),
        ("__TIME__x x__TIME__ __time__ TIME", ""),
        ("\"__TIME__\"", "t"),
        // Words of the command line.
        ("-DSTAMP=__TIME__", "t"),
        ("-D_T_IM=1", ""),
        // Pasted.
        ("__TI ## ME__", "t"),
        ("__TIM##E__", "t"),
        ("f(__DA,TE__)", "d"),
        ("f(_, _DATE__)", "d"),
        ("f(__, TIME, __)", "t"),
        ("f(__, TI, ME__)", "t"),
        ("f(_, _TIME_, _)", "t"),
        ("f(__TIMES, TAMP, __)", "s"),
        ("f(__T, ME__)", ""),
        // Splices.
        ("__TI\\\nME__", "t"),
        ("__TI\\ \nME__", "t"),
        ("_Pragma(\"message(__TI\\\nME__)\")", "t"),
        ("__TI\\\r\nME__", "t"),
        ("__TI?\x3f/\nME__", "t"),
        ("__\\\nTIME\\\n__", "t"),
        // Comments.
        ("// __TIME__", ""),
        ("/* __TIME__ */", ""),
        ("/* a\n * __TIME__\n */ x", ""),
        ("/* a */ __TIME__", "t"),
        ("// a\n__TIME__", "t"),
        ("/* \" */ /* __TIME__ */", ""),
        ("s = \"a\"; // __TIME__", ""),
        ("s = \"a\"; /* b\n __TIME__ */", ""),
        ("c = '\"'; /* __TIME__ */", ""),
        ("n = 1'000;\n/* __TIME__ */", ""),
        ("#include <sys/x.h> // __TIME__", ""),
        ("#define A \\\n  b /* __TIME__ */", ""),
        ("#if A < 3 /* __TIME__ */\n#if A < 3 && B > 2 // __TIME__", ""),
        ("x < /* __TIME__ */ y > z", ""),
    ];
    for (text, expected) in rows {
        assert_eq!(macros(text), *expected, "{text:?}");
    }
}

/// Whatever looks like a comment and is none.
#[test]
fn comments_never_hide_code() {
    let rows = [
        "\"/*\" @ \"*/\"",
        "\"http://x\" @",
        "'/*' @ '*/'",
        "'//' @",
        "\"\\\"/*\" @ /* \" */",
        "\"\\\\\" @ /* \" */",
        "\"a\\\n/*\" @ \"*/\"",
        "\"a\\ \n/*\" @ \"*/\"",
        "\"a?\x3f/\"/*\" @ /*\"*/",
        "/* *?\x3f/\n/\n@ /* */",
        "R\"(\"/*)\" @ // */",
        "LR\"x(\n)\" /*)x\" @ \"*/\"",
        "u8R\"(/*)\" @ \"*/\"",
        "R\\\n\"(\"/*)\" @ // */",
        "u\\\n8R\"(\"/*)\" @ // */",
        "#include <a//b> @",
        "#include <a/*b>\n@ // */",
        "#include_next <a/*b>\n@ // */",
        "/* */ #include <a/*b>\n@ // */",
        "#/**/include <a/*b>\n@ // */",
        "#import <a/*b>\n@ // */",
        "#if __has_include(<a/*b>)\n@ // */",
        "#embed <a/*b>\n@ // */",
        "puts(\"#include <\"); @; a > b",
        "a = x # include < @ >",
        "\"\\\n#include <\" @ \">\"",
        "#include <a\n@ >",
        // Names of headers where nothing shows that they are some.
        "#inc\\\nlude <a/*b.h>\n@ /**/",
        "#define H __has_include\n#if H(<a/*b.h>)\n#endif\n@ /**/",
        "#if H(<a\\\n/*b.h>)\n#endif\n@ /**/",
        "#if H(<a//b.h>) || @",
        "#pragma include_alias(<x/*y>, <z>)\n@ /**/",
        // Comments end, and lines of them.
        "/**/ @",
        "/***/ @",
        "/*/ */ @",
        "/* *\\\n/ @ /* */",
        "/* *\\ \n/ @ /* */",
        "/* *\\\r\n/ @ /* */",
        "// a \\\n /* \n@ // */",
        "// a \\ \n /* \n@ // */",
        "/\\\n/ a /*\n@ // */",
        "/\\\n* a\n // */ @",
        "// a \r @",
        "// a \r /* b\n // */ @",
        "//* a */ 1\n@",
        // C90 knows no line comments.
        "1 //* a */ @",
        "1 //* a\n // */ @",
        "/* unterminated\n@",
        // Quotes without a partner.
        "#error don't /* \n@ // */",
        "#error \"a /* \n@ // */",
        "n = 1'000'000 /* a\n */; @ // */",
        "x = \"a\"; /* b\n // */ @",
        "#if 0\n'\n/* ' */\n#endif\n@",
        "1'0//\\1'0 @",
        "1'0 /* '\n @ // */",
        "don't \"/*\" @ \"*/\"",
    ];
    for row in rows {
        let text = row.replace('@', "__TIME__");
        assert_eq!(macros(&text), "t", "{text:?}");
    }
}

/// Macro pieces of one unit may stand in different files.
#[test]
fn pieces_of_several_texts_come_together() {
    let mut found = of("#define A __TI");
    assert_eq!(found.hidden(), Hidden::default());
    found.merge(of("-DB=ME__"));
    assert!(found.hidden().time);
    let mut found = of("asm(\".inc\" X)");
    found.merge(of("#define X \"bin \\\"f\\\"\""));
    assert_eq!(found.hidden().directive, Some(".incbin"));
}

/// Trap T6: names asked for; `?` for one that is not spelled out.
#[test]
fn has_include_is_found_in_every_form() {
    let rows: &[(&str, &[&str])] = &[
        ("#if __has_include(\"a.h\")", &["a.h"]),
        ("#if __has_include ( <sys/a.h> )", &["sys/a.h"]),
        ("#if __has_include_next(<a.h>)", &["a.h"]),
        ("#if __has_include(<a.h>) && __has_include(\"b.h\")", &["a.h", "b.h"]),
        ("#if defined(__has_include) && __has_include(<a.h>)", &["a.h"]),
        ("#ifdef __has_include\n#ifndef __has_include\n#if defined __has_include", &[]),
        ("#if mydefined(__has_include)", &["?"]),
        ("#if __has_include(NAME)", &["?"]),
        ("#define has(x) __has_include(x)", &["?"]),
        ("#define has __has_include_next", &["?"]),
        ("#define has __has_include //", &["?"]),
        ("#define has() __has_include", &["?"]),
        ("#define has a __has_include", &["?"]),
        ("#define a \\\nhas __has_include", &["?"]),
        ("p(#define has __has_include\n)", &["?"]),
        ("#if __has_include \\\n(\"a.h\")", &["?"]),
        ("#if __has_include(\\\n\"a.h\")", &["?"]),
        ("#if __has_include /* c */ (\"a.h\")", &["?"]),
        ("#if __has_include(\"a\\\n.h\")", &["?"]),
        ("#if __has_inc\\\nlude(\"a.h\")", &["?"]),
        ("#define has(x) __has_ ## x\n#if has(include)(<a.h>)", &["?"]),
        ("#define has(x, y) _ ## _has_inc ## x ## y\n#if has(lude, _next)(<a.h>)", &["?"]),
        ("#if p(__, has_include)", &["?"]),
        ("#if p(__, has_, include)", &["?"]),
        ("#if p(__, has, _include)", &["?"]),
        ("#define a p(__has_incl, ude_next)", &["?"]),
        ("#if __has_em ## bed", &["?"]),
        ("__has_attribute(x) __has_builtin(y) __h has", &[]),
        ("#define has(x) __has_##x\n#error \"Never include\"\n#include <a.h>", &[]),
        ("R\"(\")\"\n#define has(x) __has_##x\n#if has(include)(<a.h>) // \"", &["?"]),
        ("#define has(x) __has_##x\nstring include;", &[]),
        ("#define has(x) __has_##x\n#error Never include <a.h>\n# warning include", &[]),
        ("#define has(x) __has_##error ## include", &["?"]),
        ("R\"()\"\n#define has(x) __has_##x\n#include <a.h>\n # include \"b.h\"", &[]),
        ("int has_i = 0, has_e; if (has_i) include(has_e);", &[]),
        ("// __has_include(X)\n/* __has_include(X) */", &[]),
        ("\"//\" __has_include(\"a.h\")", &["a.h"]),
    ];
    for (text, expected) in rows {
        let found = of(text);
        let mut names: Vec<_> =
            found.has_include.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        names.extend(found.may_ask_for_any().then(|| "?".to_owned()));
        assert_eq!(names, *expected, "{text:?}");
    }
}

/// Trap T21: `b` for `.incbin`, `i` for `.include`; `?` where only the preprocessed text can tell.
#[test]
fn assembler_directives_are_found_in_every_form() {
    let rows: &[(&str, &str)] = &[
        (".incbin \"f\"", "b"),
        ("\t.include \"f\"", "i"),
        (".INCBIN \"f\"", "b"),
        (".Include \"g\"", "i"),
        (".incbin FILE", "b"),
        (".incbin \\name", "b"),
        (".incbin/**/\"f\"", "b"),
        ("asm(\".incbin \\\"f\\\"\");", "b"),
        ("asm(\"x: .incbin\\t\\\"f\\\"\\n\");", "b"),
        ("asm(\".incbin\" \" \\\"f\\\"\");", "b"),
        ("asm(\".inc\" \"bin \\\"f\\\"\");", "?b"),
        ("asm(\".in\" \"cb\" \"in \\\"f\\\"\");", "?b"),
        ("asm(\".\" \"incbin \\\"f\\\"\");", "?b"),
        ("asm(\"x.\" \"inc\" \"bin \\\"f\\\"\");", "?b"),
        ("asm(\".incl\" \"ude \\\"f\\\"\");", "?i"),
        ("asm(\".\" \"include \\\"f\\\"\");", "?i"),
        ("asm(\"\\56incbin \\\"f\\\"\");", "b"),
        ("#define S(x) #x\nasm(S(.incbin \"f\"));", "b"),
        ("R\"(.incbin \"f\")\"", "b"),
        // What begins as a comment for us may be none for an assembler.
        ("# see /*\n.incbin \"f\"\n# */", "b"),
        ("@ // .incbin \"f\"", "b"),
        // Members and other words.
        ("a.incbin(x); a.include = b; f(a.include); p->incbin();", ""),
        ("a.incbin; a.include.b; x.include, y; s.include && t", ""),
        ("void incbin(int); struct include {};", ""),
        ("\"incbin\" \"include\" \"bin\" \"inc\"", ""),
        ("f(\"include/x.h\"); strcmp(word, \"include\");", ""),
        ("#include \"a.h\"\n#include <b.h>", ""),
        ("/* see \"include\" and foo.include */", ""),
    ];
    for (text, expected) in rows {
        let found = of(text);
        let seen = match (found.directive_spelled(), found.hidden().directive) {
            (Some(spelled), hidden) => {
                [if hidden == Some(spelled) { "" } else { "!" }, letter(spelled)].concat()
            }
            (None, Some(hidden)) => ["?", letter(hidden)].concat(),
            (None, None) => String::new(),
        };
        assert_eq!(seen, *expected, "{text:?}");
    }
}

fn letter(directive: &str) -> &'static str {
    if directive == ".incbin" { "b" } else { "i" }
}

/// Trap T21: pieces matter where they stand side by side once macros are replaced.
#[test]
fn directives_in_preprocessed_text() {
    let rows: &[(&str, &str)] = &[
        ("asm(\".\" \"include \\\"f\\\"\");", "i"),
        ("asm(\".inc\"\n# 3 \"b.h\" 2\n  \"bin f\");", "b"),
        ("asm(\".inc\" u8\"bin f\");", "b"),
        ("asm(\"\\56INCBIN f\");", "b"),
        ("asm(\"\\u002eincbin f\");", "b"),
        (".incbin \"f\"", "b"),
        // Side by side with something else; in two statements.
        ("f(\".\", \"include\"); g(\".\"); h(\"include\");", ""),
        ("{ '.', \".\" } \"include\" '\"' \".\";", ""),
        ("case \".\": 1'000; \"include\";", ""),
        ("test(\"Parser\" \".\" \"Include\");", ""),
        // What cannot be told.
        ("f(\".\", \"include\", R\"(x)\");", "b"),
        ("f(\".\", \"include\", \"\\N{FULL STOP}\");", "b"),
    ];
    for (text, expected) in rows {
        let seen = Hidden::in_preprocessed(text.as_bytes()).directive.map_or("", letter);
        assert_eq!(seen, *expected, "{text:?}");
    }
}

/// Trap T22.
#[test]
fn embed_is_found_in_every_form() {
    for text in [
        "#embed <f>",
        " # embed \"f\"",
        "%:embed <f>",
        "?\x3f=embed <f>",
        "#/* a */embed <f>",
        "#/*\n*/embed <f>",
        "# \\\n embed <f>",
        "R\"()\"\n#/*\n*/embed <f>",
        "#if __has_embed(<f>)",
    ] {
        assert!(of(text).embed, "{text:?}");
    }
    for text in ["int embed;", "// #embed <f>", "a.embed(x);", "#include <embed>"] {
        assert!(!of(text).embed, "{text:?}");
    }
}

#[test]
fn includes_are_found_as_spelled() {
    let text = "#include <a.h>\n # include \"b/../c.h\"\n#include_next <d.h>\n#import <e.h>\n#include N\n/*\n#include <no.h>\n*/";
    let found: Vec<_> = of(text).includes.into_iter().map(|name| String::from_utf8(name).unwrap()).collect();
    assert_eq!(found, ["a.h", "b/../c.h", "d.h", "e.h"]);
}

/// Whole tokens and comments: between any two of them there is code.
const TOKENS: &[&str] = &[
    "x",
    "1'000",
    "\"a\"",
    "\"/*\"",
    "\"*/\"",
    "\"//\"",
    "\"\\\"\"",
    "\"a\\\n/*\"",
    "'\"'",
    "'\\''",
    "'/'",
    "R\"(a)\"",
    "R\"(\"/*)\"",
    "R\"x(\n)\")x\"",
    "/* a */",
    "/* \" */",
    "/* ' // */",
    "/*\n*\\\n/",
    "// a\n",
    "// it's\n",
    "// a /* b\n",
    "// a \\\n /* b\n",
    "/\\\n/ /*\n",
    "/\\\n*\n// */",
    "\n#include <a//b>\n",
    "\n#include \"a/*b\"\n",
    "\n#define A \\\n",
    "\n",
    "\\\n",
    "/",
    "*",
    "<",
    ">",
    "#",
    "\n#if 0\n'\n#endif\n",
];

proptest! {
    #[test]
    fn a_macro_outside_comments_is_found(
        tokens in prop::collection::vec(prop::sample::select(TOKENS), 0..12),
        at in any::<prop::sample::Index>(),
    ) {
        let mut tokens = tokens;
        tokens.insert(at.index(tokens.len() + 1), "__TIME__");
        let text = tokens.join(" ");
        prop_assert_eq!(macros(&text), "t", "{:?}", text);
    }

    #[test]
    fn any_bytes_are_scanned(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Findings::of(&text);
    }

    #[test]
    fn any_tokens_are_scanned(text in "[\"'/*#<>\\\\\\nR(){}?=%:a_. ]{0,60}") {
        let _ = Findings::of(text.as_bytes());
    }

    /// What two texts say together does not depend on their order, and is never less than what one says.
    #[test]
    fn merging_only_adds(one in "[_TIMEDASP#\" .incb\\n]{0,40}", other in "[_TIMEDASP#\" .incb\\n]{0,40}") {
        let (mut ab, mut ba) = (of(&one), of(&other));
        ab.merge(of(&other));
        ba.merge(of(&one));
        prop_assert_eq!(&ab, &ba);
        prop_assert!(ab.hidden().time || !of(&one).hidden().time);
        prop_assert!(ab.hidden().directive.is_some() || of(&one).hidden().directive.is_none());
    }
}

/// What a preprocessor leaves of time macros, in a string of a string too.
#[test]
fn time_macros_are_found_in_preprocessed_text() {
    let rows: &[(&str, &str)] = &[
        ("x = \"12:34:56\";", "t"),
        ("x = \"Jan  2 2026\" \"Jan 12 2026\";", "d"),
        ("x = \"Mon Jan  2 12:34:56 2026\";", "s"),
        ("x = \"??:??:??\" \"??? ?? ????\";", "td"),
        ("x = \"\\\"12:34:56\\\"\";", "t"),
        ("#pragma message \"built \" __DATE__", "d"),
        ("# 1 \"i/Jan 12 2026\" 1\n", "d"),
        ("x = \"12:34:567\"; y = \"at 12:34:56\"; z = \"Jan 123 2026\";", ""),
    ];
    for (text, expected) in rows {
        let Hidden { time, date, timestamp, .. } = Hidden::in_preprocessed(text.as_bytes());
        let seen = [(time, 't'), (date, 'd'), (timestamp, 's')];
        let seen: String = seen.iter().filter(|(used, _)| *used).map(|(_, c)| c).collect();
        assert_eq!(seen, *expected, "{text}");
    }
}
