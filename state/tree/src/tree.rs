//! The tree as its users see it.

use crate::change::Change;
use crate::node::{Node, View};
use crate::update::update;
use std::mem::size_of;
use tollway_state_verify::{Hash, Root, leaf_hash};

/// The tree that commits to the state, in memory.
///
/// It asks for 57 bytes a key; allocators add 3 to 14. Keys that were ground to share bits take
/// more, 4 bytes a key for each bit, see `docs/state-root.md`.
///
/// Reading needs `&self`, so proofs are made from several threads at once. Cloning copies it.
#[derive(Clone, Debug)]
pub struct Tree {
    pub(crate) top: Node,
    pub(crate) hash: Hash,
    pub(crate) len: usize,
}

impl Default for Tree {
    fn default() -> Tree {
        Tree::new()
    }
}

impl Tree {
    /// The tree of the state that holds nothing.
    pub fn new() -> Tree {
        Tree { top: Node::empty(), hash: leaf_hash(&[]), len: 0 }
    }

    /// Applies a batch and gives the new root. Changes come in any order, each key once; parallel
    /// in the current rayon pool.
    ///
    /// A change whose old entry is not in the tree, or whose new one is there already, still does
    /// the rest: the tree then holds what it held, without all old entries, with all new ones. Use
    /// [`Tree::update_checked`] to hear of it.
    pub fn update(&mut self, changes: Vec<Change>) -> Root {
        self.apply(changes);
        self.root()
    }

    /// As [`Tree::update`], and says whether the tree and whoever keeps the values agreed.
    ///
    /// # Errors
    /// [`Mismatch`] if an old entry was not in the tree, or a new one was there already. The batch
    /// is applied as far as it goes; build the tree again from the state.
    pub fn update_checked(&mut self, changes: Vec<Change>) -> Result<Root, Mismatch> {
        match self.apply(changes) {
            0 => Ok(self.root()),
            count => Err(Mismatch { count, root: self.root() }),
        }
    }

    /// Applies a batch and gives how many of its changes did not fit.
    fn apply(&mut self, mut changes: Vec<Change>) -> usize {
        use rayon::prelude::*;
        changes.par_sort_unstable_by_key(|change| change.path.to_bits());
        let done = update(&mut self.top, self.hash, 0, &changes);
        self.hash = done.hash;
        self.len = self.len.strict_add_signed(done.growth);
        done.mismatches
    }

    /// The root of the current state.
    pub fn root(&self) -> Root {
        self.hash.into()
    }

    /// Keys in the state.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the state holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory that the tree asked for, without what the allocator adds. Visits every
    /// segment: about 10 ms at ten million keys.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Tree>() + memory_bytes(self.top.view())
    }
}

fn memory_bytes(view: View<'_>) -> usize {
    match view {
        View::Flat { pairs, inner } => size_of_val(pairs) + size_of_val(inner),
        View::Branch(branch) => {
            size_of_val(branch)
                + branch.sides.iter().map(|side| memory_bytes(side.view())).sum::<usize>()
        }
    }
}

/// The tree and the state that a batch was made from disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} changes do not fit the tree, which is now at root {root}")]
pub struct Mismatch {
    /// How many changes did not fit.
    pub count: usize,
    /// The root after what could be applied.
    pub root: Root,
}
