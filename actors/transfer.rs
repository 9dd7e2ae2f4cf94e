//! How long a RemoteStorageActor waits for its remote.
use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::breaker::transfer_limit;
use cachepot_storage::remote::sink::{Progress, Sink};
use std::time::Duration;

/// How long a remote may have to wait for us, in all: nobody waits for the result any more then.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Waits for a call that may take so long.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
}

/// Gives what a remote has to `to`, as long as it comes fast enough: how many bytes.
pub(crate) async fn hand_on(
    backend: &dyn Backend,
    name: &str,
    to: &mut Sink,
) -> Result<Option<u64>, BackendError> {
    let progress = to.progress();
    let give = async {
        let is_there = backend.get(name, to).await?;
        if is_there {
            to.end().await?;
        }
        Ok(is_there)
    };
    match while_it_comes(give, &progress).await {
        // It was there; that it is of no use says nothing of the remote.
        Ok(true) | Err(BackendError::Unwanted) => Ok(Some(to.bytes())),
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Waits for an answer as long as it comes fast enough. The time for which it had to wait for us does not count.
async fn while_it_comes<T>(
    call: impl Future<Output = Result<T, BackendError>>,
    progress: &Progress,
) -> Result<T, BackendError> {
    let began = tokio::time::Instant::now();
    let end = || began + transfer_limit(progress.bytes()) + progress.waited().min(LONGEST_WAIT);
    tokio::pin!(call);
    loop {
        let until = end();
        match tokio::time::timeout_at(until, &mut call).await {
            Ok(outcome) => return outcome,
            Err(_) if end() > until => {}
            Err(_) => return Err(late()),
        }
    }
}

fn late() -> BackendError {
    BackendError::Unreachable("no answer in time".to_owned())
}
