//! The table itself: every row is complete, and does what it says.

use std::ffi::OsStr;
use std::path::Path;

use super::Home;
use crate::keys::{Fallback, KEYS, Key, Kind, MISSING_PARTS, Reader};
use crate::sources::Value;

/// Two values of a kind, as the user writes them and as they are shown.
fn samples(kind: Kind) -> [(&'static str, String); 2] {
    match kind {
        Kind::Path => ["/x/one", "/x/two"].map(|path| (path, path.to_owned())),
        Kind::Size => [("5M", "5242880 (5 MiB)".to_owned()), ("7k", "7168 (7 KiB)".to_owned())],
        Kind::Duration => [("5m", "300s".to_owned()), ("8", "8s".to_owned())],
        Kind::Text | Kind::Presence => ["info", "debug"].map(|text| (text, text.to_owned())),
        Kind::Port => ["4000", "5000"].map(|port| (port, port.to_owned())),
        Kind::One => [("1", "1".to_owned()), ("0", "0".to_owned())],
    }
}

/// Keys whose value is shown; `CACHEPOT_CONF` has tests of its own.
fn shown_keys() -> impl Iterator<Item = &'static Key> {
    KEYS.into_iter().filter(|key| key.reader != Reader::Compile && key.variable != "CACHEPOT_CONF")
}

fn toml_line(name: &str, value: &str) -> String {
    format!("# first line\n{name} = \"{value}\"\n")
}

#[test]
fn names_are_used_once_and_rows_are_complete() {
    let mut names = std::collections::BTreeSet::new();
    for key in KEYS {
        let others = [key.file_name, Some(key.variable), key.fallback_variable];
        for name in others.into_iter().flatten() {
            assert!(names.insert(name), "{name} stands twice in the table");
        }
        assert!(key.doc.ends_with('.'), "{}: the sentence has no end", key.label());
        assert!(key.variable.starts_with("CACHEPOT_"), "{}", key.variable);
    }
    for part in &MISSING_PARTS {
        assert!(names.insert(part.table), "{} is both missing and there", part.table);
        assert!(part.variable.is_none_or(|variable| names.insert(variable)));
    }
}

#[test]
fn default_texts_can_be_read() {
    for key in KEYS {
        if let Fallback::Text(text) = key.default {
            assert!(Value::parse(key.kind, OsStr::new(text), Path::new("/")).is_ok(), "{}", key.label());
        }
    }
}

#[test]
fn each_key_falls_back_to_its_default() {
    for key in shown_keys() {
        assert_eq!(Home::new().shown(key.label()).1, "default", "{}", key.label());
    }
}

#[test]
fn each_variable_is_read() {
    for key in shown_keys() {
        let [(written, shown), _] = samples(key.kind);
        let home = Home::new().variable(key.variable, written);
        assert_eq!(home.shown(key.label()), (shown, key.variable.to_owned()), "{}", key.label());
    }
}

#[test]
fn each_key_of_the_file_is_read_with_its_line() {
    for (key, name) in shown_keys().filter_map(|key| Some((key, key.file_name?))) {
        let [(written, shown), _] = samples(key.kind);
        let home = Home::new().toml(&toml_line(name, written));
        assert_eq!(home.shown(name), (shown, "~/config:2".to_owned()), "{name}");
    }
}

#[test]
fn each_variable_wins_over_the_file_and_touches_no_other_key() {
    let file: String = shown_keys()
        .filter_map(|key| Some(format!("{} = \"{}\"\n", key.file_name?, samples(key.kind)[0].0)))
        .collect();
    let plain = Home::new().toml(&file);
    for (key, name) in shown_keys().filter_map(|key| Some((key, key.file_name?))) {
        let (written, shown) = &samples(key.kind)[1];
        let home = Home::new().toml(&file).variable(key.variable, written);
        assert_eq!(home.shown(name), (shown.clone(), key.variable.to_owned()), "{name}");
        for other in shown_keys().filter(|other| *other != key) {
            assert_eq!(home.shown(other.label()), plain.shown(other.label()), "{name} and {}", other.label());
        }
    }
}

#[test]
fn a_variable_set_to_nothing_is_unset() {
    for key in shown_keys() {
        let home = Home::new().variable(key.variable, "");
        assert_eq!(home.shown(key.label()).1, "default", "{}", key.label());
    }
}
