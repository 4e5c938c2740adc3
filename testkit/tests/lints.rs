//! What a declaration gets wrong is told, by method and key: on a contract that gets everything
//! wrong once, and on the samples, which get nothing wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tollway_contracts_wasm::{CARELESS, PAIR, TOKEN, VOTE};
use tollway_testkit::tollway::Address;
use tollway_testkit::{Contract, Finding, TestChain};

fn careless() -> (TestChain, Contract, [Address; 2]) {
    let mut chain = TestChain::new();
    let accounts = chain.accounts(["alice", "bob"]);
    let contract = chain.deploy(CARELESS, &());
    (chain, contract, accounts)
}

/// The message with which something panics.
fn message<T>(what: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(what()))).expect_err("it panics");
    panic.downcast_ref::<String>().cloned().expect("the message was put together")
}

fn lints(chain: &TestChain, method: &str) -> Vec<String> {
    let lints = chain.lints();
    lints.of("careless", method).map(ToString::to_string).collect()
}

#[test]
fn a_wrong_declaration_is_a_miss_and_an_unused_one() {
    let (mut chain, careless, [alice, bob]) = careless();
    let block = chain.block([careless.call(alice, "pay", (bob, 5u128))]);
    assert_eq!(
        message(|| block.assert_no_misses()),
        "careless.pay(to: bob, amount: 5) by alice touched 1 keys that it does not declare:\n  \
         careless.pay: add shares[bob]"
    );
    assert_eq!(
        lints(&chain, "pay"),
        [
            "careless.pay: needs `add shares[bob]`, and declares nothing of it",
            "careless.pay: `write shares[caller]` is only added to or taken from: \
             `add shares[caller]` is enough",
            "careless.pay: `read notes[to]` is declared, and the one call did not use it",
        ]
    );
    let told = message(|| chain.assert_declares_only_used(careless, "pay"));
    assert!(told.contains("careless.pay: `read notes[to]` is declared"), "{told}");
}

#[test]
fn a_narrow_declaration_is_a_miss_that_tells_the_mode() {
    let (mut chain, careless, [alice, _]) = careless();
    let block = chain.block([careless.call(alice, "rename", 7u64)]);
    assert_eq!(
        block.calls[0].misses(),
        ["careless.rename: write notes[alice], which it declares as `read`"]
    );
    let findings: Vec<_> = chain.lints().iter().map(|lint| lint.finding).collect();
    // It is touched, so it is not unused as well.
    assert!(matches!(findings[..], [Finding::TooNarrow { .. }]), "{findings:?}");
}

#[test]
fn a_wide_declaration_is_told_with_what_would_do() {
    let (mut chain, careless, [alice, _]) = careless();
    let calls = [careless.call(alice, "deposit", 5u128), careless.call(alice, "limit_of_all", ())];
    chain.block(calls).succeeded().assert_no_misses();
    let told = message(|| chain.assert_all_used());
    assert_eq!(
        told,
        "more is declared than is used:\n  \
         careless.deposit: `write shares[caller]` is only added to or taken from: \
         `add shares[caller]` is enough\n  \
         careless.limit_of_all: `write limit` is only read: `read limit` is enough"
    );
}

#[test]
fn what_no_branch_reached_is_unused_until_one_does() {
    let (mut chain, careless, [alice, bob]) = careless();
    let give = |noting: bool| careless.call(alice, "give_all", (vec![alice, bob], noting));
    chain.run(give(false)).succeeded();
    chain.run(give(false)).succeeded();
    assert_eq!(
        lints(&chain, "give_all"),
        [
            "careless.give_all: `for item in all { write notes[item] }` is declared, and none of 2 calls \
          used it"
        ]
    );
    chain.run(give(true)).succeeded();
    assert!(chain.lints().is_empty());
    chain.assert_declares_only_used(careless, "give_all");
}

#[test]
fn adds_in_disguise_are_hinted_at_and_no_mistake() {
    let (mut chain, careless, [alice, _]) = careless();
    chain.run(careless.call(alice, "raise", 5u128)).succeeded();
    chain.run(careless.call(alice, "raise", 6u128)).succeeded();
    let found = lints(&chain, "raise");
    assert!(
        found[0].starts_with("careless.raise: hint: `write total`: total is read"),
        "{found:?}"
    );
    chain.assert_all_used();
    // What is returned, or decides, has to be read.
    chain.run(careless.call(alice, "raise_below", 6u128)).succeeded();
    chain.run(careless.call(alice, "raise_below", 600u128)).reverted_with("AboveLimit");
    assert_eq!(lints(&chain, "raise_below"), [""; 0]);
}

#[test]
fn what_depends_on_its_gas_is_left_out() {
    let (mut chain, careless, [alice, _]) = careless();
    let asks = |gas: u64| careless.call(alice, "has_gas", gas);
    assert!(chain.run(asks(1_000)).returned::<bool>());
    // It has more in a rehearsal, so there it comes to something else.
    assert!(!chain.run(asks(20_000_000)).returned::<bool>());
    let lints = chain.lints();
    assert_eq!(lints.skipped, 1);
    assert_eq!(lints.to_string(), "(1 calls depend on their gas, and count for nothing)");
}

#[test]
fn a_method_that_no_call_ran_cannot_be_asked_about() {
    let (chain, careless, _) = careless();
    let told = message(|| chain.assert_declares_only_used(careless, "pay"));
    assert_eq!(told, "no call ran careless.pay");
}

#[test]
fn calls_of_other_contracts_count_for_the_methods_that_they_run() {
    let mut chain = TestChain::new();
    let alice = chain.account("alice");
    let tokens = [chain.deploy(TOKEN, &alice), chain.deploy(TOKEN, &alice)];
    let pair = chain.deploy(PAIR, &(tokens[0].address, tokens[1].address, 30u16));
    for token in tokens {
        chain.run(token.call(alice, "mint", (alice, 1_000_000_000u128))).succeeded();
        chain.run(token.call(alice, "approve", (pair.address, 500_000_000u128))).succeeded();
    }
    let add = (1_000_000u128, 1_000_000u128, 0u128);
    chain.run(pair.call(alice, "add_liquidity", add)).succeeded();
    chain.run(pair.call(alice, "swap_0_for_1", (1_000u128, 0u128, alice))).succeeded();
    chain.run(pair.call(alice, "swap_1_for_0", (1_000u128, 0u128, alice))).succeeded();
    println!("{}", chain.lints());
    chain.assert_declares_only_used(pair, "swap_0_for_1");
    // No call of the test came from outside.
    chain.assert_declares_only_used(tokens[0], "transfer_from");
    chain.assert_all_used();
}

#[test]
fn the_samples_declare_what_they_use() {
    let mut chain = TestChain::new();
    let [owner, voter] = chain.accounts(["owner", "voter"]);
    let vote = chain.deploy(VOTE, &owner);
    chain.run(vote.call(owner, "set_weight", (voter, 3u128))).succeeded();
    chain.run(vote.call(owner, "open", (1u64, 100u64))).succeeded();
    chain.run(vote.call(voter, "vote", (1u64, 2u8))).succeeded();
    chain.assert_all_used();
    assert!(chain.lints().is_empty(), "{}", chain.lints());
}
