//! gcc, g++, clang and clang++: what their command lines mean for a cache without a preprocessor run.
//!
//! The main question is what else a word makes the compiler read or write. It is either modelled here (an
//! output, an input, a key word) or the call is not cacheable with the word as the reason; nothing is cached by half.
use crate::bases::Bases;
use crate::compiler::cargo;
use crate::job::{Discovery, Driver, Family, Job, Language, Output, Parsed, Reason, Role, Search};
use cachepot_wire::CompileRequest;
use cachepot_wire::Existing;
use line::{Depth, Line, Mode};
use passed::chooses_programs;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

mod bases;
mod environment;
mod inputs;
mod line;
mod maps;
mod passed;
mod plan;
mod texts;

pub use environment::{FOLDER_VARIABLES, KEY_VARIABLES, REFUSED_VARIABLES, date_is_fixed};
pub use inputs::{inputs, probed_roots, sanitizer_lists};
pub use plan::{colour_words, dependency_scan, narrow_scan, plan, preprocessing};
pub use texts::{Asks, names_origin};

/// Finds the compile in a request. `words` is the command line with response files expanded, compiler first.
///
/// Source: behaviour specification, 5.2 to 5.5; the reasons are part of the statistics.
pub fn parse(request: &CompileRequest, driver: &Driver, words: &[OsString]) -> Parsed {
    let mut line = Line::read(driver, words.get(1..).unwrap_or_default());
    let Some(mode) = line.mode else {
        return match line.query {
            Some(word) => Parsed::NotCacheable(Reason(word.to_owned())),
            None => Parsed::NotACompile,
        };
    };
    if let Some(word) = line.query {
        return Parsed::NotCacheable(Reason(word.to_owned()));
    }
    match job(request, driver, words, mode, &mut line) {
        Ok(job) => Parsed::Compile(Box::new(job)),
        Err(reason) => Parsed::NotCacheable(reason),
    }
}

pub(super) fn reason<T>(text: &str) -> Result<T, Reason> {
    Err(Reason(text.to_owned()))
}

fn job(
    request: &CompileRequest,
    driver: &Driver,
    words: &[OsString],
    mode: Mode,
    line: &mut Line<'_>,
) -> Result<Job, Reason> {
    refuse_whole(request, driver, line)?;
    let (source, kind) = source(driver, line)?;
    if kind.preprocessed && !line.forced.is_empty() {
        return reason("-include");
    }
    let split_without_object = line.split_dwarf && mode == Mode::Assembly;
    if split_without_object || (mode == Mode::Assembly && kind.language == Language::Assembler) {
        return reason(if split_without_object { "-gsplit-dwarf" } else { "-S" });
    }
    let main = main_output(line, mode, source)?;
    let dependency_file = dependency_file(line, kind.preprocessed, source)?;
    line.chooses_system |= environment::names_folders(&request.env);
    let can_widen = words == request.argv && can_widen(line, mode, &request.argv);
    let discovery = discovery(driver, line, kind, dependency_file.as_ref(), can_widen);
    let outputs = outputs(driver, line, (main, mode, kind.language), dependency_file, source);
    refuse_overlaps(&request.cwd, &outputs, source)?;
    if kind.language == Language::Assembler {
        // A `.file` in the text is enough for the directory; clang's assembler writes it down unmapped.
        line.debug = true;
        line.whole_directory |= driver.family == Family::Clang;
    }
    let bases = bases::of(request, driver, (words, mode, kind), line);
    let directory = maps::settle(line, driver, request, &bases);
    finish_key(line, mode, kind, source, words);
    let mut job = Job {
        language: kind.language,
        source: source.into(),
        key_words: std::mem::take(&mut line.key),
        key_directory: directory.key,
        mapped_folders: directory.mapped,
        bases,
        key_files: inputs::key_files(driver, request, line),
        native_cpu: line.native_cpu,
        outputs,
        discovery,
        search: Search {
            folders: std::mem::take(&mut line.folders),
            probe_words: std::mem::take(&mut line.probe_words),
            forced: std::mem::take(&mut line.forced),
        },
        argv: request.argv.clone(),
        colour_chosen: line.colour_chosen,
        message_width: None,
    };
    job.key_words
        .extend(mapped(&job).map(|bases| cargo::key_words(bases::OPTION, bases)).unwrap_or_default());
    let colours = colour_words(&job, driver, request);
    if let (Some(word), Family::Clang) = (line.record, driver.family) {
        // clang writes down every word, also those that we would add.
        if job.discovery == Discovery::PrivateFile || !colours.is_empty() {
            return reason(&word.to_string_lossy());
        }
    }
    // Coloured and plain text never share: the words that colour are in the key.
    job.key_words.extend(colours.iter().flat_map(|&word| [OsString::from("<added>"), word.into()]));
    Ok(job)
}

/// The bases that the compiler is to be told of: without debug information there is nothing to be told.
fn mapped(job: &Job) -> Option<&Bases> {
    Some(&job.bases).filter(|bases| !bases.is_empty() && job.key_directory.is_some())
}

/// Reasons that do not depend on the source.
fn refuse_whole(request: &CompileRequest, driver: &Driver, line: &mut Line<'_>) -> Result<(), Reason> {
    if let Some(word) = line.reason.take() {
        return Err(Reason(word));
    }
    if let Some(variable) = environment::refused(driver.family, &request.env) {
        return reason(variable);
    }
    if let Some(word) = line.assembler.filter(|_| line.probe_words.iter().any(|word| chooses_programs(word)))
    {
        return reason(word);
    }
    if let (None, Some(word)) = (line.dependencies.depth, line.dependencies.dangling.as_deref()) {
        return reason(word);
    }
    if line.emit_llvm && driver.family == Family::Gcc {
        return reason("-emit-llvm");
    }
    // Words are added before the `--`, so it must stand for itself, once, outside of response files.
    let n_ends = request.argv.iter().filter(|&word| word == "--").count();
    if n_ends != usize::from(line.ended) { reason("--") } else { Ok(()) }
}

/// The language of a source and whether it is read as it is.
#[derive(Clone, Copy, Debug)]
struct Kind {
    language: Language,
    preprocessed: bool,
}

fn source<'a>(driver: &Driver, line: &Line<'a>) -> Result<(&'a OsStr, Kind), Reason> {
    let (source, chosen) = match line.sources.as_slice() {
        [] => return reason("no input file"),
        [one] => *one,
        _ => return reason("multiple input files"),
    };
    if depends_on_process(source) || source.is_empty() {
        return reason("input is not a file");
    }
    // g++ takes C for C++ only where no `-x` stands before it, whichever (g++spec.cc of GCC).
    let plus_plus = driver.plus_plus && (chosen.is_none() || driver.family == Family::Clang);
    let kind = match chosen.filter(|&name| name != "none") {
        Some(name) => named_language(name).ok_or("-x"),
        None => language_by_extension(driver.family, plus_plus, source).ok_or("unknown source language"),
    };
    let (language, preprocessed) = kind.map_err(|text| Reason(text.to_owned()))?;
    Ok((source, Kind { language, preprocessed }))
}

/// The value of `-x`.
fn named_language(name: &OsStr) -> Option<(Language, bool)> {
    Some(match name.to_str()? {
        "c" => (Language::C, false),
        "c++" => (Language::Cxx, false),
        "objective-c" => (Language::ObjC, false),
        "objective-c++" => (Language::ObjCxx, false),
        "assembler-with-cpp" => (Language::Assembler, false),
        "assembler" => (Language::Assembler, true),
        "cpp-output" => (Language::C, true),
        "c++-cpp-output" => (Language::Cxx, true),
        "objective-c-cpp-output" => (Language::ObjC, true),
        "objective-c++-cpp-output" => (Language::ObjCxx, true),
        _ => return None,
    })
}

fn language_by_extension(family: Family, plus_plus: bool, source: &OsStr) -> Option<(Language, bool)> {
    let extension = Path::new(source).extension()?.to_str()?;
    let clang = family == Family::Clang;
    Some(match extension {
        "c" if plus_plus => (Language::Cxx, false),
        "c" => (Language::C, false),
        "C" | "cc" | "cp" | "cxx" | "cpp" | "CPP" | "c++" => (Language::Cxx, false),
        "CC" | "CXX" | "C++" if clang => (Language::Cxx, false),
        "m" => (Language::ObjC, false),
        "mm" | "M" => (Language::ObjCxx, false),
        "S" => (Language::Assembler, false),
        "sx" if !clang => (Language::Assembler, false),
        "s" => (Language::Assembler, true),
        // The ++ drivers change what `.i` means, and not all in the same way.
        "i" if !plus_plus => (Language::C, true),
        "ii" => (Language::Cxx, true),
        "mi" => (Language::ObjC, true),
        "mii" => (Language::ObjCxx, true),
        _ => return None,
    })
}

/// The file name without its folder and without what follows its last dot.
fn stem(path: &OsStr) -> &OsStr {
    let bytes = path.as_bytes();
    let name = bytes.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let n_kept = name.iter().rposition(|&byte| byte == b'.').unwrap_or(name.len());
    OsStr::from_bytes(name.get(..n_kept).unwrap_or_default())
}

/// The path with what follows the last dot of its file name replaced: the rule of both drivers for files
/// beside the object, also for `out/.x`, which gives `out/.d`.
fn beside(path: &OsStr, extension: &str) -> PathBuf {
    let bytes = path.as_bytes();
    let n_folder = bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let folder = bytes.get(..n_folder).unwrap_or_default();
    OsString::from_vec([folder, stem(path).as_bytes(), b".", extension.as_bytes()].concat()).into()
}

/// Side files are named after `-o`, else after the source but in the working directory.
fn side_file(line: &Line<'_>, source: &OsStr, extension: &str) -> PathBuf {
    line.output.map_or_else(
        || beside(stem_with_dot(source).as_os_str(), extension),
        |output| beside(output, extension),
    )
}

/// The stem, closed by a dot so that [`beside`] removes nothing more.
fn stem_with_dot(source: &OsStr) -> OsString {
    let mut name = stem(source).to_owned();
    name.push(".");
    name
}

/// Whether a path means another file to another process, or no file at all: what it is to us says nothing.
/// `/dev/shm` is a folder like any other.
pub fn depends_on_process(path: &OsStr) -> bool {
    let mut parts =
        path.as_bytes().split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    let top = path.as_bytes().starts_with(b"/").then(|| parts.next()).flatten();
    top == Some(b"proc") || (top == Some(b"dev") && parts.next() != Some(b"shm"))
}

/// A path that a file can be put at. Devices, standard output and folders are the compiler's own business (T54).
pub(super) fn plain_file(path: &OsStr) -> Result<(), Reason> {
    let bytes = path.as_bytes();
    if bytes.first() == Some(&b'@') {
        return reason("@");
    }
    let odd = bytes.is_empty()
        || bytes == b"-"
        || bytes.ends_with(b"/")
        || bytes.ends_with(b"/.")
        || bytes.ends_with(b"/..");
    if odd || bytes == b"." || bytes == b".." || depends_on_process(path) {
        return reason("output is not a file");
    }
    Ok(())
}

/// One file named twice. Compilers refuse to write over the source, which they find under any path: its name
/// decides here. Of two outputs in one file, the one that is written last is left.
pub(super) fn refuse_overlaps(cwd: &Path, outputs: &[Output], source: &OsStr) -> Result<(), Reason> {
    let name = Path::new(source).file_name();
    // Joined, for a leading `./` counts when paths are compared.
    let place = |output: &Output| cwd.join(&output.path);
    let twice = |(at, output): (usize, &Output)| {
        let others = outputs.get(at + 1..).unwrap_or_default();
        output.path.file_name() == name || others.iter().any(|other| place(other) == place(output))
    };
    if outputs.iter().enumerate().any(twice) { reason("one file named twice") } else { Ok(()) }
}

fn main_output(line: &Line<'_>, mode: Mode, source: &OsStr) -> Result<PathBuf, Reason> {
    let extension = match (mode, line.emit_llvm) {
        (Mode::Object, false) => "o",
        (Mode::Object, true) => "bc",
        (Mode::Assembly, false) => "s",
        (Mode::Assembly, true) => "ll",
    };
    let path = line.output.map_or_else(|| side_file(line, source, extension), PathBuf::from);
    plain_file(path.as_os_str())?;
    Ok(path)
}

/// The dependency file that the compile will write; a source read as it is has none (T86).
fn dependency_file(line: &Line<'_>, preprocessed: bool, source: &OsStr) -> Result<Option<PathBuf>, Reason> {
    if line.dependencies.depth.is_none() || preprocessed {
        return Ok(None);
    }
    let path = line.dependencies.file.as_ref().map_or_else(|| side_file(line, source, "d"), PathBuf::from);
    plain_file(path.as_os_str())?;
    Ok(Some(path))
}

/// Whether `-MD` may stand in for the `-MMD` of a line: it is there once and in this spelling, the words reach no
/// output, and nothing but the compiler itself says which folders hold system headers.
fn can_widen(line: &Line<'_>, mode: Mode, argv: &[OsString]) -> bool {
    let n_spelled = argv.iter().filter(|word| *word == "-MMD" || *word == "-MD").count();
    let is_plain = line.record.is_none() && !line.lto && !line.output_in_key;
    mode == Mode::Object && n_spelled == 1 && line.dependencies.is_plain && is_plain && !line.chooses_system
}

fn discovery(
    driver: &Driver,
    line: &Line<'_>,
    kind: Kind,
    file: Option<&PathBuf>,
    can_widen: bool,
) -> Discovery {
    match (kind.preprocessed, line.dependencies.depth.zip(file.cloned()), driver.family) {
        // clang obeys an `#include` in preprocessed text, but lists it nowhere else.
        (true, _, Family::Clang) if kind.language != Language::Assembler => Discovery::Trace,
        (true, _, _) => Discovery::SourceOnly,
        (false, None, _) => Discovery::PrivateFile,
        (false, Some((Depth::All, file)), _) => Discovery::UserFile(file),
        (false, Some((Depth::User, file)), _) if can_widen => Discovery::Widened(file),
        (false, Some((Depth::User, file)), _) => Discovery::UserFileAndScan(file),
    }
}

fn outputs(
    driver: &Driver,
    line: &Line<'_>,
    main: (PathBuf, Mode, Language),
    dependency_file: Option<PathBuf>,
    source: &OsStr,
) -> Vec<Output> {
    let clang = driver.family == Family::Clang;
    let (path, mode, language) = main;
    // GNU's assembler makes a new object, and clang a new file; cc1 and clang's assembler write into what is there.
    let writes_into = if clang { language == Language::Assembler } else { mode == Mode::Assembly };
    let existing = |writes_into| if writes_into { Existing::WrittenInto } else { Existing::Replaced };
    let output =
        |role, path, optional, writes_into| Output { role, path, optional, existing: existing(writes_into) };
    let mut outputs = vec![output(Role::Main, path, false, writes_into)];
    let dependencies = |path| output(Role::Dependencies, path, false, true);
    outputs.extend(dependency_file.map(dependencies));
    // gcc 12 makes the file even without debug information; clang's assembler does so also under LTO.
    let sure = line.debug && !line.lto;
    if line.split_dwarf {
        outputs.push(output(Role::SplitDwarf, side_file(line, source, "dwo"), !sure, clang));
    }
    // clang writes none for a unit without functions.
    if line.stack_usage && !line.lto && !line.emit_llvm {
        outputs.push(output(Role::StackUsage, side_file(line, source, "su"), clang, true));
    }
    outputs
}

/// Completes the key: kind of result, source as spelled, output name and whole line where they reach an output.
fn finish_key(line: &mut Line<'_>, mode: Mode, kind: Kind, source: &OsStr, words: &[OsString]) {
    let dependencies = &line.dependencies;
    let default_target = dependencies.depth.is_some() && !dependencies.target && !kind.preprocessed;
    let named = default_target || line.output_in_key || line.split_dwarf || line.stack_usage || line.lto;
    line.key.push(if mode == Mode::Object { "<object>" } else { "<assembly>" }.into());
    line.key.push(if kind.preprocessed { "<as it is>" } else { "<preprocess>" }.into());
    line.key.push(source.to_owned());
    if named || line.record.is_some() {
        line.key.push("<output>".into());
        line.key.extend(line.output.map(OsStr::to_owned));
    }
    if let (true, Some(file)) = (kind.preprocessed, &line.dependencies.file) {
        // clang's warning that the word is unused names the file.
        line.key.push(file.clone());
    }
    if line.record.is_some() {
        line.key.push("<line>".into());
        line.key.extend(words.iter().cloned());
    }
}

/// The `-x` name of a language, as the compilers know it.
pub fn language_word(language: crate::job::Language) -> &'static str {
    use crate::job::Language;
    match language {
        Language::C => "c",
        Language::Cxx => "c++",
        Language::ObjC => "objective-c",
        Language::ObjCxx => "objective-c++",
        Language::Assembler => "assembler-with-cpp",
        Language::Rust | Language::BuildScript => "rust",
    }
}
