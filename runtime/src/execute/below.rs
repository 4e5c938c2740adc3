//! Prefixes: keys that an access set names by their beginning alone.
//!
//! ```text
//! plan      the prefix is one key:  c0 w:orders[7, ..] ──▶ c3 w:orders[7, ..] ──▶ c5 r:orders[7, ..]
//! version   what the block has changed below it so far:  { orders[7, 2] = …, orders[7, 9] removed }
//! a read    the call's own changes, else the version that it was planned to read, else the parent state
//! ```
//!
//! A version shares with the one before it all but what its call changed, so a long chain of writers
//! costs what their changes cost.
//!
//! # Invariants
//! 1. A field with prefixes has no other planned keys, so a prefix is planned under its own bytes, and
//!    a key of such a field is never looked for as a planned key.
//! 2. What a call touches below a prefix is bounded by its gas: each key costs [`BELOW_KEY_GAS`] and
//!    [`BELOW_GAS_BYTE`] for each byte that it holds, when the call first touches it.
//!
//! [`BELOW_KEY_GAS`]: crate::engine::gas::BELOW_KEY_GAS
//! [`BELOW_GAS_BYTE`]: crate::engine::gas::BELOW_GAS_BYTE

use crate::bytes::{Bytes, Key};
use crate::registry::{ContractIndex, Registry};
use crate::store::MemoryStore;
use hashbrown::HashMap;
use rpds::RedBlackTreeMapSync;
use std::sync::Arc;
use tollway_host_api::Mode;

/// What a block has changed below a prefix so far, by whole key: values, or `None` for removed keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Below(RedBlackTreeMapSync<Box<[u8]>, Option<Bytes>>);

/// Versions of more changes are not compared.
const COMPARED_MAX: usize = 64;

impl Below {
    /// What was made of a key, if anything was.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.0.get(key)
    }

    /// Changes a key.
    pub(crate) fn set(&mut self, key: &[u8], value: Option<Bytes>) {
        self.0.insert_mut(key.into(), value);
    }

    /// The changes, in key order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&Bytes>)> {
        self.0.iter().map(|(key, value)| (&**key, value.as_ref()))
    }

    /// Whether this is known to be the same as `other`; large ones are not looked at.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let (size, other_size) = (self.0.size(), other.0.size());
        size == other_size && size <= COMPARED_MAX && self.iter().eq(other.iter())
    }
}

/// The bytes of the prefix that a key of a contract is below, if its field has prefixes.
pub(crate) enum KeyOf<'k> {
    /// The field has none: the key stands for itself.
    Itself,
    /// This one.
    Prefix(&'k [u8]),
    /// None, though the field has prefixes: it is too short for one.
    Nothing,
}

/// What a key of a contract conflicts by.
pub(crate) fn key_of<'k>(registry: &Registry, contract: ContractIndex, key: &'k [u8]) -> KeyOf<'k> {
    let storage = &registry.contract(contract).code.abi.storage;
    let field = key.first().and_then(|field| storage.get(usize::from(*field)));
    match field.filter(|field| field.prefix_parts.is_some()) {
        None => KeyOf::Itself,
        Some(field) => match field.prefix_len(key) {
            Some(length) => KeyOf::Prefix(&key[..length]),
            None => KeyOf::Nothing,
        },
    }
}

/// A prefix of a call's access set.
pub(super) struct Prefix {
    pub(super) contract: ContractIndex,
    pub(super) mode: Mode,
    /// The version that the call reads.
    pub(super) before: Below,
}

/// The prefixes of a call's access set, in its order.
#[derive(Default)]
pub(super) struct Prefixes {
    list: Vec<Prefix>,
    by_name: HashMap<(ContractIndex, Key), usize, foldhash::quality::RandomState>,
    /// The parent state.
    store: Option<Arc<MemoryStore>>,
}

impl Prefixes {
    pub(super) fn clear(&mut self) {
        if self.list.is_empty() {
            return;
        }
        self.list.clear();
        self.by_name.clear();
        self.store = None;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn add(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        mode: Mode,
        before: Below,
        store: &Arc<MemoryStore>,
    ) {
        let key = Key::new(key);
        self.by_name.insert((contract, key), self.list.len());
        self.list.push(Prefix { contract, mode, before });
        self.store.get_or_insert_with(|| Arc::clone(store));
    }

    pub(super) fn list(&self) -> &[Prefix] {
        &self.list
    }

    /// The prefix that a key is below, by its place among them.
    pub(super) fn of(
        &self,
        registry: &Registry,
        contract: ContractIndex,
        key: &[u8],
    ) -> Option<usize> {
        let KeyOf::Prefix(prefix) = key_of(registry, contract, key) else { return None };
        self.by_name.get(&(contract, Key::new(prefix))).copied()
    }

    /// The value before the call of a key below a prefix.
    ///
    /// # Errors
    /// If the state can't be read; the keeper knows why.
    pub(super) fn read(
        &self,
        prefix: usize,
        registry: &Registry,
        key: &[u8],
    ) -> Result<Option<Bytes>, CannotRead> {
        let prefix = &self.list[prefix];
        if let Some(value) = prefix.before.get(key) {
            return Ok(value.clone());
        }
        let store = self.store.as_ref().ok_or(CannotRead)?;
        store.read(registry, prefix.contract, key).map_err(|_| CannotRead)
    }
}

/// The state could not be read.
#[derive(Debug)]
pub(super) struct CannotRead;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_do_not_see_later_changes() {
        let value = |number: u8| Some(Bytes::new(&[number]));
        let mut first = Below::default();
        first.set(&[1], value(1));
        let mut second = first.clone();
        second.set(&[1], None);
        second.set(&[0, 9], value(2));
        assert_eq!(first.get(&[1]), Some(&value(1)));
        assert_eq!(first.get(&[0, 9]), None);
        assert_eq!(second.get(&[1]), Some(&None));
        let order: Vec<&[u8]> = second.iter().map(|(key, _)| key).collect();
        assert_eq!(order, [&[0, 9][..], &[1]]);
        assert!(!first.is_same(&second) && second.is_same(&second.clone()));
        let mut third = second.clone();
        third.set(&[1], value(3));
        assert!(!third.is_same(&second));
        third.set(&[1], None);
        assert!(third.is_same(&second));
    }
}
