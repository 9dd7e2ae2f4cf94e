//! What a compile made itself, at each point of the log: what it finds there later is no input.
use super::{Kind, Names, Observed, Path};
use std::collections::{BTreeMap, BTreeSet};

/// What was made and not removed, and everything that ever was.
#[derive(Default)]
pub(super) struct Own<'a> {
    /// See [`super::Names`].
    names: Names<'a>,
    made: BTreeMap<Path, Kind>,
    ever: BTreeSet<Path>,
    links: BTreeMap<Path, usize>,
    removed: BTreeSet<Path>,
}

impl<'a> Own<'a> {
    pub(super) fn new(names: Names<'a>) -> Self {
        Own { names, ..Own::default() }
    }

    /// The name by which the compile made what is at a path, or a folder above it; else the path itself.
    pub(super) fn name_of(&self, path: Path) -> Path {
        let path = self.without_own_steps(path);
        if self.has(&path) {
            return path;
        }
        let spelled = |(real, spelled): &(Path, Path)| {
            let rest = path.strip_prefix(real.as_slice()).filter(|rest| rest.starts_with(b"/"))?;
            Some([spelled, rest].concat())
        };
        self.names.iter().filter_map(spelled).find(|name| self.has(name)).unwrap_or(path)
    }

    /// A step into a folder that was made and back again: it may be gone when somebody looks.
    fn without_own_steps(&self, path: Path) -> Path {
        if !path.windows(3).any(|part| part == b"/..") {
            return path;
        }
        let mut short: Path = Vec::with_capacity(path.len());
        for part in path.split(|&byte| byte == b'/').skip(1) {
            let end = short.iter().rposition(|&byte| byte == b'/');
            match end.filter(|_| part == b".." && self.made.get(&short) == Some(&Kind::Folder)) {
                Some(end) => short.truncate(end),
                None => short.extend([b"/", part].concat()),
            }
        }
        short
    }

    /// Whether the compile made what is at a path, or a folder above it. Not where `..` stands behind that, nor behind a
    /// link: these lead away from what was made; such a path then counts as found, and if it was made after all, nothing is kept.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        let mut is_made = false;
        for above in prefixes(path) {
            match self.made.get(above) {
                Some(Kind::Link) => return false,
                _ if above.ends_with(b"/..") => is_made = false,
                Some(Kind::Folder) => is_made = true,
                Some(_) => is_made |= above == path,
                None => {}
            }
        }
        is_made
    }

    /// Whether something was made at a path at any time.
    pub(super) fn ever_had(&self, path: &[u8]) -> bool {
        self.ever.contains(path)
    }

    pub(super) fn make(&mut self, path: Path, kind: Kind) {
        self.ever.insert(path.clone());
        if kind == Kind::Link {
            *self.links.entry(path.clone()).or_default() += 1;
        }
        self.made.insert(path, kind);
    }

    pub(super) fn remove(&mut self, path: Path) {
        if !self.has(&path) {
            self.removed.insert(path);
        } else {
            drop(self.take(&path));
        }
    }

    /// False if what was renamed was not made by the compile.
    pub(super) fn rename(&mut self, old: &[u8], new: &[u8]) -> bool {
        if !self.has(old) && !self.made.contains_key(old) {
            return false;
        }
        let mut moved = self.take(old);
        if moved.is_empty() {
            // Made without a record of its own, in a folder that was made: by a library that is not looked into.
            moved.push((old.to_vec(), Kind::Unknown));
        }
        for (path, kind) in moved {
            let below = path.get(old.len()..).unwrap_or_default();
            self.make([new, below].concat(), kind);
        }
        true
    }

    /// Takes a path and all below it.
    fn take(&mut self, path: &[u8]) -> Vec<(Path, Kind)> {
        let below = [path, b"/"].concat();
        let is_below = |other: &Path| other.starts_with(&below);
        let mut taken: Vec<(Path, Kind)> = self.made.remove_entry(path).into_iter().collect();
        let names: Vec<Path> =
            self.made.range(below.clone()..).map(|(name, _)| name.clone()).take_while(is_below).collect();
        taken.extend(names.iter().filter_map(|name| self.made.remove_entry(name)));
        taken
    }

    /// Writes down what is there at the end, what was removed and is not there, and where links ever were.
    pub(super) fn end(mut self, observed: &mut Observed) {
        self.removed.retain(|path| !self.made.contains_key(path));
        observed.written.extend(self.made);
        observed.removed = self.removed;
        observed.own_links = self.links;
        observed.ever_made = self.ever;
    }
}

/// A path and the folders above it, the shortest first.
fn prefixes(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.chain([path.len()]).filter_map(|end| path.get(..end))
}
