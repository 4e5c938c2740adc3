//! One test runs a contract natively and as Wasm, and whatever differs fails it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use tollway_contract_careless::careless;
use tollway_contract_pair::pair;
use tollway_contract_token::token;
use tollway_contracts_wasm::{CARELESS, PAIR, TOKEN};
use tollway_testkit::native::NativeChain;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Failure};
use tollway_testkit::{Contract, TestChain};

/// The message with which something panics.
fn message<T>(what: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(what()))).expect_err("it panics");
    panic.downcast_ref::<String>().cloned().expect("the message was put together")
}

/// What is told of a call that does one thing natively and another as Wasm.
fn difference(how: u8) -> String {
    let mut chain = TestChain::new();
    let alice = chain.account("alice");
    let contract = chain.deploy(CARELESS, &());
    chain.also_native(contract, &careless::NATIVE);
    message(|| chain.run(contract.call(alice, "differ", how)))
}

#[test]
fn every_kind_of_difference_fails() {
    let does = |how: u8| format!("careless.differ(how: {how}) by alice does one thing natively");
    let parts = [
        "outcome: Returned([0, 0, 0, 0, 0, 0, 0, 0]) natively, Returned([1, 0",
        "events: [Event",
        "careless.total: Some(Some([0, 0",
        "outcome: Returned([0, 0, 0, 0, 0, 0, 0, 0]) natively, Reverted",
        "outcome: Returned([0, 0, 0, 0, 0, 0, 0, 0]) natively, Failed(Trap",
    ];
    for (how, part) in (0..).zip(parts) {
        let told = difference(how);
        assert!(told.starts_with(&does(how)) && told.contains(part), "{told}");
    }
}

#[test]
fn what_is_the_same_passes_and_what_depends_on_gas_is_left_out() {
    let mut chain = TestChain::new();
    let [alice, bob] = chain.accounts(["alice", "bob"]);
    let contract = chain.deploy(CARELESS, &());
    chain.also_native(contract, &careless::NATIVE);
    chain.run(contract.call(alice, "differ", 5u8)).succeeded();
    chain.run(contract.call(alice, "has_gas", 5_000_000u64)).succeeded();
    chain.run(contract.call(alice, "give_all", (vec![alice, bob], true))).succeeded();
    chain.run(contract.call(alice, "raise_below", 101u128)).reverted_with("AboveLimit");
    chain.run(contract.call(alice, "raise", 1u128)).succeeded();
    let overflow = chain.run(contract.call(alice, "raise", u128::MAX));
    assert!(matches!(overflow.failed(), Failure::Trap { .. }));
    assert_eq!(chain.query::<u128>(contract, "share_of", bob), 1);
    let short = tollway_testkit::tollway::Call {
        gas_limit: tollway_testkit::tollway::Gas(1_500),
        ..contract.call(alice, "raise", 1u128)
    };
    assert!(matches!(chain.run(short).failed(), Failure::OutOfGas));
}

fn exchange(chain: &mut TestChain) -> (Address, [Contract; 3]) {
    let alice = chain.account("alice");
    let tokens = [chain.deploy(TOKEN, &alice), chain.deploy(TOKEN, &alice)];
    let pair = chain.deploy(PAIR, &(tokens[0].address, tokens[1].address, 30u16));
    (alice, [tokens[0], tokens[1], pair])
}

#[test]
fn contracts_call_each_other_natively() {
    let mut chain = TestChain::new();
    let (alice, [token0, token1, pair]) = exchange(&mut chain);
    for token in [token0, token1] {
        chain.also_native(token, &token::NATIVE);
        chain.run(token.call(alice, "mint", (alice, 1_000_000_000u128))).succeeded();
        chain.run(token.call(alice, "approve", (pair.address, 2_000_000u128))).succeeded();
    }
    chain.also_native(pair, &pair::NATIVE);
    chain.run(pair.call(alice, "add_liquidity", (1_000_000u128, 1_000_000u128, 0u128))).succeeded();
    chain.run(pair.call(alice, "swap_0_for_1", (1_000u128, 0u128, alice))).succeeded();
    // A failure of the token comes through.
    let too_much = pair.call(alice, "swap_1_for_0", (1_500_000u128, 0u128, alice));
    chain.run(too_much).reverted_with("InsufficientAllowance");
    assert_eq!(chain.query::<u128>(pair, "quote_out", (token0.address, 1_000u128)), 994);
}

#[test]
fn random_calls_do_the_same_natively() {
    let mut chain = TestChain::new();
    let (_, [token0, token1, pair]) = exchange(&mut chain);
    chain.accounts(["bob", "carol"]);
    chain.also_native(token0, &token::NATIVE).also_native(token1, &token::NATIVE);
    chain.also_native(pair, &pair::NATIVE);
    for seed in 0..4 {
        let mut calls = RandomCalls::new(&chain, seed, [token0, token1, pair]);
        for _ in 0..4 {
            chain.block(calls.take(60));
        }
    }
}

#[test]
fn a_callee_without_a_twin_is_named() {
    let mut chain = TestChain::new();
    let (alice, [token0, _, pair]) = exchange(&mut chain);
    chain.also_native(pair, &pair::NATIVE);
    let call = pair.call(alice, "add_liquidity", (1_000_000u128, 1_000_000u128, 0u128));
    let told = message(|| chain.run(call));
    assert!(told.contains(&format!("0x{}", token0.address)), "{told}");
    assert!(told.contains("give it its native twin with `also_native`, too"), "{told}");
}

#[test]
fn another_contract_is_no_twin() {
    let mut chain = TestChain::new();
    let (_, [token0, ..]) = exchange(&mut chain);
    let told = message(|| {
        chain.also_native(token0, &pair::NATIVE);
    });
    assert_eq!(told, "the native contract pair is not what the Wasm of token was made of");
}

#[test]
fn contracts_run_without_any_wasm() {
    let mut chain = NativeChain::new();
    let [alice, bob] = chain.accounts(["alice", "bob"]);
    let [token0, token1] = [0; 2].map(|_| chain.deploy(&token::NATIVE, &alice));
    let pair = chain.deploy(&pair::NATIVE, &(token0.address, token1.address, 30u16));
    for token in [token0, token1] {
        chain.run(token.call(alice, "mint", (alice, 2_000_000u128))).succeeded();
        chain.run(token.call(alice, "approve", (pair.address, u128::MAX))).succeeded();
    }
    chain.run(pair.call(alice, "add_liquidity", (1_000_000u128, 1_000_000u128, 0u128))).succeeded();
    let swapped = chain.run(pair.call(alice, "swap_0_for_1", (1_000u128, 0u128, bob)));
    assert_eq!(swapped.succeeded().event("Swap")["amount1_out"].to_string(), "996");
    assert_eq!(chain.query::<u128>(token1, "balance_of", bob), 996);
    chain.run(token0.call(bob, "burn", 1u128)).reverted_with("InsufficientBalance");
}
