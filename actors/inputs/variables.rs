//! Which variables of the environment decide on an observed compile, and by what.
use super::files::{Known, is_file, link_stat, stat};
use super::observed::Watched;
use super::paths::{Place, below, parent};
use super::surroundings::{may_run, value_of};
use super::{Memory, Paths};
use cachepot_engine::bases::Bases;
use cachepot_engine::compiler::rustc::INDIFFERENT_VARIABLES;
use cachepot_engine::digest::KeyBuilder;
use cachepot_engine::manifest::SEARCHED;
use cachepot_engine::manifest::surroundings::Kind;
use cachepot_engine::observed::harmless;
use cachepot_wire::EnvBlock;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Variables that the loader reads without asking anybody.
const LOADER_VARIABLES: [&str; 2] = ["LD_LIBRARY_PATH", "LD_PRELOAD"];

/// The name under which the width of messages is a condition: a word of rustc's, which shells take for no variable.
pub const MESSAGE_WIDTH: &str = "--diagnostic-width";

/// The name under which a digest of all variables is a condition. No variable has it.
const EVERY: &[u8] = b"=";

/// Variables that are others in each build and that no macro has a use for: the jobserver, and what asks for a new result.
const OF_ONE_BUILD: [&str; 4] = ["CACHEPOT_RECACHE", "CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

/// A variable and its value, `None` where it is not set; or, under a name that no variable has, where `PATH` leads
/// ([`SEARCHED`]), or what stands for all of them.
type Condition = (Vec<u8>, Option<Vec<u8>>);

impl Watched {
    /// Variables that scripts and macros name, and `PATH` for other libraries. A script may hand another one to a shell.
    pub(super) fn names_unseen(
        &self,
        memory: &Memory,
        inputs: &BTreeMap<&[u8], Arc<Known>>,
    ) -> BTreeSet<Vec<u8>> {
        let (seen, unseen) = (&self.seen, &memory.unseen);
        let file = |path: &Vec<u8>| {
            let (path, known) = inputs.get_key_value(path.as_slice())?;
            Some((Path::new(OsStr::from_bytes(path)), &known.stamp))
        };
        let of_script = |path| file(path).map(|(path, stamp)| unseen.of_script(path, stamp));
        let of_library = |path| file(path).map(|(path, stamp)| unseen.of_macro(path, stamp));
        let mut found: Vec<_> = seen.programs.iter().filter_map(of_script).collect();
        if found.iter().any(|names| !names.is_empty()) {
            found.extend(seen.read.difference(&seen.programs).filter_map(of_script));
        }
        found.extend(seen.libraries.intersection(&seen.read).filter_map(of_library));
        let others = seen.libraries.difference(&seen.read).filter(|path| !harmless::is_library(path));
        let others: Vec<_> = others.filter_map(of_library).collect();
        let paths = others.iter().filter_map(|names| names.iter().find(|name| *name == b"PATH"));
        found.iter().flat_map(|names| names.iter()).chain(paths).cloned().collect()
    }

    /// Their values are those of the client: a program may set others for its children, as gcc does, but then from what
    /// it was given itself.
    pub(super) fn conditions_on_variables(
        &self,
        memory: &Memory,
        place: &Place,
        bases: &Bases,
        unseen: &BTreeSet<Vec<u8>>,
    ) -> Vec<Condition> {
        let is_indifferent = |name: &[u8]| INDIFFERENT_VARIABLES.iter().any(|other| other.as_bytes() == name);
        let seen = self.seen.variables.iter().filter(|name| !is_indifferent(name));
        // What the crate itself reads is in its result, whatever it is.
        let names = seen.chain(&self.variables).chain(unseen).map(Vec::as_slice);
        let mut names: BTreeSet<&[u8]> = names.chain(LOADER_VARIABLES.map(str::as_bytes)).collect();
        // A build script may do anything with it, and so may macros: for a crate that is not linked nobody else asks.
        let mut crates = self.seen.libraries.intersection(&self.seen.read);
        let loads_macros = crates.any(|path| !self.is_installed(path));
        let is_text = self.is_run()
            || self.linked.is_empty()
            || (bases.is_empty() && loads_macros)
            || self.variables.iter().chain(unseen).any(|name| name == b"PATH");
        let searched = if is_text { None } else { searches(memory, place, self) };
        if searched.is_some() {
            names.remove(&b"PATH"[..]);
        }
        let values = |name: &[u8]| (name.to_vec(), value_of(&self.env, name).map(<[u8]>::to_vec));
        let width = self.message_width.iter().map(|width| (MESSAGE_WIDTH.into(), width.clone()));
        searched.into_iter().flatten().chain(names.into_iter().map(values)).chain(width).collect()
    }
}

/// That all variables are as they are.
pub(super) fn every_variable(env: &EnvBlock) -> Condition {
    (EVERY.to_vec(), Some(all_of(env)))
}

/// Whether a condition on a variable holds.
pub(super) fn is_met(env: &EnvBlock, name: &[u8], value: Option<&[u8]>) -> bool {
    if name == EVERY { value == Some(&all_of(env)) } else { value_of(env, name) == value }
}

/// Stands for all variables, in whatever order they come.
fn all_of(env: &EnvBlock) -> Vec<u8> {
    let counts = |name: &OsStr| name != MESSAGE_WIDTH && OF_ONE_BUILD.iter().all(|other| name != *other);
    let mut pairs: Vec<_> = env.iter().filter(|(name, _)| counts(name)).collect();
    pairs.sort_unstable();
    let fields = pairs.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    let fields: Vec<_> = fields.collect();
    KeyBuilder::new("cachepot all variables 1").list("", fields.iter()).finish().to_string().into_bytes()
}

/// What `PATH` means to a compile: where it leads for the names that were looked for in its folders. Another one that leads to
/// the same programs is as good, as that of another user whose cargo puts its own folder first.
/// `None` where its text itself may count.
fn searches(memory: &Memory, place: &Place, watched: &Watched) -> Option<Vec<Condition>> {
    let folders = folders(&watched.env)?;
    let seen = &watched.seen;
    let looked_at = seen.looked_at.iter().map(|(path, _)| path);
    let all = seen.absent.iter().chain(&seen.programs).chain(&seen.read).chain(looked_at);
    let name = |path: &Vec<u8>| {
        let name = path.get(parent(path).len() + 1..)?;
        (folders.contains(&parent(path)) && !name.is_empty()).then(|| name.to_vec())
    };
    let names: BTreeSet<Vec<u8>> = all.filter_map(name).collect();
    let is_there = |path: &Vec<u8>| !seen.absent.contains(path) && exists(&memory.paths, place, path);
    let condition = |name: Vec<u8>| {
        let found = folders.iter().map(|folder| below(folder, &name)).find(&is_there);
        // What may not be run is passed over, and then what comes behind it counts.
        let is_program = |path: &Vec<u8>| runs(&memory.paths, place, path);
        found.as_ref().is_none_or(is_program).then(|| ([&SEARCHED[..], &name].concat(), found))
    };
    names.into_iter().map(condition).collect()
}

/// Whether `PATH` leads to the same file for a name.
pub(super) fn leads_there(
    paths: &Paths,
    place: &Place,
    env: &EnvBlock,
    name: &[u8],
    file: Option<&[u8]>,
) -> bool {
    let Some(folders) = folders(env) else { return false };
    let found = folders.iter().map(|folder| below(folder, name)).find(|path| exists(paths, place, path));
    found.as_deref() == file
}

/// The folders of `PATH`; `None` where there is none, or one that is relative.
fn folders(env: &EnvBlock) -> Option<Vec<&[u8]>> {
    let folders: Vec<&[u8]> = value_of(env, b"PATH")?.split(|&byte| byte == b':').collect();
    folders.iter().all(|folder| folder.starts_with(b"/")).then_some(folders)
}

fn runs(paths: &Paths, place: &Place, path: &[u8]) -> bool {
    let file = paths.intern(path).and_then(|path| stat(place, &path).ok());
    file.is_some_and(|file| is_file(&file) && may_run(&file) == Kind::Executable)
}

fn exists(paths: &Paths, place: &Place, path: &[u8]) -> bool {
    paths.intern(path).is_some_and(|path| link_stat(place, &path).is_ok())
}
