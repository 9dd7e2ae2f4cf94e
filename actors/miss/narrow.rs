//! The dependency file of a compile that ran with `-MD` though the user asked for `-MMD`: its text as `-MMD` would have
//! written it. Texts and folders tell which headers to leave out; where they do not, the compiler is asked.
use super::{Miss, Scratch, flat};
use crate::inputs::{Compiled, Sides, Stamp, changed_since};
use crate::outputs::{opened, read_from_start};
use crate::permits::Deadline;
use crate::statistics::NotStored;
use cachepot_engine::compiler::gnu;
use cachepot_engine::depfile;
use cachepot_engine::job::{Discovery, Role};
use cachepot_engine::narrow::narrow;
use cachepot_storage::local::Ingested;
use cachepot_wire::Report;
use nix::sys::stat::makedev;
use std::collections::HashSet;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// Whether a compile did.
#[derive(Clone, Copy)]
pub(super) struct Succeeded(pub(super) bool);

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
        known: Option<(&Compiled, &[bool])>,
    ) -> Result<Option<Vec<u8>>, NotStored> {
        let copy = outputs.iter_mut().find(|(role, ..)| *role == Role::Dependencies);
        let Some(((.., copy), text)) = copy.zip(text).filter(|_| self.is_widened()) else { return Ok(None) };
        let narrowed = self.narrowed(text, known, Succeeded(true)).await;
        let narrowed = narrowed.ok_or_else(|| NotStored::skipped("dependency file not understood"))?;
        *copy = flat(self.shared.store.ingest_bytes(narrowed.clone()))?;
        Ok(Some(narrowed))
    }

    /// The narrowed text, by what is known of each input, or else by a run of the compiler.
    async fn narrowed(
        &self,
        text: &[u8],
        known: Option<(&Compiled, &[bool])>,
        compile: Succeeded,
    ) -> Option<Vec<u8>> {
        let by_rule = known.and_then(|(compiled, flags)| {
            let pairs = compiled.inputs.iter().zip(flags).filter(|(_, is_system)| **is_system);
            let system: HashSet<&[u8]> = pairs.map(|(path, _)| path.as_os_str().as_bytes()).collect();
            narrow(text, self.subject.driver.family, |name| system.contains(name))
        });
        if by_rule.is_some() { by_rule } else { self.narrowed_by_compiler(text, compile).await }
    }

    /// What the compiler writes when it is asked for the file alone; `None` where that is not of this compile. It fails
    /// as the compile did: at an `#error`, say, which keeps it from writing no more than the compile was kept.
    pub(super) async fn narrowed_by_compiler(&self, text: &[u8], compile: Succeeded) -> Option<Vec<u8>> {
        let all: HashSet<OsString> = depfile::inputs(text).ok()?.into_iter().collect();
        // What can be read only once is the compile's; `/dev/null` can be read at any time.
        let cwd = &self.call.query.cwd;
        let can_be_read_again = |name: &OsString| {
            std::fs::metadata(cwd.join(name))
                .is_ok_and(|found| found.is_file() || found.rdev() == makedev(1, 3))
        };
        if !all.iter().all(can_be_read_again) {
            return None;
        }
        let file = Scratch(self.shared.scratch_name());
        let line = gnu::narrow_scan(&self.subject.driver, &self.call.words, &file.0);
        // In the slot of the client, which does nothing but wait: with one of our own, both could wait for a token.
        let answer = self.call.query.question().with(line.iter().skip(1)).ask().await.ok()?;
        let is_like = answer.succeeded || !compile.0;
        let narrowed = is_like.then(|| std::fs::read(&file.0).ok()).flatten()?;
        // Something changed in between, or it is all that the compiler said before it failed.
        let users: HashSet<OsString> = depfile::inputs(&narrowed).ok()?.into_iter().collect();
        users.is_subset(&all).then_some(narrowed)
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
        if !changed_since(&Stamp::of_metadata(&file.metadata().ok()?), self.start) {
            return None;
        }
        let text = read_from_start(&file).ok()?;
        let compiled = self.compiled((Some(&text), None), false, deadline).await.ok().map(Arc::new);
        let system = match &compiled {
            Some(compiled) => self.seen_and_copied(compiled, Vec::new(), deadline).await.ok(),
            None => None,
        };
        let system = system.and_then(|taken| taken.system);
        self.narrowed(&text, compiled.as_deref().zip(system.as_deref()), Succeeded(false)).await
    }
}
