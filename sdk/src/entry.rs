//! How an entry point runs: arguments in, output and status out. Used by the macros.

use crate::sys::{self, Buffer, trap};
use crate::typed::{STACK_BYTES_MAX, Typed, decode_all, is_small, with_encoded};
use core::cell::OnceCell;
use core::ops::Deref;
use tollway_host_api::{MethodStatus, Type};

/// What an entry point of a contract with error type `E` may return: a value, or a result.
#[diagnostic::on_unimplemented(
    message = "an entry point cannot return `{Self}`",
    label = "returns a value of a contract type, or a `Result` with the contract's `#[error]`"
)]
pub trait Output<E> {
    /// The shape of the value on success.
    const RETURNS: Type;
    /// Sets the output and says how the call ends.
    fn finish(self) -> MethodStatus;
}

impl<T: Typed, E> Output<E> for T {
    const RETURNS: Type = T::TYPE;

    #[inline(always)]
    fn finish(self) -> MethodStatus {
        if T::SIZE_MAX != Some(0) {
            with_encoded(&self, sys::output);
        }
        MethodStatus::Ok
    }
}

impl<T: Typed, E: Typed> Output<E> for Result<T, E> {
    const RETURNS: Type = T::TYPE;

    #[inline(always)]
    fn finish(self) -> MethodStatus {
        match self {
            Ok(value) => Output::<E>::finish(value),
            Err(error) => {
                with_encoded(&error, sys::output);
                MethodStatus::Reverted
            }
        }
    }
}

/// The error type of a contract that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoError {}

/// Runs an entry point: decodes a tuple of arguments, runs `body`, sets the output.
/// Arguments that do not decode trap.
#[inline(always)]
pub fn run<A: Typed, R: Output<E>, E>(args_len: u32, body: impl FnOnce(A) -> R) -> i32 {
    let args = if is_small::<A>() {
        let mut buffer = Buffer::<STACK_BYTES_MAX>::new();
        if A::SIZE_MAX == Some(0) {
            decode_all(&[])
        } else {
            match sys::args(args_len, &mut buffer) {
                Ok(bytes) => decode_all(bytes),
                Err(_) => None,
            }
        }
    } else {
        decode_all(&sys::args_vec(args_len))
    };
    match args {
        Some(args) => body(args).finish() as i32,
        None => trap(),
    }
}

/// Emits event number `index`.
#[inline(always)]
pub fn emit<T: Typed>(index: u32, event: &T) {
    with_encoded(event, |bytes| sys::emit(index, bytes));
}

/// Ends the call at once as reverted with `error`. `return Err(error)` does the same from the
/// entry point itself and is easier to follow; this is for code far below it.
#[cold]
pub fn revert<E: Typed>(error: &E) -> ! {
    with_encoded(error, sys::output);
    sys::revert()
}

/// The contract's immutables, loaded when a method first looks at them.
pub struct Immutables<T>(OnceCell<T>);

impl<T> Immutables<T> {
    /// Not loaded yet.
    #[inline(always)]
    pub const fn new() -> Self {
        Self(OnceCell::new())
    }
}

impl<T> Default for Immutables<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Typed> Deref for Immutables<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // `get_or_init` would bring along a panic message for a case that cannot happen here.
        if self.0.get().is_none() {
            let _ = self.0.set(load_immutables());
        }
        match self.0.get() {
            Some(value) => value,
            None => trap(),
        }
    }
}

#[inline]
fn load_immutables<T: Typed>() -> T {
    let mut buffer = Buffer::<STACK_BYTES_MAX>::new();
    let value = match sys::immutables(&mut buffer) {
        Ok(bytes) => decode_all(bytes),
        Err(_) if is_small::<T>() => None,
        Err(length) => decode_all(&sys::immutables_vec(length)),
    };
    match value {
        Some(value) => value,
        None => trap(),
    }
}
