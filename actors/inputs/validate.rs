//! Whether an earlier result still stands.
use super::Memory;
use super::files::{Identity, Stamp, is_folder, now, repeated, stat};
use super::look::{Help, Look};
use super::names::Names;
use super::paths::{Place, normal, parent};
use super::surroundings::KnownSurroundings;
use super::survey::Survey;
use super::watch::{Walk, Watch};
use cachepot_engine::bases::Bases;
use cachepot_engine::digest::Digest;
use cachepot_engine::manifest::{Manifest, Record};
use cachepot_engine::scan::Quarter;
use cachepot_wire::EnvBlock;
use foldhash::HashSet;
use std::borrow::Cow;
use std::ffi::CStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A manifest in the form that is checked.
#[derive(Debug, Default)]
pub struct KnownManifest {
    /// Newest first.
    pub records: Vec<Arc<KnownRecord>>,
    /// Whose checkout it is for.
    pub bases: Bases,
}

/// A record in the form that is checked.
#[derive(Debug)]
pub struct KnownRecord {
    /// The record as stored, its inputs and existing paths left out.
    record: Record,
    inputs: Arc<[Arc<CStr>]>,
    /// Of the inputs.
    digests: Vec<Digest>,
    exist: Vec<Arc<CStr>>,
    /// Where an observer saw what else counts: then no rules say what was searched.
    surroundings: Option<KnownSurroundings>,
    /// The stamps under which the inputs were last found to be as recorded; empty before that.
    seen: Mutex<Arc<[Stamp]>>,
    /// Built at the first check, in the folder where that took place.
    search: Mutex<Option<Search>>,
    /// What it weighs, and its search.
    weight: usize,
    search_weight: AtomicUsize,
}

#[derive(Debug)]
struct Search {
    names: Names,
    watch: Watch,
    /// Whether nothing stood in the way. It is remembered also where something did: a record of another working
    /// directory is asked at each look-up of this one.
    clear: bool,
    /// The working directory it was built in: a watch of relative paths is good for that one only.
    place: Identity,
}

impl KnownManifest {
    /// Takes a stored manifest in; records that cannot be checked are left out.
    pub fn new(manifest: Manifest, memory: &Memory, bases: &Bases) -> Self {
        let records = manifest.records.into_iter().filter_map(|record| record.make_real(bases));
        let records = records.filter_map(|record| KnownRecord::new(record, memory)).map(Arc::new);
        KnownManifest { records: records.collect(), bases: bases.clone() }
    }
    /// Whether there is a record of a result.
    pub fn has(&self, result: &Digest) -> bool {
        self.records.iter().any(|known| known.record.result == *result)
    }
    /// The result that stands for the files as they are now.
    pub fn find(&self, memory: &Memory, place: &Place, env: &EnvBlock, help: Help<'_>) -> Option<Digest> {
        let stands = |record: &&Arc<KnownRecord>| record.stands(memory, place, env, help);
        self.records.iter().find(stands).map(|record| record.record.result)
    }
    /// A rough size in memory; it grows with the first check. Paths of inputs are held by all manifests together.
    pub fn weight(&self) -> usize {
        self.records.iter().map(|record| record.weight + record.search_weight.load(Ordering::Relaxed)).sum()
    }
}

/// About what one more piece of memory costs beside its bytes.
const PIECE: usize = 40;

/// What the lists of a record weigh.
fn weight(record: &Record) -> usize {
    let texts = [&record.folders, &record.names, &record.present, &record.exist];
    let texts = texts.into_iter().flatten().map(|text| text.len() + PIECE).sum::<usize>();
    let inputs = record.inputs.len() * (size_of::<Arc<CStr>>() + size_of::<Digest>() + size_of::<Stamp>());
    512 + texts + inputs + record.states.len() * 4 + record.same.len() * 8 + record.mtimes.len() * 16
}

impl KnownRecord {
    fn new(mut record: Record, memory: &Memory) -> Option<Self> {
        let weight = weight(&record);
        let inputs = std::mem::take(&mut record.inputs);
        let exist = std::mem::take(&mut record.exist);
        let surroundings = match record.surroundings.take() {
            Some(seen) => Some(KnownSurroundings::new(seen, memory)?),
            None => None,
        };
        let weight = weight + surroundings.as_ref().map_or(0, KnownSurroundings::weight);
        Some(KnownRecord {
            inputs: inputs.iter().map(|input| memory.paths.intern(&input.path)).collect::<Option<_>>()?,
            digests: inputs.iter().map(|input| input.digest).collect(),
            exist: exist.iter().map(|path| memory.paths.intern(path)).collect::<Option<_>>()?,
            surroundings,
            record,
            seen: Mutex::default(),
            search: Mutex::new(None),
            weight,
            search_weight: AtomicUsize::new(0),
        })
    }

    /// Whether the compiler would see now what it saw then.
    fn stands(&self, memory: &Memory, place: &Place, env: &EnvBlock, help: Help<'_>) -> bool {
        let begin = || Look::begin(place, &self.inputs, Arc::clone(&self.seen()), help);
        let end = |look: Option<Arc<Look>>| {
            look.is_some_and(|look| look.end()) || self.inputs_are_alike(memory, place)
        };
        if let Some(seen) = &self.surroundings {
            return seen.stand(memory, place, env) && end(begin());
        }
        let rest_stands = || {
            self.mtimes_stand(place)
                && self.exist.iter().all(|path| stat(place, path).is_ok_and(|stat| !is_folder(&stat)))
                && self.nothing_appeared(memory, place)
        };
        match self.is_in_window().then(begin) {
            None => false,
            // While others look at the inputs. It is quick where it was looked at before.
            Some(look) if self.was_searched() && look.as_ref().is_some_and(|look| look.is_long()) => {
                let stands = rest_stands();
                look.iter().filter(|_| !stands).for_each(|look| look.abandon());
                stands && end(look)
            }
            Some(look) => end(look) && rest_stands(),
        }
    }

    fn was_searched(&self) -> bool {
        self.search.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn is_in_window(&self) -> bool {
        let seconds = u64::try_from(now().0).unwrap_or_default();
        self.record.window.is_none_or(|window| window == Quarter::of_seconds(seconds))
    }

    /// Whether the inputs are as recorded, whatever their stamps say.
    fn inputs_are_alike(&self, memory: &Memory, place: &Place) -> bool {
        let mut now = Vec::with_capacity(self.inputs.len());
        let files = if self.surroundings.is_some() { &memory.plain } else { &memory.files };
        for (path, digest) in self.inputs.iter().zip(&self.digests) {
            match files.digest(place, path) {
                Some(known) if known.digest == *digest => now.push(known),
                _ => {
                    tracing::trace!(path = %path.to_bytes().escape_ascii(), "another input");
                    return false;
                }
            }
        }
        let same = repeated(now.iter().map(|known| Some(known.stamp.identity()))) == self.record.same;
        if same && now.iter().all(|known| known.settled) {
            *self.seen() = now.iter().map(|known| known.stamp).collect();
        }
        same
    }

    fn seen(&self) -> MutexGuard<'_, Arc<[Stamp]>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mtimes_stand(&self, place: &Place) -> bool {
        self.record.mtimes.iter().all(|(input, seconds)| {
            let path = self.inputs.get(*input as usize);
            path.is_some_and(|path| stat(place, path).is_ok_and(|stat| stat.st_mtime == *seconds))
        })
    }

    fn nothing_appeared(&self, memory: &Memory, place: &Place) -> bool {
        let Ok(here) = stat(place, c".") else { return false };
        let here = Stamp::of(&here).identity();
        let mut search = self.search.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = search.as_mut().filter(|known| known.place == here)
            && known.watch.holds(place, &memory.folders, &known.names)
        {
            return known.clear;
        }
        let now = self.walk(memory, place, here);
        let clear = now.clear;
        self.search_weight.store(now.names.weight() + now.watch.weight(), Ordering::Relaxed);
        *search = Some(now);
        clear
    }

    /// Looks at all searched folders anew.
    fn walk(&self, memory: &Memory, place: &Place, here: Identity) -> Search {
        let inputs = || self.inputs.iter().map(|path| path.to_bytes());
        let inputs: Vec<Cow<'_, [u8]>> = inputs().map(normal).collect();
        let read = inputs.get(..self.record.n_read as usize).unwrap_or(&inputs);
        let survey = Survey::of(search_folders(&self.record.folders, read), place);
        let asked = self.record.names.iter().map(Vec::as_slice);
        let names = Names::of(read, &survey.forms(), asked);
        let present = self.record.present.iter().map(|path| Cow::Borrowed(path.as_slice()));
        let expected: HashSet<Cow<'_, [u8]>> = inputs.into_iter().chain(present).collect();
        let (watch, surprises) =
            Walk { place, memory, survey: &survey, names: &names, expected: &expected, later: None }.run();
        let clear =
            surprises.files.is_empty() && !surprises.precompiled && surprises.states == self.record.states;
        Search { names, watch, clear, place: here }
    }
}

/// Every folder in which something may have been searched: the given ones, those of the including files, whose paths are
/// normal, and the working directory; normal, each once, in this order, which is that of a record's states.
pub(super) fn search_folders(given: &[Vec<u8>], inputs: &[Cow<'_, [u8]>]) -> Vec<Vec<u8>> {
    let given = given.iter().map(|folder| normal(folder));
    let including = inputs.iter().map(|input| Cow::Borrowed(parent(input)));
    let all = given.chain(including).chain([Cow::Borrowed(&b""[..])]);
    let (mut seen, mut folders) = (HashSet::default(), Vec::new());
    for folder in all {
        if seen.insert(folder.clone()) {
            folders.push(folder.into_owned());
        }
    }
    folders
}
