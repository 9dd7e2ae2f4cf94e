//! After an observed compile: what it depended on, by what the observer saw, and whether its result may be kept.
//!
//! What was seen is what counts, not what is there now: a path that was missing goes down as missing also where it has
//! come since. Only contents and listings are taken now, and must be no younger than the compile.
use super::Memory;
use super::direct::Powers;
use super::early::Early;
use super::files::{
    Known, Stamp, changed_since, is_file, is_folder, is_link, is_of_kernel, link_stat, repeated, stat,
};
use super::paths::{Place, below, parent};
use super::record::{Compiled, NotStorable, Observed};
use super::surroundings::digest_of;
use super::variables::every_variable;
use cachepot_engine::compiler::rustc::Holds;
use cachepot_engine::digest::Digest;
use cachepot_engine::manifest::surroundings::{Kind, Surroundings};
use cachepot_engine::manifest::{Input, MAX_INPUTS, Record};
use cachepot_engine::observed::{self, Kind as Seen, harmless};
use cachepot_engine::scan::Hidden;
use cachepot_wire::EnvBlock;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// What is known of an observed compile. All paths are absolute and without `.` and doubled slashes.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What the observer saw.
    pub seen: Arc<observed::Observed>,
    /// Files that were young before it began.
    pub early: Arc<Early>,
    /// Files and folders that the compiler's identity covers.
    pub covered: Arc<HashSet<Vec<u8>>>,
    /// The folders of `-L`.
    pub folders: Vec<(Holds, Vec<u8>)>,
    /// What the compile is to write.
    pub outputs: Vec<Vec<u8>>,
    /// Those of them that a linker makes. If there are any, it counts in which forms a crate is there.
    pub linked: Vec<Vec<u8>>,
    /// Folders that were empty before, or are ours: what is made there stays there, and nothing in it decides.
    pub within: Vec<Vec<u8>>,
    /// The library that observes.
    pub observer: Vec<u8>,
    /// The client's environment.
    pub env: EnvBlock,
    /// How wide messages were to be, where there are any.
    pub message_width: Option<Option<Vec<u8>>>,
    /// Variables that the crate is known to have read.
    pub variables: Vec<Vec<u8>>,
}

/// Looks at what a finished compile depended on.
///
/// # Errors
/// [`NotStorable`] where the result must not be kept.
pub(super) fn look(
    memory: &Memory,
    place: &Place,
    compiled: &Compiled,
    watched: &Watched,
) -> Result<Observed, NotStorable> {
    watched.nothing_left_behind(memory, place)?;
    let seen = watched.seen_outside(memory, place)?;
    let watched = &Watched { seen, ..watched.clone() };
    let mut look =
        Look { memory, place, compiled, watched, inputs: BTreeMap::new(), found: Found::default() };
    look.contents()?;
    look.nothing_unseen()?;
    look.nothing_dated()?;
    look.found.variables = watched.names_unseen(memory, &look.inputs);
    look.others_of_the_name();
    look.as_they_are(watched.shadows(place));
    look.listings()?;
    look.facts();
    look.is_bounded()?;
    Ok(look.end())
}

impl Watched {
    fn nothing_left_behind(&self, memory: &Memory, place: &Place) -> Result<(), NotStorable> {
        let stays_within = |path: &[u8]| self.stays_within(memory, place, path);
        let is_expected = |(path, kind): (&Vec<u8>, &Seen)| {
            let is_above =
                || self.outputs.iter().any(|output| output.starts_with(&[path, &b"/"[..]].concat()));
            self.outputs.contains(path) || (*kind == Seen::Folder && is_above()) || stays_within(path)
        };
        if let Some((path, _)) = self.seen.written.iter().find(|written| !is_expected(*written)) {
            tracing::debug!(path = %path.escape_ascii(), "written besides the outputs");
            return Err(NotStorable::Uses("writes other files"));
        }
        let is_gone = self.seen.removed.iter().any(|path| !stays_within(path));
        if is_gone { Err(NotStorable::Uses("removes files")) } else { Ok(()) }
    }

    fn is_in(&self, path: &[u8], wanted: Holds) -> bool {
        self.folders.iter().any(|(holds, folder)| *holds == wanted && parent(path) == folder)
    }

    /// Whether rustc found a file of a crate beside the one that it read, and went on. Both are of one compile, for it
    /// knows the crate by a hash; which of them are there depends on how far that compile has come. Where crates are
    /// linked, only metadata makes no difference.
    fn is_passed_over(&self, path: &[u8]) -> bool {
        let ends = |ends: &[&str]| ends.iter().any(|end| path.ends_with(end.as_bytes()));
        let is_unread = !self.seen.read.contains(path) && !self.seen.libraries.contains(path);
        let is_indifferent = ends(&[".rmeta"]) || (self.linked.is_empty() && ends(&[".rlib", ".so"]));
        is_unread && is_indifferent && self.is_in(path, Holds::Dependencies)
    }
}

/// Conditions, each once and in order.
#[derive(Default)]
struct Found {
    absent: BTreeSet<Vec<u8>>,
    kinds: BTreeSet<(Vec<u8>, Kind)>,
    resolved: BTreeSet<(Vec<u8>, Vec<u8>)>,
    listings: BTreeMap<Vec<u8>, Digest>,
    variables: BTreeSet<Vec<u8>>,
    /// A macro may have read any variable.
    all_variables: bool,
}

struct Look<'a> {
    memory: &'a Memory,
    place: &'a Place,
    compiled: &'a Compiled,
    watched: &'a Watched,
    inputs: BTreeMap<&'a [u8], Arc<Known>>,
    found: Found,
}

impl<'a> Look<'a> {
    /// Everything that was read, run or loaded; and plain files that were only looked at, for their size counts.
    fn contents(&mut self) -> Result<(), NotStorable> {
        let seen = &self.watched.seen;
        for path in seen.read.iter().chain(&seen.libraries).chain(&seen.programs) {
            // Linkers open what they are about to replace: lld lets its pages go in the background.
            if !self.watched.leads_to_ours(self.memory, self.place, path)
                && !self.watched.linked.contains(path)
            {
                self.content(path)?;
            }
        }
        for (path, kind) in &seen.looked_at {
            let kind = match kind {
                _ if self.watched.is_ours(path) || self.watched.is_passed_over(path) => continue,
                Seen::Unknown | Seen::File => {
                    let interned = self.memory.paths.intern(path).ok_or(NotStorable::Unreadable)?;
                    if stat(self.place, &interned).is_ok_and(|now| is_file(&now)) {
                        self.content(path)?;
                        continue;
                    }
                    if *kind == Seen::File { Kind::File } else { Kind::Something }
                }
                Seen::Folder => Kind::Folder,
                Seen::Link => Kind::Link,
                Seen::Other => Kind::Other,
            };
            self.found.kinds.insert((path.clone(), kind));
        }
        Ok(())
    }

    /// Nothing that ran may have gone past the observer. Programs start others, for which they need all variables; where
    /// what rustc loads may take them, it may have read any.
    fn nothing_unseen(&mut self) -> Result<(), NotStorable> {
        let seen = &self.watched.seen;
        for path in seen.libraries.iter().chain(&seen.programs) {
            let Some(known) = self.inputs.get(path.as_slice()) else { continue };
            let Powers { calls_kernel, names_environment } =
                self.memory.direct.powers(Path::new(OsStr::from_bytes(path)), &known.stamp);
            if calls_kernel && !harmless::is_library(path) {
                tracing::debug!(path = %path.escape_ascii(), "may go past the observer");
                return Err(NotStorable::Uses("a library that makes system calls itself"));
            }
            let is_crate = seen.libraries.contains(path) && seen.read.contains(path);
            self.found.all_variables |= names_environment && is_crate;
        }
        Ok(())
    }

    /// Interpreters ask for the time anyway. In a compile nobody runs a script that writes it down; where anything may run, its
    /// text has to tell.
    fn nothing_dated(&self) -> Result<(), NotStorable> {
        let is_dated = |(path, known): (&&[u8], &Arc<Known>)| {
            !self.watched.is_installed(path)
                && self.memory.unseen.may_be_dated(Path::new(OsStr::from_bytes(path)), &known.stamp)
        };
        if self.watched.is_run() && self.inputs.iter().any(is_dated) {
            return Err(NotStorable::Uses("the time of day"));
        }
        Ok(())
    }

    fn content(&mut self, path: &'a [u8]) -> Result<(), NotStorable> {
        let unreadable = |_| {
            tracing::debug!(path = %path.escape_ascii(), "an input is gone");
            NotStorable::Unreadable
        };
        let interned = self.memory.paths.intern(path).ok_or(NotStorable::Unreadable)?;
        let link = link_stat(self.place, &interned).map_err(unreadable)?;
        let now = stat(self.place, &interned).map_err(unreadable)?;
        if is_folder(&now) {
            // Opened, and no entries asked for.
            self.found.kinds.insert((path.to_vec(), Kind::Folder));
            return Ok(());
        }
        if !is_file(&now) || is_of_kernel(&interned, &now) {
            tracing::debug!(path = %path.escape_ascii(), "read, and no plain file");
            return Err(NotStorable::Uses("reads what is no file"));
        }
        let known =
            self.memory.plain.digest_of(self.place, &interned, &now).ok_or(NotStorable::Unreadable)?;
        let is_as_before = || {
            let then = self.watched.early.files.get(path);
            // A hard link that somebody makes changes its times, too.
            then.is_some_and(|then| then.stamp.is_but_for_names(&known.stamp) && then.digest == known.digest)
        };
        let is_late = |stamp: &Stamp| changed_since(stamp, self.compiled.start);
        if (is_link(&link) && is_late(&Stamp::of(&link))) || (is_late(&known.stamp) && !is_as_before()) {
            tracing::debug!(path = %path.escape_ascii(), "too new");
            return Err(NotStorable::TooNew);
        }
        self.inputs.insert(path, known);
        Ok(())
    }

    /// Crates are searched in several folders, and there may be two forms of one.
    fn others_of_the_name(&mut self) {
        let dependencies = self.watched.folders.iter().filter(|(holds, _)| *holds == Holds::Dependencies);
        let folders: BTreeSet<&[u8]> = dependencies.map(|(_, folder)| folder.as_slice()).collect();
        let mut others = Vec::new();
        for path in self.inputs.keys().filter(|path| folders.contains(parent(path))) {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            let elsewhere = folders.iter().filter(|folder| **folder != parent(path));
            others.extend(elsewhere.map(|folder| below(folder, name)));
            let stem = path.strip_suffix(b".rlib").or_else(|| path.strip_suffix(b".so"));
            let forms = [&b".rlib"[..], b".so"].into_iter().filter(|_| !self.watched.linked.is_empty());
            others.extend(forms.filter_map(|form| Some([stem?, form].concat())));
        }
        self.as_they_are(others);
    }

    /// That these are there or not, as they are now.
    fn as_they_are(&mut self, paths: Vec<Vec<u8>>) {
        for path in paths.into_iter().filter(|path| !self.inputs.contains_key(path.as_slice())) {
            let interned = self.memory.paths.intern(&path);
            if interned.is_some_and(|interned| link_stat(self.place, &interned).is_ok()) {
                self.found.kinds.insert((path, Kind::Something));
            } else {
                self.found.absent.insert(path);
            }
        }
    }

    /// Folders that were listed. rustc lists those in which it finds crates by a hash, each once, and what it found there
    /// is known by name; where one was listed once more, a macro did it, and all entries count. In folders of other
    /// libraries rustc lists and looks for nothing that would not be known.
    fn listings(&mut self) -> Result<(), NotStorable> {
        let holds_crates = |path: &Vec<u8>| {
            let mut folders = self.watched.folders.iter();
            folders.any(|(holds, folder)| *holds == Holds::Dependencies && folder == path)
        };
        let listed = self.watched.seen.listed.iter().filter(|(path, _)| !self.watched.is_ours(path));
        for (path, _) in listed.filter(|(path, count)| **count > 1 || !holds_crates(path)) {
            let interned = self.memory.paths.intern(path).ok_or(NotStorable::Unreadable)?;
            let now = stat(self.place, &interned).map_err(|_| NotStorable::Unreadable)?;
            let listing = self.memory.folders.list(self.place, &interned, &now);
            let listing = listing.ok_or(NotStorable::Unreadable)?;
            let is_as_before = || {
                let then = self.watched.early.folders.get(path);
                then.is_some_and(|then| then.stamp == listing.stamp && digest_of(then) == digest_of(&listing))
            };
            if changed_since(&listing.stamp, self.compiled.start) && !is_as_before() {
                tracing::debug!(path = %path.escape_ascii(), "a listed folder is too new");
                return Err(NotStorable::TooNew);
            }
            self.found.listings.insert(path.clone(), digest_of(&listing));
        }
        Ok(())
    }

    /// What was seen, as it was seen.
    fn facts(&mut self) {
        let seen = &self.watched.seen;
        let counts = |path: &[u8]| !self.watched.is_ours(path) && !self.watched.is_passed_over(path);
        let rights = self.watched.rights(self.memory, self.place, self.inputs.keys().copied());
        self.found.kinds.extend(rights);
        self.found.absent.extend(seen.absent.iter().filter(|path| counts(path)).cloned());
        // What was made and removed again, and is no output, decides by whether it was there before.
        let for_a_moment = |path: &&Vec<u8>| {
            counts(path) && !self.watched.outputs.contains(path) && !seen.written.contains_key(*path)
        };
        self.found.absent.extend(seen.absent_at_first.iter().filter(for_a_moment).cloned());
        let no_links = seen.no_links.iter().filter(|path| counts(path));
        self.found.kinds.extend(no_links.map(|path| (path.clone(), Kind::NoLink)));
        for (path, real) in seen.resolved.iter().filter(|(path, _)| counts(path)) {
            let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            // Many files of few folders: the folder is resolved once. A link may lead to a file of its own name.
            let is_alike = real.rsplit(|&byte| byte == b'/').next() == Some(name) && !self.is_link(path);
            if name != b".." && is_alike && path != b"/" {
                self.found.resolved.insert((parent(path).to_vec(), parent(real).to_vec()));
                self.found.kinds.insert((path.clone(), Kind::NoLink));
            } else {
                self.found.resolved.insert((path.clone(), real.clone()));
            }
        }
    }

    fn is_link(&self, path: &[u8]) -> bool {
        let link = self.memory.paths.intern(path).and_then(|path| link_stat(self.place, &path).ok());
        link.is_some_and(|link| is_link(&link))
    }

    /// As much as a record may hold.
    fn is_bounded(&self) -> Result<(), NotStorable> {
        let Found { absent, kinds, resolved, listings, variables, all_variables: _ } = &self.found;
        let n_conditions = absent.len() + kinds.len() + resolved.len() + listings.len() + variables.len();
        let n_links = self.watched.seen.links.len();
        if self.inputs.len() + n_conditions + n_links > MAX_INPUTS {
            return Err(NotStorable::Uses("too many files"));
        }
        Ok(())
    }

    fn end(self) -> Observed {
        let Look { memory, place, watched, compiled, mut inputs, found } = self;
        // What most often differs comes first.
        let source = compiled.inputs.first().map(|source| source.as_os_str().as_bytes());
        let first = source.and_then(|source| inputs.remove_entry(source));
        let inputs: Vec<_> = first.into_iter().chain(inputs).collect();
        let same = repeated(inputs.iter().map(|(_, known)| Some(known.stamp.identity())));
        let inputs =
            inputs.into_iter().map(|(path, known)| Input { path: path.to_vec(), digest: known.digest });
        let inputs: Vec<Input> = inputs.collect();
        let links = watched.seen.links.iter().filter(|(path, _)| !watched.is_passed_over(path));
        let mut variables = watched.conditions_on_variables(memory, place, &compiled.bases, &found.variables);
        if found.all_variables {
            variables.push(every_variable(&watched.env));
        }
        let surroundings = Surroundings {
            absent: without_implied(found.absent),
            kinds: found.kinds.into_iter().collect(),
            links: links.map(|(path, text)| (path.clone(), text.clone())).collect(),
            resolved: found.resolved.into_iter().collect(),
            listings: found.listings.into_iter().collect(),
            variables,
        };
        let mut record = Record {
            result: Digest([0; 32]),
            n_read: u32::try_from(inputs.len()).unwrap_or(u32::MAX),
            inputs,
            folders: Vec::new(),
            names: Vec::new(),
            present: Vec::new(),
            states: Vec::new(),
            same,
            exist: Vec::new(),
            mtimes: Vec::new(),
            window: None,
            ties: Vec::new(),
            surroundings: Some(surroundings),
        };
        record.make_neutral(&compiled.bases, |path| watched.is_tool(path));
        for tie in record.ties() {
            tracing::debug!(tie, "good for some folders only");
        }
        let may_use = Hidden::default();
        Observed { record, twins: Vec::new(), modified: Vec::new(), may_use }
    }
}

/// Where nothing is, there is nothing below.
fn without_implied(absent: BTreeSet<Vec<u8>>) -> Vec<Vec<u8>> {
    let is_implied = |path: &&Vec<u8>| {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut above = slashes.filter_map(|(at, _)| path.get(..at));
        above.any(|above| absent.contains(above) || absent.contains(&[above, &b"/"[..]].concat()))
    };
    absent.iter().filter(|path| !is_implied(path)).cloned().collect()
}
