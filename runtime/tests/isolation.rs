//! Hostile modules that try to leave something behind for the next call on their instance. Each is
//! followed by a probe, which must see the first image: memory and its size, globals to the bit,
//! the whole depth of the stack.

mod support;

use std::fmt::Write;
use support::puppet::{self, Cells, Op, act_undeclared, call_op};
use support::{
    World, abi, call, call_with, entry, everywhere, failure, field, method, module, returned,
};
use tollway::host_api::{Abi, Method, Type};
use tollway::{Address, Call, Compiler, Config, Failure, Gas, Limits, Outcome};

/// Bytes of the hostile module's first memory: two pages, so that there is a border inside.
const MEMORY_BYTES: usize = 2 << 16;

/// Where its data lies at first: at the start, in a run after a gap, across the page border, at
/// the very end. Not empty, and so of one length, or the probe would not tell codes apart.
fn data(mark: &str) -> [(usize, String); 4] {
    let text = |place: &str| format!("{mark} at the {place}");
    [
        (0, text("start")),
        (0x1234, text("middle")),
        ((1 << 16) - 7, text("border")),
        (MEMORY_BYTES - 16 - mark.len(), text("far end")),
    ]
    .map(|(at, text)| (at.min(MEMORY_BYTES - text.len()), text))
}

/// What the probe computes of the memory.
fn checksum(mark: &str) -> u64 {
    let mut memory = vec![0u8; MEMORY_BYTES];
    for (at, text) in data(mark) {
        memory[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    memory.chunks_exact(8).fold(0, |sum: u64, chunk| {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks have eight bytes"));
        sum.rotate_left(5) ^ word.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// What the probe returns on a clean instance: size and checksum of the memory, then the globals.
fn clean(mark: &str) -> Vec<u8> {
    let mut clean = 2u64.to_le_bytes().to_vec();
    clean.extend(checksum(mark).to_le_bytes());
    clean.extend(0x1111_2222u64.to_le_bytes());
    clean.extend(0x3333_4444_5555_6666u64.to_le_bytes());
    clean.extend(u64::from(0x7fa0_0001u32).to_le_bytes());
    clean.extend(0xfff4_0000_0000_0001u64.to_le_bytes());
    clean.extend(0x7777u64.to_le_bytes());
    clean
}

const PROBE: &str = "
    (local $at i32) (local $sum i64)
    (loop $next
      (local.set $sum (i64.xor
        (i64.rotl (local.get $sum) (i64.const 5))
        (i64.mul (i64.load (local.get $at)) (i64.const 0x9E3779B97F4A7C15))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 0x20000))))
    (i64.store (i32.const 0) (i64.extend_i32_u (memory.size)))
    (i64.store (i32.const 8) (local.get $sum))
    (i64.store (i32.const 16) (i64.extend_i32_u (global.get $i32)))
    (i64.store (i32.const 24) (global.get $i64))
    (i64.store (i32.const 32) (i64.extend_i32_u (i32.reinterpret_f32 (global.get $f32))))
    (i64.store (i32.const 40) (i64.reinterpret_f64 (global.get $f64)))
    (i64.store (i32.const 48) (i64.extend_i32_u (global.get $exported)))
    (call $output (i32.const 0) (i32.const 56))";

/// How a hostile method ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Returns,
    Reverts,
    Traps,
    OutOfGas,
    StackExhausted,
}

/// Name, instructions, end.
const HOSTILE: &[(&str, &str, End)] = &[
    ("fills_memory", "(call $fill)", End::Returns),
    (
        "copies_memory_over_itself",
        "(memory.copy (i32.const 3) (i32.const 0) (i32.const 131069))
         (memory.copy (i32.const 0) (i32.const 65530) (i32.const 65542))",
        End::Returns,
    ),
    (
        "initializes_memory_from_a_segment",
        "(memory.init $passive (i32.const 0) (i32.const 0) (i32.const 8))
         (memory.init $passive (i32.const 65532) (i32.const 0) (i32.const 8))
         (memory.init $passive (i32.const 131064) (i32.const 0) (i32.const 8))",
        End::Returns,
    ),
    (
        "stores_across_the_page_border",
        "(i64.store (i32.const 65532) (i64.const -1))
         (i32.store16 (i32.const 65535) (i32.const -1))
         (f64.store (i32.const 65529) (f64.const nan:0x7000000000003))
         (i64.store (i32.const 131064) (i64.const -1))",
        End::Returns,
    ),
    (
        "stores_one_byte_in_each_page_kind",
        "(i32.store8 (i32.const 4096) (i32.const 1))
         (i32.store8 (i32.const 8191) (i32.const 1))
         (i32.store8 (i32.const 65535) (i32.const 1))
         (i32.store8 (i32.const 65536) (i32.const 1))
         (i32.store8 (i32.const 131071) (i32.const 1))",
        End::Returns,
    ),
    (
        "erases_its_own_data",
        "(memory.fill (i32.const 0) (i32.const 0) (i32.const 131072))",
        End::Returns,
    ),
    (
        "lets_the_host_write",
        "(call $this (i32.const 131040)) (call $caller (i32.const 65520))",
        End::Returns,
    ),
    ("changes_globals", "(call $smear)", End::Returns),
    ("changes_the_exported_global_alone", "(global.set $exported (i32.const 1))", End::Returns),
    (
        "computes_a_nan_into_a_global",
        "(global.set $f64 (f64.div (f64.const 0) (f64.const 0)))
         (global.set $f32 (f32.sub (f32.const inf) (f32.const inf)))",
        End::Returns,
    ),
    ("traps_after_filling", "(call $fill) (unreachable)", End::Traps),
    (
        "traps_right_after_a_global_changed",
        "(global.set $i64 (i64.const 1)) (global.set $exported (i32.const 2)) (unreachable)",
        End::Traps,
    ),
    (
        "divides_by_zero_half_way",
        "(call $smear) (i32.store (i32.const 70000) (i32.const 1))
         (i32.store (i32.const 0) (i32.div_u (i32.const 1) (global.get $zero)))",
        End::Traps,
    ),
    (
        "overflows_a_division_half_way",
        "(call $fill)
         (i64.store (i32.const 0)
           (i64.div_s (i64.const 0x8000000000000000) (i64.sub (i64.const 0) (i64.const 1))))",
        End::Traps,
    ),
    (
        "converts_a_nan_half_way",
        "(call $smear) (i32.store (i32.const 0) (i32.trunc_f32_s (global.get $f32)))",
        End::Traps,
    ),
    (
        "reads_out_of_bounds_after_writing",
        "(call $fill) (i32.store (i32.const 8) (i32.load (i32.const 131069)))",
        End::Traps,
    ),
    (
        "writes_out_of_bounds_after_writing",
        "(i64.store (i32.const 131000) (i64.const -1)) (i64.store (i32.const 131065) (i64.const -1))",
        End::Traps,
    ),
    (
        "writes_far_out_of_bounds",
        "(call $smear) (i64.store offset=0xfffffff0 (i32.const -1) (i64.const -1))",
        End::Traps,
    ),
    (
        "copies_out_of_bounds",
        "(memory.copy (i32.const 65536) (i32.const 0) (i32.const 65537))",
        End::Traps,
    ),
    (
        "calls_an_empty_table_entry",
        "(call $smear) (call_indirect (type $nothing) (i32.const 1))",
        End::Traps,
    ),
    (
        "calls_a_function_of_another_type",
        "(call $fill) (call_indirect (type $number) (i32.const 0)) (drop)",
        End::Traps,
    ),
    (
        "misuses_a_host_function",
        "(call $fill) (call $smear) (call $remove (i32.const 0) (i32.const 0))",
        End::Traps,
    ),
    (
        "runs_out_of_gas_writing",
        "(local $at i32)
         (loop $next
           (call $smear)
           (i64.store (i32.and (local.get $at) (i32.const 0x1fff8)) (i64.const -1))
           (local.set $at (i32.add (local.get $at) (i32.const 8)))
           (br $next))",
        End::OutOfGas,
    ),
    (
        "reverts_by_host_function",
        "(call $fill) (call $smear) (call $output (i32.const 0) (i32.const 100)) (call $revert)",
        End::Reverts,
    ),
    ("reverts_by_status", "(call $fill) (call $smear) (return (i32.const 1))", End::Reverts),
    (
        "grows_memory",
        "(drop (memory.grow (i32.const 1))) (i64.store (i32.const 131072) (i64.const -1))",
        End::Returns,
    ),
    (
        "grows_memory_to_its_most",
        "(loop $next (br_if $next (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
         (call $fill)",
        End::Returns,
    ),
    (
        "grows_memory_and_traps",
        "(drop (memory.grow (i32.const 2))) (call $smear) (unreachable)",
        End::Traps,
    ),
    ("recurses_for_ever", "(call $fill) (drop (call $forever (i64.const 1)))", End::StackExhausted),
    (
        "traps_deep_in_a_recursion",
        "(call $smear) (drop (call $dig (i32.const 500) (i32.const 1)))",
        End::Traps,
    ),
    ("returns_from_a_recursion", "(drop (call $dig (i32.const 500) (i32.const 0)))", End::Returns),
];

/// A module with all of [`HOSTILE`] and a probe. `mark` makes codes and images differ.
fn hostile_module(mark: &str) -> Vec<u8> {
    let names = HOSTILE.iter().map(|(name, ..)| *name);
    let depth = Method { params: support::list([field("depth", Type::U32)]), ..method("dig") };
    let methods = names.chain(["probe"]).map(method).chain([
        depth,
        Method { reentrant: true, ..method("inner_probe") },
        method("probes_itself_inside"),
    ]);
    let mut fields = r#"
        (type $nothing (func)) (type $number (func (result i64)))
        (memory (export "memory") 2 4)
        (table 2 funcref)
        (elem (i32.const 0) $smear)
        (global $i32 (mut i32) (i32.const 0x11112222))
        (global $i64 (mut i64) (i64.const 0x3333444455556666))
        (global $f32 (mut f32) (f32.const nan:0x200001))
        (global $f64 (mut f64) (f64.const -nan:0x4000000000001))
        (global $exported (export "exported") (mut i32) (i32.const 0x7777))
        (global $zero (mut i32) (i32.const 0))
        (data $passive "\ff\fe\fd\fc\fb\fa\f9\f8")
        (func $fill (memory.fill (i32.const 0) (i32.const 0xaa)
          (i32.mul (memory.size) (i32.const 65536))))
        (func $smear
          (global.set $i32 (i32.const -1))
          (global.set $i64 (i64.const -1))
          (global.set $f32 (f32.const -nan:0x345678))
          (global.set $f64 (f64.const nan:0xfedcba9876543))
          (global.set $exported (i32.const -1)))
        (func $forever (param $n i64) (result i64)
          (i64.store (i32.const 64) (local.get $n))
          (i64.add (i64.const 1) (call $forever (i64.add (local.get $n) (i64.const 1)))))
        (func $dig (param $depth i32) (param $trap i32) (result i64)
          (if (i32.eqz (local.get $depth)) (then
            (if (local.get $trap) (then (unreachable)))
            (return (i64.const 0))))
          (i64.add (i64.const 1)
            (call $dig (i32.sub (local.get $depth) (i32.const 1)) (local.get $trap))))
    "#
    .to_owned();
    for (at, text) in data(mark) {
        writeln!(fields, "(data (i32.const {at}) \"{text}\")").expect("strings take all");
    }
    for (name, instructions, _) in HOSTILE {
        fields.push_str(&entry(name, instructions));
    }
    fields.push_str(&entry("probe", PROBE));
    fields.push_str(&entry("inner_probe", PROBE));
    fields.push_str(&entry(
        "dig",
        "(call $args (i32.const 0)) (drop (call $dig (i32.load (i32.const 0)) (i32.const 0)))",
    ));
    // Fills its own memory, calls itself, finds its memory as it left it, hands the probe on.
    fields.push_str(&entry(
        "probes_itself_inside",
        r#"(call $fill) (call $smear)
           (call $this (i32.const 0))
           (i64.store (i32.const 32) (i64.const 0x72705f72656e6e69)) ;; "inner_pr"
           (i32.store (i32.const 40) (i32.const 0x65626f))           ;; "obe"
           (if (call $call (i32.const 0) (i32.const 32) (i32.const 11) (i32.const 0) (i32.const 0)
               (i64.const 0))
             (then (unreachable)))
           (if (i64.ne (i64.load (i32.const 44)) (i64.const 0xaaaaaaaaaaaaaaaa)) (then (unreachable)))
           (if (i64.ne (i64.load (i32.const 131064)) (i64.const 0xaaaaaaaaaaaaaaaa))
             (then (unreachable)))
           (if (i64.ne (global.get $i64) (i64.const -1)) (then (unreachable)))
           (drop (call $call_output (i32.const 128) (i32.const 1000)))
           (call $output (i32.const 128) (i32.const 56))"#,
    ));
    module(&abi("hostile", methods), &fields)
}

/// The hostile calls run out of gas quickly, the others far from it.
const HOSTILE_GAS: Gas = Gas(2_000_000);

fn hostile_call(contract: Address, name: &str) -> Call {
    Call { gas_limit: HOSTILE_GAS, ..call(contract, name) }
}

fn assert_end(outcome: &Outcome, end: End, name: &str) {
    let is = match outcome {
        Outcome::Returned(_) => End::Returns,
        Outcome::Reverted { .. } => End::Reverts,
        Outcome::Failed(Failure::Trap { .. }) => End::Traps,
        Outcome::Failed(Failure::OutOfGas) => End::OutOfGas,
        Outcome::Failed(Failure::StackExhausted { .. }) => End::StackExhausted,
        Outcome::Failed(failure) => panic!("{name}: {failure}"),
    };
    assert_eq!(is, end, "{name}");
}

/// Rounds of a test: fewer where instructions are interpreted.
fn rounds(world: &World, rounds: usize) -> usize {
    match world.runtime.config().compiler {
        Compiler::Pulley => rounds.div_ceil(10),
        Compiler::Cranelift | Compiler::Winch => rounds,
    }
}

#[test]
fn a_call_finds_the_first_image_whatever_ran_before() {
    everywhere(&Config::default(), |mut world, name| {
        let contract = world.deploy(&hostile_module("m"));
        let first = world.run_one(call(contract, "probe"));
        assert_eq!(returned(&first), clean("m"), "{name}: the first call ever");
        // Starting elsewhere each time, so that different calls share a chunk of roots, and an
        // instance is used for many of them in a row.
        for round in 0..4 {
            let mut calls = Vec::new();
            let mut ends = Vec::new();
            for turn in 0..rounds(&world, 25) * HOSTILE.len() {
                let (method, _, end) = HOSTILE[(turn * 7 + round) % HOSTILE.len()];
                calls.push(hostile_call(contract, method));
                ends.push((method, end));
                calls.push(call(contract, "probe"));
            }
            let block = world.next_block(calls);
            let outcome = world.runtime.execute(&block).unwrap();
            for (pair, (method, end)) in outcome.receipts.chunks_exact(2).zip(ends) {
                assert_end(&pair[0].outcome, end, method);
                assert_eq!(returned(&pair[1]), clean("m"), "{name}: after {method}");
                assert_eq!(pair[1].gas_used, first.gas_used, "{name}: after {method}");
            }
        }
    });
}

#[test]
fn hostile_calls_have_the_oracles_receipts() {
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let contract = world.deploy(&hostile_module("m"));
        let calls = HOSTILE
            .iter()
            .flat_map(|(name, ..)| [hostile_call(contract, name), call(contract, "probe")]);
        world.run(calls.collect());
    }
}

/// A contract that calls the named method of the contract in its immutables, whatever comes of it,
/// and then that contract's probe.
fn driver_module() -> Vec<u8> {
    let methods = ["attack"].map(|name| Method {
        params: support::list([field("method", Type::Text)]),
        declared: false,
        ..method(name)
    });
    let abi = Abi {
        immutables: support::list([field("target", Type::Address)]),
        ..abi("driver", methods)
    };
    let fields = format!(
        r#"(memory (export "memory") 1)
           (data (i32.const 64) "probe")
           {}"#,
        entry(
            "attack",
            r#"(drop (call $immutables (i32.const 0) (i32.const 32)))
               (call $args (i32.const 128))
               (drop (call $call (i32.const 0) (i32.const 132) (i32.load (i32.const 128))
                 (i32.const 0) (i32.const 0) (i64.const 2000000)))
               (if (call $call (i32.const 0) (i32.const 64) (i32.const 5)
                   (i32.const 0) (i32.const 0) (i64.const 0))
                 (then (call $forward_failure)))
               (drop (call $call_output (i32.const 256) (i32.const 1000)))
               (call $output (i32.const 256) (i32.const 56))"#,
        )
    );
    module(&abi, &fields)
}

#[test]
fn a_nested_call_finds_the_first_image_too() {
    everywhere(&Config::default(), |mut world, name| {
        let target = world.deploy(&hostile_module("m"));
        let driver = world.upload(&driver_module());
        let driver = world.instantiate(driver, &target);
        let attack = |method: &&str| call_with(driver, "attack", method);
        let names: Vec<&str> = HOSTILE.iter().map(|(name, ..)| *name).collect();
        for _ in 0..rounds(&world, 20) {
            let block = world.next_block(names.iter().map(attack).collect());
            let outcome = world.runtime.execute(&block).unwrap();
            for (receipt, method) in outcome.receipts.iter().zip(&names) {
                assert_eq!(returned(receipt), clean("m"), "{name}: after {method}");
            }
        }
    });
}

#[test]
fn a_contract_that_enters_itself_again_has_a_second_clean_instance() {
    everywhere(&Config::default(), |mut world, name| {
        let contract = world.deploy(&hostile_module("m"));
        let mut calls = vec![call(contract, "probes_itself_inside"); rounds(&world, 300)];
        calls.push(call(contract, "probe"));
        let block = world.next_block(calls);
        let outcome = world.runtime.execute(&block).unwrap();
        for receipt in &outcome.receipts {
            assert_eq!(returned(receipt), clean("m"), "{name}");
        }
    });
}

#[test]
fn stack_is_whole_again_after_it_was_exhausted() {
    everywhere(&Config::default(), |mut world, name| {
        let contract = world.deploy(&hostile_module("m"));
        let dig = |depth: u32| Call {
            gas_limit: Gas(1_000_000_000),
            ..call_with(contract, "dig", &depth)
        };
        let fits = |world: &mut World, depth| {
            let block = world.next_block(vec![dig(depth)]);
            world.runtime.execute(&block).unwrap().receipts[0].is_success()
        };
        let (mut fitting, mut failing) = (1, 1 << 20);
        while failing - fitting > 1 {
            let middle = (fitting + failing) / 2;
            if fits(&mut world, middle) { fitting = middle } else { failing = middle }
        }
        assert!((1_000..100_000).contains(&fitting), "{name}: {fitting}");
        let spoilers =
            ["recurses_for_ever", "traps_deep_in_a_recursion", "returns_from_a_recursion"];
        let calls = (0..rounds(&world, 60)).flat_map(|round| {
            [
                hostile_call(contract, spoilers[round % spoilers.len()]),
                dig(fitting),
                dig(failing),
                dig(fitting),
            ]
        });
        let block = world.next_block(calls.collect());
        let outcome = world.runtime.execute(&block).unwrap();
        for receipts in outcome.receipts.chunks_exact(4) {
            assert!(receipts[1].is_success(), "{name}: {:?}", receipts[1]);
            assert_eq!(failure(&receipts[2]), &Failure::StackExhausted { contract }, "{name}");
            assert_eq!(receipts[3], receipts[1], "{name}");
        }
    });
}

#[test]
fn stack_ends_at_the_same_depth_under_every_compiler() {
    let mut ends = Vec::new();
    for compiler in Compiler::ALL {
        let mut world = World::new(1, compiler);
        let contract = world.deploy(&hostile_module("m"));
        let limit = Gas(1_000_000_000);
        let calls = (0..12)
            .map(|step| Call {
                gas_limit: limit,
                ..call_with(contract, "dig", &(1u32 << step << 8))
            })
            .collect();
        let block = world.next_block(calls);
        ends.push(world.runtime.execute(&block).unwrap().receipts);
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], ends[2]);
}

#[test]
fn evicted_instances_leave_nothing_behind() {
    for instances_max in [1, 2, 3] {
        let limits = Limits { instances_max, ..Limits::default() };
        everywhere(&Config { limits, ..Config::default() }, |mut world, name| {
            let marks: Vec<String> = (0..6).map(|number| format!("mark {number}")).collect();
            let contracts: Vec<Address> =
                marks.iter().map(|mark| world.deploy(&hostile_module(mark))).collect();
            let driver = world.upload(&driver_module());
            let drivers: Vec<Address> =
                contracts.iter().map(|target| world.instantiate(driver, target)).collect();
            let mut calls = Vec::new();
            let mut expected = Vec::new();
            for turn in 0..rounds(&world, 300) {
                let which = turn * 5 % contracts.len();
                let (method, ..) = HOSTILE[turn % HOSTILE.len()];
                calls.push(hostile_call(contracts[which], method));
                expected.push(None);
                let other = if turn % 3 == 0 { which } else { (which + turn) % contracts.len() };
                calls.push(call(contracts[other], "probe"));
                expected.push(Some(clean(&marks[other])));
                calls.push(call_with(drivers[other], "attack", &method));
                expected.push(Some(clean(&marks[other])));
            }
            let block = world.next_block(calls);
            let outcome = world.runtime.execute(&block).unwrap();
            for (index, (receipt, clean)) in outcome.receipts.iter().zip(expected).enumerate() {
                if let Some(clean) = clean {
                    assert_eq!(
                        returned(receipt),
                        clean,
                        "{name}, {instances_max} instances, call {index}"
                    );
                }
            }
        });
    }
}

#[test]
fn dirt_of_nested_and_reentrant_calls_never_shows() {
    everywhere(&Config::default(), |mut world, name| {
        let puppet = world.deploy(&puppet::wasm());
        let other = world.deploy(&puppet::wasm());
        let dirty = |ops: &[Op]| [&[Op::Dirty], ops].concat();
        let none = Cells::default();
        let attacks = [
            dirty(&[Op::Grow]),
            dirty(&[Op::Trap]),
            dirty(&[Op::Revert]),
            dirty(&[Op::ReturnError]),
            dirty(&[Op::Spin]),
            dirty(&[Op::Recurse(1 << 20)]),
            dirty(&[Op::Read(1), Op::Forward]),
            dirty(&[call_op(other, "act_undeclared", &[Op::Dirty, Op::Trap], &none)]),
        ];
        // What a clean instance mixes, as the last thing that a call does.
        let probe = call_op(puppet, "act_reentrant", &[Op::Dirty], &none);
        let expected = world.run_one(act_undeclared(other, std::slice::from_ref(&probe)));
        let expected = returned(&expected).to_vec();
        let mut calls = Vec::new();
        for attack in &attacks {
            // A call of its own, then nested: in the next call on this instance nothing shows.
            calls.push(Call { gas_limit: HOSTILE_GAS, ..act_undeclared(puppet, attack) });
            calls.push(act_undeclared(other, std::slice::from_ref(&probe)));
            let attack = call_op(puppet, "act_reentrant", attack, &none);
            calls.push(act_undeclared(puppet, &[attack, Op::Dirty]));
            calls.push(act_undeclared(other, std::slice::from_ref(&probe)));
        }
        let calls: Vec<Call> = calls.iter().cycle().take(calls.len() * 3).cloned().collect();
        for receipts in world.run(calls).chunks_exact(2) {
            assert_eq!(returned(&receipts[1]), expected, "{name}");
        }
    });
}
