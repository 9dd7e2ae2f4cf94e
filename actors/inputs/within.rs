//! Folders that are empty before an observed run, as `OUT_DIR` is: what it finds there it has made. But a link that it made
//! there may lead out, and what it found behind one counts under the name that it has outside.
use super::Memory;
use super::files::{Stamp, stat};
use super::observed::Watched;
use super::paths::{Place, below, parent};
use super::record::NotStorable;
use super::surroundings::{may_run, real_path, value_of};
use cachepot_engine::manifest::surroundings::Kind as Known;
use cachepot_engine::observed::{Kind, Observed};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::mem::take;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Where programs make files for a moment.
const TEMPORARY: [&[u8]; 2] = [b"/tmp", b"/var/tmp"];

const LINK_IS_GONE: NotStorable = NotStorable::Uses("a link of its own that leads nowhere");

impl Watched {
    /// What was seen outside of those folders.
    ///
    /// # Errors
    /// [`NotStorable`] where it cannot be told what it was.
    pub(super) fn seen_outside(&self, memory: &Memory, place: &Place) -> Result<Arc<Observed>, NotStorable> {
        if !self.is_run() {
            return Ok(Arc::clone(&self.seen));
        }
        if let Some(path) = self.made_elsewhere(memory, place) {
            tracing::debug!(path = %path.escape_ascii(), "made elsewhere");
            return Err(NotStorable::Uses("writes other files"));
        }
        self.own_code_reports(memory, place)?;
        let ways = Ways { watched: self, memory, place };
        let mut seen = (*self.seen).clone();
        for files in [&mut seen.read, &mut seen.programs, &mut seen.libraries] {
            // What it has not made, somebody has who was not seen; the folder itself was there.
            let is_foreign = |path: &Vec<u8>| {
                self.is_within(path) && ways.is_straight(path) && !self.within.contains(path)
            };
            if files.iter().any(is_foreign) {
                return Err(NotStorable::Uses("files that nobody was seen to make"));
            }
            *files = ways.of_all(take(files))?;
        }
        let absent = take(&mut seen.absent_at_first).into_iter().chain(take(&mut seen.absent));
        seen.absent = ways.of_all(absent.collect())?;
        let looked_at = take(&mut seen.looked_at).into_iter();
        seen.looked_at = looked_at
            .filter_map(|(path, kind)| Some(ways.out(&path).transpose()?.map(|way| (way, kind))))
            .collect::<Result<_, _>>()?;
        seen.looked_at.extend(ways.targets()?.into_iter().map(|target| (target, Kind::Unknown)));
        seen.no_links = ways.of_all(take(&mut seen.no_links))?;
        seen.links = ways.of_keys(take(&mut seen.links))?;
        seen.resolved = ways.of_keys(take(&mut seen.resolved))?;
        seen.listed = ways.of_keys(take(&mut seen.listed))?;
        Ok(Arc::new(seen))
    }

    /// Which of the files that a run used may be run: it may have copied that, too. Of a compile, those that it ran.
    pub(super) fn rights<'p>(
        &self,
        memory: &Memory,
        place: &Place,
        files: impl Iterator<Item = &'p [u8]>,
    ) -> Vec<(Vec<u8>, Known)> {
        let counts = |path: &[u8]| self.is_run() || self.seen.programs.contains(path);
        let files = files.filter(|path| counts(path) && !self.is_installed(path));
        let right = |path: &'p [u8]| {
            let file = stat(place, &memory.paths.intern(path)?).ok()?;
            Some((path.to_vec(), may_run(&file)))
        };
        files.filter_map(right).collect()
    }

    /// What it made and removed again may have been there before: but for files that it made for a moment.
    fn made_elsewhere(&self, memory: &Memory, place: &Place) -> Option<&Vec<u8>> {
        let (made, ways) = (&self.seen.ever_made, Ways { watched: self, memory, place });
        let set =
            ["TMPDIR", "TMP", "TEMP"].into_iter().filter_map(|name| value_of(&self.env, name.as_bytes()));
        let folders: Vec<&[u8]> = set.filter(|folder| folder.starts_with(b"/")).chain(TEMPORARY).collect();
        let is_for_a_moment = |path: &Vec<u8>| {
            let own = |folder: &&[u8]| {
                let rest = path.strip_prefix(*folder)?.strip_prefix(b"/")?;
                let name = rest.split(|&byte| byte == b'/').next()?;
                made.contains(below(folder, name).as_slice()).then_some(())
            };
            folders.iter().any(|folder| own(folder).is_some()) && ways.is_straight(parent(path))
        };
        made.iter().find(|path| !self.stays_within(memory, place, path) && !is_for_a_moment(path))
    }

    /// What it made and ran, too, must not be able to go past the observer.
    fn own_code_reports(&self, memory: &Memory, place: &Place) -> Result<(), NotStorable> {
        for path in &self.seen.own_code {
            let interned = memory.paths.intern(path).ok_or(NotStorable::Unreadable)?;
            let gone = |_| NotStorable::Uses("a program of its own that is gone");
            let stamp = Stamp::of(&stat(place, &interned).map_err(gone)?);
            let path = Path::new(OsStr::from_bytes(path));
            if memory.direct.powers(path, &stamp).calls_kernel {
                return Err(NotStorable::Uses("a library that makes system calls itself"));
            }
        }
        Ok(())
    }

    /// Whether it was the run of a script, which may do anything, and not a compile.
    pub(super) fn is_run(&self) -> bool {
        !self.within.is_empty()
    }

    /// Whether what was made or removed at a path was in those folders: neither a step back nor a link leads out on the way to it.
    pub(super) fn stays_within(&self, memory: &Memory, place: &Place, path: &[u8]) -> bool {
        let ways = Ways { watched: self, memory, place };
        self.is_within(path)
            && !path.ends_with(b"/..")
            && (self.within.iter().any(|folder| folder == path) || matches!(ways.out(parent(path)), Ok(None)))
    }

    /// Whether a path is spelled as one in those folders.
    pub(super) fn is_within(&self, path: &[u8]) -> bool {
        self.within.iter().any(|folder| {
            let rest = path.strip_prefix(folder.as_slice());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }
}

/// The ways that paths within the folders lead.
struct Ways<'a> {
    watched: &'a Watched,
    memory: &'a Memory,
    place: &'a Place,
}

impl Ways<'_> {
    fn of_all(&self, paths: BTreeSet<Vec<u8>>) -> Result<BTreeSet<Vec<u8>>, NotStorable> {
        paths.iter().filter_map(|path| self.out(path).transpose()).collect()
    }

    fn of_keys<V>(&self, map: BTreeMap<Vec<u8>, V>) -> Result<BTreeMap<Vec<u8>, V>, NotStorable> {
        let keyed = map.into_iter();
        keyed.filter_map(|(path, value)| Some(self.out(&path).transpose()?.map(|way| (way, value)))).collect()
    }

    /// Where links lead out that the run has made and left: it may have asked what is there.
    fn targets(&self) -> Result<Vec<Vec<u8>>, NotStorable> {
        let own = self.watched.seen.own_links.keys();
        let left = own.filter(|path| self.watched.seen.written.get(*path) == Some(&Kind::Link));
        left.filter_map(|path| self.out(path).transpose()).collect()
    }

    /// Whether no link of the run's own is on the way of a path, and no step back.
    fn is_straight(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut above = ends.chain([path.len()]).filter_map(|end| path.get(..end));
        !above.any(|above| self.watched.seen.own_links.contains_key(above) || above.ends_with(b"/.."))
    }

    /// The name that a path has outside; `None` for one within.
    fn out(&self, path: &[u8]) -> Result<Option<Vec<u8>>, NotStorable> {
        let is_within = |path: &[u8]| self.watched.is_within(path);
        if self.is_straight(path) {
            return Ok((!is_within(path)).then(|| path.to_vec()));
        }
        let own_links = &self.watched.seen.own_links;
        if !is_within(path) && !own_links.keys().any(|link| path.starts_with(link)) {
            return Ok(Some(path.to_vec()));
        }
        // It led elsewhere before, or is no link any more.
        let is_left = |link| self.watched.seen.written.get(link) == Some(&Kind::Link);
        if own_links.iter().any(|(link, count)| path.starts_with(link) && (*count > 1 || !is_left(link))) {
            return Err(LINK_IS_GONE);
        }
        let real = |path: &[u8]| real_path(self.place, &self.memory.paths.intern(path)?);
        if own_links.contains_key(path) {
            let target = real(path).ok_or(LINK_IS_GONE)?;
            return Ok((!is_within(&target)).then_some(target));
        }
        let (mut above, mut rest) = (path, Vec::new());
        let found = loop {
            let name = above.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            if above.is_empty() || name == b".." || own_links.contains_key(above) {
                break real(above).ok_or(LINK_IS_GONE)?;
            }
            (above, rest) = (parent(above), [b"/", name, &rest].concat());
        };
        let way = [found, rest].concat();
        // The last part may be such a link, too.
        if way != path && !self.is_straight(&way) {
            self.out(&way)
        } else {
            Ok((!is_within(&way)).then_some(way))
        }
    }
}
