//! Whether every program that was started has reported, and every one that reported was started by one that had.
//!
//! A program says by which path the kernel was asked to run it, so that one that says nothing cannot hide behind
//! another that it starts.
use super::records::Record;
use super::{Call, Clients, Distrust, Path};

/// A report.
pub(super) struct Start {
    process: u32,
    parent: u32,
    /// As the kernel got it.
    given: Vec<u8>,
    /// The working directory.
    folder: Vec<u8>,
}

/// What was asked for: a program, and the search path if it was searched for.
struct Wanted {
    /// 0 where the C library starts it and does not say.
    process: u32,
    by: u32,
    name: Vec<u8>,
    search: Option<Vec<u8>>,
}

/// All that was said about programs.
#[derive(Default)]
pub(super) struct Programs {
    starts: Vec<Start>,
    wanted: Vec<Wanted>,
    /// Searched for in vain.
    missing: Vec<Path>,
}

impl Programs {
    pub(super) fn start(&mut self, record: &Record<'_>) {
        let given = record.text().to_vec();
        let folder = folder(record).to_vec();
        self.starts.push(Start { process: record.process, parent: record.number, given, folder });
    }

    /// `process` is who will be the program: who said so, or its child.
    pub(super) fn want(&mut self, record: &Record<'_>, process: u32) {
        let search = record.second().map(<[u8]>::to_vec);
        let name = record.text().to_vec();
        self.wanted.push(Wanted { process, by: record.process, name, search });
    }

    /// The process is still what it was.
    pub(super) fn fail(&mut self, record: &Record<'_>) -> Result<(), Distrust> {
        let is_it = |wanted: &Wanted| wanted.process == record.process && wanted.name == record.text();
        let at = self.wanted.iter().rposition(is_it).ok_or(Distrust::Damaged)?;
        for path in self.wanted.remove(at).paths() {
            self.missing.push(absolute(&path, folder(record))?);
        }
        Ok(())
    }

    /// Where programs were searched for and not found.
    ///
    /// # Errors
    /// [`Distrust`] where somebody did not report, or was not seen to be started.
    pub(super) fn end(self, clients: &Clients<'_>) -> Result<Vec<Path>, Distrust> {
        let mut starts = self.starts.into_iter();
        starts.next().ok_or(Distrust::NoStart)?;
        let mut left =
            Left { starts: starts.collect(), calls: clients.calls.to_vec(), missing: self.missing };
        let (nameless, named): (Vec<_>, Vec<_>) =
            self.wanted.into_iter().partition(|wanted| wanted.process == 0);
        for wanted in named {
            left.account_for(&wanted, clients)?;
        }
        for wanted in nameless {
            let is_it = |start: &Start| start.parent == wanted.by && start.given == wanted.name;
            left.take(is_it).ok_or(Distrust::Silent(wanted.name))?;
        }
        match left.starts.into_iter().next() {
            Some(start) => Err(Distrust::Unexplained(start.given)),
            None => Ok(left.missing),
        }
    }
}

/// What nobody has accounted for yet.
struct Left {
    starts: Vec<Start>,
    calls: Vec<Call>,
    missing: Vec<Path>,
}

impl Left {
    fn take(&mut self, is_it: impl Fn(&Start) -> bool) -> Option<Start> {
        let at = self.starts.iter().position(is_it)?;
        Some(self.starts.remove(at))
    }

    /// Finds the report of a program that was asked for, and where it was not.
    fn account_for(&mut self, wanted: &Wanted, clients: &Clients<'_>) -> Result<(), Distrust> {
        let paths = wanted.paths();
        let own = paths.iter().position(|path| (clients.is_client)(path)).unwrap_or(paths.len());
        let silent = || Distrust::Silent(wanted.name.clone());
        let before = paths.get(..own).unwrap_or_default();
        let is_it = |start: &Start| start.process == wanted.process && before.contains(&start.given);
        if let Some(start) = self.take(is_it) {
            return self.not_found(&start, before.iter().take_while(|path| **path != start.given));
        }
        let call = self.calls.iter().position(|call| call.process == wanted.process && own < paths.len());
        let Call { process, compiler, missing } = self.calls.remove(call.ok_or_else(silent)?);
        // It has become the compiler, or has started it.
        let is_it =
            |start: &Start| start.given == compiler && (start.process == process || start.parent == process);
        let start = self.take(is_it).ok_or_else(silent)?;
        self.not_found(&start, before.iter().chain(&missing))
    }

    fn not_found<'p>(
        &mut self,
        start: &Start,
        paths: impl Iterator<Item = &'p Path>,
    ) -> Result<(), Distrust> {
        for path in paths {
            self.missing.push(absolute(path, &start.folder)?);
        }
        Ok(())
    }
}

impl Wanted {
    /// The paths that are tried, in order.
    fn paths(&self) -> Vec<Path> {
        let Some(search) = &self.search else { return vec![self.name.clone()] };
        let in_folder = |folder: &[u8]| match folder {
            [] => self.name.clone(),
            _ => [folder, b"/", &self.name].concat(),
        };
        search.split(|&byte| byte == b':').map(in_folder).collect()
    }
}

/// The working directory of who started, or failed to.
fn folder<'a>(record: &Record<'a>) -> &'a [u8] {
    record.texts().nth(2).unwrap_or_default()
}

fn absolute(path: &[u8], folder: &[u8]) -> Result<Path, Distrust> {
    match folder {
        _ if path.starts_with(b"/") => Ok(path.to_vec()),
        [] => Err(Distrust::Relative(path.to_vec())),
        _ => Ok([folder, b"/", path].concat()),
    }
}
