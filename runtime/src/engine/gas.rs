//! The gas schedule: what calls are charged beyond the instructions that they run.
//!
//! One unit of engine fuel is one gas; instructions cost what the operator table in
//! [`super::config`] says, host functions what their row in
//! [`tollway_host_api::functions::HOST_FUNCTIONS`] says. A trap costs the whole gas limit, because
//! the fuel left after one is not the fuel used: it may live in a register.

use crate::block::Gas;

/// Gas for every top-level call, before it runs: decoding, resolving, planning, a receipt.
pub const CALL_GAS_BASE: u64 = 1_000;

/// Gas for every byte of a top-level call's arguments.
pub const ARGUMENT_GAS_BYTE: u64 = 1;

/// Gas for every key that a call touches outside its access set: the work of a second run, which
/// repair may cost.
pub const MISS_GAS: u64 = 2_000;

/// Gas for every key of a top-level call's access set: it is looked up, placed and fetched whether
/// the call touches it or not.
pub const DECLARED_KEY_GAS: u64 = 100;

/// Gas for every key below a prefix of the access set, when a call first touches it: the key is looked
/// up then.
pub const BELOW_KEY_GAS: u64 = 100;

/// Gas for every byte that such a key holds before the call.
pub const BELOW_GAS_BYTE: u64 = 1;

/// What the first touch of a key below a prefix costs, by the value before the call.
pub fn below_gas(value: Option<&[u8]>) -> u64 {
    BELOW_KEY_GAS + BELOW_GAS_BYTE * value.map_or(0, <[u8]>::len) as u64
}

/// Gas for every step that it takes to find the access set of a top-level call: a template, each
/// of its key parts or arguments, an element of a loop, and every [`BYTES_PER_STEP`] that are
/// passed over to come to a value.
pub const RESOLVE_STEP_GAS: u64 = 20;

/// Bytes of arguments and immutables that may be passed over in one step.
pub const BYTES_PER_STEP: usize = 64;

/// Gas for every page of memory that a contract starts with, whenever it is called: all of it is
/// rewound afterwards.
pub const PAGE_GAS: u64 = 500;

/// Gas for growing memory, once for each call of a contract that does: its instance can't be used
/// again, and a new one takes tens of microseconds.
pub const GROWN_GAS: u64 = 50_000;

/// What a top-level call pays before it runs.
pub fn intrinsic_gas(args_bytes: usize, resolve_steps: u32, declared_keys: usize) -> Gas {
    let arguments = ARGUMENT_GAS_BYTE * args_bytes as u64;
    let resolve = RESOLVE_STEP_GAS * u64::from(resolve_steps);
    Gas(CALL_GAS_BASE + arguments + resolve + DECLARED_KEY_GAS * declared_keys as u64)
}

/// What a call that never ran is charged: the base, as far as its limit goes.
pub fn refused_gas(gas_limit: Gas) -> Gas {
    Gas(gas_limit.0.min(CALL_GAS_BASE))
}
