//! The state in the midst of a block, for calls that run at their very place: repair, queries,
//! instantiation.

use crate::bytes::Bytes;
use crate::keeper::KeepError;
use crate::plan::keys::KeyIndex;
use crate::registry::{ContractIndex, Registry};
use crate::store::MemoryStore;
use hashbrown::HashMap;
use std::sync::Arc;

/// A running value for every planned key, and for those that turned up later, over the store.
#[derive(Debug)]
pub(crate) struct Overlay {
    store: Arc<MemoryStore>,
    keys: Arc<KeyIndex>,
    /// By number of a planned key, its value now; `None` for the parent state's.
    planned: Vec<Option<Option<Bytes>>>,
    /// Keys that no access set has.
    others: HashMap<(ContractIndex, Vec<u8>), Option<Bytes>, foldhash::quality::RandomState>,
}

/// Changed values of planned keys, by number, and of other keys.
pub(crate) type OverlayParts =
    (Vec<Option<Option<Bytes>>>, Vec<((ContractIndex, Vec<u8>), Option<Bytes>)>);

impl Overlay {
    /// The state of the store, with the planned keys at hand.
    pub(crate) fn new(store: Arc<MemoryStore>, keys: Arc<KeyIndex>) -> Self {
        let planned = vec![None; keys.number_count()];
        Self { store, keys, planned, others: HashMap::default() }
    }

    /// The value of a planned key.
    pub(crate) fn planned(&self, key: u32) -> Option<&Bytes> {
        match &self.planned[key as usize] {
            Some(value) => value.as_ref(),
            None => self.store.value(self.keys.get(key).slot),
        }
    }

    /// Changes a planned key.
    pub(crate) fn set_planned(&mut self, key: u32, value: Option<Bytes>) {
        self.planned[key as usize] = Some(value);
    }

    /// The value of any key.
    ///
    /// # Errors
    /// [`KeepError`] if the state below the store can't be read.
    pub(crate) fn read(
        &self,
        registry: &Registry,
        contract: ContractIndex,
        key: &[u8],
    ) -> Result<Option<Bytes>, KeepError> {
        if let Some(planned) = self.keys.find(contract, key, &self.store) {
            return Ok(self.planned(planned).cloned());
        }
        // Only misses come here, so the copy of the key does not count.
        match self.others.get(&(contract, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => self.store.read(registry, contract, key),
        }
    }

    /// Changes any key. Returns its number if it is a planned one.
    pub(crate) fn write(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        value: Option<Bytes>,
    ) -> Option<u32> {
        let planned = self.keys.find(contract, key, &self.store);
        match planned {
            Some(planned) => self.set_planned(planned, value),
            None => {
                self.others.insert((contract, key.to_vec()), value);
            }
        }
        planned
    }

    /// The planned keys' values, where they were changed, and the other keys', in key order.
    pub(crate) fn into_parts(self) -> OverlayParts {
        let mut others: Vec<_> = self.others.into_iter().collect();
        others.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        (self.planned, others)
    }
}
