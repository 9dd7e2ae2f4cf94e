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
use std::io::{self, Read};

use crate::digest::{ContentHasher, Digest};

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
    /// What a remote holds for a job or a result, or blobs; never a file of the local store.
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

/// Why a file that is read as it comes is not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not.
    #[error(transparent)]
    File(#[from] EntryError),
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::File(EntryError::Length),
            _ => ReadError::Read(error),
        }
    }
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
    let head = Head::read(&mut reader)?;
    let (content, checksum) = file.split_last_chunk::<CHECKSUM>().ok_or(EntryError::Length)?;
    if Digest::of(content).0 != *checksum {
        return Err(EntryError::Checksum);
    }
    let payload = content.get(HEADER..).ok_or(EntryError::Length)?;
    if head.length != payload.len() as u64 {
        return Err(EntryError::Length);
    }
    head.is_of(kind, key)?;
    Ok(payload)
}

/// What stands before the payload.
struct Head {
    tag: u8,
    owner: [u8; 32],
    length: u64,
}

impl Head {
    fn read(reader: &mut Reader<'_>) -> Result<Self, EntryError> {
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(EntryError::Foreign);
        }
        let version = u16::from_le_bytes(reader.array()?);
        if version != VERSION {
            return Err(EntryError::OtherVersion(version));
        }
        let [tag] = reader.array()?;
        Ok(Head { tag, owner: reader.array()?, length: reader.u64()? })
    }

    fn is_of(&self, kind: Kind, key: &Digest) -> Result<(), EntryError> {
        if self.tag != kind.tag() {
            return Err(EntryError::OtherKind);
        }
        if self.owner != key.0 { Err(EntryError::OtherKey) } else { Ok(()) }
    }
}

/// The payload of a file that is read as it comes: what [`open`] is for one in memory. Nothing that it gives is verified
/// before [`Payload::finish`] says so.
pub struct Payload<R> {
    from: R,
    left: u64,
    hasher: ContentHasher,
}

impl<R: Read> Payload<R> {
    /// Reads and checks what stands before the payload.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn open(kind: Kind, key: &Digest, mut from: R) -> Result<Self, ReadError> {
        let mut bytes = [0; HEADER];
        from.read_exact(&mut bytes)?;
        let head = Head::read(&mut Reader(&bytes))?;
        head.is_of(kind, key)?;
        let mut hasher = ContentHasher::default();
        hasher.update(&bytes);
        Ok(Payload { from, left: head.length, hasher })
    }

    /// Checks that all of the payload was read, and that it is what was written; gives back the source, behind the file.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn finish(mut self) -> Result<R, ReadError> {
        let mut checksum = [0; CHECKSUM];
        self.from.read_exact(&mut checksum)?;
        if self.left != 0 {
            return Err(EntryError::Length.into());
        }
        if self.hasher.finish().0 != checksum {
            return Err(EntryError::Checksum.into());
        }
        Ok(self.from)
    }
}

impl<R: Read> Read for Payload<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(to.len());
        let read = self.from.read(to.get_mut(..most).unwrap_or_default())?;
        self.hasher.update(to.get(..read).unwrap_or_default());
        self.left -= read as u64;
        Ok(read)
    }
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
}
