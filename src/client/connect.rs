//! Reaching the coordinator: connect, or start one, and exchange one frame.
use crate::start;
use cachepot_wire::{EnvBlock, Message, Reply, WireError, fd, frame, socket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long a coordinator may be silent before the compiler is run without it.
const SILENCE: Duration = Duration::from_secs(20);

/// Sends a message and waits for the answer, with the descriptors that came along.
///
/// # Errors
/// [`WireError`] when there is no coordinator to be had, or it does not answer.
pub(crate) fn ask(message: &Message) -> Result<(Reply, Vec<OwnedFd>, UnixStream), WireError> {
    let empty = EnvBlock::default();
    let env = match message {
        Message::Compile(request) => &request.env,
        _ => &empty,
    };
    let uid = fd::own_uid();
    let places = socket::places(env, uid);
    let bytes = frame::encode(message.encode())?;
    // A coordinator of another build hands over: the second round talks to its successor.
    for _ in 0..3 {
        let stream = match start::connect(&places, uid) {
            Ok(stream) => stream,
            Err(_) => start::start(&places, env, uid).map_err(|error| {
                crate::replay::notice(&error.notice());
                WireError::Io(std::io::ErrorKind::NotConnected.into())
            })?,
        };
        stream.set_read_timeout(Some(SILENCE))?;
        match exchange(&stream, &bytes) {
            Ok((reply, descriptors)) => return Ok((reply, descriptors, stream)),
            Err(WireError::OtherBuild) => start::wait_until_gone(&places, uid),
            Err(error) => return Err(error),
        }
    }
    Err(WireError::OtherBuild)
}

fn exchange(stream: &UnixStream, bytes: &[u8]) -> Result<(Reply, Vec<OwnedFd>), WireError> {
    let sent = fd::send_all(stream.as_fd(), bytes, &[]);
    // A coordinator that refuses the head may answer before it has read all: its answer counts.
    match (receive(stream), sent) {
        (Ok(reply), _) => Ok(reply),
        (Err(error @ WireError::OtherBuild), _) => Err(error),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

/// Receives one reply.
///
/// # Errors
/// [`WireError`].
pub(crate) fn receive(stream: &UnixStream) -> Result<(Reply, Vec<OwnedFd>), WireError> {
    let (kind, payload, descriptors) = fd::receive_frame(stream.as_fd())?;
    Ok((Reply::decode(kind, &payload)?, descriptors))
}
