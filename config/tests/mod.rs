//! Tests of the whole package; a module of the library, because some of them look at private parts.

mod compare;
mod file;
mod json;
mod keys;
mod load;
mod places;
mod units;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{ConfigError, Environment, Loaded, load};

/// A home directory with an environment that knows nothing else.
struct Home {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let home = directory.path().to_str().expect("a path in UTF-8").to_owned();
        let roots = ["HOME", "APPDATA", "LOCALAPPDATA"];
        Self { variables: roots.map(|name| (name.to_owned(), home.clone())).to_vec(), directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a configuration file and names it in `CACHEPOT_CONF`.
    fn config(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a file in the home directory");
        let path = path.to_str().expect("a path in UTF-8").to_owned();
        self.variable("CACHEPOT_CONF", &path)
    }

    fn toml(self, text: &str) -> Self {
        self.config("config", text)
    }

    fn config_path(&self) -> PathBuf {
        self.path().join("config")
    }

    fn environment(&self) -> Environment {
        Environment::new(self.variables.clone(), 1000)
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        load(&self.environment(), &self.path().join("started-here"))
    }

    fn loads(&self) -> Loaded {
        self.load().expect("settings")
    }

    fn fails(&self) -> ConfigError {
        self.load().expect_err("an error")
    }

    /// Replaces the path of this home directory, which differs from run to run, by `~`.
    fn neutral(&self, text: &str) -> String {
        text.replace(self.path().to_str().expect("a path in UTF-8"), "~")
    }

    /// Returns the error text, with `~` for the home directory.
    fn error(&self) -> String {
        self.neutral(&self.fails().to_string())
    }

    /// Returns the warnings, with `~` for the home directory.
    fn warnings(&self) -> Vec<String> {
        self.loads().warnings.iter().map(|warning| self.neutral(&warning.to_string())).collect()
    }

    /// Returns value and origin of a key as `--show-config` has them, with `~` for the home directory.
    fn shown(&self, label: &str) -> (String, String) {
        let loaded = self.loads();
        let shown = loaded.values.iter().find(|shown| shown.key.label() == label).expect("a shown key");
        (self.neutral(&shown.text), self.neutral(&shown.origin.to_string()))
    }
}
