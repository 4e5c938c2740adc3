//! What votes promise, who waits for whom, and what it costs.

use std::path::Path;
use tollway_contract_vote::vote;
use tollway_contracts_wasm::VOTE;
use tollway_testkit::tollway::Address;
use tollway_testkit::{TestChain, budget};

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
