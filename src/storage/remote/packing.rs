//! Packing in a process of its own, which a build does not wait for: what objects are made of, what that process does with its
//! standard input, and how it is asked. One question at a time.
//!
//! ```text
//! question = key length:u64 content
//! content  = 0 byte*                     as it is
//!          | 1 blob*                     blobs of results
//! blob     = 0 bytes | 1 path:bytes size:u64 digest:32*u8
//! answer   = length:u64 object           length 0: there is none
//! bytes    = length:u64 byte*
//! ```
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use cachepot_engine::digest::Digest;

use super::blobs::{self, Blob};
use super::bundle::{self, BundleError};

/// What an object is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This, as it is.
    Whole(Vec<u8>),
    /// Blobs of results: files are read where it is packed.
    Blobs(Vec<Blob>),
}

impl Content {
    /// How much there is to pack.
    pub fn bytes(&self) -> u64 {
        match self {
            Content::Whole(content) => content.len() as u64,
            Content::Blobs(blobs) => blobs.iter().map(Blob::size).sum(),
        }
    }

    /// The object for a key.
    ///
    /// # Errors
    /// As [`bundle::pack`]; and when a file is not what was said of it.
    pub fn pack(self, key: &Digest) -> Result<Vec<u8>, BundleError> {
        match self {
            Content::Whole(content) => bundle::pack(key, &content),
            Content::Blobs(blobs) => bundle::pack(key, &blobs::content(blobs)?),
        }
    }

    /// The question for its object.
    pub fn question(&self, key: &Digest) -> Vec<u8> {
        let mut content = Vec::new();
        match self {
            Content::Whole(bytes) => {
                content.push(0);
                content.extend_from_slice(bytes);
            }
            Content::Blobs(blobs) => {
                content.push(1);
                blobs.iter().for_each(|blob| put_blob(&mut content, blob));
            }
        }
        [key.0.as_slice(), &(content.len() as u64).to_le_bytes(), &content].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (sort, mut rest) = bytes.split_first()?;
        if *sort == 0 {
            return Some(Content::Whole(rest.to_vec()));
        }
        let mut blobs = Vec::new();
        while !rest.is_empty() {
            blobs.push(take_blob(&mut rest)?);
        }
        Some(Content::Blobs(blobs))
    }
}

/// Answers questions until there are no more.
///
/// # Errors
/// Whoever asks has gone, or does not follow the grammar.
pub fn serve(mut questions: impl Read, mut answers: impl Write) -> io::Result<()> {
    let mut key = Digest([0; 32]);
    loop {
        match questions.read_exact(&mut key.0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut length = [0; 8];
        questions.read_exact(&mut length)?;
        let mut content = Vec::new();
        (&mut questions).take(u64::from_le_bytes(length)).read_to_end(&mut content)?;
        let content = Content::decode(&content).ok_or(io::ErrorKind::InvalidData)?;
        let object = content.pack(&key).unwrap_or_default();
        answers.write_all(&(object.len() as u64).to_le_bytes())?;
        answers.write_all(&object)?;
        answers.flush()?;
    }
}

fn put_blob(to: &mut Vec<u8>, blob: &Blob) {
    match blob {
        Blob::Bytes(bytes) => {
            to.push(0);
            put_bytes(to, bytes);
        }
        Blob::File(path, size, digest) => {
            to.push(1);
            put_bytes(to, path.as_os_str().as_bytes());
            to.extend_from_slice(&size.to_le_bytes());
            to.extend_from_slice(&digest.0);
        }
    }
}

fn take_blob(from: &mut &[u8]) -> Option<Blob> {
    let (sort, rest) = from.split_first()?;
    *from = rest;
    let bytes = take_bytes(from)?;
    if *sort == 0 {
        return Some(Blob::Bytes(bytes.to_vec()));
    }
    let (size, rest) = from.split_first_chunk()?;
    let (digest, rest) = rest.split_first_chunk()?;
    *from = rest;
    Some(Blob::File(PathBuf::from(OsStr::from_bytes(bytes)), u64::from_le_bytes(*size), Digest(*digest)))
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    to.extend_from_slice(bytes);
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = from.split_first_chunk()?;
    let (bytes, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    *from = rest;
    Some(bytes)
}
