//! Parts that a build may lack: remotes, and what is not there yet.

use crate::keys::Key;

/// A part with settings of its own: its settings are known to every build, and warned of and skipped where it is missing.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The table in the file.
    pub table: &'static str,
    /// The variables of which one enables the part. Where one is set, the table in the file does not count.
    pub variables: &'static [&'static str],
    /// What the build has or lacks, as in "this build has no …".
    pub what: &'static str,
    /// Whether this build has it.
    pub is_built: bool,
}

/// All of them; remotes in the order in which they are asked unless the user says another.
pub static PARTS: [Part; 8] = [
    Part { is_built: true, ..part("cache.folder", &["CACHEPOT_FOLDER"], "shared folder") },
    Part { is_built: cfg!(feature = "s3"), ..part("cache.s3", &["CACHEPOT_BUCKET"], "S3 backend") },
    Part {
        is_built: cfg!(feature = "redis"),
        ..part(
            "cache.redis",
            &["CACHEPOT_REDIS", "CACHEPOT_REDIS_ENDPOINT", "CACHEPOT_REDIS_CLUSTER_ENDPOINTS"],
            "Redis backend",
        )
    },
    Part {
        is_built: cfg!(feature = "memcached"),
        ..part("cache.memcached", &["CACHEPOT_MEMCACHED", "CACHEPOT_MEMCACHED_ENDPOINT"], "Memcached backend")
    },
    Part { is_built: cfg!(feature = "gcs"), ..part("cache.gcs", &["CACHEPOT_GCS_BUCKET"], "GCS backend") },
    Part {
        is_built: cfg!(feature = "azure"),
        ..part("cache.azure", &["CACHEPOT_AZURE_CONNECTION_STRING"], "Azure backend")
    },
    Part {
        is_built: cfg!(feature = "webdav"),
        ..part("cache.webdav", &["CACHEPOT_WEBDAV_ENDPOINT"], "WebDAV backend")
    },
    Part { table: "dist", variables: &[], what: "distributed compilation", is_built: false },
];

const fn part(table: &'static str, variables: &'static [&'static str], what: &'static str) -> Part {
    Part { table, variables, what, is_built: false }
}

impl Part {
    /// The part whose table holds a key.
    pub fn of(key: &Key) -> Option<&'static Part> {
        let name = key.file_name?;
        PARTS.iter().find(|part| name.strip_prefix(part.table).is_some_and(|rest| rest.starts_with('.')))
    }
}

/// The parts that this build lacks.
pub(crate) fn missing() -> impl Iterator<Item = &'static Part> {
    PARTS.iter().filter(|part| !part.is_built)
}
