//! Reads the words of a command line one after the other and notes what they say, without judging the whole.
use super::outputs::{CrateType, Emit};
use crate::options::rustc::{Effect, Row, Setting, Token, Treatment, codegen, cut, setting, unstable};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

/// Everything noted.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    /// Something is to be printed instead of compiled.
    pub(super) query: bool,
    /// Why the call is not cacheable: the first reason.
    pub(super) reason: Option<String>,
    pub(super) inputs: Vec<&'a str>,
    /// What `--emit` asks for, with the path given there.
    pub(super) emits: BTreeMap<Emit, Option<&'a str>>,
    /// Each once, in the order of the words: files list their outputs in it, and rustc's hash of its options counts it.
    pub(super) crate_types: Vec<CrateType>,
    pub(super) crate_name: Option<&'a str>,
    pub(super) extra_filename: &'a str,
    pub(super) out_dir: Option<&'a str>,
    pub(super) output: Option<&'a str>,
    pub(super) target: Option<&'a str>,
    pub(super) test: bool,
    /// `-C codegen-units`.
    pub(super) units: Option<&'a str>,
    pub(super) native_cpu: bool,
    pub(super) colour_chosen: bool,
    pub(super) width: Option<&'a str>,
    pub(super) key_files: Vec<PathBuf>,
    /// A `--` stands in it.
    pub(super) ended: bool,
    /// Words whose order counts, or may count.
    ordered: Vec<String>,
    cfgs: BTreeSet<&'a str>,
    externs: BTreeSet<&'a str>,
}

impl<'a> Line<'a> {
    /// Reads all words after the compiler.
    pub(super) fn read(words: &[&'a str]) -> Self {
        let mut line = Line::default();
        for token in cut(words) {
            match token {
                Token::Input(file) => line.inputs.push(file),
                Token::Known(row, value) => line.known(row, value),
                Token::Unknown(word) => line.refuse(word),
                Token::Malformed(_) => line.refuse("argument parse"),
                Token::End => line.ended = true,
            }
        }
        line
    }

    /// The words of the key. All spellings of a word give the same; what rustc keeps in a set is sorted and stands
    /// at the end. Tried with 1.95: neither order nor repetition of `--cfg` and `--extern` changes a byte.
    pub(super) fn key_words(&self) -> Vec<OsString> {
        let mut key: Vec<OsString> = self.ordered.iter().map(OsString::from).collect();
        for (emit, path) in &self.emits {
            key.extend(["--emit".into(), emit.name().into()]);
            key.extend(path.map(OsString::from));
        }
        for kind in &self.crate_types {
            key.extend(["--crate-type".into(), kind.name().into()]);
        }
        for (word, values) in [("--cfg", &self.cfgs), ("--extern", &self.externs)] {
            key.extend(values.iter().flat_map(|value| [OsString::from(word), OsString::from(value)]));
        }
        key
    }

    /// Notes why the call is not cacheable; the first reason stays.
    fn refuse(&mut self, reason: impl Into<String>) {
        if self.reason.is_none() {
            self.reason = Some(reason.into());
        }
    }

    fn enter(&mut self, row: Row, value: &str) {
        self.ordered.push(row.word.to_owned());
        if row.has_value {
            self.ordered.push(value.to_owned());
        }
    }

    fn known(&mut self, row: Row, value: &'a str) {
        match row.does {
            Treatment::Query => self.query = true,
            Treatment::Emit => return self.emit(value),
            Treatment::CrateType => return self.crate_type(value),
            Treatment::Codegen => return self.setting(row, codegen::ROWS, ("-C", value)),
            Treatment::Unstable => return self.setting(row, unstable::ROWS, ("-Z", value)),
            Treatment::Cfg => {
                self.cfgs.insert(value);
                return;
            }
            Treatment::Extern => {
                self.externs.insert(value);
                return;
            }
            Treatment::Width => {
                self.width = Some(value);
                return;
            }
            Treatment::Key => {}
            Treatment::Lint => self.query |= value == "help",
            Treatment::CrateName => self.crate_name = Some(value),
            Treatment::Output => self.output = Some(value),
            Treatment::OutDir => self.out_dir = Some(value),
            Treatment::Target => self.target = Some(value),
            Treatment::Test => self.test = true,
            Treatment::ErrorFormat => self.colour_chosen |= value == "json",
            Treatment::Colour => self.colour_chosen = true,
        }
        self.enter(row, value);
    }

    /// `--emit kind,kind=path`: of two that name one kind the later wins.
    fn emit(&mut self, value: &'a str) {
        for part in value.split(',') {
            let (name, path) = part.split_once('=').map_or((part, None), |(name, path)| (name, Some(path)));
            match Emit::named(name) {
                Some(emit) => {
                    self.emits.insert(emit, path);
                }
                None => self.refuse("unsupported --emit"),
            }
        }
    }

    fn crate_type(&mut self, value: &str) {
        for name in value.split(',') {
            match CrateType::named(name) {
                Some(kind) if self.crate_types.contains(&kind) => {}
                Some(kind) => self.crate_types.push(kind),
                None => self.refuse("crate-type"),
            }
        }
    }

    /// `-C name=value` or `-Z name=value`. `word` is the spelling in reasons, with the whole value.
    fn setting(&mut self, row: Row, rows: &[Setting], word: (&str, &'a str)) {
        let (dashed, whole) = word;
        let (name, value) = whole.split_once('=').map_or((whole, None), |(name, value)| (name, Some(value)));
        let name = name.replace('_', "-");
        let refusal = format!("{dashed} {name}");
        let effect = setting(rows, &name).map_or(Effect::Refuse, |row| row.effect);
        match effect {
            Effect::Key => {}
            Effect::Refuse => self.refuse(refusal),
            Effect::Query => self.query = true,
            Effect::Incremental => self.refuse("incremental"),
            Effect::ExtraFilename => match value {
                Some(value) => self.extra_filename = value,
                None => self.refuse("extra-filename"),
            },
            Effect::Units => self.units = value,
            Effect::SplitDebuginfo if value == Some("off") => {}
            Effect::SplitDebuginfo => self.refuse(refusal),
            Effect::Cpu => self.native_cpu |= value == Some("native"),
            // Loaded by the dynamic linker, which no observer sees.
            Effect::Backend => {
                self.key_files.extend(value.filter(|path| path.contains(['/', '.'])).map(PathBuf::from))
            }
        }
        self.ordered.push(row.word.to_owned());
        self.ordered.push(value.map_or_else(|| name.clone(), |value| format!("{name}={value}")));
    }
}
