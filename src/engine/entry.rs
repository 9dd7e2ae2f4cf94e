//! A result as it is stored.
//!
//! The payload of an entry file; the envelope around it is in [`crate::envelope`].
//!
//! ```text
//! entry   = status stdout stderr count output*     numbers are little-endian
//! status  = i32
//! stdout  = bytes
//! stderr  = bytes
//! bytes   = length:u64 byte*
//! count   = u64                       of outputs; at most one output per role
//! output  = role executable body
//! role    = u8                        see Role::tag
//! executable = 0 | 1
//! body    = 0 bytes | 1 size:u64 digest:32 bytes
//! ```
use std::io::Read;

use crate::digest::Digest;
use crate::envelope::{self, EntryError, Kind, Payload, ReadError};
use crate::job::Role;

/// Claimed lengths up to this one are believed for an allocation.
const BELIEVED_BYTES: usize = 64 << 10;

/// What a compile produced: the part that is kept in the entry file, with its outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The compiler's exit status.
    pub status: i32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// The files it wrote, at most one per role.
    pub outputs: Vec<EntryOutput>,
}

/// One file of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryOutput {
    /// What it is for.
    pub role: Role,
    /// Whether the compiler made it executable.
    pub executable: bool,
    /// Its content.
    pub body: Body,
}

/// Where the content of an output is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In the entry file.
    Inline(Vec<u8>),
    /// In a blob file of its own beside the entry file.
    Blob {
        /// Bytes.
        size: u64,
        /// Digest of the content.
        digest: Digest,
    },
}

impl Entry {
    /// How large its outputs are together, in bytes.
    pub fn output_bytes(&self) -> u64 {
        let sizes = self.outputs.iter().map(|output| match &output.body {
            Body::Inline(content) => content.len() as u64,
            Body::Blob { size, .. } => *size,
        });
        sizes.sum()
    }

    /// Writes the whole entry file: envelope and payload.
    pub fn encode(&self, key: &Digest) -> Vec<u8> {
        let mut payload = Vec::new();
        payload.extend_from_slice(&self.status.to_le_bytes());
        put_bytes(&mut payload, &self.stdout);
        put_bytes(&mut payload, &self.stderr);
        payload.extend_from_slice(&(self.outputs.len() as u64).to_le_bytes());
        for output in &self.outputs {
            payload.extend_from_slice(&[output.role.tag(), u8::from(output.executable)]);
            match &output.body {
                Body::Inline(content) => {
                    payload.push(0);
                    put_bytes(&mut payload, content);
                }
                Body::Blob { size, digest } => {
                    payload.push(1);
                    payload.extend_from_slice(&size.to_le_bytes());
                    payload.extend_from_slice(&digest.0);
                }
            }
        }
        envelope::seal(Kind::Result, key, &payload)
    }

    /// Reads and verifies an entry file.
    ///
    /// # Errors
    /// Whatever [`Entry::encode`] has not written for this very key; see [`EntryError`].
    pub fn decode(file: &[u8], key: &Digest) -> Result<Entry, EntryError> {
        let mut payload = envelope::open(Kind::Result, key, file)?;
        let entry = read_payload(&mut payload, &mut AsStored).map_err(|error| match error {
            ReadError::File(error) => error,
            // Bytes in memory can only end too early.
            ReadError::Read(_) => EntryError::Length,
        })?;
        if payload.is_empty() { Ok(entry) } else { Err(EntryError::Malformed("bytes after the last output")) }
    }

    /// Reads and verifies an entry file as it comes, and nothing behind it; `outputs` gets what must not be believed before
    /// this comes back.
    ///
    /// # Errors
    /// As [`Entry::decode`], and whatever `from` and `outputs` say.
    pub fn read(from: impl Read, key: &Digest, outputs: &mut dyn Outputs) -> Result<Entry, ReadError> {
        let mut payload = Payload::open(Kind::Result, key, from)?;
        let entry = read_payload(&mut payload, outputs)?;
        payload.finish()?;
        Ok(entry)
    }
}

/// What becomes of the outputs of an entry while it is read.
pub trait Outputs {
    /// One that lies in the file: all of `content`, which has `size` bytes, or fewer where the file is cut short.
    ///
    /// # Errors
    /// Whatever `content` says.
    fn inside(&mut self, size: u64, content: &mut dyn Read) -> Result<Body, ReadError>;
    /// One that lies beside it.
    ///
    /// # Errors
    /// That there is nothing beside it.
    fn beside(&mut self, size: u64, digest: Digest) -> Result<Body, EntryError>;
}

/// As they are in the local store.
struct AsStored;

impl Outputs for AsStored {
    fn inside(&mut self, size: u64, content: &mut dyn Read) -> Result<Body, ReadError> {
        read_bytes(content, size).map(Body::Inline)
    }
    fn beside(&mut self, size: u64, digest: Digest) -> Result<Body, EntryError> {
        Ok(Body::Blob { size, digest })
    }
}

/// So many bytes. Memory grows with what comes, not with what is claimed.
///
/// # Errors
/// Whatever `from` says, and that there are fewer.
pub fn read_bytes(from: &mut dyn Read, length: u64) -> Result<Vec<u8>, ReadError> {
    let believed = usize::try_from(length).unwrap_or(usize::MAX).min(BELIEVED_BYTES);
    let mut bytes = Vec::with_capacity(believed);
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(EntryError::Length.into()) }
}

fn read_payload(from: &mut dyn Read, outputs: &mut dyn Outputs) -> Result<Entry, ReadError> {
    let status = i32::from_le_bytes(read_array(from)?);
    let (stdout, stderr) = (read_text(from)?, read_text(from)?);
    let count = read_number(from)?;
    let mut read: Vec<EntryOutput> = Vec::new();
    for _ in 0..count {
        let output = read_output(from, outputs)?;
        // This also bounds the loop by the number of roles.
        if read.iter().any(|other| other.role == output.role) {
            return Err(EntryError::Malformed("two outputs of one role").into());
        }
        read.push(output);
    }
    Ok(Entry { status, stdout, stderr, outputs: read })
}

fn read_output(from: &mut dyn Read, outputs: &mut dyn Outputs) -> Result<EntryOutput, ReadError> {
    let [role, executable, body] = read_array(from)?;
    let role = Role::from_tag(role).ok_or(EntryError::Malformed("unknown role"))?;
    let executable = match executable {
        0 => false,
        1 => true,
        _ => return Err(EntryError::Malformed("unknown mode").into()),
    };
    let body = match body {
        0 => {
            let size = read_number(from)?;
            let mut content = from.take(size);
            let body = outputs.inside(size, &mut content)?;
            if content.limit() != 0 {
                return Err(EntryError::Length.into());
            }
            body
        }
        1 => outputs.beside(read_number(from)?, Digest(read_array(from)?))?,
        _ => return Err(EntryError::Malformed("unknown body").into()),
    };
    Ok(EntryOutput { role, executable, body })
}

fn read_array<const N: usize>(from: &mut dyn Read) -> Result<[u8; N], ReadError> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_number(from: &mut dyn Read) -> Result<u64, ReadError> {
    read_array(from).map(u64::from_le_bytes)
}

fn read_text(from: &mut dyn Read) -> Result<Vec<u8>, ReadError> {
    let length = read_number(from)?;
    read_bytes(from, length)
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    to.extend_from_slice(bytes);
}
