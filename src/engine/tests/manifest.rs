//! Manifests: there and back, damage, bounds.
use crate::digest::Digest;
use crate::manifest::surroundings::{Kind, Surroundings, listing_digest};
use crate::manifest::{Input, MAX_INPUTS, MAX_RECORDS, Manifest, Record};
use crate::scan::Quarter;
use proptest::collection::vec;
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..12)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn surroundings() -> impl Strategy<Value = Surroundings> {
    let kind =
        prop_oneof![Just(Kind::Something), Just(Kind::Folder), Just(Kind::NoLink), Just(Kind::Executable)];
    let pairs = || vec((bytes(), bytes()), 0..3);
    let variables = vec((bytes(), proptest::option::of(bytes())), 0..3);
    (
        vec(bytes(), 0..3),
        vec((bytes(), kind), 0..3),
        pairs(),
        pairs(),
        vec((bytes(), digest()), 0..3),
        variables,
    )
        .prop_map(|(absent, kinds, links, resolved, listings, variables)| Surroundings {
            absent,
            kinds,
            links,
            resolved,
            listings,
            variables,
        })
}

fn record() -> impl Strategy<Value = Record> {
    // Few letters, so that paths share their beginnings.
    let path = "[ab/]{0,6}".prop_map(String::into_bytes);
    let input = (path, digest()).prop_map(|(path, digest)| Input { path, digest });
    let lists = [vec(bytes(), 0..3), vec(bytes(), 0..3), vec(bytes(), 0..3), vec(bytes(), 0..3)];
    let mtimes = vec((any::<u32>(), any::<i64>()), 0..3);
    let window = proptest::option::of(any::<u64>().prop_map(Quarter));
    let pairs = vec((any::<u32>(), any::<u32>()), 0..3);
    let numbers = (any::<u32>(), vec(any::<u32>(), 0..3), pairs);
    let ties = vec((bytes(), bytes()), 0..3);
    let seen = (ties, proptest::option::of(surroundings()));
    (digest(), vec(input, 0..5), lists, numbers, mtimes, window, seen).prop_map(
        |(result, inputs, lists, numbers, mtimes, window, (ties, surroundings))| {
            let (n_read, states, same) = numbers;
            let [folders, names, present, exist] = lists;
            Record {
                result,
                inputs,
                n_read,
                folders,
                names,
                present,
                states,
                same,
                exist,
                mtimes,
                window,
                ties,
                surroundings,
            }
        },
    )
}

proptest! {
    #[test]
    fn manifests_come_back_as_they_went(records in vec(record(), 0..4)) {
        let manifest = Manifest { records: records.into() };
        let stored = manifest.encode();
        prop_assert_eq!(Manifest::decode(&stored).unwrap(), manifest);
        for length in 0..stored.len() {
            prop_assert_eq!(Manifest::decode(&stored[..length]), None, "cut at {}", length);
        }
        prop_assert_eq!(Manifest::decode(&[stored, vec![0]].concat()), None);
    }

    #[test]
    fn any_bytes_are_taken_or_refused(garbage in vec(any::<u8>(), 0..200)) {
        let _ = Manifest::decode(&garbage);
        let _ = Manifest::decode(&[&4u32.to_le_bytes()[..], &1u32.to_le_bytes(), &garbage].concat());
    }

    #[test]
    fn damaged_manifests_are_taken_or_refused(
        records in vec(record(), 1..3), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut stored = Manifest { records: records.into() }.encode();
        let at = at.index(stored.len());
        stored[at] = byte;
        let _ = Manifest::decode(&stored);
    }
}

fn plain(result: u32, n_inputs: usize) -> Record {
    let input = Input { path: b"a".to_vec(), digest: Digest::of(b"a") };
    let [folders, names, present, exist] = [const { Vec::new() }; 4];
    let (result, inputs) = (Digest::of(&result.to_le_bytes()), vec![input; n_inputs]);
    Record {
        n_read: 1,
        states: Vec::new(),
        same: Vec::new(),
        result,
        inputs,
        folders,
        names,
        present,
        exist,
        mtimes: Vec::new(),
        window: None,
        ties: Vec::new(),
        surroundings: None,
    }
}

/// Traps T50 and T51: states that alternate stay, and nothing grows without end.
#[test]
fn bounds_hold() {
    let mut manifest = Manifest::default();
    for result in 0..100 {
        manifest.add(plain(result, 1));
    }
    assert_eq!(manifest.records.len(), MAX_RECORDS);
    assert_eq!(manifest.records[0], plain(99, 1));
    manifest.add(plain(98, 1));
    assert_eq!((manifest.records.len(), &manifest.records[0]), (MAX_RECORDS, &plain(98, 1)));
    manifest.add(plain(200, MAX_INPUTS - 3));
    assert_eq!(manifest.records.len(), 4);
    manifest.add(plain(201, MAX_INPUTS + 1));
    assert_eq!(manifest.records.len(), 1);
    assert!(Manifest::decode(&manifest.encode()).is_some());
}

#[test]
fn a_record_without_its_window_replaces_those_of_other_windows() {
    let windowed = |result, quarter| Record { window: Some(Quarter(quarter)), ..plain(result, 1) };
    let records = [windowed(1, 7), plain(2, 1), windowed(3, 6), windowed(4, 6), plain(5, 2)];
    let mut manifest = Manifest { records: records.into() };
    manifest.records[3].present = vec![b"x".to_vec()];
    let other = manifest.records[3].clone();
    for result in [plain(2, 1).result, plain(6, 1).result] {
        let mut same = manifest.clone();
        assert_eq!(same.lift_window(&result), None);
        assert_eq!(same, manifest);
    }
    let replaced = manifest.lift_window(&plain(1, 1).result);
    assert_eq!(replaced, Some(vec![plain(2, 1).result, plain(3, 1).result]));
    assert_eq!(manifest, Manifest { records: [plain(1, 1), other, plain(5, 2)].into() });
    assert_eq!(manifest.lift_window(&plain(1, 1).result), None);
}

#[test]
fn other_versions_and_claims_are_refused() {
    let stored = Manifest { records: [plain(1, 1)].into() }.encode();
    let mut other = stored.clone();
    other[0] += 1;
    assert_eq!(Manifest::decode(&other), None);
    let mut many = stored.clone();
    many[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Manifest::decode(&many), None);
    let mut inputs = stored;
    inputs[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Manifest::decode(&inputs), None);
}

/// Paths are stored by what they share with the one before; damage must not make them grow without end.
#[test]
fn paths_do_not_grow_without_end() {
    let mut manifest = Manifest { records: [plain(1, 2)].into() };
    manifest.records[0].inputs[0].path = vec![b'a'; (1 << 16) + 1];
    assert_eq!(Manifest::decode(&manifest.encode()), None);
}

/// The form on disk, which survives an update of the program: a change of it needs another version.
#[test]
fn the_form_is_as_recorded() {
    let mut record = plain(1, 1);
    record.mtimes.push((0, -1));
    record.window = Some(Quarter(258));
    record.folders.push(b"f".to_vec());
    record.states = vec![u32::MAX, 0];
    record.same.push((1, 0));
    record.ties.push((b"w".to_vec(), b"/x".to_vec()));
    record.surroundings = Some(Surroundings {
        absent: vec![b"n".to_vec()],
        kinds: vec![(b"k".to_vec(), Kind::NoLink)],
        links: vec![(b"l".to_vec(), b"t".to_vec())],
        resolved: Vec::new(),
        listings: vec![(b"d".to_vec(), Digest::of(b"a"))],
        variables: vec![(b"u".to_vec(), None), (b"v".to_vec(), Some(b"w".to_vec()))],
    });
    let stored = Manifest { records: [record].into() }.encode();
    let hex: String = stored.iter().map(|byte| format!("{byte:02x}")).collect();
    let digests = [Digest::of(&1u32.to_le_bytes()), Digest::of(b"a")].map(|digest| digest.to_string());
    let expected = format!(
        "0400000001000000{}01000000000000000100000061{}\
         01000000\
         010000000100000066\
         0000000000000000\
         02000000ffffffff00000000\
         010000000100000000000000\
         00000000\
         0100000000000000ffffffffffffffff010201000000000000\
         010000000100000077020000002f78\
         01\
         01000000010000006e\
         01000000010000006b05\
         01000000010000006c0100000074\
         00000000\
         010000000100000064{}\
         020000000100000075000100000076010100000077",
        digests[0], digests[1], digests[1]
    );
    assert_eq!(hex, expected);
}

#[test]
fn a_listing_knows_no_order_but_names_and_kinds() {
    let digest = |entries: &[(&'static str, u8)]| {
        listing_digest(entries.iter().map(|(name, kind)| (name.as_bytes(), *kind)))
    };
    assert_eq!(digest(&[("a", 0), ("b", 1)]), digest(&[("b", 1), ("a", 0)]));
    let all = [&[("a", 0), ("b", 1)][..], &[("a", 0), ("b", 0)], &[("a", 0)], &[("ab", 0)], &[]];
    let digests: std::collections::BTreeSet<Digest> = all.into_iter().map(digest).collect();
    assert_eq!(digests.len(), all.len());
}
