//! Which names may have been searched: every way in which the inputs and the searched folders fit together.
//!
//! A dependency file tells where a header was found, not how it was spelled. So for each header and each folder
//! that it lies below, the rest of its path counts as a spelling. The real one is among them, but for headers that
//! a compiler names by where a link leads; so names that the texts spell are searched as well.
use super::paths::{parent, strip};
use foldhash::{HashMap, HashSet};
use std::borrow::Cow;

/// A component that may be looked for in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaf {
    /// As the last component of a name.
    pub(super) file: bool,
    /// As a folder on the way to one: the index of the prefix that it makes.
    pub(super) folder: Option<usize>,
}

/// All searched names, by the folder part they share.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The first is the empty prefix.
    pub(super) prefixes: Vec<HashMap<Box<[u8]>, Leaf>>,
}

impl Names {
    /// Collects the names. Inputs and folders are normal. The source is searched too: it may include itself.
    pub(super) fn of<'a>(
        inputs: &[Cow<'_, [u8]>],
        folders: &[&[u8]],
        asked: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let mut names = Names { prefixes: vec![HashMap::default()] };
        // Files in one folder are spelled alike.
        let mut spellings: HashMap<&[u8], Vec<usize>> = HashMap::default();
        for input in inputs {
            let above = parent(input);
            let found = spellings.entry(above).or_insert_with(|| names.spellings(above, folders));
            let name = strip(input, above).unwrap_or(input);
            found.iter().for_each(|at| names.file(*at, name));
        }
        names.ask(asked);
        names
    }

    /// The folder parts alone.
    pub(super) fn of_folders(inputs: &[Cow<'_, [u8]>], folders: &[&[u8]]) -> Self {
        let mut names = Names { prefixes: vec![HashMap::default()] };
        let above: HashSet<&[u8]> = inputs.iter().map(|input| parent(input)).collect();
        for above in above {
            names.spellings(above, folders);
        }
        names
    }

    /// Adds names that are searched besides, as they are spelled.
    pub(super) fn ask<'a>(&mut self, asked: impl IntoIterator<Item = &'a [u8]>) {
        for name in asked {
            self.add(name);
        }
    }

    /// The prefixes under which files of a folder may have been searched.
    fn spellings(&mut self, above: &[u8], folders: &[&[u8]]) -> Vec<usize> {
        let mut found = Vec::new();
        for folder in folders {
            if *folder == above {
                found.push(0);
            } else if let Some(rest) = strip(above, folder) {
                found.push(parts(rest).fold(0, |at, part| self.prefix(at, part)));
            }
        }
        found
    }

    /// Whether a name is searched, as it is spelled.
    pub(super) fn holds(&self, name: &[u8]) -> bool {
        let mut leaf = Leaf { file: false, folder: Some(0) };
        for part in parts(name) {
            let prefix = leaf.folder.and_then(|at| self.prefixes.get(at));
            match prefix.and_then(|prefix| prefix.get(part)) {
                Some(next) => leaf = *next,
                None => return false,
            }
        }
        leaf.file
    }

    /// A rough size in memory.
    pub(super) fn weight(&self) -> usize {
        // A part costs its text, its place in a table that is not quite full, and what comes with a piece of memory.
        let parts = self.prefixes.iter().flat_map(HashMap::keys).map(|part| part.len() + 80);
        parts.sum::<usize>() + self.prefixes.len() * 64
    }

    fn add(&mut self, name: &[u8]) {
        let mut at = 0;
        let mut parts = parts(name).peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                self.file(at, part);
            } else {
                at = self.prefix(at, part);
            }
        }
    }

    /// The prefix that a component makes behind another prefix.
    fn prefix(&mut self, at: usize, part: &[u8]) -> usize {
        if let Some(known) = self.prefixes[at].get(part).and_then(|leaf| leaf.folder) {
            return known;
        }
        let next = self.prefixes.len();
        self.prefixes[at].entry(part.into()).or_default().folder = Some(next);
        self.prefixes.push(HashMap::default());
        next
    }

    fn file(&mut self, at: usize, part: &[u8]) {
        let leaves = &mut self.prefixes[at];
        match leaves.get_mut(part) {
            Some(leaf) => leaf.file = true,
            None => drop(leaves.insert(part.into(), Leaf { file: true, folder: None })),
        }
    }
}

/// The components of a name, as in its normal form.
fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}
