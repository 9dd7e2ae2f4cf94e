//! The settings, as the parts of the program get them.
//!
//! Plain structs, filled once. Each part gets its own struct and sees no other.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::ConfigError;
use crate::keys::{self, Key};
use crate::remotes::{Mode, Remotes};
use crate::sources::{Resolved, Value};
use crate::units::ByteSize;

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For the local disk store.
    pub disk: DiskSettings,
    /// For the coordinator itself.
    pub coordinator: CoordinatorSettings,
    /// Caches on other machines.
    pub remotes: Remotes,
}

/// Settings of the local disk store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// Where entries and index lie; absolute.
    pub dir: PathBuf,
    /// What the store may occupy.
    pub max_bytes: ByteSize,
}

/// Settings of the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorSettings {
    /// Time without work after which it exits; `None` is never.
    pub idle_timeout: Option<Duration>,
    /// Filter of the log; `None` is no log.
    pub log: Option<String>,
    /// Where log and panics are appended; absolute.
    pub error_log: Option<PathBuf>,
}

impl Settings {
    /// Fills the structs from the resolved keys.
    pub(crate) fn from_resolved(resolved: &[Resolved]) -> Result<Self, ConfigError> {
        let values = Values(resolved);
        let idle_timeout = values.duration(&keys::IDLE_TIMEOUT)?;
        Ok(Self {
            disk: DiskSettings {
                dir: values.path(&keys::DISK_DIR)?.ok_or_else(|| misfit(&keys::DISK_DIR))?,
                max_bytes: values.size(&keys::DISK_SIZE)?,
            },
            coordinator: CoordinatorSettings {
                idle_timeout: Some(idle_timeout).filter(|timeout| !timeout.is_zero()),
                log: values.text(&keys::LOG)?,
                error_log: values.path(&keys::ERROR_LOG)?,
            },
            remotes: Remotes::from_values(&values)?,
        })
    }
}

/// Typed access by row. A row whose kind does not fit is our bug and answers [`ConfigError::Table`].
pub(crate) struct Values<'a>(&'a [Resolved]);

impl Values<'_> {
    fn resolved(&self, key: &'static Key) -> Result<&Resolved, ConfigError> {
        self.0.iter().find(|resolved| resolved.key == key).ok_or_else(|| misfit(key))
    }

    fn find(&self, key: &'static Key) -> Result<Option<&Value>, ConfigError> {
        Ok(self.resolved(key)?.value.as_ref())
    }

    /// What is said where two keys are set that exclude each other.
    pub(crate) fn both(&self, first: &'static Key, second: &'static Key) -> Result<ConfigError, ConfigError> {
        let place = |key: &'static Key| Ok(self.resolved(key)?.origin.name_of(key.label()));
        Ok(ConfigError::Both { first: place(first)?, second: place(second)? })
    }

    pub(crate) fn path(&self, key: &'static Key) -> Result<Option<PathBuf>, ConfigError> {
        match self.find(key)? {
            None => Ok(None),
            Some(Value::Path(path)) => Ok(Some(path.clone())),
            Some(_) => Err(misfit(key)),
        }
    }

    pub(crate) fn text(&self, key: &'static Key) -> Result<Option<String>, ConfigError> {
        match self.find(key)? {
            None => Ok(None),
            Some(Value::Text(text) | Value::Secret(text) | Value::SecretUrl(text)) => Ok(Some(text.clone())),
            Some(_) => Err(misfit(key)),
        }
    }

    fn size(&self, key: &'static Key) -> Result<ByteSize, ConfigError> {
        match self.find(key)? {
            Some(Value::Size(size)) => Ok(*size),
            _ => Err(misfit(key)),
        }
    }

    pub(crate) fn duration(&self, key: &'static Key) -> Result<Duration, ConfigError> {
        match self.find(key)? {
            Some(Value::Duration(duration)) => Ok(*duration),
            _ => Err(misfit(key)),
        }
    }

    pub(crate) fn number(&self, key: &'static Key) -> Result<Option<u16>, ConfigError> {
        match self.find(key)? {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(*number)),
            Some(_) => Err(misfit(key)),
        }
    }

    /// Unset is no.
    pub(crate) fn flag(&self, key: &'static Key) -> Result<bool, ConfigError> {
        match self.find(key)? {
            None => Ok(false),
            Some(Value::Flag(is_set)) => Ok(*is_set),
            Some(_) => Err(misfit(key)),
        }
    }

    pub(crate) fn mode(&self, key: &'static Key) -> Result<Mode, ConfigError> {
        match self.find(key)? {
            Some(Value::Mode(mode)) => Ok(*mode),
            _ => Err(misfit(key)),
        }
    }
}

fn misfit(key: &Key) -> ConfigError {
    ConfigError::Table { key: key.label() }
}
