//! What the files of the crates say. Every number is one of `10..14`, as in the project of the C family.

use std::fs;
use std::process::Command as Process;
use std::sync::LazyLock;

use crate::random::Random;

/// An archive for each number that its function may return.
static ARCHIVES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| (10..14).map(archive).collect());

const MACROS: &str = "extern crate proc_macro;
use proc_macro::TokenStream;
use std::path::PathBuf;
fn path(input: TokenStream) -> PathBuf {
    let text = input.to_string().trim_matches('\"').to_owned();
    match text.strip_prefix(\"package:\") {
        Some(rest) => PathBuf::from(std::env::var(\"CARGO_MANIFEST_DIR\").unwrap()).join(rest),
        None => PathBuf::from(text),
    }
}
fn answer(text: String) -> TokenStream { format!(\"{text:?}\").parse().unwrap() }
#[proc_macro] pub fn read(input: TokenStream) -> TokenStream {
    answer(std::fs::read_to_string(path(input)).unwrap_or_default() + VALUE)
}
#[proc_macro] pub fn names(input: TokenStream) -> TokenStream {
    let Ok(entries) = std::fs::read_dir(path(input)) else { return answer(VALUE.to_owned()) };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    answer(names.join(\" \"))
}
#[proc_macro] pub fn variable(input: TokenStream) -> TokenStream {
    answer(std::env::var(path(input)).unwrap_or_default())
}
#[proc_macro] pub fn exists(input: TokenStream) -> TokenStream { answer(path(input).exists().to_string()) }
#[proc_macro] pub fn size(input: TokenStream) -> TokenStream {
    answer(path(input).metadata().map_or(String::new(), |seen| format!(\"{} {}\", seen.len(), seen.is_dir())))
}
#[proc_macro] pub fn real(input: TokenStream) -> TokenStream {
    answer(path(input).canonicalize().map_or(String::new(), |path| path.display().to_string()))
}
#[proc_macro] pub fn link(input: TokenStream) -> TokenStream {
    answer(path(input).read_link().map_or(String::new(), |path| path.display().to_string()))
}
#[proc_macro] pub fn here(_: TokenStream) -> TokenStream {
    answer(std::env::current_dir().unwrap().display().to_string())
}
";

/// A macro that has a program read a file, and one that does so itself: a crate that can start programs can read all variables, so
/// what is compiled with it depends on all of them.
const RUNS: &str = "#[proc_macro] pub fn run(input: TokenStream) -> TokenStream {
    let said = std::process::Command::new(\"cat\").arg(path(input)).output().unwrap();
    answer(String::from_utf8(said.stdout).unwrap() + &said.status.to_string())
}
";
const DOES_NOT_RUN: &str = "#[proc_macro] pub fn run(input: TokenStream) -> TokenStream {
    let mut file = match std::fs::File::open(path(input)) { Ok(file) => file, Err(error) => return answer(error.to_string()) };
    let mut byte = [0];
    std::io::Read::read(&mut file, &mut byte).unwrap();
    answer(format!(\"{byte:?}\"))
}
";

/// What the library in the middle asks its macros.
const QUESTIONS: &[&str] = &[
    "read!(\"data/hidden.txt\")",
    "read!(\"package:data/hidden.txt\")",
    "read!(\"package:data/opt.txt\")",
    "names!(\"data/list\")",
    "names!(\"package:data/list\")",
    "names!(\"package:early\")",
    "variable!(\"HIDDEN\")",
    "variable!(\"OUT_DIR\")",
    "exists!(\"package:data/opt.txt\")",
    "exists!(\"data/list/c\")",
    "size!(\"package:data/blob.bin\")",
    "size!(\"data/opt.txt\")",
    "real!(\"package:data/hidden.txt\")",
    "real!(\"data\")",
    "link!(\"package:data/blob.bin\")",
    "link!(\"data\")",
    "run!(\"package:data/hidden.txt\")",
    "run!(\"data/opt.txt\")",
    "here!()",
];

/// A new content that suits the name of the file at `path`.
pub(crate) fn fresh(path: &str, random: &mut Random) -> Vec<u8> {
    let is = |end: &str| path.ends_with(end);
    let text = match () {
        () if is("libtwo.a") => return random.pick(&ARCHIVES).clone(),
        () if is("tool/cc") => wrapper(random),
        () if is("leaf/lib.rs") => leaf(random),
        () if is("ask/lib.rs") => macros(random),
        () if is("mid/lib.rs") => middle(random),
        () if is("main/main.rs") => program(random),
        () if is("cd/lib.rs") => shared_library(random),
        () if is("made.rs") => format!("pub const MADE: u32 = {};\n", number(random)),
        () if is("odd.rs") => format!("pub fn odd() -> u32 {{ {} }}\n{}", number(random), extra(random)),
        () if is(".rs") => format!("pub fn part() -> u32 {{ {} }}\n{}", number(random), extra(random)),
        () => format!("text {}", number(random)),
    };
    text.into_bytes()
}

fn number(random: &mut Random) -> usize {
    10 + random.below(4)
}

fn wrapper(random: &mut Random) -> String {
    let number = number(random);
    let word = random.pick(&["-Wl,--build-id=0x", "-Wl,--defsym=wrapped=", "-Wl,-rpath,/r"]);
    format!("#!/bin/sh\nexec /usr/bin/cc {word}{number} \"$@\"\n")
}

/// Something that a crate may hold besides what others need of it.
fn extra(random: &mut Random) -> String {
    let number = number(random);
    match random.below(40) {
        0..=3 => format!("fn unused() -> u32 {{ {number} }}\n"),
        4..=6 => "pub const PLACE: (&str, u32) = (file!(), line!());\n".to_owned(),
        7 | 8 => format!("#[derive(Debug, Clone)] pub struct Extra(pub [u8; {number}]);\n"),
        9 | 10 => format!("#[cfg(feature = \"one\")] pub fn one() -> u32 {{ {number} }}\n"),
        11 => format!("/// Text {number}.\npub mod inner {{ pub const MODULE: &str = module_path!(); }}\n"),
        12 => format!("pub fn broken() -> u32 {{ {number} + }}\n"),
        13 => format!("#[cfg(feature = \"two\")] compile_error!(\"broken {number}\");\n"),
        14 => format!("pub fn panics() {{ panic!(\"{number}\") }}\n"),
        _ => String::new(),
    }
}

fn macros(random: &mut Random) -> String {
    let run = if random.chance(40) { RUNS } else { DOES_NOT_RUN };
    format!("{MACROS}{run}const VALUE: &str = \"{}\";\n", number(random))
}

fn leaf(random: &mut Random) -> String {
    let mut text = "mod part;\n#[path = \"odd.rs\"]\nmod odd;\n".to_owned();
    text += "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n";
    for line in [
        "pub const TEXT: &str = include_str!(\"text.txt\");\n",
        "pub const BLOB: &[u8] = include_bytes!(\"../data/blob.bin\");\n",
        "pub const VERSION: &str = env!(\"CARGO_PKG_VERSION\");\n",
        "pub const OPTION: Option<&str> = option_env!(\"LEAF_OPTION\");\n",
        "pub const FLAGS: Option<&str> = option_env!(\"CARGO_MAKEFLAGS\");\n",
    ] {
        text += if random.chance(60) { line } else { "" };
    }
    let (one, two, three) = (number(random), number(random), number(random));
    text += &format!("#[inline] pub fn inlined(x: u32) -> u32 {{ x * {one} + part::part() }}\n");
    text += &format!("pub fn generic<T: Into<u32>>(x: T) -> u32 {{ x.into() + {two} + odd::odd() }}\n");
    text += &format!("pub fn plain() -> u32 {{ MADE + {three} }}\n");
    text + &extra(random)
}

fn middle(random: &mut Random) -> String {
    let mut text = "pub use leaf::plain;\n".to_owned();
    for at in 0..2 + random.below(6) {
        text += &format!("pub const ASKED_{at}: &str = ask::{};\n", random.pick(QUESTIONS));
    }
    let number = number(random);
    text += &format!("#[inline] pub fn mid() -> u32 {{ leaf::inlined({number}) + leaf::generic(3u8) }}\n");
    text += "#[test] fn works() { assert!(mid() > 0); }\n";
    text + &extra(random)
}

fn program(random: &mut Random) -> String {
    let number = number(random);
    let name = if random.chance(30) { "env!(\"CARGO_BIN_NAME\")" } else { "\"main\"" };
    let text = format!(
        "unsafe extern \"C\" {{ fn two() -> i32; }}\nfn main() {{\n    println!(\"{{}} {{}} {{}} {{}}\", {name}, unsafe {{ two() }}, \
         mid::mid(), mid::plain() + {number});\n}}\n"
    );
    text + &extra(random)
}

fn shared_library(random: &mut Random) -> String {
    let number = number(random);
    let text = format!(
        "unsafe extern \"C\" {{ fn two() -> i32; }}\n#[unsafe(no_mangle)] pub extern \"C\" fn cd() -> u32 {{ \
         mid::mid() + {number} + unsafe {{ two() }} as u32 }}\n"
    );
    text + &extra(random)
}

/// An archive with a function that returns `number`.
fn archive(number: usize) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("two.c"), format!("int two(void) {{ return {number}; }}\n")).unwrap();
    for line in ["gcc -c two.c", "ar rcsD libtwo.a two.o"] {
        let status = Process::new("sh").args(["-c", line]).current_dir(folder.path()).status().unwrap();
        assert!(status.success(), "{line}: {status}");
    }
    fs::read(folder.path().join("libtwo.a")).unwrap()
}
