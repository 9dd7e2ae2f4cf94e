//! What a compile depended on, from the log of the observer (`src/observe/`). Pure: bytes in, facts or a reason not to
//! believe them out. Absent on purpose: whether the files are still as they were, and what a compiler's own outputs are.
pub mod dated;
pub mod direct;
mod fold;
pub mod format;
pub mod harmless;
mod own;
mod programs;
mod records;

use std::collections::{BTreeMap, BTreeSet};

/// A path as the compile spelt it, made absolute; without `.` and double slashes, but with `..`, since what stands
/// before that may be a link. One that ends with a slash is to be a folder.
pub type Path = Vec<u8>;

/// What was at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something; it was not asked what.
    Unknown,
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, which was not followed.
    Link,
    /// A device, a pipe, a socket.
    Other,
}

/// What a result depends on, and what was left behind. What the compile made itself counts as left behind only, and
/// what is [`harmless`] not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Files that were opened for reading: their content.
    pub read: BTreeSet<Path>,
    /// What was there, without being read. A path may be there as a link and as what the link leads to.
    pub looked_at: BTreeSet<(Path, Kind)>,
    /// What was seen to be no link.
    pub no_links: BTreeSet<Path>,
    /// What was looked for and not there, or not to be reached.
    pub absent: BTreeSet<Path>,
    /// Links that were read, and their text.
    pub links: BTreeMap<Path, Vec<u8>>,
    /// Paths that were resolved, and the path without links.
    pub resolved: BTreeMap<Path, Path>,
    /// Folders whose entries were asked for, and how often.
    pub listed: BTreeMap<Path, usize>,
    /// Environment variables that were asked for, set or not.
    pub variables: BTreeSet<Vec<u8>>,
    /// Programs that ran: as they were named, and the file that the kernel ran, which differ for links and scripts.
    pub programs: BTreeSet<Path>,
    /// Libraries that the loader mapped into them.
    pub libraries: BTreeSet<Path>,
    /// What was made and is still there, or was opened for writing: outputs and leftovers.
    pub written: BTreeMap<Path, Kind>,
    /// What was removed that the compile had not made, and that was not made anew.
    pub removed: BTreeSet<Path>,
    /// Where the compile made something at any time.
    pub ever_made: BTreeSet<Path>,
    /// What was not there when the compile looked, and made later.
    pub absent_at_first: BTreeSet<Path>,
    /// Programs that ran and libraries that were mapped which the compile had made itself.
    pub own_code: BTreeSet<Path>,
    /// Where the compile made links, and how often: what it found behind one it had not made.
    pub own_links: BTreeMap<Path, usize>,
}

/// Why a log does not tell everything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// A record does not end where it should, was not finished, or is none.
    #[error("the observer's log is damaged")]
    Damaged,
    /// The first program did not report: it is linked statically, privileged, or for another machine.
    #[error("the compiler was not observed")]
    NoStart,
    /// Made for another version of the observer.
    #[error("the observer's log has another version")]
    Version,
    /// There was no room for a record.
    #[error("the observer's log is not complete")]
    Incomplete,
    /// A compile that was started came from the cache: nobody saw what it depends on.
    #[error("a compile came from the cache")]
    FromCache,
    /// A program was started and did not report.
    #[error("`{}` was not observed", .0.escape_ascii())]
    Silent(Path),
    /// A program reported that nobody was seen to start.
    #[error("nobody was seen to start `{}`", .0.escape_ascii())]
    Unexplained(Path),
    /// A program was searched for in a folder that is named from the working directory, or named so itself.
    #[error("the program `{}` was named from the working directory", .0.escape_ascii())]
    Relative(Path),
    /// A socket was connected; the address family.
    #[error("a socket of family {0} was used")]
    Network(u32),
    /// Something was done that the observer cannot follow; its name.
    #[error("`{}` was used", .0.escape_ascii())]
    Opaque(Vec<u8>),
    /// It was asked what time it is.
    #[error("the time of day was asked for")]
    Clock,
    /// A call failed for a reason that says nothing about files.
    #[error("`{}` was not to be had (error {error})", .path.escape_ascii())]
    Failed {
        /// What was asked for.
        path: Path,
        /// As in `errno(3)`.
        error: u16,
    },
    /// Something was renamed that the compile had not made: what lies below goes on under another name.
    #[error("`{}` was renamed", .0.escape_ascii())]
    Moved(Path),
}

/// How many bytes of a log are in use: no more need to be read. The rest is room.
///
/// # Errors
/// [`Distrust`] where it is no log or not a whole one.
pub fn used_bytes(head: &[u8; format::LOG_HEAD_BYTES]) -> Result<u64, Distrust> {
    records::used_bytes(head)
}

/// A call of our own client by a program that was observed. The client does not report; the compiler does that it becomes
/// or starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The client's process id.
    pub process: u32,
    /// The compiler that it found.
    pub compiler: Path,
    /// Where it searched before.
    pub missing: Vec<Path>,
}

/// What is known of calls of our own client.
pub struct Clients<'a> {
    /// Whether a path leads to it.
    pub is_client: &'a dyn Fn(&[u8]) -> bool,
    /// The calls, in order.
    pub calls: &'a [Call],
}

/// Folders in which a compile writes, where the way to them leads through links or back up: without those, and as it was told. Some
/// calls name a file by its folder's descriptor, which knows the former name only.
pub type Names<'a> = &'a [(Path, Path)];

/// Reads a log.
///
/// # Errors
/// [`Distrust`] where something may have been done that the log does not tell: then nothing may be kept.
pub fn read(log: &[u8], names: Names<'_>, clients: &Clients<'_>) -> Result<Observed, Distrust> {
    fold::fold(records::records(log)?, names, clients)
}
