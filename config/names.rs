//! The nearest known name for one that is not known.

use crate::keys::KEYS;
use crate::parts::PARTS;

/// Yields every name that may stand in the file: keys, and tables of parts that other builds have.
pub(crate) fn known_names() -> impl Iterator<Item = &'static str> {
    let parts = PARTS.iter().map(|part| part.table);
    KEYS.iter().flat_map(|key| key.file_names()).chain(parts)
}

/// Says what the user may have meant: the nearest name, or all tables if none is near.
pub(crate) fn hint(unknown: &str) -> String {
    match nearest(unknown) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let tables = known_names().filter_map(|name| Some(name.rsplit_once('.')?.0));
            let tables: std::collections::BTreeSet<&str> = tables.collect();
            format!("the tables are `{}`", Vec::from_iter(tables).join("`, `"))
        }
    }
}

/// Finds the known name with the same last part (a key in the wrong table), else the most similar one.
fn nearest(unknown: &str) -> Option<&'static str> {
    let last_part = |name: &str| name.rsplit('.').next().map(str::to_owned);
    let misplaced = candidates().find(|known| last_part(known) == last_part(unknown));
    misplaced.or_else(|| {
        let distances = candidates().map(|known| (distance(unknown, known), known));
        let (distance, known) = distances.min_by_key(|(distance, _)| *distance)?;
        (distance <= unknown.chars().count().div_ceil(4)).then_some(known)
    })
}

/// Yields the known names and the tables around them.
fn candidates() -> impl Iterator<Item = &'static str> {
    known_names().flat_map(|name| {
        let tables = name.match_indices('.').map(|(dot, _)| &name[..dot]);
        std::iter::once(name).chain(tables)
    })
}

/// Counts the insertions, deletions and substitutions between two names (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, b) in row.iter_mut().skip(1).zip(&other) {
            let best = (diagonal + usize::from(a != *b)).min(*slot + 1).min(left + 1);
            diagonal = *slot;
            *slot = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
