//! The state as one ordered map of bytes: what its root commits to, and what keeps it.
//!
//! | key | value |
//! | --- | --- |
//! | `00`, code hash | the module as it was uploaded |
//! | `01`, address | code hash, then the contract's immutables |
//! | `02`, address, storage key | the stored value |
//!
//! The root is that of [`tollway_state::verify`]: it depends on the entries alone, never on how they
//! came to be.

use crate::engine::code::CodeHash;
use crate::registry::Contract;
use rayon::prelude::*;
use tollway_host_api::Address;
use tollway_state::Root;
use tollway_state::tree::Tree;

/// What the key of a code starts with.
pub const CODE: u8 = 0;
/// What the key of a contract starts with.
pub const CONTRACT: u8 = 1;
/// What the key of a stored value starts with.
pub const STORAGE: u8 = 2;

/// The state key of a code.
pub fn code_key(hash: &CodeHash) -> Vec<u8> {
    [&[CODE][..], &hash.0].concat()
}

/// The state key of a contract.
pub fn contract_key(address: &Address) -> Vec<u8> {
    [&[CONTRACT][..], &address.0].concat()
}

/// The state key of a contract's storage key.
pub fn storage_key(address: &Address, key: &[u8]) -> Vec<u8> {
    let mut state_key = Vec::with_capacity(1 + address.0.len() + key.len());
    push_storage_key(&mut state_key, address, key);
    state_key
}

/// Appends what [`storage_key`] gives.
pub(crate) fn push_storage_key(to: &mut Vec<u8>, address: &Address, key: &[u8]) {
    to.push(STORAGE);
    to.extend_from_slice(&address.0);
    to.extend_from_slice(key);
}

/// The entry of a contract.
pub(crate) fn contract_entry(contract: &Contract) -> (Vec<u8>, Vec<u8>) {
    let value = [&contract.code.hash.0[..], &contract.immutables].concat();
    (contract_key(&contract.address), value)
}

/// The root of a state, made from all its entries, in any order, each key once.
pub fn root_of<K, V>(entries: impl IntoParallelIterator<Item = (K, V)>) -> Root
where
    K: AsRef<[u8]> + Send,
    V: AsRef<[u8]> + Send,
{
    Tree::from_entries(entries).root()
}
