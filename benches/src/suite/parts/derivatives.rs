//! Prices, and what hangs on them.

use super::{Kind, LONG_MS, any_user, warm_up};
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, World, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::{OPTIONS, ORACLE, PERP};

/// Reporters of the oracle: the first users.
const REPORTERS: u64 = 5;

/// Prices that are reported.
pub(super) const FEEDS: u64 = 256;

/// 10⁸: a price of one.
const PRICE_SCALE: u64 = 100_000_000;

/// Reports of this age no longer count, in milliseconds: longer than any run.
const AGE_MAX_MS: u64 = 1 << 40;

pub(super) const ORACLE_KIND: Kind = Kind {
    name: "oracle",
    weight: 10,
    about: "reports of five reporters on 256 feeds, within a hundredth of each other, one in eight an \
            update of the median",
    make: |world| {
        let oracle = oracle(world)?;
        Ok(Box::new(Reports { oracle, next: 0 }))
    },
};

/// The oracle, all of whose feeds have a price of about one: the same for all who ask.
pub(super) fn oracle(world: &mut World<'_>) -> anyhow::Result<Address> {
    if let Some(oracle) = world.oracle {
        return Ok(oracle);
    }
    let reporters: Vec<Address> = (0..REPORTERS).map(|seat| user(seat as usize)).collect();
    let oracle = world.deploy(ORACLE, (OPERATOR, 3u8, AGE_MAX_MS), (reporters,))?;
    let seats = (0..REPORTERS).flat_map(|seat| {
        let report = move |feed| report(oracle, seat, feed, PRICE_SCALE + seat);
        (0..FEEDS).map(report)
    });
    world.set_up(seats.collect())?;
    let update = |feed: u64| call(OPERATOR, oracle, "update", (feed as u32,));
    world.set_up((0..FEEDS).map(update).collect())?;
    world.oracle = Some(oracle);
    Ok(oracle)
}

fn report(oracle: Address, seat: u64, feed: u64, value: u64) -> Call {
    call(user(seat as usize), oracle, "report", (seat as u8, feed as u32, u128::from(value)))
}

struct Reports {
    oracle: Address,
    next: u64,
}

impl Part for Reports {
    fn call(&mut self, random: &mut Random, _: At) -> Call {
        self.next += 1;
        // Every report in turn, so that a block has none twice unless it has very many.
        let (seat, feed) = (self.next % REPORTERS, self.next / REPORTERS % FEEDS);
        if self.next.is_multiple_of(8) {
            return call(OPERATOR, self.oracle, "update", (feed as u32,));
        }
        report(self.oracle, seat, feed, PRICE_SCALE + random.below(PRICE_SCALE / 100))
    }
}

/// Strikes that options are traded on.
const STRIKES: u64 = 32;

/// When options expire: after any run.
const EXPIRY_MS: u64 = 1 << 50;

pub(super) const OPTIONS_KIND: Kind = Kind {
    name: "options",
    weight: 20,
    about: "calls of 32 strikes, written by any user or passed on",
    make: |world| {
        let oracle = oracle(world)?;
        let [underlying, quote, ..] = world.tokens;
        // 0 is the kind of calls.
        let terms = (0u8, underlying, quote, oracle, 0u32, 1_000u64, 1_000u64);
        let options = world.deploy(OPTIONS, terms, ())?;
        world.approve(underlying, options)?;
        let create = |number| call(OPERATOR, options, "create", (series(number),));
        world.set_up((0..STRIKES).map(create).collect())?;
        let write = |number: usize| {
            let args = (series(number as u64 % STRIKES), WRITTEN);
            call(user(number), options, "write", args)
        };
        world.set_up((0..world.users).map(write).collect())?;
        Ok(Box::new(Options { options }))
    },
};

/// What every user writes at the start, of one series.
const WRITTEN: u128 = 1 << 60;

/// Strike and expiry.
fn series(number: u64) -> (u128, u64) {
    (u128::from(PRICE_SCALE * (1 + number % STRIKES)), EXPIRY_MS)
}

struct Options {
    options: Address,
}

impl Part for Options {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let from = any_user(random, at);
        let amount = u128::from(1 + random.below(1_000_000));
        if random.below(2) == 0 {
            let args = (series(random.below(STRIKES)), amount);
            return call(user(from), self.options, "write", args);
        }
        let to = user(any_user(random, at));
        call(user(from), self.options, "transfer", (series(from as u64), to, amount))
    }
}

/// Shares of what a position is worth, in ten-thousandths: to open it, to keep it, for liquidators,
/// and the fee. Traders bring five times what the first asks for, and prices move by a hundredth, so
/// that no position of theirs ends against their will.
const MARGINS_BP: [u16; 4] = [1_000, 500, 100, 5];

pub(super) const PERP_KIND: Kind = Kind {
    name: "perp",
    weight: 30,
    about: "positions of any user, long or short, opened, closed in part or in whole, or given margin, \
            at the oracle's price",
    make: |world| {
        let oracle = oracle(world)?;
        let quote = world.tokens[1];
        let [initial, maintenance, liquidation, fee] = MARGINS_BP;
        // Greatest age of a price, greatest funding in millionths a day, and where it is reached.
        let terms = (initial, maintenance, liquidation, fee, LONG_MS, 1_000u32, SKEW_FULL);
        let perp = world.deploy(PERP, (quote, oracle, 0u32, OPERATOR, terms), ())?;
        world.set_up(vec![
            call(OPERATOR, quote, "mint", (OPERATOR, POOL)),
            call(OPERATOR, quote, "approve", (perp, u128::MAX)),
            call(OPERATOR, perp, "deposit", (POOL,)),
        ])?;
        world.approve(quote, perp)?;
        let mut positions = Positions { perp, held: vec![(false, 0); world.users] };
        warm_up(world, &mut positions, 2 * world.users)?;
        world.set_up(vec![call(OPERATOR, perp, "update_funding", ())])?;
        Ok(Box::new(positions))
    },
};

/// How far apart the sides are when funding is highest.
const SKEW_FULL: u128 = 1 << 40;

/// What the provider of the pool brings: more than all positions are worth.
const POOL: u128 = 1 << 90;

struct Positions {
    perp: Address,
    /// Of every user: whether it is long, and how large it is.
    held: Vec<(bool, u128)>,
}

impl Part for Positions {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let trader = any_user(random, at);
        let (long, size) = &mut self.held[trader];
        if *size == 0 {
            *long = random.below(2) == 1;
        }
        let long = *long;
        let amount = u128::from(1_000 + random.below(1_000_000));
        match random.below(10) {
            0..4 if *size > 0 => {
                // Half of the time all of it.
                let closed = if random.below(2) == 0 { *size } else { amount.min(*size) };
                *size -= closed;
                let limit = if long { 0 } else { u128::MAX };
                call(user(trader), self.perp, "close", (long, closed, limit))
            }
            4 if *size > 0 => call(user(trader), self.perp, "add_margin", (long, amount)),
            _ => {
                *size += amount;
                let limit = if long { u128::MAX } else { 0 };
                call(user(trader), self.perp, "open", (long, amount, amount / 2, limit))
            }
        }
    }
}
