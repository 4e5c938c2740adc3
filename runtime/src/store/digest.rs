//! The state's digest: BLAKE3 over all entries in key order.
//!
//! | key | value |
//! | --- | --- |
//! | `00`, code hash | nothing |
//! | `01`, address | code hash, then the contract's immutables |
//! | `02`, address, storage key | the stored value |
//!
//! Each entry is hashed as length of the key (`u32`, little-endian), key, length of the value,
//! value. The digest depends on the current entries alone, never on how they came to be.

use std::fmt;
use tollway_host_api::Address;

/// A commitment to the whole state.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateDigest(pub [u8; 32]);

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The state key that says that a code was uploaded.
pub fn code_key(hash: &[u8; 32]) -> Vec<u8> {
    [&[0u8][..], hash].concat()
}

/// The state key of a contract.
pub fn contract_key(address: &Address) -> Vec<u8> {
    [&[1u8][..], &address.0].concat()
}

/// The state key of a contract's storage key.
pub fn storage_key(address: &Address, key: &[u8]) -> Vec<u8> {
    [&[2u8][..], &address.0, key].concat()
}

/// The digest of entries that come in the order of their keys.
pub fn digest_of<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    entries: impl IntoIterator<Item = (K, V)>,
) -> StateDigest {
    let mut hasher = blake3::Hasher::new_derive_key("tollway 2026 state digest v1");
    for (key, value) in entries {
        for part in [key.as_ref(), value.as_ref()] {
            hasher.update(&(part.len() as u32).to_le_bytes()).update(part);
        }
    }
    StateDigest(*hasher.finalize().as_bytes())
}
