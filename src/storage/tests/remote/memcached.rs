//! Memcached, against `memcached`.
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::memcached::{Memcached, MemcachedSettings};

use crate::server::{SOCKET, Server};
use crate::values::{
    KEY, get, is_refused, keeps_values, noise, serves_many, survives_its_death, waits_for_nobody,
};

const SECRET: &str = "s3cret";
/// What a large value is cut into.
const CHUNK: usize = 998_976;

fn memcached(options: &'static [&'static str]) -> Server {
    Server::start(move |port, _| {
        let mut command = Command::new("memcached");
        // It refuses to be root unless it is told to.
        command.args(["-u", "root", "-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0"]).args(options);
        command
    })
}

fn with_password() -> Server {
    Server::start(|port, folder| {
        fs::write(folder.join("users"), format!("user:{SECRET}\n")).unwrap();
        let mut command = Command::new("memcached");
        command.args(["-u", "root", "-l", "127.0.0.1", "-p", &port.to_string(), "-U", "0", "-Y"]);
        command.arg(folder.join("users"));
        command
    })
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port)
}

fn at(servers: &[&str]) -> Memcached {
    new(servers, |_| ())
}

fn new(servers: &[&str], change: impl FnOnce(&mut MemcachedSettings)) -> Memcached {
    let servers = servers.iter().map(|server| (*server).to_owned()).collect();
    let mut settings = MemcachedSettings { servers, ..MemcachedSettings::default() };
    change(&mut settings);
    Memcached::new(settings).unwrap()
}

#[tokio::test]
async fn t275_values_of_each_size_are_kept() {
    let server = memcached(&[]);
    let backend = at(&[&format!("tcp://{}", address(&server))]);
    assert_eq!(backend.name(), format!("Memcached: 127.0.0.1:{}", server.port));
    let sizes = [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1_000_000, 1 << 20, 5 << 20, 20 << 20];
    keeps_values(&backend, &sizes).await;
    backend.put(KEY, Vec::new()).await.unwrap();
    assert_eq!(get(&backend, KEY).await, Ok(Some(Vec::new())));
    let fifty = memcached(&["-m", "200"]);
    keeps_values(&at(&[&address(&fifty)]), &[50 << 20]).await;
}

#[tokio::test]
async fn t275_keys_of_each_form_are_taken() {
    let server = memcached(&[]);
    let long = "p".repeat(300);
    let prefixes = ["", "a:", "a b", "ä/", "\r\nflush_all\r\n", &long];
    for prefix in prefixes {
        let backend = new(&[&address(&server)], |settings| settings.key_prefix = prefix.to_owned());
        backend.put(KEY, prefix.as_bytes().to_vec()).await.unwrap();
        backend.put("large", noise(2_000_000, 1)).await.unwrap();
    }
    for prefix in prefixes {
        let backend = new(&[&address(&server)], |settings| settings.key_prefix = prefix.to_owned());
        assert_eq!(get(&backend, KEY).await, Ok(Some(prefix.as_bytes().to_vec())), "{prefix}");
        assert!(get(&backend, "large").await == Ok(Some(noise(2_000_000, 1))), "{prefix}");
    }
}

#[tokio::test]
async fn what_is_not_whole_is_not_there() {
    let server = memcached(&[]);
    let backend = at(&[&address(&server)]);
    let value = noise(3_000_000, 1);
    let set = |key: &str, value: &str| format!("set {key} 0 0 {}\r\n{value}\r\n", value.len());
    let last = set("0123-abc.3", &"x".repeat(3_000_000 - 3 * CHUNK));
    for damage in [
        // A chunk is gone, or of another writing, or longer, or the value has shrunk.
        "delete 0123-abc.0\r\n".to_owned(),
        "delete 0123-abc.3\r\n".to_owned(),
        set("0123-abc.1", &"x".repeat(CHUNK)),
        last,
        set("0123-abc.1", &"x".repeat(CHUNK + 1)),
        set("0123-abc.2", ""),
        // No head.
        set(KEY, ""),
        set(KEY, "\u{1}"),
        set(KEY, "\u{1}0123456789"),
        set(KEY, "\u{2}value"),
        set(KEY, "value"),
    ] {
        backend.put(KEY, value.clone()).await.unwrap();
        assert!(get(&backend, KEY).await == Ok(Some(value.clone())));
        let answer = server.say(&format!("{damage}quit\r\n"));
        assert!(["STORED\r\n", "DELETED\r\n"].contains(&answer.as_str()), "{answer}");
        assert_eq!(get(&backend, KEY).await, Ok(None), "{:.30}", damage);
    }
    // Heads that ask for much.
    for (chunks, length, too_large) in [(1, u64::MAX, true), (4096, 1 << 20, false), (u32::MAX, 1, false)] {
        let head = [&[1], &u32::to_le_bytes(chunks)[..], &u64::to_le_bytes(length), &[0; 32]].concat();
        let address = scripted([format!("VALUE {KEY} 0 45\r\n").as_bytes(), &head, b"\r\nEND\r\n"].concat());
        let expected = if too_large { Err(BackendError::TooLarge) } else { Ok(None) };
        let found = get(&at(&[&address]), KEY).await;
        assert!(found == expected || matches!(found, Err(BackendError::Unreachable(_))), "{found:?}");
    }
}

#[tokio::test]
async fn t284_who_may_not_is_told_so() {
    let server = with_password();
    let with = |user: &str, password: &str| {
        new(&[&address(&server)], |settings| {
            settings.username = Some(user.to_owned());
            settings.password = Some(password.to_owned());
        })
    };
    keeps_values(&with("user", SECRET), &[1 << 20, 5 << 20]).await;
    is_refused(&with("user", "wrong"), "it does not accept this user and password", "wrong").await;
    is_refused(&with("nobody", SECRET), "it does not accept this user", SECRET).await;
    is_refused(&at(&[&address(&server)]), "it wants a user and a password", SECRET).await;
    // One that wants no password does not get it.
    let open = memcached(&[]);
    let backend = new(&[&address(&open)], |settings| {
        settings.username = Some("user".to_owned());
        settings.password = Some(SECRET.to_owned());
    });
    keeps_values(&backend, &[]).await;
    assert_eq!(open.say("get auth\r\nquit\r\n"), "END\r\n");
    // One of two is enough.
    let rights = at(&[&address(&open), &address(&server)]).check().await.unwrap();
    assert!(!rights.read && !rights.write && rights.trouble.contains(&address(&server)), "{rights:?}");
}

#[tokio::test]
async fn a_socket_file_is_a_place() {
    let server = Server::start(|_, folder| {
        let mut command = Command::new("memcached");
        command.args(["-u", "root", "-s"]).arg(folder.join(SOCKET));
        command
    });
    let path = server.folder.path().join(SOCKET);
    keeps_values(&at(&[&format!("unix://{}", path.display())]), &[5 << 20]).await;
    let error = get(&at(&["unix:///not/there.sock"]), KEY).await.unwrap_err();
    assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn t275_what_is_old_goes() {
    let server = memcached(&[]);
    for days in [1, 30, 31, 400] {
        let span = Duration::from_secs(days * 86_400);
        let backend = new(&[&address(&server)], |settings| settings.expiry = Some(span));
        backend.put(KEY, b"value".to_vec()).await.unwrap();
        let answer = server.say(&format!("mg {KEY} t\r\nquit\r\n"));
        let left: u64 = answer.trim().strip_prefix("HD t").unwrap().parse().unwrap();
        // The server's clock ticks once in a second.
        assert!((span.as_secs() - 5..span.as_secs() + 2).contains(&left), "{left} of {}", span.as_secs());
    }
    let backend = new(&[&address(&server)], |settings| settings.expiry = Some(Duration::from_secs(1)));
    backend.put(KEY, b"value".to_vec()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(get(&backend, KEY).await, Ok(None));
}

#[tokio::test]
async fn whoever_asks_for_a_value_lets_its_time_begin_anew() {
    let server = memcached(&[]);
    let left = |key: &str| {
        let answer = server.say(&format!("mg {key} t\r\nquit\r\n"));
        answer.trim().strip_prefix("HD t").unwrap().parse::<i64>().unwrap()
    };
    for (days, expected) in [(Some(1), 1001..=86_401), (Some(400), 1001..=400 * 86_400 + 1), (None, -1..=-1)]
    {
        let expiry = days.map(|days| Duration::from_secs(days * 86_400));
        let backend = new(&[&address(&server)], |settings| settings.expiry = expiry);
        for (size, parts) in [(5, &[""][..]), (2 * CHUNK + 1, &["", ".0", ".1", ".2"])] {
            let (name, value) = (format!("{days:?}-{size}"), noise(size, 1));
            backend.put(&name, value.clone()).await.unwrap();
            for part in parts {
                assert_eq!(server.say(&format!("touch {name}{part} 1000\r\nquit\r\n")), "TOUCHED\r\n");
            }
            assert_eq!(backend.has(&name).await, Ok(true));
            for part in parts {
                let left = left(&format!("{name}{part}"));
                assert!(expected.contains(&left), "{name}{part}: {left}");
            }
            assert!(get(&backend, &name).await == Ok(Some(value)));
        }
        assert_eq!(backend.has("other").await, Ok(false));
    }
}

#[tokio::test]
async fn a_server_may_die_and_return() {
    let mut server = memcached(&[]);
    let backend = at(&[&address(&server)]);
    survives_its_death(&backend, &mut server).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_nobody() {
    let server = with_password();
    let backend = new(&[&address(&server)], |settings| {
        settings.username = Some("user".to_owned());
        settings.password = Some(SECRET.to_owned());
    });
    waits_for_nobody(&backend, &server).await;
}

#[tokio::test]
async fn few_connections_are_kept() {
    let server = memcached(&[]);
    serves_many(Box::leak(Box::new(at(&[&address(&server)])))).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stats = server.say("stats\r\nquit\r\n");
    let open = stats.lines().find_map(|line| line.strip_prefix("STAT curr_connections ")).unwrap();
    // Four, the one that asks, and those on which the server listens.
    assert!(open.parse::<u32>().unwrap() <= 7, "{open}");
}

#[tokio::test]
async fn two_servers_share_the_keys() {
    let (one, mut other) = (memcached(&[]), memcached(&[]));
    let (first, second) = (address(&one), address(&other));
    let backend = at(&[&first, &second]);
    keeps_values(&backend, &[5 << 20]).await;
    for number in 0..40 {
        backend.put(&format!("key-{number}"), vec![number]).await.unwrap();
    }
    let turned = at(&[&second, &first, &second]);
    let mut here = Vec::new();
    for number in 0..40 {
        assert_eq!(get(&turned, &format!("key-{number}")).await, Ok(Some(vec![number])));
        if one.say(&format!("get key-{number}\r\nquit\r\n")) != "END\r\n" {
            here.push(number);
        }
    }
    assert!((8..32).contains(&here.len()), "{here:?}");
    other.kill();
    for number in 0..40 {
        match get(&backend, &format!("key-{number}")).await {
            Ok(value) => assert!(here.contains(&number) && value == Some(vec![number])),
            Err(BackendError::Unreachable(text)) => assert!(text.starts_with(&second), "{text}"),
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(matches!(backend.check().await, Err(BackendError::Unreachable(_))));
}

#[tokio::test]
async fn a_server_has_limits() {
    let small = memcached(&["-I", "512k"]);
    let backend = at(&[&address(&small)]);
    assert_eq!(backend.put(KEY, noise(900_000, 1)).await, Err(BackendError::TooLarge));
    assert_eq!(backend.put(KEY, noise(5_000_000, 1)).await, Err(BackendError::TooLarge));
    keeps_values(&backend, &[300_000]).await;
    // It evicts, so that old values are gone and new ones are there.
    let evicts = memcached(&["-m", "16"]);
    let backend = at(&[&address(&evicts)]);
    for number in 0..30 {
        backend.put(&format!("key-{number}"), noise(2_000_000, number)).await.unwrap();
    }
    assert_eq!(get(&backend, "key-0").await, Ok(None));
    assert!(get(&backend, "key-29").await == Ok(Some(noise(2_000_000, 29))));
    // It does not: that is its own trouble, and what is there can be read.
    let full = memcached(&["-m", "16", "-M"]);
    let backend = at(&[&address(&full)]);
    let mut outcome = Ok(());
    for number in 0..30 {
        outcome = outcome.and(backend.put(&format!("key-{number}"), noise(2_000_000, number)).await);
    }
    let error = outcome.unwrap_err();
    assert!(
        matches!(&error, BackendError::Full(text) if text.to_lowercase().contains("out of memory")),
        "{error:?}"
    );
    assert!(get(&backend, "key-0").await == Ok(Some(noise(2_000_000, 0))));
}

/// A server that answers the first line that it hears, and hangs up.
fn scripted(answer: impl Into<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = answer.into();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
        stream.write_all(&answer).unwrap();
    });
    address
}

#[tokio::test]
async fn bad_answers_are_told_apart() {
    let malformed = |text: &str| BackendError::Malformed(text.to_owned());
    let unreachable = || BackendError::Unreachable("it has hung up".to_owned());
    let long = "x".repeat(10_000);
    for (answer, expected) in [
        ("HTTP/1.1 400 Bad Request\r\n", malformed("HTTP/1.1 400 Bad Request")),
        ("-ERR unknown command\n", malformed("it speaks another protocol")),
        ("\u{0}\u{1}", malformed("it speaks another protocol")),
        (&long, malformed("it speaks another protocol")),
        ("VALUE other 0 3\r\nabc\r\nEND\r\n", malformed("not the value of the key")),
        ("VALUE 0123-abc 0 -3\r\nabc\r\nEND\r\n", malformed("not the value of the key")),
        ("VALUE 0123-abc 0 2\r\nabc\r\nEND\r\n", malformed("not the value of the key")),
        ("VALUE 0123-abc 0 3\r\nabc\r\nVALUE x\r\n", malformed("not the value of the key")),
        ("VALUE 0123-abc 0 3\r\nabc\r\n", unreachable()),
        ("VALUE 0123-abc 0 9\r\nabc", unreachable()),
        ("", unreachable()),
        ("VALUE 0123-abc 0 99999999999\r\n", BackendError::TooLarge),
        ("SERVER_ERROR \u{1b}[31mbusy\r\n", malformed("SERVER_ERROR [31mbusy")),
        ("ERROR Too many open connections\r\n", BackendError::Throttled { retry_after: None }),
    ] {
        let address = scripted(answer);
        let expected = match expected {
            BackendError::Malformed(text) => BackendError::Malformed(format!("{address}: {text}")),
            BackendError::Unreachable(text) => BackendError::Unreachable(format!("{address}: {text}")),
            other => other,
        };
        assert_eq!(get(&at(&[&address]), KEY).await, Err(expected), "{answer:.60}");
    }
}
