//! Finds the compiler that a client means, as the client itself would: in its PATH, from its working directory,
//! never finding cachepot.
use cachepot_wire::CompileRequest;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The program of a name; `None` where there is none but ourselves.
pub fn find(name: &OsStr, request: &CompileRequest) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        let program = request.cwd.join(name);
        return if is_client(&program) { find(program.file_name()?, request) } else { Some(program) };
    }
    tried(name, request)?.find(|candidate| is_program(candidate))
}

/// Where the client looks for a compiler before it finds it, leaving itself out.
pub fn tried_before(name: &OsStr, request: &CompileRequest, found: &Path) -> Vec<PathBuf> {
    let is_searched = !name.as_bytes().contains(&b'/') || is_client(&request.cwd.join(name));
    let base = Path::new(name).file_name().filter(|_| is_searched);
    let tried = base.and_then(|base| tried(base, request)).into_iter().flatten();
    tried.take_while(|path| path != found).filter(|path| !is_client(path)).collect()
}

fn tried(name: &OsStr, request: &CompileRequest) -> Option<impl Iterator<Item = PathBuf>> {
    let path = request.env.get("PATH")?;
    Some(std::env::split_paths(path).map(move |folder| request.cwd.join(folder).join(name)))
}

fn is_program(path: &Path) -> bool {
    let is_one = |m: &Metadata| m.is_file() && m.permissions().mode() & 0o111 != 0 && !is_of_client(m);
    std::fs::metadata(path).is_ok_and(|metadata| is_one(&metadata))
}

/// Whether a path leads to the client beside this coordinator.
pub fn is_client(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| is_of_client(&metadata))
}

fn is_of_client(file: &Metadata) -> bool {
    static CLIENT: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    let of = |metadata: &Metadata| (metadata.dev(), metadata.ino());
    let find = || {
        let client = std::env::current_exe().ok()?.with_file_name("cachepot");
        std::fs::metadata(client).ok().map(|metadata| of(&metadata))
    };
    *CLIENT.get_or_init(find) == Some(of(file))
}
