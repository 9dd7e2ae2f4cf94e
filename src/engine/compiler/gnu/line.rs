//! Reads the words of a command line one after the other and notes what they say, without judging the whole.
use super::depends_on_process;
use super::maps::Map;
use super::passed::is_plain_of_llvm;
use crate::job::{Driver, Family};
use crate::options::{Form, Row, Sort, Token, Tokens, Treatment};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What the driver is asked to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `-c`.
    Object,
    /// `-S`.
    Assembly,
}

/// How far a dependency file is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// `-MD`.
    All,
    /// `-MMD`.
    User,
}

/// What the words say about the dependency file.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependencies {
    /// Whether one is wanted; `-MMD` wins over `-MD` in any order.
    pub(super) depth: Option<Depth>,
    /// `-MF`, or the name in `-Wp,-MD,name`.
    pub(super) file: Option<OsString>,
    /// The target is not taken from `-o`.
    pub(super) target: bool,
    /// One word asked for it, and that is `-MMD`.
    pub(super) is_plain: bool,
    /// The request came by `-Wp,`.
    pub(super) by_preprocessor: bool,
    /// The first word that is void without `-MD`.
    pub(super) dangling: Option<String>,
}

/// Everything noted.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    pub(super) mode: Option<Mode>,
    pub(super) query: Option<&'static str>,
    pub(super) reason: Option<String>,
    /// Sources with the `-x` in force.
    pub(super) sources: Vec<(&'a OsStr, Option<&'a OsStr>)>,
    pub(super) language: Option<&'a OsStr>,
    pub(super) output: Option<&'a OsStr>,
    pub(super) key: Vec<OsString>,
    pub(super) dependencies: Dependencies,
    pub(super) folders: Vec<PathBuf>,
    pub(super) forced: Vec<PathBuf>,
    /// Something beside the compiler itself says which folders hold system headers.
    pub(super) chooses_system: bool,
    pub(super) probe_words: Vec<OsString>,
    pub(super) key_files: Vec<PathBuf>,
    /// `-isysroot` and `-resource-dir`, in which clang reads files that nobody names.
    pub(super) sdk: Option<&'a OsStr>,
    pub(super) resources: Option<&'a OsStr>,
    pub(super) sanitized: bool,
    pub(super) maps: Vec<Map>,
    pub(super) arch: Option<&'a OsStr>,
    pub(super) record: Option<&'a OsStr>,
    pub(super) debug: bool,
    /// A word may have switched debug information on that no later one takes back.
    pub(super) debug_stays: bool,
    pub(super) split_dwarf: bool,
    pub(super) stack_usage: bool,
    pub(super) lto: bool,
    pub(super) emit_llvm: bool,
    pub(super) whole_directory: bool,
    pub(super) compile_directory: bool,
    pub(super) output_in_key: bool,
    pub(super) native_cpu: bool,
    pub(super) colour_chosen: bool,
    pub(super) ended: bool,
    /// A word that makes clang run another assembler.
    pub(super) assembler: Option<&'static str>,
    /// The next `-Xclang` is the value of the one before.
    pub(super) xclang_value: bool,
}

impl<'a> Line<'a> {
    /// Reads all words after the compiler.
    pub(super) fn read(driver: &Driver, words: &'a [OsString]) -> Self {
        let mut line = Line::default();
        for token in Tokens::new(driver.family, words) {
            match token.sort {
                Sort::Input => line.input(token.word),
                Sort::Known(row) => line.known(driver.family, row, &token),
                Sort::Family => line.family_word(token.word),
                Sort::Unknown => line.refuse(token.word.to_string_lossy()),
                Sort::Truncated(_) => line.refuse("argument parse"),
            }
        }
        line
    }

    /// Notes why the call is not cacheable; the first reason stays.
    pub(super) fn refuse(&mut self, reason: impl Into<String>) {
        if self.reason.is_none() {
            self.reason = Some(reason.into());
        }
    }

    fn input(&mut self, word: &'a OsStr) {
        if word.as_bytes().first() == Some(&b'@') {
            self.refuse("@");
        }
        self.sources.push((word, self.language));
    }

    fn family_word(&mut self, word: &OsStr) {
        // What is not known to be harmless is taken to switch debug information on.
        self.debug |= word.as_bytes().starts_with(b"-g");
        if word.as_bytes().starts_with(b"-m") {
            self.probe_words.push(word.to_owned());
        }
        self.key.push(word.to_owned());
    }

    /// Puts a word into the key: all spellings of a separate value give the same two words.
    fn enter(&mut self, row: Row, token: &Token<'_>) {
        match row.form {
            Form::Flag | Form::Joined => self.key.push(token.word.to_owned()),
            Form::Separate | Form::Either | Form::Equals => {
                self.key.push(row.word.into());
                self.key.push(token.value.to_owned());
            }
        }
    }

    fn known(&mut self, family: Family, row: Row, token: &Token<'a>) {
        match row.does {
            Treatment::Hard => self.refuse(row.word),
            Treatment::Query => {
                self.query.get_or_insert(row.word);
            }
            // `-S` wins over `-c` in any order.
            Treatment::Compile => {
                self.mode.get_or_insert(Mode::Object);
            }
            Treatment::Assemble => self.mode = Some(Mode::Assembly),
            Treatment::Output => self.output = Some(token.value),
            // In the key even where it has no effect: compilers warn of that.
            Treatment::Language => {
                self.enter(row, token);
                if !self.sources.is_empty() {
                    self.key.push("<behind the source>".into());
                }
                self.language = Some(token.value);
            }
            Treatment::End => self.ended = true,
            Treatment::Depend
            | Treatment::DependUser
            | Treatment::DependFile
            | Treatment::DependTarget
            | Treatment::DependPhony => self.dependency(row, token),
            // Texts are looked at byte by byte.
            Treatment::Charset if !holds_ascii(token.value) => self.refuse(row.word),
            Treatment::Preprocessor => self.preprocessor(family, token),
            Treatment::AssemblerWords => self.assembler_words(token),
            Treatment::Mllvm if !is_plain_of_llvm(token.value) => self.refuse("-mllvm"),
            Treatment::Xclang => {
                self.chooses_system = true;
                self.xclang(token.value);
            }
            Treatment::DebugMap | Treatment::MacroMap => {
                self.maps.push(Map::new(row, self.key.len(), token.value));
                self.key.push(token.word.to_owned());
            }
            _ => {
                self.enter(row, token);
                self.places(row, token);
                self.debug_words(row.does);
                if row.word.ends_with("integrated-as") {
                    self.assembler = Some(row.word).filter(|word| word.ends_with("no-integrated-as"));
                }
                self.outputs(row, token);
            }
        }
    }

    /// Words about where headers and other files are found.
    fn places(&mut self, row: Row, token: &Token<'a>) {
        match row.does {
            Treatment::Folder | Treatment::Forced | Treatment::KeyFile if depends_on_process(token.value) => {
                self.refuse("input is not a file");
            }
            // The folder is relative to a sysroot.
            Treatment::Folder
                if token.value.as_bytes().starts_with(b"=")
                    || token.value.as_bytes().starts_with(b"$SYSROOT") =>
            {
                self.refuse(format!("{}=", row.word));
            }
            Treatment::Folder => {
                self.chooses_system |= !matches!(row.word, "-I" | "-iquote");
                self.folders.push(token.value.into());
            }
            Treatment::Forced => self.forced.push(token.value.into()),
            Treatment::KeyFile => self.key_files.push(token.value.into()),
            Treatment::Cpu if token.value == "native" => self.native_cpu = true,
            Treatment::Arch if self.arch.is_some_and(|arch| arch != token.value) => {
                self.refuse("multiple different -arch");
            }
            _ => {}
        }
        match row.word {
            "-isysroot" => self.sdk = Some(token.value),
            "-resource-dir" => self.resources = Some(token.value),
            "-fsanitize=" => self.sanitized = true,
            _ => {}
        }
        if row.does == Treatment::Arch {
            self.arch = Some(token.value);
        }
        if matches!(row.does, Treatment::Probe | Treatment::Cpu | Treatment::Arch) {
            self.probe_words.push(token.word.to_owned());
            self.probe_words.extend((token.n_words == 2).then(|| token.value.to_owned()));
        }
    }

    fn debug_words(&mut self, does: Treatment) {
        match does {
            Treatment::Debug => self.debug = true,
            Treatment::DebugToggle => {
                self.debug = true;
                self.debug_stays = true;
            }
            Treatment::DebugOff => self.debug = self.debug_stays,
            Treatment::SplitDwarf => self.split_dwarf = true,
            Treatment::NoSplitDwarf => self.split_dwarf = false,
            Treatment::SplitSingle => {
                self.split_dwarf = false;
                self.output_in_key = true;
            }
            Treatment::CompileDirectory => self.compile_directory = true,
            Treatment::Directory | Treatment::Mllvm => self.whole_directory = true,
            _ => {}
        }
    }

    fn outputs(&mut self, row: Row, token: &Token<'a>) {
        match row.does {
            Treatment::StackUsage => self.stack_usage = true,
            Treatment::NoStackUsage => self.stack_usage = false,
            Treatment::Lto => self.lto = true,
            Treatment::NoLto => self.lto = false,
            Treatment::EmitLlvm => self.emit_llvm = true,
            Treatment::Name => self.output_in_key = true,
            Treatment::VerboseAsm => {
                self.whole_directory = true;
                self.output_in_key = true;
            }
            Treatment::RecordLine => {
                self.record.get_or_insert(token.word);
                self.debug |= token.word.as_bytes().starts_with(b"-g");
            }
            Treatment::Colour => self.colour_chosen = true,
            Treatment::ColourValue => self.colour_chosen = token.value != "auto",
            _ => {}
        }
    }

    fn dependency(&mut self, row: Row, token: &Token<'a>) {
        let dependencies = &mut self.dependencies;
        if matches!(row.does, Treatment::Depend | Treatment::DependUser) {
            dependencies.is_plain = dependencies.depth.is_none() && token.word == "-MMD";
        }
        match row.does {
            Treatment::Depend => {
                dependencies.depth.get_or_insert(Depth::All);
            }
            Treatment::DependUser => dependencies.depth = Some(Depth::User),
            // The name of the file reaches nothing.
            Treatment::DependFile => dependencies.file = Some(token.value.to_owned()),
            Treatment::DependTarget => dependencies.target = true,
            _ => {}
        }
        if dependencies.by_preprocessor {
            self.refuse("-Wp,");
        } else if !matches!(row.does, Treatment::Depend | Treatment::DependUser) {
            dependencies.dangling.get_or_insert_with(|| row.word.to_owned());
        }
        if row.does != Treatment::DependFile {
            self.enter(row, token);
        }
    }
}

/// Whether each byte below 128 stands for itself, and for nothing else, in an encoding; only those that many use are known.
fn holds_ascii(charset: &OsStr) -> bool {
    const NAMES: [&str; 9] =
        ["utf-8", "utf8", "ascii", "us-ascii", "koi8-r", "koi8-u", "euc-jp", "euc-kr", "euc-cn"];
    const NUMBERED: [&str; 5] = ["iso-8859-", "iso8859-", "latin", "cp125", "windows-125"];
    let name = charset.to_string_lossy().to_ascii_lowercase();
    let number = NUMBERED.iter().find_map(|start| name.strip_prefix(start));
    NAMES.contains(&name.as_str()) || number.is_some_and(|rest| rest.parse::<u8>().is_ok_and(|n| n < 20))
}
