//! Response files on disk.
use cachepot_engine::compiler::gnu::depends_on_process;
use cachepot_engine::job::{Family, Reason};
use cachepot_engine::options::response::{self, MAX_BYTES};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The words of a call with its response files expanded, by the rules of this compiler.
///
/// # Errors
/// The reason `@` for what is no plain file, such as a pipe, whose text only its first reader gets.
pub fn expand(argv: &[OsString], cwd: &Path, family: Family) -> Result<Vec<OsString>, Reason> {
    let read = &mut |name: &OsStr| read(cwd, name);
    let words = match family {
        Family::Gcc | Family::Clang => response::expand(argv, read),
        Family::Rustc | Family::Clippy => response::expand_argfiles(argv, read),
    };
    words.map(Cow::into_owned)
}

fn read(cwd: &Path, name: &OsStr) -> Result<Option<Vec<u8>>, Reason> {
    if depends_on_process(name) {
        return Err(response::refuse());
    }
    let path = cwd.join(name);
    // Before it is opened: a pipe's writer would take us for its reader.
    match std::fs::metadata(&path) {
        Err(_) => return Ok(None),
        Ok(metadata) if !metadata.is_file() => return Err(response::refuse()),
        Ok(_) => {}
    }
    let Ok(file) = File::open(path) else { return Ok(None) };
    let mut text = Vec::new();
    // One byte more than may be: the rest need not be read to see that it is too much.
    match file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(_) => Err(response::refuse()),
    }
}
