//! What a worker has to do, what it noted, and what it tells in the end.

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use crate::launcher::Launcher;
use crate::model::Model;

/// Last steps that a finding shows.
const N_HISTORY: usize = 16;

/// Smallest share of hits, in percent of the runs through cachepot, that proves anything.
const MIN_HITS_PERCENT: u64 = 20;

/// What a worker has to do.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Decides everything that is random.
    pub(crate) seed: u64,
    /// Steps to make.
    pub(crate) steps: usize,
    /// Findings after which it stops.
    pub(crate) max_findings: usize,
    /// The test that makes them.
    pub(crate) test: &'static str,
}

/// What a worker saw.
pub(crate) struct Report {
    /// The seed.
    pub(crate) seed: u64,
    /// Steps made.
    pub(crate) steps: usize,
    /// Time that they took.
    pub(crate) seconds: f64,
    /// Runs through the launcher.
    pub(crate) n_launched: u64,
    /// Runs that failed, as plain ones.
    pub(crate) n_failed: u64,
    /// Hits, where the launcher is cachepot.
    pub(crate) hits: Option<u64>,
    /// One text per difference.
    pub(crate) findings: Vec<String>,
}

impl Report {
    /// True where cachepot hit so seldom that the comparison proves little.
    pub(crate) fn hits_too_few(&self) -> bool {
        self.hits.is_some_and(|hits| hits * 100 < self.n_launched * MIN_HITS_PERCENT)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hits = self.hits.map_or("unknown".to_owned(), |hits| hits.to_string());
        for finding in &self.findings {
            writeln!(out, "{}", finding.lines().next().unwrap_or_default())?;
        }
        write!(
            out,
            "seed {}: {} steps in {:.1} s, {} compiles through the launcher, {hits} hits, {} failing plain \
             compiles, {} findings",
            self.seed,
            self.steps,
            self.seconds,
            self.n_launched,
            self.n_failed,
            self.findings.len()
        )?;
        if self.hits_too_few() {
            write!(out, "\nseed {}: fewer than {MIN_HITS_PERCENT} % of the compiles were hits", self.seed)?;
        }
        Ok(())
    }
}

/// What a worker did last, and what it found.
pub(crate) struct Journal {
    plan: Plan,
    /// Number of the present step.
    pub(crate) step: usize,
    history: VecDeque<String>,
    /// One text per difference.
    pub(crate) findings: Vec<String>,
}

impl Journal {
    /// An empty one.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { plan: plan.clone(), step: 0, history: VecDeque::new(), findings: Vec::new() }
    }

    /// Begins the next step, if there is to be one.
    pub(crate) fn next_step(&mut self) -> bool {
        let goes_on = self.step < self.plan.steps && self.findings.len() < self.plan.max_findings;
        self.step += usize::from(goes_on);
        goes_on
    }

    /// Keeps a line for the next finding.
    pub(crate) fn note(&mut self, what: &str) {
        if self.history.len() == N_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(format!("{:>6}  {what}", self.step));
    }

    /// Notes a command that was compared, and its difference.
    pub(crate) fn conclude(
        &mut self,
        model: &Model,
        command: (&str, &[String]),
        how: &str,
        result: Result<(), String>,
    ) {
        let (folder, words) = command;
        let folder = model.root().join(folder);
        let folder = folder.strip_prefix(&model.base).unwrap_or(&folder).display().to_string();
        let command = format!("{folder}$ {}", words.join(" "));
        self.note(&format!("  {command} ({how})"));
        let Err(difference) = result else { return };
        let history: Vec<&str> = self.history.iter().map(String::as_str).collect();
        let finding = format!(
            "FINDING seed {seed} step {step}\n{history}\nenvironment: {env:?}, PWD {pwd:?}, umask {umask:?}\n\
             command: {command}\n{difference}\nreplay: SOAK_SEED={seed} SOAK_STEPS={step} \
             SOAK_FINDINGS={max_findings} cargo test --test {test} -- --nocapture\n",
            max_findings = self.plan.max_findings,
            seed = self.plan.seed,
            step = self.step,
            test = self.plan.test,
            history = history.join("\n"),
            env = model.env,
            pwd = model.pwd,
            umask = model.umask,
        );
        let finding = finding.replace(&*model.base.to_string_lossy(), "BASE");
        eprintln!("{finding}");
        self.findings.push(finding);
    }

    /// Ends the worker; `runs` are those through the launcher and those that failed.
    pub(crate) fn end(self, launcher: &Launcher, started: Instant, runs: (u64, u64)) -> Report {
        let Self { plan: Plan { seed, .. }, step, mut findings, .. } = self;
        let hits = launcher.count_hits();
        launcher.stop();
        findings.extend(launcher.litter().map(|names| format!("seed {seed}: left in TMPDIR: {names}")));
        let seconds = started.elapsed().as_secs_f64();
        Report { seed, steps: step, seconds, n_launched: runs.0, n_failed: runs.1, hits, findings }
    }
}
