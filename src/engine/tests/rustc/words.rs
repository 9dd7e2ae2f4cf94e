//! The tables of words, their cutting, and argument files.
use crate::compiler::rustc::without_incremental;
use crate::options::response::{MAX_BYTES, expand_argfiles};
use crate::options::rustc::{ROWS, Token, codegen, cut, unstable};
use proptest::prelude::*;
use std::ffi::{OsStr, OsString};

#[test]
fn tables_are_sorted_and_unique() {
    assert!(ROWS.is_sorted_by(|a, b| a.word < b.word));
    for rows in [codegen::ROWS, unstable::ROWS] {
        assert!(rows.is_sorted_by(|a, b| a.name < b.name));
        assert!(rows.iter().all(|row| !row.name.contains('_')));
    }
    for row in ROWS.iter().filter(|row| row.letter.is_some()) {
        assert_eq!(ROWS.iter().filter(|other| other.letter == row.letter).count(), 1, "{}", row.word);
    }
}

/// Every row is found, by its word and by its letter, with and without a joined value.
#[test]
fn every_row_is_found() {
    for row in ROWS.iter() {
        if row.word.starts_with("--") {
            let joined = format!("{}=v", row.word);
            let expected =
                if row.has_value { Token::Known(*row, "v") } else { Token::Malformed(joined.as_str()) };
            assert_eq!(cut(&[&joined]), [expected]);
        }
        let letter = row.letter.map(|letter| format!("-{}", char::from(letter)));
        for word in letter.iter().map(String::as_str).chain([row.word]) {
            let expected = if row.has_value {
                vec![Token::Known(*row, "v")]
            } else {
                vec![Token::Known(*row, ""), Token::Input("v")]
            };
            assert_eq!(cut(&[word, "v"]), expected, "{word}");
        }
    }
}

#[test]
fn values_and_letters() {
    let text = |words: &[&str]| format!("{:?}", cut(words).iter().map(describe).collect::<Vec<_>>());
    fn describe(token: &Token<'_>) -> String {
        match token {
            Token::Input(file) => (*file).to_owned(),
            Token::Known(row, value) => format!("{}:{value}", row.word),
            Token::Unknown(word) => format!("?{word}"),
            Token::Malformed(word) => format!("!{word}"),
            Token::End => "--".to_owned(),
        }
    }
    assert_eq!(text(&["-gCx=y", "-C", "-g"]), r#"["-g:", "--codegen:x=y", "--codegen:-g"]"#);
    // A word with one dash is no long word, and `=` belongs to the value of a letter.
    assert_eq!(text(&["-out-dir", "-L=d"]), r#"["-o:ut-dir", "-L:=d"]"#);
    assert_eq!(text(&["--emit=", "-", "--", "-g"]), r#"["--emit:", "-", "--", "-g"]"#);
    assert_eq!(text(&["--em", "link", ""]), r#"["?--em", "link", ""]"#);
    assert_eq!(text(&["-g\u{fc}o"]), "[\"-g:\", \"?-g\u{fc}o\"]");
}

fn expanded(argv: &[&str], files: &[(&str, &[u8])]) -> Result<Vec<String>, String> {
    let argv: Vec<_> = argv.iter().map(OsString::from).collect();
    let mut read = |name: &OsStr| {
        Ok(files.iter().find(|(known, _)| name == *known).map(|(_, content)| content.to_vec()))
    };
    let words = expand_argfiles(&argv, &mut read).map_err(|reason| reason.0)?;
    Ok(words.iter().map(|word| word.to_str().unwrap().to_owned()).collect())
}

/// T179: one word in each line, an empty line is an empty word, nothing is quoted, and files are not nested.
#[test]
fn argument_files() {
    let file: &[(&str, &[u8])] = &[("f", b"--cfg\r\na \"b\\\n\n@f\n"), ("g", b""), ("n", b"\xff")];
    assert_eq!(expanded(&["rustc", "@f", "x"], file).unwrap(), ["rustc", "--cfg", "a \"b\\", "", "@f", "x"]);
    assert_eq!(expanded(&["@f", "@g"], file).unwrap(), ["@f"]);
    assert_eq!(expanded(&["rustc", "x"], file).unwrap(), ["rustc", "x"]);
    assert_eq!(expanded(&["rustc", "@missing"], file), Err("@".to_owned()));
    assert_eq!(expanded(&["rustc", "@n"], file), Err("@".to_owned()));
    assert_eq!(expanded(&["rustc", "@"], file), Err("@".to_owned()));
    assert_eq!(expanded(&["rustc", "@big"], &[("big", &vec![b'a'; MAX_BYTES + 1])]), Err("@".to_owned()));
}

proptest! {
    /// What is cut holds every word, and any line gets an answer.
    #[test]
    fn any_line_is_cut(words in proptest::collection::vec("-{0,2}[-a-zA-Z=ü]{0,8}", 0..8)) {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let n_used: usize = cut(&words).iter().map(|token| usize::from(matches!(token, Token::Input(_)))).sum();
        prop_assert!(n_used <= words.len());
        let line = format!("rustc {}", words.join(" "));
        let _ = super::parsed(&line);
    }
}

#[test]
fn incremental_compilation_can_be_left_out() {
    let left = |line: &str| {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        without_incremental(&words).join(OsStr::new(" ")).into_string().unwrap()
    };
    assert_eq!(left("rustc -C incremental=/i a.rs -Copt-level=1"), "rustc a.rs -Copt-level=1");
    assert_eq!(
        left("rustc -Cincremental=/i --codegen incremental=/i --codegen=incremental=/i a.rs"),
        "rustc a.rs"
    );
    assert_eq!(left("rustc --cfg incremental a.rs -C"), "rustc --cfg incremental a.rs -C");
}
