//! Results that remotes have brought, verified. They may not be in the local store yet, or never, where it takes nothing.
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry};
use cachepot_storage::error::StoreError;
use cachepot_storage::local::{EntryMeta, Fetched, Ingested, LocalStore};
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What a file weighs at least: descriptors are few.
const FILE_WEIGHT: usize = 2 << 20;
/// A byte of a file weighs this much less than one in memory.
const LIGHTER: usize = 16;

/// See the file's head.
pub(crate) struct InHand {
    entry: Arc<Entry>,
    /// One per [`Body::Blob`], in the order of the outputs; for reading only.
    files: Vec<File>,
    /// The same for the local store; taken by the one who puts them there.
    to_put: Mutex<Option<Vec<Ingested>>>,
}

impl InHand {
    /// A result, and a file for each output that is not inside.
    ///
    /// # Errors
    /// As from opening the files.
    pub(crate) fn new(entry: Entry, ingested: Vec<Ingested>) -> io::Result<Self> {
        let files = ingested.iter().filter_map(|ingested| ingested.open().transpose());
        let files = files.collect::<io::Result<_>>()?;
        Ok(InHand { entry: Arc::new(entry), files, to_put: Mutex::new(Some(ingested)) })
    }

    /// What it takes to keep it, in bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        let files = self.entry.blobs().map(|(size, _)| usize::try_from(size).unwrap_or(usize::MAX) / LIGHTER);
        weight(&self.entry) + files.map(|size| size.max(FILE_WEIGHT)).sum::<usize>()
    }

    /// How much it is, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.entry.output_bytes()
    }

    /// Whether any of it is in files, which the local store takes over.
    pub(crate) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// The result for one client.
    ///
    /// # Errors
    /// As from duplicating a descriptor.
    pub(crate) fn opened(&self) -> io::Result<Fetched> {
        let blobs = self.files.iter().map(File::try_clone).collect::<io::Result<_>>()?;
        Ok(Fetched { entry: Arc::clone(&self.entry), blobs })
    }

    /// For the one who is to put it into the local store, and for nobody else.
    pub(crate) fn to_put(&self) -> Option<ToPut> {
        let ingested = self.to_put.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(ToPut { entry: Arc::clone(&self.entry), ingested })
    }
}

/// What it takes to keep an entry without its blobs, in bytes of memory.
pub(crate) fn weight(entry: &Entry) -> usize {
    entry.bytes_inside() + 1024
}

/// A result on its way into the local store.
pub(crate) struct ToPut {
    entry: Arc<Entry>,
    ingested: Vec<Ingested>,
}

impl ToPut {
    /// Puts it there.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn put(self, store: &LocalStore, result: &Digest) -> Result<(), StoreError> {
        let Entry { status, stdout, stderr, outputs } = self.entry.as_ref();
        let meta = EntryMeta { status: *status, stdout: stdout.clone(), stderr: stderr.clone() };
        let mut files = self.ingested.into_iter();
        let outputs = outputs.iter().map(|output| {
            let content = match &output.body {
                Body::Inline(content) => store.ingest_bytes(content.clone()),
                Body::Blob { .. } => files.next().ok_or(StoreError::Vanished(*result)),
            };
            Ok((output.role, output.executable, content?))
        });
        store.put_entry(result, meta, outputs.collect::<Result<_, StoreError>>()?)
    }
}
