//! How an entry point runs: arguments in, output and status out. Used by the macros.

use crate::sys::{self, Buffer, trap, window};
use crate::typed::{STACK_BYTES_MAX, Typed, decode_all, is_small, with_encoded};
use core::cell::OnceCell;
use core::ops::Deref;
use tollway_host_api::window::{WINDOW_ARGS_BYTES_MAX, WINDOW_IMMUTABLES_BYTES_MAX};
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
            set_output(&self);
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
                set_output(&error);
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
    let args = if A::SIZE_MAX == Some(0) {
        decode_all(&[])
    } else if let Some(bytes) = window::args(args_len) {
        decode_all(bytes)
    } else if window::IS_THERE && A::SIZE_MAX.is_some_and(|size| size <= WINDOW_ARGS_BYTES_MAX) {
        None
    } else {
        decode_all(&sys::args_vec(args_len))
    };
    match args {
        Some(args) => body(args).finish() as i32,
        None => trap(),
    }
}

/// Sets the output.
#[inline(always)]
fn set_output<T: Typed>(value: &T) {
    if let Some(size_max) = T::SIZE_MAX
        && let Some(mut output) = window::output(size_max)
    {
        value.encode(&mut output);
        return window::set_output(output);
    }
    with_encoded(value, sys::output);
}

/// Emits event number `index`.
#[inline(always)]
pub fn emit<T: Typed>(index: u32, event: &T) {
    if let Some(size_max) = T::SIZE_MAX
        && let Some(mut data) = window::event(index, size_max)
    {
        event.encode(&mut data);
        return window::emit(index, data);
    }
    with_encoded(event, |bytes| sys::emit(index, bytes));
}

/// Ends the call at once as reverted with `error`. `return Err(error)` does the same from the
/// entry point itself and is easier to follow; this is for code far below it.
#[cold]
pub fn revert<E: Typed>(error: &E) -> ! {
    set_output(error);
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
    let value = match window::immutables() {
        Some(bytes) => decode_all(bytes),
        None => load_long_immutables(),
    };
    match value {
        Some(value) => value,
        None => trap(),
    }
}

#[cold]
fn load_long_immutables<T: Typed>() -> Option<T> {
    if window::IS_THERE && T::SIZE_MAX.is_some_and(|size| size <= WINDOW_IMMUTABLES_BYTES_MAX) {
        return None;
    }
    let mut buffer = Buffer::<STACK_BYTES_MAX>::new();
    match sys::immutables(&mut buffer) {
        Ok(bytes) => decode_all(bytes),
        Err(_) if is_small::<T>() => None,
        Err(length) => decode_all(&sys::immutables_vec(length)),
    }
}
