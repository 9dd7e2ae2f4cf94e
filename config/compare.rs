//! Whether a client wants other settings than the coordinator was started with.
//!
//! The coordinator reads its variables when it starts and never again. A user who sets one afterwards
//! and sees no effect should be told.

use std::fmt;
use std::path::Path;

use crate::environment::Environment;
use crate::keys::{KEYS, Key, Reader};
use crate::sources::Value;

/// A variable that differs between a running coordinator and a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The variable.
    pub variable: &'static str,
    /// What the coordinator was started with.
    pub coordinator: Option<String>,
    /// What the client has.
    pub client: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<String>| value.as_ref().map_or("not set".to_owned(), |v| format!("`{v}`"));
        let (client, coordinator) = (text(&self.client), text(&self.coordinator));
        write!(
            f,
            "`{}` is {client} here but {coordinator} in the running coordinator; \
             `cachepot --stop-coordinator` lets the next compile start one with the new value",
            self.variable
        )
    }
}

/// Lists the variables in which a client differs from what the coordinator was started with, in the order of the
/// table. Values are in one form each (`10G` and `10240M` are equal).
pub fn differences(started_with: &Environment, client: &Environment) -> Vec<Difference> {
    let shown = |value: Value| value.to_shown_text();
    let different = compared_keys().filter_map(|key| {
        let (coordinator, client) = (value_of(key, started_with), value_of(key, client));
        let (variable, _) = client.as_ref().or(coordinator.as_ref())?;
        let variable = *variable;
        let (coordinator, client) = (coordinator.map(|(_, value)| value), client.map(|(_, value)| value));
        (coordinator != client).then(|| Difference {
            variable,
            coordinator: coordinator.map(shown),
            client: client.map(shown),
        })
    });
    different.collect()
}

/// Variables that choose the coordinator, or only how it starts, say nothing about what it does.
fn compared_keys() -> impl Iterator<Item = &'static Key> {
    let is_compared = |key: &&Key| matches!(key.reader, Reader::Coordinator | Reader::ClientAndCoordinator);
    KEYS.iter().copied().filter(is_compared)
}

/// The variable that is set, and its value.
fn value_of(key: &Key, environment: &Environment) -> Option<(&'static str, Value)> {
    let (variable, raw) = key.variables().find_map(|name| Some((name, environment.get(name)?)))?;
    // Relative paths stay as they are, and so does what cannot be read.
    let value = Value::parse(key.kind, raw, Path::new(""));
    Some((variable, value.unwrap_or_else(|_| Value::Text(raw.to_string_lossy().into_owned()))))
}
