//! WebDAV, against nginx, and against a server that only gives.
use std::fs;
use std::path::Path;
use std::process::Command;

use cachepot_storage::remote::backend::{Backend, BackendError};
use cachepot_storage::remote::webdav::{WebDav, WebDavSettings};

use crate::contract::{get, is_refused, keeps_values, noise, stands_bad_answers, survives_its_death};
use crate::scripted::{Script, scripted, scripted_and_heard};
use crate::server::{Server, python_environment};

const SECRET: &str = "s3cret@ä";
const OPEN: &str = "dav_methods PUT DELETE MKCOL; create_full_put_path on;";
const WITH_PASSWORD: &str = "dav_methods PUT DELETE MKCOL; create_full_put_path on; auth_basic cache;";
const READ_ONLY: &str = "";

/// An nginx whose one place has these lines.
fn nginx(place: &'static str) -> Server {
    Server::start(move |port, folder| {
        fs::create_dir_all(folder.join("root")).unwrap();
        fs::write(folder.join("users"), format!("user:{{PLAIN}}{SECRET}\n")).unwrap();
        fs::write(folder.join("nginx.conf"), configuration(place, port, folder)).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).arg("-e").arg("stderr");
        command
    })
}

fn configuration(place: &str, port: u16, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
        daemon off; master_process off; user root; pid {folder}/pid; error_log stderr;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
            auth_basic_user_file {folder}/users;
            server {{
                listen 127.0.0.1:{port};
                root {folder}/root;
                location / {{ client_max_body_size 60m; {place} }}
                location /small/ {{ client_max_body_size 1m; {place} }}
            }}
        }}"
    )
}

/// A server that wants each folder to be made, and a password.
fn wsgidav() -> Server {
    let environment = python_environment("wsgidav", &["wsgidav==4.4.0", "cheroot"]);
    Server::start(move |port, folder| {
        fs::create_dir_all(folder.join("root")).unwrap();
        let text = format!(
            "host: 127.0.0.1\nport: {port}\nprovider_mapping:\n  \"/\": \"{}\"\nsimple_dc:\n  user_mapping:\n    \
             \"*\":\n      \"user\":\n        password: \"{SECRET}\"\nhttp_authenticator:\n  accept_basic: true\n",
            folder.join("root").display()
        );
        fs::write(folder.join("wsgidav.yaml"), text).unwrap();
        let mut command = Command::new(environment.join("bin/wsgidav"));
        command.arg("--config").arg(folder.join("wsgidav.yaml"));
        command
    })
}

fn at(endpoint: &str) -> WebDav {
    WebDav::new(WebDavSettings { endpoint: endpoint.to_owned(), ..WebDavSettings::default() }).unwrap()
}

fn with_prefix(endpoint: &str, prefix: &str) -> WebDav {
    let (endpoint, key_prefix) = (endpoint.to_owned(), prefix.to_owned());
    WebDav::new(WebDavSettings { endpoint, key_prefix, ..WebDavSettings::default() }).unwrap()
}

#[tokio::test]
async fn values_are_kept_under_each_prefix() {
    let server = nginx(OPEN);
    let url = server.url();
    keeps_values(&at(&url)).await;
    for (one, same) in [("a", "/a/"), ("ä b+c&d=e", "/ä b+c&d=e//")] {
        with_prefix(&url, one).put("key", one.as_bytes().to_vec()).await.unwrap();
        assert_eq!(get(&with_prefix(&url, same), "key").await, Ok(Some(one.as_bytes().to_vec())), "{same}");
        assert_eq!(with_prefix(&url, same).has("key").await, Ok(true), "{same}");
        assert!(server.folder.path().join("root").join(one).join("key").is_file());
    }
    let small = at(&format!("{url}/small"));
    small.put("key", noise(1 << 20)).await.unwrap();
    assert_eq!(small.put("key", noise(3 << 20)).await, Err(BackendError::TooLarge));
    assert_eq!(get(&small, "other").await, Ok(None));
}

#[tokio::test]
async fn folders_are_made_where_the_server_wants_them() {
    let server = wsgidav();
    let url = server.url().replace("http://", "http://user:s3cret%40%C3%A4@");
    keeps_values(&with_prefix(&format!("{url}/not/there"), "y e/t/")).await;
    assert!(server.folder.path().join("root/not/there/y e/t/large").is_file());
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let server = nginx(WITH_PASSWORD);
    let url = server.url();
    let as_user = |password: &str| {
        let (username, password) = (Some("user".to_owned()), Some(password.to_owned()));
        let endpoint = url.clone();
        WebDav::new(WebDavSettings { endpoint, username, password, ..WebDavSettings::default() }).unwrap()
    };
    keeps_values(&as_user(SECRET)).await;
    let in_url = at(&url.replace("http://", "http://user:s3cret%40%C3%A4@"));
    in_url.put("url", b"value".to_vec()).await.unwrap();
    is_refused(&as_user("wrong"), "it does not accept this user", "wrong").await;
    is_refused(&at(&url), "it wants a user and a password", SECRET).await;
    let token = Some("a-token".to_owned());
    let bearer = WebDavSettings { endpoint: url.clone(), token, ..WebDavSettings::default() };
    is_refused(&WebDav::new(bearer).unwrap(), "it does not accept this user, password or token", "a-token")
        .await;
}

#[tokio::test]
async fn what_only_gives_is_read() {
    let server = nginx(READ_ONLY);
    fs::write(server.folder.path().join("root/key"), b"value").unwrap();
    let backend = at(&server.url());
    assert_eq!(get(&backend, "key").await, Ok(Some(b"value".to_vec())));
    assert_eq!((backend.has("key").await, backend.has("other").await), (Ok(true), Ok(false)));
    let rights = backend.check().await.unwrap();
    assert!(rights.read && !rights.write, "{rights:?}");
    assert!(rights.trouble.contains("only be read"), "{rights:?}");
}

#[tokio::test]
async fn a_server_may_die_and_return() {
    let mut server = nginx(OPEN);
    let backend = at(&server.url());
    survives_its_death(&backend, &mut server, async |_| {}).await;
}

#[tokio::test]
async fn t268_t273_bad_answers_are_told_apart() {
    stands_bad_answers(at).await;
}

#[tokio::test]
async fn folders_are_made_once() {
    let say = |status| Script::Say(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"));
    let (address, heard) = scripted_and_heard(vec![say(409), say(405), say(403), say(409)]);
    let token = Some("a-token".to_owned());
    let endpoint = format!("{address}/a/b");
    let backend = WebDav::new(WebDavSettings { endpoint, token, ..WebDavSettings::default() }).unwrap();
    let error = backend.put("key", b"value".to_vec()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the remote refuses: status 409, its folder is not there and cannot be made"
    );
    let requests: Vec<String> = heard.iter().collect();
    let lines: Vec<&str> = requests.iter().map(|request| request.lines().next().unwrap()).collect();
    let put = "PUT /a/b/key HTTP/1.1";
    assert_eq!(lines, [put, "MKCOL /a/ HTTP/1.1", "MKCOL /a/b/ HTTP/1.1", put]);
    assert!(requests.iter().all(|request| request.contains("authorization: Bearer a-token")));
    assert!(requests.last().unwrap().ends_with("value"));
    for status in [405, 501] {
        let error = at(&scripted(vec![say(status)])).put("key", Vec::new()).await.unwrap_err();
        assert!(matches!(error, BackendError::Denied(_)), "{error:?}");
    }
}
