//! The keys of calls as they are found: each once in a call, with the union of its modes, and with
//! its slot in the store.

use crate::bytes::Bytes;
use crate::registry::ContractIndex;
use crate::resolve::{Access, Chunk};
use crate::store::{MemoryStore, NO_SLOT};
use hashbrown::HashTable;
use tollway_host_api::Mode;

/// The access sets of a chunk of calls, one after another.
pub(super) struct KeyList<'s> {
    store: &'s MemoryStore,
    accesses: Vec<Access>,
    bytes: Vec<u8>,
    bases: Vec<Option<Bytes>>,
    call: u32,
    /// The first access of the call.
    first: usize,
    /// Finds the keys of a call that has many.
    by_key: HashTable<u32>,
    /// How many accesses have been looked up in the store.
    found: usize,
}

/// Up to so many keys of a call are compared with each other.
const COMPARED_MAX: usize = 16;

/// So many keys are looked up in one go, so that the processor has many cache misses under way, and
/// the keys' bytes are still at hand.
const FOUND_AT_ONCE: usize = 256;

impl<'s> KeyList<'s> {
    /// No access sets yet; `memory` is a chunk that is not needed any more.
    pub(super) fn new(store: &'s MemoryStore, memory: &mut Chunk) -> Self {
        let by_key = HashTable::new();
        let Chunk { accesses, key_bytes, bases, .. } = std::mem::take(memory);
        let (mut accesses, mut bytes, mut bases) = (accesses, key_bytes, bases);
        accesses.clear();
        bytes.clear();
        bases.clear();
        Self { store, accesses, bytes, bases, call: 0, first: 0, by_key, found: 0 }
    }

    /// Goes on to the next call.
    #[inline]
    pub(super) fn start(&mut self, call: u32) {
        self.call = call;
        self.first = self.accesses.len();
        if self.first - self.found >= FOUND_AT_ONCE {
            self.find();
        }
    }

    /// How many accesses there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.accesses.len()
    }

    /// Adds a key of the call; `append` appends its bytes.
    #[inline]
    pub(super) fn push(
        &mut self,
        contract: ContractIndex,
        mode: Mode,
        is_prefix: bool,
        append: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.bytes.len();
        append(&mut self.bytes);
        let hash = self.store.hash(contract, &self.bytes[start..]);
        if let Some(same) = self.same(hash, contract, start) {
            self.bytes.truncate(start);
            let access = &mut self.accesses[same];
            access.mode = access.mode.union(mode);
            return;
        }
        self.accesses.push(Access {
            hash,
            contract,
            slot: NO_SLOT,
            call: self.call,
            key_start: start as u32,
            key_len: (self.bytes.len() - start) as u8,
            mode,
            is_prefix,
        });
    }

    /// The access of this call that has the same key as the bytes from `start` on.
    #[inline]
    fn same(&mut self, hash: u64, contract: ContractIndex, start: usize) -> Option<usize> {
        let (accesses, bytes) = (&self.accesses, &self.bytes);
        let is_it = |access: &Access| {
            access.hash == hash
                && access.contract == contract
                && access.key(bytes) == &bytes[start..]
        };
        let of_call = &accesses[self.first..];
        if of_call.len() < COMPARED_MAX {
            return of_call.iter().position(is_it).map(|at| self.first + at);
        }
        if of_call.len() == COMPARED_MAX {
            self.by_key.clear();
        }
        // Those that came since the last look are not in the table yet.
        let hash_of = |at: &u32| accesses[*at as usize].hash;
        let listed = self.first + self.by_key.len();
        for (at, access) in accesses.iter().enumerate().skip(listed) {
            self.by_key.insert_unique(access.hash, at as u32, hash_of);
        }
        self.by_key.find(hash, |at| is_it(&accesses[*at as usize])).map(|at| *at as usize)
    }

    fn find(&mut self) {
        let Self { store, accesses, bytes, bases, found, .. } = self;
        let new = &mut accesses[*found..];
        let cells = std::cell::Cell::from_mut(new).as_slice_of_cells();
        let key = |at: usize| {
            let access = cells[at].get();
            (access.contract, access.key(bytes))
        };
        let hash = |at: usize| cells[at].get().hash;
        store.find_many(cells.len(), hash, key, |at, slot, value| {
            cells[at].set(Access { slot, ..cells[at].get() });
            // It is at hand now; later, it would be a cache miss.
            bases.push(value.cloned());
        });
        *found = accesses.len();
    }

    /// Puts the accesses where they belong.
    pub(super) fn finish(mut self, chunk: &mut Chunk) {
        self.find();
        (chunk.accesses, chunk.key_bytes, chunk.bases) = (self.accesses, self.bytes, self.bases);
    }
}
