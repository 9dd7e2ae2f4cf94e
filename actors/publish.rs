//! What a remote gets for a result: the objects, made from the local store or from memory, and from what the remote has
//! already. Pure but for reading the store; no actor.
use crate::carried::Carried;
use crate::pending::Write;
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry};
use cachepot_engine::manifest::{Manifest, Record};
use cachepot_storage::local::LocalStore;
use cachepot_storage::remote::bundle::{self, BundleError, JobBundle};
use std::io::Read;
use std::sync::Arc;

/// Where a result is that is to be written.
#[derive(Clone)]
pub(crate) enum Source {
    /// In memory.
    Carried(Arc<Carried>),
    /// In the local store, or no more.
    Store(Arc<LocalStore>),
}

impl Source {
    /// How much a result takes in memory, in bytes; `None` where the store has it no more.
    pub(crate) fn size(&self, write: Write) -> Option<u64> {
        match self {
            Source::Carried(carried) => Some(carried.size()),
            Source::Store(store) => size(store, write),
        }
    }

    /// A record and its result with all outputs inside; `None` where the store has them no more, or where they stand for
    /// a quarter of an hour only, which is no time to share anything in.
    pub(crate) fn content(&self, write: Write) -> Option<(Record, Entry)> {
        match self {
            Source::Carried(carried) => Some(carried.content()),
            Source::Store(store) => content(store, write),
        }
    }
}

fn size(store: &LocalStore, write: Write) -> Option<u64> {
    let entry = store.look_up(&write.result).ok()??;
    let sizes = entry.outputs.iter().map(|output| match &output.body {
        Body::Inline(content) => content.len() as u64,
        Body::Blob { size, .. } => *size,
    });
    Some(sizes.sum())
}

fn content(store: &LocalStore, write: Write) -> Option<(Record, Entry)> {
    let manifest = Manifest::decode(&store.get_manifest(&write.job).ok()??)?;
    let record = manifest.records.into_iter().find(|record| record.result == write.result)?;
    let fetched = store.fetch(&write.result).ok()??;
    let mut blobs = fetched.blobs.into_iter();
    let mut entry = Arc::unwrap_or_clone(fetched.entry);
    for output in &mut entry.outputs {
        if matches!(output.body, Body::Blob { .. }) {
            let mut content = Vec::new();
            blobs.next()?.read_to_end(&mut content).ok()?;
            output.body = Body::Inline(content);
        }
    }
    record.window.is_none().then_some((record, entry))
}

/// Objects to write, in this order.
pub(crate) type Objects = Vec<(Digest, Vec<u8>)>;

/// The objects that add a result to a remote which has `theirs` for the job.
///
/// # Errors
/// [`BundleError`]: it is too large.
pub(crate) fn objects(
    write: Write,
    record: Record,
    entry: Entry,
    theirs: Option<&[u8]>,
) -> Result<Objects, BundleError> {
    let JobBundle { mut manifest, newest } =
        theirs.and_then(|object| JobBundle::open(&write.job, object).ok()).unwrap_or_default();
    let first = manifest.records.front().map(|record| record.result);
    if first == Some(write.result) && newest.is_some() {
        return Ok(Vec::new());
    }
    let mut objects = Vec::new();
    // The one that travelled with the job makes room, and needs an object of its own.
    if let Some((result, entry)) = first.zip(newest) {
        objects.push((result, bundle::seal_result(&result, &entry)?));
    }
    if !bundle::travels_with_job(&entry) {
        objects.push((write.result, bundle::seal_result(&write.result, &entry)?));
    }
    manifest.add(record);
    // Last: whoever reads it finds the results.
    objects.push((write.job, JobBundle { manifest, newest: Some(entry) }.seal(&write.job)?));
    Ok(objects)
}
