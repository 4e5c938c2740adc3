//! The curve `x · y = k` that pairs and sharded pools trade along: one formula for both.
//!
//! Amounts and reserves are at most [`AMOUNT_MAX`], so that products with fees stay below 2¹²⁸.

use tollway_sdk::math::{above, mul_div, mul_div_up, mul_wide, sqrt};

/// The most of a token that may be on a curve.
pub const AMOUNT_MAX: u128 = 1 << 112;

/// Fees are in ten-thousandths.
pub const FEE_SCALE: u128 = 10_000;

/// Shares that the first provider leaves with nobody, so that a share can never be made so dear that
/// others cannot afford one.
pub const MINIMUM_LIQUIDITY: u128 = 1_000;

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

/// What is taken of two amounts that somebody provides, and how many shares that is worth where there
/// are `total`, rounded down. The first provider's are those beyond [`MINIMUM_LIQUIDITY`].
///
/// # Errors
/// [`CurveError::TooLarge`].
pub fn shares_for(
    reserves: (u128, u128),
    total: u128,
    amount0: u128,
    amount1: u128,
) -> Result<(u128, u128, u128), CurveError> {
    if total == 0 {
        let root = sqrt(mul_wide(amount0, amount1));
        return Ok((amount0, amount1, above(root, MINIMUM_LIQUIDITY)));
    }
    let (amount0, amount1) = in_ratio(reserves, amount0, amount1)?;
    let shares0 = mul_div(amount0, total, reserves.0);
    let shares1 = mul_div(amount1, total, reserves.1);
    let shares = shares0.min(shares1).ok_or(CurveError::TooLarge)?;
    Ok((amount0, amount1, shares))
}

/// What so many of `total` shares stand for, rounded down: what remains is never worth less a share
/// than before. `None` if there are not as many.
pub fn amounts_for(reserves: (u128, u128), total: u128, shares: u128) -> Option<(u128, u128)> {
    if shares > total {
        return None;
    }
    Some((mul_div(shares, reserves.0, total)?, mul_div(shares, reserves.1, total)?))
}

/// What a fee leaves of [`FEE_SCALE`]: nothing, if it is more.
#[inline(always)]
fn kept(fee: u128) -> u128 {
    // In 64 bits, see "128-bit sums" in the SDK.
    u64::try_from(fee).map_or(0, |fee| (FEE_SCALE as u64).saturating_sub(fee)).into()
}
