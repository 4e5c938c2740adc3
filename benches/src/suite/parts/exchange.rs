//! Exchanges.

use super::{Kind, Zipf};
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, World, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::PAIR;

/// Pairs that are traded.
const PAIRS: usize = 64;

/// What each side of a pair holds at the start.
const RESERVE: u128 = 1 << 60;

/// Users who trade in pairs.
const TRADERS: usize = 1_000;

/// Fees, in ten-thousandths.
const FEE_BP: u16 = 30;

pub(super) const PAIR_KIND: Kind = Kind {
    name: "pair",
    weight: 160,
    about: "swaps in 64 pairs, the k-th one k times rarer than the first",
    make: |world| Ok(Box::new(Swaps { pairs: pairs(world, PAIRS)?, popular: Zipf::new(PAIRS) })),
};

/// Pairs of the world's first two tokens, filled by the operator, which [`TRADERS`] may trade in.
fn pairs(world: &mut World<'_>, count: usize) -> anyhow::Result<Vec<Address>> {
    let [token0, token1, ..] = world.tokens;
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
    for pair in &pairs {
        for token in [token0, token1] {
            let approve = |number| call(user(number), token, "approve", (*pair, u128::MAX));
            world.set_up((0..TRADERS.min(world.users)).map(approve).collect())?;
        }
    }
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
