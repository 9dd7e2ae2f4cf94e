//! A program to run: in place of this process, or as its child. Needs nothing that only a started C library has.
#![allow(unsafe_code)]
use crate::process::c_string;
use nix::sys::signal::SigSet;
use nix::unistd::Pid;
use std::ffi::{CString, OsStr, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// What `execve` needs.
pub(crate) struct Image {
    program: CString,
    words: Vec<CString>,
    env: Vec<CString>,
}

/// What a child is given beside its image.
pub(crate) struct Setting<'a> {
    pub(crate) stdout: BorrowedFd<'a>,
    pub(crate) stderr: BorrowedFd<'a>,
    /// The signals that it holds back.
    pub(crate) mask: SigSet,
    /// What it does at a broken pipe.
    pub(crate) broken_pipe: libc::sighandler_t,
}

/// Enough for a few system calls in a row.
const STACK_BYTES: usize = 32 << 10;

/// What the child works with: it shares the memory of its parent, which waits meanwhile.
struct Birth {
    program: *const c_char,
    words: *const *const c_char,
    env: *const *const c_char,
    streams: [RawFd; 2],
    mask: SigSet,
    broken_pipe: libc::sighandler_t,
    /// Why there is no program; 0 as long as all is well.
    errno: c_int,
}

impl Image {
    /// The words begin with the name that the program is called by.
    ///
    /// # Errors
    /// `InvalidInput` for a text that holds a zero byte.
    pub(crate) fn new<'a>(
        program: &Path,
        words: impl Iterator<Item = &'a OsStr>,
        env: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    ) -> io::Result<Self> {
        let pair = |(name, value): (&OsStr, &OsStr)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat())
        };
        Ok(Image {
            program: c_string(program.as_os_str())?,
            words: words.map(c_string).collect::<io::Result<_>>()?,
            env: env.map(pair).collect::<Result<_, _>>()?,
        })
    }

    /// Replaces this process; comes back only if that fails.
    pub(crate) fn exec(&self) {
        let (words, env) = (list(&self.words), list(&self.env));
        // SAFETY: the strings live here, and both lists end with null.
        unsafe { libc::execve(self.program.as_ptr(), words.as_ptr(), env.as_ptr()) };
    }

    /// Starts the program as a child, whose memory is this process's until it has become the program: nothing is
    /// copied, and this process goes on when that is done.
    ///
    /// # Errors
    /// As `clone(2)`, and as `execve(2)`: there is no child then.
    pub(crate) fn spawn(&self, setting: &Setting<'_>) -> io::Result<Pid> {
        let (words, env) = (list(&self.words), list(&self.env));
        let mut birth = Birth {
            program: self.program.as_ptr(),
            words: words.as_ptr(),
            env: env.as_ptr(),
            streams: [setting.stdout.as_raw_fd(), setting.stderr.as_raw_fd()],
            mask: setting.mask,
            broken_pipe: setting.broken_pipe,
            errno: 0,
        };
        let mut stack = vec![0_u128; STACK_BYTES / size_of::<u128>()];
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        // SAFETY: the child has a stack of its own, aligned and growing down from its end. It calls async-signal-safe
        // functions only, and all that it reads stays as it is, for this process sleeps until it is gone or another
        // program (CLONE_VFORK).
        let pid = unsafe {
            let top = stack.as_mut_ptr_range().end.cast();
            libc::clone(be_born, top, flags, (&raw mut birth).cast::<c_void>())
        };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: written by the child, which has ended or is another program by now.
        match unsafe { (&raw const birth.errno).read_volatile() } {
            0 => Ok(Pid::from_raw(pid)),
            errno => {
                // It ends by itself; nobody else waits for it.
                let _ = nix::sys::wait::waitpid(Pid::from_raw(pid), None);
                Err(io::Error::from_raw_os_error(errno))
            }
        }
    }
}

/// The list of pointers that `execve` takes.
fn list(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// The child's life until it is the program.
extern "C" fn be_born(birth: *mut c_void) -> c_int {
    let birth = birth.cast::<Birth>();
    // SAFETY: the parent made it, and sleeps. Each call is async-signal-safe (signal-safety(7)) or a system call; dispositions,
    // descriptors and the mask are the child's own.
    unsafe {
        // Who kills this client means the compiler that it would be without a cache.
        #[cfg(target_os = "linux")]
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
        for (stream, number) in (*birth).streams.into_iter().zip(1..) {
            if libc::dup2(stream, number) < 0 {
                return give_up(birth);
            }
        }
        libc::signal(libc::SIGPIPE, (*birth).broken_pipe);
        libc::sigprocmask(libc::SIG_SETMASK, (*birth).mask.as_ref(), ptr::null_mut());
        libc::execve((*birth).program, (*birth).words, (*birth).env);
        give_up(birth)
    }
}

/// # Safety
/// As in [`be_born`], whose status it is.
unsafe fn give_up(birth: *mut Birth) -> c_int {
    // SAFETY: the caller's promise; the place of `errno` is that of the parent, which sleeps.
    unsafe {
        (&raw mut (*birth).errno).write_volatile(*libc::__errno_location());
        libc::_exit(127)
    }
}
