//! Tries each configured tier once, for a person: whether it is reached, what may be done there, how fast it answers. No actor.
use crate::remotes;
use crate::tier;
use cachepot_config::{Environment, Loaded, Remote, RemoteKind, Remotes};
use cachepot_storage::remote::backend::{Backend, BackendError, Rights, check_key, get_whole};
use cachepot_storage::remote::sink::Sink;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// How long one remote may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Questions whose time is measured.
const QUESTIONS: u32 = 5;
const TLS: &str = "whether both sides speak TLS or none (`https://` or `http://`, `rediss://` or `redis://`)";
/// Larger than what many servers take at first, such as nginx.
const LARGE_MIB: usize = 2;
const TOO_LARGE: &str = "the server limits the size of a value, and larger results are not shared; raise its limit (nginx: \
                         `client_max_body_size`, memcached: `-I`)";
/// Slower ones are of no use beside a compiler.
const SLOW: Duration = Duration::from_millis(300);

/// What was found at one tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name in the settings.
    pub name: &'static str,
    /// Where it is, without secrets.
    pub location: String,
    /// What is well, or what is wrong and how to mend it.
    pub text: String,
    /// Whether all is as the settings want it.
    pub is_fine: bool,
}

/// Tries the local disk and all remotes of the settings, in their order.
///
/// # Errors
/// Where no runtime can be had.
pub fn check_storage(loaded: &Loaded, environment: &Environment) -> std::io::Result<Vec<Finding>> {
    let settings = &loaded.settings.remotes;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut findings = vec![local(&loaded.settings.disk.dir)];
    if let Err(error) = remotes::guard(settings) {
        let text = format!("cannot be used, and so no remote is: {error}");
        findings.push(Finding { name: "keys", location: String::new(), text, is_fine: false });
    }
    for remote in &settings.list {
        findings.push(runtime.block_on(check(remote, settings, environment)));
    }
    // A remote that hangs may hold a thread.
    runtime.shutdown_background();
    Ok(findings)
}

fn local(folder: &Path) -> Finding {
    let tried = std::fs::create_dir_all(folder).and_then(|()| {
        let file = folder.join(format!(".check-{}", std::process::id()));
        // A full disk still takes an empty file.
        let written = std::fs::write(&file, [0; 64 << 10]);
        written.and(std::fs::remove_file(&file))
    });
    let text = match &tried {
        Ok(()) => "can be read and written".to_owned(),
        Err(error) => {
            format!("cannot be written: {error}; set `cache.disk.dir` (`CACHEPOT_DIR`) to another folder")
        }
    };
    Finding { name: "disk", location: folder.display().to_string(), text, is_fine: tried.is_ok() }
}

async fn check(remote: &Remote, settings: &Remotes, environment: &Environment) -> Finding {
    let of = |location: &str, text: String, is_fine| {
        let location = location.to_owned();
        Finding { name: remote.name, location, text, is_fine }
    };
    let backend = match remotes::backend(remote, settings, environment) {
        Ok(backend) => backend,
        Err(error) => return of("", format!("its settings cannot be used: {error}"), false),
    };
    match tokio::time::timeout(LIMIT, tier::check(backend.as_ref(), remote.mode)).await {
        Ok(Ok(rights)) => {
            let is_tried = rights.read && rights.write && remote.mode.reads() && remote.mode.writes();
            let key = check_key();
            let takes_large = !is_tried || takes_large(backend.as_ref(), &key).await;
            // In the place of the large one.
            if is_tried && !keeps(backend.as_ref(), &key).await {
                let text = "takes what is written, but answers with something else; check that the address is \
                            that of such a server, and that nothing in between answers for it";
                return of(backend.name(), text.to_owned(), false);
            }
            let answer = answer_time(backend.as_ref()).await;
            let (mut text, is_fine) = judge(remote, backend.name(), &rights, answer);
            if !takes_large {
                text.push_str(&format!("; takes no values of {LARGE_MIB} MiB: {TOO_LARGE}"));
            }
            of(backend.name(), text, is_fine)
        }
        Ok(Err(error)) => of(backend.name(), advice(remote, backend.name(), &error), false),
        Err(_) => {
            let text = format!(
                "gives no answer within {} s; check address, port and firewall, and {TLS}",
                LIMIT.as_secs()
            );
            of(backend.name(), text, false)
        }
    }
}

/// False where the server says that this is too much.
async fn takes_large(backend: &dyn Backend, key: &str) -> bool {
    let value = vec![b'-'; LARGE_MIB << 20];
    let written = tokio::time::timeout(LIMIT, backend.put(key, value)).await;
    !matches!(written, Ok(Err(BackendError::TooLarge)))
}

/// Whether what is written is what is read.
async fn keeps(backend: &dyn Backend, key: &str) -> bool {
    let value = format!("cachepot {:?}", SystemTime::now()).into_bytes();
    let read = async {
        backend.put(key, value.clone()).await?;
        get_whole(backend, key).await
    };
    tokio::time::timeout(LIMIT, read).await.is_ok_and(|read| read == Ok(Some(value)))
}

/// The fastest of some answers: what the way there takes.
async fn answer_time(backend: &dyn Backend) -> Option<Duration> {
    let (mut best, key) = (None, check_key());
    for _ in 0..QUESTIONS {
        let began = Instant::now();
        let answer = tokio::time::timeout(LIMIT, backend.get(&key, &mut Sink::default())).await;
        answer.ok()?.ok()?;
        best = best.into_iter().chain([began.elapsed()]).min();
    }
    best
}

fn judge(remote: &Remote, location: &str, rights: &Rights, answer: Option<Duration>) -> (String, bool) {
    let (wants_read, wants_write) = (remote.mode.reads(), remote.mode.writes());
    let is_fine = (rights.read || !wants_read) && (rights.write || !wants_write);
    let can = match (rights.read, rights.write) {
        (true, true) => "can be read and written",
        (true, false) if !wants_write => "can be read",
        (true, false) => "can be read, but not written",
        (false, true) => "can be written, but not read",
        (false, false) => "can be neither read nor written",
    };
    let mut text = can.to_owned();
    if !is_fine {
        let help =
            guess(remote, location, &rights.trouble).unwrap_or("check user, password and rights there");
        text.push_str(&format!(": {}; {help}", rights.trouble));
        if rights.read && wants_write {
            text.push_str(&format!(", or set `cache.{}.rw_mode` to `READ_ONLY`", remote.name));
        }
    }
    if let Some(answer) = answer {
        text.push_str(&format!("; answers within {:.1} ms", answer.as_secs_f64() * 1000.0));
        if answer > SLOW {
            text.push_str(", which is slow: compiles will seldom wait for it");
        }
    }
    (text, is_fine)
}

fn advice(remote: &Remote, location: &str, error: &BackendError) -> String {
    let help = match error {
        BackendError::Unreachable(_) if remote.name == "folder" => "mount it, or make it",
        BackendError::Unreachable(_) => "check address, port, certificate and firewall",
        BackendError::Obstructed(_) => "see what lies there",
        BackendError::Malformed(_) => "check that the address is that of such a server",
        BackendError::Throttled { .. } | BackendError::Unwanted => "try again later",
        BackendError::Denied(_) => "check user, password and rights there",
        BackendError::Full(_) => "let the server evict what is old",
        BackendError::TooLarge => TOO_LARGE,
    };
    let error = error.to_string();
    let help = guess(remote, location, &error).unwrap_or(help);
    format!("{error}; {help}")
}

/// What is probably wrong, by the words of an error that say too little.
fn guess(remote: &Remote, location: &str, error: &str) -> Option<&'static str> {
    let says = |parts: &[&str]| parts.iter().any(|part| error.contains(part));
    if says(&["corrupt message"]) {
        return Some(
            "perhaps the server speaks no TLS: try `http://` for `https://`, `redis://` for `rediss://`",
        );
    }
    // What servers do that want TLS and get something else.
    let hangs_up = ["reset by peer", "closed before message", "hung up", "does not speak HTTP", "status 400"];
    if says(&hangs_up) && is_plain(remote, location) {
        return Some(
            "perhaps the server speaks TLS: try `https://` for `http://`, `rediss://` for `redis://`; else \
             check the address",
        );
    }
    if says(&["lookup address information", "is not found"]) {
        return Some("check the spelling of the host's name, and whether this machine can look it up");
    }
    says(&["larger than the remote accepts"]).then_some(TOO_LARGE)
}

/// Whether it is spoken to without TLS, and could be with it.
fn is_plain(remote: &Remote, location: &str) -> bool {
    let names_plain = |text: &str| ["http://", "redis://"].iter().any(|scheme| text.contains(scheme));
    match &remote.kind {
        // Their locations name a bucket.
        RemoteKind::S3(of) => {
            let is_plain = |host: &String| names_plain(host) || !(host.contains("://") || of.use_ssl);
            of.endpoint.as_ref().is_some_and(is_plain)
        }
        RemoteKind::Gcs(of) => of.endpoint.as_deref().is_some_and(names_plain),
        _ => names_plain(location),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_with_tls_and_one_without_is_guessed() {
        let kind = RemoteKind::Folder(cachepot_config::Folder { dir: "/".into() });
        let remote = Remote { name: "webdav", mode: cachepot_config::Mode::ReadWrite, kind };
        let help = |location, error| guess(&remote, location, error).unwrap_or_default();
        let reset = "Connection reset by peer (os error 104)";
        assert!(help("WebDAV: http://host/", reset).contains("perhaps the server speaks TLS"));
        assert!(help("Redis: redis://host", "status 400").contains("perhaps the server speaks TLS"));
        assert_eq!(help("WebDAV: https://host/", reset), "");
        assert_eq!(help("Redis: rediss://host", reset), "");
        assert_eq!(help("Memcached: host:1", reset), "");
        let corrupt = "received corrupt message of type InvalidContentType";
        assert!(help("WebDAV: https://host/", corrupt).contains("perhaps the server speaks no TLS"));
        assert!(help("", &BackendError::TooLarge.to_string()).contains("client_max_body_size"));
    }
}
