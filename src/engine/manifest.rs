//! Manifests: for one job, the earlier results with what each of them depended on.
//!
//! ```text
//! manifest = version count record*            newest first
//! record   = result inputs read folders names present states same exist mtimes window ties seen
//! inputs   = count (shared suffix digest)*    a path is `shared` bytes of the one before, then `suffix`
//! read     = u32                              how many of them were read; others are equal to one of these, or quoted
//! folders  = count bytes*                     where names were searched, as spelled
//! names    = count bytes*                     names that the texts spell, in `#include` and `__has_include`
//! present  = count bytes*                     files that lay in a searched folder without being an input
//! states   = count u32*                       what each searched folder was
//! same     = count (u32 u32)*                 inputs that are one file under two names, by index
//! exist    = count bytes*                     paths that must go on to exist, whatever their content
//! mtimes   = count (input seconds)*           inputs whose modification time reaches the result
//! window   = u8 [u64]                         quarter of an hour since the epoch in which the result is valid
//! ties     = count (bytes bytes)*             what the folders of a checkout must be: see manifest/neutral.rs
//! seen     = u8 [surroundings]                what an observer saw besides: see manifest/surroundings.rs
//! ```
//! Integers are u32, little-endian, unless said otherwise; bytes are length-prefixed.
use crate::digest::Digest;
use crate::scan::Quarter;
use std::collections::VecDeque;
use surroundings::Surroundings;

mod neutral;
pub use neutral::SEARCHED;
pub mod surroundings;

const VERSION: u32 = 4;
/// Results kept per manifest; the oldest go first.
pub const MAX_RECORDS: usize = 24;
/// Input references kept per manifest over all records.
pub const MAX_INPUTS: usize = 60_000;

/// A state of a searched folder: nothing is there.
pub const NO_FOLDER: u32 = u32::MAX;
/// A state of a searched folder: something else is there.
pub const NOT_A_FOLDER: u32 = u32::MAX - 1;
/// A state of a searched folder: it cannot be told, which is an error for gcc.
pub const UNREACHABLE: u32 = u32::MAX - 2;

/// The longest path: more than any system takes.
const MAX_PATH_BYTES: usize = 1 << 16;
/// What the paths of all inputs may take together: a thousand bytes for each of [`MAX_INPUTS`]. Without a bound, paths
/// that share their beginning could grow to a thousand times the size of what is read.
const MAX_ALL_PATHS_BYTES: usize = 64 << 20;
/// The largest stored form that is read: a remote may say anything.
const MAX_STORED_BYTES: usize = 32 << 20;

/// One file that the compiler read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// As the compiler named it: relative to the working directory or absolute.
    pub path: Vec<u8>,
    /// Its content.
    pub digest: Digest,
}

/// One earlier result and what it depended on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key of the result's entry.
    pub result: Digest,
    /// What the compiler read, the source first; then files that lay under a searched name and equal one of these:
    /// with `#pragma once` a compiler reads only one of two, and links give one file several names. And those that it
    /// may have quoted in its messages, for a text says that its lines come from them.
    pub inputs: Vec<Input>,
    /// How many of the inputs were read: only these tell what was searched.
    pub n_read: u32,
    /// Every folder in which a name may have been searched.
    pub folders: Vec<Vec<u8>>,
    /// Names that the texts spell in `#include` and `__has_include`, beyond those that follow from the inputs.
    pub names: Vec<Vec<u8>>,
    /// Files that lay in a searched folder under a searched name without being read.
    pub present: Vec<Vec<u8>>,
    /// What each searched folder was, in an order that does not depend on where the folders are: those given, those of
    /// the inputs that were read, the working directory, each where it comes first. [`NO_FOLDER`], [`NOT_A_FOLDER`],
    /// [`UNREACHABLE`], or the index of the first name of the same folder. Compilers warn of what is no folder,
    /// search a folder once, and name its files by its first name.
    pub states: Vec<u32>,
    /// Inputs (by index) that were one file under two names (links): compilers know a file by its inode.
    pub same: Vec<(u32, u32)>,
    /// Paths whose existence was seen, whatever their content.
    pub exist: Vec<Vec<u8>>,
    /// Inputs whose modification time (seconds since the epoch) reaches the result: index and time.
    pub mtimes: Vec<(u32, i64)>,
    /// When set: the result names the day and is only valid in this quarter of an hour.
    pub window: Option<Quarter>,
    /// What the folders of a checkout must be for it: see `manifest/neutral.rs`. Sorted.
    pub ties: Vec<(Vec<u8>, Vec<u8>)>,
    /// What else decided, where an observer saw all that the compile asked for. Nothing was searched then by rules that
    /// we would have to know.
    pub surroundings: Option<Surroundings>,
}

impl Record {
    /// Everything in a record but its result, in the stored form: what a result's key is made from.
    pub fn encode_conditions(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(self.inputs.len() * 64));
        out.conditions(self);
        out.0
    }
}

/// The earlier results of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Newest first.
    pub records: VecDeque<Record>,
}

impl Manifest {
    /// Adds a record in front; an older one with the same result gives way, and the bounds hold again.
    pub fn add(&mut self, record: Record) {
        self.records.retain(|old| old.result != record.result);
        self.records.push_front(record);
        self.records.truncate(MAX_RECORDS);
        while self.records.len() > 1
            && self.records.iter().map(|r| r.inputs.len()).sum::<usize>() > MAX_INPUTS
        {
            self.records.pop_back();
        }
    }

    /// Takes the window off a record: its result is the same whatever the day. The result keeps its key. Records that
    /// differ in nothing but their window give way: the value is their results, which nobody needs any more. `None`
    /// where there is no such record.
    pub fn lift_window(&mut self, result: &Digest) -> Option<Vec<Digest>> {
        let at =
            self.records.iter().position(|record| record.result == *result && record.window.is_some())?;
        let lasting = Record { window: None, ..self.records.remove(at)? };
        let is_like =
            |old: &Record| Record { result: lasting.result, window: None, ..old.clone() } == lasting;
        let (like, kept): (Vec<_>, Vec<_>) = self.records.drain(..).partition(is_like);
        self.records = std::iter::once(lasting).chain(kept).collect();
        Some(like.into_iter().map(|old| old.result).collect())
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(self.records.iter().map(|r| r.inputs.len() * 64).sum()));
        out.u32(VERSION as usize);
        out.u32(self.records.len());
        for record in &self.records {
            out.record(record);
        }
        out.0
    }

    /// Reads the stored form; `None` where it is not one (another version, damage): then it is a miss.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader { rest: bytes, paths_left: MAX_ALL_PATHS_BYTES };
        if bytes.len() > MAX_STORED_BYTES || input.u32()? != VERSION {
            return None;
        }
        let count = input.u32()? as usize;
        if count > MAX_RECORDS {
            return None;
        }
        let records = (0..count).map(|_| input.record()).collect::<Option<VecDeque<_>>>()?;
        input.rest.is_empty().then_some(Manifest { records })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, value: usize) {
        self.0.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
    }
    fn bytes(&mut self, value: &[u8]) {
        self.u32(value.len());
        self.0.extend_from_slice(value);
    }
    fn list(&mut self, values: &[Vec<u8>]) {
        self.u32(values.len());
        for value in values {
            self.bytes(value);
        }
    }
    fn pairs(&mut self, pairs: &[(u32, u32)]) {
        self.u32(pairs.len());
        for (one, other) in pairs {
            self.u32(*one as usize);
            self.u32(*other as usize);
        }
    }
    fn record(&mut self, record: &Record) {
        self.0.extend_from_slice(&record.result.0);
        self.conditions(record);
    }
    fn conditions(&mut self, record: &Record) {
        self.u32(record.inputs.len());
        let mut before: &[u8] = &[];
        for input in &record.inputs {
            let shared = before.iter().zip(&input.path).take_while(|(a, b)| a == b).count();
            self.u32(shared);
            self.bytes(input.path.get(shared..).unwrap_or_default());
            self.0.extend_from_slice(&input.digest.0);
            before = &input.path;
        }
        self.u32(record.n_read as usize);
        self.list(&record.folders);
        self.list(&record.names);
        self.list(&record.present);
        self.u32(record.states.len());
        for state in &record.states {
            self.u32(*state as usize);
        }
        self.pairs(&record.same);
        self.list(&record.exist);
        self.u32(record.mtimes.len());
        for (input, seconds) in &record.mtimes {
            self.u32(*input as usize);
            self.0.extend_from_slice(&seconds.to_le_bytes());
        }
        match record.window {
            None => self.0.push(0),
            Some(Quarter(quarter)) => {
                self.0.push(1);
                self.0.extend_from_slice(&quarter.to_le_bytes());
            }
        }
        self.u32(record.ties.len());
        for (what, text) in &record.ties {
            self.bytes(what);
            self.bytes(text);
        }
        self.0.push(record.surroundings.is_some().into());
        if let Some(seen) = &record.surroundings {
            self.surroundings(seen);
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// How many bytes of paths of inputs may still be made.
    paths_left: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = self.u32()? as usize;
        self.take(length).map(<[u8]>::to_vec)
    }
    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.u32()? as usize;
        // The claimed count is never trusted for an allocation: every element takes at least 4 bytes.
        let mut values = Vec::with_capacity(count.min(self.rest.len() / 4));
        for _ in 0..count {
            values.push(each(self)?);
        }
        Some(values)
    }
    fn record(&mut self) -> Option<Record> {
        let result = Digest(self.array()?);
        let mut before: Vec<u8> = Vec::new();
        let inputs = self.list(|r| {
            let shared = r.u32()? as usize;
            let suffix = r.bytes()?;
            let length = shared.checked_add(suffix.len()).filter(|length| *length <= MAX_PATH_BYTES)?;
            r.paths_left = r.paths_left.checked_sub(length)?;
            let path = [before.get(..shared)?, &suffix].concat();
            before.clone_from(&path);
            Some(Input { path, digest: Digest(r.array()?) })
        })?;
        Some(Record {
            result,
            inputs,
            n_read: self.u32()?,
            folders: self.list(Reader::bytes)?,
            names: self.list(Reader::bytes)?,
            present: self.list(Reader::bytes)?,
            states: self.list(Reader::u32)?,
            same: self.list(|r| Some((r.u32()?, r.u32()?)))?,
            exist: self.list(Reader::bytes)?,
            mtimes: self.list(|r| Some((r.u32()?, i64::from_le_bytes(r.array()?))))?,
            window: match self.array::<1>()? {
                [0] => None,
                [1] => Some(Quarter(u64::from_le_bytes(self.array()?))),
                _ => return None,
            },
            ties: self.list(|r| Some((r.bytes()?, r.bytes()?)))?,
            surroundings: match self.array::<1>()? {
                [0] => None,
                [1] => Some(self.surroundings()?),
                _ => return None,
            },
        })
    }
}
