//! The observer: a library that the loader maps into the compiler and into every program it starts, in front of the C
//! library (`LD_PRELOAD`). Its functions call those of the same name behind it, and write into the log that
//! `CACHEPOT_OBSERVE` names what the result of the compile may depend on. `src/engine/observed.rs` reads that log.
//!
//! It must not be noticed: it prints nothing, changes no error number, allocates nothing, takes no lock of its own,
//! starts no thread and keeps no descriptor. Its own system calls go past the C library. It works in forked and vforked
//! children, since it keeps nothing about the process but what was written. Without the variable, or where the log
//! cannot be mapped, it only passes calls on.
//!
//! It does not know what matters: that is the reader's part. Absent on purpose: what only concerns open descriptors,
//! random numbers, memory, users and signals. It has neither the standard library nor the C library's
//! headers, so that it is small and needs no certain version of the C library. `build.rs` compiles it.
#![no_std]

mod change;
mod clock;
#[path = "../engine/observed/format.rs"]
mod format;
mod kernel;
mod libraries;
mod log;
mod look;
mod opaque;
mod open;
mod pass;
mod place;
mod record;
mod resolve;
mod start;
mod variable;

/// Nothing here panics on purpose. If it does, the log is marked, so that nothing is kept, and the program, which cannot
/// go on, ends as by `abort`.
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn abort() -> !;
    }
    log::give_up();
    // SAFETY: of the C library; takes nothing.
    unsafe { abort() }
}
