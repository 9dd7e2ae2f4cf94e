//! Who a compiler of Rust is: rustc or clippy-driver, called directly, through rustup or through a script.
use super::{Compiler, CompilerQuery, Known, Loader, Stamped, digests, is_lasting, stamped};
use crate::compiler_parts::{self, is_elf};
use crate::inputs::{changed_since, now};
use crate::jobserver_actor::Slots;
use crate::run::Answer;
use crate::settled::Settled;
use crate::together;
use crate::wrapper;
use cachepot_engine::compiler::rustc::answers_as_ever;
use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::job::{Driver, Family};
use cachepot_wire::EnvBlock;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Variables by which rustup chooses a toolchain.
const VARIABLES: [&str; 5] = ["CARGO_HOME", "HOME", "RUSTUP_FORCE_ARG0", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];
/// Files by which it chooses one for a folder and what lies below.
const FILES: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];
/// More files than any toolchain has for one target.
const MAX_FILES: usize = 1 << 12;

/// What decides, beside the program, which toolchain a program of rustup runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// The word `+toolchain`.
    pub toolchain: Option<OsString>,
}

impl Here {
    /// Of a call with these words behind the program.
    pub fn of(words: &[OsString]) -> Self {
        Here { toolchain: words.first().filter(|word| word.as_bytes().starts_with(b"+")).cloned() }
    }

    /// Adds to the key of a query what the answer depends on.
    pub(super) fn enter(&self, query: &CompilerQuery, key: &mut KeyBuilder) {
        for name in VARIABLES {
            // Not set is not empty.
            let value = query.env.get(name);
            key.field("is set", &[value.is_some().into()]);
            key.field("rustup", value.unwrap_or_default().as_bytes());
        }
        let word = self.toolchain.as_deref().unwrap_or_default();
        key.field("toolchain", word.as_bytes());
        // Both come before what files say.
        if word.is_empty() && query.env.get("RUSTUP_TOOLCHAIN").is_none() {
            key.field("here", query.cwd.as_os_str().as_bytes());
        }
    }
}

/// Whether a program is asked first whether it compiles Rust.
pub(super) fn is_likely(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().as_bytes();
    [&b"rustc"[..], b"clippy-driver"].iter().any(|part| name.windows(part.len()).any(|found| found == *part))
}

/// Whether that is what rustc says where it is asked for something that only compilers of C know.
pub(super) fn sounds_like(trouble: &str) -> bool {
    trouble.contains("Unrecognized option")
}

/// What is known of a program that should compile Rust and does not say so: in another folder it may.
pub(super) fn without_answer(query: &CompilerQuery, found: Compiler) -> Compiler {
    let Compiler { kind, names, mut parts, .. } = found;
    parts.extend(stamped(choices(query)));
    Compiler { kind, names, by_place: true, parts, loader: Loader::default() }
}

/// Finds out which one it is; `None` where it is none. The caller holds a slot.
///
/// # Errors
/// Trouble that says nothing about the compiler.
pub(super) async fn detect(
    query: &CompilerQuery,
    slots: &Slots,
    settled: &Arc<Settled>,
) -> io::Result<Option<Compiler>> {
    let began = now();
    // Stamps first: a part that changes while we look gives a stamp that no longer fits.
    let mut parts = stamped([query.program.clone()]);
    let chosen = stamped(choices(query));
    let names = wrapper::names(&query.program);
    let Some(said) = questions(query, slots).await? else { return Ok(None) };
    let Some(real) = said.program(query) else {
        let why = "it does not tell where its parts are".to_owned();
        return Ok(Some(Compiler::unknown(why, names, parts)));
    };
    let is_real =
        stamped([real.clone()]).first().map(|(_, stamp)| *stamp) == parts.first().map(|(_, stamp)| *stamp);
    let files = said.files(query, real).await?;
    let libraries = said.loads(&files, &query.env);
    // As they are named, and without what leads back up: the loader finds some by the place of others.
    let covered = files.iter().cloned().chain([said.libraries(), query.program.clone()]);
    let covered = covered.flat_map(|path| path.canonicalize().into_iter().chain([path]));
    let covered = covered.map(|path| path.into_os_string().into_vec()).collect();
    parts.extend(stamped(files.into_iter().filter(|file| *file != query.program)));
    let identity = said.identity(query, &parts, (slots, settled)).await;
    // A file may come into a folder.
    parts.extend(stamped([said.libraries(), said.sysroot.join("lib")]));
    if !is_real {
        parts.extend(chosen);
    }
    let is_old = |(_, stamp): &Stamped| stamp.is_some_and(|stamp| !changed_since(&stamp, began));
    let mut is_sure = is_real && identity.is_some() && said.is_silent;
    is_sure &= answers_as_ever(&query.env) && parts.iter().all(is_old);
    // The loader would take a library from there.
    let elsewhere = libraries.elsewhere(&query.env).map(stamped);
    is_sure &= elsewhere.as_ref().is_some_and(|places| are_free(places));
    let loader =
        Loader { elsewhere: elsewhere.unwrap_or_default(), libraries: is_sure.then(|| Arc::new(libraries)) };
    let known = identity.map(|rest| Known {
        rest,
        front_ends: Arc::default(),
        driver: said.driver,
        folders: None,
        version: is_sure.then_some(said.version),
        covered: Arc::new(covered),
    });
    let kind = known.ok_or_else(|| "a part of the compiler cannot be read".to_owned());
    Ok(Some(Compiler { kind, names, by_place: !is_real, parts, loader }))
}

/// What is known of a compiler, for a query that differs in `PATH` and in where the loader looks first: rustc is the same and
/// answers the same where nothing that it loads lies there. `None` where that is not sure.
pub(super) fn under(known: &Compiler, query: &CompilerQuery) -> Option<Compiler> {
    let libraries = known.loader.libraries.as_ref().filter(|_| answers_as_ever(&query.env))?;
    // In its own folders the loader may find others, or the same by other names: these are part of who it is.
    let finds_the_same = libraries.own_among(&query.env) == libraries.named;
    let elsewhere = stamped(libraries.elsewhere(&query.env).filter(|_| finds_the_same)?);
    if !are_free(&elsewhere) || !known.is_current() {
        return None;
    }
    let loader = Loader { elsewhere, libraries: Some(Arc::clone(libraries)) };
    let (kind, names) = (known.kind.clone(), known.names.clone());
    Some(Compiler { kind, names, by_place: false, parts: known.parts.clone(), loader })
}

fn are_free(places: &[Stamped]) -> bool {
    places.iter().all(|(_, stamp)| stamp.is_none())
}

/// Folders in which glibc's loader looks for libraries that suit the machine best, on x86-64 and on AArch64.
const OF_MACHINES: [&str; 8] =
    ["aarch64", "atomics", "avx512_1", "glibc-hwcaps", "haswell", "tls", "x86_64", "xeon_phi"];

/// The files by which rustup chooses a toolchain, there or not, and the folder of all toolchains.
fn choices(query: &CompilerQuery) -> Vec<PathBuf> {
    let variable = |name| query.env.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = variable("RUSTUP_HOME").or_else(|| Some(variable("HOME")?.join(".rustup")));
    let in_home =
        home.into_iter().flat_map(|home| ["settings.toml", "toolchains"].map(|name| home.join(name)));
    let above = query.cwd.ancestors().flat_map(|folder| FILES.map(|name| folder.join(name)));
    in_home.chain(above).collect()
}

/// What it says of itself.
struct Said {
    driver: Driver,
    version: Vec<u8>,
    host: OsString,
    sysroot: PathBuf,
    /// Whether nothing came with the answers.
    is_silent: bool,
}

/// Three questions at once; `None` where the answers are not those of rustc.
async fn questions(query: &CompilerQuery, slots: &Slots) -> io::Result<Option<Said>> {
    let toolchain = query.here.iter().filter_map(|here| here.toolchain.as_deref());
    let words: [&[&str]; 3] = [&["-vV"], &["--version"], &["--print", "sysroot"]];
    let questions = words.map(|words| {
        let words = toolchain.clone().chain(words.iter().map(OsStr::new));
        // A question must not download a toolchain.
        let question = query.question().with(words).variable("RUSTUP_AUTO_INSTALL", "0");
        async move { question.ask().await }
    });
    let answers = together::all(questions.into(), slots).await;
    let (mut texts, mut is_silent) = (Vec::new(), true);
    for answer in answers.ok_or_else(|| io::Error::other("a question was lost"))? {
        match answer {
            Ok(Answer { succeeded: true, stdout, stderr }) => {
                texts.push(stdout);
                is_silent &= stderr.is_empty();
            }
            Ok(_) => return Ok(None),
            Err(error) if is_lasting(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let said = <[Vec<u8>; 3]>::try_from(texts).ok().and_then(read);
    Ok(said.map(|said| Said { is_silent, ..said }))
}

fn read([version, name, sysroot]: [Vec<u8>; 3]) -> Option<Said> {
    let line = |start: &str| {
        let found = version.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(start.as_bytes()));
        std::str::from_utf8(found?).ok()
    };
    line("rustc ")?;
    let family = match name.split(|&byte| byte == b' ').next() {
        Some(b"rustc") => Family::Rustc,
        Some(b"clippy") => Family::Clippy,
        _ => return None,
    };
    // What follows `1.`: it changes as a major version does.
    let minor = line("release: ")?.split('.').nth(1)?.parse().ok()?;
    let host = line("host: ")?.into();
    let sysroot = PathBuf::from(OsString::from_vec(sysroot.trim_ascii().to_vec()));
    let driver = Driver { family, major: minor, plus_plus: false };
    sysroot.is_absolute().then_some(Said { driver, version, host, sysroot, is_silent: false })
}

impl Said {
    /// The program behind rustup or a script.
    fn program(&self, query: &CompilerQuery) -> Option<PathBuf> {
        let name = if self.driver.family == Family::Clippy { "clippy-driver" } else { "rustc" };
        let in_sysroot = self.sysroot.join("bin").join(name);
        // Where a script stands there, a program of rustup may be what was asked.
        let program = if in_sysroot.exists() { in_sysroot } else { query.program.clone() };
        Some(program).filter(|program| is_elf(program))
    }

    /// What the loader takes for it under these variables.
    fn loads(&self, files: &BTreeSet<PathBuf>, env: &EnvBlock) -> Libraries {
        let is_library =
            |file: &&PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
        // A loader that does not tell what it takes is not known to us.
        let tells = files.iter().filter(is_library).any(|file| !file.starts_with(self.target()));
        let is_known = tells && cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
        let beside = self.sysroot.join("lib");
        // Some are loaded later than at the start.
        let more = std::fs::read_dir(&beside).into_iter().flatten().flatten();
        let more: Vec<PathBuf> = more.map(|entry| entry.path()).collect();
        let libraries = files.iter().chain(&more).filter(is_library);
        let names = libraries.filter_map(|file| file.file_name()).map(OsStr::to_owned).collect();
        let libraries = Libraries { own: [beside, self.libraries()], named: Vec::new(), names, is_known };
        Libraries { named: libraries.own_among(env), ..libraries }
    }

    fn target(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(&self.host)
    }

    /// The folder of the standard library.
    fn libraries(&self) -> PathBuf {
        self.target().join("lib")
    }

    /// The program, the libraries that it loads, and what lies there for its own machine: the standard library,
    /// linkers, code generators. Those of other targets are read as any file is.
    async fn files(&self, query: &CompilerQuery, program: PathBuf) -> io::Result<BTreeSet<PathBuf>> {
        let mut files: BTreeSet<PathBuf> =
            compiler_parts::with_libraries(query, program).await?.into_iter().collect();
        let mut open: Vec<PathBuf> =
            ["lib", "bin", "codegen-backends"].map(|name| self.target().join(name)).into();
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                match std::fs::metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => open.push(path),
                    Ok(metadata) if metadata.is_file() => drop(files.insert(path)),
                    _ => {}
                }
            }
            if files.len() + open.len() > MAX_FILES {
                return Err(io::Error::other("a toolchain with too many files"));
            }
        }
        Ok(files)
    }

    async fn identity(
        &self,
        query: &CompilerQuery,
        parts: &[Stamped],
        (slots, settled): (&Slots, &Arc<Settled>),
    ) -> Option<Digest> {
        let mut key = KeyBuilder::new("cachepot rustc 1");
        key.field("driver", format!("{:?}", self.driver).as_bytes()).field("version", &self.version);
        key.field("sysroot", self.sysroot.as_os_str().as_bytes());
        // rustup tells its name to what it runs.
        let toolchain = query.here.as_ref().and_then(|here| here.toolchain.as_deref());
        key.field("toolchain", toolchain.unwrap_or_default().as_bytes());
        let digests = digests(parts, slots, settled).await?;
        for ((path, _), digest) in parts.iter().zip(digests) {
            key.field("part", path.as_os_str().as_bytes()).field("digest", &digest.0);
        }
        Some(key.finish())
    }
}

/// The libraries that the loader takes for a compiler, at its start or later.
#[derive(Debug)]
pub(super) struct Libraries {
    /// The folders in which they are: these are looked at themselves.
    own: [PathBuf; 2],
    /// Those of them that `LD_LIBRARY_PATH` named, in that order.
    named: Vec<PathBuf>,
    names: Vec<OsString>,
    /// Whether it is known how the loader looks for them.
    is_known: bool,
}

impl Libraries {
    /// Its own folders that `LD_LIBRARY_PATH` names, in that order.
    fn own_among(&self, env: &EnvBlock) -> Vec<PathBuf> {
        let folders = std::env::split_paths(env.get("LD_LIBRARY_PATH").unwrap_or_default());
        folders.filter(|folder| self.own.contains(folder)).collect()
    }

    /// Places in folders of `LD_LIBRARY_PATH` at which the loader would find one of them before its own, or begin to look
    /// for one (ld.so(8)); cargo names folders of the build to what it runs. `None` where they cannot be told.
    fn elsewhere(&self, env: &EnvBlock) -> Option<Vec<PathBuf>> {
        let folders = env.get("LD_LIBRARY_PATH").unwrap_or_default().as_bytes();
        let folders: Vec<&[u8]> = folders.split(|&byte| byte == b':').collect();
        if folders == [b""] {
            return Some(Vec::new());
        }
        // An empty one is the working directory.
        let is_plain =
            |folder: &&[u8]| folder.starts_with(b"/") && !folder.iter().any(|byte| b"$;".contains(byte));
        if !folders.iter().all(is_plain) {
            return None;
        }
        let others = folders.iter().map(|folder| Path::new(OsStr::from_bytes(folder)));
        let others: Vec<&Path> = others.filter(|folder| !self.own.iter().any(|own| own == folder)).collect();
        if !self.is_known && !others.is_empty() {
            return None;
        }
        let names = || self.names.iter().map(OsString::as_os_str).chain(OF_MACHINES.iter().map(OsStr::new));
        let places = |folder: &Path| -> Vec<PathBuf> { names().map(|name| folder.join(name)).collect() };
        Some(others.into_iter().flat_map(places).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &[u8] =
        b"rustc 1.95.0 (1 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";

    fn said(version: &[u8], name: &[u8], sysroot: &[u8]) -> Option<Said> {
        read([version.to_vec(), name.to_vec(), sysroot.to_vec()])
    }

    #[test]
    fn answers_are_told_from_those_of_others() {
        let rustc = said(VERSION, b"rustc 1.95.0 (1 2026-04-14)\n", b"/tools\n").unwrap();
        assert_eq!(rustc.driver, Driver { family: Family::Rustc, major: 95, plus_plus: false });
        assert_eq!(rustc.libraries(), Path::new("/tools/lib/rustlib/x86_64-unknown-linux-gnu/lib"));
        let clippy = said(VERSION, b"clippy 0.1.95 (1 2026-04-14)\n", b"/tools\n").unwrap();
        assert_eq!(clippy.driver.family, Family::Clippy);
        assert!(said(b"gcc 12\n", b"gcc 12\n", b"/tools\n").is_none());
        assert!(said(VERSION, b"miri 0.1\n", b"/tools\n").is_none());
        assert!(said(VERSION, b"rustc 1.95.0\n", b"tools\n").is_none());
    }

    #[test]
    fn the_order_of_questions_follows_the_name() {
        for name in ["/bin/rustc", "rustc-1.95", "/x/clippy-driver", "my-rustc-wrapper"] {
            assert!(is_likely(Path::new(name)), "{name}");
        }
        assert!(!is_likely(Path::new("/rustc/gcc")));
        assert!(sounds_like("error: Unrecognized option: 'E'"));
    }

    /// Traps T165 and T166.
    #[test]
    fn t165_t166_what_rustup_goes_by_tells_queries_apart() {
        let key = |env: &[(&str, &str)], cwd: &str, word: Option<&str>| {
            let pairs = env.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
            let here = Here { toolchain: word.map(OsString::from) };
            let (program, name) = ("/bin/rustc".into(), "rustc".into());
            let env = EnvBlock::from_pairs(pairs);
            CompilerQuery { program, name, env, cwd: cwd.into(), named: Vec::new(), here: Some(here) }.key()
        };
        let chosen = [("RUSTUP_TOOLCHAIN", "stable")];
        assert_ne!(key(&[], "/a", None), key(&[], "/b", None));
        assert_eq!(key(&chosen, "/a", None), key(&chosen, "/b", None));
        assert_ne!(key(&chosen, "/a", None), key(&[("RUSTUP_TOOLCHAIN", "")], "/a", None));
        assert_ne!(key(&chosen, "/a", None), key(&chosen, "/a", Some("+nightly")));
        assert_ne!(key(&[("HOME", "/x")], "/a", None), key(&[("HOME", "/y")], "/a", None));
        let words = ["+nightly", "a.rs"].map(OsString::from);
        assert_eq!(Here::of(&words).toolchain, Some("+nightly".into()));
        assert_eq!(Here::of(&words[1..]).toolchain, None);
    }
}
