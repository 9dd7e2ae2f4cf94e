//! Rules of the house that no compiler checks: which package may know which, how files look, and that the pages in
//! `docs/` name what there is. Every failure lists all places at once.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod layering;
mod reference;
mod tidy;

use std::fs;
use std::path::{Path, PathBuf};

/// Where sources of ours lie.
const FOLDERS: [&str; 5] = ["src", "actors", "config", "tests", "examples"];

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file, named from the root.
fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust sources of ours, named from the root, in order.
fn sources() -> Vec<String> {
    let mut found = vec!["build.rs".to_owned()];
    let mut open: Vec<PathBuf> = FOLDERS.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The lines of a source that are not comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Fails with all findings, if there are any.
fn expect_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}
