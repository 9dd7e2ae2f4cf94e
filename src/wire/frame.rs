//! Frames: how a message lies on the socket.
//!
//! ```text
//! frame   = magic build kind length payload
//! magic   = "cachepot"                 8 bytes, never changes
//! build   = digest of the sources      16 bytes, never changes its place
//! kind    = u8
//! length  = u32, little-endian         bytes of payload
//! ```
//! Both sides send the same head, so that any two builds can tell at once that they differ.
use std::fmt;

/// Names this build; a coordinator and a client with different ones do not talk.
pub const BUILD_ID: [u8; 16] = build_id(env!("CACHEPOT_BUILD_ID").as_bytes());
const MAGIC: [u8; 8] = *b"cachepot";
/// Bytes before the payload.
pub const HEAD_BYTES: usize = 8 + 16 + 1 + 4;
/// Upper bound of a payload; a larger one never comes from a healthy peer.
pub const MAX_PAYLOAD_BYTES: u32 = 256 << 20;

const fn build_id(hex: &[u8]) -> [u8; 16] {
    let mut id = [0; 16];
    let mut at = 0;
    while at < 16 && at < hex.len() {
        id[at] = hex[at];
        at += 1;
    }
    id
}

/// Why a frame could not be read or understood.
#[derive(Debug)]
pub enum WireError {
    /// The peer is another build of cachepot.
    OtherBuild,
    /// The bytes are not a frame of this protocol.
    Malformed,
    /// The payload is larger than [`MAX_PAYLOAD_BYTES`].
    TooLarge,
    /// The connection failed or ended.
    Io(std::io::Error),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::OtherBuild => f.write_str("the peer is another build of cachepot"),
            WireError::Malformed => f.write_str("the peer sent something that is not a cachepot message"),
            WireError::TooLarge => write!(f, "the message is larger than {MAX_PAYLOAD_BYTES} bytes"),
            WireError::Io(error) => write!(f, "talk over the socket: {error}"),
        }
    }
}

impl std::error::Error for WireError {}

impl From<std::io::Error> for WireError {
    fn from(error: std::io::Error) -> Self {
        WireError::Io(error)
    }
}

/// Puts a head before the payload.
///
/// # Errors
/// [`WireError::TooLarge`] above [`MAX_PAYLOAD_BYTES`].
pub fn encode((kind, payload): (u8, Vec<u8>)) -> Result<Vec<u8>, WireError> {
    let length =
        u32::try_from(payload.len()).ok().filter(|&n| n <= MAX_PAYLOAD_BYTES).ok_or(WireError::TooLarge)?;
    let mut frame = Vec::with_capacity(HEAD_BYTES + payload.len());
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&BUILD_ID);
    frame.push(kind);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&payload);
    Ok(frame)
}

/// The kind and payload length that a head announces.
///
/// # Errors
/// [`WireError::Malformed`], [`WireError::OtherBuild`] or [`WireError::TooLarge`].
pub fn decode_head(head: &[u8; HEAD_BYTES]) -> Result<(u8, usize), WireError> {
    let (magic, rest) = head.split_at(8);
    let (build, rest) = rest.split_at(16);
    if magic != MAGIC {
        return Err(WireError::Malformed);
    }
    if build != BUILD_ID {
        return Err(WireError::OtherBuild);
    }
    match rest {
        [kind, a, b, c, d] => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]);
            if length > MAX_PAYLOAD_BYTES { Err(WireError::TooLarge) } else { Ok((*kind, length as usize)) }
        }
        _ => Err(WireError::Malformed),
    }
}
