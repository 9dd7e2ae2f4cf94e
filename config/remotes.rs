//! Settings of remotes: one struct per kind of server.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::ConfigError;
use crate::keys::{Key, remotes as keys};
use crate::parts::{PARTS, Part};
use crate::settings::Values;

/// The accepted forms of a mode.
pub(crate) const MODE_FORMS: &str = "`READ_WRITE`, `READ_ONLY` or `WRITE_ONLY`";
/// What stands in the place of a secret.
pub(crate) const MASK: &str = "*****";

/// What is done at a remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Both.
    ReadWrite,
    /// Results are looked up there and never stored.
    ReadOnly,
    /// Results are stored there and never looked up.
    WriteOnly,
}

impl Mode {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase().replace('-', "_");
        [Mode::ReadWrite, Mode::ReadOnly, Mode::WriteOnly].into_iter().find(|mode| mode.name() == text)
    }
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Mode::ReadWrite => "READ_WRITE",
            Mode::ReadOnly => "READ_ONLY",
            Mode::WriteOnly => "WRITE_ONLY",
        }
    }
    /// Whether results are looked up there.
    pub fn reads(self) -> bool {
        self != Mode::WriteOnly
    }
    /// Whether results are stored there.
    pub fn writes(self) -> bool {
        self != Mode::ReadOnly
    }
}

/// The caches on other machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remotes {
    /// In the order in which they are asked.
    pub list: Vec<Remote>,
    /// Those that the user's order names and that are not there.
    pub missing: Vec<&'static Part>,
    /// Certificates that servers may be signed by, beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Who is believed, and who may read.
    pub keys: Keys,
}

/// Files with keys; those of the key table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says it")]
pub struct Keys {
    pub sign_key_file: Option<PathBuf>,
    pub trusted_keys: Vec<String>,
    pub encryption_key_file: Option<PathBuf>,
}

/// A remote.
#[derive(Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name in `cache.chain`: `redis`, `s3`, …
    pub name: &'static str,
    /// What is done there.
    pub mode: Mode,
    /// Where it is.
    pub kind: RemoteKind,
}

impl fmt::Debug for Remote {
    /// Without what is inside, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.mode.name())
    }
}

/// Where a remote is, and how it is reached. Fields are those of the key table.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the structs say it")]
pub enum RemoteKind {
    Folder(Folder),
    S3(S3),
    Redis(Redis),
    Memcached(Memcached),
    Gcs(Gcs),
    Azure(Azure),
    Webdav(Webdav),
}

/// `cache.folder`.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says it")]
pub struct Folder {
    pub dir: PathBuf,
}

/// `cache.s3`; credentials are in the environment and in files of Amazon's tools.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says it")]
pub struct S3 {
    pub bucket: String,
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub key_prefix: String,
    pub use_ssl: bool,
    pub virtual_host_style: bool,
    pub public: bool,
    pub server_side_encryption: bool,
}

/// `cache.redis`.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says it")]
pub struct Redis {
    /// The server, or nodes of a cluster with commas between.
    pub url: String,
    pub username: Option<String>,
    pub password: Option<String>,
    pub db: Option<u16>,
    pub key_prefix: String,
    pub expiration: Option<Duration>,
    pub cluster: bool,
}

/// `cache.memcached`.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says it")]
pub struct Memcached {
    pub servers: Vec<String>,
    pub key_prefix: String,
    pub expiration: Option<Duration>,
    pub username: Option<String>,
    pub password: Option<String>,
}

/// `cache.gcs`.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says it")]
pub struct Gcs {
    pub bucket: String,
    pub key_prefix: String,
    pub cred_path: Option<PathBuf>,
    pub url: Option<String>,
    pub service_account: Option<String>,
    pub endpoint: Option<String>,
}

/// `cache.azure`.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says it")]
pub struct Azure {
    pub connection_string: String,
    pub container: Option<String>,
    pub key_prefix: String,
}

/// `cache.webdav`.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says it")]
pub struct Webdav {
    pub endpoint: String,
    pub key_prefix: String,
    pub username: Option<String>,
    pub password: Option<String>,
    pub token: Option<String>,
}

impl Remotes {
    /// Those that are set and built, in the user's order.
    pub(crate) fn from_values(values: &Values<'_>) -> Result<Self, ConfigError> {
        let all = [
            of("cache.folder", values, &keys::FOLDER_MODE, folder)?,
            of("cache.s3", values, &keys::S3_MODE, s3)?,
            of("cache.redis", values, &keys::REDIS_MODE, redis)?,
            of("cache.memcached", values, &keys::MEMCACHED_MODE, memcached)?,
            of("cache.gcs", values, &keys::GCS_MODE, gcs)?,
            of("cache.azure", values, &keys::AZURE_MODE, azure)?,
            of("cache.webdav", values, &keys::WEBDAV_MODE, webdav)?,
        ];
        let mut list: Vec<Remote> = all.into_iter().flatten().collect();
        let mut missing = Vec::new();
        if let Some(chain) = values.text(&keys::CHAIN)? {
            (list, missing) = in_order(&chain, list)?;
        }
        let ca_file = values.path(&keys::CA_FILE)?;
        let keys = Keys {
            sign_key_file: values.path(&keys::SIGN_KEY_FILE)?,
            trusted_keys: values.text(&keys::TRUSTED_KEYS)?.map_or_else(Vec::new, |text| trusted(&text)),
            encryption_key_file: values.path(&keys::ENCRYPTION_KEY_FILE)?,
        };
        if !keys.trusted_keys.is_empty() && keys.sign_key_file.is_none() {
            // Nobody here would believe what is written, and it would take the place of what others have signed.
            list.iter_mut()
                .filter(|remote| remote.mode.reads())
                .for_each(|remote| remote.mode = Mode::ReadOnly);
        }
        Ok(Remotes { list, missing, ca_file, keys })
    }
}

fn of(
    table: &'static str,
    values: &Values<'_>,
    mode: &'static Key,
    make: impl FnOnce(&Values<'_>) -> Result<Option<RemoteKind>, ConfigError>,
) -> Result<Option<Remote>, ConfigError> {
    let is_built = PARTS.iter().any(|part| part.table == table && part.is_built);
    let Some(kind) = is_built.then(|| make(values)).transpose()?.flatten() else { return Ok(None) };
    let name = table.rsplit('.').next().unwrap_or(table);
    Ok(Some(Remote { name, mode: values.mode(mode)?, kind }))
}

/// Blanks alone are no key: with them nobody is believed, and not everybody.
fn trusted(text: &str) -> Vec<String> {
    let keys: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if keys.is_empty() { vec![text.to_owned()] } else { keys }
}

/// Those that a list names, in its order, and what it names beside them.
fn in_order(chain: &str, mut list: Vec<Remote>) -> Result<(Vec<Remote>, Vec<&'static Part>), ConfigError> {
    let (mut ordered, mut missing): (Vec<Remote>, Vec<&Part>) = (Vec::new(), Vec::new());
    let names = chain.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
    // The local disk is always the first one; other programs want it named.
    for name in names.filter(|name| *name != "disk") {
        if let Some(at) = list.iter().position(|remote| remote.name == name) {
            ordered.push(list.remove(at));
            continue;
        }
        let unknown = || ConfigError::UnknownRemote { key: keys::CHAIN.label(), name: name.to_owned() };
        let part = PARTS.iter().find(|part| part.table.strip_prefix("cache.") == Some(name));
        let part = part.ok_or_else(unknown)?;
        let is_twice = ordered.iter().any(|remote| remote.name == name) || missing.contains(&part);
        if !is_twice {
            missing.push(part);
        }
    }
    Ok((ordered, missing))
}

fn folder(values: &Values<'_>) -> Result<Option<RemoteKind>, ConfigError> {
    Ok(values.path(&keys::FOLDER_DIR)?.map(|dir| RemoteKind::Folder(Folder { dir })))
}

fn s3(values: &Values<'_>) -> Result<Option<RemoteKind>, ConfigError> {
    let Some(bucket) = values.text(&keys::S3_BUCKET)? else { return Ok(None) };
    Ok(Some(RemoteKind::S3(S3 {
        bucket,
        endpoint: values.text(&keys::S3_ENDPOINT)?,
        region: values.text(&keys::S3_REGION)?,
        key_prefix: values.text(&keys::S3_KEY_PREFIX)?.unwrap_or_default(),
        use_ssl: values.flag(&keys::S3_USE_SSL)?,
        virtual_host_style: values.flag(&keys::S3_VIRTUAL_HOST)?,
        public: values.flag(&keys::S3_PUBLIC)?,
        server_side_encryption: values.flag(&keys::S3_ENCRYPTION)?,
    })))
}

fn redis(values: &Values<'_>) -> Result<Option<RemoteKind>, ConfigError> {
    let (url, nodes) = (values.text(&keys::REDIS_URL)?, values.text(&keys::REDIS_CLUSTER_ENDPOINTS)?);
    let names_nodes = nodes.is_some();
    if url.is_some() && names_nodes {
        return Err(values.both(&keys::REDIS_URL, &keys::REDIS_CLUSTER_ENDPOINTS)?);
    }
    let Some(url) = url.or(nodes) else { return Ok(None) };
    Ok(Some(RemoteKind::Redis(Redis {
        url,
        username: values.text(&keys::REDIS_USERNAME)?,
        password: values.text(&keys::REDIS_PASSWORD)?,
        db: values.number(&keys::REDIS_DB)?,
        key_prefix: values.text(&keys::REDIS_KEY_PREFIX)?.unwrap_or_default(),
        expiration: expiration(values, &keys::REDIS_EXPIRATION)?,
        cluster: names_nodes || values.flag(&keys::REDIS_CLUSTER)?,
    })))
}

fn memcached(values: &Values<'_>) -> Result<Option<RemoteKind>, ConfigError> {
    let Some(servers) = values.text(&keys::MEMCACHED_URL)? else { return Ok(None) };
    Ok(Some(RemoteKind::Memcached(Memcached {
        servers: servers.split_whitespace().map(str::to_owned).collect(),
        key_prefix: values.text(&keys::MEMCACHED_KEY_PREFIX)?.unwrap_or_default(),
        expiration: expiration(values, &keys::MEMCACHED_EXPIRATION)?,
        username: values.text(&keys::MEMCACHED_USERNAME)?,
        password: values.text(&keys::MEMCACHED_PASSWORD)?,
    })))
}

fn gcs(values: &Values<'_>) -> Result<Option<RemoteKind>, ConfigError> {
    let Some(bucket) = values.text(&keys::GCS_BUCKET)? else { return Ok(None) };
    Ok(Some(RemoteKind::Gcs(Gcs {
        bucket,
        key_prefix: values.text(&keys::GCS_KEY_PREFIX)?.unwrap_or_default(),
        cred_path: values.path(&keys::GCS_CRED_PATH)?,
        url: values.text(&keys::GCS_URL)?,
        service_account: values.text(&keys::GCS_SERVICE_ACCOUNT)?,
        endpoint: values.text(&keys::GCS_ENDPOINT)?,
    })))
}

fn azure(values: &Values<'_>) -> Result<Option<RemoteKind>, ConfigError> {
    let Some(connection_string) = values.text(&keys::AZURE_CONNECTION_STRING)? else { return Ok(None) };
    Ok(Some(RemoteKind::Azure(Azure {
        connection_string,
        container: values.text(&keys::AZURE_CONTAINER)?,
        key_prefix: values.text(&keys::AZURE_KEY_PREFIX)?.unwrap_or_default(),
    })))
}

fn webdav(values: &Values<'_>) -> Result<Option<RemoteKind>, ConfigError> {
    let Some(endpoint) = values.text(&keys::WEBDAV_ENDPOINT)? else { return Ok(None) };
    Ok(Some(RemoteKind::Webdav(Webdav {
        endpoint,
        key_prefix: values.text(&keys::WEBDAV_KEY_PREFIX)?.unwrap_or_default(),
        username: values.text(&keys::WEBDAV_USERNAME)?,
        password: values.text(&keys::WEBDAV_PASSWORD)?,
        token: values.text(&keys::WEBDAV_TOKEN)?,
    })))
}

fn expiration(values: &Values<'_>, key: &'static Key) -> Result<Option<Duration>, ConfigError> {
    Ok(Some(values.duration(key)?).filter(|time| !time.is_zero()))
}

/// A URL without what stands before the host and behind the path.
pub(crate) fn mask(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    // A password may hold anything but the end of the authority; the last `@` ends it.
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?*****"));
    let (user, place) = rest.rsplit_once('@').map_or(("", rest), |(_, place)| ("*****@", place));
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{user}{place}{query}")
}
