//! Runs of cargo's build scripts, where the user asked for their being cached.
//!
//! The program that cargo takes for the script is a stub until it has run: it asks for the run as clients ask for compiles. The
//! real one lies beside it, and takes its place then. A run is observed as a compile of Rust is; what cannot be observed is part of its key: the whole
//! environment, and the machine.
//! Source: The Cargo Book, "Build Scripts" and "Environment variables Cargo sets for build scripts".
use super::cargo;
use super::rustc::is_on;
use crate::bases::Bases;
use crate::job::{Discovery, Job, Language, Output, Parsed, Reason, Role, Search};
use cachepot_wire::message::{RUN_OPTION, STUB_MARK};
use cachepot_wire::{CompileRequest, EnvBlock, Existing, OutputBody, PlacedOutput, Plan, Stub};
use memchr::memmem;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The variable by which the user says which runs to cache: see [`Wanted`].
pub const VARIABLE: &str = "CACHEPOT_BUILD_SCRIPTS";

/// Crates by which build scripts compile C and C++.
const COMPILE_C: [&str; 2] = ["cc", "cmake"];

/// What the real program's name ends with.
const REAL: &str = ".real";

/// How much room there is in a stub for each name.
const NAMES_BYTES: usize = 4096;

/// Variables that are others in each call or session, sorted. What is seen to be asked for by name is a condition
/// all the same, but for the jobserver.
const OF_SESSIONS: [&str; 19] = [
    "CACHEPOT_RECACHE",
    "CARGO_MAKEFLAGS",
    "COLUMNS",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LINES",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "OLDPWD",
    "SHLVL",
    "SSH_AUTH_SOCK",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "WINDOWID",
    "_",
];

/// Which runs the user wants cached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    None,
    /// Those that take long and are of packages that nobody edits: they compile C, and cargo downloaded them.
    Compiling,
    All,
}

fn wanted(env: &EnvBlock) -> Wanted {
    match env.get(VARIABLE) {
        None => Wanted::Compiling,
        Some(_) if is_on(env, VARIABLE) => Wanted::All,
        Some(_) => Wanted::None,
    }
}

/// Whether a request is for a run.
pub fn is_run(request: &CompileRequest) -> bool {
    request.argv.first().is_some_and(|word| word == RUN_OPTION)
}

/// What to put in place of the program that a compile makes, where that is a build script of cargo's and its
/// runs are to be cached: a copy of `template`, the program of `src/stub/`. `runner` is what it calls.
pub fn stub(job: &Job, request: &CompileRequest, template: &[u8], runner: &Path) -> Option<Stub> {
    let program = job.outputs.iter().find(|output| output.role == Role::Executable)?;
    let path = request.cwd.join(&program.path);
    let is_wanted = || match wanted(&request.env) {
        Wanted::None => false,
        Wanted::Compiling => compiles_c(&request.argv) && cargo::is_downloaded(&job.source, request),
        Wanted::All => true,
    };
    if !is_of_build_script(&path) || !is_wanted() {
        return None;
    }
    let with_end = |path: &OsStr| OsString::from_vec([path.as_bytes(), REAL.as_bytes()].concat());
    let beside = PathBuf::from(with_end(path.as_os_str()));
    let names = [beside.file_name()?.as_bytes(), b"\0", runner.as_os_str().as_bytes(), b"\0"].concat();
    let start = memmem::find(template, STUB_MARK)? + STUB_MARK.len();
    if names.len() > NAMES_BYTES {
        return None;
    }
    let mut bytes = template.to_vec();
    bytes.get_mut(start..start + names.len())?.copy_from_slice(&names);
    let (executable, existing, body) = (true, Existing::Replaced, OutputBody::Inline(bytes));
    Some(Stub { beside, stub: PlacedOutput { path: program.path.clone(), executable, existing, body } })
}

/// Whether cargo will run a program as a build script: `target/[TRIPLE/]PROFILE/build/PACKAGE-HASH/build_script_NAME-HASH`.
/// Source: `cargo::core::compiler::custom_build`.
fn is_of_build_script(program: &Path) -> bool {
    let is_in_build = || cargo::target_folder(program.parent()?, None).zip(program.parent()?.parent());
    cargo::name(program).starts_with("build_script_")
        && is_in_build().is_some_and(|(_, build)| cargo::name(build) == "build")
}

/// Whether a script uses one of the crates that compile C.
fn compiles_c(argv: &[OsString]) -> bool {
    let externs = argv.windows(2).filter_map(|pair| match pair {
        [option, value] if option == "--extern" => value.to_str()?.split_once('='),
        _ => None,
    });
    externs.into_iter().any(|(name, _)| COMPILE_C.contains(&name))
}

/// Finds the run in a request: its words are the umask, the program and what that is given. `packed` is where what it leaves
/// in `OUT_DIR` will be, as one file.
pub fn parse(request: &CompileRequest, packed: PathBuf) -> Parsed {
    let Some((umask, program)) = request.argv.get(1).zip(request.argv.get(2)) else {
        return Parsed::NotACompile;
    };
    if wanted(&request.env) == Wanted::None {
        return Parsed::NotACompile;
    }
    let refused = |reason: &str| Parsed::NotCacheable(Reason(reason.to_owned()));
    if out_dir(&request.env).is_none() {
        return refused("no OUT_DIR");
    }
    Parsed::Compile(Box::new(Job {
        language: Language::BuildScript,
        source: program.into(),
        key_words: std::iter::once(umask).chain(request.argv.iter().skip(3)).cloned().collect(),
        key_directory: Some(request.cwd.clone().into_os_string()),
        mapped_folders: Vec::new(),
        bases: Bases::default(),
        key_files: Vec::new(),
        native_cpu: true,
        outputs: vec![Output {
            role: Role::OutDir,
            path: packed,
            optional: false,
            existing: Existing::WrittenInto,
        }],
        discovery: Discovery::Observed,
        search: Search::default(),
        argv: request.argv.clone(),
        colour_chosen: false,
        message_width: None,
    }))
}

/// The folder that a script fills.
pub fn out_dir(env: &EnvBlock) -> Option<&Path> {
    env.get("OUT_DIR").map(Path::new).filter(|folder| folder.is_absolute())
}

/// The plan of a run that was not found.
pub fn plan(job: &Job) -> Plan {
    let watched: Vec<PathBuf> = job.outputs.iter().map(|output| output.path.clone()).collect();
    // Python writes what it compiles beside its sources, on its first run and no other.
    let env = vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())];
    Plan { argv: job.argv.clone(), env, scratch: watched.clone(), watched, ..Plan::default() }
}

/// Whether the value of a variable enters the key of a run.
pub fn is_key_variable(name: &str) -> bool {
    OF_SESSIONS.binary_search(&name).is_err()
}

/// Folders in which build scripts of other packages may just have left files: what they handed on by `DEP_NAME_KEY`.
pub fn left_by_others(env: &EnvBlock) -> Vec<PathBuf> {
    let handed = env.iter().filter(|(name, _)| name.as_bytes().starts_with(b"DEP_"));
    handed.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute()).collect()
}
