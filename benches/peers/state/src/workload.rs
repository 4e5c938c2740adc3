//! What every store is given: keys to load, then blocks that update some of them.
//!
//! ```text
//! version   0 0 0 0 0 0 0 0     loaded
//!           0 1 0 0 1 0 1 0     after block 1
//!           2 1 0 0 2 0 1 2     after block 2: key i has the value (i, version i)
//! ```
//!
//! # Invariants
//! 1. The same arguments give the same updates, in every process (`tests::is_the_same_again`).
//! 2. A block has each key once (`tests::keys_of_a_block_differ`).

use anyhow::ensure;
use std::ops::Range;

/// A key: uniform over all.
pub(crate) type Key = [u8; 32];
/// A value.
pub(crate) type Value = [u8; 32];

/// What a block sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) key: Key,
    pub(crate) value: Value,
}

/// Draws blocks, and knows what the state is after them.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// For each key the block that set it last, 0 for loading.
    versions: Vec<u32>,
    block_keys: usize,
    blocks: u32,
    dice: Dice,
}

impl Workload {
    /// Before the first block.
    ///
    /// # Errors
    /// If a block would not have different keys, or there are none.
    pub(crate) fn new(keys: u32, block_keys: usize) -> anyhow::Result<Workload> {
        ensure!(block_keys > 0, "a block needs at least one key");
        ensure!(
            block_keys <= keys as usize,
            "a block of {block_keys} different keys needs as many, there are {keys}"
        );
        let versions = vec![0; keys as usize];
        Ok(Workload { versions, block_keys, blocks: 0, dice: Dice(0x5eed) })
    }

    /// How many keys there are.
    pub(crate) fn keys(&self) -> u32 {
        self.versions.len() as u32
    }

    /// Some of the keys with their first values.
    pub(crate) fn load(&self, indices: Range<u32>) -> Vec<Update> {
        indices.map(|index| Update { key: key(index), value: value(index, 0) }).collect()
    }

    /// The updates of the next block, in no order that helps.
    pub(crate) fn next_block(&mut self) -> Vec<Update> {
        self.blocks += 1;
        let mut updates = Vec::with_capacity(self.block_keys);
        // Floyd's way to draw different numbers.
        for last in self.keys() - self.block_keys as u32..self.keys() {
            let mut index = self.dice.below(last + 1);
            if self.versions[index as usize] == self.blocks {
                index = last;
            }
            self.versions[index as usize] = self.blocks;
            updates.push(Update { key: key(index), value: value(index, self.blocks) });
        }
        updates
    }

    /// What a store must hold: the keys of the last block, and about `spread` keys more, evenly
    /// spread over all.
    pub(crate) fn sample(&self, spread: u32) -> Vec<Update> {
        let step = (self.keys() / spread.max(1)).max(1);
        let is_wanted = |index: &u32| {
            index.is_multiple_of(step) || self.versions[*index as usize] == self.blocks
        };
        let expected =
            |index| Update { key: key(index), value: value(index, self.versions[index as usize]) };
        (0..self.keys()).filter(is_wanted).map(expected).collect()
    }
}

fn key(index: u32) -> Key {
    Dice(u64::from(index) << 32).bytes()
}

fn value(index: u32, version: u32) -> Value {
    Dice((u64::from(index) << 32) | (1 << 31) | u64::from(version)).bytes()
}

/// SplitMix64.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        (((self.roll() >> 32) * u64::from(bound)) >> 32) as u32
    }

    fn bytes(mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&self.roll().to_le_bytes()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn after(blocks: usize) -> (Workload, Vec<Vec<Update>>) {
        let mut workload = Workload::new(1_000, 300).unwrap();
        let drawn = (0..blocks).map(|_| workload.next_block()).collect();
        (workload, drawn)
    }

    #[test]
    fn is_the_same_again() {
        assert_eq!(after(3).1, after(3).1);
    }

    #[test]
    fn keys_of_a_block_differ() {
        for block in after(5).1 {
            let keys: BTreeSet<Key> = block.iter().map(|update| update.key).collect();
            assert_eq!(keys.len(), 300);
        }
        let mut all = Workload::new(50, 50).unwrap();
        assert_eq!(
            all.next_block().iter().map(|update| update.key).collect::<BTreeSet<_>>().len(),
            50
        );
        assert!(Workload::new(50, 51).is_err());
    }

    #[test]
    fn the_sample_is_what_the_blocks_left() {
        let (workload, blocks) = after(4);
        let mut state: BTreeMap<Key, Value> =
            workload.load(0..1_000).iter().map(|update| (update.key, update.value)).collect();
        assert_eq!(state.len(), 1_000);
        for update in blocks.iter().flatten() {
            state.insert(update.key, update.value);
        }
        let sample = workload.sample(100);
        assert!(sample.len() >= 300 && sample.len() <= 400);
        assert!(sample.iter().all(|update| state[&update.key] == update.value));
        let keys: BTreeSet<Key> = sample.iter().map(|update| update.key).collect();
        assert!(blocks[3].iter().all(|update| keys.contains(&update.key)));
        assert_eq!(workload.sample(1_000).len(), 1_000);
    }
}
