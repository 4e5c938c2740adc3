//! What votes promise, who waits for whom, and what it costs.

use std::collections::BTreeMap;
use std::path::Path;
use tollway_contract_vote::vote;
use tollway_contracts_wasm::VOTE;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Dice, TestChain, budget};

#[test]
fn a_thousand_votes_on_one_proposal_run_side_by_side() {
    let mut chain = TestChain::new();
    let owner = chain.account("owner");
    let vote = chain.deploy(VOTE, &owner);
    // As Wasm and natively.
    chain.also_native(vote, &vote::NATIVE);
    let voters: Vec<Address> =
        (0..1_000).map(|number| chain.account(&format!("voter {number}"))).collect();
    let weigh = |voter: &Address| vote.call(owner, "set_weight", (*voter, 3u128));
    chain.block(voters.iter().map(weigh)).succeeded();
    chain.run(vote.call(owner, "open", (1u64, 100u64))).succeeded();
    let cast =
        |(number, voter): (usize, &Address)| vote.call(*voter, "vote", (1u64, (number % 3) as u8));
    let block = chain.block(voters.iter().enumerate().map(cast));
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let tallies = [0u8, 1, 2].map(|choice| chain.query::<u128>(vote, "tally", (1u64, choice)));
    assert_eq!(tallies, [1_002, 999, 999]);
    // Nobody votes twice.
    let again = vote.call(voters[0], "vote", (1u64, 0u8));
    chain.assert_conflicting(&again, &again);
    assert!(!chain.run(again).receipt.is_success());
    chain.assert_all_used();
    println!("{}", chain.figures());
    budget::check(chain.figures(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"));
}

#[test]
fn a_tally_is_the_weight_of_those_who_voted_once_and_in_time() {
    let (mut ran, mut succeeded) = (0, 0);
    for (seed, threads) in (0u64..).zip([1, 2, 4, 8]) {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let owner = chain.account("owner");
        let vote = chain.deploy(VOTE, &owner);
        chain.also_native(vote, &vote::NATIVE);
        let voters: Vec<Address> =
            (0..30).map(|number| chain.account(&format!("voter {number}"))).collect();
        // Whose calls are anything: of a contract of their own, they are known to no model.
        let other = chain.deploy(VOTE, &owner);
        let (mut random, mut dice) = (RandomCalls::new(&chain, seed, [other]), Dice::new(seed));
        let mut weights: BTreeMap<Address, u128> = BTreeMap::new();
        let mut open_until: BTreeMap<u64, u64> = BTreeMap::new();
        let mut voted: BTreeMap<(u64, Address), (u8, u128)> = BTreeMap::new();
        for round in 0..26u64 {
            let height = chain.height().0 + 1;
            let (mut calls, mut expected): (Vec<Call>, Vec<bool>) = (Vec::new(), Vec::new());
            for _ in 0..2 {
                // A few are opened for a second time.
                let proposal = 2 * round + dice.below(3);
                let is_new = !open_until.contains_key(&proposal);
                let last = height + dice.between(1, 4);
                open_until.entry(proposal).or_insert(last);
                calls.push(vote.call(owner, "open", (proposal, last)));
                expected.push(is_new);
            }
            while calls.len() < 90 {
                let voter = *dice.pick(&voters);
                if dice.below(6) == 0 {
                    let weight = u128::from(dice.below(50));
                    let by = if dice.percent(80) { owner } else { voter };
                    calls.push(vote.call(by, "set_weight", (voter, weight)));
                    expected.push(by == owner);
                    if by == owner {
                        weights.insert(voter, weight);
                    }
                    continue;
                }
                let proposal = (2 * round + 2).saturating_sub(dice.below(8));
                let choice = dice.below(20).min(3 + dice.below(20)) as u8 % 4;
                let weight = weights.get(&voter).copied().unwrap_or(0);
                let is_done = open_until.get(&proposal).is_some_and(|last| height <= *last)
                    && choice < vote::CHOICES
                    && weight > 0
                    && !voted.contains_key(&(proposal, voter));
                calls.push(vote.call(voter, "vote", (proposal, choice)));
                expected.push(is_done);
                if is_done {
                    voted.insert((proposal, voter), (choice, weight));
                }
            }
            calls.extend(random.take(10));
            let block = chain.block(calls);
            block.assert_no_misses();
            ran += block.calls.len();
            for (call, expected) in block.calls.iter().zip(expected) {
                assert_eq!(call.receipt.is_success(), expected, "{call}");
                succeeded += usize::from(expected);
            }
            for proposal in open_until.keys() {
                for choice in 0..vote::CHOICES {
                    let votes =
                        voted.iter().filter(|((of, _), (is, _))| of == proposal && *is == choice);
                    let sum: u128 = votes.map(|(_, (_, weight))| weight).sum();
                    assert_eq!(chain.query::<u128>(vote, "tally", (*proposal, choice)), sum);
                }
            }
        }
    }
    println!("{succeeded} of {ran} calls succeeded and were known to");
    assert!(ran >= 10_000 && succeeded * 4 > ran, "{succeeded} of {ran} calls succeeded");
}
