//! Which names may have been searched: every way in which the inputs and the searched folders fit together.
//!
//! A dependency file tells where a header was found, not how it was spelled. So for each header and each folder
//! that it lies below, the rest of its path counts as a spelling. The real one is among them, but for headers that
//! a compiler names by where a link leads; so names that the texts spell are searched as well.
use super::paths::{normal, strip};
use std::collections::HashMap;

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
        inputs: &[Vec<u8>],
        folders: &[&[u8]],
        asked: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let mut names = Names { prefixes: vec![HashMap::new()] };
        for input in inputs {
            for folder in folders {
                if let Some(name) = strip(input, folder) {
                    names.add(name);
                }
            }
        }
        names.ask(asked);
        names
    }

    /// Adds names that are searched besides, as they are spelled.
    pub(super) fn ask<'a>(&mut self, asked: impl IntoIterator<Item = &'a [u8]>) {
        for name in asked {
            self.add(&normal(name));
        }
    }

    /// Whether a name is searched.
    pub(super) fn holds(&self, name: &[u8]) -> bool {
        let mut leaf = Leaf { file: false, folder: Some(0) };
        for part in name.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
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
        let mut parts = name.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            let next = self.prefixes.len();
            let Some(prefix) = self.prefixes.get_mut(at) else { return };
            let leaf = match prefix.get_mut(part) {
                Some(leaf) => leaf,
                None => prefix.entry(part.into()).or_default(),
            };
            if parts.peek().is_none() {
                leaf.file = true;
                return;
            }
            at = *leaf.folder.get_or_insert(next);
            if at == next {
                self.prefixes.push(HashMap::new());
            }
        }
    }
}
