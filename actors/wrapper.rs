//! Compilers that are scripts around another one: what such a script does may depend on the environment. Every word of
//! its text may be the name of a variable, whatever the language it is written in.
//!
//! Absent on purpose: files that the script takes in, and variables whose names it puts together.
use cachepot_wire::EnvBlock;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

/// Longer programs are no scripts around a compiler.
const MAX_BYTES: u64 = 1 << 20;

/// The names in the text of a script, sorted; empty for a program of another kind.
pub fn names(program: &Path) -> Vec<String> {
    let mut text = Vec::new();
    let read = std::fs::File::open(program).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
    if read.is_err() || !text.starts_with(b"#!") {
        return Vec::new();
    }
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let words = text.split(|byte| !is_word(byte)).filter_map(|word| std::str::from_utf8(word).ok());
    // The shell sets `_` to the program that it runs.
    let names: BTreeSet<&str> = words.filter(|word| !word.is_empty() && *word != "_").collect();
    names.into_iter().map(ToOwned::to_owned).collect()
}

/// Those of the names that are variables of this environment.
pub fn variables(names: &[String], env: &EnvBlock) -> Vec<String> {
    if names.is_empty() {
        return Vec::new();
    }
    let variables = env.iter().filter_map(|(name, _)| name.to_str());
    let named = |name: &&str| names.binary_search_by(|known| known.as_str().cmp(name)).is_ok();
    variables.filter(named).map(ToOwned::to_owned).collect()
}
