//! rustc and clippy-driver: what their command lines mean.
//!
//! Every crate type is taken, also those that run the linker: what a compile read is seen by an observer while it runs
//! ([`Discovery::Observed`]), so no word has to be followed to the files behind it. What must be known before is which
//! files come out. A word is modelled here or the call is not cacheable with the word as the reason.
//! Absent on purpose: judging what the observer saw.
use super::cargo;
use super::gnu::{depends_on_process, reason, refuse_overlaps};
use crate::job::{Discovery, Driver, Family, Job, Language, Parsed, Reason, Search};
use cachepot_wire::CompileRequest;
use line::Line;
use std::ffi::{OsStr, OsString};
use std::path::Path;

mod bases;
mod crates;
pub mod depinfo;
mod environment;
mod line;
mod outputs;
mod plan;

pub use bases::hides_texts;
pub use crates::{Crates, Holds, crates};
pub use environment::{
    CLIPPY_VARIABLES, INDIFFERENT_VARIABLES, KEY_VARIABLES, LINKER_VARIABLES, REFUSED_VARIABLES,
    answers_as_ever, is_key_variable, is_on,
};
pub use plan::{colour_words, plan};

/// Finds the compile in a request. `words` is the command line, compiler first, with argument files expanded by
/// [`crate::options::response::expand_argfiles`].
///
/// Source: behaviour specification, 5.8; the reasons are part of the statistics.
pub fn parse(request: &CompileRequest, driver: &Driver, words: &[OsString]) -> Parsed {
    let words = without_wrapped(driver.family, words.get(1..).unwrap_or_default());
    // rustc refuses a line that is no text.
    let Some(words) = words.iter().map(|word| word.to_str()).collect::<Option<Vec<_>>>() else {
        return Parsed::NotCacheable(Reason("argument parse".to_owned()));
    };
    let mut line = Line::read(&words);
    if line.query || words.is_empty() {
        return Parsed::NotACompile;
    }
    match job(request, &mut line) {
        Ok(job) => Parsed::Compile(Box::new(job)),
        Err(reason) => Parsed::NotCacheable(reason),
    }
}

/// A line without `-C incremental`, in whichever form: the compile then starts from nothing, and can be cached. What
/// stands in an argument file stays.
pub fn without_incremental(argv: &[OsString]) -> Vec<OsString> {
    let says_so = |value: &str| value == "incremental" || value.starts_with("incremental=");
    let is_joined = |word: &OsString| {
        let value = word.to_str().and_then(|word| {
            word.strip_prefix("--codegen=")
                .or_else(|| word.strip_prefix("-C"))
                .filter(|value| !value.is_empty())
        });
        value.is_some_and(says_so)
    };
    let is_apart = |word: &OsString, next: Option<&OsString>| {
        (word == "-C" || word == "--codegen") && next.and_then(|next| next.to_str()).is_some_and(says_so)
    };
    let mut kept = Vec::with_capacity(argv.len());
    let mut words = argv.iter().peekable();
    while let Some(word) = words.next() {
        if is_apart(word, words.peek().copied()) {
            words.next();
        } else if !is_joined(word) {
            kept.push(word.clone());
        }
    }
    kept
}

/// The words without the name of rustc that cargo puts before them when clippy-driver stands in its place:
/// clippy-driver drops a first word whose file stem is `rustc`.
fn without_wrapped(family: Family, words: &[OsString]) -> &[OsString] {
    match words.split_first() {
        Some((first, rest))
            if family == Family::Clippy && Path::new(first).file_stem() == Some(OsStr::new("rustc")) =>
        {
            rest
        }
        _ => words,
    }
}

fn job(request: &CompileRequest, line: &mut Line<'_>) -> Result<Job, Reason> {
    refuse_whole(request, line)?;
    let source = source(line)?;
    let outputs = outputs::outputs(line)?;
    refuse_overlaps(&request.cwd, &outputs, source)?;
    let mut job = Job {
        language: Language::Rust,
        source: source.into(),
        key_words: line.key_words(),
        // Debug information, dep-info and messages name it.
        key_directory: Some(request.cwd.clone().into_os_string()),
        mapped_folders: Vec::new(),
        bases: bases::of(request, line),
        key_files: std::mem::take(&mut line.key_files),
        native_cpu: line.native_cpu,
        outputs,
        discovery: Discovery::Observed,
        search: Search::default(),
        argv: request.argv.clone(),
        colour_chosen: line.colour_chosen,
        message_width: line.width.map(OsString::from),
    };
    job.key_words.extend(cargo::key_words(bases::OPTION, &job.bases));
    // Coloured and plain text never share.
    let colours = colour_words(&job, request);
    job.key_words.extend(colours.iter().flat_map(|&word| [OsString::from("<added>"), word.into()]));
    Ok(job)
}

/// Reasons that do not depend on the source.
fn refuse_whole(request: &CompileRequest, line: &mut Line<'_>) -> Result<(), Reason> {
    if let Some(word) = line.reason.take() {
        return Err(Reason(word));
    }
    if let Some(variable) = environment::refused(&request.env) {
        return reason(variable);
    }
    // Words are added before the `--`, so it must stand for itself, once, outside of argument files.
    let n_ends = request.argv.iter().filter(|&word| word == "--").count();
    if n_ends != usize::from(line.ended) { reason("--") } else { Ok(()) }
}

fn source<'a>(line: &Line<'a>) -> Result<&'a OsStr, Reason> {
    match line.inputs.as_slice() {
        [] => reason("missing input"),
        ["-"] => reason("-"),
        [one] if one.is_empty() || depends_on_process(OsStr::new(one)) => reason("input is not a file"),
        [one] => Ok(OsStr::new::<str>(one)),
        _ => reason("multiple input files"),
    }
}
