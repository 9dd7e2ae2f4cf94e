//! The dependency file of a compile that ran with `-MD` though the user asked for `-MMD`: its text as `-MMD` would have
//! written it. Texts and folders tell which headers to leave out; where they do not, the compiler is asked.
use super::{Miss, flat, run_scan};
use crate::inputs::{Compiled, Observed, Sides};
use crate::outputs::{opened, read_from_start};
use crate::permits::Deadline;
use crate::statistics::NotStored;
use cachepot_engine::compiler::gnu;
use cachepot_engine::job::{Discovery, Role};
use cachepot_engine::narrow::{narrow, prerequisites};
use cachepot_storage::local::Ingested;
use cachepot_wire::Report;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

impl Miss {
    /// What decides which headers belong to the system; `None` where nobody asks.
    pub(super) fn sides(&self) -> Option<Sides> {
        let given =
            || self.subject.job.search.folders.iter().map(|folder| folder.as_os_str().as_bytes().to_vec());
        self.is_widened().then(|| Sides {
            family: self.subject.driver.family,
            built_in: Arc::clone(&self.built_in),
            given: given().collect(),
        })
    }

    pub(super) fn is_widened(&self) -> bool {
        matches!(self.subject.job.discovery, Discovery::Widened(_))
    }

    /// Puts the narrowed text in the place of the copy of what the compiler wrote.
    pub(super) async fn narrow_copy(
        &self,
        outputs: &mut [(Role, bool, Ingested)],
        text: Option<&[u8]>,
        compiled: &Compiled,
        observed: &Observed,
    ) -> Result<Option<Vec<u8>>, NotStored> {
        let copy = outputs.iter_mut().find(|(role, ..)| *role == Role::Dependencies);
        let Some(((.., copy), text)) = copy.zip(text).filter(|_| self.is_widened()) else { return Ok(None) };
        let narrowed = self.narrowed(text, Some((compiled, observed))).await;
        let narrowed = narrowed.ok_or_else(|| NotStored::skipped("dependency file not understood"))?;
        *copy = flat(self.shared.store.ingest_bytes(narrowed.clone()))?;
        Ok(Some(narrowed))
    }

    /// The narrowed text, by what was observed or else by a run of the compiler.
    pub(super) async fn narrowed(
        &self,
        text: &[u8],
        seen: Option<(&Compiled, &Observed)>,
    ) -> Option<Vec<u8>> {
        let family = self.subject.driver.family;
        let flags = seen.and_then(|(compiled, observed)| Some((compiled, observed.system.as_ref()?)));
        let Some((compiled, flags)) = flags else {
            let by_folder = self.narrowed_by_folder(text);
            return if by_folder.is_some() { by_folder } else { self.narrowed_by_compiler(text).await };
        };
        let pairs = compiled.inputs.iter().zip(flags).filter(|(_, is_system)| **is_system);
        let system: HashSet<&[u8]> = pairs.map(|(path, _)| path.as_os_str().as_bytes()).collect();
        narrow(text, family, |name| system.contains(name))
    }

    /// Where something can be read only once, or is gone, the compiler cannot be asked again: then the built-in folders
    /// alone have to do.
    fn narrowed_by_folder(&self, text: &[u8]) -> Option<Vec<u8>> {
        let cwd = &self.call.query.cwd;
        let is_there = |name: &&[u8]| {
            std::fs::metadata(cwd.join(OsStr::from_bytes(name))).is_ok_and(|metadata| metadata.is_file())
        };
        if prerequisites(text)?.iter().all(is_there) {
            return None;
        }
        let in_system = |name: &[u8]| {
            let path = Path::new(OsStr::from_bytes(name));
            self.built_in.iter().any(|folder| path.starts_with(OsStr::from_bytes(folder)))
        };
        narrow(text, self.subject.driver.family, in_system)
    }

    async fn narrowed_by_compiler(&self, text: &[u8]) -> Option<Vec<u8>> {
        let (subject, call) = (&self.subject, &self.call);
        let line = |file: &Path| gnu::dependency_scan(&subject.driver, &call.words, "-MM", file);
        let shared = Arc::clone(&self.shared);
        let listed = run_scan(shared, call.query.clone(), subject.job.source.clone(), line).await?;
        let users = prerequisites(&listed)?;
        let narrowed = narrow(text, self.subject.driver.family, |name| !users.contains(&name))?;
        // It is another if something changed in between, or if one name leads to two kinds of header.
        let is_same = prerequisites(&narrowed).as_ref() == Some(&users);
        is_same.then_some(narrowed)
    }

    /// The narrowed text of a compile that failed: compilers write the file all the same.
    pub(super) async fn narrowed_after_failure(
        &mut self,
        report: &Report,
        descriptors: Vec<OwnedFd>,
        deadline: Deadline,
    ) -> Option<Vec<u8>> {
        if !self.is_widened() {
            return None;
        }
        let at = self.subject.job.outputs.iter().position(|output| output.role == Role::Dependencies)?;
        let file = opened(report, descriptors).ok()?.into_iter().nth(at)??;
        let text = read_from_start(&file).ok()?;
        let compiled = self.compiled(Some(&text), None, deadline).await.ok().map(Arc::new);
        let permit = Arc::clone(&self.shared.permits.recording).try_acquire_owned().ok().map(Arc::new);
        let observed = match compiled.as_ref().zip(permit.as_ref()) {
            Some((compiled, permit)) => self.observe(compiled, permit, deadline).await.ok(),
            None => None,
        };
        self.narrowed(&text, compiled.as_deref().zip(observed.as_ref())).await
    }
}
