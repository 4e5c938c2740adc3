//! Products of two amounts, in 256 bits, and what divides them again.
//!
//! Everything works on 64-bit limbs, so that a Wasm engine with wide arithmetic does a product of
//! limbs in one instruction. Nothing here wraps or rounds without saying so, and amounts of any
//! size are welcome.

/// A number below 2²⁵⁶. Compares as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct U256 {
    /// The upper 128 bits. First, so that the derived order is that of numbers.
    pub high: u128,
    /// The lower 128 bits.
    pub low: u128,
}

impl U256 {
    /// The sum, or `None` if it needs more than 256 bits.
    #[inline]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        let (low, carry) = self.low.overflowing_add(other.low);
        let Some(high) = self.high.checked_add(other.high) else { return None };
        if !carry {
            return Some(Self { high, low });
        }
        match high.checked_add(1) {
            Some(high) => Some(Self { high, low }),
            None => None,
        }
    }

    /// The difference, or `None` if `other` is greater.
    #[inline]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let Some(high) = self.high.checked_sub(other.high) else { return None };
        if !borrow {
            return Some(Self { high, low });
        }
        match high.checked_sub(1) {
            Some(high) => Some(Self { high, low }),
            None => None,
        }
    }
}

const fn low(value: u128) -> u64 {
    value as u64
}

const fn high(value: u128) -> u64 {
    (value >> 64) as u64
}

const fn join(high: u64, low: u64) -> u128 {
    (high as u128) << 64 | low as u128
}

/// `a · b`, whole.
///
/// # Examples
/// ```
/// use tollway_sdk::math::{U256, mul_wide};
/// let square = mul_wide(u128::MAX, u128::MAX);
/// assert_eq!(square, U256 { high: u128::MAX - 1, low: 1 });
/// ```
#[inline]
pub const fn mul_wide(a: u128, b: u128) -> U256 {
    const fn limbs(a: u64, b: u64) -> u128 {
        (a as u128).wrapping_mul(b as u128)
    }
    // Most amounts have one limb, and then a product is one instruction.
    if high(a) | high(b) == 0 {
        return U256 { high: 0, low: limbs(low(a), low(b)) };
    }
    let low_low = limbs(low(a), low(b));
    let low_high = limbs(low(a), high(b));
    let high_low = limbs(high(a), low(b));
    let high_high = limbs(high(a), high(b));
    // None of these sums can wrap: three numbers below 2⁶⁴, and the upper half of a product.
    let middle = (high(low_low) as u128)
        .wrapping_add(low(low_high) as u128)
        .wrapping_add(low(high_low) as u128);
    U256 {
        low: join(low(middle), low(low_low)),
        high: high_high
            .wrapping_add(high(low_high) as u128)
            .wrapping_add(high(high_low) as u128)
            .wrapping_add(high(middle) as u128),
    }
}

/// How much `a` is above `b`: the difference, or 0.
///
/// Instead of `u128::saturating_sub`, see ["128-bit sums"](crate#128-bit-sums).
///
/// # Examples
/// ```
/// use tollway_sdk::math::above;
/// assert_eq!(above(7, 5), 2);
/// assert_eq!(above(5, 7), 0);
/// ```
#[inline(never)]
pub fn above(a: u128, b: u128) -> u128 {
    // The smaller one is at most `a`. Seen through, this would become a choice between the
    // difference and 0, which is what has to be kept away from the compiler.
    a.wrapping_sub(core::hint::black_box(a.min(b)))
}

/// `a · b / divisor`, rounded down; `None` if `divisor` is 0 or the result needs more than 128
/// bits.
///
/// # Examples
/// ```
/// use tollway_sdk::math::mul_div;
/// assert_eq!(mul_div(u128::MAX, 6, 9), Some(u128::MAX / 3 * 2));
/// assert_eq!(mul_div(u128::MAX, 2, 1), None);
/// ```
#[inline]
pub fn mul_div(a: u128, b: u128, divisor: u128) -> Option<u128> {
    let (quotient, _) = div_rem(mul_wide(a, b), divisor)?;
    Some(quotient)
}

/// `a · b / divisor`, rounded up; `None` if `divisor` is 0 or the result needs more than 128
/// bits.
#[inline]
pub fn mul_div_up(a: u128, b: u128, divisor: u128) -> Option<u128> {
    let (quotient, rest) = div_rem(mul_wide(a, b), divisor)?;
    quotient.checked_add(u128::from(rest != 0))
}

/// `a · b / divisor`, rounded down: away from 0 if `a` is negative. `None` if `divisor` is 0 or the
/// result is no `i128`.
///
/// # Examples
/// ```
/// use tollway_sdk::math::{mul_div_ceil, mul_div_floor};
/// assert_eq!(mul_div_floor(-7, 1, 2), Some(-4));
/// assert_eq!(mul_div_ceil(-7, 1, 2), Some(-3));
/// ```
#[inline]
pub fn mul_div_floor(a: i128, b: u128, divisor: u128) -> Option<i128> {
    let magnitude = a.unsigned_abs();
    if a < 0 {
        0i128.checked_sub_unsigned(mul_div_up(magnitude, b, divisor)?)
    } else {
        i128::try_from(mul_div(magnitude, b, divisor)?).ok()
    }
}

/// `a · b / divisor`, rounded up: towards 0 if `a` is negative. `None` if `divisor` is 0 or the
/// result is no `i128`.
#[inline]
pub fn mul_div_ceil(a: i128, b: u128, divisor: u128) -> Option<i128> {
    let magnitude = a.unsigned_abs();
    if a < 0 {
        0i128.checked_sub_unsigned(mul_div(magnitude, b, divisor)?)
    } else {
        i128::try_from(mul_div_up(magnitude, b, divisor)?).ok()
    }
}

/// Quotient and remainder of a division; `None` if `divisor` is 0 or the quotient needs more than
/// 128 bits.
pub fn div_rem(number: U256, divisor: u128) -> Option<(u128, u128)> {
    if number.high >= divisor {
        return None;
    }
    // Knuth's algorithm D with one or two limbs of divisor: shifted so that its first bit is set,
    // each limb of the quotient takes one estimate and at most two corrections.
    let (d1, d0) = (high(divisor), low(divisor));
    let (n3, n2) = (high(number.high), low(number.high));
    let (n1, n0) = (high(number.low), low(number.low));
    if d1 == 0 {
        // The upper half is less than the divisor, so that it is one limb long, shifted or not.
        let shift = d0.leading_zeros();
        let divisor = d0 << shift;
        let upper = shift_left(n2, n1, shift);
        let (first, rest) = div_limbs(upper, shift_left(n1, n0, shift), divisor);
        let (second, rest) = div_limbs(rest, n0 << shift, divisor);
        return Some((join(first, second), (rest >> shift) as u128));
    }
    let shift = d1.leading_zeros();
    let divisor = join(shift_left(d1, d0, shift), d0 << shift);
    let upper = join(shift_left(n3, n2, shift), shift_left(n2, n1, shift));
    let (first, rest) = div_step(upper, shift_left(n1, n0, shift), divisor);
    let (second, rest) = div_step(rest, n0 << shift, divisor);
    let rest_high = high(rest) >> shift;
    let rest_low = shift_right(high(rest), low(rest), shift);
    Some((join(first, second), join(rest_high, rest_low)))
}

// Shifts of 128-bit numbers are calls in Wasm; those of their limbs are not. Each is by less than
// 64, and in two steps, because a shift by 64 is none.

/// The upper limb of `high · 2⁶⁴ + low`, shifted left.
#[inline(always)]
fn shift_left(high: u64, low: u64, shift: u32) -> u64 {
    high << shift | (low >> 1) >> (63 - shift)
}

/// The lower limb of `high · 2⁶⁴ + low`, shifted right.
#[inline(always)]
fn shift_right(high: u64, low: u64, shift: u32) -> u64 {
    low >> shift | (high << 1) << (63 - shift)
}

/// One limb of a quotient: `(upper · 2⁶⁴ + next) / divisor`, where `upper < divisor` and the first
/// bit of `divisor` is set.
#[inline]
fn div_step(upper: u128, next: u64, divisor: u128) -> (u64, u128) {
    // The estimate looks at the first limb of the divisor only; it is never too small.
    let (mut quotient, mut rest) = if high(upper) >= high(divisor) {
        let rest = (low(upper) as u128).wrapping_add(high(divisor) as u128);
        (u64::MAX, rest)
    } else {
        let (quotient, rest) = div_limbs(high(upper), low(upper), high(divisor));
        (quotient, rest as u128)
    };
    let mut product = (quotient as u128).wrapping_mul(low(divisor) as u128);
    while high(rest) == 0 && product > join(low(rest), next) {
        quotient = quotient.wrapping_sub(1);
        rest = rest.wrapping_add(high(divisor) as u128);
        product = product.wrapping_sub(low(divisor) as u128);
    }
    // What is left is less than the divisor: bits above 2¹²⁸ cancel.
    let rest = join(low(rest), next).wrapping_sub(product);
    (quotient, rest)
}

/// `(upper · 2⁶⁴ + lower) / divisor`, where `upper < divisor` and the first bit of `divisor` is
/// set. In halves of limbs, since Wasm divides 64 bits by 64 bits only.
#[inline]
fn div_limbs(upper: u64, lower: u64, divisor: u64) -> (u64, u64) {
    if upper == 0 {
        // The divisor's first bit is set: it goes into another limb once or not at all.
        let quotient = u64::from(lower >= divisor);
        return (quotient, lower.wrapping_sub(quotient.wrapping_mul(divisor)));
    }
    let (first, rest) = div_half(upper, lower >> 32, divisor);
    let (second, rest) = div_half(rest, lower & HALF, divisor);
    (first << 32 | second, rest)
}

const HALF: u64 = u32::MAX as u64;

/// Half a limb of a quotient: `(upper · 2³² + next) / divisor`.
#[inline(always)]
fn div_half(upper: u64, next: u64, divisor: u64) -> (u64, u64) {
    let first = divisor >> 32;
    let second = divisor & HALF;
    let mut quotient = upper / first;
    let mut rest = upper % first;
    while quotient > HALF || quotient.wrapping_mul(second) > (rest << 32 | next) {
        quotient = quotient.wrapping_sub(1);
        rest = rest.wrapping_add(first);
        if rest > HALF {
            break;
        }
    }
    let rest = (upper << 32 | next).wrapping_sub(quotient.wrapping_mul(divisor));
    (quotient, rest)
}

/// The square root, rounded down.
///
/// # Examples
/// ```
/// use tollway_sdk::math::{mul_wide, sqrt};
/// assert_eq!(sqrt(mul_wide(u128::MAX, u128::MAX)), u128::MAX);
/// assert_eq!(sqrt(mul_wide(3, 5)), 3);
/// ```
pub fn sqrt(number: U256) -> u128 {
    if number == U256::default() {
        return 0;
    }
    if number.high == u128::MAX {
        return u128::MAX;
    }
    // Newton's method from above: every step comes closer until it would turn round.
    let bits = if number.high == 0 {
        128 - number.low.leading_zeros()
    } else {
        256 - number.high.leading_zeros()
    };
    let mut root = 1u128.checked_shl(bits.div_ceil(2)).unwrap_or(u128::MAX);
    loop {
        // The root is not too small, so the quotient is no greater than it and fits.
        let Some((quotient, _)) = div_rem(number, root) else {
            return root;
        };
        let next = (root & quotient).wrapping_add((root ^ quotient) >> 1);
        if next >= root {
            return root;
        }
        root = next;
    }
}
