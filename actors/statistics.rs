//! What happened to requests, in the words of the statistics.
use crate::shared::Shared;
use cachepot_engine::job::Language;
use cachepot_engine::stats::{Stat, Stats, StatsReport};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The group of a language in the counts that scripts search for.
fn group(language: &str) -> &'static str {
    let is_rust = [Language::Rust, Language::BuildScript].iter().any(|rust| rust.name() == language);
    if is_rust { "Rust" } else { "C/C++" }
}

/// Who a compile was for.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The language.
    pub language: &'static str,
    /// The compiler family.
    pub compiler: &'static str,
}

/// A result came from the cache.
pub fn hit(stats: &Stats, of: Subject, took: Duration) {
    stats.bump_named(Stat::CacheHits, group(of.language));
    stats.bump(Stat::DirectHits);
    stats.bump_named(Stat::HitsByLanguage, of.language);
    stats.bump_named(Stat::HitsByCompiler, of.compiler);
    stats.add_time(Stat::CacheReadHitDuration, took);
}

/// The client compiled with success, after a look-up that took this long.
pub fn miss(stats: &Stats, of: Subject, took: Duration) {
    stats.bump_named(Stat::CacheMisses, group(of.language));
    stats.bump_named(Stat::MissesByLanguage, of.language);
    stats.bump_named(Stat::MissesByCompiler, of.compiler);
    stats.add_time(Stat::CacheReadMissDuration, took);
}

/// What a record named was not there, or not whole.
pub fn read_error(stats: &Stats, language: &str) {
    stats.bump(Stat::CacheReadErrors);
    stats.bump_named(Stat::CacheErrors, group(language));
}

/// A client's compiler ended.
pub fn compiled(stats: &Stats, succeeded: bool, took: Duration) {
    if succeeded {
        stats.bump(Stat::Compiles);
        stats.add_time(Stat::CompileDuration, took);
    } else {
        stats.bump(Stat::CompileFails);
    }
}

/// The call is a compile that cannot be cached.
pub fn not_cacheable(stats: &Stats, reason: &str) {
    tracing::debug!(reason, "not cacheable");
    stats.bump(Stat::RequestsNotCacheable);
    stats.bump_named(Stat::NotCached, reason);
}

/// Why the result of a compile was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// An input changed while the compiler ran, or so shortly before that it cannot be told.
    TooNew,
    /// The inputs show that the result cannot be cached, for this reason.
    Uses(String),
    /// The store failed; it was logged where it happened.
    StoreFailed,
    /// Anything else.
    Skipped(String),
}

impl NotStored {
    /// For one of many reasons, such as an actor that gave no answer.
    pub fn skipped(reason: impl std::fmt::Display) -> Self {
        NotStored::Skipped(reason.to_string())
    }
}

/// The result of a compile was not kept.
pub fn not_stored(stats: &Stats, why: &NotStored) {
    tracing::debug!(reason = ?why, "result not stored");
    match why {
        NotStored::TooNew => stats.bump(Stat::InputsTooNew),
        NotStored::Uses(reason) => {
            stats.bump(Stat::NonCacheableCompilations);
            stats.bump_named(Stat::NotCached, reason);
        }
        NotStored::StoreFailed => stats.bump(Stat::CacheWriteErrors),
        NotStored::Skipped(_) => stats.bump(Stat::StoreSkipped),
    }
}

/// The result of a compile was kept.
pub fn written(stats: &Stats, took: Duration) {
    stats.bump(Stat::CacheWrites);
    stats.add_time(Stat::CacheWriteDuration, took);
}

/// Adds what the store counted since it was last asked.
fn add_damage(shared: &Shared) {
    let damaged = shared.store.damaged();
    let told = shared.damage_told.fetch_max(damaged, Ordering::Relaxed);
    shared.stats.add(Stat::DamagedEntries, damaged.saturating_sub(told));
}

/// Sets everything to zero.
pub fn clear(shared: &Shared) {
    add_damage(shared);
    shared.stats.clear();
    tell(shared.stats_file.replace(&shared.stats));
}

/// The statistics and the cache they belong to, as JSON.
pub fn report(shared: &Shared) -> String {
    add_damage(shared);
    let usage = shared.store.usage();
    let report = StatsReport {
        stats: shared.stats.snapshot(),
        cache_location: usage.location,
        cache_size: usage.bytes,
        max_cache_size: Some(usage.max_bytes),
        remotes: shared.tiers.reports(),
    };
    report.to_json().unwrap_or_default()
}

/// Writes the statistics into the cache folder; says whether that could be done.
pub fn save(shared: &Shared) -> bool {
    add_damage(shared);
    tell(shared.stats_file.exchange(&shared.stats))
}

/// A failure only costs numbers.
fn tell(kept: std::io::Result<()>) -> bool {
    kept.inspect_err(|error| tracing::debug!(%error, "cannot keep the statistics")).is_ok()
}
