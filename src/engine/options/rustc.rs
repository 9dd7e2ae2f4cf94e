//! What the words of rustc and clippy-driver are, and the cutting of a line into words and values.
//!
//! rustc reads its line by the rules of the crate `getopts`: a long word takes its value behind `=` or from the next
//! word, a short one from its own rest or from the next word, short words without a value may stand together (`-gO`),
//! and nothing is abbreviated. A word without a row makes the call not cacheable.
//! Source: `rustc --help -v` and `rustc_session::config` of 1.40 to 1.97.

pub mod codegen;
pub mod unstable;

/// What a word does to a compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Enters the key as spelled.
    Key,
    /// Prints instead of compiling.
    Query,
    /// Sets the level of a lint; `help` prints them.
    Lint,
    /// `--cfg`.
    Cfg,
    /// `--extern`.
    Extern,
    /// `--emit`.
    Emit,
    /// `--crate-type`.
    CrateType,
    /// `--crate-name`.
    CrateName,
    /// `-o`.
    Output,
    /// `--out-dir`.
    OutDir,
    /// `--target`.
    Target,
    /// `--test`.
    Test,
    /// `--error-format`.
    ErrorFormat,
    /// `--color`.
    Colour,
    /// `--diagnostic-width`, as cargo says for its terminal: counts where there are messages.
    Width,
    /// `-C`: a row of [`codegen::ROWS`].
    Codegen,
    /// `-Z`: a row of [`unstable::ROWS`].
    Unstable,
}

/// One row of the table of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The word in its main spelling, under which it enters the key.
    pub word: &'static str,
    /// The letter behind one dash that means the same.
    pub letter: Option<u8>,
    /// Whether a value belongs to it.
    pub has_value: bool,
    /// What it does.
    pub does: Treatment,
}

const fn flag(word: &'static str, does: Treatment) -> Row {
    Row { word, letter: None, has_value: false, does }
}

const fn valued(word: &'static str, does: Treatment) -> Row {
    Row { word, letter: None, has_value: true, does }
}

const fn short(letter: u8, row: Row) -> Row {
    Row { letter: Some(letter), ..row }
}

/// Sorted by word.
pub const ROWS: &[Row] = &[
    short(b'A', valued("--allow", Treatment::Lint)),
    valued("--cap-lints", Treatment::Key),
    valued("--cfg", Treatment::Cfg),
    valued("--check-cfg", Treatment::Key),
    short(b'C', valued("--codegen", Treatment::Codegen)),
    valued("--color", Treatment::Colour),
    valued("--crate-name", Treatment::CrateName),
    valued("--crate-type", Treatment::CrateType),
    short(b'D', valued("--deny", Treatment::Lint)),
    valued("--diagnostic-width", Treatment::Width),
    valued("--edition", Treatment::Key),
    valued("--emit", Treatment::Emit),
    valued("--env-set", Treatment::Key),
    valued("--error-format", Treatment::ErrorFormat),
    valued("--explain", Treatment::Query),
    valued("--extern", Treatment::Extern),
    valued("--extern-location", Treatment::Key),
    valued("--extern-private", Treatment::Key),
    short(b'F', valued("--forbid", Treatment::Lint)),
    valued("--force-warn", Treatment::Lint),
    short(b'h', flag("--help", Treatment::Query)),
    valued("--json", Treatment::Key),
    valued("--out-dir", Treatment::OutDir),
    valued("--pretty", Treatment::Query),
    valued("--print", Treatment::Query),
    valued("--remap-path-prefix", Treatment::Key),
    valued("--remap-path-scope", Treatment::Key),
    valued("--sysroot", Treatment::Key),
    valued("--target", Treatment::Target),
    flag("--test", Treatment::Test),
    valued("--unpretty", Treatment::Query),
    short(b'v', flag("--verbose", Treatment::Key)),
    short(b'V', flag("--version", Treatment::Query)),
    short(b'W', valued("--warn", Treatment::Lint)),
    short(b'L', valued("-L", Treatment::Key)),
    short(b'O', flag("-O", Treatment::Key)),
    short(b'Z', valued("-Z", Treatment::Unstable)),
    short(b'g', flag("-g", Treatment::Key)),
    short(b'l', valued("-l", Treatment::Key)),
    short(b'o', valued("-o", Treatment::Output)),
];

/// What a setting behind `-C` or `-Z` does to a compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Enters the key.
    Key,
    /// Writes further files, or makes none: not cacheable.
    Refuse,
    /// Prints instead of compiling.
    Query,
    /// `incremental`: not cacheable, with a reason of its own.
    Incremental,
    /// `extra-filename`.
    ExtraFilename,
    /// `codegen-units`.
    Units,
    /// `split-debuginfo`: further files, unless `off`.
    SplitDebuginfo,
    /// Chooses a processor; `native` means this one.
    Cpu,
    /// Names a code generator: part of the compiler, or a file.
    Backend,
}

/// One row of the table of settings behind `-C` or `-Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, with dashes.
    pub name: &'static str,
    /// What it does.
    pub effect: Effect,
}

const fn set(name: &'static str, effect: Effect) -> Setting {
    Setting { name, effect }
}

/// The row of a setting. rustc takes dashes and underscores for the same; `name` has dashes.
pub fn setting(rows: &[Setting], name: &str) -> Option<Setting> {
    let at = rows.binary_search_by(|row| row.name.cmp(name)).ok()?;
    rows.get(at).copied()
}

/// A word with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A file.
    Input(&'a str),
    /// A word of the table and its value, empty where it has none.
    Known(Row, &'a str),
    /// A word that the table does not know.
    Unknown(&'a str),
    /// A word without the value that belongs to it, or with one that does not.
    Malformed(&'a str),
    /// `--`: only inputs follow.
    End,
}

/// Cuts `words`, which do not hold the compiler itself, and in which argument files are expanded.
pub fn cut<'a>(words: &[&'a str]) -> Vec<Token<'a>> {
    let mut tokens = Vec::with_capacity(words.len());
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"--" => {
                tokens.push(Token::End);
                tokens.extend(words.by_ref().map(Token::Input));
            }
            [b'-', b'-', ..] => tokens.push(long(word, &mut words)),
            [b'-', _, ..] => letters(word, &mut words, &mut tokens),
            _ => tokens.push(Token::Input(word)),
        }
    }
    tokens
}

fn long<'a>(word: &'a str, next: &mut impl Iterator<Item = &'a str>) -> Token<'a> {
    let (name, joined) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let found = ROWS.binary_search_by(|row| row.word.cmp(name)).ok().and_then(|at| ROWS.get(at));
    match (found, joined) {
        (None, _) => Token::Unknown(name),
        (Some(row), None) if !row.has_value => Token::Known(*row, ""),
        (Some(row), Some(value)) if row.has_value => Token::Known(*row, value),
        (Some(row), None) => next.next().map_or(Token::Malformed(word), |value| Token::Known(*row, value)),
        (Some(_), Some(_)) => Token::Malformed(word),
    }
}

/// The letters behind one dash: flags, and at the end perhaps one with a value.
fn letters<'a>(word: &'a str, next: &mut impl Iterator<Item = &'a str>, tokens: &mut Vec<Token<'a>>) {
    for (at, letter) in word.char_indices().skip(1) {
        let row = u8::try_from(letter).ok().and_then(|byte| ROWS.iter().find(|row| row.letter == Some(byte)));
        let Some(row) = row else {
            tokens.push(Token::Unknown(word));
            return;
        };
        if !row.has_value {
            tokens.push(Token::Known(*row, ""));
            continue;
        }
        let rest = word.get(at + letter.len_utf8()..).filter(|rest| !rest.is_empty());
        tokens.push(
            rest.or_else(|| next.next()).map_or(Token::Malformed(word), |value| Token::Known(*row, value)),
        );
        return;
    }
}
