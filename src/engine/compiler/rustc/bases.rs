//! Which folders' names rustc is to leave out of what it writes.
//!
//! cargo runs rustc in the root of the workspace for packages in it, and in the package's own folder for all others,
//! which it names by absolute paths. Tried with 1.95: with these words, two builds in different folders made the same
//! bytes of everything.
use super::line::Line;
use crate::bases::Bases;
use crate::compiler::cargo;
use crate::job::{Job, Role};
use cachepot_wire::CompileRequest;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The option by which rustc is told.
pub(super) const OPTION: &str = "--remap-path-prefix=";

/// The bases of a call; none where the user did not ask for it.
pub(super) fn of(request: &CompileRequest, line: &Line<'_>) -> Bases {
    if !cargo::is_wanted(request) {
        return Bases::default();
    }
    let mut bases = cargo::of_home(request);
    let out_dir = line.out_dir.map(|folder| request.cwd.join(folder));
    let target = out_dir.as_deref().and_then(|folder| cargo::target_folder(folder, line.target));
    bases.extend(target.map(cargo::target));
    let is_of_cargo = bases.iter().any(|cargo| request.cwd.as_os_str().as_bytes().starts_with(&cargo.folder));
    let is_of_workspace = line.inputs.iter().all(|input| Path::new(input).is_relative());
    if is_of_workspace {
        bases.push(cargo::workspace(&request.cwd));
    } else if !is_of_cargo {
        bases.push(cargo::package(&request.cwd));
    }
    Bases::new(bases)
}

/// Whether an output may hold texts in a form in which nobody finds them: bitcode, also where it is all that a library
/// holds; what a shared library says of its crate, which rustc has compressed (1.95 does not).
pub fn hides_texts(job: &Job) -> bool {
    let is_asked_for = |word: &OsString| word.as_bytes().starts_with(b"linker-plugin-lto");
    job.key_words.iter().any(is_asked_for)
        || job.outputs.iter().any(|output| matches!(output.role, Role::LlvmBitcode | Role::SharedLibrary))
}
