//! Whether a request should wait for a remote. A remote that is far away costs a build without hits more than it can give: then
//! it is asked beside the compile, and waited for again when it has something. Pure.
use std::time::Duration;

/// How much of the estimate each answer replaces at least: the first ones replace more.
const WEIGHT: f64 = 0.25;
/// The estimate never falls below this, so that a remote near by is always asked.
const LEAST: f64 = 0.02;

/// See the file's head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    /// The share of questions with a hit, the last ones counting most.
    hits: f64,
    /// How long answers take, in seconds; likewise.
    seconds: f64,
    /// The answers so far, and one for what is assumed before.
    count: f64,
}

impl Default for Odds {
    fn default() -> Self {
        Odds { hits: 0.5, seconds: 0.0, count: 1.0 }
    }
}

impl Odds {
    /// Takes note of an answer.
    pub(crate) fn note(&mut self, is_hit: bool, took: Duration) {
        self.count += 1.0;
        let weight = WEIGHT.max(1.0 / self.count);
        let mix = |old: f64, new: f64| old + weight * (new - old);
        self.hits = mix(self.hits, f64::from(u8::from(is_hit))).max(LEAST);
        // What is large takes longer, and says nothing of the questions that find nothing.
        if self.seconds == 0.0 {
            self.seconds = took.as_secs_f64();
        } else if !is_hit {
            self.seconds = mix(self.seconds, took.as_secs_f64());
        }
    }

    /// Whether what an answer is likely to save, where a compile takes this long, is more than the wait for it.
    pub(crate) fn are_worth(&self, compile: Duration) -> bool {
        self.hits * compile.as_secs_f64() >= self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPILE: Duration = Duration::from_millis(200);

    fn after(answers: &[bool], took: Duration) -> bool {
        let mut odds = Odds::default();
        answers.iter().for_each(|is_hit| odds.note(*is_hit, took));
        odds.are_worth(COMPILE)
    }

    #[test]
    fn a_remote_near_by_is_always_waited_for() {
        assert!(after(&[], Duration::ZERO));
        assert!(after(&[false; 1000], Duration::from_millis(3)));
    }

    #[test]
    fn one_far_away_is_waited_for_while_it_has_something() {
        let far = Duration::from_millis(60);
        assert!(after(&[], far) && after(&[true; 100], far) && after(&[true, false, true, false], far));
        assert!(!after(&[false; 2], far));
        let found_again: Vec<bool> = [false; 100].into_iter().chain([true; 2]).collect();
        assert!(after(&found_again, far));
    }
}
