//! What the words of a command line are: tables per compiler, and the cutting of a line into words and values.
//!
//! A row names a word, how its value is written and what the word does. The longest row that fits wins; a
//! compiler's own table wins over the shared one. A word without a row is taken as plain when it is of a family
//! whose members never take a separate value (`-f`, `-W`, `-m`, `-O`, `-g`); any other makes the call not
//! cacheable, because its value could be mistaken for an input (T96). Absent on purpose: what follows from a word.
use crate::job::Family;
use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

pub mod clang;
pub mod gnu;
pub mod response;
pub mod rustc;

/// How the value of a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The word alone.
    Flag,
    /// The value is the next word.
    Separate,
    /// The value, possibly empty, is the rest of the word.
    Joined,
    /// The rest of the word, or the next word when nothing is left.
    Either,
    /// `word=value`, or the next word.
    Equals,
}

/// What a word does to a compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Enters the key as spelled.
    Key,
    /// Not cacheable; the word is the reason.
    Hard,
    /// `-c`.
    Compile,
    /// `-S`.
    Assemble,
    /// `-emit-llvm`: other default names.
    EmitLlvm,
    /// Prints instead of compiling (`-E`, `-M`): not cacheable.
    Query,
    /// `-o`.
    Output,
    /// `-x`.
    Language,
    /// A folder where headers are searched.
    Folder,
    /// A file read before the source.
    Forced,
    /// Changes the built-in header folders.
    Probe,
    /// `-MD`.
    Depend,
    /// `-MMD`.
    DependUser,
    /// `-MF`.
    DependFile,
    /// `-MT`, `-MQ`.
    DependTarget,
    /// `-MP`.
    DependPhony,
    /// Switches debug information on.
    Debug,
    /// Switches debug information on or off behind the words that do so in their order.
    DebugToggle,
    /// No debug information from here on.
    DebugOff,
    /// Split debug information in a `.dwo` file.
    SplitDwarf,
    /// Split debug information within the object.
    SplitSingle,
    /// No split debug information.
    NoSplitDwarf,
    /// A `.su` file.
    StackUsage,
    /// No `.su` file.
    NoStackUsage,
    /// Link-time optimisation.
    Lto,
    /// No link-time optimisation.
    NoLto,
    /// The working directory may reach an output.
    Directory,
    /// The name of the main output may reach an output.
    Name,
    /// Comments in assembler text that may hold directory and names.
    VerboseAsm,
    /// The command line itself is written into the output.
    RecordLine,
    /// Maps a folder in debug information, and perhaps in macros.
    DebugMap,
    /// Maps a folder, but not in debug information.
    MacroMap,
    /// Replaces the working directory in debug information.
    CompileDirectory,
    /// Names a file whose content changes the result.
    KeyFile,
    /// Decides about colours.
    Colour,
    /// Decides about colours by its value.
    ColourValue,
    /// The encoding of all texts.
    Charset,
    /// Chooses a processor; `native` means this one.
    Cpu,
    /// `-arch`.
    Arch,
    /// `-mllvm`: an option of the code generator.
    Mllvm,
    /// `-Xclang`.
    Xclang,
    /// `-Wp,`: words for the preprocessor.
    Preprocessor,
    /// `-Wa,`: words for the assembler.
    AssemblerWords,
    /// `--`: only inputs follow.
    End,
}

/// One row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The word, with a final `=` where a joined value needs one.
    pub word: &'static str,
    /// How its value is written.
    pub form: Form,
    /// What it does.
    pub does: Treatment,
}

const fn row(word: &'static str, form: Form, does: Treatment) -> Row {
    Row { word, form, does }
}

/// What a word turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A file.
    Input,
    /// A word of the table.
    Known(Row),
    /// Not in the table, but of a family of plain words.
    Family,
    /// Nobody knows whether a value follows.
    Unknown,
    /// A word of the table that ends the line without its value.
    Truncated(Row),
}

/// A word with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub sort: Sort,
    /// The word as spelled.
    pub word: &'a OsStr,
    /// Its value, empty where it has none.
    pub value: &'a OsStr,
    /// How many words it takes: one or two.
    pub n_words: usize,
}

/// The words of a command line, cut by the tables of a compiler.
pub struct Tokens<'a> {
    words: &'a [OsString],
    family: Family,
    only_inputs: bool,
}

impl<'a> Tokens<'a> {
    /// Cuts `words`, which do not hold the compiler itself.
    pub fn new(family: Family, words: &'a [OsString]) -> Self {
        Tokens { words, family, only_inputs: false }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let word = self.words.first()?;
        let token = if self.only_inputs {
            Token { sort: Sort::Input, word, value: OsStr::new(""), n_words: 1 }
        } else {
            cut(self.family, word, self.words.get(1).map(OsString::as_os_str))
        };
        if matches!(token.sort, Sort::Known(row) if row.does == Treatment::End) {
            self.only_inputs = true;
        }
        self.words = self.words.get(token.n_words..).unwrap_or_default();
        Some(token)
    }
}

/// The meaning of one word, given the one after it.
pub fn cut<'a>(family: Family, word: &'a OsStr, next: Option<&'a OsStr>) -> Token<'a> {
    let none = OsStr::new("");
    let single = |sort| Token { sort, word, value: none, n_words: 1 };
    let bytes = word.as_bytes();
    if bytes.first() != Some(&b'-') {
        return single(Sort::Input);
    }
    let Some(row) = look_up(family, bytes) else {
        return single(if is_plain_family(bytes) { Sort::Family } else { Sort::Unknown });
    };
    let rest = bytes.get(row.word.len()..).unwrap_or_default();
    let joined = |value| Token { sort: Sort::Known(row), word, value: OsStr::from_bytes(value), n_words: 1 };
    match row.form {
        Form::Flag => single(Sort::Known(row)),
        Form::Joined => joined(rest),
        Form::Either if !rest.is_empty() => joined(rest),
        Form::Equals if !rest.is_empty() => joined(rest.get(1..).unwrap_or_default()),
        Form::Separate | Form::Either | Form::Equals => match next {
            Some(value) => Token { sort: Sort::Known(row), word, value, n_words: 2 },
            None => single(Sort::Truncated(row)),
        },
    }
}

/// The row of a word: the longest that fits, the compiler's own table first.
pub fn look_up(family: Family, word: &[u8]) -> Option<Row> {
    let shared = find(GNU.rows(gnu::ROWS, word), word);
    if family == Family::Gcc {
        return shared;
    }
    match (find(CLANG.rows(clang::ROWS, word), word), shared) {
        (Some(own), Some(shared)) if own.word.len() < shared.word.len() => Some(shared),
        (Some(own), _) => Some(own),
        (None, shared) => shared,
    }
}

/// Where the rows of each second byte begin in a table.
struct Index([u16; 257]);

static GNU: Index = Index::new(gnu::ROWS);
static CLANG: Index = Index::new(clang::ROWS);

impl Index {
    const fn new(rows: &[Row]) -> Self {
        let mut starts = [0; 257];
        let mut at = 0;
        let mut byte = 0;
        while byte < starts.len() {
            // The row `-` has no second byte and stands first.
            while at < rows.len()
                && (rows[at].word.len() < 2 || (rows[at].word.as_bytes()[1] as usize) < byte)
            {
                at += 1;
            }
            starts[byte] = at as u16;
            byte += 1;
        }
        Index(starts)
    }

    /// The rows that begin as the word does.
    fn rows(&self, all: &'static [Row], word: &[u8]) -> &'static [Row] {
        let Some(&byte) = word.get(1) else { return all };
        match self.0.get(usize::from(byte)..) {
            Some([start, end, ..]) => all.get(usize::from(*start)..usize::from(*end)).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// The longest row of a sorted table that fits. Every failed try shortens what is looked for to the part
/// that both have in common, so few tries are needed.
fn find(rows: &[Row], word: &[u8]) -> Option<Row> {
    let mut wanted = word;
    loop {
        let at = rows.partition_point(|row| row.word.as_bytes().cmp(wanted) != Ordering::Greater);
        let row = rows.get(at.checked_sub(1)?)?;
        let known = row.word.as_bytes();
        let common = known.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        if common == known.len() {
            if fits(*row, word.get(common..).unwrap_or_default()) {
                return Some(*row);
            }
            wanted = wanted.get(..common.checked_sub(1)?)?;
        } else {
            wanted = wanted.get(..common)?;
        }
        if wanted.is_empty() {
            return None;
        }
    }
}

fn fits(row: Row, rest: &[u8]) -> bool {
    match row.form {
        Form::Flag | Form::Separate => rest.is_empty(),
        Form::Joined | Form::Either => true,
        Form::Equals => rest.first().is_none_or(|&byte| byte == b'='),
    }
}

/// Whether a word that no table knows is of a family whose members take no separate value.
fn is_plain_family(word: &[u8]) -> bool {
    matches!(word, [b'-', b'f' | b'W' | b'm', _, ..] | [b'-', b'O' | b'g', ..])
}
