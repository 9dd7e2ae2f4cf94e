//! The disk store: entries, blobs and manifests below one folder, with a limit in bytes.
//!
//! ```text
//! DIR/a/b/ab...        entry of a key (64 hexadecimal digits, the first two name the folders)
//! DIR/a/b/ab....N      its Nth blob, counted over the outputs that have one
//! DIR/a/b/ab....m      manifest of a key
//! DIR/tmp/             files being written; their names say who writes them (see temp.rs)
//! DIR/index/           sled: sizes and last uses; DIR/index.lock says who may use it
//! DIR/index.behind     somebody without the lock has stored: the holder should walk
//! DIR/CACHEDIR.TAG     tells backup programs that this is a cache
//! ```
//!
//! The files are the truth, the index only saves a walk over them. Several coordinators may use one folder:
//! one holds the index, the others walk. Nothing here is asynchronous, and nothing here sleeps but
//! [`LocalStore::maintain`]. Absent on purpose: actors, threads, settings.

mod blobs;
mod clone;
mod evict;
mod incoming;
mod index;
mod ingest;
mod layout;
mod place;
mod scan;
mod store;
mod temp;
mod upkeep;
mod verify;

pub use incoming::Incoming;
pub use ingest::Ingested;
pub use place::EntryMeta;
pub use store::{Fetched, LocalSettings, LocalStore, Usage};

/// Outputs up to this size travel inside the entry file.
pub const INLINE_BYTES: u64 = 16 * 1024;
