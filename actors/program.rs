//! Finds the compiler that a client means, as the client itself would: in its PATH, from its working directory,
//! never finding cachepot.
use cachepot_wire::CompileRequest;
use std::ffi::OsStr;
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
    let path = request.env.get("PATH")?;
    std::env::split_paths(path).map(|folder| request.cwd.join(folder).join(name)).find(|candidate| {
        std::fs::metadata(candidate).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
            && !is_client(candidate)
    })
}

/// Whether a path leads to the client beside this coordinator.
fn is_client(path: &Path) -> bool {
    static CLIENT: OnceLock<Option<(u64, u64)>> = OnceLock::new();
    let of = |path: &Path| std::fs::metadata(path).map(|m| (m.dev(), m.ino())).ok();
    let client = CLIENT.get_or_init(|| of(&std::env::current_exe().ok()?.with_file_name("cachepot")));
    client.is_some() && of(path) == *client
}
