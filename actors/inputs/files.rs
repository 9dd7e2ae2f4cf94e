//! Digests of files, remembered by stamp: nothing is read twice while it stays as it is.
use super::paths::Place;
use cachepot_engine::digest::Digest;
use cachepot_engine::scan::Findings;
use foldhash::HashMap;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, statfs};
use nix::time::{ClockId, clock_gettime};
use std::ffi::CStr;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};

/// A moment as file systems give it: seconds and nanoseconds since the epoch.
pub type Moment = (i64, i64);

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Device.
    pub device: u64,
    /// Inode number on it.
    pub inode: u64,
    /// Bytes.
    pub size: i64,
    /// Last change of the content.
    pub modified: Moment,
    /// Last change of content, name or rights; nobody can set it back.
    pub changed: Moment,
}

impl Stamp {
    /// Takes the stamp out of what the kernel says.
    pub fn of(stat: &FileStat) -> Self {
        Stamp {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Takes the stamp of an open file.
    pub fn of_metadata(metadata: &Metadata) -> Self {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size().cast_signed(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Which file it is.
    pub fn identity(&self) -> Identity {
        (self.device, self.inode)
    }

    /// Whether both are of one file that has the same times and size, but perhaps other names or rights.
    pub fn is_but_for_names(&self, other: &Self) -> bool {
        Stamp { changed: other.changed, ..*self } == *other
    }

    /// Whether a later change is sure to give another stamp: the last one is older than the clock of the file
    /// system may be coarse.
    pub fn is_settled(&self, now: Moment) -> bool {
        // Times without nanoseconds come from a file system that counts in seconds (FAT: two).
        let coarse = self.modified.1 == 0 && self.changed.1 == 0;
        let margin = if coarse { 2_500_000_000 } else { 40_000_000 };
        let age = |then: Moment| i128::from(now.0 - then.0) * 1_000_000_000 + i128::from(now.1 - then.1);
        age(self.modified) > margin && age(self.changed) > margin
    }
}

/// What a file is, whatever its name and content: device and inode.
pub type Identity = (u64, u64);

/// Which of these are one thing under two names: index, and index of the first.
pub fn repeated(identities: impl Iterator<Item = Option<Identity>>) -> Vec<(u32, u32)> {
    let mut first = HashMap::default();
    let known = (0..).zip(identities).filter_map(|(index, identity)| Some((index, identity?)));
    known
        .filter_map(|(index, identity)| match *first.entry(identity).or_insert(index) {
            earlier if earlier == index => None,
            earlier => Some((index, earlier)),
        })
        .collect()
}

/// The time by the coarse clock that file systems stamp with: a file changed from now on never has an older time.
pub fn now() -> Moment {
    match clock_gettime(ClockId::CLOCK_REALTIME_COARSE) {
        Ok(time) => (time.tv_sec(), time.tv_nsec()),
        // Without a clock everything is too new, and nothing is kept.
        Err(_) => (0, 0),
    }
}

/// Whether a file was, or may have been, changed at or after `start`. File systems may count in whole seconds.
pub fn changed_since(stamp: &Stamp, start: Moment) -> bool {
    let late = |time: Moment| if time.1 == 0 { time.0 >= start.0 } else { time >= start };
    late(stamp.modified) || late(stamp.changed)
}

/// What is known of a file in one state.
#[derive(Debug)]
pub struct Known {
    /// The state.
    pub stamp: Stamp,
    /// Whether the stamp will tell the next change for sure ([`Stamp::is_settled`]).
    pub settled: bool,
    /// Its content.
    pub digest: Digest,
    /// What the content says.
    pub findings: Findings,
}

type Shard = Mutex<HashMap<Identity, Arc<Known>>>;

/// Files are found again by device and inode: links and other spellings of a path lead to the same.
#[derive(Default)]
pub struct FileMemory {
    shards: [Shard; 16],
    /// Nobody asks what the texts say.
    is_plain: bool,
}

/// Entries per shard; beyond it the shard starts anew.
const MAX_PER_SHARD: usize = 1 << 14;
/// Larger files are no sources: they are digested piece by piece and their text is not looked at.
const MAX_SCANNED_BYTES: i64 = 256 << 20;

/// Asks the kernel about a path; links are followed.
///
/// # Errors
/// As `stat(2)`.
pub fn stat(place: &Place, path: &CStr) -> nix::Result<FileStat> {
    fstatat(place.folder(), path, AtFlags::empty())
}

/// Asks the kernel about a path itself, be it a link.
///
/// # Errors
/// As `lstat(2)`.
pub fn link_stat(place: &Place, path: &CStr) -> nix::Result<FileStat> {
    fstatat(place.folder(), path, AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// Whether it is a plain file.
pub fn is_file(stat: &FileStat) -> bool {
    stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFREG
}

/// Whether the kernel makes the content as it is read, of a file by its absolute path: its times say nothing, and it may
/// be another for each process.
pub fn is_of_kernel(path: &CStr, stat: &FileStat) -> bool {
    // Such files take no room.
    stat.st_blocks == 0
        && statfs(path).is_ok_and(|system| {
            [PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC]
                .contains(&system.filesystem_type())
        })
}

/// Whether it is a link.
pub fn is_link(stat: &FileStat) -> bool {
    stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFLNK
}

/// Whether it is a folder.
pub fn is_folder(stat: &FileStat) -> bool {
    stat.st_mode & nix::libc::S_IFMT == nix::libc::S_IFDIR
}

impl FileMemory {
    /// One for files whose texts say nothing to us: Rust, libraries, programs.
    pub fn plain() -> Self {
        FileMemory { is_plain: true, ..FileMemory::default() }
    }

    fn shard(&self, stamp: &Stamp) -> Option<&Shard> {
        self.shards.get(stamp.inode as usize % self.shards.len())
    }

    /// What is known of a file with this stamp, if anything.
    pub fn recall(&self, stamp: &Stamp) -> Option<Arc<Known>> {
        let shard = self.shard(stamp)?.lock().unwrap_or_else(PoisonError::into_inner);
        shard.get(&(stamp.device, stamp.inode)).filter(|known| known.stamp == *stamp).cloned()
    }

    /// The digest of a plain file as it is now; `None` where there is none, or it cannot be read.
    pub fn digest(&self, place: &Place, path: &CStr) -> Option<Arc<Known>> {
        self.digest_of(place, path, &stat(place, path).ok()?)
    }

    /// The same where the kernel has just been asked.
    pub fn digest_of(&self, place: &Place, path: &CStr, stat: &FileStat) -> Option<Arc<Known>> {
        let known = is_file(stat).then(|| self.recall(&Stamp::of(stat)))?;
        known.or_else(|| self.read(place, path))
    }

    fn read(&self, place: &Place, path: &CStr) -> Option<Arc<Known>> {
        // Written while it is read: the next try sees the new state.
        for _ in 0..3 {
            let descriptor = openat(
                place.folder(),
                path,
                OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK,
                Mode::empty(),
            )
            .ok()?;
            let mut file = File::from(descriptor);
            let before = fstat(&file).ok().filter(is_file)?;
            // Before the content is read: what is written during a slow read may bear the stamp of before.
            let began = now();
            let stamp = Stamp::of(&before);
            let (digest, findings) =
                if self.is_plain { stream(&mut file)? } else { content(&mut file, &stamp)? };
            if Stamp::of(&fstat(&file).ok()?) != stamp {
                continue;
            }
            let settled = stamp.is_settled(began);
            let known = Arc::new(Known { stamp, settled, digest, findings });
            if settled {
                let mut shard = self.shard(&stamp)?.lock().unwrap_or_else(PoisonError::into_inner);
                if shard.len() >= MAX_PER_SHARD {
                    shard.clear();
                }
                shard.insert((stamp.device, stamp.inode), Arc::clone(&known));
            }
            return Some(known);
        }
        None
    }
}

fn content(file: &mut File, stamp: &Stamp) -> Option<(Digest, Findings)> {
    if stamp.size > MAX_SCANNED_BYTES {
        return stream(file);
    }
    let mut text = Vec::with_capacity(usize::try_from(stamp.size).ok()? + 1);
    file.read_to_end(&mut text).ok()?;
    Some((Digest::of(&text), Findings::of(&text)))
}

/// Digests a file piece by piece.
fn stream(file: &mut File) -> Option<(Digest, Findings)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).ok()?;
    Some((Digest(*hasher.finalize().as_bytes()), Findings::unread()))
}
