//! What a miss waits for before its client goes on: a look at the inputs, and copies of the outputs.
use super::{Miss, Taken, flat, not_storable};
use crate::backlog::Held;
use crate::inputs::Compiled;
use crate::permits::{Deadline, acquire};
use crate::pool::guard;
use crate::routes::ask;
use crate::statistics::NotStored;
use crate::storage_actor::{NotTaken, Seen, TakeIn, TakenIn};
use cachepot_storage::local::Ingested;
use cachepot_storage::remote::bundle::SMALL_BYTES;
use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

/// Nobody else is answered meanwhile: so many headers that nobody has read yet are looked at in some milliseconds. What waits holds a
/// few hundred bytes for each.
const MAX_INPUTS: usize = 512;

/// Of what waits, for each input: its name, what it was, and its share of the rest. An estimate.
const BYTES_PER_INPUT: usize = 512;

/// Of what waits, beside that: the call, its environment, tasks. Measured.
const BYTES_PER_CALL: usize = 20 << 10;

impl Taken {
    /// What it holds until it is recorded.
    pub(super) fn held(&self, seen: &Seen) -> Held {
        let (in_memory, on_disk): (Vec<_>, Vec<_>) =
            self.outputs.iter().map(|(_, _, copy)| copy).partition(|copy| copy.is_in_memory());
        let size = |copies: Vec<&Ingested>| copies.into_iter().map(Ingested::size).sum::<u64>();
        let listings = if let Seen::InPart(sight) = seen { sight.listed_bytes() } else { 0 };
        let messages = self.meta.stdout.len() + self.meta.stderr.len();
        let others = BYTES_PER_CALL + messages + self.compiled.inputs.len() * BYTES_PER_INPUT + listings;
        Held { in_memory: size(in_memory) + others as u64, on_disk: size(on_disk) }
    }
}

impl Miss {
    /// What the compile depended on, and copies of its outputs that are ours alone.
    pub(super) async fn seen_and_copied(
        &self,
        compiled: &Arc<Compiled>,
        files: Vec<File>,
        deadline: Deadline,
    ) -> Result<TakenIn, NotStored> {
        let permit = acquire(&self.shared.permits.local_store, deadline).await;
        let permit = permit.ok_or_else(|| NotStored::skipped("store busy"))?;
        let (subject, compiled) = (Arc::clone(&self.subject), Arc::clone(compiled));
        let memory = self.shared.tiers.take_writes().then(|| Arc::clone(&self.shared.permits.carrying));
        let mut message = TakeIn { subject, compiled, files, may_wait: false, memory, permit };
        let (shared, began) = (&self.shared, Instant::now());
        let is_small = message.compiled.watched.is_none()
            && message.compiled.inputs.len() <= MAX_INPUTS
            && message.bytes() <= SMALL_BYTES as u64;
        message.may_wait = is_small;
        // Where it is quick, it is done here: the client waits, and while another thread wakes up for it, this processor would
        // have nothing to do and the other's compile would stand still.
        let taken = if is_small && shared.traffic.is_light() && shared.pace.is_quick() {
            Ok(guard(|| message.take_in(&shared.memory, &shared.store)))
        } else {
            ask(shared.routes().local_store.as_ref(), message, deadline).await
        };
        if is_small {
            shared.pace.note(began.elapsed());
        }
        match taken.map_err(NotStored::skipped)?.map_err(NotStored::skipped)? {
            Ok(taken) => Ok(taken),
            Err(NotTaken::Inputs(why)) => Err(not_storable(why)),
            Err(NotTaken::Store(error)) => flat(Err(error)),
        }
    }
}
