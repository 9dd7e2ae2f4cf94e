//! Response files on disk: reads those that a call names, and remembers which.
use cachepot_engine::compiler::gnu::depends_on_process;
use cachepot_engine::job::Reason;
use cachepot_engine::options::response::{self, MAX_BYTES};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A call's words, response files expanded.
pub(crate) struct Words {
    /// The words.
    pub(crate) all: Vec<OsString>,
    /// The files that they are from, as named.
    pub(crate) files: Vec<PathBuf>,
}

/// Reads the response files of a call.
///
/// # Errors
/// The reason `@` for what is no plain file, such as a pipe, whose text only its first reader gets.
pub(crate) fn expand(argv: &[OsString], cwd: &Path) -> Result<Words, Reason> {
    let mut files = Vec::new();
    let mut read = |name: &OsStr| {
        let text = read(cwd, name)?;
        files.extend(text.is_some().then(|| PathBuf::from(name)));
        Ok(text)
    };
    let all = response::expand(argv, &mut read)?.into_owned();
    Ok(Words { all, files })
}

fn read(cwd: &Path, name: &OsStr) -> Result<Option<Vec<u8>>, Reason> {
    if depends_on_process(name) {
        return Err(response::refuse());
    }
    // A pipe without a writer must not hold us up.
    let Ok(file) = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(cwd.join(name)) else {
        return Ok(None);
    };
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(response::refuse());
    }
    let mut text = Vec::new();
    // One byte more than may be: the rest need not be read to see that it is too much.
    match file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(_) => Err(response::refuse()),
    }
}
