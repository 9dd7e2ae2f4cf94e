//! The outside of every file of the cache: what it is, whose it is, and that it is whole.
//! Absent on purpose: what the payload means, and where files are.
//!
//! ```text
//! file     = magic version kind key length payload checksum     numbers are little-endian
//! magic    = "cachepot"
//! version  = u16                      of this grammar and of the payloads together
//! kind     = u8                       see Kind: the key spaces never meet
//! key      = 32 bytes                 compared: a file renamed to another key is not taken for its result
//! length   = u64                      of the payload
//! checksum = 32 bytes                 blake3 of everything before it
//! ```
use crate::digest::Digest;

const MAGIC: &[u8; 8] = b"cachepot";
const HEADER: usize = MAGIC.len() + 2 + 1 + 32 + 8;
const CHECKSUM: usize = 32;

/// Version of the files written here. Files of other versions are neither read nor removed.
pub const VERSION: u16 = 1;

/// What a file holds; part of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The result of a compile: [`crate::entry::Entry`].
    Result,
    /// The inputs seen for one job.
    Manifest,
    /// What a remote holds for a job or a result; never a file of the local store.
    Bundle,
}

impl Kind {
    /// The byte that stands for the kind in files and in the index.
    pub fn tag(self) -> u8 {
        match self {
            Kind::Result => 1,
            Kind::Manifest => 2,
            Kind::Bundle => 3,
        }
    }
    /// The kind of a byte in the index, which knows what lies in the local store.
    pub fn from_tag(tag: u8) -> Option<Self> {
        [Kind::Result, Kind::Manifest].into_iter().find(|kind| kind.tag() == tag)
    }
}

/// Why a file is not the one that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Fewer or more bytes than it says.
    #[error("the file is cut short or too long")]
    Length,
    /// No file of ours.
    #[error("the file does not begin like a file of cachepot")]
    Foreign,
    /// Written by an older or newer program: to be left alone.
    #[error("the file has format version {0}, this program reads version {VERSION}")]
    OtherVersion(u16),
    /// Bytes changed after it was written.
    #[error("the checksum does not match")]
    Checksum,
    /// Whole, but of another kind.
    #[error("the file is of another kind")]
    OtherKind,
    /// Whole, but of another key.
    #[error("the file belongs to another key")]
    OtherKey,
    /// Whole, but the payload does not follow its grammar: a defect of whoever wrote it.
    #[error("the content is malformed: {0}")]
    Malformed(&'static str),
}

/// Puts the envelope around a payload.
pub fn seal(kind: Kind, key: &Digest, payload: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER + payload.len() + CHECKSUM);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.push(kind.tag());
    file.extend_from_slice(&key.0);
    file.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    file.extend_from_slice(payload);
    let checksum = Digest::of(&file);
    file.extend_from_slice(&checksum.0);
    file
}

/// Checks the envelope and gives the payload.
///
/// # Errors
/// Whatever is not exactly the file of this kind and key; see [`EntryError`].
pub fn open<'a>(kind: Kind, key: &Digest, file: &'a [u8]) -> Result<&'a [u8], EntryError> {
    let mut reader = Reader(file);
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(EntryError::Foreign);
    }
    let version = u16::from_le_bytes(reader.array()?);
    if version != VERSION {
        return Err(EntryError::OtherVersion(version));
    }
    let (content, checksum) = file.split_last_chunk::<CHECKSUM>().ok_or(EntryError::Length)?;
    if Digest::of(content).0 != *checksum {
        return Err(EntryError::Checksum);
    }
    let [tag] = reader.array()?;
    let owner = reader.array::<32>()?;
    let payload = content.get(HEADER..).ok_or(EntryError::Length)?;
    let length = file.get(HEADER - 8..).map(Reader).ok_or(EntryError::Length)?.u64()?;
    if length != payload.len() as u64 {
        return Err(EntryError::Length);
    }
    if tag != kind.tag() {
        return Err(EntryError::OtherKind);
    }
    if owner != key.0 {
        return Err(EntryError::OtherKey);
    }
    Ok(payload)
}

/// Reads fields off the front of bytes that nobody has vouched for.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], EntryError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(EntryError::Length)?;
        self.0 = rest;
        Ok(taken)
    }
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], EntryError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(EntryError::Length)?;
        self.0 = rest;
        Ok(*taken)
    }
    pub(crate) fn u64(&mut self) -> Result<u64, EntryError> {
        self.array().map(u64::from_le_bytes)
    }
    /// A length and that many bytes. The length is compared with what is there before anything is made of it.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], EntryError> {
        let length = usize::try_from(self.u64()?).map_err(|_| EntryError::Length)?;
        self.take(length)
    }
}
