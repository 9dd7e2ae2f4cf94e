//! The entry file: what was written comes back, and nothing else does.
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry, EntryOutput};
use cachepot_engine::envelope::{self, EntryError, Kind};
use cachepot_engine::job::Role;
use proptest::prelude::*;

const ROLES: [Role; 4] = [Role::Main, Role::Dependencies, Role::SplitDwarf, Role::StackUsage];

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Body::Inline),
        (any::<u64>(), any::<[u8; 32]>())
            .prop_map(|(size, digest)| Body::Blob { size, digest: Digest(digest) }),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let outputs = prop::collection::vec((any::<bool>(), any::<bool>(), body()), 4).prop_map(|chosen| {
        let with_role = chosen.into_iter().zip(ROLES);
        with_role
            .filter(|((present, ..), _)| *present)
            .map(|((_, executable, body), role)| EntryOutput { role, executable, body })
            .collect()
    });
    let text = || prop::collection::vec(any::<u8>(), 0..40);
    (any::<i32>(), text(), text(), outputs).prop_map(|(status, stdout, stderr, outputs)| Entry {
        status,
        stdout,
        stderr,
        outputs,
    })
}

proptest! {
    #[test]
    fn an_entry_comes_back(entry in entry(), key in any::<[u8; 32]>()) {
        let key = Digest(key);
        prop_assert_eq!(Entry::decode(&entry.encode(&key), &key), Ok(entry));
    }

    #[test]
    fn t247_no_damaged_file_is_read(entry in entry(), garbage in prop::collection::vec(any::<u8>(), 1..40)) {
        let key = Digest::of(b"key");
        let file = entry.encode(&key);
        for length in 0..file.len() {
            prop_assert!(Entry::decode(&file[..length], &key).is_err(), "cut at {}", length);
        }
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Entry::decode(&flipped, &key).is_err(), "bit {}", bit);
        }
        prop_assert!(Entry::decode(&[file, garbage].concat(), &key).is_err());
    }

    /// Behind a right checksum stands whoever wrote the file; even then nothing panics or allocates wildly.
    #[test]
    fn any_payload_is_read_or_refused(payload in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..80)) {
        let key = Digest::of(b"key");
        let file = envelope::seal(Kind::Result, &key, &payload);
        if let Ok(entry) = Entry::decode(&file, &key) {
            prop_assert_eq!(entry.encode(&key), file);
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Entry::decode(&bytes, &Digest::of(b"key")).is_err());
    }
}

#[test]
fn t248_a_file_under_another_key_is_refused() {
    let entry = Entry { status: 0, stdout: vec![], stderr: vec![], outputs: vec![] };
    let file = entry.encode(&Digest::of(b"one"));
    assert_eq!(Entry::decode(&file, &Digest::of(b"other")), Err(EntryError::OtherKey));
}

#[test]
fn t100_kinds_do_not_meet() {
    let key = Digest::of(b"key");
    let file = envelope::seal(Kind::Manifest, &key, b"payload");
    assert_eq!(envelope::open(Kind::Manifest, &key, &file), Ok(&b"payload"[..]));
    assert_eq!(envelope::open(Kind::Result, &key, &file), Err(EntryError::OtherKind));
    assert_eq!(Entry::decode(&file, &key), Err(EntryError::OtherKind));
}

#[test]
fn t264_other_versions_are_told_apart_from_damage() {
    let key = Digest::of(b"key");
    let mut file = envelope::seal(Kind::Result, &key, b"payload of the future");
    file[8..10].copy_from_slice(&(envelope::VERSION + 1).to_le_bytes());
    assert_eq!(Entry::decode(&file, &key), Err(EntryError::OtherVersion(envelope::VERSION + 1)));
    file.truncate(20);
    assert_eq!(Entry::decode(&file, &key), Err(EntryError::OtherVersion(envelope::VERSION + 1)));
}

/// Recorded bytes: this fails when the format changes without a new version.
#[test]
fn the_format_of_this_version_is_fixed() {
    let blob = Body::Blob { size: 7, digest: Digest::of(b"content") };
    let outputs = vec![
        EntryOutput { role: Role::Main, executable: true, body: blob },
        EntryOutput { role: Role::Dependencies, executable: false, body: Body::Inline(b"a.o: a.c".to_vec()) },
    ];
    let entry = Entry { status: 1, stdout: b"out".to_vec(), stderr: b"error".to_vec(), outputs };
    let file = entry.encode(&Digest::of(b"key"));
    assert_eq!(envelope::VERSION, 1);
    assert_eq!(
        (file.len(), Digest::of(&file).to_string().as_str()),
        (181, "7f5a2665832f53f3c2caf4207b7f782c7bf8a6675860ae8a36cc75483d97272a")
    );
}

/// Files of earlier versions hold these numbers.
#[test]
fn every_role_keeps_its_tag() {
    let roles = [
        Role::Main,
        Role::Dependencies,
        Role::SplitDwarf,
        Role::StackUsage,
        Role::Rlib,
        Role::Metadata,
        Role::Object,
        Role::Assembly,
        Role::LlvmIr,
        Role::LlvmBitcode,
        Role::Mir,
        Role::Executable,
        Role::SharedLibrary,
        Role::StaticLibrary,
    ];
    for (tag, role) in (0..).zip(roles) {
        assert_eq!((role.tag(), Role::from_tag(tag)), (tag, Some(role)));
    }
    assert_eq!(Role::from_tag(14), None);
}
