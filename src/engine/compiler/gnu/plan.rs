//! What the client is to run on a miss: the user's own line, plus words that change no byte of the outputs, and those
//! that leave the names of folders out of them where the user asked for that.
//!
//! Tried with gcc 12 and clang 14: `-MD -MF FILE` and the colour words leave the object as it is under `-g`, `-g3`,
//! `-flto`, prefix maps and sanitizers. Nothing does so under `-MMD`: gcc writes `-H` into the debug information, and
//! clang's `CC_PRINT_HEADERS` puts system headers into the user's dependency file. There `-MD` is run instead, and
//! the file narrowed to what `-MMD` would have written (see `narrow.rs`), or a scan of its own runs beside it.
use super::{bases, mapped};
use crate::compiler::cargo;
use crate::job::{Discovery, Driver, Family, Job};
use crate::options::{Sort, Tokens, Treatment};
use cachepot_wire::{CompileRequest, Plan};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The words that make the compiler colour its text as it would on the user's terminal; none where the user
/// chose, or where there is no terminal. They are in [`Job::key_words`] already.
pub fn colour_words(job: &Job, driver: &Driver, request: &CompileRequest) -> &'static [&'static str] {
    let dumb = request.env.get("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    if !request.stderr_is_terminal || job.colour_chosen || dumb {
        return &[];
    }
    match driver.family {
        Family::Clang => &["-fcolor-diagnostics"],
        // Known since 4.9; an empty GCC_COLORS means none.
        Family::Gcc
            if driver.major >= 5
                && request.env.get("GCC_COLORS").is_none_or(|colours| !colours.is_empty()) =>
        {
            &["-fdiagnostics-color=always"]
        }
        Family::Gcc | Family::Rustc | Family::Clippy => &[],
    }
}

/// The plan of a miss. Private files are named after `scratch_base`; the private file, if any, is the last of
/// `watched`. For [`Discovery::UserFileAndScan`] the private file is that of [`dependency_scan`] and not part of the plan.
pub fn plan(job: &Job, driver: &Driver, scratch_base: &Path, request: &CompileRequest) -> Plan {
    let mut plan = Plan { argv: job.argv.clone(), ..Plan::default() };
    let mut added: Vec<OsString> = colour_words(job, driver, request).iter().map(Into::into).collect();
    match &job.discovery {
        Discovery::SourceOnly
        | Discovery::UserFile(_)
        | Discovery::UserFileAndScan(_)
        | Discovery::Observed => {}
        Discovery::PrivateFile => {
            let file = with_suffix(scratch_base, ".d");
            added.extend(["-MD".into(), "-MF".into(), file.clone().into_os_string()]);
            plan.scratch.push(file);
        }
        Discovery::Widened(file) => {
            plan.widened = Some(file.clone());
            plan.argv.iter_mut().filter(|word| *word == "-MMD").for_each(|word| *word = "-MD".into());
        }
        Discovery::Trace => {
            let file = with_suffix(scratch_base, ".h");
            plan.env.push(("CC_PRINT_HEADERS".into(), "1".into()));
            plan.env.push(("CC_PRINT_HEADERS_FILE".into(), file.clone().into_os_string()));
            plan.scratch.push(file);
        }
    }
    if let Some(bases) = mapped(job) {
        added.extend(cargo::words(bases::OPTION, bases));
        // Else the directory might be written down by another name, which leads there by a link.
        plan.env.push(("PWD".into(), request.cwd.clone().into_os_string()));
    }
    add_words(&mut plan.argv, added);
    plan.watched =
        job.outputs.iter().map(|output| output.path.clone()).chain(plan.scratch.iter().cloned()).collect();
    plan
}

/// Adds options to a line. After `--` there are only inputs.
fn add_words(argv: &mut Vec<OsString>, words: Vec<OsString>) {
    let end = argv.iter().position(|word| word == "--").unwrap_or(argv.len());
    argv.splice(end..end, words);
}

fn with_suffix(base: &Path, suffix: &str) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The line that makes gcc write the names of all headers, system headers too, to `file` and nothing else.
/// Needed under `-MMD` ([`Discovery::UserFileAndScan`]); costs a preprocessor run. `words` as for `parse`.
pub fn dependency_scan(driver: &Driver, words: &[OsString], file: &Path) -> Vec<OsString> {
    let mut argv = without_outputs(driver, words);
    add_words(&mut argv, vec!["-M".into(), "-MF".into(), file.into()]);
    argv
}

/// The line that makes the compiler write the user's own dependency file to `file` instead, and nothing else. Needed
/// under [`Discovery::Widened`] where nothing else tells which are system headers. `words` as for `parse`.
pub fn narrow_scan(driver: &Driver, words: &[OsString], file: &Path) -> Vec<OsString> {
    let mut argv = without_outputs(driver, words);
    let (mut added, mut has_target, mut output) = (Vec::new(), false, None);
    for token in Tokens::new(driver.family, words.get(1..).unwrap_or_default()) {
        let Sort::Known(row) = token.sort else { continue };
        match row.does {
            Treatment::DependTarget | Treatment::DependPhony => {
                has_target |= row.does == Treatment::DependTarget;
                added.push(token.word.to_owned());
                added.extend((token.n_words == 2).then(|| token.value.to_owned()));
            }
            Treatment::Output => output = Some(token.value),
            _ => {}
        }
    }
    if let (false, Some(output)) = (has_target, output) {
        added.extend(["-MQ".into(), output.to_owned()]);
    }
    added.extend(["-MM".into(), "-MF".into(), file.into()]);
    add_words(&mut argv, added);
    argv
}

/// The line that makes the compiler write the preprocessed text to standard output. `words` as for `parse`.
pub fn preprocessing(driver: &Driver, words: &[OsString]) -> Vec<OsString> {
    let mut argv = without_outputs(driver, words);
    argv.push("-E".into());
    argv
}

/// The user's line without the words that order a compile or name an output.
fn without_outputs(driver: &Driver, words: &[OsString]) -> Vec<OsString> {
    let Some((compiler, rest)) = words.split_first() else { return Vec::new() };
    let mut argv = vec![compiler.clone()];
    for token in Tokens::new(driver.family, rest) {
        let dropped = match token.sort {
            Sort::Known(row) => match row.does {
                Treatment::Compile
                | Treatment::Assemble
                | Treatment::Output
                | Treatment::Depend
                | Treatment::DependUser
                | Treatment::DependFile
                | Treatment::DependTarget
                | Treatment::DependPhony
                | Treatment::StackUsage
                | Treatment::SplitDwarf => true,
                Treatment::Preprocessor => {
                    argv.extend(macro_parts(token.value));
                    true
                }
                _ => false,
            },
            _ => false,
        };
        if !dropped {
            argv.push(token.word.to_owned());
            argv.extend((token.n_words == 2).then(|| token.value.to_owned()));
        }
    }
    argv
}

/// The macro definitions among the words of a `-Wp,`.
fn macro_parts(value: &OsStr) -> Vec<OsString> {
    use std::os::unix::ffi::OsStrExt;
    let parts = value.as_bytes().split(|&byte| byte == b',');
    let macros = parts.filter(|part| part.starts_with(b"-D") || part.starts_with(b"-U"));
    macros.map(|part| OsString::from(OsStr::from_bytes(&[b"-Wp,", part].concat()))).collect()
}
