//! Nodes in memory, and how to walk down them whatever they are made of.

use tollway_state_verify::{Hash, LEAF_MAX, Pair};

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
    pub(crate) hashes: [Hash; 2],
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
    Branch { hashes: &'a [Hash; 2], sides: [View<'a>; 2] },
}

impl<'a> View<'a> {
    pub(crate) fn shape(self) -> Shape<'a> {
        match self {
            View::Branch(Branch { hashes, sides: [left, right] }) => {
                Shape::Branch { hashes, sides: [left.view(), right.view()] }
            }
            View::Flat { pairs, inner } => match inner.split_first() {
                None => Shape::Leaf(pairs),
                Some((first, rest)) => {
                    let (left_inner, right_inner) = rest.split_at(first.left_inner.into());
                    let (left, right) = pairs.split_at(first.left_pairs.into());
                    let left = View::Flat { pairs: left, inner: left_inner };
                    let right = View::Flat { pairs: right, inner: right_inner };
                    Shape::Branch { hashes: &first.hashes, sides: [left, right] }
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
