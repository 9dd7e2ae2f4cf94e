//! After a compile: what it depended on, and whether its result may be kept.
use super::Memory;
use super::files::{Known, Moment, Stamp, changed_since, link_stat, now, stat};
use super::paths::{Place, normal};
use super::validate::{names, search_folders};
use super::watch::Walk;
use cachepot_engine::manifest::Input;
use cachepot_engine::scan::{Findings, Quarter, TimeMacros};
use nix::sys::stat::FileStat;
use std::collections::{BTreeSet, HashSet};
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
    pub exist: Vec<Vec<u8>>,
    /// See there.
    pub mtimes: Vec<(u32, i64)>,
    /// See there.
    pub window: Option<Quarter>,
}

/// What to look at after a compile.
pub struct Compiled {
    /// What the compiler read, the source first, as it named them.
    pub inputs: Vec<PathBuf>,
    /// Every folder in which it may have searched.
    pub folders: Vec<Vec<u8>>,
    /// What the words of the command line say, for macros may be defined there.
    pub words: Findings,
    /// `SOURCE_DATE_EPOCH` fixes the date and the time (and is part of the key).
    pub date_is_fixed: bool,
    /// Files whose content is part of the job's key, as spelled.
    pub key_files: Vec<PathBuf>,
    /// When the request came, before the key was made.
    pub asked: Moment,
    /// When the compile began, by the file system's clock.
    pub start: Moment,
}

/// Looks at the inputs of a finished compile.
///
/// # Errors
/// [`NotStorable`] where the result must not be kept.
pub fn observe(memory: &Memory, place: &Place, compiled: &Compiled) -> Result<Observed, NotStorable> {
    let mut findings = compiled.words.clone();
    let mut read = Vec::with_capacity(compiled.inputs.len());
    for path in &compiled.inputs {
        let bytes = path.as_os_str().as_bytes();
        let path = memory.paths.intern(bytes).ok_or(NotStorable::Unreadable)?;
        let known = memory.files.digest(place, &path).ok_or(NotStorable::Unreadable)?;
        let link = link_stat(place, &path).map_err(|_| NotStorable::TooNew)?;
        if changed_since(&known.stamp, compiled.start) || changed_since(&Stamp::of(&link), compiled.start) {
            return Err(NotStorable::TooNew);
        }
        findings.merge(&known.findings);
        read.push((Input { path: bytes.to_vec(), digest: known.digest }, known.stamp));
    }
    for path in &compiled.key_files {
        let path = memory.paths.intern(path.as_os_str().as_bytes()).ok_or(NotStorable::Unreadable)?;
        let changed = |stat: FileStat| changed_since(&Stamp::of(&stat), compiled.asked);
        if stat(place, &path).is_ok_and(changed) || link_stat(place, &path).is_ok_and(changed) {
            return Err(NotStorable::TooNew);
        }
    }
    let (window, mut mtimes) = time_conditions(&findings, compiled, &read)?;
    unknown_effects(&findings)?;
    let around = bystanders(memory, place, compiled, &findings, &read)?;
    let mut inputs: Vec<Input> = read.iter().map(|(input, _)| input.clone()).collect();
    for twin in around.twins {
        let at = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        mtimes.extend(twin.seconds.into_iter().flat_map(|(of, seconds)| [(of, seconds), (at, seconds)]));
        inputs.push(twin.input);
    }
    let Around { names, present, exist, .. } = around;
    Ok(Observed { inputs, folders: compiled.folders.clone(), names, present, exist, mtimes, window })
}

fn unknown_effects(findings: &Findings) -> Result<(), NotStorable> {
    let absolute_names = findings.has_include.iter().any(|name| name.starts_with(b"/"));
    let effects = [
        (findings.may_incbin(), ".incbin"),
        (findings.may_assembler_include(), ".include"),
        (findings.embed, "#embed"),
        (findings.computed_has_include || absolute_names, "__has_include"),
        (findings.dependency, "#pragma GCC dependency"),
        (findings.unread, "input too large"),
    ];
    match effects.iter().find(|(used, _)| *used) {
        Some((_, what)) => Err(NotStorable::Uses(what)),
        None => Ok(()),
    }
}

type TimeConditions = (Option<Quarter>, Vec<(u32, i64)>);

/// What the use of a time macro means for the result.
fn time_conditions(
    findings: &Findings,
    compiled: &Compiled,
    read: &[(Input, Stamp)],
) -> Result<TimeConditions, NotStorable> {
    let TimeMacros { time, date, timestamp } = findings.time_macros();
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
    let times = (0..).zip(read.iter().map(|(_, stamp)| stamp.modified.0)).filter(|_| timestamp).collect();
    Ok((window, times))
}

/// What lay in the searched folders besides the inputs.
struct Around {
    names: Vec<Vec<u8>>,
    present: Vec<Vec<u8>>,
    exist: Vec<Vec<u8>>,
    twins: Vec<Twin>,
}

/// A file with the content of an input that lay under a searched name. Compilers read only one of two such files
/// when they hold `#pragma once`, and leave the other out of the dependencies; or it is the same file, named by
/// them in another way. Either way it counts as an input.
struct Twin {
    input: Input,
    /// For another file: which input it equals, and the time of both, which compilers compare as well.
    seconds: Option<(u32, i64)>,
}

fn bystanders(
    memory: &Memory,
    place: &Place,
    compiled: &Compiled,
    findings: &Findings,
    read: &[(Input, Stamp)],
) -> Result<Around, NotStorable> {
    let paths = || read.iter().map(|(input, _)| input.path.as_slice());
    let folders = search_folders(&compiled.folders, paths());
    let derived = names(paths(), &folders, &[], place);
    let is_new = |name: &&Vec<u8>| !name.starts_with(b"/") && !derived.holds(&normal(name));
    let spelled: BTreeSet<Vec<u8>> =
        findings.has_include.iter().chain(findings.includes.iter().filter(is_new)).cloned().collect();
    let spelled: Vec<Vec<u8>> = spelled.into_iter().collect();
    let names = names(paths(), &folders, &spelled, place);
    let expected: HashSet<Vec<u8>> = paths().map(normal).collect();
    let walk =
        Walk { place, memory: &memory.folders, paths: &memory.paths, names: &names, expected: &expected };
    let (_, surprises) = walk.run(&folders);
    if surprises.precompiled {
        return Err(NotStorable::Uses("precompiled header"));
    }
    let mut twins = Vec::new();
    for bytes in &surprises.files {
        let path = memory.paths.intern(bytes).ok_or(NotStorable::Unreadable)?;
        let stat = stat(place, &path).map_err(|_| NotStorable::TooNew)?;
        let link = link_stat(place, &path).map_err(|_| NotStorable::TooNew)?;
        // It may have come after the compiler had looked.
        if [stat, link].iter().any(|stat| changed_since(&Stamp::of(stat), compiled.start)) {
            return Err(NotStorable::TooNew);
        }
        if read.iter().any(|(_, stamp)| stamp.size == stat.st_size) {
            twins.extend(memory.files.digest(place, &path).and_then(|known| twin(bytes, &known, read)));
        }
    }
    let asked: Vec<Vec<u8>> = findings.has_include.iter().map(|name| normal(name)).collect();
    let is_asked = |path: &&Vec<u8>| asked.iter().any(|name| path.ends_with(name));
    let mut exist: Vec<_> = surprises.files.iter().chain(&expected).filter(is_asked).cloned().collect();
    // The order is part of the result's key.
    exist.sort();
    exist.dedup();
    Ok(Around { names: spelled, present: surprises.files, exist, twins })
}

fn twin(path: &[u8], known: &Known, read: &[(Input, Stamp)]) -> Option<Twin> {
    let (at, (input, stamp)) = (0..).zip(read).find(|(_, (input, _))| input.digest == known.digest)?;
    let is_same_file = (stamp.device, stamp.inode) == (known.stamp.device, known.stamp.inode);
    let is_as_old = stamp.modified.0 == known.stamp.modified.0;
    let seconds = (!is_same_file && is_as_old).then_some((at, stamp.modified.0));
    Some(Twin { input: Input { path: path.to_vec(), digest: input.digest }, seconds })
}
