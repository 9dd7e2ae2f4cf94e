//! Which folders are somewhere else in another checkout, and the words that make rustc leave their names out of what it
//! writes.
//!
//! cargo runs rustc in the root of the workspace for packages in it, and in the package's own folder for all others,
//! which it names by absolute paths. Names and identities (`-C metadata`) are the same in all checkouts and under all
//! `CARGO_HOME`s. Source: `cargo::core::compiler`; tried with 1.95: with these words, two builds in different folders
//! made the same bytes of everything.
use super::environment::is_on;
use super::line::Line;
use crate::bases::{Base, Bases};
use crate::job::{Job, Role};
use cachepot_wire::message::CompileRequest;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The variable by which the user asks for it.
const VARIABLE: &str = "CACHEPOT_REMAP_RELATIVE";

/// What rustc writes instead of the folder of cargo's registry, and so on.
const REGISTRY: (u8, &str) = (b'r', "/cargo/registry");
const GIT: (u8, &str) = (b'g', "/cargo/git");
const TARGET: (u8, &str) = (b't', "/cargo/target");
/// Paths of the workspace are good from its root.
const WORKSPACE: (u8, &str) = (b'w', ".");
const PACKAGE: u8 = b'p';

/// The bases of a call; none where the user did not ask for it.
pub(super) fn of(request: &CompileRequest, line: &Line<'_>) -> Bases {
    if !is_on(&request.env, VARIABLE) {
        return Bases::default();
    }
    let absolute = |path: &Path| request.cwd.join(path);
    let base = |(letter, instead): (u8, &str), folder: &Path| Base {
        letter,
        folder: folder.as_os_str().as_bytes().to_vec(),
        instead: instead.to_owned(),
    };
    let mut bases = Vec::new();
    if let Some(home) = cargo_home(request) {
        bases.extend([base(REGISTRY, &home.join("registry")), base(GIT, &home.join("git"))]);
    }
    let out_dir = line.out_dir.map(|folder| absolute(Path::new(folder)));
    let target = out_dir.as_deref().and_then(|folder| target_folder(folder, line.target));
    bases.extend(target.map(|folder| base(TARGET, folder)));
    let is_of_cargo = bases.iter().any(|cargo| request.cwd.as_os_str().as_bytes().starts_with(&cargo.folder));
    let is_of_workspace = line.inputs.iter().all(|input| Path::new(input).is_relative());
    if is_of_workspace {
        bases.push(base(WORKSPACE, &request.cwd));
    } else if !is_of_cargo {
        bases.push(base((PACKAGE, &format!("/cargo/package/{}", name(&request.cwd))), &request.cwd));
    }
    Bases::new(bases)
}

fn cargo_home(request: &CompileRequest) -> Option<PathBuf> {
    let set = |name| request.env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("CARGO_HOME").or_else(|| Some(set("HOME")?.join(".cargo"))).filter(|home| home.is_absolute())
}

/// The target folder, from that of an output: `target/[TRIPLE/]PROFILE/(deps|examples|build/PACKAGE-HASH[/...])`.
fn target_folder<'p>(out_dir: &'p Path, triple: Option<&str>) -> Option<&'p Path> {
    let target = out_dir.ancestors().find_map(profile_folder)?.parent()?;
    let triple = triple.and_then(|triple| Path::new(triple).file_stem()?.to_str());
    if triple.is_some_and(|triple| name(target) == triple) { target.parent() } else { Some(target) }
}

/// The folder of a profile that holds a folder for outputs.
fn profile_folder(folder: &Path) -> Option<&Path> {
    let parent = folder.parent()?;
    let is_hashed = |name: &str| {
        let hash = name.rsplit_once('-').map(|(_, hash)| hash).unwrap_or_default();
        hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match name(folder) {
        "deps" | "examples" => Some(parent),
        package if name(parent) == "build" && is_hashed(package) => parent.parent(),
        _ => None,
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Whether an output may hold texts in a form in which nobody finds them: bitcode, also where it is all that a library
/// holds; what a shared library says of its crate, which rustc has compressed (1.95 does not).
pub fn hides_texts(job: &Job) -> bool {
    let is_asked_for = |word: &OsString| word.as_bytes().starts_with(b"linker-plugin-lto");
    job.key_words.iter().any(is_asked_for)
        || job.outputs.iter().any(|output| matches!(output.role, Role::LlvmBitcode | Role::SharedLibrary))
}

/// The words for rustc: of several that fit the last one counts, and so those for longer paths come last.
pub(super) fn words(bases: &Bases) -> impl Iterator<Item = OsString> {
    bases.iter().rev().map(word)
}

/// The same in an order that all checkouts have, for the key.
pub(super) fn key_words(bases: &Bases) -> Vec<OsString> {
    let mut bases: Vec<&Base> = bases.iter().collect();
    bases.sort_by_key(|base| base.letter);
    bases.into_iter().map(word).collect()
}

fn word(base: &Base) -> OsString {
    let folder = OsStr::from_bytes(&base.folder);
    [OsStr::new("--remap-path-prefix="), folder, OsStr::new("="), OsStr::new(&base.instead)]
        .into_iter()
        .collect()
}
