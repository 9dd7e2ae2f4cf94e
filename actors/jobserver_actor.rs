//! JobserverActor: slots for what the coordinator itself starts, and for the threads of a rustc that a client runs.
//! Owns the jobserver and the queue in front of it: one waits at the pipe, the others wait in line. Called through
//! [`Slots`], bounded by `Permits::slots` and `Permits::leases`. When it dies, its successor shares the jobserver that
//! was inherited, or makes a new fifo: those who hold or await tokens or leases of the old one keep that alive and
//! go on with it.
use crate::jobserver::{self, Jobserver, Lease, Token};
use crate::keeper::Obituary;
use crate::permits::{Deadline, Permit, Permits};
use crate::pidfd::Process;
use crate::pulse;
use crate::routes::{AskError, Routes, ask};
use crate::version;
use actix::{Actor, Context, Handler, Message, ResponseFuture};
use cachepot_wire::{CompileRequest, EnvBlock};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// How long anybody waits for a slot before going on without: a jobserver must never stop a build.
const SLOT_LIMIT: Duration = Duration::from_secs(5);

/// Takes a slot; `None` where there is none in time.
#[derive(Message)]
#[rtype(result = "Option<Token>")]
pub(crate) struct Acquire {
    /// When the answer is of no use any more.
    pub(crate) deadline: Deadline,
    /// Given back with the message and the slot.
    pub(crate) permit: Arc<Permit>,
}

/// Tells a client's process of the jobserver: the variables for it, none where there is nothing to tell.
#[derive(Message)]
#[rtype(result = "Vec<(OsString, OsString)>")]
pub(crate) struct Lend {
    /// The process, which waits for the answer.
    pub(crate) pid: i32,
    /// When the answer is of no use any more.
    pub(crate) deadline: Deadline,
    /// Given back when the process has ended.
    pub(crate) permit: Permit,
}

/// How the jobserver is made, again after a death.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// From the build in whose foreground the coordinator runs.
    Inherited(Arc<Jobserver>),
    /// A fifo in this private folder, with this many slots.
    Own(PathBuf, usize),
}

impl Origin {
    /// What a coordinator with this environment uses.
    pub(crate) fn new(env: &EnvBlock, folder: PathBuf, slots: usize) -> Self {
        match Jobserver::inherited(env) {
            Some(jobserver) => Origin::Inherited(Arc::new(jobserver)),
            None => Origin::Own(folder, slots),
        }
    }

    fn make(&self) -> Option<Arc<Jobserver>> {
        match self {
            Origin::Inherited(jobserver) => Some(Arc::clone(jobserver)),
            Origin::Own(folder, slots) => match Jobserver::own(folder, *slots) {
                Ok(jobserver) => Some(Arc::new(jobserver)),
                Err(error) => {
                    tracing::warn!(%error, "cannot make a jobserver, going on without");
                    None
                }
            },
        }
    }
}

/// See the file's head.
pub(crate) struct JobserverActor {
    jobserver: Option<Arc<Jobserver>>,
    /// Held by whoever waits at the pipe; fair.
    turn: Arc<Mutex<()>>,
    _obituary: Obituary,
}

impl JobserverActor {
    /// One with a jobserver, if one can be had.
    pub(crate) fn new(origin: &Origin, obituary: Obituary) -> Self {
        JobserverActor { jobserver: origin.make(), turn: Arc::default(), _obituary: obituary }
    }
}

impl Actor for JobserverActor {
    type Context = Context<Self>;
}

pulse::lives!(JobserverActor, poisoned_in_context);

impl Handler<Acquire> for JobserverActor {
    type Result = ResponseFuture<Option<Token>>;

    fn handle(&mut self, message: Acquire, _: &mut Self::Context) -> Self::Result {
        let (jobserver, turn) = (self.jobserver.clone(), Arc::clone(&self.turn));
        Box::pin(async move {
            let (jobserver, deadline) = (jobserver?, message.deadline);
            if deadline.has_passed() {
                return None;
            }
            let wait = async {
                let _turn = turn.lock().await;
                jobserver.take().await
            };
            let taken = tokio::time::timeout(deadline.left(), wait).await;
            drop(message.permit);
            match taken {
                Ok(Ok(token)) => Some(token),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "cannot read from the jobserver, going on without a slot");
                    None
                }
                Err(_) => None,
            }
        })
    }
}

impl Handler<Lend> for JobserverActor {
    type Result = Vec<(OsString, OsString)>;

    fn handle(&mut self, message: Lend, _: &mut Self::Context) -> Self::Result {
        if message.deadline.has_passed() {
            return Vec::new();
        }
        // Without a way to see its end no process is told: its tokens could be lost.
        let Ok(process) = Process::watch(message.pid) else { return Vec::new() };
        let Some((lease, variable)) = self.jobserver.as_ref().and_then(Jobserver::lend) else {
            return Vec::new();
        };
        actix::spawn(attend(process, lease, message.permit));
        vec![variable]
    }
}

/// Not a part of the actor: goes on when it dies.
async fn attend(process: Process, lease: Lease, permit: Permit) {
    if process.ended().await.is_ok() {
        lease.end();
    }
    drop(permit);
}

/// A slot in use; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    _token: Option<Token>,
    _permit: Arc<Permit>,
}

impl Slot {
    /// Whether it came from the jobserver, and not from the end of patience.
    pub(crate) fn has_token(&self) -> bool {
        self._token.is_some()
    }
}

/// Where slots are asked for.
#[derive(Clone)]
pub(crate) struct Slots {
    routes: watch::Sender<Routes>,
    permits: Permits,
}

impl Slots {
    /// Asks the actor that is routed at the moment of asking.
    pub(crate) fn new(routes: watch::Sender<Routes>, permits: Permits) -> Self {
        Slots { routes, permits }
    }

    /// Waits for a slot. `None`, or one without a token, where none is to be had in time: the work goes on anyway.
    pub(crate) async fn take(&self) -> Option<Slot> {
        self.take_until(Deadline::after(SLOT_LIMIT)).await
    }

    pub(crate) async fn take_until(&self, deadline: Deadline) -> Option<Slot> {
        let permit = Arc::clone(&self.permits.slots).acquire_owned();
        let permit = Arc::new(tokio::time::timeout(deadline.left(), permit).await.ok()?.ok()?);
        let mut changes = self.routes.subscribe();
        let mut token = self.ask(&permit, deadline).await;
        if token.as_ref().is_err_and(|error| *error == AskError::Closed) {
            if self.routes.borrow().jobserver.as_ref().is_some_and(|route| !route.connected()) {
                // It died a moment ago; the keeper puts another one there, or none.
                let _ = tokio::time::timeout(deadline.left(), changes.changed()).await;
            }
            token = self.ask(&permit, deadline).await;
        }
        Some(Slot { _token: token.ok().flatten(), _permit: permit })
    }

    async fn ask(&self, permit: &Arc<Permit>, deadline: Deadline) -> Result<Option<Token>, AskError> {
        let route = self.routes.borrow().jobserver.clone();
        ask(route.as_ref(), Acquire { deadline, permit: Arc::clone(permit) }, deadline).await
    }

    /// The variables for a compiler that the client with this process number is to run by itself: the coordinator's
    /// jobserver for a rustc whose build offers none, nothing for anybody else.
    pub(crate) async fn lend(&self, wanted: Wanted, pid: i32) -> Vec<(OsString, OsString)> {
        if !wanted.0 || pid <= 0 {
            return Vec::new();
        }
        let Ok(permit) = Arc::clone(&self.permits.leases).try_acquire_owned() else { return Vec::new() };
        let deadline = Deadline::after(SLOT_LIMIT);
        let route = self.routes.borrow().jobserver.clone();
        ask(route.as_ref(), Lend { pid, deadline, permit }, deadline).await.unwrap_or_default()
    }
}

/// Whether a request's compiler would draw slots and its build offers none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted(bool);

impl Wanted {
    /// Looks at the program's name and the client's environment.
    pub(crate) fn by(request: &CompileRequest) -> Self {
        let is_wanted = |program: &OsString| jobserver::is_wanted(program, &request.env);
        Wanted(!version::is_asked(request) && request.argv.first().is_some_and(is_wanted))
    }
}
