//! What a look-up is about: a job with everything that its key is made from.
use crate::inputs::{Memory, Place, Stamp, Young, probed, stat};
use cachepot_engine::compiler::gnu;
use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::job::{Discovery, Driver, Job, Language};
use cachepot_engine::key::{JobFacts, job_key};
use cachepot_wire::EnvBlock;
use cachepot_wire::fd::own_uid;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A job with everything its key is made from, except what lies in files.
pub struct Subject {
    /// The job.
    pub job: Box<Job>,
    /// The compiler's identity.
    pub identity: Digest,
    /// What it says of itself.
    pub driver: Driver,
    /// The variables that enter the key, by name.
    pub variables: Vec<(OsString, OsString)>,
    /// The client's `PWD`.
    pub pwd: Option<OsString>,
    /// The client's working directory.
    pub place: Place,
    /// The client's environment, where a compile is observed: what it reads of it decides, too.
    pub env: EnvBlock,
    /// Where files may be that are as young as the request.
    pub young: Young,
}

impl Subject {
    /// Whether files have to be read before the compile, for the key or because they may be young: work for a Hasher.
    pub fn takes_files(&self) -> bool {
        !self.job.key_files.is_empty()
            || self.job.discovery == Discovery::Observed
            || !gnu::probed_roots(&self.driver, &self.job).is_empty()
    }

    /// The job's key. Reads the files that belong to it, where there are any.
    pub fn key(&self, memory: &Memory) -> Digest {
        let digest = |path: &PathBuf| {
            let path = memory.paths.intern(path.as_os_str().as_bytes())?;
            memory.files.digest(&self.place, &path).map(|known| known.digest)
        };
        let mut key_files: Vec<Option<Digest>> = self.job.key_files.iter().map(digest).collect();
        key_files.extend(self.probed(memory).map(Some));
        let variables: Vec<_> = self.variables.iter().map(|(n, v)| (n.as_os_str(), v.as_os_str())).collect();
        job_key(&JobFacts {
            identity: self.identity,
            driver: &self.driver,
            job: &self.job,
            variables: &variables,
            key_files: &key_files,
            cpu: self.job.native_cpu.then(|| match self.job.language {
                Language::BuildScript => machine(),
                _ => processor(),
            }),
            pwd_leads_here: self.job.key_directory.is_some()
                && pwd_leads_here(self.pwd.as_deref(), &self.place),
        })
    }

    /// What the compiler's driver finds where it looks for installations; `None` where it looks nowhere else than at home.
    pub fn probed(&self, memory: &Memory) -> Option<Digest> {
        let roots = gnu::probed_roots(&self.driver, &self.job);
        (!roots.is_empty()).then(|| probed(memory, &self.place, &roots))
    }
}

/// Whether `PWD` leads to the working directory. Only then do gcc and clang write it down (libiberty's `getpwd`,
/// LLVM's `current_path`); its text alone does not tell.
pub(crate) fn pwd_leads_here(pwd: Option<&OsStr>, place: &Place) -> bool {
    let pwd = pwd.map(OsStr::as_bytes).filter(|pwd| pwd.starts_with(b"/"));
    let identity = |path: &CStr| stat(place, path).ok().map(|stat| Stamp::of(&stat).identity());
    let named = pwd.and_then(|pwd| CString::new(pwd).ok()).and_then(|pwd| identity(&pwd));
    named.is_some() && named == identity(c".")
}

/// Names this machine: what any program may ask it, unseen.
fn machine() -> Digest {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    *DIGEST.get_or_init(|| {
        let mut key = KeyBuilder::new("cachepot machine 1");
        key.field("processor", &processor().0).field("cores", &crate::cores().to_le_bytes());
        key.field("user", &own_uid().to_le_bytes());
        for name in ["hostname", "osrelease", "version"] {
            let text = std::fs::read(Path::new("/proc/sys/kernel").join(name));
            key.field(name, &text.unwrap_or_default());
        }
        key.finish()
    })
}

/// Names this machine's processor: what `-march=native` looks at.
fn processor() -> Digest {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    *DIGEST.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        // Lines that change from moment to moment (`cpu MHz`) or from core to core stay out.
        let kept =
            ["vendor_id", "cpu family", "model", "stepping", "flags", "cache size", "Features", "CPU "];
        let first = text.lines().take_while(|line| !line.is_empty());
        let lines: Vec<&str> =
            first.filter(|line| kept.iter().any(|start| line.starts_with(start))).collect();
        Digest::of(lines.join("\n").as_bytes())
    })
}
