//! The form of the log that the observer writes and `observed` reads. Nothing but constants: the observer, which
//! has no libraries at all, includes this file.
//!
//! ```text
//! log    = magic used broken zeros record*            `used` bytes of records; in the order of their beginning
//! record = length op detail error pid number text zeros
//! ```
//! The log is a file of fixed size that every process maps and shares: a record is room taken by adding to `used`, and
//! is there when its `length` (u32), which counts what is before the zeros, is no longer 0. The zeros make its size a
//! multiple of [`ALIGN`]. `op` and `detail` are u8, `error` (u16) is the error number of the call or 0, `pid` and
//! `number` are u32, `used` is u64. Integers are little-endian. `text` is one or more strings with a zero byte between
//! them. Paths are absolute: the observer puts the working directory, or the folder of the descriptor, and a slash
//! before those that are not. Whoever makes the log writes the magic and makes the rest zero.

/// How a log begins; the last byte goes up with each change of this file.
pub const MAGIC: [u8; 8] = *b"cp-obs\0\x03";
/// Where `used` stands.
pub const USED_AT: usize = 8;
/// Where `broken` (u32) stands: it is not 0 if something is missing.
pub const BROKEN_AT: usize = 16;
/// Where the records begin.
pub const LOG_HEAD_BYTES: usize = 64;
/// Records begin at multiples of this.
pub const ALIGN: usize = 8;
/// Bytes before the text of a record.
pub const HEAD_BYTES: usize = 16;
/// The size of a log: far more than any compile needs. It takes as much memory as was written.
pub const LOG_BYTES: usize = 64 << 20;

/// A program started. Number: the parent's process id. Text: the path as `execve` got it, the file
/// that runs, the working directory.
pub const START: u8 = 1;
/// A file was mapped into the process as a library. Text: path.
pub const LOAD: u8 = 2;
/// `execve` is about to be called; nothing follows if it succeeds. Text: the path as given; if it is searched for, the
/// search path, which is empty otherwise.
pub const EXEC: u8 = 3;
/// `execve` failed; belongs to the last [`EXEC`] of the process. Text: the path as given, nothing, the working directory.
pub const EXEC_FAILED: u8 = 4;
/// A child process runs a program. Number: its process id, 0 if it is not known. Text: as [`EXEC`].
pub const SPAWN: u8 = 5;
/// A file was opened. Detail: [`READ`], [`WRITE`] or [`UPDATE`]. Text: path.
pub const OPEN: u8 = 6;
/// The entries of a folder were asked for; each time, for a macro may list what rustc listed. Text: path.
pub const LIST: u8 = 7;
/// It was asked what is at a path. Detail: [`UNKNOWN`] or the kind of what is there, and [`ITSELF`]. Text: path.
pub const LOOK: u8 = 8;
/// Links were followed. Detail: [`READ_LINK`] or [`REAL_PATH`]. Text: path, what came of it.
pub const RESOLVE: u8 = 9;
/// Something new was made. Detail: the kind. Text: path; for a hard link, the old path after it.
pub const MAKE: u8 = 10;
/// Something was removed. Text: path.
pub const REMOVE: u8 = 11;
/// Something was renamed. Text: old path, new path.
pub const RENAME: u8 = 12;
/// An environment variable was asked for. Text: name.
pub const ENV: u8 = 13;
/// A socket was connected, or sent to. Number: address family.
pub const NETWORK: u8 = 14;
/// Something was done of which the rest is not seen. Text: the function, or what it was.
pub const OPAQUE: u8 = 15;
/// It was asked what time of what day it is.
pub const CLOCK: u8 = 16;

/// Opened for reading.
pub const READ: u8 = 0;
/// Opened for writing; nothing of an earlier content is left, or there was none.
pub const WRITE: u8 = 1;
/// Opened for writing, and an earlier content stays.
pub const UPDATE: u8 = 2;

/// One link was read.
pub const READ_LINK: u8 = 0;
/// The path without links was asked for.
pub const REAL_PATH: u8 = 1;

/// It is not known what is there.
pub const UNKNOWN: u8 = 0;
/// A plain file.
pub const FILE: u8 = 1;
/// A folder.
pub const FOLDER: u8 = 2;
/// A symbolic link.
pub const LINK: u8 = 3;
/// A device, a pipe, a socket.
pub const OTHER: u8 = 4;
/// Added to the kind: a link would not have been followed.
pub const ITSELF: u8 = 8;
