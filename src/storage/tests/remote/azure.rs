//! Azure, against azurite, which checks signatures.
use std::process::Command;

use cachepot_storage::remote::azure::{Azure, AzureSettings};
use cachepot_storage::remote::backend::{Backend, BackendError};

use crate::contract::{get, is_refused, keeps_values, stands_bad_answers, survives_its_death};
use crate::scripted::{Script, scripted, scripted_and_heard};
use crate::server::{Server, node_package, run};

/// `my-secret-account-key-0123456789`.
const KEY: &str = "bXktc2VjcmV0LWFjY291bnQta2V5LTAxMjM0NTY3ODk=";
/// `secret`.
const WRONG: &str = "c2VjcmV0";

/// Makes a container, and prints a signature for all of the account; in plain Python, so that it shares no mistake with
/// what is tested.
const PREPARE: &str = r#"
import base64, datetime, hashlib, hmac, sys, urllib.parse, urllib.request
url, key = sys.argv[1], base64.b64decode(sys.argv[2])
def sign(text):
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
now = datetime.datetime.now(datetime.timezone.utc)
date = now.strftime('%a, %d %b %Y %H:%M:%S GMT')
text = 'PUT' + '\n' * 12 + f'x-ms-date:{date}\nx-ms-version:2017-04-17\n/acct/acct/bucket\nrestype:container'
request = urllib.request.Request(url + '/acct/bucket?restype=container', method='PUT')
request.add_header('x-ms-date', date)
request.add_header('x-ms-version', '2017-04-17')
request.add_header('Authorization', 'SharedKey acct:' + sign(text))
assert urllib.request.urlopen(request).status == 201
end = (now + datetime.timedelta(hours=1)).strftime('%Y-%m-%dT%H:%M:%SZ')
fields = ['acct', 'rwc', 'b', 'co', '', end, '', '', '2018-11-09', '']
pairs = {'sp': 'rwc', 'ss': 'b', 'srt': 'co', 'se': end, 'sv': '2018-11-09', 'sig': sign('\n'.join(fields))}
print(urllib.parse.urlencode(pairs))
"#;

fn azurite() -> Server {
    let folder = node_package("azurite", "azurite@3.37.0");
    Server::start(move |port, _| {
        let mut command = Command::new("node");
        command.arg(folder.join("node_modules/.bin/azurite-blob"));
        command.args(["--silent", "--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry"]);
        command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
        command.env("AZURITE_ACCOUNTS", format!("acct:{KEY}"));
        command
    })
}

fn prepare(server: &Server) -> String {
    run(Command::new("python3").args(["-c", PREPARE, &server.url(), KEY])).trim().to_owned()
}

fn settings(address: &str, more: &str) -> AzureSettings {
    AzureSettings {
        connection_string: format!("BlobEndpoint={address}/acct;{more}"),
        container: "bucket".to_owned(),
        ..AzureSettings::default()
    }
}

fn with_key(address: &str, key: &str) -> AzureSettings {
    settings(address, &format!("AccountName=acct;AccountKey={key}"))
}

fn at(address: &str) -> Azure {
    Azure::new(with_key(address, WRONG)).unwrap()
}

#[tokio::test]
async fn values_are_kept_under_each_prefix() {
    let server = azurite();
    let signature = prepare(&server);
    let with = |prefix: &str| {
        let key_prefix = prefix.to_owned();
        Azure::new(AzureSettings { key_prefix, ..with_key(&server.url(), KEY) }).unwrap()
    };
    let plain = with("");
    assert_eq!(plain.name(), format!("Azure, container: BlobContainer(url={}/acct/bucket/)", server.url()));
    keeps_values(&plain).await;
    for (one, same) in [("a", "/a/"), ("a/b", "a//b/"), ("ä b+c&d=e/ü~", "/ä b+c&d=e//ü~")] {
        with(one).put("key", one.as_bytes().to_vec()).await.unwrap();
        assert_eq!(get(&with(same), "key").await, Ok(Some(one.as_bytes().to_vec())), "{same}");
        assert_eq!(with(same).has("key").await, Ok(true), "{same}");
        assert_eq!(get(&plain, "key").await, Ok(None));
    }
    let more = format!("SharedAccessSignature={signature}");
    let key_prefix = "with a signature".to_owned();
    let signed = AzureSettings { key_prefix, ..settings(&server.url(), &more) };
    keeps_values(&Azure::new(signed).unwrap()).await;
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let server = azurite();
    let signature = prepare(&server);
    let url = server.url();
    is_refused(&at(&url), "status 403, AuthorizationFailure: ", WRONG).await;
    let elsewhere = AzureSettings { container: "nowhere".to_owned(), ..with_key(&url, KEY) };
    is_refused(&Azure::new(elsewhere).unwrap(), "ContainerNotFound", KEY).await;
    is_refused(&Azure::new(settings(&url, "")).unwrap(), "status 403", KEY).await;
    let forged = settings(&url, &format!("SharedAccessSignature={}", signature.replace("sp=rwc", "sp=rwcd")));
    let secret = signature.split_once("sig=").unwrap().1;
    is_refused(&Azure::new(forged).unwrap(), "status 403", secret).await;
}

#[tokio::test]
async fn a_server_may_die_and_return() {
    let mut server = azurite();
    prepare(&server);
    let backend = Azure::new(with_key(&server.url(), KEY)).unwrap();
    survives_its_death(&backend, &mut server, async |server| drop(prepare(server))).await;
}

#[tokio::test]
async fn t268_t273_bad_answers_are_told_apart() {
    stands_bad_answers(at).await;
}

#[tokio::test]
async fn requests_and_refusals_have_the_forms_of_azure() {
    let refused = |date: &str| {
        let body =
            "<Error><Code>AuthenticationFailed</Code><Message>No.\nRequestId:1\nTime:2</Message></Error>";
        let length = body.len();
        Script::Say(format!("HTTP/1.1 403 X\r\n{date}Content-Length: {length}\r\n\r\n{body}"))
    };
    let early = "Date: Fri, 24 May 2013 00:00:00 GMT\r\n";
    let (address, heard) = scripted_and_heard(vec![refused(""), refused(early)]);
    let backend = at(&address);
    let error = backend.put("key", b"value".to_vec()).await.unwrap_err();
    assert_eq!(error, BackendError::Denied("status 403, AuthenticationFailed: No.".to_owned()));
    let request = heard.recv().unwrap();
    for line in [
        "PUT /acct/bucket/key HTTP/1.1",
        "x-ms-version: 2017-04-17",
        "x-ms-blob-type: BlockBlob",
        "content-type: application/octet-stream",
        "content-length: 5",
        "content-md5: IGPBYI1uC6+AJJxC4r5YBA==",
    ] {
        assert!(request.lines().any(|found| found == line), "{line}: {request}");
    }
    let error = get(&backend, "key").await.unwrap_err().to_string();
    assert!(error.contains("the clock of this machine is wrong: "), "{error}");
    let empty = "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n".to_owned();
    assert_eq!(get(&at(&scripted(vec![Script::Say(empty)])), "key").await, Ok(None));
}
