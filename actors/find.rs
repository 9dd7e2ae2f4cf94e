//! The look-up of a request: the one hop to a Hasher, unless nothing was ever stored for the job; and where that finds nothing, what
//! remotes bring.
use crate::drive::hit;
use crate::hasher::{FindResult, LookUp};
use crate::hints::Hints;
use crate::inputs::Early;
use crate::permits::{Deadline, acquire};
use crate::question::Question;
use crate::routes::ask;
use crate::shared::Shared;
use crate::statistics;
use crate::subject::Subject;
use crate::tiers::Brought;
use cachepot_engine::digest::Digest;
use cachepot_engine::stats::Stat;
use cachepot_storage::local::Fetched;
use cachepot_wire::HitReply;
use std::fs::File;
use std::sync::Arc;

/// What a look-up comes to.
pub(crate) enum Found {
    /// A result.
    Hit(HitReply, Vec<File>),
    /// The job's key, and what was young.
    Nothing(Digest, Early),
}

/// A look-up in the local store.
enum Local {
    Found(Box<Fetched>),
    /// A record stands whose result is not there.
    Lost(Digest),
    Unknown,
    /// Nothing was ever stored for the job; nobody was asked.
    NeverStored,
}

/// Looks a result up; `None` where the client is to compile without us.
pub(crate) async fn find(
    shared: &Arc<Shared>,
    subject: &Arc<Subject>,
    recache: bool,
    (deadline, hints): (Deadline, &Hints),
) -> Option<Found> {
    let key = (!subject.takes_files()).then(|| subject.key(&shared.memory));
    if let Some(key) = &key {
        shared.backlog.settle(key, deadline).await;
    }
    let (key, early, local) = match key.filter(|key| recache || !shared.manifests.may_hold(key)) {
        Some(key) => (key, Early::default(), Local::NeverStored),
        None => look(shared, subject, key, recache, deadline).await?,
    };
    // A key that is known only now. What is made anew comes after what was made before.
    let is_news = subject.takes_files()
        && matches!(local, Local::Unknown)
        && shared.backlog.settle(&key, deadline).await;
    let (key, early, local) = match is_news && !recache {
        true => look(shared, subject, Some(key), recache, deadline).await?,
        false => (key, early, local),
    };
    let (early, local) = match local {
        found @ Local::Found(_) => (early, found),
        _ if recache => (early, Local::NeverStored),
        local => look_further(shared, subject, key, (early, local), (deadline, hints)).await?,
    };
    match local {
        Local::Found(opened) => {
            if let Some((reply, blobs)) = hit(&subject.job, *opened) {
                return Some(Found::Hit(reply, blobs));
            }
        }
        Local::Unknown | Local::NeverStored => return Some(Found::Nothing(key, early)),
        Local::Lost(_) => {}
    }
    // A record without its entry: made anew under the same job.
    statistics::read_error(&shared.stats, subject.job.language.name());
    Some(Found::Nothing(key, early))
}

async fn look(
    shared: &Shared,
    subject: &Arc<Subject>,
    key: Option<Digest>,
    recache: bool,
    deadline: Deadline,
) -> Option<(Digest, Early, Local)> {
    let routes = shared.routes();
    let permit = acquire(&shared.permits.hashing, deadline).await?;
    let message = FindResult { subject: Arc::clone(subject), key, recache, deadline, permit };
    match ask(routes.hashers.as_ref(), message, deadline).await {
        Ok(Ok(LookUp::Found(key, opened))) => Some((key, Early::default(), Local::Found(opened))),
        Ok(Ok(LookUp::Lost(key, result, early))) => Some((key, early, Local::Lost(result))),
        Ok(Ok(LookUp::Unknown(key, early))) => Some((key, early, Local::Unknown)),
        Ok(Ok(LookUp::Expired)) | Err(_) => {
            shared.stats.bump(Stat::CacheTimeouts);
            None
        }
        Ok(Err(_)) => None,
    }
}

/// Asks one remote after the other for what the local store lacks; each time one brings something, looks again.
async fn look_further(
    shared: &Arc<Shared>,
    subject: &Arc<Subject>,
    key: Digest,
    mut seen: (Early, Local),
    (deadline, hints): (Deadline, &Hints),
) -> Option<(Early, Local)> {
    for at in shared.tiers.readable() {
        let hints = hints.of(&subject.job);
        let question = Question { shared, at, deadline };
        let is_in_hand = matches!(&seen.1, Local::Lost(result) if shared.tiers.in_hand(result).is_some());
        if !is_in_hand && !question.is_worth_it(key, &subject.job.bases) {
            continue;
        }
        let (mut asked_result, mut asked_job, mut head) = (false, false, None);
        loop {
            let brought = match &seen.1 {
                Local::Found(_) => return Some(seen),
                Local::Lost(result) if !asked_result => {
                    asked_result = true;
                    match shared.tiers.in_hand(result) {
                        Some(in_hand) => Brought::Entry(*result, in_hand),
                        None => {
                            let head = head.take().filter(|(of, _)| of == result).map(|(_, head)| head);
                            question.bring_result(*result, head, &hints).await
                        }
                    }
                }
                // Another request has brought it meanwhile.
                Local::NeverStored if shared.manifests.may_hold(&key) => Brought::News,
                // The newest result travels with its job, or its head.
                Local::Lost(_) | Local::Unknown | Local::NeverStored if !asked_job => {
                    asked_job = true;
                    question.bring_job(key, &subject.job.bases).await
                }
                Local::Lost(_) | Local::Unknown | Local::NeverStored => break,
            };
            let in_hand = match brought {
                Brought::Nothing => continue,
                Brought::News => None,
                Brought::Head(result, entry) => {
                    (asked_result, head) = (false, Some((result, entry)));
                    None
                }
                Brought::Entry(result, brought) => Some((result, brought)),
            };
            // A record that stood when it was looked at stands for the whole request; what came since is looked at.
            if !matches!((&seen.1, &in_hand), (Local::Lost(result), Some((of, _))) if result == of) {
                let (_, early, local) = look(shared, subject, Some(key), false, deadline).await?;
                seen = (early, local);
            }
            if let (Local::Lost(result), Some((of, brought))) = (&seen.1, in_hand)
                && *result == of
                && let Some(opened) = question.hand_over(key, of, &brought)
            {
                seen.1 = Local::Found(Box::new(opened));
            }
        }
    }
    Some(seen)
}
