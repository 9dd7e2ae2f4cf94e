//! One worker: its own tree, seed, launcher and coordinator, and the loop of edits and compiles.

use std::fs;
use std::io;
use std::time::Instant;

use crate::command::CompileLine;
use crate::edits::{self, Disturbance};
use crate::launcher::Launcher;
use crate::model::{self, Model, SCRIPT};
use crate::oracle::{Before, Oracle};
use crate::project;
use crate::random::Random;
use crate::report::{Journal, Plan, Report};
use crate::step;

/// Steps after which the tree is written anew at the same place, so that it does not wear out.
const STEPS_PER_TREE: usize = 120;

/// Different compile lines in use at one time; few, so that lines come back and hit.
const N_LINES: usize = 5;

/// Makes all steps of `plan`.
pub(crate) fn work(plan: &Plan, compilers: &[&'static str]) -> Report {
    let room = tempfile::Builder::new().prefix("soak").tempdir().unwrap();
    let launcher = Launcher::new(room.path());
    let started = Instant::now();
    let mut random = Random::new(plan.seed);
    let base = room.path().join("model");
    let mut worker = Worker {
        compilers,
        launcher: &launcher,
        oracle: Oracle::new(&launcher),
        model: project::create(&base, &mut random).unwrap(),
        lines: Vec::new(),
        journal: Journal::new(plan),
    };
    worker.new_tree(&mut random);
    while worker.journal.next_step() {
        if worker.journal.step.is_multiple_of(STEPS_PER_TREE) {
            worker.new_tree(&mut random);
        }
        let n_findings = worker.journal.findings.len();
        worker.step(&mut random);
        if worker.journal.findings.len() > n_findings {
            // Else a wrong entry, or a variable that is mishandled, would be found again and again.
            worker.new_tree(&mut random);
        }
    }
    let Worker { oracle, journal, .. } = worker;
    journal.end(&launcher, started, (oracle.n_launched, oracle.n_failed))
}

struct Worker<'a> {
    compilers: &'a [&'static str],
    launcher: &'a Launcher,
    oracle: Oracle<'a>,
    model: Model,
    lines: Vec<CompileLine>,
    journal: Journal,
}

impl Worker<'_> {
    fn new_tree(&mut self, random: &mut Random) {
        let base = self.model.base.clone();
        self.model = project::create(&base, random).unwrap();
        self.lines = (0..N_LINES).map(|_| CompileLine::generate(self.compilers, random)).collect();
        self.journal.note("a new tree and new compile lines");
    }

    fn step(&mut self, random: &mut Random) {
        if random.chance(1) {
            self.journal.note("stop the coordinator");
            self.launcher.stop();
        }
        if random.chance(8) {
            let at = random.below(N_LINES);
            self.lines[at] = CompileLine::generate(self.compilers, random);
            self.journal.note("another compile line");
        } else {
            let what = edits::edit(step::EDITS, &mut self.model, random);
            self.journal.note(&what);
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
        let result = if launcher_first && !project::reads_clock(&self.model) {
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
        let (path, shown) = edits::some_file(&self.model, self.model.checkout, random);
        let Some(mut edit) = Disturbance::choose(path, 15_000, random) else { return };
        self.journal.note(&format!("edit {shown} during a compile, {edit}"));
        edit.prepare();
        self.oracle.disturbed(&self.model, &line, || edit.happen());
        let judged = self.compare_now(&line);
        self.conclude(&line, "after an edit during its compile", judged);
    }

    /// Flips one file between two known contents of one size, faster than the clock of file times,
    /// with nothing but the launcher in between.
    fn burst(&mut self, random: &mut Random) {
        let line = random.pick(&self.lines).clone();
        let (path, shown) = edits::some_file(&self.model, self.model.checkout, random);
        if path.ends_with(SCRIPT) || project::reads_clock(&self.model) {
            return;
        }
        let Ok(one) = fs::read(&path) else { return };
        let Some(other) = model::same_size(&one, random) else { return };
        self.journal.note(&format!("flip {shown} quickly"));
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

    fn conclude(&mut self, line: &CompileLine, how: &str, result: Result<(), String>) {
        self.journal.conclude(&self.model, (line.folder, &line.resolve(&self.model)), how, result);
    }
}
