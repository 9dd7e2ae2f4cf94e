//! What a compile's files were when it ended, for a look that waits until the build leaves time for it.
//!
//! What a build changes is looked at now: files and folders of the project. What the compiler brings is expected to stay, and is
//! looked at where the user waits to be told which headers those are. Only speed rests on that: see `later.rs`.
use super::Memory;
use super::files::{Known, Moment, Stamp, changed_since, is_folder, is_link, link_stat, now, stat};
use super::folders::{Kind, Listing};
use super::names::Names;
use super::paths::{Place, below, normal, strip};
use super::record::{Compiled, NotStorable, key_files_stand};
use super::survey::Survey;
use super::texts::{Texts, known_now};
use super::validate::search_folders;
use foldhash::{HashMap, HashSet};
use nix::sys::stat::FileStat;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// What is younger, in seconds, may be written once more, or removed, by the build that made it: its content is read at once.
const YOUNG: i64 = 60;

/// Where something came or went since, in seconds, others may be at work, such as installations.
const QUIET: i64 = 300;

/// See the file's head.
pub struct Sight {
    /// When it was taken.
    pub(super) at: Moment,
    /// Inputs, as spelled.
    pub(super) inputs: HashMap<Arc<CStr>, Then>,
    /// Searched folders.
    pub(super) survey: Survey,
    /// Folders in which names may have been searched.
    pub(super) listings: HashMap<Arc<CStr>, (FileStat, Arc<Listing>)>,
    /// The folders above, in which others may be at work.
    pub(super) above: Vec<(Vec<u8>, FileStat)>,
}

/// What an input was.
pub(super) struct Then {
    /// The path itself, where it was a link.
    link: Option<Box<FileStat>>,
    /// What it led to.
    target: FileStat,
    /// Its content, where it was young.
    known: Option<Arc<Known>>,
}

impl Then {
    /// What is known of it, and what the path itself was.
    ///
    /// # Errors
    /// [`NotStorable`] where what it was cannot be told any more.
    pub(super) fn look(
        &self,
        memory: &Memory,
        place: &Place,
        path: &CStr,
    ) -> Result<(Arc<Known>, FileStat), NotStorable> {
        let read = || memory.files.digest_of(place, path, &self.target);
        let known = self.known.clone().or_else(read).ok_or(NotStorable::Unreadable)?;
        let link = self.link.as_deref().unwrap_or(&self.target);
        if known.stamp == Stamp::of(&self.target) { Ok((known, *link)) } else { Err(NotStorable::TooNew) }
    }
}

impl Sight {
    /// Looks at what the build may change.
    ///
    /// # Errors
    /// [`NotStorable`] where the result must not be kept.
    pub fn take(memory: &Memory, place: &Place, compiled: &Compiled) -> Result<Self, NotStorable> {
        let at = now();
        let mut inputs = HashMap::default();
        let mut paths = Vec::with_capacity(compiled.inputs.len());
        for path in &compiled.inputs {
            let bytes = path.as_os_str().as_bytes();
            let path = normal(bytes);
            if !is_brought(&path, &compiled.brought) {
                let spelled = memory.paths.intern(bytes).ok_or(NotStorable::Unreadable)?;
                let then = look(memory, place, &spelled, compiled.start)?;
                inputs.insert(spelled, then);
            }
            paths.push(path);
        }
        key_files_stand(memory, place, compiled)?;
        let folders = search_folders(&compiled.folders, &paths);
        let ours = folders.iter().filter(|folder| !is_brought(folder, &compiled.brought));
        let survey = Survey::of(ours.cloned().collect(), place);
        let mut forms = survey.forms();
        forms.extend(compiled.brought.iter().map(Vec::as_slice));
        let listings = listings(memory, place, &survey, &Names::of_folders(&paths, &forms));
        Ok(Sight { at, inputs, survey, listings, above: above(place, &compiled.brought) })
    }

    /// How many bytes its own listings take: others than those that stay in memory for all.
    pub fn listed_bytes(&self) -> usize {
        let listings = self.listings.values().map(|(_, listing)| listing);
        listings.filter(|listing| !listing.settled).map(|listing| listing.bytes()).sum()
    }

    /// For each input, whether it is a system header: where that is asked for and sure. For this, what the compiler brings is
    /// looked at now.
    ///
    /// # Errors
    /// [`NotStorable`] where the result must not be kept.
    pub fn system(
        &self,
        memory: &Memory,
        place: &Place,
        compiled: &Compiled,
    ) -> Result<Option<Vec<bool>>, NotStorable> {
        if compiled.sides.is_none() {
            return Ok(None);
        }
        let known = |path: &CStr| match self.inputs.get(path) {
            Some(then) => then.look(memory, place, path),
            None => known_now(memory, place, path),
        };
        Ok(Texts::read(memory, place, compiled, known)?.system(place, compiled))
    }
}

/// Whether a folder is there and nothing came or went in it for so long that nothing is expected to.
pub fn is_quiet(folder: &[u8], start: Moment) -> bool {
    nix::sys::stat::stat(folder).is_ok_and(|stat| is_folder(&stat) && stat.st_ctime < start.0 - QUIET)
}

/// What an input is now.
fn look(memory: &Memory, place: &Place, path: &CStr, start: Moment) -> Result<Then, NotStorable> {
    let first = link_stat(place, path).map_err(|_| NotStorable::Unreadable)?;
    let (link, target) = if is_link(&first) {
        let target = stat(place, path).map_err(|_| NotStorable::Unreadable)?;
        // After what it leads to: a link that was changed in between bears a new time.
        (Some(Box::new(link_stat(place, path).map_err(|_| NotStorable::TooNew)?)), target)
    } else {
        (None, first)
    };
    let stamp = Stamp::of(&target);
    if changed_since(&stamp, start)
        || link.as_ref().is_some_and(|link| changed_since(&Stamp::of(link), start))
    {
        return Err(NotStorable::TooNew);
    }
    let known = if stamp.modified.0 > start.0 - YOUNG {
        let known = memory.files.digest_of(place, path, &target).ok_or(NotStorable::Unreadable)?;
        Some(known).filter(|known| known.stamp == stamp)
    } else {
        None
    };
    Ok(Then { link, target, known })
}

/// The folders above the working directory and those that are brought, and these themselves.
fn above(place: &Place, brought: &[Vec<u8>]) -> Vec<(Vec<u8>, FileStat)> {
    let brought = brought.iter().map(|folder| Path::new(OsStr::from_bytes(folder)));
    let all: BTreeSet<&Path> = brought.chain([place.name()]).flat_map(Path::ancestors).collect();
    let stat_of = |folder: &Path| {
        let path = folder.as_os_str().as_bytes();
        Some((path.to_vec(), stat(place, &CString::new(path).ok()?).ok()?))
    };
    all.into_iter().filter(|folder| folder.is_absolute()).filter_map(stat_of).collect()
}

/// Whether a path lies in a folder that comes with the compiler or its libraries.
fn is_brought(path: &[u8], brought: &[Vec<u8>]) -> bool {
    let is_plain = || path.starts_with(b"/") && path.split(|&byte| byte == b'/').all(|part| part != b"..");
    brought.iter().any(|folder| strip(path, folder).is_some() || path == folder.as_slice()) && is_plain()
}

/// The entries of the folders that inputs may have been searched in.
fn listings(
    memory: &Memory,
    place: &Place,
    survey: &Survey,
    names: &Names,
) -> HashMap<Arc<CStr>, (FileStat, Arc<Listing>)> {
    let mut listings: HashMap<Arc<CStr>, (FileStat, Arc<Listing>)> = HashMap::default();
    let mut done = HashSet::default();
    let mut open: Vec<(Vec<u8>, usize)> = survey.paths().map(|path| (path.to_vec(), 0)).collect();
    while let Some((path, prefix)) = open.pop() {
        let Some(path) = memory.paths.intern(&path) else { continue };
        if !done.insert((Arc::clone(&path), prefix)) {
            continue;
        }
        let Ok(stat) = survey.stat(&path, place) else { continue };
        let Some(listing) = memory.folders.list(place, &path, &stat) else { continue };
        listings.insert(Arc::clone(&path), (stat, Arc::clone(&listing)));
        let Some(leaves) = names.prefixes.get(prefix).filter(|leaves| !leaves.is_empty()) else { continue };
        let may_be_folder = |kind| matches!(kind, Kind::Folder | Kind::Link);
        let entries = listing.entries().filter(|entry| may_be_folder(entry.kind));
        let folders = entries.map(|entry| entry.name).chain([&b".."[..]]);
        let next = |name| Some((below(path.to_bytes(), name), leaves.get(name)?.folder?));
        open.extend(folders.filter_map(next));
    }
    listings
}
