//! How long answers took, in classes that double: percentiles without keeping each number.
use std::time::Duration;

/// Up to 1 µs, 2 µs, 4 µs, … more than an hour.
const CLASSES: usize = 32;

/// See the file's head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latencies([u64; CLASSES]);

impl Latencies {
    /// Counts one.
    pub(crate) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let class = usize::try_from(u64::BITS - micros.leading_zeros()).unwrap_or(CLASSES).min(CLASSES - 1);
        if let Some(count) = self.0.get_mut(class) {
            *count += 1;
        }
    }

    /// The time within which this share (0 to 100) of the answers came, rounded up to a power of two of microseconds;
    /// `None` before the first.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let all: u64 = self.0.iter().sum();
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let class = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Duration::from_micros(1 << class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_upper_end_of_their_class() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), None);
        (0..98).for_each(|_| latencies.add(Duration::from_micros(300)));
        latencies.add(Duration::from_millis(20));
        latencies.add(Duration::MAX);
        let of = |percent| latencies.percentile(percent).unwrap();
        assert_eq!((of(0), of(50), of(98)), (of(1), Duration::from_micros(512), of(1)));
        assert_eq!(of(99), Duration::from_micros(32_768));
        assert!(of(100) > Duration::from_secs(1000));
    }
}
