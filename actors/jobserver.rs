//! The jobserver: a pipe with one byte for each slot that is free, shared with make, cargo, rustc and others.
//!
//! Either the one that the coordinator inherited, for as long as it runs in a build's foreground, or one of its
//! own: a fifo in its private folder, which a rustc that a client runs is told of. rustc reads the fifo form since
//! 1.70 (jobserver 0.1.26); an older one passes over it and makes its own. It is told in `CARGO_MAKEFLAGS` alone,
//! where rustc looks first: make up to 4.3, run by a linker script, dies of a fifo in `MAKEFLAGS`.
//!
//! Inherited descriptors belong to open files that make shares, so their flags are never touched: both ends are
//! opened anew through `/proc/self/fd` and those are set to non-blocking. An inherited jobserver gives no slot
//! besides what is read from it. Absent on purpose: actors.
mod account;
mod flags;

use self::account::Account;
use self::flags::Auth;
pub(crate) use self::flags::VARIABLES;
use cachepot_wire::EnvBlock;
use nix::sys::stat::Mode;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::unix::pipe::Receiver;

/// A pipe of one page holds them whatever the user's limit for pipes is.
const MAX_SLOTS: usize = 4096;
const TOKEN: u8 = b'+';
/// Programs that draw slots for threads of theirs.
const READERS: [&str; 2] = ["rustc", "clippy-driver"];

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Jobserver {
    read: File,
    write: File,
    own: Option<Own>,
}

/// A fifo of ours.
#[derive(Debug)]
struct Own {
    path: PathBuf,
    slots: usize,
    account: Mutex<Account>,
}

/// A slot in use. Its byte goes back when this is dropped, whatever happened.
#[derive(Debug)]
pub(crate) struct Token {
    of: Arc<Jobserver>,
    byte: u8,
}

/// A process that was told of our fifo. Without [`Lease::end`] it counts as running for ever: at the coordinator's
/// end the fifo stays where it is.
#[derive(Debug)]
pub(crate) struct Lease {
    of: Arc<Jobserver>,
}

/// Whether a program draws slots and its build offers it none.
pub(crate) fn is_wanted(program: &OsStr, env: &EnvBlock) -> bool {
    let name = Path::new(program).file_stem().unwrap_or_default();
    READERS.iter().any(|reader| name == *reader) && flags::named(env).is_none()
}

impl Jobserver {
    /// The one that this process inherited. `None` where none is named, or what is named is not there (any more):
    /// a make recipe without `+` names descriptors that were closed.
    pub(crate) fn inherited(env: &EnvBlock) -> Option<Self> {
        let (read, write) = match flags::named(env)? {
            Auth::Pipe(read, write) => inherited_pipe(read, write)?,
            Auth::Fifo(path) => inherited_fifo(&path)?,
        };
        Some(Jobserver { read, write, own: None })
    }

    /// A new one with this many free slots: a fifo in `folder`, which is private.
    ///
    /// # Errors
    /// As `mkfifo(3)` and `open(2)`.
    pub(crate) fn own(folder: &Path, slots: usize) -> io::Result<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("jobserver-{}-{serial}", std::process::id()));
        // Left behind by a process with our number.
        let _ = fs::remove_file(&path);
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let own = Own { path, slots: slots.min(MAX_SLOTS), account: Mutex::default() };
        // For both ways at once: so opening does not wait, and the pipe never ends.
        let read = options(true, true).open(&own.path)?;
        let write = read.try_clone()?;
        let jobserver = Jobserver { read, write, own: Some(own) };
        jobserver.fill(slots.min(MAX_SLOTS))?;
        Ok(jobserver)
    }

    /// Takes a slot if one is free.
    ///
    /// # Errors
    /// As `read(2)`.
    pub(crate) fn try_take(self: &Arc<Self>) -> io::Result<Option<Token>> {
        self.take_by(|byte| (&self.read).read(byte))
    }

    /// Waits for a slot. Whoever gives up waiting has taken none.
    ///
    /// # Errors
    /// As `read(2)` and `epoll_ctl(2)`.
    pub(crate) async fn take(self: &Arc<Self>) -> io::Result<Token> {
        if let Some(token) = self.try_take()? {
            return Ok(token);
        }
        // Watched only while somebody waits: a build's own coming and going of tokens does not wake us.
        let watch = Receiver::from_file_unchecked(self.read.try_clone()?)?;
        loop {
            watch.readable().await?;
            // Where another process was faster this finds nothing and the next turn waits.
            if let Some(token) = self.take_by(|byte| watch.try_read(byte))? {
                return Ok(token);
            }
        }
    }

    fn take_by(
        self: &Arc<Self>,
        read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<Token>> {
        // Under the lock, so that nobody counts between our reading and our saying so.
        let account = self.account();
        let mut byte = [0];
        if read_some(read, &mut byte)? == 0 {
            return Ok(None);
        }
        if let Some(mut account) = account {
            account.take();
        }
        Ok(Some(Token { of: Arc::clone(self), byte: byte[0] }))
    }

    /// Tells a process of this jobserver: answers the variable for it. `None` where it is not ours to give away.
    pub(crate) fn lend(self: &Arc<Self>) -> Option<(Lease, (OsString, OsString))> {
        let own = self.own.as_ref()?;
        // Readers cut the options at blanks.
        if own.path.as_os_str().as_bytes().iter().any(u8::is_ascii_whitespace) {
            return None;
        }
        self.account()?.lend();
        let mut value = OsString::from("-j --jobserver-auth=fifo:");
        value.push(&own.path);
        Some((Lease { of: Arc::clone(self) }, (VARIABLES[0].into(), value)))
    }

    fn account(&self) -> Option<MutexGuard<'_, Account>> {
        self.own.as_ref().map(|own| own.account.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give_back(&self, byte: u8) {
        if let Err(error) = write_all(&self.write, &[byte]) {
            tracing::warn!(%error, "cannot give a slot back to the jobserver");
        }
        if let Some(mut account) = self.account() {
            account.give_back();
            self.count_if_due(&mut account);
        }
    }

    /// Nobody can take or lend while this looks: the account is locked.
    fn count_if_due(&self, account: &mut Account) {
        let Some(own) = self.own.as_ref().filter(|_| account.count_is_due()) else { return };
        let found = self.drain().unwrap_or(0);
        if found != own.slots {
            tracing::debug!(found, slots = own.slots, "slots of the jobserver put right");
        }
        if let Err(error) = self.fill(own.slots) {
            tracing::warn!(%error, "cannot put the jobserver's slots right");
        }
    }

    fn drain(&self) -> io::Result<usize> {
        let mut buffer = [0; 256];
        let mut count = 0;
        loop {
            match read_some(|buffer| (&self.read).read(buffer), &mut buffer)? {
                0 => return Ok(count),
                more => count += more,
            }
        }
    }

    fn fill(&self, slots: usize) -> io::Result<()> {
        write_all(&self.write, &vec![TOKEN; slots])
    }

    #[cfg(test)]
    pub(crate) fn count_free(&self) -> usize {
        let count = self.drain().unwrap();
        self.fill(count).unwrap();
        count
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.own.as_ref().unwrap().path
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // A process that was told of it may be about to open it. Another coordinator clears the folder one day.
        if !self.account.get_mut().unwrap_or_else(PoisonError::into_inner).is_lent() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.of.give_back(self.byte);
    }
}

impl Lease {
    /// The process has ended: the tokens that it had not given back are missed now.
    pub(crate) fn end(self) {
        if let Some(mut account) = self.of.account() {
            account.end_of_lease();
            self.of.count_if_due(&mut account);
        }
    }
}

fn options(read: bool, write: bool) -> fs::OpenOptions {
    let mut options = File::options();
    options.read(read).write(write).custom_flags(libc::O_NONBLOCK);
    options
}

fn fifo_at(path: &Path) -> Option<fs::Metadata> {
    fs::metadata(path).ok().filter(|metadata| metadata.file_type().is_fifo())
}

fn inherited_pipe(read: RawFd, write: RawFd) -> Option<(File, File)> {
    let [read_path, write_path] =
        [read, write].map(|number| PathBuf::from(format!("/proc/self/fd/{number}")));
    let (at_read, at_write) = (fifo_at(&read_path)?, fifo_at(&write_path)?);
    // Numbers that mean something else by now do not mean both ends of one pipe.
    let is_one_pipe = (at_read.dev(), at_read.ino()) == (at_write.dev(), at_write.ino());
    if !is_one_pipe || read <= 2 || write <= 2 {
        return None;
    }
    Some((options(true, false).open(read_path).ok()?, options(false, true).open(write_path).ok()?))
}

fn inherited_fifo(path: &Path) -> Option<(File, File)> {
    fifo_at(path).filter(|_| path.is_absolute())?;
    // Fails (ENXIO) where nobody reads: the make that made it is gone.
    let write = options(false, true).open(path).ok()?;
    Some((options(true, false).open(path).ok()?, write))
}

/// Reads what is there; 0 where nothing is. The pipe has no end: we hold it open for writing.
fn read_some(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            result => return result,
        }
    }
}

/// A byte that was taken out always fits in again.
fn write_all(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)
}
