//! What a remote gets for a result: the objects, made from the local store or from memory, and from what the remote has
//! already. Pure but for reading the store; no actor.
use crate::carried::Carried;
use crate::pending::Write;
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry};
use cachepot_engine::manifest::{Manifest, Record};
use cachepot_storage::local::LocalStore;
use cachepot_storage::remote::blobs;
use cachepot_storage::remote::bundle::{self, JobBundle, SMALL_BYTES};
use cachepot_storage::remote::packing::Content;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// What is written of a result.
pub(crate) struct Whole {
    /// For the object of its job.
    pub(crate) record: Record,
    /// Where it is not small, without its blobs.
    pub(crate) entry: Entry,
    /// Key and content of their object, which is written first.
    pub(crate) blobs: Option<(Digest, Content)>,
}

impl Whole {
    fn new(record: Record, mut entry: Entry, files: Vec<PathBuf>) -> Option<Self> {
        let taken_out = blobs::take_out(&mut entry, files)?;
        if !bundle::is_readable(&entry) {
            return None;
        }
        let blobs = blobs::key(&entry).map(|key| (key, Content::Blobs(taken_out)));
        Some(Whole { record, entry, blobs })
    }
}

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
            Source::Store(store) => Some(store.look_up(&write.result).ok()??.output_bytes()),
        }
    }

    /// A record and its result; `None` where the store has them no more, where nobody would read so many messages, or where
    /// they stand for a quarter of an hour only, which is no time to share anything in.
    pub(crate) fn whole(&self, write: Write) -> Option<Whole> {
        match self {
            Source::Carried(carried) => {
                let (record, entry) = carried.content();
                Whole::new(record, entry, Vec::new())
            }
            Source::Store(store) => stored(store, write),
        }
    }
}

fn stored(store: &LocalStore, write: Write) -> Option<Whole> {
    let manifest = Manifest::decode(&store.get_manifest(&write.job).ok()??)?;
    let record = manifest.records.into_iter().find(|record| record.result == write.result)?;
    if record.window.is_some() {
        return None;
    }
    let entry = store.look_up(&write.result).ok()??;
    if entry.output_bytes() > SMALL_BYTES as u64 {
        let files = store.blob_paths(&write.result, &entry);
        return Whole::new(record, Arc::unwrap_or_clone(entry), files);
    }
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
    Whole::new(record, entry, Vec::new())
}

/// Keys and contents of the objects to write, in this order.
pub(crate) type Contents = Vec<(Digest, Content)>;

/// What adds a record and its result to a remote which has `theirs` for the job.
pub(crate) fn contents(write: Write, record: Record, entry: Entry, theirs: Option<&[u8]>) -> Contents {
    let JobBundle { mut manifest, newest } =
        theirs.and_then(|object| JobBundle::open(&write.job, object).ok()).unwrap_or_default();
    let first = manifest.records.front().map(|record| record.result);
    let is_first = first == Some(write.result);
    // Of the same result another compile may have made other outputs, and those may be there no more.
    if is_first && newest.as_ref() == Some(&entry) {
        return Vec::new();
    }
    let of_its_own = |(result, entry)| (result, Content::Whole(bundle::result_content(&result, &entry)));
    // The one that travelled with the job makes room, and needs an object of its own.
    let displaced = first.zip(newest).filter(|_| !is_first);
    let mut contents: Contents = displaced.into_iter().map(of_its_own).collect();
    manifest.add(record);
    let newest = if bundle::travels_with_job(&entry) {
        Some(entry)
    } else {
        contents.push(of_its_own((write.result, entry)));
        None
    };
    // Last: whoever reads it finds the results.
    contents.push((write.job, Content::Whole(JobBundle { manifest, newest }.content())));
    contents
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carried::record_of;
    use cachepot_engine::entry::EntryOutput;
    use cachepot_engine::job::Role;

    const JOB: Digest = Digest([1; 32]);

    fn entry(text: &[u8]) -> Entry {
        let body = Body::Blob { size: 1 << 20, digest: Digest::of(text) };
        let outputs = vec![EntryOutput { role: Role::Main, executable: false, body }];
        Entry { status: 0, stdout: Vec::new(), stderr: Vec::new(), outputs }
    }

    /// The job's object and the keys of those written before it, for what the remote has.
    fn written(result: u8, entry: Entry, theirs: Option<&[u8]>) -> Option<(JobBundle, Vec<Digest>)> {
        let write = Write { job: JOB, result: Digest([result; 32]) };
        let mut contents = contents(write, record_of(write.result), entry, theirs);
        let (key, job) = contents.pop()?;
        let object = job.pack(&key).unwrap();
        let job = JobBundle::open(&JOB, object.as_slice()).unwrap();
        Some((job, contents.into_iter().map(|(key, _)| key).collect()))
    }

    fn packed(job: &JobBundle) -> Vec<u8> {
        Content::Whole(job.content()).pack(&JOB).unwrap()
    }

    #[test]
    fn the_newest_entry_of_a_result_takes_the_place_of_another_one_of_the_same() {
        let (first, before) = written(2, entry(b"one"), None).unwrap();
        assert_eq!((first.newest.as_ref(), before), (Some(&entry(b"one")), vec![]));
        let theirs = packed(&first);
        assert!(written(2, entry(b"one"), Some(&theirs)).is_none());
        // Its outputs may be there no more, and these are.
        let (second, before) = written(2, entry(b"two"), Some(&theirs)).unwrap();
        assert_eq!((second.newest.as_ref(), before), (Some(&entry(b"two")), vec![]));
        assert_eq!(second.manifest.records.len(), 1);
        // Another result makes room for itself.
        let (third, before) = written(3, entry(b"three"), Some(&packed(&second))).unwrap();
        assert_eq!((third.newest.as_ref(), before), (Some(&entry(b"three")), vec![Digest([2; 32])]));
        assert_eq!(third.manifest.records.len(), 2);
    }
}
