//! A tree out of a whole state at once.
//!
//! ```text
//! entries ──hash──▶ pairs, in 256 buckets by the first byte of their paths
//!                     │ each by itself: sort, lay out, free
//!                     ▼
//!                   256 subtrees, under 8 levels of branches
//! ```

use crate::layout::lay_out;
use crate::node::{Branch, Node, SEGMENT_MAX};
use crate::tree::Tree;
use crate::update::join;
use rayon::prelude::*;
use tollway_state_verify::{Hash, Pair, branch_hash};

const BUCKETS: usize = 256;

/// Collects a state that is read piece by piece, and makes its tree: what a store does when it
/// opens.
///
/// Takes 48 bytes a key while it collects; these are freed as the tree grows.
///
/// # Examples
/// ```
/// use tollway_state_tree::{Builder, Tree};
///
/// let mut builder = Builder::new();
/// builder.add_entries(&[("alice", "7"), ("bob", "9")]);
/// builder.add_entries(&[("carol", "1")]);
/// let tree = builder.finish();
/// assert_eq!(tree.len(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    buckets: Vec<Vec<Pair>>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl Builder {
    /// A state that holds nothing yet.
    pub fn new() -> Builder {
        Builder { buckets: vec![Vec::new(); BUCKETS] }
    }

    /// Adds entries, in any order, each key once in all. Hashes them in the current rayon pool; a
    /// piece should be some thousands, so that this pays.
    pub fn add_entries<K, V>(&mut self, entries: &[(K, V)])
    where
        K: AsRef<[u8]> + Sync,
        V: AsRef<[u8]> + Sync,
    {
        let pair = |(key, value): &(K, V)| Pair::of(key.as_ref(), value.as_ref());
        let pairs: Vec<Pair> = entries.par_iter().map(pair).collect();
        pairs.into_iter().for_each(|pair| self.add(pair));
    }

    /// Adds a key by its pair.
    pub fn add(&mut self, pair: Pair) {
        self.buckets[usize::from(pair.path.0[0])].push(pair);
    }

    /// Adds what another builder collected.
    fn join(mut self, other: Builder) -> Builder {
        for (into, from) in self.buckets.iter_mut().zip(other.buckets) {
            if into.is_empty() {
                *into = from;
            } else {
                into.extend_from_slice(&from);
            }
        }
        self
    }

    /// The tree of all that was added. Pairs that are equal count once. Parallel in the current
    /// rayon pool.
    pub fn finish(mut self) -> Tree {
        let (top, hash, len) = lay_out_buckets(&mut self.buckets, 0);
        Tree { top, hash, len }
    }
}

impl Tree {
    /// The tree of these entries, in any order, each key once. Parallel in the current rayon pool.
    /// Use a [`Builder`] where they come piece by piece.
    pub fn from_entries<K, V>(entries: impl IntoParallelIterator<Item = (K, V)>) -> Tree
    where
        K: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let add = |mut builder: Builder, (key, value): (K, V)| {
            builder.add(Pair::of(key.as_ref(), value.as_ref()));
            builder
        };
        let builders = entries.into_par_iter().fold(Builder::new, add);
        builders.reduce(Builder::new, Builder::join).finish()
    }

    /// The tree of these pairs, in any order. Pairs that are equal count once.
    pub fn from_pairs(pairs: impl IntoIterator<Item = Pair>) -> Tree {
        let mut builder = Builder::new();
        pairs.into_iter().for_each(|pair| builder.add(pair));
        builder.finish()
    }
}

/// Lays out the subtree at `depth` that holds the pairs of `buckets`, and empties them. Also gives
/// how many pairs it holds.
fn lay_out_buckets(buckets: &mut [Vec<Pair>], depth: u8) -> (Node, Hash, usize) {
    let few = buckets.iter().map(Vec::len).sum::<usize>() <= SEGMENT_MAX;
    if few || buckets.len() == 1 {
        // Taken, so that the bucket is freed when its subtree is done.
        let mut pairs = match buckets {
            [bucket] => std::mem::take(bucket),
            _ => buckets.concat(),
        };
        pairs.sort_unstable();
        pairs.dedup();
        let (node, hash) = lay_out(pairs.as_slice().into(), depth, &[], &[]);
        return (node, hash, pairs.len());
    }
    let (left, right) = buckets.split_at_mut(buckets.len() / 2);
    let run_left = || lay_out_buckets(left, depth + 1);
    let run_right = || lay_out_buckets(right, depth + 1);
    let ((left, left_hash, left_len), (right, right_hash, right_len)) =
        rayon::join(run_left, run_right);
    let branch = Branch { hashes: [left_hash, right_hash], sides: [left, right] };
    let hash = branch_hash(&left_hash, &right_hash);
    let len = left_len + right_len;
    // Few are left where many were equal.
    match join(&branch, hash, depth) {
        Some((joined, hash)) => (Node::Segment(joined), hash, len),
        None => (Node::Branch(Box::new(branch)), hash, len),
    }
}
