//! The names of outputs, compared with the rustc that builds this project.
use super::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines without the compiler and the crate's name, run in a folder with `lib.rs`, `main.rs` and `macro.rs`.
const ROWS: &[&str] = &[
    "lib.rs --crate-type lib --out-dir o -C extra-filename=-1 --emit=dep-info,metadata,link",
    "lib.rs --crate-type lib --out-dir o/ -C extra-filename=-1 --emit=asm,llvm-ir,llvm-bc,mir,obj",
    "lib.rs --crate-type lib,cdylib,staticlib --out-dir o -C extra-filename=-1",
    "lib.rs --crate-type dylib --emit link,dep-info=k",
    "main.rs --crate-type bin --out-dir o -C extra-filename=-1 --emit=dep-info,metadata,link",
    "main.rs --crate-type bin -o o/x.y --emit link,dep-info=o/k --out-dir e -C extra-filename=-1",
    "lib.rs --crate-type lib -o o/x -C extra-filename=-1 --emit=dep-info,metadata,link,obj",
    "lib.rs --crate-type lib -ox.y --emit=metadata",
    "lib.rs --crate-type lib --test --out-dir o -C extra-filename=-1 --emit=dep-info,link",
    "main.rs --test --emit=dep-info,metadata",
    "macro.rs --crate-type proc-macro --out-dir ./o -C extra-filename=-1 --emit=link,dep-info --extern proc_macro",
];

fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { [path].into() }).collect()
}

/// A folder of its own for each line, removed afterwards.
fn made_by_rustc(root: &Path, at: usize, line: &str) -> (BTreeSet<PathBuf>, PathBuf) {
    let folder = root.join(at.to_string());
    fs::create_dir_all(folder.join("o")).unwrap();
    fs::write(folder.join("lib.rs"), "pub fn f() {}").unwrap();
    fs::write(folder.join("main.rs"), "fn main() {}").unwrap();
    fs::write(folder.join("macro.rs"), "").unwrap();
    let before = files_below(&folder);
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(program);
    command.args(["--crate-name", "a"]).args(line.split_whitespace());
    let status = command.current_dir(&folder).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{line}");
    (files_below(&folder).difference(&before).cloned().collect(), folder)
}

#[test]
fn names_are_those_of_rustc() {
    let root = std::env::temp_dir().join(format!("cachepot-rustc-names-{}", std::process::id()));
    for (at, line) in ROWS.iter().enumerate() {
        let (made, folder) = made_by_rustc(&root, at, line);
        let job = job(&format!("rustc --crate-name a {line}"));
        let told: BTreeSet<_> = job.outputs.iter().map(|output| folder.join(&output.path)).collect();
        // Components are compared, so `./o` is `o`.
        assert_eq!(told.len(), job.outputs.len());
        assert_eq!(made, told, "{line}");
    }
    fs::remove_dir_all(root).unwrap();
}
