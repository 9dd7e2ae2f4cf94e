//! A miss that is observed while it runs.
use super::{Call, Compiled, NotStored};
use crate::detect::Compiler;
use crate::inputs::{Early, Limits, Moment, Watched, Words};
use crate::observer::Log;
use crate::shared::Shared;
use crate::subject::Subject;
use cachepot_engine::compiler::build_script;
use cachepot_engine::compiler::rustc::depinfo::{self, DepInfo};
use cachepot_engine::compiler::rustc::{self, INDIFFERENT_VARIABLES, crates};
use cachepot_engine::job::Language;
use cachepot_engine::observed::Distrust;
use cachepot_wire::{CompileRequest, Plan};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is needed to read an observed compile.
pub struct Observing {
    log: Arc<Log>,
    observer: PathBuf,
    early: Arc<Early>,
}

impl Observing {
    /// Prepares a compile to be observed, and says what the client is to run; `None` where it cannot be.
    pub fn begin(
        shared: &Shared,
        subject: &Subject,
        request: &CompileRequest,
        early: Early,
    ) -> Option<(Plan, Observing)> {
        let observer = shared.observer.file()?;
        let log = shared.observer.log();
        let log = log.inspect_err(|error| tracing::warn!(%error, "cannot make a log")).ok()?;
        let mut plan = match subject.job.language {
            Language::BuildScript => build_script::plan(&subject.job),
            _ => rustc::plan(&subject.job, request),
        };
        plan.env.extend(log.variables(&observer, request.env.get("LD_PRELOAD")));
        Some((plan, Observing { log, observer, early: Arc::new(early) }))
    }

    /// What to look at after the compile, with the text of its dep-info where it wrote one; `has_messages`: it has printed some.
    pub(super) async fn compiled(
        &self,
        (subject, call): (&Subject, &Call),
        start: Moment,
        dependencies: Option<&[u8]>,
        has_messages: bool,
    ) -> Result<Compiled, NotStored> {
        let job = &subject.job;
        let absolute = |path: &Path| tidy(call.query.cwd.join(path).as_os_str().as_bytes());
        let outputs: Vec<Vec<u8>> = job.outputs.iter().map(|output| absolute(&output.path)).collect();
        let (log, written) = (Arc::clone(&self.log), outputs.clone());
        let read = move || log.read(&names_of_folders(&written));
        let seen = tokio::task::spawn_blocking(read).await.map_err(NotStored::skipped)?;
        let seen = seen.map_err(|why| {
            tracing::debug!(%why, "the compile cannot be followed");
            NotStored::Uses(reason(&why).to_owned())
        })?;
        let within = match job.language {
            // What nested compiles are told to write for us goes into our own folder.
            Language::BuildScript => {
                let packed = job.outputs.first().and_then(|output| output.path.parent());
                build_script::out_dir(&call.query.env).into_iter().chain(packed).map(absolute).collect()
            }
            _ => Vec::new(),
        };
        // Without a dep-info nobody knows whether the crate itself reads them.
        let any =
            || INDIFFERENT_VARIABLES.iter().chain(&["PATH"]).map(|name| name.as_bytes().to_vec()).collect();
        let names = |info: DepInfo| info.variables.into_iter().map(|(name, _)| name.into_vec()).collect();
        let linked = job.outputs.iter().filter(|output| output.role.is_linked());
        let watched = Watched {
            seen: Arc::new(seen),
            early: Arc::clone(&self.early),
            covered: covered(&call.compiler),
            folders: crates(job).folders.into_iter().map(|(holds, path)| (holds, absolute(&path))).collect(),
            outputs,
            linked: linked.map(|output| absolute(&output.path)).collect(),
            within,
            observer: tidy(self.observer.as_os_str().as_bytes()),
            env: call.query.env.clone(),
            message_width: has_messages.then(|| job.message_width.clone().map(OsString::into_vec)),
            variables: match job.language {
                // All are in the key that may count.
                Language::BuildScript => Vec::new(),
                _ => dependencies.and_then(depinfo::read).map_or_else(any, names),
            },
        };
        Ok(Compiled {
            inputs: vec![call.query.cwd.join(&job.source)],
            folders: Vec::new(),
            brought: Vec::new(),
            words: Words::default(),
            reads_maps: false,
            key_files: job.key_files.clone(),
            limits: Limits::default(),
            sides: None,
            watched: Some(watched),
            bases: job.bases.clone(),
            asked: call.asked_at,
            start,
        })
    }
}

fn covered(compiler: &Compiler) -> Arc<std::collections::HashSet<Vec<u8>>> {
    compiler.kind.as_ref().map(|known| Arc::clone(&known.covered)).unwrap_or_default()
}

/// The folders in which files were written, as [`cachepot_engine::observed::Names`] has them.
fn names_of_folders(files: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let folders: BTreeSet<&Path> =
        files.iter().filter_map(|file| Path::new(OsStr::from_bytes(file)).parent()).collect();
    let names = folders.into_iter().filter_map(|folder| {
        let real = folder.canonicalize().ok()?;
        Some((real.into_os_string().into_vec(), folder.as_os_str().as_bytes().to_vec()))
    });
    names.filter(|(real, spelled)| real != spelled).collect()
}

/// Without `.` and doubled slashes, as paths stand in a log.
fn tidy(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.fold(Vec::with_capacity(path.len()), |mut tidy, part| {
        tidy.push(b'/');
        tidy.extend_from_slice(part);
        tidy
    })
}

/// The text in the statistics, where not every program can have a row of its own.
fn reason(why: &Distrust) -> &'static str {
    match why {
        Distrust::Damaged | Distrust::Version | Distrust::Incomplete => "the observer's log is not whole",
        Distrust::FromCache => "a compile inside came from the cache",
        Distrust::NoStart => "the compiler could not be observed",
        Distrust::Silent(_) | Distrust::Unexplained(_) | Distrust::Relative(_) => {
            "a program that could not be observed"
        }
        Distrust::Network(_) => "the network",
        Distrust::Clock => "the time of day",
        Distrust::Opaque(_) => "a call that cannot be followed",
        Distrust::Failed { .. } => "a file that could not be looked at",
        Distrust::Moved(_) => "removes files",
    }
}
