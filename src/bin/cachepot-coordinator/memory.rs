//! Memory that nobody uses any more is not given back at once: what one request needs, the next one needs, too, and the kernel clears
//! every page that it gives anew. `unsafe` because neither std nor nix speaks to the C library's `malloc`.
#![allow(unsafe_code)]

/// Where less than this is free at the end of a heap, all of it is kept; else all but the growth below.
#[cfg(target_env = "gnu")]
const KEPT_BYTES: libc::c_int = 16 << 20;

/// The main thread's heap grows by so much at once.
#[cfg(target_env = "gnu")]
const GROWTH_BYTES: libc::c_int = 1 << 20;

/// What is larger is mapped by itself, and given back at once: the most that glibc would come to by itself.
#[cfg(all(target_env = "gnu", target_pointer_width = "64"))]
const LARGE_BYTES: libc::c_int = 32 << 20;
#[cfg(all(target_env = "gnu", not(target_pointer_width = "64")))]
const LARGE_BYTES: libc::c_int = 512 << 10;

/// Says so to the C library, before other threads run. A library that takes no such word keeps its own ways. Source: mallopt(3).
pub(crate) fn keep() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_TRIM_THRESHOLD, KEPT_BYTES),
        (libc::M_TOP_PAD, GROWTH_BYTES),
        (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
    ] {
        // SAFETY: it takes two numbers, and no other thread allocates yet.
        unsafe { libc::mallopt(parameter, value) };
    }
}
