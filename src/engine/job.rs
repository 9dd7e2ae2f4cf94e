//! A job: the compile found in a request, in the form that keys, plans and records are made from.
use crate::bases::Bases;
use cachepot_wire::Existing;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the compiler family is, as found by asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// GNU Compiler Collection.
    Gcc,
    /// LLVM's clang with the GNU-like driver.
    Clang,
    /// The Rust compiler.
    Rustc,
    /// `clippy-driver`: rustc with the lints of Clippy.
    Clippy,
}

/// What the compiler told about itself; the part of the facts that parsing needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// The family.
    pub family: Family,
    /// Major version, 0 if unknown. For rustc and Clippy what follows `1.`, which changes as a major version does.
    pub major: u32,
    /// Whether it treats `.c` as C++ (`g++`, `clang++`).
    pub plus_plus: bool,
}

/// The language of a translation unit, as the driver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// C.
    C,
    /// C++.
    Cxx,
    /// Objective-C.
    ObjC,
    /// Objective-C++.
    ObjCxx,
    /// Assembler.
    Assembler,
    /// Rust.
    Rust,
    /// None: the run of a program that cargo made from a build script.
    BuildScript,
}

impl Language {
    /// The name in statistics and keys.
    pub fn name(self) -> &'static str {
        match self {
            Language::C => "C",
            Language::Cxx => "C++",
            Language::ObjC => "Objective-C",
            Language::ObjCxx => "Objective-C++",
            Language::Assembler => "Assembler",
            Language::Rust => "Rust",
            Language::BuildScript => "Build script",
        }
    }
}

/// What an output is for; names it inside an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The object, assembler text or bitcode of the C family: what `-o` names.
    Main,
    /// The make dependency file that the user asked for; rustc calls it dep-info.
    Dependencies,
    /// Split debug information (`.dwo`).
    SplitDwarf,
    /// Stack usage (`.su`).
    StackUsage,
    /// A Rust library (`.rlib`).
    Rlib,
    /// The metadata of a Rust crate (`.rmeta`).
    Metadata,
    /// An object that rustc was asked for by `--emit`.
    Object,
    /// Assembler text that rustc was asked for by `--emit`.
    Assembly,
    /// LLVM's intermediate language as text (`.ll`).
    LlvmIr,
    /// LLVM's intermediate language as bitcode (`.bc`).
    LlvmBitcode,
    /// rustc's intermediate language as text (`.mir`).
    Mir,
    /// A linked program.
    Executable,
    /// A linked shared library: a `dylib`, a `cdylib` or a procedural macro.
    SharedLibrary,
    /// A static library for other languages (`.a`).
    StaticLibrary,
    /// What the run of a build script left in its `OUT_DIR`, in the form of `cachepot_wire::folder`.
    OutDir,
}

impl Role {
    /// Every role at the place of its tag. Entries hold tags, so new roles are added at the end.
    const ALL: [Role; 15] = [
        Role::Main,
        Role::Dependencies,
        Role::SplitDwarf,
        Role::StackUsage,
        Role::Rlib,
        Role::Metadata,
        Role::Object,
        Role::Assembly,
        Role::LlvmIr,
        Role::LlvmBitcode,
        Role::Mir,
        Role::Executable,
        Role::SharedLibrary,
        Role::StaticLibrary,
        Role::OutDir,
    ];

    /// The byte that stands for the role in an entry.
    pub fn tag(self) -> u8 {
        self as u8
    }
    /// The role of a byte in an entry.
    pub fn from_tag(tag: u8) -> Option<Self> {
        Role::ALL.get(usize::from(tag)).copied()
    }
    /// Whether a linker makes it.
    pub fn is_linked(self) -> bool {
        matches!(self, Role::Executable | Role::SharedLibrary)
    }
}

/// A file that the compile writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// What it is for.
    pub role: Role,
    /// Where, as spelled: relative to the working directory or absolute.
    pub path: PathBuf,
    /// Whether a successful compile may leave it out (`.dwo` under LTO, `.su` without functions, a shared library
    /// on a target without such).
    pub optional: bool,
    /// What the compiler makes of a file that is there already.
    pub existing: Existing,
}

/// How the inputs of a compile become known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// The source is read as it is (`.i`, `.s`): no headers.
    SourceOnly,
    /// The user's own dependency file names all of them (`-MD`).
    UserFile(PathBuf),
    /// We ask for a private dependency file.
    PrivateFile,
    /// The user's dependency file leaves system headers out (`-MMD`), and nothing makes the compiler name them
    /// without changing that file or the object: a preprocessor run of its own lists all headers.
    UserFileAndScan(PathBuf),
    /// The user asked for `-MMD`; the compile runs with `-MD` into the user's file, which is narrowed afterwards.
    Widened(PathBuf),
    /// No dependency file can be had, but a header trace can (preprocessed text under clang).
    Trace,
    /// The compile is watched while it runs: what it opened, looked for and asked of its environment.
    Observed,
}

/// Words that decide where headers are searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Folders given by words (`-I`, `-isystem`, `-iquote`, `-idirafter`, ...), as spelled, in any order.
    pub folders: Vec<PathBuf>,
    /// Words that change the compiler's built-in folders (`-m32`, `--sysroot=...`, `-nostdinc`, `-stdlib=...`).
    pub probe_words: Vec<OsString>,
    /// Files named by `-include` and `-imacros`.
    pub forced: Vec<PathBuf>,
}

/// A compile that can be cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The language, which also decides the built-in header folders.
    pub language: Language,
    /// The source file as spelled.
    pub source: PathBuf,
    /// Every word that can change a result, normalised, and in order where that matters. Response files are expanded.
    pub key_words: Vec<OsString>,
    /// The text that stands for the working directory in the key; `None` where it cannot reach an output.
    pub key_directory: Option<OsString>,
    /// Folders that prefix maps took out of the key, or whose names macros do not give: an input below them must have
    /// been spelled by the user.
    pub mapped_folders: Vec<PathBuf>,
    /// Folders that are somewhere else in another checkout: the compiler is told to write something else where it can be
    /// told, and a result that holds their names all the same is tied to them.
    pub bases: Bases,
    /// Files named by words whose content changes the result (plugins, specs, ignore lists), as spelled.
    pub key_files: Vec<PathBuf>,
    /// The result depends on this machine's processor (`-march=native`).
    pub native_cpu: bool,
    /// What the compile writes; the first is the main output.
    pub outputs: Vec<Output>,
    /// How inputs become known.
    pub discovery: Discovery,
    /// Where headers are searched.
    pub search: Search,
    /// The compiler as typed and its arguments, response files not expanded.
    pub argv: Vec<OsString>,
    /// The user chose colours by a word; nothing is added for a terminal.
    pub colour_chosen: bool,
    /// How wide messages are, where a word says so that is not in the key: cargo's goes by the terminal.
    pub message_width: Option<OsString>,
}

/// Why a call is not a cacheable compile: the text counted and shown in statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(pub String);

/// What a command line turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A compile that can be cached.
    Compile(Box<Job>),
    /// A compile that cannot, and why.
    NotCacheable(Reason),
    /// No compile at all: a link, a query.
    NotACompile,
}
