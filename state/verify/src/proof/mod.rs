//! Proofs that keys have values, or are not there, for one key or many.
//!
//! ```text
//!            root               keys a, b, c; leaves and siblings are kept in the order in which
//!           ╱    ╲              they lie in the tree, left to right:
//!        ·          ·
//!       ╱ ╲        ╱ ╲            leaves   (depth 2, pairs of a, b), (depth 3, pairs of c)
//!   [leaf] s0     ·   s2          siblings s0, s1, s2
//!    a b        ╱  ╲
//!             s1  [leaf] c
//! ```
//!
//! A verifier walks down from the root with the sorted keys. The depth of the next leaf says
//! whether a node is that leaf or a branch; a side without keys takes the next sibling.

mod encoding;

pub use encoding::DecodeError;

use crate::hash::{DEPTH_MAX, Entry, Hash, KeyDigest, LEAF_MAX, Pair, Path, Root};
use crate::hash::{branch_hash, leaf_hash};
use crate::prefix::Prefix;
use alloc::vec::Vec;
use core::fmt;

/// A proof for one key or many: that each has a value, or that it is not in the state.
///
/// Which keys and values it proves is not in it; whoever checks brings them. Values are bound by
/// their hash, so the size depends on the number of keys alone: about 0.8 kB for one of a million.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    leaves: Vec<Leaf>,
    /// The pairs of all leaves, one after another.
    pairs: Vec<Pair>,
    siblings: Vec<Hash>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leaf {
    depth: u8,
    /// Where its pairs end.
    pairs_end: usize,
}

impl Proof {
    /// A proof of leaves, each with its depth and its pairs, and of siblings, both from left to
    /// right.
    ///
    /// # Errors
    /// [`DecodeError::Leaf`] if no tree has such a leaf: it is too deep, holds too many pairs, or
    /// they are not sorted.
    pub fn from_parts<'a>(
        leaves: impl IntoIterator<Item = (u8, &'a [Pair])>,
        siblings: Vec<Hash>,
    ) -> Result<Proof, DecodeError> {
        let mut proof = Proof { leaves: Vec::new(), pairs: Vec::new(), siblings };
        for (depth, pairs) in leaves {
            proof.push_leaf(depth, pairs.iter().copied())?;
        }
        Ok(proof)
    }

    fn push_leaf(
        &mut self,
        depth: u8,
        pairs: impl Iterator<Item = Pair>,
    ) -> Result<(), DecodeError> {
        let index = self.leaves.len();
        let start = self.pairs.len();
        self.pairs.extend(pairs);
        let added = &self.pairs[start..];
        let fits = added.len() <= LEAF_MAX || depth == DEPTH_MAX;
        let is_sorted = added.windows(2).all(|two| two[0] < two[1]);
        let together = match (added.first(), added.last()) {
            (Some(first), Some(last)) => {
                Prefix::new(first.path, depth).is_some_and(|prefix| prefix.contains(&last.path))
            }
            _ => depth <= DEPTH_MAX,
        };
        if !(fits && is_sorted && together) {
            return Err(DecodeError::Leaf { index });
        }
        self.leaves.push(Leaf { depth, pairs_end: self.pairs.len() });
        Ok(())
    }

    /// Checks that in the state of `root` each key has the value given, or is absent if that is
    /// `None`. The keys are those the proof was made for, in any order; all claims are checked, or
    /// none holds.
    ///
    /// # Errors
    /// [`VerifyError`]; nothing is then known about any of the keys. Indices are those of `claims`.
    ///
    /// # Examples
    /// See the head of this crate.
    pub fn verify<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        root: &Root,
        claims: &[(K, Option<V>)],
    ) -> Result<(), VerifyError> {
        let digested = claims.iter().map(|(key, value)| {
            let digest = KeyDigest::of(key.as_ref());
            (digest.path(), value.as_ref().map(|value| digest.entry(value.as_ref())))
        });
        self.verify_entries(root, digested)
    }

    /// As [`Proof::verify`], for keys and values that are known by their hashes.
    ///
    /// # Errors
    /// [`VerifyError`]; nothing is then known about any of the keys.
    pub fn verify_entries(
        &self,
        root: &Root,
        claims: impl IntoIterator<Item = (Path, Option<Entry>)>,
    ) -> Result<(), VerifyError> {
        let claim = |(index, (path, entry))| Claim { path, entry, index };
        let mut claims: Vec<Claim> = claims.into_iter().enumerate().map(claim).collect();
        if claims.is_empty() {
            return Err(VerifyError::NoClaims);
        }
        claims.sort_unstable_by_key(|claim| (claim.path, claim.index));
        let mut walk = Walk { proof: self, leaves_used: 0, siblings_used: 0 };
        let hash = walk.node(0, &claims)?;
        if walk.leaves_used < self.leaves.len() || walk.siblings_used < self.siblings.len() {
            return Err(VerifyError::Shape);
        }
        if Root::from(hash) != *root {
            return Err(VerifyError::Root { expected: *root, found: hash.into() });
        }
        Ok(())
    }

    /// The pairs of leaf `index`, as long as that is below the number of leaves.
    fn leaf_pairs(&self, index: usize) -> &[Pair] {
        let start = match index.checked_sub(1) {
            Some(before) => self.leaves[before].pairs_end,
            None => 0,
        };
        &self.pairs[start..self.leaves[index].pairs_end]
    }
}

/// One key of those to check.
struct Claim {
    path: Path,
    /// `None` if the key is said to be absent.
    entry: Option<Entry>,
    index: usize,
}

impl Claim {
    fn check(&self, leaf: &[Pair]) -> Result<(), VerifyError> {
        let index = self.index;
        let start = leaf.partition_point(|pair| pair.path < self.path);
        let mut same_path = leaf[start..].iter().take_while(|pair| pair.path == self.path);
        match self.entry {
            Some(entry) if same_path.any(|pair| pair.entry == entry) => Ok(()),
            Some(_) => Err(VerifyError::NotIncluded { index }),
            None if same_path.next().is_none() => Ok(()),
            None => Err(VerifyError::NotExcluded { index }),
        }
    }
}

struct Walk<'a> {
    proof: &'a Proof,
    leaves_used: usize,
    siblings_used: usize,
}

impl Walk<'_> {
    /// The hash of the node at `depth` below which `claims` lie, of which there is at least one.
    /// Each level is one deeper than the one before and no leaf lies below `DEPTH_MAX`, so the
    /// recursion ends there.
    fn node(&mut self, depth: u8, claims: &[Claim]) -> Result<Hash, VerifyError> {
        let leaf = self.proof.leaves.get(self.leaves_used).ok_or(VerifyError::Shape)?;
        if leaf.depth < depth {
            return Err(VerifyError::Shape);
        }
        if leaf.depth == depth {
            return self.leaf(depth, claims);
        }
        let middle = claims.partition_point(|claim| !claim.path.bit(depth));
        let left = self.side(depth + 1, &claims[..middle])?;
        let right = self.side(depth + 1, &claims[middle..])?;
        Ok(branch_hash(&left, &right))
    }

    fn side(&mut self, depth: u8, claims: &[Claim]) -> Result<Hash, VerifyError> {
        if !claims.is_empty() {
            return self.node(depth, claims);
        }
        let sibling = self.proof.siblings.get(self.siblings_used).ok_or(VerifyError::Shape)?;
        self.siblings_used += 1;
        Ok(*sibling)
    }

    fn leaf(&mut self, depth: u8, claims: &[Claim]) -> Result<Hash, VerifyError> {
        let pairs = self.proof.leaf_pairs(self.leaves_used);
        self.leaves_used += 1;
        // Pairs of one leaf agree in its first bits; so if the first does, all lie here.
        let here = claims.first().and_then(|claim| Prefix::new(claim.path, depth));
        if let (Some(here), Some(first)) = (here, pairs.first())
            && !here.contains(&first.path)
        {
            return Err(VerifyError::Shape);
        }
        for claim in claims {
            claim.check(pairs)?;
        }
        Ok(leaf_hash(pairs))
    }
}

/// Why a proof does not show what is claimed. Whoever made the proof may have chosen which of these
/// it leads to, so none of them says anything about the state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// Nothing was claimed, so there is nothing to check the root against.
    NoClaims,
    /// Leaves and siblings do not lie as these keys need it: the proof is for other keys.
    Shape,
    /// The key is said to have a value, and the leaf where it would be does not hold both.
    NotIncluded {
        /// Which claim.
        index: usize,
    },
    /// The key is said to be absent, and the leaf where it would be holds its path. Either the key
    /// is there, or another one with the same path is, which takes 2^64 work to arrange; absence
    /// can then not be shown.
    NotExcluded {
        /// Which claim.
        index: usize,
    },
    /// The proof leads to another root.
    Root {
        /// The root to check against.
        expected: Root,
        /// The root that the proof leads to.
        found: Root,
    },
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VerifyError::NoClaims => write!(f, "a proof was to be checked for no key"),
            VerifyError::Shape => write!(f, "the proof is not for these keys"),
            VerifyError::NotIncluded { index } => {
                write!(f, "key {index} does not have this value, or is absent")
            }
            VerifyError::NotExcluded { index } => {
                write!(f, "key {index} is present, or another key has its path")
            }
            VerifyError::Root { expected, found } => {
                write!(f, "the proof leads to root {found}, not to {expected}")
            }
        }
    }
}

impl core::error::Error for VerifyError {}
