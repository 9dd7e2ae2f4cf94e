//! The table of default places, for all platforms on each.

use std::path::{Path, PathBuf};

use crate::Environment;
use crate::places::{CacheDirectory, Platform, cache_directory, config_file};

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().copied(), 1000)
}

/// An absolute path here, wherever here is.
fn root(rest: &str) -> String {
    if cfg!(windows) { format!(r"C:\{rest}") } else { format!("/{rest}") }
}

fn joined(root: &str, parts: &str) -> PathBuf {
    parts.split('/').fold(PathBuf::from(root), |path, part| path.join(part))
}

#[test]
fn each_platform_has_its_places() {
    let (home, xdg) = (root("h"), root("x"));
    let rows = [
        (Platform::Linux, "HOME", ".config/cachepot/config", ".cache/cachepot"),
        (
            Platform::MacOs,
            "HOME",
            "Library/Application Support/Parity.cachepot/config",
            "Library/Caches/Parity.cachepot",
        ),
    ];
    for (platform, variable, config, cache) in rows {
        // Only Linux looks at the XDG variables.
        let environment = environment(&[(variable, &home)]);
        assert_eq!(config_file(&environment, platform, "config"), Some(joined(&home, config)));
        assert_eq!(cache_directory(&environment, platform), CacheDirectory::OfUser(joined(&home, cache)));
    }
    let windows = environment(&[("APPDATA", &home), ("LOCALAPPDATA", &xdg), ("HOME", "ignored")]);
    let config = joined(&home, "Parity/cachepot/config/config");
    assert_eq!(config_file(&windows, Platform::Windows, "config"), Some(config));
    let cache = joined(&xdg, "Parity/cachepot/cache");
    assert_eq!(cache_directory(&windows, Platform::Windows), CacheDirectory::OfUser(cache));
}

#[test]
fn xdg_directories_count_on_linux_if_absolute() {
    let (home, xdg) = (root("h"), root("x"));
    let of_xdg = environment(&[("HOME", &home), ("XDG_CONFIG_HOME", &xdg), ("XDG_CACHE_HOME", &xdg)]);
    let config = joined(&xdg, "cachepot/cached-config");
    assert_eq!(config_file(&of_xdg, Platform::Linux, "cached-config"), Some(config));
    let cache = CacheDirectory::OfUser(joined(&xdg, "cachepot"));
    assert_eq!(cache_directory(&of_xdg, Platform::Linux), cache);
    let on_mac = config_file(&of_xdg, Platform::MacOs, "config").expect("a place");
    assert!(on_mac.starts_with(&home));

    let relative = environment(&[("HOME", &home), ("XDG_CONFIG_HOME", "x"), ("XDG_CACHE_HOME", "x")]);
    let config = joined(&home, ".config/cachepot/config");
    assert_eq!(config_file(&relative, Platform::Linux, "config"), Some(config));
}

#[test]
fn without_a_home_the_cache_is_in_the_temporary_directory_of_the_user() {
    let tmp = root("t");
    for platform in [Platform::Linux, Platform::MacOs, Platform::Windows] {
        for home in ["", "relative"] {
            let variables =
                [("HOME", home), ("APPDATA", home), ("LOCALAPPDATA", home), ("TMPDIR", &tmp), ("TEMP", &tmp)];
            let environment = environment(&variables);
            assert_eq!(config_file(&environment, platform, "config"), None);
            let makeshift = CacheDirectory::Makeshift(Path::new(&tmp).join("cachepot-cache-1000"));
            assert_eq!(cache_directory(&environment, platform), makeshift);
        }
    }
    let bare = cache_directory(&environment(&[]), Platform::Linux);
    assert_eq!(bare, CacheDirectory::Makeshift(PathBuf::from("/tmp/cachepot-cache-1000")));
}

#[test]
fn the_older_place_on_macos_counts_while_the_newer_is_empty() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let home = directory.path().to_str().expect("a path in UTF-8");
    let environment = environment(&[("HOME", home)]);
    let older = joined(home, "Library/Preferences/Parity.cachepot/config");
    let newer = joined(home, "Library/Application Support/Parity.cachepot/config");
    for (path, expected) in [(&older, &older), (&newer, &newer)] {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, "").expect("a file");
        assert_eq!(config_file(&environment, Platform::MacOs, "config").as_ref(), Some(expected));
    }
}
