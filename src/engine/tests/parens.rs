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
        "#if (X) > M(1)\n#pragma omp f(1)\n#error (x)\n#line 3 \"(\"\n#endif\nint a, incbin, b;",
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
        // What is no directive, or ends elsewhere than it seems.
        &["char *s = \"\\\n# 12 \"; M(a\n, incbin, \"\\\n# 12 \" )"],
        &["int y = 5 %\\\n12; M(a\n, incbin,\n5 %\\\n12 )"],
        &["N( # 12 ) M( N(\n)\n, incbin ,\nN( # 12 ) ) N(\n)"],
        &["void g() <%::line(); M(a\n, incbin, <%::line )\n%>"],
        &["#undef X\rM(a\n, incbin,\n#undef X\r)"],
        &["#include \"w.h\"\rM(a\n, incbin,\n#undef X\r)"],
        &["#undef X \\\r\r\nM(a\n, incbin,\n#undef X \\\r\r\n)"],
        &["M( a /* *\\\r\r\n/ ) */ , incbin, /* *\\\r\r\n/ ( */ )"],
        &["/* *\\\r/ M(a, incbin, b) /* */"],
        &["#pragma a (\n, incbin,"],
        // What is no string, or no operand.
        &["char *s = \"__has_include(<\"; M(a, incbin, b) char *t = \">\";"],
        &["char *s = \"__has_include(<\"; asm(\".incbin \\\"d\\\"\"); char *t = \">\";"],
        &["M(0'a', incbin, 'b')"],
        &["M(1'z, incbin, 1'z)"],
        &["M(1.e5'0, incbin, 1.e5'0)"],
        &["M(1e+'0, incbin, 1e+'0)"],
        &["M(1\u{e9}'0, incbin, 1\u{e9}'0)"],
        &["M(1'0 + R\"x(\n/*\n)x\", incbin, b) /* */"],
        &["M(1\\\nL'z, incbin, 'a')"],
        &["M(1e\\\n+'0, incbin, 1e\\\n+'0)"],
        &["M(a\n#if 0\n#.endif\n)\n#.if\n#endif\n, incbin,\n#if 0\n#.endif\n(\n#.if\n#endif\nb)"],
        &["M(a\n#undef X\r#if 0\n)\n#undef X\r#endif\n, incbin,\n#undef X\r#if 0\n(\n#undef X\r#endif\nb)"],
        // What stands beside it may be nothing.
        &["M(a, /* x */ incbin /* y */, b)"],
        &["M(a, // x\n incbin // y\n, b)"],
        &["M(a, EMPTY incbin EMPTY, b)"],
        &["M(a,\n#undef X\nincbin\n#undef X\n, b)"],
        &["M(EMPTY inc EMPTY, EMPTY bin EMPTY)"],
    ];
    for texts in ROWS {
        assert!(is_handed_on(texts), "{texts:?}");
    }
}
