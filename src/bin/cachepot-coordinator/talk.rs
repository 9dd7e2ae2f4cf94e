//! Asks a coordinator one thing and waits for the answer, not for ever.
use anyhow::{Context as _, anyhow, bail};
use cachepot_client::process::ProcessHold;
use cachepot_client::start::{self, coordinator_program};
use cachepot_config::{Environment, Loaded};
use cachepot_engine::stats::StatsReport;
use cachepot_wire::fd::{own_uid, peer, receive_frame, send_all};
use cachepot_wire::socket::{Places, places};
use cachepot_wire::{Admin, AdminReply, EnvBlock, Message, Reply, WireError, frame};
use std::env;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every command works with. The settings are read before anything is done: a wrong file stops them all.
pub(crate) struct Context {
    pub(crate) env: EnvBlock,
    pub(crate) places: Places,
    pub(crate) loaded: Loaded,
}

impl Context {
    pub(crate) fn new(env: EnvBlock) -> anyhow::Result<Self> {
        let directory = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let loaded = load(&env, &directory)?;
        for warning in &loaded.warnings {
            eprintln!("cachepot: warning: {warning}");
        }
        Ok(Context { places: places(&env, own_uid()), env, loaded })
    }

    /// The program to start, which is this one unless it was removed meanwhile.
    pub(crate) fn program(&self) -> anyhow::Result<PathBuf> {
        coordinator_program(env::current_exe().ok().as_deref())
            .ok_or_else(|| anyhow!("find `cachepot-coordinator` beside this program or on PATH"))
    }

    fn start(&self) -> anyhow::Result<UnixStream> {
        Ok(start::start(&self.places, &self.env, &self.program()?)?)
    }
}

/// Reads the settings.
pub(crate) fn load(env: &EnvBlock, directory: &Path) -> anyhow::Result<Loaded> {
    Ok(cachepot_config::load(&Environment::new(env.iter(), own_uid()), directory)?)
}

/// Asks, starting a coordinator where none runs; one of another build is replaced.
pub(crate) fn ask(context: &Context, order: Admin) -> anyhow::Result<String> {
    let stream = context.start()?;
    match exchange(&stream, order) {
        Ok(text) => Ok(text),
        Err(Trouble::OtherBuild) => {
            let old = peer(stream.as_fd())?.pid;
            let successor = start::replace(&context.places, &context.env, &context.program()?, old)?;
            Ok(exchange(&successor, order)?)
        }
        // It ended between our connecting and its answer: idle for too long, or stopped by somebody.
        Err(Trouble::Gone) => Ok(exchange(&context.start()?, order)?),
        Err(trouble) => Err(trouble.into()),
    }
}

/// Asks for the statistics.
pub(crate) fn ask_stats(context: &Context, order: Admin) -> anyhow::Result<StatsReport> {
    read_stats(&ask(context, order)?)
}

fn read_stats(json: &str) -> anyhow::Result<StatsReport> {
    StatsReport::from_json(json).context("read the statistics that the coordinator sent")
}

/// Stops the coordinator and waits until its process has ended, so that another one can be started at once.
/// Answers its last statistics; `None` from one of another build, which does not understand the order.
pub(crate) fn stop(context: &Context) -> anyhow::Result<Option<StatsReport>> {
    let stream = start::connect(&context.places).context("couldn't connect to server")?;
    let pid = peer(stream.as_fd())?.pid;
    // From before the order, so that the number still means the coordinator. Absent for one in another PID
    // namespace; then its answer has to do.
    let hold = ProcessHold::of(pid).ok();
    let report = match exchange(&stream, Admin::Stop) {
        Ok(json) => Some(read_stats(&json)?),
        Err(Trouble::OtherBuild) => {
            let hold =
                hold.as_ref().context("stop the coordinator of another build in another PID namespace")?;
            hold.terminate().context("stop the coordinator of another build")?;
            None
        }
        Err(trouble) => return Err(trouble.into()),
    };
    if let Some(hold) = hold
        && !hold.wait_gone(limit(Admin::Stop))?
    {
        bail!("the coordinator (process {pid}) has not ended within {} s", limit(Admin::Stop).as_secs());
    }
    Ok(report)
}

/// How long an answer may take. Stopping waits for what is in flight (10 s) and on its way to remotes (60 s), clearing for the
/// disk.
fn limit(order: Admin) -> Duration {
    Duration::from_secs(match order {
        Admin::ShowStats | Admin::ZeroStats => 15,
        Admin::Stop => 90,
        Admin::ClearCache => 600,
    })
}

/// Why there is no answer.
#[derive(Debug)]
enum Trouble {
    OtherBuild,
    Gone,
    Late(Duration),
    Wire(WireError),
    /// The answer is one to another question.
    Unexpected,
    /// The coordinator says so.
    Refused(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::OtherBuild => f.write_str("the coordinator is another build of cachepot"),
            Trouble::Gone => f.write_str("the coordinator ended before it answered"),
            Trouble::Late(limit) => {
                write!(f, "the coordinator has not answered within {} s", limit.as_secs())
            }
            Trouble::Wire(error) => write!(f, "{error}"),
            Trouble::Unexpected => f.write_str("the coordinator sent an answer to another question"),
            Trouble::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        match error {
            WireError::OtherBuild => Trouble::OtherBuild,
            WireError::Io(error) => match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    Trouble::Gone
                }
                _ => Trouble::Wire(WireError::Io(error)),
            },
            error => Trouble::Wire(error),
        }
    }
}

fn exchange(stream: &UnixStream, order: Admin) -> Result<String, Trouble> {
    let limit = limit(order);
    stream.set_read_timeout(Some(limit)).map_err(WireError::Io)?;
    stream.set_write_timeout(Some(limit)).map_err(WireError::Io)?;
    send_all(stream.as_fd(), &frame::encode(Message::Admin(order).encode())?, &[])?;
    let (kind, payload, _) = match receive_frame(stream.as_fd()) {
        Err(WireError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
            return Err(Trouble::Late(limit));
        }
        result => result?,
    };
    match Reply::decode(kind, &payload)? {
        Reply::Admin(AdminReply::Done(text)) => Ok(text),
        Reply::Admin(AdminReply::Failed(reason)) => Err(Trouble::Refused(reason)),
        _ => Err(Trouble::Unexpected),
    }
}
