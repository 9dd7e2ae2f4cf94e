//! Time macros whose names are pasted together in macros, and those that cannot be.
use super::scan::macros;

/// Traps T1 to T5. glibc's headers begin names with `__ ##` in every unit.
#[test]
fn a_word_that_only_begins_a_paste_ends_no_name() {
    let rows: &[(&str, &str)] = &[
        ("#define f(x) \\\n  g (__##x)\nTIME", ""),
        ("#define f(x) \\\n  g (__ ## x)\n__TIME", ""),
        ("#define f(x) g (__##x)\nTIME", "t"),
        ("#define f(x) \\\n  __##x\nTIME", "t"),
        ("#define f(x) \\\n  g (__ ## x ## __)\nTIME", "t"),
        ("#define f(x, y) \\\n  g (__##x##__##y)\nTIME", "t"),
        ("#define f(x) \\\n  g (__##x)\n#define g __\nTIME", "t"),
        ("#define f(x) \\\n  g (__ ## x)\nTIME__", "t"),
        ("#define f(x) \\\n  g (__TIME__ ## x)\n", "t"),
        ("#define e(x) __ ## x\n#define p(a, b) a ## b\n#define q(a, b) p(a, b)\nq(__TIME, e())", "t"),
        ("__ ## f, TIME", "t"),
        ("#define f(x) \"__\" #x\n__TIME", ""),
    ];
    for (text, expected) in rows {
        assert_eq!(macros(text), *expected, "{text:?}");
    }
}
