//! What enters a key.
use crate::digest::{Digest, KeyBuilder};
use crate::job::{Driver, Family, Job};
use crate::manifest::Input;
use crate::scan::Quarter;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Names the kind of key and its version: raised whenever a key's fields change.
const JOB_DOMAIN: &str = "cachepot job 2";
const RESULT_DOMAIN: &str = "cachepot result 2";

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
    /// `PWD` names the working directory by another path than `getcwd`: only then do compilers write it down.
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
            },
            facts.driver.plus_plus.into(),
        ],
    );
    key.field("language", facts.job.language.name().as_bytes());
    key.field("source", facts.job.source.as_os_str().as_bytes());
    key.list("words", facts.job.key_words.iter().map(|word| word.as_bytes()));
    if let Some(directory) = &facts.job.key_directory {
        key.field("directory", directory.as_bytes());
        key.field("by PWD", &[facts.pwd_leads_here.into()]);
    }
    for (name, value) in facts.variables {
        key.field("variable", name.as_bytes());
        key.field("value", value.as_bytes());
    }
    for digest in facts.key_files {
        key.field("file", digest.as_ref().map_or(&[][..], |digest| &digest.0));
    }
    if let Some(cpu) = &facts.cpu {
        key.field("cpu", &cpu.0);
    }
    key.finish()
}

/// What a compile was seen to depend on besides its job, as in a manifest's record.
pub struct ResultFacts<'a> {
    /// What the compiler read.
    pub inputs: &'a [Input],
    /// What exists under a name that `__has_include` asked for: it changes a result that reads no other file.
    pub exist: &'a [Vec<u8>],
    /// What the searched folders were: compilers warn of what is none.
    pub states: &'a [u32],
    /// Inputs that are one file under two names.
    pub same: &'a [(u32, u32)],
    /// Modification times that reach the result.
    pub mtimes: &'a [(u32, i64)],
    /// When the result is valid.
    pub window: Option<Quarter>,
}

/// The key of a result: the job and what it led to.
pub fn result_key(job: &Digest, facts: &ResultFacts<'_>) -> Digest {
    let mut key = KeyBuilder::new(RESULT_DOMAIN);
    key.field("job", &job.0);
    for input in facts.inputs {
        key.field("path", &input.path);
        key.field("digest", &input.digest.0);
    }
    for path in facts.exist {
        key.field("exists", path);
    }
    for state in facts.states {
        key.field("state", &state.to_le_bytes());
    }
    for (input, other) in facts.same {
        key.field("input", &input.to_le_bytes()).field("same as", &other.to_le_bytes());
    }
    for (input, seconds) in facts.mtimes {
        key.field("mtime", &input.to_le_bytes());
        key.field("seconds", &seconds.to_le_bytes());
    }
    if let Some(quarter) = facts.window {
        key.field("window", &quarter.0.to_le_bytes());
    }
    key.finish()
}
