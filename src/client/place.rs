//! Puts the outputs of a hit in place as the compiler would have: new files with this process's umask, never
//! through an existing hard link, all of them or none.
#![allow(unsafe_code)]
use cachepot_wire::fd::own_uid;
use cachepot_wire::{OutputBody, PlacedOutput};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
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
    for output in outputs {
        let mode = kept_mode(output)?;
        let (temporary, mut file) = create_beside(&output.path, output.executable)?;
        ready.0.push((temporary, output.path.clone()));
        match &output.body {
            OutputBody::Inline(bytes) => file.write_all(bytes)?,
            OutputBody::Descriptor(size) => {
                let from = descriptors.next().ok_or(io::ErrorKind::InvalidData)?;
                fill(&file, &File::from(from), *size)?;
            }
        }
        if let Some(mode) = mode {
            file.set_permissions(mode)?;
        }
    }
    while let Some((temporary, path)) = ready.0.first() {
        fs::rename(temporary, path)?;
        ready.0.remove(0);
    }
    Ok(())
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
    let is_kept = output.in_place && !is_only_ours;
    if !metadata.file_type().is_file() || metadata.permissions().readonly() || is_kept {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(output.in_place.then(|| metadata.permissions()))
}

/// Creates a file with a new name in the folder of `path`.
fn create_beside(path: &Path, executable: bool) -> io::Result<(PathBuf, File)> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mode = if executable { 0o777 } else { 0o666 };
    for attempt in 0..100u32 {
        // Short: a name at the limit of the file system must still have room beside it.
        let temporary = folder.join(format!(".cachepot-{}-{attempt}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other(format!("no free name beside {}", path.as_os_str().as_bytes().escape_ascii())))
}

/// Fills a new file: as a reflink, else by a copy inside the kernel, else by reading and writing.
fn fill(to: &File, from: &File, size: u64) -> io::Result<()> {
    // SAFETY: FICLONE takes the source descriptor as its argument; both are open files of ours.
    if size > 0 && unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) } == 0 {
        // A reflink takes the whole file, whatever its size was said to be.
        return if to.metadata()?.len() == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
    }
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
        match usize::try_from(count) {
            // Some file systems say 0 instead of "cannot"; the plain copy finds out.
            Ok(0) => return copy(to, from, size - left, size),
            Ok(count) => left -= count as u64,
            Err(_) if left == size => return copy(to, from, 0, size),
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
    Ok(())
}

/// Copies from `at` on to the position of `to`.
fn copy(mut to: &File, from: &File, mut at: u64, size: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut buffer = vec![0; 1 << 18];
    while at < size {
        match from.read_at(&mut buffer, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                to.write_all(buffer.get(..count).unwrap_or_default())?;
                at += count as u64;
            }
        }
    }
    Ok(())
}
