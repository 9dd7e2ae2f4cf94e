//! Manifests in memory, in front of the local store.
use crate::inputs::{KnownManifest, Memory};
use cachepot_engine::digest::Digest;
use cachepot_engine::envelope::Kind;
use cachepot_engine::manifest::{Manifest, Record};
use cachepot_storage::local::LocalStore;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What all manifests in memory may weigh together.
const MAX_BYTES: usize = 64 << 20;

/// A two-generation cache: what was not used since the last turn goes at the next one.
#[derive(Default)]
struct Generations {
    young: HashMap<Digest, Arc<KnownManifest>>,
    old: HashMap<Digest, Arc<KnownManifest>>,
    young_bytes: usize,
}

impl Generations {
    fn get(&mut self, key: &Digest) -> Option<Arc<KnownManifest>> {
        if let Some(known) = self.young.get(key) {
            return Some(Arc::clone(known));
        }
        let known = self.old.remove(key)?;
        self.put(*key, Arc::clone(&known));
        Some(known)
    }
    fn put(&mut self, key: Digest, known: Arc<KnownManifest>) {
        self.young_bytes += known.weight();
        self.young.insert(key, known);
        if self.young_bytes > MAX_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

/// See the file's head.
pub struct Manifests {
    store: Arc<LocalStore>,
    known: Mutex<Generations>,
    /// One writer at a time: a record is added to what is stored, not to what somebody remembers.
    writing: Mutex<()>,
}

impl Manifests {
    /// An empty memory in front of `store`.
    pub fn new(store: Arc<LocalStore>) -> Self {
        Manifests { store, known: Mutex::default(), writing: Mutex::default() }
    }

    /// The manifest of a job; what cannot be read is not there.
    pub fn get(&self, key: &Digest, memory: &Memory) -> Option<Arc<KnownManifest>> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            self.store.touch(Kind::Manifest, key);
            return Some(known);
        }
        let bytes = self.store.get_manifest(key).ok()??;
        let known = Arc::new(KnownManifest::new(Manifest::decode(&bytes)?, memory));
        self.known.lock().unwrap_or_else(PoisonError::into_inner).put(*key, Arc::clone(&known));
        Some(known)
    }

    /// Adds a record.
    ///
    /// # Errors
    /// As the store's.
    pub fn add(
        &self,
        key: &Digest,
        record: Record,
        memory: &Memory,
    ) -> Result<(), cachepot_storage::error::StoreError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.store.get_manifest(key).ok().flatten();
        let mut manifest = stored.and_then(|bytes| Manifest::decode(&bytes)).unwrap_or_default();
        manifest.add(record);
        self.store.put_manifest(key, &manifest.encode())?;
        let known = Arc::new(KnownManifest::new(manifest, memory));
        self.known.lock().unwrap_or_else(PoisonError::into_inner).put(*key, known);
        Ok(())
    }

    /// Forgets everything, as the store has.
    pub fn forget(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Generations::default();
    }
}
