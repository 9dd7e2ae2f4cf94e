//! Packing in a process of its own, which a build does not wait for: what objects are made of, what that process does with its
//! standard input, and how it is asked. One question at a time.
//!
//! ```text
//! question = key length:u64 content
//! content  = 0 byte*                     as it is
//!          | 1 entry:bytes path:bytes*   a result: its entry file, and the file of each blob
//! answer   = length:u64 object           length 0: there is none
//! bytes    = length:u64 byte*
//! ```
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry};

use super::bundle::{self, BundleError, MAX_CONTENT_BYTES};

/// What an object is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This, as it is.
    Whole(Vec<u8>),
    /// A result, and the files of its blobs: they are read where it is packed.
    Result(Entry, Vec<PathBuf>),
}

impl Content {
    /// How much there is to pack.
    pub fn bytes(&self) -> u64 {
        match self {
            Content::Whole(content) => content.len() as u64,
            Content::Result(entry, _) => entry.output_bytes(),
        }
    }

    /// The object for a key.
    ///
    /// # Errors
    /// As [`bundle::pack`]; and when a file is not what the entry says.
    pub fn pack(self, key: &Digest) -> Result<Vec<u8>, BundleError> {
        match self {
            Content::Whole(content) => bundle::pack(key, &content),
            Content::Result(entry, files) => {
                let content = bundle::result_content(key, &with_all_inside(entry, &files)?)?;
                bundle::pack(key, &content)
            }
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
            Content::Result(entry, files) => {
                content.push(1);
                put_bytes(&mut content, &entry.encode(key));
                for file in files {
                    put_bytes(&mut content, file.as_os_str().as_bytes());
                }
            }
        }
        [key.0.as_slice(), &(content.len() as u64).to_le_bytes(), &content].concat()
    }

    fn decode(key: &Digest, bytes: &[u8]) -> Option<Self> {
        let (sort, mut rest) = bytes.split_first()?;
        if *sort == 0 {
            return Some(Content::Whole(rest.to_vec()));
        }
        let entry = Entry::decode(take_bytes(&mut rest)?, key).ok()?;
        let mut files = Vec::new();
        while !rest.is_empty() {
            files.push(PathBuf::from(OsStr::from_bytes(take_bytes(&mut rest)?)));
        }
        Some(Content::Result(entry, files))
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
        let content = Content::decode(&key, &content).ok_or(io::ErrorKind::InvalidData)?;
        let object = content.pack(&key).unwrap_or_default();
        answers.write_all(&(object.len() as u64).to_le_bytes())?;
        answers.write_all(&object)?;
        answers.flush()?;
    }
}

/// The entry with the content of the files in place of its blobs.
fn with_all_inside(mut entry: Entry, files: &[PathBuf]) -> Result<Entry, BundleError> {
    let mut files = files.iter();
    for output in &mut entry.outputs {
        if let Body::Blob { size, digest } = &output.body {
            let file = files.next().ok_or(BundleError::Malformed("a blob without a file"))?;
            output.body = Body::Inline(read_blob(file, *size, digest)?);
        }
    }
    Ok(entry)
}

fn read_blob(path: &Path, size: u64, digest: &Digest) -> Result<Vec<u8>, BundleError> {
    if size > MAX_CONTENT_BYTES {
        return Err(BundleError::TooLarge);
    }
    // A pipe in its place must not be waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(size).read_to_end(&mut content)?;
    let is_right = content.len() as u64 == size && Digest::of(&content) == *digest;
    is_right.then_some(content).ok_or(BundleError::Malformed("a blob is damaged"))
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
