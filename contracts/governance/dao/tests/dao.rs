//! What a DAO promises, who waits for whom, and what it costs.

mod chamber;

use chamber::{
    ABSTAIN, AGAINST, Action, Chamber, DELAY_MS, FOR, GRACE_MS, Id, QUORUM_BP, THRESHOLD_BP,
    TIMELOCK_MS, UNLOCK_MS, VOTING_MS,
};
use num_bigint::BigUint;
use std::path::Path;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Dice, TestChain, budget};

/// Stages, as they are numbered.
const PENDING: u8 = 1;
const VOTING: u8 = 2;
const QUORUM_MISSED: u8 = 3;
const DEFEATED: u8 = 4;
const TIMELOCKED: u8 = 5;
const READY: u8 = 6;
const EXPIRED: u8 = 7;
const CANCELED: u8 = 8;
const EXECUTED: u8 = 9;

impl Chamber {
    /// Accounts that have locked so much.
    fn members(&mut self, stakes: &[u128]) -> Vec<Address> {
        let members = self.holders(stakes);
        let locks = members.iter().zip(stakes).map(|(member, stake)| self.lock(*member, *stake));
        let locks: Vec<Call> = locks.collect();
        self.chain.block(locks).succeeded();
        members
    }

    /// Runs to the first block that is not before `time_ms`.
    fn run_to(&mut self, time_ms: u64) {
        self.chain.pass_ms(time_ms.saturating_sub(self.chain.time_ms() + 1_000));
    }

    fn stage(&self, id: Id) -> u8 {
        self.chain.query(self.dao, "stage", (id,))
    }

    /// A proposal of the first member's, on which all of them have voted for something.
    fn voted(&mut self, number: u64, actions: &[Action], votes: &[(Address, u8)]) -> Id {
        let proposer = votes[0].0;
        self.chain.run(self.propose(proposer, number, actions)).succeeded();
        let id = (proposer, number);
        let opens_ms = self.chain.time_ms() + DELAY_MS;
        self.run_to(opens_ms);
        let cast: Vec<Call> =
            votes.iter().map(|(voter, choice)| self.vote(*voter, id, *choice)).collect();
        self.chain.block(cast).succeeded();
        self.run_to(opens_ms + VOTING_MS);
        self.chain.block([]);
        id
    }

    /// The same, ready to be executed.
    fn decided(&mut self, number: u64, actions: &[Action], votes: &[(Address, u8)]) -> Id {
        let id = self.voted(number, actions, votes);
        let closed_ms = self.chain.time_ms();
        self.run_to(closed_ms + TIMELOCK_MS);
        self.chain.block([]);
        assert_eq!(self.stage(id), READY);
        id
    }
}

#[test]
fn tokens_are_locked_and_come_back_after_a_while() {
    let mut chamber = Chamber::new(4);
    let [alice, bob] = chamber.holders(&[1_000, 10])[..] else { panic!("there are two") };
    let dao = chamber.dao;
    chamber.chain.run(chamber.lock(alice, 0)).reverted_with("ZeroAmount");
    chamber.chain.run(chamber.lock(bob, 11)).reverted_with("InsufficientBalance");
    chamber.chain.block([chamber.lock(alice, 600), chamber.lock(bob, 10)]).succeeded();
    chamber.chain.run(chamber.lock(alice, u128::MAX)).reverted_with("AmountTooLarge");
    let unlock = |amount: u128| dao.call(alice, "unlock", amount);
    let withdraw = dao.call(alice, "withdraw", ());
    chamber.chain.run(withdraw.clone()).reverted_with("NothingUnlocked");
    chamber.chain.run(unlock(601)).reverted_with("NotEnoughStake");
    chamber.chain.run(unlock(100)).succeeded();
    chamber.chain.run(unlock(50)).succeeded();
    let ready_ms = chamber.chain.time_ms() + UNLOCK_MS;
    assert_eq!(chamber.chain.query::<u128>(dao, "stake_of", alice), 450);
    assert_eq!(chamber.chain.query::<u128>(dao, "staked", ()), 460);
    assert_eq!(chamber.chain.query::<(u128, u64)>(dao, "unlocking_of", alice), (150, ready_ms));
    chamber.run_to(ready_ms - 1);
    chamber.chain.run(withdraw.clone()).reverted_with("NothingUnlocked");
    assert_eq!(chamber.chain.time_ms(), ready_ms - 1);
    assert_eq!(chamber.chain.run(withdraw.clone()).returned::<u128>(), 150);
    chamber.chain.run(withdraw).reverted_with("NothingUnlocked");
    assert_eq!(chamber.held(chamber.token, alice), 550);
    assert_eq!(chamber.held(chamber.token, dao.address), 460);
}

#[test]
fn a_vote_weighs_what_was_locked_before_the_proposal() {
    let mut chamber = Chamber::new(4);
    let [alice, bob, carol, dave] = chamber.holders(&[1_000; 4])[..] else { panic!("four") };
    chamber.chain.block([chamber.lock(alice, 500), chamber.lock(bob, 300)]).succeeded();
    // In the block of the proposal, before and after it.
    let mint = chamber.minting(alice, 1);
    let block = [
        chamber.lock(carol, 1_000),
        chamber.lock(alice, 100),
        chamber.propose(alice, 1, &[mint]),
        chamber.lock(bob, 100),
        chamber.dao.call(bob, "unlock", 250u128),
    ];
    chamber.chain.block(block).succeeded();
    let id = (alice, 1);
    let opens_ms = chamber.chain.time_ms() + DELAY_MS;
    chamber.chain.run(chamber.lock(dave, 1_000)).succeeded();
    chamber.chain.run(chamber.dao.call(alice, "unlock", 600u128)).succeeded();
    chamber.chain.run(chamber.vote(alice, id, FOR)).reverted_with("NotVoting");
    chamber.run_to(opens_ms);
    let weight = |who: Address| chamber.chain.query::<u128>(chamber.dao, "weight_of", (id, who));
    assert_eq!([alice, bob, carol, dave].map(weight), [500, 300, 0, 0]);
    let votes = [
        chamber.vote(carol, id, FOR),
        chamber.vote(dave, id, FOR),
        chamber.vote(alice, id, FOR),
        chamber.vote(bob, id, 3),
        chamber.vote(bob, id, AGAINST),
        chamber.vote(bob, id, FOR),
        chamber.vote(alice, (alice, 2), FOR),
    ];
    let block = chamber.chain.block(votes);
    let errors =
        ["NoWeight", "NoWeight", "", "UnknownChoice", "", "AlreadyVoted", "UnknownProposal"];
    for (ran, error) in block.calls.iter().zip(errors) {
        match error {
            "" => ran.succeeded(),
            error => ran.reverted_with(error),
        };
    }
    let tallies = [AGAINST, FOR, ABSTAIN]
        .map(|choice| chamber.chain.query::<u128>(chamber.dao, "tally", (id, choice)));
    assert_eq!(tallies, [300, 500, 0]);
    assert_eq!(
        chamber.chain.query::<Option<u8>>(chamber.dao, "choice_of", (id, bob)),
        Some(AGAINST)
    );
    chamber.run_to(opens_ms + VOTING_MS);
    chamber.chain.run(chamber.vote(bob, id, FOR)).reverted_with("NotVoting");
}

#[test]
fn quorum_and_threshold_are_exact() {
    // Four tenths of 10 000 are the quorum, more than half of those for and against decide.
    let cases = [
        ([0, 3_999, 0], QUORUM_MISSED),
        ([0, 4_000, 0], TIMELOCKED),
        ([0, 3_000, 999], QUORUM_MISSED),
        ([0, 3_000, 1_000], TIMELOCKED),
        ([5_000, 3_999, 0], QUORUM_MISSED),
        ([4_000, 4_000, 0], DEFEATED),
        ([4_000, 4_001, 0], TIMELOCKED),
        ([4_001, 4_000, 0], DEFEATED),
        ([0, 0, 5_000], DEFEATED),
        ([1, 1, 5_000], DEFEATED),
        ([1, 2, 5_000], TIMELOCKED),
        ([0, 0, 0], QUORUM_MISSED),
    ];
    for ([against, approving, abstaining], expected) in cases {
        check_outcome([against, approving, abstaining], 10_000, Some(expected));
    }
    // Stakes whose products need more than 128 bits, at and around both borders.
    let mut dice = Dice::new(1);
    for _ in 0..16 {
        let all = (1u128 << 120) + u128::from(dice.roll());
        let quorum = all / 10_000 * 4_000 + all % 10_000 * 4_000 / 10_000;
        let approving = quorum / 2 + u128::from(dice.below(3));
        let abstaining = quorum - quorum / 2 + u128::from(dice.below(3)) - 1;
        let against = approving + u128::from(dice.below(3)) - 1;
        check_outcome([against, approving, abstaining], all, None);
    }
}

/// Votes so, of `all` that is locked, and compares the stage with whole numbers of any size.
fn check_outcome(votes: [u128; 3], all: u128, expected: Option<u8>) {
    let mut chamber = Chamber::new(2);
    let cast: u128 = votes.iter().sum();
    let stakes = [votes[0], votes[1], votes[2], all - cast];
    let amounts = stakes.map(|stake| stake + 100);
    let holders = chamber.holders(&amounts);
    let locks: Vec<Call> = (holders.iter().zip(stakes))
        .filter(|(_, stake)| *stake > 0)
        .map(|(holder, stake)| chamber.lock(*holder, stake))
        .collect();
    chamber.chain.block(locks).succeeded();
    // Whoever has enough proposes.
    let proposer = holders.iter().zip(stakes).max_by_key(|(_, stake)| *stake).expect("some").0;
    let mint = chamber.minting(*proposer, 1);
    chamber.chain.run(chamber.propose(*proposer, 1, &[mint])).succeeded();
    let id = (*proposer, 1);
    let opens_ms = chamber.chain.time_ms() + DELAY_MS;
    chamber.run_to(opens_ms);
    let calls: Vec<Call> = (holders.iter().zip(stakes).zip([AGAINST, FOR, ABSTAIN]))
        .filter(|((_, stake), _)| *stake > 0)
        .map(|((holder, _), choice)| chamber.vote(*holder, id, choice))
        .collect();
    chamber.chain.block(calls).succeeded();
    chamber.run_to(opens_ms + VOTING_MS);
    chamber.chain.block([]);
    let [against, approving, abstaining] = votes.map(BigUint::from);
    let has_quorum = (&approving + &abstaining) * 10_000u32 >= BigUint::from(all) * QUORUM_BP;
    let is_approved = &approving * 10_000u32 > (&approving + &against) * THRESHOLD_BP;
    let computed = match (has_quorum, is_approved) {
        (false, _) => QUORUM_MISSED,
        (true, false) => DEFEATED,
        (true, true) => TIMELOCKED,
    };
    assert!(expected.is_none_or(|expected| expected == computed), "{votes:?} of {all}");
    assert_eq!(chamber.stage(id), computed, "{votes:?} of {all}");
    let closed_ms = chamber.chain.time_ms();
    chamber.run_to(closed_ms + TIMELOCK_MS);
    let executed = chamber.chain.run(chamber.execute(chamber.admin, id));
    match computed {
        QUORUM_MISSED => executed.reverted_with("QuorumMissed"),
        DEFEATED => executed.reverted_with("Defeated"),
        _ => executed.succeeded(),
    };
}

#[test]
fn what_passed_is_executed_after_the_timelock_and_before_it_expires() {
    let mut chamber = Chamber::new(4);
    let [alice, bob] = chamber.members(&[1_000, 500])[..] else { panic!("there are two") };
    let mint = chamber.minting(bob, 77);
    chamber.chain.run(chamber.propose(alice, 1, std::slice::from_ref(&mint))).succeeded();
    let id = (alice, 1);
    let execute = chamber.execute(bob, id);
    let made_ms = chamber.chain.time_ms();
    // At each border: the last millisecond of one stage, and the first of the next.
    let voted_ms = made_ms + DELAY_MS + VOTING_MS;
    let ready_ms = voted_ms + TIMELOCK_MS;
    assert_eq!(chamber.stage(id), PENDING);
    chamber.run_to(made_ms + DELAY_MS - 1);
    chamber.chain.run(execute.clone()).reverted_with("TooEarly");
    assert_eq!(chamber.stage(id), PENDING);
    chamber.run_to(made_ms + DELAY_MS);
    chamber.chain.run(chamber.vote(alice, id, FOR)).succeeded();
    assert_eq!(chamber.stage(id), VOTING);
    chamber.run_to(voted_ms - 1);
    chamber.chain.run(execute.clone()).reverted_with("TooEarly");
    assert_eq!(chamber.stage(id), VOTING);
    chamber.run_to(voted_ms);
    chamber.chain.run(execute.clone()).reverted_with("TooEarly");
    assert_eq!(chamber.stage(id), TIMELOCKED);
    chamber.run_to(ready_ms - 1);
    chamber.chain.run(execute.clone()).reverted_with("TooEarly");
    assert_eq!(chamber.chain.time_ms(), ready_ms - 1);
    chamber.chain.run(chamber.gold.call(alice, "mint", (bob, 77u128))).reverted_with("NotOwner");
    let ran = chamber.chain.run(execute.clone());
    assert_eq!(ran.succeeded().event("Executed")["actions"].to_string(), "1");
    assert_eq!(chamber.held(chamber.gold, bob), 77);
    assert_eq!(chamber.stage(id), EXECUTED);
    chamber.chain.run(execute).reverted_with("Closed");
    // Another one waits too long.
    let late = chamber.decided(2, &[mint], &[(alice, FOR)]);
    let ready_ms = chamber.chain.time_ms();
    chamber.run_to(ready_ms + GRACE_MS);
    chamber.chain.run(chamber.execute(bob, late)).reverted_with("Expired");
    assert_eq!(chamber.stage(late), EXPIRED);
    chamber.chain.run(chamber.execute(bob, (bob, 9))).reverted_with("UnknownProposal");
}

#[test]
fn actions_happen_all_or_not_at_all() {
    let mut chamber = Chamber::new(4);
    let alice = chamber.members(&[1_000])[0];
    let actions = [chamber.minting(alice, 5), chamber.paying(alice, 2_000_000)];
    let id = chamber.decided(1, &actions, &[(alice, FOR)]);
    chamber.chain.run(chamber.execute(alice, id)).reverted_with("InsufficientBalance");
    assert_eq!(chamber.held(chamber.gold, alice), 0);
    assert_eq!(chamber.stage(id), READY, "it can be tried again");
    chamber
        .chain
        .run(chamber.cash.call(chamber.admin, "mint", (chamber.dao.address, 1_000_000u128)))
        .succeeded();
    chamber.chain.run(chamber.execute(alice, id)).succeeded();
    assert_eq!(chamber.held(chamber.gold, alice), 5);
    assert_eq!(chamber.held(chamber.cash, alice), 2_000_000);
    // An action can't call the DAO itself, nor what is not there.
    let dao = chamber.dao.address;
    let again: Action = (dao, "withdraw".into(), vec![]);
    let nowhere: Action = (alice, "mint".into(), vec![]);
    for (number, action) in (2..).zip([again, nowhere]) {
        let id = chamber.decided(number, &[action], &[(alice, FOR)]);
        assert!(!chamber.chain.run(chamber.execute(alice, id)).receipt.is_success());
        assert_eq!(chamber.stage(id), READY);
    }
}

#[test]
fn payments_are_executed_with_known_access() {
    let mut chamber = Chamber::new(4);
    let [alice, bob, carol] = chamber.members(&[1_000, 10, 10])[..] else { panic!("three") };
    let actions = [chamber.paying(bob, 7), chamber.paying(carol, 8)];
    let id = chamber.decided(1, &actions, &[(alice, FOR)]);
    let cash = chamber.cash.address;
    let pay = |list: &[(Address, Address, u128)]| chamber.dao.call(bob, "pay", (id, list));
    let right = [(cash, bob, 7u128), (cash, carol, 8)];
    let wrong: [&[(Address, Address, u128)]; 6] = [
        &[],
        &right[..1],
        &[(cash, bob, 7), (cash, carol, 9)],
        &[(cash, bob, 7), (cash, bob, 8)],
        &[(cash, bob, 7), (chamber.token.address, carol, 8)],
        &[(cash, carol, 8), (cash, bob, 7)],
    ];
    let wrong = wrong.map(pay);
    let right = pay(&right);
    for call in wrong {
        chamber.chain.run(call).reverted_with("OtherPayments");
    }
    // Whoever pays somebody else does not wait.
    let other = chamber.token.call(alice, "transfer", (carol, 0u128));
    chamber.chain.assert_independent(&right, &other);
    let block = chamber.chain.block([right.clone(), other]);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!([bob, carol].map(|who| chamber.held(chamber.cash, who)), [7, 8]);
    chamber.chain.run(right).reverted_with("Closed");
    // A proposal that does something else is not for `pay`.
    let mint = chamber.minting(bob, 7);
    let id = chamber.decided(2, &[mint], &[(alice, FOR)]);
    let list = [(chamber.gold.address, bob, 7u128)];
    chamber.chain.run(chamber.dao.call(bob, "pay", (id, &list[..]))).reverted_with("OtherPayments");
}

#[test]
fn executing_reruns_only_what_it_changes() {
    let mut chamber = Chamber::new(4);
    let members = chamber.members(&vec![1_000; 200]);
    let alice = members[0];
    let mint = chamber.minting(alice, 5);
    let votes: Vec<(Address, u8)> = members.iter().map(|member| (*member, FOR)).collect();
    let id = chamber.decided(1, &[mint], &votes);
    chamber.chain.run(chamber.token.call(chamber.admin, "mint", (alice, 1_000u128))).succeeded();
    // In the middle of a block of payments, of which one asks for what is minted.
    let pay = |from: &Address| chamber.cash.call(*from, "transfer", (alice, 0u128));
    let mut calls: Vec<Call> = members.iter().map(pay).collect();
    calls.insert(100, chamber.execute(alice, id));
    calls.push(chamber.gold.call(alice, "transfer", (members[1], 5u128)));
    let block = chamber.chain.block(calls);
    block.succeeded();
    assert_eq!(chamber.held(chamber.gold, members[1]), 5);
    let plan = &block.trace.plan;
    assert_eq!(plan.undeclared, 1);
    let waiting = block.trace.calls.iter().filter(|call| !call.waits_for.is_empty()).count();
    assert_eq!(waiting, 0, "the others ran side by side");
    assert_eq!(plan.critical_path_calls, 2, "the proposal comes after them");
    // Run again are the proposal itself and the payment of what it minted.
    let repaired = block.trace.calls.iter().filter(|call| call.repaired).count();
    assert_eq!(repaired, 2);
}

#[test]
fn proposals_are_made_by_whoever_has_enough_and_canceled_by_two() {
    let mut chamber = Chamber::new(4);
    let [alice, bob, carol] = chamber.members(&[1_000, 99, 100])[..] else { panic!("three") };
    let mint = chamber.minting(alice, 1);
    let mint = std::slice::from_ref(&mint);
    chamber.chain.run(chamber.propose(bob, 1, mint)).reverted_with("NotEnoughStake");
    chamber.chain.run(chamber.propose(carol, 1, &[])).reverted_with("BadActions");
    let many = vec![mint[0].clone(); 17];
    chamber.chain.run(chamber.propose(carol, 1, &many)).reverted_with("BadActions");
    chamber.chain.run(chamber.propose(carol, 1, &many[..16])).succeeded();
    chamber.chain.run(chamber.propose(carol, 1, mint)).reverted_with("AlreadyProposed");
    chamber.chain.run(chamber.propose(alice, 1, mint)).succeeded();
    let stored: Vec<Action> = chamber.chain.query(chamber.dao, "actions_of", ((carol, 1u64),));
    assert_eq!(stored, many[..16]);
    let dao = chamber.dao;
    let cancel = |by: Address, id: Id| dao.call(by, "cancel", (id,));
    let (of_alice, of_carol) = ((alice, 1), (carol, 1));
    let calls = [
        cancel(bob, of_carol),
        cancel(alice, of_carol),
        cancel(carol, of_carol),
        cancel(carol, of_carol),
        cancel(chamber.guardian, (carol, 2)),
    ];
    let block = chamber.chain.block(calls);
    let errors = ["NotAllowed", "NotAllowed", "", "Closed", "UnknownProposal"];
    for (ran, error) in block.calls.iter().zip(errors) {
        match error {
            "" => ran.succeeded(),
            error => ran.reverted_with(error),
        };
    }
    assert_eq!(chamber.stage(of_carol), CANCELED);
    let made_ms = chamber.chain.time_ms();
    chamber.run_to(made_ms + DELAY_MS);
    chamber.chain.run(chamber.vote(alice, of_alice, FOR)).succeeded();
    chamber.chain.run(chamber.vote(alice, of_carol, FOR)).reverted_with("NotVoting");
    // The guardian stops what passed, in its timelock.
    chamber.run_to(made_ms + DELAY_MS + VOTING_MS);
    chamber.chain.run(cancel(chamber.guardian, of_alice)).succeeded();
    chamber.run_to(made_ms + DELAY_MS + VOTING_MS + TIMELOCK_MS);
    chamber.chain.run(chamber.execute(alice, of_alice)).reverted_with("Closed");
}

#[test]
fn a_stake_that_changes_too_often_waits_for_itself_alone() {
    let mut chamber = Chamber::new(4);
    let [alice, bob] = chamber.holders(&[1_000, 1_000])[..] else { panic!("there are two") };
    for _ in 0..16 {
        // Any number of changes in one block is one.
        chamber.chain.block([chamber.lock(alice, 5), chamber.lock(alice, 5)]).succeeded();
    }
    chamber.chain.run(chamber.lock(alice, 5)).reverted_with("TooManyChanges");
    chamber.chain.run(chamber.dao.call(alice, "unlock", 5u128)).reverted_with("TooManyChanges");
    chamber.chain.run(chamber.lock(bob, 5)).succeeded();
    chamber.chain.pass_ms(DELAY_MS + VOTING_MS);
    chamber.chain.run(chamber.lock(alice, 5)).succeeded();
    assert_eq!(chamber.chain.query::<u128>(chamber.dao, "stake_of", alice), 165);
}

#[test]
fn rules_have_to_be_such_that_can_be_kept() {
    let rules = |voting_ms: u64, grace_ms: u64, quorum: u16, threshold: u16| {
        (0u64, voting_ms, 0u64, grace_ms, 0u64, quorum, threshold, 0u128)
    };
    for rules in
        [rules(0, 1, 0, 0), rules(1, 0, 0, 0), rules(1, 1, 10_001, 0), rules(1, 1, 0, 10_000)]
    {
        let made = std::panic::catch_unwind(|| {
            let mut chain = TestChain::new();
            let owner = chain.account("owner");
            chain.deploy(tollway_contracts_wasm::DAO, &(owner, owner, rules))
        });
        let panic = made.expect_err("it cannot be made");
        let message = panic.downcast_ref::<String>().expect("the chain says why");
        assert!(message.ends_with("reverted with 0x00"), "{message}");
    }
}

#[test]
fn a_thousand_votes_on_one_proposal_run_side_by_side() {
    let mut chamber = Chamber::new(4);
    let members = chamber.holders(&vec![1_000; 1_000]);
    let locks: Vec<Call> = members.iter().map(|member| chamber.lock(*member, 1_000)).collect();
    let block = chamber.chain.block(locks);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let mint = chamber.minting(members[0], 1);
    chamber.chain.run(chamber.propose(members[0], 1, &[mint])).succeeded();
    let id = (members[0], 1);
    let opens_ms = chamber.chain.time_ms() + DELAY_MS;
    chamber.run_to(opens_ms);
    let votes: Vec<Call> = (members.iter().enumerate())
        .map(|(number, member)| chamber.vote(*member, id, (number % 3) as u8))
        .collect();
    let block = chamber.chain.block(votes);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let tallies =
        [0u8, 1, 2].map(|choice| chamber.chain.query::<u128>(chamber.dao, "tally", (id, choice)));
    assert_eq!(tallies, [334_000, 333_000, 333_000]);
    // Who votes does not wait for who locks or unlocks, but for canceling.
    let lock = chamber.lock(members[1], 1);
    let vote = |member: usize| chamber.vote(members[member], id, FOR);
    chamber.chain.assert_independent(&lock, &vote(2));
    chamber.chain.assert_conflicting(&lock, &vote(1));
    chamber.chain.assert_conflicting(&vote(1), &vote(1));
    chamber.chain.assert_conflicting(&chamber.dao.call(members[0], "cancel", (id,)), &vote(1));
    // A proposal reads what all have locked.
    let propose = chamber.propose(members[3], 1, &[]);
    chamber.chain.assert_conflicting(&lock, &propose);
    chamber.chain.assert_independent(&vote(2), &propose);
}

#[test]
fn methods_keep_their_budget() {
    let mut chamber = Chamber::new(4);
    let [alice, bob] = chamber.members(&[1_000, 500])[..] else { panic!("there are two") };
    let dao = chamber.dao;
    let actions = [chamber.paying(bob, 7), chamber.paying(bob, 8)];
    let first = chamber.decided(1, &actions, &[(alice, FOR), (bob, ABSTAIN)]);
    chamber.chain.run(chamber.execute(bob, first)).succeeded();
    let second = chamber.decided(2, &actions, &[(alice, FOR)]);
    chamber.chain.run(dao.call(alice, "stage", (second,))).succeeded();
    let list = [(chamber.cash.address, bob, 7u128), (chamber.cash.address, bob, 8)];
    chamber.chain.run(dao.call(bob, "pay", (second, &list[..]))).succeeded();
    chamber.chain.run(chamber.propose(alice, 3, &actions)).succeeded();
    chamber.chain.run(dao.call(alice, "cancel", ((alice, 3u64),))).succeeded();
    chamber.chain.run(dao.call(alice, "unlock", 5u128)).succeeded();
    chamber.chain.pass_ms(UNLOCK_MS);
    let calls = [
        dao.call(alice, "withdraw", ()),
        dao.call(alice, "stake_of", alice),
        dao.call(alice, "unlocking_of", alice),
        dao.call(alice, "staked", ()),
        dao.call(alice, "weight_of", (first, alice)),
        dao.call(alice, "tally", (first, FOR)),
        dao.call(alice, "choice_of", (first, alice)),
        dao.call(alice, "actions_of", (first,)),
        dao.call(alice, "stage", (first,)),
    ];
    chamber.chain.block(calls).succeeded();
    println!("{}\n{}", chamber.chain.figures(), chamber.chain.lints());
    chamber.chain.assert_all_used();
    budget::check(
        chamber.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
