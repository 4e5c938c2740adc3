//! Carries a sorted batch down the tree, and the hashes back up.

use crate::change::Change;
use crate::node::{Branch, Inner, Node, SEGMENT_JOIN, Segment};
use crate::segment;
use tollway_state_verify::{DEPTH_MAX, Hash, LEAF_MAX, branch_hash, leaf_hash};

/// Both sides of a branch run in parallel if at least this many changes lie below it. A task costs
/// some 100 ns when nobody takes it, a change about 1 µs.
const PARALLEL_MIN: usize = 128;

/// What a batch did to a node.
pub(crate) struct Done {
    pub(crate) hash: Hash,
    /// Keys more than before.
    pub(crate) growth: isize,
    /// Changes whose old entry was missing, or whose new entry was there already.
    pub(crate) mismatches: usize,
}

/// Applies `changes`, sorted by path, to the node at `depth`, whose hash is `hash`.
pub(crate) fn update(node: &mut Node, hash: Hash, depth: u8, changes: &[Change]) -> Done {
    if changes.is_empty() {
        return Done { hash, growth: 0, mismatches: 0 };
    }
    let branch = match node {
        Node::Segment(segment) => {
            let (done, grown) = segment::update(segment, depth, changes);
            if let Some(grown) = grown {
                *node = grown;
            }
            return done;
        }
        Node::Branch(branch) => branch,
    };
    let (left, right) = split(changes, depth);
    let Branch { hashes, sides: [left_side, right_side] } = &mut **branch;
    let mut run_left = || update(left_side, hashes[0], depth + 1, left);
    let mut run_right = || update(right_side, hashes[1], depth + 1, right);
    let (left, right) = if changes.len() < PARALLEL_MIN {
        (run_left(), run_right())
    } else {
        rayon::join(run_left, run_right)
    };
    *hashes = [left.hash, right.hash];
    let mut hash = branch_hash(&hashes[0], &hashes[1]);
    if let Some((joined, joined_hash)) = join(branch, hash, depth) {
        *node = Node::Segment(joined);
        hash = joined_hash;
    }
    Done {
        hash,
        growth: left.growth + right.growth,
        mismatches: left.mismatches + right.mismatches,
    }
}

/// The changes that go left at `depth`, and those that go right.
pub(crate) fn split(changes: &[Change], depth: u8) -> (&[Change], &[Change]) {
    changes.split_at(changes.partition_point(|change| !change.path.bit(depth)))
}

/// One segment out of two that have become small.
pub(crate) fn join(branch: &Branch, hash: Hash, depth: u8) -> Option<(Segment, Hash)> {
    let [Node::Segment(left), Node::Segment(right)] = &branch.sides else { return None };
    let len = left.pairs.len() + right.pairs.len();
    if len > SEGMENT_JOIN {
        return None;
    }
    let pairs: Box<[_]> = [&left.pairs[..], &right.pairs].concat().into();
    if len <= LEAF_MAX && depth < DEPTH_MAX {
        let hash = leaf_hash(&pairs);
        return Some((Segment { pairs, inner: Box::default() }, hash));
    }
    let first =
        Inner { hash, left_pairs: left.pairs.len() as u16, left_inner: left.inner.len() as u16 };
    let inner = [&[first][..], &left.inner, &right.inner].concat().into();
    Some((Segment { pairs, inner }, hash))
}
