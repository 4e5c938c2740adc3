//! What a call has to itself and leaves nowhere: transient storage, and identifiers that no stored
//! counter makes.

mod support;

use std::collections::BTreeSet;
use support::puppet::{self, Cells, Op, act_leaf, call_op};
use support::{World, call_with, everywhere, failure, returned};
use tollway::{Address, Call, Compiler, Config, Failure, Limits, Outcome, Receipt};
use tollway_contracts_wasm::SYNTHETIC;

/// A call that runs a script and declares nothing, because there is nothing to declare.
fn script(puppet: Address, ops: &[Op]) -> Call {
    act_leaf(puppet, ops, Cells::default())
}

fn world(threads: usize) -> (World, Address) {
    let mut world = World::new(threads, Compiler::Cranelift);
    let puppet = world.deploy(&puppet::wasm());
    (world, puppet)
}

#[test]
fn transient_values_live_as_long_as_the_call() {
    everywhere(&Config::default(), |mut world, _| {
        let puppet = world.deploy(&puppet::wasm());
        let ask = || script(puppet, &[Op::ReadTransient(1)]);
        let write = script(puppet, &[Op::WriteTransient(1), Op::ReadTransient(1)]);
        let receipts = world.run(vec![ask(), write, ask()]);
        assert_eq!(returned(&receipts[0]), returned(&receipts[2]));
        assert_ne!(returned(&receipts[0]), returned(&receipts[1]));
        assert_eq!(world.cell(puppet, 1), None);
    });
}

#[test]
fn transient_values_are_a_contracts_own_and_undone_with_its_failure() {
    let (mut world, puppet) = world(2);
    let other = world.deploy(&puppet::wasm());
    let inner = |ops: &[Op]| call_op(other, "act_leaf", ops, &Cells::default());
    let run = |world: &mut World, ops: &[Op]| {
        let receipt = world.run_one(script(puppet, ops));
        returned(&receipt).to_vec()
    };
    // The mix of a callee that reads is its output: so the same output is the same value.
    let fresh = run(&mut world, &[inner(&[]), inner(&[Op::ReadTransient(1)])]);
    let reverted =
        run(&mut world, &[inner(&[]), Op::WriteTransient(1), inner(&[Op::ReadTransient(1)])]);
    // The caller's own write is not seen by the callee.
    assert_eq!(fresh, reverted);
    let kept = run(&mut world, &[inner(&[Op::WriteTransient(1)]), inner(&[Op::ReadTransient(1)])]);
    assert_ne!(fresh, kept);
    // Undone: both callees of the second pair see nothing. Statuses differ, so compare by events.
    let undone =
        [inner(&[Op::WriteTransient(1), Op::Revert]), inner(&[Op::ReadTransient(1), Op::Emit])];
    let nothing = [inner(&[Op::Revert]), inner(&[Op::ReadTransient(1), Op::Emit])];
    let events = |world: &mut World, ops: &[Op]| world.run_one(script(puppet, ops)).events;
    assert_eq!(events(&mut world, &undone), events(&mut world, &nothing));
}

#[test]
fn transient_keys_are_bounded() {
    let limits = Limits { transient_keys_max: 3, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let puppet = world.deploy(&puppet::wasm());
    let write = |cells: &[u8]| {
        let ops: Vec<Op> = cells.iter().map(|cell| Op::WriteTransient(*cell)).collect();
        script(puppet, &ops)
    };
    assert!(world.run_one(write(&[1, 2, 3, 1, 2, 3])).is_success());
    let receipt = world.run_one(write(&[1, 2, 3, 4]));
    assert_eq!(failure(&receipt), &Failure::Trap { contract: puppet });
    // Together with those of callees, but without those that were undone.
    let other = world.deploy(&puppet::wasm());
    let inner = |ops: &[Op]| call_op(other, "act_leaf", ops, &Cells::default());
    let two = [Op::WriteTransient(1), Op::WriteTransient(2)];
    let full = [inner(&two), Op::WriteTransient(1), Op::WriteTransient(2)];
    let receipt = world.run_one(script(puppet, &full));
    assert_eq!(failure(&receipt), &Failure::Trap { contract: puppet });
    let undone = [
        inner(&[two[0].clone(), two[1].clone(), Op::Revert]),
        Op::WriteTransient(1),
        Op::WriteTransient(2),
        Op::WriteTransient(3),
    ];
    assert!(world.run_one(script(puppet, &undone)).is_success());
}

#[test]
fn numbers_are_unique_in_a_call_and_never_set_back() {
    let (mut world, puppet) = world(2);
    let other = world.deploy(&puppet::wasm());
    let run = |world: &mut World, ops: &[Op]| {
        let receipt = world.run_one(script(puppet, ops));
        returned(&receipt).to_vec()
    };
    let inner = |ops: &[Op]| call_op(other, "act_leaf", ops, &Cells::default());
    assert_eq!(run(&mut world, &[Op::Sequence]), run(&mut world, &[Op::Sequence]));
    // A callee's numbers are taken from the same row, and remain taken when it fails.
    let failing = |numbers: usize| inner(&[vec![Op::Sequence; numbers], vec![Op::Trap]].concat());
    let after = |world: &mut World, numbers: usize| run(world, &[failing(numbers), Op::Sequence]);
    assert_ne!(after(&mut world, 1), after(&mut world, 2));
}

// The sample contract.

fn synthetics(world: &mut World) -> [Address; 2] {
    let code = world.upload(SYNTHETIC);
    [(); 2].map(|()| world.instantiate(code, &()))
}

fn decoded<T: borsh::BorshDeserialize>(receipt: &Receipt) -> T {
    borsh::from_slice(returned(receipt)).expect("the output decodes")
}

#[test]
fn identifiers_are_unique_and_grow_with_time() {
    let mut world = World::new(4, Compiler::Cranelift);
    let [one, other] = synthetics(&mut world);
    let mut all: Vec<u128> = Vec::new();
    for _ in 0..3 {
        let ask = |index: usize| {
            let target = [None, Some(other)][index % 2];
            call_with(one, "new_ids", &target)
        };
        let receipts = world.run((0..20).map(ask).collect());
        all.extend(receipts.iter().flat_map(decoded::<Vec<u128>>));
    }
    assert_eq!(all.len(), 3 * (10 * 2 + 10 * 4));
    assert!(all.is_sorted(), "in block order, and in order within a call");
    let height = world.runtime.head().0;
    assert_eq!(all.last(), Some(&(u128::from(height) << 64 | 19 << 32 | 4)));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn makers_of_identifiers_do_not_wait_for_each_other() {
    let mut world = World::with(Config { threads: 2, trace: true, ..Config::default() });
    let [one, other] = synthetics(&mut world);
    let calls = (0..10).map(|_| call_with(one, "new_ids", &Some(other))).collect();
    let block = world.next_block(calls);
    let outcome = world.runtime.execute(&block).expect("the block is valid");
    assert_eq!(outcome.stats.repaired, 0);
    assert_eq!(outcome.trace.expect("it was asked for").plan.critical_path_calls, 1);
}

#[test]
fn a_transient_lock_holds_within_a_call_and_not_beyond() {
    everywhere(&Config::default(), |mut world, name| {
        let [one, other] = synthetics(&mut world);
        let enter = |target: Address, again| call_with(one, "guarded", &(target, again));
        let reverted = 1u32;
        let receipts = world.run(vec![
            enter(one, true),
            // It is each contract's own.
            enter(other, true),
            enter(one, false),
        ]);
        let statuses: Vec<u32> = receipts.iter().map(decoded).collect();
        assert_eq!(statuses, [reverted, 0, 0], "{name}");
        assert!(receipts.iter().all(|receipt| receipt.misses == 0));
    });
}

#[test]
fn what_passes_through_is_in_no_key() {
    let mut world = World::with(Config { threads: 2, trace: true, ..Config::default() });
    let [one, _] = synthetics(&mut world);
    let pass = |from: &[u32], to: &[u32], amount: u128| {
        call_with(one, "pass", &(0u8, from.to_vec(), to.to_vec(), amount))
    };
    let run =
        |method: &str| call_with(one, method, &(vec![0u32; 0], vec![0u32; 0], vec![1u32, 2], 0u64));
    world.run(vec![run("run"); 8]);
    let calls = vec![
        pass(&[1, 2], &[3, 4], 2),
        pass(&[1], &[3], 3),
        pass(&[2], &[], 1),
        // Pays more than came in, and has it undone.
        pass(&[1], &[3, 4], 1),
        pass(&[9], &[3], 1),
    ];
    let block = world.next_block(calls.clone());
    let outcome = world.runtime.execute(&block).expect("the block is valid");
    assert_eq!(outcome.trace.expect("it was asked for").plan.critical_path_calls, 1);
    let receipts = world.run(calls);
    let ends: Vec<bool> = receipts.iter().map(Receipt::is_success).collect();
    assert_eq!(ends, [true, true, true, false, false]);
    assert!(matches!(receipts[4].outcome, Outcome::Reverted { .. }));
    // What remained in the third is gone with the call, as it would be with a receipt's output.
    assert_eq!([0, 2].map(|index: usize| decoded::<u128>(&receipts[index])), [0, 1]);
}
