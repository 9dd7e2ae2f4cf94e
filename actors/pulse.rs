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

/// Answers [`Pulse`] for an actor with an asynchronous context.
macro_rules! lives {
    ($actor:ty) => {
        impl actix::Handler<$crate::pulse::Pulse> for $actor {
            type Result = ();
            fn handle(&mut self, _: $crate::pulse::Pulse, _: &mut Self::Context) {}
        }

        #[cfg(test)]
        impl actix::Handler<$crate::pulse::Poison> for $actor {
            type Result = Result<(), $crate::pool::Internal>;
            fn handle(&mut self, poison: $crate::pulse::Poison, ctx: &mut Self::Context) -> Self::Result {
                if matches!(poison, $crate::pulse::Poison::Freeze(_)) {
                    let never = actix::fut::wrap_future(std::future::pending::<()>());
                    actix::AsyncContext::wait(ctx, never);
                    return Ok(());
                }
                panic!("poisoned");
            }
        }
    };
}

/// Answers [`Pulse`] for an actor of a thread pool.
macro_rules! lives_in_pool {
    ($actor:ty) => {
        impl actix::Handler<$crate::pulse::Pulse> for $actor {
            type Result = ();
            fn handle(&mut self, _: $crate::pulse::Pulse, _: &mut Self::Context) {}
        }

        #[cfg(test)]
        impl actix::Handler<$crate::pulse::Poison> for $actor {
            type Result = Result<(), $crate::pool::Internal>;
            fn handle(&mut self, poison: $crate::pulse::Poison, ctx: &mut Self::Context) -> Self::Result {
                match poison {
                    $crate::pulse::Poison::Panic => $crate::pool::contain(ctx, || panic!("poisoned")),
                    $crate::pulse::Poison::Die => panic!("poisoned for good"),
                    $crate::pulse::Poison::Freeze(until) => {
                        // Others that wait here go on one after the other.
                        let ended = until.lock().map(|until| until.recv());
                        drop(ended);
                        Ok(())
                    }
                }
            }
        }
    };
}

pub(crate) use {lives, lives_in_pool};
