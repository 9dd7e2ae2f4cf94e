//! Files that gcc quotes in messages, or in an assembler text, without having read them: those whose lines a text says to be its own.
use super::Memory;
use super::files::{Stamp, changed_since, is_file, stat};
use super::paths::{Place, normal};
use super::record::{Compiled, NotStorable};
use super::texts::{Seen, known_now};
use cachepot_engine::manifest::Input;
use cachepot_engine::scan::Findings;
use nix::errno::Errno;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why a result whose messages may quote something else is not kept.
pub(super) const REASON: &str = "messages that quote another file";

/// What gcc found when it opened them, by the names as spelled: it looks for them in the working directory alone.
#[derive(Default)]
pub(super) struct Quoted<'t> {
    /// Those that were there and are no inputs.
    pub(super) files: Vec<(Input, Stamp)>,
    /// Names of which there was nothing.
    pub(super) absent: Vec<&'t [u8]>,
}

impl<'t> Quoted<'t> {
    /// Looks at those that a compile with messages may have quoted.
    ///
    /// # Errors
    /// [`NotStorable`] where one is no plain file, or is younger than the compile.
    pub(super) fn look(
        memory: &Memory,
        place: &Place,
        compiled: &Compiled,
        (seen, words): (&'t [Seen<'_>], &'t Findings),
    ) -> Result<Self, NotStorable> {
        let mut quoted = Quoted::default();
        if !compiled.limits.quotes {
            return Ok(quoted);
        }
        let inputs: BTreeSet<Cow<'_, [u8]>> = seen.iter().map(|seen| normal(seen.path)).collect();
        let texts = seen.iter().map(|seen| &seen.known.findings).chain([words]);
        let names: BTreeSet<&[u8]> =
            texts.flat_map(|findings| &findings.lines_of).map(Vec::as_slice).collect();
        // The working directory, with a slash behind it, is told in a line marker as well.
        let names = names.into_iter().filter(|name| !name.ends_with(b"/") && !inputs.contains(&normal(name)));
        for name in names {
            let path = memory.paths.intern(name).ok_or(NotStorable::Unreadable)?;
            match stat(place, &path) {
                Ok(target) if is_file(&target) => {
                    let (known, link) = known_now(memory, place, &path)?;
                    if [known.stamp, Stamp::of(&link)]
                        .iter()
                        .any(|stamp| changed_since(stamp, compiled.start))
                    {
                        return Err(NotStorable::TooNew);
                    }
                    quoted.files.push((Input { path: name.to_vec(), digest: known.digest }, known.stamp));
                }
                Err(Errno::ENOENT) if is_below(name) => quoted.absent.push(name),
                _ => return Err(NotStorable::Uses(REASON)),
            }
        }
        Ok(quoted)
    }
}

/// Whether a name leads down from the working directory: then it is watched like those of headers.
fn is_below(name: &[u8]) -> bool {
    !name.starts_with(b"/") && name.split(|&byte| byte == b'/').all(|part| part != b"..")
}
