//! What the files of a compile are now: stamps, digests, folder listings, and whether an earlier result still
//! stands. Plain synchronous code without actors; only the Hasher calls it.

mod files;
mod folders;
mod look;
mod names;
mod paths;
mod record;
mod survey;
mod users;
mod validate;
mod watch;

#[cfg(test)]
mod tests;

pub use files::{FileMemory, Moment, Stamp, changed_since, now, stat};
pub use folders::FolderMemory;
pub use look::{Help, Look};
pub use paths::{Paths, Place};
pub use record::{Compiled, NotStorable, Observed, observe};
pub use users::Sides;
pub use validate::KnownManifest;

/// Everything remembered about files, shared by all Hashers.
#[derive(Default)]
pub struct Memory {
    /// Digests by stamp.
    pub files: FileMemory,
    /// Listings of folders by stamp.
    pub folders: FolderMemory,
    /// Every path once.
    pub paths: Paths,
}
