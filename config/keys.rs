//! The one list of keys and variables.
//!
//! A new key is one row here, one line in [`KEYS`], and one field in the struct of `settings.rs` that
//! it fills. Reading, precedence, unknown-key errors, `--show-config` and the reference page follow
//! from the row.

pub mod remotes;

/// One setting: its names, what it holds, its default and who reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Dotted name in the configuration file; `None` for what only the environment can say.
    pub file_name: Option<&'static str>,
    /// The environment variable; it wins over the file.
    pub variable: &'static str,
    /// Names in the file that mean the same, for those who come from sccache.
    pub other_file_names: &'static [&'static str],
    /// Variables that mean the same.
    pub other_variables: &'static [&'static str],
    /// A variable of the wider world that counts when neither the variable nor the file says anything.
    pub fallback_variable: Option<&'static str>,
    /// What it holds.
    pub kind: Kind,
    /// What counts when nobody says anything.
    pub default: Fallback,
    /// Who reads it, and when.
    pub reader: Reader,
    /// What a value that makes no sense leads to.
    pub malformed: Malformed,
    /// The sentence of the reference page.
    pub doc: &'static str,
}

impl Key {
    /// Returns the name that users see: the one in the file, else the variable.
    pub fn label(&self) -> &'static str {
        self.file_name.unwrap_or(self.variable)
    }

    /// Yields all names in the file, its own first.
    pub fn file_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.file_name.into_iter().chain(self.other_file_names.iter().copied())
    }

    /// Yields all variables, its own first.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.variable).chain(self.other_variables.iter().copied())
    }
}

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A path; relative ones are resolved as [`crate::load`] says.
    Path,
    /// A size in bytes, with or without a unit.
    Size,
    /// A span of time in seconds, with or without a unit.
    Duration,
    /// Any text.
    Text,
    /// A number from 0 to 65535.
    Number,
    /// Set if and only if it is exactly `1`.
    One,
    /// Set if present, whatever the value.
    Presence,
    /// `true` or `false`, in the usual spellings.
    Flag,
    /// What may be done at a remote.
    Mode,
    /// A text that is never shown.
    Secret,
    /// A URL that may hold a password, which is never shown.
    SecretUrl,
}

/// What counts when nobody says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing.
    Unset,
    /// This text, read like one from the file.
    Text(&'static str),
    /// The user's cache directory of this platform.
    CacheDirectory,
    /// `config` in the user's configuration directory of this platform.
    ConfigFile,
    /// `cached-config` in the same directory.
    CachedConfigFile,
}

/// Who reads a key, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The coordinator, when it starts and never again.
    Coordinator,
    /// The client on each call; it passes the result on to a coordinator that it starts.
    Client,
    /// The client on each call, and the coordinator when it starts.
    ClientAndCoordinator,
    /// Whoever starts a coordinator; says how it is started, not what it does.
    Launch,
    /// Nobody at start: it comes with each compile, in the client's environment.
    Compile,
    /// Nobody yet: it is checked and shown, and changes nothing.
    Nobody,
}

/// What a value that makes no sense leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// An error with place, value and accepted forms.
    Refuse,
    /// A warning; the default counts.
    Warn,
}

/// `cache.disk.dir`.
pub static DISK_DIR: Key = Key {
    default: Fallback::CacheDirectory,
    doc: "Directory of the local disk cache.",
    ..row(Some("cache.disk.dir"), "CACHEPOT_DIR", Kind::Path, Reader::Coordinator)
};

/// `cache.disk.size`.
pub static DISK_SIZE: Key = Key {
    default: Fallback::Text("10G"),
    doc: "Size the local disk cache may reach; the least recently used entries go first.",
    ..row(Some("cache.disk.size"), "CACHEPOT_CACHE_SIZE", Kind::Size, Reader::Coordinator)
};

/// `coordinator.idle_timeout`.
pub static IDLE_TIMEOUT: Key = Key {
    default: Fallback::Text("600"),
    doc: "Seconds without any request after which the coordinator exits; 0 means never.",
    ..row(Some("coordinator.idle_timeout"), "CACHEPOT_IDLE_TIMEOUT", Kind::Duration, Reader::Coordinator)
};

/// `coordinator.log`.
pub static LOG: Key = Key {
    fallback_variable: Some("RUST_LOG"),
    doc: "Level (`error`, `warn`, `info`, `debug`, `trace`) or a list of `module=level` of the log.",
    ..row(Some("coordinator.log"), "CACHEPOT_LOG", Kind::Text, Reader::Coordinator)
};

/// `coordinator.error_log`.
pub static ERROR_LOG: Key = Key {
    doc: "File to which the coordinator appends its log and its panics.",
    ..row(Some("coordinator.error_log"), "CACHEPOT_ERROR_LOG", Kind::Path, Reader::Coordinator)
};

/// `CACHEPOT_NO_DAEMON`.
pub static NO_DAEMON: Key = Key {
    doc: "Exactly `1` keeps the coordinator in the foreground.",
    ..row(None, "CACHEPOT_NO_DAEMON", Kind::One, Reader::Launch)
};

/// `CACHEPOT_SERVER_UDS`.
pub static SERVER_UDS: Key = Key {
    doc: "Socket of the coordinator to talk to.",
    ..row(None, "CACHEPOT_SERVER_UDS", Kind::Path, Reader::Client)
};

/// `CACHEPOT_COORDINATOR_PORT`.
pub static COORDINATOR_PORT: Key = Key {
    default: Fallback::Text("4226"),
    malformed: Malformed::Warn,
    doc: "Number that names the coordinator's socket, so that a job can have a coordinator of its own.",
    ..row(None, "CACHEPOT_COORDINATOR_PORT", Kind::Number, Reader::Client)
};

/// `CACHEPOT_MAX_FRAME_LENGTH`.
pub static MAX_FRAME_LENGTH: Key = Key {
    default: Fallback::Text("256M"),
    malformed: Malformed::Warn,
    doc: "Size of the largest message between client and coordinator.",
    ..row(None, "CACHEPOT_MAX_FRAME_LENGTH", Kind::Size, Reader::Nobody)
};

/// `CACHEPOT_CONF`.
pub static CONF: Key = Key {
    default: Fallback::ConfigFile,
    doc: "Configuration file to read instead of the default one; JSON if its name ends in `.json`.",
    ..row(None, "CACHEPOT_CONF", Kind::Path, Reader::ClientAndCoordinator)
};

/// `CACHEPOT_CACHED_CONF`.
pub static CACHED_CONF: Key = Key {
    default: Fallback::CachedConfigFile,
    doc: "File that holds credentials obtained by logging in.",
    ..row(None, "CACHEPOT_CACHED_CONF", Kind::Path, Reader::Nobody)
};

/// `CACHEPOT_RECACHE`.
pub static RECACHE: Key = Key {
    doc: "Present with any value: compile without looking up, and replace the stored result.",
    ..row(None, "CACHEPOT_RECACHE", Kind::Presence, Reader::Compile)
};

/// `CACHEPOT_DISABLE`.
pub static DISABLE: Key = Key {
    doc: "Run the compiler plainly, without looking up and without storing.",
    ..row(None, "CACHEPOT_DISABLE", Kind::Presence, Reader::Compile)
};

/// `CACHEPOT_NO_INCREMENTAL`.
pub static NO_INCREMENTAL: Key = Key {
    doc: "Leave `-C incremental` out of calls of rustc, which can be cached then; `0` and nothing mean no.",
    ..row(None, "CACHEPOT_NO_INCREMENTAL", Kind::Presence, Reader::Compile)
};

/// `CACHEPOT_REMAP_RELATIVE`.
pub static REMAP_RELATIVE: Key = Key {
    doc: "Share results of rustc between folders: paths in them are neutral ones; `0` and nothing mean no.",
    ..row(None, "CACHEPOT_REMAP_RELATIVE", Kind::Presence, Reader::Compile)
};

/// `CACHEPOT_BUILD_SCRIPTS`.
pub static BUILD_SCRIPTS: Key = Key {
    doc: "Cache the runs of cargo's build scripts: all; with `0` or nothing none; unset, those of fetched packages that compile C.",
    ..row(None, "CACHEPOT_BUILD_SCRIPTS", Kind::Presence, Reader::Compile)
};

/// All rows, in the order in which `--show-config` and the reference page list them.
pub static KEYS: [&Key; 64] = [
    &DISK_DIR,
    &DISK_SIZE,
    &remotes::CHAIN,
    &remotes::CA_FILE,
    &remotes::SIGN_KEY_FILE,
    &remotes::TRUSTED_KEYS,
    &remotes::ENCRYPTION_KEY_FILE,
    &remotes::FOLDER_DIR,
    &remotes::FOLDER_MODE,
    &remotes::REDIS_URL,
    &remotes::REDIS_CLUSTER_ENDPOINTS,
    &remotes::REDIS_USERNAME,
    &remotes::REDIS_PASSWORD,
    &remotes::REDIS_DB,
    &remotes::REDIS_KEY_PREFIX,
    &remotes::REDIS_EXPIRATION,
    &remotes::REDIS_CLUSTER,
    &remotes::REDIS_MODE,
    &remotes::MEMCACHED_URL,
    &remotes::MEMCACHED_KEY_PREFIX,
    &remotes::MEMCACHED_EXPIRATION,
    &remotes::MEMCACHED_USERNAME,
    &remotes::MEMCACHED_PASSWORD,
    &remotes::MEMCACHED_MODE,
    &remotes::S3_BUCKET,
    &remotes::S3_ENDPOINT,
    &remotes::S3_REGION,
    &remotes::S3_KEY_PREFIX,
    &remotes::S3_USE_SSL,
    &remotes::S3_VIRTUAL_HOST,
    &remotes::S3_PUBLIC,
    &remotes::S3_ENCRYPTION,
    &remotes::S3_MODE,
    &remotes::GCS_BUCKET,
    &remotes::GCS_KEY_PREFIX,
    &remotes::GCS_CRED_PATH,
    &remotes::GCS_URL,
    &remotes::GCS_SERVICE_ACCOUNT,
    &remotes::GCS_ENDPOINT,
    &remotes::GCS_MODE,
    &remotes::AZURE_CONNECTION_STRING,
    &remotes::AZURE_CONTAINER,
    &remotes::AZURE_KEY_PREFIX,
    &remotes::AZURE_MODE,
    &remotes::WEBDAV_ENDPOINT,
    &remotes::WEBDAV_KEY_PREFIX,
    &remotes::WEBDAV_USERNAME,
    &remotes::WEBDAV_PASSWORD,
    &remotes::WEBDAV_TOKEN,
    &remotes::WEBDAV_MODE,
    &IDLE_TIMEOUT,
    &LOG,
    &ERROR_LOG,
    &NO_DAEMON,
    &SERVER_UDS,
    &COORDINATOR_PORT,
    &MAX_FRAME_LENGTH,
    &CONF,
    &CACHED_CONF,
    &RECACHE,
    &DISABLE,
    &NO_INCREMENTAL,
    &REMAP_RELATIVE,
    &BUILD_SCRIPTS,
];

/// Makes the common row: unset by default, refused when malformed.
const fn row(file_name: Option<&'static str>, variable: &'static str, kind: Kind, reader: Reader) -> Key {
    Key {
        file_name,
        variable,
        other_file_names: &[],
        other_variables: &[],
        fallback_variable: None,
        kind,
        default: Fallback::Unset,
        reader,
        malformed: Malformed::Refuse,
        doc: "",
    }
}
