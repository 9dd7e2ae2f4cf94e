//! After a compile that wrote more into its dependency file than the user asked for (`-MD` in place of `-MMD`): the
//! file gets the text that the coordinator answers. Where none comes, it keeps what it holds: names of files that were
//! read, more of them than were asked for.
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Whether the file can be written twice: it is a plain one, or not there yet.
pub(crate) fn can_rewrite(file: &Path) -> bool {
    match std::fs::metadata(file) {
        Ok(metadata) => metadata.is_file(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound && file.symlink_metadata().is_err(),
    }
}

/// Writes the file, which is there and keeps its mode and its other names. The value is false where it may be cut now:
/// an error, as it would have been one for the compiler.
pub(crate) fn rewrite(file: &Path, text: &[u8]) -> bool {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let opened = OpenOptions::new().write(true).truncate(true).custom_flags(flags).open(file);
    let written = opened.and_then(|mut file| file.write_all(text));
    if written.is_err() {
        eprintln!("cachepot: cannot write the dependency file {}", file.display());
    }
    written.is_ok()
}
