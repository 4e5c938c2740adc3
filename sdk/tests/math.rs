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

mod fixed_point {
    use super::{fits, number};
    use num_bigint::BigUint;
    use proptest::prelude::*;
    use tollway_sdk::math::{Fixed, Ray, Rounding, Wad};

    const WAD: u128 = Wad::ONE.raw();

    /// `a / b` rounded the way it is asked for, if it fits.
    fn divided(a: BigUint, b: &BigUint, rounding: Rounding) -> Option<u128> {
        if *b == BigUint::ZERO {
            return None;
        }
        let up = rounding == Rounding::Up && &a % b != BigUint::ZERO;
        fits(&(a / b + u8::from(up)))
    }

    fn rounding() -> impl Strategy<Value = Rounding> {
        prop_oneof![Just(Rounding::Down), Just(Rounding::Up)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn shares_and_ratios_are_those_of_big_numbers(
            a in number(),
            b in number(),
            rounding in rounding(),
        ) {
            let (big_a, big_b, one) = (BigUint::from(a), BigUint::from(b), BigUint::from(WAD));
            let fixed = Wad::from_raw(a);
            let product = divided(&big_a * &big_b, &one, rounding);
            prop_assert_eq!(fixed.of(b, rounding), product);
            prop_assert_eq!(fixed.checked_mul(Fixed::from_raw(b), rounding).map(Wad::raw), product);
            prop_assert_eq!(fixed.per(b, rounding), divided(&big_b * &one, &big_a, rounding));
            let ratio = divided(&big_a * &one, &big_b, rounding);
            prop_assert_eq!(Wad::ratio(a, b, rounding).map(Wad::raw), ratio);
            prop_assert_eq!(fixed.checked_div(Fixed::from_raw(b), rounding).map(Wad::raw), ratio);
        }

        /// Rates near 1, as interest has them: both sides hold the exact power between them, and
        /// stay as close as 126 roundings allow.
        #[test]
        fn powers_lie_on_the_side_they_are_rounded_to(
            above in 0u128..10_000_000_000_000_000_000_000,
            exponent in 0u64..100_000,
        ) {
            let base = Ray::from_raw(Ray::ONE.raw() + above);
            let one = BigUint::from(Ray::ONE.raw());
            // With 128 more digits than it shows, and each product rounded down.
            let digits = BigUint::from(1u8) << 256u32;
            let mut exact = digits.clone() * &one;
            let mut square = BigUint::from(base.raw()) * &digits;
            let mut left = exponent;
            while left > 0 {
                if left & 1 == 1 {
                    exact = exact * &square / &one / &digits;
                }
                square = &square * &square / &one / &digits;
                left >>= 1;
            }
            let exact = exact / digits;
            let low = base.pow(exponent, Rounding::Down).unwrap();
            let high = base.pow(exponent, Rounding::Up).unwrap();
            prop_assert!(BigUint::from(low.raw()) <= exact);
            prop_assert!(BigUint::from(high.raw()) >= exact);
            let apart = high.raw() - low.raw();
            // Each of some 34 products adds a step, and squares double what is there.
            prop_assert!(apart <= 40 + exponent as u128 * 4 * (low.raw() / one_ray() + 1));
        }
    }

    fn one_ray() -> u128 {
        Ray::ONE.raw()
    }

    #[test]
    fn powers_that_are_too_large_are_none() {
        let two = Ray::from_raw(2 * one_ray());
        assert_eq!(two.pow(38, Rounding::Down).map(Ray::raw), Some((1 << 38) * one_ray()));
        assert_eq!(two.pow(39, Rounding::Down), None);
        assert_eq!(Ray::ZERO.pow(0, Rounding::Down), Some(Ray::ONE));
        assert_eq!(Ray::ZERO.pow(u64::MAX, Rounding::Up), Some(Ray::ZERO));
        assert_eq!(Ray::ONE.pow(u64::MAX, Rounding::Up), Some(Ray::ONE));
    }
}

mod signs {
    use super::number;
    use num_bigint::BigInt;
    use proptest::prelude::*;
    use tollway_sdk::math::{U256, mul_div_ceil, mul_div_floor, mul_wide};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn signed_quotients_lie_on_their_side(a in any::<i128>(), b in number(), c in number()) {
            let product = BigInt::from(a) * b;
            let (floor, ceil) = (mul_div_floor(a, b, c), mul_div_ceil(a, b, c));
            if c == 0 {
                prop_assert_eq!((floor, ceil), (None, None));
                return Ok(());
            }
            let divisor = BigInt::from(c);
            let mut down = &product / &divisor;
            let rest = &product % &divisor;
            if rest < BigInt::ZERO {
                down -= 1;
            }
            let up = if rest == BigInt::ZERO { down.clone() } else { &down + 1 };
            prop_assert_eq!(floor, i128::try_from(down).ok());
            prop_assert_eq!(ceil, i128::try_from(up).ok());
        }

        #[test]
        fn wide_sums_carry(a in number(), b in number(), c in number(), d in number()) {
            let (x, y) = (mul_wide(a, b), mul_wide(c, d));
            let sum = super::big(x) + super::big(y);
            prop_assert_eq!(x.checked_add(y).map(super::big), (sum.bits() <= 256).then_some(sum));
            let difference = (x >= y).then(|| super::big(x) - super::big(y));
            prop_assert_eq!(x.checked_sub(y).map(super::big), difference);
        }
    }

    #[test]
    fn wide_sums_end_at_the_edge() {
        let most = U256 { high: u128::MAX, low: u128::MAX };
        let one = U256 { high: 0, low: 1 };
        assert_eq!(most.checked_add(one), None);
        assert_eq!(U256::default().checked_sub(one), None);
        assert_eq!(most.checked_sub(most), Some(U256::default()));
    }
}
