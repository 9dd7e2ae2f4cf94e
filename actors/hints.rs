//! What a client is told while a large result is on its way to it: files that grow, so that it copies them meanwhile. Nothing of it
//! is verified before the answer. No actor; the RequestRouter passes on what was told last.
use cachepot_engine::entry::{Body, Entry, EntryOutput};
use cachepot_engine::job::{Job, Output};
use cachepot_wire::{OutputBody, PlacedOutput};
use std::fs::File;
use std::sync::Arc;
use tokio::sync::watch;

/// How much has to come before it is told of again.
const STEP_BYTES: u64 = 1 << 20;

/// For one request.
#[derive(Clone)]
pub(crate) struct Hints {
    to: watch::Sender<Told>,
    /// Where outputs go.
    outputs: Arc<[Output]>,
}

/// What there is to tell.
#[derive(Clone, Default)]
pub(crate) struct Told {
    /// The outputs that are coming.
    pub(crate) coming: Option<Arc<Coming>>,
    /// So many bytes of all of them, in their order, are there.
    pub(crate) grown: u64,
}

/// Outputs, and a file for each.
pub(crate) struct Coming {
    /// Where they go, and how large they will be.
    pub(crate) outputs: Vec<PlacedOutput>,
    /// They grow at their ends.
    pub(crate) files: Vec<File>,
}

impl Hints {
    /// Hints, and what hears them.
    pub(crate) fn channel() -> (Self, watch::Receiver<Told>) {
        let (to, hears) = watch::channel(Told::default());
        (Hints { to, outputs: Arc::default() }, hears)
    }

    /// For the outputs of this job.
    pub(crate) fn of(&self, job: &Job) -> Self {
        Hints { to: self.to.clone(), outputs: job.outputs.as_slice().into() }
    }

    /// Tells of the blobs of an entry, where each has a file; the value tells how much of all of them is there.
    pub(crate) fn coming(&self, head: &Entry, files: Option<Vec<File>>) -> impl FnMut(u64) + use<> {
        let coming = files.and_then(|files| Some(Coming { outputs: self.placed(head)?, files }));
        let to = coming.map(|coming| {
            self.to.send_replace(Told { coming: Some(Arc::new(coming)), grown: 0 });
            self.to.clone()
        });
        let mut told_of = 0;
        move |bytes| {
            if let Some(to) = to.as_ref().filter(|_| bytes >= told_of + STEP_BYTES) {
                told_of = bytes;
                to.send_modify(|told| told.grown = bytes);
            }
        }
    }

    fn placed(&self, head: &Entry) -> Option<Vec<PlacedOutput>> {
        let blobs = head.outputs.iter().filter_map(|stored| match stored.body {
            Body::Inline(_) => None,
            Body::Blob { size, .. } => Some(placed(&self.outputs, stored, OutputBody::Descriptor(size))),
        });
        blobs.collect()
    }
}

/// Where a stored output goes; `None` where the job has none of its role.
pub(crate) fn placed(outputs: &[Output], stored: &EntryOutput, body: OutputBody) -> Option<PlacedOutput> {
    let output = outputs.iter().find(|output| output.role == stored.role)?;
    Some(PlacedOutput {
        path: output.path.clone(),
        executable: stored.executable,
        existing: output.existing,
        body,
    })
}
