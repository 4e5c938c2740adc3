//! Whatever is called: the contract holds what it owes, no position is below zero, and the pool has
//! what the price and funding, told by themselves, say that it has.

mod market;

use market::{Market, SCALE};
use num_bigint::BigInt;
use num_rational::BigRational;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::host_api::value::Value;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Dice, Ran};

const USERS: usize = 8;
/// One in each block.
const SLEEPERS: usize = BLOCKS;
const BLOCKS: usize = 26;
const CALLS: usize = 100;
const POOL: u128 = 1 << 60;

fn number(value: &Value) -> BigInt {
    value.to_string().parse().expect("it is a number")
}

/// The pool, from trades and time alone: no position is followed.
struct Pool {
    has: BigRational,
    /// Longs less shorts.
    skew: BigInt,
    index: i128,
    touches: u32,
    liquidations: u32,
    funded: BigRational,
}

impl Pool {
    fn new(has: u128) -> Self {
        let zero = BigRational::from_integer(BigInt::from(0));
        Self {
            has: BigRational::from_integer(BigInt::from(has)),
            skew: BigInt::from(0),
            index: 0,
            touches: 0,
            liquidations: 0,
            funded: zero,
        }
    }

    /// Time passes, up to an index: the pool is short what longs have more.
    fn pass(&mut self, index: i128) {
        let unit = BigInt::from(10u8).pow(24);
        let paid = BigRational::new(&self.skew * BigInt::from(index - self.index), unit);
        self.has += &paid;
        self.funded += if paid < BigRational::from_integer(BigInt::from(0)) { -paid } else { paid };
        self.index = index;
    }

    fn apply(&mut self, ran: &Ran) {
        for event in ran.events() {
            let whole = |field: &str| BigRational::from_integer(number(&event[field]));
            let trade = |opens: bool| {
                let sign = if (event["long"].to_string() == "true") == opens { 1 } else { -1 };
                let size = number(&event["size"]) * sign;
                let value = &size * number(&event["price"]);
                (size, BigRational::new(value, BigInt::from(SCALE)))
            };
            match event.name.as_str() {
                // What a long buys, the pool sells, at this price.
                "Opened" | "Closed" => {
                    let (size, value) = trade(event.name == "Opened");
                    self.skew += size;
                    self.has += value + whole("fee");
                    self.touches += 1;
                }
                "MarginSet" => self.touches += 1,
                "PoolChanged" => self.has += whole("deposited") - whole("withdrawn"),
                _ => continue,
            }
            if event.name == "Closed" && ran.call.method == "liquidate" {
                self.liquidations += 1;
                let left = number(&event["paid"]) + number(&event["reward"]);
                assert!(left > BigInt::from(0), "{ran} was too late");
            }
        }
    }
}

fn sensible(dice: &mut Dice, market: &Market, users: &[Address], price: u128) -> Call {
    let by = *dice.pick(users);
    let long = dice.percent(60);
    let size = u128::from(dice.between(1, 20_000));
    let worth = size * price / SCALE;
    let perp = market.perp;
    match dice.below(100) {
        0..45 => market.open(by, long, size, worth * u128::from(dice.between(11, 18)) / 100 + 2),
        45..75 => market.close(by, long, size / 4 + 1),
        75..83 => perp.call(by, "add_margin", (long, worth / 100)),
        83..89 => perp.call(by, "remove_margin", (long, worth / 100)),
        89..95 => perp.call(by, "liquidate", (*dice.pick(users), long)),
        _ => perp.call(by, "update_funding", ()),
    }
}

fn check(threads: usize, seed: u64) -> (usize, usize) {
    let mut market = Market::new(threads, 7, POOL);
    let all_users = market.users(USERS + SLEEPERS, 1 << 60);
    // The last of them open a position with little margin each, and never look at it again.
    let (users, sleepers) = all_users.split_at(USERS);
    let managers = [market.provider, market.reporter];
    let traders: Vec<Address> = all_users.iter().copied().chain(managers).collect();
    let mut random = RandomCalls::new(&market.chain, seed, [market.perp]).without_views();
    let mut dice = Dice::new(seed);
    let mut pool = Pool::new(POOL);
    let (mut succeeded, mut all) = (0, 0);
    let mut price = 100 * SCALE;
    for (number, sleeper) in sleepers.iter().enumerate() {
        market.chain.pass_ms(dice.below(900_000));
        price = price * u128::from(dice.between(965, 1_035)) / 1_000;
        let mut calls = market.priced(price).to_vec();
        // Liquidators look at every position first.
        for user in &all_users {
            let call = |long: bool| market.perp.call(users[0], "liquidate", (*user, long));
            calls.extend([true, false].map(call));
        }
        let liquidations = calls.len();
        let margin = 1_000 * price / SCALE * 108 / 1_000 + 10;
        calls.push(market.open(*sleeper, dice.percent(50), 1_000, margin));
        while calls.len() < liquidations + CALLS - 10 {
            calls.push(sensible(&mut dice, &market, users, price));
        }
        calls.extend(random.take(10));
        let block = market.chain.block(calls);
        block.assert_no_misses();
        pool.pass(market.chain.query(market.perp, "funding_index", ()));
        for (at, ran) in block.calls.iter().enumerate() {
            if ran.receipt.is_success() {
                pool.apply(ran);
                succeeded += usize::from(at >= liquidations);
            }
        }
        all += block.calls.len() - liquidations;
        if number % 3 == 0 {
            market.assert_covered(&traders);
            for (trader, long) in traders.iter().flat_map(|of| [(*of, true), (*of, false)]) {
                let equity: i128 = market.chain.query(market.perp, "equity", (trader, long));
                assert!(equity >= 0, "{equity}");
            }
        }
    }
    close_all(&mut market, &mut pool, &traders);
    (succeeded, all)
}

/// At the end, nothing but what the provider has is left.
fn close_all(market: &mut Market, pool: &mut Pool, traders: &[Address]) {
    market.set_price(100 * SCALE);
    let mut calls = Vec::new();
    for (trader, long) in traders.iter().flat_map(|of| [(*of, true), (*of, false)]) {
        if let Some((size, ..)) = market.position(trader, long) {
            calls.push(market.close(trader, long, size));
        }
    }
    assert!(calls.len() >= USERS, "only {} positions are left", calls.len());
    let block = market.chain.block(calls);
    block.succeeded();
    pool.pass(market.chain.query(market.perp, "funding_index", ()));
    block.calls.iter().for_each(|ran| pool.apply(ran));
    assert_eq!(pool.skew, BigInt::from(0));
    let free = market.free();
    assert_eq!(market.held(market.perp.address), free);
    let number = |value: u128| BigRational::from_integer(BigInt::from(value));
    let rounded = number(free) - &pool.has;
    // Each touch rounds funding, a value and a cost, in favor of the pool.
    let most = number(u128::from(3 * pool.touches));
    assert!(rounded >= number(0) && rounded < most, "{rounded} after {} touches", pool.touches);
    assert!(pool.funded > most, "funding is worth a test");
    println!("{} liquidations, {} of funding", pool.liquidations, pool.funded.to_integer());
    assert!(pool.liquidations >= 3, "{} liquidations", pool.liquidations);
}

#[test]
fn the_contract_holds_what_it_owes_and_funding_sums_to_zero() {
    let runs = [(1, 1), (2, 2), (4, 3), (8, 4)].map(|(threads, seed)| check(threads, seed));
    let (succeeded, all) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    assert!(all >= 10_000, "{all}");
    // Not counted are the liquidators' looks at positions that are healthy.
    println!("{succeeded} of {all} calls succeeded");
    assert!(succeeded * 2 >= all, "{succeeded} of {all}");
}
