//! Whether every program that was started has reported, and every one that reported was started by one that had.
//!
//! A program says by which path the kernel was asked to run it, so that one that says nothing cannot hide behind
//! another that it starts.
use super::records::Record;
use super::{Distrust, Path};
use std::collections::BTreeMap;

/// A report.
pub(super) struct Start {
    process: u32,
    parent: u32,
    /// As the kernel got it.
    given: Vec<u8>,
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
        self.starts.push(Start { process: record.process, parent: record.number, given });
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
        let paths = self.wanted.remove(at).paths();
        for path in paths {
            self.missing.push(absolute(path)?);
        }
        Ok(())
    }

    /// Where programs were searched for and not found.
    ///
    /// # Errors
    /// [`Distrust`] where somebody did not report, or was not seen to be started.
    pub(super) fn end(self) -> Result<Vec<Path>, Distrust> {
        let mut missing = self.missing;
        let mut starts = self.starts.into_iter();
        starts.next().ok_or(Distrust::NoStart)?;
        let mut left: BTreeMap<u32, Vec<Start>> = BTreeMap::new();
        for start in starts {
            left.entry(start.process).or_default().push(start);
        }
        let (nameless, named): (Vec<_>, Vec<_>) =
            self.wanted.into_iter().partition(|wanted| wanted.process == 0);
        for wanted in named {
            let silent = || Distrust::Silent(wanted.name.clone());
            let reports = left.get_mut(&wanted.process).ok_or_else(silent)?;
            let paths = wanted.paths();
            let found = reports
                .iter()
                .enumerate()
                .find_map(|(at, report)| Some((at, paths.iter().position(|path| *path == report.given)?)));
            let (at, n_before) = found.ok_or_else(silent)?;
            reports.remove(at);
            for path in paths.into_iter().take(n_before) {
                missing.push(absolute(path)?);
            }
        }
        for wanted in nameless {
            let is_it = |start: &Start| start.parent == wanted.by && start.given == wanted.name;
            let found = left.values_mut().find_map(|list| {
                let at = list.iter().position(is_it)?;
                Some(list.remove(at))
            });
            found.ok_or(Distrust::Silent(wanted.name))?;
        }
        match left.into_values().flatten().next() {
            Some(start) => Err(Distrust::Unexplained(start.given)),
            None => Ok(missing),
        }
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

fn absolute(path: Path) -> Result<Path, Distrust> {
    if path.first() == Some(&b'/') { Ok(path) } else { Err(Distrust::Relative(path)) }
}
