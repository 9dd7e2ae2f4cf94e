//! When a remote is left alone. Pure: the time is passed in.
//!
//! A build may lose a second to a dead remote, in all. So requests that a build waits for get [`ANSWER_LIMIT`];
//! while one of them is [`OVERDUE`] and nothing of its answer has come, no other goes out; and after [`MAX_TROUBLE`] failures in a row none does, until a
//! probe that nobody waits for was answered.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::BackendError;
use super::sink::Progress;

/// How long a request may wait for the first byte of its answer.
pub const ANSWER_LIMIT: Duration = Duration::from_millis(450);
/// A request without an answer for this long keeps others from going out.
pub const OVERDUE: Duration = Duration::from_millis(150);
/// Failures in a row after which a remote is left alone: together they last less than a second.
pub const MAX_TROUBLE: u32 = 2;

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A remote that is slower than this is no help, compilers being faster.
const BYTES_PER_SECOND: u64 = 2 << 20;

/// How long a transfer may take of which this much has come: a slow one is given up, and so is one that stands still.
pub fn transfer_limit(bytes: u64) -> Duration {
    ANSWER_LIMIT + Duration::from_millis(bytes.saturating_mul(1000) / BYTES_PER_SECOND)
}

/// A request that is out; to be given back by [`Breaker::end`].
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// See the file's head.
#[derive(Debug, Default)]
pub struct Breaker {
    /// When each request that is out began, and what of its answer has come.
    out: BTreeMap<u64, (Instant, Arc<Progress>)>,
    next: u64,
    /// Failures since the last answer.
    trouble: u32,
    /// Set while the remote is left alone: when it may be probed.
    probe_at: Option<Instant>,
    /// The last pause; each grows upon the one before.
    pause: Duration,
    seed: u64,
}

impl Breaker {
    /// One whose pauses are others than those of one with another seed.
    pub fn new(seed: u64) -> Self {
        Breaker { seed, ..Breaker::default() }
    }

    /// Lets a request go out for which a build waits; `None` where it has to do without.
    pub fn begin(&mut self, now: Instant) -> Option<Ticket> {
        let is_late = self
            .out
            .values()
            .any(|(began, progress)| progress.bytes() == 0 && now.duration_since(*began) >= OVERDUE);
        (self.probe_at.is_none() && !is_late).then(|| self.go(now))
    }

    /// Takes note of how the answer to a request comes: one that takes its time keeps no other out.
    pub fn watch(&mut self, ticket: &Ticket, progress: Arc<Progress>) {
        if let Some((_, watched)) = self.out.get_mut(&ticket.0) {
            *watched = progress;
        }
    }

    /// Lets a probe go out, for which nobody waits: one at a time, and only where the remote has been left alone for
    /// long enough.
    pub fn begin_probe(&mut self, now: Instant) -> Option<Ticket> {
        let is_due = self.probe_at.is_some_and(|at| now >= at);
        (is_due && self.out.is_empty()).then(|| self.go(now))
    }

    /// Whether the remote is left alone.
    pub fn is_open(&self) -> bool {
        self.probe_at.is_some()
    }

    /// Takes note of how a request ended; true where the remote is left alone from here on, to be said once.
    pub fn end(&mut self, ticket: Ticket, outcome: Result<(), &BackendError>, now: Instant) -> bool {
        self.out.remove(&ticket.0);
        self.note(outcome, now)
    }

    /// The same for a request that nobody waits for, such as a write: it may take its time, and has no ticket.
    pub fn note(&mut self, outcome: Result<(), &BackendError>, now: Instant) -> bool {
        let was_open = self.is_open();
        match outcome {
            // It lives: what it says of this one value says nothing of others.
            Ok(())
            | Err(
                BackendError::TooLarge
                | BackendError::Full(_)
                | BackendError::Obstructed(_)
                | BackendError::Denied(_)
                | BackendError::Unwanted,
            ) => {
                (self.trouble, self.probe_at, self.pause) = (0, None, Duration::ZERO);
            }
            Err(BackendError::Throttled { retry_after }) => {
                self.leave_alone(now, retry_after.unwrap_or_default());
            }
            Err(BackendError::Unreachable(_) | BackendError::Malformed(_)) => {
                self.trouble += 1;
                // One that went out before the others had failed says nothing new.
                if self.trouble >= MAX_TROUBLE && self.probe_at.is_none_or(|at| now >= at) {
                    self.leave_alone(now, Duration::ZERO);
                }
            }
        }
        !was_open && self.is_open()
    }

    /// Leaves the remote alone at once: the first try of all was in vain.
    pub fn trip(&mut self, now: Instant) {
        self.trouble = MAX_TROUBLE;
        self.leave_alone(now, Duration::ZERO);
    }

    /// Up to half of the pause, so that not all machines come back at once.
    fn jitter(&mut self) -> Duration {
        // Knuth's MMIX generator; its upper bits are the good ones.
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.pause * u32::from((self.seed >> 56) as u8) / (2 * u32::from(u8::MAX))
    }

    fn go(&mut self, now: Instant) -> Ticket {
        self.next += 1;
        self.out.insert(self.next, (now, Arc::default()));
        Ticket(self.next)
    }

    fn leave_alone(&mut self, now: Instant, at_least: Duration) {
        let grown = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.pause = grown.max(at_least.min(LONGEST_PAUSE));
        self.probe_at = Some(now + self.pause + self.jitter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lost() -> BackendError {
        BackendError::Unreachable(String::new())
    }

    #[test]
    fn t266_a_dead_remote_costs_a_build_less_than_a_second() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let (mut now, mut lost_time) = (start, Duration::ZERO);
        for _ in 0..1000 {
            match breaker.begin(now) {
                Some(ticket) => {
                    now += ANSWER_LIMIT;
                    lost_time += ANSWER_LIMIT;
                    breaker.end(ticket, Err(&lost()), now);
                }
                None => now += Duration::from_millis(100),
            }
        }
        assert!(lost_time < Duration::from_secs(1), "{lost_time:?}");
    }

    #[test]
    fn while_one_is_overdue_no_other_goes_out() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let first = breaker.begin(start).unwrap();
        let second = breaker.begin(start + OVERDUE / 2).unwrap();
        assert_eq!(breaker.begin(start + OVERDUE), None);
        assert!(!breaker.end(first, Ok(()), start + OVERDUE));
        let third = breaker.begin(start + OVERDUE).unwrap();
        for late in [second, third] {
            assert!(!breaker.end(late, Ok(()), start + OVERDUE * 2));
        }
        assert!(breaker.out.is_empty());
    }

    #[test]
    fn one_whose_answer_comes_keeps_no_other_out() {
        let (mut breaker, start, progress) = (Breaker::default(), Instant::now(), Arc::<Progress>::default());
        let large = breaker.begin(start).unwrap();
        breaker.watch(&large, Arc::clone(&progress));
        assert_eq!(breaker.begin(start + OVERDUE), None);
        progress.add(1);
        let second = breaker.begin(start + OVERDUE).unwrap();
        // The second has no answer yet.
        assert_eq!(breaker.begin(start + OVERDUE * 2), None);
        assert!(!breaker.end(second, Ok(()), start + OVERDUE * 2));
        assert!(breaker.begin(start + OVERDUE * 2).is_some());
    }

    #[test]
    fn only_an_answered_probe_lets_requests_out_again() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let fail = |breaker: &mut Breaker, now| {
            let ticket = breaker.begin(now).unwrap();
            breaker.end(ticket, Err(&lost()), now)
        };
        assert_eq!((fail(&mut breaker, start), fail(&mut breaker, start)), (false, true));
        assert_eq!(breaker.begin_probe(start), None);
        assert_eq!(breaker.begin_probe(start + FIRST_PAUSE / 2), None);
        let later = breaker.probe_at.unwrap();
        assert_eq!(breaker.begin(later), None);
        let probe = breaker.begin_probe(later).unwrap();
        assert_eq!(breaker.begin_probe(later), None);
        // Told once, and the pause grows.
        assert!(!breaker.end(probe, Err(&lost()), later));
        assert_eq!(breaker.begin_probe(later + FIRST_PAUSE), None);
        let later = breaker.probe_at.unwrap();
        let probe = breaker.begin_probe(later).unwrap();
        assert!(!breaker.end(probe, Ok(()), later));
        assert!(breaker.begin(later).is_some());
    }

    #[test]
    fn a_remote_that_throttles_is_obeyed_at_once() {
        let (mut breaker, start) = (Breaker::default(), Instant::now());
        let wait = FIRST_PAUSE * 3;
        let ticket = breaker.begin(start).unwrap();
        assert!(breaker.end(ticket, Err(&BackendError::Throttled { retry_after: Some(wait) }), start));
        assert_eq!(breaker.begin_probe(start + wait / 2), None);
        assert!(breaker.begin_probe(start + wait * 3 / 2).is_some());
    }

    #[test]
    fn t268_machines_do_not_come_back_all_at_once() {
        let start = Instant::now();
        let pauses = (0..20).map(|seed| {
            let mut breaker = Breaker::new(seed);
            breaker.trip(start);
            breaker.probe_at.unwrap() - start
        });
        let pauses: std::collections::BTreeSet<Duration> = pauses.collect();
        assert!(pauses.len() > 10);
        assert!(pauses.iter().all(|pause| (FIRST_PAUSE..=FIRST_PAUSE * 3 / 2).contains(pause)));
    }

    #[test]
    fn the_limit_of_a_transfer_grows_with_its_size_and_never_wraps() {
        assert_eq!(transfer_limit(0), ANSWER_LIMIT);
        assert!(transfer_limit(50 << 20) >= Duration::from_secs(25));
        assert!(transfer_limit(u64::MAX) > transfer_limit(1 << 40));
    }

    proptest! {
        #[test]
        fn whatever_happens_probes_go_on(steps in prop::collection::vec((0_u8..3, 0_u64..400_000), 0..100)) {
            let (mut breaker, mut now) = (Breaker::default(), Instant::now());
            for (what, millis) in steps {
                let Some(ticket) = breaker.begin(now).or_else(|| breaker.begin_probe(now)) else {
                    now += Duration::from_millis(millis);
                    continue;
                };
                now += Duration::from_millis(millis);
                let retry_after = Some(Duration::from_millis(millis));
                match what {
                    0 => drop(breaker.end(ticket, Ok(()), now)),
                    1 => drop(breaker.end(ticket, Err(&lost()), now)),
                    _ => drop(breaker.end(ticket, Err(&BackendError::Throttled { retry_after }), now)),
                }
            }
            now += LONGEST_PAUSE * 3 / 2;
            prop_assert!(breaker.begin(now).is_some() || breaker.begin_probe(now).is_some());
        }
    }
}
