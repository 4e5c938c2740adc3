//! Numbers that cross the border between guest and host.

/// What a contract's entry point returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum MethodStatus {
    /// The call succeeded; its output, if any, is the return value.
    Ok = 0,
    /// The call fails by the contract's own decision; its output is the borsh-encoded error.
    /// Every other number counts as this one.
    Reverted = 1,
}

/// How a call that a contract made to another one ended; see the host function `call`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum CallStatus {
    /// It succeeded; `call_output` gives the return value.
    Ok = 0,
    /// The callee decided to fail; `call_output` gives its error.
    Reverted = 1,
    /// The callee was stopped by the engine or by a host function; its gas limit is gone.
    Trapped = 2,
    /// The callee ran out of its gas limit.
    OutOfGas = 3,
    /// Nothing is instantiated at that address.
    UnknownContract = 4,
    /// The contract has no such method.
    UnknownMethod = 5,
    /// The arguments do not decode as the method's parameters.
    BadArguments = 6,
    /// The contract is already running further up the call stack and the method does not opt in.
    ReentrancyRefused = 7,
    /// The call would nest deeper than the host's limit.
    DepthExceeded = 8,
    /// The method may write, but a view is running further up the call stack.
    ViewViolated = 9,
}

impl CallStatus {
    /// The status with this number.
    pub const fn from_u32(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Ok,
            1 => Self::Reverted,
            2 => Self::Trapped,
            3 => Self::OutOfGas,
            4 => Self::UnknownContract,
            5 => Self::UnknownMethod,
            6 => Self::BadArguments,
            7 => Self::ReentrancyRefused,
            8 => Self::DepthExceeded,
            9 => Self::ViewViolated,
            _ => return None,
        })
    }
}

/// What the host function `read` returns for a key that holds no value.
pub const ABSENT: u32 = u32::MAX;
