//! Writes to a remote that are still to be done, in memory and as empty files in a folder, so that they survive the
//! coordinator. What is to be written lies in the local store, or is carried here. Owned by a RemoteStorageActor; blocks on the disk only.
use crate::carried::Carried;
use cachepot_engine::digest::Digest;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

/// More than a build makes while a remote is away for a while; further ones are dropped.
const MAX_PENDING: usize = 4096;

/// One that was tried this often in vain is left to the next coordinator.
const MAX_TRIES: u8 = 5;

/// A result of a job that a remote is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Write {
    /// The job's key.
    pub job: Digest,
    /// The result's.
    pub result: Digest,
}

impl Write {
    fn file_name(self) -> String {
        format!("{}-{}", self.job, self.result)
    }
    fn of_file_name(name: &str) -> Option<Self> {
        let (job, result) = name.split_once('-')?;
        Some(Write { job: Digest::parse(job)?, result: Digest::parse(result)? })
    }
}

/// See the file's head.
pub(crate) struct Pending {
    folder: PathBuf,
    queue: VecDeque<Write>,
    /// In the queue or taken out of it and not done yet.
    known: HashMap<Write, Known>,
}

#[derive(Default)]
struct Known {
    /// How often it was tried in vain.
    tries: u8,
    carried: Option<Arc<Carried>>,
}

impl Pending {
    /// Those that an earlier coordinator left in `folder`. A folder that cannot be used costs those that are not done
    /// at the end.
    pub(crate) fn open(folder: PathBuf) -> Self {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let left = entries.filter_map(|entry| Write::of_file_name(entry.file_name().to_str()?));
        let queue: VecDeque<Write> = left.take(MAX_PENDING).collect();
        let known = queue.iter().map(|write| (*write, Known::default())).collect();
        Pending { folder, queue, known }
    }

    /// How many are not done.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Adds one; false where there are too many.
    pub(crate) fn add(&mut self, write: Write, carried: Option<Arc<Carried>>) -> bool {
        if let Some(known) = self.known.get_mut(&write) {
            known.carried = known.carried.take().or(carried);
            return true;
        }
        if self.known.len() >= MAX_PENDING {
            return false;
        }
        self.keep(write);
        self.known.insert(write, Known { tries: 0, carried });
        self.queue.push_back(write);
        true
    }

    /// Takes the next one out, to be given back by [`Pending::done`] or [`Pending::again`].
    pub(crate) fn take(&mut self) -> Option<Write> {
        self.queue.pop_front()
    }

    /// What is to be written, where it is carried.
    pub(crate) fn carried(&self, write: Write) -> Option<Arc<Carried>> {
        self.known.get(&write)?.carried.clone()
    }

    /// Carries nothing any longer; what the local store has is still written.
    pub(crate) fn let_go(&mut self) {
        self.known.values_mut().for_each(|known| known.carried = None);
    }

    /// It is done, or never will be.
    pub(crate) fn done(&mut self, write: Write) {
        self.known.remove(&write);
        let _ = std::fs::remove_file(self.folder.join(write.file_name()));
    }

    /// It is to be tried again, unless it was too often; its file stays.
    pub(crate) fn again(&mut self, write: Write) {
        let known = self.known.entry(write).or_default();
        known.tries += 1;
        if known.tries < MAX_TRIES {
            self.queue.push_back(write);
        } else {
            self.known.remove(&write);
        }
    }

    /// Drops all: the remote takes none.
    pub(crate) fn clear(&mut self) {
        for write in std::mem::take(&mut self.queue) {
            self.done(write);
        }
    }

    fn keep(&self, write: Write) {
        let path = self.folder.join(write.file_name());
        // Without the file it is lost if the coordinator ends early, and nothing else.
        if std::fs::File::create(&path).is_err() {
            let _ = std::fs::create_dir_all(&self.folder).and_then(|()| std::fs::File::create(&path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(n: u8) -> Write {
        Write { job: Digest([n; 32]), result: Digest([n + 1; 32]) }
    }

    #[test]
    fn what_is_not_done_is_there_for_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = || folder.path().join("pending/redis");
        let mut pending = Pending::open(place());
        assert!((1..4).all(|n| pending.add(write(n), None)) && pending.add(write(1), None));
        let first = pending.take().unwrap();
        pending.done(first);
        let second = pending.take().unwrap();
        assert_eq!((first, second, pending.len()), (write(1), write(2), 2));
        std::fs::write(place().join("junk"), "").unwrap();
        let mut next = Pending::open(place());
        let mut left = [next.take().unwrap(), next.take().unwrap()];
        left.sort_by_key(|write| write.job.0);
        assert_eq!((left, next.take()), ([write(2), write(3)], None));
    }

    #[test]
    fn one_that_is_tried_again_comes_last_and_too_many_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut pending = Pending::open(folder.path().join("p"));
        let numbered = |n: usize| Write { job: Digest::of(&n.to_le_bytes()), result: Digest([0; 32]) };
        assert!((0..MAX_PENDING).all(|n| pending.add(numbered(n), None)));
        assert!(!pending.add(numbered(MAX_PENDING), None));
        let first = pending.take().unwrap();
        pending.again(first);
        assert_eq!((pending.take(), pending.len()), (Some(numbered(1)), MAX_PENDING));
        pending.clear();
        assert_eq!(pending.len(), 1);
        (0..MAX_TRIES).for_each(|_| pending.again(numbered(1)));
        assert_eq!((pending.len(), pending.queue.len()), (0, usize::from(MAX_TRIES) - 1));
    }
}
