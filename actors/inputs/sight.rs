//! What a compile's files were when it ended, for a look that waits until the build leaves time for it.
//!
//! What a build changes is looked at now: files and folders of the project. What the compiler brings is expected to stay.
//! Nothing rests on that: whatever the later look goes by is either in here, or its whole way must not have changed since.
use super::Memory;
use super::files::{Known, Moment, Stamp, changed_since, is_link, link_stat, now, stat};
use super::folders::{Kind, Listing};
use super::names::Names;
use super::paths::{Place, below, normal, parent, strip};
use super::record::{Compiled, NotStorable, key_files_stand, known_now};
use super::survey::Survey;
use super::validate::search_folders;
use foldhash::{HashMap, HashSet};
use nix::errno::Errno;
use nix::fcntl::readlinkat;
use nix::sys::stat::FileStat;
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// What is younger, in seconds, may be written once more by the build that made it: its content is read at once.
const YOUNG: i64 = 60;
/// As many links follow each other at most (path_resolution(7)).
const MAX_LINKS: u8 = 40;

/// See the file's head.
pub struct Sight {
    /// When it was taken.
    at: Moment,
    /// Of inputs: what the path itself was, and what it led to.
    inputs: HashMap<Arc<CStr>, (FileStat, FileStat)>,
    /// Searched folders.
    survey: Survey,
    /// Folders in which names may have been searched.
    listings: HashMap<Arc<CStr>, (FileStat, Arc<Listing>)>,
    /// The working directory and the folders above it: other builds may be at work there.
    above: Vec<(Vec<u8>, FileStat)>,
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
                let seen = look(memory, place, &spelled, compiled.start)?;
                inputs.insert(spelled, seen);
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
        Ok(Sight { at, inputs, survey, listings, above: above(place) })
    }
}

/// What an input is now: the path itself, and what it leads to.
fn look(
    memory: &Memory,
    place: &Place,
    path: &CStr,
    start: Moment,
) -> Result<(FileStat, FileStat), NotStorable> {
    let link = link_stat(place, path).map_err(|_| NotStorable::Unreadable)?;
    let target = if is_link(&link) { stat(place, path) } else { Ok(link) };
    let target = target.map_err(|_| NotStorable::Unreadable)?;
    let stamp = Stamp::of(&target);
    if changed_since(&stamp, start) || changed_since(&Stamp::of(&link), start) {
        return Err(NotStorable::TooNew);
    }
    if stamp.modified.0 > start.0 - YOUNG {
        memory.files.digest_of(place, path, &target);
    }
    Ok((link, target))
}

fn above(place: &Place) -> Vec<(Vec<u8>, FileStat)> {
    let folders = place.name().ancestors().map(|folder| folder.as_os_str().as_bytes().to_vec());
    let stat_of = |folder: Vec<u8>| {
        let stat = stat(place, &CString::new(folder.clone()).ok()?).ok()?;
        Some((folder, stat))
    };
    folders.filter_map(stat_of).collect()
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
        let entries = listing.entries.iter().filter(|entry| may_be_folder(entry.kind));
        let folders = entries.map(|entry| &*entry.name).chain([&b".."[..]]);
        let next = |name| Some((below(path.to_bytes(), name), leaves.get(name)?.folder?));
        open.extend(folders.filter_map(next));
    }
    listings
}

/// The later look: what it may go by.
pub(super) struct Later<'a> {
    place: &'a Place,
    sight: &'a Sight,
    /// Folders that were there, by absolute path, and what they held where that is known.
    folders: HashMap<Vec<u8>, (FileStat, Option<&'a Arc<Listing>>)>,
    /// Absolute paths that were asked for.
    ways: RefCell<HashMap<Vec<u8>, Way<'a>>>,
}

/// Where a path leads.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// Perhaps not where it led then.
    Changed,
    /// Where it led then, and that has not changed since: nothing, a file, or a folder with its entries.
    Same,
    /// To a folder that it led to then as well; what that held then, if it is known.
    Folder(Option<&'a Listing>),
}

impl<'a> Later<'a> {
    pub(super) fn new(place: &'a Place, sight: &'a Sight) -> Self {
        let above = sight.above.iter().map(|(path, stat)| (path.as_slice(), stat, None));
        let surveyed = sight.survey.there().map(|(path, stat)| (path, stat, None));
        let listed = sight.listings.iter();
        let listed = listed.map(|(path, (stat, listing))| (path.to_bytes(), stat, Some(listing)));
        // What is listed replaces what is not.
        let all = above.chain(surveyed).chain(listed);
        let folders = all.map(|(path, stat, listing)| (absolute(place, path), (*stat, listing))).collect();
        Later { place, sight, folders, ways: RefCell::default() }
    }

    /// What the searched folders were then, as far as that was looked at.
    pub(super) fn survey(&self) -> &Survey {
        &self.sight.survey
    }

    /// What a folder was and held then, if that was looked at.
    pub(super) fn listing(&self, path: &[u8]) -> Option<(FileStat, Arc<Listing>)> {
        let (stat, listing) = self.folders.get(&absolute(self.place, path))?;
        Some((*stat, Arc::clone((*listing)?)))
    }

    /// An input as it was then, with what the path itself was.
    pub(super) fn input(&self, memory: &Memory, path: &CStr) -> Result<(Arc<Known>, FileStat), NotStorable> {
        if let Some((link, target)) = self.sight.inputs.get(path) {
            let known = memory.files.digest_of(self.place, path, target).ok_or(NotStorable::Unreadable)?;
            return if known.stamp == Stamp::of(target) {
                Ok((known, *link))
            } else {
                Err(NotStorable::TooNew)
            };
        }
        // Its folder is one of those that are surveyed.
        let (known, link) = known_now(memory, self.place, path)?;
        if is_link(&link) && !self.is_same(path.to_bytes()) {
            Err(NotStorable::TooNew)
        } else {
            Ok((known, link))
        }
    }

    /// Whether what a path leads to is what it led to then, and has not changed since.
    pub(super) fn is_same(&self, path: &[u8]) -> bool {
        matches!(self.way(&absolute(self.place, path), MAX_LINKS), Way::Same)
    }

    fn way(&self, path: &[u8], n_links: u8) -> Way<'a> {
        if let Some(known) = self.ways.borrow().get(path) {
            return *known;
        }
        let way = self.step(path, n_links);
        self.ways.borrow_mut().insert(path.to_vec(), way);
        way
    }

    /// The last step on the way. Who moves something, or puts something in its place, changes its times or those of
    /// the folder in which it lies.
    fn step(&self, path: &[u8], n_links: u8) -> Way<'a> {
        let Ok(text) = CString::new(path) else { return Way::Changed };
        if let Some((then, listing)) = self.folders.get(path) {
            let identity = |stat: &FileStat| Stamp::of(stat).identity();
            return match stat(self.place, &text) {
                Ok(now) if identity(&now) != identity(then) => Way::Changed,
                Ok(now) if changed_since(&Stamp::of(&now), self.sight.at) => {
                    Way::Folder(listing.map(|it| &**it))
                }
                Ok(_) => Way::Same,
                Err(_) => Way::Changed,
            };
        }
        let above = parent(path);
        if path.ends_with(b"/..")
            && let Some(way) = self.step_back(above, n_links)
        {
            return way;
        }
        let way = if path == b"/" { Way::Same } else { self.way(above, n_links) };
        if matches!(way, Way::Changed) {
            return Way::Changed;
        }
        match link_stat(self.place, &text) {
            Ok(now) if changed_since(&Stamp::of(&now), self.sight.at) => Way::Changed,
            Ok(now) if is_link(&now) => match (self.target(path), n_links.checked_sub(1)) {
                (Some(target), Some(n_links)) => self.way(&target, n_links),
                _ => Way::Changed,
            },
            Ok(_) => Way::Same,
            Err(Errno::ENOENT | Errno::ENOTDIR) => match way {
                Way::Folder(listing) if listing.is_none_or(|listing| holds(listing, path)) => Way::Changed,
                _ => Way::Same,
            },
            Err(_) => Way::Changed,
        }
    }

    /// The folder above a path, be that a link; `None` where its name does not tell.
    fn step_back(&self, path: &[u8], n_links: u8) -> Option<Way<'a>> {
        if path.ends_with(b"/..") || matches!(self.way(path, n_links), Way::Changed) {
            return None;
        }
        match self.target(path) {
            Some(target) => Some(self.way(&joined(&target, b".."), n_links.checked_sub(1)?)),
            None => Some(self.way(parent(path), n_links)),
        }
    }

    /// Where a link leads, as an absolute path; `None` for what is none.
    fn target(&self, path: &[u8]) -> Option<Vec<u8>> {
        let target = readlinkat(self.place.folder(), &*CString::new(path).ok()?).ok()?;
        Some(joined(parent(path), target.as_bytes()))
    }
}

fn holds(listing: &Listing, path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    listing.entries.iter().any(|entry| *entry.name == *name)
}

fn absolute(place: &Place, path: &[u8]) -> Vec<u8> {
    joined(place.name().as_os_str().as_bytes(), path)
}

/// A path that starts from a folder, be it absolute; normal.
fn joined(folder: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return normal(path).into_owned();
    }
    normal(&[folder, b"/", path].concat()).into_owned()
}
