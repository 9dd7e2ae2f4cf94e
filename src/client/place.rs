//! Puts the outputs of a hit in place as the compiler would have: new files with this process's umask, never
//! through an existing hard link, all of them or none.
#![allow(unsafe_code)]
use crate::prepare::{Prepared, copied};
use cachepot_wire::fd::own_uid;
use cachepot_wire::{Existing, OutputBody, PlacedOutput};
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Places all outputs, or leaves everything as it was. What was prepared of them needs only a name.
///
/// # Errors
/// When a place is not one for a plain new file, or something cannot be written; nothing is left behind then.
pub(crate) fn place(
    outputs: &[PlacedOutput],
    descriptors: Vec<OwnedFd>,
    mut prepared: Prepared,
) -> io::Result<()> {
    let mut descriptors = descriptors.into_iter();
    let mut ready = Ready::new(outputs.len());
    let mut buffer = Vec::new();
    for output in outputs {
        let mode = kept_mode(output)?;
        let file = match &output.body {
            OutputBody::Inline(bytes) => {
                let file = ready.create(output)?;
                (&file).write_all(bytes)?;
                file
            }
            OutputBody::Descriptor(size) => {
                let from = left_open(descriptors.next().ok_or(io::ErrorKind::InvalidData)?.into());
                let unnamed = prepared.finish(output, &from);
                let unnamed = unnamed.or_else(|| copied(output, &from, *size, &mut buffer));
                match unnamed.and_then(|file| ready.name(output, file)) {
                    Some(file) => file,
                    None => {
                        let file = ready.create(output)?;
                        fill(&file, &from, 0..*size, &mut buffer)?;
                        file
                    }
                }
            }
        };
        if let Some(mode) = mode {
            file.set_permissions(mode)?;
        }
        left_open(file);
    }
    ready.rename()
}

/// The process ends soon, which closes all there is in one go.
fn left_open(file: File) -> ManuallyDrop<File> {
    ManuallyDrop::new(file)
}

/// Temporary files and the names they are for; what was not renamed is removed.
struct Ready {
    files: Vec<(PathBuf, PathBuf)>,
    process: u32,
    /// A number for the next temporary name.
    next: u32,
}

impl Ready {
    fn new(count: usize) -> Self {
        Ready { files: Vec::with_capacity(count), process: std::process::id(), next: 0 }
    }

    /// Creates a file with a new name beside the output.
    fn create(&mut self, output: &PlacedOutput) -> io::Result<File> {
        self.beside(output, |temporary| new_file(output).create_new(true).open(temporary))
    }

    /// Gives a file that has no name a new one beside the output; `None` where that cannot be done, as without `/proc`
    /// (open(2), `O_TMPFILE`).
    fn name(&mut self, output: &PlacedOutput, file: File) -> Option<File> {
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        let link = |temporary: &Path| {
            linkat(AT_FDCWD, unnamed.as_str(), AT_FDCWD, temporary, AtFlags::AT_SYMLINK_FOLLOW)
        };
        self.beside(output, |temporary| Ok(link(temporary)?)).ok().map(|()| file)
    }

    /// Makes something with a new name in the folder of the output.
    fn beside<T>(
        &mut self,
        output: &PlacedOutput,
        mut make: impl FnMut(&Path) -> io::Result<T>,
    ) -> io::Result<T> {
        for _ in 0..100 {
            // Short: a name at the limit of the file system must still have room beside it.
            let temporary = folder(output).join(format!(".cachepot-{}-{}", self.process, self.next));
            self.next += 1;
            match make(&temporary) {
                Ok(made) => {
                    self.files.push((temporary, output.path.clone()));
                    return Ok(made);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let path = output.path.as_os_str().as_bytes();
        Err(io::Error::other(format!("no free name beside {}", path.escape_ascii())))
    }

    /// Gives all of them the names they are for.
    fn rename(mut self) -> io::Result<()> {
        while let Some((temporary, path)) = self.files.first() {
            fs::rename(temporary, path)?;
            self.files.remove(0);
        }
        Ok(())
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        for (temporary, _) in &self.files {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// The folder of an output; nothing where that is the working directory.
pub(crate) fn folder(output: &PlacedOutput) -> &Path {
    output.path.parent().unwrap_or(Path::new(""))
}

/// How the compiler opens a new file; the umask is the kernel's to count in.
pub(crate) fn new_file(output: &PlacedOutput) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(if output.executable { 0o777 } else { 0o666 });
    options
}

/// Only a new file or a plain one can be replaced; a device, a link or a read-only file is the compiler's to
/// treat. The value is the mode of a file that the compiler would have written into.
pub(crate) fn kept_mode(output: &PlacedOutput) -> io::Result<Option<fs::Permissions>> {
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

/// Fills a new file, which ends where the range begins, by a copy inside the kernel, which is a reflink where the file
/// system has them (copy_file_range(2)), else by reading and writing. The buffer is for that: empty until it is needed,
/// and then for all that is still to come, since memory is not given back early on.
pub(crate) fn fill(to: &File, from: &File, mut range: Range<u64>, buffer: &mut Vec<u8>) -> io::Result<()> {
    while !range.is_empty() {
        let left = range.end - range.start;
        let step = usize::try_from(left).unwrap_or(usize::MAX).min(1 << 30);
        // Offsets are explicit: the descriptor may be shared with other clients.
        let mut offset = libc::off64_t::try_from(range.start).map_err(io::Error::other)?;
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
            Ok(0) | Err(_) => return copy(to, from, range, buffer),
            Ok(count) => range.start += count,
        }
    }
    Ok(())
}

/// Copies these bytes to where the new file ends.
fn copy(mut to: &File, from: &File, mut range: Range<u64>, buffer: &mut Vec<u8>) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    if buffer.is_empty() {
        // Fresh memory is zero already.
        *buffer = vec![0; 1 << 18];
    }
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
