//! What a compile read, and what the texts of it use: the first half of every look at its inputs.
use super::Memory;
use super::aliases;
use super::files::{Known, Stamp, changed_since, is_link, link_stat};
use super::paths::Place;
use super::quoted;
use super::record::{Compiled, Limits, NotStorable};
use super::users::system_headers;
use super::words::Said;
use cachepot_engine::scan::{Findings, Hidden};
use nix::sys::stat::FileStat;
use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// A file that was read.
pub(super) struct Seen<'p> {
    /// As the compiler spelled it.
    pub(super) path: &'p [u8],
    /// What is known of it.
    pub(super) known: Arc<Known>,
    /// What the path itself is.
    pub(super) link: FileStat,
}

/// See the file's head.
pub(super) struct Texts<'p> {
    /// The files, the source first.
    pub(super) seen: Vec<Seen<'p>>,
    /// What they and the words of the command line use; of `#include` only what the words say.
    pub(super) findings: Findings,
    /// What the words say.
    words: &'p Findings,
}

impl<'p> Texts<'p> {
    /// Reads them; `known` tells of a file as [`known_now`] does.
    ///
    /// # Errors
    /// [`NotStorable`] where one is younger than the compile, cannot be read, or uses something whose effect is not known.
    pub(super) fn read(
        memory: &Memory,
        place: &Place,
        compiled: &'p Compiled,
        known: impl Fn(&CStr) -> Result<(Arc<Known>, FileStat), NotStorable>,
    ) -> Result<Self, NotStorable> {
        let is_late = |stamp: &Stamp| changed_since(stamp, compiled.start);
        let look = |path: &'p PathBuf| {
            let path = path.as_os_str().as_bytes();
            let (known, link) = known(&memory.paths.intern(path).ok_or(NotStorable::Unreadable)?)?;
            if is_late(&known.stamp) || is_late(&Stamp::of(&link)) {
                return Err(NotStorable::TooNew);
            }
            Ok(Seen { path, known, link })
        };
        let seen: Vec<Seen<'p>> = compiled.inputs.iter().map(look).collect::<Result<_, _>>()?;
        let Said { findings: words, texts } = compiled.words.said();
        let mut findings = words.clone();
        seen.iter().for_each(|seen| findings.merge_uses(&seen.known.findings));
        if !findings.aliases.is_empty() {
            let asked = aliases::asked(place, texts, &seen, &findings.aliases)?;
            findings.has_include.extend(asked);
        }
        unknown_effects(&findings, compiled.limits)?;
        Ok(Texts { seen, findings, words })
    }

    /// For each file, whether it is a system header: where that is asked for and sure.
    pub(super) fn system(&self, place: &Place, compiled: &Compiled) -> Option<Vec<bool>> {
        system_headers(place, compiled.sides.as_ref()?, self.words, &self.seen)
    }
}

/// What is known of a file, and what the path itself is: both of one moment.
pub(super) fn known_now(
    memory: &Memory,
    place: &Place,
    path: &CStr,
) -> Result<(Arc<Known>, FileStat), NotStorable> {
    let stat = link_stat(place, path).map_err(|_| NotStorable::Unreadable)?;
    if is_link(&stat) {
        let known = memory.files.digest(place, path).ok_or(NotStorable::Unreadable)?;
        // After the content: a link that was changed in between bears a new time.
        return Ok((known, link_stat(place, path).map_err(|_| NotStorable::TooNew)?));
    }
    let known = memory.files.digest_of(place, path, &stat).ok_or(NotStorable::Unreadable)?;
    if known.stamp == Stamp::of(&stat) { Ok((known, stat)) } else { Err(NotStorable::TooNew) }
}

fn unknown_effects(findings: &Findings, limits: Limits) -> Result<(), NotStorable> {
    let absolute_names = findings.has_include.iter().any(|name| name.starts_with(b"/"));
    if let Some(directive) = findings.directive_spelled() {
        return Err(NotStorable::Uses(directive));
    }
    let effects = [
        (findings.embed, "#embed"),
        (findings.may_ask_for_any() || absolute_names, "__has_include"),
        (findings.dependency, "#pragma GCC dependency"),
        (findings.precompiled, "precompiled header"),
        (findings.computed_lines && limits.quotes, quoted::REASON),
        (findings.names_places && limits.is_anywhere, ".loc"),
        (findings.unread, "input too large"),
    ];
    let used = effects.iter().find(|(used, _)| *used).map(|(_, what)| *what);
    let used = used.or_else(|| if limits.is_preprocessed { as_it_is(findings.hidden()) } else { None });
    used.map_or(Ok(()), |what| Err(NotStorable::Uses(what)))
}

/// What a source that is read as it is may use. Of macros clang knows these even there.
fn as_it_is(hidden: Hidden) -> Option<&'static str> {
    let macros = [(hidden.time, "__TIME__"), (hidden.date, "__DATE__"), (hidden.timestamp, "__TIMESTAMP__")];
    hidden.directive.or_else(|| macros.iter().find(|(used, _)| *used).map(|(_, what)| *what))
}
