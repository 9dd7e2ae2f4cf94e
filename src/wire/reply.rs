//! What the coordinator answers; which of it follows on what stands in [`crate::message`].
use crate::codec::{Reader, Writer};
use crate::frame::WireError;
use std::ffi::OsString;
use std::path::PathBuf;

/// The answer to an [`crate::message::Admin`] order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminReply {
    /// Done; the text is JSON where the order says so, else empty.
    Done(String),
    /// Not done, and why, in plain words.
    Failed(String),
}

/// The bytes of an output of a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputBody {
    /// In the message itself.
    Inline(Vec<u8>),
    /// In the next descriptor in line, this many bytes from its start.
    Descriptor(u64),
}

/// What a compiler makes of a plain file that is where an output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// A new file takes its place.
    Replaced,
    /// It is written into, and keeps its mode and its other names.
    WrittenInto,
    /// It is written into, keeps its other names, and gets the mode of a new file.
    CopiedOver,
}

/// A file that the client puts in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedOutput {
    /// Where, relative to the client's working directory or absolute.
    pub path: PathBuf,
    /// Whether the execute bits are wanted (0777 instead of 0666 before the umask).
    pub executable: bool,
    /// What becomes of a file that is there already.
    pub existing: Existing,
    /// Its content.
    pub body: OutputBody,
}

/// A result from the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HitReply {
    /// The compiler's exit status.
    pub status: i32,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
    /// The files it wrote.
    pub outputs: Vec<PlacedOutput>,
    /// A line for the user's standard error, at most once per coordinator and reason.
    pub notice: String,
}

/// A file that takes the place of an output, which goes on under another name beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stub {
    /// The other name.
    pub beside: PathBuf,
    /// What takes the place.
    pub stub: PlacedOutput,
}

/// A compile that the client is to run, and what it is to watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The program (a path) and its arguments, exactly as to be run.
    pub argv: Vec<OsString>,
    /// Variables to set on top of the client's environment.
    pub env: Vec<(OsString, OsString)>,
    /// Files to open after the compile, in the order of [`crate::message::Report::watched`].
    pub watched: Vec<PathBuf>,
    /// Files to remove after they were opened: they are ours, not the build's.
    pub scratch: Vec<PathBuf>,
    /// The user's dependency file, where the compile writes more into it than was asked for.
    pub widened: Option<PathBuf>,
    /// What to put in place of an output once it is made.
    pub stub: Option<Stub>,
    /// As in [`HitReply::notice`].
    pub notice: String,
}

/// What the coordinator answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Run the compiler as if there were no cache, with these variables added.
    RunItYourself {
        /// Variables to set on top of the client's environment.
        env: Vec<(OsString, OsString)>,
        /// As in [`HitReply::notice`].
        notice: String,
    },
    /// A result from the cache; descriptors come with it.
    Hit(HitReply),
    /// Run this and send a [`crate::message::Report`].
    CompileAndTellMe(Plan),
    /// The report was taken; the outputs are the build's alone from here on.
    Stored {
        /// The text that [`Plan::widened`] is to hold, where it is known.
        narrowed: Option<Vec<u8>>,
    },
    /// The answer to [`crate::message::Message::Admin`].
    Admin(AdminReply),
    /// A hint: outputs that are on their way, each an [`OutputBody::Descriptor`] of its final size. A descriptor for
    /// each comes with it, of a file that only grows, and whose bytes nobody has verified yet. Takes the place of an
    /// earlier one.
    Coming(Vec<PlacedOutput>),
    /// A hint: so many bytes of the outputs of the last [`Reply::Coming`] are in their files, counted over all of them
    /// in their order.
    Grown(u64),
}

const RUN_IT_YOURSELF: u8 = 1;
const HIT: u8 = 2;
const COMPILE_AND_TELL_ME: u8 = 3;
const STORED: u8 = 4;
const ADMIN_REPLY: u8 = 5;
const COMING: u8 = 6;
const GROWN: u8 = 7;

fn write_env(w: &mut Writer, env: &[(OsString, OsString)]) {
    w.list(env, |w, (name, value)| {
        w.os(name);
        w.os(value);
    });
}

fn read_env(r: &mut Reader<'_>) -> Result<Vec<(OsString, OsString)>, WireError> {
    r.list(|r| Ok((r.os()?, r.os()?)))
}

fn read_text(r: &mut Reader<'_>) -> Result<String, WireError> {
    String::from_utf8(r.bytes()?).map_err(|_| WireError::Malformed)
}

impl PlacedOutput {
    fn write(&self, w: &mut Writer) {
        w.os(self.path.as_os_str());
        w.u8(self.executable.into());
        w.u8(self.existing as u8);
        match &self.body {
            OutputBody::Inline(bytes) => {
                w.u8(0);
                w.bytes(bytes);
            }
            OutputBody::Descriptor(size) => {
                w.u8(1);
                w.u64(*size);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(PlacedOutput {
            path: r.os()?.into(),
            executable: r.flag()?,
            existing: match r.u8()? {
                0 => Existing::Replaced,
                1 => Existing::WrittenInto,
                2 => Existing::CopiedOver,
                _ => return Err(WireError::Malformed),
            },
            body: if r.flag()? { OutputBody::Descriptor(r.u64()?) } else { OutputBody::Inline(r.bytes()?) },
        })
    }

    /// As [`PlacedOutput::read`]; what is on its way lies in a file.
    fn read_coming(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Self::read(r).and_then(|output| match output.body {
            OutputBody::Descriptor(_) => Ok(output),
            OutputBody::Inline(_) => Err(WireError::Malformed),
        })
    }
}

impl HitReply {
    fn write(&self, w: &mut Writer) {
        w.u32(self.status.cast_unsigned());
        w.bytes(&self.stdout);
        w.bytes(&self.stderr);
        w.list(&self.outputs, |w, output| output.write(w));
        w.bytes(self.notice.as_bytes());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(HitReply {
            status: r.i32()?,
            stdout: r.bytes()?,
            stderr: r.bytes()?,
            outputs: r.list(PlacedOutput::read)?,
            notice: read_text(r)?,
        })
    }
}

impl Plan {
    fn write(&self, w: &mut Writer) {
        w.list(&self.argv, |w, word| w.os(word));
        write_env(w, &self.env);
        w.list(&self.watched, |w, path| w.os(path.as_os_str()));
        w.list(&self.scratch, |w, path| w.os(path.as_os_str()));
        w.option(self.widened.as_ref(), |w, path| w.os(path.as_os_str()));
        w.option(self.stub.as_ref(), |w, Stub { beside, stub }| {
            w.os(beside.as_os_str());
            stub.write(w);
        });
        w.bytes(self.notice.as_bytes());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Plan {
            argv: r.list(Reader::os)?,
            env: read_env(r)?,
            watched: r.list(|r| Ok(r.os()?.into()))?,
            scratch: r.list(|r| Ok(r.os()?.into()))?,
            widened: r.option(|r| Ok(r.os()?.into()))?,
            stub: r.option(|r| Ok(Stub { beside: r.os()?.into(), stub: PlacedOutput::read(r)? }))?,
            notice: read_text(r)?,
        })
    }
}

impl Reply {
    /// The frame kind and payload.
    pub fn encode(&self) -> (u8, Vec<u8>) {
        let mut w = Writer::default();
        let kind = match self {
            Reply::RunItYourself { env, notice } => {
                write_env(&mut w, env);
                w.bytes(notice.as_bytes());
                RUN_IT_YOURSELF
            }
            Reply::Hit(hit) => {
                hit.write(&mut w);
                HIT
            }
            Reply::CompileAndTellMe(plan) => {
                plan.write(&mut w);
                COMPILE_AND_TELL_ME
            }
            Reply::Stored { narrowed } => {
                w.option(narrowed.as_ref(), |w, text| w.bytes(text));
                STORED
            }
            Reply::Admin(reply) => {
                let (tag, text) = match reply {
                    AdminReply::Done(text) => (0, text),
                    AdminReply::Failed(text) => (1, text),
                };
                w.u8(tag);
                w.bytes(text.as_bytes());
                ADMIN_REPLY
            }
            Reply::Coming(outputs) => {
                w.list(outputs, |w, output| output.write(w));
                COMING
            }
            Reply::Grown(bytes) => {
                w.u64(*bytes);
                GROWN
            }
        };
        (kind, w.0)
    }

    /// The reply in a frame.
    ///
    /// # Errors
    /// [`WireError::Malformed`] where the payload is not what the kind says.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader(payload);
        let reply = match kind {
            RUN_IT_YOURSELF => Reply::RunItYourself { env: read_env(&mut r)?, notice: read_text(&mut r)? },
            HIT => Reply::Hit(HitReply::read(&mut r)?),
            COMPILE_AND_TELL_ME => Reply::CompileAndTellMe(Plan::read(&mut r)?),
            STORED => Reply::Stored { narrowed: r.option(Reader::bytes)? },
            ADMIN_REPLY => {
                let failed = r.flag()?;
                let text = read_text(&mut r)?;
                Reply::Admin(if failed { AdminReply::Failed(text) } else { AdminReply::Done(text) })
            }
            COMING => Reply::Coming(r.list(PlacedOutput::read_coming)?),
            GROWN => Reply::Grown(r.u64()?),
            _ => return Err(WireError::Malformed),
        };
        r.end()?;
        Ok(reply)
    }
}
