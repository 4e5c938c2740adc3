//! What reserves are like, and how their indexes grow.
//!
//! Everything is rounded against borrowers, and for what depositors are owed against them.

use crate::lend::Error;
use tollway_sdk::contract_type;
use tollway_sdk::env::time_ms;
use tollway_sdk::math::{Ray, Rounding, mul_div_up};

/// Ten-thousandths: the whole.
pub const BP: u128 = 10_000;

/// The seconds of a year, by which yearly rates are divided.
pub const YEAR_S: u128 = 31_536_000;

/// The most that the three parts of a rate may be together, in ten-thousandths a year.
pub const RATE_MAX_BP: u128 = 50_000;

/// What a reserve is like. It never changes.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The token's feed at the oracle.
    pub feed: u32,
    /// How much of a deposit's value may be borrowed.
    pub collateral_bp: u16,
    /// How much of it debts may reach before they are liquidated.
    pub threshold_bp: u16,
    /// What liquidators get beyond what they repay, of deposits in this reserve.
    pub bonus_bp: u16,
    /// The fund's part of the interest.
    pub fund_bp: u16,
    /// The rate a year of a reserve of which nothing is borrowed.
    pub base_bp: u16,
    /// What is added to it up to the kink.
    pub slope_bp: u16,
    /// What is added to it from the kink to where all is borrowed.
    pub steep_bp: u16,
    /// How much of the reserve is borrowed at the kink.
    pub kink_bp: u16,
}

/// A reserve's indexes at a time, and its rates since.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// When.
    pub time_ms: u64,
    /// What a scaled unit of debt was worth.
    pub borrow_index: Ray,
    /// What a scaled unit of deposit is worth until the next time.
    pub supply_index: Ray,
    /// What debts grow by each second.
    pub borrow_rate: Ray,
    /// What deposits should earn each second.
    pub supply_rate: Ray,
}

/// What a reserve has and owes.
#[contract_type]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tokens there.
    pub cash: u128,
    /// What of it, and of debts, is the fund's.
    pub fund: u128,
    /// Deposits, scaled.
    pub supplied: u128,
    /// Debts, scaled.
    pub borrowed: u128,
}

/// Whether a reserve can be like that: what a liquidation takes is worth more to the
/// account's health than it costs only if threshold and bonus together are below the whole.
pub(crate) fn are_sound(terms: &Terms) -> bool {
    let threshold = u128::from(terms.threshold_bp);
    let rate = [terms.base_bp, terms.slope_bp, terms.steep_bp].map(u128::from);
    terms.collateral_bp <= terms.threshold_bp
        && threshold * (BP + u128::from(terms.bonus_bp)) < BP * BP
        && u128::from(terms.fund_bp) <= BP
        && (1..BP).contains(&u128::from(terms.kink_bp))
        && rate.iter().sum::<u128>() <= RATE_MAX_BP
}

/// Whole seconds since the rates were set.
pub(crate) fn seconds(rates: &Rates) -> u64 {
    time_ms().saturating_sub(rates.time_ms) / 1_000
}

/// An index, grown by `rate` each second since the rates were set, rounded up.
#[inline(never)]
pub(crate) fn grown(index: Ray, rate: Ray, rates: &Rates) -> Result<Ray, Error> {
    let growth = Ray::ONE
        .checked_add(rate)
        .and_then(|growth| growth.pow(seconds(rates), Rounding::Up))
        .and_then(|growth| index.checked_mul(growth, Rounding::Up));
    growth.ok_or(Error::AmountTooLarge)
}

/// What debts grow by each second where so much of a reserve is used, rounded up, and what
/// deposits should earn, rounded down.
pub(crate) fn rates_at(terms: &Terms, used: Ray) -> Result<(Ray, Ray), Error> {
    let kink = Ray::ratio(terms.kink_bp.into(), BP, Rounding::Down);
    let rate = kink.and_then(|kink| {
        let below = used.min(kink).checked_div(kink, Rounding::Up)?;
        let rest = Ray::ONE.checked_sub(kink)?;
        let above = used.max(kink).checked_sub(kink)?.checked_div(rest, Rounding::Up)?;
        let yearly = bp_of(terms.base_bp, Ray::ONE)?
            .checked_add(bp_of(terms.slope_bp, below)?)?
            .checked_add(bp_of(terms.steep_bp, above)?)?;
        let borrow = Ray::from_raw(mul_div_up(yearly.raw(), 1, YEAR_S)?);
        let given = Ray::ratio(BP - u128::from(terms.fund_bp), BP, Rounding::Down)?;
        let supply = borrow.checked_mul(used, Rounding::Down)?;
        Some((borrow, supply.checked_mul(given, Rounding::Down)?))
    });
    rate.ok_or(Error::AmountTooLarge)
}

/// So many ten-thousandths of a number, rounded up.
#[inline(never)]
pub(crate) fn bp_of(bp: u16, of: Ray) -> Option<Ray> {
    mul_div_up(of.raw(), bp.into(), BP).map(Ray::from_raw)
}

/// What is there for the depositors: tokens and debts, less the fund.
pub(crate) fn assets(totals: &Totals, borrow_index: Ray) -> Result<u128, Error> {
    let debts = borrow_index.of(totals.borrowed, Rounding::Down);
    let all = debts.and_then(|debts| debts.checked_add(totals.cash));
    let all = all.ok_or(Error::AmountTooLarge)?;
    Ok(all.saturating_sub(totals.fund))
}

/// What the depositors are owed.
pub(crate) fn owed(totals: &Totals, supply_index: Ray) -> Result<u128, Error> {
    supply_index.of(totals.supplied, Rounding::Up).ok_or(Error::AmountTooLarge)
}
