//! Calls that touch what they did not declare: their result is the serial one, they pay for it, and
//! whoever saw too early a version runs again.

mod support;

use std::collections::BTreeSet;
use support::puppet::{self, Callee, Cells, Op, act, act_leaf, act_undeclared, call_op};
use support::{PLENTY, World, call_with, failure, returned};
use tollway::engine::gas::{DECLARED_KEY_GAS, MISS_GAS, RESOLVE_STEP_GAS};
use tollway::host_api::CallStatus;
use tollway::{
    Address, BlockOutcome, Call, Compiler, Config, Failure, Gas, Limits, OnMiss, Outcome, Receipt,
};

fn reads(cells: &[u8]) -> Cells {
    Cells { reads: cells.to_vec(), ..Cells::default() }
}

fn writes(cells: &[u8]) -> Cells {
    Cells { writes: cells.to_vec(), ..Cells::default() }
}

fn adds(cells: &[u8]) -> Cells {
    Cells { adds: cells.to_vec(), ..Cells::default() }
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

fn outcomes(receipts: &[Receipt]) -> Vec<&Outcome> {
    receipts.iter().map(|receipt| &receipt.outcome).collect()
}

#[test]
fn every_undeclared_key_is_surcharged_once() {
    let (mut world, puppet) = world(2);
    let ops = [
        Op::Read(1),
        Op::Write(1),
        Op::Read(1),
        Op::Add(2, 5),
        Op::Read(2),
        Op::Remove(3),
        Op::Write(4),
        Op::Emit,
    ];
    let full = act_leaf(puppet, &ops, writes(&[1, 2, 3, 4]));
    let declared = execute(&mut world, vec![full]).receipts.remove(0);
    assert_eq!(declared.misses, 0);
    // What is declared is paid for too: as keys, and as bytes, which the guest copies.
    let declared_gas = |cells: &Cells| {
        let keys: BTreeSet<&u8> =
            cells.reads.iter().chain(&cells.writes).chain(&cells.adds).collect();
        let bytes = cells.reads.len() + cells.writes.len() + cells.adds.len();
        // An element of a loop, a template, and its one part: three steps.
        let steps = 3 * bytes as u64;
        DECLARED_KEY_GAS * keys.len() as u64 + RESOLVE_STEP_GAS * steps + 2 * bytes as u64
    };
    let free = declared.gas_used.0 - declared_gas(&writes(&[1, 2, 3, 4]));
    for (cells, misses) in [
        (writes(&[1, 2, 3]), 1),
        (writes(&[2, 4]), 2),
        (reads(&[1, 2, 3, 4]), 4),
        // Adds to 2 are declared, reading it is not.
        (Cells { adds: vec![2], writes: vec![1, 3, 4], ..Cells::default() }, 1),
        (Cells::default(), 4),
    ] {
        for method in ["act_leaf", "act_reentrant"] {
            let call = puppet::act_as(puppet, method, &ops, cells.clone());
            let receipt = execute(&mut world, vec![call]).receipts.remove(0);
            assert_eq!(receipt.misses, misses, "{cells:?}");
            assert_eq!(receipt.outcome, declared.outcome, "{cells:?}");
            assert_eq!(receipt.events, declared.events, "{cells:?}");
            let surcharge = u64::from(misses) * MISS_GAS;
            assert_eq!(receipt.gas_used.0, free + declared_gas(&cells) + surcharge, "{cells:?}");
        }
    }
    let undeclared = execute(&mut world, vec![act_undeclared(puppet, &ops)]).receipts.remove(0);
    assert_eq!((undeclared.misses, &undeclared.outcome), (4, &declared.outcome));
}

#[test]
fn a_miss_in_a_failed_sub_call_stays_paid_for_and_open() {
    let (mut world, puppet) = world(2);
    let other = world.deploy(&puppet::wasm());
    let inner = |end| {
        let args = puppet::leaf_args(&[Op::Write(1), end], &Cells::default());
        Op::Call { contract: other, method: "act_leaf", gas: 100_000, args }
    };
    let again = call_op(other, "act_leaf", &[Op::Read(1), Op::Write(1)], &Cells::default());
    for end in [Op::Revert, Op::Trap, Op::Spin] {
        let call = act_undeclared(puppet, &[inner(end.clone()), again.clone()]);
        let receipt = execute(&mut world, vec![call]).receipts.remove(0);
        assert!(receipt.is_success());
        assert_eq!(receipt.misses, 1, "{end:?}");
    }
}

#[test]
fn what_cannot_pay_for_a_miss_runs_out_of_gas() {
    let (mut world, puppet) = world(2);
    for op in [Op::Read(1), Op::Write(1), Op::Add(1, 1), Op::Remove(1)] {
        let call = act_undeclared(puppet, std::slice::from_ref(&op));
        let used = execute(&mut world, vec![call.clone()]).receipts[0].gas_used;
        for short in [1, MISS_GAS / 2, MISS_GAS] {
            let call = Call { gas_limit: Gas(used.0 - short), ..call.clone() };
            let receipt = world.run_one(call);
            assert_eq!(failure(&receipt), &Failure::OutOfGas, "{op:?}, {short} short");
            assert_eq!(world.cell(puppet, 1), None);
        }
    }
}

#[test]
fn a_call_may_touch_so_many_undeclared_keys_and_no_more() {
    let limits = Limits { access_keys_max: 16, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let puppet = world.deploy(&puppet::wasm());
    let touching = |count: u8| (0..count).map(Op::Write).collect::<Vec<_>>();
    let receipt = world.run_one(act_undeclared(puppet, &touching(16)));
    assert_eq!(receipt.misses, 16);
    let receipt = world.run_one(act_undeclared(puppet, &touching(17)));
    assert_eq!(failure(&receipt), &Failure::Trap { contract: puppet });
    assert_eq!(receipt.misses, 16);
    // Declared ones are beside them.
    let declared: Vec<u8> = (100..116).collect();
    let receipt = world.run_one(act_leaf(puppet, &touching(16), writes(&declared)));
    assert_eq!((receipt.is_success(), receipt.misses), (true, 16));
    let declared: Vec<u8> = (100..117).collect();
    let receipt = world.run_one(act_leaf(puppet, &[], writes(&declared)));
    assert_eq!(failure(&receipt), &Failure::TooManyKeys { limit: 16 });
}

/// Adds 1 to a cell without declaring it.
fn secret_add(puppet: Address, cell: u8) -> Call {
    act_leaf(puppet, &[Op::Add(cell, 1)], Cells::default())
}

#[test]
fn calls_that_saw_too_early_a_version_run_again() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        let copy = |from: u8, to: u8| {
            let cells = Cells { reads: vec![from], writes: vec![to], ..Cells::default() };
            act_leaf(puppet, &[Op::Read(from), Op::Write(to)], cells)
        };
        // 1 changes behind the back of the plan, 2 and 3 follow from it; 10 and 11 do not.
        let calls = vec![
            act_undeclared(puppet, &[Op::Write(1)]),
            copy(1, 2),
            copy(10, 11),
            copy(2, 3),
            copy(11, 12),
            act_leaf(puppet, &[Op::Read(3)], reads(&[3])),
            act_leaf(puppet, &[Op::Read(12)], reads(&[12])),
        ];
        let outcome = execute(&mut world, calls.clone());
        assert_eq!(outcome.stats.repaired, 4, "{threads} threads");
        let honest = {
            let mut calls = calls.clone();
            calls[0] = act_leaf(puppet, &[Op::Write(1)], writes(&[1]));
            execute(&mut world, calls)
        };
        assert_eq!(honest.stats.repaired, 0);
        assert_eq!(outcomes(&outcome.receipts), outcomes(&honest.receipts));
        world.run(calls);
    }
}

#[test]
fn a_miss_that_changes_nothing_makes_nobody_stale() {
    let (mut world, puppet) = world(2);
    world.run_one(act_leaf(puppet, &[Op::Add(1, 5)], writes(&[1])));
    let reader = act_leaf(puppet, &[Op::Read(1)], reads(&[1]));
    // Reads, writes the same value, fails after writing.
    let mut calls = vec![
        act_undeclared(puppet, &[Op::Read(1)]),
        act_undeclared(puppet, &[Op::Add(1, 0)]),
        act_undeclared(puppet, &[Op::Write(1), Op::Revert]),
        act_undeclared(puppet, &[Op::Remove(1), Op::Add(1, 5)]),
    ];
    calls.extend(vec![reader; 10]);
    let outcome = execute(&mut world, calls.clone());
    assert_eq!(outcome.stats.repaired, 4);
    world.run(calls);
    assert_eq!(world.cell(puppet, 1), Some(5));
}

#[test]
fn misses_between_adds_are_seen_in_their_place() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        let add = |amount| act_leaf(puppet, &[Op::Add(1, amount)], adds(&[1]));
        let read = || act_leaf(puppet, &[Op::Read(1)], reads(&[1]));
        let calls = vec![
            add(1),
            secret_add(puppet, 1),
            add(10),
            read(),
            act_undeclared(puppet, &[Op::Remove(1)]),
            add(100),
            read(),
            secret_add(puppet, 1),
            add(1_000),
        ];
        world.run(calls);
        assert_eq!(world.cell(puppet, 1), Some(1_101));
    }
}

#[test]
fn a_repaired_call_that_takes_another_way_is_repaired_around() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        // The second declares 2 and touches 3 instead; both have readers and adders behind them.
        let wrong = act_leaf(puppet, &[Op::Read(1), Op::Write(3)], writes(&[2]));
        let calls = vec![
            act_undeclared(puppet, &[Op::Write(1)]),
            wrong.clone(),
            act_leaf(puppet, &[Op::Add(2, 7)], adds(&[2])),
            act_leaf(
                puppet,
                &[Op::Read(2), Op::Write(4)],
                Cells { reads: vec![2], writes: vec![4], ..Cells::default() },
            ),
            act_leaf(
                puppet,
                &[Op::Read(3), Op::Write(5)],
                Cells { reads: vec![3], writes: vec![5], ..Cells::default() },
            ),
            wrong,
            act_leaf(puppet, &[Op::Read(3), Op::Read(4), Op::Read(5)], reads(&[3, 4, 5])),
        ];
        world.run(calls);
    }
}

#[test]
fn failed_calls_pass_their_inputs_through() {
    for compiler in Compiler::ALL {
        for threads in 1..=4 {
            let mut world = World::new(threads, compiler);
            let puppet = world.deploy(&puppet::wasm());
            let add = |ops: &[Op]| {
                let ops = [&[Op::Add(1, 1), Op::Write(2)], ops].concat();
                act_leaf(puppet, &ops, writes(&[1, 2]))
            };
            let ends: [&[Op]; 6] = [
                &[],
                &[Op::Revert],
                &[Op::Trap],
                &[Op::Remove(1), Op::ReturnError],
                &[Op::Recurse(u32::MAX)],
                &[Op::Spin],
            ];
            let mut calls = Vec::new();
            for round in 0..60 {
                calls.push(add(ends[round * 7 % ends.len()]));
                if round % 5 == 0 {
                    calls.push(act_leaf(puppet, &[Op::Read(1), Op::Read(2)], reads(&[1, 2])));
                }
            }
            let limit = Gas(300_000);
            let calls = calls.into_iter().map(|call| Call { gas_limit: limit, ..call }).collect();
            let receipts = world.run(calls);
            assert_eq!(receipts.iter().filter(|receipt| !receipt.is_success()).count(), 50);
            assert_eq!(world.cell(puppet, 1), Some(10));
        }
    }
}

#[test]
fn a_chain_of_failures_alone_changes_nothing() {
    let (mut world, puppet) = world(4);
    let before = world.root();
    let failing = |ops: &[Op]| {
        act_leaf(
            puppet,
            &[&[Op::Write(1), Op::Add(2, 1)], ops].concat(),
            Cells { writes: vec![1], adds: vec![2], ..Cells::default() },
        )
    };
    let calls = [failing(&[Op::Trap]), failing(&[Op::Revert])];
    let outcome = execute(&mut world, calls.iter().cycle().take(50).cloned().collect());
    assert!(outcome.batch.is_empty());
    world.run(calls.iter().cycle().take(50).cloned().collect());
    assert_eq!(world.root(), before);
}

#[test]
fn an_add_that_overflows_fails_at_its_place_alone() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        let add = |op: Op| act_leaf(puppet, &[op], adds(&[1]));
        // Its other effects must go too, from sums that were already made with them.
        let failing = act_leaf(
            puppet,
            &[Op::Add(1, 3), Op::Add(2, 30), Op::Write(3), Op::Emit],
            Cells { adds: vec![1, 2], writes: vec![3], ..Cells::default() },
        );
        let read = |cell: u8| act_leaf(puppet, &[Op::Read(cell)], reads(&[cell]));
        let calls = vec![
            act_leaf(puppet, &[Op::Add(2, 4)], adds(&[2])),
            add(Op::Add(1, 1)),
            add(Op::AddMost(1)),
            add(Op::Add(1, 2)),
            failing.clone(),
            read(2),
            read(3),
            read(1),
            act_leaf(puppet, &[Op::Remove(1)], writes(&[1])),
            add(Op::AddMost(1)),
            failing,
            read(2),
            read(3),
            add(Op::Add(1, 0)),
            read(1),
        ];
        let receipts = world.run(calls);
        let failed: Vec<usize> =
            (0..receipts.len()).filter(|index| !receipts[*index].is_success()).collect();
        assert_eq!(failed, [2, 10], "{threads} threads");
        for index in failed {
            assert_eq!(failure(&receipts[index]), &Failure::AddOverflow { contract: puppet });
            assert_eq!(receipts[index].events, []);
        }
        assert_eq!(world.cell(puppet, 1), Some(u128::MAX));
        assert_eq!(world.cell(puppet, 2), Some(34));
    }
}

#[test]
fn adds_of_a_call_that_fails_only_in_repair_are_taken_back() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        // In its lane the second sees cell 4 empty, and succeeds; at its place it overflows.
        let receipts = world.run(vec![
            act_undeclared(puppet, &[Op::Add(4, 1)]),
            act_leaf(
                puppet,
                &[Op::AddMost(4), Op::Add(2, 7), Op::Write(3)],
                Cells { writes: vec![3, 4], adds: vec![2], ..Cells::default() },
            ),
            act_leaf(puppet, &[Op::Read(2)], reads(&[2])),
            act_leaf(puppet, &[Op::Read(3)], reads(&[3])),
            act_leaf(puppet, &[Op::Add(2, 1)], adds(&[2])),
        ]);
        assert_eq!(failure(&receipts[1]), &Failure::AddOverflow { contract: puppet });
        assert_eq!(world.cell(puppet, 2), Some(1));
    }
}

#[test]
fn an_add_to_what_is_no_counter_fails_at_its_place_alone() {
    for threads in 1..=4 {
        let (mut world, puppet) = world(threads);
        let add = || act_leaf(puppet, &[Op::Add(1, 1)], adds(&[1]));
        let receipts = world.run(vec![
            add(),
            act_leaf(puppet, &[Op::Spoil(1)], writes(&[1])),
            add(),
            add(),
            act_leaf(puppet, &[Op::Read(1)], reads(&[1])),
            act_leaf(puppet, &[Op::Remove(1)], writes(&[1])),
            add(),
        ]);
        let successes: Vec<bool> = receipts.iter().map(Receipt::is_success).collect();
        assert_eq!(successes, [true, true, false, false, true, true, true]);
        assert_eq!(world.cell(puppet, 1), Some(1));
    }
}

#[test]
fn a_declared_sub_call_is_no_miss() {
    let (mut world, puppet) = world(2);
    let other = world.deploy(&puppet::wasm());
    let ops = [Op::Read(1), Op::Write(2), Op::Add(3, 1)];
    let cells = Cells { reads: vec![1], writes: vec![2], adds: vec![3] };
    let inner = call_op(other, "act_leaf", &ops, &cells);
    let callees = [Callee { contract: other, cells: cells.clone() }];
    let ops = [inner, Op::Write(2)];
    let receipt = world.run_one(act(puppet, &ops, cells.clone(), &callees));
    assert_eq!((receipt.is_success(), receipt.misses), (true, 0));
    // The declaration counts, not what the inner call says of itself.
    let receipt = world.run_one(act(puppet, &ops, cells.clone(), &[]));
    assert_eq!((receipt.is_success(), receipt.misses), (true, 3));
    // Declared for a contract that is not there: no key at all, and no error.
    let nowhere = [Callee { contract: Address::from_u64(404), cells: cells.clone() }];
    let receipt = world.run_one(act(puppet, &ops, cells, &nowhere));
    assert_eq!((receipt.is_success(), receipt.misses), (true, 3));
}

// Where the host does not repair.

fn failing_world(threads: usize) -> (World, Address) {
    let on_miss = OnMiss::Fail;
    let mut world = World::with(Config { threads, on_miss, ..Config::default() });
    let puppet = world.deploy(&puppet::wasm());
    (world, puppet)
}

#[test]
fn a_host_may_fail_misses_instead() {
    for threads in 1..=4 {
        let (mut world, puppet) = failing_world(threads);
        let other = world.deploy(&puppet::wasm());
        let inner = call_op(other, "act_leaf", &[Op::Write(1)], &Cells::default());
        let receipts = world.run(vec![
            act_leaf(puppet, &[Op::Add(1, 1)], adds(&[1])),
            act_undeclared(puppet, &[Op::Add(1, 1)]),
            // Declares nothing, but touches nothing either.
            act_undeclared(puppet, &[Op::Emit]),
            act_leaf(puppet, &[Op::Write(2), Op::Emit, Op::Read(1)], writes(&[2])),
            act_leaf(
                puppet,
                &[Op::Read(2), Op::Read(1), Op::Write(3)],
                Cells { reads: vec![1, 2], writes: vec![3], ..Cells::default() },
            ),
            // A caller cannot swallow it.
            act_leaf(puppet, &[Op::Write(4), inner], writes(&[4])),
            act_leaf(puppet, &[Op::Add(1, 1)], adds(&[1])),
        ]);
        let undeclared = |contract| Failure::Undeclared { contract };
        let failed = |index: usize| failure(&receipts[index]).clone();
        assert_eq!(failed(1), undeclared(puppet));
        assert!(receipts[2].is_success());
        assert_eq!(failed(3), undeclared(puppet));
        assert!(receipts[4].is_success());
        assert_eq!(failed(5), undeclared(other));
        for index in [1, 3, 5] {
            assert_eq!(receipts[index].gas_used, PLENTY);
            assert_eq!(receipts[index].events, []);
        }
        assert_eq!(world.cell(puppet, 1), Some(2));
        assert_eq!([2, 4].map(|cell| world.cell(puppet, cell)), [None; 2]);
        assert_eq!(world.cell(other, 1), None);
    }
}

#[test]
fn a_host_that_fails_misses_still_runs_queries_and_init() {
    let (mut world, puppet) = failing_world(2);
    world.run_one(act_leaf(puppet, &[Op::Add(1, 7)], adds(&[1])));
    let args = puppet::leaf_args(&[Op::Read(1), Op::Write(2)], &Cells::default());
    let receipt = world.runtime.query(puppet, "act_undeclared", &args).unwrap();
    assert_eq!((receipt.is_success(), receipt.misses), (true, 0));
}

// The sample contract.

type Run = (Vec<u32>, Vec<u32>, Vec<u32>, u64);

fn synthetic() -> (World, Address) {
    let mut world = World::new(2, Compiler::Cranelift);
    let contract = world.deploy(tollway_contracts_wasm::SYNTHETIC);
    (world, contract)
}

/// A block of runs over few cells, each by another caller.
fn runs(contract: Address, method: impl Fn(usize) -> &'static str) -> Vec<Call> {
    (0..40u32)
        .map(|number| {
            let pick = |salt: u32| (number * 7 + salt * 3) % 5;
            let args: Run = (vec![pick(0), pick(1)], vec![pick(2)], vec![pick(3), 9], 10);
            let caller = Address::from_u64(number.into());
            Call { caller, ..call_with(contract, method(number as usize), &args) }
        })
        .collect()
}

#[test]
fn synthetic_runs_give_the_same_however_they_are_declared() {
    let outcomes_of = |method: fn(usize) -> &'static str| {
        let (mut world, contract) = synthetic();
        let receipts = world.run(runs(contract, method));
        let misses: u32 = receipts.iter().map(|receipt| receipt.misses).sum();
        let outcomes: Vec<Outcome> = receipts.into_iter().map(|receipt| receipt.outcome).collect();
        (outcomes, world.root(), misses)
    };
    let (outcomes, root, misses) = outcomes_of(|_| "run");
    assert_eq!(misses, 0);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Returned(_))));
    let mixed = |number: usize| ["run", "run_undeclared", "run_misdeclared"][number % 3];
    for (method, is_declared) in [
        ((|_| "run_overdeclared") as fn(usize) -> &'static str, true),
        (|_| "run_undeclared", false),
        (|_| "run_misdeclared", false),
        (mixed, false),
    ] {
        let found = outcomes_of(method);
        assert_eq!((found.0, found.1), (outcomes.clone(), root));
        assert_eq!(found.2 == 0, is_declared);
    }
}

#[test]
fn synthetic_swallows_the_failure_of_a_nested_call() {
    let (mut world, contract) = synthetic();
    let other = world.upload(tollway_contracts_wasm::SYNTHETIC);
    let other = world.instantiate(other, &());
    for (trap, status) in [(false, CallStatus::Reverted), (true, CallStatus::Trapped)] {
        let args = (other, 1u32, trap, vec![2u32, 3], vec![4u32]);
        let call = Call { gas_limit: Gas(1_000_000), ..call_with(contract, "nested_try", &args) };
        let receipt = world.run_one(call);
        assert_eq!(returned(&receipt), (status as u32).to_le_bytes());
    }
    let args = (contract, 1u32, Vec::<u32>::new(), Vec::<u32>::new(), Vec::<u32>::new());
    let receipt = world.run_one(call_with(contract, "nested", &args));
    assert!(!receipt.is_success(), "re-entry is refused");
    let receipt = world.run_one(call_with(contract, "nested_reentrant", &args));
    assert!(receipt.is_success(), "{receipt:?}");
}
