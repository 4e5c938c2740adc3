//! What a token promises, who waits for whom, and what it costs.

use std::collections::BTreeMap;
use std::path::Path;
use tollway_contract_token::token;
use tollway_contracts_wasm::TOKEN;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, Dice, TestChain, budget};

/// Every test runs the token as Wasm and natively.
fn chain() -> (TestChain, Contract, [Address; 3]) {
    chain_with(Config { threads: 4, ..Config::default() })
}

fn chain_with(config: Config) -> (TestChain, Contract, [Address; 3]) {
    let mut chain = TestChain::with(config);
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
fn a_grant_ends_with_its_call() {
    let (mut chain, token, [alice, bob, carol]) = chain();
    chain.run(token.call(alice, "mint", (bob, 100u128))).succeeded();
    let take = |amount: u128| token.call(carol, "transfer_granted", (bob, carol, amount));
    chain.run(take(1)).reverted_with("InsufficientAllowance");
    // Nothing of it is left for the next call, in the same block or later; `pay` has the other half.
    let grant = token.call(bob, "grant", (carol, u128::MAX));
    let block = chain.block([grant.clone(), take(1)]);
    let ended: Vec<bool> = block.calls.iter().map(|call| call.receipt.is_success()).collect();
    assert_eq!(ended, [true, false]);
    chain.assert_independent(&grant, &grant);
    chain.assert_independent(&take(0), &take(0));
    assert_eq!(chain.query::<u128>(token, "balance_of", bob), 100);
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

/// What a token is, in plain Rust.
#[derive(Default)]
struct Model {
    held: BTreeMap<Address, u128>,
    allowed: BTreeMap<(Address, Address), u128>,
    supply: u128,
}

impl Model {
    /// Moves tokens, out of an allowance if `by` is not who holds them. Whether it could.
    fn moves(&mut self, by: Address, from: Address, to: Option<Address>, amount: u128) -> bool {
        let allowed = self.allowed.get(&(from, by)).copied().unwrap_or(0);
        let held = self.held.get(&from).copied().unwrap_or(0);
        if held < amount || (by != from && allowed < amount) {
            return false;
        }
        if by != from && allowed != u128::MAX {
            self.allowed.insert((from, by), allowed - amount);
        }
        self.held.insert(from, held - amount);
        match to {
            Some(to) => *self.held.entry(to).or_default() += amount,
            None => self.supply -= amount,
        }
        true
    }
}

/// A call that makes sense, and whether it succeeds; the model is as after it.
fn any_call(
    token: Contract,
    accounts: &[Address; 3],
    model: &mut Model,
    dice: &mut Dice,
) -> (Call, bool) {
    let [by, from, to] = [(); 3].map(|()| *dice.pick(accounts));
    // Others than the payer spend what they were allowed.
    let spender = accounts.iter().copied().find(|account| *account != from).expect("there are 3");
    let amount = u128::from(dice.below(300));
    match dice.below(10) {
        0 => {
            let is_owner = by == accounts[0];
            if is_owner {
                *model.held.entry(to).or_default() += amount;
                model.supply += amount;
            }
            (token.call(by, "mint", (to, amount)), is_owner)
        }
        1 => (token.call(by, "burn", amount / 4), model.moves(by, by, None, amount / 4)),
        2 => {
            let limit = if dice.percent(20) { u128::MAX } else { 10 * amount };
            model.allowed.insert((from, spender), limit);
            (token.call(from, "approve", (spender, limit)), true)
        }
        3..6 => (token.call(by, "transfer", (to, amount)), model.moves(by, by, Some(to), amount)),
        _ => {
            let is_done = model.moves(spender, from, Some(to), amount);
            (token.call(spender, "transfer_from", (from, to, amount)), is_done)
        }
    }
}

#[test]
fn no_tokens_come_or_go_by_themselves_and_allowances_are_exact() {
    let (mut ran, mut succeeded) = (0, 0);
    for (seed, threads) in (0u64..).zip([1, 2, 4, 8]) {
        let (mut chain, token, accounts) = chain_with(Config { threads, ..Config::default() });
        // Whose calls are anything, and so known to no model.
        let other = chain.deploy(TOKEN, &accounts[0]);
        let mut random = RandomCalls::new(&chain, seed, [other]);
        let (mut model, mut dice) = (Model::default(), Dice::new(seed));
        for _ in 0..26 {
            let (mut calls, expected): (Vec<Call>, Vec<bool>) =
                (0..80).map(|_| any_call(token, &accounts, &mut model, &mut dice)).unzip();
            calls.extend(random.take(20));
            let block = chain.block(calls);
            block.assert_no_misses();
            ran += block.calls.len();
            for (call, expected) in block.calls.iter().zip(expected) {
                assert_eq!(call.receipt.is_success(), expected, "{call}");
                succeeded += usize::from(expected);
            }
            for owner in accounts {
                let held = model.held.get(&owner).copied().unwrap_or(0);
                assert_eq!(chain.query::<u128>(token, "balance_of", owner), held);
            }
            for (pair, allowed) in &model.allowed {
                assert_eq!(chain.query::<u128>(token, "allowance", *pair), *allowed);
            }
            assert_eq!(model.held.values().sum::<u128>(), model.supply);
            assert_eq!(chain.query::<u128>(token, "total_supply", ()), model.supply);
            // Of the other one, the rest is with addresses that the calls made up.
            let named = accounts.into_iter().chain([chain.account("deployer"), Address::ZERO]);
            let named = named.chain([token.address, other.address]);
            let held = named.map(|owner| chain.query::<u128>(other, "balance_of", owner));
            let (held, supply) = (held.sum::<u128>(), chain.query(other, "total_supply", ()));
            assert!(held <= supply, "{held} are held, {supply} exist");
        }
    }
    println!("{succeeded} of {ran} calls succeeded and were known to");
    assert!(ran >= 10_000 && succeeded * 2 > ran, "{succeeded} of {ran} calls succeeded");
}

#[test]
fn methods_keep_their_budget() {
    let (mut chain, token, [alice, bob, carol]) = chain();
    chain.run(token.call(alice, "mint", (bob, 1_000u128))).succeeded();
    chain.run(token.call(bob, "transfer", (carol, 100u128))).succeeded();
    chain.run(token.call(bob, "approve", (carol, 500u128))).succeeded();
    chain.run(token.call(carol, "transfer_from", (bob, alice, 100u128))).succeeded();
    chain.run(token.call(carol, "burn", 50u128)).succeeded();
    chain.run(token.call(bob, "grant", (carol, 5u128))).succeeded();
    chain.run(token.call(carol, "transfer_granted", (bob, alice, 0u128))).succeeded();
    chain.assert_all_used();
    println!("{}", chain.figures());
    budget::check(chain.figures(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"));
}
