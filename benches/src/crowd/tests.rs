//! The workloads end where they must, and the contracts keep their rules.

use super::*;
use crate::contracts::{OPERATOR, call, instantiate, next_block, query, set_up};
use crate::scaling::WORKERS;
use crate::turns::TurnOptions;
use tollway::{Address, Compiler, Config, Outcome, Runtime};
use tollway_contracts_wasm::VOTE;

fn turns(threads: &[usize], traced: bool) -> TurnOptions {
    TurnOptions { threads: threads.into(), blocks: 2, compiler: Compiler::default(), traced }
}

fn check(report: &CrowdReport, workload: &str, dist: &str, threads: &[usize]) {
    let records = &report.records;
    assert_eq!(records.iter().map(|record| record.threads).collect::<Vec<_>>(), threads);
    for record in records {
        println!("{record:?}");
        assert_eq!((record.workload, record.dist, record.blocks), (workload, dist, 2));
        assert!(record.ns_per_call_min <= record.ns_per_call_median);
        assert!(record.ns_per_call_median <= record.ns_per_call_max);
        assert!(record.gas_per_call > 0.0 && record.quiet_blocks <= 2);
        assert_eq!(record.state_root, records[0].state_root);
        assert_eq!(record.gas_per_call, records[0].gas_per_call);
    }
}

#[test]
fn payments_end_in_the_right_balances() {
    for payers in [Payers::Disjoint, Payers::Uniform] {
        let options = PaymentOptions { turns: turns(&[1, 2, 4], false), payers, block_calls: 500 };
        let report = payments::run(&options, &|_, _| {}).unwrap();
        check(&report, "payments", payers.name(), &[1, 2, 4]);
        assert_eq!(report.scaling, None);
    }
}

#[test]
fn votes_end_in_the_right_tallies() {
    let options = VoteOptions { turns: turns(&[1, 2], true), block_calls: 500 };
    let report = votes::run(&options, &|_, _| {}).unwrap();
    check(&report, "votes", "disjoint", &[1, 2]);
    let scaling = report.scaling.unwrap();
    assert_eq!(scaling.curve.len(), WORKERS.len());
    assert_eq!(scaling.checks.iter().map(|check| check.threads).collect::<Vec<_>>(), [1, 2]);
    // Nobody waits for anybody, so the calls alone go as far as they are many.
    let ideal: Vec<_> = scaling.curve.iter().map(|point| point.ideal_speedup).collect();
    assert!(ideal[1] > 1.9 && ideal[4] > 12.0, "{ideal:?}");
    assert!(scaling.costs.call_ns > 0.0 && scaling.costs.parts.len() == 7);
}

#[test]
fn a_model_needs_one_thread_and_more() {
    for threads in [[2, 4], [1, 1]] {
        let options = VoteOptions { turns: turns(&threads, true), block_calls: 50 };
        assert_eq!(votes::run(&options, &|_, _| {}).unwrap().scaling, None);
    }
}

#[test]
fn impossible_options_are_refused() {
    let payments = |turns: TurnOptions, block_calls| {
        let options = PaymentOptions { turns, payers: Payers::Disjoint, block_calls };
        payments::run(&options, &|_, _| {}).unwrap_err().to_string()
    };
    assert_eq!(payments(turns(&[1], false), 0), "a block has 1 to 100000 payments");
    assert_eq!(payments(turns(&[0], false), 5), "a thread count must be above 0");
    let votes = VoteOptions { turns: turns(&[1], false), block_calls: CALLERS_MAX + 1 };
    let refused = votes::run(&votes, &|_, _| {}).unwrap_err().to_string();
    assert_eq!(refused, "a block has 1 to 100000 votes");
}

/// A runtime with the voting contract, a proposal 1 that is open until height 3, and a voter of
/// weight 7.
fn assembly() -> (Runtime, Address) {
    let mut runtime = Runtime::new(Config { threads: 2, ..Config::default() }).unwrap();
    let code = runtime.upload(VOTE).unwrap();
    let contract = instantiate(&mut runtime, code, 0, (OPERATOR,)).unwrap();
    let until = runtime.head().0 + 3;
    let calls = [
        call(OPERATOR, contract, "open", (1u64, until)),
        call(OPERATOR, contract, "set_weight", (votes::voter(0), 7u128)),
    ];
    set_up(&mut runtime, &calls, &|_, _| {}).unwrap();
    (runtime, contract)
}

/// Runs and commits a block of calls; gives the error that each reverted with.
fn reverts(runtime: &mut Runtime, calls: Vec<tollway::Call>) -> Vec<Option<Vec<u8>>> {
    let block = next_block(runtime, calls);
    let outcome = runtime.execute(&block).unwrap();
    runtime.commit(outcome.batch).unwrap();
    let error = |receipt: &tollway::Receipt| {
        assert_eq!(receipt.misses, 0);
        match &receipt.outcome {
            Outcome::Returned(_) => None,
            Outcome::Reverted { error, .. } => Some(error.to_vec()),
            Outcome::Failed(failure) => panic!("{failure}"),
        }
    };
    outcome.receipts.iter().map(error).collect()
}

#[test]
fn votes_keep_the_rules() {
    let (mut runtime, contract) = assembly();
    let vote = |voter: usize, proposal: u64, choice: u8| {
        call(votes::voter(voter), contract, "vote", (proposal, choice))
    };
    // Errors are numbered in the order of the contract's enum.
    let error = |number: u8| Some(vec![number]);
    let calls = vec![
        vote(0, 2, 1),
        vote(0, 1, 3),
        vote(1, 1, 1),
        vote(0, 1, 1),
        vote(0, 1, 2),
        call(votes::voter(0), contract, "open", (2u64, 9u64)),
        call(OPERATOR, contract, "open", (1u64, 9u64)),
        call(votes::voter(1), contract, "set_weight", (votes::voter(1), 5u128)),
    ];
    let expected = [error(2), error(4), error(5), None, error(6), error(0), error(1), error(0)];
    assert_eq!(reverts(&mut runtime, calls), expected);
    let tally = |runtime: &Runtime, choice: u8| {
        query::<u128>(runtime, contract, "tally", (1u64, choice)).unwrap()
    };
    assert_eq!([0, 1, 2].map(|choice| tally(&runtime, choice)), [0, 7, 0]);
    // One more block in time, and one too late; weights may change meanwhile.
    let weigh = call(OPERATOR, contract, "set_weight", (votes::voter(1), 5u128));
    assert_eq!(reverts(&mut runtime, vec![weigh, vote(1, 1, 0)]), [None, None]);
    assert_eq!(reverts(&mut runtime, vec![vote(0, 1, 0)]), [error(3)]);
    assert_eq!([0, 1, 2].map(|choice| tally(&runtime, choice)), [5, 7, 0]);
}
