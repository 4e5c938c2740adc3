//! A byte string that is cheap to copy: short ones lie inside it, long ones are shared.
//!
//! Keys and values of a block are copied often (into a call, through the cell of a failed call,
//! into the write batch), so a copy must never cost more than a few words.

use std::sync::Arc;

/// An immutable byte string, of which `INLINE_MAX` bytes need no allocation: at most 255.
#[derive(Clone)]
pub(crate) struct ShortBytes<const INLINE_MAX: usize>(Repr<INLINE_MAX>);

/// A value, or whatever else is some amounts long.
pub(crate) type Bytes = ShortBytes<46>;

/// A key: with two addresses, as allowances have, it still lies inside.
pub(crate) type Key = ShortBytes<70>;

#[derive(Clone)]
enum Repr<const INLINE_MAX: usize> {
    Inline { length: u8, bytes: [u8; INLINE_MAX] },
    Shared(Arc<[u8]>),
}

impl<const INLINE_MAX: usize> ShortBytes<INLINE_MAX> {
    /// Copies `bytes`.
    #[inline]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        if bytes.len() <= INLINE_MAX {
            let mut inline = [0; INLINE_MAX];
            inline[..bytes.len()].copy_from_slice(bytes);
            Self(Repr::Inline { length: bytes.len() as u8, bytes: inline })
        } else {
            Self(Repr::Shared(bytes.into()))
        }
    }

    /// The bytes of an amount: sixteen, little-endian.
    #[inline]
    pub(crate) fn from_amount(amount: u128) -> Self {
        Self::new(&amount.to_le_bytes())
    }
}

impl<const INLINE_MAX: usize> AsRef<[u8]> for ShortBytes<INLINE_MAX> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl<const INLINE_MAX: usize> std::ops::Deref for ShortBytes<INLINE_MAX> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

impl<const INLINE_MAX: usize> Default for ShortBytes<INLINE_MAX> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl<const INLINE_MAX: usize> PartialEq for ShortBytes<INLINE_MAX> {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl<const INLINE_MAX: usize> Eq for ShortBytes<INLINE_MAX> {}

impl<const INLINE_MAX: usize> std::hash::Hash for ShortBytes<INLINE_MAX> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl<const INLINE_MAX: usize> std::fmt::Debug for ShortBytes<INLINE_MAX> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("0x")?;
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_hold_what_was_put_in() {
        for length in [0, 1, 46, 47, 70, 71, 5_000] {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            assert_eq!(&Bytes::new(&bytes)[..], &bytes[..]);
            assert_eq!(&Key::new(&bytes)[..], &bytes[..]);
        }
    }

    #[test]
    fn stays_small() {
        assert_eq!(size_of::<Bytes>(), 48);
        assert_eq!(size_of::<Key>(), 72);
    }
}
