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
/// assert_eq!(Block::from_bytes(&bytes).unwrap(), block);
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

/// Bytes that are no block's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not a block: byte {at} of {length}")]
pub struct NotABlock {
    /// Where they stop making sense.
    pub at: usize,
    /// How many there are.
    pub length: usize,
}

impl Block {
    /// The block that these are the borsh bytes of: what `borsh::from_slice` gives, in about half
    /// the time, because all bytes are there and the calls are counted before them.
    ///
    /// # Errors
    /// [`NotABlock`] where `borsh::from_slice` has an error. No more memory is asked for than calls
    /// of that many bytes can need.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotABlock> {
        let mut rest = bytes;
        let block = Self::take(&mut rest).filter(|_| rest.is_empty());
        block.ok_or(NotABlock { at: bytes.len() - rest.len(), length: bytes.len() })
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let height = Height(u64::from_le_bytes(take_array(rest)?));
        let time_ms = u64::from_le_bytes(take_array(rest)?);
        let seed = take_array(rest)?;
        let count = u32::from_le_bytes(take_array(rest)?) as usize;
        if count > rest.len() / CALL_BYTES_MIN {
            return None;
        }
        let mut calls = Vec::with_capacity(count);
        for _ in 0..count {
            calls.push(Call {
                caller: Address(take_array(rest)?),
                contract: Address(take_array(rest)?),
                method: std::str::from_utf8(take_bytes(rest)?).ok()?.to_owned(),
                args: take_bytes(rest)?.to_vec(),
                gas_limit: Gas(u64::from_le_bytes(take_array(rest)?)),
            });
        }
        Some(Self { height, time_ms, seed, calls })
    }
}

/// Bytes of a call without name and arguments: two addresses, two lengths, its gas limit.
const CALL_BYTES_MIN: usize = 32 + 32 + 4 + 4 + 8;

#[inline]
fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

#[inline]
fn take_bytes<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = u32::from_le_bytes(take_array(rest)?) as usize;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        let call = (any::<[u8; 32]>(), any::<[u8; 32]>(), ".{0,9}", any::<Vec<u8>>(), any::<u64>());
        let call = call.prop_map(|(caller, contract, method, args, gas_limit)| Call {
            caller: Address(caller),
            contract: Address(contract),
            method,
            args,
            gas_limit: Gas(gas_limit),
        });
        proptest::collection::vec(call, 0..4)
    }

    proptest! {
        #[test]
        fn bytes_are_read_as_borsh_does(
            calls in calls(), seed: [u8; 32], changed: Option<(prop::sample::Index, u8)>, cut: prop::sample::Index,
            is_cut: bool,
        ) {
            let block = Block { height: Height(1), time_ms: 2, seed, calls };
            let mut bytes = borsh::to_vec(&block).unwrap();
            if let Some((at, byte)) = changed {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if is_cut {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            prop_assert_eq!(Block::from_bytes(&bytes).ok(), borsh::from_slice(&bytes).ok());
        }
    }

    #[test]
    fn a_count_that_lies_asks_for_no_memory() {
        let mut bytes = borsh::to_vec(&Block::default()).unwrap();
        bytes[48..52].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Block::from_bytes(&bytes), Err(NotABlock { at: 52, length: 52 }));
    }
}
