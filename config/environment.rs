//! The variables settings are read from, as plain data.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

/// Environment variables and the user they belong to.
///
/// The coordinator holds more than one: its own, and one per request, sent by the client. Therefore
/// nothing in this package reads the process's environment by itself. `Debug` shows names without
/// values, because variables hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    /// Names the user in the fallback folder below the temporary directory.
    user_id: u32,
}

impl Environment {
    /// Makes an environment from pairs; the last one of equal names counts.
    pub fn new<Name, Value>(variables: impl IntoIterator<Item = (Name, Value)>, user_id: u32) -> Self
    where
        Name: Into<OsString>,
        Value: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, user_id }
    }

    /// Returns a variable; one that is set to nothing counts as unset.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Returns the number of the user.
    pub fn user_id(&self) -> u32 {
        self.user_id
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&OsString> = self.variables.keys().collect();
        f.debug_struct("Environment").field("names", &names).field("user_id", &self.user_id).finish()
    }
}
