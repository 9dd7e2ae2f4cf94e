//! From settings to backends: one function per kind of remote, where the build has it.
use crate::tier::{Tier, nothing_lacking};
use crate::tiers::MAX_TIERS;
#[allow(unused_imports, reason = "a build may have no such kind")]
use cachepot_config as config;
use cachepot_config::{Environment, Remote, RemoteKind, Remotes};
use cachepot_engine::stats::RemoteReport;
#[cfg(feature = "azure")]
use cachepot_storage::remote::azure;
use cachepot_storage::remote::backend::{Backend, UnusableSetting};
use cachepot_storage::remote::folder::Folder;
#[cfg(feature = "gcs")]
use cachepot_storage::remote::gcs;
use cachepot_storage::remote::guard::{Guard, GuardSettings};
#[cfg(any(feature = "azure", feature = "gcs", feature = "s3", feature = "webdav"))]
use cachepot_storage::remote::http::proxies::Proxies;
#[cfg(feature = "memcached")]
use cachepot_storage::remote::memcached;
#[cfg(feature = "redis")]
use cachepot_storage::remote::redis;
#[cfg(feature = "webdav")]
use cachepot_storage::remote::webdav;
#[cfg(feature = "s3")]
use cachepot_storage::remote::{aws_credentials, s3};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

type Made = Result<Arc<dyn Backend>, UnusableSetting>;

/// The remotes of the settings. One that cannot be made is warned of, left out, and told of in the statistics.
pub(crate) fn open(settings: &Remotes, environment: &Environment) -> (Vec<Arc<Tier>>, Vec<RemoteReport>) {
    let mut left_out = Vec::new();
    let guard = match guard(settings) {
        Ok(guard) => Arc::new(guard),
        Err(error) => {
            tracing::warn!(%error, "no remote is used, because a key cannot be used");
            left_out.extend(settings.list.iter().map(|remote| unusable(remote, &error)));
            return (Vec::new(), left_out);
        }
    };
    let tier = |remote: &Remote| match backend(remote, settings, environment) {
        Ok(backend) => Some(Arc::new(Tier {
            name: remote.name,
            backend,
            guard: Arc::clone(&guard),
            mode: remote.mode,
            queued: AtomicUsize::new(0),
            announced: Arc::default(),
            is_left_alone: AtomicBool::new(false),
            refuses_writes: AtomicBool::new(false),
            lacking: nothing_lacking(),
            latencies: Mutex::default(),
            odds: Mutex::default(),
        })),
        Err(error) => {
            tracing::warn!(remote = remote.name, %error, "a remote cannot be used; going on without it");
            left_out.push(unusable(remote, &error));
            None
        }
    };
    let tiers = settings.list.iter().filter_map(tier).take(MAX_TIERS).collect();
    (tiers, left_out)
}

fn unusable(remote: &Remote, error: &UnusableSetting) -> RemoteReport {
    RemoteReport {
        name: remote.name.to_owned(),
        location: String::new(),
        mode: remote.mode.name().to_owned(),
        is_left_alone: false,
        pending_writes: 0,
        latency_micros: None,
        unusable: Some(error.to_string()),
    }
}

/// Who is believed, and who may read.
///
/// # Errors
/// [`UnusableSetting`]: then no remote may be used.
pub(crate) fn guard(settings: &Remotes) -> Result<Guard, UnusableSetting> {
    let keys = settings.keys.clone();
    Guard::new(&GuardSettings {
        sign_key_file: keys.sign_key_file,
        trusted_keys: keys.trusted_keys,
        encryption_key_file: keys.encryption_key_file,
    })
}

/// The backend of a remote.
///
/// # Errors
/// [`UnusableSetting`].
pub(crate) fn backend(remote: &Remote, settings: &Remotes, environment: &Environment) -> Made {
    let lookup = |name: &str| environment.get(name)?.to_str().map(str::to_owned);
    #[allow(unused_variables, reason = "a build may have no such kind")]
    let around = Around { ca_file: settings.ca_file.clone(), lookup: &lookup };
    match &remote.kind {
        RemoteKind::Folder(of) => Ok(Arc::new(Folder::new(of.dir.clone()))),
        #[cfg(feature = "s3")]
        RemoteKind::S3(of) => s3(of, around),
        #[cfg(feature = "redis")]
        RemoteKind::Redis(of) => redis(of, around),
        #[cfg(feature = "memcached")]
        RemoteKind::Memcached(of) => memcached(of),
        #[cfg(feature = "gcs")]
        RemoteKind::Gcs(of) => gcs(of, remote.mode, around),
        #[cfg(feature = "azure")]
        RemoteKind::Azure(of) => azure(of, around),
        #[cfg(feature = "webdav")]
        RemoteKind::Webdav(of) => webdav(of, around),
        // Settings of what is not built do not come here.
        #[allow(unreachable_patterns, reason = "all are built by default")]
        _ => {
            Err(UnusableSetting { setting: remote.name, reason: "this build has no such backend".to_owned() })
        }
    }
}

/// What counts for several kinds.
#[allow(dead_code, reason = "a build may have no such kind")]
struct Around<'a> {
    ca_file: Option<PathBuf>,
    lookup: &'a dyn Fn(&str) -> Option<String>,
}

#[cfg(any(feature = "azure", feature = "gcs", feature = "s3", feature = "webdav"))]
impl Around<'_> {
    fn proxies(&self) -> Proxies {
        Proxies::from_env(self.lookup)
    }
}

#[cfg(feature = "s3")]
fn s3(of: &config::S3, around: Around<'_>) -> Made {
    let region = of.region.clone().or_else(|| aws_credentials::region(around.lookup));
    Ok(Arc::new(s3::S3::new(s3::S3Settings {
        bucket: of.bucket.clone(),
        endpoint: of.endpoint.clone(),
        region,
        key_prefix: of.key_prefix.clone(),
        use_ssl: of.use_ssl,
        virtual_host_style: of.virtual_host_style,
        public: of.public,
        credentials: aws_credentials::AwsSources::from_env(around.lookup),
        proxies: around.proxies(),
        ca_file: around.ca_file,
        server_side_encryption: of.server_side_encryption,
    })?))
}

#[cfg(feature = "redis")]
fn redis(of: &config::Redis, around: Around<'_>) -> Made {
    Ok(Arc::new(redis::Redis::new(redis::RedisSettings {
        url: of.url.clone(),
        username: of.username.clone(),
        password: of.password.clone(),
        db: of.db,
        key_prefix: of.key_prefix.clone(),
        expiry: of.expiration,
        ca_file: around.ca_file,
        cluster: of.cluster,
    })?))
}

#[cfg(feature = "memcached")]
fn memcached(of: &config::Memcached) -> Made {
    Ok(Arc::new(memcached::Memcached::new(memcached::MemcachedSettings {
        servers: of.servers.clone(),
        key_prefix: of.key_prefix.clone(),
        expiry: of.expiration,
        username: of.username.clone(),
        password: of.password.clone(),
    })?))
}

#[cfg(feature = "gcs")]
fn gcs(of: &config::Gcs, mode: config::Mode, around: Around<'_>) -> Made {
    Ok(Arc::new(gcs::Gcs::new(gcs::GcsSettings {
        bucket: of.bucket.clone(),
        key_prefix: of.key_prefix.clone(),
        key_file: of.cred_path.clone(),
        credentials_url: of.url.clone(),
        service_account: of.service_account.clone(),
        metadata_host: (around.lookup)("GCE_METADATA_HOST"),
        read_write: mode.writes(),
        base_url: of.endpoint.clone(),
        proxies: around.proxies(),
        ca_file: around.ca_file,
    })?))
}

#[cfg(feature = "azure")]
fn azure(of: &config::Azure, around: Around<'_>) -> Made {
    let lacking = || UnusableSetting {
        setting: "container",
        reason: "is not set; set `cache.azure.container` (`CACHEPOT_AZURE_BLOB_CONTAINER`)".to_owned(),
    };
    Ok(Arc::new(azure::Azure::new(azure::AzureSettings {
        connection_string: of.connection_string.clone(),
        container: of.container.clone().ok_or_else(lacking)?,
        key_prefix: of.key_prefix.clone(),
        proxies: around.proxies(),
        ca_file: around.ca_file,
    })?))
}

#[cfg(feature = "webdav")]
fn webdav(of: &config::Webdav, around: Around<'_>) -> Made {
    Ok(Arc::new(webdav::WebDav::new(webdav::WebDavSettings {
        endpoint: of.endpoint.clone(),
        key_prefix: of.key_prefix.clone(),
        username: of.username.clone(),
        password: of.password.clone(),
        token: of.token.clone(),
        proxies: around.proxies(),
        ca_file: around.ca_file,
    })?))
}
