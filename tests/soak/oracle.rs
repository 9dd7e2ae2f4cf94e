//! Runs one compile line plainly and through the launcher, and tells every difference.
//!
//! Both runs see the same tree, folder and environment; what a run leaves is collected and removed
//! before the next. Only time macros may differ between runs, see [`Oracle::judge`].

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::thread;
use std::time::Duration;

use crate::command::CompileLine;
use crate::launcher::Launcher;
use crate::model::Model;
use crate::observation::{Observation, compare, finish};
use crate::snapshot::{Seen, Snapshot};

/// More plain runs where chance has a part in the outcome.
const PLAIN_RUNS: usize = 8;

/// What is present at the output path before the compile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// Regular files at all places where this line left files the last time.
    Leftovers,
    /// A link to a file.
    Link,
    /// A link to a name that does not exist.
    DanglingLink,
    /// A second name of another file; only where the compiler does not write through it.
    HardLink,
    /// A file without write permission.
    ReadOnly,
    /// A folder.
    Folder,
}

impl Observation {
    /// Ended by itself, with another status than 0.
    fn has_failed(&self) -> bool {
        self.status.starts_with("exit status") && !self.status.ends_with(": 0")
    }

    /// The same with its messages in one order and without its status: what two failing programs tell at once.
    fn shuffled(&self) -> Self {
        let mut lines: Vec<&str> = self.stderr.lines().collect();
        lines.sort_unstable();
        Self { status: String::new(), stderr: lines.join("\n"), ..self.clone() }
    }
}

/// Runs compiles of one model.
pub(crate) struct Oracle<'a> {
    launcher: &'a Launcher,
    /// Files that each line left, by checkout and line. Only runs with nothing before them are noted, so
    /// that all runs of one comparison find the same leftovers.
    leftovers: BTreeMap<(usize, String), Vec<PathBuf>>,
    /// Number of runs through the launcher.
    pub(crate) n_launched: u64,
    /// Number of compared runs that failed as plain ones.
    pub(crate) n_failed: u64,
}

impl<'a> Oracle<'a> {
    /// An oracle that has run nothing yet.
    pub(crate) fn new(launcher: &'a Launcher) -> Self {
        Self { launcher, leftovers: BTreeMap::new(), n_launched: 0, n_failed: 0 }
    }

    /// Runs the compiler itself.
    pub(crate) fn plain(&mut self, model: &Model, line: &CompileLine, before: Before) -> Observation {
        let (seen, untouched) = self.run(model, line, before, false);
        assert!(untouched, "a plain compile changed the tree: {line:?}");
        if before == Before::Nothing {
            let left = seen.files.iter().filter(|(_, file)| file.kind == "file");
            self.leftovers.insert(leftovers_key(model, line), left.map(|(path, _)| path.clone()).collect());
        }
        self.n_failed += u64::from(!seen.is_success());
        seen
    }

    /// Runs the compiler through the launcher.
    pub(crate) fn launched(&mut self, model: &Model, line: &CompileLine, before: Before) -> Observation {
        self.n_launched += 1;
        self.run(model, line, before, true).0
    }

    /// Starts the launcher, calls `meanwhile`, and drops what comes out.
    pub(crate) fn disturbed(&mut self, model: &Model, line: &CompileLine, meanwhile: impl FnOnce()) {
        self.n_launched += 1;
        let before = Snapshot::take(&model.base);
        let process = self.process(model, line, true);
        thread::scope(|scope| {
            let running = scope.spawn(|| finish(process));
            meanwhile();
            // A hang shows again in the compared runs, with its history.
            drop(running.join());
        });
        let found = before.difference(&Snapshot::take(&model.base));
        clean(&before, &found);
    }

    /// Compares a run with a plain one of the same state; `Err` tells the difference.
    ///
    /// Time macros: a second plain run may agree instead, or differ from the first while at least
    /// two seconds passed, so that there was a second in between which neither plain run saw.
    /// Under `-pipe` compiler and assembler run at once: where both fail, chance says which is heard first or not at
    /// all, and with which status gcc ends.
    pub(crate) fn judge(
        &mut self,
        (model, line, before): (&Model, &CompileLine, Before),
        plain: &Observation,
        launched: &Observation,
    ) -> Result<(), String> {
        let Err(difference) = compare(plain, launched) else { return Ok(()) };
        let again = self.plain(model, line, before);
        let Err(still) = compare(&again, launched) else { return Ok(()) };
        let same = compare(plain, &again).is_ok();
        let passed = again.ended.duration_since(plain.started).unwrap_or_default();
        if !same && passed >= Duration::from_secs(2) {
            return Ok(());
        }
        let is_race =
            line.words.iter().any(|word| word == "-pipe") && plain.has_failed() && launched.has_failed();
        let shuffled = launched.shuffled();
        let is_like = |plain: &Observation| compare(&plain.shuffled(), &shuffled).is_ok();
        if is_race && (is_like(plain) || is_like(&again)) {
            return Ok(());
        }
        let mut more = (0..PLAIN_RUNS).filter(|_| is_race);
        if more.any(|_| is_like(&self.plain(model, line, before))) {
            return Ok(());
        }
        let note = if same { String::new() } else { format!("and from a second plain run:\n{still}\n") };
        Err(format!("{difference}\n{note}"))
    }

    fn run(
        &self,
        model: &Model,
        line: &CompileLine,
        before: Before,
        is_launched: bool,
    ) -> (Observation, bool) {
        let empty = Snapshot::take(&model.base);
        self.prepare(model, line, before, &empty);
        let seen = Observation::of(self.launcher, model, self.process(model, line, is_launched), &empty);
        let untouched = clean(&empty, &seen.files);
        (seen, untouched)
    }

    fn process(&self, model: &Model, line: &CompileLine, is_launched: bool) -> Process {
        self.launcher.process(model, line.folder, line.resolve(model), is_launched)
    }

    fn prepare(&self, model: &Model, line: &CompileLine, before: Before, empty: &Snapshot) {
        if before == Before::Leftovers {
            for path in self.leftovers.get(&leftovers_key(model, line)).into_iter().flatten() {
                if !empty.has(path) {
                    drop(fs::write(path, "left over"));
                }
            }
            return;
        }
        let Some(output) = &line.output else { return };
        let path = model.root().join(output);
        if empty.has(&path) || !path.parent().is_some_and(Path::is_dir) {
            return;
        }
        let other = model.root().join("out/target");
        match before {
            Before::Nothing | Before::Leftovers => return,
            Before::Link => fs::write(&other, "target").and_then(|()| symlink(&other, &path)),
            Before::DanglingLink => symlink(&other, &path),
            Before::HardLink if !line.makes_new_file => return,
            Before::HardLink => fs::write(&other, "target").and_then(|()| fs::hard_link(&other, &path)),
            Before::ReadOnly => fs::write(&path, "read only").and_then(|()| {
                let mut mode = fs::metadata(&path)?.permissions();
                mode.set_readonly(true);
                fs::set_permissions(&path, mode)
            }),
            Before::Folder => fs::create_dir(&path),
        }
        .unwrap();
    }
}

fn leftovers_key(model: &Model, line: &CompileLine) -> (usize, String) {
    (model.checkout, format!("{line:?}"))
}

/// Removes what is in `found` and was not in `before`; true where the rest is untouched.
fn clean(before: &Snapshot, found: &BTreeMap<PathBuf, Seen>) -> bool {
    let mut untouched = true;
    for (path, seen) in found.iter().rev() {
        if before.has(path) {
            untouched = false;
        } else if seen.kind == "folder" {
            fs::remove_dir(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    untouched
}
