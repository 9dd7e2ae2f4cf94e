//! Other names of `__has_include`: `#define HAS __has_include`, after which `HAS(<a.h>)` asks.
//!
//! One text gives the name and any other may use it, so a unit that has one is looked at once more, all texts for the names
//! of all. Only a name without parameters is one: an operand that goes through parameters is changed by macros.
use super::lexer::{Lexer, Part, Place, is_word};
use super::{Operand, contains, operand};
use std::collections::BTreeSet;

type Names = BTreeSet<Vec<u8>>;

/// How many pieces a name may be put together from by `##`; as for the other names.
const MAX_PIECES: usize = 3;

/// The name that a line gives to the word between these texts, if that is all it does.
pub(super) fn given<'t>(before: &'t [u8], after: &[u8]) -> Option<&'t [u8]> {
    let blanks = |byte: &u8| matches!(byte, b' ' | b'\t');
    let trimmed = |text: &'t [u8]| text.get(..text.iter().rposition(|byte| !blanks(byte))? + 1);
    let line = after.split(|&byte| byte == b'\n').next()?;
    let before = trimmed(before).filter(|shorter| shorter.len() < before.len())?;
    let start = before.iter().rposition(|&byte| !is_word(byte))? + 1;
    let (directive, name) = before.split_at(start);
    let directive = trimmed(directive)?.strip_suffix(b"define")?;
    let leading = trimmed(directive)?.strip_suffix(b"#")?;
    let is_directive = trimmed(leading).is_none_or(|text| text.ends_with(b"\n"));
    let is_name = name.first().is_some_and(|byte| !byte.is_ascii_digit());
    (is_directive && is_name && line.iter().all(|byte| blanks(byte) || *byte == b'\r')).then_some(name)
}

/// Looks for what is asked by other names, in all texts of a unit.
#[derive(Debug)]
pub struct Uses<'n> {
    names: &'n Names,
    asked: Names,
    computed: bool,
    pieces: Names,
}

impl<'n> Uses<'n> {
    /// Looks for these names.
    pub fn of(names: &'n Names) -> Self {
        Uses { names, asked: Names::new(), computed: false, pieces: Names::new() }
    }

    /// Looks at one more text.
    pub fn look(&mut self, text: &[u8]) {
        for part in Lexer::new(text) {
            let Part::Word { word, before, after, place, .. } = part else { continue };
            if self.names.contains(word) {
                self.one(before, after);
            } else if matches!(place, Place::Directive | Place::Unclear)
                && self.names.iter().any(|name| contains(name, word))
            {
                self.pieces.insert(word.to_vec());
            }
        }
    }

    fn one(&mut self, before: &[u8], after: &[u8]) {
        let line = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        let is_named = line.trim_ascii().strip_suffix(b"define").or(line.trim_ascii().strip_suffix(b"undef"));
        if is_named.is_some_and(|rest| rest.trim_ascii() == b"#") {
            return;
        }
        match operand(before, after) {
            Operand::Name(name, _) => drop(self.asked.insert(name.to_vec())),
            Operand::Query => {}
            Operand::Computed => self.computed = true,
        }
    }

    /// The names asked for; `None` where one is not spelled out.
    pub fn end(self) -> Option<Names> {
        let is_put_together = |name: &Vec<u8>| {
            let mut reached = BTreeSet::from([0]);
            for _ in 0..MAX_PIECES {
                let ends = |from: &usize| {
                    let rest = name.get(*from..).unwrap_or_default();
                    let pieces = self.pieces.iter().filter(move |piece| rest.starts_with(piece));
                    let from = *from;
                    pieces.map(move |piece| from + piece.len()).collect::<Vec<_>>()
                };
                let more: Vec<usize> = reached.iter().flat_map(ends).collect();
                reached.extend(more);
            }
            reached.contains(&name.len())
        };
        let is_sure = !self.computed && !self.names.iter().any(is_put_together);
        is_sure.then_some(self.asked)
    }
}
