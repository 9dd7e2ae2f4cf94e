//! Reaching the coordinator: connect, or start one, ask, and wait for the answer.
use crate::prepare::Prepared;
use crate::start::{self, StartError};
use cachepot_wire::{EnvBlock, Message, Reply, WireError, fd, frame, socket};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a coordinator may be silent before the compiler is run without it. A look-up takes milliseconds; the
/// coordinator itself gives up a little earlier (`ANSWER_LIMIT` in its `drive.rs`), so that only one that is stuck
/// gets here.
const SILENCE: Duration = Duration::from_secs(5);

/// A fresh socket takes this much without a reader (unix(7): 208 KiB unless an administrator chose less).
const SURELY_FITS_BYTES: usize = 32 << 10;

/// A coordinator that was reached, and what came of it.
pub(crate) struct Attempt {
    pub(crate) stream: UnixStream,
    pub(crate) answer: Result<Answer, WireError>,
}

/// What the coordinator answered.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// They came along with it.
    pub(crate) descriptors: Vec<OwnedFd>,
    /// What its hints led to, for a hit.
    pub(crate) prepared: Prepared,
}

/// Asks the coordinator if there is one; starts none.
pub(crate) fn attempt(message: &Message) -> Option<Attempt> {
    let stream = start::connect(&socket::places(environment(message), fd::own_uid())).ok()?;
    let bytes = frame::encode(message.encode()).ok()?;
    stream.set_read_timeout(Some(SILENCE)).ok()?;
    let answer = exchange(&stream, &bytes);
    Some(Attempt { stream, answer })
}

fn environment(message: &Message) -> &EnvBlock {
    static EMPTY: EnvBlock = EnvBlock(Vec::new());
    match message {
        Message::Compile(request) => &request.env,
        _ => &EMPTY,
    }
}

/// Sends a message and waits for the answer. A first attempt may have been made.
///
/// # Errors
/// [`WireError`] when there is no coordinator to be had, or it does not answer.
pub(crate) fn ask(message: &Message, first: Option<Attempt>) -> Result<(Answer, UnixStream), WireError> {
    let env = environment(message);
    let places = socket::places(env, fd::own_uid());
    let bytes = frame::encode(message.encode())?;
    let (mut stream, mut answer) = match first {
        Some(Attempt { stream, answer }) => (stream, Some(answer)),
        None => match start::connect(&places) {
            Ok(stream) => (stream, None),
            Err(_) => (started(|program| start::start(&places, env, program))?, None),
        },
    };
    // A coordinator of another build makes room, one that was just ending is gone: the second round talks to its
    // successor.
    for round in 0..2 {
        stream.set_read_timeout(Some(SILENCE))?;
        match answer.take().unwrap_or_else(|| exchange(&stream, &bytes)) {
            Ok(answer) => return Ok((answer, stream)),
            Err(WireError::OtherBuild) => {
                let old = fd::peer(stream.as_fd())?.pid;
                stream = started(|program| start::replace(&places, env, program, old))?;
            }
            Err(WireError::Io(error)) if round == 0 && is_gone(&error) => {
                stream = started(|program| start::start(&places, env, program))?;
            }
            Err(error) => return Err(error),
        }
    }
    Err(WireError::OtherBuild)
}

/// Starts a coordinator; only who tried and failed tells the user, not the many who heard of it.
fn started(start: impl FnOnce(&Path) -> Result<UnixStream, StartError>) -> Result<UnixStream, WireError> {
    let not_connected = || WireError::Io(std::io::ErrorKind::NotConnected.into());
    let Some(program) = start::coordinator_program(std::env::current_exe().ok().as_deref()) else {
        crate::replay::notice(
            "warning: `cachepot-coordinator` is neither beside `cachepot` nor in PATH; compiling without the cache",
        );
        return Err(not_connected());
    };
    start(&program).map_err(|error| {
        if !matches!(error, StartError::Busy | StartError::FailedBefore(_)) {
            crate::replay::notice(&format!("warning: {error}; compiling without the cache"));
        }
        not_connected()
    })
}

/// The other side ended before it answered, as opposed to one that is silent.
fn is_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn exchange(stream: &UnixStream, bytes: &[u8]) -> Result<Answer, WireError> {
    let sent = send(stream, bytes, &[]);
    if let Err(WireError::Io(error)) = sent.as_ref()
        && error.kind() == std::io::ErrorKind::WouldBlock
    {
        return Err(std::io::Error::from(error.kind()).into());
    }
    // A coordinator that refuses the head may answer before it has read all: its answer counts.
    match (await_answer(stream), sent) {
        (Ok(answer), _) => Ok(answer),
        (Err(error @ WireError::OtherBuild), _) => Err(error),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

/// Waits for the answer, and does meanwhile what hints of it allow. Each message ends a silence.
fn await_answer(stream: &UnixStream) -> Result<Answer, WireError> {
    let mut assembly = fd::Assembly::default();
    let mut prepared = Prepared::default();
    loop {
        let (kind, payload) = assembly.receive_first(stream.as_fd())?;
        match Reply::decode(kind, &payload)? {
            Reply::Coming(outputs) => {
                let descriptors = assembly.next_descriptors(outputs.len());
                prepared = Prepared::new(outputs, descriptors);
            }
            Reply::Grown(bytes) => prepared.grow(bytes),
            reply => {
                if !matches!(reply, Reply::Hit(_)) {
                    // Its space is wanted no longer, perhaps by a compiler that is about to run.
                    prepared = Prepared::default();
                }
                return Ok(Answer { reply, descriptors: assembly.end()?, prepared });
            }
        }
    }
}

/// Sends a frame; not for ever, where it is larger than what the socket holds.
///
/// # Errors
/// [`WireError::Io`].
pub(crate) fn send(stream: &UnixStream, frame: &[u8], descriptors: &[RawFd]) -> Result<(), WireError> {
    if frame.len() > SURELY_FITS_BYTES {
        // Half of it, for a send that stops halfway is tried once more.
        stream.set_write_timeout(Some(SILENCE / 2))?;
    }
    fd::send_all(stream.as_fd(), frame, descriptors)
}

/// Receives one reply.
///
/// # Errors
/// [`WireError`].
pub(crate) fn receive(stream: &UnixStream) -> Result<(Reply, Vec<OwnedFd>), WireError> {
    let (kind, payload, descriptors) = fd::receive_frame(stream.as_fd())?;
    Ok((Reply::decode(kind, &payload)?, descriptors))
}
