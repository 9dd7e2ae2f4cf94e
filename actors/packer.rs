//! Packs what remotes get. What is large goes to a process at idle priority: packing it takes as much of the processor as a few
//! compiles, and a build that keeps the processor busy must not wait for it. Where that process cannot be had, gets nothing
//! done on a busy machine, or the coordinator is to end, it is done here.
use crate::idle;
use crate::traffic::Traffic;
use cachepot_engine::digest::Digest;
use cachepot_storage::remote::bundle::{BundleError, MAX_CONTENT_BYTES, SMALL_BYTES};
use cachepot_storage::remote::packing::Content;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

/// The option that makes the coordinator's program pack what comes by its standard input.
const OPTION: &str = "--pack-objects";
/// Before the process starts, so that its session can be given its small share: see `idle::Session`.
const PAUSE: Duration = Duration::from_millis(110);
/// How long one object may take: the largest needs a second of a processor that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// For so long nothing is tried at idle priority after one that took longer.
const BUSY: Duration = Duration::from_secs(60);
/// An object may be larger than its content by its envelope, and what zstd adds where nothing can be packed.
const MAX_OBJECT_BYTES: u64 = MAX_CONTENT_BYTES + (2 << 20);

/// See the file's head.
pub(crate) struct Packer {
    state: Mutex<State>,
    traffic: Arc<Traffic>,
}

#[derive(Default)]
struct State {
    process: Option<Process>,
    /// Until when the processor is taken for too busy.
    busy_until: Option<Instant>,
}

struct Process {
    questions: ChildStdin,
    answers: ChildStdout,
    _session: idle::Session,
    _child: Child,
}

impl Packer {
    /// One without a process yet.
    pub(crate) fn new(traffic: Arc<Traffic>) -> Self {
        Packer { state: Mutex::default(), traffic }
    }

    /// The object of a content.
    ///
    /// # Errors
    /// As [`Content::pack`].
    pub(crate) async fn pack(&self, key: Digest, content: Content) -> Result<Vec<u8>, BundleError> {
        if content.bytes() > SMALL_BYTES as u64 {
            let packed = tokio::select! {
                packed = self.at_idle_priority(&key, &content) => packed,
                () = self.traffic.wait_for_hurry() => Err(io::ErrorKind::Interrupted.into()),
            };
            match packed {
                Ok(object) if object.is_empty() => {
                    return Err(BundleError::Malformed("it cannot be packed"));
                }
                Ok(object) => return Ok(object),
                // It may have died of this very content.
                Err(error) if is_dead(&error) => return Err(error.into()),
                Err(error) => tracing::debug!(%error, "nothing is packed at idle priority"),
            }
        }
        let work = tokio::task::spawn_blocking(move || content.pack(&key));
        work.await.map_err(|error| io::Error::other(error.to_string()))?
    }

    async fn at_idle_priority(&self, key: &Digest, content: &Content) -> io::Result<Vec<u8>> {
        let mut state = self.state.lock().await;
        if state.busy_until.is_some_and(|until| Instant::now() < until) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        // It comes back only after a whole answer: whoever is dropped at an await leaves no half of one to the next.
        let mut process = match state.process.take() {
            Some(process) => process,
            None => Process::start().await?,
        };
        let question = content.question(key);
        let Ok(object) = tokio::time::timeout(PATIENCE, process.ask(&question)).await else {
            state.busy_until = Some(Instant::now() + BUSY);
            return Err(io::ErrorKind::TimedOut.into());
        };
        let object = object?;
        state.process = Some(process);
        Ok(object)
    }
}

fn is_dead(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe)
}

impl Process {
    async fn start() -> io::Result<Self> {
        tokio::time::sleep(PAUSE).await;
        // This very program, also where another one has its place by now.
        let mut command = Command::new("/proc/self/exe");
        command.arg(OPTION).env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        idle::prepare(&mut command);
        let mut child = command.spawn()?;
        let session = idle::Session::of(&child);
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (questions, answers) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Process { questions, answers, _session: session, _child: child })
    }

    async fn ask(&mut self, question: &[u8]) -> io::Result<Vec<u8>> {
        self.questions.write_all(question).await?;
        self.questions.flush().await?;
        let length = self.answers.read_u64_le().await?;
        if length > MAX_OBJECT_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut object = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        (&mut self.answers).take(length).read_to_end(&mut object).await?;
        if object.len() as u64 == length { Ok(object) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
