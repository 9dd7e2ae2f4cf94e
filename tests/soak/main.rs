//! The edit oracle: random edits of a small C and C++ tree, and after each one compiles whose
//! every visible result must be that of the plain compiler.
//!
//! Settings, all by environment:
//! - `SOAK_STEPS`: steps in all, shared evenly by the seeds (default 2000);
//! - `SOAK_SEED`: one seed or several with commas, one thread each (default `1,2`);
//! - `SOAK_LAUNCHER`: another launcher than the cachepot of this build (`env` is always right);
//! - `SOAK_FINDINGS`: findings of a seed after which it stops (default 1).

#![allow(clippy::unwrap_used, clippy::expect_used)] // All of it is test code: a panic is a failing test.

mod command;
mod content;
mod edits;
mod launcher;
mod layout;
mod model;
mod observation;
mod oracle;
mod project;
mod random;
mod report;
mod seeds;
mod snapshot;
mod step;
mod worker;

use std::process::Command as Process;

const DEFAULT_STEPS: usize = 2000;

#[test]
fn every_compile_ends_as_the_plain_one() {
    let compilers: Vec<&'static str> =
        ["gcc", "g++", "clang", "clang++"].into_iter().filter(is_installed).collect();
    let missing = ["gcc", "g++"].iter().find(|name| !compilers.contains(name));
    assert!(missing.is_none(), "the soak test needs `gcc` and `g++`: install them");
    println!("compilers: {}", compilers.join(" "));
    seeds::run("soak", DEFAULT_STEPS, |plan| worker::work(plan, &compilers));
}

fn is_installed(name: &&str) -> bool {
    Process::new(name).arg("--version").output().is_ok_and(|answer| answer.status.success())
}
