//! A folder with all that is in it as one run of bytes: what the run of a build script leaves in its `OUT_DIR`.
//!
//! ```text
//! folder = magic item*                 in the order of their paths, each path once
//! item   = path kind ...               0: folder, mode | 1: file, mode, modified, content | 2: link, text
//! ```
//! Paths are relative to the folder. Nothing here leads out of it: each item lies in the folder or in one that came
//! before, and never behind a link.
use crate::codec::{Reader, Writer};
use crate::frame::WireError;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

const MAGIC: &[u8] = b"cachepot folder 1\n";

/// The permissions of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Those of a new one under the umask of whoever makes it.
    New,
    /// Those of a new program.
    NewProgram,
    /// These bits, whatever the umask is.
    Exactly(u32),
}

/// A moment: seconds since the epoch, and nanoseconds.
pub type Moment = (u64, u32);

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder(Mode),
    /// A plain file.
    File {
        /// Its permissions.
        mode: Mode,
        /// When it was last modified, where that was before the folder was filled: somebody chose that time.
        modified: Option<Moment>,
        /// Its bytes.
        content: Vec<u8>,
    },
    /// A symbolic link, and where it leads.
    Link(OsString),
}

/// One of the things in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where, from the folder.
    pub path: PathBuf,
    /// What.
    pub kind: Kind,
}

fn write_mode(w: &mut Writer, mode: Mode) {
    match mode {
        Mode::New => w.u8(0),
        Mode::NewProgram => w.u8(1),
        Mode::Exactly(bits) => {
            w.u8(2);
            w.u32(bits);
        }
    }
}

fn read_mode(r: &mut Reader<'_>) -> Result<Mode, WireError> {
    Ok(match r.u8()? {
        0 => Mode::New,
        1 => Mode::NewProgram,
        2 => Mode::Exactly(r.u32()?),
        _ => return Err(WireError::Malformed),
    })
}

/// The bytes of a folder with these items, which are in order.
pub fn encode(items: &[Item]) -> Vec<u8> {
    let mut w = Writer(MAGIC.to_vec());
    for Item { path, kind } in items {
        w.os(path.as_os_str());
        match kind {
            Kind::Folder(mode) => {
                w.u8(0);
                write_mode(&mut w, *mode);
            }
            Kind::File { mode, modified, content } => {
                w.u8(1);
                write_mode(&mut w, *mode);
                w.option(modified.as_ref(), |w, (seconds, nanoseconds)| {
                    w.u64(*seconds);
                    w.u32(*nanoseconds);
                });
                w.bytes(content);
            }
            Kind::Link(text) => {
                w.u8(2);
                w.os(text);
            }
        }
    }
    w.0
}

/// The items of a folder, in order.
///
/// # Errors
/// [`WireError::Malformed`] where the bytes are no folder, or something in it would lie elsewhere.
pub fn decode(bytes: &[u8]) -> Result<Vec<Item>, WireError> {
    let mut r = Reader(bytes.strip_prefix(MAGIC).ok_or(WireError::Malformed)?);
    let mut items: Vec<Item> = Vec::new();
    let mut folders = BTreeSet::from([PathBuf::new()]);
    while r.end().is_err() {
        let item = read_item(&mut r)?;
        let is_next = items.last().is_none_or(|last| bytes_of(&last.path) < bytes_of(&item.path));
        let is_inside = item.path.parent().is_some_and(|parent| folders.contains(parent));
        if !is_next || !is_inside || !is_plain(&item.path) {
            return Err(WireError::Malformed);
        }
        if matches!(item.kind, Kind::Folder(_)) {
            folders.insert(item.path.clone());
        }
        items.push(item);
    }
    Ok(items)
}

fn read_item(r: &mut Reader<'_>) -> Result<Item, WireError> {
    let path = r.os()?.into();
    let kind = match r.u8()? {
        0 => Kind::Folder(read_mode(r)?),
        1 => Kind::File {
            mode: read_mode(r)?,
            modified: r.option(|r| Ok((r.u64()?, r.u32()?)))?,
            content: r.bytes()?,
        },
        2 => Kind::Link(r.os()?),
        _ => return Err(WireError::Malformed),
    };
    Ok(Item { path, kind })
}

/// The order of items: a folder comes before what is in it.
pub fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Whether a path is spelled in the one form that it has here: names with a slash between them.
fn is_plain(path: &Path) -> bool {
    let names = path.components().all(|part| matches!(part, Component::Normal(_)));
    let spelled: PathBuf = path.components().collect();
    names && spelled.as_os_str() == path.as_os_str() && !bytes_of(path).contains(&0)
}
