//! The story of one request: a plain async function over `Routes`.
//!
//! compiler → command line → look-up (`find.rs`) → hit; else the story goes on in `miss.rs`.
use crate::build_scripts::{self, Inner};
use crate::compiler_info_cache::Identify;
use crate::detect::{Compiler, CompilerQuery, Here, Known};
use crate::elsewhere;
use crate::find::{Found, find};
use crate::hints::{Hints, placed};
use crate::inputs::{Early, MESSAGE_WIDTH, Place, Young, now};
use crate::miss::{Call, Miss, Observing};
use crate::permits::Deadline;
use crate::program;
use crate::response_file;
use crate::routes::ask;
use crate::shared::Shared;
use crate::statistics;
use crate::subject::Subject;
use crate::version;
use crate::wrapper;
use cachepot_engine::compiler::{build_script, gnu, rustc};
use cachepot_engine::digest::Digest;
use cachepot_engine::entry::Body;
use cachepot_engine::job::{Discovery, Driver, Family, Job, Language, Output, Parsed};
use cachepot_engine::stats::Stat;
use cachepot_storage::local::Fetched;
use cachepot_wire::{CompileRequest, EnvBlock, HitReply, OutputBody, Plan};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the first answer may take before the client compiles by itself: less than the client's patience
/// (`SILENCE` in its `connect.rs`). A compiler that takes longer to say who it is goes on doing so for the next ones.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);
/// Why a call by something that is observed itself is not cached.
const INSIDE: &str = "inside of a build script";

/// What a request comes to.
pub enum Outcome {
    /// Run the compiler as if there were no cache.
    Yours,
    /// A result.
    Hit(HitReply, Vec<File>),
    /// A compile that the client is to run; goes on with [`Miss::report`].
    Miss(Box<Miss>),
}

/// Works on a request up to the first answer.
pub(crate) async fn compile(
    shared: &Arc<Shared>,
    mut request: CompileRequest,
    client: i32,
    hints: &Hints,
) -> Outcome {
    let (asked, asked_at) = (Instant::now(), now());
    let deadline = Deadline::after(ANSWER_LIMIT);
    shared.stats.bump(Stat::CompileRequests);
    let inner = Inner::take(shared, &mut request, client);
    if inner.is_some() && build_script::is_run(&request) {
        statistics::not_cacheable(&shared.stats, INSIDE);
        return Outcome::Yours;
    }
    if inner.is_none() && version::is_asked(&request) {
        return version::answer(shared, &request);
    }
    let Some((query, compiler)) = identify(shared, &request, deadline).await else { return Outcome::Yours };
    let known = match &compiler.kind {
        Ok(known) => known,
        Err(reason) => {
            tracing::debug!(reason, compiler = %query.program.display(), "unsupported compiler");
            shared.stats.bump(Stat::RequestsUnsupportedCompiler);
            return Outcome::Yours;
        }
    };
    if leaves_out_incremental(&request.env, known.driver.family) {
        request.argv = rustc::without_incremental(&request.argv);
    }
    let Some((job, words)) = parse(shared, &request, known, &query) else { return Outcome::Yours };
    let Ok(place) = Place::open(&request.cwd) else {
        statistics::not_cacheable(&shared.stats, "working directory");
        return Outcome::Yours;
    };
    let Some(identity) = identity(shared, known, job.language, deadline).await else { return Outcome::Yours };
    shared.stats.bump(Stat::RequestsExecuted);
    // Whatever comes of it, the client writes there.
    shared.writers.disturb(&request.cwd, job.outputs.iter().map(|output| output.path.as_path()));
    let subject = Arc::new(subject(&request, &query.named, (known, identity), job, place));
    let stub = build_scripts::stub(shared, &subject.job, &request);
    let recache = request.env.get("CACHEPOT_RECACHE").is_some();
    let of = statistics::Subject { language: subject.job.language.name(), compiler: known.family_name() };
    let source = subject.job.source.display();
    match find(shared, &subject, recache, (deadline, hints)).await {
        Some(Found::Hit(reply, blobs)) => {
            tracing::debug!(%source, "hit");
            statistics::hit(&shared.stats, of, asked.elapsed());
            inner.inspect(Inner::is_hit);
            Outcome::Hit(build_scripts::with_stub(reply, stub), blobs)
        }
        // Two observers cannot look at once.
        Some(Found::Nothing(..)) if inner.is_some() && subject.job.discovery == Discovery::Observed => {
            statistics::not_cacheable(&shared.stats, INSIDE);
            Outcome::Yours
        }
        Some(Found::Nothing(key, early)) => {
            tracing::debug!(%source, "miss");
            if recache {
                shared.stats.bump(Stat::ForcedRecaches);
                shared.tiers.suspect(key);
            }
            let outputs = subject.job.outputs.iter().map(|output| output.path.as_path());
            let writing = shared.writers.begin(&request.cwd, outputs);
            let Some((plan, observing)) = plan(shared, &subject, &request, early) else {
                statistics::not_cacheable(&shared.stats, "cannot be observed here");
                return Outcome::Yours;
            };
            let call = Call {
                plan: Plan { stub, ..plan },
                observing,
                date_is_fixed: gnu::date_is_fixed(&subject.driver, &request.env),
                looked_up: asked.elapsed(),
                asked_at,
                key,
                of,
                query,
                words,
                compiler,
                writing,
            };
            Outcome::Miss(Miss::new(shared, subject, call))
        }
        None => {
            tracing::debug!(%source, "ran without the cache");
            shared.stats.bump(Stat::RanWithoutCache);
            Outcome::Yours
        }
    }
}

/// What the look-up is about.
fn subject(
    request: &CompileRequest,
    named: &[String],
    (known, identity): (&Known, Digest),
    job: Box<Job>,
    place: Place,
) -> Subject {
    let is_observed = job.discovery == Discovery::Observed;
    let young = match job.language {
        Language::BuildScript => build_scripts::young(request, &job),
        _ if is_observed => young(request, &job),
        _ => Young::default(),
    };
    Subject {
        variables: variables(request, named, &job, &known.driver),
        env: if is_observed { with_width(&request.env, &job) } else { EnvBlock::default() },
        young,
        identity,
        driver: known.driver.clone(),
        // With bases the plan says what it is, or nobody asks for it.
        pwd: request.env.get("PWD").filter(|_| job.bases.is_empty()).map(ToOwned::to_owned),
        job,
        place,
    }
}

/// What conditions on variables are compared with: the width of messages stands among them.
fn with_width(env: &EnvBlock, job: &Job) -> EnvBlock {
    let Some(width) = &job.message_width else { return env.clone() };
    let width = (OsStr::new(MESSAGE_WIDTH), width.as_os_str());
    EnvBlock::from_pairs([width].into_iter().chain(env.iter()))
}

/// Finds the compiler and who it is; the published snapshot answers without a message.
async fn identify(
    shared: &Shared,
    request: &CompileRequest,
    deadline: Deadline,
) -> Option<(CompilerQuery, Arc<Compiler>)> {
    let name = build_scripts::compiler(request)?;
    let Some(program) = program::find(&name, request) else {
        statistics::not_cacheable(&shared.stats, "compiler not found");
        return None;
    };
    let query = query(request, program);
    let compiler = who_is(shared, &query, deadline).await?;
    let Some(query) = again(&query, &compiler, request) else { return Some((query, compiler)) };
    let compiler = who_is(shared, &query, deadline).await?;
    Some((query, compiler))
}

/// The query once more, where it was a script that is another compiler under another environment, or rustup.
pub(crate) fn again(
    query: &CompilerQuery,
    compiler: &Compiler,
    request: &CompileRequest,
) -> Option<CompilerQuery> {
    let named = wrapper::variables(&compiler.names, &query.env);
    let here = compiler.by_place.then(|| Here::of(request.argv.get(1..).unwrap_or_default()));
    (!named.is_empty() || here.is_some()).then(|| CompilerQuery { named, here, ..query.clone() })
}

/// Who a program is for a request, as far as that does not depend on what it is.
pub(crate) fn query(request: &CompileRequest, program: PathBuf) -> CompilerQuery {
    // Not the name as typed: gcc looks for its parts near the first program of that name in PATH, which may be us.
    let name = program.clone().into_os_string();
    let (env, cwd) = (request.env.clone(), request.cwd.clone());
    CompilerQuery { program, name, env, cwd, named: Vec::new(), here: None }
}

async fn who_is(shared: &Shared, query: &CompilerQuery, deadline: Deadline) -> Option<Arc<Compiler>> {
    let known = shared.compilers.borrow().get(&query.key()).cloned();
    if let Some(known) = known.filter(|known| known.is_current()) {
        return Some(known);
    }
    let routes = shared.routes();
    match ask(routes.compilers.as_ref(), Identify(query.clone()), deadline).await {
        Ok(Some(found)) => Some(found),
        Ok(None) | Err(_) => {
            statistics::not_cacheable(&shared.stats, "compiler does not answer");
            None
        }
    }
}

/// What the compiler is for a language.
async fn identity(shared: &Shared, known: &Known, language: Language, deadline: Deadline) -> Option<Digest> {
    let found = tokio::time::timeout(deadline.left(), known.identity(language, &shared.settled)).await;
    let found = match found {
        Ok(found) => found.ok_or("a part of the compiler cannot be read"),
        Err(_) => Err("compiler does not answer"),
    };
    found.inspect_err(|reason| statistics::not_cacheable(&shared.stats, reason)).ok()
}

fn parse(
    shared: &Shared,
    request: &CompileRequest,
    known: &Known,
    query: &CompilerQuery,
) -> Option<(Box<Job>, Vec<OsString>)> {
    let family = known.driver.family;
    let words = match response_file::expand(&request.argv, &request.cwd, family) {
        Ok(words) => words,
        Err(reason) => {
            statistics::not_cacheable(&shared.stats, &reason.0);
            return None;
        }
    };
    let parsed = match family {
        _ if build_script::is_run(request) => build_scripts::parse(shared, request),
        Family::Gcc | Family::Clang => gnu::parse(request, &known.driver, &words),
        Family::Rustc | Family::Clippy => {
            // rustup takes the first word away.
            let is_ours = query.here.as_ref().is_some_and(|here| here.toolchain.is_some());
            let (compiler, rest) = words.split_at(words.len().min(1));
            let meant = [compiler, rest.get(usize::from(is_ours)..).unwrap_or_default()].concat();
            rustc::parse(request, &known.driver, &meant)
        }
    };
    match parsed {
        Parsed::Compile(job) => Some((job, words)),
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

/// Whether the user wants rustc to start from nothing, as caches need it.
fn leaves_out_incremental(env: &EnvBlock, family: Family) -> bool {
    matches!(family, Family::Rustc | Family::Clippy) && rustc::is_on(env, "CACHEPOT_NO_INCREMENTAL")
}

/// What the client is to run; `None` where what it reads would not become known.
fn plan(
    shared: &Shared,
    subject: &Subject,
    request: &CompileRequest,
    early: Early,
) -> Option<(Plan, Option<Observing>)> {
    if subject.job.discovery == Discovery::Observed {
        let (plan, observing) = Observing::begin(shared, subject, request, early)?;
        return Some((plan, Some(observing)));
    }
    Some((gnu::plan(&subject.job, &subject.driver, &shared.scratch_name(), request), None))
}

/// Where files may be that were written just before the request: other crates, and what a build script made.
fn young(request: &CompileRequest, job: &Job) -> Young {
    let absolute = |path: &PathBuf| request.cwd.join(path);
    let crates = rustc::crates(job);
    Young {
        renamed: None,
        files: crates.files.iter().map(absolute).collect(),
        folders: crates.folders.iter().map(|(_, folder)| absolute(folder)).collect(),
        trees: request.env.get("OUT_DIR").map(PathBuf::from).iter().map(absolute).collect(),
    }
}

fn variables(
    request: &CompileRequest,
    named: &[String],
    job: &Job,
    driver: &Driver,
) -> Vec<(OsString, OsString)> {
    let is_run = job.language == Language::BuildScript;
    let is_key_variable = |name: &str| match driver.family {
        _ if is_run => build_script::is_key_variable(name),
        Family::Gcc | Family::Clang => gnu::KEY_VARIABLES.binary_search(&name).is_ok(),
        Family::Rustc | Family::Clippy => rustc::is_key_variable(job, driver, name),
    };
    let wanted = |name: &std::ffi::OsStr| {
        let is_named = |name: &str| is_key_variable(name) || named.iter().any(|known| known == name);
        name.to_str().map_or(is_run, is_named)
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

/// The reply of a hit with its descriptors; `None` where the entry is not one of such a job.
pub(crate) fn hit(job: &Job, mut opened: Fetched) -> Option<(HitReply, Vec<File>)> {
    if !job.bases.is_empty() {
        elsewhere::put_folders(&mut opened, &job.bases)?;
    }
    let Fetched { entry, blobs } = opened;
    let is_stored = |output: &Output| entry.outputs.iter().any(|stored| stored.role == output.role);
    if !job.outputs.iter().all(|output| output.optional || is_stored(output)) {
        return None;
    }
    let outputs = entry.outputs.iter().map(|stored| {
        let body = match &stored.body {
            Body::Inline(bytes) => OutputBody::Inline(bytes.clone()),
            Body::Blob { size, .. } => OutputBody::Descriptor(*size),
        };
        placed(&job.outputs, stored, body)
    });
    let reply = HitReply {
        status: entry.status,
        stdout: entry.stdout.clone(),
        stderr: entry.stderr.clone(),
        outputs: outputs.collect::<Option<_>>()?,
        notice: String::new(),
    };
    Some((reply, blobs))
}
