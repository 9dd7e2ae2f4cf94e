//! Loading as a whole: defaults, precedence, places, warnings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Home;
use crate::{ByteSize, ConfigError, CoordinatorSettings, DiskSettings, Environment, Settings, load, show};

#[cfg(target_os = "linux")]
#[test]
fn without_any_setting_the_defaults_count() {
    let home = Home::new();
    let loaded = home.loads();
    assert_eq!(
        loaded.settings,
        Settings {
            disk: DiskSettings {
                dir: home.path().join(".cache/cachepot"),
                max_bytes: ByteSize::from_bytes(10_737_418_240),
            },
            coordinator: CoordinatorSettings {
                idle_timeout: Some(Duration::from_secs(600)),
                log: None,
                error_log: None,
            },
            remotes: crate::Remotes::default(),
        }
    );
    assert_eq!(loaded.warnings, []);
}

#[cfg(target_os = "linux")]
#[test]
fn the_file_at_the_default_place_is_read() {
    let home = Home::new();
    let directory = home.path().join(".config/cachepot");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("config"), "cache.disk.size = 5").expect("a file");
    let origin = "~/.config/cachepot/config:1".to_owned();
    assert_eq!(home.shown("cache.disk.size"), ("5 (5 bytes)".to_owned(), origin));
    assert_eq!(home.shown("CACHEPOT_CACHED_CONF").0, "~/.config/cachepot/cached-config");
}

// The original threw the other value of the file away.
#[test]
fn dir_and_size_are_overridden_each_by_its_own_variable() {
    let file = "[cache.disk]\ndir = '/from/file'\nsize = 5\n";
    let dir = Home::new().toml(file).variable("CACHEPOT_DIR", "/from/variable").loads().settings.disk;
    assert_eq!((dir.dir, dir.max_bytes), (PathBuf::from("/from/variable"), ByteSize::from_bytes(5)));
    let size = Home::new().toml(file).variable("CACHEPOT_CACHE_SIZE", "2K").loads().settings.disk;
    assert_eq!((size.dir, size.max_bytes), (PathBuf::from("/from/file"), ByteSize::from_bytes(2048)));
}

#[test]
fn nonsense_in_a_variable_is_refused_with_the_accepted_forms() {
    let home = Home::new().variable("CACHEPOT_CACHE_SIZE", "lots");
    assert_eq!(
        home.error(),
        "`CACHEPOT_CACHE_SIZE`: value `lots` is not valid; accepted is a number of bytes (`1048576`) or a number \
         with a unit of K, M, G or T (`500M`, `10G`, `1.5GiB`, `10GB`; powers of 1024)"
    );
    let home = Home::new().variable("CACHEPOT_IDLE_TIMEOUT", "-5");
    assert!(
        home.error().starts_with("`CACHEPOT_IDLE_TIMEOUT`: value `-5` is not valid; "),
        "{}",
        home.error()
    );
}

#[test]
fn a_list_of_remotes_that_names_one_without_settings_is_warned_of() {
    let home = Home::new().variable("CACHEPOT_FOLDER", "/shared").variable("CACHEPOT_CHAIN", "disk, folder");
    assert_eq!(home.warnings(), [""; 0]);
    let home = home.variable("CACHEPOT_CHAIN", "s3, folder folder s3");
    let is_built = cfg!(feature = "s3");
    let expected = if is_built {
        "`CACHEPOT_CHAIN` names `s3`, which has no settings; going on without it: set `CACHEPOT_BUCKET` or the table \
         `cache.s3`, or leave `s3` out of the list"
    } else {
        "`CACHEPOT_CHAIN` names `s3`, but this build has no S3 backend; going on without it"
    };
    assert_eq!(home.warnings(), [expected]);
    assert_eq!(home.loads().settings.remotes.list.len(), 1);
    let home = Home::new().toml("[cache]\nchain = 'folder'\n");
    assert!(
        home.warnings()[0].contains(":2: `cache.chain` names `folder`, which has no settings"),
        "{:?}",
        home.warnings()
    );
}

#[test]
fn nonsense_in_an_unimportant_variable_is_replaced_with_a_warning() {
    let home =
        Home::new().variable("CACHEPOT_MAX_FRAME_LENGTH", "x").variable("CACHEPOT_COORDINATOR_PORT", "99999");
    let warnings = home.warnings();
    assert_eq!(
        warnings[0],
        "`CACHEPOT_COORDINATOR_PORT`: value `99999` is not valid; accepted is a number from 0 to 65535; using `4226`"
    );
    assert!(warnings[1].ends_with("; using `268435456 (256 MiB)`"), "{}", warnings[1]);
}

#[test]
fn an_idle_timeout_of_zero_is_never() {
    assert_eq!(
        Home::new().variable("CACHEPOT_IDLE_TIMEOUT", "0").loads().settings.coordinator.idle_timeout,
        None
    );
}

#[test]
fn only_exactly_one_keeps_the_coordinator_in_the_foreground() {
    for (value, expected) in [("1", true), ("0", false), ("true", false), (" 1", false), ("", false)] {
        let home = Home::new().variable("CACHEPOT_NO_DAEMON", value);
        let shown = home.shown("CACHEPOT_NO_DAEMON").0;
        assert_eq!(shown == "1", expected, "{value:?}: {shown}");
    }
}

#[test]
fn the_log_of_the_wider_world_counts_last() {
    let log = |home: Home| home.loads().settings.coordinator.log;
    let home = || Home::new().variable("RUST_LOG", "trace");
    assert_eq!(log(home()), Some("trace".to_owned()));
    assert_eq!(home().shown("coordinator.log").1, "RUST_LOG");
    assert_eq!(log(home().toml("coordinator.log = 'warn'")), Some("warn".to_owned()));
    assert_eq!(log(home().variable("CACHEPOT_LOG", "info")), Some("info".to_owned()));
    assert_eq!(log(home().variable("CACHEPOT_LOG", "")), Some("trace".to_owned()));
}

#[test]
fn relative_paths_belong_to_where_they_were_written() {
    let variable = Home::new().variable("CACHEPOT_ERROR_LOG", "logs/e.log").variable("CACHEPOT_DIR", "c");
    let start = variable.path().join("started-here");
    let settings = variable.loads().settings;
    assert_eq!(settings.coordinator.error_log, Some(start.join("logs/e.log")));
    assert_eq!(settings.disk.dir, start.join("c"));

    let file = Home::new().toml("cache.disk.dir = 'c'\ncoordinator.error_log = 'e.log'");
    let settings = file.loads().settings;
    assert_eq!(settings.disk.dir, file.path().join("c"));
    assert_eq!(settings.coordinator.error_log, Some(file.path().join("e.log")));

    let named = Home::new().variable("CACHEPOT_CONF", "my.toml");
    std::fs::create_dir(named.path().join("started-here")).expect("a directory");
    std::fs::write(named.path().join("started-here/my.toml"), "cache.disk.size = 5").expect("a file");
    assert_eq!(named.loads().settings.disk.max_bytes, ByteSize::from_bytes(5));
}

#[test]
fn a_base_that_is_not_absolute_is_our_bug() {
    let error = load(&Environment::new([("HOME", "/h")], 1000), Path::new("here")).expect_err("an error");
    assert_eq!(error, ConfigError::RelativeBase { directory: PathBuf::from("here") });
}

#[test]
fn a_named_file_that_cannot_be_read_is_a_warning() {
    let missing = Home::new().variable("CACHEPOT_CONF", "nowhere");
    let expected = "cannot read configuration file `~/started-here/nowhere`: ";
    assert!(missing.warnings()[0].starts_with(expected), "{:?}", missing.warnings());
    let directory = Home::new();
    let path = directory.path().to_str().expect("a path in UTF-8").to_owned();
    let warnings = directory.variable("CACHEPOT_CONF", &path).warnings();
    assert!(warnings[0].contains("cannot read configuration file"), "{warnings:?}");
}

#[cfg(unix)]
#[test]
fn the_null_device_is_an_empty_file() {
    assert_eq!(Home::new().variable("CACHEPOT_CONF", "/dev/null").warnings(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn without_a_home_there_is_a_makeshift_cache_and_a_warning() {
    for variables in [vec![], vec![("HOME", "")], vec![("HOME", "relative")]] {
        let loaded = load(&Environment::new(variables, 1234), Path::new("/")).expect("settings");
        assert_eq!(loaded.settings.disk.dir, PathBuf::from("/tmp/cachepot-cache-1234"));
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "no home directory is known; the cache is in `/tmp/cachepot-cache-1234` until `HOME` or `CACHEPOT_DIR` is set"
            ]
        );
    }
    let named = load(&Environment::new([("CACHEPOT_DIR", "/c")], 1234), Path::new("/")).expect("settings");
    assert_eq!(named.warnings, []);
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_are_kept_in_paths_and_refused_elsewhere() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let bytes = OsString::from_vec(b"/c\xff".to_vec());
    let load_with = |name: &str| {
        let variables = [("HOME".into(), "/h".into()), (OsString::from(name), bytes.clone())];
        load(&Environment::new(variables, 1000), Path::new("/"))
    };
    let loaded = load_with("CACHEPOT_DIR").expect("settings");
    assert_eq!(loaded.settings.disk.dir, PathBuf::from(&bytes));
    for name in ["CACHEPOT_LOG", "CACHEPOT_CACHE_SIZE", "CACHEPOT_IDLE_TIMEOUT"] {
        let error = load_with(name).expect_err(name).to_string();
        assert!(error.starts_with(&format!("`{name}`: value `/c\u{fffd}` is not valid")), "{error}");
    }
}

#[test]
fn variables_of_parts_that_other_builds_have_are_skipped_with_a_warning() {
    let home = Home::new().variable("CACHEPOT_REDIS", "redis://:secret@host").variable("CACHEPOT_BUCKET", "");
    let expected = ["`CACHEPOT_REDIS` is set but this build has no Redis backend; it is skipped"];
    let is_built = cfg!(feature = "redis");
    assert_eq!(home.warnings(), if is_built { &expected[..0] } else { &expected });
    assert_eq!(home.loads().settings.remotes.list.len(), usize::from(is_built));
}

#[cfg(target_os = "linux")]
#[test]
fn show_has_one_aligned_line_per_key() {
    let home = Home::new()
        .toml("\n[cache.disk]\nsize = '7G'\n")
        .variable("CACHEPOT_ERROR_LOG", "/e\n\u{1b}[2Jlog")
        .variable("CACHEPOT_RECACHE", "1");
    let expected = "\
cache.disk.dir            = ~/.cache/cachepot  (default)
cache.disk.size           = 7516192768 (7 GiB)  (~/config:3)
cache.chain               = unset  (default)
cache.ca_file             = unset  (default)
cache.sign_key_file       = unset  (default)
cache.trusted_keys        = unset  (default)
cache.encryption_key_file = unset  (default)
coordinator.idle_timeout  = 600s  (default)
coordinator.log           = unset  (default)
coordinator.error_log     = /e\\n\\u{1b}[2Jlog  (CACHEPOT_ERROR_LOG)
CACHEPOT_NO_DAEMON        = unset  (default)
CACHEPOT_SERVER_UDS       = unset  (default)
CACHEPOT_COORDINATOR_PORT = 4226  (default)
CACHEPOT_MAX_FRAME_LENGTH = 268435456 (256 MiB)  (default)
CACHEPOT_CONF             = ~/config  (CACHEPOT_CONF)
CACHEPOT_CACHED_CONF      = ~/.config/cachepot/cached-config  (default)
";
    assert_eq!(home.neutral(&show(&home.loads())), expected);
    assert!(home.config_path().is_file());
}

#[test]
fn an_environment_shows_no_values() {
    let text = format!("{:?}", Environment::new([("TOKEN", "hunter2")], 1000));
    assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_secret_in_a_file_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |home: &Home, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(home.config_path(), permissions).unwrap();
        home.warnings()
    };
    for (text, is_secret) in [
        ("[cache.redis]\nurl = 'redis://:secret@host'\n", cfg!(feature = "redis")),
        ("[cache.redis]\nurl = 'redis://host'\n", false),
        ("[cache.webdav]\nendpoint = 'http://h'\ntoken = 'secret'\n", cfg!(feature = "webdav")),
    ] {
        let home = Home::new().toml(text);
        let warns = |warnings: Vec<String>| warnings.iter().any(|text| text.contains("holds a secret"));
        assert_eq!(warns(mode(&home, 0o640)), is_secret, "{text}");
        assert!(!warns(mode(&home, 0o600)), "{text}");
    }
}
