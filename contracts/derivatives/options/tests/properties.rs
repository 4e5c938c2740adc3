//! Whatever is called: what a series pays was locked for it, at prices that never change, exact to
//! the unit.

mod market;

use market::{Kind, Market, SCALE, Series};
use num_bigint::BigInt;
use num_rational::BigRational;
use std::collections::BTreeMap;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::host_api::value::Value;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Contract, Dice, Ran};

const USERS: usize = 6;
const BLOCKS: usize = 30;
const CALLS: usize = 90;
const HELD: u128 = 1 << 80;

/// What is known of one series of one contract.
#[derive(Default)]
struct Known {
    paid_in: u128,
    paid_out: u128,
    written: u128,
    exercised: u128,
    price: Option<u128>,
    /// What was locked when the first writer reclaimed.
    left: Option<u128>,
    reclaimed: u128,
}

/// By the contract and the series.
type Ledger = BTreeMap<([u8; 32], Series), Known>;

fn number(value: &Value) -> u128 {
    value.to_string().parse().expect("it is a number")
}

fn series_of(value: &Value) -> Series {
    let Value::Struct(fields) = value else { panic!("{value} is no series") };
    let part = |at: usize| number(&fields[at].1);
    (part(0), part(1) as u64)
}

fn ratio(value: u128) -> BigRational {
    BigRational::from_integer(BigInt::from(value))
}

fn floor(value: BigRational) -> u128 {
    value.floor().to_integer().try_into().expect("it fits")
}

/// Takes down what a call says that it did, and holds it against the definitions.
fn apply(market: &Market, ledger: &mut Ledger, ran: &Ran) {
    for event in ran.events() {
        let kind = match event.contract {
            contract if contract == market.calls.address => Kind::Call,
            contract if contract == market.puts.address => Kind::Put,
            _ => continue,
        };
        let series = series_of(&event["series"]);
        let known = ledger.entry((event.contract.0, series)).or_default();
        let amount = || number(&event["amount"]);
        let (strike, per_option) = match kind {
            Kind::Call => (ratio(series.0), ratio(1)),
            Kind::Put => (ratio(series.0), ratio(series.0) / ratio(SCALE)),
        };
        match event.name.as_str() {
            "Written" => {
                let locked = number(&event["collateral"]);
                let exact = per_option * ratio(amount());
                assert_eq!(BigInt::from(locked), exact.ceil().to_integer(), "{ran}");
                known.paid_in += locked;
                known.written += amount();
            }
            "Closed" => {
                let back = number(&event["collateral"]);
                assert_eq!(back, floor(per_option * ratio(amount())), "{ran}");
                known.paid_out += back;
                known.written -= amount();
            }
            "Settled" => {
                let before = known.price.replace(number(&event["price"]));
                assert_eq!(before, None, "{ran}: settled before");
            }
            "Exercised" => {
                let price = ratio(known.price.expect("it was settled"));
                let worth = match kind {
                    Kind::Call => (price.clone() - strike) / price,
                    Kind::Put => (strike - price) / ratio(SCALE),
                };
                let payoff = number(&event["payoff"]);
                assert_eq!(payoff, floor(worth * ratio(amount())), "{ran}");
                known.paid_out += payoff;
                known.exercised += amount();
                assert_eq!(known.left, None, "{ran}: writers were paid before");
            }
            "Reclaimed" => {
                let left = *known.left.get_or_insert(known.paid_in - known.paid_out);
                let exact = ratio(left) * ratio(amount()) / ratio(known.written);
                let back = number(&event["collateral"]);
                assert_eq!(back, floor(exact), "{ran}");
                known.paid_out += back;
                known.reclaimed += amount();
            }
            _ => {}
        }
        assert!(known.paid_out <= known.paid_in, "{ran}: more was paid than locked");
    }
}

/// What each contract holds, and who has its options.
fn check_sums(market: &Market, ledger: &Ledger, holders: &[Address]) {
    for kind in [Kind::Call, Kind::Put] {
        let (options, token) = market.of(kind);
        let own = ledger.iter().filter(|((contract, _), _)| *contract == options.address.0);
        let mut locked = 0;
        for ((_, series), known) in own {
            locked += known.paid_in - known.paid_out;
            let of = |view: &str| -> u128 {
                let each = |holder: &Address| {
                    market.chain.query::<u128>(options, view, (*series, *holder))
                };
                holders.iter().map(each).sum()
            };
            let offered = |holder: &Address| {
                market.chain.query::<(u128, u128)>(options, "offer_of", (*series, *holder)).0
            };
            let longs = of("long_of") + holders.iter().map(offered).sum::<u128>();
            assert_eq!(longs + known.exercised, known.written, "options of {series:?}");
            assert_eq!(of("short_of") + known.reclaimed, known.written, "duties of {series:?}");
        }
        assert_eq!(market.held(token, options.address), locked, "{kind:?}");
    }
}

fn sensible(
    dice: &mut Dice,
    options: Contract,
    series: &[Series],
    users: &[Address],
    now_ms: u64,
) -> Call {
    let of = *dice.pick(series);
    let by = *dice.pick(users);
    let other = *dice.pick(users);
    let amount = u128::from(dice.between(1, 1_000)) << (4 * dice.below(8));
    let some = amount / 16 + 1;
    let ask = u128::from(dice.between(1, 1_000_000_000));
    if now_ms < of.1 {
        match dice.below(10) {
            0..4 => options.call(by, "write", (of, amount * 16)),
            4 => options.call(by, "close", (of, some)),
            5..7 => options.call(by, "transfer", (of, other, some)),
            7 => options.call(by, "offer", (of, some, ask)),
            8 => options.call(by, "buy", (of, other, some / 16 + 1, u128::MAX)),
            _ => options.call(by, "withdraw", (of, some / 16 + 1)),
        }
    } else {
        match dice.below(10) {
            0 => options.call(by, "settle", (of,)),
            1..7 => options.call(by, "exercise", (of, some)),
            7 => options.call(by, "withdraw", (of, some / 16 + 1)),
            _ => options.call(by, "reclaim", (of,)),
        }
    }
}

fn check(threads: usize, seed: u64) -> (usize, usize) {
    let mut market = Market::new(threads);
    let mut dice = Dice::new(seed);
    let users = market.users(USERS, HELD);
    // Whoever random calls can give options to, but for addresses that are made up.
    let contracts = [market.calls, market.puts, market.base, market.quote, market.oracle];
    let holders: Vec<Address> = (users.iter().copied())
        .chain([market.owner, market.reporter])
        .chain(["deployer"].map(|name| market.chain.account(name)))
        .chain(contracts.map(|contract| contract.address))
        .collect();
    let mut random = RandomCalls::new(&market.chain, seed, [market.calls, market.puts])
        .without_views()
        // These give options to addresses that are made up, or take a strike that nobody has.
        .without("transfer")
        .without("create");
    let mut ledger = Ledger::new();
    let mut series: Vec<Series> = Vec::new();
    let (mut succeeded, mut all) = (0, 0);
    let mut price = 2 * SCALE;
    for number in 0..BLOCKS {
        market.chain.pass_ms(dice.below(2_500));
        let now_ms = market.chain.time_ms() + 1_000;
        let mut calls = Vec::new();
        price = (price + u128::from(dice.below(SCALE as u64))).max(SCALE / 2 + 1) - SCALE / 2;
        calls.extend(market.priced(price));
        if number % 5 == 0 {
            let strike = SCALE + u128::from(dice.below(2 * SCALE as u64));
            let new = (strike, now_ms + dice.between(5_000, 25_000));
            series.push(new);
            let create = |options: Contract| options.call(users[0], "create", (new,));
            calls.extend([market.calls, market.puts].map(create));
        }
        let latest = &series[series.len().saturating_sub(5)..];
        while calls.len() < CALLS {
            let options = *dice.pick(&[market.calls, market.puts]);
            calls.push(sensible(&mut dice, options, latest, &users, now_ms));
        }
        calls.extend(random.take(10));
        let block = market.chain.block(calls);
        block.assert_no_misses();
        for ran in block.calls.iter().filter(|ran| ran.receipt.is_success()) {
            apply(&market, &mut ledger, ran);
            succeeded += 1;
        }
        all += block.calls.len();
        if number % 3 == 2 {
            check_sums(&market, &ledger, &holders);
        }
    }
    finish(&mut market, &mut ledger, &users, &holders);
    (succeeded, all)
}

/// At the end everybody gets out: but for less than a unit for each call, nothing stays.
fn finish(market: &mut Market, ledger: &mut Ledger, users: &[Address], holders: &[Address]) {
    let end_ms = market.chain.time_ms() + 120_000;
    market.run_to(end_ms);
    let ends: Vec<Call> = (ledger.keys())
        .filter(|(_, (strike, _))| *strike > 0)
        .flat_map(|(contract, series)| {
            let options = Contract { address: Address(*contract) };
            users.iter().map(move |user| options.call(*user, "reclaim", (*series,)))
        })
        .collect();
    let count = ends.len() as u128;
    let block = market.chain.block(ends);
    block.assert_critical_path(1);
    for ran in block.calls.iter().filter(|ran| ran.receipt.is_success()) {
        apply(market, ledger, ran);
    }
    check_sums(market, ledger, holders);
    let calls = (BLOCKS * (CALLS + 10)) as u128 + count;
    for known in ledger.values() {
        assert_eq!(known.reclaimed, known.written, "all duties ended");
        assert!(known.paid_in - known.paid_out <= calls, "only what was rounded is left");
    }
    let settled = ledger.values().filter(|known| known.exercised > 0).count();
    assert!(settled >= 3, "only {settled} series were exercised");
}

#[test]
fn what_is_paid_was_locked_and_everybody_gets_out() {
    let runs = [(1, 1), (2, 2), (4, 3), (8, 4)].map(|(threads, seed)| check(threads, seed));
    let (succeeded, all) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1));
    assert!(all >= 10_000, "{all}");
    println!("{succeeded} of {all} calls succeeded");
    assert!(succeeded * 2 >= all, "{succeeded} of {all}");
}
