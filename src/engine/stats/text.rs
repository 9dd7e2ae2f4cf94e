//! The text form of statistics: name left, value right.
//!
//! The rows of the first block, their order and their alignment are fixed: people and scripts know them. Our own
//! rows follow in a block of their own, each only when it is not zero.
use super::{Kind, ROWS, RemoteReport, Snapshot, Stat, StatsReport};
use std::fmt::Write as _;
use std::time::Duration;

/// The form of a line of the first block.
enum Form {
    Count,
    /// The sum, then a line for each name.
    ByName,
    /// The time divided by the number of this statistic.
    AverageOver(Stat),
}

const CLASSIC: &[(&str, Stat, Form)] = &[
    ("Compile requests", Stat::CompileRequests, Form::Count),
    ("Compile requests executed", Stat::RequestsExecuted, Form::Count),
    ("Cache hits", Stat::CacheHits, Form::ByName),
    ("Cache misses", Stat::CacheMisses, Form::ByName),
    ("Cache timeouts", Stat::CacheTimeouts, Form::Count),
    ("Cache read errors", Stat::CacheReadErrors, Form::Count),
    ("Forced recaches", Stat::ForcedRecaches, Form::Count),
    ("Cache write errors", Stat::CacheWriteErrors, Form::Count),
    ("Compilation failures", Stat::CompileFails, Form::Count),
    ("Cache errors", Stat::CacheErrors, Form::ByName),
    ("Non-cacheable compilations", Stat::NonCacheableCompilations, Form::Count),
    ("Non-cacheable calls", Stat::RequestsNotCacheable, Form::Count),
    ("Non-compilation calls", Stat::RequestsNotCompile, Form::Count),
    ("Unsupported compiler calls", Stat::RequestsUnsupportedCompiler, Form::Count),
    ("Average cache write", Stat::CacheWriteDuration, Form::AverageOver(Stat::CacheWrites)),
    ("Average cache read miss", Stat::CacheReadMissDuration, Form::AverageOver(Stat::CacheMisses)),
    ("Average cache read hit", Stat::CacheReadHitDuration, Form::AverageOver(Stat::CacheHits)),
    ("Failed distributed compilations", Stat::DistErrors, Form::Count),
];

/// A line before it is aligned.
struct Line {
    name: String,
    value: String,
    /// Columns by which the value hangs over to the right, so that digits line up.
    hanging: usize,
}

impl Line {
    fn count(name: impl Into<String>, count: u64) -> Self {
        Line { name: name.into(), value: count.to_string(), hanging: 0 }
    }
    fn average(name: &str, sum: Duration, over: u64) -> Self {
        let average = if over == 0 { 0.0 } else { sum.as_secs_f64() / over as f64 };
        Line { name: name.to_owned(), value: format!("{average:.3} s"), hanging: " s".len() }
    }
}

/// Widths of the two columns.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    value: usize,
}

impl Columns {
    fn of(lines: &[Line]) -> Self {
        let widest = |width: fn(&Line) -> usize| lines.iter().map(width).max().unwrap_or_default();
        Columns { name: widest(|line| line.name.len()), value: widest(|line| line.value.len()) }
    }
    fn write(self, text: &mut String, line: &Line) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<name$} {:>value$}",
            line.name,
            line.value,
            name = self.name,
            value = self.value + line.hanging
        );
    }
}

pub(super) fn layout(report: &StatsReport) -> String {
    let stats = &report.stats;
    let lines = classic(stats);
    let columns = Columns::of(&lines);
    let mut text = String::new();
    for line in &lines {
        columns.write(&mut text, line);
    }
    let workers = most_first(stats, Stat::DistCompiles);
    if !workers.is_empty() {
        text.push_str("\nSuccessful distributed compiles\n");
        for line in workers {
            columns.write(&mut text, &Line { name: format!("  {}", line.name), ..line });
        }
    }
    let reasons = most_first(stats, Stat::NotCached);
    if !reasons.is_empty() {
        text.push_str("\nNon-cacheable reasons:\n");
        reasons.iter().for_each(|line| columns.write(&mut text, line));
        if reasons.iter().any(|line| line.name == "incremental") {
            text.push_str("(`CARGO_INCREMENTAL=0`, or `CACHEPOT_NO_INCREMENTAL=1`, lets these be cached)\n");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{:<name$} {}", "Cache location", report.cache_location, name = columns.name);
    for (name, size) in [("Cache size", report.cache_size), ("Max cache size", report.max_cache_size)] {
        if let Some(size) = size {
            let (number, unit) = binary(size);
            let value = format!("{number} {unit}");
            columns.write(&mut text, &Line { name: name.to_owned(), value, hanging: 1 + unit.len() });
        }
    }
    for remote in &report.remotes {
        let _ = writeln!(text, "{:<name$} {}", "Remote", describe(remote), name = columns.name);
    }
    let own = own(stats);
    if !own.is_empty() {
        text.push('\n');
        own.iter().for_each(|line| columns.write(&mut text, line));
    }
    text
}

/// As in `redis: Redis: redis://host, READ_WRITE, half of the answers within 0.5 ms, 99 % within 2.0 ms`.
fn describe(remote: &RemoteReport) -> String {
    if let Some(reason) = &remote.unusable {
        return format!("{}: not used, because its settings cannot be: {reason}", remote.name);
    }
    let mut text = format!("{}: {}, {}", remote.name, remote.location, remote.mode);
    if remote.is_left_alone {
        text.push_str(", left alone because it gives no answers");
    }
    if remote.pending_writes > 0 {
        let _ = write!(text, ", {} writes to be done", remote.pending_writes);
    }
    if let Some([half, _, most]) = remote.latency_micros {
        let millis = |micros: u64| micros as f64 / 1000.0;
        let _ = write!(
            text,
            ", half of the answers within {:.1} ms, 99 % within {:.1} ms",
            millis(half),
            millis(most)
        );
    }
    text
}

fn classic(stats: &Snapshot) -> Vec<Line> {
    let mut lines = Vec::new();
    for (label, stat, form) in CLASSIC {
        match form {
            Form::Count => lines.push(Line::count(*label, stats.count(*stat))),
            Form::ByName => {
                lines.push(Line::count(*label, stats.count(*stat)));
                lines.extend(stats.names(*stat).map(|(name, n)| Line::count(format!("{label} ({name})"), n)));
            }
            Form::AverageOver(over) => {
                lines.push(Line::average(label, stats.time(*stat), stats.count(*over)));
            }
        }
    }
    lines
}

fn own(stats: &Snapshot) -> Vec<Line> {
    let mut lines = Vec::new();
    for row in ROWS.iter().filter(|row| !row.label.is_empty()) {
        match row.kind {
            Kind::ByName | Kind::Reasons => {
                let names = stats.names(row.stat);
                lines.extend(names.map(|(name, n)| Line::count(format!("{} ({name})", row.label), n)));
            }
            Kind::Count | Kind::Time if stats.count(row.stat) == 0 => {}
            Kind::Count => lines.push(Line::count(row.label, stats.count(row.stat))),
            Kind::Time => lines.push(Line::average(row.label, stats.time(row.stat), 1)),
        }
    }
    if stats.count(Stat::Compiles) > 0 {
        let sum = stats.time(Stat::CompileDuration);
        lines.push(Line::average("Average compile", sum, stats.count(Stat::Compiles)));
    }
    lines
}

/// Most first, names in order where the numbers are equal.
fn most_first(stats: &Snapshot, stat: Stat) -> Vec<Line> {
    let mut names: Vec<_> = stats.names(stat).collect();
    names.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    names.into_iter().map(|(name, count)| Line::count(name, count)).collect()
}

/// A size with a binary unit, without decimals.
fn binary(bytes: u64) -> (String, &'static str) {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut value, mut unit) = (bytes as f64, "bytes");
    for larger in UNITS {
        // 1023.7 MiB is shown as 1 GiB, not as 1024 MiB.
        if value.round() < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    (format!("{value:.0}"), unit)
}
