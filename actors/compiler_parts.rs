//! The parts of a compiler: the programs it runs, the files it reads by itself, and the libraries that they load.
use crate::detect::{CompilerQuery, Said, is_lasting};
use crate::jobserver_actor::Slots;
use crate::run::Question;
use crate::together;
use cachepot_engine::job::Family;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The programs that gcc runs, without those that only run when it links; and the plugin for its linker.
const PROGRAMS: [&str; 7] = ["cc1", "cc1plus", "cc1obj", "cc1objplus", "as", "collect2", "liblto_plugin.so"];

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

/// The files that the compiler runs or reads by itself, with the libraries that they load; `None` where it does not
/// tell.
///
/// # Errors
/// When the compiler does not answer.
pub async fn find(
    query: &CompilerQuery,
    said: &Said,
    slots: &Slots,
) -> io::Result<Option<BTreeSet<PathBuf>>> {
    let mut itself = BTreeSet::from([query.program.canonicalize()?]);
    let mut parts = BTreeSet::new();
    let mut pieces = Vec::new();
    match said.driver.family {
        Family::Gcc => {
            parts.extend(named_files(&said.verbose, "Reading specs from "));
            let Some(folders) = program_folders(&said.verbose) else { return Ok(None) };
            let programs = PROGRAMS.iter().filter_map(|name| locate(Path::new(name), &folders, query));
            pieces.extend(programs.map(Part::Found));
        }
        Family::Clang => {
            parts.extend(named_files(&said.verbose, "Configuration file: "));
            // A script may stand before it.
            let Some(clang) = clang_itself(&said.verbose) else { return Ok(None) };
            itself.insert(clang.canonicalize()?);
            parts.insert(clang);
            pieces.push(Part::Named("-print-prog-name=as"));
        }
    }
    pieces.extend(itself.into_iter().map(Part::Found));
    let pieces = pieces.into_iter().map(|piece| part(query.clone(), piece));
    let found = together::all(pieces.collect(), slots).await;
    for some in found.ok_or_else(|| io::Error::other("a question was lost"))? {
        parts.extend(some?);
    }
    Ok(Some(parts))
}

/// A part to look at.
enum Part {
    /// The compiler finds it: the option that asks for it.
    Named(&'static str),
    /// Here it is.
    Found(PathBuf),
}

/// One part, where it is there, and the libraries that it loads.
async fn part(query: CompilerQuery, part: Part) -> io::Result<Vec<PathBuf>> {
    let path = match part {
        Part::Found(path) => path,
        Part::Named(word) => {
            let name = query.question().with([word]).ask().await?.stdout;
            let name = PathBuf::from(OsString::from_vec(name.trim_ascii().to_vec()));
            let Some(path) = locate(&name, &[], &query) else { return Ok(Vec::new()) };
            path
        }
    };
    let mut found = vec![path.clone()];
    let is_library = path.extension() == Some(OsStr::new("so"));
    if is_elf(&path) && !is_library {
        let question = Question { program: path, ..query.question() };
        match question.variable("LD_TRACE_LOADED_OBJECTS", "1").ask().await {
            Ok(answer) => found.extend(libraries(&answer.stdout)),
            // A part for another machine, perhaps: it loads nothing here.
            Err(error) if is_lasting(&error) && error.kind() != io::ErrorKind::TimedOut => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// A program that the compiler names: a path, or something in its own folders or in the client's PATH.
fn locate(name: &Path, folders: &[PathBuf], query: &CompilerQuery) -> Option<PathBuf> {
    if name.as_os_str().as_bytes().contains(&b'/') {
        return Some(query.cwd.join(name)).filter(|name| name.is_file());
    }
    let path = std::env::split_paths(query.env.get("PATH").unwrap_or_default());
    let places = folders.iter().cloned().chain(path).map(|folder| query.cwd.join(folder).join(name));
    places.into_iter().find(|file| file.is_file())
}

/// The folders in which gcc looks for what it runs, as it tells them with `-v`.
fn program_folders(text: &[u8]) -> Option<Vec<PathBuf>> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"COMPILER_PATH="))?;
    Some(std::env::split_paths(OsStr::from_bytes(line)).collect())
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

/// The files that a compiler names with `-v` in lines that begin so.
fn named_files(text: &[u8], start: &str) -> Vec<PathBuf> {
    let text = String::from_utf8_lossy(text);
    text.lines().filter_map(|line| line.strip_prefix(start)).map(|path| path.trim().into()).collect()
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
    fn gcc_names_its_folders_and_specs() {
        let text =
            b"Reading specs from /opt/gcc/specs\nCOLLECT_GCC=gcc\nCOMPILER_PATH=/opt/gcc/12/:/opt/gcc/\n";
        assert_eq!(program_folders(text), Some(vec!["/opt/gcc/12/".into(), "/opt/gcc/".into()]));
        assert_eq!(named_files(text, "Reading specs from "), [Path::new("/opt/gcc/specs")]);
        assert_eq!(program_folders(b"COLLECT_GCC=gcc\n"), None);
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
