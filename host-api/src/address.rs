//! Who calls, and what is called: accounts and contracts share one 32-byte address space.

use borsh::{BorshDeserialize, BorshSerialize};
use core::fmt;

/// A 32-byte account or contract address.
///
/// The runtime gives contracts addresses derived by BLAKE3; account addresses are the host
/// chain's business and are opaque here.
///
/// # Examples
/// ```
/// use tollway_host_api::Address;
/// let alice = Address([0x11; 32]);
/// assert_eq!(alice.to_string(), "11".repeat(32));
/// assert_eq!(alice.to_string().parse(), Ok(alice));
/// ```
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize,
)]
#[repr(transparent)]
pub struct Address(pub [u8; 32]);

impl Address {
    /// The address of nobody.
    pub const ZERO: Self = Self([0; 32]);

    /// An address that holds `number` in its last eight bytes, big-endian: for tests and samples.
    pub const fn from_u64(number: u64) -> Self {
        let mut bytes = [0; 32];
        let tail = number.to_be_bytes();
        let mut index = 0;
        while index < tail.len() {
            bytes[24 + index] = tail[index];
            index += 1;
        }
        Self(bytes)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an address: 64 hexadecimal digits were expected, with or without `0x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseAddressError;

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address is 64 hexadecimal digits, with or without 0x")
    }
}

impl core::error::Error for ParseAddressError {}

impl core::str::FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
        if digits.len() != 64 {
            return Err(ParseAddressError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = (pair[0] as char).to_digit(16).ok_or(ParseAddressError)?;
            let low = (pair[1] as char).to_digit(16).ok_or(ParseAddressError)?;
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self(bytes))
    }
}
