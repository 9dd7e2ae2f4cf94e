//! `rustc -vV`, with which cargo begins a build, twice before the first compile, and which build scripts ask under its other
//! name. Who the compiler is, is found out meanwhile, and what it said then is answered from memory.
use crate::compiler_info_cache::Identify;
use crate::detect::CompilerQuery;
use crate::drive::{Outcome, query};
use crate::permits::Deadline;
use crate::program;
use crate::routes::ask;
use crate::shared::Shared;
use cachepot_engine::compiler::rustc;
use cachepot_engine::job::Family;
use cachepot_engine::stats::Stat;
use cachepot_wire::{CompileRequest, HitReply};
use std::sync::Arc;
use std::time::Duration;

/// How long a compiler that nobody waits for yet may take to say who it is.
const LIMIT: Duration = Duration::from_secs(20);

/// It is short for this (`rustc --help`). autocfg, which many build scripts use, spells it out.
const SPELLED: [&str; 2] = ["--version", "--verbose"];

/// Whether a request is that question.
pub(crate) fn is_asked(request: &CompileRequest) -> bool {
    is_spelled(request) || request.argv.get(1..).is_some_and(|words| words == ["-vV"])
}

fn is_spelled(request: &CompileRequest) -> bool {
    request.argv.get(1..).is_some_and(|words| words == SPELLED)
}

/// Answers from memory, or lets the client ask.
pub(crate) fn answer(shared: &Arc<Shared>, request: &CompileRequest) -> Outcome {
    shared.stats.bump(Stat::RequestsNotCompile);
    let program = request.argv.first().and_then(|name| program::find(name, request));
    let Some(query) = program.map(|program| query(request, program)) else { return Outcome::Yours };
    if let Some(stdout) = known(shared, &query, is_spelled(request)) {
        let (stderr, outputs, notice) = (Vec::new(), Vec::new(), String::new());
        return Outcome::Hit(HitReply { status: 0, stdout, stderr, outputs, notice }, Vec::new());
    }
    let shared = Arc::clone(shared);
    actix::spawn(async move {
        let routes = shared.routes();
        drop(ask(routes.compilers.as_ref(), Identify(query), Deadline::after(LIMIT)).await);
    });
    Outcome::Yours
}

fn known(shared: &Shared, query: &CompilerQuery, is_spelled: bool) -> Option<Vec<u8>> {
    let compiler = shared.compilers.borrow().get(&query.key()).cloned()?;
    let known = compiler.kind.as_ref().ok().filter(|_| compiler.is_current())?;
    // clippy-driver names itself where it is spelled, and rustc where it is not.
    let is_one = !is_spelled || known.driver.family == Family::Rustc;
    known.version.clone().filter(|_| is_one && rustc::answers_as_ever(&query.env))
}
