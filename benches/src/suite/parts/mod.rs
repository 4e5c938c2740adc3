//! What is called how often, a module for each family.

mod assets;
mod derivatives;
mod exchange;
mod governance;
mod payments;

use super::world::{At, Part, World};
use crate::swaps::random::Random;

/// One kind of work.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The contract that is called.
    pub name: &'static str,
    /// Its share of the mixed block, in calls; only the ratios count.
    pub weight: u32,
    /// What its calls do.
    pub about: &'static str,
    /// Sets it up.
    pub(super) make: fn(&mut World<'_>) -> anyhow::Result<Box<dyn Part>>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Everything, in the order of set-up.
pub const KINDS: &[Kind] = &[
    assets::TOKEN_KIND,
    exchange::PAIR_KIND,
    derivatives::ORACLE_KIND,
    governance::VOTE_KIND,
    payments::INVOICE_KIND,
];

/// Draws by Zipf's law: the k-th of `count` is k times rarer than the first.
pub(super) struct Zipf {
    /// Sums of weights.
    sums: Vec<f64>,
}

impl Zipf {
    pub(super) fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self { sums: sums.collect() }
    }

    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let point = random.unit() * all;
        self.sums.partition_point(|sum| *sum <= point).min(self.sums.len() - 1)
    }
}

/// One of the users.
pub(super) fn any_user(random: &mut Random, at: At) -> usize {
    random.below(at.users as u64) as usize
}
