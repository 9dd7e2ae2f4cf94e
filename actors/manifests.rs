//! Manifests in memory, in front of the local store.
use crate::inputs::{Help, KnownManifest, Memory};
use crate::subject::Subject;
use cachepot_engine::bases::Bases;
use cachepot_engine::digest::Digest;
use cachepot_engine::envelope::Kind;
use cachepot_engine::manifest::{Manifest, Record};
use cachepot_storage::local::LocalStore;
use cachepot_storage::recent::Recent;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all manifests in memory may weigh together: some 200 KiB for a C++ unit with 500 headers.
const MAX_BYTES: usize = 64 << 20;

/// See the file's head.
pub struct Manifests {
    store: Arc<LocalStore>,
    known: Mutex<Recent<Digest, Arc<KnownManifest>>>,
    /// One writer at a time: a record is added to what is stored, not to what somebody remembers.
    writing: Mutex<()>,
}

impl Manifests {
    /// An empty memory in front of `store`.
    pub fn new(store: Arc<LocalStore>) -> Self {
        Manifests { store, known: Mutex::new(Recent::new(MAX_BYTES)), writing: Mutex::default() }
    }

    /// Whether there may be a manifest of a job; asks the kernel once at most.
    pub fn may_hold(&self, key: &Digest) -> bool {
        self.known().get(key).is_some() || self.store.may_hold_manifest(key)
    }

    /// The result of a job that stands for the files as they are now.
    pub fn find(&self, key: &Digest, memory: &Memory, client: &Subject, help: Help<'_>) -> Option<Digest> {
        let (place, env) = (&client.place, &client.env);
        let known = self.get(key, memory, &client.job.bases)?;
        let weight = known.weight();
        let found = known.find(memory, place, env, help);
        if known.weight() != weight {
            // It has learnt where to look. Another one may be in its place by now.
            let mut all = self.known();
            if all.get(key).is_some_and(|now| Arc::ptr_eq(&now, &known)) {
                all.insert(*key, Arc::clone(&known), known.weight());
            }
        }
        found
    }

    /// The manifest of a job, for the checkout that asks; what cannot be read is not there.
    fn get(&self, key: &Digest, memory: &Memory, bases: &Bases) -> Option<Arc<KnownManifest>> {
        if let Some(known) = self.known().get(key).filter(|known| known.bases == *bases) {
            self.store.touch(Kind::Manifest, key);
            return Some(known);
        }
        let bytes = self.store.get_manifest(key).ok()??;
        let known = Arc::new(KnownManifest::new(Manifest::decode(&bytes)?, memory, bases));
        self.known().insert(*key, Arc::clone(&known), known.weight());
        Some(known)
    }

    fn known(&self) -> MutexGuard<'_, Recent<Digest, Arc<KnownManifest>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record. Whoever asks next reads the manifest: most are asked for by another build only, and memory is
    /// for those that are.
    ///
    /// # Errors
    /// As the store's.
    pub fn add(&self, key: &Digest, record: Record) -> Result<(), cachepot_storage::error::StoreError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.store.get_manifest(key).ok().flatten();
        let mut manifest = stored.and_then(|bytes| Manifest::decode(&bytes)).unwrap_or_default();
        manifest.add(record);
        self.store.put_manifest(key, &manifest.encode())?;
        self.known().remove(key);
        Ok(())
    }

    /// Adds what a remote knows and we do not; whether there was any. The memory has it even where the store takes
    /// nothing: somebody waits for it.
    pub fn merge(&self, key: &Digest, theirs: Manifest, memory: &Memory, bases: &Bases) -> bool {
        if self.known().get(key).is_some_and(|known| theirs.records.iter().all(|it| known.has(&it.result))) {
            return false;
        }
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.store.get_manifest(key).ok().flatten();
        let mut manifest = stored.and_then(|bytes| Manifest::decode(&bytes)).unwrap_or_default();
        let is_known = |record: &Record| manifest.records.iter().any(|ours| ours.result == record.result);
        let news: Vec<Record> = theirs.records.into_iter().filter(|record| !is_known(record)).collect();
        if news.is_empty() {
            return false;
        }
        // The newest of them comes first: it is the likeliest to stand.
        for record in news.into_iter().rev() {
            manifest.add(record);
        }
        if let Err(error) = self.store.put_manifest(key, &manifest.encode()) {
            tracing::debug!(%error, "what a remote knows does not go into the local store");
        }
        let known = Arc::new(KnownManifest::new(manifest, memory, bases));
        self.known().insert(*key, Arc::clone(&known), known.weight());
        true
    }

    /// Takes the window off a record; one that is gone meanwhile stays gone.
    ///
    /// # Errors
    /// As the store's.
    pub fn lift_window(
        &self,
        key: &Digest,
        result: &Digest,
    ) -> Result<(), cachepot_storage::error::StoreError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = self.store.get_manifest(key)? else { return Ok(()) };
        let Some(mut manifest) = Manifest::decode(&bytes) else { return Ok(()) };
        let Some(replaced) = manifest.lift_window(result) else { return Ok(()) };
        self.store.put_manifest(key, &manifest.encode())?;
        self.known().remove(key);
        replaced.iter().try_for_each(|result| self.store.remove(Kind::Result, result))
    }

    /// Forgets everything, as the store has.
    pub fn forget(&self) {
        *self.known() = Recent::new(MAX_BYTES);
    }
}
