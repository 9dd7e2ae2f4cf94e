//! What is done with the result of a miss when its client has gone: its record, the store, a check for later.
use super::{Call, KEEP_LIMIT, Miss, Taken, flat, not_storable, run_compiler};
use crate::backlog::Entered;
use crate::behind::{self, Check};
use crate::carried;
use crate::elsewhere;
use crate::hasher::Confirm;
use crate::inputs::{Compiled, Moment, Observed};
use crate::pending::{ToShare, Write};
use crate::permits::{Deadline, Permit, acquire};
use crate::routes::ask;
use crate::statistics::{self, NotStored};
use crate::storage_actor::{Keep, Kept, LookAgain, Seen};
use cachepot_engine::compiler::gnu;
use cachepot_engine::digest::Digest;
use cachepot_engine::scan::Hidden;
use cachepot_storage::error::StoreError;
use cachepot_storage::remote::bundle::SMALL_BYTES;
use std::sync::Arc;
use std::time::Instant;

impl Miss {
    /// Records a result of a compile that had ended at that moment.
    pub(super) async fn keep(
        self: Box<Self>,
        (taken, seen): (Taken, Seen),
        mut entered: Entered,
        ended: Moment,
    ) {
        entered.turn().await;
        let began = Instant::now();
        match self.conclude(taken, seen, ended).await {
            Ok(()) => statistics::written(&self.shared.stats, began.elapsed()),
            Err(why) => statistics::not_stored(&self.shared.stats, &why),
        }
    }

    async fn conclude(&self, taken: Taken, seen: Seen, ended: Moment) -> Result<(), NotStored> {
        let deadline = Deadline::after(KEEP_LIMIT);
        let observed = self.observed(seen, &taken.compiled, deadline).await?;
        let (taken, observed) = self.for_all_checkouts(taken, observed).await?;
        let Taken { meta, outputs, compiled, room: in_memory, permit, .. } = taken;
        // The result bears the name of the compiler that was found: it must be the one that ran.
        if !self.call.compiler.is_current() {
            return Err(NotStored::TooNew);
        }
        let job = self.call.key;
        let (date_is_fixed, during) = (self.call.date_is_fixed, (self.start, ended));
        let bytes = outputs.iter().map(|(_, _, output)| output.size()).sum();
        let is_large = bytes > SMALL_BYTES as u64;
        // What is kept nowhere else cannot wait for a check.
        let waits = self.shared.store.takes(bytes) || !self.shared.tiers.take_writes();
        let (record, check) = match observed.record_for_now(&job, date_is_fixed, during) {
            Some(record) if waits || record.window.is_none() => {
                let check =
                    record.window.is_some().then(|| self.check(compiled, observed, record.result, is_large));
                (record, check)
            }
            _ => {
                let used = self.used(&compiled, &observed, &permit, deadline).await?;
                let record = observed.into_record(&job, used, date_is_fixed, during);
                (record.map_err(not_storable)?, None)
            }
        };
        let (result, stands) = (record.result, record.window.is_none());
        let room = match in_memory {
            _ if !stands => None,
            None => carried::room(&self.shared, bytes, deadline).await,
            room => room,
        };
        // Held to the end: what is kept is not yet announced to the remotes.
        let _recording = Arc::clone(&permit);
        let message = Keep { job, meta, outputs, record, room, permit };
        let kept = ask(self.shared.routes().local_store.as_ref(), message, deadline)
            .await
            .map_err(NotStored::skipped)?;
        let Kept { carried, failure } = kept.map_err(NotStored::skipped)?;
        let is_for_remotes = carried.is_some();
        if failure.is_none() {
            self.shared.tiers.let_go(Some(&result));
        }
        if failure.is_none() || is_for_remotes {
            if let Some(check) = check {
                behind::queue(&self.shared, check);
            } else if stands {
                let write = Write { job, result };
                self.shared.tiers.push(&self.shared, ToShare { write, is_large, carried });
            }
        }
        match failure {
            // The settings want no more in the local store.
            Some(StoreError::TooLarge { .. }) if is_for_remotes => Ok(()),
            failure => flat(failure.map_or(Ok(()), Err)),
        }
    }

    /// What the compile depended on; now is the time to look at what could wait.
    async fn observed(
        &self,
        seen: Seen,
        compiled: &Arc<Compiled>,
        deadline: Deadline,
    ) -> Result<Observed, NotStored> {
        let sight = match seen {
            Seen::Whole(observed) => return Ok(*observed),
            Seen::InPart(sight) => sight,
        };
        let permit = acquire(&self.shared.permits.local_store, deadline).await;
        let permit = permit.ok_or_else(|| NotStored::skipped("store busy"))?;
        let (subject, compiled) = (Arc::clone(&self.subject), Arc::clone(compiled));
        let message = LookAgain { subject, compiled, sight, permit };
        let looked = ask(self.shared.routes().local_store.as_ref(), message, deadline).await;
        looked.map_err(NotStored::skipped)?.map_err(NotStored::skipped)?.map_err(not_storable)
    }

    /// A result without the names of folders that are somewhere else in another checkout.
    async fn for_all_checkouts(
        &self,
        mut taken: Taken,
        mut observed: Observed,
    ) -> Result<(Taken, Observed), NotStored> {
        if self.subject.job.bases.is_empty() {
            return Ok((taken, observed));
        }
        let (store, subject) = (Arc::clone(&self.shared.store), Arc::clone(&self.subject));
        let put_marks = move || {
            let Taken { meta, outputs, compiled, .. } = &mut taken;
            let made = elsewhere::Made { record: &mut observed.record, meta, outputs };
            elsewhere::put_marks(&store, &subject, compiled, made)?;
            Ok::<_, elsewhere::NotNeutral>((taken, observed))
        };
        let marked = tokio::task::spawn_blocking(put_marks).await.map_err(NotStored::skipped)?;
        marked.map_err(NotStored::skipped)
    }

    fn check(&self, compiled: Arc<Compiled>, observed: Observed, result: Digest, is_large: bool) -> Check {
        let Call { key: job, query, compiler, words, .. } = &self.call;
        let words = gnu::preprocessing(&self.subject.driver, words);
        let (query, compiler) = (query.clone(), Arc::clone(compiler));
        Check { job: *job, result, is_large, query, compiler, words, compiled, observed }
    }

    /// What the compile used of what its texts may use.
    async fn used(
        &self,
        compiled: &Arc<Compiled>,
        observed: &Observed,
        permit: &Arc<Permit>,
        deadline: Deadline,
    ) -> Result<Hidden, NotStored> {
        if !observed.may_use.any() {
            return Ok(Hidden::default());
        }
        let words = gnu::preprocessing(&self.subject.driver, &self.call.words);
        let text = run_compiler(&self.shared, &self.call.query, &words).await;
        let used = Hidden::in_preprocessed(&text.ok_or_else(|| NotStored::skipped("preprocessor failed"))?);
        // The preprocessed text must speak of the same files.
        let (cwd, compiled) = (self.call.query.cwd.clone(), Arc::clone(compiled));
        let message = Confirm { cwd, compiled, seen: observed.clone(), permit: Arc::clone(permit) };
        let confirmed = ask(self.shared.routes().hashers.as_ref(), message, deadline).await;
        if !confirmed.map_err(NotStored::skipped)?.map_err(NotStored::skipped)? {
            return Err(NotStored::TooNew);
        }
        Ok(used)
    }
}
