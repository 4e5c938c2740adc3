//! A tree out of a whole state at once.

use crate::segment::lay_out;
use crate::tree::Tree;
use rayon::prelude::*;
use tollway_state_verify::Pair;

impl Tree {
    /// The tree of these entries, in any order, each key once. Parallel in the current rayon pool.
    pub fn from_entries<K, V>(entries: impl IntoParallelIterator<Item = (K, V)>) -> Tree
    where
        K: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let pair = |(key, value): (K, V)| Pair::of(key.as_ref(), value.as_ref());
        Tree::from_pairs(entries.into_par_iter().map(pair).collect())
    }

    /// The tree of these pairs, in any order. Pairs that are equal count once. Needs memory for
    /// `pairs` beside the tree.
    pub fn from_pairs(mut pairs: Vec<Pair>) -> Tree {
        pairs.par_sort_unstable();
        pairs.dedup();
        let (top, hash) = lay_out(&pairs, 0, &[], None);
        Tree { top, hash, len: pairs.len() }
    }
}
