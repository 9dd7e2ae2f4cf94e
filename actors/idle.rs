//! Programs for which the processor must have nothing better to do: sched_setscheduler(2), sched(7).
//! `unsafe` because neither std nor nix sets the policy, and only between fork and exec no child of the program's is
//! there yet that would keep the old one.
#![allow(unsafe_code)]
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, setsid};
use tokio::process::{Child, Command};

/// Makes the program run with all that it starts at idle priority, in a session of its own. It ends with the thread
/// that starts it, also where that is killed.
pub(crate) fn prepare(command: &mut Command) {
    let lower = || {
        setsid()?;
        set_pdeathsig(Signal::SIGKILL)?;
        let none = libc::sched_param { sched_priority: 0 };
        // SAFETY: the call reads one structure, which lives here. Where it is forbidden, the program runs as any other.
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_IDLE, &raw const none) };
        Ok(())
    };
    // SAFETY: after the fork only system calls are made; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(lower) };
}

/// A session that [`prepare`] made: what runs in it goes when this is dropped.
pub(crate) struct Session(Option<Pid>);

impl Session {
    /// That of a running program. The kernel shares the processor between sessions first (sched(7), "autogroup"), and
    /// inside each of them by priority: this one gets the smallest share. Without a privilege that can be set ten times
    /// a second.
    pub(crate) fn of(program: &Child) -> Self {
        let pid = program.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid {
            let _ = std::fs::write(format!("/proc/{pid}/autogroup"), "19");
        }
        Session(pid.map(Pid::from_raw))
    }

    /// The program has ended by itself: its number may mean others from now on.
    pub(crate) fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}
