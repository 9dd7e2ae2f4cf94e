//! After a compile: what it depended on, and whether its result may be kept.
use super::Memory;
use super::files::{Moment, Stamp, changed_since, now, repeated, stat};
use super::paths::{Place, normal};
use super::validate::{names, search_folders};
use super::watch::Walk;
use cachepot_engine::manifest::Input;
use cachepot_engine::scan::{Findings, Quarter, TimeMacros};
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Why a finished compile is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStorable {
    /// An input changed while the compiler ran, or so shortly before that it cannot be told.
    TooNew,
    /// An input is gone or cannot be read.
    Unreadable,
    /// The text uses something whose effect is not known; counted under this reason.
    Uses(&'static str),
}

/// What a compile was seen to depend on: a manifest's record without its result. Fields as in
/// [`cachepot_engine::manifest::Record`] where they have the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// See there.
    pub inputs: Vec<Input>,
    /// See there.
    pub folders: Vec<Vec<u8>>,
    /// See there.
    pub names: Vec<Vec<u8>>,
    /// See there.
    pub present: Vec<Vec<u8>>,
    /// See there.
    pub states: Vec<u32>,
    /// See there.
    pub same: Vec<(u32, u32)>,
    /// See there.
    pub exist: Vec<Vec<u8>>,
    /// When each input was last modified, in seconds since the epoch.
    pub modified: Vec<i64>,
    /// The time macros that the text may use; only the preprocessed text can tell.
    pub may_use: TimeMacros,
}

/// What to look at after a compile.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What the compiler read, the source first, as it named them.
    pub inputs: Vec<PathBuf>,
    /// Every folder in which it may have searched.
    pub folders: Vec<Vec<u8>>,
    /// What the words of the command line say, for macros may be defined there.
    pub words: Findings,
    /// When the compile began, by the file system's clock.
    pub start: Moment,
}

/// Looks at the inputs of a finished compile.
///
/// # Errors
/// [`NotStorable`] where the result must not be kept.
pub fn observe(memory: &Memory, place: &Place, compiled: &Compiled) -> Result<Observed, NotStorable> {
    let mut findings = compiled.words.clone();
    // gcc names no precompiled header in its dependencies: the names in the source tell where one may lie.
    let mut spelled = compiled.words.spelled.clone();
    let mut inputs = Vec::with_capacity(compiled.inputs.len());
    let mut modified = Vec::with_capacity(compiled.inputs.len());
    let mut identities = Vec::with_capacity(compiled.inputs.len());
    for path in &compiled.inputs {
        let bytes = path.as_os_str().as_bytes();
        let path = memory.paths.intern(bytes).ok_or(NotStorable::Unreadable)?;
        let known = memory.files.digest(place, &path).ok_or(NotStorable::Unreadable)?;
        if changed_since(&known.stamp, compiled.start) {
            return Err(NotStorable::TooNew);
        }
        findings.merge(&known.findings);
        if inputs.is_empty() {
            spelled.extend(known.findings.spelled.iter().cloned());
        }
        inputs.push(Input { path: bytes.to_vec(), digest: known.digest });
        modified.push(known.stamp.modified.0);
        identities.push(Some(known.stamp.identity()));
    }
    unknown_effects(&findings)?;
    let asked: Vec<Vec<u8>> = findings.has_include.iter().cloned().collect();
    let names: Vec<Vec<u8>> = asked.iter().cloned().chain(spelled).collect();
    let Bystanders { present, states, exist } = bystanders(memory, place, compiled, &inputs, &asked, &names)?;
    let (folders, same) = (compiled.folders.clone(), repeated(identities.into_iter()));
    let may_use = findings.time_macros();
    Ok(Observed { inputs, folders, names, present, states, same, exist, modified, may_use })
}

fn unknown_effects(findings: &Findings) -> Result<(), NotStorable> {
    if findings.may_incbin() {
        return Err(NotStorable::Uses(".incbin"));
    }
    if findings.assembler_include {
        return Err(NotStorable::Uses(".include"));
    }
    if findings.embed {
        return Err(NotStorable::Uses("#embed"));
    }
    if findings.computed_has_include {
        return Err(NotStorable::Uses("__has_include"));
    }
    Ok(())
}

/// What the use of time macros means for a result: when it is valid, and the times that its inputs must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeConditions {
    /// As in [`cachepot_engine::manifest::Record`].
    pub window: Option<Quarter>,
    /// See there.
    pub mtimes: Vec<(u32, i64)>,
}

impl Observed {
    /// The conditions under which a result is valid that uses these macros. `date_is_fixed`: `SOURCE_DATE_EPOCH`
    /// fixes date and time (and is part of the key).
    ///
    /// # Errors
    /// [`NotStorable::Uses`] where the result is never valid again.
    pub fn conditions(&self, used: TimeMacros, date_is_fixed: bool, start: Moment) -> Result<TimeConditions, NotStorable> {
        if used.time && !date_is_fixed {
            return Err(NotStorable::Uses("__TIME__"));
        }
        let mut conditions = TimeConditions::default();
        if used.date && !date_is_fixed {
            let quarter = |moment: Moment| Quarter::of_seconds(u64::try_from(moment.0).unwrap_or_default());
            if quarter(start) != quarter(now()) {
                return Err(NotStorable::Uses("__DATE__"));
            }
            conditions.window = Some(quarter(start));
        }
        conditions.mtimes = (0..).zip(self.modified.iter().copied()).filter(|_| used.timestamp).collect();
        Ok(conditions)
    }
}

struct Bystanders {
    present: Vec<Vec<u8>>,
    states: Vec<u32>,
    exist: Vec<Vec<u8>>,
}

/// Files that lay under a searched name without being read, and those whose existence was asked for.
fn bystanders(
    memory: &Memory,
    place: &Place,
    compiled: &Compiled,
    inputs: &[Input],
    asked: &[Vec<u8>],
    searched: &[Vec<u8>],
) -> Result<Bystanders, NotStorable> {
    let paths = || inputs.iter().map(|input| input.path.as_slice());
    let folders = search_folders(&compiled.folders, paths());
    let names = names(paths(), &folders, searched, place);
    let expected: HashSet<Vec<u8>> = paths().map(normal).collect();
    let walk = Walk { place, memory: &memory.folders, paths: &memory.paths, names: &names, expected: &expected };
    let (_, surprises) = walk.run(&folders);
    if surprises.precompiled {
        return Err(NotStorable::Uses("precompiled header"));
    }
    for path in &surprises.files {
        let path = memory.paths.intern(path).ok_or(NotStorable::Unreadable)?;
        let stat = stat(place, &path).map_err(|_| NotStorable::TooNew)?;
        // It may have come after the compiler had looked.
        if changed_since(&Stamp::of(&stat), compiled.start) {
            return Err(NotStorable::TooNew);
        }
    }
    let is_asked = |path: &&Vec<u8>| asked.iter().any(|name| path.ends_with(&normal(name)));
    let exist = surprises.files.iter().chain(&expected).filter(is_asked).cloned().collect();
    Ok(Bystanders { present: surprises.files, states: surprises.states, exist })
}
