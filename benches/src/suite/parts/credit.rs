//! Lending and staking.

use super::derivatives::{FEEDS, oracle};
use super::{Kind, LONG_MS, any_user};
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::{FARM, LEND, STAKE};

/// What every account brings at the start.
const DEPOSIT: u128 = 1 << 60;

pub(super) const LEND_KIND: Kind = Kind {
    name: "lend",
    weight: 50,
    about: "deposits, loans and repayments of any user in two reserves, prices read from an oracle",
    make: |world| {
        let oracle = oracle(world)?;
        let lend = world.deploy(LEND, (OPERATOR, oracle, LONG_MS, LONG_MS), ())?;
        let [token0, token1, ..] = world.tokens;
        // Feed, then in ten-thousandths: collateral, threshold, bonus, fund, base, slope, steep, kink.
        let terms = |feed: u32| {
            (feed, 7_500u16, 8_000u16, 500u16, 1_000u16, 100u16, 1_000u16, 6_000u16, 8_000u16)
        };
        let list = |token, feed| call(OPERATOR, lend, "list", (token, terms(feed)));
        world.set_up(vec![list(token0, 0), list(token1, 1)])?;
        for token in [token0, token1] {
            world.approve(token, lend)?;
            let deposit = |number| call(user(number), lend, "deposit", (token, DEPOSIT));
            world.set_up((0..world.users).map(deposit).collect())?;
        }
        let held = vec![(token0, 0), (token1, 1)];
        let borrow =
            |number| call(user(number), lend, "borrow", (token1, DEPOSIT / 16, held.clone()));
        world.set_up((0..world.users).map(borrow).collect())?;
        Ok(Box::new(Loans { lend, held }))
    },
};

struct Loans {
    lend: Address,
    /// Tokens and their feeds.
    held: Vec<(Address, u32)>,
}

impl Part for Loans {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let caller = user(any_user(random, at));
        let amount = u128::from(1_000 + random.below(1_000_000));
        let (token0, token1) = (self.held[0].0, self.held[1].0);
        match random.below(3) {
            0 => call(caller, self.lend, "deposit", (token0, amount)),
            1 => call(caller, self.lend, "borrow", (token1, amount, self.held.clone())),
            _ => call(caller, self.lend, "repay", (caller, token1, amount)),
        }
    }
}

pub(super) const FARM_KIND: Kind = Kind {
    name: "farm",
    weight: 20,
    about: "any user joins",
    make: |world| {
        let [staked, reward, ..] = world.tokens;
        let farm = world.deploy(FARM, (staked, reward, 0u64, LONG_MS), ())?;
        world.approve(staked, farm)?;
        Ok(Box::new(Joins { contract: farm }))
    },
};

pub(super) const STAKE_KIND: Kind = Kind {
    name: "stake",
    weight: 20,
    about: "any user stakes",
    make: |world| {
        let token = world.tokens[0];
        let terms = (token, 0u64, LONG_MS, 1_000u64, OPERATOR, OPERATOR);
        let stake = world.deploy(STAKE, terms, ())?;
        world.approve(token, stake)?;
        Ok(Box::new(Joins { contract: stake }))
    },
};

struct Joins {
    contract: Address,
}

impl Part for Joins {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let amount = u128::from(1_000 + random.below(1_000_000));
        call(user(any_user(random, at)), self.contract, "join", (0u64, amount))
    }
}

/// Feeds that loans are priced by.
const _: () = assert!(FEEDS >= 2, "each reserve has a feed of its own");
