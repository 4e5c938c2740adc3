//! Who may do what, what is drawn, and what a claim learns of the token's refusal.

use borsh::BorshDeserialize;
use std::collections::BTreeSet;
use std::path::Path;
use tollway_contract_raffle::raffle::{Claimed, Prize};
use tollway_contracts_wasm::{RAFFLE, TOKEN};
use tollway_testkit::tollway::host_api::{Type, Variant};
use tollway_testkit::tollway::{Address, Outcome};
use tollway_testkit::{Contract, TestChain, budget};

struct Set {
    chain: TestChain,
    raffle: Contract,
    token: Contract,
    owner: Address,
    payer: Address,
    players: Vec<Address>,
}

impl Set {
    fn new() -> Self {
        let mut chain = TestChain::new();
        let [owner, payer] = chain.accounts(["owner", "payer"]);
        let players = (0..8).map(|number| chain.account(&format!("player {number}"))).collect();
        let token = chain.deploy(TOKEN, &owner);
        let raffle = chain.deploy_by(owner, RAFFLE, &(token.address, payer), owner);
        Self { chain, raffle, token, owner, payer, players }
    }

    fn draw(&mut self, by: Address, round: u64) -> Address {
        let args = (round, self.players.clone(), 10u128);
        self.chain.run(self.raffle.call(by, "draw", args)).succeeded().returned()
    }

    fn claim(&mut self, by: Address, round: u64) -> Claimed {
        self.chain.run(self.raffle.call(by, "claim", round)).succeeded().returned()
    }
}

#[test]
fn an_owner_hands_over_in_two_steps() {
    let Set { mut chain, raffle, owner, payer, players, .. } = Set::new();
    let (alice, bob) = (players[0], players[1]);
    let by = |who: Address, method: &str| raffle.call(who, method, ());
    let offer = |who: Address, to: Address| raffle.call(who, "offer", to);
    chain.run(offer(alice, alice)).reverted_with("NotOwner");
    chain.run(by(alice, "accept")).reverted_with("NotOffered");
    chain.run(offer(owner, alice)).succeeded();
    // An offer changes nothing until it is accepted, by nobody else.
    assert_eq!(chain.query::<Option<Address>>(raffle, "owner", ()), Some(owner));
    chain.run(by(bob, "accept")).reverted_with("NotOffered");
    chain.run(by(owner, "accept")).reverted_with("NotOffered");
    chain.run(raffle.call(alice, "grant", bob)).reverted_with("NotOwner");
    // A later offer takes its place; one to nobody takes it back.
    chain.run(offer(owner, bob)).succeeded();
    chain.run(by(alice, "accept")).reverted_with("NotOffered");
    chain.run(offer(owner, Address::ZERO)).succeeded();
    chain.run(by(bob, "accept")).reverted_with("NotOffered");
    chain.run(by(Address::ZERO, "accept")).reverted_with("NotOffered");
    chain.run(offer(owner, alice)).succeeded();
    chain.run(by(alice, "accept")).succeeded();
    assert_eq!(chain.query::<Option<Address>>(raffle, "owner", ()), Some(alice));
    // What was offered is gone, and so are the rights of the owner before.
    chain.run(by(alice, "accept")).reverted_with("NotOffered");
    chain.run(raffle.call(owner, "grant", payer)).reverted_with("NotOwner");
    chain.run(raffle.call(alice, "grant", payer)).succeeded();
}

#[test]
fn a_role_is_its_accounts_own() {
    let Set { mut chain, raffle, owner, players, .. } = Set::new();
    let (alice, bob) = (players[0], players[1]);
    let draw = |who: Address, round: u64| raffle.call(who, "draw", (round, players.clone(), 1u128));
    chain.run(draw(alice, 1)).reverted_with("NotDrawer");
    chain.run(raffle.call(owner, "grant", alice)).succeeded();
    chain.run(raffle.call(owner, "grant", alice)).succeeded();
    assert!(chain.query::<bool>(raffle, "may_draw", alice));
    assert!(!chain.query::<bool>(raffle, "may_draw", bob));
    chain.run(draw(alice, 1)).succeeded();
    chain.run(draw(bob, 2)).reverted_with("NotDrawer");
    // Checks do not meet; a check waits for who changes the same account's right alone.
    chain.assert_independent(&draw(alice, 3), &draw(alice, 4));
    chain.assert_independent(&draw(alice, 3), &raffle.call(owner, "grant", bob));
    chain.assert_conflicting(&draw(alice, 3), &raffle.call(owner, "revoke", alice));
    let block = [raffle.call(owner, "revoke", alice), draw(alice, 5)];
    let ran = chain.block(block).calls;
    ran[0].succeeded();
    ran[1].reverted_with("NotDrawer");
    chain.run(raffle.call(owner, "revoke", bob)).succeeded();
}

#[test]
fn the_seed_decides_and_nothing_else_repeats() {
    let Set { mut chain, raffle, .. } = Set::new();
    let caller = chain.account("caller");
    let numbers = |chain: &mut TestChain| -> Vec<(u64, u64)> {
        let calls = (0..50).map(|_| raffle.call(caller, "numbers", ()));
        chain.block(calls).succeeded().calls.iter().map(|call| call.returned()).collect()
    };
    let mut seen = BTreeSet::new();
    for seed in [[0; 32], [1; 32]] {
        chain.set_seed(seed);
        for _ in 0..2 {
            for (first, second) in numbers(&mut chain) {
                assert!(seen.insert(first) && seen.insert(second), "a number came twice");
            }
        }
    }
    // Another chain with the same seed draws the same: of a block at the same height.
    let again = |seed: [u8; 32]| {
        let Set { mut chain, .. } = Set::new();
        chain.set_seed(seed);
        numbers(&mut chain)
    };
    assert_eq!(again([5; 32]), again([5; 32]));
    assert_ne!(again([5; 32]), again([6; 32]));
}

#[test]
fn an_order_has_each_number_once() {
    let Set { mut chain, raffle, .. } = Set::new();
    let caller = chain.account("caller");
    let order = |chain: &mut TestChain, count: u32| -> Vec<u32> {
        chain.run(raffle.call(caller, "order", count)).succeeded().returned()
    };
    assert_eq!(order(&mut chain, 0), [0; 0]);
    assert_eq!(order(&mut chain, 1), [0]);
    let drawn = order(&mut chain, 100);
    assert_ne!(drawn, (0..100).collect::<Vec<_>>());
    assert_eq!(drawn.into_iter().collect::<BTreeSet<_>>(), (0..100).collect());
}

#[test]
fn a_claim_learns_why_it_was_not_paid() {
    let mut set = Set::new();
    let (owner, payer) = (set.owner, set.payer);
    set.chain.run(set.raffle.call(owner, "grant", owner)).succeeded();
    let winner = set.draw(owner, 1);
    assert!(set.players.contains(&winner));
    let args = (1u64, set.players.clone(), 10u128);
    set.chain.run(set.raffle.call(owner, "draw", args)).reverted_with("Drawn");
    set.chain
        .run(set.raffle.call(owner, "draw", (2u64, Vec::<Address>::new(), 1u128)))
        .reverted_with("Nobody");
    set.chain.run(set.raffle.call(owner, "claim", 1u64)).reverted_with("NotWinner");

    assert_eq!(set.claim(winner, 1), Claimed::NotApproved);
    let approve = set.token.call(payer, "approve", (set.raffle.address, 100u128));
    set.chain.run(approve).succeeded();
    assert_eq!(set.claim(winner, 1), Claimed::PayerIsPoor);
    set.chain.run(set.token.call(owner, "mint", (payer, 10u128))).succeeded();
    assert_eq!(set.claim(winner, 1), Claimed::Paid);
    assert_eq!(set.chain.query::<u128>(set.token, "balance_of", winner), 10);
    set.chain.run(set.raffle.call(winner, "claim", 1u64)).reverted_with("NotWinner");

    // One that fails without an error of its own, because the token is none.
    let nobody = set.chain.account("no contract");
    let bare = set.chain.deploy_by(owner, RAFFLE, &(nobody, payer), owner);
    set.chain.run(bare.call(owner, "grant", owner)).succeeded();
    let prize = Prize { winner: set.players[0], amount: 1 };
    let args = (1u64, vec![prize.winner], prize.amount);
    set.chain.run(bare.call(owner, "draw", args)).succeeded();
    let failed = set.chain.run(bare.call(prize.winner, "claim", 1u64));
    assert!(matches!(failed.succeeded().returned(), Claimed::Failed(_)));
}

#[test]
fn rounds_run_side_by_side() {
    let mut set = Set::new();
    let owner = set.owner;
    set.chain.run(set.raffle.call(owner, "grant", owner)).succeeded();
    let calls = (0..200)
        .map(|round: u64| set.raffle.call(owner, "draw", (round, set.players.clone(), 1u128)));
    let drawn = set.chain.block(calls.collect::<Vec<_>>());
    drawn.succeeded().assert_critical_path(1).assert_no_misses();
    let winners: BTreeSet<Address> =
        drawn.calls.iter().map(|call| call.returned::<Address>()).collect();
    assert_eq!(winners.len(), set.players.len(), "in 200 draws of 8 each wins once");
}

/// The interface's copy of the token's errors, as the token's ABI has them.
#[test]
fn the_interface_names_the_tokens_errors() {
    let mut set = Set::new();
    let owner = set.owner;
    let refused = set.token.call(owner, "transfer", (owner, 1u128));
    let Outcome::Reverted { error, .. } = set.chain.run(refused).receipt.outcome else {
        panic!("nobody has a token");
    };
    let error = tollway_interfaces::TokenError::try_from_slice(&error);
    assert_eq!(error.ok(), Some(tollway_interfaces::TokenError::InsufficientBalance));
    let index = set.chain.runtime().registry().find(&set.token.address).expect("it is there");
    let abi = &set.chain.runtime().registry().contract(index).code.abi;
    let names = |ty: &Type| match ty {
        Type::Enum { variants, .. } => {
            variants.iter().map(|Variant { name, .. }| name.to_string()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let ours = <tollway_interfaces::TokenError as tollway_sdk::Typed>::TYPE;
    assert_eq!(names(&ours), names(&abi.error[0]));
}

#[test]
fn costs_stay_in_the_budget() {
    let mut set = Set::new();
    let owner = set.owner;
    set.chain.run(set.raffle.call(owner, "grant", owner)).succeeded();
    let winner = set.draw(owner, 1);
    set.chain.run(set.token.call(owner, "mint", (set.payer, 10u128))).succeeded();
    set.chain.run(set.token.call(set.payer, "approve", (set.raffle.address, 100u128))).succeeded();
    assert_eq!(set.claim(winner, 1), Claimed::Paid);
    set.chain.run(set.raffle.call(owner, "offer", winner)).succeeded();
    set.chain.run(set.raffle.call(winner, "accept", ())).succeeded();
    let budget = Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml");
    budget::check(set.chain.figures(), &budget);
}
