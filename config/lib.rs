//! Typed settings of cachepot and the layers they come from.
//!
//! [`load`] reads an [`Environment`] and the configuration file it points at, once, and gives each
//! part of the program its own plain struct of [`Settings`]. The table [`keys::KEYS`] is the only list
//! of keys, variables and defaults: reading, unknown-key errors, `--show-config` and the reference
//! page are made from it.
//!
//! Absent here: any runtime, any actor, any cloud library, and what a compiler is. Nothing here
//! touches the environment of the process or its current directory.
#![forbid(unsafe_code)]

mod compare;
mod environment;
mod error;
mod file;
mod json;
pub mod keys;
mod loaded;
mod names;
mod parts;
mod places;
mod remotes;
mod settings;
mod sources;
mod tree;
mod units;

#[cfg(test)]
mod tests;

pub use compare::{Difference, differences};
pub use environment::Environment;
pub use error::ConfigError;
pub use loaded::{Loaded, Origin, Shown, Warning, show};
pub use parts::{PARTS, Part};
pub use remotes::{
    Azure, Folder, Gcs, Keys, Memcached, Mode, Redis, Remote, RemoteKind, Remotes, S3, Webdav,
};
pub use settings::{CoordinatorSettings, DiskSettings, Settings};
pub use sources::load;
pub use units::{ByteSize, UnitError, parse_duration};
