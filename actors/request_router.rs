//! RequestRouter: the accept loop, one task per connection, the idle timer and the graceful end. Owns the
//! listener. Nobody asks it anything but to close; when it dies the coordinator ends, for nobody could reach it.
use crate::drive::{self, Outcome};
use crate::hints::{Coming, Hints, Told};
use crate::jobserver_actor::Wanted;
use crate::shared::Shared;
use crate::statistics;
use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use cachepot_config::Environment;
use cachepot_engine::stats::Stat;
use cachepot_wire::fd::{self, Assembly};
use cachepot_wire::{
    Admin, AdminReply, CompileRequest, EnvBlock, Message as WireMessage, Reply, WireError, frame,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};

/// How long a client may take to send its first message.
const FIRST_MESSAGE_LIMIT: Duration = Duration::from_secs(20);
/// How long requests in flight may go on after the order to end.
const GRACE: Duration = Duration::from_secs(10);
/// How long writes to remotes may go on after that: on a machine that is thrown away they are lost else.
const FLUSH_LIMIT: Duration = Duration::from_secs(60);
/// How long none of them may be done: a remote that has died meanwhile is not waited for.
const STALL_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at the idle time, at least.
const TICK: Duration = Duration::from_millis(25);

/// See the file's head.
pub struct RequestRouter {
    listener: Option<UnixListener>,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
}

/// What the sessions and the router share: who may come in, and the end.
pub struct Gate {
    closing: Notify,
    uid: u32,
    own_namespace: Option<std::path::PathBuf>,
}

impl Gate {
    /// Open.
    pub fn new() -> Self {
        Gate {
            closing: Notify::new(),
            uid: fd::own_uid(),
            own_namespace: std::fs::read_link("/proc/self/ns/mnt").ok(),
        }
    }
    /// Asks the coordinator to end.
    pub fn close(&self) {
        self.closing.notify_one();
    }
    /// Waits until somebody asks the coordinator to end.
    pub async fn closed(&self) {
        self.closing.notified().await;
    }
}

/// Waits until at most `n` sessions are in flight and nothing is being recorded, or the grace time is over; and then for
/// what is on its way to remotes.
pub async fn drain(shared: &Shared, n: usize) {
    shared.backlog.close();
    let busy = || shared.traffic.n_inside() > n || !shared.permits.recording_is_idle();
    until(Instant::now() + GRACE, || !busy()).await;
    let end = Instant::now() + FLUSH_LIMIT;
    if shared.tiers.take_writes() {
        if shared.traffic.hurry() {
            shared.permits.checking.add_permits(crate::cores() - 1);
        }
        // What they let stand is for the remotes, too.
        let are_done = || shared.permits.checks_are_idle() || !shared.tiers.take_writes();
        until(end - FLUSH_LIMIT / 2, are_done).await;
    }
    let (mut left, mut since) = (usize::MAX, Instant::now());
    let gives_up = || {
        let now = shared.tiers.pending();
        if now != left {
            (left, since) = (now, Instant::now());
        }
        // What is being recorded is announced to the remotes at its end.
        let is_done = !shared.tiers.are_busy() && shared.permits.recording_is_idle();
        is_done || since.elapsed() > STALL_LIMIT
    };
    until(end, gives_up).await;
}

async fn until(end: Instant, mut condition: impl FnMut() -> bool) {
    while !condition() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Stops accepting.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Close;

impl RequestRouter {
    /// Accepts from `listener` once it is started.
    pub fn new(listener: UnixListener, shared: Arc<Shared>, gate: Arc<Gate>) -> Self {
        RequestRouter { listener: Some(listener), shared, gate }
    }
}

impl Actor for RequestRouter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (shared, gate) = (Arc::clone(&self.shared), Arc::clone(&self.gate));
        if let Some(limit) = shared.loaded.settings.coordinator.idle_timeout {
            ctx.run_interval(limit.div_f32(40.0).max(TICK), move |router, _| {
                let permits = &router.shared.permits;
                let works = !permits.recording_is_idle()
                    || !permits.checks_are_idle()
                    || router.shared.tiers.are_busy();
                if router.shared.traffic.is_idle_for(limit) && !works {
                    tracing::info!("idle for too long, ending");
                    router.gate.close();
                }
            });
        }
        if let Some(listener) = self.listener.take() {
            ctx.spawn(actix::fut::wrap_future(accept(listener, shared, gate)));
        }
    }
}

impl Drop for RequestRouter {
    /// However it ends: without it nobody reaches this coordinator, and the next client starts another.
    fn drop(&mut self) {
        self.gate.close();
    }
}

impl Handler<Close> for RequestRouter {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) -> Self::Result {
        actix::ActorContext::stop(ctx);
        Box::pin(async {})
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>, gate: Arc<Gate>) {
    loop {
        let Ok(permit) = Arc::clone(&shared.permits.sessions).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (shared, inside, gate) = (Arc::clone(&shared), shared.traffic.enter(), Arc::clone(&gate));
                actix::spawn(async move {
                    if let Err(error) = session(&shared, &gate, &stream).await {
                        tracing::debug!(%error, "connection ended");
                    }
                    drop((inside, permit));
                });
            }
            // Out of descriptors: those in use come back; until then clients wait in the backlog.
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn session(shared: &Arc<Shared>, gate: &Gate, stream: &UnixStream) -> Result<(), WireError> {
    let peer = fd::peer(stream.as_fd())?;
    if peer.uid != gate.uid {
        return Err(WireError::Malformed);
    }
    let first = match tokio::time::timeout(FIRST_MESSAGE_LIMIT, receive(stream)).await {
        Ok(first) => first,
        Err(_) => return Ok(()),
    };
    match first {
        Ok((WireMessage::Compile(request), _)) if sees_our_files(gate, peer.pid) => {
            compile(shared, stream, request, peer.pid).await
        }
        Ok((WireMessage::Compile(_), _)) => {
            shared.stats.bump(Stat::CompileRequests);
            statistics::not_cacheable(&shared.stats, "other mount namespace");
            send(stream, Reply::RunItYourself { env: Vec::new(), notice: String::new() }, &[]).await
        }
        Ok((WireMessage::Admin(order), _)) => {
            let reply = administer(shared, order).await;
            let sent = send(stream, Reply::Admin(reply), &[]).await;
            // Also where nobody waits for the answer any more.
            if order == Admin::Stop {
                gate.close();
            }
            sent
        }
        Ok((WireMessage::Report(_), _)) => Err(WireError::Malformed),
        Err(WireError::OtherBuild) => {
            // The head of any frame tells the client which build this is; it starts a successor when we are gone.
            let _ = send(stream, Reply::Stored { narrowed: None }, &[]).await;
            tracing::info!("a client of another build came, making room for its coordinator");
            gate.close();
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// A client in a container may share our socket without sharing our files.
fn sees_our_files(gate: &Gate, pid: i32) -> bool {
    let theirs = std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    gate.own_namespace.is_none() || theirs == gate.own_namespace
}

async fn compile(
    shared: &Arc<Shared>,
    stream: &UnixStream,
    request: CompileRequest,
    client: i32,
) -> Result<(), WireError> {
    let _compiling = shared.traffic.compile();
    let wanted = Wanted::by(&request);
    let notice = notice(shared, &request.env);
    let (hints, told) = Hints::channel();
    let work = drive::compile(shared, request, client, &hints);
    let outcome = while_it_comes(stream, work, told).await;
    // They hold files of what came in vain.
    drop(hints);
    match outcome {
        Outcome::Yours => {
            let env = shared.slots.lend(wanted, client).await;
            send(stream, Reply::RunItYourself { env, notice }, &[]).await
        }
        Outcome::Hit(mut hit, blobs) => {
            hit.notice = notice;
            send(stream, Reply::Hit(hit), &blobs).await
        }
        Outcome::Miss(mut miss) => {
            miss.plan().notice = notice;
            send(stream, Reply::CompileAndTellMe(miss.plan().clone()), &[]).await?;
            match receive(stream).await? {
                (WireMessage::Report(report), descriptors) => {
                    let narrowed = miss.report(report, descriptors, || waits(stream)).await;
                    send(stream, Reply::Stored { narrowed }, &[]).await
                }
                _ => Err(WireError::Malformed),
            }
        }
    }
}

/// Works on; meanwhile tells the client what of a large result has come.
async fn while_it_comes(
    stream: &UnixStream,
    work: impl Future<Output = Outcome>,
    mut told: watch::Receiver<Told>,
) -> Outcome {
    tokio::pin!(work);
    let mut last = None;
    loop {
        tokio::select! {
            biased;
            outcome = &mut work => return outcome,
            Ok(()) = told.changed() => {}
        }
        let news = told.borrow_and_update().clone();
        // What the client does not hear it does not need; nothing waits for one that does not listen.
        if takes_at_once(stream) && tell(stream, news, &mut last).await.is_err() {
            return work.await;
        }
    }
}

fn takes_at_once(stream: &UnixStream) -> bool {
    let mut asked = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    poll(&mut asked, PollTimeout::ZERO).is_ok_and(|ready| ready == 1)
}

async fn tell(stream: &UnixStream, news: Told, last: &mut Option<Arc<Coming>>) -> Result<(), WireError> {
    let Told { coming: Some(coming), grown } = news else { return Ok(()) };
    if !last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &coming)) {
        send(stream, Reply::Coming(coming.outputs.clone()), &coming.files).await?;
        *last = Some(coming);
    }
    if grown == 0 { Ok(()) } else { send(stream, Reply::Grown(grown), &[]).await }
}

/// Whether the client is still at the other end; it says nothing more by itself.
fn waits(stream: &UnixStream) -> bool {
    let read = |buffer: &mut [u8]| fd::receive(stream.as_fd(), buffer, &mut Vec::new());
    matches!(read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Tells a client, once, that settings in its environment are not those that the coordinator runs with.
fn notice(shared: &Shared, env: &EnvBlock) -> String {
    let ours = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b"CACHEPOT_");
    let pairs = env.iter().filter(|(name, _)| ours(name)).map(|(n, v)| (n.to_owned(), v.to_owned()));
    let mut pairs = pairs.peekable();
    if pairs.peek().is_none() {
        return String::new();
    }
    let theirs = Environment::new(pairs, shared.started_with.user_id());
    let set_by_client = cachepot_config::differences(&shared.started_with, &theirs);
    let texts =
        set_by_client.iter().filter(|difference| difference.client.is_some()).map(ToString::to_string);
    let told: Vec<String> = texts.map(|text| shared.once(text)).filter(|text| !text.is_empty()).collect();
    told.join("; ")
}

async fn administer(shared: &Arc<Shared>, order: Admin) -> AdminReply {
    match order {
        Admin::ShowStats => {
            shared.backlog.flush().await;
            AdminReply::Done(statistics::report(shared))
        }
        Admin::ZeroStats => {
            shared.backlog.flush().await;
            let of = Arc::clone(shared);
            // It may wait for a lock. A failure shows in the numbers.
            let _ = tokio::task::spawn_blocking(move || statistics::clear(&of)).await;
            AdminReply::Done(statistics::report(shared))
        }
        Admin::Stop => {
            drain(shared, 1).await;
            AdminReply::Done(statistics::report(shared))
        }
        Admin::ClearCache => {
            shared.backlog.flush().await;
            let store = Arc::clone(&shared.store);
            let cleared = tokio::task::spawn_blocking(move || store.clear()).await;
            // Afterwards: a look-up may have remembered one that was still there.
            shared.manifests.forget();
            match cleared {
                Ok(Ok(_)) => AdminReply::Done(String::new()),
                Ok(Err(error)) => AdminReply::Failed(error.to_string()),
                Err(error) => AdminReply::Failed(error.to_string()),
            }
        }
    }
}

async fn receive(stream: &UnixStream) -> Result<(WireMessage, Vec<OwnedFd>), WireError> {
    let mut assembly = Assembly::default();
    loop {
        if let Some((kind, payload, descriptors)) = assembly.take()? {
            return Ok((WireMessage::decode(kind, &payload)?, descriptors));
        }
        let read = |buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>| {
            stream.try_io(Interest::READABLE, || fd::receive(stream.as_fd(), buffer, descriptors))
        };
        match assembly.fill(read) {
            Ok(()) => {}
            Err(WireError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                stream.readable().await?
            }
            Err(error) => return Err(error),
        }
    }
}

async fn send(stream: &UnixStream, reply: Reply, files: &[File]) -> Result<(), WireError> {
    let frame = frame::encode(reply.encode())?;
    let raw: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let (mut rest, mut descriptors) = (frame.as_slice(), raw.as_slice());
    while !rest.is_empty() {
        match stream.try_io(Interest::WRITABLE, || fd::send(stream.as_fd(), rest, descriptors)) {
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                descriptors = &[];
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
