//! What a batch does to one key.

use tollway_state_verify::{Entry, KeyDigest, Path};

/// What a batch does to one key: the pair that was there, and the one that is there after.
///
/// The old value is named because two keys may have the same path, if somebody spends 2^64 work on
/// it; the tree, which does not keep keys, then knows by the old entry which of the two is meant.
/// It also lets the tree notice a store that disagrees with it, see
/// [`Tree::update_checked`](crate::Tree::update_checked).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where the key lies.
    pub path: Path,
    /// The entry before the batch; `None` if the key was absent.
    pub old: Option<Entry>,
    /// The entry after the batch; `None` if the key is removed.
    pub new: Option<Entry>,
}

impl Change {
    /// `key` had `old_value` (`None`: was absent), and now has `new_value` (`None`: is removed).
    ///
    /// Hashes the key once and each value once: some 70 ns for each 64 bytes.
    pub fn new(key: &[u8], old_value: Option<&[u8]>, new_value: Option<&[u8]>) -> Change {
        let digest = KeyDigest::of(key);
        Change {
            path: digest.path(),
            old: old_value.map(|value| digest.entry(value)),
            new: new_value.map(|value| digest.entry(value)),
        }
    }

    /// `key` gets `new_value`; it had `old_value`, or was absent.
    pub fn set(key: &[u8], old_value: Option<&[u8]>, new_value: &[u8]) -> Change {
        Change::new(key, old_value, Some(new_value))
    }

    /// `key`, which had `old_value`, is removed.
    pub fn remove(key: &[u8], old_value: &[u8]) -> Change {
        Change::new(key, Some(old_value), None)
    }

    /// The change that undoes this one.
    pub fn inverse(&self) -> Change {
        Change { path: self.path, old: self.new, new: self.old }
    }
}
