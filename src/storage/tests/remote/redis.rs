//! Redis, against `redis-server`.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::redis::{Redis, RedisSettings};

use crate::server::{PORTS, SOCKET, Server};
use crate::values::{
    KEY, get, is_refused, keeps_values, noise, serves_many, survives_its_death, waits_for_nobody,
};

const SECRET: &str = "s3cret";

fn redis(options: &'static [&'static str]) -> Server {
    Server::start(move |port, folder| {
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.arg("--dir").arg(folder).arg("--unixsocket").arg(folder.join(SOCKET)).args(options);
        command
    })
}

fn at(url: &str) -> Redis {
    Redis::new(RedisSettings { url: url.to_owned(), ..RedisSettings::default() }).unwrap()
}

fn with_prefix(url: &str, prefix: &str) -> Redis {
    let (url, key_prefix) = (url.to_owned(), prefix.to_owned());
    Redis::new(RedisSettings { url, key_prefix, ..RedisSettings::default() }).unwrap()
}

fn url(server: &Server) -> String {
    format!("redis://127.0.0.1:{}", server.port)
}

#[tokio::test]
async fn values_are_kept_each_under_its_prefix() {
    let server = redis(&[]);
    let url = url(&server);
    keeps_values(&at(&url), &[PIECE - 1, PIECE, PIECE + 1, PIECE + (1 << 20), 50 << 20]).await;
    for prefix in ["cc:", "a b/ä/../"] {
        with_prefix(&url, prefix).put("key", prefix.as_bytes().to_vec()).await.unwrap();
    }
    for prefix in ["cc:", "a b/ä/../"] {
        assert_eq!(get(&with_prefix(&url, prefix), "key").await, Ok(Some(prefix.as_bytes().to_vec())));
    }
    assert_eq!(get(&at(&url), "cc:key").await, Ok(Some(b"cc:".to_vec())));
    // Other databases are other places.
    assert_eq!(get(&at(&format!("{url}/3")), "cc:key").await, Ok(None));
    is_refused(&at(&format!("{url}/99")), "ERR DB index is out of range", SECRET).await;
}

/// The first piece in which values are read.
const PIECE: usize = 256 << 10;

#[tokio::test]
async fn many_share_a_connection() {
    let server = redis(&[]);
    serves_many(Box::leak(Box::new(at(&url(&server))))).await;
    let clients = server.say("CLIENT LIST\r\nQUIT\r\n");
    // One for reading, one for writing, and the one that asks.
    assert_eq!(clients.matches(" addr=127.0.0.1").count(), 3, "{clients}");
}

#[tokio::test]
async fn t274_t284_who_may_not_is_told_so() {
    let server = redis(&["--requirepass", SECRET]);
    let with = |user: &str| at(&url(&server).replace("//", &format!("//{user}@")));
    let right = with(":s3cret");
    assert_eq!(right.name(), format!("Redis: redis://:*****@127.0.0.1:{}", server.port));
    keeps_values(&right, &[]).await;
    keeps_values(&with_database(&server), &[]).await;
    is_refused(&at(&url(&server)), "NOAUTH Authentication required", SECRET).await;
    is_refused(&with(":wrong"), "WRONGPASS invalid username-password pair", "wrong:").await;
    is_refused(&with("nobody:s3cret"), "WRONGPASS", SECRET).await;
    // The words of the server are only hidden where they are the password.
    is_refused(&with(":invalid"), "WRONGPASS ***** username-password pair", "invalid").await;
    let open = redis(&[]);
    let error = at(&url(&open).replace("//", "//:s3cret@")).check().await.unwrap();
    assert!(error.trouble.contains("without any password"), "{error:?}");
}

fn with_database(server: &Server) -> Redis {
    at(&format!("redis://default:s3cret@127.0.0.1:{}/5", server.port))
}

#[tokio::test]
async fn user_password_and_database_may_be_settings_of_their_own() {
    let server = redis(&[]);
    server
        .say("ACL SETUSER cache on >s3cret ~* +getrange +exists +set +select\r\nACL SETUSER default >pw\r\nQUIT\r\n");
    let set = |text: &str| Some(text.to_owned());
    let of = |url: String, db| {
        let settings =
            RedisSettings { url, username: set("cache"), password: set(SECRET), db, ..Default::default() };
        Redis::new(settings).unwrap()
    };
    let endpoint = format!("127.0.0.1:{}", server.port);
    let third = of(endpoint.clone(), Some(3));
    assert_eq!(third.name(), format!("Redis: redis://{endpoint}"));
    keeps_values(&third, &[1 << 20]).await;
    third.put("key", b"three".to_vec()).await.unwrap();
    for same in [
        of(format!("tcp://{endpoint}"), Some(3)),
        of(format!("redis://{endpoint}/3"), None),
        at(&format!("redis://cache:{SECRET}@{endpoint}/?db=3")),
    ] {
        assert_eq!(get(&same, "key").await, Ok(Some(b"three".to_vec())));
    }
    assert_eq!(get(&of(endpoint.clone(), None), "key").await, Ok(None));
    is_refused(&at(&endpoint), "NOAUTH", SECRET).await;
    let password = RedisSettings { url: endpoint, password: set("pw"), ..Default::default() };
    assert_eq!(get(&Redis::new(password).unwrap(), "key").await, Ok(None));
}

#[tokio::test]
async fn a_user_may_do_what_the_server_lets_it() {
    let server = redis(&[]);
    let rules = "ACL SETUSER cache on >pw2 ~cc:* +getrange +exists +set\r\nACL SETUSER reader on >pw2 ~* +getrange\r\nQUIT\r\n";
    assert_eq!(server.say(rules), "+OK\r\n+OK\r\n+OK\r\n");
    let of = |user: &str| url(&server).replace("//", &format!("//{user}:pw2@"));
    keeps_values(&with_prefix(&of("cache"), "cc:"), &[]).await;
    is_refused(&with_prefix(&of("cache"), "other:"), "NOPERM", "pw2").await;
    let rights = at(&of("reader")).check().await.unwrap();
    assert!(rights.read && !rights.write && rights.trouble.contains("'set'"), "{rights:?}");
}

#[tokio::test]
async fn a_socket_file_is_a_place() {
    let server = redis(&["--requirepass", SECRET]);
    let path = server.folder.path().join(SOCKET);
    for (number, scheme) in ["unix", "redis+unix"].into_iter().enumerate() {
        let backend = at(&format!("{scheme}://{}?db={number}&pass={SECRET}", path.display()));
        assert!(!backend.name().contains(SECRET));
        keeps_values(&backend, &[1 << 20]).await;
    }
    let error = get(&at("unix:///not/there.sock"), KEY).await.unwrap_err();
    assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
}

/// A certificate for `localhost` and 127.0.0.1 that nobody has signed, and its key.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if !cert.exists() {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=localhost",
        ]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(&key).arg("-out").arg(&cert);
        let output = openssl.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    (cert, key)
}

fn tls_port(port: u16) -> u16 {
    port + (PORTS.end - PORTS.start)
}

#[tokio::test]
async fn t274_certificates_are_looked_at() {
    let server = Server::start(|port, folder| {
        let (cert, key) = certificate(folder);
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--tls-port", &tls_port(port).to_string(), "--save", ""]);
        command.arg("--tls-cert-file").arg(&cert).arg("--tls-key-file").arg(key);
        command.arg("--tls-ca-cert-file").arg(&cert).args(["--tls-auth-clients", "no"]);
        command.arg("--dir").arg(folder).args(["--requirepass", SECRET]);
        command
    });
    let ca_file = Some(server.folder.path().join("cert.pem"));
    let url = |host: &str, end: &str| format!("rediss://:{SECRET}@{host}:{}{end}", tls_port(server.port));
    let trusting = |url: String| {
        Redis::new(RedisSettings { url, ca_file: ca_file.clone(), ..RedisSettings::default() }).unwrap()
    };
    keeps_values(&trusting(url("localhost", "")), &[5 << 20]).await;
    for good in [trusting(url("127.0.0.1", "")), at(&url("localhost", "#insecure"))] {
        assert!(get(&good, KEY).await.unwrap().is_some());
    }
    // The name is that of another, and nobody has signed.
    let port = tls_port(server.port);
    let other = [trusting(url("127.0.0.2", "")), at(&url("localhost", "")), at(&url("127.0.0.1", ""))];
    for bad in other {
        let error = get(&bad, KEY).await.unwrap_err();
        let BackendError::Unreachable(text) = error else { panic!("{error:?}") };
        assert!(text.contains("certificate") && !text.contains(SECRET), "{text}");
    }
    let plain = at(&format!("redis://127.0.0.1:{port}"));
    get(&plain, KEY).await.unwrap_err();
}

#[tokio::test]
async fn what_is_old_goes() {
    let server = redis(&[]);
    let expiry = Some(Duration::from_secs(40 * 86_400));
    let backend =
        Redis::new(RedisSettings { url: url(&server), expiry, ..RedisSettings::default() }).unwrap();
    backend.put(KEY, b"value".to_vec()).await.unwrap();
    let seconds = 40 * 86_400;
    let answer = server.say(&format!("TTL {KEY}\r\nQUIT\r\n"));
    assert!([seconds, seconds - 1].iter().any(|s| answer.starts_with(&format!(":{s}\r\n"))), "{answer}");
    // Whoever asks for a value lets its time begin anew.
    assert!(server.say(&format!("EXPIRE {KEY} 1000\r\nQUIT\r\n")).starts_with(":1\r\n"));
    assert_eq!((backend.has(KEY).await, backend.has("other").await), (Ok(true), Ok(false)));
    let answer = server.say(&format!("TTL {KEY}\r\nQUIT\r\n"));
    let left: u64 = answer.lines().next().unwrap().strip_prefix(':').unwrap().parse().unwrap();
    assert!((1001..=seconds).contains(&left), "{answer}");
    at(&url(&server)).put(KEY, b"value".to_vec()).await.unwrap();
    assert_eq!(at(&url(&server)).has(KEY).await, Ok(true));
    assert!(server.say(&format!("TTL {KEY}\r\nQUIT\r\n")).starts_with(":-1\r\n"));
    let expiry = Some(Duration::from_millis(900));
    let error = Redis::new(RedisSettings { url: url(&server), expiry, ..RedisSettings::default() });
    assert_eq!(error.err().unwrap().setting, "expiry");
}

#[tokio::test]
async fn t274_a_server_may_die_and_return() {
    let mut server = redis(&[]);
    let backend = at(&url(&server));
    survives_its_death(&backend, &mut server).await;
}

#[tokio::test]
async fn t274_a_server_that_does_not_answer_holds_nobody() {
    let server = redis(&["--requirepass", SECRET]);
    waits_for_nobody(&at(&url(&server).replace("//", "//:s3cret@")), &server).await;
}

#[tokio::test]
async fn a_connection_that_lay_idle_is_made_anew() {
    let server = redis(&[]);
    let backend = at(&url(&server));
    backend.put(KEY, b"value".to_vec()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(get(&backend, KEY).await, Ok(Some(b"value".to_vec())));
        server.say("CLIENT KILL TYPE normal\r\nQUIT\r\n");
    }
}

#[tokio::test]
async fn t274_a_full_server_evicts_or_says_so() {
    let server = redis(&["--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru"]);
    let backend = at(&url(&server));
    for number in 0..40 {
        backend.put(&format!("key-{number}"), noise(1 << 20, number)).await.unwrap();
    }
    // The server looks for old ones among a few that it picks by chance.
    let mut n_left = 0;
    for number in 0..40 {
        n_left += usize::from(get(&backend, &format!("key-{number}")).await.unwrap().is_some());
    }
    assert!(n_left < 20, "{n_left}");
    assert!(get(&backend, "key-39").await == Ok(Some(noise(1 << 20, 39))));

    assert!(server.say("CONFIG SET maxmemory-policy noeviction\r\nQUIT\r\n").starts_with("+OK"));
    let mut outcome = Ok(());
    for number in 40..80 {
        outcome = outcome.and(backend.put(&format!("key-{number}"), noise(1 << 20, number)).await);
    }
    let error = outcome.unwrap_err();
    let BackendError::Full(text) = error else { panic!("{error:?}") };
    assert!(text.starts_with("OOM command not allowed"), "{text}");
    // Even where the smallest value has no room it is of use for reading.
    assert!(server.say("CONFIG SET maxmemory 1mb\r\nQUIT\r\n").starts_with("+OK"));
    let rights = backend.check().await.unwrap();
    assert!(rights.read && !rights.write && rights.trouble.contains("no room"), "{rights:?}");
    assert!(get(&backend, "key-39").await == Ok(Some(noise(1 << 20, 39))));
}

#[tokio::test]
async fn what_is_no_value_of_ours_is_no_value() {
    let server = redis(&["--proto-max-bulk-len", "1mb"]);
    let backend = at(&url(&server));
    server.say(&format!("LPUSH {KEY} a\r\nSET empty \"\"\r\nQUIT\r\n"));
    let error = get(&backend, KEY).await.unwrap_err();
    assert!(matches!(&error, BackendError::Malformed(text) if text.starts_with("WRONGTYPE")), "{error:?}");
    assert_eq!(get(&backend, "empty").await, Ok(None));
    // A limit of the server, which hangs up in the middle of the value.
    let error = backend.put(KEY, noise(2 << 20, 1)).await.unwrap_err();
    assert!(matches!(error, BackendError::TooLarge | BackendError::Unreachable(_)), "{error:?}");
    backend.put(KEY, noise(1 << 20, 1)).await.unwrap();
}

/// A port that nobody listens at.
fn nobody() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Two servers that share the keys.
#[tokio::test]
async fn t274_a_cluster_is_asked_where_the_value_is() {
    let node = || redis(&["--cluster-enabled", "yes", "--requirepass", SECRET, "--masterauth", SECRET]);
    let (one, other) = (node(), node());
    let auth = format!("AUTH {SECRET}\r\n");
    one.say(&format!("{auth}CLUSTER ADDSLOTSRANGE 0 8191\r\nQUIT\r\n"));
    other.say(&format!("{auth}CLUSTER ADDSLOTSRANGE 8192 16383\r\nQUIT\r\n"));
    one.say(&format!("{auth}CLUSTER MEET 127.0.0.1 {}\r\nQUIT\r\n", other.port));
    let start = Instant::now();
    for server in [&one, &other] {
        while !server.say(&format!("{auth}CLUSTER INFO\r\nQUIT\r\n")).contains("cluster_state:ok") {
            assert!(start.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let url = url(&one).replace("//", "//:s3cret@");
    let cluster =
        |url: String| Redis::new(RedisSettings { url, cluster: true, ..RedisSettings::default() }).unwrap();
    let backend = cluster(url.clone());
    keeps_values(&backend, &[5 << 20]).await;
    let alone = at(&url);
    let mut elsewhere = 0;
    for number in 0..20 {
        let key = format!("key-{number}");
        backend.put(&key, vec![number]).await.unwrap();
        assert_eq!(get(&backend, &key).await, Ok(Some(vec![number])));
        match get(&alone, &key).await {
            Ok(value) => assert_eq!(value, Some(vec![number])),
            Err(BackendError::Denied(text)) if text.contains("cluster") => elsewhere += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!((1..20).contains(&elsewhere));
    // One that is away is no hindrance.
    let nodes = format!("127.0.0.1:{}, tcp://127.0.0.1:{}", nobody(), one.port);
    let password = Some(SECRET.to_owned());
    let of_nodes = RedisSettings { url: nodes, password, cluster: true, ..RedisSettings::default() };
    assert_eq!(get(&Redis::new(of_nodes).unwrap(), "key-7").await, Ok(Some(vec![7])));
    is_refused(&cluster(url.replace(SECRET, "wrong")), "it does not accept the password", "wrong").await;
}
