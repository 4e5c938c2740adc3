//! What an order book does, who waits for whom, and what it costs.

mod world;

use std::path::Path;
use tollway_contract_clob::clob::{
    Kind, LEVELS_MAX, Level, MAKERS_MAX, Market, Order, Outcome, Side,
};
use tollway_contracts_wasm::CLOB;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Ran, budget};
use world::{WEALTH, World};

use Kind::{Ioc, Limit, PostOnly};
use Side::{Buy, Sell};

const THREADS: usize = 4;

/// A market in which 10 of the base token cost the price, and four traders in it.
fn usual() -> (World, u128, [Address; 4]) {
    let mut world = World::new(THREADS);
    let market = world.market(false, 10, 10, 10);
    let traders = ["alice", "bob", "carol", "dave"]
        .map(|name| world.trader_in(market, name, 1_000_000, 1_000_000));
    (world, market, traders)
}

/// Whose orders a call met, with price and amount.
fn trades(ran: &Ran) -> Vec<(String, String, String)> {
    let events = ran.events();
    let trades = events.iter().filter(|event| event.name == "Traded");
    trades
        .map(|event| ["maker_id", "price", "amount"].map(|field| event[field].to_string()).into())
        .collect()
}

fn trade(id: u128, price: u128, amount: u128) -> (String, String, String) {
    (id.to_string(), price.to_string(), amount.to_string())
}

#[test]
fn the_better_price_is_met_first_then_the_older_order() {
    let (mut world, market, [alice, bob, carol, dave]) = usual();
    // In one block: the older order is the one that stands before.
    let asks = [(alice, 120), (bob, 110), (carol, 110), (alice, 110), (bob, 100)];
    let asks = asks.map(|(by, price)| world.order(by, market, Sell, price, 50, Limit));
    let block = world.chain.block(asks);
    block.succeeded().assert_no_misses();
    let ids: Vec<u128> = block.calls.iter().map(|call| call.returned::<Outcome>().id).collect();
    assert!(ids.is_sorted());
    let call = world.order(dave, market, Buy, 120, 220, Limit);
    let ran = world.chain.run(call);
    let [a, b, c, d, e] = ids[..] else { panic!("five orders") };
    let expected = [
        trade(e, 100, 50),
        trade(b, 110, 50),
        trade(c, 110, 50),
        trade(d, 110, 50),
        trade(a, 120, 20),
    ];
    assert_eq!(trades(&ran), expected);
    assert_eq!(
        world.chain.query::<Option<Order>>(world.clob, "order", (market, Sell, 120u128, a)),
        Some(Order { owner: alice, left: 30 })
    );

    // Bids: the highest first.
    world.place(dave, market, Buy, 80, 50, Limit);
    let high = world.place(alice, market, Buy, 90, 50, Limit).id;
    let later = world.place(bob, market, Buy, 90, 50, Limit).id;
    let call = world.order(carol, market, Sell, 80, 100, Limit);
    let ran = world.chain.run(call);
    assert_eq!(trades(&ran), [trade(high, 90, 50), trade(later, 90, 50)]);
}

#[test]
fn a_limit_order_fills_what_it_can_and_rests() {
    let (mut world, market, [alice, bob, carol, _]) = usual();
    world.place(alice, market, Sell, 100, 30, Limit);
    world.place(alice, market, Sell, 130, 30, Limit);
    let outcome = world.place(bob, market, Buy, 120, 50, Limit);
    assert_eq!((outcome.filled, outcome.paid, outcome.rested), (30, 300, 20));
    // 300 paid, 20 · 120 / 10 locked.
    assert_eq!(world.free(market, bob), (1_000_030, 1_000_000 - 300 - 240));
    assert_eq!(world.free(market, alice), (1_000_000 - 60, 1_000_300));
    let best: (Option<u128>, Option<u128>) = world.chain.query(world.clob, "best", market);
    assert_eq!(best, (Some(120), Some(130)));
    // The rest is met as any order, in parts.
    let ask = world.order(carol, market, Sell, 90, 10, Limit);
    assert_eq!(trades(&world.chain.run(ask)), [trade(outcome.id, 120, 10)]);
    let ask = world.place(carol, market, Sell, 90, 20, Limit);
    assert_eq!((ask.filled, ask.paid, ask.rested), (10, 120, 10));
    assert_eq!(world.free(market, bob), (1_000_050, 1_000_000 - 300 - 240));
    let best: (Option<u128>, Option<u128>) = world.chain.query(world.clob, "best", market);
    assert_eq!(best, (None, Some(90)));
}

#[test]
fn an_ioc_order_never_rests() {
    let (mut world, market, [alice, bob, ..]) = usual();
    let nothing = world.place(bob, market, Buy, 100, 50, Ioc);
    assert_eq!((nothing.filled, nothing.paid, nothing.rested), (0, 0, 0));
    world.place(alice, market, Sell, 100, 30, Limit);
    // Any price: the highest multiple of the tick.
    let outcome = world.place(bob, market, Buy, u128::MAX / 10 * 10, 50, Ioc);
    assert_eq!((outcome.filled, outcome.paid, outcome.rested), (30, 300, 0));
    assert_eq!(world.free(market, bob), (1_000_030, 1_000_000 - 300));
    let best: (Option<u128>, Option<u128>) = world.chain.query(world.clob, "best", market);
    assert_eq!(best, (None, None));
}

#[test]
fn a_post_only_order_rests_or_fails() {
    let (mut world, market, [alice, bob, ..]) = usual();
    let ask = world.place(alice, market, Sell, 100, 30, PostOnly);
    assert_eq!((ask.filled, ask.rested), (0, 30));
    for price in [100, 110] {
        let call = world.order(bob, market, Buy, price, 10, PostOnly);
        world.chain.run(call).reverted_with("WouldCross");
    }
    let bid = world.place(bob, market, Buy, 90, 10, PostOnly);
    assert_eq!((bid.filled, bid.rested), (0, 10));
    let call = world.order(alice, market, Sell, 90, 10, PostOnly);
    world.chain.run(call).reverted_with("WouldCross");
}

#[test]
fn cancel_frees_what_is_left_and_only_its_owner_may() {
    let (mut world, market, [alice, bob, ..]) = usual();
    let bid = world.place(alice, market, Buy, 100, 50, Limit).id;
    let ask = world.place(alice, market, Sell, 110, 50, Limit).id;
    world.place(bob, market, Sell, 100, 20, Limit);
    world.place(bob, market, Buy, 110, 10, Limit);
    assert_eq!(world.free(market, alice), (1_000_000 + 20 - 50, 1_000_000 - 500 + 110));
    let call = world.cancel(bob, market, Buy, 100, bid);
    world.chain.run(call).reverted_with("NotOwner");
    for (side, price, id) in [(Sell, 100, bid), (Buy, 110, bid), (Buy, 100, bid + 1)] {
        let call = world.cancel(alice, market, side, price, id);
        world.chain.run(call).reverted_with("NoSuchOrder");
    }
    let call = world.cancel(alice, market, Buy, 100, bid);
    let ran = world.chain.run(call.clone());
    assert_eq!(ran.returned::<u128>(), 300);
    let event = ran.event("Cancelled");
    assert_eq!(["left", "freed"].map(|field| event[field].to_string()), ["30", "300"]);
    world.chain.run(call).reverted_with("NoSuchOrder");
    let call = world.cancel(alice, market, Sell, 110, ask);
    assert_eq!(world.chain.run(call).returned::<u128>(), 40);
    assert_eq!(world.free(market, alice), (1_000_010, 1_000_000 - 200 + 110));
}

#[test]
fn a_maker_spends_what_the_same_block_paid_him() {
    let (mut world, market, [alice, bob, ..]) = usual();
    let [base, quote] = world.legs(false);
    let calls = [
        world.withdraw(alice, market, quote, 1_000_000),
        world.order(alice, market, Sell, 100, 50, Limit),
        world.order(bob, market, Buy, 100, 50, Limit),
        world.withdraw(alice, market, quote, 500),
        world.withdraw(bob, market, base, 1_000_050),
        // That was all.
        world.withdraw(alice, market, quote, 1),
    ];
    let block = world.chain.block(calls);
    block.assert_no_misses();
    block.calls[..5].iter().for_each(|call| {
        call.succeeded();
    });
    block.calls[5].reverted_with("InsufficientBalance");
    assert_eq!(world.held(quote, alice), WEALTH + 500);
    assert_eq!(world.held(base, bob), WEALTH + 50);
}

#[test]
fn one_call_meets_so_many_orders_and_leaves_no_crossed_book() {
    let (mut world, market, [alice, bob, ..]) = usual();
    let makers = u128::from(MAKERS_MAX);
    let asks = |world: &World, count| -> Vec<Call> {
        (0..count).map(|_| world.order(alice, market, Sell, 100, 10, Limit)).collect()
    };
    // One more than can be met: the rest still crosses, and is returned.
    let calls = asks(&world, makers + 1);
    world.chain.block(calls).succeeded();
    let amount = 10 * (makers + 5);
    let outcome = world.place(bob, market, Buy, 100, amount, Limit);
    assert_eq!((outcome.filled, outcome.rested), (10 * makers, 0));
    assert_eq!(world.free(market, bob).1, 1_000_000 - 100 * makers);
    // The same again: now the rest rests.
    let outcome = world.place(bob, market, Buy, 100, 50, Limit);
    assert_eq!((outcome.filled, outcome.rested), (10, 40));
    let call = world.cancel(bob, market, Buy, 100, outcome.id);
    world.chain.run(call).succeeded();
    // Exactly as many as can be met: the rest does not cross.
    let calls = asks(&world, makers);
    world.chain.block(calls).succeeded();
    let outcome = world.place(bob, market, Buy, 100, amount, Limit);
    assert_eq!((outcome.filled, outcome.rested), (10 * makers, 50));
}

#[test]
fn a_deep_book_is_met_as_a_shallow_one() {
    let (mut world, market, [alice, bob, ..]) = usual();
    for side in [Buy, Sell] {
        let low = if side == Buy { 10 } else { 5_000 };
        let calls: Vec<Call> = (0..600u128)
            .map(|number| world.order(alice, market, side, low + number * 7 % 200 * 10, 10, Limit))
            .collect();
        world.chain.block(calls).succeeded().assert_no_misses();
    }
    for (side, price) in [(Buy, 10_000), (Sell, 10)] {
        let outcome = world.place(bob, market, side, price, 1_000, Ioc);
        assert_eq!(outcome.filled, 10 * u128::from(MAKERS_MAX));
        let depth: Vec<Level> = world.chain.query(world.clob, "depth", (market, side, u32::MAX));
        assert_eq!(depth.len() as u32, LEVELS_MAX);
    }
}

#[test]
fn nobody_trades_with_himself() {
    let (mut world, market, [alice, bob, carol, _]) = usual();
    let mine = world.place(alice, market, Sell, 100, 50, Limit).id;
    let other = world.place(bob, market, Sell, 110, 50, Limit).id;
    let call = world.order(alice, market, Buy, 110, 80, Limit);
    let ran = world.chain.run(call);
    assert_eq!(trades(&ran), [trade(other, 110, 50)]);
    assert_eq!(ran.event("Cancelled")["id"].to_string(), mine.to_string());
    assert_eq!(world.free(market, alice), (1_000_050, 1_000_000 - 550 - 330));
    // A bid of one's own gives back what it locked before the new order is paid for.
    let call = world.order(carol, market, Buy, 120, 80_000, Limit);
    world.chain.run(call).succeeded();
    let call = world.order(carol, market, Sell, 120, 1_000_000, Limit);
    world.chain.run(call).succeeded();
    assert_eq!(world.free(market, carol), (0, 1_000_000));
}

#[test]
fn values_are_rounded_against_who_comes() {
    let mut world = World::new(THREADS);
    // 7 of the base token cost the price.
    let market = world.market(false, 7, 1, 7);
    let odd = world.market(false, 7, 2, 5);
    let [alice, bob] =
        ["alice", "bob"].map(|name| world.trader_in(odd, name, 1_000_000, 1_000_000));
    // 15 · 4 / 7 = 8.57: the buyer pays 9, and gets it; 3 · (5 · 4 / 7 = 2.86) is 3 each.
    world.place(alice, odd, Sell, 4, 30, Limit);
    assert_eq!(world.place(bob, odd, Buy, 4, 15, Limit).paid, 9);
    for _ in 0..3 {
        assert_eq!(world.place(bob, odd, Buy, 4, 5, Limit).paid, 3);
    }
    assert_eq!(world.free(odd, alice), (1_000_000 - 30, 1_000_018));
    assert_eq!(world.free(odd, bob), (1_000_030, 1_000_000 - 18));
    // The bid locks 30 · 4 / 7 = 17 and pays 8 for 15, 2 for each 5: what is left is free again.
    world.place(alice, odd, Buy, 4, 30, Limit);
    assert_eq!(world.free(odd, alice), (1_000_000 - 30, 1_000_001));
    assert_eq!(world.place(bob, odd, Sell, 4, 15, Limit).paid, 8);
    // 15 lock 8: 17 − 8 − 8 is free.
    assert_eq!(world.free(odd, alice), (1_000_000 - 15, 1_000_002));
    for _ in 0..3 {
        assert_eq!(world.place(bob, odd, Sell, 4, 5, Limit).paid, 2);
    }
    assert_eq!(world.free(odd, alice), (1_000_000, 1_000_018 - 14));
    assert_eq!(world.free(odd, bob), (1_000_000, 1_000_000 - 18 + 14));
    let market: Option<Market> = world.chain.query(world.clob, "market", market);
    assert_eq!(market.map(|market| market.unit), Some(7));
}

#[test]
fn depth_sums_orders_by_price() {
    let (mut world, market, [alice, bob, ..]) = usual();
    let mut calls = Vec::new();
    for number in 0..60u128 {
        let by = if number % 2 == 0 { alice } else { bob };
        calls.push(world.order(by, market, Buy, 10 + number % 3 * 10, 10 + number % 2 * 10, Limit));
        calls.push(world.order(by, market, Sell, 100 + number % 4 * 10, 10, Limit));
    }
    world.chain.block(calls).succeeded();
    let depth = |side: Side, levels: u32| -> Vec<Level> {
        world.chain.query(world.clob, "depth", (market, side, levels))
    };
    let bids = [30, 20, 10].map(|price| Level { price, amount: 300, orders: 20 });
    assert_eq!(depth(Buy, 10), bids);
    assert_eq!(depth(Buy, 2), bids[..2]);
    assert_eq!(depth(Buy, 0), []);
    let asks = [100, 110, 120, 130].map(|price| Level { price, amount: 150, orders: 15 });
    assert_eq!(depth(Sell, u32::MAX), asks);
}

#[test]
fn wrong_calls_are_refused() {
    let (mut world, market, [alice, bob, ..]) = usual();
    let [base, quote] = world.legs(false);
    let [foreign, _] = world.legs(true);
    let (clob, nowhere) = (world.clob, market + 1);
    let poor = world.chain.account("poor");
    let create = |base: Address, quote: Address, unit: u128, tick: u128, lot: u128| {
        clob.call(alice, "create", (base, quote, unit, tick, lot))
    };
    let (b, q) = (base.address, quote.address);
    let deep = world.place(alice, market, Sell, 10, 999_990, Limit);
    assert_eq!(deep.rested, 999_990);
    let top = u128::MAX / 10 * 10;
    let wrong = [
        (create(b, b, 10, 10, 10), "BadMarket"),
        (create(b, q, 0, 10, 10), "BadMarket"),
        (create(b, q, 10, 0, 10), "BadMarket"),
        (create(b, q, 10, 10, 0), "BadMarket"),
        (create(b, q, 101, 10, 10), "BadMarket"),
        (create(b, q, 1, 1 << 64, 1 << 64), "BadMarket"),
        (world.deposit(alice, nowhere, base, 5), "NoSuchMarket"),
        (world.deposit(alice, market, foreign, 5), "WrongToken"),
        (world.deposit(alice, market, base, 0), "BadAmount"),
        (world.deposit(poor, market, base, 5), "InsufficientAllowance"),
        (world.withdraw(alice, nowhere, base, 5), "NoSuchMarket"),
        (world.withdraw(alice, market, foreign, 5), "WrongToken"),
        (world.withdraw(alice, market, base, 0), "BadAmount"),
        // The rest is locked.
        (world.withdraw(alice, market, base, 11), "InsufficientBalance"),
        (world.withdraw(poor, market, base, 1), "InsufficientBalance"),
        (world.order(bob, nowhere, Buy, 10, 10, Limit), "NoSuchMarket"),
        (world.order(bob, market, Buy, 0, 10, Limit), "BadPrice"),
        (world.order(bob, market, Buy, 15, 10, Limit), "BadPrice"),
        (world.order(bob, market, Buy, 10, 0, Limit), "BadAmount"),
        (world.order(bob, market, Buy, 10, 15, Limit), "BadAmount"),
        (world.order(poor, market, Buy, 10, 10, Limit), "InsufficientBalance"),
        (world.order(poor, market, Sell, 20, 10, Limit), "InsufficientBalance"),
        (world.order(bob, market, Sell, top, 1_000, Limit), "AmountTooLarge"),
        (world.order(bob, market, Buy, top, 1_999_990, Limit), "AmountTooLarge"),
        (world.cancel(alice, nowhere, Sell, 10, deep.id), "NoSuchMarket"),
    ];
    for (call, error) in wrong {
        world.chain.run(call).reverted_with(error);
    }
}

#[test]
fn two_markets_are_two_lanes() {
    let mut world = World::new(THREADS);
    let markets = [world.market(false, 10, 10, 10), world.market(true, 10, 10, 10)];
    // Of the same tokens as the first.
    let third = world.market(false, 10, 10, 10);
    let traders: Vec<Address> =
        (0..8).map(|number| world.trader(&format!("trader {number}"))).collect();
    let mut calls = Vec::new();
    for trader in &traders {
        for (market, second) in [(markets[0], false), (markets[1], true), (third, false)] {
            for token in world.legs(second) {
                calls.push(world.deposit(*trader, market, token, 100_000));
            }
        }
    }
    world.chain.block(calls).succeeded().assert_no_misses();
    let [one, other] = markets.map(|market| world.order(traders[0], market, Buy, 100, 10, Limit));
    let same_tokens = world.order(traders[0], third, Sell, 100, 10, Limit);
    world.chain.assert_independent(&one, &other);
    world.chain.assert_independent(&one, &same_tokens);
    world
        .chain
        .assert_conflicting(&one, &world.order(traders[1], markets[0], Sell, 100, 10, Limit));
    world.chain.assert_conflicting(&one, &world.cancel(traders[1], markets[0], Sell, 100, 7));
    let [base, _] = world.legs(false);
    world.chain.assert_conflicting(&one, &world.deposit(traders[1], markets[0], base, 10));
    world.chain.assert_conflicting(&one, &world.withdraw(traders[1], markets[0], base, 10));
    world.chain.assert_independent(
        &world.deposit(traders[1], markets[0], base, 10),
        &world.deposit(traders[2], third, base, 10),
    );

    // Four hundred calls, all of which trade or rest: half of them wait for each other.
    let calls: Vec<Call> = (0..400usize)
        .map(|number| {
            let trader = traders[number / 2 % 8];
            let side = if number / 2 % 2 == 0 { Buy } else { Sell };
            world.order(trader, markets[number % 2], side, 100 + number as u128 % 3 * 10, 20, Limit)
        })
        .collect();
    let block = world.chain.block(calls);
    block.succeeded().assert_critical_path(200).assert_no_misses();
    assert_eq!(block.critical_path(), 200);
    // Markets are created side by side.
    let [base, quote] = world.legs(false).map(|token| token.address);
    let args = (base, quote, 10u128, 10u128, 10u128);
    let calls: Vec<Call> =
        (0..200).map(|at| world.clob.call(traders[at % 8], "create", args)).collect();
    world.chain.block(calls).succeeded().assert_critical_path(1).assert_no_misses();
}

#[test]
fn methods_keep_their_budget() {
    assert!(CLOB.len() <= 48 * 1024, "{} bytes", CLOB.len());
    println!("{} bytes", CLOB.len());
    let (mut world, market, [alice, bob, ..]) = usual();
    let [base, _] = world.legs(false);
    let calls: Vec<Call> = (0..200)
        .map(|number| world.order(alice, market, Sell, 100 + number % 50 * 10, 10, Limit))
        .collect();
    let block = world.chain.block(calls);
    let ask = block.succeeded().calls[0].returned::<Outcome>().id;
    let id = world.place(bob, market, Buy, 50, 10, PostOnly).id;
    let sweep = world.order(bob, market, Buy, 1_000, 1_000, Ioc);
    // One that meets a bid and rests.
    world.place(bob, market, Buy, 40, 10, Limit);
    let sale = world.order(alice, market, Sell, 40, 20, Limit);
    let calls = [
        world.cancel(bob, market, Buy, 50, id),
        world.cancel(alice, market, Sell, 100, ask),
        world.withdraw(bob, market, base, 10),
        sweep,
        sale,
    ];
    for call in calls {
        world.chain.run(call).succeeded();
    }
    world.chain.assert_contract_declares_only_used(world.clob);
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
