#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod commands;
mod harness;
mod lifecycle;
mod lookup;
