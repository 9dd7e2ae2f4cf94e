//! From settings to backends: one line per kind of remote, where the build has it.
use crate::tiers::{MAX_TIERS, Tier};
use cachepot_config::{Environment, Remote, RemoteKind, Remotes};
use cachepot_storage::remote::backend::{Backend, UnusableSetting};
use cachepot_storage::remote::folder::Folder;
#[cfg(feature = "memcached")]
use cachepot_storage::remote::memcached::{Memcached, MemcachedSettings};
#[cfg(feature = "redis")]
use cachepot_storage::remote::redis::{Redis, RedisSettings};
#[cfg(feature = "s3")]
use cachepot_storage::remote::{
    aws_credentials::{self, AwsSources},
    http::proxies::Proxies,
    s3::{S3, S3Settings},
};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

/// The remotes of the settings. One that cannot be made is warned of and left out.
pub(crate) fn open(settings: &Remotes, environment: &Environment) -> Vec<Arc<Tier>> {
    let tier = |remote: &Remote| match backend(remote, settings, environment) {
        Ok(backend) => Some(Arc::new(Tier {
            name: remote.name,
            backend,
            mode: remote.mode,
            pending: AtomicUsize::new(0),
            is_left_alone: AtomicBool::new(false),
            latencies: Mutex::default(),
            odds: Mutex::default(),
        })),
        Err(error) => {
            tracing::warn!(remote = remote.name, %error, "a remote cannot be used; going on without it");
            None
        }
    };
    settings.list.iter().filter_map(tier).take(MAX_TIERS).collect()
}

/// The backend of a remote.
///
/// # Errors
/// [`UnusableSetting`].
pub(crate) fn backend(
    remote: &Remote,
    settings: &Remotes,
    environment: &Environment,
) -> Result<Arc<dyn Backend>, UnusableSetting> {
    let lookup = |name: &str| environment.get(name)?.to_str().map(str::to_owned);
    match &remote.kind {
        RemoteKind::Folder(of) => Ok(Arc::new(Folder::new(of.dir.clone()))),
        #[cfg(feature = "redis")]
        RemoteKind::Redis(of) => Ok(Arc::new(Redis::new(RedisSettings {
            url: of.url.clone(),
            key_prefix: of.key_prefix.clone(),
            expiry: of.expiration,
            ca_file: settings.ca_file.clone(),
            cluster: of.cluster,
        })?)),
        #[cfg(feature = "memcached")]
        RemoteKind::Memcached(of) => Ok(Arc::new(Memcached::new(MemcachedSettings {
            servers: of.servers.clone(),
            key_prefix: of.key_prefix.clone(),
            expiry: of.expiration,
            credentials: of.username.clone().zip(of.password.clone()),
        })?)),
        #[cfg(feature = "s3")]
        RemoteKind::S3(of) => Ok(Arc::new(S3::new(S3Settings {
            bucket: of.bucket.clone(),
            endpoint: of.endpoint.clone(),
            region: of.region.clone().or_else(|| aws_credentials::region(&lookup)),
            key_prefix: of.key_prefix.clone(),
            use_ssl: of.use_ssl,
            public: of.public,
            credentials: AwsSources::from_env(&lookup),
            ca_file: settings.ca_file.clone(),
            server_side_encryption: of.server_side_encryption,
            proxies: Proxies::from_env(&lookup),
        })?)),
        // Settings of what is not built do not come here.
        #[allow(unreachable_patterns, reason = "all are built by default")]
        _ => {
            let _ = (settings, lookup);
            Err(UnusableSetting { setting: remote.name, reason: "this build has no such backend".to_owned() })
        }
    }
}
