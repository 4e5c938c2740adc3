//! Bounded debits: calls that take from a counter, and calls that add to it, do not wait for each
//! other, and every receipt, all gas and the state are those of running them one after another:
//! also where accounts are nearly empty, so that what the lanes took for granted often fails.

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use std::collections::BTreeMap;
use support::puppet::{self, Callee, Cells, Op, RevertOn, act, act_leaf, act_undeclared, call_op};
use support::{World, call_with, everywhere, failure, returned};
use tollway::{
    Address, BlockOutcome, Call, Compiler, Config, Failure, Gas, OnMiss, Outcome, Receipt,
};
use tollway_contracts_wasm::TOKEN;

fn sub(cell: u8, amount: u64) -> Op {
    Op::Sub(cell, amount, RevertOn::Less)
}

fn try_sub(cell: u8, amount: u64) -> Op {
    Op::Sub(cell, amount, RevertOn::Neither)
}

/// A call that declares adds to the cells that it adds to and takes from, and writes to others.
fn adding(puppet: Address, ops: &[Op]) -> Call {
    act_leaf(puppet, ops, cells_of(ops))
}

fn cells_of(ops: &[Op]) -> Cells {
    let mut cells = Cells::default();
    for op in ops {
        match op {
            Op::Add(cell, _) | Op::AddMost(cell) | Op::Sub(cell, ..) | Op::SubMost(cell) => {
                cells.adds.push(*cell);
            }
            Op::Read(cell) => cells.reads.push(*cell),
            Op::Write(cell) | Op::Set(cell, _) | Op::Spoil(cell) | Op::Remove(cell) => {
                cells.writes.push(*cell);
            }
            _ => {}
        }
    }
    cells
}

fn world(threads: usize) -> (World, Address) {
    let mut world = World::new(threads, Compiler::Cranelift);
    let puppet = world.deploy(&puppet::wasm());
    (world, puppet)
}

/// Executes a block without committing it.
fn execute(world: &mut World, calls: Vec<Call>) -> BlockOutcome {
    let block = world.next_block(calls);
    world.runtime.execute(&block).expect("the block is valid")
}

/// Runs a block, held against the oracle, and says how many calls ran again.
fn run_and_count(world: &mut World, calls: Vec<Call>) -> (Vec<Receipt>, u32) {
    let repaired = execute(world, calls.clone()).stats.repaired;
    (world.run(calls), repaired)
}

fn successes(receipts: &[Receipt]) -> Vec<bool> {
    receipts.iter().map(Receipt::is_success).collect()
}

#[test]
fn covered_debits_need_no_second_run() {
    everywhere(&Config::default(), |mut world, name| {
        let puppet = world.deploy(&puppet::wasm());
        let mut calls = vec![adding(puppet, &[Op::Add(1, 1_000)])];
        calls.extend((0..50).flat_map(|_| {
            [adding(puppet, &[sub(1, 20), Op::Add(2, 20)]), adding(puppet, &[sub(2, 1)])]
        }));
        let (receipts, repaired) = run_and_count(&mut world, calls);
        assert!(receipts.iter().all(Receipt::is_success), "{name}");
        assert_eq!(repaired, 0, "{name}");
        assert_eq!(world.cell(puppet, 1), Some(0));
        assert_eq!(world.cell(puppet, 2), Some(950));
    });
}

#[test]
fn losers_alone_run_again_and_get_the_truth() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        world.run(vec![adding(puppet, &[Op::Add(1, 100), Op::Add(3, 1)])]);
        let spend = |amount| adding(puppet, &[sub(1, amount), Op::Add(2, amount), Op::Emit]);
        let calls = vec![
            spend(60),
            adding(puppet, &[Op::Add(3, 1)]),
            // Not covered any more.
            spend(60),
            spend(40),
            // Nothing is left.
            spend(1),
            adding(puppet, &[Op::Add(1, 5)]),
            spend(5),
        ];
        let (receipts, repaired) = run_and_count(&mut world, calls);
        assert_eq!(successes(&receipts), [true, true, false, true, false, true, true]);
        assert_eq!(repaired, 2, "{threads} threads");
        assert!(receipts.iter().all(|receipt| receipt.misses == 0));
        assert_eq!(world.cell(puppet, 1), Some(0));
        assert_eq!(world.cell(puppet, 2), Some(105));
    }
}

#[test]
fn who_saw_what_a_loser_did_runs_again() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        let calls = vec![
            adding(puppet, &[Op::Add(1, 1)]),
            // In its lane it takes 2 and writes cell 5.
            adding(puppet, &[sub(1, 2), Op::Add(2, 2), Op::Write(5)]),
            adding(puppet, &[Op::Read(2), Op::Write(6)]),
            adding(puppet, &[Op::Read(5), Op::Write(7)]),
            // Covered by what the loser must not have added.
            adding(puppet, &[sub(2, 1), Op::Add(3, 1)]),
            adding(puppet, &[Op::Read(3)]),
        ];
        let (receipts, repaired) = run_and_count(&mut world, calls);
        assert_eq!(successes(&receipts), [true, false, true, true, false, true]);
        assert_eq!(repaired, 5);
    }
}

#[test]
fn the_first_of_a_block_knows_and_needs_no_second_run() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        world.run(vec![adding(puppet, &[Op::Add(1, 10)])]);
        let calls = vec![
            adding(puppet, &[sub(1, 11)]),
            // An absent counter is 0.
            adding(puppet, &[sub(2, 1)]),
            // Also after a reader.
            adding(puppet, &[Op::Read(3)]),
            adding(puppet, &[sub(3, 1)]),
        ];
        let (receipts, repaired) = run_and_count(&mut world, calls);
        assert_eq!(successes(&receipts), [false, false, true, false]);
        assert_eq!(repaired, 0);
    }
}

#[test]
fn what_the_first_knew_is_checked_against_what_repair_finds() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        // By the parent state the second has nothing; at its place it has 5.
        let receipts = world.run(vec![
            act_undeclared(puppet, &[Op::Add(1, 5)]),
            adding(puppet, &[sub(1, 5), Op::Emit]),
            act_undeclared(puppet, &[Op::Read(1)]),
        ]);
        assert_eq!(successes(&receipts), [true, true, true]);
        assert_eq!(world.cell(puppet, 1), Some(0));
    }
}

#[test]
fn gas_does_not_tell_what_was_known() {
    let (mut world, puppet) = world(2);
    world.run(vec![adding(puppet, &[Op::Add(1, 5)])]);
    let ask = || adding(puppet, &[try_sub(1, 3), Op::GasLeft, Op::Emit]);
    // Known, blind and right, blind and wrong.
    let calls = vec![ask(), adding(puppet, &[Op::Add(1, 1)]), ask(), ask()];
    let (receipts, repaired) = run_and_count(&mut world, calls);
    assert_eq!(repaired, 1);
    let gas: Vec<Gas> = [0, 2, 3].iter().map(|index: &usize| receipts[*index].gas_used).collect();
    assert!(gas.iter().all(|used| *used == gas[0]), "{gas:?}");
    assert_eq!(returned(&receipts[0]), returned(&receipts[2]));
    assert_ne!(returned(&receipts[0]), returned(&receipts[3]));
}

#[test]
fn an_answer_counts_though_the_debit_was_undone() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        let other = world.deploy(&puppet::wasm());
        let earlier = || adding(other, &[Op::Add(1, 3)]);
        // The inner call takes 4 and traps; what it saw shows in the status alone.
        let inner = [sub(1, 4), Op::Trap];
        let callee = Callee { contract: other, cells: cells_of(&inner) };
        let swallow = act(
            puppet,
            &[call_op(other, "act_leaf", &inner, &cells_of(&inner)), Op::Write(9)],
            Cells { writes: vec![9], ..Cells::default() },
            std::slice::from_ref(&callee),
        );
        // A revert because there was enough, where there is not.
        let reverting = adding(other, &[Op::Sub(1, 4, RevertOn::Done), Op::Add(2, 1)]);
        let calls = vec![earlier(), swallow, reverting, adding(other, &[try_sub(1, 3)])];
        let (receipts, repaired) = run_and_count(&mut world, calls);
        assert_eq!(successes(&receipts), [true, true, true, true]);
        assert_eq!(repaired, 2);
        assert_eq!(world.cell(other, 1), Some(0));
        assert_eq!(world.cell(other, 2), Some(1));
    }
}

#[test]
fn what_is_no_counter_ends_the_contract_that_takes_from_it() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        world.run(vec![act_leaf(puppet, &[Op::Spoil(1)], cells_of(&[Op::Spoil(1)]))]);
        for amount in [0, 5] {
            let take = || adding(puppet, &[try_sub(1, amount), Op::Emit]);
            let receipts = world.run(vec![take(), take()]);
            for receipt in &receipts {
                assert_eq!(failure(receipt), &Failure::AddOverflow { contract: puppet });
            }
        }
        // A caller may survive it, as it may survive a read of a sum that does not fit.
        let other = world.deploy(&puppet::wasm());
        let inner = [try_sub(1, 0)];
        let callee = Callee { contract: puppet, cells: cells_of(&inner) };
        let call = act(
            other,
            &[call_op(puppet, "act_leaf", &inner, &cells_of(&inner)), Op::Emit],
            Cells::default(),
            &[callee],
        );
        assert!(world.run_one(call).is_success());
        // So does a debit after an add, which alone would have failed at the end of the call.
        let receipt = world.run_one(adding(puppet, &[Op::Add(1, 5), try_sub(1, 3)]));
        assert_eq!(failure(&receipt), &Failure::AddOverflow { contract: puppet });
    }
}

#[test]
fn amounts_at_the_end_of_the_range() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        let receipts = world.run(vec![
            // From nothing, from all but one, from all.
            adding(puppet, &[Op::SubMost(1), Op::Emit]),
            adding(puppet, &[Op::AddMost(1), sub(1, 1), Op::SubMost(1)]),
            adding(puppet, &[Op::Add(1, 1), Op::SubMost(1), Op::Emit]),
            // The value between two steps is above the range, the one at the end is not.
            adding(puppet, &[Op::AddMost(1)]),
            adding(puppet, &[Op::Add(1, 7), sub(1, 9)]),
            // And here it is.
            adding(puppet, &[Op::Add(1, 9), sub(1, 6)]),
            // More than any counter holds, however much of it is asked for.
            adding(puppet, &[Op::SubMost(1), Op::SubMost(1), try_sub(1, 1), Op::Add(1, 1)]),
        ]);
        assert_eq!(successes(&receipts), [true, true, true, true, true, false, true]);
        assert_eq!(failure(&receipts[5]), &Failure::AddOverflow { contract: puppet });
        // What is added beyond the range without being taken ends the contract at once.
        let most = adding(puppet, &[Op::AddMost(2), Op::AddMost(2), Op::SubMost(2)]);
        let receipt = world.run_one(most);
        assert_eq!(failure(&receipt), &Failure::AddOverflow { contract: puppet });
    }
}

#[test]
fn a_debit_of_nothing_makes_a_counter() {
    let (mut world, puppet) = world(2);
    world.run(vec![adding(puppet, &[try_sub(1, 0)]), adding(puppet, &[try_sub(2, 1)])]);
    assert_eq!(world.cell(puppet, 1), Some(0));
    assert_eq!(world.cell(puppet, 2), None);
}

#[test]
fn a_view_takes_nothing() {
    let (mut world, puppet) = world(1);
    let trap = Failure::Trap { contract: puppet };
    for op in [sub(1, 0), Op::SubMost(1), Op::WriteTransient(1)] {
        let receipt = world.run_one(puppet::look(puppet, &[op]));
        assert_eq!(failure(&receipt), &trap);
    }
    let receipt = world.run_one(puppet::look(puppet, &[Op::ReadTransient(1), Op::Sequence]));
    assert!(receipt.is_success());
}

#[test]
fn a_debit_that_is_not_declared_is_a_miss() {
    let (mut world, puppet) = world(2);
    world.run(vec![adding(puppet, &[Op::Add(1, 5)])]);
    let reads = Cells { reads: vec![1], ..Cells::default() };
    for (cells, misses) in [(Cells::default(), 1), (reads, 1), (cells_of(&[sub(1, 1)]), 0)] {
        let receipt = world.run_one(act_leaf(puppet, &[sub(1, 1)], cells));
        assert_eq!((receipt.is_success(), receipt.misses), (true, misses));
    }
    // To read what may only be added to is one, before the debit and after it.
    for ops in [[sub(1, 1), Op::Read(1)], [Op::Read(1), sub(1, 1)]] {
        let cells = Cells { adds: vec![1], ..Cells::default() };
        let receipt = world.run_one(act_leaf(puppet, &ops, cells));
        assert_eq!((receipt.is_success(), receipt.misses), (true, 1));
    }
    assert_eq!(world.cell(puppet, 1), Some(0));
}

#[test]
fn losers_are_repaired_where_misses_fail() {
    for threads in 1..=4 {
        let on_miss = OnMiss::Fail;
        let mut world = World::with(Config { threads, on_miss, ..Config::default() });
        let puppet = world.deploy(&puppet::wasm());
        let receipts = world.run(vec![
            adding(puppet, &[Op::Add(1, 3)]),
            adding(puppet, &[sub(1, 2)]),
            adding(puppet, &[sub(1, 2), Op::Emit]),
            adding(puppet, &[try_sub(1, 2), Op::Emit]),
            act_leaf(puppet, &[sub(1, 1)], Cells::default()),
        ]);
        assert_eq!(successes(&receipts), [true, true, false, true, false]);
        assert!(matches!(receipts[2].outcome, Outcome::Reverted { .. }));
        assert_eq!(failure(&receipts[4]), &Failure::Undeclared { contract: puppet });
    }
}

#[test]
fn many_debits_in_one_call_are_one_premise() {
    let (mut world, puppet) = world(2);
    world.run(vec![adding(puppet, &[Op::Add(1, 1_000)])]);
    let ops: Vec<Op> = (0..400).map(|_| try_sub(1, 3)).collect();
    let cells = Cells { adds: vec![1], ..Cells::default() };
    let calls = vec![
        adding(puppet, &[Op::Add(1, 1)]),
        act_leaf(puppet, &ops, cells.clone()),
        act_leaf(puppet, &ops, cells),
    ];
    let (receipts, repaired) = run_and_count(&mut world, calls);
    assert!(receipts.iter().all(Receipt::is_success));
    assert_eq!(repaired, 2);
    assert_eq!(world.cell(puppet, 1), Some(2));
}

#[test]
fn the_trace_names_the_losers() {
    let mut world = World::with(Config { threads: 2, trace: true, ..Config::default() });
    let puppet = world.deploy(&puppet::wasm());
    let calls = vec![
        adding(puppet, &[Op::Add(1, 1)]),
        adding(puppet, &[sub(1, 1)]),
        adding(puppet, &[sub(1, 1)]),
    ];
    let trace = execute(&mut world, calls).trace.expect("it was asked for");
    let repaired: Vec<bool> = trace.calls.iter().map(|call| call.repaired).collect();
    assert_eq!(repaired, [false, false, true]);
}

// Tokens.

#[test]
fn payments_do_not_wait_for_each_other() {
    let mut world = World::with(Config { threads: 2, trace: true, ..Config::default() });
    let code = world.upload(TOKEN);
    let owner = Address::from_u64(1);
    let token = world.instantiate(code, &owner);
    let by = |caller: Address, call: Call| Call { caller, ..call };
    world.run(vec![by(owner, call_with(token, "mint", &(owner, 1_000u128)))]);
    let pay = |from: u64, to: u64, amount: u128| {
        let call = call_with(token, "transfer", &(Address::from_u64(to), amount));
        by(Address::from_u64(from), call)
    };
    // Out of one account and on, into one account, and to oneself.
    let mut calls: Vec<Call> = (2..22).map(|to| pay(1, to, 10)).collect();
    calls.extend((2..22).map(|from| pay(from, 30, 10)));
    calls.push(pay(30, 30, 200));
    calls.push(by(owner, call_with(token, "burn", &800u128)));
    let outcome = execute(&mut world, calls.clone());
    let trace = outcome.trace.expect("it was asked for");
    assert_eq!(outcome.stats.repaired, 0);
    assert_eq!(trace.plan.critical_path_calls, 1, "nobody waits");
    assert!(world.run(calls).iter().all(Receipt::is_success));
    // Short by one.
    let receipts = world.run(vec![pay(30, 1, 150), pay(30, 1, 51), pay(30, 1, 50)]);
    assert_eq!(successes(&receipts), [true, false, true]);
}

// Random blocks.

const CELLS: u8 = 3;

/// What a case has; `contract` is 0 or 1.
#[derive(Clone, Debug)]
struct Case {
    contract: usize,
    ops: Vec<Op>,
    /// An inner call to the other contract, put before the step of this index.
    inner: Option<(usize, Vec<Op>, Declares)>,
    declares: Declares,
}

#[derive(Clone, Copy, Debug)]
enum Declares {
    Rightly,
    /// Nothing, so that the call runs in repair alone.
    Nothing,
    /// What it takes from and adds to, but not what it reads or writes.
    AddsAlone,
    /// All as writes.
    Writes,
}

/// Credits and debits, which leave accounts nearly empty.
fn payment() -> impl Strategy<Value = Op> {
    let amount = || prop_oneof![8 => 0..6u64, 1 => 0..30u64];
    let revert_on = prop_oneof![
        3 => Just(RevertOn::Less),
        1 => Just(RevertOn::Done),
        3 => Just(RevertOn::Neither),
    ];
    prop_oneof![
        10 => (0..CELLS, amount()).prop_map(|(cell, amount)| Op::Add(cell, amount)),
        16 => (0..CELLS, amount(), revert_on)
            .prop_map(|(cell, amount, revert_on)| Op::Sub(cell, amount, revert_on)),
        1 => Just(Op::Emit),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let cell = || 0..CELLS;
    prop_oneof![
        27 => payment(),
        1 => cell().prop_map(Op::AddMost),
        1 => cell().prop_map(Op::SubMost),
        2 => cell().prop_map(Op::Read),
        2 => (cell(), 0..8u64).prop_map(|(cell, amount)| Op::Set(cell, amount)),
        1 => cell().prop_map(Op::Spoil),
        1 => cell().prop_map(Op::Remove),
        1 => Just(Op::Trap),
        1 => Just(Op::Revert),
        1 => Just(Op::GasLeft),
        1 => cell().prop_map(Op::ReadTransient),
        1 => cell().prop_map(Op::WriteTransient),
        1 => Just(Op::Sequence),
    ]
}

fn declares() -> impl Strategy<Value = Declares> {
    prop_oneof![
        12 => Just(Declares::Rightly),
        1 => Just(Declares::Nothing),
        1 => Just(Declares::AddsAlone),
        1 => Just(Declares::Writes),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let inner = proptest::option::weighted(0.3, (0..4usize, vec(op(), 0..4), declares()));
    (0..2usize, vec(op(), 1..5), inner, declares())
        .prop_map(|(contract, ops, inner, declares)| Case { contract, ops, inner, declares })
}

impl Declares {
    fn cells(self, ops: &[Op]) -> Cells {
        let right = cells_of(ops);
        match self {
            Self::Rightly => right,
            Self::Nothing => Cells::default(),
            Self::AddsAlone => Cells { adds: right.adds, ..Cells::default() },
            Self::Writes => {
                let writes = [right.reads, right.writes, right.adds].concat();
                Cells { writes, ..Cells::default() }
            }
        }
    }
}

impl Case {
    fn build(&self, contracts: [Address; 2]) -> Call {
        let contract = contracts[self.contract];
        let cells = self.declares.cells(&self.ops);
        let Some((place, inner, declares)) = &self.inner else {
            let call = match self.declares {
                Declares::Nothing => act_undeclared(contract, &self.ops),
                _ => act_leaf(contract, &self.ops, cells),
            };
            return Call { gas_limit: Gas(200_000), ..call };
        };
        let other = contracts[1 - self.contract];
        let inner_cells = declares.cells(inner);
        let mut ops = self.ops.clone();
        let inner = call_op(other, "act_leaf", inner, &inner_cells);
        ops.insert((*place).min(ops.len()), inner);
        let callees = [Callee { contract: other, cells: inner_cells }];
        Call { gas_limit: Gas(200_000), ..act(contract, &ops, cells, &callees) }
    }
}

/// Worlds are kept from case to case, because compiling takes most of a case's time.
#[derive(Default)]
struct Worlds(BTreeMap<(usize, &'static str, bool), (World, usize)>);

const CASES_PER_WORLD: usize = 32;

impl Worlds {
    fn with(&mut self, config: Config, test: impl FnOnce(&mut World)) {
        let fails = config.on_miss == OnMiss::Fail;
        let name = (config.threads, config.compiler.name(), fails);
        let (mut world, cases) = self.0.remove(&name).unwrap_or_else(|| (World::with(config), 0));
        test(&mut world);
        if cases + 1 < CASES_PER_WORLD {
            self.0.insert(name, (world, cases + 1));
        }
    }
}

fn runner(cases: u32) -> TestRunner {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    TestRunner::new(ProptestConfig {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/debits.txt",
        ))),
        ..ProptestConfig::default()
    })
}

/// Runs random blocks, each held against the oracle, and gives how many calls there were and how
/// many of them ran again without a miss of anybody in the block.
fn random_blocks(cases: u32, configs: &[Config], strategy: impl Strategy<Value = Vec<Vec<Case>>>) {
    let mut worlds = Worlds::default();
    let worlds = std::cell::RefCell::new(&mut worlds);
    let losers = std::cell::Cell::new(0u32);
    let result = runner(cases).run(&strategy, |blocks| {
        for config in configs {
            worlds.borrow_mut().with(config.clone(), |world| {
                let puppet = world.upload(&puppet::wasm());
                let contracts = [(); 2].map(|()| world.instantiate(puppet, &()));
                for block in &blocks {
                    let calls: Vec<Call> = block.iter().map(|case| case.build(contracts)).collect();
                    let (receipts, repaired) = run_and_count(world, calls);
                    if receipts.iter().all(|receipt| receipt.misses == 0) {
                        losers.set(losers.get() + repaired);
                    }
                }
            });
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(losers.get() > cases, "the blocks are lame: {} losers", losers.get());
}

fn config(threads: usize, compiler: Compiler) -> Config {
    Config { threads, compiler, ..Config::default() }
}

#[test]
fn random_debits_are_serial_on_any_number_of_threads() {
    let configs: Vec<Config> =
        [1, 2, 3, 8].map(|threads| config(threads, Compiler::Cranelift)).into();
    random_blocks(192, &configs, vec(vec(case(), 0..24), 1..4));
}

#[test]
fn random_debits_are_serial_with_any_compiler() {
    let configs = Compiler::ALL.map(|compiler| config(4, compiler));
    random_blocks(48, &configs, vec(vec(case(), 0..16), 1..3));
}

#[test]
fn random_debits_are_serial_where_misses_fail() {
    let config = Config { on_miss: OnMiss::Fail, ..config(4, Compiler::Cranelift) };
    random_blocks(128, &[config], vec(vec(case(), 0..24), 1..3));
}

/// Nothing but rightly declared credits and debits, which is where repair has only losers.
#[test]
fn random_payments_are_serial() {
    let pay = vec(payment(), 1..4).prop_map(|ops| Case {
        contract: 0,
        ops,
        inner: None,
        declares: Declares::Rightly,
    });
    let configs = [2, 5].map(|threads| config(threads, Compiler::Cranelift));
    random_blocks(128, &configs, vec(vec(pay, 20..60), 1..3));
}
