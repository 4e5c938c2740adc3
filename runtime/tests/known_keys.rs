//! Keys that nobody has to hand in and that are known all the same: under the call's identifier, and
//! under the shard of a value.

mod support;

use std::collections::BTreeSet;
use support::{World, call_with, everywhere, returned};
use tollway::host_api::shard::shard_of;
use tollway::{Address, Call, Config, Receipt};
use tollway_contracts_wasm::SYNTHETIC;

fn synthetics(world: &mut World) -> [Address; 2] {
    let code = world.upload(SYNTHETIC);
    [(); 2].map(|()| world.instantiate(code, &()))
}

fn decoded<T: borsh::BorshDeserialize>(receipt: &Receipt) -> T {
    borsh::from_slice(returned(receipt)).expect("the method returns this")
}

/// Runs a block of calls that wait for nobody, holds it against the oracle, and says so.
fn run_without_waiting(world: &mut World, calls: Vec<Call>) -> Vec<Receipt> {
    let block = world.next_block(calls.clone());
    let outcome = world.runtime.execute(&block).expect("the block is valid");
    assert_eq!(outcome.stats.repaired, 0);
    let plan = outcome.trace.expect("it was asked for").plan;
    assert_eq!(plan.critical_path_calls, 1);
    let receipts = world.run(calls);
    assert!(receipts.iter().all(|receipt| receipt.is_success() && receipt.misses == 0));
    receipts
}

#[test]
fn calls_that_store_under_their_identifier_do_not_wait_for_each_other() {
    let mut world = World::with(Config { threads: 2, trace: true, ..Config::default() });
    let [one, other] = synthetics(&mut world);
    let mut all = BTreeSet::new();
    for round in 0..2u64 {
        let note = |value: u64| call_with(one, "note", &value);
        let receipts = run_without_waiting(&mut world, (0..200).map(note).collect());
        let height = u128::from(world.runtime.head().0);
        for (index, receipt) in (0..).zip(&receipts) {
            let id: u128 = decoded(receipt);
            assert_eq!(id, height << 64 | index << 32);
            assert!(all.insert(id), "{round}");
        }
    }
    // With a second contract in each call, which stores under the same identifier.
    let calls: Vec<Call> = (0..200u64)
        .map(|value| match value % 2 {
            0 => call_with(one, "note_both", &(other, value)),
            _ => call_with(other, "note", &value),
        })
        .collect();
    let keys = world.runtime.state_entries().expect("the state can be read").len();
    let receipts = run_without_waiting(&mut world, calls);
    let ids: BTreeSet<u128> = receipts.iter().map(decoded).collect();
    assert_eq!(ids.len(), 200);
    let entries = world.runtime.state_entries().expect("the state can be read");
    assert_eq!(entries.len() - keys, 100 * 2 + 100);
}

#[test]
fn identifiers_are_never_those_of_next_id() {
    let mut world = World::with(Config { threads: 2, ..Config::default() });
    let [one, other] = synthetics(&mut world);
    let calls = (0..40u64).map(|index| match index % 2 {
        0 => call_with(one, "new_ids", &Some(other)),
        _ => call_with(one, "note", &index),
    });
    let receipts = world.run(calls.collect());
    let mut all = BTreeSet::new();
    for pair in receipts.chunks(2) {
        assert!(decoded::<Vec<u128>>(&pair[0]).into_iter().all(|id| all.insert(id)));
        assert!(all.insert(decoded(&pair[1])));
    }
    let height = u128::from(world.runtime.head().0);
    assert_eq!(all.first(), Some(&(height << 64 | 1)), "the first call's own is 0");
}

#[test]
fn shards_are_the_same_before_and_in_the_run() {
    everywhere(&Config::default(), |mut world, name| {
        let [one, _] = synthetics(&mut world);
        let key = |index: u64| vec![index as u8; (index * 7 % 150) as usize];
        let mix = |index: u64| Call {
            caller: Address::from_u64(index),
            ..call_with(one, "mix_shard", &(key(index), index))
        };
        let receipts = world.run((0..60).map(mix).collect());
        for (index, receipt) in (0..).zip(&receipts) {
            assert!(receipt.is_success() && receipt.misses == 0, "{name}: {receipt:?}");
            let caller = shard_of(&Address::from_u64(index).0, 8);
            let key = borsh::to_vec(&key(index)).expect("bytes encode");
            assert_eq!(decoded::<(u8, u8)>(receipt), (caller, shard_of(&key, 200)));
        }
    });
}
