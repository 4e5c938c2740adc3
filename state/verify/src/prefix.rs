//! The first bits of paths, which name a subtree.

use crate::hash::{DEPTH_MAX, Path};
use core::fmt;

/// The first bits of paths: all keys whose paths start so are one subtree.
///
/// Ordered by the first path below it, then the shorter first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    path: Path,
    bits: u8,
}

impl Prefix {
    /// The prefix of no bits: the whole state.
    pub const ALL: Prefix = Prefix { path: Path([0; 16]), bits: 0 };

    /// The first `bits` bits of `path`; `None` if that is more than [`DEPTH_MAX`].
    pub fn new(path: Path, bits: u8) -> Option<Prefix> {
        let path = Path((path.to_bits() & mask(bits)).to_be_bytes());
        (bits <= DEPTH_MAX).then_some(Prefix { path, bits })
    }

    /// How many bits it has.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// The first path below it.
    pub fn first(&self) -> Path {
        self.path
    }

    /// The last path below it.
    pub fn last(&self) -> Path {
        Path((self.path.to_bits() | !mask(self.bits)).to_be_bytes())
    }

    /// Whether `path` starts with it.
    pub fn contains(&self, path: &Path) -> bool {
        path.to_bits() & mask(self.bits) == self.path.to_bits()
    }

    /// The prefix with one bit more; `None` at [`DEPTH_MAX`].
    pub fn child(&self, bit: bool) -> Option<Prefix> {
        let one = (1u128 << 127) >> self.bits.min(127);
        let path = if bit { self.path.to_bits() | one } else { self.path.to_bits() };
        (self.bits < DEPTH_MAX)
            .then_some(Prefix { path: Path(path.to_be_bytes()), bits: self.bits + 1 })
    }
}

/// Ones in the first `bits` bits.
fn mask(bits: u8) -> u128 {
    !u128::MAX.checked_shr(bits.into()).unwrap_or(0)
}

/// The bits, `*` for none.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == 0 {
            return f.write_str("*");
        }
        (0..self.bits).try_for_each(|depth| write!(f, "{}", self.path.bit(depth) as u8))
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
