//! `rustc -vV`, with which cargo begins a build: it is asked twice before the first compile. Who the compiler is, is found out
//! meanwhile, and what it said then is answered from memory.
use crate::drive::{Outcome, identify, query};
use crate::permits::Deadline;
use crate::program;
use crate::shared::Shared;
use cachepot_engine::compiler::rustc;
use cachepot_engine::stats::Stat;
use cachepot_wire::{CompileRequest, HitReply};
use std::sync::Arc;
use std::time::Duration;

/// How long a compiler that nobody waits for yet may take to say who it is.
const LIMIT: Duration = Duration::from_secs(20);

/// Whether a request is that question.
pub(crate) fn is_asked(request: &CompileRequest) -> bool {
    request.argv.len() == 2 && request.argv.last().is_some_and(|word| word == "-vV")
}

/// Answers from memory, or lets the client ask.
pub(crate) fn answer(shared: &Arc<Shared>, request: CompileRequest) -> Outcome {
    shared.stats.bump(Stat::RequestsNotCompile);
    if let Some(stdout) = known(shared, &request) {
        return Outcome::Hit(
            HitReply { status: 0, stdout, stderr: Vec::new(), outputs: Vec::new(), notice: String::new() },
            Vec::new(),
        );
    }
    let shared = Arc::clone(shared);
    actix::spawn(async move { drop(identify(&shared, &request, Deadline::after(LIMIT)).await) });
    Outcome::Yours
}

fn known(shared: &Shared, request: &CompileRequest) -> Option<Vec<u8>> {
    let query = query(request, program::find(request.argv.first()?, request)?);
    let compiler = shared.compilers.borrow().get(&query.key()).cloned()?;
    let known = compiler.kind.as_ref().ok().filter(|_| compiler.is_current())?;
    known.version.clone().filter(|_| rustc::answers_as_ever(&request.env))
}
