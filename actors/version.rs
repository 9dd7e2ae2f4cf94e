//! What cargo asks before the first compile: `rustc -vV`, which build scripts ask under its other name, and the names of the
//! files that rustc would write. Who the compiler is, is found out meanwhile; its version is then answered from memory.
use crate::compiler_info_cache::Identify;
use crate::detect::{Compiler, CompilerQuery};
use crate::drive::{Outcome, again, query};
use crate::permits::Deadline;
use crate::program;
use crate::routes::ask;
use crate::shared::Shared;
use cachepot_engine::compiler::rustc;
use cachepot_engine::job::Family;
use cachepot_engine::stats::Stat;
use cachepot_wire::{CompileRequest, HitReply};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a compiler that nobody waits for yet may take to say who it is.
const LIMIT: Duration = Duration::from_secs(20);

/// It is short for this (`rustc --help`). autocfg, which many build scripts use, spells it out.
const SPELLED: [&str; 2] = ["--version", "--verbose"];

/// Whether a request is one of these questions.
pub(crate) fn is_asked(request: &CompileRequest) -> bool {
    is_version(request) || is_names(request)
}

fn is_version(request: &CompileRequest) -> bool {
    is_spelled(request) || request.argv.get(1..).is_some_and(|words| words == ["-vV"])
}

/// No compiler takes this for a compile that could be cached: its source would come by standard input.
fn is_names(request: &CompileRequest) -> bool {
    let mut words = request.argv.iter().skip(1).peekable();
    // What clippy-driver stands for.
    words.next_if(|word| Path::new(word).file_stem() == Some(OsStr::new("rustc")));
    words.next().is_some_and(|word| word == "-") && words.any(|word| word == "--print=file-names")
}

fn is_spelled(request: &CompileRequest) -> bool {
    request.argv.get(1..).is_some_and(|words| words == SPELLED)
}

/// Answers from memory, or lets the client ask.
pub(crate) fn answer(shared: &Arc<Shared>, request: &CompileRequest) -> Outcome {
    shared.stats.bump(Stat::RequestsNotCompile);
    let program = request.argv.first().and_then(|name| program::find(name, request));
    let Some(query) = program.map(|program| query(request, program)) else { return Outcome::Yours };
    let compiler = known(shared, &query);
    if let Some(stdout) = compiler.as_ref().and_then(|compiler| said(compiler, request)) {
        let (stderr, outputs, notice) = (Vec::new(), Vec::new(), String::new());
        return Outcome::Hit(HitReply { status: 0, stdout, stderr, outputs, notice }, Vec::new());
    }
    if compiler.is_none() {
        actix::spawn(learn(Arc::clone(shared), query, request.clone()));
    }
    Outcome::Yours
}

/// Finds out who a compiler is; nobody waits for it.
async fn learn(shared: Arc<Shared>, query: CompilerQuery, request: CompileRequest) {
    let (routes, deadline) = (shared.routes(), Deadline::after(LIMIT));
    let found = ask(routes.compilers.as_ref(), Identify(query.clone()), deadline).await.ok().flatten();
    if let Some(query) = found.and_then(|compiler| again(&query, &compiler, &request)) {
        drop(ask(routes.compilers.as_ref(), Identify(query), deadline).await);
    }
}

fn known(shared: &Shared, query: &CompilerQuery) -> Option<Arc<Compiler>> {
    let key = query.key();
    let compiler = shared.compilers.borrow().get(&key).cloned();
    compiler.filter(|compiler| compiler.is_current())
}

/// What the compiler says to a request, where that is known.
fn said(compiler: &Compiler, request: &CompileRequest) -> Option<Vec<u8>> {
    let known = compiler.kind.as_ref().ok().filter(|_| is_version(request))?;
    // clippy-driver names itself where it is spelled, and rustc where it is not.
    let is_one = !is_spelled(request) || known.driver.family == Family::Rustc;
    known.version.clone().filter(|_| is_one && rustc::answers_as_ever(&request.env))
}
