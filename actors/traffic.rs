//! Who asks: sessions and compiles in flight, since when there was none, and whether there is time left for what goes on behind.
use nix::unistd::{SysconfVar, sysconf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A build asks again sooner, unless it works on something else.
const CALM: Duration = Duration::from_secs(1);
/// As many compiles take some hundred times as long as what is done for one of them.
const LIGHT: usize = 16;

/// See the file's head.
pub struct Traffic {
    /// All connections.
    sessions: Arc<Count>,
    /// Those of compilers: whoever looks at the statistics builds nothing.
    compiles: Arc<Count>,
    /// When there was a compile for each processor.
    full: Mutex<Option<Instant>>,
    /// True when the coordinator is to end.
    hurries: watch::Sender<bool>,
}

impl Default for Traffic {
    fn default() -> Self {
        let (sessions, compiles, hurries) = (Arc::default(), Arc::default(), watch::Sender::new(false));
        Traffic { sessions, compiles, full: Mutex::default(), hurries }
    }
}

impl Traffic {
    /// A session begins; it ends when the value is dropped.
    pub(crate) fn enter(&self) -> Inside {
        Inside::new(&self.sessions)
    }
    /// So does the request of a compiler, which lasts as long as a compile that its client reports on.
    pub(crate) fn compile(&self) -> Inside {
        let inside = Inside::new(&self.compiles);
        if self.n_compiles() >= crate::cores() {
            *self.full.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        inside
    }
    /// Whether a build goes on that has, or had just now, a compile for each processor.
    pub(crate) fn is_full(&self) -> bool {
        let last = *self.full.lock().unwrap_or_else(PoisonError::into_inner);
        self.n_compiles() >= crate::cores() || last.is_some_and(|last| last.elapsed() < CALM)
    }
    /// The sessions in flight.
    pub(crate) fn n_inside(&self) -> usize {
        self.sessions.inside.load(Ordering::Relaxed)
    }
    /// The requests of compilers in flight.
    pub(crate) fn n_compiles(&self) -> usize {
        self.compiles.inside.load(Ordering::Relaxed)
    }
    /// Whether so few ask that one of them may be worked on while the others wait.
    pub(crate) fn is_light(&self) -> bool {
        self.n_inside() <= LIGHT
    }
    /// Whether there is no session, and was none for so long.
    pub(crate) fn is_idle_for(&self, limit: Duration) -> bool {
        self.sessions.is_idle_for(limit)
    }
    /// Whether no build seems to be going on, or nothing can wait for its end any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.hurries() || self.compiles.is_idle_for(CALM)
    }
    /// From now on nothing waits for a quiet moment or for an idle processor. Whether this is new.
    pub(crate) fn hurry(&self) -> bool {
        !self.hurries.send_replace(true)
    }
    /// Whether that was said.
    pub(crate) fn hurries(&self) -> bool {
        *self.hurries.borrow()
    }
    /// Waits until it is said.
    pub(crate) async fn wait_for_hurry(&self) {
        // The sender is ours: it does not end first.
        let _ = self.hurries.subscribe().wait_for(|hurries| *hurries).await;
    }
}

/// How many programs run or want to, the caller left out; `None` where the kernel does not tell, or tells of more processors than
/// are ours.
pub(crate) fn n_running() -> Option<usize> {
    if !all_processors_are_ours() {
        return None;
    }
    // `0.20 0.18 0.12 1/80 11206`: the fourth field begins with their number (proc_loadavg(5)).
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let (running, _) = text.split(' ').nth(3)?.split_once('/')?;
    Some(running.parse::<usize>().ok()?.saturating_sub(1))
}

/// Asked once, as [`crate::cores`] is: the C library reads a file for it.
fn all_processors_are_ours() -> bool {
    static ARE_OURS: OnceLock<bool> = OnceLock::new();
    *ARE_OURS.get_or_init(|| {
        let n_online = sysconf(SysconfVar::_NPROCESSORS_ONLN).ok().flatten();
        n_online.and_then(|n| usize::try_from(n).ok()).is_some_and(|n| n <= crate::cores())
    })
}

struct Count {
    inside: AtomicUsize,
    /// When one ended.
    last: Mutex<Instant>,
}

impl Default for Count {
    fn default() -> Self {
        Count { inside: AtomicUsize::new(0), last: Mutex::new(Instant::now()) }
    }
}

impl Count {
    fn is_idle_for(&self, limit: Duration) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.inside.load(Ordering::Relaxed) == 0 && last.elapsed() >= limit
    }
}

/// One in flight.
pub(crate) struct Inside(Arc<Count>);

impl Inside {
    fn new(count: &Arc<Count>) -> Self {
        count.inside.fetch_add(1, Ordering::Relaxed);
        Inside(Arc::clone(count))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_compiles_disturb_the_calm() {
        let traffic = Traffic::default();
        let _statistics = traffic.enter();
        std::thread::sleep(CALM);
        assert!(traffic.is_calm() && !traffic.is_idle_for(Duration::ZERO));
        let compile = traffic.compile();
        assert!(!traffic.is_calm());
        drop(compile);
        assert!(!traffic.is_calm());
        assert!(traffic.hurry() && !traffic.hurry() && traffic.is_calm());
    }
}
