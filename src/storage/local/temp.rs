//! Files being written: named after their writer, renamed into place when whole, removed otherwise.
//!
//! ```text
//! name  = place "-" pid "-" start "-" number
//! place = 8 hexadecimal digits of the boot and the process id namespace: where the pid means something
//! start = start time of the process as the kernel counts it: a new process with an old pid is another one
//! ```
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use cachepot_engine::digest::KeyBuilder;

/// A leftover of a process that we cannot see is removed at this age.
const FOREIGN_AGE: Duration = Duration::from_secs(3600);

/// A file in `tmp/`; removed when dropped before [`TempFile::rename`].
#[derive(Debug)]
pub(crate) struct TempFile {
    path: PathBuf,
    pub(crate) file: File,
    renamed: bool,
}

impl TempFile {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}", writer()));
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                // Only after a restart inside one clock tick of the kernel.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => return Ok(TempFile { path, file, renamed: false }),
            }
        }
    }
    /// Moves the file into place, making the folder if it is missing, replacing what is there.
    pub(crate) fn rename(&mut self, to: &Path) -> io::Result<()> {
        let result = fs::rename(&self.path, to).or_else(|error| match (error.kind(), to.parent()) {
            (io::ErrorKind::NotFound, Some(folder)) => {
                fs::create_dir_all(folder)?;
                fs::rename(&self.path, to)
            }
            (io::ErrorKind::IsADirectory, _) => {
                // Only an empty one: what is inside is not ours.
                fs::remove_dir(to)?;
                fs::rename(&self.path, to)
            }
            _ => Err(error),
        });
        self.renamed = result.is_ok();
        result
    }
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.renamed {
            // If this fails, the next scan finds it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what dead writers left in `tmp/`. Files whose names are not ours stay.
pub(crate) fn remove_leftovers(folder: &Path) {
    let Ok(listing) = fs::read_dir(folder) else { return };
    for file in listing.flatten() {
        let name = file.file_name();
        let Some(name) = name.to_str() else { continue };
        let age = file
            .metadata()
            .and_then(|m| m.modified())
            .ok()
            .and_then(|t| SystemTime::now().duration_since(t).ok());
        if is_leftover(name, age.unwrap_or_default()) {
            let _ = fs::remove_file(file.path());
        }
    }
}

fn is_leftover(name: &str, age: Duration) -> bool {
    let mut words = name.split('-');
    let (Some(place), Some(pid), Some(start), Some(number), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return false;
    };
    let (Ok(pid), Ok(start), Ok(_)) = (pid.parse::<u32>(), start.parse::<u64>(), number.parse::<u64>())
    else {
        return false;
    };
    if place == this_place() { start_of(pid) != start } else { age > FOREIGN_AGE }
}

fn writer() -> &'static str {
    static WRITER: OnceLock<String> = OnceLock::new();
    WRITER.get_or_init(|| {
        let pid = std::process::id();
        format!("{}-{pid}-{}", this_place(), start_of(pid))
    })
}

fn this_place() -> &'static str {
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| {
        let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let mut key = KeyBuilder::new("cachepot 2026 place of a process id");
        key.field("boot", &boot).field("namespace", space.as_os_str().as_encoded_bytes());
        format!("{:.8}", key.finish().to_string())
    })
}

/// Start time of a process in ticks since boot; 0 if there is no such process any more or no such system.
fn start_of(pid: u32) -> u64 {
    let text = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // The second field is the name in parentheses, which may hold anything; the 22nd is the start time.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut words = after_name.split_whitespace();
    // One that is dead, and that nobody has waited for.
    if matches!(words.next(), Some("Z" | "X")) {
        return 0;
    }
    words.nth(18).and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn only_the_dead_leave_leftovers() {
        let old = FOREIGN_AGE * 2;
        let (place, pid) = (this_place(), std::process::id());
        assert!(!is_leftover(&format!("{}-1", writer()), old), "this process lives");
        assert!(is_leftover(&format!("{place}-{pid}-1-1"), Duration::ZERO), "another process had this pid");
        assert!(is_leftover(&format!("{place}-4194999-77-1"), Duration::ZERO), "no such process");
        let mut dead = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let its = format!("{place}-{}-{}-1", dead.id(), start_of(dead.id()));
        assert!(!is_leftover(&its, Duration::ZERO));
        drop(dead.stdin.take());
        while !is_leftover(&its, Duration::ZERO) {
            std::thread::yield_now();
        }
        dead.wait().unwrap();
        assert!(!is_leftover("00000000-1-1-1", Duration::ZERO), "a process elsewhere may live");
        assert!(is_leftover("00000000-1-1-1", old));
        for foreign in ["notes.txt", "a-b-c-d", "00000000-1-1", "00000000-1-1-1-1", ""] {
            assert!(!is_leftover(foreign, old), "{foreign}");
        }
    }

    #[test]
    fn a_file_that_is_not_renamed_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let first = TempFile::create(folder.path()).unwrap();
        let mut second = TempFile::create(folder.path()).unwrap();
        second.rename(&folder.path().join("new/folder/file")).unwrap();
        drop((first, second));
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert_eq!(names, ["new"]);
        assert!(folder.path().join("new/folder/file").exists());
    }
}
