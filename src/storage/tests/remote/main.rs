//! Remotes. Here: their objects; what was written comes back, and nothing else does. In the files beside it: each kind of
//! remote against a real server, which must be there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[cfg(feature = "s3")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
mod contract;
mod folder;
#[cfg(feature = "gcs")]
mod gcs;
mod guard;
#[cfg(feature = "memcached")]
mod memcached;
mod packing;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
mod scripted;
mod server;
mod stream;
mod values;
#[cfg(feature = "webdav")]
mod webdav;

use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry, EntryOutput};
use cachepot_engine::envelope::{self, Kind};
use cachepot_engine::job::Role;
use cachepot_engine::manifest::{Input, Manifest, Record};
use cachepot_storage::local::{LocalSettings, LocalStore};
use cachepot_storage::remote::backend::check_key;
use cachepot_storage::remote::bundle::{
    BundleError, JobBundle, MAX_CONTENT_BYTES, SMALL_BYTES, pack, read_result, result_content,
};
use proptest::prelude::*;
use std::sync::LazyLock;

const JOB: Digest = Digest([1; 32]);
const RESULT: Digest = Digest([2; 32]);

fn record() -> Record {
    Record {
        result: RESULT,
        inputs: vec![Input { path: b"a.c".to_vec(), digest: Digest::of(b"int a;") }],
        n_read: 1,
        folders: Vec::new(),
        names: Vec::new(),
        present: Vec::new(),
        states: Vec::new(),
        same: Vec::new(),
        exist: Vec::new(),
        mtimes: Vec::new(),
        window: None,
        surroundings: None,
    }
}

fn entry(content: Vec<u8>) -> Entry {
    let output = EntryOutput { role: Role::Main, executable: false, body: Body::Inline(content) };
    Entry { status: 0, stdout: b"out".to_vec(), stderr: b"err".to_vec(), outputs: vec![output] }
}

/// Where the local store takes nothing, all outputs are in memory.
fn open_result(result: &Digest, object: &[u8]) -> Result<Entry, BundleError> {
    static STORE: LazyLock<LocalStore> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap().path().to_path_buf();
        LocalStore::open(LocalSettings { dir, max_bytes: 0, max_copy: 0 }).unwrap()
    });
    let mut outputs = STORE.incoming();
    let read = read_result(result, object, &mut outputs);
    assert!(outputs.into_files().is_empty());
    read
}

fn job(newest: Option<Entry>) -> JobBundle {
    JobBundle { manifest: Manifest { records: [record()].into() }, newest }
}

fn sealed(job: &JobBundle) -> Vec<u8> {
    pack(&JOB, &job.content()).unwrap()
}

fn sealed_result(entry: &Entry) -> Vec<u8> {
    pack(&RESULT, &result_content(&RESULT, entry).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn what_was_written_comes_back(content in prop::collection::vec(any::<u8>(), 0..2000), small in any::<bool>()) {
        let entry = entry(content);
        let object = sealed_result(&entry);
        prop_assert_eq!(&open_result(&RESULT, &object).unwrap(), &entry);
        let job = job(small.then_some(entry));
        prop_assert_eq!(JobBundle::open(&JOB, sealed(&job).as_slice()).unwrap(), job);
    }

    #[test]
    fn no_changed_or_shortened_object_is_read(at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
        let mut object = sealed(&job(Some(entry(vec![7; 300]))));
        let at = at.index(object.len());
        if cut { object.truncate(at) } else { object[at] ^= 1 << bit }
        prop_assert!(JobBundle::open(&JOB, object.as_slice()).is_err());
    }

    /// Somebody who can compute checksums: nothing panics, and nothing is taken for an object.
    #[test]
    fn any_payload_in_a_right_envelope_is_refused(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let object = envelope::seal(Kind::Bundle, &JOB, &payload);
        prop_assert!(JobBundle::open(&JOB, object.as_slice()).is_err() && open_result(&JOB, &object).is_err());
    }
}

#[test]
fn an_object_of_another_key_or_sort_is_refused() {
    let (result, job) = (sealed_result(&entry(Vec::new())), sealed(&job(None)));
    assert!(open_result(&JOB, &result).is_err() && JobBundle::open(&RESULT, job.as_slice()).is_err());
    assert!(JobBundle::open(&RESULT, result.as_slice()).is_err() && open_result(&JOB, &job).is_err());
}

#[test]
fn a_result_that_is_not_small_stays_out_of_the_job() {
    let noise = (0..SMALL_BYTES).map(|n| n.to_le_bytes()[n % 2]).collect();
    let opened = JobBundle::open(&JOB, sealed(&job(Some(entry(noise)))).as_slice()).unwrap();
    assert_eq!(opened, job(None));
}

#[test]
fn a_failure_is_not_believed() {
    let failed = Entry { status: 1, ..entry(Vec::new()) };
    let object = sealed_result(&failed);
    assert!(matches!(open_result(&RESULT, &object), Err(BundleError::Malformed(_))));
    assert!(JobBundle::open(&JOB, sealed(&job(Some(failed))).as_slice()).is_err());
}

#[test]
fn a_blob_is_neither_written_nor_believed() {
    let body = Body::Blob { size: 1, digest: RESULT };
    let outputs = vec![EntryOutput { role: Role::Main, executable: false, body }];
    let entry = Entry { outputs, ..entry(Vec::new()) };
    assert!(matches!(result_content(&RESULT, &entry), Err(BundleError::Malformed(_))));
    assert_eq!(JobBundle::open(&JOB, sealed(&job(Some(entry.clone()))).as_slice()).unwrap(), job(None));
    let content = [&[1], entry.encode(&RESULT).as_slice()].concat();
    let packed = zstd::bulk::compress(&content, 3).unwrap();
    let payload = [&(content.len() as u64).to_le_bytes(), packed.as_slice()].concat();
    let object = envelope::seal(Kind::Bundle, &RESULT, &payload);
    let refused = open_result(&RESULT, &object).unwrap_err().to_string();
    assert!(refused.contains("not inside"), "{refused}");
}

#[test]
fn a_size_that_is_claimed_or_grown_into_is_refused() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    for (claimed, is_large) in [(MAX_CONTENT_BYTES + 1, true), (u64::MAX, true), (10, false)] {
        let payload = [&claimed.to_le_bytes(), bomb.as_slice()].concat();
        let refused = open_result(&RESULT, &envelope::seal(Kind::Bundle, &RESULT, &payload)).unwrap_err();
        assert_eq!(matches!(refused, BundleError::TooLarge), is_large, "{refused}");
    }
    // Few records need much, and a job's object is in memory as a whole.
    let payload = [&(64_u64 << 20).to_le_bytes(), bomb.as_slice()].concat();
    let refused = JobBundle::open(&JOB, envelope::seal(Kind::Bundle, &JOB, &payload).as_slice()).unwrap_err();
    assert!(matches!(refused, BundleError::TooLarge), "{refused}");
}

#[test]
fn t268_machines_that_start_at_once_do_not_all_write_one_value() {
    let keys: std::collections::HashSet<String> = (0..200).map(|_| check_key()).collect();
    assert!(keys.len() > 50, "{}", keys.len());
}
