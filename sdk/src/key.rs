//! Keys of storage, built on the stack by the rules of [`tollway_host_api::key`].
//!
//! # Invariants
//! 1. The host, which builds the same keys from arguments, gets the same bytes
//!    (`tests/typed.rs`): else no declaration would ever match.

pub use crate::sys::Key;
use crate::sys::trap;
use crate::typed::{Bytes, Sink, Typed, with_encoded};
use alloc::string::String;
use tollway_host_api::shard::SHARD_COUNT_MAX;
use tollway_host_api::{Address, Type};

/// A type whose values can be keys of a [`Map`](crate::Map), or parts of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a map",
    label = "not a key type",
    note = "numbers, addresses, texts, bytes, options and tuples can; your own type with `#[contract_type(key)]`"
)]
pub trait KeyPart: Typed {
    /// The parts of a key that consists of this value: the fields of a tuple, or the value.
    const PARTS: &'static [Type] = &[Self::TYPE];

    /// Appends the value to `key`.
    fn push_to<S: Sink>(&self, key: &mut S);
}

/// A number below `count` (1 to 256), the same for the same value: the shard that the value belongs
/// to. Known before the call runs if the value is, so it can be part of a key.
///
/// For values that many calls read *and* write: of one cell for all, every call waits for the one
/// before; of a cell for each shard, only for those of its own shard. A
/// [`Counter`](crate::Counter) that is added to and taken from needs no shards: its callers do not
/// wait for each other anyway.
///
/// ```text
/// pools: Map<u8, Item<Pool>>,
/// self.pools.at(shard_of(&caller(), 8)).get()
/// ```
///
/// The function is [`host_api::shard::shard_of`](tollway_host_api::shard::shard_of) of the value's
/// borsh bytes.
///
/// # Panics
/// If `count` is 0 or above 256. In a declaration, that is a compile error.
///
/// # Examples
/// ```
/// use tollway_sdk::{Address, shard_of};
/// let shard = shard_of(&Address::from_u64(7), 8);
/// assert!(shard < 8);
/// assert_eq!(shard, shard_of(&Address::from_u64(7), 8));
/// ```
#[inline]
pub fn shard_of<T: Typed>(value: &T, count: u16) -> u8 {
    let count = shard_count(count);
    with_encoded(value, |bytes| tollway_host_api::shard::shard_of(bytes, count))
}

#[doc(hidden)]
#[inline]
pub const fn shard_count(count: u16) -> u16 {
    assert!(count != 0 && count <= SHARD_COUNT_MAX, "there are 1 to 256 shards");
    count
}

macro_rules! unsigned {
    ($($ty:ident),*) => {$(
        impl KeyPart for $ty {
            #[inline(always)]
            fn push_to<S: Sink>(&self, key: &mut S) {
                key.put(&self.to_be_bytes());
            }
        }
    )*};
}
unsigned!(u8, u16, u32, u64, u128);

macro_rules! signed {
    ($($ty:ident),*) => {$(
        impl KeyPart for $ty {
            #[inline(always)]
            fn push_to<S: Sink>(&self, key: &mut S) {
                key.put(&(*self ^ Self::MIN).to_be_bytes());
            }
        }
    )*};
}
signed!(i64, i128);

impl KeyPart for bool {
    #[inline(always)]
    fn push_to<S: Sink>(&self, key: &mut S) {
        key.put(&[u8::from(*self)]);
    }
}

impl<const N: usize> KeyPart for [u8; N] {
    #[inline(always)]
    fn push_to<S: Sink>(&self, key: &mut S) {
        key.put(self);
    }
}

impl KeyPart for Address {
    #[inline(always)]
    fn push_to<S: Sink>(&self, key: &mut S) {
        key.put(self.as_bytes());
    }
}

fn push_bytes(bytes: &[u8], key: &mut impl Sink) {
    let Ok(length) = u8::try_from(bytes.len()) else { trap() };
    key.put(&[length]);
    key.put(bytes);
}

impl KeyPart for Bytes {
    fn push_to<S: Sink>(&self, key: &mut S) {
        push_bytes(&self.0, key);
    }
}

impl KeyPart for String {
    fn push_to<S: Sink>(&self, key: &mut S) {
        push_bytes(self.as_bytes(), key);
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    #[inline]
    fn push_to<S: Sink>(&self, key: &mut S) {
        match self {
            None => key.put(&[0]),
            Some(value) => {
                key.put(&[1]);
                value.push_to(key);
            }
        }
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: KeyPart),*> KeyPart for ($($name,)*) {
            const PARTS: &'static [Type] = &[$($name::TYPE),*];

            #[inline(always)]
            fn push_to<S: Sink>(&self, _key: &mut S) {
                $(self.$index.push_to(_key);)*
            }
        }
    };
}
tuple!();
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
