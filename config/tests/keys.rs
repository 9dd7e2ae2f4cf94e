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
        Kind::Number => as_they_are(["4000", "5000"]),
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
        for name in key.file_names().chain(key.variables()).chain(key.fallback_variable) {
            assert!(names.insert(name), "{name} stands twice in the table");
            let may_be_secret = ["password", "token", "secret"].iter().any(|word| name.contains(word));
            assert!(!may_be_secret || key.kind == Kind::Secret, "{name}");
        }
        let tables = key.file_names().filter_map(|name| Some(name.rsplit_once('.')?.0));
        assert!(tables.collect::<std::collections::BTreeSet<_>>().len() < 2, "{}", key.label());
        assert!(key.doc.ends_with('.'), "{}: the sentence has no end", key.label());
        assert!(key.variables().all(|name| name.starts_with("CACHEPOT_")), "{}", key.variable);
    }
    for part in PARTS.iter().filter(|part| part.table != "dist") {
        let of_part = KEYS.iter().filter(|key| Part::of(key) == Some(part));
        let variables: Vec<_> = of_part.flat_map(|key| key.variables()).collect();
        assert!(!part.variables.is_empty(), "{}", part.table);
        assert!(part.variables.iter().all(|variable| variables.contains(variable)), "{}", part.table);
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
    for (key, name) in shown_keys().flat_map(|key| key.variables().map(move |name| (key, name))) {
        let [(written, shown), _] = samples(key);
        let home = Home::new().variable(name, written);
        assert_eq!(home.shown(key.label()), (shown, name.to_owned()), "{name}");
    }
}

#[test]
fn each_key_of_the_file_is_read_with_its_line() {
    for (key, name) in shown_keys().flat_map(|key| key.file_names().map(move |name| (key, name))) {
        let [(written, shown), _] = samples(key);
        let home = Home::new().toml(&toml_line(name, written));
        assert_eq!(home.shown(key.label()), (shown, "~/config:2".to_owned()), "{name}");
    }
}

#[test]
fn two_names_of_a_setting_may_say_the_same_and_nothing_else() {
    let several = shown_keys().filter(|key| key.variables().chain(key.file_names()).count() > 2);
    for key in several {
        let [(one, shown), (two, _)] = samples(key);
        for names in [key.variables().collect::<Vec<_>>(), key.file_names().collect()] {
            let [first, second, ..] = names[..] else { continue };
            let is_variable = first == key.variable;
            let with = |one: &str, two: &str| {
                if is_variable {
                    return Home::new().variable(first, one).variable(second, two);
                }
                Home::new().toml(&format!("{second} = '{two}'\n{first} = '{one}'\n"))
            };
            assert_eq!(with(one, one).shown(key.label()).0, shown, "{first}");
            let error = with(one, two).error();
            let place = |line, name| {
                if is_variable { format!("`{name}`") } else { format!("~/config:{line}: `{name}`") }
            };
            let (first, second) = (place(2, first), place(1, second));
            assert_eq!(error, format!("{first} and {second} contradict each other; set only one of them"));
        }
    }
}

#[test]
fn a_wrong_value_is_told_with_the_name_it_stands_under() {
    if cfg!(feature = "redis") {
        let error = Home::new().toml("[cache.redis]\nttl = 'long'\n").error();
        assert!(error.starts_with("~/config:2: `cache.redis.ttl`: value `long` is not valid; "), "{error}");
    }
}

#[test]
fn each_variable_wins_over_the_file_and_touches_no_other_key() {
    // Both would be an error.
    let is_alone = |key: &&Key| **key != remotes::REDIS_CLUSTER_ENDPOINTS;
    let file: String = shown_keys()
        .filter(is_alone)
        .filter_map(|key| Some(format!("{} = \"{}\"\n", key.file_name?, samples(key)[0].0)))
        .collect();
    let plain = Home::new().toml(&file);
    for (key, name) in shown_keys().filter_map(|key| Some((key, key.file_name?))) {
        let (written, shown) = &samples(key)[1];
        let home = Home::new().toml(&file).variable(key.variable, written);
        assert_eq!(home.shown(name), (shown.clone(), key.variable.to_owned()), "{name}");
        // The variable that enables a remote stands for its whole table.
        let part = Part::of(key).filter(|part| part.variables.contains(&key.variable));
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

#[test]
fn who_trusts_and_cannot_sign_only_reads() {
    let of = |variables: &[(&'static str, &'static str)]| {
        let home = Home::new().variable("CACHEPOT_FOLDER", "/shared");
        let home = variables.iter().fold(home, |home, (name, value)| home.variable(name, value));
        let remotes = home.loads().settings.remotes;
        (remotes.list[0].mode, remotes.keys.trusted_keys)
    };
    let (trusted, sign) = ("CACHEPOT_TRUSTED_KEYS", ("CACHEPOT_SIGN_KEY_FILE", "/key"));
    assert_eq!(of(&[(trusted, "a b")]), (crate::Mode::ReadOnly, vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(of(&[(trusted, "a"), sign]).0, crate::Mode::ReadWrite);
    // Of variables that are not there, as in `$A $B`: nobody is believed.
    assert_eq!(of(&[(trusted, " ")]), (crate::Mode::ReadOnly, vec![" ".to_owned()]));
    assert_eq!(of(&[(trusted, "a"), ("CACHEPOT_FOLDER_RW_MODE", "WRITE_ONLY")]).0, crate::Mode::WriteOnly);
}

#[cfg(feature = "redis")]
#[test]
fn redis_is_said_in_one_way() {
    use crate::RemoteKind;
    let redis = |home: Home| match home.loads().settings.remotes.list.pop().map(|remote| remote.kind) {
        Some(RemoteKind::Redis(redis)) => redis,
        _ => panic!("no redis"),
    };
    let home = Home::new().variable("CACHEPOT_REDIS_ENDPOINT", "tcp://h:1");
    let home = home.variable("CACHEPOT_REDIS_USERNAME", "me").variable("CACHEPOT_REDIS_PASSWORD", "s3cret");
    let home = home.variable("CACHEPOT_REDIS_DB", "3").variable("CACHEPOT_REDIS_TTL", "60");
    let found = redis(home);
    let said = (found.url.as_str(), found.username.as_deref(), found.password.as_deref(), found.db);
    assert_eq!(said, ("tcp://h:1", Some("me"), Some("s3cret"), Some(3)));
    assert!(!found.cluster && found.expiration == Some(std::time::Duration::from_secs(60)));
    let file = "[cache.redis]\ncluster_endpoints = 'redis://h:1,redis://h:2'\ndb = 2\npassword = 'theirs'\n";
    let found = redis(Home::new().toml(file));
    assert_eq!((found.url.as_str(), found.cluster, found.db), ("redis://h:1,redis://h:2", true, Some(2)));
    // A server of the environment is not told what the file has for another.
    for variable in ["CACHEPOT_REDIS", "CACHEPOT_REDIS_ENDPOINT", "CACHEPOT_REDIS_CLUSTER_ENDPOINTS"] {
        let found = redis(Home::new().toml(file).variable(variable, "other"));
        assert_eq!((found.url.as_str(), found.password, found.db), ("other", None, None), "{variable}");
    }
    // But a password alone may come from there.
    let found = redis(Home::new().toml(file).variable("CACHEPOT_REDIS_PASSWORD", "ours"));
    assert_eq!((found.password.as_deref(), found.db), (Some("ours"), Some(2)));
    let both = Home::new().variable("CACHEPOT_REDIS", "h").variable("CACHEPOT_REDIS_CLUSTER_ENDPOINTS", "h");
    let text =
        "`CACHEPOT_REDIS` and `CACHEPOT_REDIS_CLUSTER_ENDPOINTS` contradict each other; set only one of them";
    assert_eq!(both.error(), text);
}
