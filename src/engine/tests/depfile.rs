//! Dependency text and header traces.
use crate::depfile::{DepfileError, header_trace, inputs};
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

fn names(text: &str) -> Result<Vec<String>, DepfileError> {
    Ok(inputs(text.as_bytes())?.into_iter().map(|name| name.into_string().unwrap()).collect())
}

#[test]
fn rules() {
    const ROWS: &[(&str, &[&str])] = &[
        ("a.o: a.c\n", &["a.c"]),
        ("a.o:a.c b.o: b.c\n", &["b.c"]),
        ("a.o: a.c h.h \\\n  /usr/include/x.h \\\n b.h\n", &["a.c", "h.h", "/usr/include/x.h", "b.h"]),
        ("a.o: a.c \\\r\n h.h\r\n", &["a.c", "h.h"]),
        ("t1 t2 t$$3: a.c\n", &["a.c"]),
        ("a.o: \\\n a.c\n", &["a.c"]),
        ("a.o:\\\n a.c\n", &["a.c"]),
        ("a.o: a.c h.h h.h\n", &["a.c", "h.h"]),
        ("a.o: a.c h.h\n\nh.h:\nx.h:\n", &["a.c", "h.h"]),
        ("a.o: a\\ b.h a\\#b.h a$$b.h a%b.h a:b.h\n", &["a b.h", "a#b.h", "a$b.h", "a%b.h", "a:b.h"]),
        ("a.o: a\\\\\\ b.h a\\\\\\\\\\ b.h\n", &["a\\ b.h", "a\\\\ b.h"]),
        ("a.o: a\\b.h a\\\\\\#b.h\n", &["a\\b.h", "a\\\\#b.h"]),
        ("a.o: c:/x.h d\n", &["c:/x.h", "d"]),
        ("a.o: last", &["last"]),
    ];
    for (text, expected) in ROWS {
        assert_eq!(names(text).unwrap(), *expected, "{text:?}");
    }
    assert_eq!(names("nothing\n"), Err(DepfileError::NoRule));
    assert_eq!(names("a.o:\n\nb: c\n"), Err(DepfileError::Empty));
}

#[test]
fn traces() {
    let text = b". h.h\n.. sub/h.h\n. h.h\n";
    assert_eq!(header_trace(text), ["h.h", "sub/h.h"]);
    assert_eq!(
        header_trace(b"./h.h\n/usr/include/a b.h\n../x.h\n"),
        ["./h.h", "/usr/include/a b.h", "../x.h"]
    );
    assert!(header_trace(b"").is_empty());
}

/// Writes a name as gcc does.
fn munge(name: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, &byte) in name.iter().enumerate() {
        match byte {
            b' ' | b'\t' => {
                let n_slashes = name[..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
                text.extend(std::iter::repeat_n(b'\\', n_slashes + 1));
            }
            b'#' => text.push(b'\\'),
            b'$' => text.push(b'$'),
            _ => {}
        }
        text.push(byte);
    }
    text
}

proptest! {
    /// T88: odd names come back as they were written.
    #[test]
    fn odd_names_survive(list in proptest::collection::vec("[ab\\\\ $#:%\t'\"-]{0,6}[a-z]", 1..8), wide in any::<bool>()) {
        let mut text = b"t.o:".to_vec();
        for name in &list {
            text.extend_from_slice(if wide { b" \\\n " } else { b" " });
            text.extend(munge(name.as_bytes()));
        }
        text.push(b'\n');
        let mut expected: Vec<OsString> = Vec::new();
        for name in &list {
            let name = OsString::from_vec(name.as_bytes().to_vec());
            if !expected.contains(&name) {
                expected.push(name);
            }
        }
        prop_assert_eq!(inputs(&text).unwrap(), expected);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = inputs(&text);
        let _ = header_trace(&text);
    }
}
