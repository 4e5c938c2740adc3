//! 256-bit arithmetic against a library of big numbers.

use num_bigint::BigUint;
use proptest::prelude::*;
use tollway_sdk::math::{U256, div_rem, mul_div, mul_div_up, mul_wide, sqrt};

fn big(number: U256) -> BigUint {
    (BigUint::from(number.high) << 128u32) + number.low
}

/// Numbers of every length, with long runs of ones and zeros, where carries and corrections are.
fn number() -> impl Strategy<Value = u128> {
    let edges = prop_oneof![
        Just(0u128),
        Just(1),
        Just(u64::MAX as u128),
        Just(1 << 64),
        Just(u128::MAX),
        Just(u128::MAX << 64),
        Just(1 << 127),
        Just(u32::MAX as u128),
    ];
    let plain = (any::<u128>(), 0u32..128).prop_map(|(value, shift)| value >> shift);
    let runs = (0u32..128, 0u32..128, -2i64..=2).prop_map(|(a, b, near)| {
        let run = (1u128 << a.max(b)).wrapping_sub(1 << a.min(b));
        run.wrapping_add(near as u128)
    });
    prop_oneof![edges, plain, runs]
}

fn fits(value: &BigUint) -> Option<u128> {
    value.try_into().ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn products_are_exact(a in number(), b in number()) {
        prop_assert_eq!(big(mul_wide(a, b)), BigUint::from(a) * b);
    }

    #[test]
    fn order_is_that_of_numbers(a in number(), b in number(), c in number(), d in number()) {
        let (left, right) = (mul_wide(a, b), mul_wide(c, d));
        prop_assert_eq!(left.cmp(&right), big(left).cmp(&big(right)));
    }

    #[test]
    fn divisions_are_exact(high in number(), low in number(), divisor in number()) {
        let number = U256 { high, low };
        let expected = if divisor == 0 {
            None
        } else {
            let quotient = fits(&(big(number) / divisor));
            quotient.map(|quotient| (quotient, fits(&(big(number) % divisor)).unwrap()))
        };
        prop_assert_eq!(div_rem(number, divisor), expected);
    }

    #[test]
    fn mul_div_rounds_as_told(a in number(), b in number(), divisor in 1u128..) {
        let product = BigUint::from(a) * b;
        prop_assert_eq!(mul_div(a, b, divisor), fits(&(&product / divisor)));
        let up = (&product + divisor - 1u32) / divisor;
        prop_assert_eq!(mul_div_up(a, b, divisor), fits(&up));
    }

    #[test]
    fn roots_are_exact(high in number(), low in number()) {
        let number = U256 { high, low };
        prop_assert_eq!(BigUint::from(sqrt(number)), big(number).sqrt());
    }

    #[test]
    fn roots_of_squares_are_exact(root in number(), near in 0u128..3) {
        let mut number = mul_wide(root, root);
        number.low = number.low.wrapping_sub(near);
        prop_assert_eq!(BigUint::from(sqrt(number)), big(number).sqrt());
    }
}
