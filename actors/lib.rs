//! The coordinator: actors on actix around the engine and the storage. The only package that names actix.
//! Who owns what and who asks whom: docs/ARCHITECTURE.md, "Actors".
// The modules are private: `pub` in them means what the others may use.
#![allow(unreachable_pub)]

mod backlog;
mod behind;
mod build_scripts;
mod built_in_folders;
mod carried;
mod compiler_info_cache;
mod compiler_parts;
mod detect;
mod drive;
mod elsewhere;
mod find;
mod hasher;
mod hints;
mod idle;
mod in_hand;
mod inputs;
mod jobserver;
mod jobserver_actor;
mod keeper;
mod latency;
mod manifests;
mod miss;
mod observer;
mod odds;
mod outputs;
mod pace;
mod packer;
mod pending;
mod permits;
mod pidfd;
mod pool;
mod program;
mod publish;
mod pulse;
mod question;
mod remote_storage_actor;
mod remotes;
mod request_router;
mod response_file;
mod revive;
mod routes;
mod run;
mod settled;
mod shared;
mod statistics;
mod stats_file;
mod storage_actor;
mod storage_check;
mod subject;
#[cfg(test)]
mod tests;
mod tier;
mod tiers;
mod together;
mod traffic;
mod transfer;
mod upload;
mod version;
mod wrapper;
mod writers;

use crate::jobserver_actor::Origin;
use crate::keeper::Death;
use crate::permits::Permits;
use crate::request_router::{Close, Gate, RequestRouter, drain};
use crate::revive::Reviver;
use crate::shared::{Parts, Shared};
use crate::stats_file::StatsFile;
use actix::{Actor, System};
use cachepot_config::{Environment, Loaded};
use cachepot_storage::local::{LocalSettings, LocalStore};
use cachepot_storage::remote::bundle::MAX_CONTENT_BYTES;
use cachepot_wire::{EnvBlock, fd, socket};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

pub use cachepot_storage::remote::guard::generate as generate_key;
pub use cachepot_storage::remote::packing::serve as pack_objects;
pub use storage_check::{Finding, check_storage};

/// How often the statistics are kept on disk.
const SAVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long the private files of a compile may lie around.
const SCRATCH_LIFE: Duration = Duration::from_secs(24 * 3600);

/// What a coordinator is started with.
pub struct Options {
    /// Bound and listening.
    pub listener: UnixListener,
    /// The settings, and what should be told about them.
    pub loaded: Loaded,
    /// The environment it was started with.
    pub env: EnvBlock,
    /// The library that observes compiles, where there is one for this system.
    pub observer: Option<&'static [u8]>,
    /// The program that stands in place of build scripts whose runs are cached, if this build has it.
    pub stub: Option<&'static [u8]>,
    /// To be called when requests are taken.
    pub ready: Box<dyn FnOnce() + Send>,
    /// To be called when no more requests are taken, before those in flight are waited for: removes the socket
    /// file, so that a successor can start at once.
    pub retire: Box<dyn FnOnce() + Send>,
}

/// Why a coordinator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The cache folder cannot be used.
    #[error("cannot use the cache folder")]
    Store(#[from] cachepot_storage::error::StoreError),
    /// The runtime cannot be had.
    #[error("cannot start the coordinator's runtime")]
    Runtime(#[from] std::io::Error),
}

/// Runs a coordinator until it is asked to end, by a request, a signal or the idle timer.
///
/// # Errors
/// [`RunError`] when it cannot start.
pub fn run(options: Options) -> Result<(), RunError> {
    let Options { listener, loaded, env, observer, stub, ready, retire } = options;
    let scratch = socket::places(&env, fd::own_uid()).scratch;
    let disk = &loaded.settings.disk;
    let max_bytes = disk.max_bytes.as_bytes();
    let is_shared = loaded.settings.remotes.list.iter().any(|remote| remote.mode.writes());
    // What a remote takes is copied, too, though there may be no place for it here.
    let max_copy = if is_shared { max_bytes.max(MAX_CONTENT_BYTES) } else { max_bytes };
    let settings = LocalSettings { dir: disk.dir.clone(), max_bytes, max_copy };
    let store = Arc::new(LocalStore::open(settings)?);
    make_scratch(&scratch)?;
    let parts = Parts {
        stats: StatsFile::open(&disk.dir),
        permits: Permits::new(cores()),
        store: Arc::clone(&store),
        loaded,
        started_with: Environment::new(env.iter(), fd::own_uid()),
        scratch: scratch.clone(),
        observer,
        stub,
    };
    let shared = Arc::new(Shared::new(parts));
    let jobserver = Origin::new(&env, scratch.clone(), cores());
    let stop = Arc::new(AtomicBool::new(false));
    let upkeep = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        std::thread::Builder::new().name("upkeep".to_owned()).spawn(move || store.maintain(&stop))?
    };
    let served =
        System::new().block_on(serve(listener, Arc::clone(&shared), jobserver, Calls { ready, retire }));
    stop.store(true, Ordering::Relaxed);
    upkeep.thread().unpark();
    let _ = upkeep.join();
    store.shut_down();
    statistics::save(&shared);
    // Only if it is empty: a compile that outlives us still writes there, and its client cleans up.
    let _ = std::fs::remove_dir(&scratch);
    served.map_err(RunError::Runtime)
}

struct Calls {
    ready: Box<dyn FnOnce() + Send>,
    retire: Box<dyn FnOnce() + Send>,
}

async fn serve(
    listener: UnixListener,
    shared: Arc<Shared>,
    jobserver: Origin,
    calls: Calls,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let (deaths, news) = mpsc::unbounded_channel::<Death>();
    let reviver = Reviver::new(Arc::clone(&shared), deaths, cores(), jobserver);
    reviver.start_all();
    actix::spawn(revive::keep(news, reviver));
    actix::spawn(save_now_and_then(Arc::clone(&shared)));
    let gate = Arc::new(Gate::new());
    let router = RequestRouter::new(listener, Arc::clone(&shared), Arc::clone(&gate)).start();
    (calls.ready)();
    wait_for_end(&gate).await?;
    // New clients find nobody and start a successor; those inside are waited for.
    (calls.retire)();
    let _ = router.send(Close).await;
    drain(&shared, 0).await;
    shared.tiers.let_go(None);
    Ok(())
}

async fn wait_for_end(gate: &Gate) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        () = gate.closed() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn save_now_and_then(shared: Arc<Shared>) {
    let mut saved = shared.stats.snapshot();
    loop {
        actix::clock::sleep(SAVE_INTERVAL).await;
        let now = shared.stats.snapshot();
        if now == saved {
            continue;
        }
        let shared = Arc::clone(&shared);
        let save = move || {
            shared.store.flush();
            statistics::save(&shared)
        };
        if tokio::task::spawn_blocking(save).await.unwrap_or(false) {
            saved = now;
        }
    }
}

/// Files of a day ago belong to clients that were killed.
fn make_scratch(folder: &Path) -> std::io::Result<()> {
    socket::make_folder(folder)?;
    for entry in std::fs::read_dir(folder)?.flatten() {
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > SCRATCH_LIFE) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Processors for us. The standard library reads several files for that.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(2, usize::from))
}
