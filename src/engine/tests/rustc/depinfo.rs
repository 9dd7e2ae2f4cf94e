//! Texts of dep-info.
use crate::compiler::rustc::depinfo::{DepInfo, read};
use proptest::prelude::*;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// As rustc 1.95 and 1.97 wrote it, with blanks and odd characters in names (T140) and values (T138, T139).
const TEXT: &[u8] = br"my dir/ab.d: my\ dir/a\ b.rs my\ dir/sub.rs my\ dir/q\\ x#$.txt

my dir/libab.rmeta: my\ dir/a\ b.rs my\ dir/sub.rs my\ dir/q\\ x#$.txt

my\ dir/a\ b.rs:
my\ dir/sub.rs:
my\ dir/q\\ x#$.txt:

# env-dep:EMPTY=
# env-dep:MISSING
# env-dep:THERE=a\nb\\c=d\r e
# checksum:blake3=cc23 file_len:145 my\ dir/a\ b.rs
";

#[test]
fn a_text_of_rustc() {
    let found = read(TEXT).unwrap();
    assert_eq!(found.files, ["my dir/a b.rs", "my dir/sub.rs", "my dir/q\\ x#$.txt"]);
    let variables: Vec<_> = found
        .variables
        .iter()
        .map(|(name, value)| (name.to_str().unwrap(), value.as_ref().map(|value| value.to_str().unwrap())))
        .collect();
    assert_eq!(variables, [("EMPTY", Some("")), ("MISSING", None), ("THERE", Some("a\nb\\c=d\r e"))]);
}

#[test]
fn texts_without_files() {
    for text in ["", "\n", "a.d: a.rs\n", "# env-dep:A=b\n", ":\n", "my dir/a:\n"] {
        assert_eq!(read(text.as_bytes()), None, "{text:?}");
    }
}

/// Writes a dep-info as rustc does.
fn write(files: &[OsString], variables: &[(OsString, Option<OsString>)]) -> Vec<u8> {
    let escape = |text: &OsString, of: &[(&str, &str)]| {
        let text = text.to_str().unwrap().to_owned();
        of.iter().fold(text, |text, (from, to)| text.replace(from, to))
    };
    let names: Vec<_> = files.iter().map(|file| escape(file, &[(" ", "\\ ")])).collect();
    let mut text = format!("t.d: {}\n\n", names.join(" "));
    names.iter().for_each(|name| text.push_str(&format!("{name}:\n")));
    text.push('\n');
    let rules = [("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r")];
    for (name, value) in variables {
        let value = value.as_ref().map_or_else(String::new, |value| format!("={}", escape(value, &rules)));
        text.push_str(&format!("# env-dep:{}{value}\n", escape(name, &rules)));
    }
    text.into_bytes()
}

fn text(of: &'static str) -> impl Strategy<Value = OsString> {
    of.prop_map(|text| OsString::from_vec(text.into_bytes()))
}

proptest! {
    #[test]
    fn odd_names_and_values_survive(
        files in proptest::collection::hash_set(text("[ab\\\\ $#:=%'\"ü-]{0,6}[a-z]"), 1..6),
        variables in proptest::collection::vec((text("[A-Z_]{1,4}"), proptest::option::of(text("[ab\\\\\n\r= nr]{0,6}"))), 0..4),
    ) {
        let files: Vec<_> = files.into_iter().collect();
        prop_assert_eq!(read(&write(&files, &variables)), Some(DepInfo { files, variables }));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&text);
    }
}
