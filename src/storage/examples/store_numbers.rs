//! Measures the disk store with many entries: `cargo run --release -p cachepot-storage --example store_numbers
//! -- FOLDER ENTRIES` fills FOLDER once, later runs find it full. Each entry has one blob of 20 KB, one small
//! dependency file and a manifest. Prints milliseconds, microseconds and resident memory.
#![allow(clippy::unwrap_used, reason = "a program for measurements")]
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cachepot_engine::digest::Digest;
use cachepot_engine::envelope::Kind;
use cachepot_engine::job::Role;
use cachepot_storage::local::{EntryMeta, LocalSettings, LocalStore};

fn resident_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let pick = |name: &str| status.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    format!("{} {}", pick("VmRSS"), pick("VmHWM")).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn key(n: u64) -> Digest {
    Digest::of(&n.to_le_bytes())
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_nanos() / 100;
    let micros = |tenths: u128| format!("{}.{}", tenths / 10, tenths % 10);
    println!("{what}: p50 {} us, p99 {} us", micros(at(50)), micros(at(99)));
}

fn put(store: &LocalStore, n: u64) {
    let content: Vec<u8> = key(n).0.iter().copied().cycle().take(20_000).collect();
    let mut object = tempfile::tempfile().unwrap();
    object.write_all(&content).unwrap();
    let outputs = vec![
        (Role::Main, false, store.ingest(&object, content.len() as u64).unwrap()),
        (Role::Dependencies, false, store.ingest_bytes(content[..600].to_vec()).unwrap()),
    ];
    let meta = EntryMeta { status: 0, stdout: vec![], stderr: vec![] };
    store.put_entry(&key(n), meta, outputs).unwrap();
    store.put_manifest(&key(n), &content[..2000]).unwrap();
}

fn hits(store: &LocalStore, what: &str, keys: impl Iterator<Item = u64>) {
    let mut times = Vec::new();
    for n in keys {
        let start = Instant::now();
        let fetched = store.fetch(&key(n)).unwrap().unwrap();
        times.push(start.elapsed());
        assert_eq!(fetched.blobs.len(), 1);
    }
    report(what, &mut times);
}

fn main() {
    let mut words = std::env::args().skip(1);
    let dir = PathBuf::from(words.next().unwrap());
    let n_entries: u64 = words.next().unwrap().parse().unwrap();
    println!("before: {}", resident_kib());
    let start = Instant::now();
    let store = LocalStore::open(LocalSettings { dir, max_bytes: 10 << 30, max_copy: 10 << 30 }).unwrap();
    println!("open: {:?}; {}", start.elapsed(), resident_kib());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let upkeep = scope.spawn(|| store.maintain(&stop));
        while store.usage().bytes.is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        println!("counted after: {:?}; {:?}", start.elapsed(), store.usage());
        println!("counted: {}", resident_kib());
        if store.usage().entries < n_entries {
            let mut times = Vec::new();
            for n in 0..n_entries {
                let start = Instant::now();
                put(&store, n);
                times.push(start.elapsed());
                if n % 1000 == 0 {
                    store.flush();
                }
            }
            report("put, with its manifest and making the source", &mut times);
            let start = Instant::now();
            store.flush();
            println!("last flush: {:?}; {}", start.elapsed(), resident_kib());
        } else if words.next().is_some() {
            // For strace: one cold and one warm hit between two marks.
            for _ in 0..2 {
                println!("hit");
                store.fetch(&key(5)).unwrap().unwrap();
            }
            println!("end");
        } else {
            hits(&store, "first hit, 20 KB", 0..2000);
            hits(&store, "second hit", 0..2000);
            hits(&store, "all entries once", 0..n_entries);
            println!("all in memory: {}", resident_kib());
            for _ in 0..5 {
                (0..n_entries).for_each(|n| store.touch(Kind::Result, &key(n)));
                let start = Instant::now();
                store.flush();
                println!("flush of all uses: {:?}; {}", start.elapsed(), resident_kib());
            }
        }
        stop.store(true, Ordering::Relaxed);
        upkeep.thread().unpark();
    });
    let start = Instant::now();
    drop(store);
    println!("stop: {:?}; {}", start.elapsed(), resident_kib());
}
