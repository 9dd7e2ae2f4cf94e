//! What is put comes back; limits, order of eviction, and the account.
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use cachepot_engine::entry::Body;
use cachepot_engine::envelope::Kind;
use cachepot_engine::job::Role;
use cachepot_storage::error::StoreError;
use cachepot_storage::local::{INLINE_BYTES, LocalSettings, LocalStore};
use proptest::prelude::*;

use crate::*;

#[test]
fn an_entry_with_all_kinds_of_outputs_comes_back() {
    let sandbox = Sandbox::new(ROOMY);
    let store = &sandbox.store;
    let inline = usize::try_from(INLINE_BYTES).unwrap();
    let sizes = [inline + 1, inline, 0, 300_000];
    let roles = [Role::Main, Role::Dependencies, Role::StackUsage, Role::SplitDwarf];
    let outputs = roles.iter().zip(sizes).map(|(role, size)| {
        let ingested = store.ingest_bytes(content(size as u64, size)).unwrap();
        assert_eq!(ingested.size(), size as u64);
        (*role, *role == Role::Main, ingested)
    });
    store.put_entry(&key(1), meta(), outputs.collect()).unwrap();
    let fetched = store.fetch(&key(1)).unwrap().unwrap();
    let (entry, said) = (&fetched.entry, meta());
    assert_eq!((entry.status, &entry.stdout, &entry.stderr), (said.status, &said.stdout, &said.stderr));
    assert_eq!(entry.outputs.iter().map(|output| output.role).collect::<Vec<_>>(), roles);
    assert_eq!(fetched.blobs.len(), 2);
    assert_eq!(read(&fetched.blobs[0]), content(sizes[0] as u64, sizes[0]));
    assert_eq!(read(&fetched.blobs[1]), content(300_000, 300_000));
    assert_eq!(entry.outputs[1].body, Body::Inline(content(sizes[1] as u64, inline)));
    assert_eq!(
        entry.outputs.iter().map(|output| output.executable).collect::<Vec<_>>(),
        [true, false, false, false]
    );
    assert_eq!(files(&sandbox.dir).len(), 3);
    assert!(store.fetch(&key(2)).unwrap().is_none());
    assert_eq!(leftovers(&sandbox.dir), 0);
}

#[test]
fn t100_t264_a_manifest_has_its_own_keys() {
    let sandbox = Sandbox::new(ROOMY);
    let store = &sandbox.store;
    put(store, 1, 50_000).unwrap();
    assert_eq!(store.get_manifest(&key(1)).unwrap(), None);
    store.put_manifest(&key(1), b"first").unwrap();
    store.put_manifest(&key(1), b"second").unwrap();
    assert_eq!(store.get_manifest(&key(1)).unwrap().as_deref(), Some(&b"second"[..]));
    store.remove(Kind::Manifest, &key(1)).unwrap();
    assert_eq!(store.get_manifest(&key(1)).unwrap(), None);
    assert_eq!(get(store, 1), Some(content(1, 50_000)));
}

#[test]
fn t252_the_account_is_the_sum_of_the_files() {
    let sandbox = Sandbox::new(ROOMY);
    let store = &sandbox.store;
    counted(store);
    let same = |what: &str| assert_eq!(store.usage().bytes, Some(total(&sandbox.dir)), "{what}");
    put(store, 1, 50_000).unwrap();
    put(store, 2, 10).unwrap();
    store.put_manifest(&key(1), &[7; 1000]).unwrap();
    same("puts");
    put(store, 1, 70_000).unwrap();
    same("larger");
    put(store, 1, 100).unwrap();
    same("without a blob");
    assert_eq!(files(&sandbox.dir).len(), 3, "the old blob is gone");
    store.put_manifest(&key(1), &[7; 10]).unwrap();
    same("manifest");
    assert_eq!(store.usage().entries, 2);
    store.remove(Kind::Result, &key(1)).unwrap();
    same("removed");
    fs::remove_file(file_of(&sandbox.dir, 2, "")).unwrap();
    assert_eq!(get(store, 2), None);
    same("removed by somebody else");
    assert_eq!(store.usage().entries, 0);
    assert_eq!(store.usage().location, format!("Local disk: \"{}\"", sandbox.dir.display()));
}

#[test]
fn t252_limits() {
    let size = |limit| {
        let sandbox = Sandbox::new(limit);
        (put(&sandbox.store, 1, 40_000), total(&sandbox.dir), leftovers(&sandbox.dir))
    };
    let (_, bytes, ..) = size(ROOMY);
    assert!(bytes > 40_000);
    assert!(matches!(size(bytes), (Ok(()), stored, 0) if stored == bytes), "exactly as large");
    let (refused, stored, left) = size(bytes - 1);
    let refused = refused.unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { .. }));
    assert_eq!((stored, left), (0, 0));
    let sandbox = Sandbox::new(0);
    assert!(matches!(put(&sandbox.store, 1, 0), Err(StoreError::TooLarge { .. })));
    assert!(matches!(sandbox.store.put_manifest(&key(1), b""), Err(StoreError::TooLarge { .. })));
    assert_eq!(total(&sandbox.dir), 0);
}

#[test]
fn t253_the_least_recently_used_goes_first_also_after_a_restart() {
    let one = {
        let sandbox = Sandbox::new(ROOMY);
        put(&sandbox.store, 0, 30_000).unwrap();
        total(&sandbox.dir)
    };
    let mut sandbox = Sandbox::new(one * 4);
    counted(&sandbox.store);
    for n in 1..=4 {
        put(&sandbox.store, n, 30_000).unwrap();
    }
    assert!(get(&sandbox.store, 1).is_some());
    sandbox.store.flush();
    sandbox.store.touch(Kind::Result, &key(2));
    sandbox = sandbox.reopen(one * 4);
    maintained(&sandbox.store, "all four", || sandbox.store.usage().entries == 4);
    for n in 5..=6 {
        put(&sandbox.store, n, 30_000).unwrap();
        assert_eq!(total(&sandbox.dir), one * 4);
    }
    let kept: Vec<u64> = (1..=6).filter(|n| get(&sandbox.store, *n).is_some()).collect();
    assert_eq!(kept, [1, 2, 5, 6]);
}

#[test]
fn t252_a_lowered_limit_is_enforced_at_the_start() {
    let mut sandbox = Sandbox::new(ROOMY);
    counted(&sandbox.store);
    for n in 1..=10 {
        put(&sandbox.store, n, 30_000).unwrap();
        sandbox.store.put_manifest(&key(n), &[1; 100]).unwrap();
    }
    sandbox = sandbox.reopen(100_000);
    maintained(&sandbox.store, "less", || total(&sandbox.dir) <= 100_000);
    assert_eq!(counted(&sandbox.store), total(&sandbox.dir));
    assert_eq!(get(&sandbox.store, 10), Some(content(10, 30_000)));
    assert_eq!(get(&sandbox.store, 7), None);
    assert_eq!(sandbox.store.get_manifest(&key(6)).unwrap(), None);
}

#[test]
fn t260_what_was_handed_out_cannot_change_the_entry() {
    let sandbox = Sandbox::new(ROOMY);
    let source = sandbox.folder.path().join("a.o");
    fs::write(&source, content(1, 90_000)).unwrap();
    let file = fs::File::open(&source).unwrap();
    let ingested = sandbox.store.ingest(&file, 90_000).unwrap();
    fs::OpenOptions::new().write(true).open(&source).unwrap().set_len(5).unwrap();
    sandbox.store.put_entry(&key(1), meta(), vec![(Role::Main, true, ingested)]).unwrap();
    let fetched = sandbox.store.fetch(&key(1)).unwrap().unwrap();
    assert_eq!(read(&fetched.blobs[0]), content(1, 90_000));
    assert!(std::io::Write::write(&mut &fetched.blobs[0], b"x").is_err(), "open for reading only");
    assert_eq!(fetched.blobs[0].metadata().unwrap().nlink(), 1);
}

#[test]
fn a_source_of_another_size_or_kind_is_refused() {
    let sandbox = Sandbox::new(ROOMY);
    let source = sandbox.folder.path().join("a.o");
    for size in [100_usize, 100_000] {
        fs::write(&source, content(1, size)).unwrap();
        let file = fs::File::open(&source).unwrap();
        for wrong in [size - 1, size + 1] {
            assert!(matches!(sandbox.store.ingest(&file, wrong as u64), Err(StoreError::SourceChanged)));
        }
    }
    let folder = fs::File::open(sandbox.folder.path()).unwrap();
    let size = folder.metadata().unwrap().len();
    assert!(matches!(sandbox.store.ingest(&folder, size), Err(StoreError::SourceChanged)));
    assert_eq!(leftovers(&sandbox.dir), 0);
}

#[test]
fn an_ingest_that_is_not_put_leaves_nothing() {
    let sandbox = Sandbox::new(ROOMY);
    let ingested = sandbox.store.ingest_bytes(vec![1; 50_000]).unwrap();
    assert_eq!(leftovers(&sandbox.dir), 1);
    drop(ingested);
    assert_eq!(leftovers(&sandbox.dir), 0);
}

#[test]
fn places_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    for dir in [folder.path().join("file"), "relative/cache".into()] {
        let refused = LocalStore::open(LocalSettings { dir, max_bytes: 1, max_copy: 1 }).err().unwrap();
        assert!(matches!(refused, StoreError::Place { .. }), "{refused}");
    }
}

/// Files take the rights that the umask leaves, as everything else this process makes.
#[test]
fn t263_modes_follow_the_umask() {
    let sandbox = Sandbox::new(ROOMY);
    put(&sandbox.store, 1, 50_000).unwrap();
    let plain = sandbox.folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    for (file, _) in files(&sandbox.dir) {
        assert_eq!(mode(&file), mode(&plain));
    }
}

/// Half of the keys the store forgets are asked for again: the cheapest model there is, a map.
#[derive(Clone, Debug)]
enum Call {
    Put(u64, usize),
    Get(u64),
    Remove(u64),
    Reopen,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => (0_u64..8, prop_oneof![0_usize..20_000, 20_000_usize..60_000]).prop_map(|(n, size)| Call::Put(n, size)),
        4 => (0_u64..8).prop_map(Call::Get),
        1 => (0_u64..8).prop_map(Call::Remove),
        1 => Just(Call::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn t252_never_above_the_limit_and_never_a_wrong_result(calls in prop::collection::vec(call(), 0..40)) {
        let limit = 120_000;
        let mut sandbox = Sandbox::new(limit);
        let mut sizes = std::collections::HashMap::new();
        counted(&sandbox.store);
        for call in calls {
            match call {
                Call::Put(n, size) => {
                    put(&sandbox.store, n, size).unwrap();
                    sizes.insert(n, size);
                    prop_assert_eq!(get(&sandbox.store, n), Some(content(n, size)));
                }
                Call::Get(n) => {
                    let known = sizes.get(&n).map(|size| content(n, *size));
                    prop_assert!(get(&sandbox.store, n).is_none_or(|found| Some(found) == known));
                }
                Call::Remove(n) => {
                    sandbox.store.remove(Kind::Result, &key(n)).unwrap();
                    sizes.remove(&n);
                }
                Call::Reopen => {
                    sandbox = sandbox.reopen(limit);
                    counted(&sandbox.store);
                }
            }
            prop_assert!(total(&sandbox.dir) <= limit);
            prop_assert_eq!(sandbox.store.usage().bytes, Some(total(&sandbox.dir)));
        }
        prop_assert_eq!(sandbox.store.damaged(), 0);
    }
}
