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
mod launcher;
mod layout;
mod model;
mod oracle;
mod random;
mod snapshot;
mod step;
mod worker;

use std::env;
use std::process::Command as Process;
use std::thread;
use std::time::Instant;

use worker::Plan;

const DEFAULT_SEEDS: &str = "1,2";
const DEFAULT_STEPS: usize = 2000;

#[test]
fn every_compile_ends_as_the_plain_one() {
    let seeds = env::var("SOAK_SEED").unwrap_or_else(|_| DEFAULT_SEEDS.to_owned());
    let seeds: Vec<u64> =
        seeds.split(',').map(|seed| seed.trim().parse().expect("SOAK_SEED: numbers")).collect();
    let steps = number("SOAK_STEPS", DEFAULT_STEPS).div_ceil(seeds.len());
    let max_findings = number("SOAK_FINDINGS", 1);
    let compilers: Vec<&'static str> =
        ["gcc", "g++", "clang", "clang++"].into_iter().filter(is_installed).collect();
    let missing = ["gcc", "g++"].iter().find(|name| !compilers.contains(name));
    assert!(missing.is_none(), "the soak test needs `gcc` and `g++`: install them");
    println!("compilers: {}; seeds: {seeds:?}; {steps} steps each", compilers.join(" "));

    let started = Instant::now();
    let threads: Vec<_> = seeds
        .iter()
        .map(|&seed| {
            let plan = Plan { seed, steps, max_findings, compilers: compilers.clone() };
            thread::spawn(move || worker::work(&plan))
        })
        .collect();
    let reports: Vec<_> = threads.into_iter().map(thread::JoinHandle::join).collect();

    let mut n_findings = 0;
    for report in reports {
        let report = report.expect("a worker ended early, see above");
        println!("{report}");
        n_findings += report.findings.len() + usize::from(report.hits_too_few());
    }
    println!("{:.0} steps in all per second", (steps * seeds.len()) as f64 / started.elapsed().as_secs_f64());
    assert_eq!(n_findings, 0, "findings, see above");
}

fn number(name: &str, default: usize) -> usize {
    env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number, not `{text}`")))
}

fn is_installed(name: &&str) -> bool {
    Process::new(name).arg("--version").output().is_ok_and(|answer| answer.status.success())
}
