//! Which folders are somewhere else in another checkout that cargo builds, and the words that make a compiler leave their
//! names out of what it writes: what rustc and the compilers that build scripts start have in common.
//!
//! Names and identities (`-C metadata`) are the same in all checkouts and under all `CARGO_HOME`s. Source:
//! `cargo::core::compiler`.
use super::rustc::is_on;
use crate::bases::{Base, Bases};
use cachepot_wire::CompileRequest;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The variable by which the user asks for it.
const VARIABLE: &str = "CACHEPOT_REMAP_RELATIVE";

/// What a compiler writes instead of the folder of cargo's registry, and so on.
const REGISTRY: (u8, &str) = (b'r', "/cargo/registry");
const GIT: (u8, &str) = (b'g', "/cargo/git");
const TARGET: (u8, &str) = (b't', "/cargo/target");
/// Paths of the workspace are good from its root.
const WORKSPACE: (u8, &str) = (b'w', ".");
const PACKAGE: u8 = b'p';

/// Whether the user asked for it.
pub(super) fn is_wanted(request: &CompileRequest) -> bool {
    is_on(&request.env, VARIABLE)
}

fn base((letter, instead): (u8, &str), folder: &Path) -> Base {
    Base { letter, folder: folder.as_os_str().as_bytes().to_vec(), instead: instead.to_owned() }
}

/// The root of the workspace.
pub(super) fn workspace(folder: &Path) -> Base {
    base(WORKSPACE, folder)
}

/// The folder of a package outside of the workspace.
pub(super) fn package(folder: &Path) -> Base {
    base((PACKAGE, &format!("/cargo/package/{}", name(folder))), folder)
}

/// The target folder.
pub(super) fn target(folder: &Path) -> Base {
    base(TARGET, folder)
}

/// What lies in `CARGO_HOME`.
pub(super) fn of_home(request: &CompileRequest) -> Vec<Base> {
    let set = |name| request.env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("CARGO_HOME").or_else(|| Some(set("HOME")?.join(".cargo")));
    let home = home.filter(|home| home.is_absolute());
    let folders = |home: PathBuf| [base(REGISTRY, &home.join("registry")), base(GIT, &home.join("git"))];
    home.map(folders).into_iter().flatten().collect()
}

/// Whether a source belongs to a package that cargo fetched.
pub(super) fn is_downloaded(source: &Path, request: &CompileRequest) -> bool {
    let source = request.cwd.join(source);
    of_home(request).iter().any(|base| source.starts_with(OsStr::from_bytes(&base.folder)))
}

/// The target folder, from that of an output: `target/[TRIPLE/]PROFILE/(deps|examples|build/PACKAGE-HASH[/...])`.
pub(super) fn target_folder<'p>(out_dir: &'p Path, triple: Option<&str>) -> Option<&'p Path> {
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

/// The last part of a path.
pub(super) fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The words for a compiler, each `option` and a folder: of several that fit the last one counts, and so those for longer
/// paths come last.
pub(super) fn words(option: &str, bases: &Bases) -> impl Iterator<Item = OsString> {
    bases.iter().rev().map(move |base| word(option, base))
}

/// The same in an order that all checkouts have, for the key.
pub(super) fn key_words(option: &str, bases: &Bases) -> Vec<OsString> {
    let mut bases: Vec<&Base> = bases.iter().collect();
    bases.sort_by_key(|base| base.letter);
    bases.into_iter().map(|base| word(option, base)).collect()
}

fn word(option: &str, base: &Base) -> OsString {
    let folder = OsStr::from_bytes(&base.folder);
    [OsStr::new(option), folder, OsStr::new("="), OsStr::new(&base.instead)].into_iter().collect()
}
