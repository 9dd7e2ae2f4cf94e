//! The configuration file: read, parsed, and compared with the key table.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::error::ConfigError;
use crate::json;
use crate::keys::{KEYS, Key, Kind};
use crate::loaded::{Origin, Warning};
use crate::parts::{self, Part};
use crate::tree::{Field, LineIndex, SyntaxError, Value};

/// Larger than any configuration; `CACHEPOT_CONF=/dev/zero` must not fill the memory.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct FileValues {
    /// By dotted name.
    pub(crate) values: BTreeMap<&'static str, FileValue>,
    pub(crate) warnings: Vec<Warning>,
}

/// A value of the right type, not yet read.
#[derive(Debug)]
pub(crate) struct FileValue {
    pub(crate) text: String,
    /// Line of the key, from 1.
    pub(crate) line: usize,
}

/// Reads a configuration file; `Err` inside is what the system says when it cannot be read.
///
/// # Errors
/// What is wrong with a file that can be read.
pub(crate) fn read(path: &Path) -> Result<Result<FileValues, std::io::Error>, ConfigError> {
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ConfigError::TooLarge { file: path.to_path_buf(), max_bytes: MAX_FILE_BYTES });
    }
    parse(path, &bytes).map(Ok)
}

/// Reads the bytes of a configuration file; `path` chooses the format and names the file in errors.
///
/// # Errors
/// Wrong syntax, unknown keys and wrong types, with their line.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<FileValues, ConfigError> {
    let is_json = path.as_os_str().as_encoded_bytes().ends_with(b".json");
    let fields = as_text(bytes).and_then(|text| if is_json { json::parse(text) } else { parse_toml(text) });
    let fields = fields.map_err(|SyntaxError { line, reason }| ConfigError::Syntax {
        file: path.to_path_buf(),
        line,
        reason,
    })?;
    let mut found = FileValues::default();
    found.collect(path, "", fields)?;
    Ok(found)
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn as_text(bytes: &[u8]) -> Result<&str, SyntaxError> {
    let text = std::str::from_utf8(bytes).map_err(|error| SyntaxError {
        line: LineIndex::new(bytes).line_of(error.valid_up_to()),
        reason: "the text is not UTF-8; save the file as UTF-8".to_owned(),
    })?;
    // Some editors put a byte order mark in front.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn parse_toml(text: &str) -> Result<Vec<Field>, SyntaxError> {
    let lines = LineIndex::new(text.as_bytes());
    match toml::de::DeTable::parse(text) {
        Ok(table) => Ok(toml_fields(table.into_inner(), &lines)),
        Err(error) => Err(SyntaxError {
            line: error.span().map_or(1, |span| lines.line_of(span.start)),
            reason: error.message().replace('\n', "; "),
        }),
    }
}

/// Converts a table; its depth is limited by the parser.
fn toml_fields(table: toml::de::DeTable<'_>, lines: &LineIndex) -> Vec<Field> {
    let fields = table.into_iter().map(|(name, value)| Field {
        line: lines.line_of(name.span().start),
        name: name.into_inner().into_owned(),
        value: toml_value(value.into_inner(), lines),
    });
    let mut fields: Vec<Field> = fields.collect();
    // The table is sorted by name; the first error shall be the first in the file.
    fields.sort_by_key(|field| field.line);
    fields
}

fn toml_value(value: toml::de::DeValue<'_>, lines: &LineIndex) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => {
            let number = i128::from_str_radix(integer.as_str(), integer.radix());
            // Only size can fail here; the readers of numbers go to the largest value themselves.
            Value::Integer(number.unwrap_or(i128::MAX).to_string())
        }
        DeValue::Table(table) => Value::Table(toml_fields(table, lines)),
        DeValue::Float(_) => Value::Other("a float"),
        DeValue::Boolean(is_set) => Value::Boolean(is_set),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(_) => Value::Other("an array"),
    }
}

impl FileValues {
    /// Takes what the key table knows from a table; goes no deeper than its names do.
    fn collect(&mut self, path: &Path, section: &str, fields: Vec<Field>) -> Result<(), ConfigError> {
        for field in fields {
            // A quoted name with a dot in it only looks like the path of a key.
            let part =
                if field.name.contains('.') { format!("\"{}\"", field.name) } else { field.name.clone() };
            let name = if section.is_empty() { part } else { format!("{section}.{part}") };
            match what_is(&name) {
                Named::Key(key, file_name) => self.take_value(path, key, file_name, field)?,
                Named::Part(part) => self.skip_part(path, part, &field)?,
                Named::Section => match field.value {
                    Value::Table(inner) => self.collect(path, &name, inner)?,
                    _ => return Err(wrong_type(path, &name, &field, "a table")),
                },
                Named::Nothing => {
                    let hint = crate::names::hint(&name);
                    return Err(ConfigError::UnknownKey {
                        file: path.to_path_buf(),
                        line: field.line,
                        key: name,
                        hint,
                    });
                }
            }
        }
        Ok(())
    }

    fn take_value(
        &mut self,
        path: &Path,
        key: &Key,
        file_name: &'static str,
        field: Field,
    ) -> Result<(), ConfigError> {
        let text = match (&field.value, key.kind) {
            (Value::Text(text), _) => text.clone(),
            (Value::Integer(number), Kind::Size | Kind::Duration | Kind::Number) => number.clone(),
            (Value::Boolean(is_set), Kind::Flag) => is_set.to_string(),
            (_, Kind::Flag) => return Err(wrong_type(path, file_name, &field, "a boolean")),
            (_, Kind::Size | Kind::Duration | Kind::Number) => {
                return Err(wrong_type(path, file_name, &field, "an integer or a string"));
            }
            _ => return Err(wrong_type(path, file_name, &field, "a string")),
        };
        // Set to nothing is unset, as in the environment.
        if !text.is_empty() {
            self.values.insert(file_name, FileValue { text, line: field.line });
        }
        Ok(())
    }

    fn skip_part(&mut self, path: &Path, part: &'static Part, field: &Field) -> Result<(), ConfigError> {
        if !matches!(field.value, Value::Table(_)) {
            return Err(wrong_type(path, part.table, field, "a table"));
        }
        self.warnings.push(Warning::PartSkipped {
            name: part.table,
            origin: Origin::File { path: path.to_path_buf(), line: field.line },
            what: part.what,
        });
        Ok(())
    }
}

/// What the tables know under a name.
enum Named {
    Key(&'static Key, &'static str),
    Part(&'static Part),
    Section,
    Nothing,
}

fn what_is(name: &str) -> Named {
    if let Some(part) = parts::missing().find(|part| part.table == name) {
        return Named::Part(part);
    }
    let mut names = KEYS.iter().flat_map(|key| key.file_names().map(move |known| (*key, known)));
    if let Some((key, file_name)) = names.find(|(_, known)| *known == name) {
        return Named::Key(key, file_name);
    }
    let is_section = |known: &str| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    if crate::names::known_names().any(is_section) { Named::Section } else { Named::Nothing }
}

fn wrong_type(path: &Path, key: &str, field: &Field, needed: &'static str) -> ConfigError {
    ConfigError::WrongType {
        file: path.to_path_buf(),
        line: field.line,
        key: key.to_owned(),
        found: field.value.type_name(),
        needed,
    }
}
