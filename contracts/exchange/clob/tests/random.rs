//! Random calls, held against a book that is a list of orders and is matched by looking at all.

mod world;

use std::collections::BTreeMap;
use tollway_contract_clob::clob::{Kind, Level, MAKERS_MAX, Order, Outcome, Side};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Contract, Dice, Ran};
use world::World;

const BLOCKS: usize = 28;
const RANDOM: usize = 10;
const MEANT: usize = 90;

/// An order in the model's book.
#[derive(Clone, Copy)]
struct Resting {
    id: u128,
    owner: Address,
    side: Side,
    price: u128,
    left: u128,
}

/// What a market should be. Orders are in the order in which they came.
#[derive(Clone)]
struct Model {
    unit: u128,
    tick: u128,
    lot: u128,
    orders: Vec<Resting>,
    /// Base and quote.
    free: BTreeMap<Address, [u128; 2]>,
}

/// A call that is meant, to a market by its place in the list.
#[derive(Clone, Copy)]
enum Step {
    Deposit(Address, usize, u128),
    Withdraw(Address, usize, u128),
    Place(Address, Side, u128, u128, Kind),
    Cancel(Address, Side, u128, u128),
}

impl Model {
    fn down(&self, amount: u128, price: u128) -> u128 {
        amount * price / self.unit
    }

    fn locked(&self, order: &Resting) -> [u128; 2] {
        match order.side {
            Side::Buy => [0, self.down(order.left, order.price)],
            Side::Sell => [order.left, 0],
        }
    }

    fn pay(&mut self, to: Address, [base, quote]: [u128; 2]) {
        let free = self.free.entry(to).or_default();
        *free = [free[0] + base, free[1] + quote];
    }

    fn take(&mut self, from: Address, amounts: [u128; 2]) -> Result<(), &'static str> {
        let free = self.free.entry(from).or_default();
        for (free, amount) in free.iter_mut().zip(amounts) {
            *free = free.checked_sub(amount).ok_or("InsufficientBalance")?;
        }
        Ok(())
    }

    /// What should come of a step; what changed, if it fails, is thrown away by the caller.
    fn step(&mut self, step: Step, id: u128) -> Result<Option<Outcome>, &'static str> {
        match step {
            Step::Deposit(_, _, 0) | Step::Withdraw(_, _, 0) => return Err("BadAmount"),
            Step::Deposit(by, 0, amount) => self.pay(by, [amount, 0]),
            Step::Deposit(by, _, amount) => self.pay(by, [0, amount]),
            Step::Withdraw(by, 0, amount) => self.take(by, [amount, 0])?,
            Step::Withdraw(by, _, amount) => self.take(by, [0, amount])?,
            Step::Cancel(by, side, price, id) => {
                let is_it =
                    |order: &Resting| (order.id, order.side, order.price) == (id, side, price);
                let at = self.orders.iter().position(is_it).ok_or("NoSuchOrder")?;
                if self.orders[at].owner != by {
                    return Err("NotOwner");
                }
                let order = self.orders.remove(at);
                self.pay(by, self.locked(&order));
            }
            Step::Place(by, side, price, amount, kind) => {
                return self.place(by, side, price, amount, kind, id).map(Some);
            }
        }
        Ok(None)
    }

    /// The order that one of this side and price has to meet: of the best price the first that came.
    fn next(&self, side: Side, price: u128) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (at, order) in self.orders.iter().enumerate() {
            let is_better = |than: u128| match side {
                Side::Buy => order.price < than,
                Side::Sell => order.price > than,
            };
            let meets = order.side != side && (order.price == price || is_better(price));
            if meets && best.is_none_or(|best| is_better(self.orders[best].price)) {
                best = Some(at);
            }
        }
        best
    }

    fn place(
        &mut self,
        by: Address,
        side: Side,
        price: u128,
        amount: u128,
        kind: Kind,
        id: u128,
    ) -> Result<Outcome, &'static str> {
        if price == 0 || !price.is_multiple_of(self.tick) {
            return Err("BadPrice");
        }
        if amount == 0 || !amount.is_multiple_of(self.lot) {
            return Err("BadAmount");
        }
        if kind == Kind::PostOnly && self.next(side, price).is_some() {
            return Err("WouldCross");
        }
        let (mut filled, mut paid) = (0, 0);
        for _ in 0..MAKERS_MAX {
            let Some(at) = self.next(side, price).filter(|_| filled < amount) else { break };
            let maker = self.orders[at];
            let before = self.locked(&maker);
            if maker.owner == by {
                self.orders.remove(at);
                self.pay(by, before);
                continue;
            }
            let fill = maker.left.min(amount - filled);
            self.orders[at].left -= fill;
            let after = self.locked(&self.orders[at]);
            let value = match side {
                Side::Buy => (fill * maker.price).div_ceil(self.unit),
                Side::Sell => self.down(fill, maker.price),
            };
            // The maker gets what he bought, and whatever he neither paid nor has locked still.
            let gain = match side {
                Side::Buy => [before[0] - after[0] - fill, value],
                Side::Sell => [fill, before[1] - after[1] - value],
            };
            self.pay(maker.owner, gain);
            self.orders.retain(|order| order.left > 0);
            filled += fill;
            paid += value;
        }
        let is_crossing = self.next(side, price).is_some();
        let rested = if kind == Kind::Ioc || is_crossing { 0 } else { amount - filled };
        let order = Resting { id, owner: by, side, price, left: rested };
        let [base, quote] = self.locked(&order);
        if rested > 0 {
            self.orders.push(order);
        }
        let (owed, gain) = match side {
            Side::Buy => ([0, paid + quote], [filled, 0]),
            Side::Sell => ([filled + base, 0], [0, paid]),
        };
        self.take(by, owed)?;
        self.pay(by, gain);
        Ok(Outcome { id, filled, paid, rested })
    }

    /// Compares a market of the chain with this. Returns the sums of what it holds.
    fn compare(&self, world: &World, market: u128, people: &[Address]) -> [u128; 2] {
        let clob = world.clob;
        let mut sums = [0, 0];
        for account in people {
            let [base, quote] = self.free.get(account).copied().unwrap_or_default();
            let found = world.free(market, *account);
            assert_eq!(found, (base, quote));
            sums = [sums[0] + found.0, sums[1] + found.1];
        }
        for order in &self.orders {
            let args = (market, order.side, order.price, order.id);
            let found: Option<Order> = world.chain.query(clob, "order", args);
            assert_eq!(found, Some(Order { owner: order.owner, left: order.left }));
            let [base, quote] = self.locked(order);
            sums = [sums[0] + base, sums[1] + quote];
        }
        let [bids, asks] = [Side::Buy, Side::Sell].map(|side| {
            let mut levels: BTreeMap<u128, Level> = BTreeMap::new();
            for order in self.orders.iter().filter(|order| order.side == side) {
                let none = Level { price: order.price, amount: 0, orders: 0 };
                let level = levels.entry(order.price).or_insert(none);
                level.amount += order.left;
                level.orders += 1;
            }
            let mut levels: Vec<Level> = levels.into_values().collect();
            if side == Side::Buy {
                levels.reverse();
            }
            let found: Vec<Level> = world.chain.query(clob, "depth", (market, side, u32::MAX));
            assert_eq!(found, levels);
            levels.first().map(|level| level.price)
        });
        let best: (Option<u128>, Option<u128>) = world.chain.query(clob, "best", market);
        assert_eq!(best, (bids, asks));
        assert!(bids.zip(asks).is_none_or(|(bid, ask)| bid < ask), "a crossed book");
        sums
    }
}

/// A step that makes sense, mostly. In calm times books grow.
fn step(dice: &mut Dice, model: &Model, people: &[Address], is_calm: bool) -> Step {
    let by = *dice.pick(people);
    let side = *dice.pick(&[Side::Buy, Side::Sell]);
    let wrong = u128::from(dice.percent(1));
    match dice.below(100) {
        0..6 => Step::Deposit(by, dice.below(2) as usize, dice.below(1_000_000).into()),
        6..10 => Step::Withdraw(by, dice.below(2) as usize, dice.below(700_000).into()),
        10..25 if !model.orders.is_empty() => {
            let order = *dice.pick(&model.orders);
            let by = if dice.percent(90) { order.owner } else { by };
            Step::Cancel(by, order.side, order.price, order.id + wrong)
        }
        25..32 if !is_calm => {
            // Through all of the book.
            let price = if side == Side::Buy { 150 } else { 50 };
            let amount = u128::from(dice.between(50, 600)) * model.lot;
            let kind = *dice.pick(&[Kind::Ioc, Kind::Limit]);
            Step::Place(by, side, price * model.tick, amount, kind)
        }
        _ => {
            let offset = if is_calm { 2 + dice.below(10) } else { dice.below(5) };
            let price = if side == Side::Buy { 101 - offset } else { 99 + offset };
            let kind =
                *dice.pick(&[Kind::Limit, Kind::Limit, Kind::Limit, Kind::Ioc, Kind::PostOnly]);
            let amount = u128::from(dice.below(13)) * model.lot + wrong;
            Step::Place(by, side, u128::from(price) * model.tick + wrong, amount, kind)
        }
    }
}

fn call_of(world: &World, market: u128, legs: [Contract; 2], step: Step) -> Call {
    match step {
        Step::Deposit(by, leg, amount) => world.deposit(by, market, legs[leg], amount),
        Step::Withdraw(by, leg, amount) => world.withdraw(by, market, legs[leg], amount),
        Step::Place(by, side, price, amount, kind) => {
            world.order(by, market, side, price, amount, kind)
        }
        Step::Cancel(by, side, price, id) => world.cancel(by, market, side, price, id),
    }
}

/// Holds what came of a call against what the model says. Returns the outcome, if it was an order.
fn apply(model: &mut Model, step: Step, ran: &Ran) -> Option<Outcome> {
    // Identifiers are the chain's; that they grow is what makes the first the oldest.
    let is_order = matches!(step, Step::Place(..)) && ran.receipt.is_success();
    let outcome = is_order.then(|| ran.returned::<Outcome>());
    let mut after = model.clone();
    match after.step(step, outcome.map_or(0, |outcome| outcome.id)) {
        Ok(expected) => {
            ran.succeeded();
            assert_eq!(outcome, expected, "{ran}");
            *model = after;
        }
        Err(error) => {
            ran.reverted_with(error);
        }
    }
    outcome
}

#[test]
fn a_book_is_what_a_list_would_be_and_loses_nothing() {
    let (mut ran, mut succeeded, mut traded, mut returned) = (0, 0, 0, 0);
    for (seed, threads) in (0u64..).zip([1, 2, 4, 8]) {
        let mut world = World::new(threads);
        let people = ["alice", "bob", "carol", "dave", "erin"].map(|name| world.trader(name));
        // Two of the same tokens, one of which rounds.
        let terms = [(false, 10, 10, 10), (true, 7, 2, 5), (false, 1_000, 3, 999)];
        let mut markets: Vec<(u128, bool, Model)> = Vec::new();
        for (second, unit, tick, lot) in terms {
            let market = world.market(second, unit, tick, lot);
            let mut model = Model { unit, tick, lot, orders: Vec::new(), free: BTreeMap::new() };
            for by in people {
                // One of them is poor, and will often have too little.
                let wealth = if by == people[0] { 5_000 } else { 5_000_000 };
                for (leg, token) in world.legs(second).into_iter().enumerate() {
                    let call = world.deposit(by, market, token, wealth);
                    world.chain.run(call).succeeded();
                    model.step(Step::Deposit(by, leg, wealth), 0).expect("a deposit");
                }
            }
            markets.push((market, second, model));
        }
        let mut dice = Dice::new(seed);
        let mut random =
            RandomCalls::new(&world.chain, seed, [world.clob]).without_views().without("create");
        for round in 0..BLOCKS {
            let mut calls = random.take(RANDOM);
            let mut steps = Vec::new();
            for _ in 0..MEANT {
                let at = dice.below(markets.len() as u64) as usize;
                let (market, second, model) = &markets[at];
                let step = step(&mut dice, model, &people, round % 3 == 0);
                calls.push(call_of(&world, *market, world.legs(*second), step));
                steps.push((at, step));
            }
            let block = world.chain.block(calls);
            block.assert_no_misses();
            // No identifier hits a market by chance.
            assert!(block.calls[..RANDOM].iter().all(|call| !call.receipt.is_success()));
            for ((at, step), call) in steps.into_iter().zip(&block.calls[RANDOM..]) {
                let outcome = apply(&mut markets[at].2, step, call);
                traded += usize::from(outcome.is_some_and(|outcome| outcome.filled > 0));
                if let (Some(outcome), Step::Place(_, _, _, amount, Kind::Limit)) = (outcome, step)
                {
                    returned += usize::from(outcome.filled + outcome.rested < amount);
                }
                succeeded += usize::from(call.receipt.is_success());
            }
            ran += block.calls.len();

            let mut sums: BTreeMap<Address, u128> = BTreeMap::new();
            for (market, second, model) in &markets {
                let found = model.compare(&world, *market, &people);
                for (token, sum) in world.legs(*second).into_iter().zip(found) {
                    *sums.entry(token.address).or_default() += sum;
                }
            }
            for token in world.tokens {
                assert_eq!(world.held(token, world.clob.address), sums[&token.address]);
            }
        }
    }
    println!("{succeeded} of {ran} calls succeeded, {traded} traded, {returned} met too many");
    assert!(ran >= 10_000 && succeeded * 3 > ran * 2 && traded * 10 > ran && returned > 0);
}
