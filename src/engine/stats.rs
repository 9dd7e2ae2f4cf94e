//! Statistics: one table of rows. A new statistic is one row in the table and one bump where it happens.
//!
//! Bumping is cheap enough for a hit: plain counts and times are relaxed atomics; counts by name sit behind a
//! small lock and allocate only for a name not seen before. The text form is in `stats/text.rs`.
//! Absent on purpose: the clock, files, and who asks.
//!
//! ```text
//! report  = {"stats":{row...},"cache_location":text,"cache_size":n|null,"max_cache_size":n|null}
//! count   = n
//! time    = {"secs":n,"nanos":n}
//! by-name = {"counts":{name:n...}}          names in order
//! reasons = {name:n...}                     names in order
//! ```
//! No white space between tokens, rows in the order of the table: scripts search for pieces of this text.
//! The same form is kept on disk; there it may have fewer rows (written by an older build) or more.
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

mod report;
#[cfg(test)]
mod tests;
mod text;
pub use report::{RemoteReport, StatsReport};

/// Names kept in a row: a reason may be a word that a build typed, and there is no end of those.
const MAX_NAMES: usize = 500;
/// The name for what has no place of its own any more.
const OTHER: &str = "other";

/// What a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number of events: [`Stats::bump`].
    Count,
    /// A sum of times: [`Stats::add_time`].
    Time,
    /// Numbers of events by language or compiler: [`Stats::bump_named`].
    ByName,
    /// Numbers of events by reason or place: [`Stats::bump_named`].
    Reasons,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// The statistic.
    pub stat: Stat,
    /// Its name in JSON and on disk; never changes.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Its name in the last block of the text form; empty where `stats/text.rs` places it by itself.
    pub label: &'static str,
}

macro_rules! table {
    ($( $(#[$doc:meta])* $stat:ident, $kind:ident, $name:literal, $label:literal; )*) => {
        /// Every statistic there is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Stat { $( $(#[$doc])* $stat, )* }

        /// The table, in the order of the JSON form.
        pub static ROWS: &[Row] =
            &[$( Row { stat: Stat::$stat, name: $name, kind: Kind::$kind, label: $label }, )*];
    };
}

table! {
    /// Every request to compile, whatever comes of it.
    CompileRequests, Count, "compile_requests", "";
    /// The compiler was not recognised.
    RequestsUnsupportedCompiler, Count, "requests_unsupported_compiler", "";
    /// The call was no compile: a link, a query.
    RequestsNotCompile, Count, "requests_not_compile", "";
    /// The compile cannot be cached; the reason is counted in [`Stat::NotCached`].
    RequestsNotCacheable, Count, "requests_not_cacheable", "";
    /// The compile was accepted: it becomes a hit, a miss or an error.
    RequestsExecuted, Count, "requests_executed", "";
    /// Something failed on our side, by language group.
    CacheErrors, ByName, "cache_errors", "";
    /// Results from the cache, by language group (`C/C++`, `Rust`).
    CacheHits, ByName, "cache_hits", "";
    /// Results that were not there, by language group.
    CacheMisses, ByName, "cache_misses", "";
    /// Lookups given up because they took too long.
    CacheTimeouts, Count, "cache_timeouts", "";
    /// Entries that could not be read.
    CacheReadErrors, Count, "cache_read_errors", "";
    /// Compiles whose result turned out not to be storable.
    NonCacheableCompilations, Count, "non_cacheable_compilations", "";
    /// Compiles that the user ordered to be done again.
    ForcedRecaches, Count, "forced_recaches", "";
    /// Stores that failed.
    CacheWriteErrors, Count, "cache_write_errors", "";
    /// Stores that succeeded.
    CacheWrites, Count, "cache_writes", "";
    /// Time of all [`Stat::CacheWrites`].
    CacheWriteDuration, Time, "cache_write_duration", "";
    /// Time of all [`Stat::CacheHits`], from the request to the reply.
    CacheReadHitDuration, Time, "cache_read_hit_duration", "";
    /// Time of all [`Stat::CacheMisses`], from the request to the answer that the result is not there.
    CacheReadMissDuration, Time, "cache_read_miss_duration", "";
    /// Compilers that ended with another status than 0.
    CompileFails, Count, "compile_fails", "";
    /// Why compiles could not be cached.
    NotCached, Reasons, "not_cached", "";
    /// Compiles done elsewhere, by worker.
    DistCompiles, Reasons, "dist_compiles", "";
    /// Compiles that were to be done elsewhere and were done here.
    DistErrors, Count, "dist_errors", "";
    // From here on our own rows; new ones go to the end.
    /// Hits found without running a preprocessor.
    DirectHits, Count, "direct_hits", "Direct hits";
    /// Hits by exact language.
    HitsByLanguage, ByName, "hits_by_language", "Hits";
    /// Misses by exact language.
    MissesByLanguage, ByName, "misses_by_language", "Misses";
    /// Hits by compiler family.
    HitsByCompiler, ByName, "hits_by_compiler", "Hits";
    /// Misses by compiler family.
    MissesByCompiler, ByName, "misses_by_compiler", "Misses";
    /// Compilers that the clients ran for us and reported on.
    Compiles, Count, "compiles", "";
    /// Time of all [`Stat::Compiles`].
    CompileDuration, Time, "compile_duration", "";
    /// Results not stored because an input was as young as the compile, or changed during it.
    InputsTooNew, Count, "inputs_too_new", "Inputs too new to store";
    /// Results not stored for another reason: too large, store busy, client gone.
    StoreSkipped, Count, "store_skipped", "Stores skipped";
    /// Entries found damaged and dropped.
    DamagedEntries, Count, "damaged_entries", "Damaged entries";
    /// Requests told to compile without the cache because something was busy, late or broken.
    RanWithoutCache, Count, "ran_without_cache", "Ran without the cache";
    /// Actors started again after a panic.
    ActorRestarts, Count, "actor_restarts", "Actor restarts";
    /// Objects that a remote had, by remote.
    RemoteHits, ByName, "remote_hits", "Remote hits";
    /// Objects that it did not have.
    RemoteMisses, ByName, "remote_misses", "Remote misses";
    /// Questions without a usable answer: late, refused, damaged.
    RemoteErrors, ByName, "remote_errors", "Remote errors";
    /// Questions that were not asked, because the remote is left alone.
    RemoteSkipped, ByName, "remote_skipped", "Remote left alone";
    /// Results written there.
    RemoteWrites, ByName, "remote_writes", "Remote writes";
    /// Large outputs that were not written, because the remote has them from another result.
    RemoteShared, ByName, "remote_shared", "Remote had the outputs";
    /// Results that could not be written.
    RemoteWriteErrors, ByName, "remote_write_errors", "Remote write errors";
    /// Bytes that came from there.
    RemoteBytesRead, ByName, "remote_bytes_read", "Remote bytes read";
    /// Bytes that went there.
    RemoteBytesWritten, ByName, "remote_bytes_written", "Remote bytes written";
}

impl Stat {
    /// The row of this statistic: the enum and the table are made from one list, in one order.
    fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

#[derive(Debug, Default)]
struct Cell {
    /// Events, or nanoseconds (enough for 584 years).
    number: AtomicU64,
    names: Mutex<BTreeMap<String, u64>>,
}

impl Cell {
    fn with_names<T>(&self, work: impl FnOnce(&mut BTreeMap<String, u64>) -> T) -> T {
        // A panic while counting leaves a valid map.
        work(&mut self.names.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn count_named(names: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    let name = if names.len() < MAX_NAMES || names.contains_key(name) { name } else { OTHER };
    match names.get_mut(name) {
        Some(sum) => *sum = sum.saturating_add(count),
        None => {
            names.insert(name.to_owned(), count);
        }
    }
}

/// The running numbers of a coordinator; shared by reference.
#[derive(Debug)]
pub struct Stats {
    /// In the order of [`ROWS`].
    cells: Box<[Cell]>,
}

impl Default for Stats {
    fn default() -> Self {
        Stats { cells: ROWS.iter().map(|_| Cell::default()).collect() }
    }
}

impl Stats {
    fn cell(&self, stat: Stat, kinds: &[Kind]) -> &Cell {
        debug_assert!(kinds.contains(&stat.row().kind), "`{}` holds {:?}", stat.row().name, stat.row().kind);
        &self.cells[stat as usize]
    }

    /// Counts one event of a [`Kind::Count`] row.
    pub fn bump(&self, stat: Stat) {
        self.add(stat, 1);
    }

    /// Counts several events of a [`Kind::Count`] row.
    pub fn add(&self, stat: Stat, count: u64) {
        self.cell(stat, &[Kind::Count]).number.fetch_add(count, Ordering::Relaxed);
    }

    /// Adds to a [`Kind::Time`] row.
    pub fn add_time(&self, stat: Stat, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.cell(stat, &[Kind::Time]).number.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Counts one event under a name, in a [`Kind::ByName`] or [`Kind::Reasons`] row; under "other" where there are
    /// too many names already.
    pub fn bump_named(&self, stat: Stat, name: &str) {
        self.add_named(stat, name, 1);
    }

    /// The same for several events.
    pub fn add_named(&self, stat: Stat, name: &str, count: u64) {
        self.cell(stat, &[Kind::ByName, Kind::Reasons]).with_names(|names| count_named(names, name, count));
    }

    /// The numbers of this moment. Each is exact; together they are consistent when nothing is in flight.
    pub fn snapshot(&self) -> Snapshot {
        let values = ROWS.iter().zip(&self.cells).map(|(row, cell)| match row.kind {
            Kind::Count | Kind::Time => Value::Number(cell.number.load(Ordering::Relaxed)),
            Kind::ByName | Kind::Reasons => Value::Names(cell.with_names(|names| names.clone())),
        });
        Snapshot { values: values.collect() }
    }

    /// Adds the numbers of an earlier coordinator; what was counted since the start stays.
    pub fn restore(&self, snapshot: Snapshot) {
        for (cell, value) in self.cells.iter().zip(snapshot.values) {
            match value {
                Value::Number(number) => {
                    cell.number.fetch_add(number, Ordering::Relaxed);
                }
                Value::Names(earlier) => cell.with_names(|names| {
                    for (name, count) in earlier {
                        count_named(names, &name, count);
                    }
                }),
            }
        }
    }

    /// Sets everything to zero.
    pub fn clear(&self) {
        for cell in &self.cells {
            cell.number.store(0, Ordering::Relaxed);
            cell.with_names(BTreeMap::clear);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(u64),
    Names(BTreeMap<String, u64>),
}

/// The numbers of one moment, to be shown, sent or kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// In the order of [`ROWS`].
    values: Vec<Value>,
}

impl Snapshot {
    /// The number of a [`Kind::Count`] row, or the sum over all names of one with names.
    pub fn count(&self, stat: Stat) -> u64 {
        match self.values.get(stat as usize) {
            Some(Value::Number(number)) => *number,
            Some(Value::Names(names)) => names.values().copied().fold(0, u64::saturating_add),
            None => 0,
        }
    }

    /// The sum of a [`Kind::Time`] row.
    pub fn time(&self, stat: Stat) -> Duration {
        Duration::from_nanos(self.count(stat))
    }

    /// What was counted since an earlier snapshot.
    #[must_use]
    pub fn since(&self, earlier: &Snapshot) -> Snapshot {
        let difference = |(now, then): (&Value, &Value)| match (now, then) {
            (Value::Number(now), Value::Number(then)) => Value::Number(now.saturating_sub(*then)),
            (Value::Names(now), Value::Names(then)) => {
                let grown = |(name, count): (&String, &u64)| {
                    let since = count.saturating_sub(then.get(name).copied().unwrap_or_default());
                    (since > 0).then(|| (name.clone(), since))
                };
                Value::Names(now.iter().filter_map(grown).collect())
            }
            // Rows have one kind each.
            (now, _) => now.clone(),
        };
        Snapshot { values: self.values.iter().zip(&earlier.values).map(difference).collect() }
    }

    /// The names of a row with names, in order.
    pub fn names(&self, stat: Stat) -> impl Iterator<Item = (&str, u64)> {
        let names = match self.values.get(stat as usize) {
            Some(Value::Names(names)) => Some(names),
            _ => None,
        };
        names.into_iter().flatten().map(|(name, &count)| (name.as_str(), count))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Counts<Names> {
    counts: Names,
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(ROWS.len()))?;
        for (row, value) in ROWS.iter().zip(&self.values) {
            match (row.kind, value) {
                (Kind::Time, Value::Number(nanos)) => {
                    map.serialize_entry(row.name, &Duration::from_nanos(*nanos))?;
                }
                (Kind::ByName, Value::Names(counts)) => map.serialize_entry(row.name, &Counts { counts })?,
                (_, Value::Number(number)) => map.serialize_entry(row.name, number)?,
                (_, Value::Names(names)) => map.serialize_entry(row.name, names)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    /// Rows that are absent are zero; rows that this build does not know are left out.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rows = serde_json::Map::deserialize(deserializer)?;
        let values = ROWS.iter().map(|row| read_row(row.kind, rows.remove(row.name)));
        Ok(Snapshot { values: values.collect::<Result<_, _>>().map_err(serde::de::Error::custom)? })
    }
}

fn read_row(kind: Kind, json: Option<serde_json::Value>) -> serde_json::Result<Value> {
    use serde_json::from_value;
    Ok(match (kind, json) {
        (Kind::Count | Kind::Time, None) => Value::Number(0),
        (Kind::ByName | Kind::Reasons, None) => Value::Names(BTreeMap::new()),
        (Kind::Count, Some(json)) => Value::Number(from_value(json)?),
        (Kind::Time, Some(json)) => {
            Value::Number(u64::try_from(from_value::<Duration>(json)?.as_nanos()).unwrap_or(u64::MAX))
        }
        (Kind::ByName, Some(json)) => Value::Names(from_value::<Counts<_>>(json)?.counts),
        (Kind::Reasons, Some(json)) => Value::Names(from_value(json)?),
    })
}
