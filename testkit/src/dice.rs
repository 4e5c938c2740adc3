//! Numbers that look random and are the same for the same seed.

/// Makes numbers from a seed.
///
/// # Examples
/// ```
/// use tollway_testkit::Dice;
/// let (mut one, mut other) = (Dice::new(7), Dice::new(7));
/// assert_eq!(one.below(1_000), other.below(1_000));
/// assert!(one.between(5, 6) >= 5);
/// assert!(["a", "b"].contains(one.pick(&["a", "b"])));
/// ```
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// A number from `least` to `most`.
    ///
    /// # Panics
    /// If there is none.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        assert!(least <= most, "there is nothing from {least} to {most}");
        match (most - least).checked_add(1) {
            Some(count) => least + self.below(count),
            None => self.roll(),
        }
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// Yes, so many times in a hundred.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}
