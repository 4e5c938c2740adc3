//! What options promise, who waits for whom, and what it costs.

mod market;

use market::{EXERCISE_MS, Kind, Market, SCALE, SETTLE_MS, Series};
use num_bigint::BigInt;
use num_rational::BigRational;
use std::path::Path;
use tollway_testkit::budget;
use tollway_testkit::tollway::Address;

const HELD: u128 = 1_000_000_000;

/// A market with two users, and a series of each kind that they wrote nothing of.
fn market() -> (Market, [Address; 3], Series) {
    let mut market = Market::new(4);
    let users = market.users(3, HELD);
    let series = (2 * SCALE, market.chain.time_ms() + 40_000);
    let created = [Kind::Call, Kind::Put]
        .map(|kind| market.of(kind).0.call(users[2], "create", series_args(series)));
    market.chain.block(created).succeeded();
    (market, [users[0], users[1], users[2]], series)
}

/// One argument that is a struct, and not two.
fn series_args(series: Series) -> (Series,) {
    (series,)
}

#[test]
fn the_worst_case_is_locked_and_given_back_when_closed() {
    let (mut market, [alice, bob, _], series) = market();
    for (kind, locked) in [(Kind::Call, 7), (Kind::Put, 14)] {
        let (options, token) = market.of(kind);
        let before = market.held(token, alice);
        let written = market.chain.run(options.call(alice, "write", (series, 7u128)));
        assert_eq!(
            written.succeeded().event("Written")["collateral"].to_string(),
            locked.to_string()
        );
        assert_eq!(market.held(token, options.address), locked);
        assert_eq!(market.held(token, alice), before - locked);
        assert_eq!(
            market.chain.query::<(u128, u128)>(options, "locked", series_args(series)),
            (locked, 7)
        );
        // Both sides are needed to close, and no more than there is.
        market
            .chain
            .run(options.call(bob, "close", (series, 1u128)))
            .reverted_with("TooFewWritten");
        market
            .chain
            .run(options.call(alice, "close", (series, 8u128)))
            .reverted_with("TooFewWritten");
        market.chain.run(options.call(alice, "transfer", (series, bob, 2u128))).succeeded();
        market
            .chain
            .run(options.call(alice, "close", (series, 6u128)))
            .reverted_with("TooFewOptions");
        market.chain.run(options.call(alice, "close", (series, 5u128))).succeeded();
        assert_eq!(market.held(token, options.address), locked / 7 * 2);
        let held = [alice, bob].map(|user| {
            let long = market.chain.query::<u128>(options, "long_of", (series, user));
            (long, market.chain.query::<u128>(options, "short_of", (series, user)))
        });
        assert_eq!(held, [(0, 2), (2, 0)]);
    }
    // A writer without the collateral writes nothing.
    let poor = market.chain.run(market.calls.call(alice, "write", (series, 2 * HELD)));
    poor.reverted_with("InsufficientBalance");
}

#[test]
fn what_a_put_locks_is_rounded_up_and_what_it_returns_down() {
    let (mut market, [alice, ..], series) = market();
    let odd: Series = (SCALE / 3, series.1);
    let puts = market.puts;
    market.chain.run(puts.call(alice, "create", series_args(odd))).succeeded();
    market.chain.run(puts.call(alice, "write", (odd, 4u128))).succeeded();
    assert_eq!(market.held(market.quote, puts.address), 2, "4/3, rounded up");
    market.chain.run(puts.call(alice, "close", (odd, 4u128))).succeeded();
    assert_eq!(market.held(market.quote, puts.address), 1, "4/3, rounded down, was paid");
}

#[test]
fn options_are_offered_and_bought() {
    let (mut market, [alice, bob, carol], series) = market();
    let calls = market.calls;
    market.chain.run(calls.call(alice, "write", (series, 100u128))).succeeded();
    let buy = |amount: u128, most: u128| calls.call(bob, "buy", (series, alice, amount, most));
    market.chain.run(buy(1, 100)).reverted_with("TooFewOffered");
    // A third of a quote unit each.
    let offer = |amount: u128, ask: u128| calls.call(alice, "offer", (series, amount, ask));
    market.chain.run(offer(101, SCALE / 3)).reverted_with("TooFewOptions");
    market.chain.run(offer(60, SCALE / 3)).succeeded().event("Offered");
    market.chain.run(buy(10, 3)).reverted_with("PremiumTooHigh");
    market.chain.run(buy(61, 100)).reverted_with("TooFewOffered");
    market.chain.run(buy(0, 100)).reverted_with("ZeroAmount");
    let bought = market.chain.run(buy(10, 4));
    assert_eq!(bought.returned::<u128>(), 4, "10/3, rounded up");
    assert_eq!(market.held(market.quote, bob), HELD - 4);
    assert_eq!(market.held(market.quote, alice), HELD + 4, "the seller is paid at once");
    // The price changes without options being added, and what is offered can't be given away.
    market.chain.run(offer(0, SCALE)).succeeded();
    market.chain.run(buy(10, 9)).reverted_with("PremiumTooHigh");
    let give = calls.call(alice, "transfer", (series, carol, 41u128));
    market.chain.run(give).reverted_with("TooFewOptions");
    let withdraw = |amount: u128| calls.call(alice, "withdraw", (series, amount));
    market.chain.run(withdraw(51)).reverted_with("TooFewOffered");
    market.chain.run(withdraw(50)).succeeded().event("Withdrawn");
    assert_eq!(market.chain.query::<(u128, u128)>(calls, "offer_of", (series, alice)), (0, SCALE));
    assert_eq!(market.chain.query::<u128>(calls, "long_of", (series, alice)), 90);
    assert_eq!(market.chain.query::<u128>(calls, "long_of", (series, bob)), 10);
}

#[test]
fn all_of_a_series_is_settled_at_one_price_that_is_fixed_once() {
    let (mut market, [alice, bob, carol], series) = market();
    let calls = market.calls;
    market.chain.run(calls.call(alice, "write", (series, 100u128))).succeeded();
    market.chain.run(calls.call(alice, "transfer", (series, bob, 30u128))).succeeded();
    let settle = calls.call(carol, "settle", series_args(series));
    market.chain.block(market.priced(9 * SCALE)).succeeded();
    market.chain.run(settle.clone()).reverted_with("NotExpired");
    market.run_to(series.1);
    // The price there is, is from before the expiry.
    market.chain.run(settle.clone()).reverted_with("NoPrice");
    let unknown: Series = (1, series.1);
    market
        .chain
        .run(calls.call(carol, "settle", series_args(unknown)))
        .reverted_with("UnknownSeries");
    let [report, update] = market.priced(4 * SCALE);
    let block = market.chain.block([report, update, settle.clone()]);
    assert_eq!(block.succeeded().calls[2].returned::<u128>(), 4 * SCALE);
    // The oracle moves on, the settlement does not.
    let [report, update] = market.priced(400 * SCALE);
    let block = market.chain.block([report, update, settle]);
    block.calls[2].reverted_with("AlreadySettled");
    let settlement =
        market.chain.query::<Option<(u128, u64)>>(calls, "settlement", series_args(series));
    assert_eq!(settlement.map(|(price, _)| price), Some(4 * SCALE));
    // Half of each option's underlying: (4 - 2) / 4.
    for (holder, amount, payoff) in [(alice, 70u128, 35u128), (bob, 29, 14), (bob, 1, 0)] {
        let ran = market.chain.run(calls.call(holder, "exercise", (series, amount)));
        if payoff == 0 {
            ran.reverted_with("WorthNothing");
        } else {
            assert_eq!(ran.returned::<u128>(), payoff);
        }
    }
    assert_eq!(market.held(market.base, bob), HELD + 14);
    assert_eq!(market.held(market.base, calls.address), 51);
}

#[test]
fn options_are_exercised_in_their_window_and_the_rest_goes_back_in_proportion() {
    let (mut market, [alice, bob, carol], series) = market();
    let puts = market.puts;
    // Alice wrote three in four, Bob one; Carol holds half of all.
    let calls = [
        puts.call(alice, "write", (series, 300u128)),
        puts.call(bob, "write", (series, 100u128)),
        puts.call(alice, "transfer", (series, carol, 200u128)),
    ];
    market.chain.block(calls).succeeded();
    let exercise = |by, amount: u128| puts.call(by, "exercise", (series, amount));
    let reclaim = |by| puts.call(by, "reclaim", series_args(series));
    market.chain.run(exercise(carol, 1)).reverted_with("NotSettled");
    market.chain.run(reclaim(alice)).reverted_with("TooEarlyToReclaim");
    market.run_to(series.1);
    let late = [
        (puts.call(alice, "write", (series, 1u128)), "Expired"),
        (puts.call(alice, "close", (series, 1u128)), "Expired"),
        (puts.call(alice, "offer", (series, 1u128, 1u128)), "Expired"),
        (puts.call(alice, "buy", (series, bob, 1u128, 1u128)), "Expired"),
        (puts.call(alice, "create", series_args(series)), "Expired"),
    ];
    for (call, error) in late {
        market.chain.run(call).reverted_with(error);
    }
    let [report, update] = market.priced(SCALE / 2);
    let settle = puts.call(bob, "settle", series_args(series));
    market.chain.block([report, update, settle]).succeeded();
    let until_ms = market.chain.time_ms() + EXERCISE_MS;
    market.chain.run(exercise(carol, 201)).reverted_with("TooFewOptions");
    assert_eq!(market.chain.run(exercise(carol, 150)).returned::<u128>(), 225, "1.5 each");
    market.chain.run(reclaim(bob)).reverted_with("TooEarlyToReclaim");
    market.run_to(until_ms - 1);
    assert_eq!(market.chain.run(exercise(carol, 50)).returned::<u128>(), 75);
    assert_eq!(market.chain.time_ms(), until_ms - 1, "the last moment");
    market.run_to(until_ms);
    market.chain.run(exercise(alice, 1)).reverted_with("TooLateToExercise");
    // 800 were locked, 300 paid: 500 are left, and go by what was written.
    assert_eq!(market.chain.run(reclaim(bob)).returned::<u128>(), 125);
    assert_eq!(market.chain.run(reclaim(alice)).returned::<u128>(), 375);
    market.chain.run(reclaim(alice)).reverted_with("ZeroAmount");
    assert_eq!(market.held(market.quote, puts.address), 0);
}

#[test]
fn without_a_price_writers_get_everything_back() {
    let (mut market, [alice, bob, _], series) = market();
    let calls = market.calls;
    market.chain.run(calls.call(alice, "write", (series, 100u128))).succeeded();
    market.chain.run(calls.call(alice, "transfer", (series, bob, 100u128))).succeeded();
    let reclaim = calls.call(alice, "reclaim", series_args(series));
    market.run_to(series.1 + SETTLE_MS - 1);
    market.chain.run(reclaim.clone()).reverted_with("TooEarlyToReclaim");
    let [report, update] = market.priced(9 * SCALE);
    let settle = calls.call(bob, "settle", series_args(series));
    let block = market.chain.block([report, update, settle]);
    block.calls[2].reverted_with("TooLateToSettle");
    assert_eq!(market.chain.run(reclaim).returned::<u128>(), 100);
}

#[test]
fn worthless_series_end_at_once() {
    let (mut market, [alice, ..], series) = market();
    for kind in [Kind::Call, Kind::Put] {
        let options = market.of(kind).0;
        market.chain.run(options.call(alice, "write", (series, 100u128))).succeeded();
    }
    market.run_to(series.1);
    // At the strike, neither is worth anything.
    let [report, update] = market.priced(series.0);
    market.chain.block([report, update]).succeeded();
    for (kind, locked) in [(Kind::Call, 100), (Kind::Put, 200)] {
        let options = market.of(kind).0;
        market.chain.run(options.call(alice, "settle", series_args(series))).succeeded();
        market
            .chain
            .run(options.call(alice, "exercise", (series, 100u128)))
            .reverted_with("WorthNothing");
        let back = market.chain.run(options.call(alice, "reclaim", series_args(series)));
        assert_eq!(back.returned::<u128>(), locked);
    }
}

#[test]
fn the_payoff_table_is_exact() {
    let mut market = Market::new(4);
    let user = market.users(1, 1 << 100)[0];
    let start_ms = market.chain.time_ms();
    let strikes = [1, 99_999_999, SCALE, SCALE + 1, 7 * SCALE / 3, 65_000 * SCALE];
    let prices = [1, 3, SCALE - 1, SCALE, SCALE + 7, 2 * SCALE, 64_999 * SCALE + 12_345];
    let amounts = [1u128, 2, 3, 1_000_000_007, (1 << 60) + 1];
    let mut checked = 0;
    for (number, price) in (1u64..).zip(prices) {
        let expiry_ms = start_ms + number * 40_000;
        let series = strikes.map(|strike| (strike, expiry_ms));
        let all: u128 = amounts.iter().sum();
        for kind in [Kind::Call, Kind::Put] {
            let (options, _) = market.of(kind);
            let created = series.map(|series| options.call(user, "create", series_args(series)));
            market.chain.block(created).succeeded();
            let written = series.map(|series| options.call(user, "write", (series, all)));
            market.chain.block(written).succeeded();
        }
        market.run_to(expiry_ms);
        market.chain.block(market.priced(price)).succeeded();
        for kind in [Kind::Call, Kind::Put] {
            let (options, _) = market.of(kind);
            let settled = series.map(|series| options.call(user, "settle", series_args(series)));
            market.chain.block(settled).succeeded();
            let cases: Vec<(Series, u128)> = (series.into_iter())
                .flat_map(|series| amounts.map(|amount| (series, amount)))
                .collect();
            let block = market.chain.block(
                cases
                    .iter()
                    .map(|(series, amount)| options.call(user, "exercise", (*series, *amount))),
            );
            for (((strike, _), amount), paid) in cases.into_iter().zip(block.calls) {
                match exact(kind, strike, price, amount) {
                    0 => {
                        paid.reverted_with("WorthNothing");
                    }
                    exact => assert_eq!(paid.returned::<u128>(), exact, "{paid} at {price}"),
                }
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 7 * 2 * 6 * 5);
}

/// The payoff, in fractions, rounded down at the end.
fn exact(kind: Kind, strike: u128, price: u128, amount: u128) -> u128 {
    let number = |value: u128| BigRational::from_integer(BigInt::from(value));
    let (gain, unit) = match kind {
        Kind::Call => (number(price) - number(strike), number(price)),
        Kind::Put => (number(strike) - number(price), number(SCALE)),
    };
    let worth = (gain / unit * number(amount)).max(number(0));
    worth.floor().to_integer().try_into().expect("it fits")
}

#[test]
fn users_of_one_series_do_not_wait_for_each_other() {
    let mut market = Market::new(4);
    let users = market.users(300, HELD);
    let expiry_ms = market.chain.time_ms() + 60_000;
    let series = (2 * SCALE, expiry_ms);
    for kind in [Kind::Call, Kind::Put] {
        let options = market.of(kind).0;
        market.chain.run(options.call(users[0], "create", series_args(series))).succeeded();
        let side_by_side = |market: &mut Market, calls: Vec<_>| {
            market.chain.block(calls).succeeded().assert_critical_path(1).assert_no_misses();
        };
        let (writers, buyers) = users.split_at(100);
        let write = |user: &Address| options.call(*user, "write", (series, 500u128));
        side_by_side(&mut market, writers.iter().map(write).collect());
        let offer = |user: &Address| options.call(*user, "offer", (series, 400u128, SCALE));
        side_by_side(&mut market, writers.iter().map(offer).collect());
        // Two hundred buy from one seller, while writers write, transfer and close.
        let buy = |user: &Address| options.call(*user, "buy", (series, users[0], 2u128, 2u128));
        let transfer = |user: &Address| options.call(*user, "transfer", (series, users[1], 5u128));
        let close = |user: &Address| options.call(*user, "close", (series, 5u128));
        let (some, others) = writers[1..].split_at(30);
        let (more, others) = others.split_at(30);
        let mixed = buyers.iter().map(buy).chain(some.iter().map(transfer));
        let mixed = mixed.chain(more.iter().map(close)).chain(others.iter().map(write));
        side_by_side(&mut market, mixed.collect());
        // The price of an offer is what its buyers read.
        market.chain.assert_conflicting(&offer(&users[0]), &buy(&users[200]));
        market.chain.assert_independent(&offer(&users[1]), &buy(&users[200]));
    }
    market.run_to(expiry_ms);
    market.chain.block(market.priced(4 * SCALE)).succeeded();
    for kind in [Kind::Call, Kind::Put] {
        let options = market.of(kind).0;
        let settle = options.call(users[0], "settle", series_args(series));
        let exercise = |user: &Address| options.call(*user, "exercise", (series, 2u128));
        market.chain.assert_conflicting(&settle, &exercise(&users[100]));
        market.chain.run(settle).succeeded();
        if kind == Kind::Call {
            // Half a unit each.
            let block = market.chain.block(users[100..].iter().map(exercise));
            block.succeeded().assert_critical_path(1).assert_no_misses();
        }
    }
    let until_ms = market.chain.time_ms() + EXERCISE_MS;
    market.run_to(until_ms);
    for kind in [Kind::Call, Kind::Put] {
        let options = market.of(kind).0;
        let reclaim = |user: &Address| options.call(*user, "reclaim", series_args(series));
        let block = market.chain.block(users[..100].iter().map(reclaim));
        block.succeeded().assert_critical_path(1).assert_no_misses();
    }
}

#[test]
fn methods_keep_their_budget() {
    let (mut market, [alice, bob, _], series) = market();
    for options in [market.calls, market.puts] {
        let calls = [
            options.call(alice, "write", (series, 1_000_003u128)),
            options.call(alice, "offer", (series, 1_000u128, SCALE)),
            options.call(alice, "withdraw", (series, 100u128)),
            options.call(bob, "buy", (series, alice, 500u128, 500u128)),
            options.call(bob, "transfer", (series, alice, 100u128)),
            options.call(alice, "close", (series, 100u128)),
            options.call(alice, "long_of", (series, alice)),
            options.call(alice, "short_of", (series, alice)),
            options.call(alice, "offer_of", (series, alice)),
            options.call(alice, "locked", series_args(series)),
        ];
        market.chain.block(calls).succeeded();
    }
    market.run_to(series.1);
    market.chain.block(market.priced(4 * SCALE)).succeeded();
    let calls = market.calls;
    market.chain.run(calls.call(alice, "settle", series_args(series))).succeeded();
    market.chain.run(calls.call(alice, "exercise", (series, 100_001u128))).succeeded();
    market.chain.run(calls.call(alice, "settlement", series_args(series))).succeeded();
    let until_ms = market.chain.time_ms() + EXERCISE_MS;
    market.run_to(until_ms);
    market.chain.run(calls.call(alice, "reclaim", series_args(series))).succeeded();
    println!("{}\n{}", market.chain.figures(), market.chain.lints());
    // The oracle here has one reporter, and declares what it needs for seven.
    market.chain.assert_contract_declares_only_used(market.calls);
    budget::check(
        market.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
