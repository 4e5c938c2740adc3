//! Keys that are known by their beginning alone: who waits for whom, what a miss is, what it costs.

mod support;

use support::puppet::{self, Cells, Op, act_leaf, act_undeclared, call_op};
use support::{World, call_with, everywhere, failure, returned};
use tollway::engine::gas::{BELOW_GAS_BYTE, BELOW_KEY_GAS, MISS_GAS};
use tollway::host_api::Mode;
use tollway::{Address, Call, Compiler, Config, Failure, Gas, OnMiss};
use tollway_contracts_wasm::SYNTHETIC;

/// A puppet whose cells all conflict: by no part of their keys.
fn whole(world: &mut World) -> Address {
    world.deploy(&puppet::wasm_by(Some(0)))
}

fn cells(mode: Mode) -> Cells {
    // Which one does not matter.
    match mode {
        Mode::Read => Cells { reads: vec![200], ..Cells::default() },
        Mode::Add => Cells { adds: vec![200], ..Cells::default() },
        Mode::Write => Cells { writes: vec![200], ..Cells::default() },
    }
}

fn group_call(contract: Address, group: u8, other: u8, writes: &[u32]) -> Call {
    let (reads, adds, peeks) = (vec![1u32, 2], vec![3u32], vec![4u32]);
    call_with(contract, "run_group", &(group, other, reads, writes.to_vec(), adds, peeks))
}

#[test]
fn calls_wait_by_prefix() {
    let mut world = World::with(Config { threads: 2, trace: true, ..Config::default() });
    let code = world.upload(SYNTHETIC);
    let synthetic = world.instantiate(code, &());
    for _ in 0..3 {
        let calls: Vec<Call> = (0..60u8)
            .map(|index| group_call(synthetic, index % 6, index % 6, &[index.into(), 2]))
            .collect();
        let block = world.next_block(calls.clone());
        let outcome = world.runtime.execute(&block).expect("the block is valid");
        assert_eq!(outcome.stats.repaired, 0);
        let trace = outcome.trace.expect("it was asked for");
        assert_eq!(trace.plan.critical_path_calls, 10);
        let hot: Vec<&str> = trace.hot_keys.iter().map(|key| &*key.name).collect();
        assert!(hot.contains(&"synthetic.groups[5, ..]"), "{hot:?}");
        let receipts = world.run(calls);
        assert!(receipts.iter().all(|receipt| receipt.is_success() && receipt.misses == 0));
    }
}

#[test]
fn readers_of_a_prefix_do_not_wait_and_adders_do() {
    let mut world = World::with(Config { threads: 2, trace: true, ..Config::default() });
    let puppet = whole(&mut world);
    let path = |world: &mut World, call: &dyn Fn(u8) -> Call| {
        let calls: Vec<Call> = (0..20).map(call).collect();
        let block = world.next_block(calls.clone());
        let trace = world.runtime.execute(&block).expect("the block is valid").trace;
        let receipts = world.run(calls);
        assert!(receipts.iter().all(|receipt| receipt.misses == 0));
        trace.expect("it was asked for").plan.critical_path_calls
    };
    let read = |cell| act_leaf(puppet, &[Op::Read(cell)], cells(Mode::Read));
    assert_eq!(path(&mut world, &read), 1);
    let write = |cell| act_leaf(puppet, &[Op::Write(cell)], cells(Mode::Write));
    assert_eq!(path(&mut world, &write), 20);
    // Another cell than the one that is declared, and no adder of the same waits less.
    let add = |cell| act_leaf(puppet, &[Op::Add(cell, 5)], cells(Mode::Add));
    assert_eq!(path(&mut world, &add), 20);
}

#[test]
fn what_a_prefix_is_declared_for_is_no_miss() {
    everywhere(&Config::default(), |mut world, name| {
        let puppet = whole(&mut world);
        let ops = [Op::Write(1), Op::Add(2, 7), Op::Remove(3), Op::Read(4), Op::Read(1)];
        let receipts = world.run(vec![
            act_leaf(puppet, &ops, cells(Mode::Write)),
            act_leaf(puppet, &[Op::Read(1), Op::Read(2)], cells(Mode::Read)),
            // Reading is no licence to write.
            act_leaf(puppet, &[Op::Read(1), Op::Write(1), Op::Write(9)], cells(Mode::Read)),
            act_leaf(puppet, &[Op::Read(9)], Cells::default()),
            act_undeclared(puppet, &[Op::Write(5), Op::Read(9)]),
            act_leaf(puppet, &[Op::Read(5), Op::Read(9)], cells(Mode::Read)),
        ]);
        let misses: Vec<u32> = receipts.iter().map(|receipt| receipt.misses).collect();
        assert_eq!(misses, [0, 0, 2, 1, 2, 0], "{name}");
        assert_eq!(world.cell(puppet, 2), Some(7), "{name}");
    });
}

#[test]
fn a_host_may_refuse_misses_below_prefixes() {
    let mut world = World::with(Config { threads: 2, on_miss: OnMiss::Fail, ..Config::default() });
    let puppet = whole(&mut world);
    let receipts = world.run(vec![
        act_leaf(puppet, &[Op::Write(1)], cells(Mode::Write)),
        act_leaf(puppet, &[Op::Read(1), Op::Write(1)], cells(Mode::Read)),
        act_leaf(puppet, &[Op::Read(1), Op::Read(2)], cells(Mode::Read)),
    ]);
    assert!(receipts[0].is_success() && receipts[2].is_success());
    assert_eq!(failure(&receipts[1]), &Failure::Undeclared { contract: puppet });
}

#[test]
fn inner_calls_that_fail_undo_what_they_did_below() {
    everywhere(&Config::default(), |mut world, name| {
        let code = world.upload(SYNTHETIC);
        let [one, other] = [(); 2].map(|()| world.instantiate(code, &()));
        let nested = |target: Address, fails: bool| {
            call_with(one, "nested_group", &(target, 1u8, fails, vec![0u32, 1, 2]))
        };
        let receipts = world.run(vec![
            nested(one, true),
            nested(one, false),
            nested(other, true),
            nested(other, false),
            group_call(one, 1, 2, &[0, 1]),
        ]);
        for receipt in &receipts {
            assert!(receipt.is_success() && receipt.misses == 0, "{name}: {receipt:?}");
        }
    });
    // The same by hand, where what is undone was there before.
    let mut world = World::new(2, Compiler::Cranelift);
    let (outer, inner) = (whole(&mut world), whole(&mut world));
    let undone = call_op(inner, "act_leaf", &[Op::Write(1), Op::Trap], &cells(Mode::Write));
    let kept = call_op(inner, "act_leaf", &[Op::Set(1, 5)], &cells(Mode::Write));
    let callees = [puppet::Callee { contract: inner, cells: cells(Mode::Write) }];
    let call = puppet::act(outer, &[kept, undone, Op::Set(3, 4)], cells(Mode::Write), &callees);
    let receipts = world.run(vec![call]);
    assert!(receipts[0].is_success() && receipts[0].misses == 0, "{:?}", receipts[0]);
    assert_eq!((world.cell(inner, 1), world.cell(outer, 3)), (Some(5), Some(4)));
}

#[test]
fn each_key_below_is_paid_for_once() {
    let mut world = World::new(2, Compiler::Cranelift);
    let (whole, plain) = (whole(&mut world), world.deploy(&puppet::wasm()));
    for puppet in [whole, plain] {
        world.run(vec![act_undeclared(puppet, &[Op::Set(1, 5)])]);
    }
    let gas = |world: &mut World, puppet, ops: &[Op], reads: &[u8]| {
        let cells = Cells { reads: reads.to_vec(), ..Cells::default() };
        world.run_one(act_leaf(puppet, ops, cells)).gas_used.0
    };
    let below = |world: &mut World, ops: &[Op]| gas(world, whole, ops, &[1]);
    let at_key = |world: &mut World, ops: &[Op]| gas(world, plain, ops, &[1]);
    let (once, twice) = ([Op::Read(1)], [Op::Read(1), Op::Read(1)]);
    let again = at_key(&mut world, &twice) - at_key(&mut world, &once);
    assert_eq!(below(&mut world, &twice) - below(&mut world, &once), again);
    // Sixteen bytes were there. A template without key parts takes one step less.
    let first = below(&mut world, &once) - below(&mut world, &[]);
    let first_at_key = at_key(&mut world, &once) - at_key(&mut world, &[]);
    assert_eq!(first, first_at_key + BELOW_KEY_GAS + 16 * BELOW_GAS_BYTE);
    const { assert!(BELOW_KEY_GAS < MISS_GAS) };
}

#[test]
fn history_and_queries_know_what_is_below() {
    let mut world = World::new(2, Compiler::Cranelift);
    let puppet = whole(&mut world);
    for amount in [5, 6] {
        world.run(vec![act_leaf(puppet, &[Op::Set(1, amount)], cells(Mode::Write))]);
    }
    let head = world.runtime.head();
    let before = world.runtime.storage_at(tollway::Height(head.0 - 1), puppet, &[0, 1]);
    let before = before.expect("the height is remembered").expect("it was set");
    assert_eq!(before[..1], [5]);
    let look = puppet::look(puppet, &[Op::Read(1)]);
    let found = world.runtime.query(puppet, "look", &look.args).expect("it runs");
    let expected = world.run_one(Call { gas_limit: Gas(1_000_000), ..look });
    assert_eq!(returned(&found), returned(&expected));
    let other = puppet::look(puppet, &[Op::Read(2)]);
    let other = world.runtime.query(puppet, "look", &other.args).expect("it runs");
    assert_ne!(returned(&found), returned(&other));
    world.runtime.rollback(tollway::Height(head.0 - 1)).expect("the backend has the height");
    assert_eq!(world.cell(puppet, 1), Some(5));
}
