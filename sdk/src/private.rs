//! What the code of the macros needs: not for authors.
#![doc(hidden)]

pub use crate::key::shard_count;
pub use alloc::borrow::Cow;

use crate::call::Client;
use alloc::vec::Vec;
use tollway_host_api::{Address, Expr};

/// A constant as an expression of an access template; the type decides which one.
pub struct Constant<T>(pub T);

macro_rules! integer {
    ($($ty:ident),*) => {$(
        impl Constant<&'static $ty> {
            pub const fn expr(self) -> Expr {
                Expr::Integer(*self.0 as u128)
            }
        }
    )*};
}
integer!(bool, u8, u16, u32, u64, u128);

impl Constant<&'static Address> {
    pub const fn expr(self) -> Expr {
        Expr::Bytes(Cow::Borrowed(&self.0.0))
    }
}

impl<const N: usize> Constant<&'static [u8; N]> {
    pub const fn expr(self) -> Expr {
        Expr::Bytes(Cow::Borrowed(self.0))
    }
}

impl Constant<&'static &'static str> {
    pub const fn expr(self) -> Expr {
        Expr::Bytes(Cow::Borrowed(self.0.as_bytes()))
    }
}

fn never_runs() -> ! {
    unreachable!("this code is there to be type-checked")
}

/// The value at a place.
pub fn owned<T>(_: &T) -> T {
    never_runs()
}

/// An element of a list.
pub fn element<T>(_: &Vec<T>) -> &T {
    never_runs()
}

/// An element of a list, by value.
pub fn owned_element<T>(_: &Vec<T>) -> T {
    never_runs()
}

/// A value of whatever type is expected.
pub fn unknown<T>() -> T {
    never_runs()
}

/// Compiles for clients of other contracts only.
pub fn client<T: Client>(_: &T) {}
