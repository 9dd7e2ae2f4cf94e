//! What a request may use: addresses that are alive now, and one way to ask.
use crate::compiler_info_cache::CompilerInfoCache;
use crate::hasher::Hasher;
use crate::jobserver_actor::JobserverActor;
use crate::keeper::{ActorName, Generation};
use crate::permits::Deadline;
use crate::pulse::Pulse;
use crate::remote_storage_actor::RemoteStorageActor;
use crate::storage_actor::LocalStorageActor;
use crate::tiers::MAX_TIERS;
use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, MailboxError, Message};

/// The routes of one moment; a route that is absent was withdrawn by the keeper.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    /// See `compiler_info_cache.rs`.
    pub compilers: Option<Addr<CompilerInfoCache>>,
    /// See `hasher.rs`.
    pub hashers: Option<Addr<Hasher>>,
    /// See `storage_actor.rs`.
    pub local_store: Option<Addr<LocalStorageActor>>,
    /// See `jobserver_actor.rs`.
    pub(crate) jobserver: Option<Addr<JobserverActor>>,
    /// See `remote_storage_actor.rs`; in the order in which remotes are asked.
    pub(crate) remotes: [Option<Addr<RemoteStorageActor>>; MAX_TIERS],
    /// Which life of each actor it is.
    pub(crate) lives: [Generation; ActorName::MAX],
}

impl Routes {
    /// Which life of an actor this is.
    pub(crate) fn life(&mut self, actor: ActorName) -> &mut Generation {
        &mut self.lives[actor.index()]
    }

    /// Asks an actor for a sign of life; `None` where there is no actor.
    pub(crate) async fn pulse(&self, actor: ActorName, deadline: Deadline) -> Option<Result<(), AskError>> {
        async fn of<A>(route: Option<&Addr<A>>, deadline: Deadline) -> Option<Result<(), AskError>>
        where
            A: Actor + Handler<Pulse>,
            A::Context: ToEnvelope<A, Pulse>,
        {
            Some(ask(Some(route?), Pulse, deadline).await)
        }
        match actor {
            ActorName::CompilerInfoCache => of(self.compilers.as_ref(), deadline).await,
            ActorName::Hasher => of(self.hashers.as_ref(), deadline).await,
            ActorName::LocalStorage => of(self.local_store.as_ref(), deadline).await,
            ActorName::Jobserver => of(self.jobserver.as_ref(), deadline).await,
            ActorName::RemoteStorage(at) => of(self.remotes.get(at).and_then(Option::as_ref), deadline).await,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskError {
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
pub(crate) async fn ask<A, M>(
    route: Option<&Addr<A>>,
    message: M,
    deadline: Deadline,
) -> Result<M::Result, AskError>
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
