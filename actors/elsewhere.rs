//! Results that serve checkouts in other folders, too: what a compile wrote and said is kept with marks for the folders
//! that are somewhere else there, and a hit gets its own. Only texts are changed; the compiler was told to leave the
//! names out of all else, and where one is in it nevertheless the result is good for that folder alone.
use crate::inputs::Compiled;
use crate::outputs::read_from_start;
use crate::subject::Subject;
use cachepot_engine::bases::{Base, Bases, MARK};
use cachepot_engine::compiler::rustc;
use cachepot_engine::entry::Body;
use cachepot_engine::job::{Language, Role};
use cachepot_engine::manifest::Record;
use cachepot_storage::error::StoreError;
use cachepot_storage::local::{EntryMeta, Fetched, Ingested, LocalStore};
use memchr::memmem;
use std::sync::Arc;

mod hidden;

/// Variables that every compile asks for and that none writes down.
const UNWRITTEN_VARIABLES: [&str; 3] = ["LD_LIBRARY_PATH", "LD_PRELOAD", "PWD"];

/// Why a result is not kept with marks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotNeutral {
    /// A text holds what stands for a mark.
    #[error("a zero byte in a message")]
    ZeroByte,
    /// A copy cannot be read.
    #[error("a copy of an output cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a compile made and what it depended on.
pub(crate) struct Made<'m> {
    pub(crate) record: &'m mut Record,
    pub(crate) meta: &'m mut EntryMeta,
    /// Role, whether it can be executed, and a copy.
    pub(crate) outputs: &'m mut [(Role, bool, Ingested)],
}

/// Puts marks into the texts of a result, and ties its record to the folders that are named in it all the same. Reads all
/// outputs, and what a C compiler read.
///
/// # Errors
/// [`NotNeutral`]: the result must not be kept.
pub(crate) fn put_marks(
    store: &LocalStore,
    subject: &Subject,
    compiled: &Compiled,
    made: Made<'_>,
) -> Result<(), NotNeutral> {
    let Made { record, meta, outputs } = made;
    let job = &*subject.job;
    let bases = &job.bases;
    let folders: Vec<&[u8]> = bases.iter().map(|base| base.folder.as_slice()).collect();
    let holds = |text: &[u8]| -> Vec<bool> {
        folders.iter().map(|folder| memmem::find(text, folder).is_some()).collect()
    };
    let mut named = vec![false; folders.len()];
    let mut note = |held: Vec<bool>| named.iter_mut().zip(held).for_each(|(named, held)| *named |= held);
    for text in [&mut meta.stdout, &mut meta.stderr] {
        *text = marked(text, bases)?;
        note(holds(text));
    }
    let is_rust = job.language == Language::Rust;
    for (role, _, copy) in outputs.iter_mut() {
        // gcc and clang break its lines by their length, so that another name would stand elsewhere.
        if *role == Role::Dependencies && is_rust {
            *copy = store.ingest_bytes(marked(&copy.read()?, bases)?)?;
        }
        note(copy.holds(&folders)?);
    }
    if !is_rust {
        note(hidden::in_c(subject, compiled, record, meta, outputs)?);
    } else if rustc::hides_texts(job) {
        let named_in_values = |base: &Base| record.names_in_variables(base, &UNWRITTEN_VARIABLES);
        note(bases.iter().map(named_in_values).collect());
    }
    for (base, _) in bases.iter().zip(named).filter(|(_, named)| *named) {
        tracing::debug!(folder = %base.folder.escape_ascii(), "named in a result");
        record.bind_to(base);
    }
    Ok(())
}

fn marked(text: &[u8], bases: &Bases) -> Result<Vec<u8>, NotNeutral> {
    if text.contains(&MARK) { Err(NotNeutral::ZeroByte) } else { Ok(bases.neutral(text).into_owned()) }
}

/// Puts the folders of a checkout into what was kept with marks; `None` where that cannot be.
pub(crate) fn put_folders(fetched: &mut Fetched, bases: &Bases) -> Option<()> {
    let Fetched { entry, blobs } = fetched;
    let entry = Arc::make_mut(entry);
    for text in [&mut entry.stdout, &mut entry.stderr] {
        *text = bases.real(text)?.into_owned();
    }
    let mut blob = 0;
    for output in &mut entry.outputs {
        let text = match (&output.body, output.role) {
            (Body::Inline(text), Role::Dependencies) => bases.real(text)?.into_owned(),
            // One that is too long to be read is left to the compiler.
            (Body::Blob { .. }, Role::Dependencies) => {
                let text = read_from_start(&blobs.remove(blob)).ok()?;
                bases.real(&text)?.into_owned()
            }
            (body, _) => {
                blob += usize::from(matches!(body, Body::Blob { .. }));
                continue;
            }
        };
        output.body = Body::Inline(text);
    }
    Some(())
}
