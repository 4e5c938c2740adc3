//! The hashes that a root is made of, and the numbers that fix the shape of the tree.
//!
//! ```text
//! digest(key)      = BLAKE3 keyed by KEY_DOMAIN    of key
//! path(key)        = first 16 bytes of digest(key)
//! entry(key, v)    = BLAKE3 keyed by digest(key)   of v
//! leaf(pairs)      = BLAKE3 keyed by LEAF_DOMAIN   of path ‖ entry ‖ path ‖ entry …, sorted
//! branch(l, r)     = BLAKE3 keyed by BRANCH_DOMAIN of l ‖ r
//! ```

use alloc::vec::Vec;
use core::fmt;

/// Keys in a leaf, at most; a subtree of more is a branch, unless it lies at [`DEPTH_MAX`].
///
/// Measured at a million keys, for 4, 6, 8, 12 and 16: 63.0, 58.7, 56.5, 54.4 and 53.2 bytes of
/// memory a key; 757, 805, 861, 976 and 1,109 bytes a proof; updates differ by a tenth.
pub const LEAF_MAX: usize = 8;

/// Bits of a path, and so the depth of the deepest leaf. A leaf there holds whatever is left.
pub const DEPTH_MAX: u8 = 128;

const KEY_DOMAIN: &[u8; 32] = b"tollway state root v1: key      ";
const LEAF_DOMAIN: &[u8; 32] = b"tollway state root v1: leaf     ";
const BRANCH_DOMAIN: &[u8; 32] = b"tollway state root v1: branch   ";

/// The hash of the leaf of no pairs. Written down, because a chain of branches that somebody made by
/// choosing keys has it at every level.
const EMPTY: Hash = Hash([
    0xe1, 0x06, 0x06, 0x76, 0x56, 0xac, 0x1b, 0x71, 0xc1, 0xf8, 0x5c, 0xca, 0x15, 0x82, 0x8d, 0x6d,
    0xf9, 0x31, 0xb8, 0xe2, 0xa6, 0x7c, 0x4d, 0x3b, 0x69, 0x13, 0x3e, 0xb0, 0x53, 0x1c, 0x70, 0xea,
]);

/// A commitment to the whole state: the hash of the tree's top node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root(pub [u8; 32]);

impl Root {
    /// The root of the state that holds nothing.
    pub fn empty() -> Root {
        EMPTY.into()
    }
}

impl From<Hash> for Root {
    fn from(hash: Hash) -> Root {
        Root(hash.0)
    }
}

/// The hash of a leaf or of a branch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// Where a key lies in the tree: the first 128 bits of its digest, most significant bit first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub [u8; 16]);

impl Path {
    /// The path of `key`.
    pub fn of(key: &[u8]) -> Path {
        KeyDigest::of(key).path()
    }

    /// The bit that says left (`false`) or right (`true`) at `depth`; `false` from
    /// [`DEPTH_MAX`] on.
    #[inline]
    pub fn bit(&self, depth: u8) -> bool {
        depth < DEPTH_MAX && self.to_bits() << depth >> 127 == 1
    }

    /// The path as a number; paths are ordered as their numbers are.
    #[inline]
    pub fn to_bits(&self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

/// What a key and its value hash to; it binds the whole key and the whole value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry(pub [u8; 32]);

/// What the tree holds of one key: 48 bytes, whatever the key and value are. Ordered by path, then
/// by entry, as in leaves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// Where the key lies.
    pub path: Path,
    /// The key with its value.
    pub entry: Entry,
}

impl Pair {
    /// The pair of a key and its value.
    pub fn of(key: &[u8], value: &[u8]) -> Pair {
        KeyDigest::of(key).pair(value)
    }

    /// The pair as leaves hash it and proofs carry it: path, then entry.
    pub fn to_bytes(&self) -> [u8; 48] {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(&self.path.0);
        bytes[16..].copy_from_slice(&self.entry.0);
        bytes
    }

    /// The pair in its encoding.
    pub fn from_bytes(bytes: &[u8; 48]) -> Pair {
        let (mut path, mut entry) = ([0; 16], [0; 32]);
        path.copy_from_slice(&bytes[..16]);
        entry.copy_from_slice(&bytes[16..]);
        Pair { path: Path(path), entry: Entry(entry) }
    }
}

/// The digest of a key, from which its path and its entries come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    /// The digest of `key`.
    pub fn of(key: &[u8]) -> KeyDigest {
        KeyDigest(*blake3::keyed_hash(KEY_DOMAIN, key).as_bytes())
    }

    /// Where the key lies in the tree.
    pub fn path(&self) -> Path {
        let mut path = [0; 16];
        path.copy_from_slice(&self.0[..16]);
        Path(path)
    }

    /// The entry of the key with `value`. Hashes the value, not the key again.
    pub fn entry(&self, value: &[u8]) -> Entry {
        Entry(*blake3::keyed_hash(&self.0, value).as_bytes())
    }

    /// The path of the key, with its entry for `value`.
    pub fn pair(&self, value: &[u8]) -> Pair {
        Pair { path: self.path(), entry: self.entry(value) }
    }
}

/// The hash of a leaf of `pairs`, which come sorted. The leaf of no pairs is the empty subtree.
pub fn leaf_hash(pairs: &[Pair]) -> Hash {
    if pairs.is_empty() {
        return EMPTY;
    }
    if pairs.len() > LEAF_MAX {
        return long_leaf_hash(pairs);
    }
    let mut bytes = [0; 48 * LEAF_MAX];
    for (slot, pair) in bytes.chunks_exact_mut(48).zip(pairs) {
        slot[..16].copy_from_slice(&pair.path.0);
        slot[16..].copy_from_slice(&pair.entry.0);
    }
    Hash(*blake3::keyed_hash(LEAF_DOMAIN, &bytes[..48 * pairs.len()]).as_bytes())
}

// Only at `DEPTH_MAX`, so never but where somebody made nine paths equal.
#[cold]
fn long_leaf_hash(pairs: &[Pair]) -> Hash {
    let mut hasher = blake3::Hasher::new_keyed(LEAF_DOMAIN);
    for pair in pairs {
        hasher.update(&pair.to_bytes());
    }
    Hash(*hasher.finalize().as_bytes())
}

/// The hash of a branch over the hashes of its two sides.
pub fn branch_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&left.0);
    bytes[32..].copy_from_slice(&right.0);
    Hash(*blake3::keyed_hash(BRANCH_DOMAIN, &bytes).as_bytes())
}

/// The hash of the subtree at `depth` that holds exactly `pairs`, which come sorted and agree in
/// the first `depth` bits.
pub fn subtree_hash(pairs: &[Pair], depth: u8) -> Hash {
    if pairs.len() <= LEAF_MAX || depth >= DEPTH_MAX {
        return leaf_hash(pairs);
    }
    let (left, right) = pairs.split_at(pairs.partition_point(|pair| !pair.path.bit(depth)));
    branch_hash(&subtree_hash(left, depth + 1), &subtree_hash(right, depth + 1))
}

/// Sorts `pairs` as leaves hold them; `None` if two are equal, which no state has.
pub(crate) fn sorted(mut pairs: Vec<Pair>) -> Option<Vec<Pair>> {
    pairs.sort_unstable();
    pairs.windows(2).all(|two| two[0] < two[1]).then_some(pairs)
}

macro_rules! hexadecimal {
    ($($name:ident)*) => { $(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )* };
}
hexadecimal!(Root Hash Path Entry KeyDigest);

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.path, self.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_the_hash_of_no_pairs() {
        assert_eq!(EMPTY.0, *blake3::keyed_hash(LEAF_DOMAIN, b"").as_bytes());
        assert_eq!(leaf_hash(&[]), long_leaf_hash(&[]));
    }

    #[test]
    fn a_leaf_is_hashed_the_same_whole_or_pair_by_pair() {
        let pairs: Vec<Pair> = (0..LEAF_MAX as u8).map(|key| Pair::of(&[key], b"")).collect();
        for count in 0..=LEAF_MAX {
            assert_eq!(leaf_hash(&pairs[..count]), long_leaf_hash(&pairs[..count]));
        }
    }
}
