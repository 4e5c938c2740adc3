//! What a position is worth. All in whole units, rounded against its owner.

use tollway_interfaces::PRICE_SCALE;
use tollway_sdk::contract_type;
use tollway_sdk::math::{mul_div, mul_div_up};

/// Funding indexes are in units of 10⁻²⁴ quote for one unit of the underlying.
pub const INDEX_SCALE: u128 = 1_000_000_000_000_000_000_000_000;

/// A position of one trader on one side. With `q` its size, negative for a short:
///
/// ```text
/// gain = q · price − cost        what the pool owes it; at most `reserve`, at least −margin
/// cost = Σ q · price + Σ q · Δindex    over what was opened, and over time
/// ```
#[contract_type]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// How much of the underlying.
    pub size: u128,
    /// What it cost to get here, funding included; less than 0 is what it brought.
    pub cost: i128,
    /// What the trader put in, less fees.
    pub margin: u128,
    /// What the pool has set aside for it: the most that it can gain.
    pub reserve: u128,
    /// The funding index up to which `cost` has funding.
    pub index: i128,
}

impl Position {
    /// Charges or credits funding up to `index`, rounded up. `None` if that leaves the range.
    pub fn accrue(&mut self, long: bool, index: i128) -> Option<()> {
        let change = index.checked_sub(self.index)?;
        // What a long pays, a short gets.
        let size = signed(self.size, long == (change >= 0))?;
        let funding = scaled(size, change.unsigned_abs(), INDEX_SCALE, true)?;
        self.cost = self.cost.checked_add(funding)?;
        self.index = index;
        Some(())
    }

    /// Adds `size` at `price`; the caller accounts for margin and reserve.
    pub fn grow(&mut self, long: bool, size: u128, price: u128) -> Option<()> {
        let cost = scaled(signed(size, long)?, price, PRICE_SCALE, true)?;
        self.cost = self.cost.checked_add(cost)?;
        self.size = self.size.checked_add(size)?;
        Some(())
    }

    /// Splits off `size`, with its share of everything, rounded in favor of what stays.
    pub fn split(&mut self, size: u128) -> Option<Position> {
        if size >= self.size {
            let whole = *self;
            *self = Position { index: whole.index, ..Position::default() };
            return (size == whole.size).then_some(whole);
        }
        let part = Position {
            size,
            cost: scaled(self.cost, size, self.size, true)?,
            margin: mul_div(self.margin, size, self.size)?,
            reserve: mul_div(self.reserve, size, self.size)?,
            index: self.index,
        };
        self.size -= part.size;
        self.cost = self.cost.checked_sub(part.cost)?;
        self.margin -= part.margin;
        self.reserve -= part.reserve;
        Some(part)
    }

    /// What the position gained at `price`, less than 0 if it lost; never more than its reserve.
    pub fn gain(&self, long: bool, price: u128) -> Option<i128> {
        let value = scaled(signed(self.size, long)?, price, PRICE_SCALE, false)?;
        let most = i128::try_from(self.reserve).ok()?;
        Some(value.checked_sub(self.cost)?.min(most))
    }

    /// Margin and gain; less than 0 if it lost more than its margin.
    pub fn equity(&self, long: bool, price: u128) -> Option<i128> {
        i128::try_from(self.margin).ok()?.checked_add(self.gain(long, price)?)
    }

    /// What its size is worth at `price`, rounded up.
    pub fn notional(&self, price: u128) -> Option<u128> {
        mul_div_up(self.size, price, PRICE_SCALE)
    }
}

fn signed(size: u128, positive: bool) -> Option<i128> {
    let size = i128::try_from(size).ok()?;
    Some(if positive { size } else { -size })
}

/// `a · b / divisor`, rounded towards more if `up`, else towards less.
fn scaled(a: i128, b: u128, divisor: u128, up: bool) -> Option<i128> {
    let away_from_zero = up == (a >= 0);
    let size = a.unsigned_abs();
    let size =
        if away_from_zero { mul_div_up(size, b, divisor) } else { mul_div(size, b, divisor) };
    signed(size?, a >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use tollway_testkit::Dice;

    fn ratio(value: i128, unit: u128) -> BigRational {
        BigRational::new(BigInt::from(value), BigInt::from(unit))
    }

    fn any(dice: &mut Dice, bits: u64) -> u128 {
        let value = u128::from(dice.roll()) << 64 | u128::from(dice.roll());
        value >> dice.between(128 - bits, 127)
    }

    #[test]
    fn sums_are_those_of_fractions_rounded_against_the_owner() {
        let mut dice = Dice::new(3);
        for _ in 0..20_000 {
            let long = dice.percent(50);
            let sign = if long { 1 } else { -1 };
            let mut position = Position::default();
            let (size, price) = (any(&mut dice, 60) + 1, any(&mut dice, 50) + 1);
            position.grow(long, size, price).expect("it fits");
            let exact = ratio(sign * (size as i128), PRICE_SCALE) * ratio(price as i128, 1);
            assert_eq!(BigInt::from(position.cost), exact.ceil().to_integer());
            let cost = position.cost;
            let step = any(&mut dice, 90) as i128 - any(&mut dice, 90) as i128;
            position.accrue(long, step).expect("it fits");
            let funding = ratio(sign * (size as i128), INDEX_SCALE) * ratio(step, 1);
            let charged = BigInt::from(position.cost - cost);
            assert_eq!(charged, funding.ceil().to_integer());
            position.reserve = any(&mut dice, 100);
            position.margin = any(&mut dice, 100);
            let later = any(&mut dice, 50);
            let value = ratio(sign * (size as i128), PRICE_SCALE) * ratio(later as i128, 1);
            let gain = value.floor().to_integer() - BigInt::from(position.cost);
            let gain = gain.min(BigInt::from(position.reserve));
            assert_eq!(position.gain(long, later).map(BigInt::from), Some(gain.clone()));
            let equity = gain + BigInt::from(position.margin);
            assert_eq!(position.equity(long, later).map(BigInt::from), Some(equity));
        }
    }

    #[test]
    fn what_is_split_off_and_what_stays_are_the_whole() {
        let mut dice = Dice::new(4);
        for _ in 0..20_000 {
            let whole = Position {
                size: any(&mut dice, 90) + 2,
                cost: any(&mut dice, 100) as i128 - any(&mut dice, 100) as i128,
                margin: any(&mut dice, 100),
                reserve: any(&mut dice, 100),
                index: 5,
            };
            let size = 1 + any(&mut dice, 128) % (whole.size - 1);
            let mut rest = whole;
            let part = rest.split(size).expect("it is a part");
            assert_eq!(part.size + rest.size, whole.size);
            assert_eq!(part.cost + rest.cost, whole.cost);
            assert_eq!(part.margin + rest.margin, whole.margin);
            assert_eq!(part.reserve + rest.reserve, whole.reserve);
            let share = ratio(size as i128, whole.size);
            let cost = ratio(whole.cost, 1) * &share;
            assert_eq!(BigInt::from(part.cost), cost.ceil().to_integer());
            let margin = ratio(whole.margin as i128, 1) * &share;
            assert_eq!(BigInt::from(part.margin), margin.floor().to_integer());
            let mut all = whole;
            assert_eq!(all.split(whole.size), Some(whole));
            assert_eq!(all, Position { index: 5, ..Position::default() });
            assert_eq!(rest.split(whole.size), None);
        }
    }
}
