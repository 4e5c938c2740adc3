//! What reserves are like, and how their indexes grow.
//!
//! Everything is rounded against borrowers, and for what depositors are owed against them.

use crate::lend::fitting;
use tollway_sdk::contract_type;
use tollway_sdk::env::time_ms;
use tollway_sdk::math::{Ray, Rounding, above, mul_div, mul_div_up};

/// Ten-thousandths: the whole.
pub const BP: u128 = 10_000;

/// The seconds of a year, by which yearly rates are divided.
pub const YEAR_S: u128 = 31_536_000;

/// The most that the three parts of a rate may be together, in ten-thousandths a year.
pub const RATE_MAX_BP: u128 = 50_000;

/// What a scaled unit of deposit is worth at first: a 10⁹th of a token's unit. It rises to a whole
/// unit at most, and interest beyond goes to the fund. So what rounding takes of a deposit is less
/// than a unit, however few deposits there are and however much they earned.
pub const SUPPLY_INDEX_START: Ray = Ray::from_raw(1_000_000_000_000_000_000);

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

/// Whether a reserve can be like that: what a liquidation takes is worth more to the account's
/// health than it costs only if threshold and bonus together are below the whole.
pub(crate) fn are_sound(terms: &Terms) -> bool {
    let threshold = u128::from(terms.threshold_bp);
    let rate = u128::from(terms.base_bp) + u128::from(terms.slope_bp) + u128::from(terms.steep_bp);
    terms.collateral_bp <= terms.threshold_bp
        && threshold * (BP + u128::from(terms.bonus_bp)) < BP * BP
        && u128::from(terms.fund_bp) <= BP
        && (1..BP).contains(&u128::from(terms.kink_bp))
        && rate <= RATE_MAX_BP
}

/// Whole seconds since the rates were set.
pub(crate) fn seconds(rates: &Rates) -> u64 {
    time_ms().saturating_sub(rates.time_ms) / 1_000
}

/// An index, grown by `rate` each second since the rates were set, rounded up.
#[inline(never)]
pub(crate) fn grown(index: Ray, rate: Ray, rates: &Rates) -> Ray {
    let growth = Ray::ONE
        .checked_add(rate)
        .and_then(|growth| growth.pow(seconds(rates), Rounding::Up))
        .and_then(|growth| index.checked_mul(growth, Rounding::Up));
    fitting(growth)
}

/// How much of a reserve is lent, of what there is of it with that, rounded up.
#[inline(never)]
pub(crate) fn used(totals: &Totals, borrow_index: Ray) -> Ray {
    let debts = fitting(borrow_index.of(totals.borrowed, Rounding::Up));
    let all = fitting(debts.checked_add(totals.cash));
    // Where there is nothing, nothing is lent.
    if all == 0 {
        return Ray::ZERO;
    }
    fitting(Ray::ratio(debts, all, Rounding::Up))
}

/// What debts grow by each second where so much of a reserve is used, rounded up, and what
/// deposits should earn, rounded down.
#[inline(never)]
pub(crate) fn rates_at(terms: &Terms, used: Ray) -> (Ray, Ray) {
    let kink = u128::from(terms.kink_bp);
    let kink_at = part(Ray::ONE, kink, BP);
    // In parts of what lies below the kink, and of what lies above it.
    let below = part(used.min(kink_at), BP, kink);
    let over = Ray::from_raw(above(used.raw(), kink_at.raw()));
    let over = part(over, BP, BP - kink);
    let yearly = part(Ray::ONE, terms.base_bp.into(), BP).raw()
        + part(below, terms.slope_bp.into(), BP).raw()
        + part(over, terms.steep_bp.into(), BP).raw();
    let borrow = part(Ray::from_raw(yearly), 1, YEAR_S);
    let given = BP - u128::from(terms.fund_bp);
    let supply = fitting(borrow.checked_mul(used, Rounding::Down)).raw();
    (borrow, Ray::from_raw(fitting(mul_div(supply, given, BP))))
}

/// `of · numerator / denominator`, rounded up.
#[inline(never)]
fn part(of: Ray, numerator: u128, denominator: u128) -> Ray {
    Ray::from_raw(fitting(mul_div_up(of.raw(), numerator, denominator)))
}

/// An index, raised so that so many scaled units get `given`, rounded down, and to 1 at most.
#[inline(never)]
pub(crate) fn raised(index: Ray, given: u128, supplied: u128) -> Ray {
    let room = above(Ray::ONE.raw(), index.raw());
    let gain = Ray::ratio(given, supplied.max(1), Rounding::Down);
    Ray::from_raw(index.raw() + gain.map_or(room, Ray::raw).min(room))
}

/// What is there for the depositors: tokens and debts, less the fund.
#[inline(never)]
pub(crate) fn assets(totals: &Totals, borrow_index: Ray) -> u128 {
    let debts = fitting(borrow_index.of(totals.borrowed, Rounding::Down));
    above(fitting(debts.checked_add(totals.cash)), totals.fund)
}

/// What the depositors are owed.
#[inline(never)]
pub(crate) fn owed(totals: &Totals, supply_index: Ray) -> u128 {
    fitting(supply_index.of(totals.supplied, Rounding::Up))
}
