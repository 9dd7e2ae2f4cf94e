//! The client. Started once per compile, so it starts as a C program does: the standard library's own `main`
//! makes some twenty system calls that nobody here needs. Where it can, it starts even before the C library
//! (`early.rs`), which takes longer to get ready than a hit.
#![no_main]
#![allow(unsafe_code)]

#[cfg(early_start)]
mod arena;
#[cfg(early_start)]
mod early;
#[cfg(early_start)]
mod memory;

use std::ffi::c_char;
use std::sync::Once;

/// Nothing is unwound in this program, and nobody needs to read of a fault of ours: the compiler does the work.
fn hold_panics() {
    // Once: while a panic that came early is being left behind, setting it again would wait for ever.
    static HELD: Once = Once::new();
    HELD.call_once(|| {
        std::panic::set_hook(Box::new(|_| {
            #[cfg(early_start)]
            early::leave_if_early();
            cachepot_client::panicked()
        }));
    });
}

// SAFETY: the C library calls this once, under the name and with the types that it expects of `main`.
#[unsafe(no_mangle)]
unsafe extern "C" fn main(_: i32, argv: *const *const c_char, envp: *const *const c_char) -> i32 {
    hold_panics();
    // SAFETY: both are lists as the kernel makes them, and stay for the life of the process.
    let (words, env) = unsafe { cachepot_client::process::invocation(argv, envp) };
    cachepot_client::main(words, env)
}
