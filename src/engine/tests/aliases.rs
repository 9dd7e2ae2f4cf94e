//! `__has_include` under another name.
use crate::scan::{Findings, Uses};

/// Trap T6: names asked for by another name, `has`; `?` for one that is not spelled out.
#[test]
fn t006_has_include_under_another_name() {
    let rows: &[(&[&str], &[&str])] = &[
        (&["#if has(<a.h>)"], &["a.h"]),
        (&["#ifndef has\n#if defined(has) && has(\"a.h\")", "#if has(<b.h>)"], &["a.h", "b.h"]),
        (&["#define has(x) 0\n#undef has\n# define has __has_include"], &[]),
        (&["/* has(x) */ // has(x)\n"], &[]),
        (&["#if has(NAME)"], &["?"]),
        (&["#define other has"], &["?"]),
        (&["#define other(x) has(x)"], &["?"]),
        (&["f(has);"], &["?"]),
        (&["#if p(h, as)(<a.h>)"], &["?"]),
        (&["#define p(x) h ## x", "#if p(as)(<a.h>)"], &["?"]),
        (&["#define p(x) h ## x", "as"], &[]),
        (&["#define h a", "#define s"], &["?"]),
        (&["#define h as"], &["?"]),
        (&["#define h", "#define s"], &[]),
    ];
    let names = Findings::of(b"#define has __has_include\n").aliases;
    assert_eq!(names, [b"has".to_vec()].into());
    for (texts, expected) in rows {
        let mut uses = Uses::of(&names);
        texts.iter().for_each(|text| uses.look(text.as_bytes()));
        let found = uses.end().unwrap_or_else(|| [b"?".to_vec()].into());
        let found: Vec<_> = found.iter().map(|name| String::from_utf8_lossy(name)).collect();
        assert_eq!(found, *expected, "{texts:?}");
    }
    for line in ["#define has __has_include", "  #\tdefine  has\t__has_include \r\nint x;"] {
        assert!(
            Findings::of(line.as_bytes()).aliases.contains(&b"has"[..])
                && !Findings::of(line.as_bytes()).may_ask_for_any(),
            "{line:?}"
        );
    }
}
