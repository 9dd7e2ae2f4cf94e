//! What loading answers: the settings, where each value comes from, and what the user should know.

use std::fmt;
use std::path::PathBuf;

use crate::keys::Key;
use crate::parts::Part;
use crate::settings::Settings;

/// The settings with the story of each value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What the parts of the program work with.
    pub settings: Settings,
    /// Every key but those that come with each compile, in the order of the key table.
    pub values: Vec<Shown>,
    /// What was skipped or replaced; to be shown once, by whoever loaded.
    pub warnings: Vec<Warning>,
}

/// One value as users see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The row of the key table.
    pub key: &'static Key,
    /// The value, `unset` for nothing.
    pub text: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// The layer a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// Line of the value, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(&'static str),
}

impl Origin {
    /// Names the place of a wrong value: the variable, or file, line and key.
    pub(crate) fn name_of(&self, key: &str) -> String {
        match self {
            Self::Default => format!("default of `{key}`"),
            Self::File { path, line } => format!("{}:{line}: `{key}`", path.display()),
            Self::Variable(variable) => format!("`{variable}`"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(variable) => f.write_str(variable),
        }
    }
}

/// Something that is not as the user wrote it, and that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A table or variable of a part that this build lacks.
    PartSkipped {
        /// The table or the variable.
        name: &'static str,
        /// Where it is set.
        origin: Origin,
        /// What the build lacks.
        what: &'static str,
    },
    /// The configuration file cannot be read; the defaults count.
    FileUnreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The configuration file holds a password or a token, and others may read it.
    SecretReadable {
        /// The file.
        file: PathBuf,
    },
    /// There is no home directory; the cache lives in a temporary place.
    NoHome {
        /// The place.
        directory: PathBuf,
    },
    /// The list of remotes names one that is not there.
    NoSuchRemote {
        /// Where the list stands.
        place: String,
        /// The remote.
        name: String,
        /// What would make one.
        part: &'static Part,
    },
    /// A value that makes no sense was replaced by the default.
    Replaced {
        /// Where the value stands, with its key.
        place: String,
        /// The value as written.
        value: String,
        /// The accepted forms.
        accepted: &'static str,
        /// The value that counts instead.
        instead: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartSkipped { name, origin, what } => {
                let place =
                    if let Origin::File { .. } = origin { format!(" in {origin}") } else { String::new() };
                write!(f, "`{name}` is set{place} but this build has no {what}; it is skipped")
            }
            Self::FileUnreadable { file, reason } => {
                let file = file.display();
                write!(f, "cannot read configuration file `{file}`: {reason}; going on without it")
            }
            Self::SecretReadable { file } => {
                let file = file.display();
                write!(f, "`{file}` holds a secret and others may read it; `chmod 600 {file}` keeps it")
            }
            Self::NoHome { directory } => {
                let directory = directory.display();
                write!(
                    f,
                    "no home directory is known; the cache is in `{directory}` until `HOME` or `CACHEPOT_DIR` is set"
                )
            }
            Self::NoSuchRemote { place, name, part } if !part.is_built => {
                write!(f, "{place} names `{name}`, but this build has no {}; going on without it", part.what)
            }
            Self::NoSuchRemote { place, name, part } => {
                write!(f, "{place} names `{name}`, which has no settings; going on without it: set ")?;
                if let Some(variable) = part.variables.first() {
                    write!(f, "`{variable}` or ")?;
                }
                write!(f, "the table `{}`, or leave `{name}` out of the list", part.table)
            }
            Self::Replaced { place, value, accepted, instead } => {
                write!(f, "{place}: value `{value}` is not valid; accepted is {accepted}; using `{instead}`")
            }
        }
    }
}

/// Writes the text of `--show-config`: one line per key, with its value and where that comes from.
pub fn show(loaded: &Loaded) -> String {
    let is_set = |part: &Part| {
        loaded.values.iter().any(|one| Part::of(one.key) == Some(part) && one.origin != Origin::Default)
    };
    // Nobody wants to read of remotes that are not there.
    let values = || loaded.values.iter().filter(|one| Part::of(one.key).is_none_or(is_set));
    let width = values().map(|shown| shown.key.label().len()).max().unwrap_or(0);
    let mut text = String::new();
    for shown in values() {
        let (label, value) = (shown.key.label(), one_line(&shown.text));
        text.push_str(&format!("{label:width$} = {value}  ({})\n", one_line(&shown.origin.to_string())));
    }
    text
}

/// Keeps a value on its line: a path may hold line breaks and terminal commands.
fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut line, c| {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
        line
    })
}
