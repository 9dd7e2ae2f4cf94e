//! Becoming the compiler: whenever there is nothing to gain or anything is in doubt.
use crate::image::Image;
use crate::start;
use cachepot_wire::EnvBlock;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set for what we run, so that two caches that call each other, or copies of ourselves, are noticed.
const DEPTH_VARIABLE: &str = "CACHEPOT_DEPTH";
/// Set for what is observed.
const OBSERVED: &str = "CACHEPOT_OBSERVE";
/// Deeper nesting than any sane build has.
const MAX_DEPTH: u32 = 8;

/// Questions that are answered at once: no coordinator is asked, none is started.
const QUERIES: [&str; 9] =
    ["--version", "-v", "-V", "-vV", "--help", "-dumpversion", "-dumpmachine", "-dumpfullversion", "-###"];

/// Whether the call goes straight to the compiler: switched off, inside another cachepot, or a mere question.
pub(crate) fn wanted(argv: &[OsString], env: &EnvBlock) -> bool {
    let asks = |word: &OsString| {
        QUERIES.iter().any(|query| word == query)
            || word.as_bytes().starts_with(b"-print-")
            || word == "--print"
    };
    // With `rustc -vV` cargo begins a build; and where somebody is observed, the coordinator is to know of every call.
    let is_beginning =
        || argv.iter().map(|word| word.as_bytes()).all(|word| word.ends_with(b"rustc") || word == b"-vV");
    let is_query =
        argv.len() == 2 && argv.iter().skip(1).any(asks) && env.get(OBSERVED).is_none() && !is_beginning();
    is_off(env) || depth(env) > 0 || is_query
}

/// Whether the user has switched cachepot off.
pub(crate) fn is_off(env: &EnvBlock) -> bool {
    env.get("CACHEPOT_DISABLE").is_some_and(|value| !value.is_empty() && value != "0")
}

fn depth(env: &EnvBlock) -> u32 {
    env.get(DEPTH_VARIABLE).and_then(OsStr::to_str).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Replaces this process by the compiler; comes back only with an exit status for a compiler that cannot be run.
pub(crate) fn exec(argv: &[OsString], env: &EnvBlock, added: &[(OsString, OsString)]) -> i32 {
    let Some((name, words)) = argv.split_first() else { return 2 };
    let level = depth(env);
    if level >= MAX_DEPTH {
        eprintln!(
            "cachepot: error: `{}` leads back to cachepot again and again; check PATH and the links named like compilers",
            name.display()
        );
        return 2;
    }
    let (program, behind) = match find(name, env.get("PATH")) {
        Found::Program { path, behind } => (path, behind),
        Found::Nothing => return cannot_run(name, &ErrorKind::NotFound.into()),
        Found::OnlyOurselves => {
            eprintln!("cachepot: error: no `{}` in PATH but cachepot itself", name.display());
            return 127;
        }
    };
    let mut command = Command::new(&program);
    command.args(words).envs(added.iter().map(|(name, value)| (name, value)));
    command.arg0(called(name, &program, behind));
    command.env(DEPTH_VARIABLE, (level + 1).to_string());
    cannot_run(name, &command.exec())
}

/// Replaces this process by the compiler where nothing is in the way; comes back where there is something to say.
pub(crate) fn become_quickly(argv: &[OsString], env: &EnvBlock, added: &[(OsString, OsString)]) {
    if let Some(image) = image(argv, env, added) {
        image.exec();
    }
}

/// The compiler as it is to run, with these variables on top; `None` where there is something to say instead.
pub(crate) fn image(argv: &[OsString], env: &EnvBlock, added: &[(OsString, OsString)]) -> Option<Image> {
    let (name, words) = argv.split_first()?;
    let level = depth(env);
    let Found::Program { path, behind } = find(name, env.get("PATH")) else { return None };
    if level >= MAX_DEPTH {
        return None;
    }
    let depth = (OsString::from(DEPTH_VARIABLE), OsString::from((level + 1).to_string()));
    let changed: Vec<_> = added.iter().chain([&depth]).collect();
    let is_kept = |name: &OsStr| changed.iter().all(|(other, _)| other != name);
    let kept = env.iter().filter(|(name, _)| is_kept(name));
    let pairs = kept.chain(changed.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())));
    let words = std::iter::once(called(name, &path, behind)).chain(words.iter().map(OsString::as_os_str));
    Image::new(&path, words, pairs).ok()
}

/// What the compiler sees as its own name: as typed, as a shell would do it. gcc looks for its parts near the
/// first program of that name in PATH; where that is us, it gets the whole path.
fn called<'a>(name: &'a OsStr, program: &'a Path, behind: bool) -> &'a OsStr {
    if behind || name.as_bytes().contains(&b'/') { program.as_os_str() } else { name }
}

/// The message and status that a shell gives for a program that cannot be run.
fn cannot_run(name: &OsStr, error: &std::io::Error) -> i32 {
    let (status, text) = match error.kind() {
        ErrorKind::NotFound => (127, "command not found".to_owned()),
        _ => (126, error.to_string()),
    };
    eprintln!("cachepot: error: {}: {text}", name.display());
    status
}

/// The outcome of a search for a program.
pub(crate) enum Found {
    /// Here.
    Program {
        /// Its path.
        path: PathBuf,
        /// A link to ourselves comes before it in PATH.
        behind: bool,
    },
    /// Nowhere.
    Nothing,
    /// Only links to ourselves.
    OnlyOurselves,
}

/// Finds a program as `execvp` does, leaving ourselves out.
pub(crate) fn find(name: &OsStr, path: Option<&OsStr>) -> Found {
    let own = std::fs::metadata("/proc/self/exe").map(|m| (m.dev(), m.ino())).ok();
    let is_self = |candidate: &Path| {
        own.is_some() && std::fs::metadata(candidate).map(|m| (m.dev(), m.ino())).ok() == own
    };
    if name.as_bytes().contains(&b'/') {
        let candidate = PathBuf::from(name);
        return if is_self(&candidate) {
            // `./gcc -> cachepot`: the compiler of that name further on in PATH.
            match candidate.file_name() {
                Some(base) if !base.as_bytes().starts_with(b"cachepot") => find(base, path),
                _ => Found::OnlyOurselves,
            }
        } else {
            Found::Program { path: candidate, behind: false }
        };
    }
    let mut ourselves = false;
    for folder in std::env::split_paths(path.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"))) {
        let candidate =
            if folder.as_os_str().is_empty() { Path::new(".").join(name) } else { folder.join(name) };
        let Ok(metadata) = std::fs::metadata(&candidate) else { continue };
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            continue;
        }
        if is_self(&candidate) {
            ourselves = true;
            continue;
        }
        return Found::Program { path: candidate, behind: ourselves };
    }
    if ourselves { Found::OnlyOurselves } else { Found::Nothing }
}

/// Hands an administration command to the coordinator's program.
pub(crate) fn coordinator_command(argv: &[OsString]) -> i32 {
    let Some(program) = start::coordinator_program(std::env::current_exe().ok().as_deref()) else {
        eprintln!(
            "cachepot: error: `cachepot-coordinator` is neither beside this program nor in PATH; reinstall cachepot"
        );
        return 2;
    };
    let error = Command::new(&program).args(argv).exec();
    eprintln!("cachepot: error: cannot run `{}`: {error}", program.display());
    2
}
