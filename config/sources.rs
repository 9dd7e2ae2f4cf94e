//! The layers of settings: default, file, environment; the later one wins, key by key.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::environment::Environment;
use crate::error::ConfigError;
use crate::file::{self, FileValues};
use crate::keys::{self, Fallback, KEYS, Key, Kind, Malformed, Reader};
use crate::loaded::{Loaded, Origin, Shown, Warning};
use crate::parts::{self, Part};
use crate::places::{self, CacheDirectory, Platform};
use crate::remotes::{self, Mode};
use crate::settings::Settings;
use crate::units::{self, ByteSize};

/// Loads the settings from an environment and from the configuration file it names or implies.
///
/// Relative paths in variables are resolved against `base_dir`, the directory in which the user
/// started cachepot; relative paths in the file against the directory of the file, because the
/// former differs from build to build. A file that is missing or unreadable is no error.
///
/// # Errors
/// [`ConfigError`] for a file that does not parse, for unknown keys, wrong types and wrong values.
///
/// Source: behaviour specification 2 and 3.
pub fn load(environment: &Environment, base_dir: &Path) -> Result<Loaded, ConfigError> {
    if !base_dir.is_absolute() {
        return Err(ConfigError::RelativeBase { directory: base_dir.to_path_buf() });
    }
    let mut sources = Sources {
        environment,
        base_dir,
        platform: Platform::current(),
        file_path: PathBuf::new(),
        file: FileValues::default(),
        warnings: Vec::new(),
    };
    sources.read_file()?;
    sources.warn_of_missing_parts();
    let at_start = KEYS.iter().filter(|key| key.reader != Reader::Compile);
    let resolved: Vec<Resolved> = at_start.map(|key| sources.resolve(key)).collect::<Result<_, _>>()?;
    if resolved.iter().any(Resolved::is_secret_in_file) && may_be_read_by_others(&sources.file_path) {
        sources.warnings.push(Warning::SecretReadable { file: sources.file_path.clone() });
    }
    let settings = Settings::from_resolved(&resolved)?;
    sources.warn_of_missing_remotes(&resolved, &settings.remotes.missing);
    Ok(Loaded {
        settings,
        values: resolved.iter().map(Resolved::to_shown).collect(),
        warnings: sources.warnings,
    })
}

/// A key with its value and where that comes from.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) key: &'static Key,
    /// `None` is unset.
    pub(crate) value: Option<Value>,
    pub(crate) origin: Origin,
}

impl Resolved {
    fn is_secret_in_file(&self) -> bool {
        let is_secret = match &self.value {
            Some(Value::Secret(_)) => true,
            Some(Value::SecretUrl(url)) => remotes::mask(url) != *url,
            _ => false,
        };
        is_secret && matches!(self.origin, Origin::File { .. })
    }

    fn to_shown(&self) -> Shown {
        let text = match &self.value {
            None => "unset".to_owned(),
            Some(value) => value.to_shown_text(),
        };
        Shown { key: self.key, text, origin: self.origin.clone() }
    }
}

/// A value that has been read; one variant per kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Path(PathBuf),
    Size(ByteSize),
    Duration(Duration),
    Text(String),
    Number(u16),
    Flag(bool),
    Mode(Mode),
    /// Never shown.
    Secret(String),
    /// Shown without what it holds before the host and behind the path.
    SecretUrl(String),
}

impl Value {
    /// Reads a text as `kind`; the error names the accepted forms.
    pub(crate) fn parse(kind: Kind, raw: &OsStr, relative_to: &Path) -> Result<Self, &'static str> {
        if kind == Kind::Path {
            return Ok(Self::Path(relative_to.join(raw)));
        }
        if kind == Kind::Presence {
            return Ok(Self::Flag(true));
        }
        let text = raw.to_str();
        match kind {
            Kind::Size => {
                let size = text.and_then(|text| text.parse().ok());
                size.map(Self::Size).ok_or(units::SIZE_FORMS)
            }
            Kind::Duration => {
                let duration = text.and_then(|text| units::parse_duration(text).ok());
                duration.map(Self::Duration).ok_or(units::DURATION_FORMS)
            }
            Kind::Number => {
                let number = text.and_then(|text| text.trim().parse().ok());
                number.map(Self::Number).ok_or("a number from 0 to 65535")
            }
            Kind::One => Ok(Self::Flag(text == Some("1"))),
            Kind::Flag => text.and_then(units::parse_flag).map(Self::Flag).ok_or(units::FLAG_FORMS),
            Kind::Mode => text.and_then(Mode::parse).map(Self::Mode).ok_or(remotes::MODE_FORMS),
            Kind::Secret => text.map(|text| Self::Secret(text.to_owned())).ok_or("text in UTF-8"),
            Kind::SecretUrl => text.map(|text| Self::SecretUrl(text.to_owned())).ok_or("text in UTF-8"),
            Kind::Text | Kind::Path | Kind::Presence => {
                text.map(|text| Self::Text(text.to_owned())).ok_or("text in UTF-8")
            }
        }
    }

    /// Writes the value as users see it.
    pub(crate) fn to_shown_text(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Size(size) => size.detailed(),
            Self::Duration(duration) => format!("{}s", duration.as_secs()),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => u8::from(*flag).to_string(),
            Self::Mode(mode) => mode.name().to_owned(),
            Self::Secret(_) => remotes::MASK.to_owned(),
            Self::SecretUrl(url) => remotes::mask(url),
        }
    }
}

/// The text of a setting, not yet read.
struct Found {
    /// The name it was found under.
    name: &'static str,
    raw: OsString,
    origin: Origin,
}

/// What stands under the names of one setting.
fn the_only_one(mut all: impl Iterator<Item = Found>) -> Result<Option<Found>, ConfigError> {
    let Some(first) = all.next() else { return Ok(None) };
    match all.find(|other| other.raw != first.raw) {
        None => Ok(Some(first)),
        Some(other) => Err(ConfigError::Both {
            first: first.origin.name_of(first.name),
            second: other.origin.name_of(other.name),
        }),
    }
}

struct Sources<'a> {
    environment: &'a Environment,
    base_dir: &'a Path,
    platform: Platform,
    /// Where `file` was read from.
    file_path: PathBuf,
    file: FileValues,
    warnings: Vec<Warning>,
}

impl Sources<'_> {
    fn read_file(&mut self) -> Result<(), ConfigError> {
        let named = self.resolve(&keys::CONF)?;
        let Some(Value::Path(path)) = named.value else {
            return Ok(());
        };
        match file::read(&path)? {
            Ok(mut file) => {
                self.warnings.append(&mut file.warnings);
                self.file = file;
            }
            // Most users have no file.
            Err(error) if named.origin == Origin::Default && is_absence(&error) => {}
            Err(error) => {
                self.warnings.push(Warning::FileUnreadable { file: path.clone(), reason: error.to_string() });
            }
        }
        self.file_path = path;
        Ok(())
    }

    fn warn_of_missing_parts(&mut self) {
        for part in parts::missing() {
            let is_set = |variable: &&&'static str| self.environment.get(variable).is_some();
            if let Some(variable) = part.variables.iter().find(is_set) {
                self.warnings.push(Warning::PartSkipped {
                    name: variable,
                    origin: Origin::Variable(variable),
                    what: part.what,
                });
            }
        }
    }

    fn warn_of_missing_remotes(&mut self, resolved: &[Resolved], missing: &[&'static Part]) {
        let Some(chain) = resolved.iter().find(|resolved| *resolved.key == keys::remotes::CHAIN) else {
            return;
        };
        self.warnings.extend(missing.iter().map(|part| Warning::NoSuchRemote {
            place: chain.origin.name_of(chain.key.label()),
            name: part.table.trim_start_matches("cache.").to_owned(),
            part,
        }));
    }

    fn resolve(&mut self, key: &'static Key) -> Result<Resolved, ConfigError> {
        let Some(Found { name, raw, origin }) = self.find(key)? else {
            let value = self.default_of(key)?;
            return Ok(Resolved { key, value, origin: Origin::Default });
        };
        let relative_to = match &origin {
            Origin::File { path, .. } => path.parent().unwrap_or(self.base_dir),
            Origin::Variable(_) | Origin::Default => self.base_dir,
        };
        let accepted = match Value::parse(key.kind, &raw, relative_to) {
            Ok(value) => return Ok(Resolved { key, value: Some(value), origin }),
            Err(accepted) => accepted,
        };
        let shown = match key.kind {
            Kind::Secret | Kind::SecretUrl => remotes::MASK.to_owned(),
            _ => raw.to_string_lossy().into_owned(),
        };
        if key.malformed == Malformed::Refuse {
            return Err(ConfigError::BadValue { origin, key: name, value: shown, accepted });
        }
        let value = self.default_of(key)?;
        self.warnings.push(Warning::Replaced {
            place: origin.name_of(name),
            value: shown,
            accepted,
            instead: value.as_ref().map_or_else(|| "unset".to_owned(), Value::to_shown_text),
        });
        Ok(Resolved { key, value, origin: Origin::Default })
    }

    /// Finds the text that counts: variable, file, fallback variable.
    fn find(&self, key: &'static Key) -> Result<Option<Found>, ConfigError> {
        let from_variable = |name: &'static str| {
            let raw = self.environment.get(name)?;
            Some(Found { name, raw: raw.to_owned(), origin: Origin::Variable(name) })
        };
        // A remote comes from one place as a whole: another server's password would be sent to the wrong one.
        let variables = Part::of(key).map_or(&[][..], |part| part.variables);
        let in_environment = variables.iter().any(|name| self.environment.get(name).is_some());
        let from_file = |name: &'static str| {
            let value = self.file.values.get(name).filter(|_| !in_environment)?;
            let origin = Origin::File { path: self.file_path.clone(), line: value.line };
            Some(Found { name, raw: OsString::from(&value.text), origin })
        };
        if let Some(found) = the_only_one(key.variables().filter_map(from_variable))? {
            return Ok(Some(found));
        }
        let in_file = the_only_one(key.file_names().filter_map(from_file))?;
        Ok(in_file.or_else(|| key.fallback_variable.and_then(from_variable)))
    }

    fn default_of(&mut self, key: &'static Key) -> Result<Option<Value>, ConfigError> {
        let config_file = |name| places::config_file(self.environment, self.platform, name);
        let path = match key.default {
            Fallback::Unset => None,
            Fallback::Text(text) => {
                let value = Value::parse(key.kind, OsStr::new(text), self.base_dir);
                return value.map(Some).map_err(|_| ConfigError::Table { key: key.label() });
            }
            Fallback::ConfigFile => config_file("config"),
            Fallback::CachedConfigFile => config_file("cached-config"),
            Fallback::CacheDirectory => Some(self.cache_directory()),
        };
        Ok(path.map(Value::Path))
    }

    fn cache_directory(&mut self) -> PathBuf {
        match places::cache_directory(self.environment, self.platform) {
            CacheDirectory::OfUser(directory) => directory,
            CacheDirectory::Makeshift(directory) => {
                self.warnings.push(Warning::NoHome { directory: directory.clone() });
                directory
            }
        }
    }
}

#[cfg(unix)]
fn may_be_read_by_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn may_be_read_by_others(_: &Path) -> bool {
    false
}

/// Says whether there simply is no file; a file in place of a directory means that too.
fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}
