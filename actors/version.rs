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
use cachepot_engine::stats::Stat;
use cachepot_wire::{CompileRequest, HitReply};
use std::sync::Arc;
use std::time::Duration;

/// How long a compiler that nobody waits for yet may take to say who it is.
const LIMIT: Duration = Duration::from_secs(20);

/// Both words of it are short for the others (`rustc --help`). autocfg, which many build scripts use, spells it out.
const SPELLINGS: [&[&str]; 2] = [&["-vV"], &["--version", "--verbose"]];

/// Whether a request is that question.
pub(crate) fn is_asked(request: &CompileRequest) -> bool {
    request.argv.split_first().is_some_and(|(_, words)| SPELLINGS.iter().any(|spelling| words == *spelling))
}

/// Answers from memory, or lets the client ask.
pub(crate) fn answer(shared: &Arc<Shared>, request: &CompileRequest) -> Outcome {
    shared.stats.bump(Stat::RequestsNotCompile);
    let program = request.argv.first().and_then(|name| program::find(name, request));
    let Some(query) = program.map(|program| query(request, program)) else { return Outcome::Yours };
    if let Some(stdout) = known(shared, &query) {
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

fn known(shared: &Shared, query: &CompilerQuery) -> Option<Vec<u8>> {
    let compiler = shared.compilers.borrow().get(&query.key()).cloned()?;
    let known = compiler.kind.as_ref().ok().filter(|_| compiler.is_current())?;
    known.version.clone().filter(|_| rustc::answers_as_ever(&query.env))
}
