//! Response files.
use crate::options::response::{expand, split};
use proptest::prelude::*;
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

#[test]
fn texts_are_cut_as_by_gcc_and_clang() {
    const ROWS: &[(&str, Option<&[&str]>)] = &[
        ("", Some(&[])),
        (" \n\t\r\n ", Some(&[])),
        ("-c a.c\n-o  a.o", Some(&["-c", "a.c", "-o", "a.o"])),
        (
            "-DA=1\\ 2 -DB=\"x y\" '-DC=q\"q' -DD=a\"b\"c -DE=\\\"z\\\"",
            Some(&["-DA=1 2", "-DB=x y", "-DC=q\"q", "-DD=abc", "-DE=\"z\""]),
        ),
        ("\"a\\\"b\" \"a\\\\b\"", Some(&["a\"b", "a\\b"])),
        ("\"open", None),
        ("'open", None),
        ("\"\"", None),
        ("''", None),
        ("'a\\b'", None),
        ("\"a\\n\"", None),
        ("end\\", None),
        ("a\\\nb", None),
        ("a\x0bb", None),
        ("a\0b", None),
        ("\u{feff}a", None),
    ];
    for (text, expected) in ROWS {
        let found = split(text.as_bytes()).ok();
        let expected = expected.map(|words| words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(found, expected, "{text:?}");
    }
}

fn expanded(line: &str, files: &[(&str, &str)]) -> Option<String> {
    let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    let mut read = |name: &OsStr| {
        Ok(files
            .iter()
            .find(|(known, _)| OsStr::new(known) == name)
            .map(|(_, text)| text.as_bytes().to_vec()))
    };
    expand(&argv, &mut read).ok().map(|words| words.join(OsStr::new(" ")).into_string().unwrap())
}

#[test]
fn files_are_replaced_by_their_words() {
    let files = [("r", "-c @s"), ("s", "a.c"), ("loop", "x @loop"), ("empty", "")];
    let check =
        |line, expected: Option<&str>| assert_eq!(expanded(line, &files).as_deref(), expected, "{line}");
    check("gcc @r -o a.o", Some("gcc -c a.c -o a.o"));
    check("gcc @empty -c", Some("gcc -c"));
    check("gcc @none", Some("gcc @none")); // T31
    check("gcc -include@r", Some("gcc -include@r"));
    check("gcc @", Some("gcc @"));
    check("@r @s", Some("@r a.c"));
    check("gcc @loop", None); // D26
}

#[test]
fn without_response_files_nothing_is_copied() {
    let argv: Vec<OsString> = ["gcc", "-c", "a.c"].map(OsString::from).to_vec();
    assert!(matches!(expand(&argv, &mut |_| panic!("read")), Ok(Cow::Borrowed(_))));
}

proptest! {
    #[test]
    fn any_text_is_cut_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = split(&text);
    }

    #[test]
    fn plain_words_survive(words in proptest::collection::vec("[a-zA-Z0-9=/.,+-]{1,8}", 0..10)) {
        let expected: Vec<OsString> = words.iter().map(OsString::from).collect();
        prop_assert_eq!(split(words.join("\n").as_bytes()).unwrap(), expected);
    }
}
