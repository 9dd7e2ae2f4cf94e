//! The observer in real programs: what its log says of compiles by rustc and gcc, and that it is not noticed.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.
#![cfg(observer)]

mod harness;
mod macros;
mod odd;
mod rust;
