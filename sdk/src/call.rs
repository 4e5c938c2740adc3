//! Calls to other contracts: what the clients of [`interface`](macro@crate::interface) do.

use crate::entry::NoError;
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

/// What an interface can say that its contracts revert with: a type that crosses the border, or
/// [`NoError`] for an interface that does not say.
pub trait CalleeError: Sized {
    /// The error that the last call reverted with, if it is one of these.
    #[doc(hidden)]
    fn of_last_call() -> Option<Self>;
}

impl<E: Typed> CalleeError for E {
    #[inline]
    fn of_last_call() -> Option<Self> {
        output()
    }
}

impl CalleeError for NoError {
    #[inline(always)]
    fn of_last_call() -> Option<Self> {
        None
    }
}

/// A call to another contract failed; nothing that it did remains.
///
/// `E` is the error that the callee's [`interface`](macro@crate::interface) names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallError<E = NoError> {
    /// How it failed; never [`CallStatus::Ok`].
    pub status: CallStatus,
    /// What it reverted with, if it reverted and that is an `E`.
    ///
    /// A callee that lets the failure of a contract that it called be its own reverts with that
    /// contract's error, whose bytes may be those of an `E` that was not meant.
    pub error: Option<E>,
}

impl<E: CalleeError> CallError<E> {
    #[cold]
    fn of(status: CallStatus) -> Self {
        let error = match status {
            CallStatus::Reverted => E::of_last_call(),
            _ => None,
        };
        Self { status, error }
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
pub fn try_raw<E: CalleeError>(
    contract: &Address,
    method: &str,
    args: &[u8],
    gas: u64,
) -> Result<(), CallError<E>> {
    match sys::call(contract, method, args, gas) {
        CallStatus::Ok => Ok(()),
        status => Err(CallError::of(status)),
    }
}

/// Calls `method` of `contract` with a tuple of arguments.
///
/// An output that is not an `R` traps: the callee is not what it was taken for.
///
/// # Errors
/// [`CallError`] if the call failed.
#[inline(always)]
pub fn try_call<A: Typed, R: Typed, E: CalleeError>(
    contract: &Address,
    method: &str,
    args: &A,
) -> Result<R, CallError<E>> {
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
    match try_call::<A, R, NoError>(contract, method, args) {
        Ok(value) => value,
        Err(error) => error.forward(),
    }
}
