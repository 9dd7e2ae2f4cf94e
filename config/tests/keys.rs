//! The table itself: every row is complete, and does what it says.

use std::ffi::OsStr;
use std::path::Path;

use super::Home;
use crate::keys::{Fallback, KEYS, Key, Kind, Reader, remotes};
use crate::parts::{PARTS, Part};
use crate::sources::Value;

/// Two values of a kind, as the user writes them and as they are shown.
fn samples(key: &Key) -> [(&'static str, String); 2] {
    let as_they_are = |texts: [&'static str; 2]| texts.map(|text| (text, text.to_owned()));
    if *key == remotes::CHAIN {
        return as_they_are(["redis", "s3, disk"]);
    }
    match key.kind {
        Kind::Path => as_they_are(["/x/one", "/x/two"]),
        Kind::Size => [("5M", "5242880 (5 MiB)".to_owned()), ("7k", "7168 (7 KiB)".to_owned())],
        Kind::Duration => [("5m", "300s".to_owned()), ("8", "8s".to_owned())],
        Kind::Text | Kind::Presence => as_they_are(["info", "debug"]),
        Kind::Port => as_they_are(["4000", "5000"]),
        Kind::Flag => [("yes", "1".to_owned()), ("False", "0".to_owned())],
        Kind::Mode => [("read-only", "READ_ONLY".to_owned()), ("WRITE_ONLY", "WRITE_ONLY".to_owned())],
        Kind::Secret => ["one", "two"].map(|text| (text, "*****".to_owned())),
        Kind::SecretUrl => {
            [("redis://a:b@h/1?pass=x", "redis://*****@h/1?*****".to_owned()), ("h:1", "h:1".to_owned())]
        }
        Kind::One => [("1", "1".to_owned()), ("0", "0".to_owned())],
    }
}

/// Keys whose value is shown; `CACHEPOT_CONF` has tests of its own.
fn shown_keys() -> impl Iterator<Item = &'static Key> {
    let is_built = |key: &Key| Part::of(key).is_none_or(|part| part.is_built);
    KEYS.into_iter()
        .filter(move |key| key.reader != Reader::Compile && key.variable != "CACHEPOT_CONF" && is_built(key))
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
        let may_be_secret = ["password", "token", "secret"].iter().any(|word| key.label().contains(word));
        assert!(!may_be_secret || key.kind == Kind::Secret, "{}", key.label());
    }
    for part in PARTS.iter().filter(|part| part.table != "dist") {
        let enabling =
            KEYS.iter().filter(|key| Part::of(key) == Some(part) && part.variable == Some(key.variable));
        assert_eq!(enabling.count(), 1, "{}", part.table);
        let modes = KEYS.iter().filter(|key| Part::of(key) == Some(part) && key.kind == Kind::Mode);
        assert_eq!(modes.count(), 1, "{}", part.table);
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
        let [(written, shown), _] = samples(key);
        let home = Home::new().variable(key.variable, written);
        assert_eq!(home.shown(key.label()), (shown, key.variable.to_owned()), "{}", key.label());
    }
}

#[test]
fn each_key_of_the_file_is_read_with_its_line() {
    for (key, name) in shown_keys().filter_map(|key| Some((key, key.file_name?))) {
        let [(written, shown), _] = samples(key);
        let home = Home::new().toml(&toml_line(name, written));
        assert_eq!(home.shown(name), (shown, "~/config:2".to_owned()), "{name}");
    }
}

#[test]
fn each_variable_wins_over_the_file_and_touches_no_other_key() {
    let file: String = shown_keys()
        .filter_map(|key| Some(format!("{} = \"{}\"\n", key.file_name?, samples(key)[0].0)))
        .collect();
    let plain = Home::new().toml(&file);
    for (key, name) in shown_keys().filter_map(|key| Some((key, key.file_name?))) {
        let (written, shown) = &samples(key)[1];
        let home = Home::new().toml(&file).variable(key.variable, written);
        assert_eq!(home.shown(name), (shown.clone(), key.variable.to_owned()), "{name}");
        // The variable that enables a remote stands for its whole table.
        let part = Part::of(key).filter(|part| part.variable == Some(key.variable));
        let is_apart = |other: &&Key| part.is_none() || Part::of(other) != part;
        for other in shown_keys().filter(|other| *other != key).filter(is_apart) {
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

#[test]
fn a_remote_of_the_environment_takes_nothing_from_the_file() {
    let file = "[cache.folder]\ndir = '/file'\nrw_mode = 'READ_ONLY'\n";
    let of = |home: Home| home.loads().settings.remotes.list;
    let from_file = of(Home::new().toml(file));
    assert_eq!(from_file.iter().map(|remote| remote.mode).collect::<Vec<_>>(), [crate::Mode::ReadOnly]);
    let from_both = of(Home::new().toml(file).variable("CACHEPOT_FOLDER", "/environment"));
    assert_eq!(from_both.iter().map(|remote| remote.mode).collect::<Vec<_>>(), [crate::Mode::ReadWrite]);
}
