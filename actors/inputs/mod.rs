//! What the files of a compile are now: stamps, digests, folder listings, and whether an earlier result still
//! stands. Plain synchronous code without actors; only the Hasher calls it.

mod aliases;
mod direct;
mod early;
mod files;
mod folders;
mod later;
mod look;
mod names;
mod observed;
mod paths;
mod probed;
mod quoted;
mod record;
mod shadows;
mod sight;
mod surroundings;
mod survey;
mod texts;
mod twins;
mod unseen;
mod users;
mod validate;
mod variables;
mod watch;
mod whose;
mod within;
mod words;

#[cfg(test)]
mod tests;

pub use early::{Early, Young, early};
pub use files::{FileMemory, Moment, Stamp, changed_since, now, stat};
pub use folders::FolderMemory;
pub use look::{Help, Look};
pub use observed::Watched;
pub use paths::{Paths, Place};
pub use probed::probed;
pub use record::{Compiled, Limits, NotStorable, Observed, observe, observe_later, observe_sides};
pub use sight::{Sight, is_quiet};
pub use users::Sides;
pub use validate::KnownManifest;
pub use variables::MESSAGE_WIDTH;
pub use words::Words;

/// Everything remembered about files, shared by all Hashers.
pub struct Memory {
    /// Digests by stamp, with what the texts say.
    pub files: FileMemory,
    /// Digests by stamp of files whose texts say nothing to us.
    pub plain: FileMemory,
    /// Which libraries and programs call the kernel by themselves.
    pub direct: direct::DirectCalls,
    /// Which variables scripts and macros may ask for.
    pub unseen: unseen::Unseen,
    /// Listings of folders by stamp.
    pub folders: FolderMemory,
    /// Which files in folders of crates are old.
    pub aged: early::Aged,
    /// Every path once.
    pub paths: Paths,
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            files: FileMemory::default(),
            plain: FileMemory::plain(),
            direct: direct::DirectCalls::default(),
            unseen: unseen::Unseen::default(),
            folders: FolderMemory::default(),
            aged: early::Aged::default(),
            paths: Paths::default(),
        }
    }
}
