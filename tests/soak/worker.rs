//! One worker: its own tree, seed, launcher and coordinator, and the loop of edits and compiles.

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::CompileLine;
use crate::content;
use crate::launcher::Launcher;
use crate::model::{self, Model};
use crate::oracle::{Before, Oracle};
use crate::random::Random;
use crate::step;

/// Steps after which the tree is written anew at the same place, so that it does not wear out.
const STEPS_PER_TREE: usize = 120;

/// Different compile lines in use at one time; few, so that lines come back and hit.
const N_LINES: usize = 5;

/// Last steps that a finding shows.
const N_HISTORY: usize = 16;

/// Smallest share of hits, in percent of the runs through cachepot, that proves anything.
const MIN_HITS_PERCENT: u64 = 20;

/// What a worker has to do.
pub(crate) struct Plan {
    /// Decides everything that is random.
    pub(crate) seed: u64,
    /// Steps to make.
    pub(crate) steps: usize,
    /// Findings after which it stops.
    pub(crate) max_findings: usize,
    /// Names of the installed compilers.
    pub(crate) compilers: Vec<&'static str>,
}

/// What a worker saw.
pub(crate) struct Report {
    seed: u64,
    steps: usize,
    seconds: f64,
    n_launched: u64,
    n_failed: u64,
    hits: Option<u64>,
    is_cachepot: bool,
    /// One text per difference.
    pub(crate) findings: Vec<String>,
}

impl Report {
    /// True where cachepot hit so seldom that the comparison proves little.
    pub(crate) fn hits_too_few(&self) -> bool {
        self.is_cachepot && self.hits.unwrap_or(0) * 100 < self.n_launched * MIN_HITS_PERCENT
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

/// Makes all steps of `plan`.
pub(crate) fn work(plan: &Plan) -> Report {
    let room = tempfile::Builder::new().prefix("soak").tempdir().unwrap();
    let launcher = Launcher::new(room.path());
    let started = Instant::now();
    let mut random = Random::new(plan.seed);
    let base = room.path().join("model");
    let mut worker = Worker {
        plan,
        launcher: &launcher,
        oracle: Oracle::new(&launcher),
        model: Model::create(&base, &mut random).unwrap(),
        lines: Vec::new(),
        history: VecDeque::new(),
        findings: Vec::new(),
        step: 0,
    };
    worker.new_tree(&mut random);
    while worker.step < plan.steps && worker.findings.len() < plan.max_findings {
        worker.step += 1;
        if worker.step.is_multiple_of(STEPS_PER_TREE) {
            worker.new_tree(&mut random);
        }
        let n_findings = worker.findings.len();
        worker.step(&mut random);
        if worker.findings.len() > n_findings {
            // Else a wrong entry, or a variable that is mishandled, would be found again and again.
            worker.new_tree(&mut random);
        }
    }
    let Worker { oracle, mut findings, step, .. } = worker;
    let hits = launcher.count_hits();
    launcher.stop();
    findings.extend(launcher.litter().map(|names| format!("seed {}: left in TMPDIR: {names}", plan.seed)));
    Report {
        seed: plan.seed,
        steps: step,
        seconds: started.elapsed().as_secs_f64(),
        n_launched: oracle.n_launched,
        n_failed: oracle.n_failed,
        hits,
        is_cachepot: launcher.is_cachepot(),
        findings,
    }
}

struct Worker<'a> {
    plan: &'a Plan,
    launcher: &'a Launcher,
    oracle: Oracle<'a>,
    model: Model,
    lines: Vec<CompileLine>,
    history: VecDeque<String>,
    findings: Vec<String>,
    step: usize,
}

impl Worker<'_> {
    fn new_tree(&mut self, random: &mut Random) {
        let base = self.model.base.clone();
        self.model = Model::create(&base, random).unwrap();
        self.lines = (0..N_LINES).map(|_| CompileLine::generate(&self.plan.compilers, random)).collect();
        self.note("a new tree and new compile lines".to_owned());
    }

    fn step(&mut self, random: &mut Random) {
        if random.chance(1) {
            self.note("stop the coordinator".to_owned());
            self.launcher.stop();
        }
        if random.chance(8) {
            let at = random.below(N_LINES);
            self.lines[at] = CompileLine::generate(&self.plan.compilers, random);
            self.note("another compile line".to_owned());
        } else {
            let what = step::edit(&mut self.model, random);
            self.note(what);
        }
        match random.below(100) {
            0..=4 => self.edit_during_compile(random),
            5..=8 => self.burst(random),
            _ => {}
        }
        for _ in 0..1 + random.below(3) {
            self.check(random);
        }
    }

    /// Compares one line, in one of both orders, and perhaps the same line at once again.
    fn check(&mut self, random: &mut Random) {
        let line = random.pick(&self.lines).clone();
        let before = *random.pick(&[Before::Nothing, Before::Nothing, Before::Nothing, Before::Leftovers]);
        let odd = [Before::Link, Before::DanglingLink, Before::HardLink, Before::ReadOnly, Before::Folder];
        let odd = *random.pick(&odd);
        let before = if random.chance(12) { odd } else { before };
        let (launcher_first, again) = (random.chance(35), random.chance(40));
        let state = (&self.model, &line, before);
        let result = if launcher_first && !self.model.reads_clock() {
            let launched = self.oracle.launched(&self.model, &line, before);
            let plain = self.oracle.plain(&self.model, &line, before);
            (self.oracle.judge(state, &plain, &launched), plain)
        } else {
            let plain = self.oracle.plain(&self.model, &line, before);
            let launched = self.oracle.launched(&self.model, &line, before);
            (self.oracle.judge(state, &plain, &launched), plain)
        };
        let (mut result, plain) = result;
        if again && result.is_ok() {
            let launched = self.oracle.launched(&self.model, &line, before);
            result = self.oracle.judge(state, &plain, &launched);
        }
        let order = if launcher_first { "launcher first" } else { "plain first" };
        self.conclude(&line, &format!("{before:?} at the output, {order}"), result);
    }

    /// Changes a file while the launcher's compile runs, perhaps back again; later compiles must
    /// not see a result that mixes both.
    fn edit_during_compile(&mut self, random: &mut Random) {
        let line = random.pick(&self.lines).clone();
        let (path, shown) = step::some_file(&self.model, self.model.checkout, random);
        let Ok(old) = fs::read(&path) else { return };
        let Some(new) = content::same_size(&old, random) else { return };
        let Ok(written) = model::modified(&path) else { return };
        let (delay, back, keep) = (random.below(15_000) as u64, random.chance(50), random.chance(50));
        let first_edit = random.chance(50);
        if path.ends_with("tool/cc") {
            return;
        }
        if first_edit {
            // Otherwise most of these compiles would be hits, which end before the edit.
            drop(fs::write(&path, [&old[..], b"\n"].concat()));
        }
        self.note(format!("edit {shown} during a compile, back: {back}, old mtime: {keep}"));
        self.oracle.disturbed(&self.model, &line, || {
            thread::sleep(Duration::from_micros(delay));
            drop(fs::write(&path, &new));
            if back {
                thread::sleep(Duration::from_micros(delay / 4));
                drop(fs::write(&path, if first_edit { [&old[..], b"\n"].concat() } else { old.clone() }));
            }
            if keep {
                drop(model::set_modified(&path, written));
            }
        });
        let judged = self.compare_now(&line);
        self.conclude(&line, "after an edit during its compile", judged);
    }

    /// Flips one file between two known contents of one size, faster than the clock of file times,
    /// with nothing but the launcher in between.
    fn burst(&mut self, random: &mut Random) {
        let line = random.pick(&self.lines).clone();
        let (path, shown) = step::some_file(&self.model, self.model.checkout, random);
        if path.ends_with("tool/cc") || self.model.reads_clock() {
            return;
        }
        let Ok(one) = fs::read(&path) else { return };
        let Some(other) = content::same_size(&one, random) else { return };
        self.note(format!("flip {shown} quickly"));
        let result = self.flip(&line, &path, [&one, &other]);
        self.conclude(&line, "while a file flips", result.unwrap());
    }

    fn flip(
        &mut self,
        line: &CompileLine,
        path: &std::path::Path,
        contents: [&[u8]; 2],
    ) -> io::Result<Result<(), String>> {
        let mut plain = Vec::new();
        for content in contents {
            fs::write(path, content)?;
            plain.push(self.oracle.plain(&self.model, line, Before::Nothing));
            self.oracle.launched(&self.model, line, Before::Nothing);
        }
        let mut launched = Vec::new();
        for round in 0..6 {
            fs::write(path, contents[round % 2])?;
            launched.push(self.oracle.launched(&self.model, line, Before::Nothing));
        }
        for round in 0..6 {
            fs::write(path, contents[round % 2])?;
            let state = (&self.model, line, Before::Nothing);
            if let Err(difference) = self.oracle.judge(state, &plain[round % 2], &launched[round]) {
                return Ok(Err(format!("round {round}: {difference}")));
            }
        }
        Ok(Ok(()))
    }

    fn compare_now(&mut self, line: &CompileLine) -> Result<(), String> {
        let plain = self.oracle.plain(&self.model, line, Before::Nothing);
        let launched = self.oracle.launched(&self.model, line, Before::Nothing);
        self.oracle.judge((&self.model, line, Before::Nothing), &plain, &launched)
    }

    fn note(&mut self, what: String) {
        if self.history.len() == N_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(format!("{:>6}  {what}", self.step));
    }

    fn conclude(&mut self, line: &CompileLine, how: &str, result: Result<(), String>) {
        let folder = self.model.root().join(line.folder);
        let folder = folder.strip_prefix(&self.model.base).unwrap_or(&folder).display().to_string();
        let command = format!("{folder}$ {}", line.resolve(&self.model).join(" "));
        self.note(format!("  {command} ({how})"));
        let Err(difference) = result else { return };
        let history: Vec<&str> = self.history.iter().map(String::as_str).collect();
        let finding = format!(
            "FINDING seed {seed} step {step}\n{history}\nenvironment: {env:?}, PWD {pwd:?}, umask {umask:?}\n\
             command: {command}\n{difference}\nreplay: SOAK_SEED={seed} SOAK_STEPS={step} \
             SOAK_FINDINGS={max_findings} cargo test --test soak -- --nocapture\n",
            max_findings = self.plan.max_findings,
            seed = self.plan.seed,
            step = self.step,
            history = history.join("\n"),
            env = self.model.env,
            pwd = self.model.pwd,
            umask = self.model.umask,
        );
        let finding = finding.replace(&*self.model.base.to_string_lossy(), "BASE");
        eprintln!("{finding}");
        self.findings.push(finding);
    }
}
