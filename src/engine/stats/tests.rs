use super::{Kind, ROWS, RemoteReport, Snapshot, Stat, Stats, StatsReport};
use std::time::Duration;

fn report(stats: &Stats) -> StatsReport {
    StatsReport {
        stats: stats.snapshot(),
        cache_location: "Local disk: \"/var/cache/builds\"".to_owned(),
        cache_size: Some(0),
        max_cache_size: Some(10 << 30),
        remotes: Vec::new(),
    }
}

fn busy() -> Stats {
    let stats = Stats::default();
    for _ in 0..1203 {
        stats.bump(Stat::CompileRequests);
    }
    for stat in [Stat::CacheHits, Stat::CacheHits, Stat::CacheMisses] {
        stats.bump_named(stat, "C/C++");
    }
    stats.bump_named(Stat::CacheHits, "Rust");
    stats.add_time(Stat::CacheReadHitDuration, Duration::from_millis(6));
    stats.add_time(Stat::CacheReadMissDuration, Duration::new(12, 345_600_000));
    for reason in ["-E", "multiple input files", "multiple input files"] {
        stats.bump(Stat::RequestsNotCacheable);
        stats.bump_named(Stat::NotCached, reason);
    }
    for worker in ["192.168.1.1:10501", "10.0.0.1:10501", "192.168.1.1:10501"] {
        stats.bump_named(Stat::DistCompiles, worker);
    }
    stats.bump(Stat::InputsTooNew);
    stats.bump_named(Stat::HitsByLanguage, "C++");
    stats.bump(Stat::Compiles);
    stats.add_time(Stat::CompileDuration, Duration::from_millis(1500));
    stats
}

#[test]
fn the_text_of_nothing_is_the_classic_one() {
    let golden = "\
Compile requests                      0
Compile requests executed             0
Cache hits                            0
Cache misses                          0
Cache timeouts                        0
Cache read errors                     0
Forced recaches                       0
Cache write errors                    0
Compilation failures                  0
Cache errors                          0
Non-cacheable compilations            0
Non-cacheable calls                   0
Non-compilation calls                 0
Unsupported compiler calls            0
Average cache write               0.000 s
Average cache read miss           0.000 s
Average cache read hit            0.000 s
Failed distributed compilations       0
Cache location                  Local disk: \"/var/cache/builds\"
Cache size                            0 bytes
Max cache size                       10 GiB
";
    assert_eq!(report(&Stats::default()).to_text(), golden);
}

#[test]
fn a_reason_that_a_setting_cures_says_so() {
    let stats = Stats::default();
    stats.bump_named(Stat::NotCached, "incremental");
    let text = report(&stats).to_text();
    assert!(text.contains("CACHEPOT_NO_INCREMENTAL=1"), "{text}");
}

#[test]
fn the_text_of_much_has_every_block() {
    let golden = "\
Compile requests                    1203
Compile requests executed              0
Cache hits                             3
Cache hits (C/C++)                     2
Cache hits (Rust)                      1
Cache misses                           1
Cache misses (C/C++)                   1
Cache timeouts                         0
Cache read errors                      0
Forced recaches                        0
Cache write errors                     0
Compilation failures                   0
Cache errors                           0
Non-cacheable compilations             0
Non-cacheable calls                    3
Non-compilation calls                  0
Unsupported compiler calls             0
Average cache write                0.000 s
Average cache read miss           12.346 s
Average cache read hit             0.002 s
Failed distributed compilations        0

Successful distributed compiles
  192.168.1.1:10501                    2
  10.0.0.1:10501                       1

Non-cacheable reasons:
multiple input files                   2
-E                                     1

Cache location                  Local disk: \"/var/cache/builds\"
Cache size                             0 bytes
Max cache size                        10 GiB

Hits (C++)                             1
Inputs too new to store                1
Average compile                    1.500 s
";
    assert_eq!(report(&busy()).to_text(), golden);
}

#[test]
fn the_json_of_nothing_begins_as_scripts_know_it() {
    let known = concat!(
        r#"{"stats":{"compile_requests":0,"requests_unsupported_compiler":0,"requests_not_compile":0,"#,
        r#""requests_not_cacheable":0,"requests_executed":0,"cache_errors":{"counts":{}},"#,
        r#""cache_hits":{"counts":{}},"cache_misses":{"counts":{}},"cache_timeouts":0,"#,
        r#""cache_read_errors":0,"non_cacheable_compilations":0,"forced_recaches":0,"cache_write_errors":0,"#,
        r#""cache_writes":0,"cache_write_duration":{"secs":0,"nanos":0},"#,
        r#""cache_read_hit_duration":{"secs":0,"nanos":0},"cache_read_miss_duration":{"secs":0,"nanos":0},"#,
        r#""compile_fails":0,"not_cached":{},"dist_compiles":{},"dist_errors":0,"#,
    );
    let end = concat!(
        r#""remote_bytes_written":{"counts":{}}},"cache_location":"Local disk: \"/var/cache/builds\"","#,
        r#""cache_size":0,"max_cache_size":10737418240}"#,
    );
    let json = report(&Stats::default()).to_json().unwrap();
    assert!(json.starts_with(known), "{json}");
    assert!(json.ends_with(end), "{json}");
    let unknown = StatsReport { cache_size: None, max_cache_size: None, ..report(&Stats::default()) };
    assert!(unknown.to_json().unwrap().ends_with(r#""cache_size":null,"max_cache_size":null}"#));
}

#[test]
fn the_json_of_much_holds_the_pieces_that_scripts_search_for() {
    let json = report(&busy()).to_json().unwrap();
    for piece in [
        r#""cache_hits":{"counts":{"C/C++":2,"Rust":1}}"#,
        r#""not_cached":{"-E":1,"multiple input files":2}"#,
        r#""dist_compiles":{"10.0.0.1:10501":1,"192.168.1.1:10501":2}"#,
        r#""cache_read_miss_duration":{"secs":12,"nanos":345600000}"#,
    ] {
        assert!(json.contains(piece), "{piece} in {json}");
    }
    assert_eq!(StatsReport::from_json(&json).unwrap(), report(&busy()));
}

#[test]
fn a_snapshot_of_another_build_is_taken_as_far_as_it_goes() {
    let older: Snapshot =
        serde_json::from_str(r#"{"cache_writes":7,"cache_hits":{"counts":{"Rust":2}},"of_the_future":[1]}"#)
            .unwrap();
    assert_eq!((older.count(Stat::CacheWrites), older.count(Stat::CacheHits)), (7, 2));
    assert_eq!(older.count(Stat::CompileRequests), 0);
    serde_json::from_str::<Snapshot>(r#"{"cache_writes":"seven"}"#).expect_err("a number is wanted");
}

#[test]
fn restored_numbers_add_up_and_clear_forgets_all() {
    let stats = busy();
    stats.restore(busy().snapshot());
    assert_eq!(stats.snapshot().count(Stat::CompileRequests), 2406);
    assert_eq!(stats.snapshot().names(Stat::CacheHits).collect::<Vec<_>>(), [("C/C++", 4), ("Rust", 2)]);
    assert_eq!(stats.snapshot().time(Stat::CompileDuration), Duration::from_secs(3));
    stats.clear();
    assert_eq!(stats.snapshot(), Stats::default().snapshot());
}

#[test]
fn nothing_is_lost_when_many_count_at_once() {
    let stats = Stats::default();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    stats.bump(Stat::CompileRequests);
                    stats.bump_named(Stat::CacheHits, "C/C++");
                }
            });
        }
    });
    let snapshot = stats.snapshot();
    assert_eq!((snapshot.count(Stat::CompileRequests), snapshot.count(Stat::CacheHits)), (8000, 8000));
}

#[test]
fn the_table_is_in_order_and_its_names_are_unique() {
    for (at, row) in ROWS.iter().enumerate() {
        assert_eq!(row.stat as usize, at);
        assert_eq!(ROWS.iter().filter(|other| other.name == row.name).count(), 1, "{}", row.name);
        if row.kind == Kind::Time {
            assert!(row.name.ends_with("_duration"));
        }
    }
}

#[test]
fn sizes_are_shown_with_binary_units() {
    for (bytes, text) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (500 << 20, "500 MiB"),
        ((1 << 30) - 1, "1 GiB"),
        (10 << 30, "10 GiB"),
        (u64::MAX, "16 EiB"),
    ] {
        let report = StatsReport { cache_size: Some(bytes), ..report(&Stats::default()) };
        let line = report.to_text().lines().find(|line| line.starts_with("Cache size")).unwrap().to_owned();
        assert!(line.ends_with(&format!(" {text}")), "{line}");
    }
}

#[test]
fn names_have_a_bound() {
    let stats = Stats::default();
    for number in 0..1000 {
        stats.bump_named(Stat::NotCached, &format!("-f{number:03}"));
    }
    stats.bump_named(Stat::NotCached, "-f499");
    let check = |stats: &Stats| {
        let snapshot = stats.snapshot();
        let names: Vec<_> = snapshot.names(Stat::NotCached).collect();
        assert_eq!(names.len(), 501);
        assert_eq!((names[499], names[500]), (("-f499", 2), ("other", 500)));
        assert_eq!(snapshot.count(Stat::NotCached), 1001);
        snapshot
    };
    let earlier = check(&stats);
    let later = Stats::default();
    later.restore(earlier);
    check(&later);
}

#[test]
fn remotes_stand_behind_the_cache_they_belong_to() {
    let remote = RemoteReport {
        name: "redis".to_owned(),
        location: "Redis: redis://host".to_owned(),
        mode: "READ_ONLY".to_owned(),
        is_left_alone: true,
        pending_writes: 2,
        latency_micros: Some([512, 1024, 2048]),
        unusable: None,
    };
    let quiet =
        RemoteReport { is_left_alone: false, pending_writes: 0, latency_micros: None, ..remote.clone() };
    let unusable = RemoteReport { unusable: Some("URL: it is no address".to_owned()), ..quiet.clone() };
    let text = StatsReport { remotes: vec![remote, quiet, unusable], ..report(&Stats::default()) }.to_text();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("Remote ")).collect();
    let told = lines.iter().map(|line| line.split_once(' ').unwrap().1.trim_start());
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "redis: Redis: redis://host, READ_ONLY, left alone because it gives no answers, 2 writes to be done, \
             half of the answers within 0.5 ms, 99 % within 2.0 ms",
            "redis: Redis: redis://host, READ_ONLY",
            "redis: not used, because its settings cannot be: URL: it is no address",
        ]
    );
}
