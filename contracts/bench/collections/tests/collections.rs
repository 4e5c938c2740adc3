//! Ordered maps, vectors, queues and sets in a contract, held against those of the standard library;
//! and what waits for what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use tollway_contract_collections::collections::{ListOp, MapOp};
use tollway_contracts_wasm::COLLECTIONS;
use tollway_testkit::tollway::{Address, Config};
use tollway_testkit::{Contract, TestChain};

/// Numbers that look random and are the same every time (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mix = self.0;
        mix = (mix ^ mix >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mix = (mix ^ mix >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mix ^ mix >> 31
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }
}

fn chain(threads: usize) -> (TestChain, Contract, Address) {
    let mut chain = TestChain::with(Config { threads, ..Config::default() });
    let caller = chain.account("caller");
    let contract = chain.deploy(COLLECTIONS, &());
    (chain, contract, caller)
}

/// A step on a map of keys below `keys`: in the beginning mostly new entries, later mostly removals.
fn map_op(random: &mut Random, keys: u64, grows: bool) -> MapOp {
    let key = random.below(keys);
    match random.below(13) {
        0 => MapOp::Get(key),
        12 if grows => MapOp::Set(key, random.next()),
        12 => MapOp::RemoveFirst(random.below(40) as u32),
        1 => MapOp::First,
        2 => MapOp::Last,
        3 => MapOp::Ascend(key, random.below(2) == 0, random.below(40) as u32),
        4 => MapOp::Descend(key, random.below(2) == 0, random.below(40) as u32),
        number if (number < 10) == grows => MapOp::Set(key, random.next()),
        _ => MapOp::Remove(key),
    }
}

fn map_model(map: &mut BTreeMap<u64, u64>, op: &MapOp) -> Vec<(u64, u64)> {
    let entry = |(key, value): (&u64, &u64)| (*key, *value);
    let bound = |key: u64, is_in: bool| match is_in {
        true => Bound::Included(key),
        false => Bound::Excluded(key),
    };
    match *op {
        MapOp::Get(key) => map.get(&key).map(|value| (key, *value)).into_iter().collect(),
        MapOp::Set(key, value) => {
            map.insert(key, value);
            Vec::new()
        }
        MapOp::Remove(key) => map.remove(&key).map(|value| (key, value)).into_iter().collect(),
        MapOp::First => map.first_key_value().map(entry).into_iter().collect(),
        MapOp::Last => map.last_key_value().map(entry).into_iter().collect(),
        MapOp::Ascend(key, is_in, count) => map
            .range((bound(key, is_in), Bound::Unbounded))
            .take(count as usize)
            .map(entry)
            .collect(),
        MapOp::Descend(key, is_in, count) => {
            let range = map.range((Bound::Unbounded, bound(key, is_in)));
            range.rev().take(count as usize).map(entry).collect()
        }
        MapOp::RemoveFirst(count) => {
            for _ in 0..count {
                map.pop_first();
            }
            Vec::new()
        }
    }
}

/// How many keys of storage there are.
fn stored(chain: &TestChain) -> usize {
    let entries = chain.runtime().state_entries().expect("the state can be read");
    entries.keys().filter(|key| key[0] == 2).count()
}

#[test]
fn an_ordered_map_is_a_btree_map() {
    for (seed, keys) in [(1, 40), (2, 2_000), (3, u64::MAX)] {
        let (mut chain, contract, caller) = chain(2);
        let (mut random, mut model, mut largest) = (Random(seed), BTreeMap::new(), 0);
        for round in 0..8 {
            let (mut calls, mut expected) = (Vec::new(), Vec::new());
            for _ in 0..25 {
                let mut ops = Vec::new();
                for _ in 0..10 {
                    // Keys that are there are removed too, where there are many that are not.
                    let op = match map_op(&mut random, keys, round < 5) {
                        MapOp::Remove(key) if keys > 1_000 => {
                            let next = model.range(key..).next().map_or(key, |(key, _)| *key);
                            MapOp::Remove(next)
                        }
                        op => op,
                    };
                    expected.push(map_model(&mut model, &op));
                    ops.push(op);
                }
                calls.push(contract.call(caller, "map", ops));
            }
            let block = chain.block(calls);
            block.succeeded().assert_no_misses();
            let found: Vec<Vec<(u64, u64)>> =
                block.calls.iter().flat_map(|call| call.returned::<Vec<Vec<_>>>()).collect();
            assert_eq!(found, expected, "seed {seed}, round {round}");
            largest = largest.max(model.len());
        }
        // More than two levels of nodes.
        assert!(seed == 1 || largest > 200, "{largest} entries at most");
        // Nothing is left behind of an empty one.
        let keys: Vec<u64> = model.keys().copied().collect();
        let remove = |keys: &[u64]| {
            let ops: Vec<MapOp> = keys.iter().map(|key| MapOp::Remove(*key)).collect();
            contract.call(caller, "map", ops)
        };
        chain.block(keys.chunks(10).map(remove)).succeeded();
        assert_eq!(stored(&chain), 0);
    }
}

/// A market of so many entries, in an order that looks random.
fn filled(chain: &mut TestChain, contract: Contract, count: u64) -> BTreeMap<u64, u64> {
    let caller = chain.account("caller");
    let mut random = Random(count);
    let entries: Vec<(u64, u64)> = (0..count).map(|_| (random.next(), random.next())).collect();
    let set = |chunk: &[(u64, u64)]| {
        let ops: Vec<MapOp> = chunk.iter().map(|(key, value)| MapOp::Set(*key, *value)).collect();
        contract.call(caller, "book", (0u32, ops))
    };
    chain.block(entries.chunks(20).map(set)).succeeded();
    entries.into_iter().collect()
}

#[test]
fn long_sweeps_find_every_entry_once_and_remove_on_the_way() {
    for (seed, page, down) in
        [(1, 1, false), (2, 7, true), (3, 16, false), (4, 16, true), (5, 100, false), (6, 33, true)]
    {
        let (mut chain, contract, caller) = chain(2);
        let mut model = filled(&mut chain, contract, 900 + seed);
        for _ in 0..2 {
            let mut values: Vec<u64> = model.values().copied().collect();
            if down {
                values.reverse();
            }
            let sum = (1..)
                .zip(&values)
                .fold(0u64, |sum, (place, value)| sum.wrapping_add(value.wrapping_mul(place)));
            let ran = chain.run(contract.call(caller, "sweep", (0u32, page, down)));
            ran.succeeded();
            assert_eq!(ran.returned::<(u64, u64)>(), (model.len() as u64, sum), "pages of {page}");
            model.retain(|_, value| *value % 2 == 0);
        }
        assert!(model.len() > 300, "{} entries are left", model.len());
        // First, last, and ranges across nodes that the sweep left half empty.
        let mut ops = vec![MapOp::First, MapOp::Last];
        for key in model.keys().step_by(40) {
            ops.extend([MapOp::Ascend(*key, false, 20), MapOp::Descend(*key, true, 20)]);
        }
        for chunk in ops.chunks(6) {
            let expected: Vec<_> = chunk.iter().map(|op| map_model(&mut model, op)).collect();
            let ran = chain.run(contract.call(caller, "book", (0u32, chunk.to_vec())));
            assert_eq!(ran.returned::<Vec<Vec<(u64, u64)>>>(), expected, "pages of {page}");
        }
    }
}

#[test]
fn entries_leave_from_the_front_all_at_once() {
    let (mut chain, contract, caller) = chain(2);
    let mut model = filled(&mut chain, contract, 800);
    // Parts of a node, whole nodes, whole inner nodes; in the end more than there are.
    for count in [0u32, 1, 3, 16, 150, 290, 2, 400] {
        let ops = vec![MapOp::RemoveFirst(count), MapOp::First, MapOp::Ascend(0, true, 60)];
        let expected: Vec<_> = ops.iter().map(|op| map_model(&mut model, op)).collect();
        let ran = chain.run(contract.call(caller, "book", (0u32, ops)));
        assert_eq!(ran.returned::<Vec<Vec<(u64, u64)>>>(), expected, "without {count} more");
    }
    assert_eq!(stored(&chain), 0, "nothing is left behind of an empty one");
    // One by one costs a multiple.
    let mut costs = Vec::new();
    for at_once in [true, false] {
        filled(&mut chain, contract, 100);
        let ops = match at_once {
            true => vec![MapOp::RemoveFirst(60)],
            false => vec![MapOp::RemoveFirst(1); 60],
        };
        let ran = chain.run(contract.call(caller, "book", (0u32, ops)));
        costs.push(ran.succeeded().gas());
        let rest = vec![MapOp::RemoveFirst(u32::MAX)];
        chain.run(contract.call(caller, "book", (0u32, rest))).succeeded();
    }
    assert!(10 * costs[0] < costs[1], "{costs:?}");
}

#[test]
fn gas_of_an_ordered_map_grows_with_the_logarithm() {
    let (mut chain, contract, caller) = chain(2);
    let mut costs = Vec::new();
    let mut key = Random(9);
    for count in [100, 1_900] {
        let calls: Vec<_> = (0..count / 10)
            .map(|_| {
                let ops: Vec<_> = (0..10).map(|_| MapOp::Set(key.next(), 7)).collect();
                contract.call(caller, "map", ops)
            })
            .collect();
        chain.block(calls).succeeded();
        let ran = chain.run(contract.call(caller, "map", vec![MapOp::Get(key.next())]));
        costs.push(ran.succeeded().gas());
    }
    assert!(costs[1] < 2 * costs[0], "twenty times the entries: {costs:?}");
}

#[test]
fn markets_do_not_wait_for_each_other() {
    let (mut chain, contract, caller) = chain(2);
    let mut models: [BTreeMap<u64, u64>; 4] = Default::default();
    let mut random = Random(4);
    for _ in 0..5 {
        let mut expected = Vec::new();
        let calls: Vec<_> = (0..80usize)
            .map(|index| {
                let market = index % 4;
                let ops: Vec<MapOp> = (0..6).map(|_| map_op(&mut random, 60, true)).collect();
                let model = &mut models[market];
                expected.push(ops.iter().map(|op| map_model(model, op)).collect::<Vec<_>>());
                contract.call(caller, "book", (market as u32, ops))
            })
            .collect();
        let block = chain.block(calls);
        block.succeeded().assert_no_misses().assert_critical_path(20);
        assert_eq!(block.critical_path(), 20);
        let found: Vec<Vec<Vec<(u64, u64)>>> =
            block.calls.iter().map(tollway_testkit::Ran::returned).collect();
        assert_eq!(found, expected);
    }
    // Which entry goes is not known before the call runs; that it is one of the market is.
    let block = chain.block((0..80u32).map(|index| contract.call(caller, "take_best", index % 4)));
    block.succeeded().assert_no_misses().assert_critical_path(20);
    for (index, call) in block.calls.iter().enumerate() {
        assert_eq!(call.returned::<Option<(u64, u64)>>(), models[index % 4].pop_first());
    }
    for (market, model) in (0u32..).zip(&models) {
        let best: Option<(u64, u64)> = chain.query(contract, "best", market);
        assert_eq!(best, model.first_key_value().map(|(key, value)| (*key, *value)));
    }
    let [here, there] = [0u32, 1].map(|market| contract.call(caller, "take_best", market));
    chain.assert_independent(&here, &there);
    let conflict = chain.conflict(&here, &here);
    assert!(conflict.is_some_and(|key| key.contains("[0, ..]")), "keys have names");
    // Who only looks waits for nobody who only looks.
    let looks = (0..50).map(|_| contract.call(caller, "best", 0u32));
    chain.block(looks).succeeded().assert_critical_path(1);
}

#[test]
fn texts_are_keys_in_their_own_order() {
    let (mut chain, contract, caller) = chain(1);
    let mut model = BTreeMap::new();
    let mut random = Random(5);
    for _ in 0..20 {
        let names: Vec<(String, String)> = (0..4)
            .map(|_| {
                let text = |random: &mut Random| "x".repeat(random.below(5) as usize);
                (format!("{}{}", random.below(9), text(&mut random)), text(&mut random))
            })
            .collect();
        let mut expected = Vec::new();
        for (name, value) in &names {
            expected
                .extend(model.insert(name.clone(), value.clone()).map(|old| (name.clone(), old)));
        }
        expected.extend(model.iter().rev().map(|(name, value)| (name.clone(), value.clone())));
        let ran = chain.run(contract.call(caller, "rename", names));
        assert_eq!(ran.returned::<Vec<(String, String)>>(), expected);
    }
}

fn list_op(random: &mut Random) -> ListOp {
    match random.below(8) {
        0 => ListOp::Len,
        1 => ListOp::Get(random.below(60) as u32),
        2 => ListOp::Set(random.below(60) as u32, random.next()),
        3 | 4 => ListOp::Pop,
        _ => ListOp::Push(random.next()),
    }
}

#[test]
fn vectors_and_queues_are_those_of_the_standard_library() {
    let (mut chain, contract, caller) = chain(2);
    let (mut list, mut queue) = (Vec::new(), VecDeque::new());
    let mut random = Random(6);
    for _ in 0..6 {
        let (mut calls, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            let ops: Vec<ListOp> = (0..12).map(|_| list_op(&mut random)).collect();
            expected.push(ops.iter().map(|op| list_model(&mut list, op)).collect::<Vec<_>>());
            calls.push(contract.call(caller, "list", ops));
            let ops: Vec<ListOp> = (0..12).map(|_| list_op(&mut random)).collect();
            expected.push(ops.iter().map(|op| queue_model(&mut queue, op)).collect());
            calls.push(contract.call(caller, "queue", ops));
        }
        let block = chain.block(calls);
        block.succeeded().assert_no_misses().assert_critical_path(20);
        let found: Vec<Vec<Option<u64>>> =
            block.calls.iter().map(tollway_testkit::Ran::returned).collect();
        assert_eq!(found, expected);
    }
    let beyond = contract.call(caller, "set_place", (list.len() as u32, 1u64));
    assert!(!chain.run(beyond).receipt.is_success());
    let pops = |count: usize| vec![ListOp::Pop; count];
    for _ in 0..list.len().max(queue.len()).div_ceil(20) {
        chain.run(contract.call(caller, "list", pops(20))).succeeded();
        chain.run(contract.call(caller, "queue", pops(20))).succeeded();
    }
    assert_eq!(stored(&chain), 0, "nothing is left behind of empty ones");
}

fn list_model(list: &mut Vec<u64>, op: &ListOp) -> Option<u64> {
    match *op {
        ListOp::Get(place) => list.get(place as usize).copied(),
        ListOp::Set(place, value) => {
            *list.get_mut(place as usize)? = value;
            Some(value)
        }
        ListOp::Push(value) => {
            list.push(value);
            None
        }
        ListOp::Pop => list.pop(),
        ListOp::Len => Some(list.len() as u64),
    }
}

fn queue_model(queue: &mut VecDeque<u64>, op: &ListOp) -> Option<u64> {
    match *op {
        ListOp::Get(_) => queue.front().copied(),
        ListOp::Set(..) => None,
        ListOp::Push(value) => {
            queue.push_back(value);
            None
        }
        ListOp::Pop => queue.pop_front(),
        ListOp::Len => Some(queue.len() as u64),
    }
}

#[test]
fn groups_hold_every_kind() {
    let (mut chain, contract, caller) = chain(2);
    let mut queues: [VecDeque<u64>; 3] = Default::default();
    let mut random = Random(7);
    let (mut calls, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let (from, to) = (random.below(3) as usize, random.below(3) as usize);
        let new = (random.below(2) == 0).then(|| random.next());
        queues[from].extend(new);
        let value = queues[from].pop_front();
        queues[to].extend(value);
        expected.push(value);
        calls.push(contract.call(caller, "pass_on", (from as u32, to as u32, new)));
    }
    let block = chain.block(calls);
    block.succeeded().assert_no_misses();
    let found: Vec<Option<u64>> = block.calls.iter().map(tollway_testkit::Ran::returned).collect();
    assert_eq!(found, expected);

    let appends = (0..60u32).map(|index| {
        let (number, name) = (index % 2, "ab".repeat((index % 3) as usize));
        contract.call(caller, "append", (number, name, format!("value {index}")))
    });
    let block = chain.block(appends.collect::<Vec<_>>());
    block.succeeded().assert_no_misses().assert_critical_path(10);
    let lengths: Vec<u32> = block.calls.iter().map(tollway_testkit::Ran::returned).collect();
    assert_eq!(lengths, (0..60).map(|index| index / 6 + 1).collect::<Vec<u32>>());

    let joins = (0..40u32).map(|index| contract.call(caller, "join", (index % 2, "x".to_owned())));
    let block = chain.block(joins.collect::<Vec<_>>());
    block.succeeded().assert_no_misses().assert_critical_path(20);
    let counts: Vec<u64> = block.calls.iter().map(tollway_testkit::Ran::returned).collect();
    assert_eq!(counts, (0..40).map(|index| (index / 2 + 1).min(10)).collect::<Vec<u64>>());
    assert_eq!(chain.query::<u128>(contract, "tally", (1u32, 10u64)), 11);
}

#[test]
fn a_set_conflicts_by_key() {
    let (mut chain, contract, caller) = chain(2);
    let calls = |is_in| (0..50u64).map(move |key| contract.call(caller, "member", (key, is_in)));
    let block = chain.block(calls(true));
    block.succeeded().assert_no_misses().assert_critical_path(1);
    assert!(block.calls.iter().all(|call| call.returned::<bool>()));
    let block = chain.block(calls(false).take(20));
    block.succeeded().assert_no_misses().assert_critical_path(1);
    assert!(!block.calls.iter().any(|call| call.returned::<bool>()));
    assert_eq!(stored(&chain), 30);
    let distinct: BTreeSet<u64> = (20..50).collect();
    assert_eq!(distinct.len(), stored(&chain));
}
