//! Where a chain of blocks stands: heights, heads, and places between two blocks.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::fmt;
use tollway_state_verify::Root;

/// The number of a block. The state before the first block has height 0.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct Height(pub u64);

impl Height {
    /// The height of the block after this one. At the last of all heights it stays there, where
    /// no block can follow.
    pub fn next(self) -> Height {
        Height(self.0.saturating_add(1))
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The last block that was committed, and the root of the state after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The last block's number.
    pub height: Height,
    /// Commits to every key and value after that block.
    pub root: Root,
}

/// One committed batch: the `part`-th of its height.
///
/// A block is part 0 of its height, and each change between it and the next block is one part
/// more.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// The height that the batch belongs to.
    pub height: Height,
    /// Counts the batches of one height from 0.
    pub part: u32,
}

impl Position {
    /// The position of the first batch of the next height.
    pub fn next_block(self) -> Position {
        Position { height: self.height.next(), part: 0 }
    }

    /// The position of a further batch of the same height.
    pub fn next_part(self) -> Position {
        Position { height: self.height, part: self.part.saturating_add(1) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.height, self.part)
    }
}
