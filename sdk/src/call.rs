//! Calls to other contracts: what the clients of [`interface`](macro@crate::interface) do.

use crate::sys::{self, Buffer, trap};
use crate::typed::{STACK_BYTES_MAX, Typed, decode_all, is_small, with_encoded};
use tollway_host_api::{Address, CallStatus};

/// A typed handle to a contract, made by [`interface`](macro@crate::interface).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a client of another contract",
    label = "the access of this method call cannot be inferred",
    note = "declare the access of the entry point with `#[access(..)]`"
)]
pub trait Client: Typed {
    /// The contract's address.
    fn address(&self) -> Address;
}

/// A call to another contract failed; nothing that it did remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallError {
    /// How it failed; never [`CallStatus::Ok`].
    pub status: CallStatus,
}

impl CallError {
    /// The callee's error, if it reverted with one of type `E`.
    ///
    /// Only the last call's error is kept: ask before making another call.
    pub fn revert_data<E: Typed>(&self) -> Option<E> {
        if self.status != CallStatus::Reverted {
            return None;
        }
        output()
    }

    /// Ends this call with the failure of the last one, as if it were its own.
    #[inline]
    pub fn forward(self) -> ! {
        sys::forward_failure()
    }
}

/// The output of the last call, if it is an `R`.
#[inline(always)]
fn output<R: Typed>() -> Option<R> {
    let mut buffer = Buffer::<STACK_BYTES_MAX>::new();
    match sys::call_output(&mut buffer) {
        Ok(bytes) => decode_all(bytes),
        Err(_) if is_small::<R>() => None,
        Err(length) => decode_all(&sys::call_output_vec(length)),
    }
}

/// Calls `method` of `contract`, with `gas` at most or all that is left if it is 0, and leaves
/// the output where it is.
///
/// # Errors
/// [`CallError`] if the call failed.
#[inline]
pub fn try_raw(contract: &Address, method: &str, args: &[u8], gas: u64) -> Result<(), CallError> {
    match sys::call(contract, method, args, gas) {
        CallStatus::Ok => Ok(()),
        status => Err(CallError { status }),
    }
}

/// Calls `method` of `contract` with a tuple of arguments.
///
/// An output that is not an `R` traps: the callee is not what it was taken for.
///
/// # Errors
/// [`CallError`] if the call failed.
#[inline(always)]
pub fn try_call<A: Typed, R: Typed>(
    contract: &Address,
    method: &str,
    args: &A,
) -> Result<R, CallError> {
    with_encoded(args, |bytes| try_raw(contract, method, bytes, 0))?;
    if let Some(0) = R::SIZE_MAX
        && let Some(nothing) = decode_all(&[])
    {
        return Ok(nothing);
    }
    match output() {
        Some(value) => Ok(value),
        None => trap(),
    }
}

/// Like [`try_call`], but a failure of the callee is a failure of this call.
#[inline(always)]
pub fn call<A: Typed, R: Typed>(contract: &Address, method: &str, args: &A) -> R {
    match try_call(contract, method, args) {
        Ok(value) => value,
        Err(error) => error.forward(),
    }
}
