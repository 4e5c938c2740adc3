//! A byte string that is cheap to copy: short ones lie inside it, long ones are shared.
//!
//! Keys and values of a block are copied often (into a call, through the cell of a failed call,
//! into the write batch), so a copy must never cost more than a few words.

use std::sync::Arc;

/// The longest byte string that needs no allocation.
const INLINE_MAX: usize = 46;

/// An immutable byte string.
#[derive(Clone)]
pub(crate) struct Bytes(Repr);

#[derive(Clone)]
enum Repr {
    Inline { length: u8, bytes: [u8; INLINE_MAX] },
    Shared(Arc<[u8]>),
}

impl Bytes {
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

impl AsRef<[u8]> for Bytes {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Bytes {}

impl std::hash::Hash for Bytes {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl std::fmt::Debug for Bytes {
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
        for length in [0, 1, INLINE_MAX, INLINE_MAX + 1, 5_000] {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            assert_eq!(&Bytes::new(&bytes)[..], &bytes[..]);
        }
    }

    #[test]
    fn stays_small() {
        assert_eq!(size_of::<Bytes>(), 48);
    }
}
