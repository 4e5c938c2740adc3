//! The state in the midst of a block, for calls that run at their very place: repair, queries,
//! instantiation.

use crate::bytes::Bytes;
use crate::plan::keys::KeyIndex;
use crate::registry::ContractIndex;
use crate::store::MemoryStore;
use hashbrown::HashMap;
use std::sync::Arc;

/// A running value for every planned key, and for those that turned up later, over the store.
#[derive(Debug)]
pub(crate) struct Overlay {
    store: Arc<MemoryStore>,
    keys: Arc<KeyIndex>,
    /// The value now of each planned key.
    planned: Vec<Option<Bytes>>,
    /// Keys that no access set has.
    others: HashMap<(ContractIndex, Vec<u8>), Option<Bytes>, foldhash::quality::RandomState>,
}

impl Overlay {
    /// The state of the store, with the planned keys at hand.
    pub(crate) fn new(store: Arc<MemoryStore>, keys: Arc<KeyIndex>) -> Self {
        let mut planned = vec![None; keys.number_count()];
        for (number, key) in keys.iter() {
            planned[number as usize] = key.base.clone();
        }
        Self { store, keys, planned, others: HashMap::default() }
    }

    /// The value of a planned key.
    pub(crate) fn planned(&self, key: u32) -> Option<&Bytes> {
        self.planned[key as usize].as_ref()
    }

    /// Changes a planned key.
    pub(crate) fn set_planned(&mut self, key: u32, value: Option<Bytes>) {
        self.planned[key as usize] = value;
    }

    /// The value of any key.
    pub(crate) fn read(&self, contract: ContractIndex, key: &[u8]) -> Option<Bytes> {
        let hash = self.store.hash(contract, key);
        if let Some(planned) = self.keys.find(hash, contract, key) {
            return self.planned[planned as usize].clone();
        }
        // Only misses come here, so the copy of the key does not count.
        match self.others.get(&(contract, key.to_vec())) {
            Some(value) => value.clone(),
            None => self.store.get(contract, key).cloned(),
        }
    }

    /// Changes any key. Returns its number if it is a planned one.
    pub(crate) fn write(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        value: Option<Bytes>,
    ) -> Option<u32> {
        let hash = self.store.hash(contract, key);
        let planned = self.keys.find(hash, contract, key);
        match planned {
            Some(planned) => self.planned[planned as usize] = value,
            None => {
                self.others.insert((contract, key.to_vec()), value);
            }
        }
        planned
    }

    /// The planned keys' values, and the other keys that were changed, in key order.
    #[expect(clippy::type_complexity, reason = "taken apart by its one caller")]
    pub(crate) fn into_parts(
        self,
    ) -> (Vec<Option<Bytes>>, Vec<((ContractIndex, Vec<u8>), Option<Bytes>)>) {
        let mut others: Vec<_> = self.others.into_iter().collect();
        others.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        (self.planned, others)
    }
}
