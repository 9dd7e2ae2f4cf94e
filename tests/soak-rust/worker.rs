//! One worker: its own tree, seed, launcher and coordinator, and the loop of edits and compiles.

use std::time::Instant;

use crate::edits::{self, Disturbance};
use crate::flags::Flags;
use crate::launcher::Launcher;
use crate::model::Model;
use crate::observation::Observation;
use crate::oracle::{Before, Case, Oracle};
use crate::project;
use crate::random::Random;
use crate::report::{Journal, Plan, Report};
use crate::step;
use crate::unit::{Call, Unit};

/// Steps after which the tree is written anew at the same place, so that it does not wear out.
const STEPS_PER_TREE: usize = 60;

/// Within how many microseconds of a compile's start a disturbing edit comes.
const DISTURBED_WITHIN: usize = 250_000;

/// Makes all steps of `plan`.
pub(crate) fn work(plan: &Plan) -> Report {
    let room = tempfile::Builder::new().prefix("soak").tempdir().unwrap();
    let launcher = Launcher::new(room.path());
    let started = Instant::now();
    let mut random = Random::new(plan.seed);
    let base = room.path().join("model");
    let mut worker = Worker {
        launcher: &launcher,
        oracle: Oracle::new(&launcher),
        model: project::create(&base, &mut random).unwrap(),
        flags: Flags::new(&mut random),
        unit: Unit::Mid,
        journal: Journal::new(plan),
    };
    while worker.journal.next_step() {
        let n_findings = worker.journal.findings.len();
        worker.step(&mut random);
        // Else a wrong entry would be found again and again.
        let has_found = worker.journal.findings.len() > n_findings;
        if has_found || worker.journal.step.is_multiple_of(STEPS_PER_TREE) {
            worker.new_tree(&mut random);
        }
    }
    let Worker { oracle, journal, .. } = worker;
    journal.end(&launcher, started, (oracle.n_launched, oracle.n_failed))
}

struct Worker<'a> {
    launcher: &'a Launcher,
    oracle: Oracle<'a>,
    model: Model,
    flags: Flags,
    /// What is compared. It stays for some steps, so that an edit meets what was kept just before.
    unit: Unit,
    journal: Journal,
}

impl Worker<'_> {
    fn new_tree(&mut self, random: &mut Random) {
        let base = self.model.base.clone();
        self.model = project::create(&base, random).unwrap();
        self.flags = Flags::new(random);
        self.journal.note(&format!("a new tree, {:?}", self.flags));
    }

    fn step(&mut self, random: &mut Random) {
        if random.chance(1) {
            self.journal.note("stop the coordinator");
            self.launcher.stop();
        }
        let what = if random.chance(12) {
            self.flags.change(random)
        } else {
            edits::edit(step::EDITS, &mut self.model, random)
        };
        self.journal.note(&what);
        let flags = self.flags.clone();
        if random.chance(25) {
            self.unit = *random.pick(&Unit::ALL);
        }
        let unit = self.build_before(self.unit, &flags, random);
        if random.chance(4) {
            self.edit_during_compile(Call { unit, flags: &flags }, random);
        }
        self.check(Call { unit, flags: &flags }, random);
    }

    /// Makes what `unit` needs, and answers which one to compare: the first that fails, where cargo would end, else it.
    fn build_before(&mut self, unit: Unit, flags: &Flags, random: &mut Random) -> Unit {
        for &unit in unit.dependencies() {
            let call = Call { unit, flags };
            if random.chance(10) {
                self.check(call, random);
            }
            let case = self.oracle.case(&self.model, call, Before::Old);
            if !self.oracle.launched(&self.model, &case).is_success() {
                return unit;
            }
        }
        unit
    }

    /// Compares one unit, in one of both orders, and perhaps at once again. Its outputs stay.
    fn check(&mut self, call: Call<'_>, random: &mut Random) {
        let before = Before::choose(call, random);
        let case = self.oracle.case(&self.model, call, before);
        let (launcher_first, again) = (random.chance(35), random.chance(50));
        let (plain, launched) = self.both(&case, launcher_first);
        let mut result = self.oracle.judge((&self.model, &case), &plain, &launched);
        if again && result.is_ok() {
            let launched = self.oracle.launched(&self.model, &case);
            result = self.oracle.judge((&self.model, &case), &plain, &launched);
        }
        let order = if launcher_first { "launcher first" } else { "plain first" };
        self.conclude(call, &format!("{before:?} at the outputs, {order}"), result);
    }

    fn both(&mut self, case: &Case<'_>, launcher_first: bool) -> (Observation, Observation) {
        if launcher_first {
            let launched = self.oracle.launched(&self.model, case);
            return (self.oracle.plain(&self.model, case), launched);
        }
        let plain = self.oracle.plain(&self.model, case);
        (plain, self.oracle.launched(&self.model, case))
    }

    /// Changes a file while the launcher's compile runs, perhaps back again; later compiles must
    /// not see a result that mixes both.
    fn edit_during_compile(&mut self, call: Call<'_>, random: &mut Random) {
        let (path, shown) = edits::some_file(&self.model, self.model.checkout, random);
        let Some(mut edit) = Disturbance::choose(path, DISTURBED_WITHIN, random) else { return };
        self.journal.note(&format!("edit {shown} during a compile, {edit}"));
        edit.prepare();
        self.oracle.disturbed(&self.model, call, || edit.happen());
    }

    fn conclude(&mut self, call: Call<'_>, how: &str, result: Result<(), String>) {
        self.journal.conclude(&self.model, (call.flags.folder, &call.words(&self.model)), how, result);
    }
}
