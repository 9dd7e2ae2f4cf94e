//! Programs that the coordinator itself starts: questions to a compiler. Whoever asks holds a slot of the jobserver.
use crate::jobserver;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
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
        let mut command = Command::new(&self.program);
        // The jobserver of the client's build is no business of ours: its descriptors mean something else here.
        let kept =
            self.env.iter().filter(|(name, _)| !jobserver::VARIABLES.iter().any(|variable| name == variable));
        command.args(&self.words).env_clear().envs(kept.map(|(name, value)| (name, value)));
        command.arg0(&self.name).current_dir(existing(&self.cwd)).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        match tokio::time::timeout(LIMIT, command.output()).await {
            Ok(output) => {
                output.map(|o| Answer { succeeded: o.status.success(), stdout: o.stdout, stderr: o.stderr })
            }
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}

fn existing(folder: &Path) -> &Path {
    if folder.is_dir() { folder } else { Path::new("/") }
}
