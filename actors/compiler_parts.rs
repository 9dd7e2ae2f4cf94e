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
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The programs that gcc runs, without those that read what has been compiled (`lto1`, `lto-wrapper`).
const PROGRAMS: [&str; 6] = ["cc1", "cc1plus", "cc1obj", "cc1objplus", "collect2", "as"];
/// What it reads by itself.
const FILES: [&str; 2] = ["specs", "liblto_plugin.so"];

/// Places where a part would be found before the one that is there now: none may appear. The system's own folders
/// are left out, for they change with their compiler.
///
/// # Errors
/// When the compiler does not answer.
pub async fn candidates(query: &CompilerQuery) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let programs: Vec<PathBuf> = query.part_folders().collect();
    let libraries: Vec<PathBuf> = query.part_folders().chain(query.library_folders()).collect();
    if !libraries.is_empty() {
        let answer = query.question().with(["-print-search-dirs"]).ask().await?;
        for (line, given, names) in
            [(&b"programs: ="[..], programs, &PROGRAMS[..]), (b"libraries: =", libraries, &FILES)]
        {
            let text = answer.stdout.split(|&byte| byte == b'\n').find_map(|text| text.strip_prefix(line));
            let all = std::env::split_paths(OsStr::from_bytes(text.unwrap_or_default()));
            let folders = all.filter(|folder| given.iter().any(|given| folder.starts_with(given)));
            found.extend(folders.flat_map(|folder| names.iter().map(move |name| folder.join(name))));
        }
    }
    let mut found: BTreeSet<PathBuf> = found.into_iter().map(|file| query.cwd.join(file)).collect();
    // The assembler is looked for in PATH, too.
    let path = query.env.get("PATH").unwrap_or_default();
    let before = std::env::split_paths(path).map(|folder| query.cwd.join(folder).join("as"));
    found.extend(before.take_while(|file| !is_program(file)));
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
    let mut parts: BTreeSet<PathBuf> = said.files_read(query).collect();
    let mut pieces = vec![Part::Found(query.program.clone())];
    let ask = |name: &&str| Part::Named(format!("-print-prog-name={name}"));
    match said.driver.family {
        Family::Gcc => match own_files(query, said) {
            Some(found) => {
                pieces.extend(found.into_iter().map(Part::Found));
                // Which assembler it runs may be built in (`--with-as`).
                pieces.push(ask(&"as"));
            }
            None => {
                pieces.extend(PROGRAMS.iter().map(ask));
                pieces.extend(FILES.iter().map(|name| Part::Named(format!("-print-file-name={name}"))));
            }
        },
        Family::Clang => {
            // A script may stand before it.
            let Some(clang) =
                clang_itself(&said.verbose).and_then(|path| query.cwd.join(path).canonicalize().ok())
            else {
                return Ok(None);
            };
            if query.program.canonicalize()? == clang {
                pieces.clear();
            }
            pieces.extend([Part::Found(clang), ask(&"as")]);
        }
        Family::Rustc | Family::Clippy => return Ok(None),
    }
    let pieces = pieces.into_iter().map(|piece| part(query.clone(), piece));
    let found = together::all(pieces.collect(), slots).await;
    for some in found.ok_or_else(|| io::Error::other("a question was lost"))? {
        parts.extend(some?);
    }
    Ok(Some(parts))
}

/// What gcc runs and reads but for the assembler, as far as it follows from what it told: each question costs a
/// process. `None` where a variable, a script or a specs file may make it look elsewhere.
fn own_files(query: &CompilerQuery, said: &Said) -> Option<Vec<PathBuf>> {
    let folders = folders_told(&said.verbose, b"COMPILER_PATH=").filter(|_| goes_by_itself(query, said))?;
    let find = |name: &str, is_it: fn(&Path) -> bool| {
        folders.iter().map(|folder| folder.join(name)).find(|file| is_it(file))
    };
    let programs = PROGRAMS.iter().filter(|name| **name != "as").filter_map(|name| find(name, is_program));
    let plugin = find("liblto_plugin.so", Path::is_file);
    let found: Vec<PathBuf> = programs.chain(plugin).collect();
    // The one that it ran for us must be among them.
    ran(said).any(|ran| found.iter().any(|file| file == ran)).then_some(found)
}

/// Where a specs file of its own would be, which it reads where there is one (GCC manual, "Spec Files"): beside its library.
pub fn own_specs(said: &Said) -> Option<PathBuf> {
    let folders = folders_told(&said.verbose, b"LIBRARY_PATH=")?;
    let own = folders.iter().find(|folder| folder.join("libgcc.a").is_file())?;
    Some(own.join("specs"))
}

/// Whether no variable, script or specs file makes it look elsewhere or run something else.
pub fn goes_by_itself(query: &CompilerQuery, said: &Said) -> bool {
    is_elf(&query.program) && !query.names_folders() && said.files_read(query).next().is_none()
}

/// What it ran when it read our file.
pub fn ran(said: &Said) -> impl Iterator<Item = &Path> {
    let lines = said.verbose.split(|&byte| byte == b'\n').filter_map(|line| line.strip_prefix(b" "));
    let first = lines.filter_map(|line| line.split(|&byte| byte == b' ').next());
    first.map(|word| Path::new(OsStr::from_bytes(word)))
}

/// A part to look at.
enum Part {
    /// The compiler finds it: the option that asks for it.
    Named(String),
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
            let Some(path) = locate(&name, &query) else { return Ok(Vec::new()) };
            path
        }
    };
    with_libraries(&query, path).await
}

/// A file, and the libraries that it loads where it is a program.
///
/// # Errors
/// When it cannot be asked just now.
pub async fn with_libraries(query: &CompilerQuery, path: PathBuf) -> io::Result<Vec<PathBuf>> {
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

/// A part that the compiler names: a path, or a program in the client's PATH.
fn locate(name: &Path, query: &CompilerQuery) -> Option<PathBuf> {
    if name.as_os_str().as_bytes().contains(&b'/') {
        return Some(query.cwd.join(name)).filter(|name| name.is_file());
    }
    let path = query.env.get("PATH")?;
    std::env::split_paths(path).map(|folder| query.cwd.join(folder).join(name)).find(|file| is_program(file))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// The folders in which gcc looks for what it runs (`COMPILER_PATH=`) or links, as it tells them with `-v`.
fn folders_told(text: &[u8], start: &[u8]) -> Option<Vec<PathBuf>> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(start))?;
    Some(std::env::split_paths(OsStr::from_bytes(line)).collect())
}

/// Whether it is gcc's driver, not a program before it, which may add words: the driver holds the specs that tell what it
/// runs for a language (GCC manual, "Spec Files").
pub fn is_driver(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    memchr::memmem::find(&bytes, b"%(cc1_options)").is_some()
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

/// The program that clang names with `-v` as the one that compiles: ` "/usr/lib/llvm-14/bin/clang" -cc1 ...`.
fn clang_itself(text: &[u8]) -> Option<PathBuf> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b" \""))?;
    let end = line.windows(6).position(|part| part == b"\" -cc1")?;
    Some(plain(line.get(..end)?))
}

/// The folder of files that come with clang, as it tells it with `-v`.
pub fn resources(text: &[u8]) -> Option<PathBuf> {
    const WORD: &[u8] = b" -resource-dir ";
    let at = text.windows(WORD.len()).position(|part| part == WORD)?;
    let value = text.get(at + WORD.len()..)?;
    // In quotes only where it needs them.
    let (value, end) = match value.strip_prefix(b"\"") {
        Some(quoted) => (quoted, &b"\" "[..]),
        None => (value, &b" "[..]),
    };
    let end = value.windows(end.len()).position(|part| part == end)?;
    Some(plain(value.get(..end)?))
}

/// Where clang's own C++ library may be, with one folder for each version: it searches none that is not there.
pub fn libraries_of_clang(text: &[u8]) -> BTreeSet<PathBuf> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let installed = lines.find_map(|line| line.strip_prefix(b"InstalledDir: "));
    let installed = installed.map(|folder| PathBuf::from(OsStr::from_bytes(folder)));
    let own = clang_itself(text).and_then(|path| Some(path.parent()?.to_owned()));
    installed.into_iter().chain(own).map(|folder| folder.join("../include/c++")).collect()
}

/// A word as it was before clang put a backslash in front of what a shell would take for its own.
fn plain(word: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(word.len());
    let mut bytes = word.iter();
    while let Some(&byte) = bytes.next() {
        path.extend(if byte == b'\\' { bytes.next().copied() } else { Some(byte) });
    }
    OsString::from_vec(path).into()
}

/// The folders in which clang found a gcc, as it tells with `-v`: a newer one would be taken instead.
pub fn gcc_folders(text: &[u8]) -> Vec<PathBuf> {
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
    fn gcc_names_its_folders() {
        let text = b"COLLECT_GCC=gcc\nCOMPILER_PATH=/opt/gcc/12/:/opt/gcc/\n";
        assert_eq!(
            folders_told(text, b"COMPILER_PATH="),
            Some(vec!["/opt/gcc/12/".into(), "/opt/gcc/".into()])
        );
        assert_eq!(folders_told(b"COLLECT_GCC=gcc\n", b"COMPILER_PATH="), None);
    }

    #[test]
    fn clang_names_its_resources() {
        let text = b" \"/bin/clang\" -cc1 -triple t -resource-dir /usr/lib/clang/14 -E\n";
        assert_eq!(resources(text), Some("/usr/lib/clang/14".into()));
        let text = b" \"/bin/clang\" -cc1 -resource-dir \"/a b/\\$c\" -E\n";
        assert_eq!(resources(text), Some("/a b/$c".into()));
        assert_eq!(resources(b"gcc version 12\n"), None);
    }

    #[test]
    fn clang_names_itself_and_the_gcc_beside_it() {
        let text = b"clang version 14\nInstalledDir: /usr/bin\nFound candidate GCC installation: /usr/lib/gcc/t/12\n\
             (in-process)\n \"/opt/my \\$llvm/clang-14\" -cc1 -triple t \"-E\" x.c\nclang -cc1 version 14\n";
        assert_eq!(clang_itself(text), Some("/opt/my $llvm/clang-14".into()));
        assert_eq!(gcc_folders(text), [Path::new("/usr/lib/gcc/t")]);
        assert_eq!(clang_itself(b"clang version 14\n"), None);
    }
}
