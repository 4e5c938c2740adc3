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
    /// The cell of its last version, or [`PARENT`] if no call may change it.
    pub(crate) last: CellIndex,
    /// The last add that no sum has yet.
    open_add: u32,
}

/// The keys of a block, by number and by name.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    keys: Vec<PlannedKey>,
    /// One table a shard, with the number of its first key. A power of two.
    shards: Vec<(HashTable<u32>, u32)>,
}

impl KeyIndex {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &PlannedKey> {
        self.keys.iter()
    }

    pub(crate) fn get(&self, number: u32) -> &PlannedKey {
        &self.keys[number as usize]
    }

    /// The number of a key, if any access set has it.
    pub(crate) fn find(&self, hash: u64, contract: ContractIndex, key: &[u8]) -> Option<u32> {
        let (table, first) = self.shards.get(shard_of(hash, self.shards.len()))?;
        let is_it = |local: &u32| {
            let planned = &self.keys[(first + local) as usize];
            planned.contract == contract && *planned.key == *key
        };
        table.find(hash, is_it).map(|local| first + local)
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
        let key = shard.number(resolved.key(access), access.contract, access.hash, store);
        let planned = &mut shard.keys[key as usize];
        let source = match access.mode {
            Mode::Add => std::mem::replace(&mut planned.open_add, index as u32),
            Mode::Read | Mode::Write => {
                close_sum(planned, key, &mut shard.sums);
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
        close_sum(planned, number as u32, &mut shard.sums);
    }
    shard
}

impl Shard {
    #[inline]
    fn number(
        &mut self,
        key: &[u8],
        contract: ContractIndex,
        hash: u64,
        store: &MemoryStore,
    ) -> u32 {
        let keys = &self.keys;
        let is_it = |number: &u32| {
            let planned = &keys[*number as usize];
            planned.contract == contract && *planned.key == *key
        };
        if let Some(number) = self.table.find(hash, is_it) {
            return *number;
        }
        let number = self.keys.len() as u32;
        let slot = store.find(hash, contract, key);
        self.keys.push(PlannedKey {
            hash,
            contract,
            key: Bytes::new(key),
            slot,
            base: slot.and_then(|slot| store.value(slot)).cloned(),
            last: PARENT,
            open_add: PARENT,
        });
        let keys = &self.keys;
        self.table.insert_unique(hash, number, |number| keys[*number as usize].hash);
        number
    }
}

/// Puts a sum on top of a key's version if adds came since.
fn close_sum(planned: &mut PlannedKey, key: u32, sums: &mut Vec<Sum>) {
    if planned.open_add != PARENT {
        sums.push(Sum { key, prior: planned.last, last_add: planned.open_add });
        planned.last = SHARD_SUM | (sums.len() - 1) as u32;
        planned.open_add = PARENT;
    }
}

fn pack(key: u32, source: u32) -> u64 {
    (u64::from(key) << 32) | u64::from(source)
}

/// Numbers the keys and sums of all shards together.
fn join(resolved: &Resolved, shards: Vec<Shard>, cells: Vec<AtomicU64>) -> Placed {
    let accesses = cells.len() as u32;
    let shard_count = shards.len();
    let mut bases = Vec::with_capacity(shard_count);
    let (mut key_base, mut sum_base) = (0, accesses);
    for shard in &shards {
        bases.push((key_base, sum_base));
        key_base += shard.keys.len() as u32;
        sum_base += shard.sums.len() as u32;
    }
    let renumber = |cell: CellIndex, sum_base: u32| match cell {
        PARENT => PARENT,
        cell if cell & SHARD_SUM != 0 => sum_base + (cell & !SHARD_SUM),
        cell => cell,
    };
    let placements = cells
        .into_iter()
        .zip(&resolved.accesses)
        .map(|(cell, access)| {
            let packed = cell.into_inner();
            let (key_base, sum_base) = bases[shard_of(access.hash, shard_count)];
            let (key, source) = ((packed >> 32) as u32 + key_base, packed as u32);
            Placement { key, source: renumber(source, sum_base) }
        })
        .collect();
    let mut keys = KeyIndex::default();
    let mut sums = Vec::new();
    for (shard, (key_base, sum_base)) in shards.into_iter().zip(bases) {
        sums.extend(shard.sums.into_iter().map(|sum| Sum {
            key: sum.key + key_base,
            prior: renumber(sum.prior, sum_base),
            ..sum
        }));
        let renumbered = shard.keys.into_iter().map(|mut planned| {
            planned.last = renumber(planned.last, sum_base);
            planned
        });
        if keys.keys.is_empty() {
            keys.keys = renumbered.collect();
        } else {
            keys.keys.extend(renumbered);
        }
        keys.shards.push((shard.table, key_base));
    }
    Placed { keys, placements, sums }
}
