//! What a request may use: addresses that are alive now, and one way to ask.
use crate::compiler_info_cache::CompilerInfoCache;
use crate::hasher::Hasher;
use crate::permits::Deadline;
use crate::storage_actor::LocalStorageActor;
use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, MailboxError, Message};

/// The routes of one moment; a route that is absent was withdrawn by the keeper.
#[derive(Clone, Default)]
pub struct Routes {
    /// See `compiler_info_cache.rs`.
    pub compilers: Option<Addr<CompilerInfoCache>>,
    /// See `hasher.rs`.
    pub hashers: Option<Addr<Hasher>>,
    /// See `storage_actor.rs`.
    pub local_store: Option<Addr<LocalStorageActor>>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The actor is dead or given up.
    #[error("the part of the coordinator that was asked is not there")]
    Closed,
    /// It did not answer in time.
    #[error("the part of the coordinator that was asked did not answer in time")]
    Late,
}

/// Asks an actor.
///
/// # Errors
/// [`AskError`].
pub async fn ask<A, M>(route: Option<&Addr<A>>, message: M, deadline: Deadline) -> Result<M::Result, AskError>
where
    A: Actor + Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
    A::Context: ToEnvelope<A, M>,
{
    let Some(route) = route else { return Err(AskError::Closed) };
    match tokio::time::timeout(deadline.left(), route.send(message)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(MailboxError::Closed)) => Err(AskError::Closed),
        Ok(Err(MailboxError::Timeout)) | Err(_) => Err(AskError::Late),
    }
}
