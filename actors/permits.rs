//! Every bound of the coordinator, by name. A permit travels inside the message it is for and comes back when the
//! message is dropped: on success, error, panic and a lost mailbox alike.
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MAX_RECORDING: usize = 256;
const MAX_LEASES: usize = 256;

/// The semaphores.
#[derive(Clone)]
pub(crate) struct Permits {
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
}

impl Permits {
    /// Bounds for a machine with this many cores.
    pub(crate) fn new(cores: usize) -> Self {
        Permits {
            hashing: Arc::new(Semaphore::new(64.max(cores * 8))),
            local_store: Arc::new(Semaphore::new(64.max(cores * 8))),
            slots: Arc::new(Semaphore::new(cores)),
            leases: Arc::new(Semaphore::new(MAX_LEASES)),
            recording: Arc::new(Semaphore::new(MAX_RECORDING)),
        }
    }
    /// Whether no result waits to be recorded.
    pub(crate) fn recording_is_idle(&self) -> bool {
        self.recording.available_permits() == MAX_RECORDING
    }
}

/// A permit in a message.
pub(crate) type Permit = OwnedSemaphorePermit;

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
