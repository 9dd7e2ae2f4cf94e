//! What only the C library offers about processes, for those who start a coordinator and for the coordinator
//! when it starts: detaching, inherited descriptors, limits. The one place of this package with `unsafe`.
//! Absent on purpose: any decision; each function does one thing that has a manual page.
#![allow(unsafe_code)]
use cachepot_wire::EnvBlock;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::time::{Duration, Instant};

/// Names the descriptor on which a coordinator reports how its start went.
pub const NOTIFY_VARIABLE: &str = "CACHEPOT_STARTUP_NOTIFY_FD";

/// Descriptors above this one are not looked for where the kernel cannot close a range at once.
const MAX_DESCRIPTOR_TO_CLOSE: RawFd = 65_536;

fn checked(status: libc::c_int) -> io::Result<libc::c_int> {
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(status) }
}

pub(crate) fn c_string(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}

/// The words and the environment of this process, strings without `=` left out.
///
/// # Safety
/// Two lists of strings, each ended by a null pointer.
pub unsafe fn invocation(
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
) -> (Vec<OsString>, EnvBlock) {
    // SAFETY: the caller's promise.
    let strings = |list: *const *const libc::c_char| unsafe {
        (0..).map_while(move |at| (*list.add(at)).as_ref().map(|text| CStr::from_ptr(text).to_bytes()))
    };
    let words = strings(argv).map(|word| OsStr::from_bytes(word).to_owned()).collect();
    let mut block = Vec::new();
    for text in strings(envp).filter(|text| text.iter().skip(1).any(|&byte| byte == b'=')) {
        block.extend_from_slice(text);
        block.push(0);
    }
    (words, EnvBlock(block))
}

/// A program that is to run on its own, apart from whoever starts it.
#[derive(Debug)]
pub struct Detached<'a> {
    /// The program; its only argument is its own name.
    pub program: &'a Path,
    /// Its whole environment; [`NOTIFY_VARIABLE`] is added.
    pub env: Vec<(&'a OsStr, &'a OsStr)>,
}

impl Detached<'_> {
    /// Starts the program in a session of its own, with `/dev/null` as its three streams, in `/`, with umask
    /// 022, every signal at its default, and no descriptor above 2 but the pipe. It is no child of this process afterwards, so it leaves no zombie
    /// and no `SIGCHLD` but that of a short-lived helper, which is waited for here.
    ///
    /// Answers the end of the pipe it reports on. The pipe ends when the program does; if it cannot be run at
    /// all, the pipe holds `0` and the reason.
    ///
    /// # Errors
    /// As `pipe(2)`, `open(2)` of `/dev/null` and `fork(2)`.
    pub fn spawn(&self) -> io::Result<PipeReader> {
        let (reader, writer) = io::pipe()?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        let program = c_string(self.program.as_os_str())?;
        let notify = writer.as_raw_fd().to_string();
        let mut strings = Vec::with_capacity(self.env.len() + 1);
        for (name, value) in self.env.iter().copied().chain([(OsStr::new(NOTIFY_VARIABLE), notify.as_ref())])
        {
            strings.push(CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())?);
        }
        let mut envp: Vec<_> = strings.iter().map(|string| string.as_ptr()).collect();
        envp.push(ptr::null());
        let argv = [program.as_ptr(), ptr::null()];
        let image = Image { program: &program, argv: &argv, envp: &envp };
        // SAFETY: the child calls nothing but async-signal-safe functions on memory prepared above, and ends
        // with _exit or execve.
        let helper = checked(unsafe { libc::fork() })?;
        if helper == 0 {
            // SAFETY: this is the child of a fork; see `split_off`.
            unsafe { split_off(&image, null.as_raw_fd(), writer.as_raw_fd()) }
        }
        wait_for(helper);
        Ok(reader)
    }
}

/// What `execve` needs, prepared before the fork.
struct Image<'a> {
    program: &'a CString,
    argv: &'a [*const libc::c_char],
    envp: &'a [*const libc::c_char],
}

/// The helper's life: a new session, a second fork, and its end. The grandchild becomes the program.
///
/// # Safety
/// Only in the child of a fork: it closes descriptors and never returns. Calls async-signal-safe functions only.
unsafe fn split_off(image: &Image<'_>, null: RawFd, notify: RawFd) -> ! {
    // SAFETY: each call is async-signal-safe (signal-safety(7)); all pointers were made before the fork and
    // live in this process's copy of the memory.
    unsafe {
        libc::setsid();
        match libc::fork() {
            0 => {}
            -1 => give_up(notify, b"0fork: no more processes"),
            _ => libc::_exit(0),
        }
        let action = libc::SIG_DFL;
        for signal in 1..=64 {
            libc::signal(signal, action);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
        libc::umask(0o022);
        for stream in 0..=2 {
            libc::dup2(null, stream);
        }
        close_all_but(&[notify]);
        // The pipe was made close-on-exec so that no other child of this process gets it.
        libc::fcntl(notify, libc::F_SETFD, 0);
        // A folder that can be removed or unmounted must not be held.
        libc::chdir(c"/".as_ptr());
        libc::execve(image.program.as_ptr(), image.argv.as_ptr(), image.envp.as_ptr());
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::ENOENT) => give_up(notify, b"0the program does not exist"),
            Some(libc::EACCES) => give_up(notify, b"0the program may not be executed"),
            _ => give_up(notify, b"0the program cannot be executed"),
        }
    }
}

/// # Safety
/// Only in the child of a fork.
unsafe fn give_up(notify: RawFd, text: &[u8]) -> ! {
    // SAFETY: the text is valid for its length; both calls are async-signal-safe.
    unsafe {
        libc::write(notify, text.as_ptr().cast(), text.len());
        libc::_exit(127)
    }
}

/// Closes everything above 2 but these, which are in ascending order. Async-signal-safe.
///
/// # Safety
/// Nothing in this process may own one of the closed descriptors.
unsafe fn close_all_but(keep: &[RawFd]) {
    let mut from = 3;
    for &kept in keep {
        if kept >= from {
            // SAFETY: the caller's promise.
            unsafe { close_range(from, kept - 1) };
            from = kept + 1;
        }
    }
    // SAFETY: the caller's promise.
    unsafe { close_range(from, RawFd::MAX) };
}

/// # Safety
/// As [`close_all_but`].
unsafe fn close_range(first: RawFd, last: RawFd) {
    if first > last {
        return;
    }
    // SAFETY: the system call takes three numbers. Older kernels and some sandboxes do not have it.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
        return;
    }
    for descriptor in first..=last.min(MAX_DESCRIPTOR_TO_CLOSE) {
        // SAFETY: closing a number that is not open does nothing.
        unsafe { libc::close(descriptor) };
    }
}

fn wait_for(child: libc::pid_t) {
    loop {
        // SAFETY: a null status pointer is allowed.
        let waited = unsafe { libc::waitpid(child, ptr::null_mut(), 0) };
        // Where SIGCHLD is ignored the kernel has already reaped it (ECHILD).
        if waited >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// Whether standard input, output and error are all open: nobody has looked after that before us.
pub(crate) fn has_three_streams() -> bool {
    let mut entries = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: three entries, valid for the call.
    let asked = unsafe { libc::poll(entries.as_mut_ptr(), 3, 0) };
    asked >= 0 && entries.iter().all(|entry| entry.revents & libc::POLLNVAL == 0)
}

/// Waits until a descriptor has something to read, or ended. False after the limit.
///
/// # Errors
/// As `poll(2)`.
pub fn wait_readable(descriptor: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    let end = Instant::now() + limit;
    let mut entry = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_millis();
        let left = libc::c_int::try_from(left).unwrap_or(libc::c_int::MAX);
        // SAFETY: one entry, valid for the call.
        match checked(unsafe { libc::poll(&raw mut entry, 1, left) }) {
            Ok(ready) => return Ok(ready > 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A hold on another process: its number cannot come to mean another one while this exists.
#[derive(Debug)]
pub struct ProcessHold(OwnedFd);

impl ProcessHold {
    /// Takes hold of a process.
    ///
    /// # Errors
    /// As `pidfd_open(2)`: it is gone, or the kernel is older than 5.3.
    pub fn of(pid: i32) -> io::Result<Self> {
        // SAFETY: the system call takes two numbers and answers a new descriptor, close-on-exec.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let raw = RawFd::try_from(raw).ok().filter(|&raw| raw >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the descriptor is new and ours.
        Ok(ProcessHold(unsafe { OwnedFd::from_raw_fd(raw) }))
    }
    /// Sends `SIGTERM`.
    ///
    /// # Errors
    /// As `pidfd_send_signal(2)`.
    pub fn terminate(&self) -> io::Result<()> {
        let (pidfd, none) = (self.0.as_raw_fd(), ptr::null::<libc::siginfo_t>());
        // SAFETY: a null siginfo means "as kill(2)".
        let status = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, libc::SIGTERM, none, 0) };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
    /// Waits until it has ended. False after the limit.
    ///
    /// # Errors
    /// As `poll(2)`.
    pub fn wait_gone(&self, limit: Duration) -> io::Result<bool> {
        wait_readable(self.0.as_fd(), limit)
    }
}

/// Closes every descriptor above 2 that was inherited, but these.
///
/// To be called first thing in `main`: nothing in the process may own a descriptor yet.
pub fn close_inherited(keep: &[RawFd]) {
    let mut keep = keep.to_vec();
    keep.sort_unstable();
    // SAFETY: as documented for the caller; a descriptor that was never made by this process has no owner in it.
    unsafe { close_all_but(&keep) };
    for descriptor in keep {
        // SAFETY: changes a flag of a number; does nothing if it is not open.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Whether a descriptor number is open and a pipe or fifo.
pub fn is_pipe(descriptor: RawFd) -> bool {
    // SAFETY: stat is plain data for which all zeroes is a valid value; fstat only reads the number.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the buffer is valid for the call.
    let status = unsafe { libc::fstat(descriptor, &raw mut stat) };
    status == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO
}

/// Takes an inherited pipe by its number; `None` where it is none.
///
/// To be called once per number, and only for numbers that another process handed over.
pub fn take_pipe(descriptor: RawFd) -> Option<File> {
    // SAFETY: it is open, inherited, and by the contract above nobody else in this process owns it.
    (descriptor > 2 && is_pipe(descriptor)).then(|| unsafe { File::from_raw_fd(descriptor) })
}

/// Makes a file this process's standard error.
///
/// # Errors
/// As `dup2(2)`.
pub fn redirect_stderr(file: &File) -> io::Result<()> {
    // SAFETY: both numbers are open; standard error stays open throughout.
    checked(unsafe { libc::dup2(file.as_raw_fd(), 2) }).map(drop)
}

/// The umask of this process. It has to be set to be known: call it before there are threads.
pub(crate) fn umask() -> u32 {
    // SAFETY: umask cannot fail, and what is set here is what was.
    unsafe {
        let mask = libc::umask(0o077);
        libc::umask(mask);
        mask
    }
}

/// Runs some work under another umask. The umask belongs to the whole process: call it before there are threads.
pub fn with_umask<T>(mask: u32, work: impl FnOnce() -> T) -> T {
    // SAFETY: umask cannot fail.
    let before = unsafe { libc::umask(mask) };
    let result = work();
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    result
}

/// A limit of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Size of a core dump.
    CoreDump,
    /// Number of open files.
    OpenFiles,
    /// Size of a file that is written.
    FileSize,
}

/// Raises a limit as far as this user may.
///
/// # Errors
/// As `setrlimit(2)`.
pub fn raise_limit(limit: Limit) -> io::Result<()> {
    let resource = match limit {
        Limit::CoreDump => libc::RLIMIT_CORE,
        Limit::OpenFiles => libc::RLIMIT_NOFILE,
        Limit::FileSize => libc::RLIMIT_FSIZE,
    };
    let mut value = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the buffer is valid for the call.
    checked(unsafe { libc::getrlimit(resource, &raw mut value) })?;
    value.rlim_cur = value.rlim_max;
    // SAFETY: as above.
    checked(unsafe { libc::setrlimit(resource, &raw const value) }).map(drop)
}

/// A moment as the clock on the wall shows it: year, month, day, hour, minute, second.
pub fn local_time(unix_seconds: i64) -> [i32; 6] {
    let seconds: libc::time_t = unix_seconds;
    // SAFETY: tm is plain data; localtime_r fills it, or leaves it as it is where it fails. The program never
    // changes its own environment, which localtime_r may read.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut time);
        time
    };
    [time.tm_year + 1900, time.tm_mon + 1, time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec]
}

/// From here on a file that would become larger than the limit is an error of the write, not our end.
pub fn survive_file_size_limit() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Writes `signal N received` to standard error when the process dies of one of its own faults.
pub fn announce_fatal_signals() {
    extern "C" fn announce(signal: libc::c_int) {
        let mut line = *b"signal    received\n";
        line[7] = b'0' + (signal / 10 % 10) as u8;
        line[8] = b'0' + (signal % 10) as u8;
        // SAFETY: write and raise are async-signal-safe. The handler was reset to the default when it was
        // entered (SA_RESETHAND), so the signal raised here is delivered on return and ends the process.
        unsafe {
            libc::write(2, line.as_ptr().cast(), line.len());
            libc::raise(signal);
        }
    }
    for signal in [libc::SIGBUS, libc::SIGILL] {
        // SAFETY: sigaction is plain data; the handler has the right signature. SIGSEGV keeps the handler of
        // the standard library, which tells a stack overflow from other faults.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = announce as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESETHAND | libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }
}
