//! What perpetual futures promise, who waits for whom, and what it costs.

mod market;

use market::{FUNDING_PPM, Market, PRICE_AGE_MS, SCALE, SKEW_FULL};
use num_bigint::BigInt;
use num_rational::BigRational;
use std::path::Path;
use tollway_testkit::budget;
use tollway_testkit::tollway::Address;

const HELD: u128 = 1_000_000_000;
const POOL: u128 = 100_000_000_000;

/// Users, and a price of 100 for one unit.
fn market(fee_bp: u16) -> (Market, [Address; 3]) {
    let mut market = Market::new(4, fee_bp, POOL);
    let users = market.users(3, HELD);
    market.set_price(100 * SCALE);
    (market, [users[0], users[1], users[2]])
}

#[test]
fn gains_and_losses_are_those_of_the_price() {
    let (mut market, [alice, bob, _]) = market(0);
    market.chain.run(market.open(alice, true, 1_000, 20_000)).succeeded().event("Opened");
    market.chain.run(market.open(bob, false, 500, 10_000)).succeeded();
    assert_eq!(market.held(alice), HELD - 20_000);
    assert_eq!(market.free(), POOL - 150_000, "what both are worth is set aside");
    assert_eq!(market.position(alice, true), Some((1_000, 100_000, 20_000, 100_000, 0)));
    assert_eq!(market.position(bob, false), Some((500, -50_000, 10_000, 50_000, 0)));
    market.set_price(103 * SCALE);
    let equity = |who, long| market.chain.query::<i128>(market.perp, "equity", (who, long));
    assert_eq!([equity(alice, true), equity(bob, false)], [23_000, 8_500]);
    let close = market.close(alice, true, 1_001);
    market.chain.run(close).reverted_with("PositionTooSmall");
    let close = market.close(alice, false, 1);
    market.chain.run(close).reverted_with("NoPosition");
    // A part has its share of margin and gain, the rest keeps its own.
    let part = market.chain.run(market.close(alice, true, 400));
    assert_eq!(part.returned::<u128>(), 8_000 + 1_200);
    assert_eq!(market.position(alice, true), Some((600, 60_000, 12_000, 60_000, 0)));
    market.set_price(99 * SCALE);
    let closed =
        market.chain.block([market.close(alice, true, 600), market.close(bob, false, 500)]);
    let paid = [0, 1].map(|at| closed.calls[at].returned::<u128>());
    assert_eq!(paid, [12_000 - 600, 10_000 + 500]);
    assert_eq!(market.position(alice, true), None);
    assert_eq!(market.free(), POOL - 1_200 + 600 - 500, "the pool is the other side");
    market.assert_covered(&[alice, bob]);
}

#[test]
fn a_position_grows_at_the_average_price() {
    let (mut market, [alice, ..]) = market(0);
    market.chain.run(market.open(alice, true, 100, 5_000)).succeeded();
    market.set_price(200 * SCALE);
    market.chain.run(market.open(alice, true, 50, 1_000)).succeeded();
    assert_eq!(market.position(alice, true), Some((150, 20_000, 6_000, 20_000, 0)));
    // The other side is another position.
    market.chain.run(market.open(alice, false, 10, 1_000)).succeeded();
    assert_eq!(market.position(alice, false), Some((10, -2_000, 1_000, 2_000, 0)));
    market.assert_covered(&[alice]);
}

#[test]
fn margin_is_checked() {
    let (mut market, [alice, bob, _]) = market(10);
    // Worth 100 000, with a fee of 100: a tenth is needed after it.
    market.chain.run(market.open(alice, true, 1_000, 10_099)).reverted_with("NotEnoughMargin");
    market.chain.run(market.open(alice, true, 1_000, 99)).reverted_with("NotEnoughMargin");
    market.chain.run(market.open(alice, true, 0, 99)).reverted_with("ZeroAmount");
    let opened = market.chain.run(market.open(alice, true, 1_000, 10_100));
    assert_eq!(opened.succeeded().event("Opened")["fee"].to_string(), "100");
    assert_eq!(market.free(), POOL - 100_000 + 100);
    let remove = |by, amount: u128| market.perp.call(by, "remove_margin", (true, amount));
    let add = |by, amount: u128| market.perp.call(by, "add_margin", (true, amount));
    let calls = [add(bob, 5), add(alice, 50), remove(alice, 51), remove(alice, 50), remove(bob, 1)];
    let block = market.chain.block(calls);
    block.calls[0].reverted_with("NoPosition");
    block.calls[1].succeeded();
    block.calls[2].reverted_with("NotEnoughMargin");
    block.calls[3].succeeded();
    block.calls[4].reverted_with("NoPosition");
    // More margin than the trader has is not there.
    market.chain.run(market.open(bob, true, 1, HELD + 1)).reverted_with("InsufficientBalance");
    // What is too large is no panic.
    market.chain.run(market.open(bob, true, u128::MAX, 10)).reverted_with("AmountTooLarge");
    market.chain.run(market.open(bob, true, 1 << 100, 10)).reverted_with("NotEnoughMargin");
    market.assert_covered(&[alice, bob]);
}

#[test]
fn the_price_limit_holds() {
    let (mut market, [alice, ..]) = market(0);
    let perp = market.perp;
    let open = |long: bool, limit: u128| perp.call(alice, "open", (long, 10u128, 500u128, limit));
    let close = |long: bool, limit: u128| perp.call(alice, "close", (long, 10u128, limit));
    let price = 100 * SCALE;
    market.chain.run(open(true, price - 1)).reverted_with("PriceBeyondLimit");
    market.chain.run(open(false, price + 1)).reverted_with("PriceBeyondLimit");
    market.chain.block([open(true, price), open(false, price)]).succeeded();
    market.chain.run(close(true, price + 1)).reverted_with("PriceBeyondLimit");
    market.chain.run(close(false, price - 1)).reverted_with("PriceBeyondLimit");
    market.chain.block([close(true, price), close(false, price)]).succeeded();
}

#[test]
fn the_pool_takes_no_more_than_it_can_pay() {
    let mut market = Market::new(4, 0, 10_000);
    let [alice, bob] = market.users(2, HELD)[..] else { panic!("there are two") };
    market.set_price(100 * SCALE);
    market.chain.run(market.open(alice, true, 101, 5_000)).reverted_with("PoolTooSmall");
    market.chain.run(market.open(alice, true, 80, 5_000)).succeeded();
    market.chain.run(market.open(bob, false, 21, 5_000)).reverted_with("PoolTooSmall");
    let provider = market.provider;
    let withdraw = |by, amount: u128| market.perp.call(by, "withdraw", amount);
    market.chain.run(withdraw(alice, 1)).reverted_with("NotProvider");
    market.chain.run(market.perp.call(alice, "deposit", 1u128)).reverted_with("NotProvider");
    market.chain.run(withdraw(provider, 2_001)).reverted_with("PoolTooSmall");
    market.chain.run(withdraw(provider, 2_000)).succeeded();
    // Three times the price: the gain ends at what was set aside, and that is there.
    market.set_price(300 * SCALE);
    let paid = market.chain.run(market.close(alice, true, 80)).returned::<u128>();
    assert_eq!(paid, 5_000 + 8_000);
    assert_eq!((market.held(market.perp.address), market.free()), (0, 0));
}

#[test]
fn a_stale_oracle_stops_trading() {
    let (mut market, [alice, bob, _]) = market(0);
    market.chain.run(market.open(alice, true, 1_000, 10_000)).succeeded();
    let set_ms = market.chain.time_ms() - 1_000;
    market.chain.pass_ms(set_ms + PRICE_AGE_MS - 1 - market.chain.time_ms() - 1_000);
    market.chain.run(market.open(bob, true, 10, 1_000)).succeeded();
    assert_eq!(market.chain.time_ms(), set_ms + PRICE_AGE_MS - 1, "the last moment");
    let perp = market.perp;
    let stopped = [
        market.open(alice, true, 1, 1_000),
        market.close(alice, true, 1),
        perp.call(bob, "liquidate", (alice, true)),
        perp.call(alice, "remove_margin", (true, 1u128)),
        perp.call(bob, "update_funding", ()),
    ];
    for call in stopped {
        market.chain.run(call).reverted_with("StalePrice");
    }
    market.chain.run(perp.call(alice, "add_margin", (true, 1u128))).succeeded();
    market.set_price(100 * SCALE);
    market.chain.run(market.close(alice, true, 1_000)).succeeded();
    // Without any price there is no trading either.
    let mut fresh = Market::new(4, 0, 10_000);
    let dave = fresh.users(1, HELD)[0];
    fresh.chain.run(fresh.open(dave, true, 1, 1_000)).reverted_with("NoPrice");
}

#[test]
fn positions_are_liquidated_before_their_equity_is_negative() {
    // Steps of 2 % both ways; a long and a short of every leverage that opens.
    for long in [true, false] {
        let (mut market, [alice, bob, carol]) = market(0);
        let liquidate = market.perp.call(carol, "liquidate", (alice, long));
        market.chain.run(liquidate.clone()).reverted_with("NoPosition");
        market.chain.run(market.open(alice, long, 1_000, 10_000)).succeeded();
        market.chain.run(market.open(bob, long, 1_000, 90_000)).succeeded();
        let pool = market.free();
        let mut price = 100 * SCALE;
        let mut steps = 0;
        loop {
            price = if long { price * 98 / 100 } else { price * 102 / 100 };
            market.set_price(price);
            steps += 1;
            let equity: i128 = market.chain.query(market.perp, "equity", (alice, long));
            assert!(equity >= 0, "{equity} after {steps} steps");
            let worth = 1_000 * price / SCALE;
            let ran = market.chain.run(liquidate.clone());
            if equity as u128 * 100 >= worth * 5 {
                ran.reverted_with("Healthy");
                continue;
            }
            // A hundredth of what it is worth goes to the liquidator, the rest to the trader.
            let reward = ran.returned::<u128>();
            assert_eq!(reward, worth / 100);
            assert_eq!(market.held(carol), HELD + reward);
            assert_eq!(market.held(alice), HELD - 10_000 + equity as u128 - reward);
            let lost = 10_000 - equity as u128;
            assert_eq!(market.free(), pool + 100_000 + lost, "the pool gets what was lost");
            break;
        }
        assert_eq!(steps, 3, "2 %, 4 %, and the next leaves less than 5 %");
        let healthy = market.perp.call(carol, "liquidate", (bob, long));
        market.chain.run(healthy).reverted_with("Healthy");
        market.assert_covered(&[alice, bob, carol]);
    }
}

#[test]
fn a_gap_in_the_price_costs_no_more_than_the_margin() {
    let (mut market, [alice, _, carol]) = market(0);
    market.chain.run(market.open(alice, true, 1_000, 10_000)).succeeded();
    market.set_price(50 * SCALE);
    let equity: i128 = market.chain.query(market.perp, "equity", (alice, true));
    assert_eq!(equity, -40_000);
    let liquidated = market.chain.run(market.perp.call(carol, "liquidate", (alice, true)));
    assert_eq!(liquidated.returned::<u128>(), 0, "nothing is left");
    assert_eq!(market.free(), POOL + 10_000);
    market.assert_covered(&[alice]);
}

/// What longs pay for one unit held for a time at the price of 100, at a skew.
fn funding(skew: u128, elapsed_ms: u64) -> BigRational {
    let number = |value: u128| BigRational::from_integer(BigInt::from(value));
    let a_day = number(100) * number(FUNDING_PPM.into()) / number(1_000_000);
    let share = number(skew.min(SKEW_FULL)) / number(SKEW_FULL);
    a_day * share * number(elapsed_ms.into()) / number(86_400_000)
}

#[test]
fn funding_sums_to_zero() {
    let (mut market, [alice, bob, carol]) = market(0);
    let perp = market.perp;
    // Longs have 300 000 more than shorts: three tenths of the highest rate.
    let opens = [
        market.open(alice, true, 500_000, 50_000_000),
        market.open(bob, false, 200_000, 50_000_000),
        perp.call(carol, "update_funding", ()),
    ];
    let block = market.chain.block(opens);
    let rate = block.succeeded().calls[2].returned::<i128>();
    let since_ms = market.chain.time_ms();
    let exact = funding(300_000, 1) * BigInt::from(10u8).pow(24);
    assert_eq!(BigInt::from(rate), exact.floor().to_integer());
    // Half an hour; the price is the same, so that there is nothing but funding.
    market.chain.pass_ms(1_800_000);
    market.set_price(100 * SCALE);
    market
        .chain
        .block([market.close(alice, true, 500_000), market.close(bob, false, 200_000)])
        .succeeded();
    let elapsed_ms = market.chain.time_ms() - since_ms;
    let each = funding(300_000, elapsed_ms);
    let paid = BigInt::from(HELD - market.held(alice));
    let got = BigInt::from(market.held(bob)) - BigInt::from(HELD);
    assert!(got > BigInt::from(1_000), "{got} is worth a test");
    let number = |value: u128| BigRational::from_integer(BigInt::from(value));
    assert_eq!(paid, (each.clone() * number(500_000)).ceil().to_integer());
    assert_eq!(got, (each.clone() * number(200_000)).floor().to_integer());
    // The pool was short the rest. All three sums are zero, exactly; the pool's has what was rounded.
    let pool = BigInt::from(market.free()) - BigInt::from(POOL);
    assert_eq!(paid.clone() - got.clone() - pool.clone(), BigInt::from(0));
    let rounded = BigRational::from_integer(pool) - each * number(300_000);
    assert!(rounded >= number(0) && rounded < number(2), "{rounded}");
}

#[test]
fn without_a_skew_longs_pay_shorts_alone() {
    let (mut market, [alice, bob, carol]) = market(0);
    let perp = market.perp;
    let opens = [
        market.open(alice, false, 400_000, 50_000_000),
        perp.call(carol, "update_funding", ()),
        // The rate stays, now that the sides are even: until somebody updates it.
        market.open(bob, true, 400_000, 50_000_000),
    ];
    let block = market.chain.block(opens);
    let rate = block.succeeded().calls[1].returned::<i128>();
    assert!(rate < 0, "shorts pay");
    market.chain.pass_ms(1_000_000);
    market.set_price(100 * SCALE);
    let even = market.chain.run(perp.call(carol, "update_funding", ()));
    assert_eq!(even.returned::<i128>(), 0);
    let index = market.chain.query::<i128>(perp, "funding_index", ());
    assert_eq!(index, rate * 1_002_000);
    market.chain.pass_ms(1_000_000);
    market.set_price(100 * SCALE);
    assert_eq!(market.chain.query::<i128>(perp, "funding_index", ()), index);
    market
        .chain
        .block([market.close(alice, false, 400_000), market.close(bob, true, 400_000)])
        .succeeded();
    let paid = HELD - market.held(alice);
    let got = market.held(bob) - HELD;
    assert!(got > 1_000 && (paid == got || paid == got + 1), "{paid} paid, {got} received");
    assert_eq!(market.free(), POOL + paid - got);
}

#[test]
fn terms_have_to_fit_together() {
    let terms = |initial: u16, maintenance: u16, liquidation: u16, skew: u128| {
        (initial, maintenance, liquidation, 0u16, 1u64, 1u32, skew)
    };
    let wrong = [
        terms(500, 500, 100, 1),
        terms(1_000, 100, 100, 1),
        terms(10_001, 500, 100, 1),
        terms(1_000, 500, 100, 0),
    ];
    for terms in wrong {
        let made = std::panic::catch_unwind(|| {
            let mut chain = tollway_testkit::TestChain::new();
            let owner = chain.account("owner");
            let immutables = (owner, owner, 0u32, owner, terms);
            chain.deploy(tollway_contracts_wasm::PERP, &immutables)
        });
        let panic = made.expect_err("it cannot be made");
        let message = panic.downcast_ref::<String>().expect("the chain says why");
        assert!(message.ends_with("reverted with 0x00"), "{message}");
    }
}

#[test]
fn traders_do_not_wait_for_each_other() {
    let mut market = Market::new(4, 5, 1 << 100);
    let users = market.users(300, HELD);
    market.set_price(100 * SCALE);
    let [longs, shorts] = [true, false].map(|long| {
        let calls = users.iter().map(|user| market.open(*user, long, 1_000, 20_000));
        calls.collect::<Vec<_>>()
    });
    let block = market.chain.block(longs.into_iter().chain(shorts));
    block.succeeded();
    // Two sides of one user take from one balance and allowance; users do not meet.
    block.assert_critical_path(2).assert_no_misses();
    let mixed: Vec<_> = (users.iter().enumerate())
        .map(|(number, user)| match number % 5 {
            0 => market.open(*user, true, 10, 500),
            1 => market.close(*user, false, 500),
            2 => market.close(*user, true, 1_000),
            3 => market.perp.call(*user, "add_margin", (true, 7u128)),
            _ => market.perp.call(*user, "remove_margin", (false, 7u128)),
        })
        // The provider comes and goes meanwhile.
        .chain([market.perp.call(market.provider, "withdraw", 1_000u128)])
        .collect();
    let block = market.chain.block(mixed);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    market.set_price(91 * SCALE);
    // One liquidator closes many, at once.
    let liquidate = |user: &Address| market.perp.call(market.provider, "liquidate", (*user, true));
    let calls: Vec<_> = users.iter().skip(1).step_by(5).map(liquidate).collect();
    market.set_price(80 * SCALE);
    let block = market.chain.block(calls);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let update = market.perp.call(users[0], "update_funding", ());
    let open = market.open(users[1], true, 10, 500);
    market.chain.assert_conflicting(&open, &update);
    market.chain.assert_conflicting(&update, &open);
    market.chain.assert_conflicting(&market.priced(1)[1], &open);
    market.chain.assert_conflicting(&open, &open);
}

#[test]
fn methods_keep_their_budget() {
    let (mut market, [alice, bob, carol]) = market(10);
    let perp = market.perp;
    market
        .chain
        .block([market.open(alice, true, 1_003, 20_011), market.open(bob, false, 777, 9_000)])
        .succeeded();
    market.chain.run(perp.call(carol, "update_funding", ())).succeeded();
    let calls = [
        perp.call(alice, "add_margin", (true, 5_000u128)),
        perp.call(alice, "remove_margin", (true, 1_000u128)),
        market.close(alice, true, 401),
        perp.call(market.provider, "withdraw", 5u128),
        perp.call(market.provider, "deposit", 5u128),
        perp.call(alice, "position", (alice, true)),
        perp.call(alice, "equity", (alice, true)),
        perp.call(alice, "free", ()),
        perp.call(alice, "open_interest", true),
        perp.call(alice, "funding_index", ()),
    ];
    market.chain.block(calls).succeeded();
    market.set_price(110 * SCALE);
    market.chain.run(perp.call(carol, "liquidate", (bob, false))).succeeded();
    println!("{}\n{}", market.chain.figures(), market.chain.lints());
    // The oracle here has one reporter, and declares what it needs for seven.
    market.chain.assert_contract_declares_only_used(market.perp);
    budget::check(
        market.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
