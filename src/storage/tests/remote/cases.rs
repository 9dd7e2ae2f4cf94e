//! What every remote must do that is not spoken to in HTTP.
use crate::contract::noise;
use cachepot_storage::remote::backend::{Backend, BackendError, Progress, Rights};
use std::net::TcpListener;
use std::time::Duration;

/// How long anything here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs a future to its end.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, future).await.expect("in time") })
}

/// A value, with how much was told to have come.
pub(crate) async fn get(backend: &dyn Backend, key: &str) -> Result<Option<Vec<u8>>, BackendError> {
    let progress = Progress::default();
    let value = backend.get(key, &progress).await?;
    assert_eq!(progress.bytes(), value.as_ref().map_or(0, Vec::len) as u64, "progress of {key}");
    Ok(value)
}

/// All that holds of a remote which may be read and written.
pub(crate) async fn behaves(backend: &dyn Backend) {
    let both = Rights { read: true, write: true, trouble: String::new() };
    assert_eq!(backend.check().await, Ok(both));
    let key = "00000000000000000000000000000000000000000000000000000000000000a1";
    let other = "ff000000000000000000000000000000000000000000000000000000000000a1";
    assert_eq!(get(backend, key).await, Ok(None));
    for size in [1, 2, 1000, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, (1 << 20) + 1, 5 << 20] {
        let value = noise(size);
        backend.put(key, value.clone()).await.unwrap();
        assert!(get(backend, key).await.unwrap() == Some(value), "{size} bytes");
    }
    backend.put(key, b"short again".to_vec()).await.unwrap();
    assert_eq!(get(backend, key).await.unwrap().unwrap(), b"short again");
    assert_eq!(get(backend, other).await, Ok(None));
    many_at_once(backend).await;
}

/// Requests at the same time do not mix their answers.
async fn many_at_once(backend: &dyn Backend) {
    let key = |n: usize| format!("{n:064x}");
    let (put, got) = tokio::join!(
        async {
            for n in 100..120 {
                backend.put(&key(n), noise(n * 100)).await.unwrap();
            }
        },
        async {
            for n in 200..220 {
                assert_eq!(get(backend, &key(n)).await, Ok(None));
            }
        }
    );
    assert_eq!((put, got), ((), ()));
    let (one, other) = (key(105), key(119));
    let (one, other) = tokio::join!(get(backend, &one), get(backend, &other));
    assert!(one.unwrap().unwrap() == noise(10_500) && other.unwrap().unwrap() == noise(11_900));
}

/// A large value comes back, and its progress is told on the way.
pub(crate) async fn holds_50_mib(backend: &dyn Backend) {
    let value = noise(50 << 20);
    backend.put("50", value.clone()).await.unwrap();
    assert!(get(backend, "50").await.unwrap() == Some(value));
}

/// A remote that takes connections and never answers keeps nobody: not this call, and not the next one.
pub(crate) async fn is_left_when_silent(backend: &dyn Backend) {
    for _ in 0..3 {
        let progress = Progress::default();
        let late = tokio::time::timeout(Duration::from_millis(100), backend.get("a", &progress)).await;
        assert!(late.is_err(), "an answer from nobody: {late:?}");
    }
}

/// A listener that takes connections and never answers, and its port.
pub(crate) fn black_hole() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}
