//! The configuration file as a tree with line numbers, the same for TOML and JSON.

/// A named value in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Line of the name, from 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// A value, as far as any key can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    /// Decimal digits, with a `-` in front if negative, of any length.
    Integer(String),
    Boolean(bool),
    Table(Vec<Field>),
    /// No key holds one of these: the name of the type with its article.
    Other(&'static str),
}

impl Value {
    /// Returns the name of the type with its article.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::Table(_) => "a table",
            Self::Other(name) => name,
        }
    }
}

/// A text that is not what its format asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// Line of the trouble, from 1.
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// Finds the line of a byte offset.
pub(crate) struct LineIndex {
    /// Offset behind each line break.
    starts: Vec<usize>,
}

impl LineIndex {
    pub(crate) fn new(text: &[u8]) -> Self {
        let breaks = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self { starts: breaks.map(|(offset, _)| offset + 1).collect() }
    }

    /// Returns the line of `offset`, from 1.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset) + 1
    }
}
