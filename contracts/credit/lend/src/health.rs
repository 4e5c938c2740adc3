//! What an account's deposits carry, and what a liquidation may take.

use crate::lend::fitting;
use crate::rates::{BP, Terms};
use tollway_interfaces::PRICE_SCALE;
use tollway_sdk::contract_type;
use tollway_sdk::math::{above, mul_div, mul_div_up};

/// What a liquidation may bring an account back to: 1 % more weighted deposits than debts, so
/// that the next second's interest does not make it unhealthy again.
pub const TARGET_BP: u128 = 10_100;

/// An account's values, in the quote asset's smallest units.
#[contract_type]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it may owe to borrow or withdraw.
    pub collateral: u128,
    /// What it may owe before it is liquidated.
    pub weighted: u128,
    /// What it owes.
    pub debt: u128,
}

impl Standing {
    /// With one more asset: so much deposited, so much owed, at a price.
    #[inline(never)]
    pub(crate) fn with(
        self,
        deposited: u128,
        owed: u128,
        price: u128,
        terms: &Terms,
    ) -> Option<Self> {
        let value = mul_div(deposited, price, PRICE_SCALE)?;
        let debt = mul_div_up(owed, price, PRICE_SCALE)?;
        let collateral = mul_div(value, terms.collateral_bp.into(), BP)?;
        let weighted = mul_div(value, terms.threshold_bp.into(), BP)?;
        Some(Self {
            collateral: self.collateral.checked_add(collateral)?,
            weighted: self.weighted.checked_add(weighted)?,
            debt: self.debt.checked_add(debt)?,
        })
    }
}

/// How much of the debt has to be repaid, in its token, to bring the account back to the
/// target: with a debt D, weighted deposits W, a target t, and a share s of what is repaid
/// that the weighted deposits lose, (D − R) · t = W − R · s. None if it is too large to count.
#[inline(never)]
pub(crate) fn needed_repayment(standing: Standing, terms: &Terms, price: u128) -> Option<u128> {
    let with_bonus = BP + u128::from(terms.bonus_bp);
    // In ten-thousandths of ten-thousandths; the terms keep the difference above 0.
    let lost = u128::from(terms.threshold_bp) * with_bonus;
    let kept = TARGET_BP * BP - lost;
    let target = fitting(mul_div_up(standing.debt, TARGET_BP, BP));
    let missing = above(target, standing.weighted);
    let value = fitting(mul_div_up(missing, BP * BP, kept));
    mul_div_up(value, PRICE_SCALE, price)
}

/// What `amount` of a token with one price is in a token with another, each multiplied with
/// a factor, rounded down.
#[inline(never)]
pub(crate) fn exchanged(amount: u128, from: (u128, u128), to: (u128, u128)) -> Option<u128> {
    mul_div(amount, from.0.checked_mul(from.1)?, to.0.checked_mul(to.1)?)
}

/// The same, rounded up.
#[inline(never)]
pub(crate) fn exchanged_up(amount: u128, from: (u128, u128), to: (u128, u128)) -> Option<u128> {
    mul_div_up(amount, from.0.checked_mul(from.1)?, to.0.checked_mul(to.1)?)
}
