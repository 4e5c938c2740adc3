//! The constant-product formula in exact integers, products in 256 bits.
//!
//! Nothing is divided: that a quotient is `q` is said as `q·d ≤ n < (q+1)·d`. So this shares no
//! arithmetic with the contract whose results it checks.
//!
//! Amounts and reserves are below 2¹¹² and fees below 10,000, so that single factors fit 128 bits.

/// Basis points in one.
const ONE_BP: u128 = 10_000;

/// An exchange of one token for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Whether token 0 goes in.
    pub zero_for_one: bool,
    /// The reserve of the token that goes in, before.
    pub reserve_in: u128,
    /// The reserve of the token that comes out, before.
    pub reserve_out: u128,
    /// What goes in.
    pub amount_in: u128,
    /// What comes out.
    pub amount_out: u128,
}

impl Trade {
    /// Whether `out = ⌊in·g·r_out / (r_in·10000 + in·g)⌋` with `g = 10000 - fee`.
    pub fn is_formula_out(&self, fee_bp: u32) -> bool {
        let after_fee = self.amount_in * kept(fee_bp);
        let divisor = self.reserve_in * ONE_BP + after_fee;
        is_quotient(self.amount_out, product(after_fee, self.reserve_out), divisor)
    }

    /// Whether `in = ⌊r_in·out·10000 / ((r_out - out)·g)⌋ + 1`.
    pub fn is_formula_in(&self, fee_bp: u32) -> bool {
        let left = self.reserve_out.checked_sub(self.amount_out).filter(|left| *left > 0);
        let quotient = self.amount_in.checked_sub(1);
        left.zip(quotient).is_some_and(|(left, quotient)| {
            let dividend = product(self.reserve_in * ONE_BP, self.amount_out);
            is_quotient(quotient, dividend, left * kept(fee_bp))
        })
    }
}

/// Whether the product of the reserves, after the fee on what went in, is not below that before.
pub fn product_holds(
    before: [u128; 2],
    amounts_in: [u128; 2],
    after: [u128; 2],
    fee_bp: u32,
) -> bool {
    let adjusted = |token: usize| {
        let fee = amounts_in[token] * u128::from(fee_bp);
        (after[token] * ONE_BP).checked_sub(fee)
    };
    adjusted(0).zip(adjusted(1)).is_some_and(|(first, second)| {
        product(first, second) >= product(before[0] * ONE_BP, before[1] * ONE_BP)
    })
}

fn kept(fee_bp: u32) -> u128 {
    ONE_BP.saturating_sub(fee_bp.into())
}

fn is_quotient(quotient: u128, dividend: Wide, divisor: u128) -> bool {
    product(quotient, divisor) <= dividend && dividend < product(quotient + 1, divisor)
}

/// A 256-bit number; the derived order is that of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wide {
    high: u128,
    low: u128,
}

fn product(a: u128, b: u128) -> Wide {
    const HALF: u128 = (1 << 64) - 1;
    let (a1, a0, b1, b0) = (a >> 64, a & HALF, b >> 64, b & HALF);
    let low = a0 * b0;
    // Each of the three is below 2^64 squared minus what the next line adds, so none overflows.
    let middle = a1 * b0 + (low >> 64);
    let middle_too = a0 * b1 + (middle & HALF);
    let high = a1 * b1 + (middle >> 64) + (middle_too >> 64);
    Wide { high, low: (middle_too << 64) | (low & HALF) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_have_256_bits() {
        let wide = |high, low| Wide { high, low };
        assert_eq!(product(3, 5), wide(0, 15));
        assert_eq!(product(u128::MAX, u128::MAX), wide(u128::MAX - 1, 1));
        assert_eq!(product(1 << 100, 1 << 100), wide(1 << 72, 0));
        assert_eq!(product(u128::MAX, 2), wide(1, u128::MAX - 1));
    }

    fn check(amount_in: u128, amount_out: u128, fee_bp: u32, expected: (bool, bool)) {
        let trade = Trade {
            zero_for_one: true,
            reserve_in: 1_000_000,
            reserve_out: 2_000_000,
            amount_in,
            amount_out,
        };
        let found = (trade.is_formula_out(fee_bp), trade.is_formula_in(fee_bp));
        assert_eq!(found, expected, "{amount_in} for {amount_out}");
    }

    #[test]
    fn formulas_hold_to_the_unit() {
        check(1_000, 1_992, 30, (true, true));
        // A token in buys almost two out: 1,000 is the least that buys 1,991 too.
        check(1_000, 1_991, 30, (false, true));
        check(1_000, 1_989, 30, (false, false));
        check(1_000, 1_993, 30, (false, false));
        check(999, 1_990, 30, (true, true));
        check(1_000, 1_998, 0, (true, true));
        check(1, 2_000_000, 30, (false, false));
        check(0, 1, 30, (false, false));
    }

    #[test]
    fn product_is_checked_after_the_fee() {
        let before = [1_000_000, 2_000_000];
        let holds = |out: u128| product_holds(before, [1_000, 0], [1_001_000, 2_000_000 - out], 30);
        assert!(holds(1_992));
        assert!(!holds(1_993));
        assert!(product_holds(before, [1_000, 0], [1_001_000, 2_000_000 - 1_998], 0));
        // A fee above what is left fails instead of wrapping.
        assert!(!product_holds(before, [1_000_000, 0], [1, 2_000_000], 9_999));
    }
}
