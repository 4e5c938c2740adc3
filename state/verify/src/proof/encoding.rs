//! Proofs as bytes. Numbers are little-endian.
//!
//! | bytes | |
//! | --- | --- |
//! | 1 | version, 1 |
//! | 4 | number of leaves |
//! | 1 | per leaf: its depth, at most 128 |
//! | 4 | how many pairs it holds |
//! | 48 each | the pairs: path, entry; ascending |
//! | 32 each | siblings, as many as there are bytes left |

use super::Proof;
use crate::hash::{Hash, Pair};
use alloc::vec::Vec;
use core::fmt;

const VERSION: u8 = 1;

impl Proof {
    /// The encoding of the proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = 5 + 5 * self.leaves.len() + 48 * self.pairs.len() + 32 * self.siblings.len();
        let mut bytes = Vec::with_capacity(size);
        bytes.push(VERSION);
        bytes.extend_from_slice(&count(self.leaves.len()));
        for (index, leaf) in self.leaves.iter().enumerate() {
            let pairs = self.leaf_pairs(index);
            bytes.push(leaf.depth);
            bytes.extend_from_slice(&count(pairs.len()));
            pairs.iter().for_each(|pair| bytes.extend_from_slice(&pair.to_bytes()));
        }
        self.siblings.iter().for_each(|sibling| bytes.extend_from_slice(&sibling.0));
        bytes
    }

    /// The proof in its encoding. Allocates at most four times the size of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] if this is not, to the byte, what [`Proof::to_bytes`] writes for a proof.
    pub fn from_bytes(bytes: &[u8]) -> Result<Proof, DecodeError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(DecodeError::Version { found: version });
        }
        let mut proof = Proof { leaves: Vec::new(), pairs: Vec::new(), siblings: Vec::new() };
        for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
            let [depth] = take(&mut rest)?;
            let size = u64::from(u32::from_le_bytes(take(&mut rest)?)) * 48;
            let size = usize::try_from(size).map_err(|_| DecodeError::Cut)?;
            let (pairs, after) = rest.split_at_checked(size).ok_or(DecodeError::Cut)?;
            proof.push_leaf(depth, pairs.as_chunks::<48>().0.iter().map(Pair::from_bytes))?;
            rest = after;
        }
        let (siblings, []) = rest.as_chunks::<32>() else {
            return Err(DecodeError::Cut);
        };
        proof.siblings = siblings.iter().map(|bytes| Hash(*bytes)).collect();
        Ok(proof)
    }
}

/// A count in a proof. Four billion leaves or pairs would not fit into memory first.
fn count(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or(DecodeError::Cut)?;
    *rest = after;
    Ok(*taken)
}

/// Why bytes are no proof.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// A later version of the format, or no proof at all.
    Version {
        /// The version that the bytes name.
        found: u8,
    },
    /// The bytes end within a field.
    Cut,
    /// No tree has such a leaf: it is too deep, holds too many pairs, or they are not in order.
    Leaf {
        /// Which leaf, from the left.
        index: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Version { found } => write!(f, "proof version {found}, not {VERSION}"),
            DecodeError::Cut => write!(f, "the proof ends within a field"),
            DecodeError::Leaf { index } => write!(f, "leaf {index} of the proof is in no tree"),
        }
    }
}

impl core::error::Error for DecodeError {}
