//! The state below the block: an in-memory map that remembers its last heights.
//!
//! ```text
//! hash of (contract, key) ─▶ one of 64 shards, each with
//!     index  (contract, key) ─▶ slot      slots  [ key, value now ]
//! history  height h: slot ─▶ value before h      … the last `history_max` of them
//! ```
//!
//! Shards are what threads divide a block's keys by, when they place versions and when they commit.
//!
//! # Invariants
//! 1. A batch is applied whole, or not at all if it does not follow the head
//!    (`tests::foreign_batch_is_refused`).
//! 2. A value at a remembered height never changes (`tests::old_heights_stay_readable`).
//! 3. A slot that holds nothing at any remembered height is given free
//!    (`tests::removed_keys_free_their_slots`).
//!
//! The store sees no Wasm type and no plan.

pub(crate) mod cache;
mod index;

use crate::block::Height;
use crate::bytes::{Bytes, Key};
use crate::keeper::KeepError;
use crate::prefetch::prefetch;
use crate::registry::{ContractIndex, Registry};
use cache::{Cache, LastUse};
use foldhash::quality::RandomState;
use hashbrown::HashMap;
use index::Index;
use rayon::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The position of a key in the store, valid until the next commit: its place in its shard, then
/// the shard's number in the lowest bits.
pub(crate) type SlotIndex = u32;

/// No slot: the store does not have the key.
pub(crate) const NO_SLOT: SlotIndex = u32::MAX;

const SHARD_BITS: u32 = 6;

/// Shards of a store. Divisible among as many threads.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;

/// The shard of a key, by its hash. The index of a shard uses the top and the bottom bits.
#[inline]
pub(crate) fn shard_of_hash(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

/// The shard of a slot.
#[inline]
pub(crate) fn shard_of_slot(slot: SlotIndex) -> usize {
    slot as usize % SHARDS
}

/// A slot's place in its shard.
#[inline]
pub(crate) fn place_in_shard(slot: SlotIndex) -> usize {
    (slot >> SHARD_BITS) as usize
}

/// Why a batch could not be committed, or an old height not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The backend that keeps the state failed.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The batch was made from another state than the head's.
    #[error("batch for height {batch} was made from another state than the head at {head}")]
    ForeignBatch {
        /// Height of the batch.
        batch: Height,
        /// Height of the head.
        head: Height,
    },
    /// The height is above the head, or no longer remembered.
    #[error("height {height} is not between {oldest} and the head at {head}")]
    UnknownHeight {
        /// The height asked for.
        height: Height,
        /// The oldest height that can be read.
        oldest: Height,
        /// Height of the head.
        head: Height,
    },
    /// The store ran out of slots.
    #[error("a shard of the store holds its most of {limit} keys")]
    Full {
        /// The most keys of one of the 64 shards.
        limit: u32,
    },
}

/// Keys that [`MemoryStore::find_many`] looks for at once: their cache lines fit into the first
/// level of the cache.
pub(crate) const FOUND_AT_ONCE: usize = 64;

/// The most keys of a shard: slots have 32 bits.
const SHARD_KEYS_MAX: u32 = (1 << (32 - SHARD_BITS)) - 1;

/// The changes of a block: the last version of every key that changed. Applied whole or not at all
/// by [`crate::Runtime::commit`].
#[derive(Debug)]
pub struct WriteBatch {
    pub(crate) height: Height,
    /// The state that it was made from.
    pub(crate) parent_version: u64,
    /// The writes, each key once. The number of parts divides [`SHARDS`]: the first part has the
    /// writes to the first so many shards, and so on.
    pub(crate) parts: Vec<Vec<Write>>,
    /// Entries of the state that are not in the store: contracts.
    pub(crate) others: Vec<(Vec<u8>, Vec<u8>)>,
    /// The block, for whoever keeps the state.
    pub(crate) block: Option<Vec<u8>>,
}

impl WriteBatch {
    pub(crate) fn new(height: Height, parent_version: u64, parts: Vec<Vec<Write>>) -> Self {
        Self { height, parent_version, parts, others: Vec::new(), block: None }
    }

    /// Has the encoded block kept with the state, where a backend keeps it, so that it can be
    /// replayed. The bytes are taken as they are; [`Block`](crate::Block) is encoded with borsh.
    pub fn keep_block(&mut self, bytes: Vec<u8>) {
        self.block = Some(bytes);
    }

    /// The height that committing it makes the head.
    pub fn height(&self) -> Height {
        self.height
    }

    /// How many keys it changes.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Vec::is_empty)
    }
}

/// One key's new value.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) place: Place,
    /// `None` removes the key.
    pub(crate) value: Option<Bytes>,
}

/// Which key a write is for. Small, because a block has tens of thousands, and the last heights'
/// are kept.
#[derive(Debug)]
pub(crate) enum Place {
    Slot(SlotIndex),
    Key(Box<(ContractIndex, Bytes)>),
}

impl Write {
    /// A write to a slot.
    pub(crate) fn to_slot(slot: SlotIndex, value: Option<Bytes>) -> Self {
        Self { place: Place::Slot(slot), value }
    }

    /// A write to a key.
    pub(crate) fn to_key(contract: ContractIndex, key: &[u8], value: Option<Bytes>) -> Self {
        Self { place: Place::Key(Box::new((contract, Bytes::new(key)))), value }
    }

    fn shard(&self, hasher: &RandomState) -> usize {
        match &self.place {
            Place::Slot(slot) => shard_of_slot(*slot),
            Place::Key(named) => shard_of_hash(hasher.hash_one((named.0, &*named.1))),
        }
    }

    fn slot(&self) -> Option<SlotIndex> {
        match self.place {
            Place::Slot(slot) => Some(slot),
            Place::Key(_) => None,
        }
    }
}

/// A key and its value: two cache lines, which processors fetch together.
#[derive(Debug)]
#[repr(C, align(128))]
struct Slot {
    contract: ContractIndex,
    /// Kept where the store is a cache.
    last_use: LastUse,
    key: Key,
    value: Option<Bytes>,
}

/// The contract of slots that are free.
const FREE: ContractIndex = ContractIndex::MAX;

impl Slot {
    fn is_free(&self) -> bool {
        self.contract == FREE
    }

    fn hash(&self, hasher: &RandomState) -> u64 {
        hasher.hash_one((self.contract, &*self.key))
    }
}

/// What one height changed.
#[derive(Debug)]
struct Undo {
    height: Height,
    version: u64,
    /// The writes of its batches, with the values before them: applying a write swaps the two.
    before: Vec<Vec<Write>>,
    /// Slots that it emptied: to be given free when it is forgotten, if they still are.
    emptied: Vec<SlotIndex>,
    /// Position in `before` by slot, made when an old height is first read.
    by_slot: OnceLock<BTreeMap<SlotIndex, (usize, usize)>>,
}

impl Undo {
    /// What a slot held before this height, if this height changed it.
    fn before(&self, slot: SlotIndex) -> Option<Option<&Bytes>> {
        let by_slot = self.by_slot.get_or_init(|| {
            let mut by_slot = BTreeMap::new();
            for (part, writes) in self.before.iter().enumerate() {
                for (at, write) in writes.iter().enumerate() {
                    // The first write of a slot knows its oldest value: a later one was made
                    // between blocks.
                    if let Some(slot) = write.slot() {
                        by_slot.entry(slot).or_insert((part, at));
                    }
                }
            }
            by_slot
        });
        let (part, at) = by_slot.get(&slot)?;
        Some(self.before[*part][*at].value.as_ref())
    }
}

/// How many stores this process has made.
static STORES: AtomicU64 = AtomicU64::new(0);

/// A store has room for 2⁴⁰ versions of its own: 30,000 years of a block a second.
const STORE_COMMITS_BITS: u32 = 40;

/// The commit that is under way.
#[derive(Clone, Copy)]
struct Now {
    version: u64,
    height: Height,
}

/// What a commit made the store forget: megabytes, which any thread may let go of.
#[derive(Debug)]
pub(crate) struct Forgotten {
    undos: Vec<Undo>,
}

impl Forgotten {
    /// Lets go of it, and keeps the room that its writes had for later batches.
    pub(crate) fn into_room(self) -> Vec<Vec<Write>> {
        let parts = self.undos.into_iter().flat_map(|undo| undo.before);
        parts
            .map(|mut part| {
                part.clear();
                part
            })
            .collect()
    }
}

/// The keys of one shard.
#[derive(Debug, Default)]
struct Shard {
    index: Index,
    slots: Vec<Slot>,
    /// Slots without a value that some remembered height still has a value for, with the version
    /// that emptied them.
    emptied: HashMap<SlotIndex, u64, RandomState>,
    free: Vec<SlotIndex>,
    /// Where the search for keys that may leave goes on.
    hand: usize,
}

/// State in memory.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    shards: Vec<Shard>,
    hasher: RandomState,
    head: Height,
    /// Counts commits, those between blocks included, from a number that no other store of this
    /// process comes to: a batch names slots, which mean nothing in another store.
    version: u64,
    history: VecDeque<Undo>,
    history_max: usize,
    /// What is below, if this holds a part of the state alone.
    cache: Option<Cache>,
}

impl MemoryStore {
    pub(crate) fn new(history_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::default(),
            head: Height(0),
            version: STORES.fetch_add(1, Ordering::Relaxed) << STORE_COMMITS_BITS,
            history: VecDeque::new(),
            history_max,
            cache: None,
        }
    }

    /// Starts at a height that is not the first, with entries that are put next.
    pub(crate) fn start_at(&mut self, height: Height) {
        self.head = height;
    }

    /// Puts an entry of the state to start with, each key once.
    pub(crate) fn put(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.put_slot(self.hash(contract, key), contract, key, Some(value)).map(|_| ())
    }

    pub(crate) fn head(&self) -> Height {
        self.head
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// How many keys it holds.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.slots.len() - shard.free.len()).sum()
    }

    /// How many slots a shard has.
    pub(crate) fn shard_len(&self, shard: usize) -> usize {
        self.shards[shard].slots.len()
    }

    /// The hash under which a key is found. The seed differs between stores, so that nobody can
    /// choose keys that collide.
    #[inline]
    pub(crate) fn hash(&self, contract: ContractIndex, key: &[u8]) -> u64 {
        self.hasher.hash_one((contract, key))
    }

    /// The slot of a key, or [`NO_SLOT`].
    #[inline]
    pub(crate) fn find(&self, hash: u64, contract: ContractIndex, key: &[u8]) -> SlotIndex {
        self.shards[shard_of_hash(hash)].find(hash, contract, key).unwrap_or(NO_SLOT)
    }

    /// Finds many keys, with their values. `hash` and `key` give the hash, and contract and bytes, of
    /// each of so many; `found` takes its slot and value.
    ///
    /// Each step is done for a whole batch before the next, so that the processor waits for the
    /// cache misses of many keys at once.
    pub(crate) fn find_many<'k>(
        &self,
        count: usize,
        hash: impl Fn(usize) -> u64,
        key: impl Fn(usize) -> (ContractIndex, &'k [u8]),
        mut found: impl FnMut(usize, SlotIndex, Option<&Bytes>),
    ) {
        let mut slots = [NO_SLOT; FOUND_AT_ONCE];
        for start in (0..count).step_by(FOUND_AT_ONCE) {
            let slots = &mut slots[..FOUND_AT_ONCE.min(count - start)];
            for offset in 0..slots.len() {
                let hash = hash(start + offset);
                self.shards[shard_of_hash(hash)].index.prefetch(hash);
            }
            // The first slot with the tag, which is nearly always the one.
            for (offset, slot) in slots.iter_mut().enumerate() {
                let hash = hash(start + offset);
                let shard = &self.shards[shard_of_hash(hash)];
                *slot = shard.index.find(hash, |_| true).unwrap_or(NO_SLOT);
            }
            for (offset, place) in slots.iter().enumerate() {
                let hash = hash(start + offset);
                if let Some(slot) = self.shards[shard_of_hash(hash)].slots.get(*place as usize) {
                    prefetch(std::slice::from_ref(slot));
                }
            }
            for (offset, candidate) in slots.iter().enumerate() {
                let (hash, (contract, bytes)) = (hash(start + offset), key(start + offset));
                let number = shard_of_hash(hash);
                let shard = &self.shards[number];
                let is_it = |slot: &&Slot| slot.contract == contract && *slot.key == *bytes;
                // Nearly always the first with the tag.
                let place = match shard.slots.get(*candidate as usize).filter(is_it) {
                    Some(_) => Some(*candidate << SHARD_BITS | number as u32),
                    None if *candidate == NO_SLOT => None,
                    None => shard.find(hash, contract, bytes),
                };
                let slot = place.unwrap_or(NO_SLOT);
                if self.cache.is_some()
                    && let Some(place) = place
                {
                    shard.slots[place_in_shard(place)].last_use.set(self.head);
                }
                found(start + offset, slot, self.value(slot));
            }
        }
    }

    /// The value in a slot; `None` for [`NO_SLOT`].
    #[inline]
    pub(crate) fn value(&self, slot: SlotIndex) -> Option<&Bytes> {
        if slot == NO_SLOT {
            return None;
        }
        self.shards[shard_of_slot(slot)].slots[place_in_shard(slot)].value.as_ref()
    }

    /// Brings the slots of some writes near, all at once.
    #[inline]
    pub(crate) fn prefetch(&self, writes: &[Write]) {
        for slot in writes.iter().filter_map(Write::slot) {
            prefetch(&self.shards[shard_of_slot(slot)].slots[place_in_shard(slot)..][..1]);
        }
    }

    /// The contract and the key of a slot.
    pub(crate) fn name(&self, slot: SlotIndex) -> (ContractIndex, &[u8]) {
        let slot = &self.shards[shard_of_slot(slot)].slots[place_in_shard(slot)];
        (slot.contract, &slot.key)
    }

    /// The value that a key had at a height.
    pub(crate) fn get_at(
        &self,
        height: Height,
        registry: &Registry,
        contract: ContractIndex,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        let oldest = self.history.front().map_or(self.head, |undo| Height(undo.height.0 - 1));
        if height > self.head || height < oldest {
            return Err(StoreError::UnknownHeight { height, oldest, head: self.head });
        }
        let slot = self.find(self.hash(contract, key), contract, key);
        for undo in self.history.iter().filter(|undo| undo.height > height) {
            if let Some(value) = undo.before(slot) {
                return Ok(value.cloned());
            }
        }
        // Also where it is below: no remembered height changed it then.
        Ok(self.read(registry, contract, key)?)
    }

    /// Whether a batch can be applied.
    ///
    /// # Errors
    /// Those of [`Self::commit`].
    pub(crate) fn check(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        let follows = batch.height.0 == self.head.0.wrapping_add(1)
            || batch.height == self.head
            || self.history.is_empty() && batch.height > self.head;
        if batch.parent_version != self.version || !follows {
            return Err(StoreError::ForeignBatch { batch: batch.height, head: self.head });
        }
        self.shards.iter().try_for_each(|shard| shard.check_room(batch.len()))
    }

    /// Applies a batch, on the threads of the current rayon pool. A batch for the head's own height
    /// is a change between blocks: the height's final state then includes it.
    pub(crate) fn commit(&mut self, batch: WriteBatch) -> Result<Forgotten, StoreError> {
        self.check(&batch)?;
        self.version += 1;
        let mut parts = batch.parts;
        let emptied = self.apply(&mut parts, batch.height);
        let (version, mut forgotten) = (self.version, Vec::new());
        if batch.height > self.head {
            self.head = batch.height;
            let (height, by_slot) = (batch.height, OnceLock::new());
            self.history.push_back(Undo { height, version, before: parts, emptied, by_slot });
            while self.history.len() > self.history_max {
                forgotten.extend(self.forget_oldest());
            }
        } else if let Some(undo) = self.history.back_mut() {
            undo.version = version;
            undo.before.extend(parts);
            undo.emptied.extend(emptied);
            undo.by_slot = OnceLock::new();
        }
        Ok(Forgotten { undos: forgotten })
    }

    /// Applies writes: they then know their slots, and hold the values before. Returns the slots
    /// that became empty.
    fn apply(&mut self, parts: &mut [Vec<Write>], height: Height) -> Vec<SlotIndex> {
        let (hasher, now) = (&self.hasher, Now { version: self.version, height });
        let shards_of_part = SHARDS / parts.len().max(1);
        // Asks for the cache lines of many slots at once.
        let ask = |shards: &[Shard], writes: &[Write]| {
            for slot in writes.iter().filter_map(Write::slot) {
                let shard = &shards[shard_of_slot(slot) % shards_of_part];
                prefetch(&shard.slots[place_in_shard(slot)..][..1]);
            }
        };
        let apply = |(shards, writes): (&mut [Shard], &mut Vec<Write>)| {
            let mut emptied = Vec::new();
            for at in 0..writes.len() {
                if at % FOUND_AT_ONCE == 0 {
                    ask(shards, &writes[at..writes.len().min(at + FOUND_AT_ONCE)]);
                }
                let write = &mut writes[at];
                let number = write.shard(hasher);
                let shard = &mut shards[number % shards_of_part];
                emptied.extend(shard.apply(write, number, hasher, now));
            }
            emptied
        };
        if parts.len() <= 1 {
            return parts.first_mut().map_or(Vec::new(), |part| apply((&mut self.shards, part)));
        }
        let chunks = self.shards.par_chunks_mut(shards_of_part).zip(parts.par_iter_mut());
        chunks.map(apply).flatten_iter().collect()
    }

    /// Forgets the oldest height, and frees the slots that nothing remembers any more.
    fn forget_oldest(&mut self) -> Option<Undo> {
        let undo = self.history.pop_front()?;
        for index in &undo.emptied {
            self.shards[shard_of_slot(*index)].free(*index, undo.version, &self.hasher);
        }
        Some(undo)
    }

    /// All entries, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (ContractIndex, &[u8], &Bytes)> {
        let slots = self.shards.iter().flat_map(|shard| &shard.slots);
        slots.filter_map(|slot| Some((slot.contract, &*slot.key, slot.value.as_ref()?)))
    }
}

impl Shard {
    #[inline]
    fn find(&self, hash: u64, contract: ContractIndex, key: &[u8]) -> Option<SlotIndex> {
        let is_it = |place: u32| {
            let slot = &self.slots[place as usize];
            slot.contract == contract && *slot.key == *key
        };
        self.index.find(hash, is_it).map(|place| place << SHARD_BITS | shard_of_hash(hash) as u32)
    }

    /// Applies a write. Returns its slot if that has no value now.
    #[inline]
    fn apply(
        &mut self,
        write: &mut Write,
        number: usize,
        hasher: &RandomState,
        now: Now,
    ) -> Option<SlotIndex> {
        let slot = match &write.place {
            Place::Slot(slot) => Some(*slot),
            Place::Key(named) => {
                self.find(hasher.hash_one((named.0, &*named.1)), named.0, &named.1)
            }
        };
        if let Some(index) = slot {
            let slot = &mut self.slots[place_in_shard(index)];
            let was_empty = slot.value.is_none();
            std::mem::swap(&mut slot.value, &mut write.value);
            let is_empty = slot.value.is_none();
            slot.last_use = LastUse::at(now.height);
            write.place = Place::Slot(index);
            if is_empty {
                self.emptied.insert(index, now.version);
                return Some(index);
            } else if was_empty {
                self.emptied.remove(&index);
            }
        } else if let (Place::Key(named), Some(value)) = (&write.place, write.value.take()) {
            let (contract, key) = (named.0, Key::new(&named.1));
            let last_use = LastUse::at(now.height);
            let slot = Slot { contract, last_use, key, value: Some(value) };
            write.place = Place::Slot(self.insert(slot, number, hasher));
        }
        None
    }

    fn insert(&mut self, slot: Slot, number: usize, hasher: &RandomState) -> SlotIndex {
        let hash = slot.hash(hasher);
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[place_in_shard(index)] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                Self::index_of(self.slots.len() - 1, number)
            }
        };
        let slots = &self.slots;
        self.index
            .insert(hash, place_in_shard(index) as u32, |place| slots[place as usize].hash(hasher));
        index
    }

    /// Frees a slot that a forgotten version emptied, unless it was written again.
    fn free(&mut self, index: SlotIndex, forgotten: u64, hasher: &RandomState) {
        if self.emptied.get(&index).is_none_or(|version| *version > forgotten) {
            return;
        }
        self.emptied.remove(&index);
        self.remove(index, hasher);
    }

    /// Frees a slot.
    fn remove(&mut self, index: SlotIndex, hasher: &RandomState) {
        let place = place_in_shard(index);
        let hash = self.slots[place].hash(hasher);
        let slots = &self.slots;
        let hash_of = |place: u32| slots[place as usize].hash(hasher);
        self.index.remove(hash, place as u32, hash_of);
        (self.slots[place].contract, self.slots[place].value) = (FREE, None);
        self.free.push(index);
    }

    /// The slot at a place of the shard with this number.
    fn index_of(place: usize, number: usize) -> SlotIndex {
        (place << SHARD_BITS | number) as SlotIndex
    }

    /// Whether so many more keys have a place for sure.
    fn check_room(&self, keys: usize) -> Result<(), StoreError> {
        match self.slots.len() + keys > SHARD_KEYS_MAX as usize {
            true => Err(StoreError::Full { limit: SHARD_KEYS_MAX }),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Bytes {
        Bytes::new(&number.to_be_bytes())
    }

    fn batch(store: &MemoryStore, height: u64, writes: &[(u64, Option<u64>)]) -> WriteBatch {
        let writes = writes
            .iter()
            .map(|(number, value)| Write::to_key(0, &key(*number), value.map(key)))
            .collect();
        WriteBatch::new(Height(height), store.version(), vec![writes])
    }

    fn commit(store: &mut MemoryStore, height: u64, writes: &[(u64, Option<u64>)]) {
        let batch = batch(store, height, writes);
        store.commit(batch).expect("the batch follows the head");
    }

    #[test]
    fn old_heights_stay_readable() {
        let mut store = MemoryStore::new(2);
        commit(&mut store, 1, &[(1, Some(10)), (2, Some(20))]);
        commit(&mut store, 2, &[(1, Some(11))]);
        commit(&mut store, 3, &[(1, None), (3, Some(30))]);
        let at =
            |height, number| store.get_at(Height(height), &Registry::default(), 0, &key(number));
        assert_eq!(at(1, 1), Ok(Some(key(10))));
        assert_eq!(at(2, 1), Ok(Some(key(11))));
        assert_eq!(at(3, 1), Ok(None));
        assert_eq!(at(2, 3), Ok(None));
        assert_eq!(at(3, 2), Ok(Some(key(20))));
        assert!(matches!(at(0, 1), Err(StoreError::UnknownHeight { .. })));
        assert!(matches!(at(4, 1), Err(StoreError::UnknownHeight { .. })));
    }

    #[test]
    fn changes_between_blocks_belong_to_the_head() {
        let mut store = MemoryStore::new(4);
        commit(&mut store, 1, &[(1, Some(10))]);
        commit(&mut store, 2, &[(1, Some(11))]);
        commit(&mut store, 2, &[(1, Some(12)), (2, Some(20))]);
        let at =
            |height, number| store.get_at(Height(height), &Registry::default(), 0, &key(number));
        assert_eq!(at(1, 1), Ok(Some(key(10))));
        assert_eq!(at(1, 2), Ok(None));
        assert_eq!(at(2, 1), Ok(Some(key(12))));
    }

    #[test]
    fn foreign_batch_is_refused() {
        let mut store = MemoryStore::new(2);
        commit(&mut store, 5, &[(1, Some(1))]);
        let stale = batch(&store, 6, &[(1, Some(2))]);
        commit(&mut store, 6, &[(1, Some(3))]);
        let skipping = batch(&store, 9, &[(1, Some(4))]);
        let mut other = MemoryStore::new(2);
        commit(&mut other, 5, &[(2, Some(2)), (1, Some(1))]);
        commit(&mut other, 6, &[(2, Some(3))]);
        let elsewhere = batch(&other, 7, &[(1, Some(5))]);
        for refused in [stale, skipping, elsewhere] {
            assert!(matches!(store.commit(refused), Err(StoreError::ForeignBatch { .. })));
        }
        assert_eq!(store.read(&Registry::default(), 0, &key(1)), Ok(Some(key(3))));
    }

    #[test]
    fn removed_keys_free_their_slots() {
        let mut store = MemoryStore::new(1);
        for round in 0..1_000u64 {
            commit(&mut store, 2 * round + 1, &[(round, Some(round))]);
            commit(&mut store, 2 * round + 2, &[(round, None)]);
        }
        let slots: usize = (0..SHARDS).map(|shard| store.shard_len(shard)).sum();
        let shards = store.shards.iter().filter(|shard| !shard.slots.is_empty()).count();
        assert!(slots <= 3 * shards, "{slots} slots in {shards} shards for one key at a time");
        assert_eq!(store.entries().count(), 0);
    }
}
