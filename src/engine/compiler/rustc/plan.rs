//! What the client is to run on a miss: the user's own line, plus a word that changes no byte of the outputs, and those
//! that leave the names of folders out of them where the user asked for that.
use super::bases;
use crate::compiler::cargo;
use crate::job::Job;
use cachepot_wire::{CompileRequest, Plan};
use std::os::unix::ffi::OsStrExt;

/// The words that make rustc colour its text as it would on the user's terminal; none where the user chose, where
/// the text is JSON, or where there is no terminal. They are in [`Job::key_words`] already.
pub fn colour_words(job: &Job, request: &CompileRequest) -> &'static [&'static str] {
    let is_set = |name| request.env.get(name).is_some_and(|value| !value.is_empty());
    let dumb = request.env.get("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    let refuses = is_set("NO_COLOR") || request.env.get("CLICOLOR").is_some_and(|value| value == "0");
    let wanted = request.stderr_is_terminal && !job.colour_chosen && !dumb && !refuses;
    if wanted { &["--color=always"] } else { &[] }
}

/// The plan of a miss. Argument files stay as they are in its line; whoever observes the compile adds the environment
/// and private files of the observer.
pub fn plan(job: &Job, request: &CompileRequest) -> Plan {
    let mut argv = job.argv.clone();
    // After `--` there are only inputs.
    let end = argv.iter().position(|word| word == "--").unwrap_or(argv.len());
    argv.splice(end..end, colour_words(job, request).iter().map(Into::into));
    // Before the user's own, of which the last one counts.
    let start = argv.iter().position(|word| matches!(word.as_bytes().first(), Some(b'-' | b'@')));
    let start = start.unwrap_or(argv.len());
    argv.splice(start..start, cargo::words(bases::OPTION, &job.bases));
    let watched = job.outputs.iter().map(|output| output.path.clone()).collect();
    Plan { argv, watched, ..Plan::default() }
}
