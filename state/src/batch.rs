//! Write batches: what a block changes, in flat memory.
//!
//! ```text
//! bytes    key value key key value ...        one buffer
//! entries  (at, key_bytes, value_bytes) ...   one record a write, no allocation of its own
//! ```
//!
//! # Invariants
//! 1. No key or value is longer than its limit (`tests::limits_are_kept`).
//! 2. The order in which writes were put never reaches a backend: it sorts them by key
//!    (`tests::sorted_by_key`).

use crate::{
    BATCH_BYTES_MAX, BLOCK_BYTES_MAX, BackendError, Height, KEY_BYTES_MAX, VALUE_BYTES_MAX,
};
use rayon::slice::ParallelSliceMut;

/// A write: a key, and its value or `None` where the key goes.
pub type Write<'a> = (&'a [u8], Option<&'a [u8]>);

/// The writes of one block, each key once, and the block itself if it is to be kept.
///
/// A batch for the head's own height is a change between two blocks, and part of that height.
///
/// # Examples
/// ```
/// use tollway_state::{Height, WriteBatch};
/// let mut batch = WriteBatch::new(Height(1));
/// batch.put(b"alice", b"10")?;
/// batch.remove(b"bob")?;
/// assert_eq!(batch.len(), 2);
/// # Ok::<(), tollway_state::BackendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct WriteBatch {
    height: Height,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    block: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: usize,
    key_bytes: u32,
    /// `u32::MAX` where the key goes.
    value_bytes: u32,
}

const REMOVED: u32 = u32::MAX;

impl WriteBatch {
    /// A batch without writes.
    pub fn new(height: Height) -> WriteBatch {
        WriteBatch::with_capacity(height, 0, 0)
    }

    /// A batch with room for `writes` writes, whose keys and values take `bytes` bytes together.
    pub fn with_capacity(height: Height, writes: usize, bytes: usize) -> WriteBatch {
        WriteBatch {
            height,
            bytes: Vec::with_capacity(bytes),
            entries: Vec::with_capacity(writes),
            block: None,
        }
    }

    /// Sets `key` to `value`.
    ///
    /// # Errors
    /// [`BackendError::TooLarge`] for a key above [`KEY_BYTES_MAX`], a value above
    /// [`VALUE_BYTES_MAX`], or a batch above [`BATCH_BYTES_MAX`].
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), BackendError> {
        within("value", value.len(), VALUE_BYTES_MAX)?;
        self.push(key, value, value.len() as u32)
    }

    /// Removes `key`. A key that is not there may be removed.
    ///
    /// # Errors
    /// [`BackendError::TooLarge`] for a key above [`KEY_BYTES_MAX`], or a batch above
    /// [`BATCH_BYTES_MAX`].
    pub fn remove(&mut self, key: &[u8]) -> Result<(), BackendError> {
        self.push(key, &[], REMOVED)
    }

    fn push(&mut self, key: &[u8], value: &[u8], value_bytes: u32) -> Result<(), BackendError> {
        within("key", key.len(), KEY_BYTES_MAX)?;
        within("batch", self.bytes.len() + key.len() + value.len(), BATCH_BYTES_MAX)?;
        let entry = Entry { at: self.bytes.len(), key_bytes: key.len() as u32, value_bytes };
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.entries.push(entry);
        Ok(())
    }

    /// Keeps the encoded block with the history, so that it can be replayed. The bytes mean
    /// nothing to a backend.
    ///
    /// # Errors
    /// [`BackendError::TooLarge`] above [`BLOCK_BYTES_MAX`].
    pub fn set_block(&mut self, block: Vec<u8>) -> Result<(), BackendError> {
        within("block", block.len(), BLOCK_BYTES_MAX)?;
        self.block = Some(block);
        Ok(())
    }

    /// The height that the writes belong to.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The encoded block, if one was set.
    pub fn block(&self) -> Option<&[u8]> {
        self.block.as_deref()
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all keys and values.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// The writes in the order in which they were put.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Write<'_>> {
        self.entries.iter().map(|entry| self.write(entry))
    }

    /// The writes by ascending key, as backends take them. Sorts in the current rayon pool.
    ///
    /// # Errors
    /// [`BackendError::DuplicateKey`] if a key is written twice.
    pub fn sorted(&self) -> Result<Vec<Write<'_>>, BackendError> {
        let mut writes: Vec<Write<'_>> = self.iter().collect();
        if !writes.is_sorted_by(|a, b| a.0 < b.0) {
            writes.par_sort_unstable_by(|a, b| a.0.cmp(b.0));
        }
        match writes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => {
                Err(BackendError::DuplicateKey { height: self.height, key: pair[0].0.to_vec() })
            }
            None => Ok(writes),
        }
    }

    fn write(&self, entry: &Entry) -> Write<'_> {
        let value_at = entry.at + entry.key_bytes as usize;
        let value = (entry.value_bytes != REMOVED)
            .then(|| &self.bytes[value_at..value_at + entry.value_bytes as usize]);
        (&self.bytes[entry.at..value_at], value)
    }
}

/// Refuses batches that do not follow the head one after the other.
///
/// # Errors
/// [`BackendError::NotNext`] for the first that is neither of the height before it nor of the next.
pub fn check_heights(head: Height, batches: &[WriteBatch]) -> Result<(), BackendError> {
    let mut head = head;
    for batch in batches {
        if batch.height != head && (head.0 == u64::MAX || batch.height != head.next()) {
            return Err(BackendError::NotNext { height: batch.height, head });
        }
        head = batch.height;
    }
    Ok(())
}

fn within(what: &'static str, bytes: usize, bytes_max: usize) -> Result<(), BackendError> {
    if bytes > bytes_max {
        return Err(BackendError::TooLarge { what, bytes, bytes_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_by_key() {
        let mut batch = WriteBatch::new(Height(1));
        batch.put(b"b", b"2").unwrap();
        batch.remove(b"c").unwrap();
        batch.put(b"a", b"").unwrap();
        let expected: Vec<Write<'_>> = vec![(b"a", Some(b"")), (b"b", Some(b"2")), (b"c", None)];
        assert_eq!(batch.sorted().unwrap(), expected);
    }

    #[test]
    fn a_key_written_twice_is_refused() {
        let mut batch = WriteBatch::new(Height(7));
        batch.put(b"b", b"2").unwrap();
        batch.put(b"a", b"2").unwrap();
        batch.remove(b"b").unwrap();
        let error = batch.sorted().unwrap_err();
        assert_eq!(error.to_string(), "key 62 is written twice at height 7");
    }

    #[test]
    fn limits_are_kept() {
        let mut batch = WriteBatch::new(Height(1));
        batch.put(&vec![0; KEY_BYTES_MAX], b"").unwrap();
        assert!(matches!(
            batch.put(&vec![0; KEY_BYTES_MAX + 1], b""),
            Err(BackendError::TooLarge { what: "key", .. })
        ));
        assert!(matches!(
            batch.put(b"a", &vec![0; VALUE_BYTES_MAX + 1]),
            Err(BackendError::TooLarge { what: "value", .. })
        ));
        assert_eq!(batch.len(), 1);
    }

    #[test]
    fn heights_follow_each_other() {
        let batches = |heights: &[u64]| -> Vec<WriteBatch> {
            heights.iter().map(|height| WriteBatch::new(Height(*height))).collect()
        };
        assert!(check_heights(Height(3), &batches(&[3, 3, 4, 5, 5])).is_ok());
        for wrong in [&[5][..], &[2], &[4, 6], &[4, 3]] {
            assert!(check_heights(Height(3), &batches(wrong)).is_err(), "{wrong:?}");
        }
        assert!(check_heights(Height(u64::MAX), &batches(&[0])).is_err());
    }
}
