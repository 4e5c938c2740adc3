//! Reads the ABI section.
//!
//! Types and templates contain themselves, so a decoder recurses as deep as hostile bytes tell it
//! to: 64 KiB hold 13,000 nested options. So the bytes are walked first, by code that counts how
//! deep it is and allocates nothing. Only then borsh builds the values: it allocates in
//! proportion to bytes that the walk has seen.

use super::{AbiError, LOOP_DEPTH_MAX};
use tollway_host_api::Abi;
use tollway_host_api::abi::ABI_VERSION;
use tollway_host_api::schema::TYPE_DEPTH_MAX;

/// Decodes the whole of a section.
///
/// # Errors
/// [`AbiError::Version`], [`AbiError::TooDeep`] or [`AbiError::Undecodable`].
pub fn decode(section: &[u8]) -> Result<Abi, AbiError> {
    let mut walk = Walk { section, offset: 0 };
    let found = u16::from_le_bytes([walk.byte()?, walk.byte()?]);
    if found != ABI_VERSION {
        return Err(AbiError::Version { found, expected: ABI_VERSION });
    }
    walk.abi_after_version()?;
    if walk.offset < section.len() {
        return Err(walk.undecodable("bytes go on after its end"));
    }
    borsh::from_slice(section).map_err(|error| walk.undecodable(&error.to_string()))
}

/// Follows the encoding of [`Abi`] without building it.
struct Walk<'a> {
    section: &'a [u8],
    offset: usize,
}

type Result<T, E = AbiError> = std::result::Result<T, E>;

impl Walk<'_> {
    fn undecodable(&self, message: &str) -> AbiError {
        AbiError::Undecodable { offset: self.offset, message: message.into() }
    }

    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let end = self.offset.checked_add(count).filter(|end| *end <= self.section.len());
        let end = end.ok_or_else(|| self.undecodable("ends too early"))?;
        let bytes = &self.section[self.offset..end];
        self.offset = end;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn length(&mut self) -> Result<usize> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn bytes(&mut self) -> Result<()> {
        let length = self.length()?;
        self.take(length).map(|_| ())
    }

    /// A list. Every item takes at least one byte, so a count that lies ends with the bytes.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        let count = self.length()?;
        (0..count).try_for_each(|_| item(self))
    }

    fn below(&self, depth: usize) -> Result<usize> {
        depth.checked_sub(1).ok_or(AbiError::TooDeep { offset: self.offset })
    }

    fn abi_after_version(&mut self) -> Result<()> {
        self.bytes()?;
        self.list(Self::field)?;
        self.list(|walk| {
            walk.bytes()?;
            walk.list(Self::whole_type)?;
            walk.whole_type()?;
            walk.take(1)?;
            match walk.byte()? {
                0 => Ok(()),
                1 => walk.take(1).map(|_| ()),
                _ => Err(walk.undecodable("no such option")),
            }
        })?;
        self.list(|walk| {
            walk.bytes()?;
            walk.take(2)?;
            walk.list(Self::field)?;
            walk.whole_type()?;
            walk.take(1)?;
            walk.list(|walk| walk.template(LOOP_DEPTH_MAX + 1))
        })?;
        self.list(|walk| {
            walk.bytes()?;
            walk.list(Self::field)
        })?;
        self.list(Self::whole_type)
    }

    fn field(&mut self) -> Result<()> {
        self.field_below(TYPE_DEPTH_MAX)
    }

    fn field_below(&mut self, depth: usize) -> Result<()> {
        self.bytes()?;
        self.ty(depth)
    }

    fn whole_type(&mut self) -> Result<()> {
        self.ty(TYPE_DEPTH_MAX)
    }

    fn ty(&mut self, depth: usize) -> Result<()> {
        let below = self.below(depth)?;
        match self.byte()? {
            0..=10 => Ok(()),
            11 => self.take(4).map(|_| ()),
            12..=14 => self.list(|walk| walk.ty(below)),
            15 => {
                self.bytes()?;
                self.list(|walk| walk.field_below(below))
            }
            16 => {
                self.bytes()?;
                self.list(|walk| {
                    walk.bytes()?;
                    walk.list(|walk| walk.field_below(below))
                })
            }
            _ => Err(self.undecodable("no such type")),
        }
    }

    fn template(&mut self, depth: usize) -> Result<()> {
        let below = self.below(depth)?;
        match self.byte()? {
            0 => {
                self.take(2)?;
                self.list(Self::expr)
            }
            1 => {
                self.expr()?;
                self.list(|walk| walk.template(below))
            }
            2 => {
                self.expr()?;
                self.bytes()?;
                self.list(Self::expr)
            }
            _ => Err(self.undecodable("no such template")),
        }
    }

    fn expr(&mut self) -> Result<()> {
        // A shard holds an expression, which is none.
        self.expr_below(2)
    }

    fn expr_below(&mut self, depth: usize) -> Result<()> {
        let below = self.below(depth)?;
        match self.byte()? {
            0 | 1 | 7 | 8 => Ok(()),
            2 | 4 => {
                self.take(2)?;
                self.list(Self::bytes)
            }
            3 => {
                self.take(1)?;
                self.list(Self::bytes)
            }
            5 => self.take(16).map(|_| ()),
            6 => self.bytes(),
            9 => {
                self.list(|walk| walk.expr_below(below))?;
                self.take(2).map(|_| ())
            }
            _ => Err(self.undecodable("no such expression")),
        }
    }
}
