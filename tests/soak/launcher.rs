//! What stands before the compiler: cachepot, or for development another program.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

/// The launcher of one worker, with its own cache folder, socket and settings.
pub(crate) struct Launcher {
    /// The program.
    pub(crate) path: PathBuf,
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

    /// True where it is cachepot itself.
    pub(crate) fn is_cachepot(&self) -> bool {
        self.is_cachepot
    }

    /// Folder for temporary files of compiles.
    pub(crate) fn temporary(&self) -> PathBuf {
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
    pub(crate) fn set_environment(&self, process: &mut Process) {
        process.env_clear();
        process.env("PATH", env::var_os("PATH").unwrap_or_default());
        process.env("HOME", self.room.join("home"));
        process.env("TMPDIR", self.temporary());
        process.env("CACHEPOT_DIR", self.room.join("cache"));
        process.env("CACHEPOT_SERVER_UDS", self.room.join("socket"));
        process.env("CACHEPOT_CONF", self.room.join("config"));
        process.env("CCACHE_DIR", self.room.join("ccache"));
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
