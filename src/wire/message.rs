//! What a client says to the coordinator; [`crate::reply`] is the other side.
//!
//! One connection carries one request: `Compile` answered by `RunItYourself`, `Hit` or `CompileAndTellMe`; after
//! the last of these the client sends a `Report` and waits for `Stored`. `Admin` is answered by `Admin`. Before the
//! answer to `Compile` there may be hints, `Coming` and `Grown`.
use crate::codec::{Reader, Writer};
use crate::env_block::EnvBlock;
use crate::frame::WireError;
use std::ffi::OsString;
use std::path::PathBuf;

/// The first word of a request for the run of a build script; the umask, the script's program and its arguments follow. Also the
/// first word of the command that makes one.
pub const RUN_OPTION: &str = "--run-build-script";
/// What stands before the names in the stub of a build script, `src/stub/stub.rs`.
pub const STUB_MARK: &[u8] = b"cachepot stub: two names follow\n";

/// A compile as the build asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompileRequest {
    /// The compiler as typed, then its arguments.
    pub argv: Vec<OsString>,
    /// The client's working directory, absolute, as `getcwd` gives it.
    pub cwd: PathBuf,
    /// The client's whole environment.
    pub env: EnvBlock,
    /// Whether the client's standard error is a terminal (decides about colours).
    pub stderr_is_terminal: bool,
}

/// How the compiler ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

/// What the client saw while it ran the compiler. Travels with descriptors: one for each `true` of `watched`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How the compiler ended.
    pub ending: Ending,
    /// Standard output, whole unless `cut`.
    pub stdout: Vec<u8>,
    /// Standard error, whole unless `cut`.
    pub stderr: Vec<u8>,
    /// The streams were too long to keep; the result cannot be stored.
    pub cut: bool,
    /// For each path of [`crate::reply::Plan::watched`]: whether it could be opened, its descriptor being the next in line.
    pub watched: Vec<bool>,
}

/// An order of an administration command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// The statistics as JSON.
    ShowStats,
    /// Clears the statistics; answers the zeroed ones.
    ZeroStats,
    /// Ends gracefully; answers the statistics when nothing is in flight any more.
    Stop,
    /// Empties the cache.
    ClearCache,
}

/// What the client (or an administration command) sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Asks for a compile.
    Compile(CompileRequest),
    /// Tells how the compile that [`crate::reply::Reply::CompileAndTellMe`] asked for went.
    Report(Report),
    /// An administration command.
    Admin(Admin),
}

const COMPILE: u8 = 1;
const REPORT: u8 = 2;
const ADMIN: u8 = 3;

impl Message {
    /// The frame kind and payload.
    pub fn encode(&self) -> (u8, Vec<u8>) {
        let mut w = Writer::default();
        let kind = match self {
            Message::Compile(request) => {
                w.0.reserve(request.env.0.len() + 1024);
                w.list(&request.argv, |w, word| w.os(word));
                w.os(request.cwd.as_os_str());
                w.bytes(&request.env.0);
                w.u8(request.stderr_is_terminal.into());
                COMPILE
            }
            Message::Report(report) => {
                let (tag, value) = match report.ending {
                    Ending::Exited(code) => (0, code),
                    Ending::Signaled(signal) => (1, signal),
                };
                w.u8(tag);
                w.u32(value.cast_unsigned());
                w.bytes(&report.stdout);
                w.bytes(&report.stderr);
                w.u8(report.cut.into());
                w.list(&report.watched, |w, &seen| w.u8(seen.into()));
                REPORT
            }
            Message::Admin(order) => {
                w.u8(match order {
                    Admin::ShowStats => 1,
                    Admin::ZeroStats => 2,
                    Admin::Stop => 3,
                    Admin::ClearCache => 4,
                });
                ADMIN
            }
        };
        (kind, w.0)
    }

    /// The message in a frame.
    ///
    /// # Errors
    /// [`WireError::Malformed`] where the payload is not what the kind says.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader(payload);
        let message = match kind {
            COMPILE => Message::Compile(CompileRequest {
                argv: r.list(Reader::os)?,
                cwd: r.os()?.into(),
                env: EnvBlock(r.bytes()?),
                stderr_is_terminal: r.flag()?,
            }),
            REPORT => {
                let (signaled, value) = (r.flag()?, r.i32()?);
                Message::Report(Report {
                    ending: if signaled { Ending::Signaled(value) } else { Ending::Exited(value) },
                    stdout: r.bytes()?,
                    stderr: r.bytes()?,
                    cut: r.flag()?,
                    watched: r.list(Reader::flag)?,
                })
            }
            ADMIN => Message::Admin(match r.u8()? {
                1 => Admin::ShowStats,
                2 => Admin::ZeroStats,
                3 => Admin::Stop,
                4 => Admin::ClearCache,
                _ => return Err(WireError::Malformed),
            }),
            _ => return Err(WireError::Malformed),
        };
        r.end()?;
        Ok(message)
    }
}
