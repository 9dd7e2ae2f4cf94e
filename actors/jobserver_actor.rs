//! JobserverActor: slots for what the coordinator itself starts.
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Gives slots out.
#[derive(Clone)]
pub struct Slots(Arc<Semaphore>);

impl Slots {
    /// As many slots as cores.
    pub fn new(cores: usize) -> Self {
        Slots(Arc::new(Semaphore::new(cores)))
    }
    /// Waits for a slot; `None` when the coordinator ends.
    pub async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}
