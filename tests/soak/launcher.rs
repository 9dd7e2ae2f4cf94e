//! What stands before the compiler: cachepot, or for development another program.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use crate::model::{Model, Pwd};

/// The launcher of one worker, with its own cache folder, socket and settings.
pub(crate) struct Launcher {
    path: PathBuf,
    is_cachepot: bool,
    room: PathBuf,
}

impl Launcher {
    /// Takes `SOAK_LAUNCHER`, else the cachepot of this build. `room` is a folder of the worker.
    pub(crate) fn new(room: &Path) -> Self {
        for folder in ["home", "tmp"] {
            fs::create_dir_all(room.join(folder)).unwrap();
        }
        fs::write(room.join("config"), "").unwrap();
        let other = env::var_os("SOAK_LAUNCHER").map(PathBuf::from);
        let is_cachepot = other.is_none();
        let path = other.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_cachepot")));
        Self { path, is_cachepot, room: room.to_owned() }
    }

    /// Folder for temporary files of compiles.
    fn temporary(&self) -> PathBuf {
        self.room.join("tmp")
    }

    /// Names of temporary files that outlived their compiles.
    pub(crate) fn litter(&self) -> Option<String> {
        let entries = fs::read_dir(self.temporary()).unwrap();
        let names: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        if names.is_empty() { None } else { Some(names.join(" ")) }
    }

    /// Gives `process` nothing but the fixed environment of the worker.
    fn set_environment(&self, process: &mut Process) {
        process.env_clear();
        process.env("PATH", env::var_os("PATH").unwrap_or_default());
        process.env("HOME", self.room.join("home"));
        process.env("TMPDIR", self.temporary());
        process.env("CACHEPOT_DIR", self.room.join("cache"));
        process.env("CACHEPOT_SERVER_UDS", self.room.join("socket"));
        process.env("CACHEPOT_CONF", self.room.join("config"));
        process.env("CCACHE_DIR", self.room.join("ccache"));
    }

    /// A command of the model in a folder of its checkout, perhaps through the launcher.
    pub(crate) fn process(
        &self,
        model: &Model,
        folder: &str,
        line: Vec<String>,
        is_launched: bool,
    ) -> Process {
        let mut words: Vec<String> = Vec::new();
        if let Some(umask) = model.umask {
            words.extend(["sh", "-c", &format!("umask {umask}; exec \"$@\""), "sh"].map(str::to_owned));
        }
        words.extend(is_launched.then(|| self.path.to_string_lossy().into_owned()));
        words.extend(line);
        let mut process = Process::new(&words[0]);
        process.args(&words[1..]);
        self.set_environment(&mut process);
        process.envs(&model.env);
        let link = model.base.join(["here0", "here1"][model.checkout]);
        match model.pwd {
            Pwd::Real => process.env("PWD", model.root().join(folder)),
            Pwd::Link => process.env("PWD", link.join(folder)),
            Pwd::Lie => process.env("PWD", &model.base),
            Pwd::Unset => process.env_remove("PWD"),
        };
        process.current_dir(model.root().join(folder));
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        process
    }

    /// Messages of assemblers and linkers name temporary files.
    pub(crate) fn without_temporary_names(&self, stderr: &[u8]) -> String {
        let text = String::from_utf8_lossy(stderr);
        let folder = format!("{}/", self.temporary().display());
        let mut parts = text.split(&folder);
        let mut clean = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let rest = part.find(['.', ':']).map_or("", |at| &part[at..]);
            clean += &format!("TMPDIR/name{rest}");
        }
        clean
    }

    /// Stops the coordinator; the next compile starts a new one, which knows only what is on disk.
    pub(crate) fn stop(&self) {
        if self.is_cachepot {
            self.ask(&["--stop-coordinator"]);
        }
    }

    /// Hits counted so far; `None` where the launcher is not cachepot.
    pub(crate) fn count_hits(&self) -> Option<u64> {
        if !self.is_cachepot {
            return None;
        }
        let text = self.ask(&["--show-stats", "--stats-format", "json"]);
        let stats: serde_json::Value = serde_json::from_str(&text).ok()?;
        let counts = find(&stats, "cache_hits")?.get("counts")?.as_object()?;
        Some(counts.values().filter_map(serde_json::Value::as_u64).sum())
    }

    fn ask(&self, args: &[&str]) -> String {
        let mut process = Process::new(&self.path);
        self.set_environment(&mut process);
        let answer = process.args(args).output().unwrap();
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The first member called `name`, at any depth.
fn find<'a>(value: &'a serde_json::Value, name: &str) -> Option<&'a serde_json::Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| members.values().find_map(|member| find(member, name)))
}
