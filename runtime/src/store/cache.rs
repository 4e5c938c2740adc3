//! A store that holds a part of the state: keys are fetched from below it when a block first names
//! them, and leave it again when no block has named them for long.
//!
//! ```text
//! block's keys ─▶ found here ──────────────────────────────▶ slots
//!            └──▶ not here ─▶ read_many below ─▶ put here ─┘   also those that have no value
//! ```
//!
//! # Invariants
//! 1. What was changed since the state below was last asked for is here, so that a key that is not
//!    here has the value that it has below (`tests/keeping.rs`).
//! 2. No key leaves that a remembered height changed, or that the state below does not have yet.

use super::{MemoryStore, NO_SLOT, SHARDS, Shard, Slot, SlotIndex, shard_of_hash};
use crate::block::Height;
use crate::bytes::{Bytes, Key};
use crate::keeper::KeepError;
use crate::registry::{ContractIndex, Registry};
use crate::state::push_storage_key;
use crate::store::StoreError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tollway_state::Found;

/// The state below a store.
pub(crate) trait Below: std::fmt::Debug + Send + Sync {
    /// The values of state keys.
    ///
    /// # Errors
    /// [`KeepError`] if they can't be read.
    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), KeepError>;
}

/// What is below, and how much of it may be here.
#[derive(Debug)]
pub(super) struct Cache {
    below: Arc<dyn Below>,
    shard_keys_max: usize,
}

/// The height at which a slot was last used: its lowest bits, which is enough to tell what was used
/// long ago. Written by threads that find keys, at a place where all of them write the same.
#[derive(Debug, Default)]
pub(super) struct LastUse(AtomicU32);

impl LastUse {
    pub(super) fn at(height: Height) -> Self {
        Self(AtomicU32::new(height.0 as u32))
    }

    #[inline]
    pub(super) fn set(&self, height: Height) {
        // Nearly always so already, and then the cache line stays clean.
        if self.0.load(Ordering::Relaxed) != height.0 as u32 {
            self.0.store(height.0 as u32, Ordering::Relaxed);
        }
    }

    /// Heights that passed since.
    fn age(&self, now: Height) -> u32 {
        (now.0 as u32).wrapping_sub(self.0.load(Ordering::Relaxed))
    }
}

/// State keys, one after another.
#[derive(Default)]
pub(crate) struct StateKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl StateKeys {
    /// Adds the key of a stored value.
    pub(crate) fn push(&mut self, registry: &Registry, contract: ContractIndex, key: &[u8]) {
        push_storage_key(&mut self.bytes, &registry.contract(contract).address, key);
        self.ends.push(self.bytes.len());
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn read(&self, below: &dyn Below) -> Result<Found, KeepError> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let keys: Vec<&[u8]> =
            starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]).collect();
        let mut found = Found::new();
        below.read_many(&keys, &mut found)?;
        Ok(found)
    }
}

impl MemoryStore {
    /// Makes it hold a part of the state alone, of so many keys if it can.
    pub(crate) fn cache(&mut self, below: Arc<dyn Below>, keys_max: usize) {
        self.cache = Some(Cache { below, shard_keys_max: keys_max.div_ceil(SHARDS) });
    }

    /// Whether keys that are not here may be below.
    pub(crate) fn is_cache(&self) -> bool {
        self.cache.is_some()
    }

    /// The value of a key, here or below.
    ///
    /// # Errors
    /// [`KeepError`] if the state below can't be read.
    pub(crate) fn read(
        &self,
        registry: &Registry,
        contract: ContractIndex,
        key: &[u8],
    ) -> Result<Option<Bytes>, KeepError> {
        let slot = self.find(self.hash(contract, key), contract, key);
        match &self.cache {
            Some(cache) if slot == NO_SLOT => {
                let mut keys = StateKeys::default();
                keys.push(registry, contract, key);
                Ok(keys.read(&*cache.below)?.get(0).map(Bytes::new))
            }
            _ => Ok(self.value(slot).cloned()),
        }
    }

    /// Reads keys below, and puts them here: `names` gives contract and key of each of `keys`, and
    /// `placed` takes its slot and value. A key may come twice.
    ///
    /// # Errors
    /// [`StoreError`] if the state below can't be read, or there is no room.
    pub(crate) fn fetch<'k>(
        &mut self,
        keys: &StateKeys,
        names: impl Iterator<Item = (ContractIndex, &'k [u8])>,
        mut placed: impl FnMut(SlotIndex, Option<&Bytes>),
    ) -> Result<(), StoreError> {
        let Some(cache) = self.cache.as_ref().filter(|_| !keys.is_empty()) else {
            return Ok(());
        };
        let found = keys.read(&*cache.below)?;
        for ((contract, key), value) in names.zip(found.iter()) {
            let hash = self.hash(contract, key);
            let slot = match self.find(hash, contract, key) {
                NO_SLOT => self.put_slot(hash, contract, key, value)?,
                slot => slot,
            };
            placed(slot, self.value(slot));
        }
        Ok(())
    }

    /// Puts a key that is not here.
    pub(super) fn put_slot(
        &mut self,
        hash: u64,
        contract: ContractIndex,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<SlotIndex, StoreError> {
        let number = shard_of_hash(hash);
        let shard = &mut self.shards[number];
        shard.check_room(1)?;
        let (key, value) = (Key::new(key), value.map(Bytes::new));
        let slot = Slot { contract, key, value, last_use: LastUse::at(self.head) };
        Ok(shard.insert(slot, number, &self.hasher))
    }

    /// Lets go of keys that were not used for long, if there are more than the cache shall hold.
    /// The state below has everything up to `kept`.
    pub(crate) fn evict(&mut self, kept: Height) {
        let Some(cache) = &self.cache else { return };
        // What the oldest remembered height changed was used there.
        let oldest = self.history.front().map_or(self.head, |undo| undo.height);
        let needed = oldest.min(Height(kept.0.saturating_add(1)));
        let age_min = self.head.0.saturating_sub(needed.0).saturating_add(1);
        let Ok(age_min) = u32::try_from(age_min) else { return };
        let (most, head, hasher) = (cache.shard_keys_max, self.head, &self.hasher);
        for (number, shard) in self.shards.iter_mut().enumerate() {
            shard.evict(number, most, |last_use| last_use.age(head) >= age_min, hasher);
        }
    }
}

impl Shard {
    fn evict(
        &mut self,
        number: usize,
        most: usize,
        is_old: impl Fn(&LastUse) -> bool,
        hasher: &foldhash::quality::RandomState,
    ) {
        let mut surplus = (self.slots.len() - self.free.len()).saturating_sub(most);
        // Once around at most; the next time it goes on where this one ends.
        for _ in 0..self.slots.len() {
            if surplus == 0 {
                return;
            }
            self.hand = (self.hand + 1) % self.slots.len();
            let index = Self::index_of(self.hand, number);
            let slot = &self.slots[self.hand];
            if slot.is_free() || !is_old(&slot.last_use) || self.emptied.contains_key(&index) {
                continue;
            }
            self.remove(index, hasher);
            surplus -= 1;
        }
    }
}
