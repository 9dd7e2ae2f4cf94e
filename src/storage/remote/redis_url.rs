//! Addresses of Redis servers: what is said first there, which certificates are believed, and what may be shown.
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

const FORMS: &str = "write `redis://[[user]:password@]host[:port][/db]`, `rediss://...`, or `unix:///path`";
/// What of a query is no secret.
const SHOWN: [&str; 3] = ["db", "user", "protocol"];

/// What an address says.
pub(super) struct Address {
    /// With the password hidden.
    pub(super) name: String,
    /// Without a user or a database where `login` has them.
    pub(super) info: ConnectionInfo,
    /// Commands, so that the server's own words come back; empty for a cluster, where the library has to say them to each
    /// server.
    pub(super) login: Vec<Cmd>,
    pub(super) password: Option<String>,
    /// Where it is TLS and others than those of the system are believed.
    pub(super) certificates: Option<TlsCertificates>,
}

/// Takes an address apart. Its text is in no error, for it may hold a password.
pub(super) fn read_url(
    text: &str,
    ca_file: Option<&Path>,
    is_cluster: bool,
) -> Result<Address, UnusableSetting> {
    let unusable = |reason: String| UnusableSetting { setting: "URL", reason };
    let mut url = redis::parse_redis_url(text.trim()).ok_or_else(|| unusable(FORMS.to_owned()))?;
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
    let name = format!("Redis: {url}");
    let certificates = match (info.addr(), ca_file) {
        (ConnectionAddr::TcpTls { .. }, ca_file) => {
            // The library takes what the process has; an error says that there is one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            ca_file.map(trusted).transpose()?
        }
        _ => None,
    };
    let spoken = info.redis_settings().clone();
    let password = spoken.password().map(str::to_owned);
    if is_cluster {
        let info = info.set_redis_settings(spoken.set_skip_set_lib_name());
        return Ok(Address { name, info, login: Vec::new(), password, certificates });
    }
    let info = info.set_redis_settings(RedisConnectionInfo::default().set_skip_set_lib_name());
    let info = info.set_tcp_settings(at_once());
    Ok(Address { name, info, login: login(&spoken), password, certificates })
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

    #[test]
    fn t284_no_password_is_shown() {
        for (text, name) in [
            ("redis://h", "Redis: redis://h"),
            ("redis://:s3cret@h:1/2", "Redis: redis://:*****@h:1/2"),
            ("rediss://me:s3cret@[::1]/#insecure", "Redis: rediss://me:*****@[::1]/#insecure"),
            ("redis://s3cret@h", "Redis: redis://*****@h"),
            ("unix:///a/b?db=1&user=me&pass=s3cret", "Redis: unix:///a/b?db=1&user=me&pass=*****"),
            ("redis+unix:///a?pass=s3cret&x", "Redis: redis+unix:///a?pass=*****&x"),
            ("redis://h?password=s3cret", "Redis: redis://h?password=*****"),
        ] {
            assert_eq!(read_url(text, None, false).unwrap().name, name);
        }
        for text in [
            "",
            "s3cret",
            "http://:s3cret@h",
            "redis://:s3cret@h:port",
            "redis://:s3cret@h/s3cret",
            "redis://:s3cret@",
            "rediss://:s3cret@h#s3cret",
            "unix://?pass=s3cret&db=s3cret",
        ] {
            let text = read_url(text, None, false).err().unwrap().to_string();
            assert!(text.starts_with("URL: ") && !text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn what_is_said_first_is_taken_from_the_address() {
        let said = |text| {
            let login = read_url(text, None, false).unwrap().login;
            login.iter().map(|c| String::from_utf8(c.get_packed_command()).unwrap()).collect::<String>()
        };
        assert_eq!(said("redis://h"), "");
        assert_eq!(said("redis://:a%40b@h"), "*2\r\n$4\r\nAUTH\r\n$3\r\na@b\r\n");
        assert_eq!(said("redis://default:ab@h"), said("redis://:ab@h"));
        assert_eq!(said("redis://me:ab@h/1"), said("unix:///s?user=me&pass=ab&db=1"));
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        for text in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
            text.iter().for_each(|text| fs::write(&file, text).unwrap());
            let error = read_url("rediss://h", Some(&file), false).err().unwrap();
            assert_eq!(error.setting, "CA file");
        }
        assert!(read_url("redis://h", Some(&file), false).is_ok());
    }
}
