use super::*;
use crate::engine::validate::samples::{abi_of, field, list, method, module, rich_module};
use crate::resolve::{Resolved, Target, resolve};
use crate::runtime::{Config, Instantiate};
use crate::state::storage_key;
use crate::store::MemoryStore;
use crate::{Height, Outcome};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use tollway_host_api::{AccessTemplate, Event, Expr, Mode, StorageField, Type};

const ALICE: Address = Address::from_u64(0xa11ce);

/// Does one thing to one cell, as its arguments say: `op`, `cell`, `amount`. `relay` hands them to
/// the `write` of another contract, and keeps in its own cell 0, undeclared, how that ended.
fn wasm() -> Vec<u8> {
    let params = || vec![field("op", Type::U8), field("cell", Type::U8), field("n", Type::U64)];
    let arg = |param: u16| Expr::Arg { param, path: list([]) };
    let touches = |name: &str, mode: Mode| Method {
        params: list(params()),
        declared: true,
        access: list([AccessTemplate::Key { mode, field: 0, parts: list([arg(1)]) }]),
        ..method(name)
    };
    let relay = Method {
        params: list([field("to", Type::Address)].into_iter().chain(params())),
        declared: true,
        access: list([AccessTemplate::Call {
            contract: arg(0),
            method: "write".into(),
            args: list([Expr::Unknown, arg(2), arg(3)]),
        }]),
        ..method("relay")
    };
    let cells = StorageField {
        name: "cells".into(),
        key: list([Type::U8]),
        value: Type::U128,
        counter: true,
        prefix_parts: None,
    };
    let mut abi = abi_of(&[]);
    abi.storage = list([cells]);
    abi.events = list([Event { name: "Done".into(), fields: list([field("n", Type::U64)]) }]);
    abi.methods = list([
        touches("read", Mode::Read),
        touches("write", Mode::Write),
        touches("add", Mode::Add),
        Method { params: list(params()), ..method("any") },
        relay,
    ]);
    let import =
        |name: &str, ty: &str| format!(r#"(import "tollway" "{name}" (func ${name} {ty}))"#);
    let imports = [
        import("args", "(param i32)"),
        import("read", "(param i32 i32 i32 i32) (result i32)"),
        import("write", "(param i32 i32 i32 i32)"),
        import("remove", "(param i32 i32)"),
        import("add", "(param i32 i32 i64 i64)"),
        import("emit", "(param i32 i32 i32)"),
        import("output", "(param i32 i32)"),
        import("call", "(param i32 i32 i32 i32 i32 i64) (result i32)"),
    ];
    let is = |op: u8, then: &str| {
        format!("(if (i32.eq (local.get $op) (i32.const {op})) (then {then}))")
    };
    let steps = [
        is(0, "(drop (call $read (i32.const 0) (i32.const 2) (i32.const 16) (i32.const 16)))"),
        is(1, "(call $write (i32.const 0) (i32.const 2) (i32.const 66) (i32.const 16))"),
        is(2, "(call $add (i32.const 0) (i32.const 2) (i64.load (i32.const 66)) (i64.const 0))"),
        is(3, "(call $remove (i32.const 0) (i32.const 2))"),
        is(4, "(call $add (i32.const 0) (i32.const 2) (i64.const -1) (i64.const -1))"),
        is(5, "(call $emit (i32.const 0) (i32.const 66) (i32.const 8))"),
        is(6, "(unreachable)"),
        is(7, "(loop (br 0))"),
        is(8, "(drop (memory.grow (i32.const 1)))"),
        is(9, "(call $write (i32.const 0) (i32.const 2) (i32.const 66) (i32.const 3))"),
        is(10, "(call $emit (i32.const 0) (i32.const 66) (i32.const 8)) (return (i32.const 1))"),
    ];
    let exports =
        ["read", "write", "add", "any"].map(|name| format!(r#"(export "{name}" (func $main))"#));
    module(
        &format!(
            r#"{imports}
            (memory (export "memory") 1)
            (data (i32.const 200) "write")
            (func $main (param i32) (result i32) (local $op i32)
                (call $args (i32.const 64))
                (local.set $op (i32.load8_u (i32.const 64)))
                (i32.store8 (i32.const 1) (i32.load8_u (i32.const 65)))
                {steps}
                (call $output (i32.const 16) (i32.const 16))
                (i32.const 0))
            (func (export "relay") (param i32) (result i32)
                (call $args (i32.const 64))
                (i32.store (i32.const 16) (call $call (i32.const 64) (i32.const 200) (i32.const 5)
                    (i32.const 96) (i32.const 10) (i64.const 100000)))
                (call $write (i32.const 0) (i32.const 2) (i32.const 16) (i32.const 16))
                (i32.const 0))
            {exports}"#,
            imports = imports.concat(),
            steps = steps.concat(),
            exports = exports.concat(),
        ),
        &abi,
    )
}

/// A runtime with two contracts of the code above.
fn runtime() -> (Runtime, [Address; 2]) {
    let mut runtime = Runtime::new(Config { threads: 2, ..Config::default() }).expect("it starts");
    let code = runtime.upload(&wasm()).unwrap_or_else(|error| panic!("{error}"));
    let contracts = [1, 2].map(|salt| {
        let (immutables, args, gas_limit) = (Vec::new(), Vec::new(), Gas(1_000_000));
        let request = Instantiate { code, creator: ALICE, salt, immutables, args, gas_limit };
        runtime.instantiate(request).expect("it has no init")
    });
    (runtime, contracts)
}

fn call(contract: Address, method: &str, args: &[u8]) -> Call {
    let (method, args) = (method.to_owned(), args.to_vec());
    Call { caller: ALICE, contract, method, args, gas_limit: Gas(1_000_000) }
}

fn do_args(op: u8, cell: u8, amount: u64) -> Vec<u8> {
    [&[op, cell][..], &amount.to_le_bytes()].concat()
}

fn block(calls: Vec<Call>) -> Block {
    Block { height: Height(1), time_ms: 7, calls, ..Block::default() }
}

#[test]
fn what_fails_leaves_nothing() {
    let (runtime, [contract, other]) = runtime();
    let mut oracle = Oracle::new(&runtime);
    let before = oracle.state_root();
    assert_eq!(Ok(before), runtime.state_root());
    let relay = [&other.0[..], &do_args(10, 0, 1)].concat();
    let receipts = oracle.execute(&block(vec![
        call(contract, "write", &do_args(10, 0, 1)),
        call(contract, "write", &do_args(6, 0, 1)),
        call(contract, "write", &do_args(7, 0, 1)),
        call(contract, "nothing", &[]),
        call(other, "write", &[1]),
        call(Address::ZERO, "write", &[]),
        call(contract, "any", &do_args(0, 0, 1)),
    ]));
    assert_eq!(oracle.state_root(), before);
    assert!(receipts.iter().all(|receipt| receipt.events.is_empty()));
    assert!(matches!(receipts[0].outcome, Outcome::Reverted { .. }));
    assert!(matches!(receipts[1].outcome, Outcome::Failed(Failure::Trap { .. })));
    assert_eq!(receipts[1].gas_used, Gas(1_000_000));
    assert_eq!(receipts[2].outcome, Outcome::Failed(Failure::OutOfGas));
    assert_eq!(receipts[6].misses, 1);
    // The relay succeeds; what it called does not.
    let receipts = oracle.execute(&block(vec![call(contract, "relay", &relay)]));
    assert!(receipts[0].is_success() && receipts[0].events.is_empty());
    assert_eq!(receipts[0].misses, 1);
}

/// The rehearsals of a block's calls, and the receipts of their real runs.
fn rehearsed(oracle: &mut Oracle, calls: Vec<Call>) -> (Vec<Option<Rehearsed>>, Vec<Receipt>) {
    let mut rehearsed = Vec::new();
    let ran = oracle.execute_watched(&block(calls), |rehearsal| rehearsed.push(rehearsal.run()));
    (rehearsed, ran.into_iter().map(|ran| ran.receipt).collect())
}

#[test]
fn rehearsals_change_nothing() {
    let (runtime, contracts) = runtime();
    let (mut plain, mut watched) = (Oracle::new(&runtime), Oracle::new(&runtime));
    let blocks = prop::collection::vec(any_call(contracts), 1..40);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let (mut same, mut refused) = (0, 0);
    for _ in 0..20 {
        let calls = blocks.new_tree(&mut runner).expect("calls are made").current();
        let expected = plain.execute(&block(calls.clone()));
        let (rehearsed, receipts) = rehearsed(&mut watched, calls);
        assert_eq!(receipts, expected);
        assert_eq!(watched.state_entries(), plain.state_entries());
        for (rehearsed, receipt) in rehearsed.iter().zip(&receipts) {
            let Some(rehearsed) = rehearsed else {
                refused += 1;
                continue;
            };
            if receipt.outcome != Outcome::Failed(Failure::OutOfGas) && !rehearsed.gas_matters {
                assert_eq!(rehearsed.outcome, receipt.outcome);
                assert_eq!(rehearsed.events, receipt.events);
                assert_eq!(rehearsed.misses.len() as u32, receipt.misses);
                same += 1;
            }
        }
    }
    assert!(same > 100 && refused > 0, "{same} {refused}");
}

#[test]
fn touches_belong_to_templates() {
    let (runtime, [contract, other]) = runtime();
    let mut oracle = Oracle::new(&runtime);
    let relay = [&other.0[..], &do_args(2, 1, 5)].concat();
    let calls = vec![
        call(contract, "write", &do_args(0, 0, 1)),
        call(contract, "write", &do_args(5, 0, 1)),
        call(contract, "relay", &relay),
        call(contract, "add", &do_args(0, 2, 5)),
    ];
    let (rehearsed, _) = rehearsed(&mut oracle, calls);
    let rehearsed: Vec<_> = rehearsed.into_iter().map(|one| one.expect("it may run")).collect();
    let key = |contract: Address, cell: u8| storage_key(&contract, &[0, cell]);
    let used = |contract, method: &str, used: &[(usize, Template)]| LoggedFrame {
        contract,
        method: method.into(),
        used: used.to_vec(),
    };
    let touch = |key, touch| (0, Template::Key { key, touch });
    let read = Touch { read: true, ..Touch::default() };
    assert_eq!(rehearsed[0].frames, [used(contract, "write", &[touch(key(contract, 0), read)])]);
    assert_eq!(rehearsed[1].frames, [used(contract, "write", &[])]);
    let added = Touch { added: true, ..Touch::default() };
    assert_eq!(
        rehearsed[2].frames,
        [
            used(contract, "relay", &[(0, Template::Call)]),
            used(other, "write", &[touch(key(other, 1), added)]),
        ]
    );
    // It keeps the status in a cell that it does not declare.
    let miss = |method: &str, cell, need, declared| Miss {
        contract,
        method: method.into(),
        key: vec![0, cell],
        need,
        declared,
    };
    assert_eq!(rehearsed[2].misses, [miss("relay", 0, Mode::Write, None)]);
    assert_eq!(rehearsed[3].misses, [miss("add", 2, Mode::Read, Some(Mode::Add))]);
    assert_eq!(rehearsed[2].writes[&key(other, 1)], Some(5u128.to_le_bytes().to_vec()));
}

#[test]
fn rehearsals_may_have_other_values() {
    let (runtime, [contract, _]) = runtime();
    let mut oracle = Oracle::new(&runtime);
    let cell = storage_key(&contract, &[0, 0]);
    let amount = |amount: u128| Some(amount.to_le_bytes().to_vec());
    let mut found = Vec::new();
    oracle.execute_watched(&block(vec![call(contract, "add", &do_args(2, 0, 7))]), |rehearsal| {
        let with = rehearsal.run_with(&cell, amount(100)).expect("it may run");
        found.push(with.writes[&cell].clone());
        assert_eq!(rehearsal.value(&cell), None);
    });
    assert_eq!(found, [amount(107)]);
    assert_eq!(oracle.state_entries().get(&cell), amount(7).as_ref());
}

#[test]
fn adds_are_checked_at_the_end() {
    let (runtime, [contract, _]) = runtime();
    let mut oracle = Oracle::new(&runtime);
    let receipts = oracle.execute(&block(vec![
        call(contract, "add", &do_args(4, 0, 0)),
        call(contract, "add", &do_args(2, 0, 1)),
        call(contract, "add", &do_args(2, 0, 0)),
        call(contract, "write", &do_args(9, 1, 1)),
        call(contract, "add", &do_args(2, 1, 0)),
    ]));
    let overflow = Outcome::Failed(Failure::AddOverflow { contract });
    let overflowed: Vec<bool> = receipts.iter().map(|r| r.outcome == overflow).collect();
    assert_eq!(overflowed, [false, true, false, false, true]);
    assert!(receipts[1].gas_used < Gas(1_000_000));
}

fn any_call(contracts: [Address; 2]) -> impl Strategy<Value = Call> {
    let method = prop::sample::select(vec!["read", "write", "write", "add", "add", "any", "relay"]);
    let gas = prop_oneof![4 => Just(1_000_000), 1 => 0u64..20_000];
    (method, 0u8..11, 0u8..3, any::<u64>(), any::<bool>(), gas).prop_map(
        move |(method, op, cell, amount, which, gas_limit)| {
            let mut args = do_args(op, cell, amount);
            if method == "relay" {
                args = [&contracts[usize::from(!which)].0[..], &args].concat();
            }
            let mut call = call(contracts[usize::from(which)], method, &args);
            call.gas_limit = Gas(gas_limit);
            call
        },
    )
}

#[test]
fn the_runtime_agrees() {
    let (mut runtime, contracts) = runtime();
    let blocks = prop::collection::vec(any_call(contracts), 1..40);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let (mut returned, mut overflowed, mut missed, mut out_of_gas) = (0, 0, 0, 0);
    for _ in 0..60 {
        let calls = blocks.new_tree(&mut runner).expect("calls are made").current();
        let height = Height(runtime.head().0 + 1);
        let block = Block { height, time_ms: 7, calls, ..Block::default() };
        let mut oracle = Oracle::new(&runtime);
        let expected = oracle.execute(&block);
        let outcome = runtime.execute(&block).expect("the block is valid");
        for (index, (found, expected)) in outcome.receipts.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "call {index}: {:?}", block.calls[index]);
            missed += u32::from(expected.misses > 0);
            match &expected.outcome {
                Outcome::Returned(_) => returned += 1,
                Outcome::Failed(Failure::AddOverflow { .. }) => overflowed += 1,
                Outcome::Failed(Failure::OutOfGas) => out_of_gas += 1,
                _ => {}
            }
        }
        runtime.commit(outcome.batch).expect("it follows the head");
        assert_eq!(
            runtime.state_entries().expect("the state can be read"),
            *oracle.state_entries()
        );
        assert_eq!(runtime.state_root(), Ok(oracle.state_root()));
    }
    // The blocks are worth something.
    let least = returned.min(overflowed).min(missed).min(out_of_gas);
    assert!(least >= 20, "{returned} {overflowed} {missed} {out_of_gas}");
}

/// The method that the rich sample's templates call.
fn callee_wasm() -> Vec<u8> {
    let field_of = |name: &'static str, key: Type, counter: bool| StorageField {
        name: name.into(),
        key: list([key]),
        value: Type::U128,
        counter,
        prefix_parts: None,
    };
    let key = |mode: Mode, field: u8, part: Expr| AccessTemplate::Key {
        mode,
        field,
        parts: list([part]),
    };
    let arg = |param: u16| Expr::Arg { param, path: list([]) };
    let element = Expr::Element { depth: 0, path: list([]) };
    let transfer = Method {
        params: list([
            field("from", Type::Address),
            field("amount", Type::U128),
            field("ids", Type::List(list([Type::U64]))),
        ]),
        declared: true,
        access: list([
            key(Mode::Add, 0, arg(0)),
            key(Mode::Read, 0, Expr::Caller),
            AccessTemplate::ForEach { list: arg(2), body: list([key(Mode::Write, 1, element)]) },
        ]),
        ..method("transfer")
    };
    let mut abi = abi_of(&[]);
    abi.storage =
        list([field_of("totals", Type::Address, true), field_of("ids", Type::U64, false)]);
    abi.methods = list([transfer]);
    let entry = r#"(func (export "transfer") (param i32) (result i32) (i32.const 0))"#;
    module(&format!(r#"(memory (export "memory") 1) {entry}"#), &abi)
}

/// The keys that the runtime finds, as they stand in the state, or the failure.
fn resolved(runtime: &Runtime, call: &Call) -> Result<Vec<(Vec<u8>, Mode)>, String> {
    let (registry, store) = (runtime.registry(), MemoryStore::new(1));
    let limits = &runtime.config().limits;
    let resolved = resolve(
        Height(7),
        std::slice::from_ref(call),
        registry,
        &store,
        limits,
        Resolved::default(),
    )
    .expect("one call");
    match resolved.target(0) {
        Target::Refused(receipt) => Err(format!("{:?}", receipt.outcome)),
        Target::Method { declared: false, .. } => Err("undeclared".into()),
        Target::Method { .. } => {
            let accesses = resolved.accesses();
            let keys = accesses
                .map(|access| {
                    let address = &registry.contract(access.contract).address;
                    (storage_key(address, resolved.key(access)), access.mode)
                })
                .collect();
            Ok(keys)
        }
    }
}

fn declared(oracle: &Oracle, call: &Call) -> Result<Vec<(Vec<u8>, Mode)>, String> {
    let method = oracle.world.contracts[&call.contract].code.abi.method(&call.method);
    match declared::access_set(&oracle.world, 7 << 64, call, method.expect("it is there")).0 {
        Ok(keys) => Ok(keys),
        Err(Unresolved::Undeclared) => Err("undeclared".into()),
        Err(_) => Err(format!(
            "{:?}",
            Outcome::Failed(oracle.admit(7 << 64, call).expect_err("it is refused"))
        )),
    }
}

#[test]
fn access_sets_agree() {
    let limits = Limits { access_keys_max: 24, ..Limits::default() };
    let config = Config { threads: 1, limits, ..Config::default() };
    let mut runtime = Runtime::new(config).expect("it starts");
    let mut deploy = |wasm: &[u8], salt: u64, immutables: Vec<u8>| {
        let code = runtime.upload(wasm).unwrap_or_else(|error| panic!("{error}"));
        let (creator, args, gas_limit) = (ALICE, Vec::new(), Gas(1_000_000));
        let request = Instantiate { code, creator, salt, immutables, args, gas_limit };
        runtime.instantiate(request).expect("init does nothing")
    };
    let callee = deploy(&callee_wasm(), 0, Vec::new());
    let caller = deploy(&rich_module(), 0, callee.0.to_vec());
    let lost = deploy(&rich_module(), 1, ALICE.0.to_vec());
    let oracle = Oracle::new(&runtime);
    let text = prop_oneof!["[a-zé]{0,9}", "x{120,140}", "y{250,300}"];
    let leg = (any::<[u8; 32]>(), any::<u8>(), any::<i64>());
    let args = (
        prop::collection::vec(leg, 0..6),
        prop::option::of(text),
        prop::collection::vec(prop::collection::vec(any::<u64>(), 0..5), 0..5),
        prop::option::of(any::<[u8; 4]>()),
    );
    let calls = (any::<bool>(), args, prop::option::weighted(0.1, 0usize..60));
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let (mut found, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let (is_lost, (legs, side, nested, maybe), cut) =
            calls.new_tree(&mut runner).expect("calls are made").current();
        // An enum is its index and then its fields, which is also how an option is encoded.
        let mut bytes = borsh::to_vec(&(legs, side, nested, maybe)).expect("arguments encode");
        bytes.truncate(cut.unwrap_or(bytes.len()));
        let call = call(if is_lost { lost } else { caller }, "pay", &bytes);
        let expected = declared(&oracle, &call);
        assert_eq!(resolved(&runtime, &call), expected);
        match expected {
            Ok(keys) => found += keys.len(),
            Err(_) => refused += 1,
        }
    }
    assert!(found > 5_000 && refused > 100, "{found} {refused}");
}
