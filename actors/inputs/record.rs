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
    /// The text may use `__DATE__` or one of its kind: only the preprocessed text can tell.
    MayUseTime,
    /// The text uses something whose effect is not known; counted under this reason.
    Uses(&'static str),
}

/// What a compile was seen to depend on: a manifest's record without its result.
#[derive(Debug)]
pub struct Observed {
    /// As in [`cachepot_engine::manifest::Record`], as are the others.
    pub inputs: Vec<Input>,
    /// See there.
    pub folders: Vec<Vec<u8>>,
    /// See there.
    pub names: Vec<Vec<u8>>,
    /// See there.
    pub present: Vec<Vec<u8>>,
    /// See there.
    pub aliases: Vec<(u32, u32)>,
    /// See there.
    pub same: Vec<(u32, u32)>,
    /// See there.
    pub exist: Vec<Vec<u8>>,
    /// See there.
    pub mtimes: Vec<(u32, i64)>,
    /// See there.
    pub window: Option<Quarter>,
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
    /// The time macros that are really used, where the preprocessed text was asked.
    pub used: Option<TimeMacros>,
    /// `SOURCE_DATE_EPOCH` fixes the date and the time (and is part of the key).
    pub date_is_fixed: bool,
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
    let (window, mtimes) = time_conditions(&findings, compiled, &modified)?;
    unknown_effects(&findings)?;
    let asked: Vec<Vec<u8>> = findings.has_include.iter().cloned().collect();
    let names: Vec<Vec<u8>> = asked.iter().cloned().chain(spelled).collect();
    let Bystanders { present, aliases, exist } = bystanders(memory, place, compiled, &inputs, &asked, &names)?;
    let (folders, same) = (compiled.folders.clone(), repeated(identities.into_iter()));
    Ok(Observed { inputs, folders, names, present, aliases, same, exist, mtimes, window })
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

type TimeConditions = (Option<Quarter>, Vec<(u32, i64)>);

/// What the use of a time macro means for the result.
fn time_conditions(findings: &Findings, compiled: &Compiled, modified: &[i64]) -> Result<TimeConditions, NotStorable> {
    let may_use = findings.time_macros();
    if may_use.any() && compiled.used.is_none() {
        return Err(NotStorable::MayUseTime);
    }
    let TimeMacros { time, date, timestamp } = compiled.used.unwrap_or(may_use);
    if time && !compiled.date_is_fixed {
        return Err(NotStorable::Uses("__TIME__"));
    }
    let mut window = None;
    if date && !compiled.date_is_fixed {
        let quarter = |moment: Moment| Quarter::of_seconds(u64::try_from(moment.0).unwrap_or_default());
        if quarter(compiled.start) != quarter(now()) {
            return Err(NotStorable::Uses("__DATE__"));
        }
        window = Some(quarter(compiled.start));
    }
    let times = (0..).zip(modified.iter().copied()).filter(|_| timestamp).collect();
    Ok((window, times))
}

struct Bystanders {
    present: Vec<Vec<u8>>,
    aliases: Vec<(u32, u32)>,
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
    Ok(Bystanders { present: surprises.files, aliases: surprises.aliases, exist })
}
