//! The parts of a compiler: the programs it runs, the files it reads by itself, and the libraries that they load.
use crate::detect::{CompilerQuery, Said, is_lasting};
use crate::jobserver_actor::Slots;
use crate::run::{Answer, Question};
use crate::together;
use cachepot_engine::job::Family;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The programs that gcc runs, as `-print-prog-name=` knows them.
const PROGRAMS: [&str; 8] =
    ["cc1", "cc1plus", "cc1obj", "cc1objplus", "as", "collect2", "lto1", "lto-wrapper"];
/// The same for clang.
const PROGRAMS_OF_CLANG: [&str; 1] = ["as"];
/// Files that gcc reads by itself, as `-print-file-name=` knows them.
const FILES: [&str; 2] = ["specs", "liblto_plugin.so"];

/// Places where a part would be found before the one that is there now: none may appear. The system's own folders
/// are left out, for they change with their compiler; but a clang looks there for the newest gcc's headers.
///
/// # Errors
/// When the compiler does not answer.
pub async fn candidates(query: &CompilerQuery, said: &Said) -> io::Result<BTreeSet<PathBuf>> {
    let mut folders = Vec::new();
    if query.part_folders().next().is_some() {
        let answer = query.question().with(["-print-search-dirs"]).ask().await?;
        let line =
            answer.stdout.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"programs: ="));
        let all = std::env::split_paths(OsStr::from_bytes(line.unwrap_or_default()));
        let given: Vec<PathBuf> = query.part_folders().collect();
        folders.extend(all.filter(|folder| given.iter().any(|given| folder.starts_with(given))));
    }
    let mut found: BTreeSet<PathBuf> =
        folders.iter().flat_map(|folder| PROGRAMS.map(|name| query.cwd.join(folder).join(name))).collect();
    // The assembler is looked for in PATH, too.
    let path = query.env.get("PATH").unwrap_or_default();
    let before = std::env::split_paths(path).map(|folder| query.cwd.join(folder).join("as"));
    found.extend(before.take_while(|file| !file.is_file()));
    found.extend(gcc_folders(&said.verbose));
    Ok(found)
}

/// The files that the compiler runs or reads by itself, with the libraries that they load.
///
/// # Errors
/// When the compiler does not answer.
pub async fn find(query: &CompilerQuery, said: &Said, slots: &Slots) -> io::Result<BTreeSet<PathBuf>> {
    let mut parts = BTreeSet::new();
    let (programs, files): (&[&str], &[&str]) = match said.driver.family {
        Family::Gcc => (&PROGRAMS, &FILES),
        Family::Clang => (&PROGRAMS_OF_CLANG, &[]),
    };
    let programs = programs.iter().map(|name| format!("-print-prog-name={name}"));
    let files = files.iter().map(|name| format!("-print-file-name={name}"));
    for answer in ask_all(programs.chain(files).map(|word| query.question().with([word])), slots).await? {
        let name = PathBuf::from(OsString::from_vec(answer?.stdout.trim_ascii().to_vec()));
        parts.extend(locate(&name, query));
    }
    if said.driver.family == Family::Clang {
        parts.extend(configuration_files(&said.verbose));
        // Itself, because a script may stand before it.
        parts.insert(clang_itself(&said.verbose).ok_or(io::ErrorKind::InvalidData)?);
    }
    let trace = |binary: PathBuf| {
        Question { program: binary, ..query.question() }.variable("LD_TRACE_LOADED_OBJECTS", "1")
    };
    let binaries = different(parts.iter().chain([&query.program])).into_iter().filter(|path| is_elf(path));
    for answer in ask_all(binaries.map(trace), slots).await? {
        match answer {
            Ok(answer) => parts.extend(libraries(&answer.stdout)),
            // A part for another machine, perhaps: it loads nothing here.
            Err(error) if is_lasting(&error) && error.kind() != io::ErrorKind::TimedOut => {}
            Err(error) => return Err(error),
        }
    }
    Ok(parts)
}

/// One path for each file.
fn different<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> BTreeSet<PathBuf> {
    paths.filter_map(|path| path.canonicalize().ok()).collect()
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

/// Whether it is a program for the machine itself, not a script.
pub fn is_elf(path: &Path) -> bool {
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

/// The program that clang names with `-v` as the one that compiles: ` "/usr/lib/llvm-14/bin/clang" -cc1 ...`.
fn clang_itself(text: &[u8]) -> Option<PathBuf> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b" \""))?;
    let end = line.windows(8).position(|part| part == b"\" \"-cc1\"" || part.starts_with(b"\" -cc1"))?;
    line.get(..end).map(|path| OsStr::from_bytes(path).into())
}

/// The folders in which clang found a gcc, as it tells with `-v`: a newer one would be taken instead.
fn gcc_folders(text: &[u8]) -> Vec<PathBuf> {
    let lines = text.split(|&byte| byte == b'\n');
    let found = lines.filter_map(|line| line.strip_prefix(b"Found candidate GCC installation: "));
    found.filter_map(|path| Some(Path::new(OsStr::from_bytes(path)).parent()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_the_loader() {
        let text = b"\tlinux-vdso.so.1 (0x7f)\n\tlibz.so.1 => /lib/libz.so.1 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x7f)\n\tlibno.so => not found\n";
        assert_eq!(libraries(text), [Path::new("/lib/libz.so.1"), Path::new("/lib64/ld-linux-x86-64.so.2")]);
    }

    #[test]
    fn clang_names_itself_and_the_gcc_beside_it() {
        let text = b"clang version 14\nInstalledDir: /usr/bin\nFound candidate GCC installation: /usr/lib/gcc/t/12\n\
             (in-process)\n \"/opt/my llvm/clang-14\" -cc1 -triple t \"-E\" x.c\nclang -cc1 version 14\n";
        assert_eq!(clang_itself(text), Some("/opt/my llvm/clang-14".into()));
        assert_eq!(gcc_folders(text), [Path::new("/usr/lib/gcc/t")]);
        assert_eq!(clang_itself(b"clang version 14\n"), None);
    }
}
