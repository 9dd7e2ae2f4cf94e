//! Where a compile looks for other crates and for libraries of other languages, as its words say.
use crate::job::Job;
use std::path::PathBuf;

/// What rustc looks for in a folder of `-L`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Crates that other crates name by their hash: whatever else lies there is passed over.
    Dependencies,
    /// Libraries for the linker, each asked for by its name.
    Libraries,
    /// Crates of any name.
    Anything,
}

/// What the words of a line name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crates {
    /// The files of `--extern`, as spelled.
    pub files: Vec<PathBuf>,
    /// The folders of `-L` in their order, as spelled.
    pub folders: Vec<(Holds, PathBuf)>,
}

/// Reads them out of a job's key words.
pub fn crates(job: &Job) -> Crates {
    let mut found = Crates::default();
    let values = job.key_words.iter().skip(1).filter_map(|word| word.to_str());
    let words = job.key_words.iter().map(|word| word.to_str().unwrap_or_default());
    for (word, value) in words.zip(values) {
        match word {
            "--extern" => found.files.extend(value.split_once('=').map(|(_, file)| file.into())),
            "-L" => {
                let (kind, folder) = value.split_once('=').unwrap_or(("all", value));
                found.folders.push(match kind {
                    "dependency" => (Holds::Dependencies, folder.into()),
                    "native" | "framework" => (Holds::Libraries, folder.into()),
                    "crate" | "all" => (Holds::Anything, folder.into()),
                    // A folder with `=` in its name.
                    _ => (Holds::Anything, value.into()),
                });
            }
            _ => {}
        }
    }
    found
}
