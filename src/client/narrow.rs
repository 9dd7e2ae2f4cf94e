//! After a compile that wrote more into its dependency file than the user asked for (`-MD` in place of `-MMD`): the
//! file becomes what the user's own words would have made it, from the coordinator's answer or by the compiler.
use crate::bypass::DEPTH_VARIABLE;
use cachepot_wire::message::Widened;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A dependency file that a compile may write too much into.
pub(crate) struct Watch<'p> {
    widened: &'p Widened,
    before: State,
}

/// Two that are equal mean that nobody wrote in between: inode, last change, size.
type State = Option<(u64, i64, i64, u64)>;

fn state(file: &Path) -> State {
    let metadata = std::fs::symlink_metadata(file).ok()?;
    Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec(), metadata.size()))
}

impl<'p> Watch<'p> {
    /// Before the compile.
    pub(crate) fn begin(widened: &'p Widened) -> Self {
        Watch { widened, before: state(&widened.file) }
    }

    /// After it: puts the file right if the compile has written it; `text` is what it is to hold, where that is known.
    /// The value is the exit status. A file that was cut is an error, as it would have been one for the compiler; one
    /// that names too many headers is none.
    pub(crate) fn settle(self, status: i32, compiler: (&Path, &OsStr), text: Option<&[u8]>) -> i32 {
        let file = &self.widened.file;
        let is_right = state(file) == self.before
            || text.is_some_and(|text| rewrite(file, text).is_ok())
            || self.ask(compiler);
        if is_right || text.is_none() || status != 0 {
            return status;
        }
        eprintln!("cachepot: cannot write the dependency file {}", file.display());
        1
    }

    /// Has the compiler write the file. What it says has been said.
    fn ask(&self, (program, called): (&Path, &OsStr)) -> bool {
        let mut command = Command::new(program);
        command.arg0(called).args(self.widened.argv.iter().skip(1)).env(DEPTH_VARIABLE, "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

/// The file is there, and keeps its mode and its other names.
fn rewrite(file: &Path, text: &[u8]) -> std::io::Result<()> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().write(true).truncate(true).custom_flags(flags).open(file)?.write_all(text)
}
