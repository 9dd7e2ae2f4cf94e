//! Every bound of the coordinator, by name. A permit travels inside the message it is for and comes back when the
//! message is dropped: on success, error, panic and a lost mailbox alike.
use nix::sys::resource::{Resource, getrlimit};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Without those that wait.
const MAX_RECORDING: usize = 256;
/// Results that wait while a build goes on; each holds some memory.
const MAX_WAITING: usize = 1024;
const MAX_LEASES: usize = 256;
/// Some thousand checks of C units.
const MAX_CHECKS_KIB: usize = 32 << 10;
/// The largest result that a remote takes, or many small ones.
pub(crate) const MAX_UPLOADING_KIB: u32 = 256 << 10;
/// The largest result that a remote takes, or many small ones.
pub(crate) const MAX_CARRIED_KIB: u32 = 256 << 10;
/// Descriptors that the coordinator keeps for itself: index, logs, programs that it runs.
const OWN_DESCRIPTORS: u64 = 64;
/// Descriptors that one result holds which waits: folder, outputs, of which rustc has most.
const DESCRIPTORS_PER_WAITING: usize = 6;
/// Descriptors that one request may hold at a time: socket, folder, inputs being read, outputs.
const DESCRIPTORS_PER_SESSION: usize = 6;
const MAX_SESSIONS: usize = 4096;

/// The semaphores.
#[derive(Clone)]
pub(crate) struct Permits {
    /// Connections that are worked on; more wait in the socket's queue until these have got their answers.
    pub(crate) sessions: Arc<Semaphore>,
    /// Look-ups that may be worked on or wait for a Hasher.
    pub hashing: Arc<Semaphore>,
    /// Messages that may be at or wait for the local store.
    pub local_store: Arc<Semaphore>,
    /// Programs that the coordinator itself may run, whatever the jobserver says.
    pub slots: Arc<Semaphore>,
    /// Processes of clients that may be told of our jobserver; each costs a descriptor while it runs.
    pub leases: Arc<Semaphore>,
    /// Results that may wait to be recorded; more are not kept.
    pub recording: Arc<Semaphore>,
    /// How many there are of these: the limit that they follow from may be changed while we run.
    n_recording: usize,
    /// Checks behind the build that run or wait, by their weight in KiB; for more there is none.
    pub checks: Arc<Semaphore>,
    /// Checks that run: one, whatever the machine; as many as it has cores when the coordinator is to end.
    pub checking: Arc<Semaphore>,
    /// Objects of remotes that are being unpacked while they come.
    pub(crate) unpacking: Arc<Semaphore>,
    /// Results in memory that are being written to remotes, in KiB.
    pub uploading: Arc<Semaphore>,
    /// Results in memory that wait for this because the local store may not have them then, in KiB.
    pub carrying: Arc<Semaphore>,
}

impl Permits {
    /// Bounds for a machine with this many cores.
    pub(crate) fn new(cores: usize) -> Self {
        let n_recording = MAX_RECORDING + max_waiting();
        Permits {
            sessions: Arc::new(Semaphore::new(max_sessions())),
            hashing: Arc::new(Semaphore::new(64.max(cores * 8))),
            local_store: Arc::new(Semaphore::new(64.max(cores * 8))),
            slots: Arc::new(Semaphore::new(cores)),
            leases: Arc::new(Semaphore::new(MAX_LEASES)),
            recording: Arc::new(Semaphore::new(n_recording)),
            n_recording,
            checks: Arc::new(Semaphore::new(MAX_CHECKS_KIB)),
            checking: Arc::new(Semaphore::new(1)),
            unpacking: Arc::new(Semaphore::new(16.max(cores * 2))),
            uploading: Arc::new(Semaphore::new(MAX_UPLOADING_KIB as usize)),
            carrying: Arc::new(Semaphore::new(MAX_CARRIED_KIB as usize)),
        }
    }
    /// Whether no result waits to be recorded.
    pub(crate) fn recording_is_idle(&self) -> bool {
        self.recording.available_permits() == self.n_recording
    }
    /// Whether no check runs or waits.
    pub(crate) fn checks_are_idle(&self) -> bool {
        self.checks.available_permits() == MAX_CHECKS_KIB
    }
}

/// As many as there are descriptors for: running out of them in the middle would lose what is in the cache.
fn max_sessions() -> usize {
    let sessions =
        descriptors().saturating_sub(max_waiting() * DESCRIPTORS_PER_WAITING) / DESCRIPTORS_PER_SESSION;
    sessions.clamp(4, MAX_SESSIONS)
}

/// How many results may wait for the end of a build, of those that may be recorded.
pub(crate) fn max_waiting() -> usize {
    (descriptors() / 16).min(MAX_WAITING)
}

/// Descriptors for requests and results.
fn descriptors() -> usize {
    let all = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, _)| soft);
    usize::try_from(all.saturating_sub(OWN_DESCRIPTORS)).unwrap_or(usize::MAX)
}

/// A permit in a message.
pub(crate) type Permit = OwnedSemaphorePermit;

/// A permit, unless none comes free in time.
pub(crate) async fn acquire(of: &Arc<Semaphore>, deadline: Deadline) -> Option<Permit> {
    tokio::time::timeout(deadline.left(), Arc::clone(of).acquire_owned()).await.ok()?.ok()
}

/// The moment after which an answer is of no use; monotonic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// This long from now.
    pub(crate) fn after(limit: Duration) -> Self {
        Deadline(Instant::now() + limit)
    }
    /// Whether it is over.
    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }
    /// What is left.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}
