//! A look at what a compile depended on, long after its end: it goes by what was seen then ([`Sight`]), and else only by
//! what has not changed since, on its whole way.
//!
//! Who moves something, or puts something in its place, changes its times. Folders that a build changes all the time are known by
//! what they were and held.
use super::Memory;
use super::files::{Known, Stamp, changed_since, is_folder, is_link, link_stat, stat};
use super::folders::Listing;
use super::paths::{Place, below, normal, parent};
use super::record::NotStorable;
use super::sight::Sight;
use super::survey::Survey;
use super::texts::known_now;
use foldhash::{HashMap, HashSet};
use nix::errno::Errno;
use nix::fcntl::readlinkat;
use nix::sys::stat::FileStat;
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;

/// As many links follow each other at most (path_resolution(7)).
const MAX_LINKS: u8 = 40;

/// See the file's head.
pub(super) struct Later<'a> {
    place: &'a Place,
    sight: &'a Sight,
    /// Folders that were there, by absolute path, and what they held where that is known.
    folders: HashMap<Vec<u8>, (&'a FileStat, Option<&'a Arc<Listing>>)>,
    /// Those of their paths that had no link in them.
    real: HashSet<&'a [u8]>,
    /// Absolute paths that were followed.
    ways: RefCell<HashMap<Vec<u8>, Way<'a>>>,
    /// Those of them that were found to be the same.
    same: RefCell<Vec<Vec<u8>>>,
}

/// Where a path leads.
#[derive(Clone)]
enum Way<'a> {
    /// Perhaps not where it led then.
    Changed,
    /// Where it led then, and that has not changed since: nothing, a file, or a folder with its entries. Its path without
    /// links and steps back, as far as that is known.
    Same(Rc<[u8]>),
    /// To a folder that it led to then as well; what that held then, if it is known. Its path as above.
    Folder(Option<&'a Listing>, Rc<[u8]>),
}

impl<'a> Later<'a> {
    pub(super) fn new(place: &'a Place, sight: &'a Sight) -> Self {
        let above = sight.above.iter().map(|(path, stat)| (path.as_slice(), stat, None));
        let surveyed = sight.survey.there().map(|(path, stat, _)| (path, stat, None));
        let listed = sight.listings.iter();
        let listed = listed.map(|(path, (stat, listing))| (path.to_bytes(), stat, Some(listing)));
        // What is listed replaces what is not.
        let all = above.chain(surveyed).chain(listed);
        let mut folders: HashMap<_, _> =
            all.map(|(path, stat, listing)| (absolute(place, path), (stat, listing))).collect();
        let mut real = HashSet::default();
        for (path, _, canonical) in sight.survey.there() {
            if let (Some(canonical), Some(known)) = (canonical, folders.get(&absolute(place, path)).copied())
            {
                folders.insert(canonical.to_vec(), known);
                real.insert(canonical);
            }
        }
        Later { place, sight, folders, real, ways: RefCell::default(), same: RefCell::default() }
    }

    /// What the searched folders were then, as far as that was looked at.
    pub(super) fn survey(&self) -> &Survey {
        &self.sight.survey
    }

    /// What was at the path of a folder, with its entries if it was one; `None` if that is not known.
    pub(super) fn folder(&self, path: &[u8]) -> Option<(nix::Result<FileStat>, Option<Arc<Listing>>)> {
        if let Some((stat, Some(listing))) = self.folders.get(&absolute(self.place, path)) {
            return Some((Ok(**stat), Some(Arc::clone(listing))));
        }
        let then = self.sight.survey.known(path)?;
        (!then.is_ok_and(|stat| is_folder(&stat))).then_some((then, None))
    }

    /// Whether a searched folder is as it was, or was looked at then.
    pub(super) fn is_sure(&self, folder: &[u8]) -> bool {
        self.sight.survey.known(folder).is_some() || self.is_same(folder)
    }

    /// Whether it was an input that was looked at.
    pub(super) fn is_input(&self, path: &CStr) -> bool {
        self.sight.inputs.contains_key(path)
    }

    /// An input as it was then, with what the path itself was.
    pub(super) fn input(&self, memory: &Memory, path: &CStr) -> Result<(Arc<Known>, FileStat), NotStorable> {
        if let Some(then) = self.sight.inputs.get(path) {
            return then.look(memory, self.place, path);
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
        let path = absolute(self.place, path);
        let is_same = matches!(self.way(&path, MAX_LINKS), Way::Same(_));
        if is_same {
            self.same.borrow_mut().push(path);
        }
        is_same
    }

    /// Whether all that was the same still is: after it was read.
    pub(super) fn is_still_same(&self) -> bool {
        self.ways.borrow_mut().clear();
        self.same.borrow().iter().all(|path| matches!(self.way(path, MAX_LINKS), Way::Same(_)))
    }

    fn way(&self, path: &[u8], n_links: u8) -> Way<'a> {
        if let Some(known) = self.ways.borrow().get(path) {
            return known.clone();
        }
        let way = self.known_folder(path).unwrap_or_else(|| self.step(path, n_links));
        self.ways.borrow_mut().insert(path.to_vec(), way.clone());
        way
    }

    /// A folder that was looked at then.
    fn known_folder(&self, path: &[u8]) -> Option<Way<'a>> {
        let (then, listing) = self.folders.get(path)?;
        let identity = |stat: &FileStat| Stamp::of(stat).identity();
        let text = CString::new(path).ok()?;
        Some(match stat(self.place, &text) {
            Ok(now) if identity(&now) != identity(then) => Way::Changed,
            Ok(now) if changed_since(&Stamp::of(&now), self.sight.at) => {
                Way::Folder(listing.map(|it| &**it), path.into())
            }
            Ok(_) => Way::Same(path.into()),
            Err(_) => Way::Changed,
        })
    }

    /// The last step on the way.
    fn step(&self, path: &[u8], n_links: u8) -> Way<'a> {
        let above = if path == b"/" { Way::Same(path.into()) } else { self.way(parent(path), n_links) };
        let (above, held) = match above {
            Way::Changed => return Way::Changed,
            Way::Same(above) => (above, None),
            Way::Folder(listing, above) => (above, Some(listing)),
        };
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let Ok(text) = CString::new(path) else { return Way::Changed };
        // A folder that changes all the time may have been moved meanwhile.
        let lies_there = held.is_none() || self.real.contains(&*above);
        if name == b".." && lies_there && self.is_no_link(&above) {
            return self.way(parent(&above), n_links);
        }
        let shorter = below(&above, name);
        if shorter != path
            && let Some(way) = self.known_folder(&shorter)
        {
            return way;
        }
        match link_stat(self.place, &text) {
            Ok(now) if changed_since(&Stamp::of(&now), self.sight.at) => Way::Changed,
            Ok(now) if is_link(&now) => {
                match (readlinkat(self.place.folder(), &*text), n_links.checked_sub(1)) {
                    (Ok(target), Some(n_links)) => self.way(&joined(&above, target.as_bytes()), n_links),
                    _ => Way::Changed,
                }
            }
            Ok(_) => Way::Same(shorter.into()),
            Err(Errno::ENOENT | Errno::ENOTDIR) => match held {
                // What it held then is not known, or it held that.
                Some(listing) if listing.is_none_or(|listing| holds(listing, name)) => Way::Changed,
                _ => Way::Same(shorter.into()),
            },
            Err(_) => Way::Changed,
        }
    }

    /// Whether the folder above a folder is that of its name now: a link among those that were looked at may lead anywhere.
    fn is_no_link(&self, folder: &[u8]) -> bool {
        !folder.ends_with(b"/..")
            && CString::new(folder)
                .is_ok_and(|path| link_stat(self.place, &path).is_ok_and(|it| !is_link(&it)))
    }
}

fn holds(listing: &Listing, name: &[u8]) -> bool {
    listing.entries().any(|entry| entry.name == name)
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
