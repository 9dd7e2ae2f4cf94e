//! Programs that the coordinator itself starts: questions to a compiler. Whoever asks holds a slot of the jobserver,
//! or asks idly.
use crate::idle;
use crate::jobserver;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::Command;

/// How long a compiler may think about a question.
const LIMIT: Duration = Duration::from_secs(30);

/// A question to a compiler.
#[derive(Clone, Debug)]
pub struct Question {
    /// The program.
    pub program: PathBuf,
    /// What it is told its name is.
    pub name: OsString,
    /// Its words.
    pub words: Vec<OsString>,
    /// The client's environment and nothing else.
    pub env: Vec<(OsString, OsString)>,
    /// The client's working directory.
    pub cwd: PathBuf,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it ended with status 0.
    pub succeeded: bool,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Question {
    /// The same question with other words.
    pub fn with<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Self {
        let words = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        Question { words, ..self.clone() }
    }

    /// Adds a variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.into(), value.into()));
        self
    }

    /// Asks. The caller holds a slot of the jobserver.
    ///
    /// # Errors
    /// When the program cannot be started; `TimedOut` where it does not answer in time.
    pub async fn ask(&self) -> std::io::Result<Answer> {
        in_time(LIMIT, self.command().output()).await
    }

    /// Asks in the time that nobody else wants; on a busy machine that takes long. What was started goes with the
    /// question.
    ///
    /// # Errors
    /// As [`Question::ask`].
    pub async fn ask_idly(&self, limit: Duration) -> std::io::Result<Answer> {
        let mut command = self.command();
        idle::prepare(&mut command);
        let child = command.spawn()?;
        let session = idle::Session::of(&child);
        let answer = in_time(limit, child.wait_with_output()).await?;
        session.has_ended();
        Ok(answer)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // The jobserver of the client's build is no business of ours: its descriptors mean something else here.
        let kept =
            self.env.iter().filter(|(name, _)| !jobserver::VARIABLES.iter().any(|variable| name == variable));
        command.args(&self.words).env_clear().envs(kept.map(|(name, value)| (name, value)));
        command.arg0(&self.name).current_dir(existing(&self.cwd)).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

async fn in_time(
    limit: Duration,
    output: impl Future<Output = std::io::Result<Output>>,
) -> std::io::Result<Answer> {
    let Output { status, stdout, stderr } = tokio::time::timeout(limit, output).await??;
    Ok(Answer { succeeded: status.success(), stdout, stderr })
}

fn existing(folder: &Path) -> &Path {
    if folder.is_dir() { folder } else { Path::new("/") }
}
