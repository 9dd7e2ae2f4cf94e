//! The file of the statistics. Several coordinators may count for one cache folder: one that ends while its successor
//! has begun, or two at a time. Each adds what it counted since it last looked, under a lock.
use cachepot_engine::stats::{Snapshot, Stat, Stats};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const FILE: &str = "stats.json";
const LOCK: &str = "stats.lock";
/// The lock is held for a moment only.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// See the file's head.
pub struct StatsFile {
    folder: PathBuf,
    /// What the file held when we last read or wrote it: it is part of our numbers.
    told: Mutex<Snapshot>,
}

impl StatsFile {
    /// The file in a cache folder, and the numbers in it.
    pub fn open(folder: &Path) -> (Self, Stats) {
        let stats = Stats::default();
        if let Some(earlier) = read(folder) {
            stats.restore(earlier);
        }
        (StatsFile { folder: folder.to_owned(), told: Mutex::new(stats.snapshot()) }, stats)
    }

    /// Takes over what others have counted, and adds what we have.
    ///
    /// # Errors
    /// When the lock is not to be had or the file cannot be written: the numbers wait for the next time.
    pub fn exchange(&self, stats: &Stats) -> io::Result<()> {
        let mut told = self.told();
        let _lock = self.lock()?;
        if let Some(file) = read(&self.folder) {
            if file.count(Stat::CompileRequests) < told.count(Stat::CompileRequests) {
                // Set to zero by somebody else.
                let ours = stats.snapshot().since(&told);
                stats.clear();
                stats.restore(ours);
                stats.restore(file.clone());
            } else {
                stats.restore(file.since(&told));
            }
            *told = file;
        }
        self.write(stats, &mut told)
    }

    /// Forgets what the file holds.
    ///
    /// # Errors
    /// As [`StatsFile::exchange`].
    pub fn replace(&self, stats: &Stats) -> io::Result<()> {
        let mut told = self.told();
        let _lock = self.lock()?;
        self.write(stats, &mut told)
    }

    fn write(&self, stats: &Stats, told: &mut Snapshot) -> io::Result<()> {
        let now = stats.snapshot();
        let temporary = self.folder.join(format!("{FILE}.{}", std::process::id()));
        let written = fs::write(&temporary, serde_json::to_vec(&now)?)
            .and_then(|()| fs::rename(&temporary, self.folder.join(FILE)));
        match written {
            Ok(()) => *told = now,
            Err(_) => drop(fs::remove_file(&temporary)),
        }
        written
    }

    /// The lock; none on file systems without locks, where nobody has it.
    fn lock(&self) -> io::Result<Option<File>> {
        let path = self.folder.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(path)?;
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Some(lock)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(_)) => return Ok(None),
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn told(&self) -> MutexGuard<'_, Snapshot> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(folder: &Path) -> Option<Snapshot> {
    serde_json::from_slice(&fs::read(folder.join(FILE)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(stats: &Stats) -> u64 {
        stats.snapshot().count(Stat::CompileRequests)
    }

    /// Trap T233.
    #[test]
    fn t233_coordinators_on_one_folder_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let (first_file, first) = StatsFile::open(folder.path());
        first.add(Stat::CompileRequests, 3);
        first_file.exchange(&first).unwrap();
        let (second_file, second) = StatsFile::open(folder.path());
        assert_eq!(requests(&second), 3);
        first.add(Stat::CompileRequests, 10);
        second.add(Stat::CompileRequests, 100);
        second_file.exchange(&second).unwrap();
        first_file.exchange(&first).unwrap();
        assert_eq!(requests(&first), 113);
        second_file.exchange(&second).unwrap();
        assert_eq!(requests(&second), 113);
        second.bump_named(Stat::NotCached, "link");
        second.clear();
        second_file.replace(&second).unwrap();
        first.bump(Stat::CompileRequests);
        first_file.exchange(&first).unwrap();
        assert_eq!((requests(&first), requests(&StatsFile::open(folder.path()).1)), (1, 1));
    }

    #[test]
    fn a_folder_that_cannot_be_written_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (file, stats) = StatsFile::open(&folder.path().join("gone"));
        stats.bump(Stat::CompileRequests);
        assert!(file.exchange(&stats).is_err());
        fs::create_dir(folder.path().join("gone")).unwrap();
        let held = file.lock().unwrap();
        assert!(file.exchange(&stats).is_err());
        drop(held);
        file.exchange(&stats).unwrap();
        fs::write(folder.path().join("gone").join(FILE), "{").unwrap();
        file.exchange(&stats).unwrap();
        assert_eq!(requests(&StatsFile::open(&folder.path().join("gone")).1), 1);
    }
}
