//! Runs one worker for each seed, by the settings in the environment.

use std::env;
use std::thread;
use std::time::Instant;

use crate::report::{Plan, Report};

const DEFAULT_SEEDS: &str = "1,2";

/// Runs all, and fails with what they found. `steps` is their number where nobody says another.
pub(crate) fn run(test: &'static str, steps: usize, work: impl Fn(&Plan) -> Report + Sync) {
    let seeds = env::var("SOAK_SEED").unwrap_or_else(|_| DEFAULT_SEEDS.to_owned());
    let seeds: Vec<u64> =
        seeds.split(',').map(|seed| seed.trim().parse().expect("SOAK_SEED: numbers")).collect();
    let steps = number("SOAK_STEPS", steps).div_ceil(seeds.len());
    let max_findings = number("SOAK_FINDINGS", 1);
    println!("seeds: {seeds:?}; {steps} steps each");

    let started = Instant::now();
    let reports: Vec<_> = thread::scope(|scope| {
        let plan = |&seed| Plan { seed, steps, max_findings, test };
        let work = &work;
        let threads: Vec<_> = seeds.iter().map(plan).map(|plan| scope.spawn(move || work(&plan))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });

    let mut n_findings = 0;
    for report in reports {
        let report = report.expect("a worker ended early, see above");
        println!("{report}");
        n_findings += report.findings.len() + usize::from(report.hits_too_few());
    }
    println!("{:.1} steps in all per second", (steps * seeds.len()) as f64 / started.elapsed().as_secs_f64());
    assert_eq!(n_findings, 0, "findings, see above");
}

fn number(name: &str, default: usize) -> usize {
    env::var(name)
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number, not `{text}`")))
}
