//! Chunks of a snapshot: which prefixes to cut the state at, and what ties each to the root.

use crate::node::{Shape, View};
use crate::tree::Tree;
use tollway_state_verify::{ChunkProof, Prefix};

/// A part of the state: all keys whose paths start with a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it lies, and what ties it to the root.
    pub proof: ChunkProof,
    /// How many keys it holds.
    pub len: usize,
}

impl Tree {
    /// The chunk of `prefix`, or `None` if the tree has no node there: a leaf is not cut.
    pub fn chunk(&self, prefix: Prefix) -> Option<Chunk> {
        let mut view = self.top.view();
        let mut siblings = Vec::with_capacity(prefix.bits().into());
        for depth in 0..prefix.bits() {
            let Shape::Branch([left, right]) = view.shape() else { return None };
            let (here, beside) = match prefix.first().bit(depth) {
                false => (left, right),
                true => (right, left),
            };
            view = here.view;
            siblings.push(beside.hash());
        }
        Some(Chunk { proof: ChunkProof { prefix, siblings }, len: view.count() })
    }

    /// Prefixes that cut the state into chunks of at most `keys_max` keys each, in the order of
    /// their paths. Each key lies below exactly one. A chunk that is a single leaf may hold more,
    /// up to [`LEAF_MAX`](crate::LEAF_MAX) keys. Visits every segment.
    pub fn chunk_prefixes(&self, keys_max: usize) -> Vec<Prefix> {
        let mut prefixes = Vec::new();
        cut(self.top.view(), Prefix::ALL, keys_max, &mut prefixes);
        prefixes
    }
}

/// Adds the prefixes below the node at `prefix`, and gives how many keys it holds.
fn cut(view: View<'_>, prefix: Prefix, keys_max: usize, prefixes: &mut Vec<Prefix>) -> usize {
    let start = prefixes.len();
    let count = match (view.shape(), prefix.child(false), prefix.child(true)) {
        (Shape::Branch([left, right]), Some(left_prefix), Some(right_prefix)) => {
            cut(left.view, left_prefix, keys_max, prefixes)
                + cut(right.view, right_prefix, keys_max, prefixes)
        }
        _ => {
            prefixes.push(prefix);
            return view.count();
        }
    };
    if count <= keys_max {
        prefixes.truncate(start);
        prefixes.push(prefix);
    }
    count
}
