//! Records without the names of folders that are somewhere else in another checkout.
//!
//! In a record of such a job marks stand for those folders ([`Bases`]). Where the result depends on a name all the same, the
//! record says so by a tie: a letter and the folder itself, a letter with `/` and how deep it lies; or, where an observer
//! saw what was read, by a condition in the list of variables, under a name that no variable has: [`SEARCHED`] and a
//! name for where `PATH` leads.
use super::Record;
use super::surroundings::Surroundings;
use crate::bases::{Base, Bases, MARK};
use std::borrow::Cow;

/// The beginning of a condition's name that asks where `PATH` leads for the rest of it.
pub const SEARCHED: [u8; 2] = [MARK, b':'];

type Text = Vec<u8>;
type Tie = (Text, Text);
/// What a text becomes, if it changes; `None` where it cannot be told.
type Change<'c> = &'c dyn Fn(&[u8]) -> Option<Option<Text>>;

impl Record {
    /// Puts marks for the bases. What an observer saw around a base, and so is something else around another checkout's,
    /// ties the record to the base; where nothing was found on the way up from it, the record asks for the same there.
    /// `is_tool`: programs and libraries that are meant by their own names.
    pub fn make_neutral(&mut self, bases: &Bases, is_tool: impl Fn(&[u8]) -> bool) {
        if bases.is_empty() {
            return;
        }
        let is_cut = self.is_cut(bases);
        let is_tied = |base: &&Base| is_cut || self.is_around(base, bases, &is_tool);
        let ties: Vec<&Base> = bases.iter().filter(is_tied).collect();
        for base in ties {
            self.bind_to(base);
        }
        if let Some(seen) = &mut self.surroundings {
            seen.look_up_from(bases).into_iter().for_each(|base| require(&mut self.ties, deep(base)));
            seen.map(&|text| Some(changed(bases.neutral(text))));
        }
        self.map(&|text| Some(changed(bases.neutral(text))));
        if let Some(seen) = &mut self.surroundings {
            seen.sort();
        }
    }

    /// The record for the bases of one checkout; `None` where it is not for that one.
    pub fn make_real(mut self, bases: &Bases) -> Option<Self> {
        if bases.is_empty() {
            return self.ties.is_empty().then_some(self);
        }
        let is_here = |tie: &Tie| bases.iter().any(|base| *tie == at(base) || *tie == deep(base));
        let ties = std::mem::take(&mut self.ties);
        if !ties.iter().all(is_here) {
            return None;
        }
        // A compile here would give a file that lies in a folder of this checkout another name, or a part of its name.
        let is_as_here = |text: &[u8], real: &[u8]| *bases.neutral(real) == *text;
        self.map(&|text| bases.real(text).filter(|real| is_as_here(text, real)).map(changed))?;
        if self.is_cut(bases) && !bases.iter().all(|base| ties.contains(&at(base))) {
            return None;
        }
        if let Some(seen) = &mut self.surroundings {
            seen.map(&|text| Some(changed(bases.real(text)?)))?;
            seen.sort();
        }
        Some(self)
    }

    /// Says that the result is good for one folder alone.
    pub fn bind_to(&mut self, base: &Base) {
        require(&mut self.ties, at(base));
    }

    /// Whether the value of a variable that was read names a base; without `others`.
    pub fn names_in_variables(&self, base: &Base, others: &[&str]) -> bool {
        let counts =
            |name: &[u8]| name.first() != Some(&MARK) && !others.iter().any(|other| other.as_bytes() == name);
        let variables = self.surroundings.iter().flat_map(|seen| &seen.variables);
        let values = variables.filter(|(name, _)| counts(name)).filter_map(|(_, value)| value.as_ref());
        let mark = [MARK, base.letter];
        values.into_iter().any(|value| value.windows(mark.len()).any(|part| part == mark))
    }

    /// The conditions on folders themselves, readable; none for most records.
    pub fn ties(&self) -> impl Iterator<Item = String> {
        self.ties.iter().map(|(what, text)| format!("{}={}", what.escape_ascii(), text.escape_ascii()))
    }

    /// Whether something beside a base counts.
    fn is_around(&self, base: &Base, bases: &Bases, is_tool: &dyn Fn(&[u8]) -> bool) -> bool {
        let is_outside = |path: &[u8]| bases.holding(path).is_none();
        let inputs = self.inputs.iter().map(|input| input.path.as_slice());
        let mut files = inputs.filter(|path| is_outside(path) && !is_tool(path));
        let is_near =
            |path: &[u8]| path.split(|&b| b == b'/').nth(1) == base.folder.split(|&b| b == b'/').nth(1);
        let Some(seen) = &self.surroundings else { return false };
        let kinds = seen.kinds.iter().map(|(path, _)| path);
        let links = seen.links.iter().chain(&seen.resolved).map(|(path, _)| path);
        let mut others = kinds.chain(links).filter(|path| is_outside(path));
        // The way up from a base leads through the folder in which the compiler runs, or is one that a link may turn elsewhere.
        let has_way_up = base.is_where_it_runs()
            || bases.iter().any(|other| other.is_where_it_runs() && is_above(&other.folder, base));
        files.any(is_near)
            || others.any(|path| is_on_the_way(parent(path), base) && !is_above(path, base))
            || (!has_way_up
                && seen.absent.iter().any(|path| is_outside(path) && is_on_the_way(parent(path), base)))
            || seen.listings.iter().any(|(path, _)| is_above(path, base) || is_on_the_way(parent(path), base))
    }

    /// Whether a path only begins as a base does. rustc tells `/a/project` from `/a/pro`; gcc and clang compare bytes, and
    /// take the beginning for the base.
    fn is_cut(&self, bases: &Bases) -> bool {
        self.surroundings.is_none() && self.inputs.iter().any(|input| bases.cut(&input.path))
    }

    /// Changes the paths in its own lists.
    fn map(&mut self, change: Change<'_>) -> Option<()> {
        let inputs = self.inputs.iter_mut().map(|input| &mut input.path);
        for text in inputs.chain(&mut self.folders).chain(&mut self.present).chain(&mut self.exist) {
            if let Some(new) = change(text)? {
                *text = new;
            }
        }
        Some(())
    }
}

fn changed(text: Cow<'_, [u8]>) -> Option<Text> {
    match text {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

fn require(ties: &mut Vec<Tie>, tie: Tie) {
    if !ties.contains(&tie) {
        ties.push(tie);
        ties.sort();
    }
}

/// That a base is at this place.
fn at(base: &Base) -> Tie {
    (vec![base.letter], base.folder.clone())
}

/// That a base is as deep.
fn deep(base: &Base) -> Tie {
    (vec![base.letter, b'/'], depth(&base.folder).to_string().into_bytes())
}

fn depth(path: &[u8]) -> usize {
    path.iter().filter(|&&byte| byte == b'/').count()
}

fn parent(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    path.get(..path.iter().rposition(|&byte| byte == b'/').unwrap_or_default()).unwrap_or_default()
}

/// Whether a folder holds a base, at any depth.
fn is_above(folder: &[u8], base: &Base) -> bool {
    base.folder.strip_prefix(folder).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// The same without the root, which is above all checkouts.
fn is_on_the_way(folder: &[u8], base: &Base) -> bool {
    !folder.is_empty() && is_above(folder, base)
}

impl Surroundings {
    /// What was missing in the folders above a base is named by the way up from it; these bases.
    fn look_up_from<'b>(&mut self, bases: &'b Bases) -> Vec<&'b Base> {
        let (mut absent, mut looked_from) = (Vec::new(), Vec::new());
        for path in std::mem::take(&mut self.absent) {
            let folder = parent(&path).to_vec();
            let is_meant = |base: &&Base| base.is_where_it_runs() && is_on_the_way(&folder, base);
            let above = bases.iter().filter(|base| bases.holding(&path).is_none() && is_meant(base));
            let above: Vec<&Base> = above.collect();
            for base in &above {
                let up = b"/..".repeat(depth(&base.folder) - depth(&folder));
                let name = path.get(folder.len()..).unwrap_or_default();
                absent.push([&base.folder, &*up, name].concat());
            }
            if above.is_empty() {
                absent.push(path);
            }
            looked_from.extend(above);
        }
        self.absent = absent;
        looked_from
    }

    fn map(&mut self, change: Change<'_>) -> Option<()> {
        let Surroundings { absent, kinds, links, resolved, listings, variables } = self;
        let values = variables.iter_mut().filter_map(|(_, value)| value.as_mut());
        let pairs = links.iter_mut().chain(resolved).flat_map(|(path, text)| [path, text]);
        let paths = kinds.iter_mut().map(|(path, _)| path).chain(listings.iter_mut().map(|(path, _)| path));
        for text in absent.iter_mut().chain(paths).chain(pairs).chain(values) {
            if let Some(new) = change(text)? {
                *text = new;
            }
        }
        Some(())
    }

    fn sort(&mut self) {
        self.absent.sort();
        self.absent.dedup();
        self.kinds.sort();
        self.links.sort();
        self.resolved.sort();
        self.listings.sort_by(|(path, _), (other, _)| path.cmp(other));
        self.variables.sort();
    }
}
