//! The sign of life that the keeper asks of every actor; and, for tests, how an actor is made to die or freeze.
use actix::Message;

/// Are you there?
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Pulse;

/// Makes an actor's life end badly.
#[cfg(test)]
#[derive(Clone, Message)]
#[rtype(result = "Result<(), crate::pool::Internal>")]
pub(crate) enum Poison {
    /// A panic in the handler's work.
    Panic,
    /// A panic that no handler contains: it takes the thread of a pool with it.
    Die,
    /// No more progress, until this channel is closed (for ever, where the actor has no thread of its own).
    Freeze(std::sync::Arc<std::sync::Mutex<std::sync::mpsc::Receiver<()>>>),
}

/// Answers [`Pulse`] for an actor; the second word says what [`Poison`] does to it.
macro_rules! lives {
    ($actor:ty, $poisoned:ident) => {
        impl actix::Handler<$crate::pulse::Pulse> for $actor {
            type Result = ();
            fn handle(&mut self, _: $crate::pulse::Pulse, _: &mut Self::Context) {}
        }

        #[cfg(test)]
        impl actix::Handler<$crate::pulse::Poison> for $actor {
            type Result = Result<(), $crate::pool::Internal>;
            fn handle(&mut self, poison: $crate::pulse::Poison, ctx: &mut Self::Context) -> Self::Result {
                $crate::pulse::$poisoned(poison, ctx)
            }
        }
    };
}

/// In an actor with an asynchronous context.
#[cfg(test)]
pub(crate) fn poisoned_in_context<A: actix::Actor<Context = actix::Context<A>>>(
    poison: Poison,
    ctx: &mut actix::Context<A>,
) -> Result<(), crate::pool::Internal> {
    if matches!(poison, Poison::Freeze(_)) {
        let never = actix::fut::wrap_future(std::future::pending::<()>());
        actix::AsyncContext::wait(ctx, never);
        return Ok(());
    }
    panic!("poisoned");
}

/// In an actor of a thread pool.
#[cfg(test)]
pub(crate) fn poisoned_in_pool<A: actix::Actor<Context = actix::SyncContext<A>>>(
    poison: Poison,
    ctx: &mut actix::SyncContext<A>,
) -> Result<(), crate::pool::Internal> {
    match poison {
        Poison::Panic => crate::pool::contain(ctx, || panic!("poisoned")),
        Poison::Die => panic!("poisoned for good"),
        Poison::Freeze(until) => {
            // Others that wait here go on one after the other.
            let ended = until.lock().map(|until| until.recv());
            drop(ended);
            Ok(())
        }
    }
}

pub(crate) use lives;
