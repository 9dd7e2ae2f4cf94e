//! The story of one request: a plain async function over `Routes`.
//!
//! compiler → command line → look-up (hop 1) → entry (hop 2) → hit; or a plan, the client's report, private copies
//! of the outputs, `Stored`; what the compile depended on is looked at when the client has gone.
use crate::compiler_info_cache::{BuiltInFolders, Identify};
use crate::detect::{Compiler, CompilerQuery, Known};
use crate::hasher::{FindResult, LookUp, Observe, Subject};
use crate::inputs::{Compiled, Moment, NotStorable, Observed, Place, now};
use crate::outputs::{opened, present_outputs, read_from_start, words_say};
use crate::permits::{Deadline, Permit};
use crate::program;
use crate::routes::ask;
use crate::shared::Shared;
use crate::statistics::{self, NotStored};
use crate::storage_actor::{Ingest, Keep, OpenEntry};
use cachepot_engine::compiler::gnu;
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::Body;
use cachepot_engine::job::{Discovery, Driver, Job, Parsed, Role};
use cachepot_engine::options::response;
use cachepot_engine::scan::TimeMacros;
use cachepot_engine::stats::Stat;
use cachepot_storage::error::StoreError;
use cachepot_storage::local::{EntryMeta, Fetched, Ingested};
use cachepot_wire::{CompileRequest, Ending, HitReply, OutputBody, PlacedOutput, Plan, Report};
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the first answer may take before the client compiles by itself: less than the client's patience
/// (`SILENCE` in its `connect.rs`). A compiler that takes longer to say who it is goes on doing so for the next ones.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);
/// How long it may take to get hold of the outputs.
const INGEST_LIMIT: Duration = Duration::from_secs(15);

/// How long recording a result may take; nobody waits for it.
const KEEP_LIMIT: Duration = Duration::from_secs(120);

/// What a request comes to.
pub enum Outcome {
    /// Run the compiler as if there were no cache.
    Yours,
    /// A result.
    Hit(HitReply, Vec<File>),
    /// A compile that the client is to run; goes on with [`Miss::report`].
    Miss(Box<Miss>),
}

/// A compile that the client runs.
pub struct Miss {
    shared: Arc<Shared>,
    subject: Arc<Subject>,
    query: CompilerQuery,
    key: Digest,
    /// What the client is told.
    pub plan: Plan,
    words: Vec<OsString>,
    scan: Option<tokio::task::JoinHandle<Option<Vec<u8>>>>,
    /// The compiler's built-in folders, asked for beside the compile.
    folders: tokio::task::JoinHandle<Option<Arc<Vec<Vec<u8>>>>>,
    of: statistics::Subject,
    looked_up: Duration,
    asked_at: Moment,
    start: Moment,
    compiler: Arc<Compiler>,
    began: Instant,
    date_is_fixed: bool,
}

/// Works on a request up to the first answer.
pub async fn compile(shared: &Arc<Shared>, request: CompileRequest, scratch: PathBuf) -> Outcome {
    let (asked, asked_at) = (Instant::now(), now());
    let deadline = Deadline::after(ANSWER_LIMIT);
    shared.stats.bump(Stat::CompileRequests);
    let Some((query, compiler)) = identify(shared, &request, deadline).await else {
        statistics::not_cacheable(&shared.stats, "compiler not found");
        return Outcome::Yours;
    };
    let known = match &compiler.kind {
        Ok(known) => known,
        Err(reason) => {
            tracing::debug!(reason, compiler = %query.program.display(), "unsupported compiler");
            shared.stats.bump(Stat::RequestsUnsupportedCompiler);
            return Outcome::Yours;
        }
    };
    let Some((job, words)) = parse(shared, &request, known) else { return Outcome::Yours };
    let Ok(place) = Place::open(&request.cwd) else {
        statistics::not_cacheable(&shared.stats, "working directory");
        return Outcome::Yours;
    };
    shared.stats.bump(Stat::RequestsExecuted);
    let subject = Arc::new(Subject {
        variables: variables(&request),
        identity: known.identity,
        driver: known.driver.clone(),
        pwd: request.env.get("PWD").map(ToOwned::to_owned),
        job,
        place,
    });
    let recache = request.env.get("CACHEPOT_RECACHE").is_some();
    match find(shared, &subject, recache, deadline).await {
        Some(Found::Hit(opened)) => {
            let (reply, blobs) = hit(&subject.job, opened);
            let of =
                statistics::Subject { language: subject.job.language.name(), compiler: known.family_name() };
            statistics::hit(&shared.stats, of, asked.elapsed());
            Outcome::Hit(reply, blobs)
        }
        Some(Found::Nothing(key)) => {
            if recache {
                shared.stats.bump(Stat::ForcedRecaches);
            }
            let plan = gnu::plan(&subject.job, &subject.driver, &scratch, &request);
            let date_is_fixed = gnu::date_is_fixed(&subject.driver, &request.env);
            let of =
                statistics::Subject { language: subject.job.language.name(), compiler: known.family_name() };
            let (shared, looked_up, start, began) =
                (Arc::clone(shared), asked.elapsed(), now(), Instant::now());
            let scan = matches!(subject.job.discovery, Discovery::UserFileAndScan(_)).then(|| {
                // Beside the compile, so that it sees the same files.
                actix::spawn(run_scan(
                    Arc::clone(&shared),
                    query.clone(),
                    subject.driver.clone(),
                    words.clone(),
                ))
            });
            let folders =
                actix::spawn(built_in_folders(Arc::clone(&shared), query.clone(), Arc::clone(&subject)));
            Outcome::Miss(Box::new(Miss {
                shared,
                subject,
                query,
                key,
                plan,
                words,
                scan,
                folders,
                of,
                looked_up,
                asked_at,
                start,
                began,
                date_is_fixed,
                compiler,
            }))
        }
        None => Outcome::Yours,
    }
}

/// Finds the compiler and who it is; the published snapshot answers without a message.
async fn identify(
    shared: &Shared,
    request: &CompileRequest,
    deadline: Deadline,
) -> Option<(CompilerQuery, Arc<Compiler>)> {
    let name = request.argv.first()?;
    let program = program::find(name, request)?;
    // Not the name as typed: gcc looks for its parts near the first program of that name in PATH, which may be us.
    let name = program.clone().into_os_string();
    let query = CompilerQuery { program, name, env: request.env.clone(), cwd: request.cwd.clone() };
    let known = shared.compilers.borrow().get(&query.key()).cloned();
    if let Some(known) = known.filter(|known| known.is_current()) {
        return Some((query, known));
    }
    let routes = shared.routes();
    let found = ask(routes.compilers.as_ref(), Identify(query.clone()), deadline).await;
    found.ok().map(|found| (query, found))
}

fn parse(shared: &Shared, request: &CompileRequest, known: &Known) -> Option<(Box<Job>, Vec<OsString>)> {
    let read = &mut |name: &std::ffi::OsStr| std::fs::read(request.cwd.join(name)).ok();
    let words = match response::expand(&request.argv, read) {
        Ok(words) => words,
        Err(reason) => {
            statistics::not_cacheable(&shared.stats, &reason.0);
            return None;
        }
    };
    match gnu::parse(request, &known.driver, &words) {
        Parsed::Compile(job) => Some((job, words.into_owned())),
        Parsed::NotCacheable(reason) => {
            statistics::not_cacheable(&shared.stats, &reason.0);
            None
        }
        Parsed::NotACompile => {
            shared.stats.bump(Stat::RequestsNotCompile);
            None
        }
    }
}

fn variables(request: &CompileRequest) -> Vec<(OsString, OsString)> {
    let wanted = |name: &std::ffi::OsStr| {
        name.to_str().is_some_and(|name| gnu::KEY_VARIABLES.binary_search(&name).is_ok())
    };
    let mut found: Vec<_> = request
        .env
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect();
    found.sort();
    found
}

enum Found {
    Hit(Fetched),
    Nothing(Digest),
}

async fn find(shared: &Shared, subject: &Arc<Subject>, recache: bool, deadline: Deadline) -> Option<Found> {
    let routes = shared.routes();
    let permit = Arc::clone(&shared.permits.hashing).acquire_owned().await.ok()?;
    let message = FindResult { subject: Arc::clone(subject), recache, deadline, permit };
    let key = match ask(routes.hashers.as_ref(), message, deadline).await {
        Ok(Ok(LookUp::Found(key))) => key,
        Ok(Ok(LookUp::Unknown(key))) => return Some(Found::Nothing(key)),
        Ok(Ok(LookUp::Expired)) | Err(_) => {
            shared.stats.bump(Stat::CacheTimeouts);
            return None;
        }
        Ok(Err(_)) => return None,
    };
    let permit = Arc::clone(&shared.permits.local_store).acquire_owned().await.ok()?;
    match ask(routes.local_store.as_ref(), OpenEntry { key, deadline, permit }, deadline).await {
        Ok(Ok(Ok(Some(opened)))) => Some(Found::Hit(opened)),
        Ok(Ok(Ok(None) | Err(_))) => {
            // A record without its entry: made anew under the same job.
            shared.stats.bump(Stat::CacheReadErrors);
            retry_as_miss(shared, subject, deadline).await
        }
        Ok(Err(_)) | Err(_) => None,
    }
}

async fn retry_as_miss(shared: &Shared, subject: &Arc<Subject>, deadline: Deadline) -> Option<Found> {
    let permit = Arc::clone(&shared.permits.hashing).acquire_owned().await.ok()?;
    let message = FindResult { subject: Arc::clone(subject), recache: true, deadline, permit };
    match ask(shared.routes().hashers.as_ref(), message, deadline).await {
        Ok(Ok(LookUp::Unknown(key))) => Some(Found::Nothing(key)),
        _ => None,
    }
}

fn hit(job: &Job, opened: Fetched) -> (HitReply, Vec<File>) {
    let outputs = opened.entry.outputs.iter().filter_map(|stored| {
        let output = job.outputs.iter().find(|output| output.role == stored.role)?;
        Some(PlacedOutput {
            path: output.path.clone(),
            executable: stored.executable,
            in_place: output.in_place,
            body: match &stored.body {
                Body::Inline(bytes) => OutputBody::Inline(bytes.clone()),
                Body::Blob { size, .. } => OutputBody::Descriptor(*size),
            },
        })
    });
    let reply = HitReply {
        status: opened.entry.status,
        stdout: opened.entry.stdout.clone(),
        stderr: opened.entry.stderr.clone(),
        outputs: outputs.collect(),
        notice: String::new(),
    };
    (reply, opened.blobs)
}

impl Miss {
    /// Takes the client's report. When this returns, the outputs are the build's alone; the rest goes on behind.
    /// A client that no longer waits by then may have let the build change them already: such copies are not kept.
    pub async fn report(
        mut self: Box<Self>,
        report: Report,
        descriptors: Vec<OwnedFd>,
        waits: impl Fn() -> bool,
    ) {
        let succeeded = report.ending == Ending::Exited(0);
        statistics::compiled(&self.shared.stats, succeeded, self.began.elapsed());
        if !succeeded {
            return self.give_up();
        }
        statistics::miss(&self.shared.stats, self.of, self.looked_up);
        match self.take_in(report, descriptors).await {
            Ok(_) if !waits() => statistics::not_stored(&self.shared.stats, &skipped("client gone")),
            Ok(taken) => {
                actix::spawn(async move { self.keep(taken).await });
            }
            Err(why) => statistics::not_stored(&self.shared.stats, &why),
        }
    }
}

/// A report whose outputs are in our hands.
struct Taken {
    meta: EntryMeta,
    outputs: Vec<(Role, bool, Ingested)>,
    compiled: Compiled,
    observed: Observed,
    permit: Arc<Permit>,
}

/// Why a result is not kept, where an actor gave no answer.
pub(crate) fn skipped(error: impl std::fmt::Display) -> NotStored {
    NotStored::Skipped(error.to_string())
}

fn not_storable(why: NotStorable) -> NotStored {
    match why {
        NotStorable::TooNew => NotStored::TooNew,
        NotStorable::Unreadable => skipped("input unreadable"),
        NotStorable::Uses(what) => NotStored::Uses(what.to_owned()),
    }
}

impl Miss {
    /// Ends what was begun beside the compile.
    fn give_up(&mut self) {
        if let Some(scan) = self.scan.take() {
            scan.abort();
        }
    }

    async fn take_in(&mut self, report: Report, descriptors: Vec<OwnedFd>) -> Result<Taken, NotStored> {
        if report.cut {
            return Err(skipped("messages too long"));
        }
        let permit = Arc::clone(&self.shared.permits.recording).try_acquire_owned();
        let permit = permit.map_err(|_| skipped("too many results at once"))?;
        let mut opened = opened(&report, descriptors)?;
        let private = opened.split_off(self.subject.job.outputs.len().min(opened.len()));
        let (roles, files) = present_outputs(&self.subject.job.outputs, opened, self.start)?;
        let (dependencies, trace) = self.found_headers(&roles, &files, private);
        let deadline = Deadline::after(INGEST_LIMIT);
        let compiled = self.compiled(dependencies.as_deref(), trace, deadline).await?;
        let permit = Arc::new(permit);
        let observed = self.observe(&compiled, &permit, deadline).await?;
        let message = Ingest { files, permit: self.local_permit().await? };
        let copies = ask(self.shared.routes().local_store.as_ref(), message, deadline).await;
        let copies = flat(copies.map_err(skipped)?.map_err(skipped)?)?;
        let outputs =
            roles.into_iter().zip(copies).map(|((role, executable), copy)| (role, executable, copy));
        let meta = EntryMeta { status: 0, stdout: report.stdout, stderr: report.stderr };
        Ok(Taken { meta, outputs: outputs.collect(), compiled, observed, permit })
    }

    /// What to look at, before the client goes on: whatever the build does then must not be taken for the
    /// state in which the compiler saw its files.
    async fn compiled(
        &mut self,
        dependencies: Option<&[u8]>,
        trace: Option<Vec<u8>>,
        deadline: Deadline,
    ) -> Result<Compiled, NotStored> {
        let trace = match self.scan.take() {
            Some(scan) => {
                tokio::time::timeout(deadline.left(), scan).await.map_err(skipped)?.map_err(skipped)?
            }
            None => trace,
        };
        let folders = self.folders(deadline).await?;
        let job = &self.subject.job;
        let inputs = gnu::inputs(job, dependencies, trace.as_deref());
        Ok(Compiled {
            inputs: inputs.map_err(|reason| NotStored::Uses(reason.0))?,
            folders,
            words: words_say(job),
            key_files: job.key_files.clone(),
            asked: self.asked_at,
            start: self.start,
        })
    }

    async fn observe(
        &self,
        compiled: &Compiled,
        permit: &Arc<Permit>,
        deadline: Deadline,
    ) -> Result<Observed, NotStored> {
        let (subject, compiled) = (Arc::clone(&self.subject), compiled.clone());
        let message = Observe { subject, compiled, permit: Arc::clone(permit) };
        let observed = ask(self.shared.routes().hashers.as_ref(), message, deadline).await;
        observed.map_err(skipped)?.map_err(skipped)?.map_err(not_storable)
    }

    async fn local_permit(&self) -> Result<Permit, NotStored> {
        Arc::clone(&self.shared.permits.local_store).acquire_owned().await.map_err(skipped)
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
            Discovery::UserFile(_) => (users.and_then(text), None),
            Discovery::PrivateFile => (private.as_ref().and_then(text), None),
            Discovery::UserFileAndScan(_) => (users.and_then(text), None),
            Discovery::Trace => (None, private.as_ref().and_then(text)),
        }
    }

    async fn keep(self: Box<Self>, taken: Taken) {
        let began = Instant::now();
        match self.conclude(taken).await {
            Ok(()) => statistics::written(&self.shared.stats, began.elapsed()),
            Err(why) => statistics::not_stored(&self.shared.stats, &why),
        }
    }

    async fn conclude(&self, taken: Taken) -> Result<(), NotStored> {
        let deadline = Deadline::after(KEEP_LIMIT);
        let Taken { meta, outputs, compiled, observed, permit } = taken;
        // The result bears the name of the compiler that was found: it must be the one that ran.
        if !self.compiler.is_current() {
            return Err(NotStored::TooNew);
        }
        let mut used = TimeMacros::default();
        if observed.may_use.any() {
            used = self.time_macros_used().await?;
            // The preprocessed text must speak of the same files.
            if self.observe(&compiled, &permit, deadline).await? != observed {
                return Err(NotStored::TooNew);
            }
        }
        let conditions = observed.conditions(used, self.date_is_fixed, self.start).map_err(not_storable)?;
        let message = Keep { job: self.key, meta, outputs, observed, conditions, permit };
        let kept =
            ask(self.shared.routes().local_store.as_ref(), message, deadline).await.map_err(skipped)?;
        flat(kept.map_err(skipped)?)
    }

    async fn time_macros_used(&self) -> Result<TimeMacros, NotStored> {
        let words = gnu::preprocessing(&self.subject.driver, &self.words);
        let answer = run_compiler(&self.shared, &self.query, &words).await;
        let text = answer.ok_or_else(|| skipped("preprocessor failed"))?;
        Ok(TimeMacros::in_preprocessed(&text))
    }

    /// Every folder in which the compiler may have searched.
    async fn folders(&mut self, deadline: Deadline) -> Result<Vec<Vec<u8>>, NotStored> {
        let built_in = tokio::time::timeout(deadline.left(), &mut self.folders).await.map_err(skipped)?;
        let built_in = built_in.map_err(skipped)?.ok_or_else(|| skipped("search folders unknown"))?;
        let given =
            self.subject.job.search.folders.iter().map(|folder| folder.as_os_str().as_bytes().to_vec());
        Ok(given.chain(built_in.iter().cloned()).collect())
    }
}

/// The folders in which the compiler searches by itself; `None` where it does not tell.
async fn built_in_folders(
    shared: Arc<Shared>,
    query: CompilerQuery,
    subject: Arc<Subject>,
) -> Option<Arc<Vec<Vec<u8>>>> {
    let job = &subject.job;
    if job.discovery == Discovery::SourceOnly {
        return Some(Arc::default());
    }
    let message = BuiltInFolders {
        query,
        identity: subject.identity,
        language: gnu::language_word(job.language),
        words: job.search.probe_words.clone(),
    };
    ask(shared.routes().compilers.as_ref(), message, Deadline::after(INGEST_LIMIT)).await.ok()?
}

/// A preprocessor run of ours, where the user's dependency file leaves headers out and nothing else names them.
async fn run_scan(
    shared: Arc<Shared>,
    query: CompilerQuery,
    driver: Driver,
    words: Vec<OsString>,
) -> Option<Vec<u8>> {
    let file = Scratch(shared.scratch_name());
    run_compiler(&shared, &query, &gnu::dependency_scan(&driver, &words, &file.0)).await?;
    std::fs::read(&file.0).ok()
}

/// A private file that goes with its owner, also when the scan is given up.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs the compiler for ourselves, in the client's environment; the value is its standard output.
async fn run_compiler(shared: &Shared, query: &CompilerQuery, argv: &[OsString]) -> Option<Vec<u8>> {
    let _slot = shared.slots.take().await;
    let (_, words) = argv.split_first()?;
    let answer = query.question().with(words).ask().await.ok()?;
    answer.succeeded.then_some(answer.stdout)
}

fn flat<T>(result: Result<T, StoreError>) -> Result<T, NotStored> {
    result.map_err(|error| {
        tracing::warn!(%error, "result not stored");
        NotStored::StoreFailed
    })
}
