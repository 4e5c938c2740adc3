//! Exchanges.

use super::{Kind, Zipf, any_user};
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, World, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::{PAIR, ROUTER, SHARDED_POOL};

/// Pairs that are traded.
pub(super) const PAIRS: usize = 64;

/// What each side of a pair holds at the start.
const RESERVE: u128 = 1 << 60;

/// Users who trade in pairs.
const TRADERS: usize = 1_000;

/// Fees, in ten-thousandths.
const FEE_BP: u16 = 30;

pub(super) const PAIR_KIND: Kind = Kind {
    name: "pair",
    weight: 100,
    about: "swaps in 64 pairs, the k-th one k times rarer than the first",
    make: |world| {
        let [token0, token1, ..] = world.tokens;
        let pairs = pairs(world, token0, token1, PAIRS)?;
        for pair in &pairs {
            for token in [token0, token1] {
                let approve = |number| call(user(number), token, "approve", (*pair, u128::MAX));
                world.set_up((0..TRADERS.min(world.users)).map(approve).collect())?;
            }
        }
        Ok(Box::new(Swaps { pairs, popular: Zipf::new(PAIRS) }))
    },
};

/// Pairs of two tokens, filled by the operator.
pub(super) fn pairs(
    world: &mut World<'_>,
    token0: Address,
    token1: Address,
    count: usize,
) -> anyhow::Result<Vec<Address>> {
    let mut pairs = Vec::with_capacity(count);
    let mut fill = Vec::new();
    for _ in 0..count {
        let pair = world.deploy(PAIR, (token0, token1, FEE_BP), ())?;
        for token in [token0, token1] {
            fill.push(call(OPERATOR, token, "mint", (OPERATOR, RESERVE)));
            fill.push(call(OPERATOR, token, "approve", (pair, u128::MAX)));
        }
        fill.push(call(OPERATOR, pair, "add_liquidity", (RESERVE, RESERVE, 0u128)));
        pairs.push(pair);
    }
    world.set_up(fill)?;
    Ok(pairs)
}

struct Swaps {
    pairs: Vec<Address>,
    popular: Zipf,
}

impl Part for Swaps {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let trader = user(random.below(TRADERS.min(at.users) as u64) as usize);
        let pair = self.pairs[self.popular.draw(random)];
        let method = if random.below(2) == 0 { "swap_0_for_1" } else { "swap_1_for_0" };
        let amount = u128::from(1_000 + random.below(1_000_000));
        call(trader, pair, method, (amount, 1u128, trader))
    }
}

pub(super) const ROUTER_KIND: Kind = Kind {
    name: "router",
    weight: 60,
    about: "trades of any user along two pairs, out of 64 on the way to a token and 64 from it",
    make: |world| {
        let [_, token1, token2, token3] = world.tokens;
        let first = pairs(world, token1, token2, PAIRS)?;
        let second = pairs(world, token2, token3, PAIRS)?;
        let router = world.deploy(ROUTER, (), ())?;
        world.approve(token1, router)?;
        world.approve(token3, router)?;
        let tokens = [token1, token2, token3];
        Ok(Box::new(Trades { router, tokens, first, second, popular: Zipf::new(PAIRS) }))
    },
};

struct Trades {
    router: Address,
    tokens: [Address; 3],
    /// Pairs of the first two tokens, and of the last two.
    first: Vec<Address>,
    second: Vec<Address>,
    popular: Zipf,
}

impl Part for Trades {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let trader = user(any_user(random, at));
        let (first, second) =
            (self.first[self.popular.draw(random)], self.second[self.popular.draw(random)]);
        let [a, b, c] = self.tokens;
        // Pair, token in, token out, whom it pays.
        let (hop, rest) = if random.below(2) == 0 {
            ((first, a, b, second), vec![(second, b, c, trader)])
        } else {
            ((second, c, b, first), vec![(first, b, a, trader)])
        };
        let amount = u128::from(1_000 + random.below(1_000_000));
        let args = ((hop, rest), amount, 1u128, trader, u64::MAX);
        call(trader, self.router, "swap_exact_in", args)
    }
}

/// Shards of the one market that has some.
const SHARDS: u32 = 16;

pub(super) const SHARDED_POOL_KIND: Kind = Kind {
    name: "sharded_pool",
    weight: 50,
    about: "swaps of any user in one market of 16 shards",
    make: |world| sharded(world, SHARDS),
};

pub(super) const UNSHARDED_POOL_KIND: Kind = Kind {
    name: "unsharded_pool",
    about: "the same swaps in a market of one shard",
    make: |world| sharded(world, 1),
    ..SHARDED_POOL_KIND
};

fn sharded(world: &mut World<'_>, shards: u32) -> anyhow::Result<Box<dyn Part>> {
    let [token0, token1, ..] = world.tokens;
    // Fee, shards, band.
    let pool = world.deploy(SHARDED_POOL, (token0, token1, FEE_BP, shards, 500u16), ())?;
    let mut fill = Vec::new();
    for token in [token0, token1] {
        fill.push(call(OPERATOR, token, "mint", (OPERATOR, RESERVE)));
        fill.push(call(OPERATOR, token, "approve", (pool, u128::MAX)));
    }
    let all: Vec<u32> = (0..shards).collect();
    fill.push(call(OPERATOR, pool, "add_liquidity", (RESERVE, RESERVE, 0u128, all)));
    world.set_up(fill)?;
    world.approve(token0, pool)?;
    world.approve(token1, pool)?;
    Ok(Box::new(ShardedSwaps { pool, tokens: [token0, token1], shards }))
}

struct ShardedSwaps {
    pool: Address,
    tokens: [Address; 2],
    shards: u32,
}

impl Part for ShardedSwaps {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let trader = user(any_user(random, at));
        let shard = random.below(self.shards.into()) as u32;
        let [mut token_in, mut token_out] = self.tokens;
        if random.below(2) == 0 {
            std::mem::swap(&mut token_in, &mut token_out);
        }
        let amount = u128::from(1_000 + random.below(1_000_000));
        let args = (shard, token_in, token_out, amount, 1u128, trader);
        call(trader, self.pool, "swap", args)
    }
}
