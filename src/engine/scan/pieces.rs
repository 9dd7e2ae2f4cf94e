//! Names that are put together from pieces: by `##`, by splices, by strings that stand side by side.

/// Which parts of a name occur. A name counts as used when at most [`MAX_PIECES`] of them make it up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    /// For each place in the name, a bit per place where a piece that starts here ends.
    ends: [u16; MAX_NAME],
}

/// The longest name, `__TIMESTAMP__`.
const MAX_NAME: usize = 13;
/// More would make every text with a few short words suspicious.
const MAX_PIECES: usize = 3;

/// What a word may be of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Any piece.
    Any,
    /// All of it, or a piece that another one follows.
    NotLast,
    /// All of it.
    Whole,
}

impl Pieces {
    /// Notes the piece from one place to another.
    pub(super) fn add(&mut self, from: usize, to: usize) {
        if let Some(ends) = self.ends.get_mut(from) {
            *ends |= 1 << to;
        }
    }

    /// Notes a word wherever it may stand in the name.
    pub(super) fn add_word(&mut self, name: &[u8], word: &[u8], part: Part) {
        if (1..=name.len()).contains(&word.len()) {
            let at = name.windows(word.len()).enumerate().filter(|(_, part)| *part == word);
            let places = at.map(|(from, _)| (from, from + word.len()));
            let may_be = |&(from, to): &(usize, usize)| match part {
                Part::Any => true,
                Part::NotLast => from == 0 || to < name.len(),
                Part::Whole => word.len() == name.len(),
            };
            places.filter(may_be).for_each(|(from, to)| self.add(from, to));
        }
    }

    pub(super) fn merge(&mut self, other: &Pieces) {
        self.ends.iter_mut().zip(&other.ends).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Whether a name of this length occurs in one piece.
    pub(super) fn is_whole(&self, length: usize) -> bool {
        self.ends[0] & (1 << length) != 0
    }

    /// Whether the pieces make up a name of this length.
    pub(super) fn make_up(&self, length: usize) -> bool {
        let mut reached = 1u16;
        for _ in 0..MAX_PIECES {
            let from = self.ends.iter().enumerate().filter(|(at, _)| reached & (1 << at) != 0);
            reached |= from.fold(0, |sum, (_, ends)| sum | ends);
        }
        reached & (1 << length) != 0
    }
}
