//! Chunks of a snapshot: all entries below one prefix, checked against the root alone.
//!
//! ```text
//!            root
//!           ╱    ╲         prefix 10: the siblings are those of the nodes 1 and 10, from the
//!       [0]       ·        root down; the subtree below 10 is built again from the entries
//!               ╱   ╲
//!   10: entries     [11]
//! ```

use crate::hash::{Hash, Pair, Root, branch_hash, sorted, subtree_hash};
use crate::prefix::Prefix;
use crate::{DEPTH_MAX, Path};
use alloc::vec::Vec;
use core::fmt;

/// Where a chunk lies, and what ties it to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkProof {
    /// The chunk holds all entries whose paths start so, and no others.
    pub prefix: Prefix,
    /// The hash beside each node on the way from the root to the chunk, the root's child first.
    /// As many as the prefix has bits.
    pub siblings: Vec<Hash>,
}

impl ChunkProof {
    /// The encoding: the number of bits, the first path, the siblings.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17 + 32 * self.siblings.len());
        bytes.push(self.prefix.bits());
        bytes.extend_from_slice(&self.prefix.first().0);
        self.siblings.iter().for_each(|sibling| bytes.extend_from_slice(&sibling.0));
        bytes
    }

    /// The proof in its encoding.
    ///
    /// # Errors
    /// [`ChunkError::Encoding`] if the bytes are cut or longer, or not what
    /// [`ChunkProof::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<ChunkProof, ChunkError> {
        let (&bits, rest) = bytes.split_first().ok_or(ChunkError::Encoding)?;
        let (path, rest) = rest.split_first_chunk::<16>().ok_or(ChunkError::Encoding)?;
        let prefix = Prefix::new(Path(*path), bits).ok_or(ChunkError::Encoding)?;
        if prefix.first() != Path(*path) || rest.len() != 32 * usize::from(bits) {
            return Err(ChunkError::Encoding);
        }
        let siblings = rest.as_chunks::<32>().0.iter().map(|bytes| Hash(*bytes)).collect();
        Ok(ChunkProof { prefix, siblings })
    }
}

/// Checks that the state of `root` holds, of all keys whose paths start with `prefix`, exactly
/// `entries`, with these values. `siblings` are those of [`ChunkProof`]; entries come in any order.
///
/// Allocates 48 bytes an entry.
///
/// # Errors
/// [`ChunkError`], nothing of the chunk may then be used.
pub fn verify_chunk<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    root: &Root,
    prefix: Prefix,
    entries: impl IntoIterator<Item = (K, V)>,
    siblings: &[Hash],
) -> Result<(), ChunkError> {
    let pair = |(key, value): (K, V)| Pair::of(key.as_ref(), value.as_ref());
    verify_chunk_pairs(root, prefix, entries.into_iter().map(pair).collect(), siblings)
}

/// As [`verify_chunk`], for entries that are hashed already: by several threads, say.
///
/// # Errors
/// [`ChunkError`], nothing of the chunk may then be used.
pub fn verify_chunk_pairs(
    root: &Root,
    prefix: Prefix,
    pairs: Vec<Pair>,
    siblings: &[Hash],
) -> Result<(), ChunkError> {
    if siblings.len() != usize::from(prefix.bits()) {
        return Err(ChunkError::Siblings { expected: prefix.bits(), found: siblings.len() });
    }
    if let Some(index) = pairs.iter().position(|pair| !prefix.contains(&pair.path)) {
        return Err(ChunkError::Foreign { prefix, index });
    }
    let pairs = sorted(pairs).ok_or(ChunkError::Twice { prefix })?;
    let mut hash = subtree_hash(&pairs, prefix.bits());
    for (depth, sibling) in (0..prefix.bits()).zip(siblings).rev() {
        hash = match prefix.first().bit(depth) {
            false => branch_hash(&hash, sibling),
            true => branch_hash(sibling, &hash),
        };
    }
    if Root::from(hash) != *root {
        return Err(ChunkError::Root { prefix, expected: *root, found: hash.into() });
    }
    Ok(())
}

/// Checks that chunks with these prefixes, in this order, are the whole state: each path lies
/// below exactly one of them.
///
/// # Errors
/// [`PartitionError`] at the first prefix that leaves a gap before it or overlaps the one before,
/// or at the end if paths are left.
pub fn verify_partition(prefixes: impl IntoIterator<Item = Prefix>) -> Result<(), PartitionError> {
    let mut next = Some(0u128);
    for prefix in prefixes {
        if next != Some(prefix.first().to_bits()) {
            return Err(PartitionError { prefix: Some(prefix) });
        }
        next = prefix.last().to_bits().checked_add(1);
    }
    match next {
        None => Ok(()),
        Some(_) => Err(PartitionError { prefix: None }),
    }
}

/// Why a chunk is not part of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkError {
    /// The bytes are no chunk proof.
    Encoding,
    /// There are not as many siblings as the prefix has bits.
    Siblings {
        /// Bits of the prefix.
        expected: u8,
        /// Siblings given.
        found: usize,
    },
    /// The key of an entry does not belong below the prefix.
    Foreign {
        /// The chunk's prefix.
        prefix: Prefix,
        /// Which entry, as given.
        index: usize,
    },
    /// Two entries are equal.
    Twice {
        /// The chunk's prefix.
        prefix: Prefix,
    },
    /// The entries are not those of this state: one is missing, added or changed, or a sibling is.
    Root {
        /// The chunk's prefix.
        prefix: Prefix,
        /// The root to check against.
        expected: Root,
        /// The root that the chunk leads to.
        found: Root,
    },
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChunkError::Encoding => write!(f, "not the encoding of a chunk proof"),
            ChunkError::Siblings { expected, found } => {
                write!(f, "{found} siblings for a prefix of {expected} bits, at most {DEPTH_MAX}")
            }
            ChunkError::Foreign { prefix, index } => {
                write!(f, "entry {index} does not belong to chunk {prefix}")
            }
            ChunkError::Twice { prefix } => write!(f, "an entry is twice in chunk {prefix}"),
            ChunkError::Root { prefix, expected, found } => {
                write!(f, "chunk {prefix} leads to root {found}, not to {expected}")
            }
        }
    }
}

impl core::error::Error for ChunkError {}

/// The chunks are not the whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionError {
    /// The first prefix that does not follow the one before; `None` if the last ends too early.
    pub prefix: Option<Prefix>,
}

impl fmt::Display for PartitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            Some(prefix) => write!(f, "chunk {prefix} does not follow the one before"),
            None => write!(f, "chunks are missing at the end"),
        }
    }
}

impl core::error::Error for PartitionError {}
