//! The keys of a block: found once, numbered, their parent values fetched, their versions placed.
//!
//! Work is sharded by the keys' hashes. Each shard walks all accesses in block order and keeps, for
//! each of its keys, the latest version and the adds since.

use crate::bytes::Bytes;
use crate::plan::{CellIndex, PARENT, Placement, Sum};
use crate::registry::ContractIndex;
use crate::resolve::Resolved;
use crate::store::{MemoryStore, SlotIndex};
use hashbrown::HashTable;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use tollway_host_api::Mode;

/// A key of a block.
#[derive(Debug)]
pub(crate) struct PlannedKey {
    hash: u64,
    pub(crate) contract: ContractIndex,
    pub(crate) key: Bytes,
    /// Its slot in the store, if it has one.
    pub(crate) slot: Option<SlotIndex>,
    /// Its value in the parent state.
    pub(crate) base: Option<Bytes>,
    /// The cell of its last version, by its shard's numbers.
    last: CellIndex,
    /// The first access that may change it, if there is one: what it finds is `base`.
    pub(crate) first_change: CellIndex,
    /// The last add that no sum has yet.
    open_add: u32,
}

/// The keys of a block, by number and by name.
///
/// A key's number is its place in its shard, then the shard's own number in the lowest bits, so
/// numbers are dense but for the shards' different lengths.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    /// A power of two of them, or none.
    shards: Vec<ShardKeys>,
    /// How many bits of a number are the shard's.
    shard_bits: u32,
}

#[derive(Debug, Default)]
struct ShardKeys {
    keys: Vec<PlannedKey>,
    table: HashTable<u32>,
    /// The cell of its first sum.
    first_sum: CellIndex,
}

impl KeyIndex {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.keys.len()).sum()
    }

    /// One more than the highest number, at least.
    pub(crate) fn number_count(&self) -> usize {
        let longest = self.shards.iter().map(|shard| shard.keys.len()).max();
        longest.unwrap_or(0) << self.shard_bits
    }

    /// All keys, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &PlannedKey)> {
        (0..self.shards.len()).flat_map(|shard| self.iter_shard(shard))
    }

    pub(crate) fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// The keys of one shard, with their numbers.
    pub(crate) fn iter_shard(
        &self,
        shard: usize,
    ) -> impl ExactSizeIterator<Item = (u32, &PlannedKey)> {
        let keys = self.shards[shard].keys.iter().enumerate();
        keys.map(move |(local, key)| (self.number(local as u32, shard), key))
    }

    #[inline]
    fn number(&self, local: u32, shard: usize) -> u32 {
        (local << self.shard_bits) | shard as u32
    }

    #[inline]
    fn shard_of_number(&self, number: u32) -> &ShardKeys {
        &self.shards[number as usize & self.shards.len().wrapping_sub(1)]
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> &PlannedKey {
        &self.shard_of_number(number).keys[(number >> self.shard_bits) as usize]
    }

    /// The cell of a key's last version, or [`PARENT`] if no call may change it.
    #[inline]
    pub(crate) fn last_version(&self, number: u32) -> CellIndex {
        renumber(self.get(number).last, self.shard_of_number(number).first_sum)
    }

    /// The number of a key, if any access set has it.
    pub(crate) fn find(&self, hash: u64, contract: ContractIndex, key: &[u8]) -> Option<u32> {
        let number = shard_of(hash, self.shards.len());
        let shard = self.shards.get(number)?;
        let is_it = |local: &u32| {
            let planned = &shard.keys[*local as usize];
            planned.contract == contract && *planned.key == *key
        };
        shard.table.find(hash, is_it).map(|local| self.number(*local, number))
    }
}

/// The shard of a hash. Its middle bits: the table uses the top and the bottom ones.
#[inline]
fn shard_of(hash: u64, shards: usize) -> usize {
    (hash >> 32) as usize & shards.wrapping_sub(1)
}

/// What [`place`] gives.
pub(crate) struct Placed {
    pub(crate) keys: KeyIndex,
    pub(crate) placements: Vec<Placement>,
    pub(crate) sums: Vec<Sum>,
}

/// Marks a source that is a sum of its own shard, before sums are numbered together.
const SHARD_SUM: u32 = 1 << 31;

struct Shard {
    keys: Vec<PlannedKey>,
    table: HashTable<u32>,
    sums: Vec<Sum>,
}

/// Fewer accesses than this are not worth a second thread.
const SHARD_ACCESSES_MIN: usize = 4_096;

/// Places the versions of all keys.
pub(crate) fn place(resolved: &Resolved, store: &MemoryStore) -> Placed {
    let accesses = resolved.accesses.len();
    let threads = rayon::current_num_threads();
    let shard_count = if accesses < SHARD_ACCESSES_MIN { 1 } else { threads.next_power_of_two() };
    let cells: Vec<AtomicU64> = (0..accesses).map(|_| AtomicU64::new(0)).collect();
    let place = |shard| place_shard(resolved, store, shard, shard_count, &cells);
    let shards: Vec<Shard> = if shard_count == 1 {
        vec![place(0)]
    } else {
        (0..shard_count).into_par_iter().map(place).collect()
    };
    join(resolved, shards, cells)
}

fn place_shard(
    resolved: &Resolved,
    store: &MemoryStore,
    number: usize,
    shard_count: usize,
    cells: &[AtomicU64],
) -> Shard {
    let expected = resolved.accesses.len() / shard_count;
    let mut shard = Shard {
        keys: Vec::with_capacity(expected),
        table: HashTable::with_capacity(expected),
        sums: Vec::new(),
    };
    for (index, access) in resolved.accesses.iter().enumerate() {
        if shard_of(access.hash, shard_count) != number {
            continue;
        }
        let key = shard.number(resolved.key(access), access.contract, access.hash);
        let planned = &mut shard.keys[key as usize];
        if planned.first_change == PARENT && access.mode != Mode::Read {
            planned.first_change = index as CellIndex;
        }
        let source = match access.mode {
            Mode::Add => std::mem::replace(&mut planned.open_add, index as u32),
            Mode::Read | Mode::Write => {
                close_sum(planned, key, false, &mut shard.sums);
                let source = planned.last;
                if access.mode == Mode::Write {
                    planned.last = index as CellIndex;
                }
                source
            }
        };
        cells[index].store(pack(key, source), Ordering::Relaxed);
    }
    for (number, planned) in shard.keys.iter_mut().enumerate() {
        close_sum(planned, number as u32, true, &mut shard.sums);
    }
    shard.fetch(store);
    shard
}

impl Shard {
    #[inline]
    fn number(&mut self, key: &[u8], contract: ContractIndex, hash: u64) -> u32 {
        let keys = &self.keys;
        let is_it = |number: &u32| {
            let planned = &keys[*number as usize];
            planned.contract == contract && *planned.key == *key
        };
        if let Some(number) = self.table.find(hash, is_it) {
            return *number;
        }
        let number = self.keys.len() as u32;
        self.keys.push(PlannedKey {
            hash,
            contract,
            key: Bytes::new(key),
            slot: None,
            base: None,
            last: PARENT,
            first_change: PARENT,
            open_add: PARENT,
        });
        let keys = &self.keys;
        self.table.insert_unique(hash, number, |number| keys[*number as usize].hash);
        number
    }
}

impl Shard {
    /// Fetches the parent state. In loops of their own, so that the processor has the cache misses
    /// of many keys under way at once.
    fn fetch(&mut self, store: &MemoryStore) {
        for planned in &mut self.keys {
            planned.slot = store.find(planned.hash, planned.contract, &planned.key);
        }
        for planned in &mut self.keys {
            planned.base = planned.slot.and_then(|slot| store.value(slot)).cloned();
        }
    }
}

/// Puts a sum on top of a key's version if adds came since.
fn close_sum(planned: &mut PlannedKey, key: u32, is_final: bool, sums: &mut Vec<Sum>) {
    if planned.open_add != PARENT {
        let (prior, last_add) = (planned.last, planned.open_add);
        sums.push(Sum { key, prior, last_add, is_final });
        planned.last = SHARD_SUM | (sums.len() - 1) as u32;
        planned.open_add = PARENT;
    }
}

fn pack(key: u32, source: u32) -> u64 {
    (u64::from(key) << 32) | u64::from(source)
}

/// Gives a cell that its shard numbered its place among all.
#[inline]
fn renumber(cell: CellIndex, first_sum: CellIndex) -> CellIndex {
    if cell == PARENT || cell & SHARD_SUM == 0 { cell } else { first_sum + (cell & !SHARD_SUM) }
}

/// Numbers the keys and sums of all shards together.
fn join(resolved: &Resolved, shards: Vec<Shard>, cells: Vec<AtomicU64>) -> Placed {
    let shard_count = shards.len();
    let mut keys = KeyIndex { shards: Vec::new(), shard_bits: shard_count.trailing_zeros() };
    let mut sums = Vec::new();
    for (number, shard) in shards.into_iter().enumerate() {
        let first_sum = (cells.len() + sums.len()) as CellIndex;
        sums.extend(shard.sums.into_iter().map(|sum| Sum {
            key: keys.number(sum.key, number),
            prior: renumber(sum.prior, first_sum),
            ..sum
        }));
        keys.shards.push(ShardKeys { keys: shard.keys, table: shard.table, first_sum });
    }
    let placements = cells
        .into_iter()
        .zip(&resolved.accesses)
        .map(|(cell, access)| {
            let packed = cell.into_inner();
            let shard = shard_of(access.hash, shard_count);
            let key = keys.number((packed >> 32) as u32, shard);
            Placement { key, source: renumber(packed as u32, keys.shards[shard].first_sum) }
        })
        .collect();
    Placed { keys, placements, sums }
}
