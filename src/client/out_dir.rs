//! The folder that a build script fills, to bytes and back.
use cachepot_wire::folder::{self, Item, Kind, Mode, Moment};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// More than this is not worth keeping: it takes as much memory to put it back.
const MAX_BYTES: u64 = 256 << 20;
const PERMISSIONS: u32 = 0o7777;

/// What lies in a folder, with all that tells one state of it from another but the times of what was made since `began`.
///
/// # Errors
/// Where something cannot be read, there is too much of it, or something in it is neither file, folder nor link, or a file
/// with further names; where the folder itself is not one as cargo makes it.
pub(crate) fn pack(folder: &Path, umask: u32, began: Moment) -> io::Result<Vec<u8>> {
    let metadata = folder.symlink_metadata()?;
    if !metadata.is_dir() || metadata.mode() & PERMISSIONS != 0o777 & !umask {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut pack = Pack { folder, umask, began, left: MAX_BYTES, items: Vec::new() };
    pack.folder(Path::new(""))?;
    pack.items.sort_by(|one, other| folder::bytes_of(&one.path).cmp(folder::bytes_of(&other.path)));
    Ok(folder::encode(&pack.items))
}

struct Pack<'a> {
    folder: &'a Path,
    umask: u32,
    began: Moment,
    left: u64,
    items: Vec<Item>,
}

impl Pack<'_> {
    fn folder(&mut self, below: &Path) -> io::Result<()> {
        for entry in fs::read_dir(self.folder.join(below))? {
            let path = below.join(entry?.file_name());
            let kind = self.kind(&path)?;
            let is_folder = matches!(kind, Kind::Folder(_));
            self.items.push(Item { path: path.clone(), kind });
            if is_folder {
                self.folder(&path)?;
            }
        }
        Ok(())
    }

    fn kind(&mut self, path: &Path) -> io::Result<Kind> {
        let whole = self.folder.join(path);
        let metadata = whole.symlink_metadata()?;
        let mode = metadata.mode() & PERMISSIONS;
        let new = |bits: u32| mode == bits & !self.umask;
        if metadata.is_dir() {
            return Ok(Kind::Folder(if new(0o777) { Mode::New } else { Mode::Exactly(mode) }));
        }
        if metadata.is_symlink() {
            return Ok(Kind::Link(fs::read_link(&whole)?.into_os_string()));
        }
        if !metadata.is_file() || metadata.nlink() != 1 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mode = match mode {
            _ if new(0o666) => Mode::New,
            _ if new(0o777) => Mode::NewProgram,
            bits => Mode::Exactly(bits),
        };
        let nanoseconds = u32::try_from(metadata.mtime_nsec()).map_err(io::Error::other)?;
        let modified = (u64::try_from(metadata.mtime()).map_err(io::Error::other)?, nanoseconds);
        let mut content = Vec::new();
        File::open(&whole)?.take(self.left + 1).read_to_end(&mut content)?;
        let left = self.left.checked_sub(content.len() as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(Kind::File { mode, modified: (modified < self.began).then_some(modified), content })
    }
}

/// Fills an empty folder. Where that fails it is empty again.
///
/// # Errors
/// Where the bytes are no folder, or something cannot be made.
pub(crate) fn unpack(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let items = folder::decode(bytes).map_err(io::Error::other)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    let filled = fill(folder, &items);
    if filled.is_err() {
        empty(folder);
    }
    filled
}

fn fill(folder: &Path, items: &[Item]) -> io::Result<()> {
    for Item { path, kind } in items {
        let path = folder.join(path);
        match kind {
            Kind::Folder(_) => DirBuilder::new().mode(0o777).create(&path)?,
            Kind::Link(text) => symlink(text, &path)?,
            Kind::File { mode, modified, content } => {
                let bits = if *mode == Mode::NewProgram { 0o777 } else { 0o666 };
                let mut file = OpenOptions::new().write(true).create_new(true).mode(bits).open(&path)?;
                file.write_all(content)?;
                if let Mode::Exactly(bits) = mode {
                    file.set_permissions(Permissions::from_mode(*bits))?;
                }
                if let Some((seconds, nanoseconds)) = *modified {
                    file.set_modified(UNIX_EPOCH + Duration::new(seconds, nanoseconds))?;
                }
            }
        }
    }
    // A folder that may not be written to is filled first, and what is in it as well.
    for Item { path, kind } in items.iter().rev() {
        if let Kind::Folder(Mode::Exactly(bits)) = kind {
            fs::set_permissions(folder.join(path), Permissions::from_mode(*bits))?;
        }
    }
    Ok(())
}

/// Removes what is in a folder. What stays is the script's to deal with, as after a run that failed.
fn empty(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let _ = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}
