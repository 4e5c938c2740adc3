//! The keys of a block: found once, numbered, their versions placed.
//!
//! ```text
//! accesses, by shard of their keys, in block order
//!    └─▶ key: latest version, adds since ─▶ where the access finds its value ─▶ edges
//! ```
//!
//! Each of so many *groups* of the store's shards is a task of its own. A key that the store has is
//! found by its slot, in an array of marks; one that is new, by its bytes.

use crate::bytes::Bytes;
use crate::plan::graph::{EdgeList, NodeIndex, SUM_NODE};
use crate::plan::{CellIndex, PARENT, Sum};
use crate::prefetch::prefetch;
use crate::registry::ContractIndex;
use crate::resolve::{Access, Resolved};
use crate::store::{
    MemoryStore, NO_SLOT, SHARDS, SlotIndex, place_in_shard, shard_of_hash, shard_of_slot,
};
use hashbrown::HashTable;
use rayon::prelude::*;
use tollway_host_api::Mode;

/// A key of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedKey {
    /// Its slot in the store, or [`NO_SLOT`].
    pub(crate) slot: SlotIndex,
    /// The first access to it.
    pub(crate) first_access: u32,
    /// Its place among its group's new keys, if the store does not have it.
    new: u32,
    /// The cell of its last version but for the adds since.
    pub(crate) last: CellIndex,
    /// The last of the adds since, or [`PARENT`].
    pub(crate) last_add: u32,
    /// Whether it stands for all keys that start with it.
    pub(crate) is_prefix: bool,
}

impl PlannedKey {
    fn new(access: &Access, first_access: u32, new: u32) -> Self {
        let Access { slot, is_prefix, .. } = *access;
        Self { slot, first_access, new, last: PARENT, last_add: PARENT, is_prefix }
    }
}

/// The keys of a block, by number and by name.
///
/// A key's number is its place in its group, then the group's own number in the lowest bits, so
/// numbers are dense but for the groups' different lengths.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    /// A power of two of them, or none.
    groups: Vec<Group>,
    /// How many bits of a number are the group's.
    group_bits: u32,
    /// Tells this block's marks from older ones.
    block: u32,
}

#[derive(Debug, Default)]
struct Group {
    keys: Vec<PlannedKey>,
    /// By shard of the store and place in it: the block of the mark, and the key's place in `keys`.
    marks: Vec<Vec<u64>>,
    /// Keys that the store does not have.
    new_keys: Vec<NewKey>,
    by_name: HashTable<u32>,
    sums: Vec<Sum>,
    edges: EdgeList,
    has_prefixes: bool,
    /// Where the accesses to its keys find their values, in block order.
    placements: PackedPlacements,
    /// Which accesses these are; empty if all.
    accesses: Vec<u32>,
}

#[derive(Debug)]
struct NewKey {
    hash: u64,
    contract: ContractIndex,
    key: Bytes,
    /// Its place in `keys`.
    local: u32,
}

impl KeyIndex {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.keys.len()).sum()
    }

    /// One more than the highest number, at least.
    pub(crate) fn number_count(&self) -> usize {
        let longest = self.groups.iter().map(|group| group.keys.len()).max();
        longest.unwrap_or(0) << self.group_bits
    }

    /// Whether any of them is a prefix.
    pub(crate) fn has_prefixes(&self) -> bool {
        self.groups.iter().any(|group| group.has_prefixes)
    }

    /// All keys, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &PlannedKey)> {
        (0..self.groups.len()).flat_map(|group| self.iter_group(group))
    }

    /// How many groups there are; it divides [`SHARDS`].
    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The keys of one group, with their numbers.
    pub(crate) fn iter_group(
        &self,
        group: usize,
    ) -> impl ExactSizeIterator<Item = (u32, &PlannedKey)> {
        let keys = self.groups[group].keys.iter().enumerate();
        keys.map(move |(local, key)| (number_of(local as u32, group, self.group_bits), key))
    }

    #[inline]
    fn group_of_number(&self, number: u32) -> &Group {
        &self.groups[number as usize & self.groups.len().wrapping_sub(1)]
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> &PlannedKey {
        &self.group_of_number(number).keys[(number >> self.group_bits) as usize]
    }

    /// The contract and the bytes of a key.
    pub(crate) fn name<'k>(
        &'k self,
        number: u32,
        store: &'k MemoryStore,
    ) -> (ContractIndex, &'k [u8]) {
        let key = self.get(number);
        match key.slot {
            NO_SLOT => {
                let new = &self.group_of_number(number).new_keys[key.new as usize];
                (new.contract, &new.key)
            }
            slot => store.name(slot),
        }
    }

    /// The number of a key, if any access set has it.
    pub(crate) fn find(
        &self,
        contract: ContractIndex,
        key: &[u8],
        store: &MemoryStore,
    ) -> Option<u32> {
        let hash = store.hash(contract, key);
        if self.groups.is_empty() {
            return None;
        }
        let number = group_of(shard_of_hash(hash), self.groups.len());
        let group = &self.groups[number];
        let local = match store.find(hash, contract, key) {
            NO_SLOT => group.find_new(hash, contract, key)?,
            slot => group.marked(slot, self.block)?,
        };
        Some(number_of(local, number, self.group_bits))
    }

    /// Takes the sums and edges of all groups, and says where each group's sums start.
    pub(super) fn take_sums(&mut self) -> (Vec<Sum>, Vec<u32>, Vec<EdgeList>) {
        let (mut sums, mut firsts, mut edges) = (Vec::new(), Vec::new(), Vec::new());
        for group in &mut self.groups {
            firsts.push(sums.len() as u32);
            sums.append(&mut group.sums);
            edges.push(std::mem::take(&mut group.edges));
        }
        (sums, firsts, edges)
    }
}

#[inline]
fn number_of(local: u32, group: usize, group_bits: u32) -> u32 {
    (local << group_bits) | group as u32
}

/// The group of a shard: neighbours go together.
#[inline]
fn group_of(shard: usize, groups: usize) -> usize {
    shard * groups / SHARDS
}

/// Marks a cell that is a sum; its group and its place there follow.
pub(super) const SUM_CELL: u32 = 1 << 31;

/// Bits of a sum's place in its group.
const SUM_BITS: u32 = 25;

/// The group of a sum cell, and its place there.
#[inline]
pub(super) fn sum_of(cell: CellIndex) -> (usize, usize) {
    (((cell & !SUM_CELL) >> SUM_BITS) as usize, (cell & ((1 << SUM_BITS) - 1)) as usize)
}

/// Marks, on the key's number of an add, that no access before it may change the key.
pub(super) const FIRST_CHANGE: u32 = 1 << 31;

/// Fewer accesses than this are not worth a second thread.
const GROUP_ACCESSES_MIN: usize = 4_096;

/// The mark of an access is asked for when so many before it are still to be placed.
const AHEAD: usize = 16;

/// So many accesses are looked through at once.
const WINDOW: usize = 1_024;

/// Where accesses find their values: the key's number and the source, packed.
pub(super) type PackedPlacements = Vec<u64>;

pub(super) fn pack(key: u32, source: u32) -> u64 {
    (u64::from(key) << 32) | u64::from(source)
}

/// Places the versions of all keys. `index` and `placements` are an older block's, to be used again.
pub(super) fn place(
    resolved: &Resolved,
    store: &MemoryStore,
    mut index: KeyIndex,
    placements: &mut PackedPlacements,
) -> KeyIndex {
    let accesses = resolved.access_count();
    let threads = rayon::current_num_threads();
    let few = accesses < GROUP_ACCESSES_MIN;
    let groups = if few { 1 } else { threads.next_power_of_two().min(SHARDS) };
    // Marks of a block that has the same number would be taken for this one's.
    if index.groups.len() != groups || index.block == u32::MAX {
        index = KeyIndex::default();
        index.groups.resize_with(groups, Group::default);
    }
    index.group_bits = groups.trailing_zeros();
    index.block += 1;
    let (block, bits) = (index.block, index.group_bits);
    let place = |(number, group): (usize, &mut Group)| {
        group.clear(accesses / groups);
        Placing { resolved, store, block, number, groups, bits }.place(group);
    };
    if let [group] = &mut index.groups[..] {
        place((0, group));
        std::mem::swap(placements, &mut group.placements);
    } else {
        index.groups.par_iter_mut().enumerate().for_each(place);
        placements.resize(accesses, 0);
        merge(&index.groups, placements, accesses.div_ceil(threads));
    }
    index
}

/// Puts the placements of all groups in the order of the accesses, so many at a time on one thread.
/// Groups could do so themselves as they place, but accesses to keys of two groups stand side by side: the
/// lines of `placements` would go back and forth between cores.
fn merge(groups: &[Group], placements: &mut PackedPlacements, at_once: usize) {
    placements.par_chunks_mut(at_once.max(1)).enumerate().for_each(|(number, placements)| {
        let start = number * at_once;
        for group in groups {
            let first = group.accesses.partition_point(|access| (*access as usize) < start);
            let placed = group.accesses[first..].iter().zip(&group.placements[first..]);
            for (access, placement) in placed {
                let Some(place) = placements.get_mut(*access as usize - start) else { break };
                *place = *placement;
            }
        }
    });
}

/// What a group is placed with.
struct Placing<'b> {
    resolved: &'b Resolved,
    store: &'b MemoryStore,
    block: u32,
    number: usize,
    groups: usize,
    bits: u32,
}

impl Placing<'_> {
    fn place(&self, group: &mut Group) {
        if self.groups == 1 {
            let mut ahead = self.resolved.accesses().skip(AHEAD);
            for (at, access) in self.resolved.accesses().enumerate() {
                if let Some(access) = ahead.next() {
                    group.prefetch(access);
                }
                self.place_one(group, at as u32, access);
            }
            return;
        }
        let mut mine = [0; WINDOW];
        for (first, accesses) in self.resolved.chunks_of_accesses() {
            for (number, accesses) in accesses.chunks(WINDOW).enumerate() {
                let first = first + (number * WINDOW) as u32;
                let found = self.find_mine(accesses, &mut mine);
                for (place, at) in found.iter().enumerate() {
                    if let Some(ahead) = found.get(place + AHEAD) {
                        group.prefetch(&accesses[usize::from(*ahead)]);
                    }
                    let number = first + u32::from(*at);
                    self.place_one(group, number, &accesses[usize::from(*at)]);
                    group.accesses.push(number);
                }
            }
        }
    }

    /// The places of the accesses to the group's keys. Found before the work on them, and without a
    /// branch: no processor foretells whose key the next one is.
    fn find_mine<'m>(&self, accesses: &[Access], mine: &'m mut [u16; WINDOW]) -> &'m [u16] {
        let mut found = 0;
        for (at, access) in accesses.iter().enumerate() {
            mine[found] = at as u16;
            found += usize::from(self.is_mine(access));
        }
        &mine[..found]
    }

    #[inline]
    fn place_one(&self, group: &mut Group, at: u32, access: &Access) {
        let local = self.local(group, at, access);
        let number = number_of(local, self.number, self.bits);
        let key = &mut group.keys[local as usize];
        let mut first = 0;
        let source = match access.mode {
            Mode::Add => {
                if key.last == PARENT && key.last_add == PARENT {
                    first = FIRST_CHANGE;
                }
                std::mem::replace(&mut key.last_add, at)
            }
            Mode::Read | Mode::Write => {
                if key.last_add != PARENT {
                    self.close_sum(group, local, number);
                }
                let key = &mut group.keys[local as usize];
                let source = key.last;
                if access.mode == Mode::Write {
                    key.last = at;
                }
                if source != PARENT {
                    group.edges.push((self.node(source), access.call));
                }
                source
            }
        };
        group.placements.push(pack(number | first, source));
    }

    /// Whether an access is to one of the group's keys.
    #[inline]
    fn is_mine(&self, access: &Access) -> bool {
        group_of(shard_of_hash(access.hash), self.groups) == self.number
    }

    /// The place of an access's key in its group; the key is added if it is new.
    #[inline]
    fn local(&self, group: &mut Group, at: u32, access: &Access) -> u32 {
        if access.slot == NO_SLOT {
            return self.local_of_new(group, at, access);
        }
        let marks = &mut group.marks[shard_of_slot(access.slot)];
        let place = place_in_shard(access.slot);
        if place >= marks.len() {
            marks.resize(self.store.shard_len(shard_of_slot(access.slot)), 0);
        }
        let mark = &mut marks[place];
        if (*mark >> 32) as u32 == self.block {
            return *mark as u32;
        }
        let local = group.keys.len() as u32;
        *mark = pack(self.block, local);
        group.has_prefixes |= access.is_prefix;
        group.keys.push(PlannedKey::new(access, at, 0));
        local
    }

    fn local_of_new(&self, group: &mut Group, at: u32, access: &Access) -> u32 {
        let key = self.resolved.key(access);
        if let Some(local) = group.find_new(access.hash, access.contract, key) {
            return local;
        }
        let (local, new) = (group.keys.len() as u32, group.new_keys.len() as u32);
        group.has_prefixes |= access.is_prefix;
        group.keys.push(PlannedKey::new(access, at, new));
        let (hash, contract, key) = (access.hash, access.contract, Bytes::new(key));
        group.new_keys.push(NewKey { hash, contract, key, local });
        let names = &group.new_keys;
        group.by_name.insert_unique(hash, new, |new| names[*new as usize].hash);
        local
    }

    /// Puts a sum on top of a key's version and the adds since.
    #[cold]
    fn close_sum(&self, group: &mut Group, local: u32, number: u32) {
        let place = group.sums.len() as u32;
        let key = &mut group.keys[local as usize];
        let cell = SUM_CELL | ((self.number as u32) << SUM_BITS) | place;
        let (prior, last_add) = (key.last, key.last_add);
        (key.last, key.last_add) = (cell, PARENT);
        group.sums.push(Sum { key: number, prior, last_add });
        if prior != PARENT {
            group.edges.push((self.node(prior), self.node(cell)));
        }
        let mut add = last_add;
        while add != PARENT {
            let call = self.call_of(add);
            group.edges.push((call, self.node(cell)));
            add = group.source_of(add);
        }
    }

    /// The call that an access is of.
    fn call_of(&self, access: u32) -> u32 {
        // An access that was placed is one of the block's.
        self.resolved.access(access as usize).map_or(0, |access| access.call)
    }

    /// The node that makes a cell.
    fn node(&self, cell: CellIndex) -> NodeIndex {
        if cell & SUM_CELL == 0 {
            self.call_of(cell)
        } else {
            // Sums are numbered when all groups are known.
            SUM_NODE | (cell & !SUM_CELL)
        }
    }
}

impl Group {
    fn clear(&mut self, accesses_expected: usize) {
        self.keys.clear();
        self.keys.reserve(accesses_expected);
        self.new_keys.clear();
        self.by_name.clear();
        self.sums.clear();
        self.edges.clear();
        self.has_prefixes = false;
        self.accesses.clear();
        self.placements.clear();
        self.accesses.reserve(accesses_expected);
        self.placements.reserve(accesses_expected);
        self.marks.resize_with(SHARDS, Vec::new);
    }

    /// Asks for the mark of an access that is placed soon.
    #[inline]
    fn prefetch(&self, access: &Access) {
        let marks = &self.marks[shard_of_slot(access.slot)];
        if let Some(mark) = marks.get(place_in_shard(access.slot)) {
            prefetch(std::slice::from_ref(mark));
        }
    }

    /// Where an access that was placed here finds its value.
    fn source_of(&self, access: u32) -> CellIndex {
        let place = match &self.accesses[..] {
            [] => access as usize,
            accesses => accesses.partition_point(|before| *before < access),
        };
        self.placements[place] as CellIndex
    }

    fn find_new(&self, hash: u64, contract: ContractIndex, key: &[u8]) -> Option<u32> {
        let is_it = |new: &u32| {
            let new = &self.new_keys[*new as usize];
            new.contract == contract && *new.key == *key
        };
        self.by_name.find(hash, is_it).map(|new| self.new_keys[*new as usize].local)
    }

    fn marked(&self, slot: SlotIndex, block: u32) -> Option<u32> {
        let mark = *self.marks[shard_of_slot(slot)].get(place_in_shard(slot))?;
        ((mark >> 32) as u32 == block).then_some(mark as u32)
    }
}
