//! What goes in: a block of calls in their order.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::fmt;
use tollway_host_api::Address;
pub use tollway_state::Height;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// What a call is charged, in the chain's units. See [`crate::engine::gas`] for the schedule.
    Gas(u64)
}
number! {
    /// The position of a call in its block, from 0.
    CallIndex(u32)
}

/// One request to run a method of a contract.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Call {
    /// The account that calls. The host chain has checked its signature.
    pub caller: Address,
    /// The contract that is called.
    pub contract: Address,
    /// The name of the method.
    pub method: String,
    /// The borsh-encoded arguments, one after another.
    pub args: Vec<u8>,
    /// The most gas that the call may use, and what a trap costs it.
    pub gas_limit: Gas,
}

/// Calls in the order in which they must seem to have run.
///
/// # Examples
/// ```
/// use tollway::{Block, Height};
/// let block = Block { height: Height(7), time_ms: 1_700_000_000_000, ..Block::default() };
/// let bytes = borsh::to_vec(&block).unwrap();
/// assert_eq!(borsh::from_slice::<Block>(&bytes).unwrap(), block);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// Its height: one more than the head's.
    pub height: Height,
    /// Its time in milliseconds since the Unix epoch, as the host chain says.
    pub time_ms: u64,
    /// What contracts draw random numbers from: of a beacon or a verifiable function that the chain
    /// trusts, and known only after the calls were fixed. Zeros if the chain has none; whoever
    /// builds a block can then foretell, and choose, what is drawn in it.
    pub seed: [u8; 32],
    /// The calls, first to last.
    pub calls: Vec<Call>,
}
