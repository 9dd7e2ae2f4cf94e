//! Where files lie when nobody says where.
//!
//! Source: behaviour specification 3.1. The platform is an argument, so that every row of that table
//! is tested on every platform.

use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// The families of platforms that differ in their directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Linux,
    MacOs,
    Windows,
}

impl Platform {
    /// Returns the platform this program was built for; all other Unix systems follow Linux.
    pub(crate) fn current() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }
}

/// A cache directory, and whether it is only the makeshift below the temporary directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CacheDirectory {
    OfUser(PathBuf),
    Makeshift(PathBuf),
}

/// Returns the file `name` of the user's configuration; `None` without a home directory.
///
/// On macOS the older place counts if a file is there and none at the newer place.
pub(crate) fn config_file(environment: &Environment, platform: Platform, name: &str) -> Option<PathBuf> {
    match platform {
        Platform::Linux => {
            let directory = absolute(environment, "XDG_CONFIG_HOME")
                .or_else(|| absolute(environment, "HOME").map(|home| home.join(".config")))?;
            Some(directory.join("cachepot").join(name))
        }
        Platform::MacOs => {
            let library = absolute(environment, "HOME")?.join("Library");
            let newer = library.join("Application Support").join("Parity.cachepot").join(name);
            let older = library.join("Preferences").join("Parity.cachepot").join(name);
            let is_older = !newer.exists() && older.exists();
            Some(if is_older { older } else { newer })
        }
        Platform::Windows => {
            let roaming = absolute(environment, "APPDATA")?;
            Some(roaming.join("Parity").join("cachepot").join("config").join(name))
        }
    }
}

/// Returns the directory of the local disk cache.
pub(crate) fn cache_directory(environment: &Environment, platform: Platform) -> CacheDirectory {
    let of_user = match platform {
        Platform::Linux => absolute(environment, "XDG_CACHE_HOME")
            .or_else(|| absolute(environment, "HOME").map(|home| home.join(".cache")))
            .map(|directory| directory.join("cachepot")),
        Platform::MacOs => absolute(environment, "HOME")
            .map(|home| home.join("Library").join("Caches").join("Parity.cachepot")),
        Platform::Windows => absolute(environment, "LOCALAPPDATA")
            .map(|local| local.join("Parity").join("cachepot").join("cache")),
    };
    match of_user {
        Some(directory) => CacheDirectory::OfUser(directory),
        None => {
            let name = format!("cachepot-cache-{}", environment.user_id());
            CacheDirectory::Makeshift(temporary_directory(environment, platform).join(name))
        }
    }
}

fn temporary_directory(environment: &Environment, platform: Platform) -> PathBuf {
    match platform {
        Platform::Linux | Platform::MacOs => {
            absolute(environment, "TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"))
        }
        Platform::Windows => absolute(environment, "TEMP")
            .or_else(|| absolute(environment, "TMP"))
            .unwrap_or_else(|| PathBuf::from(r"C:\Windows\Temp")),
    }
}

/// Returns a variable that names a directory. The XDG specification says to ignore relative ones,
/// and a relative home would make the cache depend on where a build was started.
fn absolute(environment: &Environment, variable: &str) -> Option<PathBuf> {
    environment.get(variable).map(Path::new).filter(|path| path.is_absolute()).map(Path::to_path_buf)
}
