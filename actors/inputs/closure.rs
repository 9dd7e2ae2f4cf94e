//! The headers that `-MMD` leaves out: whatever the texts may include. Each name that a text spells is looked for in
//! every searched folder and beside the text, whatever `#if` says and whichever comes first: more than the compile
//! read, and never less, or it is told that this cannot be known.
use super::Memory;
use super::files::{Known, bytes_of, is_file, is_folder, stat};
use super::folders::{Listing, mark};
use super::paths::{Place, below, normal, parent};
use super::record::{NotStorable, Reader};
use cachepot_engine::digest::Digest;
use cachepot_engine::scan::may_define;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};

/// A header that gcc includes on its own.
const IMPLICIT: &[u8] = b"stdc-predef.h";
/// More files are beyond reason.
const MAX_FILES: usize = 1 << 14;
/// Answers remembered about macros; beyond it the memory starts anew.
const MAX_DEFINITIONS: usize = 1 << 16;

/// What decides about headers besides the texts.
#[derive(Clone, Debug)]
pub struct Open {
    /// Files of `-include` and `-imacros`, as spelled.
    pub forced: Vec<Vec<u8>>,
    /// All words of the call.
    pub words: Vec<Vec<u8>>,
}

/// Whether a text may define a macro, by its digest and the macro's name.
#[derive(Default)]
pub struct Definitions(Mutex<HashMap<(Digest, Vec<u8>), bool>>);

impl Definitions {
    fn may_be_in(&self, place: &Place, (path, known): &(Vec<u8>, Arc<Known>), name: &[u8]) -> bool {
        let key = (known.digest, name.to_vec());
        let memory = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = memory().get(&key) {
            return *answer;
        }
        let text = CString::new(path.as_slice()).ok().and_then(|path| bytes_of(place, &path));
        // Changed meanwhile: then nothing is known.
        let Some(text) = text.filter(|text| Digest::of(text) == known.digest) else { return true };
        let answer = may_define(&text, name);
        let mut memory = memory();
        if memory.len() >= MAX_DEFINITIONS {
            memory.clear();
        }
        memory.insert(key, answer);
        answer
    }
}

/// Where names are looked for, and what was asked already.
struct Search<'a> {
    memory: &'a Memory,
    place: &'a Place,
    /// The first components of names that are there, by folder; `None` where only asking tells.
    known: HashMap<Vec<u8>, Option<HashSet<u32>>>,
    /// Names that were looked for in all searched folders.
    asked: HashSet<Vec<u8>>,
    /// The same beside a text: its folder, and the name.
    asked_beside: HashSet<(Vec<u8>, Vec<u8>)>,
    /// Words of the call.
    words: &'a [Vec<u8>],
}

/// Reads all that those already read may include. `folders` are all that are searched.
///
/// # Errors
/// [`NotStorable`] where the list would not be whole, or something in it stands in the way.
pub(super) fn close(reader: &mut Reader<'_>, folders: &[Vec<u8>], open: &Open) -> Result<(), NotStorable> {
    let mut folders: Vec<Vec<u8>> = folders.iter().map(|folder| normal(folder)).collect();
    folders.sort();
    folders.dedup();
    let mut search = Search {
        memory: reader.memory,
        place: reader.place,
        known: HashMap::new(),
        asked: HashSet::new(),
        asked_beside: HashSet::new(),
        words: &open.words,
    };
    // A header map, for instance.
    if folders.iter().any(|folder| search.is_no_folder(folder)) {
        return Err(UNCLEAR);
    }
    for name in open.forced.iter().map(Vec::as_slice).chain([IMPLICIT]) {
        search.name(reader, &folders, b"", name)?;
    }
    let macros = search.texts(reader, &folders)?;
    let may_be_defined = |name: &Vec<u8>| {
        let mut texts = reader.texts.iter();
        name.starts_with(b"_")
            || texts.any(|text| reader.memory.definitions.may_be_in(reader.place, text, name))
    };
    if macros.iter().any(may_be_defined) { Err(UNCLEAR) } else { Ok(()) }
}

const UNCLEAR: NotStorable = NotStorable::Uses("unclear list of headers");

/// The name that a word of the call gives to a macro (`-DM="a.h"`), if any word speaks of it.
fn given<'w>(name: &[u8], words: &'w [Vec<u8>]) -> Option<Result<&'w [u8], NotStorable>> {
    let mut speaking = words.iter().filter(|word| word.windows(name.len()).any(|part| part == name));
    let word = speaking.next()?;
    if speaking.next().is_some() {
        return Some(Err(UNCLEAR));
    }
    let value = word.strip_prefix(b"-D").and_then(|word| word.strip_prefix(name)?.strip_prefix(b"="));
    let inside = |value: &'w [u8]| {
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        quoted.or_else(|| value.strip_prefix(b"<").and_then(|value| value.strip_suffix(b">")))
    };
    Some(value.and_then(inside).ok_or(UNCLEAR))
}

/// Stands for a name whatever the case of its letters, for a folder may not tell them apart; `None` where more than
/// ASCII is needed to say so.
fn folded(name: &[u8]) -> Option<u32> {
    name.is_ascii().then(|| mark(&name.to_ascii_lowercase()))
}

impl Search<'_> {
    fn name(
        &mut self,
        reader: &mut Reader<'_>,
        folders: &[Vec<u8>],
        beside: &[u8],
        name: &[u8],
    ) -> Result<(), NotStorable> {
        let name = normal(name);
        if name.starts_with(b"/") {
            return self.file(reader, name);
        }
        if self.asked_beside.insert((beside.to_vec(), name.clone())) && self.may_be_in(beside, &name) {
            self.file(reader, below(beside, &name))?;
        }
        if !self.asked.insert(name.clone()) {
            return Ok(());
        }
        for folder in folders {
            if self.may_be_in(folder, &name) {
                self.file(reader, below(folder, &name))?;
            }
        }
        Ok(())
    }

    /// Reads what the texts include, and what those include. The value are the macros that name something.
    fn texts(
        &mut self,
        reader: &mut Reader<'_>,
        folders: &[Vec<u8>],
    ) -> Result<BTreeSet<Vec<u8>>, NotStorable> {
        let (mut at, mut macros) = (0, BTreeSet::new());
        while let Some((path, known)) = reader.texts.get(at).cloned() {
            if known.findings.includes_unspelled || at > MAX_FILES {
                return Err(UNCLEAR);
            }
            let beside = parent(&path).to_vec();
            for name in &known.findings.includes {
                self.name(reader, folders, &beside, name)?;
            }
            for name in &known.findings.include_macros {
                if let Some(given) = given(name, self.words) {
                    self.name(reader, folders, &beside, given?)?;
                }
                macros.insert(name.clone());
            }
            at += 1;
        }
        Ok(macros)
    }

    fn file(&self, reader: &mut Reader<'_>, path: Vec<u8>) -> Result<(), NotStorable> {
        if reader.seen.contains(&path) {
            return Ok(());
        }
        if path.starts_with(b"/proc/") || path.starts_with(b"/dev/") {
            return Err(UNCLEAR);
        }
        let Ok(text) = CString::new(path.as_slice()) else { return Ok(()) };
        if stat(self.place, &text).is_ok_and(|stat| is_file(&stat)) { reader.read(&path) } else { Ok(()) }
    }

    fn may_be_in(&mut self, folder: &[u8], name: &[u8]) -> bool {
        let first = name.split(|&byte| byte == b'/').next().unwrap_or_default();
        if first == b".." {
            return true;
        }
        if !self.known.contains_key(folder) {
            self.known.insert(folder.to_vec(), self.list(folder));
        }
        match (self.known.get(folder), folded(first)) {
            (Some(Some(marks)), Some(mark)) => marks.contains(&mark),
            _ => true,
        }
    }

    /// `None` also where a name has letters that some file systems take for others.
    fn list(&self, folder: &[u8]) -> Option<HashSet<u32>> {
        let path = CString::new(folder).ok()?;
        let listing: Arc<Listing> = self.memory.folders.list(self.place, &path)?;
        listing.entries.iter().map(|entry| folded(&entry.name)).collect()
    }

    fn is_no_folder(&self, folder: &[u8]) -> bool {
        let path = CString::new(if folder.is_empty() { b"." } else { folder });
        path.is_ok_and(|path| stat(self.place, &path).is_ok_and(|stat| !is_folder(&stat)))
    }
}
