//! Who is this compiler? It is asked, never judged by its name, and its identity covers the parts it runs.
use crate::built_in_folders::{self, Folders};
use crate::compiler_parts::{self, is_elf};
use crate::inputs::{Stamp, changed_since, now};
use crate::jobserver_actor::Slots;
use crate::run::{Answer, Question};
use crate::together;
use crate::wrapper;
use cachepot_engine::compiler::gnu;
use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::job::{Driver, Family};
use cachepot_wire::{EnvBlock, socket};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Variables that lead to other parts of a compiler, whoever it is.
const LOADER_VARIABLES: [&str; 3] = ["LD_LIBRARY_PATH", "LD_PRELOAD", "PATH"];

/// Variables that lead a compiler to other parts of itself, or to other built-in folders.
const VARIABLES: [&str; 11] = [
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "CCC_OVERRIDE_OPTIONS",
    "CLANG_CONFIG_FILE_SYSTEM_DIR",
    "CLANG_CONFIG_FILE_USER_DIR",
    "GCC_EXEC_PREFIX",
    "OBJCPLUS_INCLUDE_PATH",
    "OBJC_INCLUDE_PATH",
    "SDKROOT",
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
}

impl CompilerQuery {
    /// Everything that the answer depends on, besides the bytes on disk.
    pub fn key(&self) -> Digest {
        self.builder("cachepot compiler query 1").finish()
    }

    /// A key of that domain with everything that answers of this compiler depend on.
    pub fn builder(&self, domain: &str) -> KeyBuilder {
        let mut key = KeyBuilder::new(domain);
        key.field("program", self.program.as_os_str().as_bytes()).field("name", self.name.as_bytes());
        let leads = |name: &OsStr| is_one_of(&VARIABLES, name) || is_one_of(&LOADER_VARIABLES, name);
        for (name, value) in self.env.iter().filter(|(name, _)| leads(name)) {
            key.field("variable", name.as_bytes()).field("value", value.as_bytes());
        }
        for name in &self.named {
            key.field("named", name.as_bytes());
            key.field("value", self.env.get(name).unwrap_or_default().as_bytes());
        }
        if self.part_folders().any(|folder| folder.is_relative()) {
            key.field("cwd", self.cwd.as_os_str().as_bytes());
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

    fn env_pairs(&self) -> Vec<(OsString, OsString)> {
        // A question must write no file that the build asked its compiles for.
        let silent = |name: &OsStr| !gnu::REFUSED_VARIABLES.iter().any(|refused| name == *refused);
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
    parts: Vec<Stamped>,
}

/// A compiler that is supported.
#[derive(Debug)]
pub struct Known {
    /// Digest of its own bytes and those of the parts it runs.
    pub identity: Digest,
    /// What it says of itself.
    pub driver: Driver,
    /// The folders in which it searches by itself for the language that it takes a `.c` file to be; `None` where it
    /// does not tell, or may tell otherwise elsewhere, being a script.
    pub folders: Option<Folders>,
}

impl Known {
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
    /// Whether all its parts are still the files that were looked at.
    pub fn is_current(&self) -> bool {
        self.parts.iter().all(|(path, stamp)| stamp_of(path) == *stamp)
    }
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    nix::sys::stat::stat(path).ok().map(|stat| Stamp::of(&stat))
}

const PROBE: &str = "\
#if defined(__NVCC__)
cachepot_kind nvcc
#elif defined(_MSC_VER)
cachepot_kind msvc
#elif defined(__clang__)
cachepot_kind clang __clang_major__
#elif defined(__GNUC__)
cachepot_kind gcc __GNUC__
#endif
#ifdef __cplusplus
cachepot_plus_plus
#endif
cachepot_version __VERSION__
";

/// A file beside how it was when it was looked at.
type Stamped = (PathBuf, Option<Stamp>);

fn stamped(paths: impl IntoIterator<Item = PathBuf>) -> Vec<Stamped> {
    let with_stamp = |path: PathBuf| {
        let stamp = stamp_of(&path);
        (path, stamp)
    };
    paths.into_iter().map(with_stamp).collect()
}

/// Finds out who a compiler is.
///
/// # Errors
/// Trouble that says nothing about the compiler: no process, no memory, no answer in time.
pub async fn detect(query: &CompilerQuery, slots: &Slots, scratch: &Path) -> io::Result<Compiler> {
    let _slot = slots.take().await;
    // Stamps first: a part that changes while we look gives a stamp that no longer fits.
    let (began, mut parts) = (now(), stamped([query.program.clone()]));
    let names = wrapper::names(&query.program);
    let candidates = match compiler_parts::candidates(query).await {
        Ok(candidates) => stamped(candidates),
        Err(error) if is_lasting(&error) => {
            return Ok(Compiler { kind: Err(error.to_string()), names, parts });
        }
        Err(error) => return Err(error),
    };
    let said = match probe(query, scratch).await? {
        Ok(said) => said,
        Err(text) => return Ok(Compiler { kind: Err(text), names, parts }),
    };
    let found = compiler_parts::find(query, &said, slots).await?;
    let is_told = found.is_some();
    parts.extend(stamped(found.into_iter().flatten().filter(|part| *part != query.program)));
    let identity = if is_told { identity(query, &said, &parts, slots).await } else { None };
    parts.extend(candidates);
    let gcc_folders = compiler_parts::gcc_folders(&said.verbose).into_iter();
    let gcc_folders = stamped(gcc_folders.map(|folder| query.cwd.join(folder)));
    // By the time that nobody can set: a folder may well bear a date of tomorrow.
    let by_change = |stamp: Stamp| Stamp { modified: stamp.changed, ..stamp };
    if gcc_folders.iter().any(|(_, stamp)| stamp.is_some_and(|s| changed_since(&by_change(s), began))) {
        return Err(io::Error::other("the compiler changed while it was asked"));
    }
    parts.extend(gcc_folders);
    let why = if is_told { "a part of the compiler cannot be read" } else { "it does not tell what it runs" };
    let folders = said.folders_everywhere(query).map(Arc::new);
    let kind =
        identity.map(|identity| Known { identity, driver: said.driver, folders }).ok_or(why.to_owned());
    Ok(Compiler { kind, names, parts })
}

/// What a compiler says of itself.
pub struct Said {
    /// What it is.
    pub driver: Driver,
    version: Vec<u8>,
    /// What it tells with `-v` while it reads our file: about itself, what it runs, and where it searches.
    pub verbose: Vec<u8>,
    file: PathBuf,
}

/// Asks for the built-in macros, and for all that it tells beside; the text says why it is no compiler that we know.
async fn probe(query: &CompilerQuery, scratch: &Path) -> io::Result<Result<Said, String>> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    // In our own folder: nobody else can have put a link of that name there, and what a killed coordinator leaves
    // is removed by a later one.
    let file = scratch.join(format!("probe-{}-{serial}.c", std::process::id()));
    socket::make_folder(scratch)?;
    std::fs::write(&file, PROBE)?;
    let words = [OsStr::new("-E"), file.as_os_str(), OsStr::new("-v")];
    let answer = query.question().with(words).variable("LC_ALL", "C").ask().await;
    let _ = std::fs::remove_file(&file);
    match answer {
        Ok(answer) => {
            let text = trouble(&answer.stderr);
            Ok(read_probe(answer, file).ok_or(text))
        }
        // A program of another kind may wait for ever, and does so again; or it is no program at all.
        Err(error) if is_lasting(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Whether a program would give the same trouble again.
pub fn is_lasting(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, TimedOut};
    matches!(error.kind(), TimedOut | NotFound | PermissionDenied)
        || error.raw_os_error() == Some(libc::ENOEXEC)
}

/// What went wrong, out of all that a program says.
fn trouble(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().find(|line| line.contains("error")).or(text.lines().last());
    line.unwrap_or("it does not preprocess").trim().to_owned()
}

fn read_probe(answer: Answer, file: PathBuf) -> Option<Said> {
    let text = String::from_utf8_lossy(&answer.stdout);
    let line = |start: &str| text.lines().find_map(|line| line.trim().strip_prefix(start).map(str::trim));
    let mut kind = line("cachepot_kind")?.split_whitespace();
    let family = match kind.next()? {
        "clang" => Family::Clang,
        "gcc" => Family::Gcc,
        _ => return None,
    };
    let major = kind.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let driver = Driver { family, major, plus_plus: line("cachepot_plus_plus").is_some() };
    let version = line("cachepot_version").unwrap_or_default().as_bytes().to_vec();
    Some(Said { driver, version, verbose: answer.stderr, file })
}

/// Digests all parts; `None` where one cannot be read.
async fn identity(query: &CompilerQuery, said: &Said, parts: &[Stamped], slots: &Slots) -> Option<Digest> {
    let mut key = KeyBuilder::new("cachepot compiler 2");
    let name = Path::new(&query.name).file_name().unwrap_or_default();
    key.field("name", name.as_bytes()).field("version", &said.version);
    key.field("driver", format!("{:?}", said.driver).as_bytes());
    key.field("about", &said.about());
    let file_of = |stamp: &Option<Stamp>| stamp.map(|stamp| stamp.identity());
    let files =
        parts.iter().filter_map(|(path, stamp)| Some((file_of(stamp)?, (stamp.as_ref()?.size, path))));
    let files: BTreeMap<_, _> = files.collect();
    // The large ones first: then the last ones, which nobody helps with, are small.
    let mut order: Vec<_> = files.into_iter().collect();
    order.sort_by_key(|(_, (size, _))| -size);
    let pieces = order.iter().map(|(_, (_, path))| {
        let path = (*path).clone();
        async move { tokio::task::spawn_blocking(move || digest(&path)).await.ok().flatten() }
    });
    let digests = together::all(pieces.collect(), slots).await?;
    let digests: BTreeMap<_, _> = order.iter().map(|(file, _)| *file).zip(digests).collect();
    for (path, stamp) in parts {
        let digest = digests.get(&file_of(stamp)?)?.as_ref()?;
        key.field("part", path.file_name().unwrap_or_default().as_bytes()).field("digest", &digest.0);
    }
    Some(key.finish())
}

fn digest(path: &Path) -> Option<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path).ok()?).ok()?;
    Some(Digest(*hasher.finalize().as_bytes()))
}

impl Said {
    /// What it tells about itself, without what differs from call to call: the rest, from where it runs something
    /// with our file, and the lines that only repeat how it was called.
    fn about(&self) -> Vec<u8> {
        let file = self.file.file_name().unwrap_or_default().as_bytes();
        let names_file = |line: &[u8]| line.windows(file.len().max(1)).any(|part| part == file);
        let lines = self.verbose.split(|&byte| byte == b'\n');
        let lines = lines.take_while(|line| !(line.starts_with(b" ") && names_file(line)));
        let lines = lines.filter(|line| !line.starts_with(b"COLLECT_") && !names_file(line));
        lines.collect::<Vec<_>>().join(&b'\n')
    }

    /// The files with options that it names: specs of gcc, configuration of clang.
    pub fn files_read<'a>(&'a self, query: &'a CompilerQuery) -> impl Iterator<Item = PathBuf> + 'a {
        let lines = self.verbose.split(|&byte| byte == b'\n');
        let name = |line: &'a [u8]| {
            line.strip_prefix(b"Reading specs from ").or(line.strip_prefix(b"Configuration file: "))
        };
        lines.filter_map(name).map(|name| query.cwd.join(OsStr::from_bytes(name.trim_ascii())))
    }

    /// The folders in which it searches, where they are the same in every working directory: a script or a file with
    /// options may name others elsewhere.
    fn folders_everywhere(&self, query: &CompilerQuery) -> Option<Vec<Vec<u8>>> {
        let folders = built_in_folders::read(&self.verbose)?;
        let is_absolute = folders.iter().all(|folder| folder.starts_with(b"/"));
        (is_absolute && is_elf(&query.program) && self.files_read(query).next().is_none()).then_some(folders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(verbose: &[u8]) -> Said {
        let driver = Driver { family: Family::Gcc, major: 1, plus_plus: false };
        Said { driver, version: Vec::new(), verbose: verbose.to_vec(), file: "/tmp/probe-1.c".into() }
    }

    #[test]
    fn what_differs_from_call_to_call_is_left_out() {
        let verbose = b"+ exec gcc -E /tmp/probe-1.c\nCOLLECT_GCC=/x/gcc\nTarget: t\ngcc version 1\nCOLLECT_GCC_OPTIONS='-v'\n \
            /x/cc1 -E -quiet /tmp/probe-1.c\n#include <...> search starts here:\n";
        assert_eq!(said(verbose).about(), b"Target: t\ngcc version 1");
    }

    #[test]
    fn folders_are_the_same_everywhere_only_where_no_file_has_a_say() {
        let query = |program: PathBuf| CompilerQuery {
            program,
            name: "clang".into(),
            env: EnvBlock::default(),
            cwd: "/here".into(),
            named: Vec::new(),
        };
        let list = "#include <...> search starts here:\n /usr/include\nEnd of search list.\n";
        let is_one_list = |program: &Path, text: &str| {
            said(format!("{text}{list}").as_bytes()).folders_everywhere(&query(program.into())).is_some()
        };
        let program = std::env::current_exe().unwrap();
        assert!(is_one_list(&program, ""));
        assert!(!is_one_list(Path::new("/etc/passwd"), ""));
        assert!(!is_one_list(&program, "ignoring nonexistent directory \"sub/include\"\n"));
        assert!(!is_one_list(&program, "Configuration file: /etc/clang.cfg\n"));
        assert!(!is_one_list(&program, "Reading specs from specs\n"));
    }
}
