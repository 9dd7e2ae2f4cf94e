//! The option tables.
use crate::job::Family;
use crate::options::{Form, Row, Sort, clang, cut, gnu, look_up};
use proptest::prelude::*;
use std::ffi::OsStr;

#[test]
fn tables_are_sorted_and_unique() {
    for rows in [gnu::ROWS, clang::ROWS] {
        assert!(rows.is_sorted_by(|a, b| a.word < b.word));
        // A bare `-` is the only word shorter than two characters.
        assert!(
            rows.iter()
                .all(|row| row.word.starts_with('-') && (row.word.len() > 1 || row.form == Form::Flag))
        );
    }
}

/// The rule of lookup, without its speed.
fn slow(family: Family, word: &str) -> Option<Row> {
    let fits = |row: &&Row| {
        word.strip_prefix(row.word).is_some_and(|rest| match row.form {
            Form::Flag | Form::Separate => rest.is_empty(),
            Form::Joined | Form::Either => true,
            Form::Equals => rest.is_empty() || rest.starts_with('='),
        })
    };
    let longest = |rows: &'static [Row]| rows.iter().filter(fits).max_by_key(|row| row.word.len()).copied();
    let own = if family == Family::Clang { longest(clang::ROWS) } else { None };
    match (own, longest(gnu::ROWS)) {
        (Some(own), Some(shared)) => Some(if own.word.len() >= shared.word.len() { own } else { shared }),
        (own, shared) => own.or(shared),
    }
}

#[test]
fn every_word_finds_its_row() {
    for row in gnu::ROWS.iter().chain(clang::ROWS) {
        for family in [Family::Gcc, Family::Clang] {
            for word in [row.word.to_owned(), format!("{}x", row.word), format!("{}=x", row.word)] {
                assert_eq!(look_up(family, word.as_bytes()), slow(family, &word), "{word}");
            }
        }
    }
}

#[test]
fn values_are_found_in_every_form() {
    const ROWS: &[(&str, &str, usize)] = &[
        ("-I", "next", 2),
        ("-Iinc", "inc", 1),
        ("-o", "next", 2),
        ("--sysroot", "next", 2),
        ("--sysroot=/s", "/s", 1),
        ("--param=x=1", "x=1", 1),
        ("--param", "next", 2),
        ("-march=native", "native", 1),
        ("-include", "next", 2),
        ("-includex.h", "x.h", 1),
        ("-c", "", 1),
    ];
    for (word, value, n_words) in ROWS {
        let token = cut(Family::Gcc, OsStr::new(word), Some(OsStr::new("next")));
        assert_eq!((token.value, token.n_words), (OsStr::new(value), *n_words), "{word}");
    }
    assert!(matches!(cut(Family::Gcc, OsStr::new("-o"), None).sort, Sort::Truncated(_)));
}

proptest! {
    #[test]
    fn lookup_follows_its_rule(word in "-[-a-zA-Z=]{0,12}") {
        prop_assert_eq!(look_up(Family::Gcc, word.as_bytes()), slow(Family::Gcc, &word));
        prop_assert_eq!(look_up(Family::Clang, word.as_bytes()), slow(Family::Clang, &word));
    }
}
