//! Runs one compile line plainly and through the launcher, and tells every difference.
//!
//! Both runs see the same tree, folder and environment; what a run leaves is collected and removed
//! before the next. Only time macros may differ between runs, see [`Oracle::judge`].

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::command::CompileLine;
use crate::launcher::Launcher;
use crate::model::{Model, Pwd};
use crate::snapshot::{self, Seen, Snapshot};

/// More plain runs where chance has a part in the outcome.
const PLAIN_RUNS: usize = 8;

/// A compile that takes longer is a hang.
const LIMIT: Duration = Duration::from_secs(60);

/// File times come from a clock that moves once in a tick.
const TICK: Duration = Duration::from_millis(20);

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

/// All that a person can see of one run.
#[derive(Clone)]
pub(crate) struct Observation {
    status: String,
    stdout: Vec<u8>,
    stderr: String,
    files: BTreeMap<PathBuf, Seen>,
    started: SystemTime,
    ended: SystemTime,
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
        let (seen, untouched) = self.run(model, line, before, None);
        assert!(untouched, "a plain compile changed the tree: {line:?}");
        if before == Before::Nothing {
            let left = seen.files.iter().filter(|(_, file)| file.kind == "file");
            self.leftovers.insert(leftovers_key(model, line), left.map(|(path, _)| path.clone()).collect());
        }
        self.n_failed += u64::from(!seen.status.ends_with(" 0"));
        seen
    }

    /// Runs the compiler through the launcher.
    pub(crate) fn launched(&mut self, model: &Model, line: &CompileLine, before: Before) -> Observation {
        self.n_launched += 1;
        self.run(model, line, before, Some(&self.launcher.path)).0
    }

    /// Starts the launcher, calls `meanwhile`, and drops what comes out.
    pub(crate) fn disturbed(&mut self, model: &Model, line: &CompileLine, meanwhile: impl FnOnce()) {
        self.n_launched += 1;
        let before = Snapshot::take(&model.base);
        let process = self.process(model, line, Some(&self.launcher.path));
        thread::scope(|scope| {
            let running = scope.spawn(|| finish(process));
            meanwhile();
            // A hang shows again in the compared runs, with its history.
            drop(running.join());
        });
        let found = before.difference(&Snapshot::take(&model.base));
        snapshot::clean(&before, &found);
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
        launcher: Option<&Path>,
    ) -> (Observation, bool) {
        let empty = Snapshot::take(&model.base);
        let started = SystemTime::now();
        self.prepare(model, line, before, &empty);
        let (status, stdout, stderr) = match finish(self.process(model, line, launcher)) {
            Ok(output) => (output.status.to_string(), output.stdout, output.stderr),
            Err(hang) => (hang, Vec::new(), Vec::new()),
        };
        let ended = SystemTime::now();
        let files = empty.difference(&Snapshot::take(&model.base));
        let untouched = snapshot::clean(&empty, &files);
        let stderr = self.without_temporary_names(&stderr);
        (Observation { status, stdout, stderr, files, started, ended }, untouched)
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

    fn process(&self, model: &Model, line: &CompileLine, launcher: Option<&Path>) -> Process {
        let mut words: Vec<String> = Vec::new();
        if let Some(umask) = model.umask {
            words.extend(["sh", "-c", &format!("umask {umask}; exec \"$@\""), "sh"].map(str::to_owned));
        }
        words.extend(launcher.map(|path| path.to_string_lossy().into_owned()));
        words.extend(line.resolve(model));
        let mut process = Process::new(&words[0]);
        process.args(&words[1..]);
        self.launcher.set_environment(&mut process);
        process.envs(&model.env);
        let link = model.base.join(["here0", "here1"][model.checkout]);
        match model.pwd {
            Pwd::Real => process.env("PWD", model.root().join(line.folder)),
            Pwd::Link => process.env("PWD", link.join(line.folder)),
            Pwd::Lie => process.env("PWD", &model.base),
            Pwd::Unset => process.env_remove("PWD"),
        };
        process.current_dir(model.root().join(line.folder));
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        process
    }

    /// Messages of the assembler name the compiler's temporary file.
    fn without_temporary_names(&self, stderr: &[u8]) -> String {
        let text = String::from_utf8_lossy(stderr);
        let folder = format!("{}/", self.launcher.temporary().display());
        let mut parts = text.split(&folder);
        let mut clean = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.find(['.', ':']).map_or("", |at| &part[at..]);
            clean += &format!("TMPDIR/name{rest}");
        }
        clean
    }
}

fn leftovers_key(model: &Model, line: &CompileLine) -> (usize, String) {
    (model.checkout, format!("{line:?}"))
}

/// Runs `process` to its end and to the end of its streams; `Err` tells of a hang.
fn finish(mut process: Process) -> Result<Output, String> {
    let child = process.spawn().unwrap_or_else(|error| panic!("cannot run {process:?}: {error}"));
    let id = child.id();
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(output) = receive.recv_timeout(LIMIT) else {
        drop(Process::new("kill").args(["-9", &id.to_string()]).status());
        return Err(format!("no end within {LIMIT:?}, killed"));
    };
    Ok(output.unwrap())
}

fn compare(plain: &Observation, launched: &Observation) -> Result<(), String> {
    let mut found = Vec::new();
    if plain.status != launched.status {
        found.push(format!("status: plain {}, launcher {}", plain.status, launched.status));
    }
    if plain.stdout != launched.stdout {
        found.push(both("stdout", &plain.stdout, &launched.stdout));
    }
    if plain.stderr != launched.stderr {
        found.push(both("stderr", plain.stderr.as_bytes(), launched.stderr.as_bytes()));
    }
    for (path, wanted) in &plain.files {
        let name = path.display();
        match launched.files.get(path) {
            None => found.push(format!("file {name}: missing from the launcher's run")),
            Some(got) if got != wanted => {
                found.push(format!("file {name}: {}", file_difference(wanted, got)))
            }
            Some(got) if is_old(wanted, plain) != is_old(got, launched) => {
                found.push(format!("file {name}: the mtime is not the time of the run"));
            }
            Some(_) => {}
        }
    }
    for path in launched.files.keys().filter(|path| !plain.files.contains_key(*path)) {
        found.push(format!("file {}: only after the launcher's run", path.display()));
    }
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

/// True where the file was not written during `run`.
fn is_old(file: &Seen, run: &Observation) -> bool {
    file.written + TICK < run.started || file.written > run.ended + TICK
}

fn file_difference(wanted: &Seen, got: &Seen) -> String {
    if wanted.bytes != got.bytes {
        return both("content", &wanted.bytes, &got.bytes);
    }
    let show = |seen: &Seen| format!("{} {:o} links {}", seen.kind, seen.mode, seen.links);
    format!("plain {}, launcher {}", show(wanted), show(got))
}

fn both(what: &str, plain: &[u8], launched: &[u8]) -> String {
    let at = plain.iter().zip(launched).take_while(|(one, other)| one == other).count();
    let show = |bytes: &[u8]| {
        let from = at.saturating_sub(40);
        String::from_utf8_lossy(&bytes[from..bytes.len().min(at + 80)]).escape_debug().to_string()
    };
    let sizes = format!("{} and {} bytes", plain.len(), launched.len());
    format!(
        "{what} differs at byte {at} ({sizes})\n  plain:    {}\n  launcher: {}",
        show(plain),
        show(launched)
    )
}
