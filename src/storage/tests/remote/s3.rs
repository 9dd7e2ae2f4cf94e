//! S3, against moto with its check of signatures.
use std::path::{Path, PathBuf};
use std::process::Command;

use cachepot_storage::remote::aws_credentials::{AwsSources, Credentials};
use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::http::proxies::Proxies;
use cachepot_storage::remote::s3::{S3, S3Settings};

use crate::contract::{
    get, is_refused, keeps_values, stands_bad_answers, survives_its_death, takes_and_gives_nothing,
};
use crate::scripted::{Script, scripted, scripted_and_heard};
use crate::server::{Server, certificate, free_port, python_environment, run};

const PACKAGES: [&str; 1] = ["moto[server,s3,iam]==5.2.5"];
const SECRET: &str = "some-secret";

/// Makes a user, the right to do everything in S3, a key, which it prints, and a bucket. From the fourth question on
/// signatures are checked.
const PREPARE: &str = r#"
import boto3, sys
def client(name, key, secret):
    return boto3.client(name, endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id=key,
                        aws_secret_access_key=secret)
iam = client('iam', 'x', 'y')
iam.create_user(UserName='u')
policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
iam.put_user_policy(UserName='u', PolicyName='p', PolicyDocument=policy)
key = iam.create_access_key(UserName='u')['AccessKey']
s3 = client('s3', key['AccessKeyId'], key['SecretAccessKey'])
s3.create_bucket(Bucket='bucket')
if sys.argv[2] == 'public':
    policy = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"}]}'
    s3.put_bucket_policy(Bucket='bucket', Policy=policy)
print(key['AccessKeyId'], key['SecretAccessKey'])
"#;

/// A moto and a key to it.
struct Moto {
    server: Server,
    key: Credentials,
}

/// A moto that lets so many questions pass without a look at their signature.
pub(crate) fn start(unchecked: &'static str) -> Server {
    Server::start(move |port, _| {
        let mut command = Command::new(environment().join("bin/moto_server"));
        command.env("INITIAL_NO_AUTH_ACTION_COUNT", unchecked);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command
    })
}

fn moto() -> Moto {
    let server = start("3");
    let key = prepare(&server, "owner");
    Moto { server, key }
}

pub(crate) fn environment() -> PathBuf {
    python_environment("moto", &PACKAGES)
}

pub(crate) fn prepare(server: &Server, who: &str) -> Credentials {
    let printed =
        run(Command::new(environment().join("bin/python")).args(["-c", PREPARE, &server.url(), who]));
    let (id, secret) = printed.trim().split_once(' ').unwrap();
    key(id, secret)
}

fn key(id: &str, secret: &str) -> Credentials {
    Credentials { access_key_id: id.to_owned(), secret_access_key: secret.to_owned(), session_token: None }
}

fn settings(endpoint: &str, key: &Credentials) -> S3Settings {
    S3Settings {
        bucket: "bucket".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: AwsSources::fixed(key.clone()),
        ..S3Settings::default()
    }
}

fn at(endpoint: &str) -> S3 {
    S3::new(settings(endpoint, &key("AK", SECRET))).unwrap()
}

#[tokio::test]
async fn values_are_kept_under_each_prefix() {
    let moto = moto();
    let with = |prefix: &str| {
        let key_prefix = prefix.to_owned();
        S3::new(S3Settings { key_prefix, ..settings(&moto.server.url(), &moto.key) }).unwrap()
    };
    let plain = with("");
    assert_eq!(plain.name(), "S3, bucket: bucket");
    keeps_values(&plain).await;
    for (one, same) in [("a", "/a/"), ("a/b", "a//b/"), ("ä b+c&d=e/ü~", "/ä b+c&d=e//ü~")] {
        with(one).put("key", one.as_bytes().to_vec()).await.unwrap();
        assert_eq!(get(&with(same), "key").await, Ok(Some(one.as_bytes().to_vec())), "{same}");
        assert_eq!(with(same).has("key").await, Ok(true), "{same}");
        assert_eq!(get(&plain, "key").await, Ok(None));
    }
    let encrypting = S3Settings { server_side_encryption: true, ..settings(&moto.server.url(), &moto.key) };
    S3::new(encrypting).unwrap().put("key", b"value".to_vec()).await.unwrap();
    assert_eq!(get(&plain, "key").await, Ok(Some(b"value".to_vec())));
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let moto = moto();
    let url = moto.server.url();
    let wrong = Credentials { secret_access_key: SECRET.to_owned(), ..moto.key.clone() };
    is_refused(&S3::new(settings(&url, &wrong)).unwrap(), "SignatureDoesNotMatch", SECRET).await;
    is_refused(&at(&url), "InvalidAccessKeyId", SECRET).await;
    let elsewhere = S3Settings { bucket: "nowhere".to_owned(), ..settings(&url, &moto.key) };
    let elsewhere = S3::new(elsewhere).unwrap();
    takes_and_gives_nothing(&elsewhere, "NoSuchBucket", &moto.key.secret_access_key).await;
    // Only the body, which HEAD has not, tells a bucket that is missing from an object.
    assert_eq!(elsewhere.has("key").await, Ok(false));
}

#[tokio::test]
async fn a_public_bucket_needs_no_key() {
    let server = start("1000000");
    let public = S3Settings { public: true, ..settings(&server.url(), &prepare(&server, "public")) };
    keeps_values(&S3::new(public).unwrap()).await;
}

#[tokio::test]
async fn a_server_may_die_and_return() {
    let mut moto = moto();
    // A fresh moto makes another key, so the one that is used stands in a file, as people have it.
    let profile = moto.server.folder.path().join("credentials");
    write_profile(&profile, &moto.key);
    let file = profile.to_str().unwrap().to_owned();
    let env = |name: &str| (name == "AWS_SHARED_CREDENTIALS_FILE").then(|| file.clone());
    let key = moto.key.clone();
    let settings =
        S3Settings { credentials: AwsSources::from_env(&env), ..settings(&moto.server.url(), &key) };
    let backend = S3::new(settings).unwrap();
    survives_its_death(&backend, &mut moto.server, async |server| {
        write_profile(&profile, &prepare(server, "owner"));
        // The first request says that the old key is of no use; the file is read anew then.
        get(&backend, "key").await.unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn credentials_that_are_refused_without_a_word_are_looked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("credentials");
    write_profile(&profile, &key("OLD", SECRET));
    let file = profile.to_str().unwrap().to_owned();
    let env = |name: &str| (name == "AWS_SHARED_CREDENTIALS_FILE").then(|| file.clone());
    let say = |status| Script::Say(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"));
    let (address, heard) = scripted_and_heard(vec![say(400), say(200)]);
    let credentials = AwsSources::from_env(&env);
    let backend = S3::new(S3Settings { credentials, ..settings(&address, &key("", "")) }).unwrap();
    let refused = BackendError::Denied("status 400".to_owned());
    for (name, expected) in [("OLD", Err(refused)), ("NEW", Ok(true))] {
        assert_eq!(backend.has("key").await, expected);
        let request = heard.recv().unwrap();
        assert!(
            request.starts_with("HEAD ") && request.contains(&format!("Credential={name}/")),
            "{request}"
        );
        write_profile(&profile, &key("NEW", SECRET));
    }
}

fn write_profile(path: &Path, key: &Credentials) {
    let text = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key={}\n",
        key.access_key_id, key.secret_access_key
    );
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn t268_t273_bad_answers_are_told_apart() {
    stands_bad_answers(at).await;
}

/// An answer of S3 with an error.
fn refusal(status: u16, headers: &str, code: &str, more: &str) -> Vec<Script> {
    let body =
        format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>said</Message>{more}</Error>");
    let length = body.len();
    vec![Script::Say(format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n{body}"))]
}

#[tokio::test]
async fn t269_t278_what_the_server_means_is_told() {
    let times = "<RequestTime>20130524T000000Z</RequestTime><ServerTime>2013-05-24T00:20:00Z</ServerTime>";
    let date = "Date: Fri, 24 May 2013 00:20:00 GMT\r\n";
    let region = "<Region>eu-west-1</Region>";
    let header = "x-amz-bucket-region: eu-west-1\r\n";
    for (script, part) in [
        (refusal(403, "", "AccessDenied", ""), "status 403, AccessDenied: said"),
        (refusal(400, "", "ExpiredToken", ""), "ExpiredToken: said"),
        (
            refusal(403, "", "RequestTimeTooSkewed", times),
            "20130524T000000Z here, 2013-05-24T00:20:00Z at the",
        ),
        (refusal(403, date, "RequestTimeTooSkewed", ""), "here, Fri, 24 May 2013 00:20:00 GMT at the server"),
        (refusal(301, header, "PermanentRedirect", ""), "in the region eu-west-1, not in us-east-1"),
        (
            refusal(400, "", "AuthorizationHeaderMalformed", region),
            "in the region eu-west-1, not in us-east-1",
        ),
        (refusal(404, "", "NoSuchBucket", ""), "NoSuchBucket"),
    ] {
        let error = get(&at(&scripted(script)), "key").await.unwrap_err();
        assert!(matches!(error, BackendError::Denied(_)), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let slow = get(&at(&scripted(refusal(503, "Retry-After: 2\r\n", "SlowDown", ""))), "key").await;
    assert!(matches!(slow, Err(BackendError::Throttled { retry_after: Some(_) })), "{slow:?}");
    let empty = || vec![Script::Say("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_owned())];
    assert_eq!(get(&at(&scripted(empty())), "key").await, Ok(None));
    let error = at(&scripted(empty())).put("key", Vec::new()).await.unwrap_err();
    assert!(matches!(error, BackendError::Denied(_)), "{error:?}");
}

#[tokio::test]
async fn requests_hold_what_they_should() {
    let good = || Script::Say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned());
    let (address, heard) = scripted_and_heard(vec![good(), good()]);
    let key = Credentials { session_token: Some("the-token".to_owned()), ..key("AK", SECRET) };
    let backend = S3::new(settings(&address, &key)).unwrap();
    backend.put("abcd", b"value".to_vec()).await.unwrap();
    let request = heard.recv().unwrap();
    for line in [
        "PUT /bucket/a/b/c/abcd HTTP/1.1",
        "cache-control: max-age=1296000",
        "content-type: application/octet-stream",
        "content-length: 5",
        "x-amz-security-token: the-token",
        concat!("user-agent: cachepot/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(request.lines().any(|found| found == line), "{line}: {request}");
    }
    assert!(!request.contains(SECRET));
    let public = S3Settings { public: true, ..settings(&address, &key) };
    get(&S3::new(public).unwrap(), "abcd").await.unwrap();
    let request = heard.recv().unwrap();
    assert!(!request.contains("authorization") && !request.contains("x-amz"), "{request}");
}

/// A server that speaks TLS and shows a page.
fn tls_server((cert, secret): (PathBuf, PathBuf)) -> Server {
    Server::start(move |port, _| {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-www", "-accept", &port.to_string(), "-cert"]).arg(&cert);
        command.arg("-key").arg(&secret);
        command
    })
}

#[tokio::test]
async fn t280_certificates_are_verified() {
    let folder = tempfile::tempdir().unwrap();
    let (good, old) = (certificate(folder.path(), "now"), certificate(folder.path(), "2020-01-01"));
    let (ca_file, old_ca_file) = (good.0.clone(), old.0.clone());
    let (server, old_server) = (tls_server(good), tls_server(old));
    let of = |host: &str, server: &Server, ca_file: Option<&Path>| {
        let endpoint = format!("https://{host}:{}", server.port);
        let ca_file = ca_file.map(Path::to_owned);
        S3::new(S3Settings { ca_file, ..settings(&endpoint, &key("AK", SECRET)) }).unwrap()
    };
    for (backend, expected) in [
        (of("localhost", &server, None), "not trusted here"),
        (of("127.0.0.1", &server, Some(&ca_file)), "another host name"),
        (of("localhost", &old_server, Some(&old_ca_file)), "has expired"),
        // It is spoken to.
        (of("localhost", &server, Some(&ca_file)), "web page"),
    ] {
        let text = get(&backend, "key").await.unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
    let none = folder.path().join("now.key");
    let settings = S3Settings { ca_file: Some(none), ..settings("h", &key("AK", SECRET)) };
    assert_eq!(S3::new(settings).err().unwrap().setting, "CA file");
}

#[tokio::test]
async fn t279_a_proxy_that_wants_a_password_says_so() {
    for (variable, endpoint) in [("HTTP_PROXY", "http://s3.invalid"), ("HTTPS_PROXY", "https://s3.invalid")] {
        let refused = "HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n".to_owned();
        let proxy = scripted(vec![Script::Say(refused)]).replace("http://", "http://user:secret@");
        let proxies = Proxies::from_env(&|name| (name == variable).then(|| proxy.clone()));
        let backend = S3::new(S3Settings { proxies, ..settings(endpoint, &key("AK", SECRET)) }).unwrap();
        let wanted = BackendError::Denied("the proxy wants a user and a password".to_owned());
        assert_eq!(get(&backend, "key").await, Err(wanted));
    }
}

#[tokio::test]
async fn t279_a_proxy_is_used_unless_the_host_is_excepted() {
    let good = || Script::Say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".to_owned());
    let (proxy, heard) = scripted_and_heard(vec![good()]);
    let address = proxy.replace("http://", "http://user:secret@");
    let of = |none_for: &str| {
        let (address, none_for) = (address.clone(), none_for.to_owned());
        let env = move |name: &str| match name {
            "HTTP_PROXY" => Some(address.clone()),
            "NO_PROXY" => Some(none_for.clone()),
            _ => None,
        };
        let proxies = Proxies::from_env(&env);
        let endpoint = format!("http://127.0.0.1:{}", free_port());
        S3::new(S3Settings { proxies, ..settings(&endpoint, &key("AK", SECRET)) }).unwrap()
    };
    assert_eq!(get(&of("other"), "key").await, Ok(Some(b"x".to_vec())));
    let request = heard.recv().unwrap();
    assert!(request.starts_with("GET http://127.0.0.1:"), "{request}");
    assert!(request.contains("proxy-authorization: Basic dXNlcjpzZWNyZXQ="), "{request}");
    let error = get(&of("127.0.0.1"), "key").await.unwrap_err();
    assert!(matches!(error, BackendError::Unreachable(_)), "{error:?}");
}
