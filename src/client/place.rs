//! Puts the outputs of a hit in place as the compiler would have: new files with this process's umask, never
//! through an existing hard link, all of them or none.
#![allow(unsafe_code)]
use cachepot_wire::fd::own_uid;
use cachepot_wire::{Existing, OutputBody, PlacedOutput};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Places all outputs, or leaves everything as it was.
///
/// # Errors
/// When a place is not one for a plain new file, or something cannot be written; nothing is left behind then.
pub(crate) fn place(outputs: &[PlacedOutput], descriptors: Vec<OwnedFd>) -> io::Result<()> {
    let mut descriptors = descriptors.into_iter();
    let mut ready = Ready(Vec::with_capacity(outputs.len()));
    let mut names = Names { process: std::process::id(), next: 0 };
    for output in outputs {
        let mode = kept_mode(output)?;
        let (temporary, file) = names.create_beside(&output.path, output.executable)?;
        ready.0.push((temporary, output.path.clone()));
        match &output.body {
            OutputBody::Inline(bytes) => (&file).write_all(bytes)?,
            OutputBody::Descriptor(size) => {
                let from = descriptors.next().ok_or(io::ErrorKind::InvalidData)?;
                fill(&file, &left_open(from.into()), *size)?;
            }
        }
        if let Some(mode) = mode {
            file.set_permissions(mode)?;
        }
        left_open(file);
    }
    while let Some((temporary, path)) = ready.0.first() {
        fs::rename(temporary, path)?;
        ready.0.remove(0);
    }
    Ok(())
}

/// The process ends soon, which closes all there is in one go.
fn left_open(file: File) -> ManuallyDrop<File> {
    ManuallyDrop::new(file)
}

/// Temporary files and the names they are for; what was not renamed is removed.
struct Ready(Vec<(PathBuf, PathBuf)>);

impl Drop for Ready {
    fn drop(&mut self) {
        for (temporary, _) in &self.0 {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Only a new file or a plain one can be replaced; a device, a link or a read-only file is the compiler's to
/// treat. The value is the mode of a file that the compiler would have written into.
fn kept_mode(output: &PlacedOutput) -> io::Result<Option<fs::Permissions>> {
    let metadata = match fs::symlink_metadata(&output.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    // Written into, it would go on to belong to somebody else, or to lie under its other names.
    let is_only_ours = metadata.nlink() == 1 && metadata.uid() == own_uid();
    let is_kept = output.existing != Existing::Replaced && !is_only_ours;
    if !metadata.file_type().is_file() || metadata.permissions().readonly() || is_kept {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok((output.existing == Existing::WrittenInto).then(|| metadata.permissions()))
}

/// New names for files.
struct Names {
    process: u32,
    next: u32,
}

impl Names {
    /// Creates a file with a new name in the folder of `path`.
    fn create_beside(&mut self, path: &Path, executable: bool) -> io::Result<(PathBuf, File)> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mode = if executable { 0o777 } else { 0o666 };
        for _ in 0..100 {
            // Short: a name at the limit of the file system must still have room beside it.
            let temporary = folder.join(format!(".cachepot-{}-{}", self.process, self.next));
            self.next += 1;
            match OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary) {
                Ok(file) => return Ok((temporary, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!("no free name beside {}", path.as_os_str().as_bytes().escape_ascii())))
    }
}

/// Fills a new file by a copy inside the kernel, which is a reflink where the file system has them
/// (copy_file_range(2)), else by reading and writing.
fn fill(to: &File, from: &File, size: u64) -> io::Result<()> {
    let mut left = size;
    while left > 0 {
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(1 << 30);
        // Offsets are explicit: the descriptor may be shared with other clients.
        let mut offset = libc::off64_t::try_from(size - left).map_err(io::Error::other)?;
        // SAFETY: the offset outlives the call; null means the position of the new file, which is ours alone.
        let count = unsafe {
            libc::copy_file_range(
                from.as_raw_fd(),
                &raw mut offset,
                to.as_raw_fd(),
                std::ptr::null_mut(),
                step,
                0,
            )
        };
        match u64::try_from(count) {
            // Some file systems say 0 instead of cannot; where the file is too short, the copy says so.
            Ok(0) | Err(_) => return copy(to, from, size - left..size),
            Ok(count) => left -= count,
        }
    }
    Ok(())
}

/// Copies these bytes to where the new file ends.
fn copy(mut to: &File, from: &File, mut range: Range<u64>) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut buffer = vec![0; 1 << 18];
    while !range.is_empty() {
        let most = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(buffer.len());
        match from.read_at(buffer.get_mut(..most).unwrap_or_default(), range.start)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                to.write_all(buffer.get(..count).unwrap_or_default())?;
                range.start += count as u64;
            }
        }
    }
    Ok(())
}
