//! The project of the Rust oracle: its crates and what they read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::content;
use crate::model::{Model, SCRIPT};
use crate::random::Random;

/// Files of a new checkout.
const FILES: &[&str] = &[
    "leaf/lib.rs",
    "leaf/part.rs",
    "leaf/odd.rs",
    "leaf/text.txt",
    "ask/lib.rs",
    "mid/lib.rs",
    "main/main.rs",
    "cd/lib.rs",
    "data/blob.bin",
    "data/hidden.txt",
    "data/list/a",
    "data/list/b",
    "gen1/made.rs",
    "gen2/made.rs",
    "second/libtwo.a",
    SCRIPT,
];

/// Folders that are empty at first: searched before others, or to compile in.
const FOLDERS: &[&str] = &["first", "early", "work"];

/// Writes a new pair of checkouts below `base`, in place of what is there.
pub(crate) fn create(base: &Path, random: &mut Random) -> io::Result<Model> {
    let model = Model::new(base, content::fresh)?;
    let files: Vec<_> = FILES.iter().map(|name| ((*name).to_owned(), content::fresh(name, random))).collect();
    let differ = random.chance(50);
    model.fill(&files, differ, random)?;
    for checkout in 0..2 {
        for folder in FOLDERS {
            fs::create_dir(model.root_of(checkout).join(folder))?;
        }
    }
    Ok(model)
}

/// Where the crates of a checkout are made; beside it, as edits are of sources.
pub(crate) fn out(model: &Model, checkout: usize) -> PathBuf {
    model.base.join(["out_tree", "out_copy"][checkout]).join("debug/deps")
}
