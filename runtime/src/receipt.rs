//! What comes out of a call: its receipt.

use crate::block::Gas;
use crate::bytes::ShortBytes;
use borsh::{BorshDeserialize, BorshSerialize};
use tollway_host_api::{Address, value::DecodeError};

/// The recorded outcome of one call. A function of the parent state and the block alone.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// How the call ended.
    pub outcome: Outcome,
    /// The gas that it is charged; never more than its limit.
    pub gas_used: Gas,
    /// How many keys outside its access set it touched; each was surcharged.
    pub misses: u32,
    /// What it and the calls that it made emitted, in order. Empty unless it succeeded.
    pub events: Vec<Event>,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Outcome {
    /// It succeeded, with this borsh-encoded return value. Its writes are in the state.
    Returned(Vec<u8>),
    /// A contract decided to fail. No writes remain.
    Reverted {
        /// The contract that decided so: the one called, or one that it called.
        contract: Address,
        /// The borsh-encoded value of that contract's error type.
        error: Vec<u8>,
    },
    /// The call could not run, or was stopped. No writes remain.
    Failed(Failure),
}

/// Data that a contract emitted for observers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Event {
    /// The contract that emitted it.
    pub contract: Address,
    /// The event's index in that contract's ABI.
    pub event: u32,
    /// Its borsh-encoded fields.
    pub data: EventData,
}

/// The bytes of an event. Those of two addresses and an amount, or less, need no allocation: a block
/// emits some for nearly every call.
///
/// # Examples
/// ```
/// use tollway::EventData;
/// let data = EventData::from(&[1u8, 2][..]);
/// assert_eq!(data[..], [1, 2]);
/// assert_eq!(data.to_string(), "0x0102");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct EventData(ShortBytes<86>);

impl From<&[u8]> for EventData {
    fn from(bytes: &[u8]) -> Self {
        Self(ShortBytes::new(bytes))
    }
}

impl From<Vec<u8>> for EventData {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(&bytes[..])
    }
}

impl std::ops::Deref for EventData {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for EventData {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for EventData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}

impl std::fmt::Debug for EventData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}

/// As a `Vec<u8>`.
impl BorshSerialize for EventData {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self[..].serialize(writer)
    }
}

/// As a `Vec<u8>`.
impl BorshDeserialize for EventData {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Vec::deserialize_reader(reader).map(Self::from)
    }
}

/// Why a call could not run or was stopped.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Nothing is instantiated at the address.
    #[error("no contract at {contract}")]
    UnknownContract {
        /// The address.
        contract: Address,
    },
    /// The contract has no such method, or it is its `init`, which only instantiation runs.
    #[error("contract {contract} has no method {method:?}")]
    UnknownMethod {
        /// The contract.
        contract: Address,
        /// The method's name; at most 64 bytes of it.
        method: String,
    },
    /// The arguments are not the method's parameters.
    #[error("arguments of {method}: {}", DecodeErrorText(*.kind))]
    BadArguments {
        /// The method's name.
        method: String,
        /// What is wrong: 0 truncated, 1 trailing bytes, 2 invalid.
        kind: u8,
    },
    /// The arguments are longer than the limit.
    #[error("arguments have {size} bytes, limit is {limit}")]
    ArgumentsTooLarge {
        /// Their size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The gas limit is 0, or above the limit for one call.
    #[error("gas limit {gas_limit} is not between 1 and {limit}")]
    BadGasLimit {
        /// The call's gas limit.
        gas_limit: u64,
        /// The most that a call may ask for.
        limit: u64,
    },
    /// The call's templates give more keys than the limit.
    #[error("call declares more than {limit} keys")]
    TooManyKeys {
        /// The most keys that a call may declare.
        limit: u32,
    },
    /// The gas limit was used up.
    #[error("out of gas")]
    OutOfGas,
    /// The engine or a host function stopped the call: an unreachable instruction, an access out
    /// of bounds, a misused host function, a wrong cast. Which one is not part of the receipt,
    /// because compilers may order checks differently.
    #[error("trap in contract {contract}")]
    Trap {
        /// The contract whose code was running.
        contract: Address,
    },
    /// Calls inside the Wasm nested too deep.
    #[error("call stack of contract {contract} exhausted")]
    StackExhausted {
        /// The contract whose code was running.
        contract: Address,
    },
    /// A contract called another one and forwarded this failure.
    #[error("call from {contract} refused: {status}")]
    CallRefused {
        /// The contract that made the call.
        contract: Address,
        /// The [`tollway_host_api::CallStatus`] it got, as a number.
        status: u32,
    },
    /// An amount added to a counter left the range of `u128`, or the key holds no counter.
    #[error("adding to a counter of contract {contract} left its range")]
    AddOverflow {
        /// The contract that was running when it was found: the one called, if that was at the
        /// end of the call.
        contract: Address,
    },
    /// The call touched a key outside its access set, and the host does not repair misses.
    #[error("contract {contract} touched a key outside the access set")]
    Undeclared {
        /// The contract whose key it is.
        contract: Address,
    },
}

struct DecodeErrorText(u8);

impl std::fmt::Display for DecodeErrorText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let error = match self.0 {
            0 => DecodeError::Truncated,
            1 => DecodeError::Trailing,
            _ => DecodeError::Invalid,
        };
        error.fmt(f)
    }
}

impl Receipt {
    /// Whether the call succeeded.
    pub fn is_success(&self) -> bool {
        matches!(self.outcome, Outcome::Returned(_))
    }

    /// A receipt of a call that failed before or while it ran.
    pub(crate) fn failed(failure: Failure, gas_used: Gas, misses: u32) -> Self {
        Self { outcome: Outcome::Failed(failure), gas_used, misses, events: Vec::new() }
    }
}
