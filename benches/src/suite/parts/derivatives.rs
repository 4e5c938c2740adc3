//! Prices, and what hangs on them.

use super::Kind;
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, World, user};
use crate::swaps::random::Random;
use tollway::{Address, Call};
use tollway_contracts_wasm::ORACLE;

/// Reporters of the oracle: the first users.
const REPORTERS: u64 = 5;

/// Prices that are reported.
const FEEDS: u64 = 256;

/// 10⁸: a price of one.
const PRICE_SCALE: u64 = 100_000_000;

/// Reports of this age no longer count, in milliseconds: longer than any run.
const AGE_MAX_MS: u64 = 1 << 40;

pub(super) const ORACLE_KIND: Kind = Kind {
    name: "oracle",
    weight: 20,
    about: "reports of five reporters on 256 feeds, one in eight an update of the median",
    make: |world| {
        let oracle = oracle(world)?;
        Ok(Box::new(Reports { oracle, next: 0 }))
    },
};

/// An oracle all of whose feeds have a price of about one.
pub(super) fn oracle(world: &mut World<'_>) -> anyhow::Result<Address> {
    let reporters: Vec<Address> = (0..REPORTERS).map(|seat| user(seat as usize)).collect();
    let oracle = world.deploy(ORACLE, (OPERATOR, 3u8, AGE_MAX_MS), (reporters,))?;
    let seats = (0..REPORTERS).flat_map(|seat| {
        let report = move |feed| report(oracle, seat, feed, PRICE_SCALE + seat);
        (0..FEEDS).map(report)
    });
    world.set_up(seats.collect())?;
    let update = |feed: u64| call(OPERATOR, oracle, "update", (feed as u32,));
    world.set_up((0..FEEDS).map(update).collect())?;
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
        report(self.oracle, seat, feed, PRICE_SCALE + random.below(1_000_000))
    }
}
