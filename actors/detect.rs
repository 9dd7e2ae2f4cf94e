//! Who is this compiler? It is asked, never judged by its name, and its identity covers the parts it runs.
use crate::built_in_folders::Folders;
use crate::compiler_parts::is_elf;
use crate::inputs::Stamp;
use crate::jobserver_actor::Slots;
use crate::run::Question;
use crate::settled::Settled;
use crate::together;
use cachepot_engine::compiler::gnu as words;
use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::job::{Driver, Family, Language};
use cachepot_wire::EnvBlock;
use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod front_ends;
mod gnu;
mod rustc;
mod stamps;

pub use front_ends::FrontEnds;
pub use gnu::Said;
pub use rustc::Here;
use stamps::{Stamped, stamped, stand};

/// Variables that lead to other parts of a compiler, whoever it is.
const LOADER_VARIABLES: [&str; 4] = ["LD_LIBRARY_PATH", "LD_PRELOAD", "LIBRARY_PATH", "PATH"];

/// Variables that lead a compiler to other parts of itself, or to other built-in folders.
const VARIABLES: [&str; 20] = [
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "CCC_OVERRIDE_OPTIONS",
    "CLANG_CONFIG_FILE_SYSTEM_DIR",
    "CLANG_CONFIG_FILE_USER_DIR",
    "EXTERNAL_INCLUDE",
    "GCC_EXEC_PREFIX",
    "INCLUDE",
    "OBJCPLUS_INCLUDE_PATH",
    "OBJC_INCLUDE_PATH",
    "SDKROOT",
    "UCRTVersion",
    "UniversalCRTSdkDir",
    "VCINSTALLDIR",
    "VCToolsInstallDir",
    "VCToolsVersion",
    "WindowsSDKVersion",
    "WindowsSdkDir",
];

/// A compiler as a client would run it.
#[derive(Clone, Debug)]
pub struct CompilerQuery {
    /// The program, found in the client's PATH.
    pub program: PathBuf,
    /// The name it is called by.
    pub name: OsString,
    /// The client's environment.
    pub env: EnvBlock,
    /// The client's working directory.
    pub cwd: PathBuf,
    /// Variables that the program names, where it is a script.
    pub named: Vec<String>,
    /// Where the answer depends on the working directory: what rustup goes by.
    pub here: Option<Here>,
}

impl CompilerQuery {
    /// Everything that the answer depends on, besides the bytes on disk.
    pub fn key(&self) -> Digest {
        self.builder("cachepot compiler query 1").finish()
    }

    /// The same but for what a compiler may not care about: see [`Compiler::under`]. `None` for scripts and rustup, which do.
    pub fn kin_key(&self) -> Option<Digest> {
        let is_alone = self.named.is_empty() && self.here.is_none();
        if !is_alone || !rustc::is_likely(&self.program) || !is_elf(&self.program) {
            return None;
        }
        let mut key = self.builder_but("cachepot compiler kin 1", &["LD_LIBRARY_PATH", "PATH"]);
        // Where its own libraries are named, they have other names; most probably they are there.
        let beside = self.program.parent().and_then(Path::parent).map(|folder| folder.join("lib"));
        let mut folders = std::env::split_paths(self.env.get("LD_LIBRARY_PATH").unwrap_or_default());
        key.field("is named", &[folders.any(|folder| Some(folder) == beside).into()]);
        Some(key.finish())
    }

    /// A key of that domain with everything that answers of this compiler depend on.
    pub fn builder(&self, domain: &str) -> KeyBuilder {
        self.builder_but(domain, &[])
    }

    fn builder_but(&self, domain: &str, without: &[&str]) -> KeyBuilder {
        let mut key = KeyBuilder::new(domain);
        key.field("program", self.program.as_os_str().as_bytes()).field("name", self.name.as_bytes());
        let leads = |name: &OsStr| {
            (is_one_of(&VARIABLES, name) || is_one_of(&LOADER_VARIABLES, name)) && !is_one_of(without, name)
        };
        for (name, value) in self.env.iter().filter(|(name, _)| leads(name)) {
            key.field("variable", name.as_bytes()).field("value", value.as_bytes());
        }
        for name in &self.named {
            key.field("named", name.as_bytes());
            key.field("value", self.env.get(name).unwrap_or_default().as_bytes());
        }
        let libraries = self.library_folders().filter(|_| !rustc::is_likely(&self.program));
        if self.part_folders().chain(libraries).any(|folder| folder.is_relative()) {
            key.field("cwd", self.cwd.as_os_str().as_bytes());
        }
        if let Some(here) = &self.here {
            here.enter(self, &mut key);
        }
        key
    }

    /// Whether the environment may name folders in which this compiler looks for something.
    pub fn names_folders(&self) -> bool {
        self.env.iter().any(|(name, _)| is_one_of(&VARIABLES, name))
    }

    /// Folders in which the user makes the compiler look for its parts first.
    pub fn part_folders(&self) -> impl Iterator<Item = PathBuf> {
        let values = ["COMPILER_PATH", "GCC_EXEC_PREFIX"].into_iter().filter_map(|name| self.env.get(name));
        values.flat_map(std::env::split_paths)
    }

    /// Folders of libraries, in which gcc looks for its specs file, too. Nothing between two colons is `.` for it.
    pub fn library_folders(&self) -> impl Iterator<Item = PathBuf> {
        let folders = self.env.get("LIBRARY_PATH").into_iter().flat_map(std::env::split_paths);
        folders.map(|folder| if folder.as_os_str().is_empty() { ".".into() } else { folder })
    }

    fn env_pairs(&self) -> Vec<(OsString, OsString)> {
        // A question must write no file that the build asked its compiles for.
        let silent = |name: &OsStr| !words::REFUSED_VARIABLES.iter().any(|refused| name == *refused);
        let kept = self.env.iter().filter(|(name, _)| silent(name));
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// A question to this compiler, without words yet. A wrapper that calls cachepot gets the plain compiler.
    pub fn question(&self) -> Question {
        let (program, name) = (self.program.clone(), self.name.clone());
        let question =
            Question { program, name, words: Vec::new(), env: self.env_pairs(), cwd: self.cwd.clone() };
        question.variable("CACHEPOT_DEPTH", "1")
    }
}

fn is_one_of(list: &[&str], name: &OsStr) -> bool {
    list.iter().any(|known| name == OsStr::new(known))
}

/// What was found out.
#[derive(Debug)]
pub struct Compiler {
    /// A compiler we know, or why not.
    pub kind: Result<Known, String>,
    /// What may be the names of variables, where it is a script.
    pub names: Vec<String>,
    /// Whether it may be another one in another working directory: see [`Here`].
    pub by_place: bool,
    parts: Vec<Stamped>,
    loader: Loader,
}

/// What the loader of its libraries goes by, where the answer does not cover it.
#[derive(Debug, Default)]
struct Loader {
    /// Where it would find another library first.
    elsewhere: Vec<Stamped>,
    /// What it takes, where the compiler would answer the same under another environment.
    libraries: Option<Arc<rustc::Libraries>>,
}

/// A compiler that is supported.
#[derive(Clone, Debug)]
pub struct Known {
    /// Digest of its own bytes and those of the parts it runs, but for its front ends: see [`Known::identity`].
    pub rest: Digest,
    /// Those of its parts that compile one language.
    pub front_ends: Arc<FrontEnds>,
    /// What it says of itself.
    pub driver: Driver,
    /// The folders in which it searches by itself for the language that it takes a `.c` file to be; `None` where it
    /// does not tell, or may tell otherwise elsewhere, being a script.
    pub folders: Option<Folders>,
    /// What it says to `-vV`, where that is known to be good everywhere.
    pub version: Option<Vec<u8>>,
    /// Files and folders that the identity covers so that no record needs to name them.
    pub covered: Arc<HashSet<Vec<u8>>>,
}

impl Known {
    /// Digest of all that it runs for a language. `None` where that cannot be read just now.
    pub async fn identity(&self, language: Language, settled: &Arc<Settled>) -> Option<Digest> {
        self.front_ends.identity(self.rest, language, settled).await
    }

    /// The name in statistics.
    pub fn family_name(&self) -> &'static str {
        match self.driver.family {
            Family::Gcc => "gcc",
            Family::Clang => "clang",
            Family::Rustc => "rustc",
            Family::Clippy => "clippy-driver",
        }
    }

    /// The `-x` name of the language that it takes a `.c` file to be.
    pub fn language_of_c(&self) -> &'static str {
        if self.driver.plus_plus { "c++" } else { "c" }
    }
}

impl Compiler {
    fn unknown(why: String, names: Vec<String>, parts: Vec<Stamped>) -> Self {
        Compiler { kind: Err(why), names, by_place: false, parts, loader: Loader::default() }
    }

    /// Whether all its parts are still the files that were looked at.
    pub fn is_current(&self) -> bool {
        stand(&self.parts) && stand(&self.loader.elsewhere)
    }

    /// Whether that may be asked for others.
    pub fn may_lead(&self) -> bool {
        self.loader.libraries.is_some() && self.is_current()
    }

    /// Who it is for a query of the same [`CompilerQuery::kin_key`], where that needs no question.
    pub fn under(&self, query: &CompilerQuery) -> Option<Self> {
        rustc::under(self, query)
    }
}

/// Whether a program would give the same trouble again.
pub fn is_lasting(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, TimedOut};
    matches!(error.kind(), TimedOut | NotFound | PermissionDenied)
        || error.raw_os_error() == Some(libc::ENOEXEC)
}

/// Finds out who a compiler is.
///
/// # Errors
/// Trouble that says nothing about the compiler: no process, no memory, no answer in time.
pub async fn detect(
    query: &CompilerQuery,
    slots: &Slots,
    scratch: &Path,
    settled: &Arc<Settled>,
) -> io::Result<Compiler> {
    let _slot = slots.take().await;
    let compiler = ask(query, slots, scratch, settled).await;
    settled.save_behind();
    compiler
}

/// Nobody is judged by name, but the more likely question comes first.
async fn ask(
    query: &CompilerQuery,
    slots: &Slots,
    scratch: &Path,
    settled: &Arc<Settled>,
) -> io::Result<Compiler> {
    let is_likely = rustc::is_likely(&query.program);
    if is_likely && let Some(found) = rustc::detect(query, slots, settled).await? {
        return Ok(found);
    }
    let found = gnu::detect(query, slots, scratch, settled).await?;
    if is_likely {
        return Ok(rustc::without_answer(query, found));
    }
    match &found.kind {
        Err(trouble) if rustc::sounds_like(trouble) => {
            Ok(rustc::detect(query, slots, settled).await?.unwrap_or(found))
        }
        _ => Ok(found),
    }
}

/// The digests of all parts in their order; `None` where one cannot be read.
async fn digests(parts: &[Stamped], slots: &Slots, settled: &Arc<Settled>) -> Option<Vec<Digest>> {
    let file_of = |stamp: &Option<Stamp>| stamp.map(|stamp| stamp.identity());
    let files =
        parts.iter().filter_map(|(path, stamp)| Some((file_of(stamp)?, (stamp.as_ref()?.size, path))));
    let files: BTreeMap<_, _> = files.collect();
    // The large ones first: then the last ones, which nobody helps with, are small.
    let mut order: Vec<_> = files.into_iter().collect();
    order.sort_by_key(|(_, (size, _))| -size);
    let pieces = order.iter().map(|(_, (_, path))| {
        let (path, settled) = ((*path).clone(), Arc::clone(settled));
        async move { tokio::task::spawn_blocking(move || settled.digest(&path)).await.ok().flatten() }
    });
    let digests = together::all(pieces.collect(), slots).await?;
    let digests: BTreeMap<_, _> = order.iter().map(|(file, _)| *file).zip(digests).collect();
    parts.iter().map(|(_, stamp)| *digests.get(&file_of(stamp)?)?).collect()
}
