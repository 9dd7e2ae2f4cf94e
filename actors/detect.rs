//! Who is this compiler? It is asked, never judged by its name, and its identity covers the parts it runs.
use crate::inputs::Stamp;
use crate::jobserver_actor::Slots;
use crate::run::{Answer, Question};
use crate::together;
use crate::wrapper;
use cachepot_engine::compiler::gnu;
use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::job::{Driver, Family};
use cachepot_wire::{EnvBlock, socket};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Variables that lead a compiler to other parts of itself, or to other built-in folders.
const VARIABLES: [&str; 14] = [
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "C_INCLUDE_PATH",
    "CCC_OVERRIDE_OPTIONS",
    "CLANG_CONFIG_FILE_SYSTEM_DIR",
    "CLANG_CONFIG_FILE_USER_DIR",
    "GCC_EXEC_PREFIX",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "OBJCPLUS_INCLUDE_PATH",
    "OBJC_INCLUDE_PATH",
    "PATH",
    "SDKROOT",
];

/// The programs that gcc runs, as `-print-prog-name=` knows them.
const PROGRAMS: [&str; 8] =
    ["cc1", "cc1plus", "cc1obj", "cc1objplus", "as", "collect2", "lto1", "lto-wrapper"];
/// The same for clang; itself, because a script may stand before it.
const PROGRAMS_OF_CLANG: [&str; 2] = ["clang", "as"];
/// Files that gcc reads by itself, as `-print-file-name=` knows them.
const FILES: [&str; 2] = ["specs", "liblto_plugin.so"];

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
        for (name, value) in
            self.env.iter().filter(|(name, _)| VARIABLES.iter().any(|known| *name == OsStr::new(known)))
        {
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

    /// Folders in which the user makes the compiler look for its parts first.
    fn part_folders(&self) -> impl Iterator<Item = PathBuf> {
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
}

impl Known {
    /// The name in statistics.
    pub fn family_name(&self) -> &'static str {
        match self.driver.family {
            Family::Gcc => "gcc",
            Family::Clang => "clang",
        }
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
    let mut parts = stamped([query.program.clone()]);
    let names = wrapper::names(&query.program);
    let kind = match probe(query, scratch).await? {
        Ok((driver, version)) => {
            let candidates = stamped(candidates(query).await?);
            let (said, helpers) = helper_parts(query, &driver, slots).await?;
            parts.extend(stamped(helpers));
            let identity = identity(query, (&driver, &version, &said), &parts, slots).await;
            parts.extend(candidates);
            let kind = identity.map(|identity| Known { identity, driver });
            kind.ok_or_else(|| "a part of the compiler cannot be read".to_owned())
        }
        Err(text) => Err(text),
    };
    Ok(Compiler { kind, names, parts })
}

/// Asks for the built-in macros; the text says why it is no compiler that we know.
async fn probe(query: &CompilerQuery, scratch: &Path) -> io::Result<Result<(Driver, Vec<u8>), String>> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    // In our own folder: nobody else can have put a link of that name there, and what a killed coordinator leaves
    // is removed by a later one.
    let file = scratch.join(format!("probe-{}-{serial}.c", std::process::id()));
    socket::make_folder(scratch)?;
    std::fs::write(&file, PROBE)?;
    let answer = query.question().with([OsStr::new("-E"), file.as_os_str()]).ask().await;
    let _ = std::fs::remove_file(&file);
    match answer {
        Ok(answer) => {
            Ok(read_probe(&answer).ok_or_else(|| String::from_utf8_lossy(&answer.stderr).trim().to_owned()))
        }
        // A program of another kind may wait for ever, and does so again; or it is no program at all.
        Err(error) if is_lasting(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

fn is_lasting(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, TimedOut};
    matches!(error.kind(), TimedOut | NotFound | PermissionDenied)
        || error.raw_os_error() == Some(libc::ENOEXEC)
}

fn read_probe(answer: &Answer) -> Option<(Driver, Vec<u8>)> {
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
    Some((driver, line("cachepot_version").unwrap_or_default().as_bytes().to_vec()))
}

/// Places where a part would be found before the one that is there now: none may appear. The system's own folders
/// are left out, for they change with their compiler.
async fn candidates(query: &CompilerQuery) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    if query.part_folders().next().is_some() {
        let answer = query.question().with(["-print-search-dirs"]).ask().await?;
        let line =
            answer.stdout.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"programs: ="));
        let all = std::env::split_paths(OsStr::from_bytes(line.unwrap_or_default()));
        let given: Vec<PathBuf> = query.part_folders().collect();
        folders.extend(all.filter(|folder| given.iter().any(|given| folder.starts_with(given))));
    }
    let mut found: Vec<PathBuf> =
        folders.iter().flat_map(|folder| PROGRAMS.map(|name| query.cwd.join(folder).join(name))).collect();
    // The assembler is looked for in PATH, too.
    let path = query.env.get("PATH").unwrap_or_default();
    let before = std::env::split_paths(path).map(|folder| query.cwd.join(folder).join("as"));
    found.extend(before.take_while(|file| !file.is_file()));
    Ok(found)
}

/// What the compiler says with `-v`; and the files that it runs or reads by itself, with the libraries that they load.
async fn helper_parts(
    query: &CompilerQuery,
    driver: &Driver,
    slots: &Slots,
) -> io::Result<(Vec<u8>, BTreeSet<PathBuf>)> {
    let mut parts = BTreeSet::new();
    let (programs, files): (&[&str], &[&str]) = match driver.family {
        Family::Gcc => (&PROGRAMS, &FILES),
        Family::Clang => (&PROGRAMS_OF_CLANG, &[]),
    };
    let programs = programs.iter().map(|name| format!("-print-prog-name={name}"));
    let files = files.iter().map(|name| format!("-print-file-name={name}"));
    let words = ["-v".to_owned()].into_iter().chain(programs).chain(files);
    let mut answers = ask_all(words.map(|word| query.question().with([word])), slots).await?.into_iter();
    let said = answers.next().transpose()?.map(|answer| answer.stderr).unwrap_or_default();
    for answer in answers {
        let name = PathBuf::from(OsString::from_vec(answer?.stdout.trim_ascii().to_vec()));
        parts.extend(locate(&name, query));
    }
    if driver.family == Family::Clang {
        parts.extend(configuration_files(&said));
    }
    let binaries: Vec<PathBuf> = parts.iter().cloned().chain([query.program.clone()]).collect();
    let trace = |binary: PathBuf| {
        Question { program: binary, ..query.question() }.variable("LD_TRACE_LOADED_OBJECTS", "1")
    };
    let binaries = binaries.into_iter().filter(|path| is_elf(path));
    for answer in ask_all(binaries.map(trace), slots).await? {
        match answer {
            Ok(answer) => parts.extend(libraries(&answer.stdout)),
            // A part for another machine, perhaps: it loads nothing here.
            Err(error) if is_lasting(&error) && error.kind() != io::ErrorKind::TimedOut => {}
            Err(error) => return Err(error),
        }
    }
    Ok((said, parts))
}

async fn ask_all(
    questions: impl Iterator<Item = Question>,
    slots: &Slots,
) -> io::Result<Vec<io::Result<Answer>>> {
    let answers =
        together::all(questions.map(|question| async move { question.ask().await }).collect(), slots);
    answers.await.ok_or_else(|| io::Error::other("a question was lost"))
}

/// A program that the compiler names: a path, or something in the client's PATH.
fn locate(name: &Path, query: &CompilerQuery) -> Option<PathBuf> {
    if name.as_os_str().as_bytes().contains(&b'/') {
        return Some(query.cwd.join(name)).filter(|name| name.is_file());
    }
    let path = query.env.get("PATH")?;
    std::env::split_paths(path).map(|folder| query.cwd.join(folder).join(name)).find(|file| file.is_file())
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *b"\x7fELF"
}

/// The paths in what the loader prints for `LD_TRACE_LOADED_OBJECTS` (ld.so(8)).
fn libraries(text: &[u8]) -> Vec<PathBuf> {
    let text = String::from_utf8_lossy(text);
    let path = |line: &str| {
        let line = line.split(" => ").last()?.trim();
        let path = line.split(" (0x").next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    };
    text.lines().filter_map(path).collect()
}

/// The configuration files that clang names with `-v`.
fn configuration_files(text: &[u8]) -> Vec<PathBuf> {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .filter_map(|line| line.strip_prefix("Configuration file: "))
        .map(|p| p.trim().into())
        .collect()
}

/// Digests all parts; `None` where one cannot be read.
async fn identity(
    query: &CompilerQuery,
    (driver, version, said): (&Driver, &[u8], &[u8]),
    parts: &[Stamped],
    slots: &Slots,
) -> Option<Digest> {
    let mut key = KeyBuilder::new("cachepot compiler 1");
    let name = Path::new(&query.name).file_name().unwrap_or_default();
    key.field("name", name.as_bytes()).field("version", version);
    key.field("driver", format!("{driver:?}").as_bytes());
    key.field("about", &about(said));
    let digests = parts.iter().map(|(path, _)| {
        let path = path.clone();
        async move { tokio::task::spawn_blocking(move || digest(&path)).await.ok().flatten() }
    });
    let digests = together::all(digests.collect(), slots).await?;
    for ((path, _), digest) in parts.iter().zip(digests) {
        key.field("part", path.file_name().unwrap_or_default().as_bytes()).field("digest", &digest?.0);
    }
    Some(key.finish())
}

fn digest(path: &Path) -> Option<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path).ok()?).ok()?;
    Some(Digest(*hasher.finalize().as_bytes()))
}

/// What `-v` says, without the lines that only repeat how it was called.
fn about(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|&byte| byte == b'\n');
    lines.filter(|line| !line.starts_with(b"COLLECT_")).collect::<Vec<_>>().join(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_the_loader() {
        let text = b"\tlinux-vdso.so.1 (0x7f)\n\tlibz.so.1 => /lib/libz.so.1 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n\tlibno.so => not found\n";
        assert_eq!(libraries(text), [Path::new("/lib/libz.so.1"), Path::new("/lib64/ld-linux-x86-64.so.2")]);
    }
}
