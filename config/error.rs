//! What can be wrong with settings.

use std::path::PathBuf;

use crate::loaded::Origin;

/// Says why settings could not be loaded: where, which key, and what would be accepted.
///
/// Lines count from 1. Administration commands and the start of the coordinator fail with it; a
/// compile warns once and goes on without the cache.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not TOML, or not JSON, or not UTF-8.
    #[error("{}:{line}: {reason}", .file.display())]
    Syntax {
        /// The configuration file.
        file: PathBuf,
        /// Line of the trouble.
        line: usize,
        /// What the reader says.
        reason: String,
    },
    /// The file is larger than any configuration.
    #[error("`{}` is larger than {max_bytes} bytes; name a configuration file in `CACHEPOT_CONF`", .file.display())]
    TooLarge {
        /// The configuration file.
        file: PathBuf,
        /// The limit.
        max_bytes: u64,
    },
    /// The file holds a key or table that no version knows.
    #[error("{}:{line}: unknown key `{key}`; {hint}", .file.display())]
    UnknownKey {
        /// The configuration file.
        file: PathBuf,
        /// Line of the key.
        line: usize,
        /// Full dotted name.
        key: String,
        /// The nearest known name, or the list of all.
        hint: String,
    },
    /// A known key holds a value of another type.
    #[error("{}:{line}: `{key}` is {found}; needed is {needed}", .file.display())]
    WrongType {
        /// The configuration file.
        file: PathBuf,
        /// Line of the value.
        line: usize,
        /// Full dotted name.
        key: String,
        /// The type found, with its article.
        found: &'static str,
        /// The types that are accepted.
        needed: &'static str,
    },
    /// A value of the right type makes no sense.
    #[error("{}: value `{value}` is not valid; accepted is {accepted}", .origin.name_of(.key))]
    BadValue {
        /// Where the value stands.
        origin: Origin,
        /// The key's label in the table.
        key: &'static str,
        /// The value as written.
        value: String,
        /// The accepted forms.
        accepted: &'static str,
    },
    /// Two names of one setting, or two settings of which one excludes the other, are set.
    #[error("{first} and {second} contradict each other; set only one of them")]
    Both {
        /// Where the one stands.
        first: String,
        /// Where the other stands.
        second: String,
    },
    /// A list of remotes names one that no version knows.
    #[error(
        "`{key}`: no remote is called `{name}`; they are folder, s3, redis, memcached, gcs, azure, webdav"
    )]
    UnknownRemote {
        /// The key of the list.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// The caller gave a directory that depends on the current directory.
    #[error("base directory `{}` is not absolute; please report this as a bug of cachepot", .directory.display())]
    RelativeBase {
        /// The directory given.
        directory: PathBuf,
    },
    /// A row of the key table does not fit the field it fills.
    #[error("the row of `{key}` does not fit its setting; please report this as a bug of cachepot")]
    Table {
        /// The key's label in the table.
        key: &'static str,
    },
}
