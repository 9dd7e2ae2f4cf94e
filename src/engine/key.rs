//! What enters a key.
use crate::digest::{Digest, KeyBuilder};
use crate::job::{Driver, Family, Job, Language};
use crate::manifest::Record;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Names the kind of key and its version: raised whenever a key's fields change.
const JOB_DOMAIN: &str = "cachepot job 7";
const RESULT_DOMAIN: &str = "cachepot result 4";

/// Everything that a job's key is made from, besides the inputs that only a compile finds.
pub struct JobFacts<'a> {
    /// The compiler's identity: its own bytes and those of the parts it runs.
    pub identity: Digest,
    /// What it told about itself.
    pub driver: &'a Driver,
    /// The job.
    pub job: &'a Job,
    /// The variables of the client's environment that change results, in the order of their names.
    pub variables: &'a [(&'a OsStr, &'a OsStr)],
    /// The digests of `job.key_files`; `None` for one that cannot be read.
    pub key_files: &'a [Option<Digest>],
    /// Names this machine's processor, when the job asks for it.
    pub cpu: Option<Digest>,
    /// `PWD` leads to the working directory: only then do compilers write its text down.
    pub pwd_leads_here: bool,
}

/// The digest that names a job's manifest.
pub fn job_key(facts: &JobFacts<'_>) -> Digest {
    let mut key = KeyBuilder::new(JOB_DOMAIN);
    key.field("compiler", &facts.identity.0);
    key.field(
        "family",
        &[
            match facts.driver.family {
                Family::Gcc => 0,
                Family::Clang => 1,
                Family::Rustc => 2,
                Family::Clippy => 3,
            },
            facts.driver.plus_plus.into(),
        ],
    );
    let neutral = |text| facts.job.bases.neutral(text);
    key.field("language", facts.job.language.name().as_bytes());
    key.field("source", &neutral(facts.job.source.as_os_str().as_bytes()));
    if !facts.job.bases.is_empty() {
        // Its results hold marks.
        key.field("neutral", &[1]);
    }
    key.list("words", facts.job.key_words.iter().map(|word| neutral(word.as_bytes())));
    if let Some(directory) = &facts.job.key_directory {
        key.field("directory", &neutral(directory.as_bytes()));
        key.field("by PWD", &[facts.pwd_leads_here.into()]);
    }
    for (name, value) in facts.variables {
        key.field("variable", name.as_bytes());
        // A compiler that is a script may hand on what a variable says.
        let value = value.as_bytes();
        let is_rust = facts.job.language == Language::Rust;
        key.field("value", &if is_rust { neutral(value) } else { value.into() });
    }
    for digest in facts.key_files {
        key.field("file", digest.as_ref().map_or(&[][..], |digest| &digest.0));
    }
    if let Some(cpu) = &facts.cpu {
        key.field("cpu", &cpu.0);
    }
    key.finish()
}

/// The key of a result: the job and everything that was seen to decide it, also what lay in the search path unread
/// (`__has_include` tells). Two results under one key would be a wrong hit. The record's own `result` does not count.
pub fn result_key(job: &Digest, record: &Record) -> Digest {
    let mut key = KeyBuilder::new(RESULT_DOMAIN);
    key.field("job", &job.0);
    key.field("record", &record.encode_conditions());
    key.finish()
}
