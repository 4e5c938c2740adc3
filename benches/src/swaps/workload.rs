//! Draws the swaps of the workload: which pool, which trader, how much.
//!
//! # Invariants
//! 1. The draws depend on the distribution and the block size alone
//!    (`tests::first_draws_are_the_published_ones`).
//! 2. After the standard runs the state has the published checksums
//!    (`tests::standard_runs_end_in_the_published_state`).

use super::model::{self, Checksums, FEE_BP, Model, TRADERS};
use super::random::Random;
use serde::Serialize;
use std::{fmt, str::FromStr};

const SEED: u64 = 0x7011_3A9E_2026_0001;

/// Swaps of a block in the standard run.
pub const BLOCK_SWAPS: usize = 10_000;

/// Blocks of the standard run: one for warm-up, the rest measured.
pub const BLOCKS: usize = 8;

/// Which pools the swaps of a block go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    /// 10,000 pools; no two swaps of a block share a pool or a trader.
    Disjoint,
    /// 1,024 pools, the k-th most popular one k times rarer than the first.
    Zipf1024,
    /// The same with 64 pools.
    Zipf64,
    /// One pool.
    Hot,
}

impl Distribution {
    /// All of them, least contended first.
    pub const ALL: [Self; 4] = [Self::Disjoint, Self::Zipf1024, Self::Zipf64, Self::Hot];

    /// How many pools there are.
    pub const fn pools(self) -> u32 {
        match self {
            Self::Disjoint => 10_000,
            Self::Zipf1024 => 1_024,
            Self::Zipf64 => 64,
            Self::Hot => 1,
        }
    }

    /// Its word on the command line and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disjoint => "disjoint",
            Self::Zipf1024 => "zipf1024",
            Self::Zipf64 => "zipf64",
            Self::Hot => "hot",
        }
    }

    /// The published checksums after `blocks` blocks of `block_swaps` swaps, if that run is one of
    /// the published ones.
    pub fn checksums(self, blocks: usize, block_swaps: usize) -> Option<Checksums> {
        let (reserves, balances) = match (blocks, block_swaps, self) {
            (8, 10_000, Self::Disjoint) => (0xdb7a_919b_e387_b53e, 0x9a85_2f14_4527_0060),
            (8, 10_000, Self::Zipf1024) => (0x289a_b5d0_daaf_3081, 0xc8cc_664c_f816_bb1c),
            (8, 10_000, Self::Zipf64) => (0xb062_1167_74d7_821a, 0x63d8_c2c2_768d_624a),
            (8, 10_000, Self::Hot) => (0x5fba_64cb_6f1c_bf57, 0x78d8_8f6f_f6cc_0b70),
            (2, 1_000, Self::Disjoint) => (0xb6d2_779e_ae17_87ca, 0x8e3b_3803_af18_2137),
            (2, 1_000, Self::Zipf1024) => (0xdd36_fc92_10c6_cd84, 0x2e05_b7f8_a61c_542d),
            (2, 1_000, Self::Zipf64) => (0x810f_c125_26c9_e9f6, 0x50df_7cd5_2403_86ab),
            (2, 1_000, Self::Hot) => (0x5780_77df_af70_1c76, 0x4128_5e43_9cf9_1695),
            _ => return None,
        };
        Some(Checksums { reserves, balances })
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no distribution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown distribution {name:?}: expected disjoint, zipf1024, zipf64 or hot")]
pub struct UnknownDistribution {
    name: String,
}

impl FromStr for Distribution {
    type Err = UnknownDistribution;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|distribution| distribution.name() == name);
        found.ok_or_else(|| UnknownDistribution { name: name.into() })
    }
}

/// One swap: a trader gives exactly `amount_in` of one token of a pool for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swap {
    /// The pool.
    pub pool: u32,
    /// The trader.
    pub trader: u32,
    /// Whether token B goes in and A comes out.
    pub reversed: bool,
    /// How much goes in.
    pub amount_in: u128,
    /// The least that must come out.
    pub min_out: u128,
    /// What the model gave: known to the generator, not part of the call.
    pub out: u128,
}

impl Swap {
    /// The token that goes in: 0 is A, 1 is B.
    pub const fn token_in(&self) -> u32 {
        self.reversed as u32
    }

    /// The token that comes out.
    pub const fn token_out(&self) -> u32 {
        !self.reversed as u32
    }
}

/// The generator: its random numbers, and the model that later draws see.
#[derive(Clone)]
pub struct Workload {
    distribution: Distribution,
    random: Random,
    initial_reserves: Vec<[u128; 2]>,
    /// `rank[k]` is the pool that is the k-th most popular.
    rank: Vec<u32>,
    /// `1/1 + 1/2 + … + 1/(k+1)`, in this order of additions.
    harmonic: Vec<f64>,
    model: Model,
}

impl Workload {
    /// The workload before its first block.
    pub fn new(distribution: Distribution) -> Self {
        let pools = distribution.pools();
        let mut random = Random::new(SEED ^ (u64::from(pools) << 32));
        let initial_reserves: Vec<[u128; 2]> = (0..pools)
            .map(|_| {
                [(); 2].map(|()| 1_000_000_000_000 + u128::from(random.below(99_000_000_000_000)))
            })
            .collect();
        let mut rank: Vec<u32> = (0..pools).collect();
        random.shuffle(&mut rank);
        let harmonic = (1..=pools)
            .scan(0.0, |sum, k| {
                *sum += 1.0 / f64::from(k);
                Some(*sum)
            })
            .collect();
        let model = Model::new(&initial_reserves);
        Self { distribution, random, initial_reserves, rank, harmonic, model }
    }

    /// Its distribution.
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// The reserves of each pool before the first block.
    pub fn initial_reserves(&self) -> &[[u128; 2]] {
        &self.initial_reserves
    }

    /// The model, after all blocks drawn so far.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Draws the next block of `swaps` swaps and applies it to the model.
    ///
    /// # Panics
    /// With [`Distribution::Disjoint`], if `swaps` is above 10,000: there are no more pools.
    pub fn next_block(&mut self, swaps: usize) -> Vec<Swap> {
        let (pools, traders) = self.draw_lists();
        (0..swaps)
            .map(|index| {
                let (pool, trader) = match self.distribution {
                    Distribution::Disjoint => (pools[index], traders[index]),
                    Distribution::Hot => (0, self.random.below(TRADERS.into()) as u32),
                    Distribution::Zipf1024 | Distribution::Zipf64 => {
                        (self.draw_popular(), self.random.below(TRADERS.into()) as u32)
                    }
                };
                self.draw_swap(pool, trader)
            })
            .collect()
    }

    /// Pools and traders of a block in which none occurs twice; nothing for other distributions.
    fn draw_lists(&mut self) -> (Vec<u32>, Vec<u32>) {
        if self.distribution != Distribution::Disjoint {
            return (Vec::new(), Vec::new());
        }
        let mut pools: Vec<u32> = (0..self.distribution.pools()).collect();
        self.random.shuffle(&mut pools);
        let mut traders: Vec<u32> = (0..TRADERS).collect();
        self.random.shuffle(&mut traders);
        (pools, traders)
    }

    fn draw_popular(&mut self) -> u32 {
        let total = self.harmonic.last().copied().unwrap_or_default();
        let drawn = self.random.unit() * total;
        self.rank[self.harmonic.partition_point(|&sum| sum < drawn)]
    }

    fn draw_swap(&mut self, pool: u32, trader: u32) -> Swap {
        let reversed = self.random.next_word() >> 63 == 1;
        let [a, b] = self.model.reserves(pool);
        let (x, y) = if reversed { (b, a) } else { (a, b) };
        // Reserves stay below 2^64 in every run that ends before the traders are broke.
        let amount_in = x / 100_000 + u128::from(self.random.below((x / 1_000) as u64));
        let quoted = model::amount_out(x, y, amount_in, u128::from(FEE_BP / 10));
        let min_out = quoted - quoted / 200;
        let mut swap = Swap { pool, trader, reversed, amount_in, min_out, out: quoted };
        swap.out = self.model.apply(&swap).expect("generated swaps keep the rules of the pool");
        swap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_first(
        distribution: Distribution,
        reserves: [u128; 2],
        (pool, trader, dir, amount_in, min_out, out): (u32, u32, u8, u128, u128, u128),
    ) {
        let mut workload = Workload::new(distribution);
        assert_eq!(workload.initial_reserves()[0], reserves);
        let swap = Swap { pool, trader, reversed: dir == 1, amount_in, min_out, out };
        assert_eq!(workload.next_block(1_000)[0], swap);
    }

    #[test]
    fn first_draws_are_the_published_ones() {
        check_first(
            Distribution::Disjoint,
            [59_572_446_593_270, 1_788_771_250_010],
            (2_569, 4_575, 1, 23_903_787_633, 43_975_752_461, 44_196_736_141),
        );
        check_first(
            Distribution::Zipf1024,
            [84_053_425_487_432, 67_975_957_583_399],
            (94, 2, 1, 4_254_656_002, 22_594_036_612, 22_707_574_484),
        );
        check_first(
            Distribution::Zipf64,
            [39_665_467_400_004, 6_640_386_949_722],
            (53, 9_838, 0, 17_304_503_869, 42_792_101_652, 43_007_137_338),
        );
        check_first(
            Distribution::Hot,
            [6_443_781_561_267, 30_455_259_006_313],
            (0, 5_709, 0, 5_643_674_577, 26_437_636_533, 26_570_488_977),
        );
    }

    fn check_run(blocks: usize, block_swaps: usize) {
        for distribution in Distribution::ALL {
            let mut workload = Workload::new(distribution);
            (0..blocks)
                .for_each(|_| assert_eq!(workload.next_block(block_swaps).len(), block_swaps));
            let published = distribution.checksums(blocks, block_swaps);
            assert_eq!(Some(workload.model().checksums()), published, "{distribution}");
        }
    }

    #[test]
    fn standard_runs_end_in_the_published_state() {
        check_run(2, 1_000);
        check_run(BLOCKS, BLOCK_SWAPS);
    }

    #[test]
    fn distributions_parse_by_name() {
        for distribution in Distribution::ALL {
            assert_eq!(distribution.name().parse(), Ok(distribution));
        }
        assert!("zipf".parse::<Distribution>().is_err());
    }
}
