//! The order book.

use super::{Kind, Zipf, any_of_group, warm_up};
use crate::contracts::{OPERATOR, call};
use crate::suite::world::{At, Part, user};
use crate::swaps::random::Random;
use std::collections::BTreeMap;
use tollway::{Address, Call};
use tollway_contracts_wasm::CLOB;
use tollway_host_api::template::call_id;

/// Markets, unless there are fewer users.
const MARKETS: usize = 64;

/// What all orders are near to.
const PRICE: u64 = 10_000;

/// How far from it bids are below, and asks above, at most.
const RANGE: u64 = 24;

/// How far beyond it they are at most, where they meet those of the other side.
const CROSSING: u64 = 2;

/// What a price is for, and of what amounts are multiples.
const UNIT: u64 = 100;

/// What a trader deposits of each token.
const DEPOSIT: u128 = 1 << 60;

/// A market with fewer orders than that gets no others than ones that stay in its book.
const RESTING_MIN: usize = 48;

/// As the contract has it.
const MAKERS_MAX: usize = 32;

pub(super) const CLOB_KIND: Kind = Kind {
    name: "clob",
    weight: 40,
    about: "limit orders, takers and cancels in 64 markets, the k-th one k times rarer than the first, \
            each with traders of its own",
    make: |world| {
        let [base, quote, ..] = world.tokens;
        let clob = world.deploy(CLOB, (), ())?;
        world.approve(base, clob)?;
        world.approve(quote, clob)?;
        let count = MARKETS.min(world.users);
        let first = world.at(0);
        let markets = (0..count).map(|index| call_id(first.height, index as u32)).collect();
        // Unit, tick, lot.
        let terms = (base, quote, u128::from(UNIT), 1u128, u128::from(UNIT));
        let create = |_| call(OPERATOR, clob, "create", terms);
        world.set_up((0..count).map(create).collect())?;
        let books = (0..count).map(|_| Book::default()).collect();
        let mut orders = Orders { clob, markets, books, popular: Zipf::new(count) };
        for token in [base, quote] {
            let deposit = |number: usize| {
                let args = (orders.markets[number % count], token, DEPOSIT);
                call(user(number), clob, "deposit", args)
            };
            world.set_up((0..world.users).map(deposit).collect())?;
        }
        warm_up(world, &mut orders, count * RESTING_MIN * 4)?;
        Ok(Box::new(orders))
    },
};

struct Orders {
    clob: Address,
    markets: Vec<u128>,
    /// What is in each of them after the calls that were drawn.
    books: Vec<Book>,
    popular: Zipf,
}

impl Part for Orders {
    fn call(&mut self, random: &mut Random, at: At) -> Call {
        let number = self.popular.draw(random);
        let owner = any_of_group(random, at, number, self.markets.len());
        let (market, book) = (self.markets[number], &mut self.books[number]);
        let action = random.below(10);
        let is_thin = book.resting() < RESTING_MIN;
        if !is_thin && action < 3 {
            let (buys, place, order) = book.cancel(random);
            let args = (market, side(buys), price(buys, place), place.1);
            return call(order.owner, self.clob, "cancel", args);
        }
        let buys = random.below(2) == 1;
        let takes = !is_thin && action < 5;
        let away = random.below(CROSSING + RANGE);
        let limit = match (takes, buys) {
            (true, true) => PRICE + RANGE,
            (true, false) => PRICE - RANGE,
            (false, true) => PRICE + CROSSING - away,
            (false, false) => PRICE - CROSSING + away,
        };
        let amount = u128::from(UNIT * (1 + random.below(100)));
        // The identifier of the call's first order.
        let id = call_id(at.height, at.index as u32) + 1;
        let order = Order { owner, left: amount };
        book.place(buys, (rank(buys, limit.into()), id), order, takes);
        // Immediate or cancel, or limit.
        let kind = u8::from(takes);
        let args = (market, side(buys), u128::from(limit), amount, kind);
        call(owner, self.clob, "place", args)
    }
}

/// The number of a side.
fn side(buys: bool) -> u8 {
    u8::from(!buys)
}

/// Where a price stands in its book: the better one is smaller.
fn rank(buys: bool, price: u128) -> u128 {
    if buys { !price } else { price }
}

/// The price of a place.
fn price(buys: bool, place: Place) -> u128 {
    rank(buys, place.0)
}

/// The rank of an order's price, and its identifier.
type Place = (u128, u128);

#[derive(Clone, Copy)]
struct Order {
    owner: Address,
    left: u128,
}

/// The orders of a market, as the contract has them: whoever cancels must know that his is there.
#[derive(Default)]
struct Book {
    /// Asks and bids.
    sides: [BTreeMap<Place, Order>; 2],
}

impl Book {
    fn resting(&self) -> usize {
        self.sides.iter().map(BTreeMap::len).sum()
    }

    /// Takes any order out.
    fn cancel(&mut self, random: &mut Random) -> (bool, Place, Order) {
        let picked = random.below(self.resting() as u64) as usize;
        let asks = self.sides[0].len();
        let buys = picked >= asks;
        let side = &mut self.sides[usize::from(buys)];
        let place = side.keys().nth(if buys { picked - asks } else { picked });
        let place = *place.expect("a side has as many orders as were counted");
        let order = side.remove(&place).expect("it was found");
        (buys, place, order)
    }

    /// What the contract does with an order.
    fn place(&mut self, buys: bool, place: Place, mut order: Order, takes: bool) {
        let limit = price(buys, place);
        let makers = &mut self.sides[usize::from(!buys)];
        for _ in 0..MAKERS_MAX {
            let Some(mut maker) = makers.first_entry() else { break };
            let offered = price(!buys, *maker.key());
            let meets = if buys { offered <= limit } else { offered >= limit };
            if order.left == 0 || !meets {
                break;
            }
            // Nobody trades with himself: his order is cancelled.
            if maker.get().owner == order.owner {
                maker.remove();
                continue;
            }
            let fill = order.left.min(maker.get().left);
            order.left -= fill;
            maker.get_mut().left -= fill;
            if maker.get().left == 0 {
                maker.remove();
            }
        }
        let crosses = makers.first_key_value().is_some_and(|(maker, _)| {
            let offered = price(!buys, *maker);
            if buys { offered <= limit } else { offered >= limit }
        });
        if order.left > 0 && !takes && !crosses {
            self.sides[usize::from(buys)].insert(place, order);
        }
    }
}
