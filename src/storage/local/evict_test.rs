use super::*;
use cachepot_engine::digest::Digest;
use proptest::prelude::*;

fn key(n: u8) -> Key {
    Key { kind: if n.is_multiple_of(3) { Kind::Manifest } else { Kind::Result }, digest: Digest([n; 32]) }
}

#[derive(Clone, Debug)]
enum Call {
    Put(u8, u64),
    FailedPut(u64),
    Touch(u8),
    Remove(u8),
    Load(Vec<(u8, u64, u64)>),
    /// A walk that finds these, and misses all else.
    Walk(Vec<(u8, u64, u64)>),
}

fn call() -> impl Strategy<Value = Call> {
    let n = || 0_u8..12;
    let listed = || prop::collection::vec((n(), 0_u64..50, 0_u64..100), 0..6);
    prop_oneof![
        6 => (n(), 0_u64..130).prop_map(|(n, bytes)| Call::Put(n, bytes)),
        1 => (0_u64..130).prop_map(Call::FailedPut),
        3 => n().prop_map(Call::Touch),
        1 => n().prop_map(Call::Remove),
        1 => listed().prop_map(Call::Load),
        1 => listed().prop_map(Call::Walk),
    ]
}

fn records(listed: Vec<(u8, u64, u64)>) -> Vec<(Key, Record)> {
    listed.into_iter().map(|(n, bytes, used)| (key(n), Record { bytes, used })).collect()
}

fn apply(ledger: &mut Ledger, call: Call, now: u64) {
    match call {
        Call::Put(n, bytes) => {
            if matches!(ledger.reserve(bytes), Room::After(_)) {
                ledger.release(bytes);
                ledger.set(key(n), Record { bytes, used: now });
            }
        }
        Call::FailedPut(bytes) => {
            if matches!(ledger.reserve(bytes), Room::After(_)) {
                ledger.release(bytes);
            }
        }
        Call::Touch(n) => {
            ledger.touch(&key(n), now);
        }
        Call::Remove(n) => {
            ledger.remove(&key(n));
        }
        Call::Load(listed) => {
            ledger.load(records(listed).into_iter());
            ledger.shrink();
        }
        Call::Walk(listed) => {
            let listed = records(listed);
            let seen = listed.iter().map(|(key, _)| *key).collect();
            ledger.begin_walk();
            listed.into_iter().for_each(|(key, record)| ledger.found(key, record, now));
            ledger.finish_walk(&seen, now);
            assert_eq!(ledger.records.keys().copied().collect::<HashSet<_>>(), seen);
            ledger.shrink();
        }
    }
}

proptest! {
    #[test]
    fn t252_never_above_the_limit_and_always_the_sum(limit in 0_u64..120, calls in prop::collection::vec(call(), 0..80)) {
        let mut ledger = Ledger::new(limit);
        let mut index: HashMap<Key, Record> = HashMap::new();
        for (step, call) in calls.into_iter().enumerate() {
            apply(&mut ledger, call, 1000 + step as u64);
            prop_assert!(ledger.total <= limit);
            prop_assert_eq!(ledger.reserved, 0);
            prop_assert_eq!(ledger.total, ledger.records.values().map(|record| record.bytes).sum::<u64>());
            let results = ledger.records.keys().filter(|key| key.kind == Kind::Result).count();
            prop_assert_eq!(ledger.results, results as u64);
            for (key, record) in ledger.take_dirty() {
                match record {
                    Some(record) => index.insert(key, record),
                    None => index.remove(&key),
                };
            }
        }
        // What came by `load` is not dirty, so the index may know less here, but never anything else.
        prop_assert!(index.iter().all(|(key, record)| ledger.get(key) == Some(*record)));
    }

    /// Against the plainest model: a list in order of use.
    #[test]
    fn the_least_recently_used_goes_first(calls in prop::collection::vec((0_u8..9, 1_u64..40, any::<bool>()), 0..120)) {
        let mut ledger = Ledger::new(100);
        let mut model: Vec<(u8, u64)> = Vec::new();
        for (step, (n, bytes, is_put)) in calls.into_iter().enumerate() {
            if is_put {
                apply(&mut ledger, Call::Put(n, bytes), step as u64);
                while model.iter().map(|(_, bytes)| bytes).sum::<u64>() + bytes > 100 {
                    model.remove(0);
                }
                model.retain(|(other, _)| *other != n);
                model.push((n, bytes));
            } else if let Some(place) = model.iter().position(|(other, _)| *other == n) {
                let used = model.remove(place);
                model.push(used);
                prop_assert!(ledger.touch(&key(n), step as u64));
            }
            let mut known: Vec<_> = ledger.records.iter().map(|(key, record)| (record.used, key.digest.0[0], record.bytes)).collect();
            known.sort_unstable();
            prop_assert_eq!(known.into_iter().map(|(_, n, bytes)| (n, bytes)).collect::<Vec<_>>(), model.clone());
        }
    }
}

#[test]
fn exactly_as_large_as_the_limit_fits_and_one_more_does_not() {
    let mut ledger = Ledger::new(100);
    assert_eq!(ledger.reserve(101), Room::Never);
    assert_eq!(ledger.reserve(100), Room::After(vec![]));
    assert_eq!(ledger.reserve(1), Room::Later);
    ledger.release(100);
    ledger.set(key(1), Record { bytes: 100, used: 1 });
    assert_eq!(ledger.reserve(0), Room::After(vec![]));
    assert_eq!(ledger.reserve(1), Room::After(vec![(key(1), Record { bytes: 100, used: 1 })]));
    assert_eq!(Ledger::new(0).reserve(1), Room::Never);
}

#[test]
fn t252_large_limits_evict_in_batches_and_never_everything() {
    let limit = BATCH_FROM * 10;
    let each = limit / 1000;
    let mut ledger = Ledger::new(limit);
    let mut evictions = 0;
    for n in 0..3000_u64 {
        let Room::After(victims) = ledger.reserve(each) else { panic!("refused") };
        assert!(victims.len() <= 12);
        evictions += u64::from(!victims.is_empty());
        ledger.release(each);
        let digest = Digest::of(&n.to_le_bytes());
        ledger.set(Key::result(&digest), Record { bytes: each, used: n });
    }
    assert!(evictions <= 2000 / 10 + 1, "{evictions}");
    assert!(ledger.total >= limit / 100 * 98);
}

#[test]
fn what_was_removed_before_the_index_was_read_stays_removed() {
    let mut ledger = Ledger::new(100);
    ledger.set(key(1), Record { bytes: 5, used: 10 });
    ledger.remove(&key(2));
    assert_eq!(ledger.bytes(), None);
    ledger.load(records(vec![(1, 9, 3), (2, 9, 3), (4, 7, 3)]).into_iter());
    assert_eq!(ledger.bytes(), Some(12));
    assert_eq!(ledger.get(&key(1)), Some(Record { bytes: 5, used: 10 }));
    assert_eq!(ledger.get(&key(2)), None);
}
