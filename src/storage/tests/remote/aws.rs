//! Credentials of AWS from services: what is asked, what is signed with, and when it is asked again.
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use cachepot_storage::remote::aws_credentials::AwsSources;
use cachepot_storage::remote::backend::BackendError;
use cachepot_storage::remote::http::proxies::Proxies;
use cachepot_storage::remote::s3::{S3, S3Settings};
use serde_json::json;

use crate::contract::{get, keeps_values};
use crate::s3::{environment, prepare, start};
use crate::scripted::{Script, scripted, scripted_and_heard};
use crate::server::run;

const LATER: &str = "2999-01-01T00:00:00Z";

/// A bucket whose credentials are found in this environment, and nowhere else.
fn bucket(address: &str, variables: &[(&str, &str)]) -> S3 {
    let env = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let settings = S3Settings {
        bucket: "bucket".to_owned(),
        endpoint: Some(address.to_owned()),
        credentials: AwsSources::from_env(&env),
        proxies: Proxies::from_env(&env),
        ..S3Settings::default()
    };
    S3::new(settings).unwrap()
}

fn say(text: &str) -> Script {
    Script::Say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()))
}

/// What all but one of the services say.
fn credentials(id: &str, ends: &str) -> Script {
    let answer = json!({"AccessKeyId": id, "SecretAccessKey": "s", "Token": format!("token-of-{id}"), "Expiration": ends});
    say(&answer.to_string())
}

/// A bucket that answers so many times, and tells what it is asked.
fn values(n: usize) -> (String, Receiver<String>) {
    scripted_and_heard((0..n).map(|_| say("value")).collect())
}

async fn is_signed_by(backend: &S3, heard: &Receiver<String>, id: &str) {
    get(backend, "key").await.unwrap();
    let request = heard.recv().unwrap();
    assert!(request.contains(&format!("Credential={id}/")), "{request}");
    assert!(request.contains(&format!("x-amz-security-token: token-of-{id}\r\n")), "{request}");
}

#[tokio::test]
async fn t270_what_ends_is_asked_for_again() {
    let (address, heard) = values(4);
    let service = scripted(vec![
        credentials("A", "2020-01-01T00:00:00Z"),
        credentials("B", LATER),
        credentials("C", LATER),
    ]);
    let backend = bucket(&address, &[("AWS_IAM_CREDENTIALS_URL", &service), ("AWS_ROLE_ARN", "r")]);
    for id in ["A", "B", "B"] {
        is_signed_by(&backend, &heard, id).await;
    }
    let expired = "<Error><Code>ExpiredToken</Code><Message>x</Message></Error>";
    let length = expired.len();
    let expired = Script::Say(format!("HTTP/1.1 400 X\r\nContent-Length: {length}\r\n\r\n{expired}"));
    let (address, heard) = scripted_and_heard(vec![expired, say("value")]);
    let service = scripted(vec![credentials("A", LATER), credentials("B", LATER)]);
    let backend = bucket(&address, &[("AWS_IAM_CREDENTIALS_URL", &service)]);
    get(&backend, "key").await.unwrap_err();
    heard.recv().unwrap();
    is_signed_by(&backend, &heard, "B").await;
}

#[tokio::test]
async fn a_container_shows_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "of the file\n").unwrap();
    let (address, heard) = values(2);
    let (service, asked) = scripted_and_heard(vec![credentials("A", LATER), credentials("B", LATER)]);
    let service = format!("{service}/some/path");
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.as_str());
    let given = bucket(&address, &[full, ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "given")]);
    is_signed_by(&given, &heard, "A").await;
    let of_file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap());
    is_signed_by(&bucket(&address, &[full, of_file]), &heard, "B").await;
    for token in ["given", "of the file"] {
        let request = asked.recv().unwrap();
        assert!(
            request.starts_with("GET /some/path ")
                && request.contains(&format!("authorization: {token}\r\n"))
        );
    }
    // To nobody who could be anybody.
    let elsewhere = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.invalid/");
    let error = get(&bucket(&address, &[elsewhere]), "key").await.unwrap_err();
    assert!(matches!(error, BackendError::Denied(_)), "{error:?}");
}

#[tokio::test]
async fn t279_the_machine_is_asked_without_a_proxy() {
    let (proxy, heard) = values(1);
    let (machine, asked) =
        scripted_and_heard(vec![say("session"), say("the role\n"), credentials("A", LATER)]);
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.as_str()), ("HTTP_PROXY", proxy.as_str())];
    is_signed_by(&bucket("http://s3.invalid", &variables), &heard, "A").await;
    let requests: Vec<String> = asked.iter().collect();
    let first: Vec<&str> = requests.iter().map(|request| request.lines().next().unwrap()).collect();
    let roles = "/latest/meta-data/iam/security-credentials/";
    let expected = [
        "PUT /latest/api/token HTTP/1.1".to_owned(),
        format!("GET {roles} HTTP/1.1"),
        format!("GET {roles}the%20role HTTP/1.1"),
    ];
    assert_eq!(first, expected);
    assert!(requests[2].contains("x-aws-ec2-metadata-token: session\r\n"));
}

#[tokio::test]
async fn t279_no_machine_service_costs_no_visible_time() {
    let silent = scripted(vec![Script::Silent, Script::Silent]);
    let off = ("AWS_EC2_METADATA_DISABLED", "true");
    for variables in [[("AWS_EC2_METADATA_SERVICE_ENDPOINT", silent.as_str())], [off]] {
        let start = Instant::now();
        let error = get(&bucket("http://s3.invalid", &variables), "key").await.unwrap_err().to_string();
        assert!(error.contains("no AWS credentials are found"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}

/// Makes a role, and prints its name.
const ROLE: &str = r#"
import boto3, sys
iam = boto3.client('iam', endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='x',
                   aws_secret_access_key='y')
print(iam.create_role(RoleName='r', AssumeRolePolicyDocument='{}')['Role']['Arn'])
"#;

#[tokio::test]
async fn t270_a_token_of_the_cluster_is_exchanged_for_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first +&=\n").unwrap();
    let token_file = ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap());

    // The real form of the answer.
    let server = start("1000000");
    prepare(&server, "owner");
    let url = server.url();
    let role = run(Command::new(environment().join("bin/python")).args(["-c", ROLE, &url]));
    let variables = [token_file, ("AWS_ROLE_ARN", role.trim()), ("AWS_ENDPOINT_URL_STS", &url)];
    keeps_values(&bucket(&url, &variables)).await;

    // The file is read anew each time.
    let answer = |id: &str, ends: &str| {
        say(&format!(
            "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token-of-{id}\
             </SessionToken><Expiration>{ends}</Expiration></Credentials>"
        ))
    };
    let (address, heard) = values(2);
    let (service, asked) = scripted_and_heard(vec![answer("A", "2020-01-01T00:00:00Z"), answer("B", LATER)]);
    let backend = bucket(&address, &[token_file, ("AWS_ROLE_ARN", "r"), ("AWS_ENDPOINT_URL_STS", &service)]);
    is_signed_by(&backend, &heard, "A").await;
    std::fs::write(&file, "second").unwrap();
    is_signed_by(&backend, &heard, "B").await;
    let bodies: Vec<String> = asked.iter().collect();
    assert!(bodies[0].ends_with("&WebIdentityToken=first%20%2B%26%3D"), "{}", bodies[0]);
    assert!(bodies[1].ends_with("&WebIdentityToken=second"), "{}", bodies[1]);
}
