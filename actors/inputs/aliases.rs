//! What a unit asks for by other names of `__has_include`: its texts are read once more, for the names that any of them gives.
use super::files::Stamp;
use super::paths::Place;
use super::record::NotStorable;
use super::texts::Seen;
use cachepot_engine::digest::Digest;
use cachepot_engine::scan::Uses;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fstat};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;

/// The names asked for. `words`: what the command line defines.
///
/// # Errors
/// [`NotStorable`] where one is not spelled out, or a text is not what it was.
pub(super) fn asked(
    place: &Place,
    words: &[u8],
    seen: &[Seen<'_>],
    aliases: &BTreeSet<Vec<u8>>,
) -> Result<BTreeSet<Vec<u8>>, NotStorable> {
    let mut uses = Uses::of(aliases);
    uses.look(words);
    for seen in seen {
        uses.look(&text(place, seen).ok_or(NotStorable::TooNew)?);
    }
    uses.end().ok_or(NotStorable::Uses("__has_include"))
}

/// The text that was looked at before; `None` where there is another one now.
fn text(place: &Place, seen: &Seen<'_>) -> Option<Vec<u8>> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let mut file = File::from(openat(place.folder(), seen.path, flags, Mode::empty()).ok()?);
    let is_same = |file: &File| fstat(file).is_ok_and(|stat| Stamp::of(&stat) == seen.known.stamp);
    let mut text = Vec::new();
    (is_same(&file) && file.read_to_end(&mut text).is_ok() && Digest::of(&text) == seen.known.digest)
        .then_some(text)
}
