//! Real files in temporary folders: what was seen after a compile, a change, and whether the result still stands.
//!
//! No compiler runs here; what it would have read is given, in the spelling that gcc or clang would use.
use super::{
    Compiled, Limits, Memory, Moment, NotStorable, Observed, Place, Sight, Words, files, observe,
    observe_later,
};
use cachepot_engine::bases::Bases;
use cachepot_engine::digest::Digest;
use cachepot_engine::manifest::{Manifest, Record};
use cachepot_wire::EnvBlock;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

mod content;
mod later;
mod look;
mod observing;
mod parts;
mod search;
mod spelling;
mod surroundings;
mod users;
mod within;

/// A folder with a working directory `w` in it. Names are relative to that; a leading `//` stands for the folder.
pub(super) struct World {
    root: TempDir,
    memory: Memory,
}

impl World {
    fn new() -> Self {
        let world = World { root: tempfile::tempdir().unwrap(), memory: Memory::default() };
        fs::create_dir(world.path("//w")).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        // Never through `w` itself, which a test may remove.
        match name.strip_prefix("//") {
            Some(name) => self.root.path().join(name),
            None => self.root.path().join("w").join(name),
        }
    }

    /// As a compiler would spell it: relative as it stands, or absolute.
    fn spelled(&self, name: &str) -> PathBuf {
        if name.starts_with("//") { self.path(name) } else { name.into() }
    }

    pub(super) fn place(&self) -> Place {
        Place::open(&self.path("//w")).unwrap()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn folder(&self, name: &str) {
        fs::create_dir_all(self.path(name)).unwrap();
    }

    /// A link; one that is there gives way.
    pub(super) fn link(&self, target: &str, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        symlink(self.spelled(target), path).unwrap();
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        let path = self.path(name);
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    pub(super) fn modified(&self, name: &str) -> SystemTime {
        fs::metadata(self.path(name)).unwrap().modified().unwrap()
    }

    pub(super) fn set_modified(&self, name: &str, time: SystemTime) {
        fs::File::options().append(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
    }

    /// A moment after everything that was written so far, and not after what is written from now on.
    fn start(&self) -> Moment {
        // Newer kernels stamp by the fine clock, which runs ahead of the coarse one.
        let written = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let written = (written.as_secs().cast_signed(), i64::from(written.subsec_nanos()));
        wait_until(|| files::now() > written);
        files::now()
    }

    fn compiled(&self, unit: &Unit, start: Moment) -> Compiled {
        Compiled {
            inputs: unit.inputs.iter().map(|name| self.spelled(name)).collect(),
            folders: unit.folders.iter().map(|name| bytes(&self.spelled(name))).collect(),
            brought: Vec::new(),
            words: Words::default(),
            limits: Limits::default(),
            sides: None,
            watched: None,
            bases: Bases::default(),
            reads_maps: false,
            key_files: Vec::new(),
            asked: start,
            start,
        }
    }

    /// At once and later, which must come to the same.
    fn observe(&self, unit: &Unit, start: Moment) -> Result<Observed, NotStorable> {
        let (place, compiled) = (self.place(), self.compiled(unit, start));
        let observed = observe(&self.memory, &place, &compiled);
        let sight = Sight::take(&self.memory, &place, &compiled);
        let later = sight.and_then(|sight| observe_later(&self.memory, &place, &compiled, &sight));
        assert_eq!(later.ok(), observed.clone().ok());
        observed
    }
}

/// A compile: where it searched and what it read.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    folders: &'static [&'static str],
    inputs: &'static [&'static str],
}

/// A unit, what is made before its compile, a change after it, and whether the result stands then.
pub(super) struct Case {
    what: &'static str,
    before: fn(&World),
    unit: Unit,
    change: fn(&World),
    stands: bool,
}

pub(super) fn bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

pub(super) fn wait_until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < end, "waited for ten seconds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A record of what was observed, with a result of that name.
pub(super) fn record(observed: Observed, result: &str) -> Record {
    let may_use = observed.may_use;
    let record =
        observed.into_record(&Digest::of(b"job"), may_use, false, (files::now(), files::now())).unwrap();
    Record { result: Digest::of(result.as_bytes()), ..record }
}

pub(super) fn manifest(records: impl IntoIterator<Item = Record>) -> Manifest {
    let mut manifest = Manifest::default();
    records.into_iter().for_each(|record| manifest.add(record));
    // As from disk.
    Manifest::decode(&manifest.encode()).unwrap()
}

/// What is remembered at the time of the change must make no difference.
#[derive(Clone, Copy, Debug)]
enum Remembered {
    Nothing,
    /// Everything, but so new that stamps do not tell of changes.
    Unsettled,
    Everything,
}

/// What is kept of the end of a compile: of a project's folders, and where all are said to be the compiler's.
fn sights(world: &World, unit: &Unit, start: Moment) -> Vec<(Compiled, Sight)> {
    let sight = |brought: &[&str]| {
        let brought = brought.iter().map(|name| bytes(&world.spelled(name))).collect();
        let compiled = Compiled { brought, ..world.compiled(unit, start) };
        let sight = Sight::take(&world.memory, &world.place(), &compiled).unwrap();
        (compiled, sight)
    };
    vec![sight(&[]), sight(&["//"])]
}

fn outcome(case: &Case, remembered: Remembered) -> bool {
    let mut world = World::new();
    (case.before)(&world);
    let start = world.start();
    let observed = world.observe(&case.unit, start).unwrap_or_else(|why| panic!("{}: {why:?}", case.what));
    let manifest = manifest([record(observed.clone(), "result")]);
    let mut known = super::KnownManifest::new(manifest.clone(), &world.memory, &Default::default());
    let find = |world: &World, known: &super::KnownManifest| {
        known.find(&world.memory, &world.place(), &EnvBlock::default(), &|_| ()).is_some()
    };
    if matches!(remembered, Remembered::Everything) {
        let from = files::now();
        wait_until(|| files::now().0 > from.0 || files::now().1 - from.1 > 50_000_000);
    }
    assert!(find(&world, &known), "{}: does not stand right after the compile", case.what);
    assert!(find(&world, &known), "{}: does not stand for the second time", case.what);
    let sights = sights(&world, &case.unit, start);
    if matches!(remembered, Remembered::Nothing) {
        world.memory = Memory::default();
        known = super::KnownManifest::new(manifest, &world.memory, &Default::default());
    }
    (case.change)(&world);
    let place = Place::open(&world.path("//w"));
    for (compiled, sight) in sights {
        let later = place.as_ref().ok().map(|place| observe_later(&world.memory, place, &compiled, &sight));
        if let Some(Ok(later)) = later {
            assert_eq!(later, observed, "{}: a later look sees the change", case.what);
        }
    }
    place.is_ok_and(|place| known.find(&world.memory, &place, &EnvBlock::default(), &|_| ()).is_some())
}

pub(super) fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        for remembered in [Remembered::Nothing, Remembered::Unsettled, Remembered::Everything] {
            if outcome(case, remembered) != case.stands {
                wrong.push(format!("{} ({remembered:?}): expected {}", case.what, case.stands));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

pub(super) const fn case(
    what: &'static str,
    unit: Unit,
    before: fn(&World),
    change: fn(&World),
    stands: bool,
) -> Case {
    Case { what, before, unit, change, stands }
}

pub(super) const HIT: bool = true;
pub(super) const MISS: bool = false;
