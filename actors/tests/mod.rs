//! Actors under a keeper, with panics, freezes and expired deadlines; and the jobserver with real processes.
mod behind;
mod jobserver;
mod lives;
mod outputs;
mod slots;

use crate::jobserver_actor::Origin;
use crate::keeper::{ActorName, Generation};
use crate::permits::Permits;
use crate::revive::{self, Reviver};
use crate::shared::{Parts, Shared};
use crate::stats_file::StatsFile;
use cachepot_config::Environment;
use cachepot_storage::local::{LocalSettings, LocalStore};
use cachepot_wire::EnvBlock;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Cores that the coordinators here believe to have, and so the slots of their jobservers.
const CORES: usize = 3;
/// How long anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A coordinator without a router, in a folder of its own.
struct World {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

impl World {
    /// To be called inside a system.
    fn start() -> World {
        Self::with_pulse(Duration::from_secs(5))
    }

    fn with_pulse(pulse: Duration) -> World {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            LocalSettings { dir: folder.path().join("cache"), max_bytes: 1 << 20, max_copy: 1 << 20 };
        let remote = folder.path().join("remote");
        std::fs::create_dir(&remote).unwrap();
        let variables = [
            ("CACHEPOT_CONF", folder.path().join("none")),
            ("HOME", folder.path().to_owned()),
            ("CACHEPOT_FOLDER", remote),
        ];
        let pairs = variables.map(|(name, value)| (name, value.into_os_string()));
        let environment = Environment::new(pairs, 0);
        let shared = Arc::new(Shared::new(Parts {
            stats: StatsFile::open(&folder.path().join("cache")),
            permits: Permits::new(CORES),
            store: Arc::new(LocalStore::open(settings).unwrap()),
            loaded: cachepot_config::load(&environment, folder.path()).unwrap(),
            started_with: environment,
            scratch: folder.path().to_owned(),
            observer: None,
            stub: None,
        }));
        let (deaths, news) = mpsc::unbounded_channel();
        let origin = Origin::new(&EnvBlock::default(), folder.path().to_owned(), CORES);
        let reviver = Reviver::new(Arc::clone(&shared), deaths, CORES, origin).with_pulse(pulse);
        reviver.start_all();
        actix::spawn(revive::keep(news, reviver));
        World { folder, shared }
    }

    fn life(&self, actor: ActorName) -> Generation {
        *self.shared.routes().life(actor)
    }

    /// Waits for the how-manieth life of an actor.
    async fn reaches_life(&self, actor: ActorName, life: Generation) {
        until(|| self.life(actor) >= life).await;
    }
}

/// Waits for a condition that other threads or processes bring about.
async fn until(mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn environment(name: &str, value: impl AsRef<OsStr>) -> EnvBlock {
    EnvBlock::from_pairs([(OsStr::new(name), value.as_ref())])
}
