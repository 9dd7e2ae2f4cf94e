//! The run of a build script of cargo, by the stub that stands in its place: what it left behind the last time comes from
//! the cache, or it runs, watched. Whatever is in doubt ends in the script itself. Part of the coordinator's program, for
//! it is not needed for a compile.
use crate::attend::Streams;
use crate::compile::run_image;
use crate::connect::{self, Answer};
use crate::image::Image;
use crate::{bypass, out_dir, process, replay};
use cachepot_wire::folder::Moment;
use cachepot_wire::message::{RUN_OPTION, STUB_MARK};
use cachepot_wire::{CompileRequest, EnvBlock, HitReply, Message, OutputBody, Plan, Reply};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::iter::once;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is modified less than this before the script began may bear the time of a coarse clock.
const COARSE: Duration = Duration::from_secs(1);

/// A stub has 10 KB.
const MAX_STUB_BYTES: u64 = 64 << 10;

/// A build script that is to run.
struct Script {
    /// What it sees as its own name: the stub.
    name: OsString,
    /// The program.
    program: PathBuf,
    words: Vec<OsString>,
}

/// Runs a build script: the words are the stub's name, the program, and what it was given. The value is the exit status.
pub fn run(words: impl IntoIterator<Item = OsString>, env: &EnvBlock) -> i32 {
    let mut words = words.into_iter();
    let (Some(name), Some(program)) = (words.next(), words.next()) else {
        eprintln!(
            "cachepot: error: {RUN_OPTION} is for the stubs that cachepot puts in place of build scripts"
        );
        return 2;
    };
    let script = Script { name, program: program.into(), words: words.collect() };
    let asked = if bypass::is_off(env) { None } else { script.ask(env) };
    script.restore();
    asked.unwrap_or_else(|| script.become_it())
}

impl Script {
    /// `None` where the script is to run as if there were no cache.
    fn ask(&self, env: &EnvBlock) -> Option<i32> {
        let out_dir = PathBuf::from(env.get("OUT_DIR")?);
        if !process::has_three_streams() {
            return None;
        }
        let umask = process::umask();
        let as_word = OsString::from(format!("{umask:04o}"));
        let asked = [OsStr::new(RUN_OPTION), &as_word, self.program.as_os_str()];
        let request = Message::Compile(CompileRequest {
            argv: asked
                .into_iter()
                .chain(self.words.iter().map(OsString::as_os_str))
                .map(Into::into)
                .collect(),
            cwd: std::env::current_dir().ok()?,
            env: env.clone(),
            stderr_is_terminal: false,
        });
        let (Answer { reply, descriptors, .. }, connection) = connect::ask(&request, None).ok()?;
        match reply {
            Reply::Hit(hit) => {
                replay::notice(&hit.notice);
                out_dir::unpack(&out_dir, &content(&hit, descriptors).ok()?).ok()?;
                replay::messages(&hit);
                Some(hit.status)
            }
            Reply::CompileAndTellMe(plan) => {
                replay::notice(&plan.notice);
                self.run(&plan, env, (&out_dir, umask), &connection)
            }
            _ => None,
        }
    }

    fn run(
        &self,
        plan: &Plan,
        env: &EnvBlock,
        (out_dir, umask): (&Path, u32),
        to: &UnixStream,
    ) -> Option<i32> {
        let is_kept = |name: &OsStr| plan.env.iter().all(|(other, _)| other != name);
        let kept = env.iter().filter(|(name, _)| is_kept(name));
        let pairs = kept.chain(plan.env.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())));
        let words = once(&self.name).chain(&self.words).map(OsString::as_os_str);
        let image = Image::new(&self.program, words, pairs).ok()?;
        let began = moment(SystemTime::now() - COARSE)?;
        run_image(&image, plan, to, Streams::ToTheirEnd, || {
            let Some(packed) = plan.watched.first() else { return };
            // The limit is for what the script writes.
            process::survive_file_size_limit();
            let is_packed =
                out_dir::pack(out_dir, umask, began).and_then(|bytes| std::fs::write(packed, bytes));
            if is_packed.is_err() {
                // What is not there is not kept.
                let _ = std::fs::remove_file(packed);
            }
        })
    }

    /// Puts the program back in its place, under the name that rustc gave it and the one that it was called by: from now on the folder
    /// is what it would be without cachepot, but for one name more of the program. Where it cannot be done the stubs stay,
    /// and do as well.
    fn restore(&self) {
        let (made, called) = (self.program.with_extension(""), PathBuf::from(&self.name));
        let is_beside = called.is_absolute() && called.parent() == made.parent();
        for stub in std::iter::once(made).chain(is_beside.then_some(called)) {
            let beside = self.program.with_extension(std::process::id().to_string());
            if self.is_stub(&stub) && std::fs::hard_link(&self.program, &beside).is_ok() {
                let _ = std::fs::rename(&beside, &stub);
                // Still there also where it was a name of the same file already.
                let _ = std::fs::remove_file(beside);
            }
        }
    }

    /// Whether a file is the stub of this script: a program that some script is takes more room than that.
    fn is_stub(&self, path: &Path) -> bool {
        let name = self.program.file_name().unwrap_or_default().as_bytes();
        let names = [STUB_MARK, name, b"\0"].concat();
        let is_small = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= MAX_STUB_BYTES);
        is_small
            && std::fs::read(path).is_ok_and(|bytes| bytes.windows(names.len()).any(|part| part == names))
    }

    /// Comes back only with the status for a program that cannot be run.
    fn become_it(&self) -> i32 {
        let error = Command::new(&self.program).arg0(&self.name).args(&self.words).exec();
        eprintln!("cachepot: error: {}: {error}", self.program.display());
        if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
    }
}

/// The one output of a run.
fn content(hit: &HitReply, descriptors: Vec<OwnedFd>) -> io::Result<Vec<u8>> {
    let output = hit.outputs.first().ok_or(io::ErrorKind::InvalidData)?;
    match &output.body {
        OutputBody::Inline(bytes) => Ok(bytes.clone()),
        OutputBody::Descriptor(size) => {
            let file = File::from(descriptors.into_iter().next().ok_or(io::ErrorKind::InvalidData)?);
            let mut bytes = vec![0; usize::try_from(*size).map_err(io::Error::other)?];
            file.read_exact_at(&mut bytes, 0)?;
            Ok(bytes)
        }
    }
}

fn moment(time: SystemTime) -> Option<Moment> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some((since.as_secs(), since.subsec_nanos()))
}
