//! What every request may read: routes, permits, statistics, what is known of compilers.
use crate::backlog::Backlog;
use crate::compiler_info_cache::Snapshot;
use crate::inputs::Memory;
use crate::jobserver_actor::Slots;
use crate::manifests::Manifests;
use crate::observer::Observer;
use crate::pace::Pace;
use crate::permits::Permits;
use crate::remotes;
use crate::routes::Routes;
use crate::settled::Settled;
use crate::stats_file::StatsFile;
use crate::tiers::Tiers;
use crate::traffic::Traffic;
use crate::writers::Writers;
use cachepot_config::{Environment, Loaded};
use cachepot_engine::stats::Stats;
use cachepot_storage::local::LocalStore;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// See the file's head.
pub struct Shared {
    /// The statistics.
    pub stats: Stats,
    /// Addresses that are alive; the keeper writes, requests take a fresh copy.
    pub routes: watch::Sender<Routes>,
    /// Compilers that are known; CompilerInfoCache writes.
    pub compilers: watch::Sender<Snapshot>,
    /// Every bound.
    pub permits: Permits,
    /// The local store, for administration.
    pub store: Arc<LocalStore>,
    /// Manifests in memory, for administration.
    pub manifests: Arc<Manifests>,
    /// What is known of files.
    pub memory: Arc<Memory>,
    /// The remotes.
    pub(crate) tiers: Tiers,
    /// Who writes where.
    pub writers: Arc<Writers>,
    /// Who asks just now.
    pub traffic: Arc<Traffic>,
    /// What is still to be recorded.
    pub(crate) backlog: Backlog,
    /// How long it took to take a small result in.
    pub pace: Pace,
    /// The settings, and where they came from.
    pub loaded: Loaded,
    /// The environment that the settings were read from.
    pub started_with: Environment,
    /// Digests of large files, such as the parts of compilers.
    pub settled: Arc<Settled>,
    /// The library that observes compiles.
    pub observer: Observer,
    /// See [`crate::Options::stub`].
    pub stub: Option<&'static [u8]>,
    /// Slots for what the coordinator itself starts.
    pub(crate) slots: Slots,
    /// A private folder for the files of running compiles.
    pub scratch: PathBuf,
    /// Where the statistics are kept.
    pub stats_file: StatsFile,
    /// How many damaged files of the store are in the statistics.
    pub damage_told: AtomicU64,
    serial: AtomicU64,
    told: Mutex<HashSet<String>>,
}

impl Shared {
    /// Puts the parts together; `scratch` exists.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            stats: (stats_file, stats),
            permits,
            store,
            loaded,
            started_with,
            scratch,
            observer,
            stub,
        } = parts;
        let traffic = Arc::default();
        let tiers = Tiers::new(remotes::open(&loaded.settings.remotes, &started_with), &traffic);
        let folder = &loaded.settings.disk.dir;
        let routes = watch::Sender::new(Routes::default());
        Shared {
            tiers,
            stats_file,
            stats,
            slots: Slots::new(routes.clone(), permits.clone()),
            routes,
            settled: Arc::new(Settled::new(folder)),
            stub,
            observer: Observer::new(observer, [scratch.clone(), folder.clone()]),
            compilers: watch::Sender::new(Snapshot::default()),
            permits,
            manifests: Arc::new(Manifests::new(Arc::clone(&store))),
            store,
            memory: Arc::default(),
            writers: Arc::default(),
            traffic,
            backlog: Backlog::default(),
            pace: Pace::default(),
            loaded,
            started_with,
            scratch,
            damage_told: AtomicU64::new(0),
            serial: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    /// The addresses of this moment.
    pub fn routes(&self) -> Routes {
        self.routes.borrow().clone()
    }

    /// A new name for private files; suffixes are added to it.
    pub fn scratch_name(&self) -> PathBuf {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.scratch.join(format!("{}-{serial}", std::process::id()))
    }

    /// Where writes to a remote wait.
    pub(crate) fn pending_folder(&self, remote: &str) -> PathBuf {
        self.loaded.settings.disk.dir.join("pending").join(remote)
    }

    /// The text itself the first time, nothing after that.
    pub fn once(&self, text: String) -> String {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < 64 && told.insert(text.clone()) { text } else { String::new() }
    }
}

/// What [`Shared`] is made from.
pub struct Parts {
    /// Restored statistics, and their file.
    pub stats: (StatsFile, Stats),
    /// Bounds.
    pub permits: Permits,
    /// The open store.
    pub store: Arc<LocalStore>,
    /// The settings.
    pub loaded: Loaded,
    /// Where they were read from.
    pub started_with: Environment,
    /// See [`Shared::scratch`].
    pub scratch: PathBuf,
    /// See [`crate::Options::observer`].
    pub observer: Option<&'static [u8]>,
    /// See [`crate::Options::stub`].
    pub stub: Option<&'static [u8]>,
}
