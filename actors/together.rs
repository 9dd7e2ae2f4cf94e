//! Work in many pieces, as many at a time as there are slots.
use crate::jobserver_actor::{Slot, Slots};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// More would hardly find a slot, and the pieces are short.
const MAX_WORKERS: usize = 4;

/// Does all pieces; the answers stand in their order. The caller holds a slot: with that alone everything gets done,
/// one after the other, and for each further slot that comes free another piece is worked on beside. `None` after a
/// panic of a helper.
pub(crate) async fn all<F>(pieces: Vec<F>, slots: &Slots) -> Option<Vec<F::Output>>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let count = pieces.len();
    let queue = Rc::new(RefCell::new(pieces.into_iter().enumerate()));
    let (done, mut answers) = mpsc::unbounded_channel();
    // Dropped at the end: those that still wait for a slot give up.
    let mut helpers = JoinSet::new();
    for _ in 1..count.min(MAX_WORKERS) {
        let (queue, done, slots) = (Rc::clone(&queue), done.clone(), slots.clone());
        helpers.spawn_local(async move {
            let Some(_slot) = slots.take().await.filter(Slot::has_token) else { return };
            work(&queue, &done).await;
        });
    }
    work(&queue, &done).await;
    drop(done);
    let mut found = Vec::with_capacity(count);
    while found.len() < count {
        found.push(answers.recv().await?);
    }
    found.sort_by_key(|(at, _)| *at);
    Some(found.into_iter().map(|(_, answer)| answer).collect())
}

async fn work<F: Future>(
    queue: &RefCell<impl Iterator<Item = (usize, F)>>,
    done: &mpsc::UnboundedSender<(usize, F::Output)>,
) {
    loop {
        let next = queue.borrow_mut().next();
        let Some((at, piece)) = next else { return };
        // Nobody listens any more only when the whole is given up.
        if done.send((at, piece.await)).is_err() {
            return;
        }
    }
}
