use super::*;
use crate::engine::config::{Compiler, WASM_STACK_BYTES};
use crate::engine::validate::samples::{End, abi_of, module, run, run_prepared, with_stack};
use crate::engine::validate::{Prepared, prepare, validate};
use std::fmt::Write;

const FUEL: u64 = 1 << 40;

fn sample(items: &str) -> Vec<u8> {
    module(&format!(r#"(memory (export "memory") 1) {items}"#), &abi_of(&["run"]))
}

fn prepared(items: &str, limits: &Limits) -> Prepared {
    prepare(&sample(items), limits).unwrap_or_else(|error| panic!("{error}\n{items}"))
}

/// Finds the deepest recursion that a module allows, and checks that all compilers agree on it:
/// `run(n)` has to call itself `n` times and to return `n`.
fn check_depth(items: &str) -> i32 {
    let limits = Limits::default();
    let prepared = prepared(items, &limits);
    let run = |compiler, depth| {
        let (end, _, _) = run_prepared(&prepared, limits.stack_units_max, compiler, depth, FUEL);
        end
    };
    with_stack(|| {
        let (mut fits, mut fails) = (0, 1 << 20);
        while fails - fits > 1 {
            let middle = (fits + fails) / 2;
            match run(Compiler::Cranelift, middle) {
                End::Returned(value, _) => {
                    assert_eq!(value, middle);
                    fits = middle;
                }
                End::StackExhausted => fails = middle,
                other => panic!("{other:?} at {middle}\n{items}"),
            }
        }
        let expected = run(Compiler::Cranelift, fits);
        for compiler in Compiler::ALL {
            assert_eq!(run(compiler, fits), expected, "{compiler:?}\n{items}");
            assert_eq!(run(compiler, fails), End::StackExhausted, "{compiler:?}");
        }
        fits
    })
}

const DIRECT: &str = r#"
    (func $run (export "run") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (i32.add (i32.const 1) (call $run (i32.sub (local.get 0) (i32.const 1)))))"#;

const MUTUAL: &str = r#"
    (func $run (export "run") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $odd (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))
    (func $odd (param i32) (result i32) (local i64 i64 i64)
        (if (result i32) (local.get 0)
            (then (i32.add (i32.const 1) (call $run (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.const 0))))"#;

const INDIRECT: &str = r#"
    (type $same (func (param i32) (result i32)))
    (type $method (func (param i32) (result i32)))
    (table 2 funcref) (elem (i32.const 1) $run)
    (func $run (export "run") (type $method)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))
        (i32.add (i32.const 1)
            (call_indirect (type $same) (i32.sub (local.get 0) (i32.const 1)) (i32.const 1))))"#;

const MULTI_VALUE: &str = r#"
    (func (export "run") (param i32) (result i32)
        (call $walk (local.get 0)) (drop) (drop))
    (func $walk (param i32) (result i32 i64 f64)
        (block (result i32 i64 f64)
            (block
                (br_if 0 (local.get 0))
                (loop (return (i32.const 0) (i64.const 1) (f64.const 2))))
            (call $walk (i32.sub (local.get 0) (i32.const 1)))
            (drop) (drop)
            (br 1 (i32.add (i32.const 1)) (i64.const 3) (f64.const 4))))"#;

/// A function that needs `count` expressions before and after it calls itself: an optimizer keeps
/// them all, although there are neither locals nor a deep operand stack.
fn monster(count: u32) -> String {
    let mut body = String::from(
        r#"(global $sum (mut i64) (i64.const 0))
        (func $run (export "run") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 0))))"#,
    );
    let values: String = (0..count).fold(String::new(), |mut text, index| {
        write!(
            text,
            "(global.set $sum (i64.xor (global.get $sum)
                (i64.mul (i64.extend_i32_u (local.get 0)) (i64.const {}))))",
            index * 2 + 1_000_003
        )
        .expect("strings take all");
        text
    });
    body += &values;
    body += "(call $run (i32.sub (local.get 0) (i32.const 1)))";
    body += &values;
    body + "(i32.const 1) (i32.add))"
}

#[test]
fn recursion_stops_at_the_same_depth() {
    // 17 values: the parameter, the result, 13 instructions, and what the call takes and gives.
    assert_eq!(check_depth(DIRECT), (512 << 10) / (64 + 16 * 17) - 1);
    check_depth(MUTUAL);
    check_depth(INDIRECT);
    check_depth(MULTI_VALUE);
    assert_eq!(check_depth(&monster(100)), 22);
}

#[test]
fn frames_above_the_budget_are_refused() {
    let refused = |items: &str, limits: &Limits| {
        prepare(&sample(items), limits).expect_err("it is too large").to_string()
    };
    let limits = Limits { function_bytes_max: 1 << 20, ..Limits::default() };
    for count in [4_000, 10_000] {
        let found = refused(&monster(count), &limits);
        assert!(found.starts_with("function 0 needs "), "{found}");
    }
    let above = Limits { stack_units_max: STACK_UNITS_CEILING + 1, ..limits };
    assert_eq!(
        refused(DIRECT, &above),
        "the host's stack_units_max is 524289, the engine holds 524288"
    );
}

/// `run` calls f0 calls f1 … without a cycle.
fn chain(length: u32) -> String {
    let mut items =
        String::from(r#"(func (export "run") (param i32) (result i32) (call $f0) (local.get 0))"#);
    for index in 0..length {
        write!(items, "(func $f{index} (call $f{}))", index + 1).expect("strings take all");
    }
    items + &format!("(func $f{length})")
}

#[test]
fn chains_without_a_cycle_are_counted_at_upload() {
    // A frame of two instructions and nothing else: 64 + 16 * 2 units.
    let limits = Limits { functions_max: 10_000, ..Limits::default() };
    let wasm = sample(&chain(4_000));
    let validated = validate(&wasm, &limits).expect("it is allowed");
    let instrumented = instrument(&wasm, &validated, &limits).expect("it fits");
    assert_eq!(instrumented.counted_functions, 0);
    assert_eq!(instrumented.depth_global, None);
    assert_eq!(instrumented.chain_units, 4_000 * 96 + 80 + 64 + 16 * 5);
    with_stack(|| {
        for compiler in Compiler::ALL {
            let (end, _, _) = run(&instrumented.wasm, None, 0, compiler, 7, FUEL);
            assert!(matches!(end, End::Returned(7, _)), "{compiler:?} {end:?}");
        }
    });
    let error = prepare(&sample(&chain(6_000)), &limits).expect_err("it is too deep");
    assert_eq!(
        error.to_string(),
        "calls from function 0 need 576224 units of stack, limit is 524288"
    );
}

#[test]
fn results_are_unchanged() {
    let limits = Limits::default();
    let fib = r#"
        (func $run (export "run") (param i32) (result i32)
            (if (i32.lt_u (local.get 0) (i32.const 2)) (then (return (local.get 0))))
            (i32.add (call $run (i32.sub (local.get 0) (i32.const 1)))
                     (call $run (i32.sub (local.get 0) (i32.const 2)))))"#;
    // Every way to leave a function: return, a branch to its label, a table, and its end.
    let exits = r#"
        (func $run (export "run") (param i32) (result i32) (local $n i32)
            (local.set $n (i32.and (local.get 0) (i32.const 7)))
            (if (i32.gt_u (local.get 0) (i32.const 7))
                (then (drop (call $run (i32.sub (local.get 0) (i32.const 8))))))
            (if (i32.eqz (local.get $n)) (then (return (i32.const 100))))
            (block $a
                (loop $b
                    (if (i32.eq (local.get $n) (i32.const 1)) (then (br 3 (i32.const 200))))
                    (br_if $a (i32.eq (local.get $n) (i32.const 2)))
                    (if (i32.eq (local.get $n) (i32.const 3))
                        (then (br_table 3 3 (i32.const 300) (local.get $n))))
                    (if (i32.eq (local.get $n) (i32.const 4))
                        (then (i32.const 1) (i32.const 400) (return)))
                    (if (i32.eq (local.get $n) (i32.const 5))
                        (then (return (i32.const 500)) (unreachable)))))
            (i32.const 600))"#;
    for items in [DIRECT, MUTUAL, INDIRECT, MULTI_VALUE, fib, exits, &monster(10)] {
        let wasm = sample(items);
        let prepared = prepare(&wasm, &limits).unwrap_or_else(|error| panic!("{error}\n{items}"));
        for compiler in Compiler::ALL {
            for argument in 0..17 {
                let (before, _, _) = run(&wasm, None, 0, compiler, argument, FUEL);
                let (after, globals, _) =
                    run_prepared(&prepared, limits.stack_units_max, compiler, argument, FUEL);
                let (End::Returned(before, _), End::Returned(after, _)) = (before, after) else {
                    panic!("{before:?} {after:?} {argument}\n{items}");
                };
                assert_eq!(before, after, "{argument} {items}");
                assert_eq!(globals.first(), Some(&0), "the depth counter is balanced");
            }
        }
    }
}

#[test]
fn only_cycles_are_counted() {
    let counted = |items: &str| {
        let (wasm, limits) = (sample(items), Limits::default());
        let validated = validate(&wasm, &limits).expect("it is allowed");
        instrument(&wasm, &validated, &limits).expect("it fits").counted_functions
    };
    assert_eq!(counted(&chain(3)), 0);
    assert_eq!(counted(MUTUAL), 2);
    assert_eq!(counted(INDIRECT), 1);
    // Reachable through the table, but not by a call of its type.
    assert_eq!(
        counted(
            r#"(table 1 funcref) (elem (i32.const 0) $run) (type $other (func (param i64)))
            (func $run (export "run") (param i32) (result i32)
                (call_indirect (type $other) (i64.const 0) (i32.const 0)) (i32.const 0))"#
        ),
        0
    );
}

/// Shapes of functions that might have large frames: each counts its entries, and calls itself
/// without end.
fn shapes() -> Vec<String> {
    let function = |signature: &str, before: &str, call: &str, after: &str| {
        format!(
            r#"(global $count (export "count") (mut i32) (i32.const 0))
            (global $sum (mut i64) (i64.const 0))
            (func (export "run") (param i32) (result i32) {call} (unreachable))
            (func $f {signature}
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                {before} {call} {after} (unreachable))"#
        )
    };
    let many =
        |count: usize, text: &dyn Fn(usize) -> String| -> String { (0..count).map(text).collect() };
    let mut shapes = vec![function("", "", "(call $f)", "")];
    for count in [1, 8, 100, 900] {
        let locals = format!("(local {})", "i64 ".repeat(count));
        let set =
            many(count, &|i| format!("(local.set {i} (i64.load offset={} (i32.const 0)))", i * 8));
        let get =
            many(count, &|i| format!("(i64.store offset={} (i32.const 0) (local.get {i}))", i * 8));
        shapes.push(function(&locals, &set, "(call $f)", &get));
        let floats = [&locals, &set, &get].map(|text| text.replace("i64", "f64"));
        shapes.push(function(&floats[0], &floats[1], "(call $f)", &floats[2]));
        // Values on the operand stack.
        let push = many(count, &|i| format!("(i64.load offset={} (i32.const 0))", i * 8));
        let pop = "(global.set $sum (i64.xor (global.get $sum)))".repeat(count);
        shapes.push(function("", &push, "(call $f)", &pop));
        // Expressions that are worth keeping.
        let keep = many(count, &|i| {
            let product =
                format!("(i64.mul (i64.load (i32.const 0)) (i64.const {}))", i * 2 + 77_777);
            format!("(global.set $sum (i64.xor (global.get $sum) {product}))")
        });
        shapes.push(function("", &keep, "(call $f)", &keep));
        let keep = many(count, &|i| {
            let product = format!("(i64.mul (local.get 0) (i64.const {}))", i * 2 + 77_777);
            format!("(global.set $sum (i64.xor (global.get $sum) {product}))")
        });
        shapes.push(function("(local i64)", &keep, "(call $f)", &keep));
    }
    for count in [1, 7, 32] {
        // Many parameters, many results, through calls and through blocks.
        let types = "i64 ".repeat(count);
        let push = many(count, &|i| format!("(i64.load offset={} (i32.const 0))", i * 8));
        let call = format!("{push} (call $f)");
        let used = many(count, &|i| format!("(global.set $sum (local.get {i}))"));
        shapes.push(function(&format!("(param {types})"), "", &call, &used));
        let results = format!("(result {types})");
        let drop = "(global.set $sum (i64.xor (global.get $sum)))".repeat(count);
        shapes.push(function(&results, "", "(call $f)", &drop));
        let block = format!(
            "{push} (if (param {types}) (result {types}) (i32.load (i32.const 0))
                (then (call $g)) (else (call $h)))"
        );
        let get = many(count, &|i| format!("(local.get {i})"));
        let reversed = many(count, &|i| format!("(local.get {})", count - 1 - i));
        let helpers = format!(
            "(func $g (param {types}) (result {types}) {reversed})
            (func $h (param {types}) (result {types}) {get})"
        );
        for times in [1, 10] {
            let blocks = block.repeat(times);
            shapes.push(function("", &blocks, "(call $f)", &drop.repeat(times)) + &helpers);
        }
    }
    for (loops, locals) in [(10, 10), (100, 10), (100, 100), (200, 3)] {
        // Locals that change places inside nested loops: many values for few instructions.
        let declared = format!("(local {})", "i64 ".repeat(locals));
        let rotate = |text: &str| {
            let get = many(locals, &|i| format!("(local.get {i})"));
            let set = many(locals, &|i| format!("(local.set {i})"));
            format!("{get} {text} {set}")
        };
        let fill =
            many(locals, &|i| format!("(local.set {i} (i64.load offset={} (i32.const 0)))", i * 8));
        let open = "(loop ".repeat(loops);
        let close = "(br_if 0 (i32.load (i32.const 8))))".repeat(loops);
        let nest = format!("{fill} {open} {} {close}", rotate(""));
        let used = many(locals, &|i| format!("(global.set $sum (local.get {i}))"));
        shapes.push(function(&declared, &nest, "(call $f)", &used));
        let inside = format!("{fill} {open} {} (call $f) {close}", rotate(""));
        shapes.push(function(&declared, &inside, "(call $f)", &used));
        if loops * locals <= 1_000 {
            let each = format!("(loop {} ", rotate("")).repeat(loops);
            let nest = format!("{fill} {each} (call $f) {close}");
            shapes.push(function(&declared, &nest, "(call $f)", &used));
        }
    }
    shapes
}

/// Native bytes of a frame of `$f`, by overflowing the native stack.
fn native_frame(wasm: &[u8], compiler: Compiler) -> u64 {
    let (end, globals, _) = run(wasm, None, 0, compiler, 0, FUEL);
    assert_eq!(end, End::NativeOverflow, "{compiler:?}");
    WASM_STACK_BYTES as u64 / globals[0].max(1)
}

#[test]
fn units_bound_native_frames() {
    let limits = Limits { function_bytes_max: 1 << 20, ..Limits::default() };
    let mut worst = (0, 0, String::new());
    with_stack(|| {
        for items in shapes() {
            let wasm = sample(&items);
            let validated = validate(&wasm, &limits).unwrap_or_else(|e| panic!("{e}\n{items}"));
            let units = frames::measure(&wasm, &validated.shape).expect("it is valid")[1].units;
            for compiler in [Compiler::Cranelift, Compiler::Winch] {
                let bytes = native_frame(&wasm, compiler);
                assert!(bytes <= units, "{compiler:?}: {bytes} bytes, {units} units\n{items}");
                let percent = bytes * 100 / units;
                if percent > worst.0 {
                    worst = (percent, bytes, items[..items.len().min(600)].to_owned());
                }
            }
        }
    });
    println!("closest: {} % of its units, {} bytes: {}", worst.0, worst.1, worst.2);
}
