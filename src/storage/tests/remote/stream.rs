//! Objects that are read as they come: in whatever pieces, the same result; of one that is not whole, nothing stays.
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry, EntryOutput};
use cachepot_engine::job::Role;
use cachepot_storage::local::{EntryMeta, Ingested, LocalSettings, LocalStore};
use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::blobs::{self, Blob};
use cachepot_storage::remote::bundle::{self, BundleError};
use cachepot_storage::remote::folder::Folder;
use cachepot_storage::remote::guard::Guard;
use cachepot_storage::remote::packing::Content;
use cachepot_storage::remote::sink::Sink;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::RESULT;
use crate::contract::{keeps_values, noise};
use crate::server::run;

/// What a test of its own process reads.
const OBJECT_VARIABLE: &str = "CACHEPOT_TEST_OBJECT";

struct Place {
    folder: TempDir,
    store: LocalStore,
}

impl Place {
    fn new() -> Self {
        Place::of(1 << 30)
    }

    fn of(max_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("cache");
        Place {
            store: LocalStore::open(LocalSettings { dir, max_bytes, max_copy: max_bytes }).unwrap(),
            folder,
        }
    }

    fn read(&self, head: &Entry, object: impl Read) -> Result<(Entry, Vec<Ingested>), BundleError> {
        let mut outputs = self.store.incoming(head.blobs().map(|(size, _)| size));
        let growing = outputs.growing();
        let (key, mut so_far) = (blobs::key(head).unwrap(), 0);
        let mut grown = |bytes| {
            assert!(bytes > so_far);
            so_far = bytes;
            let there = growing.iter().flatten().map(|file| file.metadata().unwrap().len());
            assert!(growing.is_none() || there.sum::<u64>() >= bytes);
        };
        let entry = blobs::read(head, (&key, object), &mut outputs, &mut grown)?;
        Ok((entry, outputs.into_files()))
    }

    /// All files in the store but for its tag.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for file in fs::read_dir(folder).unwrap().flatten() {
                match file.file_type().unwrap().is_dir() {
                    true => folders.push(file.path()),
                    false => found.push(file.path()),
                }
            }
        }
        found.retain(|path| !path.ends_with("CACHEDIR.TAG"));
        found
    }
}

fn entry(outputs: Vec<(Role, Vec<u8>)>) -> Entry {
    let output = |(role, content)| EntryOutput { role, executable: false, body: Body::Inline(content) };
    let outputs = outputs.into_iter().map(output).collect();
    Entry { status: 0, stdout: b"out".to_vec(), stderr: b"err".to_vec(), outputs }
}

/// A small output between two that are large enough for files.
fn mixed() -> Entry {
    let text = b"main.o: main.c\n".to_vec();
    entry(vec![(Role::Rlib, noise(290_000)), (Role::Dependencies, text), (Role::Metadata, vec![7; 40_000])])
}

/// An entry without what is large in it, and the object with that.
fn apart(mut entry: Entry) -> (Entry, Vec<u8>) {
    let blobs = blobs::take_out(&mut entry, Vec::new()).unwrap();
    let object = Content::Blobs(blobs).pack(&blobs::key(&entry).unwrap()).unwrap();
    (entry, object)
}

/// An entry with what its files hold inside.
fn inlined((mut entry, files): (Entry, Vec<Ingested>)) -> Entry {
    let mut files = files.into_iter();
    for output in &mut entry.outputs {
        if let Body::Blob { size, digest } = output.body {
            let content = files.next().unwrap().read().unwrap();
            assert!(content.len() as u64 == size && Digest::of(&content) == digest);
            output.body = Body::Inline(content);
        }
    }
    assert!(files.next().is_none());
    entry
}

/// Gives bytes in pieces of these sizes, over and over.
struct InPieces<'a> {
    bytes: &'a [u8],
    sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
}

impl Read for InPieces<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let size = *self.sizes.next().unwrap();
        let most = size.min(to.len());
        self.bytes.read(&mut to[..most])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_whatever_pieces_it_comes_the_result_is_the_same(sizes in prop::collection::vec(1_usize..5000, 1..20)) {
        let (place, (head, object)) = (Place::new(), apart(mixed()));
        let read = place.read(&head, InPieces { bytes: &object, sizes: sizes.iter().cycle() }).unwrap();
        let are_files = |output: &EntryOutput| matches!(output.body, Body::Blob { .. });
        prop_assert_eq!(read.0.outputs.iter().map(are_files).collect::<Vec<_>>(), [true, false, true]);
        prop_assert!(inlined(read) == mixed());
        // Nobody took the files.
        prop_assert_eq!(place.files(), Vec::<PathBuf>::new());
    }

    #[test]
    fn of_a_changed_or_shortened_object_nothing_stays(at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
        let (place, (head, mut object)) = (Place::new(), apart(mixed()));
        let at = at.index(object.len());
        if cut { object.truncate(at) } else { object[at] ^= 1 << bit }
        prop_assert!(place.read(&head, object.as_slice()).is_err());
        prop_assert_eq!(place.files(), Vec::<PathBuf>::new());
    }
}

/// An edit of a comment makes another result, of the same outputs.
#[test]
fn the_same_outputs_are_the_same_object_wherever_they_are() {
    let (place, (head, object)) = (Place::new(), apart(mixed()));
    let outputs = mixed().outputs.into_iter().map(|output| {
        let Body::Inline(content) = output.body else { panic!("all are inside") };
        (output.role, output.executable, place.store.ingest_bytes(content).unwrap())
    });
    let meta = EntryMeta { status: 0, stdout: b"other".to_vec(), stderr: Vec::new() };
    place.store.put_entry(&RESULT, meta, outputs.collect()).unwrap();
    let mut stored = Entry::clone(&place.store.look_up(&RESULT).unwrap().unwrap());
    let files = place.store.blob_paths(&RESULT, &stored);
    let taken_out = blobs::take_out(&mut stored, files).unwrap();
    let key = blobs::key(&head).unwrap();
    assert_eq!(blobs::key(&stored), Some(key));
    assert!(Content::Blobs(taken_out).pack(&key).unwrap() == object);
}

/// Who changes this makes everything at every remote a miss.
#[test]
fn the_form_of_blobs() {
    let body = |content: &[u8]| Body::Blob { size: content.len() as u64, digest: Digest::of(content) };
    let mut head = entry(vec![(Role::Rlib, Vec::new()), (Role::Metadata, Vec::new())]);
    head.outputs[0].body = body(b"first");
    head.outputs[1].body = body(b"second");
    assert_eq!(
        blobs::key(&head).unwrap().to_string(),
        "119ae14d75d4c757ad4d3b485ebb4c7f41f7eb103e6d23ba7cf1319a41e68fe1"
    );
    let blobs = [b"first".as_slice(), b"second"].map(|content| Blob::Bytes(content.to_vec()));
    let object = Content::Blobs(blobs.into()).pack(&RESULT).unwrap();
    assert_eq!(object, bundle::pack(&RESULT, b"\x02firstsecond").unwrap());
}

#[test]
fn blobs_are_those_of_the_entry_or_refused() {
    let (place, (head, object)) = (Place::new(), apart(mixed()));
    let with = |change: &dyn Fn(&mut Body)| {
        let mut other = head.clone();
        change(&mut other.outputs[2].body);
        other
    };
    let digest = Digest::of(&[7; 40_000]);
    for (other, is_right) in [
        (with(&|body| *body = Body::Blob { size: 40_000, digest }), true),
        (with(&|body| *body = Body::Blob { size: 40_000, digest: RESULT }), false),
        (with(&|body| *body = Body::Blob { size: 39_999, digest }), false),
        (with(&|body| *body = Body::Blob { size: u64::MAX, digest }), false),
        (with(&|body| *body = Body::Inline(vec![7; 40_000])), false),
    ] {
        // Whoever can make an entry can name the object as it likes.
        let key = blobs::key(&head).unwrap();
        let mut outputs = place.store.incoming(other.blobs().map(|(size, _)| size));
        let read = blobs::read(&other, (&key, object.as_slice()), &mut outputs, &mut |_| ());
        assert_eq!(read.is_ok(), is_right);
        drop(outputs);
        assert_eq!(place.files(), Vec::<PathBuf>::new());
    }
}

#[test]
fn bytes_behind_an_object_are_refused() {
    let (place, (head, mut object)) = (Place::new(), apart(mixed()));
    object.push(0);
    assert!(place.read(&head, object.as_slice()).is_err() && place.files().is_empty());
}

#[test]
fn where_the_store_takes_nothing_the_result_is_in_memory() {
    for limit in [0, 50_000] {
        let place = Place::of(limit);
        let (head, object) = apart(mixed());
        let read = place.read(&head, object.as_slice()).unwrap();
        assert_eq!(read.1.len(), usize::from(limit > 0), "the one that has room");
        assert!(inlined(read) == mixed());
        assert!(place.files().is_empty());
    }
}

#[test]
fn objects_are_read_through_a_guard_as_without_one() {
    let (place, (head, object)) = (Place::new(), apart(mixed()));
    let read = |bytes: &[u8]| place.read(&head, Guard::default().read(&RESULT, bytes).unwrap());
    assert!(inlined(read(&object).unwrap()) == mixed());
    assert!(read(&[]).is_err() && read(&object[..5]).is_err());
}

#[tokio::test]
async fn a_folder_keeps_values() {
    let folder = tempfile::tempdir().unwrap();
    keeps_values(&Folder::new(folder.path().to_path_buf())).await;
}

/// From the remote into the store: whole, or not at all.
#[tokio::test]
async fn a_large_result_goes_to_the_store_as_it_comes() {
    let remote = tempfile::tempdir().unwrap();
    let backend = Folder::new(remote.path().to_path_buf());
    let result = entry(vec![(Role::Rlib, noise(50 << 20)), (Role::Metadata, noise(3 << 20))]);
    let (head, whole) = apart(result.clone());
    let mut damaged = whole.clone();
    damaged[40 << 20] ^= 1;
    for (name, value, is_whole) in [("damaged", damaged, false), ("whole", whole, true)] {
        backend.put(name, value).await.unwrap();
        let place = Arc::new(Place::new());
        let (mut sink, pieces) = Sink::stream();
        let (to, of) = (Arc::clone(&place), head.clone());
        let reading = tokio::task::spawn_blocking(move || to.read(&of, pieces));
        // The first blob that is not right ends it.
        let expected = if is_whole { Ok(true) } else { Err(BackendError::Unwanted) };
        assert_eq!(backend.get(name, &mut sink).await, expected);
        drop(sink.end().await);
        let read = reading.await.unwrap();
        assert_eq!(read.is_ok(), is_whole);
        let Ok((read, files)) = read else {
            assert_eq!(place.files(), Vec::<PathBuf>::new());
            continue;
        };
        assert_eq!(place.files().len(), 2);
        let opened: Vec<_> = files.iter().map(|file| file.open().unwrap().unwrap()).collect();
        let outputs = read.outputs.iter().zip(files).map(|(output, file)| (output.role, false, file));
        let meta = EntryMeta { status: 0, stdout: read.stdout.clone(), stderr: read.stderr.clone() };
        place.store.put_entry(&RESULT, meta, outputs.collect()).unwrap();
        let fetched = place.store.fetch(&RESULT).unwrap().unwrap();
        assert_eq!(*fetched.entry, read);
        // Those who opened it before it was stored have the same.
        for (output, files) in result.outputs.iter().zip(fetched.blobs.into_iter().zip(opened)) {
            for mut file in [files.0, files.1] {
                let mut content = Vec::new();
                file.read_to_end(&mut content).unwrap();
                assert!(output.body == Body::Inline(content));
            }
        }
    }
}

#[test]
fn a_large_result_is_not_held_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("object");
    let (head, object) = apart(entry(vec![(Role::Rlib, noise(100 << 20))]));
    fs::write(&path, object).unwrap();
    fs::write(path.with_extension("head"), head.encode(&RESULT)).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "stream::reads_the_object_of_another_test", "--nocapture"]);
    let output = run(child.env(OBJECT_VARIABLE, path));
    let grown = output.lines().find_map(|line| line.strip_prefix("grown by KiB: ")).expect(&output);
    assert!(grown.parse::<u64>().unwrap() < 20 << 10, "{grown} KiB for an object of 100 MiB");
}

/// A process of its own, whose memory is measured.
#[test]
fn reads_the_object_of_another_test() {
    let Some(path) = std::env::var_os(OBJECT_VARIABLE) else { return };
    let place = Place::new();
    let head = fs::read(PathBuf::from(&path).with_extension("head")).unwrap();
    let head = Entry::decode(&head, &RESULT).unwrap();
    let before = peak_kib();
    let (entry, files) = place.read(&head, fs::File::open(path).unwrap()).unwrap();
    let grown = peak_kib() - before;
    assert!(entry.outputs.len() == 1 && files[0].size() == 100 << 20);
    println!("\ngrown by KiB: {grown}");
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}
