//! Records without the names of folders that are somewhere else in another checkout.
//!
//! In a record of such a job marks stand for those folders ([`Bases`]). Where the result depends on a name all the same, the
//! record says so by a condition in the list of variables, under a name that no variable has: the mark for the folder
//! itself, the mark and `/` for how deep it lies; and [`SEARCHED`] and a name for where `PATH` leads.
use super::Record;
use super::surroundings::Surroundings;
use crate::bases::{Base, Bases, MARK};
use std::borrow::Cow;

/// The beginning of a condition's name that asks where `PATH` leads for the rest of it.
pub const SEARCHED: [u8; 2] = [MARK, b':'];

type Text = Vec<u8>;
type Condition = (Text, Option<Text>);
/// What a text becomes, if it changes; `None` where it cannot be told.
type Change<'c> = &'c dyn Fn(&[u8]) -> Option<Option<Text>>;

impl Record {
    /// Puts marks for the bases. What lies around a base, and so is something else around another checkout's, ties the
    /// record to the base; where nothing was found on the way up from it, the record asks for the same there.
    /// `is_tool`: programs and libraries that are meant by their own names.
    pub fn make_neutral(&mut self, bases: &Bases, is_tool: impl Fn(&[u8]) -> bool) {
        if bases.is_empty() {
            return;
        }
        let ties: Vec<&Base> = bases.iter().filter(|base| self.is_around(base, bases, &is_tool)).collect();
        for base in ties {
            self.bind_to(base);
        }
        if let Some(seen) = &mut self.surroundings {
            seen.look_up_from(bases);
        }
        self.map(&|text| Some(changed(bases.neutral(text))));
        if let Some(seen) = &mut self.surroundings {
            seen.sort();
        }
    }

    /// The record for the bases of one checkout; `None` where it is not for that one.
    pub fn make_real(mut self, bases: &Bases) -> Option<Self> {
        if bases.is_empty() {
            return Some(self);
        }
        self.map(&|text| Some(changed(bases.real(text)?)))?;
        let Some(seen) = &mut self.surroundings else { return Some(self) };
        let (ties, variables) = std::mem::take(&mut seen.variables).into_iter().partition(is_tie);
        let ties: Vec<Condition> = ties;
        seen.variables = variables;
        seen.sort();
        ties.iter().all(|tie| bases.iter().any(|base| *tie == at(base) || *tie == deep(base))).then_some(self)
    }

    /// Says that the result is good for one folder alone.
    pub fn bind_to(&mut self, base: &Base) {
        self.surroundings.get_or_insert_default().require(at(base));
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
        let conditions = self.surroundings.iter().flat_map(|seen| &seen.variables).filter(|tie| is_tie(tie));
        conditions.map(|(name, value)| {
            let value = value.as_deref().unwrap_or_default();
            format!("{}={}", name.escape_ascii(), value.escape_ascii())
        })
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

    /// Changes everything that may hold a path.
    fn map(&mut self, change: Change<'_>) -> Option<()> {
        for input in &mut self.inputs {
            if let Some(path) = change(&input.path)? {
                input.path = path;
            }
        }
        self.surroundings.as_mut().map_or(Some(()), |seen| seen.map(change))
    }
}

fn changed(text: Cow<'_, [u8]>) -> Option<Text> {
    match text {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

fn is_tie((name, _): &Condition) -> bool {
    name.first() == Some(&MARK) && !name.starts_with(&SEARCHED)
}

/// That a base is at this place.
fn at(base: &Base) -> Condition {
    (vec![MARK, base.letter], Some(base.folder.clone()))
}

/// That a base is as deep.
fn deep(base: &Base) -> Condition {
    (vec![MARK, base.letter, b'/'], Some(depth(&base.folder).to_string().into_bytes()))
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
    /// What was missing in the folders above a base is named by the way up from it.
    fn look_up_from(&mut self, bases: &Bases) {
        let mut absent = Vec::new();
        for path in std::mem::take(&mut self.absent) {
            let folder = parent(&path).to_vec();
            let is_meant = |base: &&Base| base.is_where_it_runs() && is_on_the_way(&folder, base);
            let above = bases.iter().filter(|base| bases.holding(&path).is_none() && is_meant(base));
            let above: Vec<&Base> = above.collect();
            for base in &above {
                let up = b"/..".repeat(depth(&base.folder) - depth(&folder));
                let name = path.get(folder.len()..).unwrap_or_default();
                absent.push([&base.folder, &*up, name].concat());
                self.require(deep(base));
            }
            if above.is_empty() {
                absent.push(path);
            }
        }
        self.absent = absent;
    }

    fn require(&mut self, condition: Condition) {
        if !self.variables.contains(&condition) {
            self.variables.push(condition);
            self.variables.sort();
        }
    }

    fn map(&mut self, change: Change<'_>) -> Option<()> {
        let Surroundings { absent, kinds, links, resolved, listings, variables } = self;
        let values =
            variables.iter_mut().filter(|variable| !is_tie(variable)).filter_map(|(_, value)| value.as_mut());
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
