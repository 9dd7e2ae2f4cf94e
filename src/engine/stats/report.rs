//! What is told of a cache: its numbers, and where it is.
use super::{Snapshot, text};

/// What `--show-stats` shows: the numbers and the cache they belong to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StatsReport {
    /// The numbers.
    pub stats: Snapshot,
    /// Where the cache is, as in `Local disk: "/home/user/.cache/cachepot"`.
    pub cache_location: String,
    /// Bytes in use, when known.
    pub cache_size: Option<u64>,
    /// Bytes that may be in use, when known.
    pub max_cache_size: Option<u64>,
    /// The remotes, in the order in which they are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remotes: Vec<RemoteReport>,
}

/// A remote, as `--show-stats` shows it; its numbers are among the others.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RemoteReport {
    /// Its name in settings and statistics.
    pub name: String,
    /// Where it is, without secrets.
    pub location: String,
    /// `READ_WRITE`, `READ_ONLY` or `WRITE_ONLY`.
    pub mode: String,
    /// Whether it is left alone just now, because it gave no answers.
    pub is_left_alone: bool,
    /// Results that are still to be written.
    pub pending_writes: u64,
    /// Microseconds within which half of the answers came since the coordinator's start, 95 % and 99 % of them, rounded up
    /// to a power of two; absent before the first answer.
    pub latency_micros: Option<[u64; 3]>,
    /// Why it is not used at all, where its settings cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

impl StatsReport {
    /// The JSON form, in one line.
    ///
    /// # Errors
    /// Never for a report made by [`Stats::snapshot`].
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// When the text is not a report.
    pub fn from_json(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// The text form for people; ends with a line end.
    pub fn to_text(&self) -> String {
        text::layout(self)
    }
}
