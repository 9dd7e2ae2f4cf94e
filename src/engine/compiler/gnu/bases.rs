//! Which folders' names gcc and clang are to leave out of what they write for a build script of cargo.
//!
//! A build script runs in the folder of its package, and names sources, headers and outputs by relative paths or by
//! absolute ones. `-fdebug-prefix-map` keeps the folders out of debug information. Macros keep them (`__FILE__`): a
//! mapped name is none for `#include __FILE__`, and the compile would fail.
//!
//! With every word it must be known how the name of a folder could get into an output, for one that nobody can find
//! there (as part of a digest, or compressed) would be missed. A call with any other word has no bases: its result is for
//! its own folder, as everybody else's is.
use super::Kind;
use super::environment::KEY_VARIABLES;
use super::line::{Line, Mode};
use crate::bases::{Base, Bases};
use crate::compiler::cargo;
use crate::job::{Driver, Family, Language};
use crate::options::{Sort, Token, Tokens, Treatment};
use cachepot_wire::CompileRequest;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The option by which the compiler is told.
pub(super) const OPTION: &str = "-fdebug-prefix-map=";

/// Beginnings of `-f` words that have nothing to do with names. `-fno-` takes back what another word may do.
const PLAIN: &[&str] = &[
    "-fPIC",
    "-fPIE",
    "-fasynchronous-unwind-tables",
    "-fcf-protection",
    "-fcolor-diagnostics",
    "-fcommon",
    "-fdata-sections",
    "-fdiagnostics-color",
    "-fexceptions",
    "-ffast-math",
    "-ffp-contract=",
    "-ffreestanding",
    "-ffunction-sections",
    "-finline-functions",
    "-fmerge-all-constants",
    "-fno-",
    "-fomit-frame-pointer",
    "-fpermissive",
    "-fpic",
    "-fpie",
    "-frtti",
    "-fsigned-char",
    "-fstack-clash-protection",
    "-fstack-protector",
    "-fstrict-aliasing",
    "-ftree-vectorize",
    "-ftrivial-auto-var-init=",
    "-funroll-loops",
    "-funsigned-char",
    "-funwind-tables",
    "-fvisibility",
    "-fwrapv",
];

/// Words for debug information in one piece, as text.
const DEBUG: &[&str] = &[
    "-g",
    "-g1",
    "-g2",
    "-g3",
    "-gdwarf",
    "-gdwarf-2",
    "-gdwarf-3",
    "-gdwarf-4",
    "-gdwarf-5",
    "-ggdb",
    "-ggdb1",
    "-ggdb2",
    "-ggdb3",
    "-gline-tables-only",
];

/// The bases of a call; none where the user did not ask for it, or where it is not sure what becomes of their names.
pub(super) fn of(
    request: &CompileRequest,
    driver: &Driver,
    (words, mode, kind): (&[OsString], Mode, Kind),
    line: &Line<'_>,
) -> Bases {
    let set = |name| request.env.get(name).map(Path::new);
    let (true, Some(out_dir), Some(package)) =
        (cargo::is_wanted(request), set("OUT_DIR"), set("CARGO_MANIFEST_DIR"))
    else {
        return Bases::default();
    };
    let knows_maps = match driver.family {
        Family::Gcc => driver.major >= 8,
        Family::Clang => driver.major >= 10,
        Family::Rustc | Family::Clippy => false,
    };
    let is_plain_kind = matches!(kind.language, Language::C | Language::Cxx | Language::Assembler)
        && !kind.preprocessed
        && mode == Mode::Object;
    // System headers may go by their path without links, where that is shorter.
    let is_plain_line = !line.whole_directory && !line.chooses_system;
    if !knows_maps || !is_plain_kind || !is_plain_line {
        return Bases::default();
    }
    let bases = Bases::new(outermost(folders(request, out_dir, package)));
    let is_plain = |token: Token<'_>| is_plain(&token) && (names_files(&token) || !is_named(&bases, &token));
    let by_variable = KEY_VARIABLES.iter().filter_map(|name| request.env.get(name));
    let is_fit = Tokens::new(driver.family, words.get(1..).unwrap_or_default()).all(is_plain)
        && line.maps.iter().all(|map| map.is_like_everywhere(&bases))
        && !by_variable.into_iter().any(|value| bases.is_named_in(value.as_bytes()))
        && !bases.cut(request.cwd.as_os_str().as_bytes());
    if is_fit { bases } else { Bases::default() }
}

fn folders(request: &CompileRequest, out_dir: &Path, package: &Path) -> Vec<Base> {
    let mut bases = cargo::of_home(request);
    let triple = request.env.get("TARGET").and_then(OsStr::to_str);
    let target = cargo::target_folder(out_dir, triple);
    bases.extend(target.map(cargo::target));
    if !bases.iter().any(|base| is_below(package.as_os_str().as_bytes(), &base.folder)) {
        let root = target.filter(|target| cargo::name(target) == "target").and_then(Path::parent);
        let root = root.filter(|root| package.starts_with(root));
        bases.push(root.map_or_else(|| cargo::package(package), cargo::workspace));
    }
    bases
}

/// Compilers do not agree on which of two maps counts if both fit, so no base lies in another.
fn outermost(bases: Vec<Base>) -> Vec<Base> {
    let is_inner =
        |base: &Base| bases.iter().any(|other| other != base && is_below(&base.folder, &other.folder));
    bases.iter().filter(|base| !is_inner(base)).cloned().collect()
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

/// Whether it is known what a word does with names.
fn is_plain(token: &Token<'_>) -> bool {
    let word = token.word.as_bytes();
    let starts = |start: &&str| word.starts_with(start.as_bytes());
    match token.sort {
        Sort::Input => true,
        Sort::Family => match word {
            [b'-', b'f', ..] => PLAIN.iter().any(starts),
            [b'-', b'g', ..] => DEBUG.iter().any(|known| known.as_bytes() == word),
            _ => true,
        },
        Sort::Known(row) => match row.does {
            Treatment::Key if word.starts_with(b"-g") => false,
            Treatment::Key if word.starts_with(b"-f") => PLAIN.iter().any(starts),
            Treatment::Probe => is_plain_probe(token.value, word),
            Treatment::Debug => word == b"--debug",
            Treatment::AssemblerWords => token.value == "--noexecstack",
            does => is_plain_treatment(does),
        },
        Sort::Unknown | Sort::Truncated(_) => false,
    }
}

/// Whether a word that changes the built-in folders names none from where the compiler runs: gcc may name headers in there by
/// the shorter of two paths.
fn is_plain_probe(value: &OsStr, word: &[u8]) -> bool {
    const NO_FOLDER: [&str; 6] = ["stdlib", "target", "rtlib", "unwindlib", "m", "std"];
    let name = word.iter().position(|&byte| byte != b'-').and_then(|at| word.get(at..)).unwrap_or_default();
    value.is_empty()
        || Path::new(value).is_absolute()
        || NO_FOLDER.iter().any(|start| name.starts_with(start.as_bytes()))
}

fn is_plain_treatment(does: Treatment) -> bool {
    use Treatment::*;
    matches!(
        does,
        Key | Compile
            | Output
            | Language
            | Folder
            | Forced
            | Depend
            | DependUser
            | DependFile
            | DependTarget
            | DependPhony
            | DebugOff
            | Colour
            | ColourValue
            | Cpu
            | Arch
            | Preprocessor
            | MacroMap
            | End
    )
}

/// Whether the value of a word is nothing but the name of a file or folder, or a map of one.
fn names_files(token: &Token<'_>) -> bool {
    use Treatment::*;
    match token.sort {
        Sort::Input => true,
        Sort::Known(row) => {
            matches!(row.does, Output | Folder | Forced | DependFile | DependTarget | MacroMap)
        }
        _ => false,
    }
}

fn is_named(bases: &Bases, token: &Token<'_>) -> bool {
    [token.word, token.value].into_iter().any(|text| bases.is_named_in(text.as_bytes()))
}
