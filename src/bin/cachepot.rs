//! The client. Started once per compile, so it starts as a C program does: the standard library's own `main`
//! makes some twenty system calls that nobody here needs.
#![no_main]
#![allow(unsafe_code)]

// SAFETY: the C library calls this once, under the name and with the types that it expects of `main`; the
// arguments are read through the standard library, which takes them from the same place.
#[unsafe(no_mangle)]
extern "C" fn main(_: i32, _: *const *const u8) -> i32 {
    cachepot_client::main()
}
