//! Checks behind the build. A unit whose texts only might make up `__DATE__` is stored at once, for the quarter of an
//! hour of its compile; a preprocessor run tells later whether its result may stand for longer.
//!
//! A check that does not fit, fails or is given up leaves the result with its window. So it waits until nobody has asked
//! for a while, and runs when the machine has nothing better to do: it holds no slot and no permit that a request or a
//! result needs, and ends with the coordinator. Where remotes take results, the end waits for the checks, and they for nothing.
use crate::detect::{Compiler, CompilerQuery};
use crate::hasher::Confirm;
use crate::inputs::{Compiled, Observed};
use crate::pending::{ToShare, Write};
use crate::permits::{Deadline, Permit, acquire};
use crate::routes::ask;
use crate::shared::Shared;
use crate::storage_actor::LiftWindow;
use cachepot_engine::digest::Digest;
use cachepot_engine::scan::Hidden;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

/// How long a check may wait and run: longer than most builds, which may leave it no time before their end.
const LIMIT: Duration = Duration::from_secs(4 * 3600);
/// How long one step after the run may take.
const STEP_LIMIT: Duration = Duration::from_secs(120);
/// Before each run, so that its session can be given its small share: see `idle::Session`.
const PAUSE: Duration = Duration::from_millis(110);
/// About what a path costs in memory beside its text, with what is known of its file.
const PIECE: usize = 100;

/// A result that is stored for a quarter of an hour, and what is needed to find out whether it uses the date.
pub struct Check {
    /// The job's key.
    pub job: Digest,
    /// The result's.
    pub result: Digest,
    /// For the remotes.
    pub is_large: bool,
    /// The compiler as the client ran it.
    pub query: CompilerQuery,
    /// Who it was.
    pub compiler: Arc<Compiler>,
    /// The line that preprocesses.
    pub words: Vec<OsString>,
    /// What to look at,
    pub compiled: Arc<Compiled>,
    /// and what was seen there.
    pub observed: Observed,
}

/// Lets a check wait for its turn; without a place in the queue there is none.
pub fn queue(shared: &Arc<Shared>, check: Check) {
    let Ok(permit) = Arc::clone(&shared.permits.checks).try_acquire_many_owned(check.weight()) else {
        tracing::debug!("too many checks wait");
        return;
    };
    let shared = Arc::clone(shared);
    actix::spawn(async move {
        let result = check.result;
        let outcome = check.run(&shared, permit).await;
        tracing::debug!(?result, outcome = outcome.unwrap_or_else(|why| why), "checked for the date");
    });
}

impl Check {
    /// In KiB, about.
    fn weight(&self) -> u32 {
        let record = &self.observed.record;
        let lists = [&record.names, &record.present, &record.exist].into_iter().flatten();
        let texts = lists.map(|text| text.len() + PIECE).sum::<usize>();
        // These are in both halves.
        let inputs = record.inputs.iter().map(|input| &input.path);
        let paths = inputs.chain(&record.folders).map(|path| 2 * (path.len() + PIECE)).sum::<usize>();
        let words = self.words.iter().map(|word| word.len() + PIECE).sum::<usize>();
        let bytes = self.query.env.0.len() + texts + paths + words;
        u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
    }

    async fn run(self, shared: &Shared, permit: Permit) -> Result<&'static str, &'static str> {
        let (permit, deadline) = (Arc::new(permit), Deadline::after(LIMIT));
        let _turn = acquire(&shared.permits.checking, deadline).await.ok_or("no turn in time")?;
        wait_for_calm(shared, deadline).await?;
        if self.uses_date(shared, deadline).await? {
            return Ok("used");
        }
        let Check { job, result, is_large, query, compiled, observed: seen, .. } = self;
        let step = Deadline::after(STEP_LIMIT);
        // The preprocessed text must speak of the same files.
        let message = Confirm { cwd: query.cwd, compiled, seen, permit: Arc::clone(&permit) };
        let confirmed = ask(shared.routes().hashers.as_ref(), message, step).await;
        if !confirmed.is_ok_and(|confirmed| confirmed.unwrap_or(false)) {
            return Err("the inputs are not as they were");
        }
        // Until it is announced to the remotes.
        let _checking = Arc::clone(&permit);
        let message = LiftWindow { job, result, permit };
        match ask(shared.routes().local_store.as_ref(), message, step).await {
            Ok(Ok(Ok(()))) => {
                let write = Write { job, result };
                shared.tiers.push(shared, ToShare { write, is_large, carried: None });
                Ok("not used")
            }
            _ => Err("the store failed"),
        }
    }

    async fn uses_date(&self, shared: &Shared, deadline: Deadline) -> Result<bool, &'static str> {
        let question = self.query.question().with(self.words.iter().skip(1));
        let answer = tokio::select! {
            answer = question.ask_idly(deadline.left()), if !shared.traffic.hurries() => answer,
            () = shared.traffic.wait_for_hurry() => {
                let _slot = shared.slots.take().await;
                question.ask().await
            }
        };
        let text = answer.ok().filter(|answer| answer.succeeded).ok_or("the preprocessor failed")?.stdout;
        // Another compiler may see the date elsewhere.
        if !self.compiler.is_current() {
            return Err("the compiler is not the same");
        }
        // The texts can make up nothing else.
        let used = tokio::task::spawn_blocking(move || Hidden::in_preprocessed(&text)).await;
        used.map(|used| used.date).map_err(|_| "the text could not be read")
    }
}

async fn wait_for_calm(shared: &Shared, deadline: Deadline) -> Result<(), &'static str> {
    let calm = async {
        tokio::time::sleep(PAUSE).await;
        // A build that works on something else has the low priority.
        while !shared.traffic.is_calm() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        calm = tokio::time::timeout(deadline.left(), calm) => calm.map_err(|_| "no calm in time"),
        () = shared.traffic.wait_for_hurry() => Ok(()),
    }
}
