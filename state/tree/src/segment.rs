//! Changes to a segment: in place if only entries change, else it is laid out anew.

use crate::change::Change;
use crate::node::{Branch, Inner, Node, SEGMENT_MAX, Segment, flat_hash};
use crate::update::{Done, split};
use std::collections::BTreeSet;
use tollway_state_verify::{DEPTH_MAX, Entry, Hash, LEAF_MAX, Pair, Path, branch_hash, leaf_hash};

/// Applies `changes`, of which there is at least one, to the segment at `depth`. Also gives the
/// node that takes its place, if it has to be laid out anew.
pub(crate) fn update(segment: &mut Segment, depth: u8, changes: &[Change]) -> (Done, Option<Node>) {
    if replace_entries(&mut segment.pairs, changes) {
        let hash = rehash(&segment.pairs, &mut segment.inner, depth, changes);
        return (Done { hash, growth: 0, mismatches: 0 }, None);
    }
    let (pairs, mismatches) = merge(&segment.pairs, changes);
    let growth = pairs.len() as isize - segment.pairs.len() as isize;
    let (node, hash) = lay_out(&pairs, depth, changes, &segment.inner);
    (Done { hash, growth, mismatches }, Some(node))
}

/// Replaces the entries of all changes, or of none: if a key comes or goes, if paths are equal (the
/// order of the pairs might change then), or if a change does not fit.
fn replace_entries(pairs: &mut [Pair], changes: &[Change]) -> bool {
    if changes.iter().any(|change| change.old.is_none() || change.new.is_none()) {
        return false;
    }
    let mut from = 0;
    for (index, change) in changes.iter().enumerate() {
        let at = from + pairs[from..].partition_point(|pair| pair.path < change.path);
        let fits = pairs
            .get(at)
            .is_some_and(|pair| pair.path == change.path && Some(pair.entry) == change.old);
        let alone = pairs.get(at + 1).is_none_or(|next| next.path != change.path);
        let once = changes.get(index + 1).is_none_or(|next| next.path != change.path);
        if !(fits && alone && once) {
            changes[..index].iter().for_each(|change| put(pairs, change.path, change.old));
            return false;
        }
        put(&mut pairs[at..], change.path, change.new);
        from = at + 1;
    }
    true
}

/// Gives the first pair at `path` another entry.
fn put(pairs: &mut [Pair], path: Path, entry: Option<Entry>) {
    let at = pairs.partition_point(|pair| pair.path < path);
    if let (Some(pair), Some(entry)) = (pairs.get_mut(at), entry) {
        pair.entry = entry;
    }
}

/// The hash of a part of a segment in which the entries of `changes` were replaced.
fn rehash(pairs: &[Pair], inner: &mut [Inner], depth: u8, changes: &[Change]) -> Hash {
    let Some((first, rest)) = inner.split_first_mut() else {
        return leaf_hash(pairs);
    };
    let (left_inner, right_inner) = rest.split_at_mut(first.left_inner.into());
    let (left, right) = pairs.split_at(first.left_pairs.into());
    let (left_changes, right_changes) = split(changes, depth);
    // A leaf that did not change is hashed again, as its hash is not kept: it lies beside the one
    // that did, and keeping it would cost 5 bytes a key.
    let left_hash = match left_changes {
        [] => flat_hash(left, left_inner),
        _ => rehash(left, left_inner, depth + 1, left_changes),
    };
    let right_hash = match right_changes {
        [] => flat_hash(right, right_inner),
        _ => rehash(right, right_inner, depth + 1, right_changes),
    };
    first.hash = branch_hash(&left_hash, &right_hash);
    first.hash
}

/// The pairs without all old entries, with all new ones; and how many changes did not fit.
fn merge(pairs: &[Pair], changes: &[Change]) -> (Vec<Pair>, usize) {
    let mut merged = Vec::with_capacity(pairs.len() + changes.len());
    let mut mismatches = 0;
    let mut rest = pairs;
    for group in changes.chunk_by(|one, next| one.path == next.path) {
        let path = group[0].path;
        let (before, from) = rest.split_at(rest.partition_point(|pair| pair.path < path));
        let (here, after) = from.split_at(from.partition_point(|pair| pair.path == path));
        merged.extend_from_slice(before);
        let mut entries: BTreeSet<Entry> = here.iter().map(|pair| pair.entry).collect();
        // Two passes, so that the result does not depend on the order of changes at one path.
        let missing = group.iter().filter_map(|change| change.old);
        mismatches += missing.filter(|old| !entries.remove(old)).count();
        let added = group.iter().filter_map(|change| change.new);
        mismatches += added.filter(|new| !entries.insert(*new)).count();
        merged.extend(entries.into_iter().map(|entry| Pair { path, entry }));
        rest = after;
    }
    merged.extend_from_slice(rest);
    (merged, mismatches)
}

/// The branches left and right of the first.
fn inner_sides(inner: &[Inner]) -> (&[Inner], &[Inner]) {
    match inner.split_first() {
        Some((first, rest)) => rest.split_at(first.left_inner.into()),
        None => (&[], &[]),
    }
}

/// Lays out the sorted `pairs` of the subtree at `depth`: as a segment, or as branches over
/// segments. Takes branches from `old` where
/// there are no changes: those that were there before the batch, or none.
pub(crate) fn lay_out(
    pairs: &[Pair],
    depth: u8,
    changes: &[Change],
    old: &[Inner],
) -> (Node, Hash) {
    if pairs.len() <= SEGMENT_MAX || depth == DEPTH_MAX {
        let mut inner = Vec::new();
        let hash = lay_out_segment(pairs, depth, changes, old, &mut inner);
        return (Node::Segment(Segment { pairs: pairs.into(), inner: inner.into() }), hash);
    }
    let (left, right) = pairs.split_at(pairs.partition_point(|pair| !pair.path.bit(depth)));
    let (left_changes, right_changes) = split(changes, depth);
    let (old_left, old_right) = inner_sides(old);
    let run_left = || lay_out(left, depth + 1, left_changes, old_left);
    let run_right = || lay_out(right, depth + 1, right_changes, old_right);
    let ((left, left_hash), (right, right_hash)) = if pairs.len() < 1024 {
        (run_left(), run_right())
    } else {
        rayon::join(run_left, run_right)
    };
    let branch = Branch { hashes: [left_hash, right_hash], sides: [left, right] };
    (Node::Branch(Box::new(branch)), branch_hash(&left_hash, &right_hash))
}

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
