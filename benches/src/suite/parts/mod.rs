//! What is called how often, a module for each family.

mod account;
mod assets;
mod clob;
mod commerce;
mod credit;
mod derivatives;
mod exchange;
mod governance;
mod payments;

use super::world::{At, Part, World, user};
use crate::contracts::SET_UP_CALLS_MAX;
use crate::swaps::random::Random;
use tollway::Address;

/// One kind of work.
#[derive(Clone, Copy)]
pub struct Kind {
    /// The contract that is called.
    pub name: &'static str,
    /// Its share of the mixed block in calls, in thousandths; only the ratios count.
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
    exchange::ROUTER_KIND,
    exchange::SHARDED_POOL_KIND,
    clob::CLOB_KIND,
    credit::LEND_KIND,
    credit::FARM_KIND,
    credit::STAKE_KIND,
    derivatives::ORACLE_KIND,
    derivatives::OPTIONS_KIND,
    derivatives::PERP_KIND,
    governance::VOTE_KIND,
    governance::DAO_KIND,
    assets::RWA_KIND,
    account::ACCOUNT_KIND,
    payments::INVOICE_KIND,
    payments::PAY_KIND,
    payments::SUBSCRIPTION_KIND,
    commerce::RECEIVABLE_KIND,
    commerce::STOCK_KIND,
    commerce::PURCHASE_ORDER_KIND,
    payments::CHANNEL_KIND,
];

/// A kind of work that is not in the mixed block: what another one would be without something.
#[derive(Clone, Copy, Debug)]
pub struct Ablation {
    /// The work.
    pub kind: Kind,
    /// The name of the kind that it is to be compared with.
    pub of: &'static str,
    /// What it does without.
    pub without: &'static str,
}

/// All of those. What adds bring is no kind of its own: see [`Declared`](super::Declared).
pub const ABLATIONS: &[Ablation] =
    &[Ablation { kind: exchange::UNSHARDED_POOL_KIND, of: "sharded_pool", without: "shards" }];

/// An epoch of everything that has some, and how long prices, rates and votes are good for: no run is
/// as long, so that none needs an upkeep that others would wait for.
const LONG_MS: u64 = 1 << 41;

/// Runs so many calls of a part as a part of the set-up, so that blocks find it amid its work.
fn warm_up(world: &mut World<'_>, part: &mut dyn Part, calls: usize) -> anyhow::Result<()> {
    let mut random = Random::new(WARM_UP_SEED);
    let mut left = calls;
    while left > 0 {
        let count = left.min(SET_UP_CALLS_MAX);
        let at = world.at(0);
        let call = |index| part.call(&mut random, At { index, ..at });
        world.set_up((0..count).map(call).collect())?;
        left -= count;
    }
    Ok(())
}

const WARM_UP_SEED: u64 = 0x7011_3A9E_2026_0007;

/// What goes on step by step, a call each: some cases at a time, and in place of one that is over,
/// another one.
struct Cases<C> {
    open: Vec<C>,
    /// So many are open at a time.
    most: usize,
}

/// The most cases that are open at a time; there are no more than users.
const CASES: usize = 4_000;

impl<C> Cases<C> {
    fn new(users: usize) -> Self {
        let most = CASES.min(users);
        Self { open: Vec::with_capacity(most), most }
    }

    /// Takes any open case; none if another one is to be opened. Whoever goes on with it calls
    /// [`Cases::keep`].
    fn take(&mut self, random: &mut Random) -> Option<C> {
        if self.open.len() < self.most {
            return None;
        }
        let picked = random.below(self.open.len() as u64) as usize;
        Some(self.open.swap_remove(picked))
    }

    fn keep(&mut self, case: C) {
        self.open.push(case);
    }
}

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

    /// Of how many.
    pub(super) fn count(&self) -> usize {
        self.sums.len()
    }

    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let point = random.unit() * all;
        self.sums.partition_point(|sum| *sum <= point).min(self.sums.len() - 1)
    }
}

/// One of the users of so many groups: those whose number leaves `group`.
fn any_of_group(random: &mut Random, at: At, group: usize, groups: usize) -> Address {
    let members = (at.users - group).div_ceil(groups);
    user(group + groups * random.below(members as u64) as usize)
}

/// One of the users.
pub(super) fn any_user(random: &mut Random, at: At) -> usize {
    random.below(at.users as u64) as usize
}
