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
use crate::digest::Digest;
use crate::envelope::{self, EntryError, Kind, Reader};
use crate::job::Role;

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

    /// How much of it is no blob, in bytes: small outputs and messages.
    pub fn bytes_inside(&self) -> usize {
        let outputs = self.outputs.iter().map(|output| match &output.body {
            Body::Inline(content) => content.len(),
            Body::Blob { .. } => 0,
        });
        outputs.sum::<usize>() + self.stdout.len() + self.stderr.len()
    }

    /// Sizes and digests of the outputs that lie outside, in the order of the outputs.
    pub fn blobs(&self) -> impl Iterator<Item = (u64, Digest)> {
        self.outputs.iter().filter_map(|output| match output.body {
            Body::Inline(_) => None,
            Body::Blob { size, digest } => Some((size, digest)),
        })
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
        let mut from = Reader(envelope::open(Kind::Result, key, file)?);
        let status = i32::from_le_bytes(from.array()?);
        let (stdout, stderr) = (read_bytes(&mut from)?, read_bytes(&mut from)?);
        let count = from.u64()?;
        let mut outputs: Vec<EntryOutput> = Vec::new();
        for _ in 0..count {
            let output = read_output(&mut from)?;
            // This also bounds the loop by the number of roles.
            if outputs.iter().any(|other| other.role == output.role) {
                return Err(EntryError::Malformed("two outputs of one role"));
            }
            outputs.push(output);
        }
        if !from.0.is_empty() {
            return Err(EntryError::Malformed("bytes after the last output"));
        }
        Ok(Entry { status, stdout, stderr, outputs })
    }
}

fn read_output(from: &mut Reader<'_>) -> Result<EntryOutput, EntryError> {
    let [role, executable, body] = from.array()?;
    let role = Role::from_tag(role).ok_or(EntryError::Malformed("unknown role"))?;
    let executable = match executable {
        0 => false,
        1 => true,
        _ => return Err(EntryError::Malformed("unknown mode")),
    };
    let body = match body {
        0 => Body::Inline(read_bytes(from)?),
        1 => Body::Blob { size: from.u64()?, digest: Digest(from.array()?) },
        _ => return Err(EntryError::Malformed("unknown body")),
    };
    Ok(EntryOutput { role, executable, body })
}

fn read_bytes(from: &mut Reader<'_>) -> Result<Vec<u8>, EntryError> {
    let length = usize::try_from(from.u64()?).map_err(|_| EntryError::Length)?;
    from.take(length).map(<[u8]>::to_vec)
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    to.extend_from_slice(bytes);
}
