//! Assembler directives whose names are put together by a preprocessor, by macros of the assembler, or by escape sequences.
use crate::scan::{Findings, Hidden};

/// `b` for `.incbin`, `i` for `.include`; `?` where only the preprocessed text can tell.
fn seen(text: &str) -> String {
    let found = Findings::of(text.as_bytes());
    let letter = |name: &str| if name == ".incbin" { "b" } else { "i" };
    match (found.directive_spelled(), found.hidden().directive) {
        (Some(name), _) => letter(name).to_owned(),
        (None, Some(name)) => ["?", letter(name)].concat(),
        (None, None) => String::new(),
    }
}

/// Trap T21.
#[test]
fn t021_names_that_are_put_together() {
    let rows: &[(&str, &str)] = &[
        // By a preprocessor.
        ("#define D(x) .x\nD(incbin) \"d\"", "?b"),
        ("#define CAT(a,b) .a##b\nCAT(inc,bin) \"d\"", "?b"),
        ("#define CAT(a,b) .a##b\nCAT( INCL , ude ) \"d\"", "?i"),
        ("#define E()\n.E()include \"d\"", "?i"),
        ("#define K incbin\nasm(\".data\\n.\" S(K) \" \\\"d\\\"\");", "?b"),
        ("asm(\".inc\" S(bin) \" \\\"d\\\"\"); f(bin)", "?b"),
        (".inc/**/bin \"d\"", "?b"),
        ("./**/include \"d\"", "?i"),
        ("asm(\".{incbin|x} \\\"d\\\"\" ::);", "b"),
        ("asm(\".incl{ude|x} \\\"d\\\"\" ::);", "i"),
        // By escape sequences.
        ("asm(\".data\\n.inc\\142in \\\"d\\\"\");", "b"),
        ("asm(\".\\x69nclude \\\"d\\\"\");", "i"),
        ("asm(\".inc\\142\" \"in \\\"d\\\"\");", "?b"),
        ("asm(\"\\56\" \"\\151\\x6e\\143bin \\\"d\\\"\");", "?b"),
        ("asm(\".inc\\x{62}in \\\"d\\\"\");", "?b"),
        ("#define A(x) asm(\".data\\n\" #x \" \\\"d\\\"\\n\");\nA(.incbin)", "?b"),
        ("#define CAT(a,b) a##b\nCAT(.inc, bin) \"d\"", "?b"),
        ("f(x.incbin, y().include, z[0].include);", ""),
        (
            "#define S(x) #x\n#define D(error) asm( \\\n#error \".\" S(incbin) \" \\\"d\\\"\");\nD(.data;)",
            "?b",
        ),
        // By splices.
        (".inc\\\nbin \"d\"", "?b"),
        (".\\\nincbin \"d\"", "b"),
        ("asm(\".data\\n.\\\nincbin \\\"d\\\"\");", "b"),
        ("asm(\".incb\\\nin \\\"d\\\"\");", "?b"),
        // By macros of the assembler.
        ("asm(\".\" \"macro D x\\n.\\\\x \\\"d\\\"\\n.endm\\nD incbin\");", "?b"),
        ("#define F(x) .x\nF(macro) D y\n.\\y \"d\"\n.endm\nD incbin", "?b"),
        (".macro D x\n.\\x \"d\"\n.endm\nD incbin", "b"),
        (".macro D x\n.\\x \"d\"\n.endm\nD include", "i"),
        (".macro D x\n.\\()\\x \"d\"\n.endm\nD include", "i"),
        (".macro D x, y\n.\\x\\y \"d\"\n.endm\nD inc, bin", "b"),
        (".macro D x\n.inc\\x \"d\"\n.endm\nD bin", "b"),
        (".macro D x\n\\x \"d\"\n.endm\nD .include\n.text", "i"),
        ("asm(\".data\\n.irp x,incbin\\n.\\\\x \\\"d\\\"\\n.endr\\n.text\");", "b"),
        ("asm(\".data\\n.irep x,incbin\\n.\\\\x \\\"d\\\"\\n.endr\");", "b"),
        ("asm(\".irp x,include\\n.\\\\x \\\"d\\\"\\n.endr\");", "i"),
        // What is none.
        (".macro D x\n.word \\x\n.endm\nD include", ""),
        (".macro D t\nadd v0.\\t, v1.\\t\n.endm\n#error \"Never include this\"", ""),
        (".macro D x\n.if \\x\n.endif\n.endm\n#include \"a.h\"\nf: .size f, . - f", ""),
        ("f(\".\\\\x\", \"include\"); \"^.\\\\d\"", ""),
        ("f(inc); int bin = 0, in = 1; \"x\\x41\\033[1m\\n\";", ""),
        ("\"config.in\\n\" \"a.inc\\n\" \"bin\\x62\";", ""),
        ("# error Never use <a.h> directly, include <b.h>", ""),
        ("int include; p->include(a); x.include(b);", ""),
    ];
    for (text, expected) in rows {
        assert_eq!(seen(text), *expected, "{text:?}");
    }
}

/// What a preprocessor leaves of them.
#[test]
fn t021_names_in_preprocessed_text() {
    let rows = [
        (".incbin \"d\"", true),
        ("asm(\".\" \"macro D x\\n.\\\\x \\\"d\\\"\\n.endm\\nD incbin\");", true),
        (".macro D y\n.\\y \"d\"\n.endm\nD incbin", true),
        ("f(\"macro %s.\\\\x\", inc, bin);", false),
        ("asm(\".data\\n.\" \"incbin\" \" \\\"d\\\"\");", true),
        ("asm(\".inc\\142\" \"in \\\"d\\\"\");", true),
        ("f(include, inc, bin);", false),
        ("f(\"\\x69\");", false),
        ("f(include, \"p.includes_.size()\");", false),
        ("f(include, \".include\" \" d\");", true),
    ];
    for (text, expected) in rows {
        assert_eq!(Hidden::in_preprocessed(text.as_bytes()).directive.is_some(), expected, "{text:?}");
    }
}
