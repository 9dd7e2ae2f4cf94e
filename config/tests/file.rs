//! Configuration files: what is accepted, and what is said about the rest.

use proptest::prelude::*;

use super::Home;
use crate::{ByteSize, ConfigError};

const SIZE_FORMS: &str = "a number of bytes (`1048576`) or a number with a unit of K, M, G or T (`500M`, `10G`, `1.5GiB`, `10GB`; powers of 1024)";

#[test]
fn sizes_are_integers_or_strings_in_both_formats() {
    for value in ["7516192768", "\"7G\"", "\"7 GiB\""] {
        let toml = Home::new().toml(&format!("[cache.disk]\nsize = {value}\n"));
        let json =
            Home::new().config("c.json", format!("{{\"cache\": {{\"disk\": {{\"size\": {value}}}}}}}"));
        for home in [toml, json] {
            assert_eq!(home.loads().settings.disk.max_bytes, ByteSize::from_bytes(7 << 30), "{value}");
        }
    }
    for value in ["0x1000", "4_096"] {
        let home = Home::new().toml(&format!("cache.disk.size = {value}"));
        assert_eq!(home.loads().settings.disk.max_bytes, ByteSize::from_bytes(4096), "{value}");
    }
}

#[test]
fn the_line_of_a_value_in_json_is_known() {
    let home = Home::new().config("c.json", "{\n\"coordinator\": {\n\"idle_timeout\": 5}}");
    assert_eq!(home.shown("coordinator.idle_timeout"), ("5s".to_owned(), "~/c.json:3".to_owned()));
}

#[test]
fn an_empty_file_and_an_empty_string_say_nothing() {
    for text in ["", "\u{feff}# mark\n", "[cache]\n[cache.disk]\n", "cache.disk.size = \"\""] {
        let home = Home::new().toml(text);
        assert_eq!(home.shown("cache.disk.size"), ("10737418240 (10 GiB)".to_owned(), "default".to_owned()));
        assert_eq!(home.warnings(), [""; 0], "{text}");
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_name() {
    let rows = [
        ("[cache.disk]\nsise = 1\n", "2: unknown key `cache.disk.sise`; did you mean `cache.disk.size`?"),
        ("\n\n[cahce.disk]\nsize = 1\n", "3: unknown key `cahce`; did you mean `cache`?"),
        ("disk.dir = 'x'", "1: unknown key `disk`; did you mean `cache.disk`?"),
        ("size = 1", "1: unknown key `size`; did you mean `cache.disk.size`?"),
        ("idle_timeout = 1", "1: unknown key `idle_timeout`; did you mean `coordinator.idle_timeout`?"),
        ("cache.S3.bucket = 'x'", "1: unknown key `cache.S3`; did you mean `cache.s3`?"),
        ("'cache.disk.size' = 1", "1: unknown key `\"cache.disk.size\"`; did you mean `cache.disk.size`?"),
        (
            "\nblueberry = 1",
            "2: unknown key `blueberry`; the tables are `cache`, `cache.azure`, `cache.disk`, `cache.folder`, `cache.gcs`, \
             `cache.memcached`, `cache.redis`, `cache.s3`, `cache.webdav`, `coordinator`",
        ),
    ];
    for (text, expected) in rows {
        let home = Home::new().toml(text);
        assert_eq!(home.error(), format!("~/config:{expected}"), "{text}");
    }
}

#[test]
fn wrong_types_are_refused() {
    let rows = [
        ("cache = 5", "1: `cache` is an integer; needed is a table"),
        ("[cache]\ndisk = 'x'", "2: `cache.disk` is a string; needed is a table"),
        ("[[cache.disk]]\n", "1: `cache.disk` is an array; needed is a table"),
        ("[cache.disk]\ndir = 5", "2: `cache.disk.dir` is an integer; needed is a string"),
        ("[cache.disk]\nsize = 1.5", "2: `cache.disk.size` is a float; needed is an integer or a string"),
        ("[cache.disk]\nsize = true", "2: `cache.disk.size` is a boolean; needed is an integer or a string"),
        ("cache.disk.size.max = 1", "1: `cache.disk.size` is a table; needed is an integer or a string"),
        ("coordinator.log = 2020-01-01", "1: `coordinator.log` is a date; needed is a string"),
        ("\ncache.s3 = true", "2: `cache.s3` is a boolean; needed is a table"),
    ];
    for (text, expected) in rows {
        let home = Home::new().toml(text);
        assert_eq!(home.error(), format!("~/config:{expected}"), "{text}");
    }
    let null = Home::new().config("c.json", "{\"cache\":\n{\"disk\":\n{\"dir\": null}}}");
    assert_eq!(null.error(), "~/c.json:3: `cache.disk.dir` is null; needed is a string");
}

#[test]
fn wrong_values_are_refused() {
    let rows = [
        ("cache.disk.size = \"10 apples\"", "`cache.disk.size`: value `10 apples`", SIZE_FORMS),
        ("cache.disk.size = -1", "`cache.disk.size`: value `-1`", SIZE_FORMS),
        (
            "coordinator.idle_timeout = \"soon\"",
            "`coordinator.idle_timeout`: value `soon`",
            "a number of seconds (`600`) or a number with a unit of s, m or h (`10s`, `5m`, `1h`)",
        ),
    ];
    for (text, value, accepted) in rows {
        let home = Home::new().toml(&format!("\n{text}"));
        assert_eq!(
            home.error(),
            format!("~/config:2: {value} is not valid; accepted is {accepted}"),
            "{text}"
        );
    }
}

#[test]
fn wrong_syntax_is_refused_with_its_line() {
    let toml = Home::new().toml("[cache.disk]\nsize = \n");
    assert!(toml.error().starts_with("~/config:2: "), "{}", toml.error());
    let twice = Home::new().toml("[cache.disk]\nsize = 1\nsize = 2\n");
    assert_eq!(twice.error(), "~/config:3: duplicate key");
    let json = Home::new().config("c.json", "{\n\"cache\": }");
    assert_eq!(json.error(), "~/c.json:2: a value is missing here");
    let bytes = Home::new().config("config", b"# fine\n# \xff\n");
    assert_eq!(bytes.error(), "~/config:2: the text is not UTF-8; save the file as UTF-8");
    for home in [toml, twice, json, bytes] {
        assert!(matches!(home.fails(), ConfigError::Syntax { .. }));
    }
}

#[test]
fn an_endless_file_is_refused() {
    let home = Home::new().toml(&"# nothing\n".repeat(200_000));
    let expected = "`~/config` is larger than 1048576 bytes; name a configuration file in `CACHEPOT_CONF`";
    assert_eq!(home.error(), expected);
}

#[test]
fn tables_of_parts_that_other_builds_have_are_skipped_with_a_warning() {
    let home = Home::new().toml(
        "[dist]\nscheduler_url = 'https://192.168.1.1'\n[dist.auth]\ntype = 'token'\n[cache.disk]\nsize = 5\n\
         [cache.s3]\nbucket = 'b'\n[cache.azure]\n",
    );
    assert_eq!(home.loads().settings.disk.max_bytes, ByteSize::from_bytes(5));
    let mut expected =
        vec!["`dist` is set in ~/config:1 but this build has no distributed compilation; it is skipped"];
    if cfg!(not(feature = "s3")) {
        expected.push("`cache.s3` is set in ~/config:7 but this build has no S3 backend; it is skipped");
    }
    if cfg!(not(feature = "azure")) {
        expected
            .push("`cache.azure` is set in ~/config:9 but this build has no Azure backend; it is skipped");
    }
    assert_eq!(home.warnings(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for name in ["config", "c.json"] {
            let _ = crate::file::parse(std::path::Path::new(name), &bytes);
        }
    }

    #[test]
    fn any_tokens_are_answered_without_a_panic(tokens in prop::collection::vec(token(), 0..20)) {
        for name in ["config", "c.json"] {
            let _ = crate::file::parse(std::path::Path::new(name), tokens.concat().as_bytes());
        }
    }

    #[test]
    fn the_line_of_an_unknown_key_is_right(before in 0usize..50, after in 0usize..5) {
        let text = format!("{}oops = 1\n{}", "# x\n".repeat(before), "# x\n".repeat(after));
        match crate::file::parse(std::path::Path::new("config"), text.as_bytes()) {
            Err(ConfigError::UnknownKey { line, key, .. }) => prop_assert_eq!((line, key.as_str()), (before + 1, "oops")),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        "=",
        ".",
        ",",
        ":",
        "\n",
        "cache",
        "disk",
        "size",
        "\"cache\"",
        "\"disk\"",
        "10",
        "\"10G\"",
        "s3",
        "dist",
        "'",
        "#",
    ])
}

#[test]
fn deep_files_are_refused_and_do_not_end_the_stack() {
    let rows = [
        ("config", format!("{}a = 1", "a.".repeat(100_000))),
        ("config", format!("[{}a]\nb = 1", "a.".repeat(100_000))),
        ("config", format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000))),
        ("config", format!("a = {}1{}", "{a = ".repeat(100_000), "}".repeat(100_000))),
        ("c.json", format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000))),
    ];
    for (name, text) in rows {
        let parsed = crate::file::parse(std::path::Path::new(name), text.as_bytes());
        assert!(parsed.is_err(), "{}", &text[..20]);
    }
}
