//! Writes to a remote that are still to be done, in memory and as empty files in a folder, so that they survive the
//! coordinator. What is to be written lies in the local store, or is carried here. Owned by a RemoteStorageActor; blocks on the disk only.
use crate::carried::Carried;
use cachepot_engine::digest::Digest;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More than a build makes while a remote is away for a while; further ones are dropped.
const MAX_PENDING: usize = 4096;

/// One that was tried this often in vain is left to the next coordinator.
const MAX_TRIES: u8 = 5;

/// A write that may wait for the end of a build waits so long for it: others are to have the result, too.
const LONGEST_REST: Duration = Duration::from_secs(30);

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

/// A result for remotes.
#[derive(Clone)]
pub(crate) struct ToShare {
    /// Which.
    pub(crate) write: Write,
    /// Packing it takes so much of the processor that it should wait for the end of a build.
    pub(crate) is_large: bool,
    /// The result itself, where the local store may not have it then.
    pub(crate) carried: Option<Arc<Carried>>,
}

/// See the file's head.
pub(crate) struct Pending {
    folder: PathBuf,
    queue: VecDeque<Write>,
    /// Those that wait for the end of a build, and since when.
    resting: VecDeque<(Instant, Write)>,
    /// In a queue or taken out of it and not done yet.
    known: HashMap<Write, Known>,
}

#[derive(Default)]
struct Known {
    /// How often it was tried in vain.
    tries: u8,
    /// An earlier coordinator may have done part of it.
    is_left: bool,
    carried: Option<Arc<Carried>>,
}

impl Pending {
    /// Those that an earlier coordinator left in `folder`. A folder that cannot be used costs those that are not done
    /// at the end.
    pub(crate) fn open(folder: PathBuf) -> Self {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let left = entries.filter_map(|entry| Write::of_file_name(entry.file_name().to_str()?));
        let queue: VecDeque<Write> = left.take(MAX_PENDING).collect();
        let left = || Known { is_left: true, ..Known::default() };
        let known = queue.iter().map(|write| (*write, left())).collect();
        Pending { folder, queue, resting: VecDeque::new(), known }
    }

    /// How many are not done.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Adds one; false where there are too many.
    pub(crate) fn add(&mut self, ToShare { write, is_large, carried }: ToShare) -> bool {
        if let Some(known) = self.known.get_mut(&write) {
            known.carried = known.carried.take().or(carried);
            return true;
        }
        if self.known.len() >= MAX_PENDING {
            return false;
        }
        self.keep(write);
        // Memory is for the next one.
        let rests = is_large && carried.is_none();
        self.known.insert(write, Known { carried, ..Known::default() });
        if rests {
            self.resting.push_back((Instant::now(), write));
        } else {
            self.queue.push_back(write);
        }
        true
    }

    /// Takes the next one out, to be given back by [`Pending::done`] or [`Pending::again`]. None rests where it `is_calm`.
    pub(crate) fn take(&mut self, is_calm: bool, now: Instant) -> Option<Write> {
        // Before all others: where more is written than the remote takes, there is no end of them.
        let rested = self.resting.pop_front_if(|(since, _)| now.duration_since(*since) >= LONGEST_REST);
        let next = rested.map(|(_, write)| write).or_else(|| self.queue.pop_front());
        next.or_else(|| self.resting.pop_front_if(|_| is_calm).map(|(_, write)| write))
    }

    /// What is to be written, where it is carried.
    pub(crate) fn carried(&self, write: Write) -> Option<Arc<Carried>> {
        self.known.get(&write)?.carried.clone()
    }

    /// Whether nobody has begun with it.
    pub(crate) fn is_first_try(&self, write: Write) -> bool {
        self.known.get(&write).is_some_and(|known| known.tries == 0 && !known.is_left)
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
        let resting = std::mem::take(&mut self.resting).into_iter().map(|(_, write)| write);
        for write in std::mem::take(&mut self.queue).into_iter().chain(resting) {
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
    fn what_was_begun_is_no_first_try() {
        let folder = tempfile::tempdir().unwrap();
        let write = Write { job: Digest([1; 32]), result: Digest([2; 32]) };
        let mut pending = Pending::open(folder.path().to_path_buf());
        assert!(pending.add(share(write, false)) && pending.is_first_try(write));
        pending.again(write);
        assert!(!pending.is_first_try(write));
        // Another coordinator does not know.
        assert!(!Pending::open(folder.path().to_path_buf()).is_first_try(write));
    }

    fn share(write: Write, is_large: bool) -> ToShare {
        ToShare { write, is_large, carried: None }
    }

    fn take(pending: &mut Pending) -> Option<Write> {
        pending.take(false, Instant::now())
    }

    #[test]
    fn what_may_rest_rests_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let mut pending = Pending::open(folder.path().join("p"));
        assert!((1..4).all(|n| pending.add(share(write(n), n < 3))));
        assert_eq!((take(&mut pending), take(&mut pending)), (Some(write(3)), None));
        assert_eq!(pending.take(true, Instant::now()), Some(write(1)));
        let later = Instant::now() + LONGEST_REST;
        assert!(pending.add(share(write(5), false)));
        let two = (pending.take(false, later), pending.take(false, later));
        assert_eq!((two, pending.take(true, later)), ((Some(write(2)), Some(write(5))), None));
        assert!(pending.add(share(write(4), true)));
        pending.clear();
        assert_eq!((pending.take(true, later), pending.len()), (None, 4));
    }

    #[test]
    fn what_is_not_done_is_there_for_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = || folder.path().join("pending/redis");
        let mut pending = Pending::open(place());
        assert!((1..4).all(|n| pending.add(share(write(n), false))) && pending.add(share(write(1), false)));
        let first = take(&mut pending).unwrap();
        pending.done(first);
        let second = take(&mut pending).unwrap();
        assert_eq!((first, second, pending.len()), (write(1), write(2), 2));
        std::fs::write(place().join("junk"), "").unwrap();
        let mut next = Pending::open(place());
        let mut left = [take(&mut next).unwrap(), take(&mut next).unwrap()];
        left.sort_by_key(|write| write.job.0);
        assert_eq!((left, take(&mut next)), ([write(2), write(3)], None));
    }

    #[test]
    fn one_that_is_tried_again_comes_last_and_too_many_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut pending = Pending::open(folder.path().join("p"));
        let numbered = |n: usize| Write { job: Digest::of(&n.to_le_bytes()), result: Digest([0; 32]) };
        assert!((0..MAX_PENDING).all(|n| pending.add(share(numbered(n), false))));
        assert!(!pending.add(share(numbered(MAX_PENDING), false)));
        let first = take(&mut pending).unwrap();
        pending.again(first);
        assert_eq!((take(&mut pending), pending.len()), (Some(numbered(1)), MAX_PENDING));
        pending.clear();
        assert_eq!(pending.len(), 1);
        (0..MAX_TRIES).for_each(|_| pending.again(numbered(1)));
        assert_eq!((pending.len(), pending.queue.len()), (0, usize::from(MAX_TRIES) - 1));
    }
}
