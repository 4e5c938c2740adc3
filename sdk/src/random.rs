//! Numbers that nobody chose, as far as the host chain's seed goes.

use crate::{crypto, env};

/// What the seed of [`Random::new`] is for, so that nothing else comes to the same hash.
const DOMAIN: &[u8] = b"tollway random 1";

/// A generator of numbers that look random and are the same on every node.
///
/// [`Random::new`] starts from the block's seed ([`env::seed`]), mixed with height, call index,
/// contract and a sequence number: each generator of each call of each contract gives other
/// numbers.
///
/// # What it is good for
/// - If the host chain has **no seed**, it is all zeros, and everyone can foretell every number.
/// - Whoever can **choose the seed** chooses the numbers. It has to come from a beacon or a
///   verifiable function that is known only after the block's calls were fixed. Whoever builds the
///   block and knows the seed can put calls in another order, leave some out or add his own, until
///   he likes the draw.
/// - Whoever **calls** can refuse the draw: a contract that calls yours fails if it does not like
///   the outcome, and then nothing has happened. Gas limits can do the same.
///
/// So let a call commit to taking part, and pay, in one block, and draw in a later one, by a call
/// that anyone may make and that nobody gains from failing. Where much is at stake, mix in secrets
/// that the players committed to by their hash, with [`Random::from_seed`]; who does not reveal his
/// loses his stake.
///
/// Not for secrets: everybody can compute what was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// A generator of its own for this use. In queries and `init` there is no block: its seed is
    /// zeros there.
    pub fn new() -> Self {
        const SEED_AT: usize = DOMAIN.len();
        const THIS_AT: usize = SEED_AT + 32;
        const HEIGHT_AT: usize = THIS_AT + 32;
        const INDEX_AT: usize = HEIGHT_AT + 8;
        const SEQUENCE_AT: usize = INDEX_AT + 4;
        const END: usize = SEQUENCE_AT + 4;
        let mut bytes = [0; END];
        bytes[..SEED_AT].copy_from_slice(DOMAIN);
        bytes[SEED_AT..THIS_AT].copy_from_slice(&env::seed());
        bytes[THIS_AT..HEIGHT_AT].copy_from_slice(env::this().as_bytes());
        // No two calls, and no two uses in one call, have all three of them.
        bytes[HEIGHT_AT..INDEX_AT].copy_from_slice(&env::height().to_le_bytes());
        bytes[INDEX_AT..SEQUENCE_AT].copy_from_slice(&env::call_index().to_le_bytes());
        bytes[SEQUENCE_AT..].copy_from_slice(&env::sequence().to_le_bytes());
        Self::from_seed(crypto::blake3(&bytes))
    }

    /// The generator that starts from these bytes, which should be a hash.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(seed.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        // All zeros would stay zeros.
        if state == [0; 4] {
            state[0] = 1;
        }
        Self { state }
    }

    /// The next number, each as likely as any other.
    pub fn next_u64(&mut self) -> u64 {
        // xoshiro256++ 1.0, by Blackman and Vigna.
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number below `bound`, each as likely as any other; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's way: the upper half of a product, without those lower halves that some numbers
        // have once more than others.
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            // 2^64 mod bound.
            let unfair = bound.wrapping_neg() % bound;
            while (product as u64) < unfair {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// Puts the items in an order of which each is as likely as any other.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    fn random(seed: u8) -> Random {
        Random::from_seed([seed; 32])
    }

    fn seed(words: [u64; 4]) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        bytes
    }

    #[test]
    fn numbers_are_those_of_the_reference() {
        let mut random = Random::from_seed(seed([1, 2, 3, 4]));
        let expected = [
            41943041,
            58720359,
            3588806011781223,
            3591011842654386,
            9228616714210784205,
            9973669472204895162,
            14011001112246962877,
            12406186145184390807,
            15849039046786891736,
            10450023813501588000,
        ];
        assert_eq!(expected.map(|_| random.next_u64()), expected);
    }

    #[test]
    fn zeros_are_a_seed_too() {
        let mut random = Random::from_seed([0; 32]);
        assert_ne!([random.next_u64(), random.next_u64()], [random.next_u64(), random.next_u64()]);
    }

    #[test]
    fn below_is_below_and_fair() {
        let mut random = random(7);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[random.below(6) as usize] += 1;
        }
        // Five standard deviations are 456.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 456), "{counts:?}");
        // With plain remainders the lower half would come twice as often here.
        let bound = 3 << 62;
        let numbers: Vec<u64> = (0..10_000).map(|_| random.below(bound)).collect();
        assert!(numbers.iter().all(|number| *number < bound));
        let low = numbers.iter().filter(|number| **number < 1 << 62).count();
        assert!(low.abs_diff(3_333) < 236, "{low}");
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut random = random(3);
        let mut counts = BTreeMap::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            random.shuffle(&mut items);
            *counts.entry(items).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|count| count.abs_diff(1_000) < 155), "{counts:?}");
        random.shuffle::<u8>(&mut []);
    }
}
