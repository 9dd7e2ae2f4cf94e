//! Runs a command and compares what a person can see of two runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command as Process, Output};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::launcher::Launcher;
use crate::model::Model;
use crate::snapshot::{Seen, Snapshot};

/// A compile that takes longer is a hang.
const LIMIT: Duration = Duration::from_secs(60);

/// File times come from a clock that moves once in a tick.
const TICK: Duration = Duration::from_millis(20);

/// All that a person can see of one run.
#[derive(Clone)]
pub(crate) struct Observation {
    /// How it ended.
    pub(crate) status: String,
    /// Output.
    pub(crate) stdout: Vec<u8>,
    /// Messages, with one name for all temporary files.
    pub(crate) stderr: String,
    /// Files that it made, changed or removed.
    pub(crate) files: BTreeMap<PathBuf, Seen>,
    /// Time before.
    pub(crate) started: SystemTime,
    /// Time after.
    pub(crate) ended: SystemTime,
}

impl Observation {
    /// Runs a command that finds what is in `before`; whoever calls cleans up.
    pub(crate) fn of(launcher: &Launcher, model: &Model, process: Process, before: &Snapshot) -> Self {
        let started = SystemTime::now();
        let (status, stdout, stderr) = match finish(process) {
            Ok(output) => (output.status.to_string(), output.stdout, output.stderr),
            Err(hang) => (hang, Vec::new(), Vec::new()),
        };
        let ended = SystemTime::now();
        let files = before.difference(&Snapshot::take(&model.base));
        let stderr = launcher.without_temporary_names(&stderr);
        Self { status, stdout, stderr, files, started, ended }
    }

    /// The compile succeeded.
    pub(crate) fn is_success(&self) -> bool {
        self.status.ends_with(" 0")
    }
}

/// Runs `process` to its end and to the end of its streams; `Err` tells of a hang.
pub(crate) fn finish(mut process: Process) -> Result<Output, String> {
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

/// Tells every difference.
pub(crate) fn compare(plain: &Observation, launched: &Observation) -> Result<(), String> {
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
            // A folder that was in the way is of before both runs, by how much is chance.
            Some(got) if got.kind != "folder" && is_old(wanted, plain) != is_old(got, launched) => {
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
