//! The coordinator. For now a stand-in with plain threads that answers administration commands only.

use cachepot_config::Loaded;
use cachepot_engine::stats::{Stats, StatsReport};
use cachepot_wire::fd::{receive_frame, send_all};
use cachepot_wire::{Admin, AdminReply, EnvBlock, Message, Reply, WireError, frame};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, mpsc};
use std::thread;

/// What a coordinator needs to run.
pub struct Options {
    /// Bound and listening.
    pub listener: UnixListener,
    /// The settings, and what should be told about them.
    pub loaded: Loaded,
    /// The environment it was started with.
    pub env: EnvBlock,
    /// To be called when requests are taken.
    pub ready: Box<dyn FnOnce() + Send>,
    /// To be called when no more requests are taken, before those in flight are waited for: removes the socket
    /// file, so that a successor can start at once.
    pub retire: Box<dyn FnOnce() + Send>,
}

/// Why a coordinator could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It cannot take connections any more.
    #[error("take a connection: {0}")]
    Accept(std::io::Error),
}

type Stopped = Result<Option<(UnixStream, String)>, RunError>;

/// Runs until it is stopped.
///
/// # Errors
/// [`RunError`].
pub fn run(options: Options) -> Result<(), RunError> {
    let Options { listener, loaded, ready, retire, .. } = options;
    let stats = Arc::new(Stats::default());
    let (stop, stopped) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stats, loaded, stop) = (Arc::clone(&stats), loaded.clone(), stop.clone());
            match stream {
                Ok(stream) => drop(thread::spawn(move || serve(stream, &stats, &loaded, &stop))),
                Err(error) => drop(stop.send(Err(RunError::Accept(error)))),
            }
        }
    });
    ready();
    let stopped = stopped.recv().unwrap_or(Ok(None));
    retire();
    if let Some((stream, report)) = stopped? {
        answer(&stream, AdminReply::Done(report));
    }
    Ok(())
}

fn serve(stream: UnixStream, stats: &Stats, loaded: &Loaded, stop: &mpsc::Sender<Stopped>) {
    let message =
        receive_frame(stream.as_fd()).and_then(|(kind, payload, _)| Message::decode(kind, &payload));
    let report = || {
        let disk = &loaded.settings.disk;
        let report = StatsReport {
            stats: stats.snapshot(),
            cache_location: format!("Local disk: {:?}", disk.dir),
            cache_size: None,
            max_cache_size: Some(disk.max_bytes.as_bytes()),
        };
        report.to_json().unwrap_or_default()
    };
    match message {
        Ok(Message::Admin(Admin::Ping | Admin::ClearCache)) => {
            answer(&stream, AdminReply::Done(String::new()))
        }
        Ok(Message::Admin(Admin::ShowStats)) => answer(&stream, AdminReply::Done(report())),
        Ok(Message::Admin(Admin::ZeroStats)) => {
            stats.clear();
            answer(&stream, AdminReply::Done(report()));
        }
        Ok(Message::Admin(Admin::Stop)) => drop(stop.send(Ok(Some((stream, report()))))),
        // Our head tells the other side what it needs to know.
        Err(WireError::OtherBuild) => answer(&stream, AdminReply::Failed("another build".to_owned())),
        _ => {}
    }
}

fn answer(stream: &UnixStream, reply: AdminReply) {
    if let Ok(bytes) = frame::encode(Reply::Admin(reply).encode()) {
        let _ = send_all(stream.as_fd(), &bytes, &[]);
    }
}
