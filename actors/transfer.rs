//! Calls of remotes and how long each may take: what is written has a limit, what is read as long as it comes.
use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::breaker::transfer_limit;
use cachepot_storage::remote::sink::{Progress, Sink};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a remote may have to wait for us, in all: nobody waits for the result any more then.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Waits for an answer so long.
pub(crate) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, BackendError> {
    timeout(limit, call).await.unwrap_or_else(|_| Err(late()))
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

/// The time for which it had to wait for us does not count.
async fn while_it_comes<T>(
    call: impl Future<Output = Result<T, BackendError>>,
    progress: &Progress,
) -> Result<T, BackendError> {
    let began = Instant::now();
    let end = || began + transfer_limit(progress.bytes()) + progress.waited().min(LONGEST_WAIT);
    tokio::pin!(call);
    loop {
        let until = end();
        match timeout_at(until, &mut call).await {
            Ok(outcome) => return outcome,
            Err(_) if end() > until => {}
            // We are too slow ourselves.
            Err(_) if progress.waited() >= LONGEST_WAIT => return Err(BackendError::Unwanted),
            Err(_) => return Err(late()),
        }
    }
}

fn late() -> BackendError {
    BackendError::Unreachable("no answer in time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cachepot_storage::remote::backend::{Later, Rights};
    use std::io::Read;

    const MIB: usize = 1 << 20;

    /// Has so many MiB of everything; stops before the end where it is asked for `endless`.
    struct Fast(usize);

    impl Backend for Fast {
        fn name(&self) -> &str {
            "fast"
        }
        fn get<'a>(&'a self, key: &'a str, to: &'a mut Sink) -> Later<'a, bool> {
            Box::pin(async move {
                for _ in 0..self.0 {
                    to.take(&vec![7; MIB]).await?;
                }
                match key {
                    "endless" => std::future::pending().await,
                    "none" => Ok(false),
                    _ => Ok(true),
                }
            })
        }
        fn has<'a>(&'a self, key: &'a str) -> Later<'a, bool> {
            Box::pin(async move { Ok(key != "none") })
        }
        fn put<'a>(&'a self, _: &'a str, _: Vec<u8>) -> Later<'a, ()> {
            Box::pin(async { Ok(()) })
        }
        fn check(&self) -> Later<'_, Rights> {
            Box::pin(async { Ok(Rights::default()) })
        }
    }

    #[tokio::test]
    async fn a_remote_that_waits_for_us_is_not_late() {
        let (mut sink, mut pieces) = Sink::stream();
        let reader = tokio::task::spawn_blocking(move || {
            // Longer than a remote may take for as much as fits in between.
            std::thread::sleep(transfer_limit(6 * MIB as u64));
            pieces.read_to_end(&mut Vec::new()).unwrap()
        });
        assert_eq!(hand_on(&Fast(8), "value", &mut sink).await, Ok(Some(8 * MIB as u64)));
        assert_eq!(reader.await.unwrap(), 8 * MIB);
    }

    #[tokio::test]
    async fn one_that_stands_still_is_given_up_and_a_value_that_is_of_no_use_is_not_fetched_to_its_end() {
        let late = Err(BackendError::Unreachable("no answer in time".to_owned()));
        assert_eq!(hand_on(&Fast(1), "endless", &mut Sink::default()).await, late);
        assert_eq!(hand_on(&Fast(1), "none", &mut Sink::default()).await, Ok(None));
        let (mut sink, pieces) = Sink::stream();
        drop(pieces);
        assert_eq!(hand_on(&Fast(8), "endless", &mut sink).await, Ok(Some(MIB as u64)));
    }
}
