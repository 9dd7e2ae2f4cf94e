//! What the thread pools share: a panic in a handler becomes an answer, and its actor is made anew.
use actix::{Actor, ActorContext, SyncContext};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The handler panicked; the request does without its answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a part of the coordinator failed; this is a bug in cachepot")]
pub struct Internal;

/// Runs a handler's work. After a panic the actor stops, which in a thread pool means that its factory makes a
/// fresh one on the same thread.
///
/// # Errors
/// [`Internal`] after a panic.
pub fn contain<A: Actor<Context = SyncContext<A>>, T>(
    ctx: &mut SyncContext<A>,
    work: impl FnOnce() -> T,
) -> Result<T, Internal> {
    guard(work).inspect_err(|_| ctx.stop())
}

/// The same for work that is done where it is asked for: its caller owns nothing that a panic could leave half done.
///
/// # Errors
/// [`Internal`] after a panic.
pub fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Internal> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(guard(|| 1).ok(), Some(1));
        assert!(guard(|| panic!("on purpose")).is_err());
    }
}
