//! Being the coordinator: from an inherited process to one that listens. What it does then is in `actors`.
//!
//! Started by a starter (it has `/dev/null`, a session and a pipe to report on), or in the foreground
//! (`CACHEPOT_NO_DAEMON=1`), or by a user who wants it in the background: then it starts one like anybody else.
use crate::listen;
use crate::logging;
use crate::memory;
use crate::start;
use crate::talk::{Context, load};
use crate::{EXIT_ERROR, finish};
use anyhow::Context as _;
use cachepot_client::process::{self, Limit, NOTIFY_VARIABLE};
use cachepot_client::start::{COORDINATOR_VARIABLE, DIRECTORY_VARIABLE, jobserver_descriptors};
use cachepot_wire::EnvBlock;
use cachepot_wire::fd::own_uid;
use cachepot_wire::socket::places;
use std::env;
use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// See `src/observe/`.
#[cfg(observer)]
const OBSERVER: Option<&[u8]> = Some(include_bytes!(env!("CACHEPOT_OBSERVER")));
/// See `src/stub/`.
#[cfg(observer)]
const STUB: Option<&[u8]> = Some(include_bytes!(env!("CACHEPOT_STUB")));
#[cfg(not(observer))]
const OBSERVER: Option<&[u8]> = None;
#[cfg(not(observer))]
const STUB: Option<&[u8]> = None;

/// Whether the environment orders this process to be the coordinator.
pub(crate) fn is_ordered(env: &EnvBlock) -> bool {
    is_one(env, COORDINATOR_VARIABLE) || is_one(env, "CACHEPOT_START_SERVER")
}

fn is_one(env: &EnvBlock, name: &str) -> bool {
    env.get(name).is_some_and(|value| value == "1")
}

/// Is the coordinator until it ends.
pub(crate) fn main(env: EnvBlock) -> ExitCode {
    let notify: Option<RawFd> = env.get(NOTIFY_VARIABLE).and_then(|n| n.to_str()?.parse().ok());
    let mut keep = jobserver_descriptors(&env);
    keep.extend(notify.filter(|&descriptor| descriptor > 2));
    process::close_inherited(&keep);
    let starter = Starter::new(notify.and_then(process::take_pipe));
    if !starter.is_there() && !is_one(&env, "CACHEPOT_NO_DAEMON") {
        return finish(Context::new(env).and_then(|context| start::quietly(&context)));
    }
    match serve(env, &starter) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            if starter.is_there() {
                starter.tell(&format!("0{error:#}"));
                return ExitCode::from(EXIT_ERROR);
            }
            finish(Err(error))
        }
    }
}

fn serve(env: EnvBlock, starter: &Starter) -> anyhow::Result<()> {
    let directory = match env.get(DIRECTORY_VARIABLE) {
        Some(directory) => PathBuf::from(directory),
        None => env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
    };
    memory::keep();
    let loaded = load(&env, &directory)?;
    if let Some(path) = &loaded.settings.coordinator.error_log {
        open_log(path).with_context(|| format!("open the error log `{}`", path.display()))?;
    }
    logging::start(loaded.settings.coordinator.log.as_deref());
    process::announce_fatal_signals();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    raise_limits(&env);
    let (listener, socket) = listen::bind(&places(&env, own_uid()))?;
    let socket = Arc::new(socket);
    let (ready, retired) = (starter.clone(), Arc::clone(&socket));
    let result = cachepot_actors::run(cachepot_actors::Options {
        listener,
        loaded,
        env: without_startup(&env),
        observer: OBSERVER,
        stub: STUB,
        ready: Box::new(move || ready.tell("1")),
        retire: Box::new(move || retired.remove()),
    });
    // Also where it ended without a word.
    socket.remove();
    result.context("run the coordinator")
}

/// The log and the panics go to the end of this file, from here on.
fn open_log(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    process::redirect_stderr(&File::options().append(true).create(true).mode(0o600).open(path)?)
}

fn raise_limits(env: &EnvBlock) {
    // The first client set it for its own compiles, not for all that follow.
    process::survive_file_size_limit();
    // A hundred clients hold a few descriptors each; many systems begin with 1024.
    let mut limits = vec![Limit::OpenFiles, Limit::FileSize];
    if is_one(env, "CACHEPOT_ALLOW_CORE_DUMPS") {
        limits.push(Limit::CoreDump);
    }
    for limit in limits {
        if let Err(error) = process::raise_limit(limit) {
            tracing::warn!(?limit, %error, "cannot raise a limit");
        }
    }
}

/// What the starter said to this process alone is not part of the environment it works in.
fn without_startup(env: &EnvBlock) -> EnvBlock {
    let is_startup = |name: &[u8]| name.starts_with(b"CACHEPOT_STARTUP_");
    EnvBlock::from_pairs(env.iter().filter(|(name, _)| !is_startup(name.as_bytes())))
}

/// The process that waits for the coordinator to be ready, if there is one.
#[derive(Clone)]
struct Starter {
    pipe: Arc<Mutex<Option<File>>>,
    is_there: bool,
}

impl Starter {
    fn new(pipe: Option<File>) -> Self {
        Starter { is_there: pipe.is_some(), pipe: Arc::new(Mutex::new(pipe)) }
    }
    fn is_there(&self) -> bool {
        self.is_there
    }
    /// Says one thing and closes the pipe; nothing the second time.
    fn tell(&self, text: &str) {
        if let Some(mut pipe) = self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It may have given up waiting.
            let _ = pipe.write_all(text.as_bytes());
        }
    }
}
