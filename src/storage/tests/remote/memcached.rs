//! Against memcached.
use crate::cases::{behaves, black_hole, get, holds_50_mib, is_left_when_silent, run};
use crate::contract::noise;
use crate::server::{Server, command_line};
use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::memcached::{Memcached, MemcachedSettings};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PROGRAM: [&str; 8] = ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", "{port}", "-m"];

fn server(words: &'static [&str]) -> Server {
    Server::start(move |port, folder| command_line(&[&PROGRAM[..], &["256"], words].concat(), port, folder))
}

fn settings(places: &[String]) -> MemcachedSettings {
    let (servers, key_prefix) = (places.to_vec(), "cc:".to_owned());
    MemcachedSettings { servers, key_prefix, expiry: None, credentials: None }
}

fn place(server: &Server) -> String {
    format!("tcp://127.0.0.1:{}", server.port)
}

/// What the server says to a line.
fn tell(server: &Server, line: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.write_all(format!("{line}\r\nquit\r\n").as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn t275_one_server_and_two() {
    let (one, two) = (server(&[]), server(&[]));
    run(behaves(&Memcached::new(settings(&[place(&one)])).unwrap()));
    assert!(tell(&one, "get cc:cachepot-check").contains("VALUE"));
    assert_eq!(tell(&one, "flush_all"), "OK\r\n");
    let both = Memcached::new(settings(&[place(&one), place(&two)])).unwrap();
    run(behaves(&both));
    let items = |server: &Server| {
        let said = tell(server, "stats");
        said.lines().find_map(|line| line.strip_prefix("STAT total_items ")?.parse::<u64>().ok()).unwrap()
    };
    assert!(items(&one) > 5 && items(&two) > 5, "{} and {}", items(&one), items(&two));
}

#[test]
fn t275_long_values_are_cut_and_come_back_whole_or_not_at_all() {
    let server = server(&[]);
    let memcached = Memcached::new(settings(&[place(&server)])).unwrap();
    run(holds_50_mib(&memcached));
    run(async {
        for size in [999_999, 1_000_000, 1_000_001, 2_000_000] {
            memcached.put("a", noise(size)).await.unwrap();
            assert!(get(&memcached, "a").await.unwrap().unwrap() == noise(size), "{size}");
        }
        memcached.put("b", noise(3_000_000)).await.unwrap();
        // A piece of another write.
        memcached.put("c", vec![7; 3_000_000]).await.unwrap();
        let piece = tell(&server, "get cc:c.1");
        let piece = piece.split_once("\r\n").unwrap().1.strip_suffix("\r\nEND\r\n").unwrap();
        assert_eq!(tell(&server, &format!("set cc:b.1 0 0 {}\r\n{piece}", piece.len())), "STORED\r\n");
        let mixed = memcached.get("b", &Default::default()).await;
        assert_eq!(mixed, Ok(None));
        assert_eq!(tell(&server, "delete cc:c.2"), "DELETED\r\n");
        assert_eq!(memcached.get("c", &Default::default()).await, Ok(None));
        // Heads and items of others.
        for junk in ["", "x", "\u{1}", "\u{1}short"] {
            tell(&server, &format!("set cc:d 0 0 {}\r\n{junk}", junk.len()));
            assert_eq!(get(&memcached, "d").await, Ok(None), "{junk:?}");
        }
    });
}

#[test]
fn a_server_with_a_smaller_limit_skips_what_is_too_large() {
    let server = server(&["-I", "512k"]);
    let memcached = Memcached::new(settings(&[place(&server)])).unwrap();
    run(async {
        assert_eq!(memcached.put("a", noise(800_000)).await, Err(BackendError::TooLarge));
        memcached.put("a", noise(1000)).await.unwrap();
        assert!(get(&memcached, "a").await.unwrap().unwrap() == noise(1000));
    });
}

#[test]
fn users_and_passwords() {
    let server = Server::start(|port, folder| {
        std::fs::write(folder.join("users"), "cache:s3cret\n").unwrap();
        command_line(&[&PROGRAM[..], &["64", "-Y", "{folder}/users"]].concat(), port, folder)
    });
    let with = |credentials: Option<(&str, &str)>| {
        let credentials = credentials.map(|(user, password)| (user.to_owned(), password.to_owned()));
        Memcached::new(MemcachedSettings { credentials, ..settings(&[place(&server)]) }).unwrap()
    };
    run(behaves(&with(Some(("cache", "s3cret")))));
    for wrong in [None, Some(("cache", "wr0ng"))] {
        let rights = run(with(wrong).check()).unwrap();
        assert!(!rights.read && !rights.write && !rights.trouble.contains("wr0ng"), "{rights:?}");
    }
}

#[test]
fn a_server_that_went_away_and_came_back_is_used_again() {
    let mut server = server(&[]);
    let memcached = Memcached::new(settings(&[place(&server)])).unwrap();
    run(async {
        memcached.put("a", b"1".to_vec()).await.unwrap();
        server.kill();
        assert!(matches!(get(&memcached, "a").await, Err(BackendError::Unreachable(_))));
        server.restart();
        assert_eq!(get(&memcached, "a").await, Ok(None));
        memcached.put("a", b"2".to_vec()).await.unwrap();
        // The connection that waits is closed at the other end.
        server.kill();
        server.restart();
        assert_eq!(get(&memcached, "a").await, Ok(None));
        memcached.put("a", b"3".to_vec()).await.unwrap();
        server.signal("STOP");
        is_left_when_silent(&memcached).await;
        server.signal("CONT");
        assert_eq!(get(&memcached, "a").await.unwrap().unwrap(), b"3");
    });
}

#[test]
fn t266_a_silent_server_keeps_nobody() {
    let (_listener, port) = black_hole();
    run(is_left_when_silent(&Memcached::new(settings(&[format!("127.0.0.1:{port}")])).unwrap()));
}

#[test]
fn t275_values_expire_when_asked_to() {
    let server = server(&[]);
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600));
    for (expiry, expected) in [(days(1), 86_400), (days(30), 30 * 86_400), (days(60), 60 * 86_400)] {
        let memcached = Memcached::new(MemcachedSettings { expiry, ..settings(&[place(&server)]) }).unwrap();
        run(memcached.put("a", vec![1])).unwrap();
        // Meta get: the seconds that are left.
        let said = tell(&server, "mg cc:a t");
        let left: i64 = said.lines().next().unwrap().strip_prefix("HD t").unwrap().parse().unwrap();
        assert!((expected - 60..=expected).contains(&left), "{said}");
    }
}

#[test]
fn t277_settings_that_cannot_be_used_are_refused() {
    for (servers, key_prefix) in [(vec![], ""), (vec!["http://h"], ""), (vec!["h"], "a b"), (vec!["h"], "ä")]
    {
        let servers: Vec<String> = servers.into_iter().map(str::to_owned).collect();
        let settings = MemcachedSettings { key_prefix: key_prefix.to_owned(), ..settings(&servers) };
        assert!(Memcached::new(settings).is_err(), "{servers:?} {key_prefix}");
    }
}
