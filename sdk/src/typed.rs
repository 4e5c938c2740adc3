//! Values that cross the border: their schema, and their bytes.
//!
//! The bytes are [borsh](https://borsh.io), written by hand: reading and writing compile to a few
//! loads and stores, and no error type, formatting or allocation gets into the Wasm.
//!
//! # Invariants
//! 1. `encode` gives the bytes of `borsh::to_vec`, and `decode` takes what borsh takes
//!    (`tests/typed.rs`).
//! 2. `decode` of bytes in the shape of `TYPE` succeeds, so a host that checks arguments against
//!    the ABI never sees a contract trap over them.

use crate::sys::window::{Candidate, Writer};
use crate::sys::{Buffer, Key};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use tollway_host_api::{Address, Type};

/// Takes bytes in order.
pub trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

impl<const N: usize> Sink for Buffer<N> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.push(bytes);
    }
}

macro_rules! sink {
    ($($ty:ident),*) => {$(
        impl Sink for $ty {
            #[inline(always)]
            fn put(&mut self, bytes: &[u8]) {
                self.push(bytes);
            }
        }
    )*};
}
sink!(Key, Writer, Candidate);

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A type whose values can be arguments, results, events, errors and stored values.
///
/// Implement it by [`contract_type`](macro@crate::contract_type).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross the border between contract and host",
    label = "not a type that contracts can pass or store",
    note = "use a builtin type, or add `#[contract_type]` to your own struct or enum"
)]
pub trait Typed: Sized {
    /// The shape of the values, for the ABI.
    const TYPE: Type;
    /// The number of bytes of the shortest value.
    const SIZE_MIN: usize;
    /// The number of bytes of the longest value, if there is one.
    const SIZE_MAX: Option<usize>;

    /// Appends the value's bytes.
    fn encode<S: Sink>(&self, sink: &mut S);

    /// Takes a value off the front of `input`, or `None` if it does not start with one.
    fn decode(input: &mut &[u8]) -> Option<Self>;
}

/// A value from all of `bytes`.
#[inline(always)]
pub fn decode_all<T: Typed>(mut bytes: &[u8]) -> Option<T> {
    // Where the size is fixed, comparing it once lets the compiler drop every later check.
    if let Some(size) = T::SIZE_MAX
        && size == T::SIZE_MIN
        && bytes.len() != size
    {
        return None;
    }
    let value = T::decode(&mut bytes)?;
    bytes.is_empty().then_some(value)
}

/// The sum of sizes, `None` if one of them is.
pub const fn sum_sizes(sizes: &[Option<usize>]) -> Option<usize> {
    let mut total = 0;
    let mut index = 0;
    while index < sizes.len() {
        match sizes[index] {
            Some(size) => total += size,
            None => return None,
        }
        index += 1;
    }
    Some(total)
}

/// The largest of `sizes`, `None` if one of them is.
pub const fn max_sizes(sizes: &[Option<usize>]) -> Option<usize> {
    let mut max = 0;
    let mut index = 0;
    while index < sizes.len() {
        match sizes[index] {
            Some(size) if size > max => max = size,
            Some(_) => {}
            None => return None,
        }
        index += 1;
    }
    Some(max)
}

/// The smallest of `sizes`, 0 if there are none.
pub const fn min_sizes(sizes: &[usize]) -> usize {
    let mut min = if sizes.is_empty() { 0 } else { usize::MAX };
    let mut index = 0;
    while index < sizes.len() {
        if sizes[index] < min {
            min = sizes[index];
        }
        index += 1;
    }
    min
}

#[inline(always)]
fn take<'a>(input: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = input.split_at_checked(count)?;
    *input = tail;
    Some(head)
}

#[inline(always)]
fn take_array<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = input.split_first_chunk::<N>()?;
    *input = tail;
    Some(*head)
}

#[inline(always)]
fn take_length(input: &mut &[u8]) -> Option<usize> {
    Some(u32::from_le_bytes(take_array(input)?) as usize)
}

macro_rules! integer {
    ($($ty:ident $variant:ident),*) => {$(
        impl Typed for $ty {
            const TYPE: Type = Type::$variant;
            const SIZE_MIN: usize = size_of::<$ty>();
            const SIZE_MAX: Option<usize> = Some(size_of::<$ty>());

            #[inline(always)]
            fn encode<S: Sink>(&self, sink: &mut S) {
                sink.put(&self.to_le_bytes());
            }

            #[inline(always)]
            fn decode(input: &mut &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(take_array(input)?))
            }
        }
    )*};
}
integer!(u8 U8, u16 U16, u32 U32, u64 U64, u128 U128, i64 I64, i128 I128);

impl Typed for bool {
    const TYPE: Type = Type::Bool;
    const SIZE_MIN: usize = 1;
    const SIZE_MAX: Option<usize> = Some(1);

    #[inline(always)]
    fn encode<S: Sink>(&self, sink: &mut S) {
        sink.put(&[u8::from(*self)]);
    }

    #[inline(always)]
    fn decode(input: &mut &[u8]) -> Option<Self> {
        let byte = u8::decode(input)?;
        (byte <= 1).then_some(byte == 1)
    }
}

impl<const N: usize> Typed for [u8; N] {
    const TYPE: Type = Type::FixedBytes(N as u32);
    const SIZE_MIN: usize = N;
    const SIZE_MAX: Option<usize> = Some(N);

    #[inline(always)]
    fn encode<S: Sink>(&self, sink: &mut S) {
        sink.put(self);
    }

    #[inline(always)]
    fn decode(input: &mut &[u8]) -> Option<Self> {
        take_array(input)
    }
}

impl Typed for Address {
    const TYPE: Type = Type::Address;
    const SIZE_MIN: usize = 32;
    const SIZE_MAX: Option<usize> = Some(32);

    #[inline(always)]
    fn encode<S: Sink>(&self, sink: &mut S) {
        sink.put(self.as_bytes());
    }

    #[inline(always)]
    fn decode(input: &mut &[u8]) -> Option<Self> {
        Some(Self(take_array(input)?))
    }
}

/// Bytes of any length. (`Vec<u8>` is a list of numbers: the same bytes, but tools print it
/// number by number.)
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    borsh::BorshSerialize,
    borsh::BorshDeserialize,
)]
pub struct Bytes(pub Vec<u8>);

impl Typed for Bytes {
    const TYPE: Type = Type::Bytes;
    const SIZE_MIN: usize = 4;
    const SIZE_MAX: Option<usize> = None;

    #[inline]
    fn encode<S: Sink>(&self, sink: &mut S) {
        sink.put(&(self.0.len() as u32).to_le_bytes());
        sink.put(&self.0);
    }

    #[inline]
    fn decode(input: &mut &[u8]) -> Option<Self> {
        let length = take_length(input)?;
        Some(Self(take(input, length)?.to_vec()))
    }
}

impl Typed for String {
    const TYPE: Type = Type::Text;
    const SIZE_MIN: usize = 4;
    const SIZE_MAX: Option<usize> = None;

    #[inline]
    fn encode<S: Sink>(&self, sink: &mut S) {
        sink.put(&(self.len() as u32).to_le_bytes());
        sink.put(self.as_bytes());
    }

    #[inline]
    fn decode(input: &mut &[u8]) -> Option<Self> {
        let length = take_length(input)?;
        Some(core::str::from_utf8(take(input, length)?).ok()?.into())
    }
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = Type::Option(Cow::Borrowed(const { &[T::TYPE] }));
    const SIZE_MIN: usize = 1;
    const SIZE_MAX: Option<usize> = sum_sizes(&[Some(1), T::SIZE_MAX]);

    #[inline]
    fn encode<S: Sink>(&self, sink: &mut S) {
        match self {
            None => sink.put(&[0]),
            Some(value) => {
                sink.put(&[1]);
                value.encode(sink);
            }
        }
    }

    #[inline]
    fn decode(input: &mut &[u8]) -> Option<Self> {
        match u8::decode(input)? {
            0 => Some(None),
            1 => Some(Some(T::decode(input)?)),
            _ => None,
        }
    }
}

impl<T: Typed> Typed for Vec<T> {
    const TYPE: Type = Type::List(Cow::Borrowed(const { &[T::TYPE] }));
    const SIZE_MIN: usize = 4;
    const SIZE_MAX: Option<usize> = None;

    #[inline]
    fn encode<S: Sink>(&self, sink: &mut S) {
        sink.put(&(self.len() as u32).to_le_bytes());
        for value in self {
            value.encode(sink);
        }
    }

    #[inline]
    fn decode(input: &mut &[u8]) -> Option<Self> {
        const {
            assert!(T::SIZE_MIN > 0, "a list needs elements that have bytes");
        }
        let count = take_length(input)?;
        // Room for more elements than the bytes can hold is never taken.
        if count > input.len() / T::SIZE_MIN {
            return None;
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(T::decode(input)?);
        }
        Some(values)
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Typed),*> Typed for ($($name,)*) {
            const TYPE: Type = Type::Tuple(Cow::Borrowed(const { &[$($name::TYPE),*] }));
            const SIZE_MIN: usize = 0 $(+ $name::SIZE_MIN)*;
            const SIZE_MAX: Option<usize> = sum_sizes(&[$($name::SIZE_MAX),*]);

            #[inline(always)]
            fn encode<S: Sink>(&self, _sink: &mut S) {
                $(self.$index.encode(_sink);)*
            }

            #[inline(always)]
            fn decode(_input: &mut &[u8]) -> Option<Self> {
                Some(($($name::decode(_input)?,)*))
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
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

/// The number of bytes of every value of `T`, if it is always the same.
#[inline(always)]
pub(crate) const fn fixed_size<T: Typed>() -> Option<usize> {
    match T::SIZE_MAX {
        Some(size) if size == T::SIZE_MIN => Some(size),
        _ => None,
    }
}

/// The longest value that is encoded or decoded on the stack, in bytes.
pub(crate) const STACK_BYTES_MAX: usize = 256;

/// Whether every value of `T` fits on the stack.
#[inline(always)]
pub(crate) const fn is_small<T: Typed>() -> bool {
    match T::SIZE_MAX {
        Some(size) => size <= STACK_BYTES_MAX,
        None => false,
    }
}

/// Hands the bytes of `value` to `use_bytes`, from the stack if every value of `T` is small.
#[inline(always)]
pub(crate) fn with_encoded<T: Typed, R>(value: &T, use_bytes: impl FnOnce(&[u8]) -> R) -> R {
    if is_small::<T>() {
        let mut buffer = Buffer::<STACK_BYTES_MAX>::new();
        value.encode(&mut buffer);
        use_bytes(buffer.as_slice())
    } else {
        let mut bytes = Vec::with_capacity(STACK_BYTES_MAX);
        value.encode(&mut bytes);
        use_bytes(&bytes)
    }
}
