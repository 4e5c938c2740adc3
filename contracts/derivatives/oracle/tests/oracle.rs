//! What an oracle promises, who waits for whom, and what it costs.

use std::path::Path;
use tollway_contracts_wasm::ORACLE;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Contract, TestChain, budget};

const QUORUM: u8 = 3;
const MAX_AGE_MS: u64 = 60_000;

/// A price as it crosses the border: value and time.
type Price = (u128, u64);

struct Feeds {
    chain: TestChain,
    oracle: Contract,
    owner: Address,
    reporters: Vec<Address>,
}

fn feeds() -> Feeds {
    let mut chain = TestChain::new();
    let owner = chain.account("owner");
    let reporters: Vec<Address> =
        (0..5).map(|seat| chain.account(&format!("reporter {seat}"))).collect();
    let immutables = (owner, QUORUM, MAX_AGE_MS);
    let oracle = chain.deploy_by(owner, ORACLE, &immutables, &reporters);
    chain.also_native(oracle, &tollway_contract_oracle::oracle::NATIVE);
    Feeds { chain, oracle, owner, reporters }
}

impl Feeds {
    fn report(&self, seat: u8, feed: u32, value: u128) -> Call {
        self.oracle.call(self.reporters[usize::from(seat)], "report", (seat, feed, value))
    }

    fn update(&self, feed: u32) -> Call {
        self.oracle.call(self.owner, "update", feed)
    }

    fn price(&self, feed: u32) -> Option<Price> {
        self.chain.query(self.oracle, "price", feed)
    }
}

#[test]
fn the_price_is_the_median_once_a_quorum_has_reported() {
    let mut feeds = feeds();
    for (seat, value) in [(0, 300u128), (1, 100)] {
        feeds.chain.run(feeds.report(seat, 7, value)).succeeded().event("Reported");
    }
    feeds.chain.run(feeds.update(7)).reverted_with("TooFewReports");
    assert_eq!(feeds.price(7), None);
    feeds.chain.run(feeds.report(2, 7, 120)).succeeded();
    assert_eq!(feeds.price(7), None, "reports alone are no price");
    // The median of the times: that of the second report.
    let second_ms = feeds.chain.time_ms() - 2_000;
    let expected = Some((120, second_ms));
    assert_eq!(feeds.chain.query::<Option<Price>>(feeds.oracle, "median", 7u32), expected);
    let updated = feeds.chain.run(feeds.update(7));
    assert_eq!(updated.returned::<Price>(), (120, second_ms));
    assert_eq!(updated.event("Updated")["value"].to_string(), "120");
    assert_eq!(feeds.price(7), expected);
    // Of four, it is the lower of the two in the middle. Another feed has its own.
    let block = [feeds.report(3, 7, 9_000), feeds.update(7), feeds.update(8)];
    let block = feeds.chain.block(block);
    assert_eq!(block.calls[1].returned::<Price>().0, 120);
    block.calls[2].reverted_with("TooFewReports");
}

#[test]
fn only_reporters_report_and_nothing_is_worth_nothing() {
    let mut feeds = feeds();
    let [eve, _] = feeds.chain.accounts(["eve", "owner"]);
    let by = |caller, seat: u8| feeds.oracle.call(caller, "report", (seat, 1u32, 5u128));
    let calls = [
        by(eve, 0),
        by(feeds.reporters[1], 0),
        by(feeds.owner, 0),
        by(eve, 6),
        by(eve, 7),
        // An empty seat is nobody's, whoever calls.
        by(Address::ZERO, 6),
    ];
    for call in feeds.chain.block(calls).calls {
        call.reverted_with("NotReporter");
    }
    feeds.chain.run(feeds.report(0, 1, 0)).reverted_with("ZeroPrice");
    let reporter = feeds.reporters[0];
    let many = |prices: Vec<(u32, u128)>| feeds.oracle.call(reporter, "report_all", (0u8, prices));
    feeds.chain.run(many(vec![(1, 5), (2, 0)])).reverted_with("ZeroPrice");
    let reported = feeds.chain.run(many(vec![(1, 5), (2, 6)]));
    assert_eq!(reported.succeeded().events().len(), 2);
    feeds
        .chain
        .run(feeds.oracle.call(eve, "report_all", (0u8, vec![(1u32, 5u128)])))
        .reverted_with("NotReporter");
}

#[test]
fn old_reports_do_not_count() {
    let mut feeds = feeds();
    let first = feeds.chain.block([feeds.report(0, 1, 10), feeds.report(1, 1, 20)]);
    first.succeeded();
    let first_ms = feeds.chain.time_ms();
    feeds.chain.pass_ms(MAX_AGE_MS - 2_001);
    feeds.chain.run(feeds.report(2, 1, 30)).succeeded();
    // One millisecond short of too old.
    let price = feeds.chain.run(feeds.update(1)).returned::<Price>();
    assert_eq!(price, (20, first_ms));
    assert_eq!(feeds.chain.time_ms(), first_ms + MAX_AGE_MS - 1);
    feeds.chain.run(feeds.update(1)).reverted_with("TooFewReports");
    // The price stays, with its time, and a stale report counts as none.
    assert_eq!(feeds.price(1), Some((20, first_ms)));
    feeds.chain.block([feeds.report(3, 1, 50), feeds.report(4, 1, 60)]).succeeded();
    let price = feeds.chain.run(feeds.update(1)).returned::<Price>();
    assert_eq!(price.0, 50);
}

#[test]
fn one_reporter_cannot_move_the_price_past_the_others() {
    let mut feeds = feeds();
    for (seat, value) in [(0, 1_000u128), (1, 1_010)] {
        feeds.chain.run(feeds.report(seat, 1, value)).succeeded();
    }
    for (value, expected) in [(1, 1_000), (u128::MAX, 1_010), (1_005, 1_005)] {
        feeds.chain.run(feeds.report(4, 1, value)).succeeded();
        let price = feeds.chain.run(feeds.update(1)).returned::<Price>();
        assert_eq!(price.0, expected, "with {value} reported");
    }
}

#[test]
fn the_owner_gives_seats_and_a_new_reporter_starts_without_a_past() {
    let mut feeds = feeds();
    let eve = feeds.chain.account("eve");
    let give = |by, seat: u8, to: Address| feeds.oracle.call(by, "give_seat", (seat, to));
    feeds.chain.run(give(eve, 0, eve)).reverted_with("NotOwner");
    feeds.chain.run(give(feeds.owner, 7, eve)).reverted_with("UnknownSeat");
    feeds.chain.run(give(feeds.owner, 5, feeds.reporters[1])).reverted_with("AlreadySeated");
    let reports = [0, 1, 2].map(|seat| feeds.report(seat, 1, 100));
    feeds.chain.block(reports).succeeded();
    // In one block, at one time: a report, the replacement, and the update after it.
    let replaced = [feeds.report(2, 1, 100), give(feeds.owner, 2, eve), feeds.update(1)];
    let block = feeds.chain.block(replaced);
    block.calls[1].succeeded().event("Seated");
    block.calls[2].reverted_with("TooFewReports");
    assert_eq!(feeds.chain.query::<Address>(feeds.oracle, "reporter", 2u8), eve);
    feeds.chain.run(feeds.report(2, 1, 100)).reverted_with("NotReporter");
    feeds.chain.run(feeds.oracle.call(eve, "report", (2u8, 1u32, 100u128))).succeeded();
    feeds.chain.run(feeds.update(1)).succeeded();
    // Taken away: what was reported does not count, and the seat reports nothing.
    feeds.chain.run(give(feeds.owner, 2, Address::ZERO)).succeeded();
    feeds.chain.run(feeds.update(1)).reverted_with("TooFewReports");
    feeds
        .chain
        .run(feeds.oracle.call(eve, "report", (2u8, 1u32, 1u128)))
        .reverted_with("NotReporter");
    // Given back, the reporter has to report again.
    feeds.chain.run(give(feeds.owner, 2, eve)).succeeded();
    feeds.chain.run(feeds.update(1)).reverted_with("TooFewReports");
}

#[test]
fn an_oracle_that_cannot_keep_its_promise_is_not_made() {
    // Errors of `init` are told by their bytes: QuorumOutOfRange is number 3, UnknownSeat 1.
    for (quorum, reporters, error) in [(0u8, 3, "0x03"), (8, 3, "0x03"), (3, 8, "0x01")] {
        let made = std::panic::catch_unwind(|| {
            let mut chain = TestChain::new();
            let owner = chain.account("owner");
            let reporters: Vec<Address> =
                (0..reporters).map(|seat| chain.account(&format!("reporter {seat}"))).collect();
            chain.deploy_by(owner, ORACLE, &(owner, quorum, MAX_AGE_MS), reporters)
        });
        let panic = made.expect_err("it cannot be made");
        let message = panic.downcast_ref::<String>().expect("the chain says why");
        assert!(message.ends_with(&format!("reverted with {error}")), "{message}");
    }
}

#[test]
fn neither_reporters_nor_readers_wait_for_each_other() {
    let mut feeds = feeds();
    let all = |feeds: &Feeds, value: u128| -> Vec<Call> {
        let seats = (0..5u8).flat_map(|seat| (0..60u32).map(move |feed| (seat, feed)));
        seats.map(|(seat, feed)| feeds.report(seat, feed, value)).collect()
    };
    let block = feeds.chain.block(all(&feeds, 5));
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let updates: Vec<Call> = (0..60).map(|feed| feeds.update(feed)).collect();
    let block = feeds.chain.block(updates);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    // Readers, among them such that read while others report.
    let read = |number: u32| feeds.oracle.call(feeds.owner, "price", number % 60);
    let mixed = all(&feeds, 6).into_iter().chain((0..300).map(read));
    let block = feeds.chain.block(mixed);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    // Whoever updates waits for reports, whoever reads for updates: of the same feed.
    feeds.chain.assert_conflicting(&feeds.report(0, 1, 5), &feeds.update(1));
    feeds.chain.assert_independent(&feeds.report(0, 1, 5), &feeds.update(2));
    feeds.chain.assert_conflicting(&feeds.update(1), &read(1));
    feeds.chain.assert_independent(&feeds.update(1), &read(2));
    feeds.chain.assert_conflicting(&feeds.report(0, 1, 5), &feeds.report(0, 1, 6));
}

#[test]
fn methods_keep_their_budget() {
    let mut feeds = feeds();
    // Everything there is: seven reporters, and reports of all.
    for (seat, name) in [(5u8, "eve"), (6, "frank")] {
        let reporter = feeds.chain.account(name);
        feeds.reporters.push(reporter);
        let give = feeds.oracle.call(feeds.owner, "give_seat", (seat, reporter));
        feeds.chain.run(give).succeeded();
    }
    let reports = [0, 1, 2, 3, 4, 5, 6].map(|seat| feeds.report(seat, 1, 5));
    feeds.chain.block(reports).succeeded();
    let prices: Vec<(u32, u128)> = (0..10).map(|feed| (feed, 5)).collect();
    let many = feeds.oracle.call(feeds.reporters[0], "report_all", (0u8, prices));
    feeds.chain.run(many).succeeded();
    feeds.chain.run(feeds.update(1)).succeeded();
    for (view, argument) in [("price", 1u32), ("median", 1)] {
        feeds.chain.run(feeds.oracle.call(feeds.owner, view, argument)).succeeded();
    }
    feeds.chain.run(feeds.oracle.call(feeds.owner, "reporter", 1u8)).succeeded();
    println!("{}\n{}", feeds.chain.figures(), feeds.chain.lints());
    feeds.chain.assert_all_used();
    budget::check(
        feeds.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
