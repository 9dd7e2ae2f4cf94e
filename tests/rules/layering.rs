//! Which package may depend on which. A new edge is a decision: it gets a line here, one in `docs/ARCHITECTURE.md` and a
//! commit of its own.
use crate::{code, expect_none, read, sources};
use std::collections::BTreeSet;

/// Each package, without `cachepot-`, and the packages of ours that it may name; lowest layer first. The root package
/// may name all of them.
const EDGES: [(&str, &[&str]); 8] = [
    ("config", &[]),
    ("wire", &[]),
    ("engine", &["wire"]),
    ("client", &["wire"]),
    ("storage", &["engine"]),
    ("dist", &["config", "engine"]),
    ("actors", &["config", "wire", "engine", "storage", "dist"]),
    ("web", &["config", "engine", "dist"]),
];

/// The packages that may name libraries of the actor framework.
const KNOWS_ACTIX: &str = "actors";
const ACTIX: [&str; 2] = ["actix", "actix-rt"];

/// A member of the workspace.
pub(crate) struct Package {
    /// Without `cachepot-`.
    pub(crate) name: String,
    /// Its folder; empty for the root.
    pub(crate) folder: String,
    /// What it depends on, also for its tests and its build script.
    pub(crate) dependencies: BTreeSet<String>,
}

/// All members, the root last.
pub(crate) fn packages() -> Vec<Package> {
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
    let folders = members.split('"').skip(1).step_by(2).map(str::to_owned);
    folders.chain([String::new()]).map(package).collect()
}

fn package(folder: String) -> Package {
    let manifest = read(&in_folder(&folder, "Cargo.toml"));
    let name = manifest.lines().find_map(|line| line.strip_prefix("name = \"cachepot")).unwrap();
    let name = name.trim_end_matches('"').trim_start_matches('-').to_owned();
    let mut dependencies = BTreeSet::new();
    let mut listing = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            // `[workspace.dependencies]` only gives versions.
            listing = line.ends_with("dependencies]") && !line.starts_with("[workspace");
        } else if listing && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
            dependencies.insert(line.get(..end).unwrap().to_owned());
        }
    }
    Package { name, folder, dependencies }
}

/// A file of a folder, which may be empty.
fn in_folder(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}

#[test]
fn every_edge_is_allowed() {
    let mut findings = Vec::new();
    for package in packages().iter().filter(|package| !package.folder.is_empty()) {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
            findings.push(format!("{}: not in the list of layers", package.folder));
            continue;
        };
        let ours = package.dependencies.iter().filter_map(|name| name.strip_prefix("cachepot-"));
        let forbidden = ours.filter(|name| !allowed.contains(name));
        findings.extend(forbidden.map(|name| format!("{}: must not know `cachepot-{name}`", package.folder)));
    }
    expect_none(&findings);
}

#[test]
fn only_the_actors_know_the_actor_framework() {
    let mut findings = Vec::new();
    for package in packages().iter().filter(|package| package.name != KNOWS_ACTIX) {
        let found = ACTIX.iter().filter(|name| package.dependencies.contains(**name));
        findings.extend(
            found.map(|name| format!("{}: names `{name}`", in_folder(&package.folder, "Cargo.toml"))),
        );
    }
    for path in
        sources().iter().filter(|path| !path.starts_with("actors/") && !path.starts_with("tests/rules/"))
    {
        let text = read(path);
        let found = code(&text).filter(|(_, line)| line.contains("actix::") || line.contains("use actix"));
        findings.extend(found.map(|(number, line)| format!("{path}:{number}: {}", line.trim())));
    }
    expect_none(&findings);
}

#[test]
fn the_client_stays_thin() {
    let client = packages().into_iter().find(|package| package.name == "client").unwrap();
    let allowed = ["cachepot-wire", "libc", "nix", "tempfile"];
    let found: Vec<String> =
        client.dependencies.into_iter().filter(|name| !allowed.contains(&name.as_str())).collect();
    expect_none(&found);
}
