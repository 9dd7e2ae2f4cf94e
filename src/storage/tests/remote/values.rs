//! What every server that keeps values by key has to do.
use std::time::Duration;

use cachepot_storage::remote::backend::{Backend, BackendError, get_whole};
use cachepot_storage::remote::sink::Sink;

use crate::contract::hands_on;
use crate::server::Server;

pub(crate) const KEY: &str = "0123-abc";

pub(crate) async fn get(backend: &dyn Backend, key: &str) -> Result<Option<Vec<u8>>, BackendError> {
    get_whole(backend, key).await
}

/// What is no text and does not shrink; another for each seed.
pub(crate) fn noise(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// A remote that is empty and may be written.
pub(crate) async fn keeps_values(backend: &dyn Backend, sizes: &[usize]) {
    assert_eq!(get(backend, KEY).await, Ok(None));
    assert_eq!(backend.has(KEY).await, Ok(false));
    for value in [b"one".to_vec(), b"another".to_vec(), vec![0], b"\r\nEND\r\n".to_vec()] {
        backend.put(KEY, value.clone()).await.unwrap();
        assert_eq!(get(backend, KEY).await, Ok(Some(value)));
        assert_eq!(backend.has(KEY).await, Ok(true));
    }
    assert_eq!(backend.has("0123-abd").await, Ok(false));
    assert_eq!(get(backend, "0123-abd").await, Ok(None));
    let rights = backend.check().await.unwrap();
    assert!(rights.read && rights.write && rights.trouble.is_empty(), "{rights:?}");
    for size in sizes {
        let value = noise(*size, 1);
        backend.put(KEY, value.clone()).await.unwrap();
        assert_eq!(backend.has(KEY).await, Ok(true));
        let mut sink = Sink::default();
        assert!(backend.get(KEY, &mut sink).await.unwrap());
        assert!(sink.progress().bytes() >= *size as u64);
        let found = sink.into_value();
        // Not `assert_eq`, which would print both.
        assert!(found == value, "{} of {} bytes", found.len(), size);
        if *size > 10 << 20 {
            hands_on(backend, KEY, &value).await;
        }
    }
}

/// Neither read nor written, with a text that tells why and not the secret.
pub(crate) async fn is_refused(backend: &dyn Backend, reason: &str, secret: &str) {
    for refused in [
        get(backend, KEY).await.map(drop),
        backend.has(KEY).await.map(drop),
        backend.put(KEY, b"value".to_vec()).await,
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, BackendError::Denied(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains(secret) && !backend.name().contains(secret), "{text}");
    }
    let rights = backend.check().await.unwrap();
    assert!(!rights.read && !rights.write && rights.trouble.contains(reason), "{rights:?}");
}

/// A server that dies, is away, and is there again; and one that dies and returns unseen.
pub(crate) async fn survives_its_death(backend: &dyn Backend, server: &mut Server) {
    backend.put(KEY, b"before".to_vec()).await.unwrap();
    get(backend, KEY).await.unwrap();
    server.kill();
    for _ in 0..2 {
        let error = get(backend, KEY).await.unwrap_err();
        assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
    }
    for value in [b"after", b"later"] {
        server.restart();
        assert_eq!(get(backend, KEY).await, Ok(None));
        backend.put(KEY, value.to_vec()).await.unwrap();
        assert_eq!(get(backend, KEY).await, Ok(Some(value.to_vec())));
        server.kill();
    }
    server.restart();
    assert_eq!(backend.has(KEY).await, Ok(false));
}

/// The caller's limit ends calls that nobody answers, and what would have been answered reaches no other call.
pub(crate) async fn waits_for_nobody(backend: &dyn Backend, server: &Server) {
    backend.put("a", b"of a".to_vec()).await.unwrap();
    backend.put("b", noise(3 << 20, 2)).await.unwrap();
    get(backend, "a").await.unwrap();
    server.stop();
    let limit = Duration::from_millis(150);
    for _ in 0..3 {
        tokio::time::timeout(limit, get(backend, "a")).await.unwrap_err();
        tokio::time::timeout(limit, backend.has("a")).await.unwrap_err();
        tokio::time::timeout(limit, backend.put("c", noise(3 << 20, 3))).await.unwrap_err();
    }
    server.go_on();
    assert_eq!(get(backend, "d").await, Ok(None));
    assert!(get(backend, "b").await == Ok(Some(noise(3 << 20, 2))));
    assert_eq!(get(backend, "a").await, Ok(Some(b"of a".to_vec())));
    // Given up at any moment.
    for micros in (0..6000).step_by(150) {
        let _ = tokio::time::timeout(Duration::from_micros(micros), get(backend, "b")).await;
        let _ = tokio::time::timeout(Duration::from_micros(micros), backend.has("b")).await;
        let _ = tokio::time::timeout(Duration::from_micros(micros), get(backend, "a")).await;
        assert_eq!(get(backend, "a").await, Ok(Some(b"of a".to_vec())));
    }
}

/// Calls beside each other do not get each other's answers.
pub(crate) async fn serves_many(backend: &'static dyn Backend) {
    let tasks = (0..30_u32).map(|number| {
        tokio::spawn(async move {
            let (key, value) = (format!("many-{number}"), noise(100_000, number));
            backend.put(&key, value.clone()).await.unwrap();
            assert!(get(backend, &key).await == Ok(Some(value)));
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}
