//! Runs one unit plainly and through the launcher, each time over the same leftovers, and tells every difference.

use cachepot_engine::compiler::rustc;
use cachepot_engine::job::{Driver, Family, Parsed};
use cachepot_wire::{CompileRequest, EnvBlock};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command as Process;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::launcher::Launcher;
use crate::model::{self, Model};
use crate::observation::{Observation, compare, finish};
use crate::random::Random;
use crate::snapshot::Snapshot;
use crate::unit::Call;

/// The age of leftovers.
const LONG_AGO: Duration = Duration::from_secs(3600);

/// What rustc says when it crashes by itself.
const CRASH: &str = "the compiler unexpectedly panicked";

/// Who compiles.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Launcher,
    /// rustc itself, with the words for neutral paths where these are wanted.
    Rustc,
    /// rustc itself, with the words of the user alone.
    RustcAsTyped,
}

/// What is at the outputs' places before a compile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// What was made the last time.
    Old,
    /// Other bytes.
    Corrupt,
    /// What was made the last time, with a second name, as cargo gives to programs.
    HardLink,
    /// The same, not to be written into.
    ReadOnly,
    /// Not even their folder.
    NoFolder,
}

impl Before {
    /// Mostly nothing odd.
    pub(crate) fn choose(call: Call<'_>, random: &mut Random) -> Self {
        let odd = [Before::Corrupt, Before::HardLink, Before::ReadOnly, Before::NoFolder];
        let before = if random.chance(15) { *random.pick(&odd) } else { Before::Old };
        match before {
            // What it needs is in there.
            Before::NoFolder if !call.unit.dependencies().is_empty() => Before::Nothing,
            Before::Old if random.chance(60) => Before::Nothing,
            before => before,
        }
    }
}

/// The outputs of one unit as they were when a comparison began.
struct Leftover {
    path: PathBuf,
    bytes: Vec<u8>,
    mode: u32,
}

/// A comparison that can be repeated.
pub(crate) struct Case<'a> {
    /// What is compiled.
    pub(crate) call: Call<'a>,
    before: Before,
    leftovers: Vec<Leftover>,
}

/// Runs compiles of one model.
pub(crate) struct Oracle<'a> {
    launcher: &'a Launcher,
    /// Number of runs through the launcher.
    pub(crate) n_launched: u64,
    /// Number of plain runs that failed.
    pub(crate) n_failed: u64,
}

impl<'a> Oracle<'a> {
    /// An oracle that has run nothing yet.
    pub(crate) fn new(launcher: &'a Launcher) -> Self {
        Self { launcher, n_launched: 0, n_failed: 0 }
    }

    /// Remembers what is there now.
    pub(crate) fn case<'b>(&self, model: &Model, call: Call<'b>, before: Before) -> Case<'b> {
        let leftovers = outputs(model, call).into_iter().filter_map(|path| {
            let (bytes, mode) = (fs::read(&path).ok()?, fs::metadata(&path).ok()?.permissions().mode());
            Some(Leftover { path, bytes, mode })
        });
        Case { call, before, leftovers: leftovers.collect() }
    }

    /// Runs rustc itself.
    pub(crate) fn plain(&mut self, model: &Model, case: &Case<'_>) -> Observation {
        let seen = self.run(model, case, By::Rustc);
        self.n_failed += u64::from(!seen.is_success());
        seen
    }

    /// Runs it through the launcher.
    pub(crate) fn launched(&mut self, model: &Model, case: &Case<'_>) -> Observation {
        self.n_launched += 1;
        self.run(model, case, By::Launcher)
    }

    /// Compares; a second plain run may agree instead, where rustc itself is not the same each time.
    pub(crate) fn judge(
        &mut self,
        (model, case): (&Model, &Case<'_>),
        plain: &Observation,
        launched: &Observation,
    ) -> Result<(), String> {
        // Its text holds process ids, and so does the name of the file that it leaves.
        if [plain, launched].iter().all(|run| run.stderr.contains(CRASH)) {
            return Ok(());
        }
        let Err(difference) = compare(plain, launched) else { return Ok(()) };
        // Where a hit cannot be put in place, the user's own line runs.
        if case.call.flags.shares && compare(&self.run(model, case, By::RustcAsTyped), launched).is_ok() {
            return Ok(());
        }
        let again = self.plain(model, case);
        let Err(still) = compare(&again, launched) else { return Ok(()) };
        let same = compare(plain, &again).is_ok();
        let note = if same { String::new() } else { format!("and from a second plain run:\n{still}\n") };
        Err(format!("{difference}\n{note}"))
    }

    /// Starts the launcher, calls `meanwhile`, and drops what comes out.
    pub(crate) fn disturbed(&mut self, model: &Model, call: Call<'_>, meanwhile: impl FnOnce()) {
        self.n_launched += 1;
        let process = self.process(model, call, By::Launcher);
        thread::scope(|scope| {
            let running = scope.spawn(|| finish(process));
            meanwhile();
            drop(running.join());
        });
    }

    fn run(&self, model: &Model, case: &Case<'_>, by: By) -> Observation {
        prepare(model, case);
        let before = Snapshot::take(&model.base);
        let process = self.process(model, case.call, by);
        let mut seen = Observation::of(self.launcher, model, process, &before);
        seen.stderr = without_chance(&seen.stderr);
        seen
    }

    fn process(&self, model: &Model, call: Call<'_>, by: By) -> Process {
        let process = |words| {
            let is_launched = by == By::Launcher;
            let mut process = self.launcher.process(model, call.flags.folder, words, is_launched);
            call.set_environment(model, &mut process);
            process
        };
        let words = call.words(model);
        let cached = process(words.clone());
        if call.flags.shares && by == By::Rustc { process(neutral(&cached, &words)) } else { cached }
    }
}

/// The line that the launcher would run, with its words for neutral paths.
fn neutral(process: &Process, words: &[String]) -> Vec<String> {
    let env = process.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let request = CompileRequest {
        argv: words.iter().map(OsString::from).collect(),
        // Without a closing slash, as the kernel tells it.
        cwd: process.get_current_dir().unwrap().components().collect(),
        env: EnvBlock::from_pairs(env),
        ..CompileRequest::default()
    };
    let driver = Driver { family: Family::Rustc, major: 95, plus_plus: false };
    match rustc::parse(&request, &driver, &request.argv) {
        Parsed::Compile(job) => {
            let argv = rustc::plan(&job, &request).argv.into_iter();
            argv.map(|word| word.into_string().unwrap()).collect()
        }
        Parsed::NotCacheable(_) | Parsed::NotACompile => words.to_vec(),
    }
}

/// The outputs of a unit that are there.
fn outputs(model: &Model, call: Call<'_>) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(call.out(model)) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.file_name().is_some_and(|name| call.made(&name.to_string_lossy()))).collect()
}

/// Removes what the last run made, and puts there what this one is to find.
fn prepare(model: &Model, case: &Case<'_>) {
    for path in outputs(model, case.call) {
        fs::remove_file(path).unwrap();
    }
    let second = model.base.join("second_names");
    drop(fs::remove_dir_all(&second));
    let out = case.call.out(model);
    if case.before == Before::NoFolder {
        drop(fs::remove_dir_all(&out));
    } else {
        fs::create_dir_all(&out).unwrap();
    }
    if matches!(case.before, Before::Nothing | Before::NoFolder) {
        return;
    }
    for Leftover { path, bytes, mode } in &case.leftovers {
        let is_corrupt = case.before == Before::Corrupt;
        fs::write(path, if is_corrupt { b"left over" } else { bytes.as_slice() }).unwrap();
        let mode = if case.before == Before::ReadOnly { mode & !0o222 } else { *mode };
        // Else chance would say whether it is as young as the compile.
        model::set_modified(path, SystemTime::now() - LONG_AGO).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        if case.before == Before::HardLink {
            fs::create_dir_all(&second).unwrap();
            fs::hard_link(path, second.join(path.file_name().unwrap_or_default())).unwrap();
        }
    }
}

/// Messages of linkers name files in whose names rustc puts something by chance: `OUT/rustcCHANCE/list` and
/// `main.0b7c-cgu.0.CHANCE.rcgu.o`.
fn without_chance(stderr: &str) -> String {
    let stderr = without_between(stderr, "-cgu.", ".rcgu");
    without_between(&stderr, "/rustc", "/")
}

/// Drops what stands between two marks, where it is short.
fn without_between(text: &str, start: &str, end: &str) -> String {
    let mut parts = text.split(start);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let at = part.find(end).filter(|at| *at < 12).unwrap_or_default();
        clean += start;
        clean += &part[at..];
    }
    clean
}
