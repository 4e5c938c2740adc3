//! Lays out sorted pairs as a segment, or as branches over segments.

use crate::change::Change;
use crate::node::{Branch, Inner, Node, SEGMENT_MAX, Segment};
use crate::update::split;
use std::borrow::Cow;
use tollway_state_verify::{DEPTH_MAX, Hash, LEAF_MAX, Pair, branch_hash, leaf_hash};

/// Both sides are laid out in parallel if they hold at least this many pairs, about 0.2 ms of work.
const PARALLEL_MIN: usize = 1024;

/// Lays out the sorted `pairs` of the subtree at `depth`: as a segment, or as branches over
/// segments. `old` are the branches of the segment before the batch, or none; what lies below them
/// is not hashed again where there are no `changes`.
pub(crate) fn lay_out(
    pairs: Cow<'_, [Pair]>,
    depth: u8,
    changes: &[Change],
    old: &[Inner],
) -> (Node, Hash) {
    if pairs.len() <= SEGMENT_MAX || depth == DEPTH_MAX {
        let mut inner = Vec::new();
        let hash = lay_out_segment(&pairs, depth, changes, old, &mut inner);
        let pairs = pairs.into_owned().into();
        return (Node::Segment(Segment { pairs, inner: inner.into() }), hash);
    }
    let (left, right) = pairs.split_at(pairs.partition_point(|pair| !pair.path.bit(depth)));
    let (left_changes, right_changes) = split(changes, depth);
    let (old_left, old_right) = inner_sides(old);
    let run_left = || lay_out(left.into(), depth + 1, left_changes, old_left);
    let run_right = || lay_out(right.into(), depth + 1, right_changes, old_right);
    let ((left, left_hash), (right, right_hash)) = if pairs.len() < PARALLEL_MIN {
        (run_left(), run_right())
    } else {
        rayon::join(run_left, run_right)
    };
    let branch = Branch { hashes: [left_hash, right_hash], sides: [left, right] };
    (Node::Branch(Box::new(branch)), branch_hash(&left_hash, &right_hash))
}

/// Appends the branches of a segment, or of a part of one, to `inner`, and gives its hash.
fn lay_out_segment(
    pairs: &[Pair],
    depth: u8,
    changes: &[Change],
    old: &[Inner],
    inner: &mut Vec<Inner>,
) -> Hash {
    if let (Some(first), []) = (old.first(), changes) {
        inner.extend_from_slice(old);
        return first.hash;
    }
    if pairs.len() <= LEAF_MAX || depth == DEPTH_MAX {
        return leaf_hash(pairs);
    }
    let (left, right) = pairs.split_at(pairs.partition_point(|pair| !pair.path.bit(depth)));
    let (left_changes, right_changes) = split(changes, depth);
    let (old_left, old_right) = inner_sides(old);
    let at = inner.len();
    inner.push(Inner { hash: Hash([0; 32]), left_pairs: left.len() as u16, left_inner: 0 });
    let left_hash = lay_out_segment(left, depth + 1, left_changes, old_left, inner);
    inner[at].left_inner = (inner.len() - at - 1) as u16;
    let right_hash = lay_out_segment(right, depth + 1, right_changes, old_right, inner);
    inner[at].hash = branch_hash(&left_hash, &right_hash);
    inner[at].hash
}

/// The branches left and right of the first.
fn inner_sides(inner: &[Inner]) -> (&[Inner], &[Inner]) {
    match inner.split_first() {
        Some((first, rest)) => rest.split_at(first.left_inner.into()),
        None => (&[], &[]),
    }
}
