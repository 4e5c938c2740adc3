//! Changes to a segment: in place if only entries change, else it is laid out anew.

use crate::change::Change;
use crate::layout::lay_out;
use crate::node::{Inner, Node, Segment, flat_hash};
use crate::update::{Done, split};
use std::borrow::Cow;
use std::collections::BTreeSet;
use tollway_state_verify::{Entry, Hash, Pair, Path, branch_hash, leaf_hash};

/// Applies `changes`, of which there is at least one, to the segment at `depth`. Also gives the
/// node that takes its place, if it has to be laid out anew.
pub(crate) fn update(segment: &mut Segment, depth: u8, changes: &[Change]) -> (Done, Option<Node>) {
    if replace_entries(&mut segment.pairs, depth, changes) {
        let hash = rehash(&segment.pairs, &mut segment.inner, depth, changes);
        return (Done { hash, growth: 0, mismatches: 0 }, None);
    }
    let (pairs, mismatches) = merge(&segment.pairs, changes);
    let growth = pairs.len() as isize - segment.pairs.len() as isize;
    let (node, hash) = lay_out(Cow::Owned(pairs), depth, changes, &segment.inner);
    (Done { hash, growth, mismatches }, Some(node))
}

/// Replaces the entries of all changes, or of none: if a key comes or goes, if paths are equal (the
/// order of the pairs might change then), or if a change does not fit.
fn replace_entries(pairs: &mut [Pair], depth: u8, changes: &[Change]) -> bool {
    if changes.iter().any(|change| change.old.is_none() || change.new.is_none()) {
        return false;
    }
    for (index, change) in changes.iter().enumerate() {
        let at = position(pairs, depth, change.path);
        let fits = pairs
            .get(at)
            .is_some_and(|pair| pair.path == change.path && Some(pair.entry) == change.old);
        let alone = pairs.get(at + 1).is_none_or(|next| next.path != change.path);
        let once = changes.get(index + 1).is_none_or(|next| next.path != change.path);
        if !(fits && alone && once) {
            for change in &changes[..index] {
                let at = position(pairs, depth, change.path);
                put(&mut pairs[at], change.old);
            }
            return false;
        }
        put(&mut pairs[at], change.new);
    }
    true
}

fn put(pair: &mut Pair, entry: Option<Entry>) {
    pair.entry = entry.unwrap_or(pair.entry);
}

/// Where the first pair lies whose path is not below `path`, in the segment at `depth`.
///
/// Paths that nobody chose are spread evenly, so the bits after `depth` say about where. Looking
/// from there touches fewer cache lines than halving the segment.
fn position(pairs: &[Pair], depth: u8, path: Path) -> usize {
    let is_below = |at: usize| pairs[at].path < path;
    let fraction = path.to_bits().checked_shl(depth.into()).unwrap_or(0) >> 96;
    let guess = ((fraction * pairs.len() as u128) >> 32) as usize;
    let (mut low, mut high, mut step) = (0, pairs.len(), 2);
    if guess < high && is_below(guess) {
        low = guess + 1;
        while low + step < high && is_below(low + step) {
            (low, step) = (low + step + 1, 2 * step);
        }
        high = high.min(low + step);
    } else {
        high = high.min(guess);
        while step <= high && !is_below(high - step) {
            (high, step) = (high - step, 2 * step);
        }
        low = low.max(high.saturating_sub(step));
    }
    low + pairs[low..high].partition_point(|pair| pair.path < path)
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
    let added = changes.iter().filter(|change| change.old.is_none()).count();
    let removed = changes.iter().filter(|change| change.new.is_none()).count();
    // As long as changes fit, this is what it takes, and nothing is copied to give some back.
    let mut merged = Vec::with_capacity((pairs.len() + added).saturating_sub(removed));
    let mut mismatches = 0;
    let mut rest = pairs;
    for group in changes.chunk_by(|one, next| one.path == next.path) {
        let path = group[0].path;
        let (before, from) = rest.split_at(rest.partition_point(|pair| pair.path < path));
        let (here, after) = from.split_at(from.iter().take_while(|pair| pair.path == path).count());
        merged.extend_from_slice(before);
        rest = after;
        match (here, group) {
            ([], [Change { old: None, new: Some(entry), .. }]) => {
                merged.push(Pair { path, entry: *entry });
                continue;
            }
            ([pair], [Change { old: Some(old), new, .. }]) if pair.entry == *old => {
                merged.extend(new.map(|entry| Pair { path, entry }));
                continue;
            }
            _ => {}
        }
        let mut entries: BTreeSet<Entry> = here.iter().map(|pair| pair.entry).collect();
        // Two passes, so that the result does not depend on the order of changes at one path.
        let missing = group.iter().filter_map(|change| change.old);
        mismatches += missing.filter(|old| !entries.remove(old)).count();
        let added = group.iter().filter_map(|change| change.new);
        mismatches += added.filter(|new| !entries.insert(*new)).count();
        merged.extend(entries.into_iter().map(|entry| Pair { path, entry }));
    }
    merged.extend_from_slice(rest);
    (merged, mismatches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn positions_are_found_wherever_paths_lie(
            paths in proptest::collection::vec(any::<u128>(), 0..70),
            path in any::<u128>(),
            depth in 0u8..=128,
            shift in 0u32..128,
        ) {
            // Shifted, so that paths are spread as evenly as they are guessed to be, or not at all.
            let at = |path: u128| Path((path >> shift).to_be_bytes());
            let pair = |path: &u128| Pair { path: at(*path), entry: Entry([0; 32]) };
            let mut pairs: Vec<Pair> = paths.iter().map(pair).collect();
            pairs.sort();
            for path in pairs.iter().map(|pair| pair.path).chain([at(path)]) {
                let expected = pairs.partition_point(|pair| pair.path < path);
                prop_assert_eq!(position(&pairs, depth, path), expected);
            }
        }
    }
}
