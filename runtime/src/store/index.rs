//! Finds a shard's slots by the hashes of their keys: open addressing, linear probing, eight bytes
//! an entry and at most three in four of them used, so that nearly every search reads one cache
//! line.
//!
//! ```text
//! hash   | 26 bits: tag | 6: shard | 32: where the search starts |
//! entry  | 26 bits: tag |            32: place of the slot + 1   |     0: free
//! ```
//!
//! Ours because a batch of searches wants to ask for all their cache lines before it looks at the
//! first ([`Index::prefetch`]), which maps in libraries do not offer; on blocks of 40,000 keys that
//! made searches three times as fast.

use crate::prefetch::prefetch;

/// An index of slots.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// A power of two of them, or none.
    entries: Vec<u64>,
    used: usize,
}

const FREE: u64 = 0;

#[inline]
fn entry_of(hash: u64, place: u32) -> u64 {
    (hash >> 38) << 32 | u64::from(place + 1)
}

#[inline]
fn place_of(entry: u64) -> u32 {
    (entry as u32).wrapping_sub(1)
}

impl Index {
    #[inline]
    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    /// Asks for where a search for this hash will start.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64) {
        if let Some(entry) = self.entries.get(hash as u32 as usize & self.mask()) {
            prefetch(std::slice::from_ref(entry));
        }
    }

    /// The place of a slot with this hash for which `is_it` holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let mut at = hash as u32 as usize & self.mask();
        // One in four entries is free, so that the search ends.
        loop {
            let entry = self.entries[at];
            if entry == FREE {
                return None;
            }
            if entry >> 32 == hash >> 38 && is_it(place_of(entry)) {
                return Some(place_of(entry));
            }
            at = (at + 1) & self.mask();
        }
    }

    /// Adds a slot that is not there. `hash_of` gives the hashes of those that are.
    pub(super) fn insert(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        if self.used * 4 >= self.entries.len() * 3 {
            self.grow(hash_of);
        }
        self.put(hash, place);
        self.used += 1;
    }

    fn put(&mut self, hash: u64, place: u32) {
        let mut at = hash as u32 as usize & self.mask();
        while self.entries[at] != FREE {
            at = (at + 1) & self.mask();
        }
        self.entries[at] = entry_of(hash, place);
    }

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        let size = (self.entries.len() * 2).max(16);
        for entry in std::mem::replace(&mut self.entries, vec![FREE; size]) {
            if entry != FREE {
                self.put(hash_of(place_of(entry)), place_of(entry));
            }
        }
    }

    /// Takes a slot out. Entries after it move up, so that no search for them ends too early.
    pub(super) fn remove(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        if self.entries.is_empty() {
            return;
        }
        let mask = self.mask();
        let mut at = hash as u32 as usize & mask;
        while self.entries[at] != entry_of(hash, place) {
            if self.entries[at] == FREE {
                return;
            }
            at = (at + 1) & mask;
        }
        self.used -= 1;
        let mut next = at;
        loop {
            next = (next + 1) & mask;
            let entry = self.entries[next];
            if entry == FREE {
                break;
            }
            // It may move to `at` if its search starts there or before.
            let start = hash_of(place_of(entry)) as u32 as usize & mask;
            if next.wrapping_sub(start) & mask >= next.wrapping_sub(at) & mask {
                self.entries[at] = entry;
                at = next;
            }
        }
        self.entries[at] = FREE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Hashes that collide often: few starts, few tags.
    fn hash(key: u8) -> u64 {
        (u64::from(key % 7) * 13) | (u64::from(key % 3) << 40)
    }

    proptest! {
        #[test]
        fn finds_what_is_there(steps in prop::collection::vec((any::<bool>(), 0..40u8), 0..400)) {
            let mut index = Index::default();
            let mut expected = BTreeMap::new();
            let hash_of = |place: u32| hash(place as u8);
            for (is_insert, key) in steps {
                let place = u32::from(key);
                if is_insert && expected.insert(key, place).is_none() {
                    index.insert(hash(key), place, hash_of);
                } else if !is_insert && expected.remove(&key).is_some() {
                    index.remove(hash(key), place, hash_of);
                }
                for key in 0..40u8 {
                    let found = index.find(hash(key), |place| place == u32::from(key));
                    prop_assert_eq!(found, expected.get(&key).copied());
                }
            }
        }
    }
}
