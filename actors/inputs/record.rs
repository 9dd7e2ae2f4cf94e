//! After a compile: what it depended on, and whether its result may be kept.
use super::Memory;
use super::files::{Moment, Stamp, changed_since, is_link, link_stat, repeated, stat};
use super::later::Later;
use super::names::Names;
use super::observed::{self, Watched};
use super::paths::{Place, normal, parent};
use super::quoted::Quoted;
use super::sight::Sight;
use super::survey::Survey;
use super::texts::{Seen, Texts, known_now};
use super::twins::twins_of_one_age;
use super::users::Sides;
use super::validate::search_folders;
use super::watch::Walk;
use super::words::Words;
use cachepot_engine::bases::Bases;
use cachepot_engine::digest::Digest;
use cachepot_engine::key::result_key;
use cachepot_engine::manifest::{Input, NOT_A_FOLDER, Record};
use cachepot_engine::scan::{Hidden, Quarter};
use foldhash::HashSet;
use nix::errno::Errno;
use nix::sys::stat::FileStat;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::CString;
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

/// What a compile was seen to depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The record to come: without its result, and without conditions on times ([`Observed::into_record`]).
    pub record: Record,
    /// Inputs, by index, whose modification time reaches the result whatever its text says.
    pub twins: Vec<u32>,
    /// When each input was last modified, in seconds since the epoch.
    pub modified: Vec<i64>,
    /// What the text may use; only the preprocessed text can tell.
    pub may_use: Hidden,
}

/// What a text must not use in this compile: neither key nor record would cover it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The compiler printed messages or comments, which quote the files that a text names by `#line`.
    pub quotes: bool,
    /// The working directory is not in the job's key.
    pub is_anywhere: bool,
    /// The source, no assembler text, was read as it is, so no preprocessor run tells what it uses.
    pub is_preprocessed: bool,
}

/// What to look at after a compile.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What the compiler read, the source first, as it named them.
    pub inputs: Vec<PathBuf>,
    /// Every folder in which it may have searched.
    pub folders: Vec<Vec<u8>>,
    /// Those of them that come with the compiler or the system's libraries: a build does not change them.
    pub brought: Vec<Vec<u8>>,
    /// The words of the command line, for macros may be defined there.
    pub words: Words,
    /// Whether a plain file in place of a searched folder is read: clang's header maps.
    pub reads_maps: bool,
    /// Files whose content is part of the job's key, as spelled.
    pub key_files: Vec<PathBuf>,
    /// What the texts must not use.
    pub limits: Limits,
    /// Asks which of the inputs are system headers.
    pub sides: Option<Sides>,
    /// What an observer saw of it; then nothing else is looked at but the files of the key.
    pub watched: Option<Watched>,
    /// Folders whose names are left out of the record.
    pub bases: Bases,
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
    observe_sides(memory, place, compiled).map(|(observed, _)| observed)
}

/// The same; beside it for each input whether it is a system header, where that is asked for and sure.
///
/// # Errors
/// [`NotStorable`] where the result must not be kept.
pub fn observe_sides(
    memory: &Memory,
    place: &Place,
    compiled: &Compiled,
) -> Result<(Observed, Option<Vec<bool>>), NotStorable> {
    key_files_stand(memory, place, compiled)?;
    if let Some(watched) = &compiled.watched {
        return observed::look(memory, place, compiled, watched).map(|observed| (observed, None));
    }
    let texts = Texts::read(memory, place, compiled, |path| known_now(memory, place, path))?;
    let system = texts.system(place, compiled);
    View { memory, place, later: None }.look(compiled, texts).map(|observed| (observed, system))
}

/// The same long after the compile, by what was seen at its end.
///
/// # Errors
/// [`NotStorable`] where the result must not be kept, or what it depended on cannot be told any more.
pub fn observe_later(
    memory: &Memory,
    place: &Place,
    compiled: &Compiled,
    sight: &Sight,
) -> Result<Observed, NotStorable> {
    let later = &Later::new(place, sight);
    let texts = Texts::read(memory, place, compiled, |path| later.input(memory, path))?;
    View { memory, place, later: Some(later) }.look(compiled, texts)
}

/// Looks at a compile's files.
struct View<'a, 'l> {
    memory: &'a Memory,
    place: &'a Place,
    /// What they were at its end, where that was long ago.
    later: Option<&'a Later<'l>>,
}

impl View<'_, '_> {
    fn look(&self, compiled: &Compiled, texts: Texts<'_>) -> Result<Observed, NotStorable> {
        let Texts { seen, findings, .. } = texts;
        let n_read = seen.len();
        let input = |seen: &Seen<'_>| Input { path: seen.path.to_vec(), digest: seen.known.digest };
        let mut read: Vec<_> = seen.iter().map(|seen| (input(seen), seen.known.stamp)).collect();
        let includes = seen.iter().flat_map(|seen| &seen.known.findings.includes).chain(&findings.includes);
        let quoted = Quoted::look(self.memory, self.place, compiled, (&seen, &findings))?;
        for (input, _) in &quoted.files {
            self.must_be_same(&input.path)?;
        }
        let spells = Spells {
            includes: includes.map(Vec::as_slice).chain(quoted.absent.iter().copied()).collect(),
            has_include: findings.has_include.iter().map(Vec::as_slice).collect(),
        };
        let (mut record, twins) = self.look_around(compiled, &spells, &read)?;
        record.n_read = u32::try_from(n_read).map_err(|_| NotStorable::Uses("input too large"))?;
        read.extend(twins.into_iter().chain(quoted.files));
        record.same = repeated(read.iter().map(|(_, stamp)| Some(stamp.identity())));
        let modified = read.iter().map(|(_, stamp)| stamp.modified.0).collect();
        let twins = twins_of_one_age(&read, n_read);
        record.inputs = read.into_iter().map(|(input, _)| input).collect();
        record.make_neutral(&compiled.bases, |_| false);
        if self.later.is_some_and(|later| !later.is_still_same()) {
            return Err(NotStorable::TooNew);
        }
        Ok(Observed { record, twins, modified, may_use: findings.hidden() })
    }

    /// Looks at every searched folder for what bears a searched name. Beside the record, which has no inputs yet: files
    /// with the content of an input. Compilers read only one of two such files when they hold `#pragma once`, and leave
    /// the other out of the dependencies; or it is the same file under another name.
    fn look_around(
        &self,
        compiled: &Compiled,
        spells: &Spells<'_>,
        read: &[(Input, Stamp)],
    ) -> Result<(Record, Vec<(Input, Stamp)>), NotStorable> {
        let View { memory, place, later } = *self;
        let paths: Vec<Cow<'_, [u8]>> = read.iter().map(|(input, _)| normal(&input.path)).collect();
        let folders = search_folders(&compiled.folders, &paths);
        if later.is_some_and(|later| !folders.iter().all(|folder| later.is_sure(folder))) {
            return Err(NotStorable::TooNew);
        }
        let survey = Survey::beside(folders, place, later.map(Later::survey));
        // gcc names no precompiled header in its dependencies: the names in the texts tell where one may lie.
        let absolute = spells.includes.iter().filter(|name| name.starts_with(b"/"));
        for path in absolute.flat_map(|name| [&b".gch"[..], b".pch"].map(|suffix| [*name, suffix].concat())) {
            self.must_be_same(&path)?;
            if exists(place, &path) {
                return Err(NotStorable::Uses("precompiled header"));
            }
        }
        let mut names = Names::of(&paths, &survey.forms(), std::iter::empty());
        let spelled = spells.new_names(&names);
        names.ask(spelled.iter().map(Vec::as_slice));
        let expected: HashSet<Cow<'_, [u8]>> = paths.into_iter().collect();
        let walk = Walk { place, memory, survey: &survey, names: &names, expected: &expected, later };
        let (_, surprises) = walk.run();
        if compiled.reads_maps && surprises.states.contains(&NOT_A_FOLDER) {
            return Err(NotStorable::Uses("header map"));
        }
        if surprises.unsure {
            return Err(NotStorable::TooNew);
        }
        if surprises.precompiled {
            return Err(NotStorable::Uses("precompiled header"));
        }
        let mut twins = Vec::new();
        let (mut sizes, mut digests) = (HashSet::default(), HashSet::default());
        if !surprises.files.is_empty() {
            sizes.extend(read.iter().map(|(_, stamp)| stamp.size));
            digests.extend(read.iter().map(|(input, _)| input.digest));
        }
        for bytes in &surprises.files {
            self.must_be_same(bytes)?;
            let path = memory.paths.intern(bytes).ok_or(NotStorable::Unreadable)?;
            let link = link_stat(place, &path).map_err(|_| NotStorable::TooNew)?;
            let stat = if is_link(&link) { stat(place, &path) } else { Ok(link) };
            let stat = stat.map_err(|_| NotStorable::TooNew)?;
            // It may have come after the compiler had looked.
            if [stat, link].iter().any(|stat| changed_since(&Stamp::of(stat), compiled.start)) {
                return Err(NotStorable::TooNew);
            }
            let is_candidate = sizes.contains(&stat.st_size);
            let known = if is_candidate { memory.files.digest(place, &path) } else { None };
            if let Some(known) = known.filter(|known| digests.contains(&known.digest)) {
                twins.push((Input { path: bytes.clone(), digest: known.digest }, known.stamp));
            }
        }
        let asked: Vec<Cow<'_, [u8]>> = spells.has_include.iter().map(|name| normal(name)).collect();
        let is_asked = |path: &&[u8]| asked.iter().any(|name| path.ends_with(name));
        let files = surprises.files.iter().map(Vec::as_slice).chain(expected.iter().map(AsRef::as_ref));
        let mut exist: Vec<_> = files.filter(is_asked).map(<[u8]>::to_vec).collect();
        // The order is part of the result's key.
        exist.sort();
        exist.dedup();
        let record = Record {
            result: Digest([0; 32]),
            inputs: Vec::new(),
            n_read: 0,
            folders: compiled.folders.clone(),
            names: spelled,
            present: surprises.files,
            states: surprises.states,
            same: Vec::new(),
            exist,
            mtimes: Vec::new(),
            window: None,
            ties: Vec::new(),
            surroundings: None,
        };
        Ok((record, twins))
    }

    /// A later look goes by nothing that may have changed meanwhile.
    fn must_be_same(&self, path: &[u8]) -> Result<(), NotStorable> {
        if self.later.is_none_or(|later| later.is_same(path)) { Ok(()) } else { Err(NotStorable::TooNew) }
    }
}

/// The job's key was made from the content that these files had when the request came.
pub(super) fn key_files_stand(
    memory: &Memory,
    place: &Place,
    compiled: &Compiled,
) -> Result<(), NotStorable> {
    for path in &compiled.key_files {
        let path = memory.paths.intern(path.as_os_str().as_bytes()).ok_or(NotStorable::Unreadable)?;
        for stat in [stat(place, &path), link_stat(place, &path)] {
            let found = match stat {
                Err(Errno::ENOENT | Errno::ENOTDIR) => nearest(place, &normal(path.to_bytes())),
                found => found,
            };
            let stat = found.map_err(|_| NotStorable::Unreadable)?;
            if changed_since(&Stamp::of(&stat), compiled.asked) {
                return Err(NotStorable::TooNew);
            }
        }
    }
    Ok(())
}

/// What lies nearest above a path that leads nowhere: it would have changed with anything that was there.
fn nearest(place: &Place, path: &[u8]) -> nix::Result<FileStat> {
    let mut path = path;
    while !path.is_empty() && path != b"/" {
        path = parent(path);
        let text = CString::new(if path.is_empty() { b"." } else { path }).map_err(|_| Errno::EINVAL)?;
        match link_stat(place, &text) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            // Where it leads something may have been.
            Ok(link) if is_link(&link) => return stat(place, &text),
            found => return found,
        }
    }
    Err(Errno::ENOENT)
}

impl Observed {
    /// The record of a result that may use the date and nothing else that changes: while it is that day, nobody needs
    /// to know whether it does. `None` where it may use more, or where the day cannot be told.
    pub fn record_for_now(
        &self,
        job: &Digest,
        date_is_fixed: bool,
        during: (Moment, Moment),
    ) -> Option<Record> {
        let record = || self.clone().into_record(job, self.may_use, date_is_fixed, during);
        self.may_use.is_date_alone().then(record)?.ok()
    }

    /// The record of a result that uses this, with the conditions on times under which it is valid and its key.
    /// `date_is_fixed`: `SOURCE_DATE_EPOCH` fixes date and time (and is part of the job's key). `during`: when the compile ran.
    ///
    /// # Errors
    /// [`NotStorable::Uses`] where the result is never valid again.
    pub fn into_record(
        self,
        job: &Digest,
        used: Hidden,
        date_is_fixed: bool,
        during: (Moment, Moment),
    ) -> Result<Record, NotStorable> {
        if let Some(directive) = used.directive {
            return Err(NotStorable::Uses(directive));
        }
        if used.time && !date_is_fixed {
            return Err(NotStorable::Uses("__TIME__"));
        }
        let Observed { mut record, twins, modified, .. } = self;
        if used.date && !date_is_fixed {
            let quarter = |moment: Moment| Quarter::of_seconds(u64::try_from(moment.0).unwrap_or_default());
            if quarter(during.0) != quarter(during.1) {
                return Err(NotStorable::Uses("__DATE__"));
            }
            record.window = Some(quarter(during.0));
        }
        let times = (0..).zip(modified);
        record.mtimes = times.filter(|(input, _)| used.timestamp || twins.contains(input)).collect();
        record.result = result_key(job, &record);
        Ok(record)
    }
}

fn exists(place: &Place, path: &[u8]) -> bool {
    CString::new(path).is_ok_and(|path| stat(place, &path).is_ok())
}

/// The names that the texts of a unit spell.
struct Spells<'a> {
    /// In `#include` and its like.
    includes: HashSet<&'a [u8]>,
    /// In `__has_include`.
    has_include: Vec<&'a [u8]>,
}

impl Spells<'_> {
    /// The names as far as they do not follow from the inputs; sorted, each once.
    fn new_names(&self, derived: &Names) -> Vec<Vec<u8>> {
        let is_new = |name: &&&[u8]| !name.starts_with(b"/") && !derived.holds(name);
        let names = self.has_include.iter().chain(self.includes.iter().filter(is_new));
        let names: BTreeSet<&[u8]> = names.copied().collect();
        names.into_iter().map(<[u8]>::to_vec).collect()
    }
}
