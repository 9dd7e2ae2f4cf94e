//! What a compile leaves: the outputs among the files that its report brought.
use crate::inputs::{Moment, Stamp, changed_since};
use crate::statistics::NotStored;
use cachepot_engine::job::{Output, Role};
use cachepot_wire::Report;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

/// Of a dependency file beyond this size nothing is believed: the result is not stored. A part of one could pass for the whole.
pub(crate) const MAX_DEPENDENCY_BYTES: usize = 64 << 20;

type PresentOutputs = (Vec<(Role, bool)>, Vec<File>);

/// The outputs that are there, with role and whether they can be executed. What lay around from before is no output
/// of a compile that began at `start` in `cwd` (traps T64, T75).
pub(crate) fn present_outputs(
    outputs: &[Output],
    opened: Vec<Option<File>>,
    start: Moment,
    cwd: &Path,
) -> Result<PresentOutputs, NotStored> {
    let mut found = PresentOutputs::default();
    for (output, file) in outputs.iter().zip(opened.into_iter().chain(std::iter::repeat_with(|| None))) {
        match file.map(|file| file.metadata().map(|metadata| (file, metadata))) {
            Some(Ok((file, metadata)))
                if metadata.is_file() && changed_since(&Stamp::of_metadata(&metadata), start) =>
            {
                found.0.push((output.role, metadata.permissions().mode() & 0o111 != 0));
                found.1.push(file);
            }
            // A folder, say, in which the compiler could not write: clang then ends well all the same.
            None if cwd.join(&output.path).symlink_metadata().is_ok() => {
                return Err(NotStored::skipped("output is no file"));
            }
            None if output.optional => {}
            Some(Ok((_, metadata)))
                if output.optional && metadata.is_file() && !metadata.permissions().readonly() => {}
            Some(_) => return Err(NotStored::skipped("output unchanged")),
            None => return Err(NotStored::skipped("output missing")),
        }
    }
    Ok(found)
}

/// The descriptors of a report, one per watched path. With one too few, each would be taken for another file.
pub(crate) fn opened(report: &Report, descriptors: Vec<OwnedFd>) -> Result<Vec<Option<File>>, NotStored> {
    if report.watched.iter().filter(|&&seen| seen).count() != descriptors.len() {
        return Err(NotStored::skipped("descriptors missing"));
    }
    let mut descriptors = descriptors.into_iter();
    let file = |seen: &bool| if *seen { descriptors.next().map(File::from) } else { None };
    Ok(report.watched.iter().map(file).collect())
}

/// The content of a dependency file, whatever its position.
///
/// # Errors
/// Where it cannot be read, or is larger than [`MAX_DEPENDENCY_BYTES`].
pub(crate) fn read_from_start(file: &File) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut buffer = [0; 1 << 14];
    loop {
        // The position is shared with nobody now, but the copy of the file is taken from its start as well.
        let count = file.read_at(&mut buffer, text.len() as u64)?;
        if count == 0 {
            return Ok(text);
        }
        text.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if text.len() > MAX_DEPENDENCY_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
    }
}

/// Whether a compiler has printed messages: rustc's notes of files that it has written are none.
pub(crate) fn says_something(report: &Report) -> bool {
    let is_message = |line: &[u8]| !line.is_empty() && !line.starts_with(b"{\"$message_type\":\"artifact\",");
    report.stderr.split(|&byte| byte == b'\n').any(is_message)
}
