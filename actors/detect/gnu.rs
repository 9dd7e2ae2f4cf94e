//! Who a compiler of the C family is: what it tells while it reads a file of ours.
use super::{Compiler, CompilerQuery, FrontEnds, Known, Loader, Stamped, digests, is_lasting, stamped};
use crate::built_in_folders;
use crate::compiler_parts::{self, is_elf};
use crate::inputs::{Stamp, changed_since, now};
use crate::jobserver_actor::Slots;
use crate::run::Answer;
use crate::settled::Settled;
use crate::wrapper;
use cachepot_engine::compiler::gnu::sanitizer_lists;
use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::job::{Driver, Family, Language};
use cachepot_wire::socket;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where clang looks for newer gccs before it looks in the system's folders.
const TOOLSETS: &str = "/opt/rh";

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

/// Finds out which compiler of the C family it is. The caller holds a slot.
///
/// # Errors
/// Trouble that says nothing about the compiler: no process, no memory, no answer in time.
pub(super) async fn detect(
    query: &CompilerQuery,
    slots: &Slots,
    scratch: &Path,
    settled: &Arc<Settled>,
) -> io::Result<Compiler> {
    // Stamps first: a part that changes while we look gives a stamp that no longer fits.
    let (began, mut parts) = (now(), stamped([query.program.clone()]));
    let names = wrapper::names(&query.program);
    let candidates = match compiler_parts::candidates(query).await {
        Ok(candidates) => stamped(candidates),
        Err(error) if is_lasting(&error) => {
            return Ok(Compiler::unknown(error.to_string(), names, parts));
        }
        Err(error) => return Err(error),
    };
    let said = match probe(query, scratch).await? {
        Ok(said) => said,
        Err(text) => return Ok(Compiler::unknown(text, names, parts)),
    };
    let gcc_folders = compiler_parts::gcc_folders(&said.verbose).into_iter();
    let gcc_folders = gcc_folders.map(|folder| query.cwd.join(folder));
    let found = compiler_parts::find(query, &said, slots).await?;
    let is_told = found.is_some();
    let resources = compiler_parts::resources(&said.verbose).map(|folder| query.cwd.join(folder));
    // One that is not there yet changes its folder.
    let share = resources.iter().map(|folder| folder.join("share"));
    let libraries = compiler_parts::libraries_of_clang(&said.verbose).into_iter();
    let libraries = libraries.map(|folder| query.cwd.join(folder));
    let toolsets = (said.driver.family == Family::Clang).then(|| PathBuf::from(TOOLSETS));
    let found_folders = stamped(gcc_folders.chain(share).chain(libraries).chain(toolsets));
    let lists = stamped(resources.iter().flat_map(|folder| sanitizer_lists(folder)));
    parts.extend(lists.into_iter().filter(|(_, stamp)| stamp.is_some()));
    parts.extend(stamped(found.into_iter().flatten().filter(|part| *part != query.program)));
    let c = if said.driver.plus_plus { Language::Cxx } else { Language::C };
    let is_alone = said.driver.family == Family::Gcc
        && compiler_parts::goes_by_itself(query, &said)
        && compiler_parts::is_driver(&query.program);
    let (front_ends, others) = match is_alone {
        true => FrontEnds::among(&parts, c, compiler_parts::ran(&said)),
        false => (FrontEnds::default(), parts.clone()),
    };
    let rest = if is_told { identity(query, &said, &others, (slots, settled)).await } else { None };
    let absent = front_ends.absent().chain(compiler_parts::own_specs(&said));
    parts.extend(stamped(absent.map(|file| query.cwd.join(file))));
    parts.extend(candidates);
    // By the time that nobody can set: a folder may well bear a date of tomorrow.
    let by_change = |stamp: Stamp| Stamp { modified: stamp.changed, ..stamp };
    if found_folders.iter().any(|(_, stamp)| stamp.is_some_and(|s| changed_since(&by_change(s), began))) {
        return Err(io::Error::other("the compiler changed while it was asked"));
    }
    parts.extend(found_folders);
    let why = if is_told { "a part of the compiler cannot be read" } else { "it does not tell what it runs" };
    let folders = said.folders_everywhere(query).map(Arc::new);
    let kind = rest.map(|rest| Known {
        rest,
        front_ends: Arc::new(front_ends),
        driver: said.driver,
        folders,
        version: None,
        covered: Arc::default(),
    });
    Ok(Compiler {
        kind: kind.ok_or(why.to_owned()),
        names,
        parts,
        by_place: false,
        loader: Loader::default(),
    })
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

/// Digests these parts; `None` where one cannot be read.
async fn identity(
    query: &CompilerQuery,
    said: &Said,
    parts: &[Stamped],
    (slots, settled): (&Slots, &Arc<Settled>),
) -> Option<Digest> {
    let mut key = KeyBuilder::new("cachepot compiler 3");
    let name = Path::new(&query.name).file_name().unwrap_or_default();
    key.field("name", name.as_bytes()).field("version", &said.version);
    key.field("driver", format!("{:?}", said.driver).as_bytes());
    key.field("about", &said.about());
    for folder in compiler_parts::libraries_of_clang(&said.verbose) {
        let entries = std::fs::read_dir(query.cwd.join(folder)).into_iter().flatten().flatten();
        // Those of the other library are another compiler's.
        let names = entries.map(|entry| entry.file_name());
        let mut versions: Vec<_> = names.filter(|name| name.as_bytes().starts_with(b"v")).collect();
        versions.sort();
        key.list("library", versions.iter().map(|name| name.as_bytes()));
    }
    let digests = digests(parts, slots, settled).await?;
    for ((path, _), digest) in parts.iter().zip(digests) {
        key.field("part", path.file_name().unwrap_or_default().as_bytes()).field("digest", &digest.0);
    }
    Some(key.finish())
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
    use cachepot_wire::EnvBlock;

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
            here: None,
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
