//! Preprocessor runs of our own: where the texts do not tell which headers a compile under `-MMD` read, and where only
//! the preprocessed text tells what it used.
use crate::detect::CompilerQuery;
use crate::hasher::Subject;
use crate::miss::Call;
use crate::permits::Deadline;
use crate::shared::Shared;
use crate::statistics::NotStored;
use cachepot_engine::compiler::gnu;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Parts of words under which a compiler reads texts otherwise than we do, or looks in other places than folders and
/// beside a text: frameworks (as `-F`, too), or for Windows beside all texts that are open.
const READS_OTHERWISE: [&str; 6] =
    ["input-charset", "traditional", "trigraphs", "framework", "-fms", "target"];

/// Whether the texts tell all that may be included: nothing else decides it, and we read them as the compiler does.
pub fn is_foreseeable(subject: &Subject, call: &Call) -> bool {
    let is_plain = call.compiler.kind.as_ref().is_ok_and(|known| known.is_plain);
    // Under a prefix map it counts by which path each header was found; and a file may say what stands for what.
    let is_plain = is_plain && subject.job.mapped_folders.is_empty() && subject.job.key_files.is_empty();
    let reads_otherwise = |word: &OsString| {
        let has = |part: &&str| word.as_bytes().windows(part.len()).any(|bytes| bytes == part.as_bytes());
        word.as_bytes().starts_with(b"-F") || READS_OTHERWISE.iter().any(has)
    };
    is_plain && !call.words.iter().any(reads_otherwise)
}

/// A run that lists all headers, as a dependency file. It is given up with its owner.
pub struct Scan(JoinHandle<Option<Vec<u8>>>);

impl Scan {
    /// Begins it.
    pub fn start(shared: &Arc<Shared>, subject: &Subject, call: &Call) -> Self {
        let (shared, query) = (Arc::clone(shared), call.query.clone());
        let source = query.cwd.join(&subject.job.source);
        let file = Scratch(shared.scratch_name());
        let argv = gnu::dependency_scan(&subject.driver, &call.words, &file.0);
        Scan(actix::spawn(async move {
            // What can be read only once is the compile's.
            if !std::fs::metadata(&source).is_ok_and(|source| source.is_file()) {
                return None;
            }
            run(&shared, &query, &argv).await?;
            std::fs::read(&file.0).ok()
        }))
    }

    /// The list, once.
    pub async fn listed(&mut self, deadline: Deadline) -> Result<Vec<u8>, NotStored> {
        let listed = tokio::time::timeout(deadline.left(), &mut self.0).await.map_err(NotStored::skipped)?;
        listed.map_err(NotStored::skipped)?.ok_or_else(|| NotStored::Uses("no dependency file".to_owned()))
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A private file that goes with its owner, also when the scan is given up.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs the compiler for ourselves, in the client's environment; the value is its standard output.
pub async fn run(shared: &Shared, query: &CompilerQuery, argv: &[OsString]) -> Option<Vec<u8>> {
    let _slot = shared.slots.take().await;
    let (_, words) = argv.split_first()?;
    let answer = query.question().with(words).ask().await.ok()?;
    answer.succeeded.then_some(answer.stdout)
}
