//! A miss: what the client is to run, its report, private copies of the outputs, and the record of what the compile
//! depended on. The first answer is given in `drive.rs`; what takes time goes on when the client has gone.
use crate::backlog::Backlog;
use crate::built_in_folders::{Folders, told};
use crate::compiler_info_cache::BuiltInFolders;
use crate::detect::{Compiler, CompilerQuery};
use crate::inputs::{Compiled, Limits, Moment, NotStorable, Words, is_quiet, now};
use crate::outputs::{opened, present_outputs, read_from_start, says_something};
use crate::permits::{Deadline, Permit};
use crate::response_file;
use crate::routes::ask;
use crate::shared::Shared;
use crate::statistics::{self, NotStored};
use crate::storage_actor::{Copies, Seen, TakenIn};
use crate::subject::Subject;
use crate::writers::Writing;
use cachepot_engine::compiler::gnu;
use cachepot_engine::digest::Digest;
use cachepot_engine::job::{Discovery, Family, Language, Role};
use cachepot_storage::error::StoreError;
use cachepot_storage::local::{EntryMeta, Ingested};
use cachepot_wire::{Ending, Plan, Report};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

mod conclude;
mod copies;
mod narrow;
mod observed;
mod runs;

use narrow::Succeeded;
use runs::{Scratch, run_compiler, run_scan};

pub use observed::Observing;

/// How long it may take to get hold of the outputs.
const INGEST_LIMIT: Duration = Duration::from_secs(15);

/// How long recording a result may take; nobody waits for it.
const KEEP_LIMIT: Duration = Duration::from_secs(120);

/// A compile that the client runs.
pub struct Miss {
    shared: Arc<Shared>,
    subject: Arc<Subject>,
    call: Call,
    scan: Option<JoinHandle<Option<Vec<u8>>>>,
    /// The compiler's built-in folders, asked for beside the compile.
    folders: JoinHandle<Option<Folders>>,
    /// Those folders, once they are known.
    built_in: Folders,
    /// When the client was told, by the file system's clock and by ours.
    start: Moment,
    began: Instant,
}

/// What is known of a call when it turns out to be a miss.
pub struct Call {
    /// What the client is told.
    pub plan: Plan,
    /// `SOURCE_DATE_EPOCH` fixes date and time.
    pub date_is_fixed: bool,
    /// How long the look-up took.
    pub looked_up: Duration,
    /// When the request came, by the file system's clock.
    pub asked_at: Moment,
    /// The job's key.
    pub key: Digest,
    /// For the statistics.
    pub of: statistics::Subject,
    /// The compiler as the client runs it.
    pub query: CompilerQuery,
    /// The words of the call, response files expanded.
    pub words: Vec<OsString>,
    /// Who the compiler is.
    pub compiler: Arc<Compiler>,
    /// The places that the compile writes to.
    pub writing: Writing,
    /// What observes it, where that is how its inputs become known.
    pub observing: Option<Observing>,
}

/// A report whose outputs are in our hands.
struct Taken {
    meta: EntryMeta,
    outputs: Vec<(Role, bool, Ingested)>,
    compiled: Arc<Compiled>,
    /// The dependency file as it will be, where it was widened.
    narrowed: Option<Vec<u8>>,
    /// For outputs that are in memory because the disk does not take them.
    room: Option<Permit>,
    permit: Arc<Permit>,
}

fn not_storable(why: NotStorable) -> NotStored {
    match why {
        NotStorable::TooNew => NotStored::TooNew,
        NotStorable::Unreadable => NotStored::skipped("input unreadable"),
        NotStorable::Uses(what) => NotStored::Uses(what.to_owned()),
    }
}

impl Miss {
    /// Begins a miss; what helps to record it is asked for beside the compile, so that it sees the same files.
    pub fn new(shared: &Arc<Shared>, subject: Arc<Subject>, call: Call) -> Box<Self> {
        let (start, began) = (now(), Instant::now());
        let query = || call.query.clone();
        let scan = matches!(subject.job.discovery, Discovery::UserFileAndScan(_)).then(|| {
            let (driver, words) = (subject.driver.clone(), call.words.clone());
            let line = move |file: &Path| gnu::dependency_scan(&driver, &words, file);
            actix::spawn(run_scan(Arc::clone(shared), query(), subject.job.source.clone(), line))
        });
        let compiler = Arc::clone(&call.compiler);
        let folders =
            actix::spawn(built_in_folders(Arc::clone(shared), query(), compiler, Arc::clone(&subject)));
        Box::new(Miss {
            shared: Arc::clone(shared),
            subject,
            call,
            scan,
            folders,
            built_in: Folders::default(),
            start,
            began,
        })
    }

    /// The job's key.
    #[cfg(test)]
    pub(crate) fn job(&self) -> Digest {
        self.call.key
    }

    /// What the client is told.
    pub fn plan(&mut self) -> &mut Plan {
        &mut self.call.plan
    }

    /// Takes the client's report. When this returns, the outputs are the build's alone; the rest goes on behind.
    /// A client that no longer waits by then may have let the build change them already: such copies are not kept.
    /// The value is the text for a dependency file that was widened.
    pub async fn report(
        mut self: Box<Self>,
        report: Report,
        descriptors: Vec<OwnedFd>,
        waits: impl Fn() -> bool,
    ) -> Option<Vec<u8>> {
        let succeeded = report.ending == Ending::Exited(0);
        statistics::compiled(&self.shared.stats, succeeded, self.began.elapsed());
        if !succeeded {
            return self.narrowed_after_failure(&report, descriptors, Deadline::after(INGEST_LIMIT)).await;
        }
        statistics::miss(&self.shared.stats, self.call.of, self.call.looked_up);
        let mut text = None;
        let mut taken = self.take_in(report, descriptors, &mut text).await;
        // A result that is not kept has a dependency file, too.
        let narrowed = match (&mut taken, text) {
            (Ok((taken, _)), _) => taken.narrowed.take(),
            (Err(_), Some(text)) if self.is_widened() => {
                self.narrowed_by_compiler(&text, Succeeded(true)).await
            }
            _ => None,
        };
        let was_alone = self.call.writing.end();
        match taken {
            Ok(_) if !was_alone => {
                statistics::not_stored(
                    &self.shared.stats,
                    &NotStored::skipped("another compile wrote to the same file"),
                );
            }
            Ok(_) if !waits() => {
                statistics::not_stored(&self.shared.stats, &NotStored::skipped("client gone"))
            }
            Ok(taken) => {
                // Where recording takes long; not in memory, for the remotes alone, where it takes the place of others.
                let is_long = matches!(taken.1, Seen::InPart(_)) || taken.0.compiled.watched.is_some();
                let may_wait = is_long && taken.0.room.is_none();
                let held = may_wait.then(|| taken.0.held(&taken.1));
                // Before the client goes on, and the build asks for this one.
                let entered = Backlog::enter(&self.shared, self.call.key, held);
                let ended = now();
                actix::spawn(async move { self.keep(taken, entered, ended).await });
            }
            Err(why) => statistics::not_stored(&self.shared.stats, &why),
        }
        narrowed
    }

    /// Takes copies of the outputs and looks at the inputs. `text` becomes what the compiler wrote into the dependency
    /// file, also where the rest fails.
    async fn take_in(
        &mut self,
        report: Report,
        descriptors: Vec<OwnedFd>,
        text: &mut Option<Vec<u8>>,
    ) -> Result<(Taken, Seen), NotStored> {
        let mut opened = opened(&report, descriptors)?;
        let private = opened.split_off(self.subject.job.outputs.len().min(opened.len()));
        let (roles, files) =
            present_outputs(&self.subject.job.outputs, opened, self.start, &self.call.query.cwd)?;
        let (dependencies, trace) = self.found_headers(&roles, &files, private);
        text.clone_from(&dependencies);
        if report.cut {
            return Err(NotStored::skipped("messages too long"));
        }
        let permit = Arc::clone(&self.shared.permits.recording).try_acquire_owned();
        let permit = permit.map_err(|_| NotStored::skipped("too many results at once"))?;
        let deadline = Deadline::after(INGEST_LIMIT);
        let has_messages = says_something(&report);
        let compiled = self.compiled((dependencies.as_deref(), trace), has_messages, deadline).await?;
        let (compiled, permit) = (Arc::new(compiled), Arc::new(permit));
        let TakenIn { seen, system, copies: Copies { outputs: copies, room } } =
            self.seen_and_copied(&compiled, files, deadline).await?;
        let outputs =
            roles.into_iter().zip(copies).map(|((role, executable), copy)| (role, executable, copy));
        let mut outputs: Vec<_> = outputs.collect();
        let known = system.as_deref().map(|system| (&*compiled, system));
        let narrowed = self.narrow_copy(&mut outputs, text.as_deref(), known).await?;
        let meta = EntryMeta { status: 0, stdout: report.stdout, stderr: report.stderr };
        Ok((Taken { meta, outputs, compiled, narrowed, room, permit }, seen))
    }

    /// What to look at, before the client goes on: whatever the build does then must not be taken for the
    /// state in which the compiler saw its files.
    async fn compiled(
        &mut self,
        (dependencies, trace): (Option<&[u8]>, Option<Vec<u8>>),
        has_messages: bool,
        deadline: Deadline,
    ) -> Result<Compiled, NotStored> {
        let trace = match &mut self.scan {
            Some(scan) => tokio::time::timeout(deadline.left(), scan)
                .await
                .map_err(NotStored::skipped)?
                .map_err(NotStored::skipped)?,
            None => trace,
        };
        let (folders, brought) = self.folders(deadline).await?;
        let job = &self.subject.job;
        // The compiler has read the response files after us.
        let words = response_file::expand(&job.argv, &self.call.query.cwd, self.subject.driver.family);
        if !words.is_ok_and(|words| words == self.call.words) {
            return Err(NotStored::TooNew);
        }
        // What its driver found may have come after the key was made.
        let memory = &self.shared.memory;
        if self.subject.probed(memory).is_some() && self.subject.key(memory) != self.call.key {
            return Err(NotStored::TooNew);
        }
        if let Some(observing) = &self.call.observing {
            return observing
                .compiled((&self.subject, &self.call), self.start, dependencies, has_messages)
                .await;
        }
        let inputs = gnu::inputs(job, dependencies, trace.as_deref());
        Ok(Compiled {
            inputs: inputs.map_err(|reason| NotStored::Uses(reason.0))?,
            folders,
            brought,
            words: Words::of(job),
            reads_maps: self.subject.driver.family == Family::Clang,
            key_files: job.key_files.clone(),
            limits: self.limits(has_messages),
            sides: self.sides(),
            watched: None,
            bases: job.bases.clone(),
            asked: self.call.asked_at,
            start: self.start,
        })
    }

    /// What the texts must not use. gcc quotes lines in its messages, and in an assembler text that is to be verbose; clang
    /// quotes the text that it has.
    fn limits(&self, has_messages: bool) -> Limits {
        let Subject { job, driver, .. } = &*self.subject;
        let is_verbose = || job.key_words.iter().any(|word| word == "-fverbose-asm");
        Limits {
            quotes: driver.family == Family::Gcc && (has_messages || is_verbose()),
            is_anywhere: job.key_directory.is_none(),
            is_preprocessed: matches!(job.discovery, Discovery::SourceOnly | Discovery::Trace)
                && job.language != Language::Assembler,
        }
    }

    /// The texts in which the compiler named its headers.
    fn found_headers(
        &self,
        roles: &[(Role, bool)],
        files: &[File],
        private: Vec<Option<File>>,
    ) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        let users =
            roles.iter().zip(files).find(|((role, _), _)| *role == Role::Dependencies).map(|(_, file)| file);
        let private = private.into_iter().next().flatten();
        let text = |file: &File| read_from_start(file).ok();
        match &self.subject.job.discovery {
            Discovery::SourceOnly => (None, None),
            Discovery::Observed
            | Discovery::UserFile(_)
            | Discovery::UserFileAndScan(_)
            | Discovery::Widened(_) => (users.and_then(text), None),
            Discovery::PrivateFile => (private.as_ref().and_then(text), None),
            Discovery::Trace => (None, private.as_ref().and_then(text)),
        }
    }

    /// Every folder in which the compiler may have searched, and those of them that it knows by itself and nobody changes.
    async fn folders(&mut self, deadline: Deadline) -> Result<(Vec<Vec<u8>>, Vec<Vec<u8>>), NotStored> {
        let built_in =
            tokio::time::timeout(deadline.left(), &mut self.folders).await.map_err(NotStored::skipped)?;
        let built_in = built_in
            .map_err(NotStored::skipped)?
            .ok_or_else(|| NotStored::skipped("search folders unknown"))?;
        let given =
            self.subject.job.search.folders.iter().map(|folder| folder.as_os_str().as_bytes().to_vec());
        // The compiler tells nothing of those that are no folders just now.
        let lists = self
            .subject
            .variables
            .iter()
            .filter(|(name, _)| name.to_str().is_some_and(|name| gnu::FOLDER_VARIABLES.contains(&name)));
        let named = lists.flat_map(|(_, value)| std::env::split_paths(value));
        let named: Vec<Vec<u8>> = named.map(|folder| folder.into_os_string().into_vec()).collect();
        self.built_in = built_in;
        let is_brought = |folder: &&Vec<u8>| !named.contains(folder) && is_quiet(folder, self.start);
        let brought = self.built_in.iter().filter(is_brought).cloned().collect();
        Ok((given.chain(self.built_in.iter().cloned()).chain(named).collect(), brought))
    }
}

impl Drop for Miss {
    /// Ends what was begun beside the compile, however the story ends: also when the client is gone.
    fn drop(&mut self) {
        self.folders.abort();
        if let Some(scan) = &self.scan {
            scan.abort();
        }
    }
}

/// The folders in which the compiler searches by itself; `None` where it does not tell.
async fn built_in_folders(
    shared: Arc<Shared>,
    query: CompilerQuery,
    compiler: Arc<Compiler>,
    subject: Arc<Subject>,
) -> Option<Folders> {
    let job = &subject.job;
    if matches!(job.discovery, Discovery::SourceOnly | Discovery::Observed) {
        return Some(Arc::default());
    }
    let (language, words) = (gnu::language_word(job.language), job.search.probe_words.clone());
    if let Some(folders) = compiler.kind.as_ref().ok().and_then(|known| told(&query, known, language, &words))
    {
        return Some(folders);
    }
    let probed = subject.probed(&shared.memory);
    let (identity, memory) = (subject.identity, Arc::clone(&shared.memory));
    let stands = Box::new(move || subject.probed(&memory) == probed);
    let message = BuiltInFolders { query, compiler, identity, language, words, probed, stands };
    ask(shared.routes().compilers.as_ref(), message, Deadline::after(INGEST_LIMIT)).await.ok()?
}

fn flat<T>(result: Result<T, StoreError>) -> Result<T, NotStored> {
    result.map_err(|error| {
        tracing::warn!(%error, "result not stored");
        NotStored::StoreFailed
    })
}
