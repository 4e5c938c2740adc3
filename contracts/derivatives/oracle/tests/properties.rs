//! Whatever is called, the price is the median of what counts, and one reporter cannot move it past
//! the others.

use borsh::BorshDeserialize;
use std::collections::BTreeMap;
use tollway_contracts_wasm::ORACLE;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, Dice, Ran, TestChain};

const SEATS: u8 = 5;
const QUORUM: usize = 3;
const MAX_AGE_MS: u64 = 5_000;
const FEEDS: u32 = 3;
const BLOCKS: usize = 40;
const CALLS: usize = 100;

/// The last seat's reporter says what suits them.
const LIAR: u8 = SEATS - 1;

fn args<T: BorshDeserialize>(call: &Call) -> Option<T> {
    borsh::from_slice(&call.args).ok()
}

/// The oracle, told again in the simplest way.
#[derive(Default)]
struct Model {
    seats: BTreeMap<u8, Address>,
    /// Value and time, by feed and seat.
    reports: BTreeMap<(u32, u8), (u128, u64)>,
    prices: BTreeMap<u32, (u128, u64)>,
    /// Updates whose price was held against what others than the liar reported.
    bounded: usize,
}

impl Model {
    fn report(&mut self, by: Address, seat: u8, feed: u32, value: u128, time_ms: u64) -> bool {
        let may = self.seats.get(&seat) == Some(&by) && value > 0;
        if may {
            self.reports.insert((feed, seat), (value, time_ms));
        }
        may
    }

    fn update(&mut self, feed: u32, time_ms: u64) -> bool {
        let fresh: Vec<(u8, u128, u64)> = (self.reports.iter())
            .filter(|((of, _), (_, at_ms))| *of == feed && time_ms - at_ms < MAX_AGE_MS)
            .map(|((_, seat), (value, at_ms))| (*seat, *value, *at_ms))
            .collect();
        if fresh.len() < QUORUM {
            return false;
        }
        let mut values: Vec<u128> = fresh.iter().map(|(_, value, _)| *value).collect();
        let mut times: Vec<u64> = fresh.iter().map(|(_, _, at_ms)| *at_ms).collect();
        values.sort_unstable();
        times.sort_unstable();
        let middle = (fresh.len() - 1) / 2;
        let price = (values[middle], times[middle]);
        // Leave out any one, and the price is still within what the others say.
        for (left_out, _, _) in &fresh {
            let others = || fresh.iter().filter(|(seat, _, _)| seat != left_out);
            let values = others().map(|(_, value, _)| *value);
            assert!(values.clone().min() <= Some(price.0) && Some(price.0) <= values.max());
            let times = others().map(|(_, _, at_ms)| *at_ms);
            assert!(times.clone().min() <= Some(price.1) && Some(price.1) <= times.max());
        }
        self.bounded += usize::from(fresh.iter().any(|(seat, _, _)| *seat == LIAR));
        self.prices.insert(feed, price);
        true
    }

    /// Whether the call succeeds, after it ran.
    fn apply(&mut self, call: &Call, time_ms: u64) -> bool {
        match call.method.as_str() {
            "report" => {
                let (seat, feed, value) = args(call).expect("it ran");
                self.report(call.caller, seat, feed, value, time_ms)
            }
            "report_all" => {
                let (seat, prices): (u8, Vec<(u32, u128)>) = args(call).expect("it ran");
                let is_seated = self.seats.get(&seat) == Some(&call.caller);
                let may = is_seated && prices.iter().all(|(_, value)| *value > 0);
                for (feed, value) in prices.into_iter().filter(|_| may) {
                    self.report(call.caller, seat, feed, value, time_ms);
                }
                may
            }
            "update" => self.update(args(call).expect("it ran"), time_ms),
            _ => true,
        }
    }
}

fn sensible(dice: &mut Dice, oracle: Contract, seats: &[Address], around: u128) -> Call {
    let seat = dice.below(u64::from(SEATS)) as u8;
    let feed = dice.below(u64::from(FEEDS)) as u32;
    let caller = seats[usize::from(seat)];
    if dice.percent(30) {
        return oracle.call(caller, "update", feed);
    }
    let value = match seat {
        LIAR => *dice.pick(&[1, u128::MAX, around / 2, around * 3]),
        _ => around + u128::from(dice.below(around as u64 / 50)),
    };
    oracle.call(caller, "report", (seat, feed, value))
}

fn check(threads: usize, seed: u64) -> usize {
    let mut chain = TestChain::with(Config { threads, ..Config::default() });
    let owner = chain.account("owner");
    let seats: Vec<Address> =
        (0..SEATS).map(|seat| chain.account(&format!("reporter {seat}"))).collect();
    let immutables = (owner, QUORUM as u8, MAX_AGE_MS);
    let oracle = chain.deploy_by(owner, ORACLE, &immutables, &seats);
    chain.also_native(oracle, &tollway_contract_oracle::oracle::NATIVE);
    let mut model = Model { seats: (0..).zip(seats.clone()).collect(), ..Model::default() };
    // Seats stay as they are here; who has one is a matter of `oracle.rs`.
    let mut random = RandomCalls::new(&chain, seed, [oracle]).without("give_seat");
    let mut dice = Dice::new(seed);
    let mut succeeded = 0;
    let mut around = 1_000_000u128;
    for _ in 0..BLOCKS {
        around += u128::from(dice.below(10_000));
        // Now and then long enough for reports to grow old.
        chain.pass_ms(dice.below(3_000));
        let mut calls: Vec<Call> =
            (0..CALLS * 3 / 4).map(|_| sensible(&mut dice, oracle, &seats, around)).collect();
        calls.extend(random.take(CALLS - calls.len()));
        let block = chain.block(calls);
        block.assert_no_misses();
        for ran in &block.calls {
            let expected = model.apply(&ran.call, chain.time_ms());
            assert_eq!(ran.receipt.is_success(), expected, "{ran}");
            succeeded += usize::from(ran.receipt.is_success() && is_change(ran));
        }
        for feed in 0..FEEDS {
            let price = chain.query::<Option<(u128, u64)>>(oracle, "price", feed);
            assert_eq!(price.as_ref(), model.prices.get(&feed), "feed {feed}");
        }
    }
    assert!(model.bounded > BLOCKS, "the liar took part in {} prices only", model.bounded);
    succeeded
}

fn is_change(ran: &Ran) -> bool {
    ["report", "report_all", "update"].contains(&ran.call.method.as_str())
}

#[test]
fn prices_are_medians_and_no_liar_moves_them() {
    let runs = [(1, 1), (2, 2), (4, 3), (8, 4)];
    let succeeded: usize = runs.iter().map(|(threads, seed)| check(*threads, *seed)).sum();
    let all = runs.len() * BLOCKS * CALLS;
    assert!(all >= 10_000);
    // Three in four calls make sense; of those, only updates can fail, for want of reports.
    println!("{succeeded} of {all} calls changed something");
    assert!(succeeded * 100 >= all * 70, "{succeeded} of {all}");
}
