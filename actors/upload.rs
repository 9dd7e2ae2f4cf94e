//! Writing a result to a remote: a policy of a RemoteStorageActor, which decides when.
use crate::carried::Carried;
use crate::pending::Write;
use crate::permits::MAX_UPLOADING_KIB;
use crate::publish::{self, Source, Whole};
use crate::shared::Shared;
use crate::tier::{Tier, hold};
use crate::transfer::within;
use cachepot_engine::digest::Digest;
use cachepot_engine::stats::Stat;
use cachepot_storage::remote::backend::{BackendError, get_whole};
use cachepot_storage::remote::bundle::BundleError;
use cachepot_storage::remote::guard::Guard;
use cachepot_storage::remote::packing::Content;
use std::sync::Arc;
use std::time::Duration;

/// How long a write may take, beside a second for each 256 KiB.
const WRITE_LIMIT: Duration = Duration::from_secs(20);

/// What came of a write.
pub(crate) enum Written {
    /// The remote has it; so many bytes went out.
    Bytes(u64),
    /// It could not be packed, which says nothing of the remote.
    NotPacked,
    /// It is not there any more.
    Gone,
}

/// Writes a result with its job.
pub(crate) async fn upload(
    tier: Arc<Tier>,
    shared: Arc<Shared>,
    write: Write,
    carried: Option<Arc<Carried>>,
) -> Result<Written, BackendError> {
    let source = carried.map_or_else(|| Source::Store(Arc::clone(&shared.store)), Source::Carried);
    let (to_ask, to_read) = (source.clone(), source);
    let Some(size) = blocking(move || to_ask.size(write)).await? else { return Ok(Written::Gone) };
    let kib = u32::try_from(size >> 10).unwrap_or(u32::MAX).min(MAX_UPLOADING_KIB);
    let Ok(_room) = shared.permits.uploading.acquire_many(kib).await else { return Ok(Written::Gone) };
    let whole = blocking(move || to_read.whole(write)).await?;
    let Some(Whole { record, entry, blobs }) = whole else { return Ok(Written::Gone) };
    let mut bytes = 0;
    if let Some(blobs) = blobs {
        let Some(size) = put_blobs(&tier, &shared, blobs).await? else { return Ok(Written::NotPacked) };
        bytes += size;
    }
    // Not earlier: what others write until we do is lost.
    let (backend, name) = (&tier.backend, tier.guard.name(&write.job));
    let theirs = match within(WRITE_LIMIT, get_whole(backend.as_ref(), &name)).await {
        // Whoever may only write cannot know.
        Err(BackendError::Denied(_)) => None,
        other => other?,
    };
    let guard = Arc::clone(&tier.guard);
    let make = move || {
        // What is not to be believed is not kept either.
        let theirs = theirs.and_then(|object| guard.open(&write.job, object).ok());
        publish::contents(write, record, entry, theirs.as_deref())
    };
    for object in blocking(make).await? {
        let guard = Arc::clone(&tier.guard);
        let Some(size) = pack_and_put(&tier, guard, &shared, object).await? else {
            return Ok(Written::NotPacked);
        };
        bytes += size;
    }
    Ok(Written::Bytes(bytes))
}

/// As [`pack_and_put`], unless the remote has them from another result.
async fn put_blobs(
    tier: &Tier,
    shared: &Shared,
    blobs: (Digest, Content),
) -> Result<Option<u64>, BackendError> {
    let (key, guard) = (blobs.0, Arc::new(tier.guard.without_signatures()));
    if has(tier, &key, &guard.name(&key)).await? {
        shared.stats.bump_named(Stat::RemoteShared, tier.name);
        return Ok(Some(0));
    }
    let size = pack_and_put(tier, guard, shared, blobs).await?;
    if size.is_some() {
        hold(&tier.lacking).remove(&key);
    }
    Ok(size)
}

async fn has(tier: &Tier, key: &Digest, name: &str) -> Result<bool, BackendError> {
    // What is there under this name may not be what it should be. Who reads knows; who only writes would never mend it.
    if !tier.mode.reads() || hold(&tier.lacking).get(key).is_some() {
        return Ok(false);
    }
    match within(WRITE_LIMIT, tier.backend.has(name)).await {
        // Whoever may only write cannot know.
        Err(BackendError::Denied(_) | BackendError::Malformed(_)) => Ok(false),
        other => other,
    }
}

/// How many bytes went out; `None` where the object could not be made.
async fn pack_and_put(
    tier: &Tier,
    guard: Arc<Guard>,
    shared: &Shared,
    (key, content): (Digest, Content),
) -> Result<Option<u64>, BackendError> {
    let object = match shared.tiers.packer.pack(key, content).await {
        Ok(object) => object,
        Err(BundleError::TooLarge) => return Err(BackendError::TooLarge),
        Err(error) => {
            tracing::debug!(%error, "an object was not packed");
            return Ok(None);
        }
    };
    let protected = blocking(move || Some((guard.name(&key), guard.protect(&key, object)?))).await?;
    let Some((name, object)) = protected else { return Ok(None) };
    let size = object.len() as u64;
    let limit = WRITE_LIMIT + Duration::from_secs(size >> 18);
    within(limit, tier.backend.put(&name, object)).await?;
    Ok(Some(size))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BackendError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| BackendError::Malformed(error.to_string()))
}
