//! The state in the midst of a block, for calls that run at their very place: repair, queries,
//! instantiation.

use crate::bytes::Bytes;
use crate::execute::below::{Below, KeyOf, key_of};
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
    /// By number of a planned prefix, what was changed below it.
    prefixes: HashMap<u32, Below, foldhash::quality::RandomState>,
}

/// A key that was not planned.
pub(crate) type OtherKey = (ContractIndex, Vec<u8>);

/// Changed values of planned keys.
pub(crate) struct OverlayParts {
    /// By number.
    pub(crate) planned: Vec<Option<Option<Bytes>>>,
    /// Of other keys, in key order.
    pub(crate) others: Vec<(OtherKey, Option<Bytes>)>,
    /// What was changed below planned prefixes, by their number.
    pub(crate) prefixes: Vec<(u32, Below)>,
}

impl Overlay {
    /// The state of the store, with the planned keys at hand.
    pub(crate) fn new(store: Arc<MemoryStore>, keys: Arc<KeyIndex>) -> Self {
        let planned = vec![None; keys.number_count()];
        let prefixes = HashMap::default();
        Self { store, keys, planned, others: HashMap::default(), prefixes }
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

    /// What was changed below a planned prefix.
    pub(crate) fn prefix(&self, key: u32) -> Below {
        self.prefixes.get(&key).cloned().unwrap_or_default()
    }

    /// Says what was changed below a planned prefix.
    pub(crate) fn set_prefix(&mut self, key: u32, below: Below) {
        self.prefixes.insert(key, below);
    }

    /// The state before the block.
    pub(crate) fn store(&self) -> &Arc<MemoryStore> {
        &self.store
    }

    /// The planned key by which a key conflicts, and whether that is a prefix.
    fn find(
        &self,
        registry: &Registry,
        contract: ContractIndex,
        key: &[u8],
    ) -> Option<(u32, bool)> {
        let (name, is_prefix) = match key_of(registry, contract, key) {
            KeyOf::Itself => (key, false),
            KeyOf::Prefix(prefix) => (prefix, true),
            KeyOf::Nothing => return None,
        };
        Some((self.keys.find(contract, name, &self.store)?, is_prefix))
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
        match self.find(registry, contract, key) {
            Some((planned, false)) => return Ok(self.planned(planned).cloned()),
            Some((prefix, true)) => {
                return match self.prefixes.get(&prefix).and_then(|below| below.get(key)) {
                    Some(value) => Ok(value.clone()),
                    None => self.store.read(registry, contract, key),
                };
            }
            None => {}
        }
        // Only misses come here, so the copy of the key does not count.
        match self.others.get(&(contract, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => self.store.read(registry, contract, key),
        }
    }

    /// Changes any key. Returns its number if it is a planned one, or below one.
    pub(crate) fn write(
        &mut self,
        registry: &Registry,
        contract: ContractIndex,
        key: &[u8],
        value: Option<Bytes>,
    ) -> Option<u32> {
        let planned = self.find(registry, contract, key);
        match planned {
            Some((planned, false)) => self.set_planned(planned, value),
            Some((prefix, true)) => self.prefixes.entry(prefix).or_default().set(key, value),
            None => {
                self.others.insert((contract, key.to_vec()), value);
            }
        }
        planned.map(|(planned, _)| planned)
    }

    /// What was changed.
    pub(crate) fn into_parts(self) -> OverlayParts {
        let mut others: Vec<_> = self.others.into_iter().collect();
        others.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut prefixes: Vec<_> = self.prefixes.into_iter().collect();
        prefixes.sort_unstable_by_key(|(number, _)| *number);
        OverlayParts { planned: self.planned, others, prefixes }
    }
}
