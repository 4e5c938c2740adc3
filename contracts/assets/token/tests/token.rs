//! What a token promises, who waits for whom, and what it costs.

use std::path::Path;
use tollway_contract_token::token;
use tollway_contracts_wasm::TOKEN;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::Address;
use tollway_testkit::{Contract, TestChain, budget};

/// Every test runs the token as Wasm and natively.
fn chain() -> (TestChain, Contract, [Address; 3]) {
    let mut chain = TestChain::new();
    let accounts = chain.accounts(["alice", "bob", "carol"]);
    let token = chain.deploy(TOKEN, &accounts[0]);
    chain.also_native(token, &token::NATIVE);
    (chain, token, accounts)
}

#[test]
fn tokens_move_and_are_counted() {
    let (mut chain, token, [alice, bob, carol]) = chain();
    let minted = chain.run(token.call(alice, "mint", (bob, 100u128)));
    assert_eq!(minted.succeeded().event("Transfer")["amount"].to_string(), "100");
    chain.run(token.call(bob, "mint", (bob, 1u128))).reverted_with("NotOwner");
    chain.run(token.call(bob, "transfer", (carol, 30u128))).succeeded();
    chain.run(token.call(bob, "transfer", (carol, 71u128))).reverted_with("InsufficientBalance");
    chain.run(token.call(carol, "burn", 10u128)).succeeded();
    let held = [bob, carol].map(|owner| chain.query::<u128>(token, "balance_of", owner));
    assert_eq!(held, [70, 20]);
    assert_eq!(chain.query::<u128>(token, "total_supply", ()), 90);
}

#[test]
fn others_move_what_they_were_allowed() {
    let (mut chain, token, [alice, bob, carol]) = chain();
    chain.run(token.call(alice, "mint", (bob, 100u128))).succeeded();
    let take = |amount: u128| token.call(carol, "transfer_from", (bob, alice, amount));
    chain.run(take(1)).reverted_with("InsufficientAllowance");
    chain.run(token.call(bob, "approve", (carol, 50u128))).succeeded().event("Approval");
    chain.run(take(50)).succeeded();
    chain.run(take(1)).reverted_with("InsufficientAllowance");
    assert_eq!(chain.query::<u128>(token, "allowance", (bob, carol)), 0);
    // Without limit, the allowance stays.
    chain.run(token.call(bob, "approve", (carol, u128::MAX))).succeeded();
    chain.run(take(50)).succeeded();
    chain.run(take(1)).reverted_with("InsufficientBalance");
    assert_eq!(chain.query::<u128>(token, "allowance", (bob, carol)), u128::MAX);
}

#[test]
fn payments_run_side_by_side() {
    let (mut chain, token, [alice, bob, carol]) = chain();
    let payers: Vec<Address> =
        (0..200).map(|number| chain.account(&format!("payer {number}"))).collect();
    let mint = |payer: &Address| token.call(alice, "mint", (*payer, 10u128));
    let minted = chain.block(payers.iter().map(mint));
    // All add to one supply, and adders wait for nobody.
    minted.succeeded().assert_critical_path(1).assert_no_misses();
    let pay = |payer: &Address| token.call(*payer, "transfer", (bob, 10u128));
    let paid = chain.block(payers.iter().map(pay));
    paid.succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!(chain.query::<u128>(token, "balance_of", bob), 2_000);

    // Also one account's own payments: debits are adds with a premise.
    let own = |amount: u128| token.call(bob, "transfer", (carol, amount));
    chain.assert_independent(&own(1), &own(2));
    // Who spends one allowance waits.
    let spend = |by: Address| token.call(by, "transfer_from", (bob, by, 1u128));
    chain.assert_conflicting(&spend(carol), &spend(carol));
    chain.assert_independent(&spend(carol), &spend(alice));
}

#[test]
fn no_tokens_come_or_go_by_themselves() {
    let (mut chain, token, accounts) = chain();
    for seed in 0..20 {
        let mut calls = RandomCalls::new(&chain, seed, [token]);
        for _ in 0..5 {
            let block = chain.block(calls.take(100));
            block.assert_no_misses();
            let zero = chain.query::<u128>(token, "balance_of", Address::ZERO);
            let itself = chain.query::<u128>(token, "balance_of", token.address);
            let deployer = chain.account("deployer");
            let named = accounts.into_iter().chain([deployer]);
            let held = named.map(|owner| chain.query::<u128>(token, "balance_of", owner));
            let supply = chain.query::<u128>(token, "total_supply", ());
            // The rest is with addresses that the calls made up.
            let held = held.fold(zero + itself, |sum, held| sum + held);
            assert!(held <= supply, "{held} are held, {supply} exist");
        }
    }
}

#[test]
fn methods_keep_their_budget() {
    let (mut chain, token, [alice, bob, carol]) = chain();
    chain.run(token.call(alice, "mint", (bob, 1_000u128))).succeeded();
    chain.run(token.call(bob, "transfer", (carol, 100u128))).succeeded();
    chain.run(token.call(bob, "approve", (carol, 500u128))).succeeded();
    chain.run(token.call(carol, "transfer_from", (bob, alice, 100u128))).succeeded();
    chain.run(token.call(carol, "burn", 50u128)).succeeded();
    chain.assert_all_used();
    println!("{}", chain.figures());
    budget::check(chain.figures(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"));
}
