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
    (carried, is_first_try): (Option<Arc<Carried>>, bool),
) -> Result<Written, BackendError> {
    let source = carried.map_or_else(|| Source::Store(Arc::clone(&shared.store)), Source::Carried);
    let (to_ask, to_read) = (source.clone(), source);
    let Some(size) = blocking(move || to_ask.size(write)).await? else { return Ok(Written::Gone) };
    let kib = u32::try_from(size >> 10).unwrap_or(u32::MAX).min(MAX_UPLOADING_KIB);
    let Ok(_room) = shared.permits.uploading.acquire_many(kib).await else { return Ok(Written::Gone) };
    let whole = blocking(move || to_read.whole(write)).await?;
    let Some(Whole { record, entry, blobs }) = whole else { return Ok(Written::Gone) };
    let mut bytes = 0;
    if let Some((key, content)) = blobs {
        // Of one that was tried a part may be there.
        if is_first_try && has(&tier, &write.job, &key).await? {
            shared.stats.bump_named(Stat::RemoteShared, tier.name);
        } else {
            let guard = Arc::new(tier.guard.without_signatures());
            let Some(size) = pack_and_put(&tier, guard, &shared, (key, content)).await? else {
                return Ok(Written::NotPacked);
            };
            hold(&tier.lacking).remove(&key);
            bytes += size;
        }
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
    // What was suspect is replaced.
    hold(&tier.lacking).remove(&write.job);
    Ok(Written::Bytes(bytes))
}

/// Whether the remote has the blobs of a result already, from another one.
async fn has(tier: &Tier, job: &Digest, blobs: &Digest) -> Result<bool, BackendError> {
    let known = |key| hold(&tier.lacking).get(key);
    // What is there under this name may not be what it should be. Who reads knows; who only writes would never mend it.
    if !tier.mode.reads() || known(blobs).is_some() || known(job) == Some(true) {
        return Ok(false);
    }
    match within(WRITE_LIMIT, tier.backend.has(&tier.guard.name(blobs))).await {
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
