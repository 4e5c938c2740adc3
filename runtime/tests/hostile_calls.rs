//! Bad input: every wrong call, block, batch and request ends in an outcome that names the offender,
//! and leaves the state as it was.

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;
use support::puppet::{
    self, Callee, Cells, Op, act, act_as, act_leaf, act_undeclared, call_op, look,
};
use support::{
    ALICE, PLENTY, World, abi, arg, call, call_with, each_cell, element, entry, failure, field,
    list, list_of, method, module, returned, text,
};
use tollway::host_api::functions::{HOST_FUNCTIONS, HostFunction, host_function};
use tollway::host_api::{
    Abi, AccessTemplate, CallStatus, Expr, Method, Mode, Mutability, StorageField, Type,
};
use tollway::{
    Address, Call, Compiler, Config, ExecuteError, Failure, Gas, Instantiate, InstantiateError,
    Limits, Outcome, Receipt, StoreError,
};

/// Runs calls that must all fail and change nothing.
fn run_in_vain(world: &mut World, calls: Vec<Call>) -> Vec<Receipt> {
    let before = world.runtime.state_entries().expect("the state can be read");
    let receipts = world.run(calls);
    assert_eq!(world.runtime.state_entries().expect("the state can be read"), before);
    for receipt in &receipts {
        assert!(!receipt.is_success(), "{receipt:?}");
        assert_eq!(receipt.events, []);
    }
    receipts
}

fn fails(world: &mut World, call: Call) -> Failure {
    let gas_limit = call.gas_limit;
    let receipt = run_in_vain(world, vec![call]).remove(0);
    assert!(receipt.gas_used <= gas_limit);
    failure(&receipt).clone()
}

fn reads(cells: &[u8]) -> Cells {
    Cells { reads: cells.to_vec(), ..Cells::default() }
}

fn writes(cells: &[u8]) -> Cells {
    Cells { writes: cells.to_vec(), ..Cells::default() }
}

fn adds(cells: &[u8]) -> Cells {
    Cells { adds: cells.to_vec(), ..Cells::default() }
}

fn puppet_world() -> (World, Address) {
    let mut world = World::new(2, Compiler::Cranelift);
    let puppet = world.deploy(&puppet::wasm());
    (world, puppet)
}

fn three_puppets() -> (World, [Address; 3]) {
    let (mut world, first) = puppet_world();
    let others = [world.deploy(&puppet::wasm()), world.deploy(&puppet::wasm())];
    (world, [first, others[0], others[1]])
}

// Calls that are refused before they run.

#[test]
fn unknown_contract_is_named() {
    let mut world = World::new(1, Compiler::Cranelift);
    let contract = Address::from_u64(404);
    assert_eq!(fails(&mut world, call(contract, "go")), Failure::UnknownContract { contract });
}

#[test]
fn unknown_method_is_named_as_far_as_names_go() {
    let (mut world, contract) = puppet_world();
    for name in ["", "Act", "act ", "memory", "nothing"] {
        let method = name.to_owned();
        let expected = Failure::UnknownMethod { contract, method };
        assert_eq!(fails(&mut world, call(contract, name)), expected);
    }
    let long = "ü".repeat(10_000);
    let expected = Failure::UnknownMethod { contract, method: "ü".repeat(32) };
    assert_eq!(fails(&mut world, call(contract, &long)), expected);
    let odd = format!("x{long}");
    let expected = Failure::UnknownMethod { contract, method: format!("x{}", "ü".repeat(31)) };
    assert_eq!(fails(&mut world, call(contract, &odd)), expected);
}

#[test]
fn init_is_no_method_of_a_block_a_query_or_a_contract() {
    let mut world = World::new(1, Compiler::Cranelift);
    let code = world.upload(&init_module());
    let request = init_request(code, 0, 1);
    let contract = world.runtime.instantiate(request).unwrap();
    let expected = Failure::UnknownMethod { contract, method: "init".to_owned() };
    assert_eq!(fails(&mut world, call_with(contract, "init", &0u8)), expected);
    let receipt = world.runtime.query(contract, "init", &[0]).unwrap();
    assert_eq!(failure(&receipt), &expected);
    let puppet = world.deploy(&puppet::wasm());
    let ops = [Op::Call { contract, method: "init", gas: 0, args: vec![0] }, Op::Forward];
    let status = CallStatus::UnknownMethod as u32;
    let refused = Failure::CallRefused { contract: puppet, status };
    assert_eq!(fails(&mut world, act_leaf(puppet, &ops, Cells::default())), refused);
}

#[test]
fn arguments_that_do_not_decode_are_refused() {
    let abi = abi(
        "picky",
        [Method {
            params: list([
                field("flag", Type::Bool),
                field("name", Type::Text),
                field("maybe", Type::Option(list([Type::U16]))),
                field(
                    "side",
                    Type::Enum {
                        name: text("Side"),
                        variants: list([tollway::host_api::Variant {
                            name: text("Only"),
                            fields: list([]),
                        }]),
                    },
                ),
                field("many", list_of(Type::U64)),
            ]),
            ..method("take")
        }],
    );
    let wasm = module(&abi, &format!("(memory (export \"memory\") 1) {}", entry("take", "")));
    let mut world = World::new(1, Compiler::Cranelift);
    let contract = world.deploy(&wasm);
    let good = borsh::to_vec(&(true, "name", Some(7u16), 0u8, vec![1u64, 2])).unwrap();
    let with = |args: Vec<u8>| Call { args, ..call(contract, "take") };
    assert!(world.run_one(with(good.clone())).is_success());
    let bad = |kind| Failure::BadArguments { method: "take".to_owned(), kind };
    for length in 0..good.len() {
        assert_eq!(fails(&mut world, with(good[..length].to_vec())), bad(0), "{length} bytes");
    }
    assert_eq!(fails(&mut world, with([&good[..], &[0]].concat())), bad(1));
    let changed = |at: usize, byte: u8| {
        let mut args = good.clone();
        args[at] = byte;
        with(args)
    };
    // The flag, a byte of the text, the option's tag, the variant.
    for (at, byte) in [(0, 2), (6, 0xff), (9, 2), (12, 1)] {
        assert_eq!(fails(&mut world, changed(at, byte)), bad(2), "byte {at}");
    }
    // A list that says it has 2³² elements is not believed.
    let mut huge = good[..13].to_vec();
    huge.extend([0xff; 4]);
    assert_eq!(fails(&mut world, with(huge)), bad(0));
}

#[test]
fn arguments_above_the_limit_are_refused() {
    let limits = Limits { args_bytes_max: 100, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let contract = world.deploy(&puppet::wasm());
    let with = |size: usize| Call { args: vec![0; size], ..call(contract, "act_leaf") };
    let too_large = Failure::ArgumentsTooLarge { size: 101, limit: 100 };
    assert_eq!(fails(&mut world, with(101)), too_large);
    let trailing = Failure::BadArguments { method: "act_leaf".to_owned(), kind: 1 };
    assert_eq!(fails(&mut world, with(100)), trailing);
    // What is wrong with the arguments is told before what is wrong with the target.
    let nobody = Call { contract: Address::ZERO, ..with(101) };
    assert_eq!(fails(&mut world, nobody), too_large);
}

#[test]
fn gas_limits_of_zero_or_too_much_are_refused_and_cost_nothing() {
    let (mut world, contract) = puppet_world();
    let limit = world.runtime.config().limits.call_gas_max;
    for gas_limit in [0, limit + 1, u64::MAX] {
        let call = Call { gas_limit: Gas(gas_limit), ..act_leaf(contract, &[], Cells::default()) };
        let receipt = run_in_vain(&mut world, vec![call]).remove(0);
        assert_eq!(failure(&receipt), &Failure::BadGasLimit { gas_limit, limit });
        assert_eq!(receipt.gas_used, Gas(0));
    }
    let most = Call { gas_limit: Gas(limit), ..act_leaf(contract, &[], Cells::default()) };
    assert!(world.run_one(most).is_success());
}

#[test]
fn a_gas_limit_below_what_a_call_costs_is_used_up() {
    let (mut world, contract) = puppet_world();
    for gas_limit in [1, 999, 1_000, 1_015] {
        let call = Call { gas_limit: Gas(gas_limit), ..act_leaf(contract, &[], Cells::default()) };
        let receipt = run_in_vain(&mut world, vec![call]).remove(0);
        assert_eq!(failure(&receipt), &Failure::OutOfGas);
        assert_eq!(receipt.gas_used, Gas(gas_limit));
    }
}

#[test]
fn refused_calls_pay_the_base_as_far_as_their_limit_goes() {
    let (mut world, contract) = puppet_world();
    for (gas_limit, charged) in [(1, 1), (999, 999), (1_000, 1_000), (1_000_000, 1_000)] {
        let call = Call { gas_limit: Gas(gas_limit), ..call(contract, "nothing") };
        let receipt = run_in_vain(&mut world, vec![call]).remove(0);
        assert_eq!(receipt.gas_used, Gas(charged));
    }
}

#[test]
fn refused_calls_do_not_disturb_the_others() {
    let (mut world, contract) = puppet_world();
    let good = |ops: &[Op]| act_leaf(contract, ops, writes(&[1]));
    let receipts = world.run(vec![
        call(Address::ZERO, "x"),
        good(&[Op::Add(1, 5)]),
        call(contract, "x"),
        Call { gas_limit: Gas(0), ..good(&[Op::Remove(1)]) },
        good(&[Op::Add(1, 6)]),
        Call { args: vec![1], ..good(&[]) },
    ]);
    let successes: Vec<bool> = receipts.iter().map(Receipt::is_success).collect();
    assert_eq!(successes, [false, true, false, false, true, false]);
    assert_eq!(world.cell(contract, 1), Some(11));
}

/// A contract whose methods declare more than they do.
fn greedy_module() -> Vec<u8> {
    let bytes = || list_of(Type::U8);
    let pairs = StorageField {
        name: text("pairs"),
        key: list([Type::U8, Type::U8, Type::U8, Type::U8]),
        value: Type::U64,
        counter: false,
        prefix_parts: None,
    };
    let outer = |depth| Expr::Element { depth, path: list([]) };
    let each = |list_: Expr, body: AccessTemplate| AccessTemplate::ForEach {
        list: list_,
        body: list([body]),
    };
    let pair =
        |parts: [Expr; 4]| AccessTemplate::Key { mode: Mode::Write, field: 1, parts: list(parts) };
    let zero = || Expr::Integer(0);
    let nowhere = AccessTemplate::Call {
        contract: Expr::Bytes(list([0u8; 32])),
        method: text("nothing"),
        args: list([]),
    };
    let one_list = |name: &str, template| Method {
        params: list([field("xs", bytes())]),
        access: list([template]),
        ..method(name)
    };
    let methods = [
        one_list("once", each(arg(0), pair([element(), zero(), zero(), zero()]))),
        one_list("twice", each(arg(0), each(arg(0), pair([outer(1), outer(0), zero(), zero()])))),
        one_list(
            "four_times",
            each(
                arg(0),
                each(
                    arg(0),
                    each(arg(0), each(arg(0), pair([outer(3), outer(2), outer(1), outer(0)]))),
                ),
            ),
        ),
        one_list("in_vain", each(arg(0), each(arg(0), nowhere))),
    ];
    let mut fields = "(memory (export \"memory\") 1)".to_owned();
    for method in &methods {
        fields.push_str(&entry(&method.name, ""));
    }
    let mut abi = abi("greedy", methods);
    abi.storage.to_mut().push(pairs);
    module(&abi, &fields)
}

#[test]
fn too_many_keys_are_refused() {
    let mut world = World::with_limits(Limits::default());
    let contract = world.deploy(&greedy_module());
    let distinct: Vec<u8> = (0..=255).collect();
    let go = |method: &str, count: usize| call_with(contract, method, &distinct[..count].to_vec());
    assert!(world.run_one(go("once", 256)).is_success());
    assert!(world.run_one(go("twice", 64)).is_success());
    let expected = Failure::TooManyKeys { limit: 4_096 };
    assert_eq!(fails(&mut world, go("twice", 65)), expected);
    assert_eq!(fails(&mut world, go("four_times", 9)), expected);
}

#[test]
fn nested_loops_over_long_lists_are_given_up_soon() {
    let mut world = World::with_limits(Limits::default());
    let contract = world.deploy(&greedy_module());
    let long = vec![7u8; 60_000];
    let expected = Failure::TooManyKeys { limit: 4_096 };
    // 60,000⁴ elements: only a bound on the work lets this test end.
    for method in ["once", "twice", "four_times", "in_vain"] {
        assert_eq!(fails(&mut world, call_with(contract, method, &long)), expected, "{method}");
    }
}

#[test]
fn a_block_that_declares_too_many_keys_is_not_executed() {
    let limits = Limits { block_keys_max: 1_000, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let contract = world.deploy(&puppet::wasm());
    let call = act_leaf(contract, &[Op::Write(0)], writes(&(0..100).collect::<Vec<u8>>()));
    // Also where calls are resolved in several parts, none of which is too large.
    for calls in [11, 600] {
        let block = world.next_block(vec![call.clone(); calls]);
        let before = world.root();
        match world.runtime.execute(&block) {
            Err(ExecuteError::TooLarge(error)) => {
                assert!((1_001..=60_000).contains(&error.declared), "{error}");
                assert_eq!(error.limit, 1_000);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(world.root(), before);
    }
    assert_eq!(world.run(vec![call; 10]).len(), 10);
}

// Calls that never end, or nest for ever.

#[test]
fn an_infinite_loop_runs_out_of_gas() {
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let contract = world.deploy(&puppet::wasm());
        let spin = act_leaf(contract, &[Op::Write(1), Op::Emit, Op::Spin], writes(&[1]));
        let receipt = run_in_vain(&mut world, vec![spin]).remove(0);
        assert_eq!(failure(&receipt), &Failure::OutOfGas);
        assert_eq!(receipt.gas_used, PLENTY);
    }
}

#[test]
fn recursion_inside_a_contract_ends_in_a_failure() {
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let contract = world.deploy(&puppet::wasm());
        let dig = |depth| act_leaf(contract, &[Op::Write(1), Op::Recurse(depth)], writes(&[1]));
        let expected = Failure::StackExhausted { contract };
        assert_eq!(fails(&mut world, dig(u32::MAX)), expected);
        assert!(world.run_one(dig(100)).is_success());
    }
}

/// Calls itself `depth` times, adding 1 to cell 0 at each level; then `last`.
fn descend(contract: Address, depth: usize, last: &[Op]) -> Vec<Op> {
    let mut ops = last.to_vec();
    for _ in 0..depth {
        ops = [&[Op::Add(0, 1), call_op(contract, "act_reentrant", &ops, &writes(&[0]))][..], last]
            .concat();
    }
    ops
}

#[test]
fn contracts_nest_as_deep_as_the_limit_and_no_deeper() {
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let contract = world.deploy(&puppet::wasm());
        let depth_max = world.runtime.config().limits.call_depth_max;
        assert!(
            world
                .run_one(act_leaf(contract, &descend(contract, 20, &[]), writes(&[0])))
                .is_success()
        );
        assert_eq!(world.cell(contract, 0), Some(depth_max as u128));
        let forwarding = descend(contract, 20, &[Op::Forward]);
        let status = CallStatus::DepthExceeded as u32;
        let expected = Failure::CallRefused { contract, status };
        assert_eq!(fails(&mut world, act_leaf(contract, &forwarding, writes(&[0]))), expected);
    }
}

#[test]
fn stacks_of_all_nested_calls_fit_at_once() {
    // Each level stops just short of its own stack's end, and calls the next from there.
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let contract = world.deploy(&deep_module());
        let dig = |depth: u32| call_with(contract, "dig", &depth);
        let dig = |depth| Call { gas_limit: Gas(1_000_000_000), ..dig(depth) };
        let (mut fitting, mut failing) = (1, 1 << 20);
        while failing - fitting > 1 {
            let middle = (fitting + failing) / 2;
            let fits = world.run_one(dig(middle)).is_success();
            if fits { fitting = middle } else { failing = middle }
        }
        let calls = vec![dig(fitting); 4];
        for receipt in world.run(calls) {
            let levels = world.runtime.config().limits.call_depth_max as u64;
            assert_eq!(returned(&receipt), levels.to_le_bytes(), "{}", compiler.name());
        }
    }
}

/// `dig(depth)` recurses so deep, calls itself again from there, and returns how many levels there
/// were; a failure anywhere but by the depth limit fails the whole.
fn deep_module() -> Vec<u8> {
    let abi = abi(
        "deep",
        [Method { reentrant: true, params: list([field("depth", Type::U32)]), ..method("dig") }],
    );
    module(
        &abi,
        r#"(memory (export "memory") 1)
        (data (i32.const 100) "dig")
        (func $below (param $depth i32) (param $pad i64) (result i64)
          (local $status i32)
          (if (local.get $depth) (then
            (return (i64.xor (local.get $pad) (i64.xor (local.get $pad)
              (call $below (i32.sub (local.get $depth) (i32.const 1)) (local.get $pad)))))))
          (call $this (i32.const 0))
          (local.set $status (call $call (i32.const 0) (i32.const 100) (i32.const 3)
            (i32.const 64) (i32.const 4) (i64.const 0)))
          (if (i32.eq (local.get $status) (i32.const 8)) (then (return (i64.const 1))))
          (if (local.get $status) (then (call $forward_failure)))
          (drop (call $call_output (i32.const 128) (i32.const 8)))
          (i64.add (i64.const 1) (i64.load (i32.const 128))))
        (func (export "dig") (param i32) (result i32)
          (call $args (i32.const 64))
          (i64.store (i32.const 200) (call $below (i32.load (i32.const 64)) (i64.const -1)))
          (call $output (i32.const 200) (i32.const 8))
          (i32.const 0))"#,
    )
}

// Misused host functions.

const MEMORY_END: u32 = 2 << 16;

/// Names of parameters that point into memory.
const POINTERS: [&str; 11] = [
    "out",
    "key",
    "value",
    "data",
    "address",
    "method",
    "args",
    "public_key",
    "message",
    "digest",
    "signature",
];

/// Parameters with which each host function works, after [`PREPARE`]. A function that is new in the
/// table fails the tests until it stands here.
fn good_params(function: &str) -> Vec<u64> {
    match function {
        "caller" | "this" | "args" | "seed" => vec![2_000],
        "height" | "time_ms" | "call_index" | "sequence" | "gas_left" | "revert" => vec![],
        "forward_failure" => vec![],
        "immutables" | "call_output" => vec![2_000, 100],
        "read" | "transient_read" => vec![0, 2, 2_000, 100],
        "write" | "transient_write" => vec![0, 2, 8, 16],
        "remove" => vec![0, 2],
        "add" | "sub" => vec![0, 2, 1, 0],
        "emit" => vec![0, 8, 16],
        "sha256" | "keccak256" | "blake3" => vec![8, 16, 2_000],
        "ed25519_verify" => vec![0, 8, 16, 100],
        "secp256k1_verify" | "secp256r1_verify" => vec![0, 100, 200],
        "secp256k1_recover" => vec![0, 100, 1, 2_000],
        "output" => vec![8, 16],
        // Arguments that `answer` does not take, so that the range of them counts.
        "call" => vec![1_000, 1_100, 6, 0, 8, 0],
        other => panic!("{other} is not tested for bad parameters"),
    }
}

/// Gives every function something to copy: a value under key (0, 1), a transient one too,
/// immutables, arguments, the output of a call.
const PREPARE: &str = "
    (i32.store8 (i32.const 1) (i32.const 1))
    (call $write (i32.const 0) (i32.const 2) (i32.const 8) (i32.const 16))
    (call $transient_write (i32.const 0) (i32.const 2) (i32.const 8) (i32.const 16))
    (drop (call $immutables (i32.const 1000) (i32.const 32)))
    (if (call $call (i32.const 1000) (i32.const 1100) (i32.const 6) (i32.const 0) (i32.const 0)
      (i64.const 0)) (then (unreachable)))";

fn invoke(function: &HostFunction, params: &[u64]) -> String {
    let mut text = format!("(call ${}", function.name);
    for (value, (_, ty)) in params.iter().zip(function.params) {
        let ty = match ty {
            tollway::host_api::functions::WordType::U32 => "i32",
            tollway::host_api::functions::WordType::U64 => "i64",
        };
        write!(text, " ({ty}.const {value})").expect("strings take all");
    }
    text.push(')');
    if function.result.is_some() { format!("(drop {text})") } else { text }
}

/// Parameters of a function with one range out of bounds, in every way.
fn wild_params(function: &HostFunction) -> Vec<Vec<u64>> {
    let good = good_params(function.name);
    let mut wild = Vec::new();
    let mut with = |changes: &[(usize, u32)]| {
        let mut params = good.clone();
        changes.iter().for_each(|(at, value)| params[*at] = u64::from(*value));
        wild.push(params);
    };
    for (at, (name, _)) in function.params.iter().enumerate() {
        if !POINTERS.contains(name) {
            continue;
        }
        for pointer in [MEMORY_END, MEMORY_END - 1, u32::MAX - 1, u32::MAX, 1 << 31] {
            with(&[(at, pointer)]);
        }
        let length_name = format!("{name}_len");
        if let Some(length) = function.params.iter().position(|(name, _)| *name == length_name) {
            // Past the end by one byte, and sums that wrap around to something small.
            with(&[(at, MEMORY_END - 16), (length, 17)]);
            with(&[(at, MEMORY_END + 1), (length, 0)].map(|(at, value)| (at, value)));
            with(&[(at, 16), (length, u32::MAX)]);
            with(&[(at, u32::MAX), (length, u32::MAX)]);
            with(&[(at, u32::MAX - 15), (length, 32)]);
        }
    }
    wild
}

/// A module with one method for each body, named `m0`, `m1`, …; all declare cell 1, all have
/// immutables (an address with a method `answer`) and eight bytes of arguments.
fn methods_module(bodies: &[String]) -> Vec<u8> {
    let names: Vec<String> = (0..bodies.len()).map(|number| format!("m{number}")).collect();
    let methods = names.iter().map(|name| Method {
        params: list([field("number", Type::U64)]),
        access: list([support::cell(Mode::Write, Expr::Integer(1))]),
        ..method(name)
    });
    let mut fields = r#"(memory (export "memory") 2) (data (i32.const 1100) "answer")"#.to_owned();
    for (name, body) in names.iter().zip(bodies) {
        fields.push_str(&entry(name, body));
    }
    let abi = Abi { immutables: list([field("target", Type::Address)]), ..abi("misuser", methods) };
    module(&abi, &fields)
}

/// The results of methods with these bodies, each in a call of its own.
fn run_bodies(bodies: &[String]) -> (World, Vec<Receipt>) {
    let limits = Limits { methods_max: 1_000, abi_bytes_max: 1 << 20, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let answering = abi("answering", [method("answer")]);
    let answer = "(call $output (i32.const 0) (i32.const 24))";
    let answer = format!("(memory (export \"memory\") 1) {}", entry("answer", answer));
    let target = world.deploy(&module(&answering, &answer));
    let code = world.upload(&methods_module(bodies));
    let contract = world.instantiate(code, &target);
    let calls =
        (0..bodies.len()).map(|number| call_with(contract, &format!("m{number}"), &7u64)).collect();
    let receipts = world.run(calls);
    (world, receipts)
}

fn assert_all_trap(bodies: &[String]) {
    let (world, receipts) = run_bodies(bodies);
    for (receipt, body) in receipts.iter().zip(bodies) {
        let failure = failure(receipt);
        // A length may be dearer than any gas limit.
        let stops = matches!(failure, Failure::Trap { .. } | Failure::OutOfGas);
        assert!(stops, "{body}: {failure}");
        assert_eq!(receipt.gas_used, PLENTY, "{body}");
        assert_eq!(receipt.events, [], "{body}");
    }
    let contract = world.runtime.registry().contracts()[1].address;
    assert_eq!(world.runtime.storage(contract, &[0, 1]).expect("the state can be read"), None);
}

#[test]
fn host_functions_work_with_good_parameters() {
    let bodies: Vec<String> = HOST_FUNCTIONS
        .iter()
        .filter(|function| !["revert", "forward_failure"].contains(&function.name))
        .map(|function| format!("{PREPARE} {}", invoke(function, &good_params(function.name))))
        .collect();
    for (receipt, body) in run_bodies(&bodies).1.iter().zip(&bodies) {
        assert!(receipt.is_success(), "{body}: {receipt:?}");
    }
}

#[test]
fn out_of_bounds_pointers_to_every_host_function_trap() {
    let mut tested = BTreeSet::new();
    let mut bodies = Vec::new();
    for function in HOST_FUNCTIONS {
        for params in wild_params(function) {
            tested.insert(function.name);
            bodies.push(format!("{PREPARE} {}", invoke(function, &params)));
        }
    }
    let expected = HOST_FUNCTIONS
        .iter()
        .filter(|function| function.params.iter().any(|(name, _)| POINTERS.contains(name)));
    assert_eq!(tested, expected.map(|function| function.name).collect());
    assert!(bodies.len() > 80, "{}", bodies.len());
    assert_all_trap(&bodies);
}

#[test]
fn sizes_above_their_limits_trap() {
    let invoke = |name: &str, params: &[u64]| {
        format!("{PREPARE} {}", invoke(host_function(name).unwrap(), params))
    };
    let mut bodies = Vec::new();
    for name in ["read", "write", "remove", "add", "sub", "transient_read", "transient_write"] {
        for key_len in [0, 129, 1_000] {
            let mut params = good_params(name);
            params[1] = key_len;
            bodies.push(invoke(name, &params));
        }
    }
    bodies.extend([
        invoke("write", &[0, 2, 8, (16 << 10) + 1]),
        invoke("transient_write", &[0, 2, 8, (16 << 10) + 1]),
        invoke("emit", &[1, 8, 16]),
        invoke("emit", &[u32::MAX.into(), 8, 16]),
        invoke("emit", &[0, 8, (8 << 10) + 1]),
        invoke("output", &[8, (64 << 10) + 1]),
        invoke("call", &[1_000, 1_100, 65, 0, 0, 0]),
        invoke("call", &[1_000, 1_100, 6, 0, (64 << 10) + 1, 0]),
        // Nothing failed that could be forwarded.
        invoke("forward_failure", &[]),
        emits(1_025),
    ]);
    assert_all_trap(&bodies);
    assert_all_trap(&["(call $forward_failure)".to_owned()]);
}

fn emits(count: u32) -> String {
    format!(
        "(local $left i32) (local.set $left (i32.const {count}))
         (loop $next
           (call $emit (i32.const 0) (i32.const 0) (i32.const 1))
           (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br_if $next (local.get $left)))"
    )
}

#[test]
fn sizes_at_their_limits_are_fine() {
    let invoke = |name: &str, params: &[u64]| {
        format!("{PREPARE} {}", invoke(host_function(name).unwrap(), params))
    };
    let end = u64::from(MEMORY_END);
    let bodies = [
        invoke("write", &[0, 2, 8, 16 << 10]),
        invoke("write", &[end - 128, 128, end, 0]),
        invoke("read", &[end - 128, 128, 0, 0]),
        // No room for the value: its length alone is told, and nothing is written to `out`.
        invoke("read", &[0, 2, u32::MAX.into(), 15]),
        invoke("immutables", &[u32::MAX.into(), 31]),
        invoke("call_output", &[u32::MAX.into(), 23]),
        // More room than there is memory.
        invoke("read", &[0, 2, end - 16, u32::MAX.into()]),
        invoke("immutables", &[end - 32, u32::MAX.into()]),
        invoke("call_output", &[end - 24, u32::MAX.into()]),
        invoke("caller", &[end - 32]),
        invoke("args", &[end - 8]),
        invoke("emit", &[0, 8, 8 << 10]),
        invoke("output", &[end - (64 << 10), 64 << 10]),
        invoke("output", &[end, 0]),
        invoke("call", &[1_000, 1_100, 64, 0, 0, 0]),
        invoke("call", &[1_000, 1_100, 6, 0, 64 << 10, 0]),
        emits(1_024),
    ];
    for (receipt, body) in run_bodies(&bodies).1.iter().zip(&bodies) {
        assert!(receipt.is_success(), "{body}: {receipt:?}");
    }
}

#[test]
fn a_key_of_any_bytes_is_the_contracts_own() {
    // The host knows nothing of fields: a key that no template can give is a miss, and no more.
    let body = "
        (i32.store (i32.const 0) (i32.const -1))
        (call $write (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 3))";
    let (world, receipts) = run_bodies(&[body.to_owned()]);
    assert!(receipts[0].is_success());
    assert_eq!(receipts[0].misses, 1);
    let contract = world.runtime.registry().contracts()[1].address;
    assert_eq!(
        world.runtime.storage(contract, &[0xff; 4]).expect("the state can be read"),
        Some(vec![0; 3])
    );
}

// Views and re-entry.

#[test]
fn a_view_that_changes_anything_traps() {
    let (mut world, [puppet, other, third]) = three_puppets();
    let changes = [Op::Write(1), Op::Add(1, 1), Op::Remove(1), Op::Spoil(1), Op::Emit];
    for change in changes {
        let ops = [Op::Read(1), change];
        let expected = Failure::Trap { contract: puppet };
        assert_eq!(fails(&mut world, look(puppet, &ops)), expected, "{ops:?}");
        // Also in a view that a view calls.
        let args = borsh::to_vec(&puppet::script(&ops)).unwrap();
        let inner = Op::Call { contract: other, method: "look", gas: 1_000_000, args };
        let expected = Failure::Trap { contract: other };
        let call = look(puppet, &[inner.clone(), Op::Forward]);
        assert_eq!(fails(&mut world, call), expected, "{ops:?}");
        // And in a view that a writing method calls, which itself may write on.
        let call = act(third, &[inner, Op::Write(2)], writes(&[2]), &[]);
        assert!(world.run_one(call).is_success());
        assert_eq!(world.cell(other, 1), None);
    }
}

#[test]
fn a_view_cannot_call_a_method_that_writes() {
    let (mut world, [puppet, other, third]) = three_puppets();
    let inner = call_op(third, "act_leaf", &[], &Cells::default());
    let status = CallStatus::ViewViolated as u32;
    let expected = Failure::CallRefused { contract: puppet, status };
    assert_eq!(fails(&mut world, look(puppet, &[inner.clone(), Op::Forward])), expected);
    // Further down, below a method that may write.
    let args = borsh::to_vec(&puppet::script(&[inner, Op::Forward])).unwrap();
    let middle = Op::Call { contract: other, method: "look", gas: 0, args };
    let top = act_undeclared(puppet, &[middle, Op::Forward]);
    let expected = Failure::CallRefused { contract: other, status };
    assert_eq!(fails(&mut world, top), expected);
}

#[test]
fn re_entry_is_refused_unless_the_method_opts_in() {
    let (mut world, [puppet, other, _]) = three_puppets();
    let refused =
        |contract| Failure::CallRefused { contract, status: CallStatus::ReentrancyRefused as u32 };
    let itself = call_op(puppet, "act_leaf", &[Op::Write(1)], &writes(&[1]));
    let call = act_undeclared(puppet, &[itself.clone(), Op::Forward]);
    assert_eq!(fails(&mut world, call), refused(puppet));
    let around = call_op(other, "act_undeclared", &[itself, Op::Forward], &Cells::default());
    let call = act_undeclared(puppet, &[around, Op::Forward]);
    assert_eq!(fails(&mut world, call), refused(other));

    let ops = [Op::Add(1, 1), Op::Emit];
    let itself = call_op(puppet, "act_reentrant", &ops, &writes(&[1]));
    let around = call_op(other, "act_undeclared", &[itself, Op::Emit], &Cells::default());
    let receipt =
        world.run_one(act_leaf(puppet, &[Op::Add(1, 2), around, Op::Add(1, 4)], writes(&[1])));
    assert!(receipt.is_success());
    assert_eq!(world.cell(puppet, 1), Some(7));
    let emitters: Vec<Address> = receipt.events.iter().map(|event| event.contract).collect();
    assert_eq!(emitters, [puppet, other]);
}

// What failed calls leave.

/// Ways to fail.
fn failing_ends() -> Vec<(Vec<Op>, CallStatus)> {
    vec![
        (vec![Op::Revert], CallStatus::Reverted),
        (vec![Op::ReturnError], CallStatus::Reverted),
        (vec![Op::Trap], CallStatus::Trapped),
        (vec![Op::Forward], CallStatus::Trapped),
        (vec![Op::Recurse(u32::MAX)], CallStatus::Trapped),
        (vec![Op::AddMost(9), Op::AddMost(9)], CallStatus::Trapped),
        (vec![Op::Spoil(9), Op::Add(9, 1)], CallStatus::Trapped),
        (vec![Op::HostRead { key: 0, key_len: 0, out: 0, capacity: 0 }], CallStatus::Trapped),
        (vec![Op::Spin], CallStatus::OutOfGas),
    ]
}

#[test]
fn nothing_of_a_failed_sub_call_remains() {
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let [puppet, other, third] = [(); 3].map(|()| world.deploy(&puppet::wasm()));
        let touched = [1, 2, 3, 4, 9];
        let before: Vec<Op> = [1, 2, 4].map(|cell| Op::Add(cell, 100 + u64::from(cell))).to_vec();
        world.run(vec![
            act_leaf(other, &before, writes(&touched)),
            act_leaf(third, &before, writes(&touched)),
        ]);
        let state = |world: &World| {
            [other, third].map(|contract| touched.map(|cell| world.cell(contract, cell)))
        };
        let kept = state(&world);
        for declared in [true, false] {
            for (end, status) in failing_ends() {
                // The callee writes, adds, removes, emits, lets a third succeed, and fails.
                let third_ops = [Op::Write(1), Op::Add(3, 1), Op::Remove(4), Op::Emit];
                let inner = call_op(third, "act_undeclared", &third_ops, &Cells::default());
                let mut ops = vec![
                    Op::Write(1),
                    Op::Add(2, 7),
                    Op::Add(3, 7),
                    Op::Remove(4),
                    Op::Emit,
                    inner,
                ];
                ops.extend(end);
                let args = puppet::leaf_args(&ops, &writes(&touched));
                let sub_call =
                    Op::Call { contract: other, method: "act_leaf", gas: 1_000_000, args };
                let reads_after = [1, 2, 3, 4].map(Op::Read);
                let check = call_op(other, "act_leaf", &reads_after, &writes(&touched));
                let top = [
                    vec![Op::Add(1, 1), Op::Emit, sub_call.clone(), Op::Add(1, 1), Op::Emit],
                    vec![check.clone()],
                ]
                .concat();
                let cells = Cells { writes: touched.to_vec(), ..Cells::default() };
                let callees = [Callee { contract: other, cells: cells.clone() }];
                let call = if declared {
                    act(puppet, &top, writes(&[1]), &callees)
                } else {
                    act_undeclared(puppet, &top)
                };
                let case = format!("{} {declared} {:?}", compiler.name(), ops.last());
                let receipt = world.run_one(call);
                assert!(receipt.is_success(), "{case}: {receipt:?}");
                assert_eq!(state(&world), kept, "{case}");
                let emitters: Vec<_> = receipt.events.iter().map(|event| event.contract).collect();
                assert_eq!(emitters, [puppet, puppet], "{case}");
                // The caller learns how it failed.
                let forwarding = act_undeclared(puppet, &[sub_call, Op::Forward]);
                let forwarded = world.run_one(forwarding);
                assert_eq!(status_of(&forwarded.outcome), status, "{case}");
                assert_eq!(state(&world), kept, "{case}");
            }
        }
    }
}

fn status_of(outcome: &Outcome) -> CallStatus {
    match outcome {
        Outcome::Returned(_) => CallStatus::Ok,
        Outcome::Reverted { .. } => CallStatus::Reverted,
        Outcome::Failed(Failure::OutOfGas) => CallStatus::OutOfGas,
        Outcome::Failed(_) => CallStatus::Trapped,
    }
}

#[test]
fn a_forwarded_failure_is_the_callees_own() {
    let (mut world, [puppet, other, third]) = three_puppets();
    let sub_call = |contract, gas, ops: &[Op]| {
        let args = puppet::leaf_args(ops, &Cells::default());
        Op::Call { contract, method: "act_undeclared", gas, args }
    };
    let failing = |end: Op| {
        let bottom = sub_call(third, 200_000, &[Op::Emit, end]);
        let middle = sub_call(other, 400_000, &[bottom, Op::Forward]);
        act_undeclared(puppet, &[Op::Write(1), middle, Op::Forward])
    };
    let receipts = run_in_vain(
        &mut world,
        vec![failing(Op::Revert), failing(Op::Trap), failing(Op::Recurse(u32::MAX))],
    );
    match &receipts[0].outcome {
        Outcome::Reverted { contract, error } => {
            assert_eq!((*contract, error.len()), (third, 8));
        }
        outcome => panic!("{outcome:?}"),
    }
    assert_eq!(failure(&receipts[1]), &Failure::Trap { contract: third });
    assert_eq!(failure(&receipts[2]), &Failure::StackExhausted { contract: third });
    // A trap costs all that its own call was given, and no more.
    assert!(receipts[0].gas_used < Gas(100_000));
    for receipt in &receipts[1..] {
        assert!((Gas(200_000)..Gas(300_000)).contains(&receipt.gas_used), "{receipt:?}");
    }
    // A call that went nowhere is the caller's own failure.
    let nobody = Address::from_u64(404);
    for (target, method, status) in [
        (nobody, "act_leaf", CallStatus::UnknownContract),
        (third, "nothing", CallStatus::UnknownMethod),
        (third, "act_leaf", CallStatus::BadArguments),
    ] {
        let ops = [Op::Call { contract: target, method, gas: 0, args: vec![1] }, Op::Forward];
        let expected = Failure::CallRefused { contract: puppet, status: status as u32 };
        assert_eq!(fails(&mut world, act_undeclared(puppet, &ops)), expected);
    }
}

#[test]
fn a_failure_can_be_forwarded_once_and_only_while_it_is_the_last() {
    let (mut world, [puppet, other, _]) = three_puppets();
    let none = Cells::default();
    let fails_below = call_op(other, "act_leaf", &[Op::Revert], &none);
    let succeeds = call_op(other, "act_leaf", &[], &none);
    let call = act_leaf(puppet, &[fails_below, succeeds, Op::Forward], none);
    assert_eq!(fails(&mut world, call), Failure::Trap { contract: puppet });
}

#[test]
fn a_sub_call_is_charged_what_it_used_and_no_more_than_it_was_given() {
    for compiler in Compiler::ALL {
        let mut world = World::new(1, compiler);
        let [puppet, other] = [(); 2].map(|()| world.deploy(&puppet::wasm()));
        let mut gas_of = |gas: u64, ops: &[Op]| {
            let args = puppet::leaf_args(ops, &Cells::default());
            let sub_call = Op::Call { contract: other, method: "act_leaf", gas, args };
            let receipt = world.run_one(act_leaf(puppet, &[sub_call], Cells::default()));
            assert!(receipt.is_success());
            receipt.gas_used.0
        };
        // Calls that use up what they are given differ by it exactly.
        for end in [Op::Trap, Op::Spin, Op::Recurse(u32::MAX)] {
            let spent = std::slice::from_ref(&end);
            let small = gas_of(100_000, spent);
            assert_eq!(gas_of(1_100_000, spent) - small, 1_000_000, "{end:?}");
        }
        // A call that succeeds costs the same whatever it was given.
        let little = gas_of(100_000, &[Op::Burn(10)]);
        assert_eq!(gas_of(0, &[Op::Burn(10)]), little);
        assert_eq!(gas_of(u64::MAX, &[Op::Burn(10)]), little);
    }
}

#[test]
fn a_caller_keeps_a_64th_of_its_gas_and_survives_a_callee_that_takes_all() {
    let (mut world, [puppet, other, _]) = three_puppets();
    let spin = call_op(other, "act_leaf", &[Op::Spin], &Cells::default());
    let receipt = world.run(vec![act_undeclared(puppet, &[spin])]).remove(0);
    assert!(receipt.is_success(), "{receipt:?}");
    let kept = PLENTY.0 - receipt.gas_used.0;
    assert!(kept <= PLENTY.0 / 64 && kept > PLENTY.0 / 100, "{kept} of {PLENTY} kept");
}

// Gas.

/// Calls of many kinds, all of which succeed.
fn samples(puppet: Address, other: Address) -> Vec<Call> {
    let all = Cells { reads: vec![1], writes: vec![2], adds: vec![3] };
    let ops = [
        Op::Context,
        Op::Read(1),
        Op::Write(2),
        Op::Add(3, 7),
        Op::Emit,
        Op::Dirty,
        Op::Burn(50),
        Op::Recurse(20),
        Op::GasLeft,
    ];
    let nested = call_op(other, "act_leaf", &ops, &all);
    let args = puppet::leaf_args(&[Op::Write(1), Op::Trap], &all);
    let failing = Op::Call { contract: other, method: "act_leaf", gas: 5_000, args };
    vec![
        act_leaf(puppet, &[], Cells::default()),
        act_leaf(puppet, &ops, all.clone()),
        act_undeclared(puppet, &ops),
        act_leaf(puppet, &[Op::Grow, Op::Burn(3)], Cells::default()),
        act(puppet, std::slice::from_ref(&nested), Cells::default(), &[]),
        act(puppet, &[failing, nested, Op::GasLeft, Op::Write(2)], all, &[]),
    ]
}

#[test]
fn the_gas_used_is_the_least_limit_that_is_enough() {
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let [puppet, other] = [(); 2].map(|()| world.deploy(&puppet::wasm()));
        for (number, call) in samples(puppet, other).into_iter().enumerate() {
            // Gas left is mixed in by some, so what counts is that they succeed.
            let mut with = |gas_limit: Gas| {
                let block = world.next_block(vec![Call { gas_limit, ..call.clone() }]);
                world.runtime.execute(&block).unwrap().receipts.remove(0)
            };
            let case = format!("{} sample {number}", compiler.name());
            let used = with(PLENTY).gas_used;
            let enough = with(used);
            assert!(enough.is_success(), "{case}: {enough:?}");
            assert_eq!(enough.gas_used, used, "{case}");
            let short = with(Gas(used.0 - 1));
            assert_eq!(failure(&short), &Failure::OutOfGas, "{case}");
            assert_eq!(short.gas_used, Gas(used.0 - 1), "{case}");
        }
    }
}

#[test]
fn any_gas_limit_ends_a_call_alike_under_every_compiler() {
    let mut receipts = Vec::new();
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let [puppet, other] = [(); 2].map(|()| world.deploy(&puppet::wasm()));
        let mut calls = samples(puppet, other);
        for (end, _) in failing_ends() {
            let ops = [&[Op::Write(2), Op::Emit, Op::Burn(20)][..], &end].concat();
            calls.push(act_leaf(puppet, &ops, writes(&[2, 9])));
        }
        let limits = (0..400).map(|step| Gas(1_000 + step * 37));
        let calls = limits
            .flat_map(|gas_limit| calls.iter().map(move |call| Call { gas_limit, ..call.clone() }));
        receipts.push(world.run(calls.collect()));
    }
    for compiler in 1..receipts.len() {
        for (call, (found, expected)) in receipts[compiler].iter().zip(&receipts[0]).enumerate() {
            assert_eq!(found, expected, "call {call} under {}", Compiler::ALL[compiler].name());
        }
    }
}

#[test]
fn a_trap_costs_the_whole_limit_and_a_revert_what_it_used() {
    let (mut world, puppet) = puppet_world();
    for (end, status) in failing_ends() {
        let call = act_leaf(puppet, &end, writes(&[9]));
        let receipt = world.run_one(call);
        let all = receipt.gas_used == PLENTY;
        // A sum that does not fit is found at the end, when the gas used is known.
        let at_the_end = matches!(&end[..], [Op::Spoil(_), Op::Add(..)]) && !all;
        assert_eq!(all, status != CallStatus::Reverted && !at_the_end, "{end:?}: {receipt:?}");
    }
}

// Counters.

#[test]
fn adding_beyond_the_range_fails_the_call_at_its_end() {
    let (mut world, puppet) = puppet_world();
    assert!(world.run_one(act_leaf(puppet, &[Op::AddMost(1)], adds(&[1]))).is_success());
    let call = act_leaf(puppet, &[Op::Add(1, 1), Op::Write(2), Op::Emit], {
        Cells { adds: vec![1], writes: vec![2], ..Cells::default() }
    });
    for call in [call.clone(), Call { method: "act_undeclared".to_owned(), ..call }] {
        let receipt = run_in_vain(&mut world, vec![call]).remove(0);
        assert_eq!(failure(&receipt), &Failure::AddOverflow { contract: puppet });
        assert!(receipt.gas_used < Gas(10_000), "it came to its end");
    }
    // Declared as a write, the same.
    let call = act_leaf(puppet, &[Op::Add(1, 1)], writes(&[1]));
    assert_eq!(fails(&mut world, call), Failure::AddOverflow { contract: puppet });
    // A caller cannot survive it: the sum is no business of the callee's frame.
    let other = world.deploy(&puppet::wasm());
    let inner = call_op(puppet, "act_leaf", &[Op::Add(1, 1)], &adds(&[1]));
    let receipt = run_in_vain(&mut world, vec![act_undeclared(other, &[inner, Op::Write(1)])]);
    assert!(matches!(failure(&receipt[0]), Failure::AddOverflow { .. }));
}

#[test]
fn adding_more_than_the_range_in_one_call_stops_it_there() {
    let (mut world, [puppet, other, _]) = three_puppets();
    let overflowing = [Op::AddMost(1), Op::Add(1, 1), Op::Write(2)];
    let cells = Cells { adds: vec![1], writes: vec![2], ..Cells::default() };
    let receipt =
        run_in_vain(&mut world, vec![act_leaf(puppet, &overflowing, cells.clone())]).remove(0);
    assert_eq!(failure(&receipt), &Failure::AddOverflow { contract: puppet });
    assert_eq!(receipt.gas_used, PLENTY);
    // A caller survives it, with the gas that it kept back.
    let args = puppet::leaf_args(&overflowing, &cells);
    let inner = Op::Call { contract: puppet, method: "act_leaf", gas: 1_000_000, args };
    let receipt = world.run_one(act_undeclared(other, &[inner, Op::Write(1)]));
    assert!(receipt.is_success(), "{receipt:?}");
    assert!(world.cell(other, 1).is_some());
    assert_eq!(world.cell(puppet, 1), None);
}

#[test]
fn a_key_that_holds_no_counter_cannot_be_added_to() {
    let (mut world, puppet) = puppet_world();
    assert!(world.run_one(act_leaf(puppet, &[Op::Spoil(1)], writes(&[1]))).is_success());
    for cells in [adds(&[1]), writes(&[1]), reads(&[1]), Cells::default()] {
        let call = act_leaf(puppet, &[Op::Add(1, 0)], cells);
        assert_eq!(fails(&mut world, call), Failure::AddOverflow { contract: puppet });
    }
    // Removed and added again it is one.
    assert!(
        world.run_one(act_leaf(puppet, &[Op::Remove(1), Op::Add(1, 3)], writes(&[1]))).is_success()
    );
    assert_eq!(world.cell(puppet, 1), Some(3));
}

// Blocks and batches.

#[test]
fn a_block_must_follow_the_head() {
    let mut world = World::unkept(Config { threads: 2, ..Config::default() });
    let puppet = world.deploy(&puppet::wasm());
    let mut block = world.next_block(vec![act_leaf(puppet, &[Op::Write(1)], writes(&[1]))]);
    // The first block of a runtime may have any height but 0.
    block.height.0 = 0;
    assert!(matches!(world.runtime.execute(&block), Err(ExecuteError::WrongHeight { .. })));
    block.height.0 = 500;
    let outcome = world.runtime.execute(&block).unwrap();
    world.runtime.commit(outcome.batch).unwrap();
    for height in [0, 1, 499, 500, 502, u64::MAX] {
        block.height.0 = height;
        let before = world.root();
        match world.runtime.execute(&block) {
            Err(ExecuteError::WrongHeight { block, head }) => {
                assert_eq!((block.0, head.0), (height, 500));
            }
            other => panic!("{other:?}"),
        }
        assert!(world.runtime.plan(&block).is_err());
        assert_eq!(world.root(), before);
    }
    block.height.0 = 501;
    assert!(world.runtime.execute(&block).is_ok());
}

#[test]
fn a_block_of_too_many_calls_is_not_executed() {
    let mut world = World::with_limits(Limits { calls_max: 2, ..Limits::default() });
    let puppet = world.deploy(&puppet::wasm());
    let call = act_leaf(puppet, &[], Cells::default());
    let block = world.next_block(vec![call.clone(); 3]);
    match world.runtime.execute(&block) {
        Err(ExecuteError::TooManyCalls { calls, limit }) => assert_eq!((calls, limit), (3, 2)),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.run(vec![call; 2]).len(), 2);
}

#[test]
fn a_batch_of_another_state_is_refused() {
    let (mut world, puppet) = puppet_world();
    let call = |cell| act_leaf(puppet, &[Op::Add(cell, 1)], writes(&[cell]));
    let block = world.next_block(vec![call(1)]);
    let twin = world.runtime.execute(&block).unwrap();
    let batch = world.runtime.execute(&block).unwrap().batch;
    world.runtime.commit(batch).unwrap();
    let before = world.root();
    let refused = |world: &mut World, batch| match world.runtime.commit(batch) {
        Err(StoreError::ForeignBatch { .. }) => assert_eq!(world.root(), before),
        other => panic!("{other:?}"),
    };
    refused(&mut world, twin.batch);
    // A contract made since the block was executed is a new state as well.
    let block = world.next_block(vec![call(2)]);
    let stale = world.runtime.execute(&block).unwrap();
    world.deploy(&puppet::wasm());
    assert!(world.runtime.commit(stale.batch).is_err());
    assert_eq!(world.cell(puppet, 2), None);
}

#[test]
fn a_batch_of_another_runtime_is_refused() {
    let (mut here, puppet) = puppet_world();
    let (mut there, _) = puppet_world();
    let fill = |cells: &[u8]| {
        let ops: Vec<Op> = cells.iter().map(|cell| Op::Write(*cell)).collect();
        act_leaf(puppet, &ops, writes(cells))
    };
    here.run_one(fill(&[1, 2, 3]));
    there.run_one(fill(&[3, 2, 1]));
    let block = there.next_block(vec![fill(&[1])]);
    let foreign = there.runtime.execute(&block).unwrap().batch;
    let before = here.root();
    assert!(matches!(here.runtime.commit(foreign), Err(StoreError::ForeignBatch { .. })));
    assert_eq!(here.root(), before);
}

// Uploads and instantiation.

/// `init(how)`: 0 writes cell 0 and succeeds; after writing, 1 reverts, 2 traps, 3 never ends, and
/// 4 calls `act_leaf` of the contract in the immutables with what stands in the data, and reverts.
fn init_module() -> Vec<u8> {
    let init = Method {
        params: list([field("how", Type::U8)]),
        access: list([each_cell(Mode::Write, arg(0))]),
        ..method("init")
    };
    let init = Method { declared: false, access: list([]), ..init };
    let abi = Abi {
        immutables: list([field("other", Type::Address)]),
        ..abi("initialized", [init, Method { mutability: Mutability::View, ..method("look") }])
    };
    let args = puppet::leaf_args(&[Op::Write(1), Op::Emit], &writes(&[1]));
    let args: String = args.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let length = args.len() / 3;
    let fields = format!(
        r#"(memory (export "memory") 1)
        (data (i32.const 100) "act_leaf")
        (data (i32.const 200) "{args}")
        {}{}"#,
        entry("look", ""),
        entry(
            "init",
            &format!(
                r#"(local $how i32)
                (call $args (i32.const 64))
                (local.set $how (i32.load8_u (i32.const 64)))
                (call $write (i32.const 0) (i32.const 2) (i32.const 64) (i32.const 1))
                (if (i32.eq (local.get $how) (i32.const 1)) (then
                  (call $output (i32.const 100) (i32.const 3)) (call $revert)))
                (if (i32.eq (local.get $how) (i32.const 2)) (then (unreachable)))
                (if (i32.eq (local.get $how) (i32.const 3)) (then (loop $ever (br $ever))))
                (if (i32.eq (local.get $how) (i32.const 4)) (then
                  (drop (call $immutables (i32.const 0) (i32.const 32)))
                  (if (call $call (i32.const 0) (i32.const 100) (i32.const 8)
                      (i32.const 200) (i32.const {length}) (i64.const 0))
                    (then (unreachable)))
                  (call $revert)))"#
            )
        )
    );
    module(&abi, &fields)
}

fn init_request(code: tollway::CodeHash, how: u8, salt: u64) -> Instantiate {
    Instantiate {
        code,
        creator: ALICE,
        salt,
        immutables: vec![0; 32],
        args: vec![how],
        gas_limit: PLENTY,
    }
}

#[test]
fn a_contract_that_cannot_be_made_leaves_nothing() {
    let (mut world, puppet) = puppet_world();
    let code = world.upload(&init_module());
    let no_init = world.runtime.registry().contracts()[0].code.hash;
    world.runtime.instantiate(init_request(code, 0, 1)).unwrap();
    let before = world.runtime.state_entries().expect("the state can be read");
    let contracts = world.runtime.registry().contracts().len();
    let mut refused = |request: Instantiate| {
        let error = world.runtime.instantiate(request).unwrap_err();
        assert_eq!(world.runtime.state_entries().expect("the state can be read"), before);
        assert_eq!(world.runtime.registry().contracts().len(), contracts);
        error
    };
    let good = init_request(code, 0, 2);

    let unknown = tollway::CodeHash([7; 32]);
    let error = refused(Instantiate { code: unknown, ..good.clone() });
    assert!(matches!(error, InstantiateError::UnknownCode { code } if code == unknown), "{error}");

    let error = refused(init_request(code, 0, 1));
    assert!(matches!(error, InstantiateError::AddressTaken { .. }), "{error}");

    for immutables in [vec![], vec![0; 31], vec![0; 33]] {
        let error = refused(Instantiate { immutables, ..good.clone() });
        assert!(matches!(error, InstantiateError::BadImmutables { .. }), "{error}");
        assert!(error.to_string().contains("initialized"), "{error}");
    }
    let error = refused(Instantiate { immutables: vec![0; 1_025], ..good.clone() });
    let is = matches!(error, InstantiateError::ImmutablesTooLarge { size: 1_025, limit: 1_024 });
    assert!(is, "{error}");

    let request = Instantiate { code: no_init, immutables: vec![], args: vec![1], ..good.clone() };
    let error = refused(request);
    assert!(matches!(error, InstantiateError::NoInit { size: 1, .. }), "{error}");

    let mut init_fails = |request: Instantiate| match refused(request) {
        InstantiateError::InitFailed { contract, receipt } => {
            assert_eq!(contract, "initialized");
            receipt.outcome
        }
        error => panic!("{error}"),
    };
    assert!(
        matches!(init_fails(init_request(code, 1, 2)), Outcome::Reverted { error, .. } if error == b"act")
    );
    let failed = |outcome| match outcome {
        Outcome::Failed(failure) => failure,
        outcome => panic!("{outcome:?}"),
    };
    assert!(matches!(failed(init_fails(init_request(code, 2, 2))), Failure::Trap { .. }));
    assert_eq!(failed(init_fails(init_request(code, 3, 2))), Failure::OutOfGas);
    for gas in [1, 1_000] {
        let request = Instantiate { gas_limit: Gas(gas), ..good.clone() };
        assert_eq!(failed(init_fails(request)), Failure::OutOfGas);
    }
    let most = Limits::default().call_gas_max;
    for gas_limit in [0, most + 1] {
        let request = Instantiate { gas_limit: Gas(gas_limit), ..good.clone() };
        let limit = most;
        assert_eq!(failed(init_fails(request)), Failure::BadGasLimit { gas_limit, limit });
    }
    let args = vec![0; Limits::default().args_bytes_max + 1];
    let failure = failed(init_fails(Instantiate { args, ..good.clone() }));
    assert!(matches!(failure, Failure::ArgumentsTooLarge { .. }), "{failure}");
    // An init that changed another contract before it reverted.
    let request =
        Instantiate { immutables: borsh::to_vec(&puppet).unwrap(), ..init_request(code, 4, 2) };
    assert!(matches!(init_fails(request), Outcome::Reverted { .. }));
    for args in [vec![], vec![1, 2]] {
        let failure = failed(init_fails(Instantiate { args, ..good.clone() }));
        assert!(matches!(failure, Failure::BadArguments { ref method, .. } if method == "init"));
    }
    // All of which took nothing from a good one.
    assert!(world.runtime.instantiate(good).is_ok());
}

#[test]
fn code_that_is_refused_is_not_stored() {
    let (mut world, _) = puppet_world();
    let before = world.runtime.state_entries().expect("the state can be read");
    let good = puppet::wasm();
    let plain = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
    let bad: [&[u8]; 5] = [b"", b"garbage", &good[..good.len() / 2], &plain, &vec![0; 600 << 10]];
    for wasm in bad {
        assert!(world.runtime.upload(wasm).is_err());
        assert_eq!(world.runtime.state_entries().expect("the state can be read"), before);
        assert!(world.runtime.code(&tollway::CodeHash::of(wasm)).is_none());
    }
    // What is there already stays as it is.
    world.upload(&good);
    assert_eq!(world.runtime.state_entries().expect("the state can be read"), before);
}

#[test]
fn limits_that_the_engine_cannot_keep_are_refused() {
    let limits = Limits { stack_units_max: u32::MAX, ..Limits::default() };
    let error = tollway::Runtime::new(Config { limits, ..Config::default() }).unwrap_err();
    assert!(error.to_string().contains("stack_units_max"), "{error}");
}

#[test]
fn a_wrong_query_has_a_receipt_and_changes_nothing() {
    let (world, puppet) = puppet_world();
    let before = world.root();
    let query = |contract, method: &str, args: &[u8]| {
        failure(&world.runtime.query(contract, method, args).unwrap()).clone()
    };
    let nobody = Address::from_u64(404);
    assert_eq!(query(nobody, "x", &[]), Failure::UnknownContract { contract: nobody });
    let expected = Failure::UnknownMethod { contract: puppet, method: "x".to_owned() };
    assert_eq!(query(puppet, "x", &[]), expected);
    let expected = Failure::BadArguments { method: "look".to_owned(), kind: 0 };
    assert_eq!(query(puppet, "look", &[]), expected);
    let ops = borsh::to_vec(&puppet::script(&[Op::Trap])).unwrap();
    assert_eq!(query(puppet, "look", &ops), Failure::Trap { contract: puppet });
    assert_eq!(world.root(), before);
}

#[test]
fn re_declared_modes_of_one_key_allow_all_of_them() {
    let (mut world, puppet) = puppet_world();
    let everything = Cells { reads: vec![1], writes: vec![], adds: vec![1] };
    let call = act_as(puppet, "act_leaf", &[Op::Read(1), Op::Add(1, 1), Op::Write(1)], everything);
    let receipt = world.run_one(call);
    assert!(receipt.is_success());
    assert_eq!(receipt.misses, 0);
}
