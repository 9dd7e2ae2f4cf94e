//! Tries each configured tier once, for a person: whether it is reached, what may be done there, how fast it answers. No actor.
use crate::remotes;
use crate::tiers;
use cachepot_config::{Environment, Loaded, Remote, Remotes};
use cachepot_storage::remote::backend::{Backend, BackendError, Rights, check_key, get_whole};
use cachepot_storage::remote::sink::Sink;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// How long one remote may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Questions whose time is measured.
const QUESTIONS: u32 = 5;
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
    match tokio::time::timeout(LIMIT, tiers::check(backend.as_ref(), remote.mode)).await {
        Ok(Ok(rights)) => {
            let is_tried = rights.read && rights.write && remote.mode.reads() && remote.mode.writes();
            if is_tried && !keeps(backend.as_ref()).await {
                let text = "takes what is written, but answers with something else; check that the address is \
                            that of such a server, and that nothing in between answers for it";
                return of(backend.name(), text.to_owned(), false);
            }
            let answer = answer_time(backend.as_ref()).await;
            let (text, is_fine) = judge(remote, &rights, answer);
            of(backend.name(), text, is_fine)
        }
        Ok(Err(error)) => of(backend.name(), advice(remote, &error), false),
        Err(_) => {
            let text =
                format!("gives no answer within {} s; check address, port and firewall", LIMIT.as_secs());
            of(backend.name(), text, false)
        }
    }
}

/// Whether what is written is what is read.
async fn keeps(backend: &dyn Backend) -> bool {
    let (key, value) = (check_key(), format!("cachepot {:?}", SystemTime::now()).into_bytes());
    let read = async {
        backend.put(&key, value.clone()).await?;
        get_whole(backend, &key).await
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

fn judge(remote: &Remote, rights: &Rights, answer: Option<Duration>) -> (String, bool) {
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
        text.push_str(&format!(": {}; check user, password and rights there", rights.trouble));
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

fn advice(remote: &Remote, error: &BackendError) -> String {
    let help = match error {
        BackendError::Unreachable(_) if remote.name == "folder" => "mount it, or make it",
        BackendError::Unreachable(_) => "check address, port, certificate and firewall",
        BackendError::Malformed(_) => "check that the address is that of such a server",
        BackendError::Throttled { .. } | BackendError::Unwanted => "try again later",
        BackendError::Denied(_) => "check user, password and rights there",
        BackendError::Full(_) => "let the server evict what is old",
        BackendError::TooLarge => "the server should take larger values",
    };
    format!("{error}; {help}")
}
