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
use cachepot_storage::remote::backend::check_key;
use cachepot_storage::remote::blobs::take_out;
use cachepot_storage::remote::bundle::{
    BundleError, JobBundle, MAX_CONTENT_BYTES, SMALL_BYTES, pack, read_result, result_content,
};
use proptest::prelude::*;

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
        ties: Vec::new(),
        surroundings: None,
    }
}

fn entry(content: Vec<u8>) -> Entry {
    let output = EntryOutput { role: Role::Main, executable: false, body: Body::Inline(content) };
    Entry { status: 0, stdout: b"out".to_vec(), stderr: b"err".to_vec(), outputs: vec![output] }
}

fn job(newest: Option<Entry>) -> JobBundle {
    JobBundle { manifest: Manifest { records: [record()].into() }, newest }
}

fn sealed(job: &JobBundle) -> Vec<u8> {
    pack(&JOB, &job.content()).unwrap()
}

fn sealed_result(entry: &Entry) -> Vec<u8> {
    pack(&RESULT, &result_content(&RESULT, entry)).unwrap()
}

proptest! {
    #[test]
    fn what_was_written_comes_back(content in prop::collection::vec(any::<u8>(), 0..2000), small in any::<bool>()) {
        let entry = entry(content);
        let object = sealed_result(&entry);
        prop_assert_eq!(&read_result(&RESULT, object.as_slice()).unwrap(), &entry);
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
        prop_assert!(JobBundle::open(&JOB, object.as_slice()).is_err() && read_result(&JOB, object.as_slice()).is_err());
    }
}

#[test]
fn an_object_of_another_key_or_sort_is_refused() {
    let (result, job) = (sealed_result(&entry(Vec::new())), sealed(&job(None)));
    assert!(
        read_result(&JOB, result.as_slice()).is_err() && JobBundle::open(&RESULT, job.as_slice()).is_err()
    );
    assert!(
        JobBundle::open(&RESULT, result.as_slice()).is_err() && read_result(&JOB, job.as_slice()).is_err()
    );
}

#[test]
fn an_entry_with_much_inside_stays_out_of_the_job() {
    let noise = (0..=SMALL_BYTES).map(|n| n.to_le_bytes()[n % 2]).collect();
    let mut large = entry(noise);
    let opened = JobBundle::open(&JOB, sealed(&job(Some(large.clone()))).as_slice()).unwrap();
    assert_eq!(opened, job(None));
    assert_eq!(take_out(&mut large, Vec::new()).unwrap().len(), 1);
    let opened = JobBundle::open(&JOB, sealed(&job(Some(large.clone()))).as_slice()).unwrap();
    assert_eq!(opened, job(Some(large)));
}

#[test]
fn a_failure_is_not_believed() {
    let failed = Entry { status: 1, ..entry(Vec::new()) };
    let object = sealed_result(&failed);
    assert!(matches!(read_result(&RESULT, object.as_slice()), Err(BundleError::Malformed(_))));
    assert!(JobBundle::open(&JOB, sealed(&job(Some(failed))).as_slice()).is_err());
}

#[test]
fn a_size_that_is_claimed_or_grown_into_is_refused() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    for (claimed, is_large) in [(MAX_CONTENT_BYTES + 1, true), (u64::MAX, true), (10, false)] {
        let payload = [&claimed.to_le_bytes(), bomb.as_slice()].concat();
        let refused =
            read_result(&RESULT, envelope::seal(Kind::Bundle, &RESULT, &payload).as_slice()).unwrap_err();
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
