//! Against redis-server.
use crate::cases::{behaves, black_hole, get, holds_50_mib, is_left_when_silent, run};
use crate::server::{Server, command_line};
use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::redis::{Redis, RedisSettings};
use std::process::Command;
use std::time::Duration;

const PROGRAM: [&str; 9] =
    ["redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "{folder}"];

#[rustfmt::skip]
const TLS: [&str; 12] = [
    "--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no", "--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem",
    "--tls-ca-cert-file", "cert.pem",
];
/// Signed by itself, for `localhost`.
#[rustfmt::skip]
const MAKE_CERTIFICATE: [&str; 18] = [
    "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
    "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem",
];

fn server(words: &'static [&str]) -> Server {
    Server::start(move |port, folder| {
        command_line(&[&PROGRAM[..], &["--port", "{port}"], words].concat(), port, folder)
    })
}

fn settings(url: String) -> RedisSettings {
    RedisSettings { url, key_prefix: String::new(), expiry: None, ca_file: None, cluster: false }
}

fn redis(url: String) -> Redis {
    Redis::new(settings(url)).unwrap()
}

/// What `redis-cli` says.
fn ask(server: &Server, words: &[&str]) -> String {
    let port = server.port.to_string();
    let said =
        Command::new("redis-cli").args(["-p", &port, "--no-auth-warning"]).args(words).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

#[test]
fn t274_without_and_with_a_password() {
    let open = server(&[]);
    run(behaves(&redis(format!("redis://127.0.0.1:{}", open.port))));
    run(holds_50_mib(&redis(format!("redis://127.0.0.1:{}/1", open.port))));
    let closed = server(&["--requirepass", "s3cret", "--unixsocket", "{folder}/r.sock"]);
    let port = closed.port;
    run(behaves(&redis(format!("redis://:s3cret@127.0.0.1:{port}/3"))));
    let socket = closed.folder.path().join("r.sock");
    run(behaves(&redis(format!("unix://{}?db=4&pass=s3cret", socket.display()))));
    for url in [format!("redis://127.0.0.1:{port}"), format!("redis://:wr0ng@127.0.0.1:{port}")] {
        let refused = run(redis(url).check()).unwrap();
        assert!(!refused.read && !refused.write, "{refused:?}");
        assert!(!refused.trouble.contains("wr0ng") && refused.trouble.contains("refuses"), "{refused:?}");
    }
    let no_such_db = run(redis(format!("redis://:s3cret@127.0.0.1:{port}/999")).check());
    assert!(no_such_db.as_ref().is_ok_and(|rights| !rights.read), "{no_such_db:?}");
}

#[test]
fn users_with_few_rights() {
    let server = server(&[]);
    let user = |name: &str, rights: &[&str]| {
        assert_eq!(ask(&server, &[&["ACL", "SETUSER", name, "on", ">pw", "~cc:*"], rights].concat()), "OK");
        let url = format!("redis://{name}:pw@127.0.0.1:{}", server.port);
        Redis::new(RedisSettings { key_prefix: "cc:".to_owned(), ..settings(url) }).unwrap()
    };
    run(behaves(&user("plain", &["+get", "+set"])));
    assert!(ask(&server, &["KEYS", "*"]).lines().all(|key| key.starts_with("cc:")));
    let reader = user("reader", &["+getrange"]);
    let rights = run(reader.check()).unwrap();
    assert!(rights.read && !rights.write && rights.trouble.contains("NOPERM"), "{rights:?}");
    let elsewhere = redis(format!("redis://plain:pw@127.0.0.1:{}", server.port));
    assert!(matches!(run(get(&elsewhere, "a")), Err(BackendError::Denied(_))));
}

#[test]
fn t280_certificates_are_checked() {
    let server = Server::start(|port, folder| {
        let made = command_line(&MAKE_CERTIFICATE, port, folder).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        command_line(&[&PROGRAM[..], &TLS].concat(), port, folder)
    });
    let certificate = server.folder.path().join("cert.pem");
    let url = format!("rediss://localhost:{}", server.port);
    let trusting = |url: String| {
        Redis::new(RedisSettings { ca_file: Some(certificate.clone()), ..settings(url) }).unwrap()
    };
    run(behaves(&trusting(url.clone())));
    run(behaves(&redis(format!("{url}/1#insecure"))));
    let stranger = run(redis(url.clone()).check());
    assert!(
        matches!(&stranger, Err(BackendError::Unreachable(why)) if why.contains("certificate")),
        "{stranger:?}"
    );
    let no_file = Redis::new(RedisSettings { ca_file: Some("/nowhere".into()), ..settings(url) });
    assert_eq!(no_file.err().unwrap().setting, "ca_file");
}

#[test]
fn a_server_that_went_away_and_came_back_is_used_again() {
    let mut server = server(&[]);
    let redis = redis(format!("redis://127.0.0.1:{}", server.port));
    run(async {
        redis.put("a", b"1".to_vec()).await.unwrap();
        server.kill();
        assert!(matches!(get(&redis, "a").await, Err(BackendError::Unreachable(_))));
        assert!(matches!(get(&redis, "a").await, Err(BackendError::Unreachable(_))));
        server.restart();
        assert_eq!(get(&redis, "a").await, Ok(None));
        redis.put("a", b"2".to_vec()).await.unwrap();
        assert_eq!(get(&redis, "a").await.unwrap().unwrap(), b"2");
    });
}

#[test]
fn t266_a_silent_server_keeps_nobody() {
    let (_listener, port) = black_hole();
    run(is_left_when_silent(&redis(format!("redis://127.0.0.1:{port}"))));
}

#[test]
fn a_connection_that_went_silent_is_not_used_again() {
    let server = server(&[]);
    let redis = redis(format!("redis://127.0.0.1:{}", server.port));
    run(async {
        redis.put("a", b"1".to_vec()).await.unwrap();
        server.signal("STOP");
        is_left_when_silent(&redis).await;
        server.signal("CONT");
        assert_eq!(get(&redis, "a").await.unwrap().unwrap(), b"1");
    });
}

#[test]
fn t274_a_full_server_skips_what_it_has_no_room_for() {
    let server = server(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let redis = redis(format!("redis://127.0.0.1:{}", server.port));
    run(async {
        let mut outcomes = Vec::new();
        for n in 0..8 {
            outcomes.push(redis.put(&n.to_string(), vec![1; 1 << 20]).await);
        }
        assert_eq!(outcomes.last(), Some(&Err(BackendError::TooLarge)));
        assert_eq!(get(&redis, "none").await, Ok(None));
    });
}

#[test]
fn values_expire_when_asked_to() {
    let server = server(&[]);
    let url = format!("redis://127.0.0.1:{}", server.port);
    let expiring = RedisSettings { expiry: Some(Duration::from_secs(1000)), ..settings(url.clone()) };
    run(Redis::new(expiring).unwrap().put("a", vec![1])).unwrap();
    run(redis(url).put("b", vec![1])).unwrap();
    let seconds: i64 = ask(&server, &["TTL", "a"]).parse().unwrap();
    assert!((900..=1000).contains(&seconds), "{seconds}");
    assert_eq!(ask(&server, &["TTL", "b"]), "-1");
}

#[test]
fn a_cluster_is_found_from_one_of_its_nodes() {
    let server = server(&["--cluster-enabled", "yes"]);
    assert_eq!(ask(&server, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]), "OK");
    while !ask(&server, &["CLUSTER", "INFO"]).contains("cluster_state:ok") {
        std::thread::sleep(Duration::from_millis(20));
    }
    let url = format!("redis://127.0.0.1:{}", server.port);
    let cluster = Redis::new(RedisSettings { cluster: true, ..settings(url) }).unwrap();
    run(behaves(&cluster));
}
