//! A result as it is stored.
use crate::digest::Digest;
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
