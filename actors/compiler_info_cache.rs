//! CompilerInfoCache: who a compiler is. Owns what was learnt about compilers; one detection per compiler, however
//! many requests ask at once. Called by `drive.rs` and `miss.rs`; after its death everything is asked anew.
use crate::built_in_folders::{self, Folders};
use crate::detect::{self, Compiler, CompilerQuery};
use crate::jobserver_actor::Slots;
use crate::keeper::Obituary;
use crate::pulse;
use crate::settled::Settled;
use actix::{Actor, Context, Handler, Message, ResponseFuture};
use cachepot_engine::digest::Digest;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, watch};

/// What is known, published for reading without a message.
pub type Snapshot = Arc<HashMap<Digest, Arc<Compiler>>>;

/// Compilers kept at most; a build uses a handful.
const MAX_COMPILERS: usize = 512;

/// A toolchain that nobody has read yet takes a fraction of it. After that a compiler is asked under its own environment.
const PATIENCE: Duration = Duration::from_secs(2);

/// Finds out who a compiler is; `None` where that could not be done just now.
#[derive(Message)]
#[rtype(result = "Option<Arc<Compiler>>")]
pub struct Identify(pub CompilerQuery);

/// Finds out in which folders a compiler searches by itself.
#[derive(Message)]
#[rtype(result = "Option<Folders>")]
pub struct BuiltInFolders {
    /// Who and in which environment.
    pub query: CompilerQuery,
    /// Which compiler that was found to be: another one under the same name searches elsewhere.
    pub compiler: Arc<Compiler>,
    /// Its identity for the language.
    pub identity: Digest,
    /// The `-x` name of the language.
    pub language: &'static str,
    /// Words that change the answer.
    pub words: Vec<std::ffi::OsString>,
    /// What it finds where they send it.
    pub probed: Option<Digest>,
    /// Whether it would find that still.
    pub stands: Box<dyn Fn() -> bool + Send>,
}

type Cell<T> = Arc<OnceCell<Arc<T>>>;
type Cells<T> = HashMap<Digest, Cell<T>>;

/// See the file's head.
pub struct CompilerInfoCache {
    compilers: Cells<Compiler>,
    /// The first of each kin.
    kin: Cells<Compiler>,
    folders: Cells<Vec<Vec<u8>>>,
    published: watch::Sender<Snapshot>,
    slots: Slots,
    scratch: PathBuf,
    settled: Arc<Settled>,
    _obituary: Obituary,
}

impl CompilerInfoCache {
    /// An empty one; what it learns appears in `published`, `scratch` is a private folder for its
    /// questions, and `settled` knows digests of large files.
    pub fn new(
        published: watch::Sender<Snapshot>,
        slots: Slots,
        (scratch, settled): (PathBuf, Arc<Settled>),
        obituary: Obituary,
    ) -> Self {
        published.send_replace(Snapshot::default());
        let (compilers, kin, folders) = (HashMap::new(), HashMap::new(), HashMap::new());
        CompilerInfoCache { compilers, kin, folders, published, slots, scratch, settled, _obituary: obituary }
    }

    /// Another answer, known or on its way, from which that for a query may follow.
    fn kin_of(&mut self, query: &CompilerQuery, own: &Cell<Compiler>) -> Option<Cell<Compiler>> {
        let first = self.kin.entry(query.kin_key()?).or_insert_with(|| Arc::clone(own));
        if first.get().is_some_and(|known| !known.may_lead()) {
            *first = Arc::clone(own);
        }
        (!Arc::ptr_eq(first, own)).then(|| Arc::clone(first))
    }
}

/// Who a compiler is for a query, as far as that follows from what was found out for another.
async fn follows(kin: Option<Cell<Compiler>>, query: &CompilerQuery) -> Option<Compiler> {
    // Who asks for that one is waited for, not helped.
    let kin = kin?;
    let known = tokio::time::timeout(PATIENCE, kin.get_or_try_init(|| async { Err(()) })).await;
    known.ok()?.ok()?.under(query)
}

impl Actor for CompilerInfoCache {
    type Context = Context<Self>;
}

pulse::lives!(CompilerInfoCache, poisoned_in_context);

impl Handler<Identify> for CompilerInfoCache {
    type Result = ResponseFuture<Option<Arc<Compiler>>>;

    fn handle(&mut self, Identify(query): Identify, _: &mut Self::Context) -> Self::Result {
        let key = query.key();
        // A stale answer is asked for again by whoever noticed: it starts a new cell.
        let stale =
            self.compilers.get(&key).and_then(|cell| cell.get()).is_some_and(|known| !known.is_current());
        if stale {
            self.compilers.remove(&key);
        } else if self.compilers.len() >= MAX_COMPILERS && !self.compilers.contains_key(&key) {
            self.compilers.clear();
            self.kin.clear();
            self.published.send_replace(Snapshot::default());
        }
        let cell = Arc::clone(self.compilers.entry(key).or_default());
        let kin = self.kin_of(&query, &cell);
        let (published, slots) = (self.published.clone(), self.slots.clone());
        let (scratch, settled) = (self.scratch.clone(), Arc::clone(&self.settled));
        Box::pin(async move {
            // Trouble that passes is not kept: the next time there may be an answer.
            let ask = || async {
                match follows(kin, &query).await {
                    Some(found) => Ok(Arc::new(found)),
                    None => detect::detect(&query, &slots, &scratch, &settled).await.map(Arc::new),
                }
            };
            let found = cell.get_or_try_init(ask).await;
            let found = found.inspect_err(|error| tracing::warn!(%error, "compiler does not answer")).ok()?;
            published.send_if_modified(|snapshot| {
                let known = snapshot.get(&key).is_some_and(|known| Arc::ptr_eq(known, found));
                if !known {
                    Arc::make_mut(snapshot).insert(key, Arc::clone(found));
                }
                !known
            });
            Some(Arc::clone(found))
        })
    }
}

impl Handler<BuiltInFolders> for CompilerInfoCache {
    type Result = ResponseFuture<Option<Folders>>;

    fn handle(&mut self, message: BuiltInFolders, _: &mut Self::Context) -> Self::Result {
        let BuiltInFolders { query, compiler, identity, language, words, probed, stands } = message;
        let Ok(known) = &compiler.kind else { return Box::pin(async { None }) };
        let key = built_in_folders::key(&query, known, (identity, language), (&words, probed));
        if self.folders.len() >= MAX_COMPILERS {
            self.folders.clear();
        }
        let cell = Arc::clone(self.folders.entry(key).or_default());
        let slots = self.slots.clone();
        Box::pin(async move {
            // No answer is not kept: the next time there may be one.
            let ask = || async {
                let folders = built_in_folders::ask(&query, language, &words, &slots).await;
                folders.filter(|_| stands()).map(Arc::new).ok_or(())
            };
            cell.get_or_try_init(ask).await.ok().cloned()
        })
    }
}
