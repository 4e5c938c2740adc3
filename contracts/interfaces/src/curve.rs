//! The curve `x · y = k` that pairs and sharded pools trade along: one formula for both.
//!
//! Amounts and reserves are at most [`AMOUNT_MAX`], so that products with fees stay below 2¹²⁸.

use tollway_sdk::math::{mul_div, mul_div_up};

/// The most of a token that may be on a curve.
pub const AMOUNT_MAX: u128 = 1 << 112;

/// Fees are in ten-thousandths.
pub const FEE_SCALE: u128 = 10_000;

/// Why a curve gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveError {
    /// There would be more than [`AMOUNT_MAX`] of a token.
    TooLarge,
    /// Nothing would go out.
    Nothing,
    /// All there is would go out, or there is nothing.
    Everything,
}

/// What `dx` brings where there are `x` of the token that comes in and `y` of the other, with a fee
/// in ten-thousandths, rounded down.
///
/// # Errors
/// [`CurveError`], as it says.
#[inline]
pub fn amount_out(x: u128, y: u128, dx: u128, fee: u128) -> Result<u128, CurveError> {
    if dx > AMOUNT_MAX || x > AMOUNT_MAX {
        return Err(CurveError::TooLarge);
    }
    let dx_after_fee = dx * kept(fee);
    match mul_div(dx_after_fee, y, x * FEE_SCALE + dx_after_fee) {
        Some(0) => Err(CurveError::Nothing),
        Some(out) if out < y => Ok(out),
        _ => Err(CurveError::Everything),
    }
}

/// What brings `dy`, rounded up: the least for which [`amount_out`] gives `dy`.
///
/// # Errors
/// [`CurveError`], as it says.
#[inline]
pub fn amount_in(x: u128, y: u128, dy: u128, fee: u128) -> Result<u128, CurveError> {
    if dy == 0 {
        return Err(CurveError::Nothing);
    }
    let Some(left @ 1..) = y.checked_sub(dy) else {
        return Err(CurveError::Everything);
    };
    if x > AMOUNT_MAX || y > AMOUNT_MAX {
        return Err(CurveError::TooLarge);
    }
    let divisor = left * kept(fee);
    match mul_div_up(x * FEE_SCALE, dy, divisor) {
        Some(dx) if dx <= AMOUNT_MAX => Ok(dx),
        _ => Err(CurveError::TooLarge),
    }
}

/// The part of two amounts that is in the ratio of the reserves: one of them in whole, the other
/// rounded down.
///
/// # Errors
/// [`CurveError::TooLarge`].
pub fn in_ratio(
    (reserve0, reserve1): (u128, u128),
    amount0: u128,
    amount1: u128,
) -> Result<(u128, u128), CurveError> {
    match mul_div(amount0, reserve1, reserve0) {
        Some(matching1) if matching1 <= amount1 => Ok((amount0, matching1)),
        _ => {
            let matching0 = mul_div(amount1, reserve0, reserve1);
            Ok((matching0.ok_or(CurveError::TooLarge)?, amount1))
        }
    }
}

/// What a fee leaves of [`FEE_SCALE`]: nothing, if it is more.
#[inline(always)]
fn kept(fee: u128) -> u128 {
    // In 64 bits, see "128-bit sums" in the SDK.
    u64::try_from(fee).map_or(0, |fee| (FEE_SCALE as u64).saturating_sub(fee)).into()
}
