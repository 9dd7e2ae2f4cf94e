//! Runs of the compiler that a miss needs for itself: scans and preprocessor runs.
use crate::detect::CompilerQuery;
use crate::shared::Shared;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A preprocessor run of ours, of the line for a private file: the value is what that holds then.
pub(super) async fn run_scan(
    shared: Arc<Shared>,
    query: CompilerQuery,
    source: PathBuf,
    line: impl FnOnce(&Path) -> Vec<OsString>,
) -> Option<Vec<u8>> {
    // What can be read only once is the compile's.
    if !std::fs::metadata(query.cwd.join(&source)).is_ok_and(|source| source.is_file()) {
        return None;
    }
    let file = Scratch(shared.scratch_name());
    run_compiler(&shared, &query, &line(&file.0)).await?;
    std::fs::read(&file.0).ok()
}

/// A private file that goes with its owner, also when the scan is given up.
pub(super) struct Scratch(pub(super) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs the compiler for ourselves, in the client's environment; the value is its standard output.
pub(super) async fn run_compiler(
    shared: &Shared,
    query: &CompilerQuery,
    argv: &[OsString],
) -> Option<Vec<u8>> {
    let _slot = shared.slots.take().await;
    let (_, words) = argv.split_first()?;
    let answer = query.question().with(words).ask().await.ok()?;
    answer.succeeded.then_some(answer.stdout)
}
