//! What a pool gives for what comes in: the same few lines in every guest that is written in Rust.
//!
//! In 128 bits with checks, and not in 256 as Tollway's own contract: the cheapest arithmetic that
//! is still right for every input, as it fails where a product does not fit.
#![no_std]
#![forbid(unsafe_code)]

/// Fees are in thousandths.
const SCALE: u128 = 1_000;

/// What `amount_in` brings in a pool that holds `x` of its token and `y` of the other. `None` if it
/// is less than `min_out`, nothing, all that the pool has, or if the product of the reserves would
/// fall.
#[inline]
pub fn amount_out(x: u128, y: u128, amount_in: u128, min_out: u128, fee: u128) -> Option<u128> {
    let after_fee = amount_in.checked_mul(SCALE.checked_sub(fee)?)?;
    let scaled = x.checked_mul(SCALE)?;
    let out = after_fee.checked_mul(y)?.checked_div(scaled.checked_add(after_fee)?)?;
    if out < min_out || out == 0 || out >= y {
        return None;
    }
    let grown = x.checked_add(amount_in)?.checked_mul(SCALE)?.checked_sub(amount_in * fee)?;
    let product = grown.checked_mul((y - out).checked_mul(SCALE)?)?;
    let before = scaled.checked_mul(y.checked_mul(SCALE)?)?;
    (product >= before).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_swap_of_the_workload() {
        let (x, y, dx) = (6_443_781_561_267, 30_455_259_006_313, 5_643_674_577);
        assert_eq!(amount_out(x, y, dx, 26_437_636_533, 3), Some(26_570_488_977));
        assert_eq!(amount_out(x, y, dx, 26_570_488_978, 3), None);
    }

    #[test]
    fn bad_input_gives_nothing() {
        assert_eq!(amount_out(0, 0, 0, 0, 3), None);
        assert_eq!(amount_out(10, 10, 0, 0, 3), None);
        assert_eq!(amount_out(u128::MAX, 10, 1, 0, 3), None);
        assert_eq!(amount_out(10, 10, u128::MAX, 0, 1_000), None);
        assert_eq!(amount_out(10, 10, 5, 0, 1_001), None);
    }
}
