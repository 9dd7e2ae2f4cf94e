//! What was used lately, within a bound.
use std::collections::HashMap;
use std::hash::Hash;

/// A memory with a bound in bytes that keeps what was used lately: two generations, and when the young one is
/// half of the bound it becomes the old one and the old one is forgotten.
pub struct Recent<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_bytes: usize,
    max_bytes: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    /// An empty one.
    pub fn new(max_bytes: usize) -> Self {
        Recent { young: HashMap::new(), old: HashMap::new(), young_bytes: 0, max_bytes }
    }
    /// What is remembered under this key; it counts as used lately.
    pub fn get(&mut self, key: &K) -> Option<V> {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (value, bytes) = self.old.remove(key)?;
        self.insert(key.clone(), value.clone(), bytes);
        Some(value)
    }
    /// Remembers a value of about `bytes` bytes; one that is larger than half of the bound is not remembered.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.remove(&key);
        let half = self.max_bytes / 2;
        if bytes > half {
            return;
        }
        if self.young_bytes + bytes > half {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, (value, bytes));
    }
    /// Forgets the value of a key.
    pub fn remove(&mut self, key: &K) {
        self.old.remove(key);
        if let Some((_, bytes)) = self.young.remove(key) {
            self.young_bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn recent_keeps_its_bound(calls in prop::collection::vec((0_u8..30, 0_usize..60, 0_u8..3), 0..200)) {
            let mut recent = Recent::new(100);
            for (key, bytes, call) in calls {
                match call {
                    0 => recent.insert(key, bytes, bytes),
                    1 => recent.remove(&key),
                    _ => { recent.get(&key); }
                }
                let sum = |map: &HashMap<u8, (usize, usize)>| map.values().map(|(_, bytes)| bytes).sum::<usize>();
                prop_assert_eq!(sum(&recent.young), recent.young_bytes);
                prop_assert!(recent.young_bytes + sum(&recent.old) <= 100);
            }
        }
    }
}
