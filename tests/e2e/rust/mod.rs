//! rustc and cargo behind the cache.
use crate::harness::Sandbox;
use std::process::Command;
use std::sync::LazyLock;

mod build;
mod elsewhere;
mod hidden;
mod lines;
mod links;
mod questions;
mod scripts;
mod toolchains;
mod ways;

/// The folder of the toolchain: its programs are called past rustup.
static SYSROOT: LazyLock<String> = LazyLock::new(|| {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
});

/// A line for rustc; `NAME` at its start stands for the crate `NAME` from `NAME.rs`.
fn rustc(words: &str) -> String {
    let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
    format!("{}/bin/rustc --edition 2021 --crate-name {name} {name}.rs {rest}", *SYSROOT)
}

/// The words of a library.
const LIB: &str = "--crate-type lib --emit dep-info,metadata,link";

/// A library from `a.rs` with this text.
fn library(name: &str, text: &str) -> Sandbox {
    Sandbox::new(name).file("a.rs", text)
}

/// The line for `a.rs` as a library.
pub(crate) fn lib(words: &str) -> String {
    rustc(&format!("a {LIB} {words}"))
}
