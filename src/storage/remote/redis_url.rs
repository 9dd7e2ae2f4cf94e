//! Addresses of Redis servers: what is said first there, which certificates are believed, and what may be shown.
use std::borrow::Cow;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redis::io::tcp::TcpSettings;
use redis::{Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, TlsCertificates};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::backend::UnusableSetting;
use super::redis::RedisSettings;

const FORMS: &str =
    "write `host[:port]`, `redis://[[user]:password@]host[:port][/db]`, `rediss://...`, or `unix:///path`";
/// What of a query is no secret.
const SHOWN: [&str; 3] = ["db", "user", "protocol"];

/// What an address says.
pub(super) struct Address {
    /// With the password hidden.
    pub(super) name: String,
    /// Without a user or a database where `login` has them.
    pub(super) info: ConnectionInfo,
    /// Further nodes of a cluster.
    pub(super) others: Vec<ConnectionInfo>,
    /// Commands, so that the server's own words come back; empty for a cluster, where the library has to say them to each
    /// server.
    pub(super) login: Vec<Cmd>,
    pub(super) password: Option<String>,
    /// Where it is TLS and others than those of the system are believed.
    pub(super) certificates: Option<TlsCertificates>,
}

/// Takes the URL apart, and adds what settings of their own say. Its text is in no error, for it may hold a password.
pub(super) fn address(settings: &RedisSettings) -> Result<Address, UnusableSetting> {
    let (first, others) = match settings.url.split_once(',') {
        Some((first, others)) if settings.cluster => (first, others),
        _ => (settings.url.as_str(), ""),
    };
    let is_part = |text: &str| text.contains('@') && !text.contains("://");
    if !others.is_empty() && std::iter::once(first).chain(others.split(',')).any(is_part) {
        let reason =
            "begin each node that has a user with `redis://`; a comma in a password is `%2C`".to_owned();
        return Err(UnusableSetting { setting: "URL", reason });
    }
    let mut address = one(first, settings)?;
    for text in others.split(',').filter(|text| !text.trim().is_empty()) {
        let Address { name, info, .. } = one(text, settings)?;
        address.name = format!("{}, {name}", address.name);
        address.others.push(info);
    }
    address.name = format!("Redis: {}", address.name);
    Ok(address)
}

/// An address as the library wants it; sccache lets the scheme away, or writes `tcp`.
fn with_scheme(text: &str) -> Cow<'_, str> {
    match text.split_once("://") {
        None => Cow::Owned(format!("redis://{text}")),
        Some(("tcp", rest)) => Cow::Owned(format!("redis://{rest}")),
        Some(_) => Cow::Borrowed(text),
    }
}

/// What an address says, with the database that sccache writes as `?db=`, and with what settings of their own say.
fn completed(
    mut spoken: RedisConnectionInfo,
    settings: &RedisSettings,
    db: Option<i64>,
) -> Result<RedisConnectionInfo, UnusableSetting> {
    let twice = |setting| {
        let reason = "stands in the URL as well; take it out there or here".to_owned();
        Err(UnusableSetting { setting, reason })
    };
    if let Some(db) = db {
        spoken = spoken.set_db(db);
    }
    if let Some(username) = &settings.username {
        if spoken.username().is_some() {
            return twice("user name");
        }
        spoken = spoken.set_username(username);
    }
    if let Some(password) = &settings.password {
        if spoken.password().is_some() {
            return twice("password");
        }
        spoken = spoken.set_password(password);
    }
    if let Some(db) = settings.db.map(i64::from) {
        if spoken.db() != 0 && spoken.db() != db {
            return twice("database");
        }
        spoken = spoken.set_db(db);
    }
    if settings.username.is_some() && spoken.password().is_none() {
        let reason = "is of no use without a password".to_owned();
        return Err(UnusableSetting { setting: "user name", reason });
    }
    Ok(spoken)
}

/// Takes one address apart.
fn one(text: &str, settings: &RedisSettings) -> Result<Address, UnusableSetting> {
    let unusable = |reason: String| UnusableSetting { setting: "URL", reason };
    let mut url =
        redis::parse_redis_url(&with_scheme(text.trim())).ok_or_else(|| unusable(FORMS.to_owned()))?;
    let db = url.query_pairs().find(|(name, _)| name == "db").map(|(_, db)| db.parse::<i64>());
    let db = db.transpose().map_err(|_| unusable(format!("its `db` is no number; {FORMS}")))?;
    let info = url.clone().into_connection_info().map_err(|error| {
        // The detail may be a part of the address.
        unusable(format!("{}; {FORMS}", error.category()))
    })?;
    // Without a host there would be no user either. A lone user may be a password without its `:`.
    if url.password().is_some() {
        let _ = url.set_password(Some("*****"));
    } else if !url.username().is_empty() {
        let _ = url.set_username("*****");
    }
    if let Some(query) = url.query().map(masked) {
        url.set_query(Some(&query));
    }
    let name = url.to_string();
    let certificates = match (info.addr(), settings.ca_file.as_deref()) {
        (ConnectionAddr::TcpTls { .. }, ca_file) => {
            // The library takes what the process has; an error says that there is one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            ca_file.map(trusted).transpose()?
        }
        _ => None,
    };
    let spoken = completed(info.redis_settings().clone(), settings, db)?;
    let password = spoken.password().map(str::to_owned);
    let others = Vec::new();
    if settings.cluster {
        let info = info.set_redis_settings(spoken.set_skip_set_lib_name());
        return Ok(Address { name, info, others, login: Vec::new(), password, certificates });
    }
    let info = info.set_redis_settings(RedisConnectionInfo::default().set_skip_set_lib_name());
    let info = info.set_tcp_settings(at_once());
    let login = login(&spoken);
    Ok(Address { name, info, others, login, password, certificates })
}

/// The end of a request does not wait for the answer to its beginning.
pub(super) fn at_once() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn login(spoken: &RedisConnectionInfo) -> Vec<Cmd> {
    let mut commands = Vec::new();
    if let Some(password) = spoken.password() {
        let mut auth = redis::cmd("AUTH");
        // Servers before 6 know no users; `default` is who one is without.
        if let Some(user) = spoken.username().filter(|user| *user != "default") {
            auth.arg(user);
        }
        auth.arg(password);
        commands.push(auth);
    }
    if spoken.db() != 0 {
        let mut select = redis::cmd("SELECT");
        select.arg(spoken.db());
        commands.push(select);
    }
    commands
}

fn masked(query: &str) -> String {
    let parts = query.split('&').map(|part| match part.split_once('=') {
        Some((name, _)) if !SHOWN.contains(&name) => format!("{name}=*****"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}

/// The certificates of the system and those of a file: the library takes the one or the other, so they become one text.
fn trusted(ca_file: &Path) -> Result<TlsCertificates, UnusableSetting> {
    let unusable = |reason: String| UnusableSetting { setting: "CA file", reason };
    let text = fs::read(ca_file).map_err(|error| unusable(format!("{}: {error}", ca_file.display())))?;
    let own: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let own = own.map_err(|error| unusable(format!("{}: {error:?}", ca_file.display())))?;
    if own.is_empty() || RootCertStore::empty().add_parsable_certificates(own.iter().cloned()).1 > 0 {
        return Err(unusable(format!("{} holds no certificate (PEM) of use", ca_file.display())));
    }
    let mut root_cert = Vec::new();
    let system = rustls_native_certs::load_native_certs().certs;
    // One that is of no use would make the library refuse them all.
    let system = system.into_iter().filter(|cert| RootCertStore::empty().add(cert.clone()).is_ok());
    for cert in own.into_iter().chain(system) {
        let text = STANDARD.encode(&cert);
        root_cert.extend_from_slice(
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").as_bytes(),
        );
    }
    Ok(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> RedisSettings {
        RedisSettings { url: url.to_owned(), ..RedisSettings::default() }
    }

    #[test]
    fn t284_no_password_is_shown() {
        for (text, name) in [
            ("redis://h", "Redis: redis://h"),
            ("redis://:s3cret@h:1/2", "Redis: redis://:*****@h:1/2"),
            ("rediss://me:s3cret@[::1]/#insecure", "Redis: rediss://me:*****@[::1]/#insecure"),
            ("redis://s3cret@h", "Redis: redis://*****@h"),
            ("s3cret@h", "Redis: redis://*****@h"),
            ("unix:///a/b?db=1&user=me&pass=s3cret", "Redis: unix:///a/b?db=1&user=me&pass=*****"),
            ("redis+unix:///a?pass=s3cret&x", "Redis: redis+unix:///a?pass=*****&x"),
            ("redis://h?password=s3cret", "Redis: redis://h?password=*****"),
        ] {
            assert_eq!(address(&at(text)).unwrap().name, name);
        }
        for text in [
            "",
            "h:s3cret",
            "redis://h?db=s3cret",
            "http://:s3cret@h",
            "redis://:s3cret@h:port",
            "redis://:s3cret@h/s3cret",
            "redis://:s3cret@",
            "rediss://:s3cret@h#s3cret",
            "unix://?pass=s3cret&db=s3cret",
        ] {
            let text = address(&at(text)).err().unwrap().to_string();
            assert!(text.starts_with("URL: ") && !text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn what_is_said_first_is_taken_from_the_address() {
        let said = |text| {
            let login = address(&at(text)).unwrap().login;
            login.iter().map(|c| String::from_utf8(c.get_packed_command()).unwrap()).collect::<String>()
        };
        assert_eq!(said("h"), "");
        assert_eq!(said("tcp://h:1?db=7"), said("redis://h/7"));
        assert_eq!(said("redis://h"), "");
        assert_eq!(said("redis://:a%40b@h"), "*2\r\n$4\r\nAUTH\r\n$3\r\na@b\r\n");
        assert_eq!(said("redis://default:ab@h"), said("redis://:ab@h"));
        assert_eq!(said("redis://me:ab@h/1"), said("unix:///s?user=me&pass=ab&db=1"));
    }

    #[test]
    fn what_is_said_first_may_stand_in_settings_of_its_own() {
        let said = |url: &str, [username, password, db]: [&str; 3]| -> Result<String, UnusableSetting> {
            let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let (username, password, db) = (set(username), set(password), db.parse().ok());
            let login = address(&RedisSettings { username, password, db, ..at(url) })?.login;
            Ok(login.iter().map(|c| String::from_utf8(c.get_packed_command()).unwrap()).collect::<String>())
        };
        for (url, own, same) in [
            ("h", ["", "s3cret", ""], "redis://:s3cret@h"),
            ("tcp://h:1", ["me", "a@b/,", "3"], "redis://me:a%40b%2F%2C@h:1/3"),
            ("redis://me@h", ["", "s3cret", ""], "redis://me:s3cret@h"),
            ("redis://:s3cret@h/3", ["me", "", "3"], "redis://me:s3cret@h/3"),
            ("unix:///s", ["me", "s3cret", "3"], "unix:///s?user=me&pass=s3cret&db=3"),
        ] {
            assert_eq!(said(url, own), said(same, [""; 3]), "{url}");
        }
        for (url, own, setting) in [
            ("redis://:s3cret@h", ["", "s3cret", ""], "password"),
            ("unix:///s?pass=s3cret", ["", "s3cret", ""], "password"),
            ("redis://me:s3cret@h", ["you", "", ""], "user name"),
            ("redis://h/2", ["", "", "3"], "database"),
            ("redis://h?db=2", ["", "", "3"], "database"),
            ("h", ["me", "", ""], "user name"),
        ] {
            let error = said(url, own).unwrap_err();
            assert!(error.setting == setting && !error.reason.contains("s3cret"), "{url}: {error}");
        }
    }

    #[test]
    fn nodes_of_a_cluster_are_separated_by_commas() {
        let nodes = |url: &str| address(&RedisSettings { cluster: true, password: None, ..at(url) });
        let found = nodes("redis://:s3cret@h:1, rediss://h:2,h:3,").unwrap();
        assert_eq!(found.name, "Redis: redis://:*****@h:1, rediss://h:2, redis://h:3");
        assert_eq!(found.others.len(), 2);
        for text in ["redis://u:12,34@h", "u:12@h,h:2"] {
            let error = nodes(text).err().unwrap();
            assert!(error.reason.contains("%2C"), "{error}");
        }
        assert!(nodes("redis://u:12%2C34@h").is_ok());
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let trusting = |url| RedisSettings { ca_file: Some(file.clone()), ..at(url) };
        for text in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
            text.iter().for_each(|text| fs::write(&file, text).unwrap());
            let error = address(&trusting("rediss://h")).err().unwrap();
            assert_eq!(error.setting, "CA file");
        }
        assert!(address(&trusting("redis://h")).is_ok());
    }
}
