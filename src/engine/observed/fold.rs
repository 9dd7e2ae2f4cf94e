//! Folds the records of a log into what it says.
use super::own::Own;
use super::programs::Programs;
use super::records::Record;
use super::{Clients, Distrust, Kind, Names, Observed, Path, format, harmless};
use harmless::Clock;
use std::collections::BTreeMap;

/// What a process finds there is its own, not ours.
const OF_PROCESS: [&[u8]; 5] =
    [b"/dev/fd/", b"/proc/self/cwd", b"/proc/self/fd/", b"/proc/self/root", b"/proc/thread-self/"];

/// What a call's error says about the path.
enum Answer {
    /// There is something.
    There,
    /// There is nothing, or it cannot be reached.
    Absent,
    /// Nothing.
    Nothing,
}

/// Error numbers of Linux: `errno(3)`. `None` for those that tell of the system's state, not of files.
fn answer(error: u16) -> Option<Answer> {
    match error {
        // EEXIST, EISDIR, EINVAL (no link), ENOTEMPTY, ETXTBSY, EBUSY, ENXIO, EROFS, EXDEV
        0 | 17 | 21 | 22 | 39 | 26 | 16 | 6 | 30 | 18 => Some(Answer::There),
        // ENOENT, ENOTDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG
        2 | 20 | 13 | 1 | 40 | 36 => Some(Answer::Absent),
        // EBADF, ENOSYS, EINTR: asked again in another way
        9 | 38 | 4 => Some(Answer::Nothing),
        _ => None,
    }
}

/// Without `.`, double slashes and slashes at the end.
pub(super) fn tidy(path: &[u8]) -> Path {
    let mut tidy = Vec::with_capacity(path.len());
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        tidy.push(b'/');
        tidy.extend_from_slice(part);
    }
    if tidy.is_empty() { b"/".to_vec() } else { tidy }
}

fn kind(detail: u8) -> Kind {
    match detail & !format::ITSELF {
        format::FILE => Kind::File,
        format::FOLDER => Kind::Folder,
        format::LINK => Kind::Link,
        format::OTHER => Kind::Other,
        _ => Kind::Unknown,
    }
}

#[derive(Default)]
struct Fold<'a> {
    observed: Observed,
    own: Own<'a>,
    programs: Programs,
    /// Processes that ask for the time whatever they do.
    clocks: BTreeMap<u32, Clock>,
}

/// All records, in order.
pub(super) fn fold(
    records: Vec<Record<'_>>,
    names: Names<'_>,
    clients: &Clients<'_>,
) -> Result<Observed, Distrust> {
    let mut fold = Fold { own: Own::new(names), ..Fold::default() };
    for record in &records {
        fold.record(record)?;
    }
    fold.end(clients)
}

impl Fold<'_> {
    fn record(&mut self, record: &Record<'_>) -> Result<(), Distrust> {
        match record.op {
            format::START => self.start(record),
            format::EXEC => self.programs.want(record, record.process),
            format::SPAWN => self.programs.want(record, record.number),
            format::EXEC_FAILED => self.programs.fail(record)?,
            format::ENV => {
                if !harmless::is_variable(record.text()) {
                    self.observed.variables.insert(record.text().to_vec());
                }
            }
            format::NETWORK => return Err(Distrust::Network(record.number)),
            format::CLOCK if self.asks_anyway(record.process) => {}
            format::CLOCK => return Err(Distrust::Clock),
            format::OPAQUE => return Err(Distrust::Opaque(record.text().to_vec())),
            format::LOAD => {
                let library = self.own.name_of(tidy(record.text()));
                let is_own = self.own.has(&library);
                let to = if is_own { &mut self.observed.own_code } else { &mut self.observed.libraries };
                to.insert(library);
            }
            _ if record.text().first() != Some(&b'/') => return Err(Distrust::Damaged),
            _ => self.file(record)?,
        }
        Ok(())
    }

    fn start(&mut self, record: &Record<'_>) {
        self.programs.start(record);
        let mut texts = record.texts();
        let (given, program) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
        let folder = texts.next().unwrap_or_default();
        self.clocks.remove(&record.process);
        self.clocks.extend(harmless::clock(program).map(|clock| (record.process, clock)));
        let given =
            if given.first() == Some(&b'/') { tidy(given) } else { tidy(&[folder, b"/", given].concat()) };
        for path in [given, tidy(program)].map(|path| self.own.name_of(path)) {
            let is_own = self.own.has(&path);
            let to = if is_own { &mut self.observed.own_code } else { &mut self.observed.programs };
            to.insert(path);
        }
    }

    /// Whether a process asks for the time by itself. rustc reads a crate before it loads it as a macro.
    fn asks_anyway(&self, process: u32) -> bool {
        match self.clocks.get(&process) {
            Some(Clock::Always) => true,
            Some(Clock::AtStart) => self.observed.libraries.is_disjoint(&self.observed.read),
            None => false,
        }
    }

    fn file(&mut self, record: &Record<'_>) -> Result<(), Distrust> {
        let path = self.own.name_of(tidy(record.text()));
        let is_harmless = harmless::is_path(&path, record.op == format::LIST);
        let is_own = self.own.has(&path);
        let answer = answer(record.error)
            .ok_or_else(|| Distrust::Failed { path: path.clone(), error: record.error })?;
        match (record.op, answer) {
            (_, Answer::Nothing) => {}
            _ if is_harmless => {}
            // Another thing for each process.
            _ if OF_PROCESS.iter().any(|start| path.starts_with(start)) => {
                return Err(Distrust::Opaque(path));
            }
            (_, Answer::Absent) if is_own => {}
            (_, Answer::Absent) => {
                let is_folder = record.text().ends_with(b"/");
                self.observed.absent.insert(if is_folder { [&path, &b"/"[..]].concat() } else { path });
            }
            (format::MAKE, _) => self.make(record, path),
            (format::REMOVE, _) => self.own.remove(path),
            (format::RENAME, _) => {
                let new = record.second().ok_or(Distrust::Damaged)?;
                if !self.own.rename(&path, &self.own.name_of(tidy(new))) {
                    return Err(Distrust::Moved(path));
                }
            }
            (format::OPEN, _) if record.detail == format::WRITE && record.error == 0 => {
                self.own.make(path, Kind::File);
            }
            (format::OPEN, _) if record.detail == format::UPDATE && record.error == 0 => {
                if !is_own {
                    self.observed.read.insert(path.clone());
                    self.observed.written.insert(path, Kind::File);
                }
            }
            _ if is_own => {}
            (format::OPEN, _) if record.error == 0 => drop(self.observed.read.insert(path)),
            (format::LIST, _) => *self.observed.listed.entry(path).or_default() += 1,
            (format::RESOLVE, _) => self.resolve(record, path),
            (format::LOOK, _) => self.look(record, path),
            (format::OPEN, _) => drop(self.observed.looked_at.insert((path, Kind::Unknown))),
            _ => return Err(Distrust::Damaged),
        }
        Ok(())
    }

    fn look(&mut self, record: &Record<'_>, path: Path) {
        let kind = kind(record.detail);
        // Who asks for a link that is none gets EINVAL; other errors do not tell.
        let is_told = if kind == Kind::Unknown { record.error == 22 } else { kind != Kind::Link };
        if is_told && record.detail & format::ITSELF != 0 {
            self.observed.no_links.insert(path.clone());
        }
        self.observed.looked_at.insert((path, kind));
    }

    fn make(&mut self, record: &Record<'_>, path: Path) {
        // A hard link to what was there is a way to its content.
        if let Some(old) =
            record.second().map(|old| self.own.name_of(tidy(old))).filter(|old| !self.own.has(old))
        {
            self.observed.read.insert(old);
        }
        self.own.make(path, kind(record.detail));
    }

    fn resolve(&mut self, record: &Record<'_>, path: Path) {
        let Some(result) = record.second() else { return };
        if record.detail == format::READ_LINK {
            self.observed.links.insert(path, result.to_vec());
        } else {
            self.observed.resolved.insert(path, result.to_vec());
        }
    }

    fn end(self, clients: &Clients<'_>) -> Result<Observed, Distrust> {
        let Fold { mut observed, own, programs, .. } = self;
        for path in programs.end(clients)? {
            let path = tidy(&path);
            if !own.ever_had(&path) {
                observed.absent.insert(path);
            }
        }
        // A compiler looks whether its output is there before it writes it, and finds it or not: the result does not
        // depend on that. What else it wrote is in `written`, for the caller to see that it is no output.
        let at_first = observed.absent.extract_if(.., |path| own.ever_had(path));
        observed.absent_at_first = at_first.collect();
        observed.no_links.retain(|path| !own.ever_had(path));
        let read = &observed.read;
        observed.looked_at.retain(|(path, kind)| {
            let is_implied = matches!(kind, Kind::Unknown | Kind::File) && read.contains(path);
            !is_implied && !own.ever_had(path)
        });
        own.end(&mut observed);
        Ok(observed)
    }
}
