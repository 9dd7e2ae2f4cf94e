//! Words outside of all parentheses are handed to no macro, if the parentheses are what they seem.
use crate::scan::Findings;

/// Whether `incbin` may be handed to a macro somewhere in these texts of a unit.
fn is_handed_on(texts: &[&str]) -> bool {
    let mut found = Findings::default();
    texts.iter().for_each(|text| found.merge(Findings::of(text.as_bytes())));
    found.hidden().directive.is_some()
}

/// Trap T21.
#[test]
fn t021_words_outside_of_parentheses() {
    const ROWS: &[&str] = &[
        "enum { A, incbin, B };",
        "f(a); enum { A = M(1), incbin, B };",
        // Each branch of an `#if` leads to the same depth.
        "#if X\nvoid f(int a);\n#else\nvoid f();\n#endif\nint a, incbin, b;",
        "void f(int a,\n#ifdef X\nint b);\n#elif Y\nint c);\n#else\nint d);\n#endif\nint a, incbin, b;",
        "void f(int a\n#if X\n, int b\n#endif\n);\nint a, incbin, b;",
        "#if (X) > M(1)\n#pragma omp f(1\n#error :(\n#line 3 \"(\"\n#endif\nint a, incbin, b;",
        "#define P(x) \\\n  (x) a##x\nint a, incbin, b;",
        // What is no parenthesis.
        "char *a = \"(\", c = '(', d = '\\''; /* ( */ // (\nint a, incbin, b;",
        "int f(int) __attribute__((deprecated(\"\\\nold ( use g\")));\nint a, incbin, b;",
        "// see a/*.h (or b/*.c)\nint a, incbin, b;",
        "int a = 1'000'000;\nint a, incbin, b;",
    ];
    for text in ROWS {
        assert!(!is_handed_on(&[text]), "{text:?}");
    }
}

/// Trap T21.
#[test]
fn t021_words_in_unclear_parentheses() {
    const ROWS: &[&[&str]] = &[
        &["M(a, incbin, b)"],
        &["M(\n#if X\n#define Y )\n#endif\na, incbin, b\n)"],
        // In or by another text of the unit.
        &["M(\n#include \"b.h\"\n)", "int a, incbin, b;"],
        &["M(\n#import B\n)", "int a, incbin, b;"],
        &["#define BEGIN M(", "BEGIN a, incbin, b )"],
        &["#define END )", "a, incbin, b"],
        &["#define BOTH ) M(", "a, incbin, b"],
        &["M(", "a, incbin, b"],
        // Branches that lead elsewhere.
        &["#if X\nM(\n#endif\na, incbin, b"],
        &["M(\n#if X\n)\n#endif\na, incbin, b\n#if Y\n(\n#endif\n)"],
        &["M(\n#if X\n)\n#else\n#endif\na, incbin, b\n#if Y\n(\n#else\n#endif\n)"],
        &["M(\n#i\\\nf X\n)\n#en\\\ndif\na, incbin, b\n#i\\\nf Y\n(\n#en\\\ndif\n)"],
        &["M(\n#endif\n)\na, incbin, b"],
        // Parentheses that the compiler may not see.
        &["M( ??) , incbin, ??( )"],
        &["M( \"\\\n\\\")\", incbin, \"\\\n\\\"(\" )"],
        &["M( R\"x( \")x\" , incbin, \"(\")"],
        &["M( x ) , incbin, /\\\n/ ("],
    ];
    for texts in ROWS {
        assert!(is_handed_on(texts), "{texts:?}");
    }
}
