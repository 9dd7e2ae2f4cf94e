//! Something that ends and is then fetched anew: a token, temporary credentials.
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;

use super::super::backend::BackendError;

/// It is fetched anew this long before it ends.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// See the file's head.
pub(in super::super) struct Renewed<T>(Arc<Mutex<Option<Held<T>>>>);

struct Held<T> {
    value: T,
    /// When it is fetched anew, and when it is of no use any more; `None` is never.
    times: Option<(SystemTime, SystemTime)>,
}

impl<T> Default for Renewed<T> {
    fn default() -> Self {
        Renewed(Arc::default())
    }
}

impl<T: Clone + Send + 'static> Renewed<T> {
    /// The value, fetched where there is none or it ends soon. `fetch` tells when the value ends.
    ///
    /// A fetch is a task of its own: a caller who gives up must not undo it, else a slow source would never be heard. So
    /// whatever fetches needs a time limit of its own.
    pub(in super::super) async fn get<F>(&self, fetch: F) -> Result<T, BackendError>
    where
        F: Future<Output = Result<(T, Option<SystemTime>), BackendError>> + Send + 'static,
    {
        if let Ok(held) = self.0.try_lock()
            && let Some(value) = fresh(held.as_ref())
        {
            return Ok(value);
        }
        let held = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            // One at a time; those who waited find what the first has fetched.
            let mut held = held.lock().await;
            if let Some(value) = fresh(held.as_ref()) {
                return Ok(value);
            }
            match (fetch.await, held.take()) {
                (Ok((value, ends)), _) => {
                    *held = Some(Held { value: value.clone(), times: ends.map(times) });
                    Ok(value)
                }
                (Err(error), Some(old)) => {
                    let value = old.value.clone();
                    let is_good = old.times.is_none_or(|(_, ends)| SystemTime::now() < ends);
                    *held = Some(old);
                    if is_good { Ok(value) } else { Err(error) }
                }
                (Err(error), None) => Err(error),
            }
        });
        task.await.unwrap_or_else(|_| Err(BackendError::Unreachable("the fetch of a token ended".to_owned())))
    }

    /// Drops the value, which a server has refused.
    pub(in super::super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

fn fresh<T: Clone>(held: Option<&Held<T>>) -> Option<T> {
    let held = held.filter(|held| held.times.is_none_or(|(until, _)| SystemTime::now() < until))?;
    Some(held.value.clone())
}

/// Half of a short life is used before the next is asked for.
fn times(ends: SystemTime) -> (SystemTime, SystemTime) {
    let left = ends.duration_since(SystemTime::now()).unwrap_or_default();
    (ends.checked_sub(AHEAD.min(left / 2)).unwrap_or(ends), ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn in_seconds(seconds: u64) -> Option<SystemTime> {
        Some(SystemTime::now() + Duration::from_secs(seconds))
    }

    fn refused() -> BackendError {
        BackendError::Denied(String::new())
    }

    #[tokio::test]
    async fn t270_what_ends_soon_is_fetched_anew() {
        let renewed = Renewed::default();
        assert_eq!(renewed.get(async { Ok((1, Some(SystemTime::now()))) }).await, Ok(1));
        assert_eq!(renewed.get(async { Err(refused()) }).await, Err(refused()));
        assert_eq!(renewed.get(async { Ok((2, in_seconds(400))) }).await, Ok(2));
        assert_eq!(renewed.get(async { Ok((3, None)) }).await, Ok(2));
        renewed.forget().await;
        assert_eq!(renewed.get(async { Err(refused()) }).await, Err(refused()));
        assert_eq!(renewed.get(async { Ok((4, None)) }).await, Ok(4));
    }

    #[test]
    fn it_is_fetched_five_minutes_before_its_end_or_after_half_its_life() {
        for (left, ahead) in [(3600, 300), (600, 300), (100, 50), (0, 0)] {
            let ends = in_seconds(left).unwrap();
            let before = ends.duration_since(times(ends).0).unwrap();
            assert!(
                before.abs_diff(Duration::from_secs(ahead)) < Duration::from_secs(1),
                "{left}: {before:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_still_good_is_used_while_nothing_newer_comes() {
        let renewed = Renewed::default();
        let value = Held { value: 1, times: in_seconds(0).zip(in_seconds(60)) };
        *renewed.0.lock().await = Some(value);
        assert_eq!(renewed.get(async { Err(refused()) }).await, Ok(1));
        assert_eq!(renewed.get(async { Ok((2, None)) }).await, Ok(2));
    }

    #[tokio::test]
    async fn a_caller_who_gives_up_does_not_undo_the_fetch() {
        let (renewed, fetches) = (Renewed::default(), Arc::new(AtomicU32::new(0)));
        let fetch = || {
            let fetches = Arc::clone(&fetches);
            async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok((fetches.fetch_add(1, Ordering::Relaxed), None))
            }
        };
        tokio::time::timeout(Duration::from_millis(10), renewed.get(fetch())).await.unwrap_err();
        let both = tokio::join!(renewed.get(fetch()), renewed.get(fetch()));
        assert_eq!((both, fetches.load(Ordering::Relaxed)), ((Ok(0), Ok(0)), 1));
    }
}
