//! Numbers in fixed point: rates, shares, prices, indexes of interest and rewards.
//!
//! ```text
//! Fixed<ONE>(raw)  stands for  raw / ONE        Ray 1.05  =  1_050000000000000000000000000
//! ```

use super::{mul_div, mul_div_up};
use crate::typed::{Sink, Typed};
use borsh::{BorshDeserialize, BorshSerialize};
use tollway_host_api::Type;

/// Which way a result goes that lies between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the smaller one: for what a caller gets.
    Down,
    /// To the larger one: for what a caller gives.
    Up,
}

/// A number of at least 0 in steps of 1 / `ONE`. Stored, passed and shown to others as the `u128`
/// that counts the steps.
///
/// # Examples
/// ```
/// use tollway_sdk::math::{BasisPoints, Fixed, Ray, Rounding};
/// // A fee of 0.3 %, rounded against who pays it.
/// let fee = BasisPoints::from_raw(30);
/// assert_eq!(fee.of(1_001, Rounding::Up), Some(4));
/// // 5 % a year for two years, compounded.
/// let growth = Ray::ratio(105, 100, Rounding::Down).unwrap();
/// let index = growth.pow(2, Rounding::Down).unwrap();
/// assert_eq!(index.of(10_000, Rounding::Down), Some(11_025));
/// // Shares for 11,025 at that index.
/// assert_eq!(index.per(11_025, Rounding::Down), Some(10_000));
/// ```
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct Fixed<const ONE: u128>(u128);

/// Ten-thousandths: fees and margins.
pub type BasisPoints = Fixed<10_000>;

/// Steps of 10⁻¹⁸: prices and shares. The greatest is some 3.4 · 10²⁰.
pub type Wad = Fixed<1_000_000_000_000_000_000>;

/// Steps of 10⁻²⁷: indexes that grow over years by small steps. The greatest is some 3.4 · 10¹¹.
pub type Ray = Fixed<1_000_000_000_000_000_000_000_000_000>;

impl<const ONE: u128> Fixed<ONE> {
    /// 0.
    pub const ZERO: Self = Self(0);

    /// 1.
    pub const ONE: Self = Self(ONE);

    /// The number of so many steps.
    #[inline(always)]
    pub const fn from_raw(steps: u128) -> Self {
        Self(steps)
    }

    /// How many steps it has.
    #[inline(always)]
    pub const fn raw(self) -> u128 {
        self.0
    }

    /// `numerator / denominator`; `None` if the latter is 0 or the result is too large.
    #[inline]
    pub fn ratio(numerator: u128, denominator: u128, rounding: Rounding) -> Option<Self> {
        divide(numerator, ONE, denominator, rounding).map(Self)
    }

    /// So much of `amount`: `amount · self`; `None` if it is too large.
    #[inline]
    pub fn of(self, amount: u128, rounding: Rounding) -> Option<u128> {
        divide(amount, self.0, ONE, rounding)
    }

    /// `amount / self`; `None` if this is 0 or the result is too large.
    #[inline]
    pub fn per(self, amount: u128, rounding: Rounding) -> Option<u128> {
        divide(amount, ONE, self.0, rounding)
    }

    /// The sum, or `None` if it is too large.
    #[inline]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` if it is negative.
    #[inline]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, or `None` if it is too large.
    #[inline]
    pub fn checked_mul(self, other: Self, rounding: Rounding) -> Option<Self> {
        divide(self.0, other.0, ONE, rounding).map(Self)
    }

    /// The quotient; `None` if `other` is 0 or it is too large.
    #[inline]
    pub fn checked_div(self, other: Self, rounding: Rounding) -> Option<Self> {
        divide(self.0, ONE, other.0, rounding).map(Self)
    }

    /// This to the power of `exponent`, in at most 126 products, each rounded the same way: the
    /// result is on that side of the exact one. `None` if it is too large.
    pub fn pow(self, exponent: u64, rounding: Rounding) -> Option<Self> {
        let mut result = Self::ONE;
        let mut square = self;
        let mut left = exponent;
        loop {
            if left & 1 == 1 {
                result = result.checked_mul(square, rounding)?;
            }
            left >>= 1;
            if left == 0 {
                return Some(result);
            }
            square = square.checked_mul(square, rounding)?;
        }
    }
}

#[inline(always)]
fn divide(a: u128, b: u128, divisor: u128, rounding: Rounding) -> Option<u128> {
    match rounding {
        Rounding::Down => mul_div(a, b, divisor),
        Rounding::Up => mul_div_up(a, b, divisor),
    }
}

impl<const ONE: u128> Typed for Fixed<ONE> {
    const TYPE: Type = Type::U128;
    const SIZE_MIN: usize = 16;
    const SIZE_MAX: Option<usize> = Some(16);

    #[inline(always)]
    fn encode<S: Sink>(&self, sink: &mut S) {
        self.0.encode(sink);
    }

    #[inline(always)]
    fn decode(input: &mut &[u8]) -> Option<Self> {
        u128::decode(input).map(Self)
    }
}
