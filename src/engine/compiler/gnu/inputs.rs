//! The input files of a finished compile.
use super::depends_on_process;
use super::line::Line;
use crate::depfile;
use crate::job::{Discovery, Driver, Family, Job, Reason};
use crate::options::{Sort, Tokens};
use cachepot_wire::CompileRequest;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Every file that the compile read, the source first, each once, as the compiler spelled it.
///
/// `dependency_text` is the content of the user's or the private dependency file; `trace` is clang's header file, or
/// under [`Discovery::UserFileAndScan`] the file of the scan.
///
/// # Errors
/// A reason not to store the result: a list is missing or damaged, a precompiled header was used, or a path below
/// a mapped folder came from somewhere the key does not know.
pub fn inputs(
    job: &Job,
    dependency_text: Option<&[u8]>,
    trace: Option<&[u8]>,
) -> Result<Vec<PathBuf>, Reason> {
    let mut names = vec![job.source.clone().into_os_string()];
    if !matches!(job.discovery, Discovery::SourceOnly | Discovery::Trace) {
        let listed = rule(dependency_text)?;
        if !listed.iter().any(|name| without_dot(name) == without_dot(job.source.as_os_str())) {
            return Err(Reason("dependency file without the source".to_owned()));
        }
        names.extend(listed);
    }
    match job.discovery {
        Discovery::Trace => {
            names.extend(depfile::header_trace(trace.ok_or_else(|| Reason("no header trace".to_owned()))?));
        }
        Discovery::UserFileAndScan(_) => {
            let scanned = rule(trace)?;
            // A header that the compile read and the scan did not: something changed in between.
            let known: HashSet<&[u8]> = scanned.iter().map(|path| without_dot(path)).collect();
            if names.iter().any(|name| !known.contains(without_dot(name))) {
                return Err(Reason("headers changed during the compile".to_owned()));
            }
            names.extend(scanned);
        }
        Discovery::SourceOnly | Discovery::UserFile(_) | Discovery::Widened(_) | Discovery::PrivateFile => {}
        // What an observer saw is read elsewhere.
        Discovery::Observed => {}
    }
    let files: Vec<PathBuf> = depfile::each_once(names).into_iter().map(PathBuf::from).collect();
    match files.iter().find_map(|file| refused(job, file)) {
        Some(reason) => Err(reason),
        None => Ok(files),
    }
}

/// clang leaves out a leading `./`.
fn without_dot(name: &OsStr) -> &[u8] {
    let mut rest = name.as_bytes();
    while let Some(after) = rest.strip_prefix(b"./") {
        let n_slashes = after.iter().take_while(|&&byte| byte == b'/').count();
        rest = after.get(n_slashes..).unwrap_or_default();
    }
    rest
}

fn rule(text: Option<&[u8]>) -> Result<Vec<OsString>, Reason> {
    let text = text.ok_or_else(|| Reason("no dependency file".to_owned()))?;
    depfile::inputs(text).map_err(|error| Reason(error.to_string()))
}

/// Why a file makes the result unfit for the cache.
fn refused(job: &Job, file: &Path) -> Option<Reason> {
    if file.extension().is_some_and(|extension| extension == "gch" || extension == "pch") {
        return Some(Reason("precompiled header".to_owned()));
    }
    if depends_on_process(file.as_os_str()) {
        return Some(Reason("input is not a file".to_owned()));
    }
    let below =
        |path: &Path, folder: &Path| path.as_os_str().as_bytes().starts_with(folder.as_os_str().as_bytes());
    let unspelled = job.mapped_folders.iter().any(|mapped| {
        let spelled = job.search.folders.iter().chain(&job.search.forced).chain([&job.source]);
        below(file, mapped) && !spelled.into_iter().any(|path| below(path, mapped))
    });
    // Two checkouts would share, but the mapped path in the output could differ. With bases the result is tied to its own.
    (unspelled && job.bases.is_empty())
        .then(|| Reason("header below a mapped folder by absolute path".to_owned()))
}

/// What the sanitizers of clang leave alone by default.
const SANITIZER_LISTS: [&str; 16] = [
    "asan_blacklist.txt",
    "asan_ignorelist.txt",
    "cfi_blacklist.txt",
    "cfi_ignorelist.txt",
    "dfsan_abilist.txt",
    "hwasan_blacklist.txt",
    "hwasan_ignorelist.txt",
    "memtag_blacklist.txt",
    "memtag_ignorelist.txt",
    "msan_blacklist.txt",
    "msan_ignorelist.txt",
    "tsan_blacklist.txt",
    "tsan_ignorelist.txt",
    "tysan_ignorelist.txt",
    "ubsan_blacklist.txt",
    "ubsan_ignorelist.txt",
];

/// The files whose content is in the key: those that words name, and those that clang reads where they are.
pub(super) fn key_files(driver: &Driver, request: &CompileRequest, line: &mut Line<'_>) -> Vec<PathBuf> {
    let mut files = std::mem::take(&mut line.key_files);
    if driver.family == Family::Clang {
        let sdk = line.sdk.or_else(|| request.env.get("SDKROOT")).filter(|sdk| !sdk.is_empty());
        files.extend(sdk.map(|sdk| Path::new(sdk).join("SDKSettings.json")));
        let resources = line.resources.filter(|_| line.sanitized).map(Path::new);
        files.extend(resources.into_iter().flat_map(sanitizer_lists));
    }
    files
}

/// The files in a folder of resources of clang that tell its sanitizers what to leave alone.
pub fn sanitizer_lists(resources: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let share = resources.join("share");
    SANITIZER_LISTS.iter().map(move |name| share.join(name))
}

/// Folders below which clang's driver looks for installations of gcc and libc++ and for what is named after a target,
/// because words send it there; none where it looks at home alone.
pub fn probed_roots(driver: &Driver, job: &Job) -> Vec<PathBuf> {
    let mut roots = Vec::new();
    if driver.family != Family::Clang {
        return roots;
    }
    let mut looks_around = false;
    for token in Tokens::new(driver.family, &job.search.probe_words) {
        let word = match token.sort {
            Sort::Known(row) => row.word,
            _ => token.word.to_str().unwrap_or_default(),
        };
        match word {
            "--gcc-install-dir=" => roots.push(Path::new(token.value).join("../../../..")),
            "--gcc-toolchain" | "-gcc-toolchain" | "--sysroot" | "-isysroot" | "-resource-dir" | "-B"
            | "--prefix=" => {
                roots.push(token.value.into());
            }
            "--target" | "-target" | "-arch" | "-stdlib=" | "--stdlib=" | "-m32" | "-mx32" => {
                looks_around = true
            }
            _ => {}
        }
    }
    if looks_around || !roots.is_empty() {
        roots.push("/".into());
    }
    roots
}
