//! Nodes in memory, and how to walk down them whatever they are made of.

use tollway_state_verify::{Hash, LEAF_MAX, Pair, branch_hash, leaf_hash};

/// Keys in a segment, at most, unless it lies at the deepest level.
pub(crate) const SEGMENT_MAX: usize = 64;

/// Two segments beside each other become one when they hold no more than this. Far enough below
/// [`SEGMENT_MAX`] that a key which comes and goes does not split and join them each time.
pub(crate) const SEGMENT_JOIN: usize = SEGMENT_MAX / 2;

// A branch must not hold what the format says is a leaf; and positions within a segment are `u16`:
// at each of 128 depths there are fewer inner nodes than pairs.
const _: () = assert!(SEGMENT_JOIN >= LEAF_MAX && SEGMENT_MAX * 128 / LEAF_MAX < 1 << 16);

/// A subtree. Its hash is kept by whoever holds it.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Segment(Segment),
    Branch(Box<Branch>),
}

/// A branch above segments.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) hashes: [Hash; 2],
    pub(crate) sides: [Node; 2],
}

/// A small subtree in two arrays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    /// All pairs, sorted.
    pub(crate) pairs: Box<[Pair]>,
    /// The branches in preorder; none if the whole segment is a leaf.
    pub(crate) inner: Box<[Inner]>,
}

/// A branch within a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner {
    pub(crate) hash: Hash,
    /// How many of its pairs lie on the left.
    pub(crate) left_pairs: u16,
    /// How many branches lie on the left.
    pub(crate) left_inner: u16,
}

impl Node {
    pub(crate) fn empty() -> Node {
        Node::Segment(Segment::default())
    }

    pub(crate) fn view(&self) -> View<'_> {
        match self {
            Node::Segment(Segment { pairs, inner }) => View::Flat { pairs, inner },
            Node::Branch(branch) => View::Branch(branch),
        }
    }
}

/// A node to look at: a branch above segments, or a part of a segment.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    Branch(&'a Branch),
    Flat { pairs: &'a [Pair], inner: &'a [Inner] },
}

/// What a node is by the format.
pub(crate) enum Shape<'a> {
    Leaf(&'a [Pair]),
    Branch([Side<'a>; 2]),
}

/// A node below a branch, to look at.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) view: View<'a>,
    /// Its hash, if it is kept.
    kept: Option<&'a Hash>,
}

impl Side<'_> {
    /// The hash of the node. Hashes of leaves within segments are not kept.
    pub(crate) fn hash(&self) -> Hash {
        match (self.kept, self.view) {
            (Some(hash), _) => *hash,
            (None, View::Flat { pairs, inner }) => flat_hash(pairs, inner),
            (None, View::Branch(branch)) => branch_hash(&branch.hashes[0], &branch.hashes[1]),
        }
    }
}

/// The hash of a part of a segment.
pub(crate) fn flat_hash(pairs: &[Pair], inner: &[Inner]) -> Hash {
    inner.first().map_or_else(|| leaf_hash(pairs), |first| first.hash)
}

impl<'a> View<'a> {
    pub(crate) fn shape(self) -> Shape<'a> {
        match self {
            View::Branch(Branch { hashes: [left, right], sides }) => Shape::Branch([
                Side { view: sides[0].view(), kept: Some(left) },
                Side { view: sides[1].view(), kept: Some(right) },
            ]),
            View::Flat { pairs, inner } => match inner.split_first() {
                None => Shape::Leaf(pairs),
                Some((first, rest)) => {
                    let (left_inner, right_inner) = rest.split_at(first.left_inner.into());
                    let (left, right) = pairs.split_at(first.left_pairs.into());
                    let left = View::Flat { pairs: left, inner: left_inner };
                    let right = View::Flat { pairs: right, inner: right_inner };
                    Shape::Branch([left, right].map(|view| Side { view, kept: None }))
                }
            },
        }
    }

    /// Keys below the node. Visits every segment.
    pub(crate) fn count(self) -> usize {
        match self {
            View::Flat { pairs, .. } => pairs.len(),
            View::Branch(branch) => branch.sides.iter().map(|side| side.view().count()).sum(),
        }
    }
}
