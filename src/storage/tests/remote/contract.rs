//! What every remote has to do, whatever its server is.
use std::io::Read;
use std::time::Duration;

use cachepot_storage::remote::backend::{Backend, BackendError, get_whole};
use cachepot_storage::remote::sink::Sink;

use crate::scripted::{Script, scripted};
use crate::server::{Server, free_port};

const KEY: &str = "0123-abc";

pub(crate) async fn get(backend: &dyn Backend, key: &str) -> Result<Option<Vec<u8>>, BackendError> {
    get_whole(backend, key).await
}

/// What is no text and does not shrink.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// A remote that is empty and may be written.
pub(crate) async fn keeps_values(backend: &dyn Backend) {
    assert_eq!(get(backend, KEY).await, Ok(None));
    assert_eq!(backend.has(KEY).await, Ok(false));
    for value in [b"one".to_vec(), b"another".to_vec(), vec![0], noise(70_000)] {
        backend.put(KEY, value.clone()).await.unwrap();
        assert_eq!(get(backend, KEY).await, Ok(Some(value)));
        assert_eq!(backend.has(KEY).await, Ok(true));
    }
    assert_eq!(backend.has("0123-abd").await, Ok(false));
    assert_eq!(get(backend, "0123-abd").await, Ok(None));
    let rights = backend.check().await.unwrap();
    assert!(rights.read && rights.write && rights.trouble.is_empty(), "{rights:?}");

    let large = noise(50 << 20);
    backend.put("large", large.clone()).await.unwrap();
    assert_eq!(backend.has("large").await, Ok(true));
    let mut sink = Sink::default();
    assert!(backend.get("large", &mut sink).await.unwrap());
    assert!(sink.progress().bytes() >= large.len() as u64);
    let found = sink.into_value();
    // Not `assert_eq`, which would print both.
    assert!(found == large, "{} of {} bytes", found.len(), large.len());
    hands_on(backend, "large", &large).await;
}

/// A large value, while it comes: to one who reads it slowly, and to one who has seen enough after the first bytes.
pub(crate) async fn hands_on(backend: &dyn Backend, key: &str, value: &[u8]) {
    let (mut sink, mut pieces) = Sink::stream();
    let progress = sink.progress();
    let expected = value.len();
    let reader = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(100));
        let (before, mut read) = (progress.bytes(), Vec::new());
        pieces.read_to_end(&mut read).unwrap();
        (before, read)
    });
    assert!(backend.get(key, &mut sink).await.unwrap());
    sink.end().await.unwrap();
    let (before, read) = reader.await.unwrap();
    assert!(read == value, "{} of {expected} bytes", read.len());
    assert!(before < expected as u64 / 2, "{before} of {expected} bytes had come before one was read");

    let (mut sink, pieces) = Sink::stream();
    drop(pieces);
    assert_eq!(backend.get(key, &mut sink).await, Err(BackendError::Unwanted));
    // Not all of it was fetched, and the next call is answered.
    assert!(sink.bytes() < expected as u64 / 2, "{} of {expected} bytes", sink.bytes());
    assert_eq!(get(backend, "0123-abd").await, Ok(None));
}

/// Neither read nor written, with a text that tells why and not the secret.
pub(crate) async fn is_refused(backend: &dyn Backend, reason: &str, secret: &str) {
    // Where the answer has no body it cannot tell why.
    let error = backend.has(KEY).await.unwrap_err();
    assert!(matches!(error, BackendError::Denied(_)) && !error.to_string().contains(secret), "{error:?}");
    takes_and_gives_nothing(backend, reason, secret).await;
}

/// The same, whatever is said when nothing is to be read or written.
pub(crate) async fn takes_and_gives_nothing(backend: &dyn Backend, reason: &str, secret: &str) {
    for refused in [get(backend, KEY).await.map(drop), backend.put(KEY, b"value".to_vec()).await] {
        let error = refused.unwrap_err();
        assert!(matches!(error, BackendError::Denied(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains(secret) && !backend.name().contains(secret), "{text}");
    }
    let rights = backend.check().await.unwrap();
    assert!(!rights.read && !rights.write && rights.trouble.contains(reason), "{rights:?}");
}

/// A server that dies, is away, and is there again; it may have lost what it knew, and then `prepare` helps.
pub(crate) async fn survives_its_death(
    backend: &dyn Backend,
    server: &mut Server,
    mut prepare: impl AsyncFnMut(&Server),
) {
    backend.put(KEY, b"before".to_vec()).await.unwrap();
    server.kill();
    for _ in 0..2 {
        for error in [get(backend, KEY).await.unwrap_err(), backend.has(KEY).await.unwrap_err()] {
            assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
        }
    }
    server.restart();
    prepare(server).await;
    backend.put(KEY, b"after".to_vec()).await.unwrap();
    assert_eq!(get(backend, KEY).await, Ok(Some(b"after".to_vec())));
}

/// Answers that no good server gives. `at` makes a remote of an address; its secret is `secret`.
pub(crate) async fn stands_bad_answers<B: Backend>(at: impl Fn(&str) -> B) {
    let length = |length: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc");
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 90\r\n\r\n<html>";
    let packed = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc";
    let throttled = |status| format!("HTTP/1.1 {status} X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    let wait = Some(Duration::from_secs(7));
    let moved = "HTTP/1.1 301 X\r\nLocation: http://other/?secret\r\nContent-Length: 0\r\n\r\n";
    let malformed = |text: &str| BackendError::Malformed(text.to_owned());
    for (answer, expected) in [
        (length("9"), malformed("the answer ends too early")),
        (html.to_owned(), malformed("a web page instead of a value")),
        (packed.to_owned(), malformed("somebody has packed the value anew")),
        (throttled(503), BackendError::Throttled { retry_after: wait }),
        (throttled(429), BackendError::Throttled { retry_after: wait }),
        (throttled(500), malformed("status 500")),
        (throttled(204), malformed("status 204")),
        ("SSH-2.0-OpenSSH\r\n\r\n".to_owned(), malformed("it does not speak HTTP")),
        (length("999999999999"), BackendError::TooLarge),
        (moved.to_owned(), BackendError::Denied("status 301, it sends us to other".to_owned())),
    ] {
        let backend = at(&scripted(vec![Script::Say(answer.clone()), Script::Say(answer.clone())]));
        assert_eq!(get(&backend, KEY).await, Err(expected.clone()), "{answer}");
        // The body alone is wrong.
        let is_there = answer.starts_with("HTTP/1.1 200 OK\r\nContent-Length: ");
        let expected = if is_there { Ok(true) } else { Err(expected) };
        assert_eq!(backend.has(KEY).await, expected, "{answer}");
    }
    let full = "HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n".to_owned();
    let address = scripted(vec![Script::Say(full)]);
    assert_eq!(at(&address).put(KEY, b"value".to_vec()).await, Err(BackendError::TooLarge));
    waits_for_nobody(at).await;
}

/// The caller's limit ends a call, and the next one is answered.
async fn waits_for_nobody<B: Backend>(at: impl Fn(&str) -> B) {
    let good = || Script::Say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc".to_owned());
    let slow = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_owned();
    let backend = at(&scripted(vec![Script::Silent, good(), Script::SayAndWait(slow), good()]));
    for bytes in [0, 3] {
        let mut sink = Sink::default();
        let limit = Duration::from_millis(200);
        tokio::time::timeout(limit, backend.get(KEY, &mut sink)).await.unwrap_err();
        assert_eq!(sink.progress().bytes() > 0, bytes > 0);
        assert_eq!(get(&backend, KEY).await, Ok(Some(b"abc".to_vec())));
    }
    let nobody = at(&format!("http://127.0.0.1:{}", free_port()));
    let refused = BackendError::Unreachable("nothing listens there".to_owned());
    assert_eq!(get(&nobody, KEY).await, Err(refused));
    let nowhere = at("http://no-such-host.invalid");
    let error = get(&nowhere, KEY).await.unwrap_err();
    assert_eq!(error, BackendError::Unreachable("the host `no-such-host.invalid` is not found".to_owned()));
}
