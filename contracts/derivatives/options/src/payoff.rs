//! What options are worth at their end.

use crate::options::{Kind, Series};
use tollway_interfaces::PRICE_SCALE;
use tollway_sdk::math::{mul_div, mul_div_up};

/// The most that `amount` options can ever pay, rounded up: what their writer locks. `None` if it
/// needs more than 128 bits.
///
/// A call pays less than one of the underlying each, a put at most its strike.
pub(crate) fn collateral_for(kind: Kind, series: Series, amount: u128) -> Option<u128> {
    match kind {
        Kind::Call => Some(amount),
        Kind::Put => mul_div_up(amount, series.strike, PRICE_SCALE),
    }
}

/// The same, rounded down: what comes back to whoever closes before the end.
pub(crate) fn collateral_of(kind: Kind, series: Series, amount: u128) -> Option<u128> {
    match kind {
        Kind::Call => Some(amount),
        Kind::Put => mul_div(amount, series.strike, PRICE_SCALE),
    }
}

/// What `amount` options pay at `price`, rounded down: of the underlying for a call,
/// `amount · (price − strike) / price`; of the quote token for a put,
/// `amount · (strike − price)`. 0 where the option is worth nothing.
pub(crate) fn payoff(kind: Kind, series: Series, price: u128, amount: u128) -> Option<u128> {
    let strike = series.strike;
    match kind {
        Kind::Call if price > strike => mul_div(amount, price - strike, price),
        Kind::Put if price < strike => mul_div(amount, strike - price, PRICE_SCALE),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use tollway_testkit::Dice;

    fn number(value: u128) -> BigRational {
        BigRational::from_integer(BigInt::from(value))
    }

    /// What one option is worth, from the definition: the difference in the quote token, and for
    /// a call that at the price, since it is paid in the underlying.
    fn worth(kind: Kind, strike: u128, price: u128) -> BigRational {
        let (strike, price) = (number(strike), number(price));
        let none = number(0);
        match kind {
            Kind::Call if price > strike => (price.clone() - strike) / price,
            Kind::Put if price < strike => (strike - price) / number(PRICE_SCALE),
            _ => none,
        }
    }

    fn check(kind: Kind, strike: u128, price: u128, amount: u128) {
        let series = Series { strike, expiry_ms: 0 };
        let exact = worth(kind, strike, price) * number(amount);
        let paid = payoff(kind, series, price, amount);
        let text = format!("{kind:?} {strike} at {price}, {amount}");
        let floor = u128::try_from(exact.floor().to_integer());
        assert_eq!(paid, floor.ok(), "{text}");
        let most = match kind {
            Kind::Call => number(amount),
            Kind::Put => number(amount) * number(strike) / number(PRICE_SCALE),
        };
        let locked = collateral_for(kind, series, amount);
        assert_eq!(locked, u128::try_from(most.ceil().to_integer()).ok(), "{text}");
        let back = collateral_of(kind, series, amount);
        assert_eq!(back, u128::try_from(most.floor().to_integer()).ok(), "{text}");
        if let (Some(paid), Some(locked)) = (paid, locked) {
            assert!(paid <= locked, "{text}: {paid} of {locked}");
        }
    }

    #[test]
    fn payoffs_are_those_of_the_definition() {
        let one = PRICE_SCALE;
        let prices = [1, 2, 3, one - 1, one, one + 1, 7 * one / 3, 65_000 * one, u128::MAX];
        let amounts = [0, 1, 2, 3, one, 1_000_000_007, 1 << 90, u128::MAX];
        for kind in [Kind::Call, Kind::Put] {
            for strike in prices {
                for price in prices {
                    amounts.iter().for_each(|amount| check(kind, strike, price, *amount));
                }
            }
        }
        let mut dice = Dice::new(1);
        for _ in 0..20_000 {
            let kind = *dice.pick(&[Kind::Call, Kind::Put]);
            let mut any = |bits: u64| {
                let value = u128::from(dice.roll()) << 64 | u128::from(dice.roll());
                (value >> dice.between(128 - bits, 127)).max(1)
            };
            let (strike, price, amount) = (any(60), any(60), any(128));
            check(kind, strike, price, amount);
        }
    }
}
