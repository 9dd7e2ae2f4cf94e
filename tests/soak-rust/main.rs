//! The edit oracle for Rust: random edits of a small graph of crates, and after each one compiles as
//! cargo makes them, whose every visible result must be that of rustc itself.
//!
//! The settings are those of the oracle for the C family, `tests/soak/main.rs`, which shares all that is not about a
//! language. Absent on purpose: cargo, which would take most of the time; `tests/e2e/rust/build.rs` has it.

#![allow(clippy::unwrap_used, clippy::expect_used)] // All of it is test code: a panic is a failing test.

mod content;
#[path = "../soak/edits.rs"]
mod edits;
mod flags;
#[path = "../soak/launcher.rs"]
mod launcher;
#[path = "../soak/model.rs"]
mod model;
#[path = "../soak/observation.rs"]
mod observation;
mod oracle;
mod project;
#[path = "../soak/random.rs"]
mod random;
#[path = "../soak/report.rs"]
mod report;
#[path = "../soak/seeds.rs"]
mod seeds;
#[path = "../soak/snapshot.rs"]
mod snapshot;
mod step;
mod unit;
mod worker;

/// A compile takes a hundred times longer than one of the other oracle.
const DEFAULT_STEPS: usize = 150;

#[test]
fn every_crate_comes_out_as_of_rustc() {
    seeds::run("soak_rust", DEFAULT_STEPS, worker::work);
}
