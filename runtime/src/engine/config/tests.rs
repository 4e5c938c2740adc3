use super::*;
use crate::engine::validate::prepare;
use crate::engine::validate::samples::{End, abi_of, module, run_prepared, with_stack};
use proptest::prelude::*;
use std::fmt::Write;

const FUEL: u64 = 1 << 30;

/// Runs a program under every compiler; they have to agree. Returns what they agree on.
fn check(items: &str, fuel: u64) -> End {
    let limits = Limits::default();
    let wasm = module(&format!(r#"(memory (export "memory") 1) {items}"#), &abi_of(&["run"]));
    let prepared = prepare(&wasm, &limits).unwrap_or_else(|error| panic!("{error}\n{items}"));
    with_stack(|| {
        let run = |compiler| run_prepared(&prepared, limits.stack_units_max, compiler, 3, fuel);
        let expected = run(Compiler::Cranelift);
        for compiler in [Compiler::Winch, Compiler::Pulley] {
            let found = run(compiler);
            assert_eq!(found.0, expected.0, "{compiler:?}\n{items}");
            // After a trap nothing is kept, and compilers may have got on differently.
            if matches!(expected.0, End::Returned(..)) {
                assert_eq!(found.1, expected.1, "globals, {compiler:?}\n{items}");
                assert!(found.2 == expected.2, "memory, {compiler:?}\n{items}");
            }
        }
        expected.0
    })
}

fn run_body(body: &str, fuel: u64) -> End {
    check(&format!(r#"(func (export "run") (param i32) (result i32) {body})"#), fuel)
}

#[test]
fn compilers_agree() {
    let fuel_of = |body: &str| match run_body(body, FUEL) {
        End::Returned(_, fuel) => fuel,
        other => panic!("{other:?}\n{body}"),
    };
    // One unit for the entry, one for the constant that is returned.
    assert_eq!(fuel_of("(i32.const 0)"), 2);
    let cost = |statement: &str| fuel_of(&format!("{statement} (i32.const 0)")) - 2;
    assert_eq!(cost("(nop) (block) (loop)"), 0);
    assert_eq!(cost("(drop (i32.div_u (local.get 0) (local.get 0)))"), 18);
    // Three for the operands.
    assert_eq!(cost("(memory.fill (i32.const 0) (i32.const 7) (i32.const 63))"), 3 + 44);
    assert_eq!(cost("(memory.copy (i32.const 0) (i32.const 7) (local.get 0))"), 3 + 44);
    assert_eq!(cost("(memory.copy (i32.const 0) (i32.const 7) (i32.const 64))"), 3 + 44 + 6);
    assert_eq!(cost("(memory.fill (i32.const 0) (i32.const 7) (i32.const 1000))"), 3 + 44 + 90);
    assert_eq!(cost("(drop (memory.grow (local.get 0)))"), 1 + 6_189);
    assert_eq!(cost("(drop (memory.grow (i32.const 1000000)))"), 1 + 6_189);
    assert_eq!(cost("(drop (i64.mul_wide_u (i64.const 1) (i64.const 2))) (drop)"), 6);
    // Code that can't be reached is free.
    assert_eq!(cost("(block (br 0) (drop (i32.div_u (i32.const 1) (i32.const 0))))"), 1);
    assert_eq!(cost("(if (i32.const 1) (then (br 0)) (else (drop (i32.const 1))))"), 4);
    // NaNs have one form.
    let nan = "(i32.reinterpret_f32 (f32.div (f32.const 0) (f32.const 0)))";
    assert!(matches!(run_body(nan, FUEL), End::Returned(0x7fc0_0000, _)));
    let payload = "(i32.reinterpret_f32 (f32.add (f32.const nan:0x123456) (f32.const 1)))";
    assert!(matches!(run_body(payload, FUEL), End::Returned(0x7fc0_0000, _)));
}

#[test]
fn failures_agree() {
    assert_eq!(run_body("(loop (br 0)) (unreachable)", 10_000), End::OutOfFuel);
    assert_eq!(run_body("(unreachable)", FUEL), End::Trapped);
    assert_eq!(run_body("(i32.load (i32.const 65536))", FUEL), End::Trapped);
    assert_eq!(run_body("(i32.load offset=4294967295 (i32.const -1))", FUEL), End::Trapped);
    assert_eq!(run_body("(i32.div_s (i32.const 0x80000000) (i32.const -1))", FUEL), End::Trapped);
    assert_eq!(run_body("(i32.trunc_f32_s (f32.const inf))", FUEL), End::Trapped);
    assert_eq!(
        run_body("(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537)) (i32.const 0)", FUEL),
        End::Trapped
    );
    let fill = "(memory.fill (i32.const 0) (i32.const 0) (i32.const -1)) (i32.const 0)";
    assert_eq!(run_body(fill, 1 << 20), End::OutOfFuel);
}

/// Writes programs from a string of choices.
struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    text: String,
}

impl Writer<'_> {
    fn choose(&mut self, count: u8) -> u8 {
        self.choices.next().map_or(0, |choice| choice % count)
    }

    fn put(&mut self, text: impl std::fmt::Display) {
        write!(self.text, "{text} ").expect("strings take all");
    }

    /// An expression of type `i64`.
    fn expr(&mut self, depth: u8) {
        if depth == 0 || self.choices.len() == 0 {
            match self.choose(3) {
                0 => self.put("(i64.const 5)"),
                1 => self.put("(i64.const -7000000000)"),
                _ => {
                    let local = self.choose(4);
                    self.put(format_args!("(local.get $v{local})"));
                }
            }
            return;
        }
        const UNARY: [&str; 14] = [
            "(i64.clz",
            "(i64.ctz",
            "(i64.popcnt",
            "(i64.extend8_s",
            "(i64.extend32_s",
            "(i64.extend_i32_s (i32.wrap_i64",
            "(i64.extend_i32_u (i32.eqz (i32.wrap_i64",
            "(i64.trunc_sat_f64_s (f64.reinterpret_i64",
            "(i64.reinterpret_f64 (f64.convert_i64_u",
            "(i64.reinterpret_f64 (f64.sqrt (f64.reinterpret_i64",
            "(i64.reinterpret_f64 (f64.nearest (f64.reinterpret_i64",
            "(i64.extend_i32_u (i32.reinterpret_f32 (f32.demote_f64 (f64.reinterpret_i64",
            "(i64.trunc_f64_u (f64.reinterpret_i64",
            "(i64.load offset=16 (i32.and (i32.const 0xffff) (i32.wrap_i64",
        ];
        const BINARY: [&str; 16] = [
            "i64.add",
            "i64.sub",
            "i64.mul",
            "i64.xor",
            "i64.and",
            "i64.shl",
            "i64.shr_s",
            "i64.rotl",
            "i64.div_s",
            "i64.rem_u",
            "f64.add",
            "f64.mul",
            "f64.div",
            "f64.min",
            "f64.max",
            "f64.copysign",
        ];
        match self.choose(8) {
            5 => {
                self.put("(if (result i64) (i32.wrap_i64");
                self.expr(depth - 1);
                self.put(") (then");
                self.expr(depth - 1);
                self.put(") (else");
                self.expr(depth - 1);
                self.put("))");
            }
            6 => {
                self.put("(block (result i64) (br_if 0");
                self.expr(depth - 1);
                self.put("(i32.wrap_i64");
                self.expr(depth - 1);
                self.put(")))");
            }
            7 => {
                self.put("(call_indirect (type $mix) (i32.wrap_i64");
                self.expr(depth - 1);
                self.put(")");
                self.expr(depth - 1);
                self.put("(i32.and (i32.const 1) (i32.wrap_i64");
                self.expr(depth - 1);
                self.put(")))");
            }
            0 => {
                let operator = UNARY[usize::from(self.choose(UNARY.len() as u8))];
                self.put(operator);
                self.expr(depth - 1);
                let opened = operator.matches('(').count() - operator.matches(')').count();
                self.put(")".repeat(opened));
            }
            1 | 2 => {
                let operator = BINARY[usize::from(self.choose(BINARY.len() as u8))];
                let is_float = operator.starts_with('f');
                if is_float {
                    self.put("(i64.reinterpret_f64");
                }
                self.put(format_args!("({operator}"));
                for _ in 0..2 {
                    self.put(if is_float { "(f64.reinterpret_i64" } else { "" });
                    self.expr(depth - 1);
                    self.put(if is_float { ")" } else { "" });
                }
                self.put(if is_float { "))" } else { ")" });
            }
            3 => {
                self.put("(select");
                self.expr(depth - 1);
                self.expr(depth - 1);
                self.put("(i32.wrap_i64");
                self.expr(depth - 1);
                self.put("))");
            }
            _ => {
                self.put("(call $mix (i32.wrap_i64");
                self.expr(depth - 1);
                self.put(")");
                self.expr(depth - 1);
                self.put(")");
            }
        }
    }

    /// Statements inside `labels` blocks.
    fn statements(&mut self, labels: u8, depth: u8) {
        for _ in 0..=self.choose(4) {
            self.statement(labels, depth);
        }
    }

    fn statement(&mut self, labels: u8, depth: u8) {
        if self.choices.len() == 0 {
            return;
        }
        let local = self.choose(4);
        let choice = self.choose(if depth == 0 { 6 } else { 14 });
        match choice {
            0 | 1 => {
                self.put(format_args!("(local.set $v{local}"));
                self.expr(3);
                self.put(")");
            }
            2 => {
                self.put("(i64.store (i32.and (i32.const 0xffff) (i32.wrap_i64");
                self.expr(2);
                self.put("))");
                self.expr(2);
                self.put(")");
            }
            3 => {
                self.put("(memory.fill (i32.const 64) (i32.const 9) (i32.and (i32.const 511) (i32.wrap_i64");
                self.expr(1);
                self.put(")))");
            }
            4 => {
                self.put("(global.set $g");
                self.expr(2);
                self.put(")");
            }
            5 => self.put("(drop (memory.grow (i32.const 1)))"),
            6 | 7 => {
                self.put("(if (i32.wrap_i64");
                self.expr(2);
                self.put(") (then");
                self.statements(labels + 1, depth - 1);
                if local > 0 {
                    self.put(") (else");
                    self.statements(labels + 1, depth - 1);
                }
                self.put("))");
            }
            8 => {
                self.put("(block");
                self.statements(labels + 1, depth - 1);
                self.put(")");
            }
            9 => {
                let turns = self.choose(9);
                self.put(format_args!("(local.set $n{depth} (i32.const {turns})) (loop"));
                self.statements(labels + 1, depth - 1);
                self.put(format_args!(
                    "(br_if 0 (i32.gt_s (local.tee $n{depth} (i32.sub (local.get $n{depth}) (i32.const 1))) (i32.const 0))))"
                ));
            }
            10 if labels > 0 => {
                let label = self.choose(labels);
                self.put("(br_if");
                self.put(label);
                self.put("(i32.wrap_i64");
                self.expr(1);
                self.put("))");
            }
            11 if labels > 0 => {
                let label = self.choose(labels);
                self.put(format_args!("(br {label})"));
            }
            12 if labels > 0 => {
                let (a, b) = (self.choose(labels), self.choose(labels));
                self.put(format_args!("(br_table {a} {b} {a} (i32.wrap_i64"));
                self.expr(1);
                self.put("))");
            }
            13 if local == 0 => self.put("(unreachable)"),
            13 => {
                self.put("(return (i32.wrap_i64");
                self.expr(1);
                self.put("))");
            }
            _ => self.put("(nop)"),
        }
    }
}

fn program(choices: &[u8]) -> String {
    let mut writer = Writer { choices: choices.iter(), text: String::new() };
    writer.statements(0, 4);
    let main = std::mem::take(&mut writer.text);
    writer.statements(0, 2);
    let mix = writer.text;
    let locals = "(local $v1 i64) (local $v2 i64) (local $v3 i64)
        (local $n1 i32) (local $n2 i32) (local $n3 i32) (local $n4 i32)";
    let mix = mix.replace("(return (i32.wrap_i64", "(return (i64.add (i64.const 1)");
    format!(
        r#"(global $g (export "g") (mut i64) (i64.const 0))
        (type $mix (func (param i32 i64) (result i64)))
        (table 2 funcref) (elem (i32.const 0) $mix $zero)
        (func $zero (param i32 i64) (result i64) (i64.const 0))
        (func $mix (param $depth i32) (param $v0 i64) (result i64) {locals}
            (if (i32.and (local.get $depth) (i32.const 3)) (then (return (i64.const 11))))
            {mix} (i64.add (local.get $v1) (local.get $v0)))
        (func (export "run") (param i32) (result i32) (local $v0 i64) {locals}
            {main}
            (i32.wrap_i64 (i64.xor (local.get $v0) (local.get $v1))))"#
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn compilers_agree_on_random_programs(choices in prop::collection::vec(any::<u8>(), 20..400)) {
        let items = program(&choices);
        if let End::Returned(_, fuel) = check(&items, 1 << 22) {
            // What is enough is enough, and where it is not, all stop.
            check(&items, fuel + 1);
            check(&items, fuel / 2);
        }
    }
}

#[test]
fn fingerprint_is_pinned() {
    let text: String =
        fingerprint(Compiler::Cranelift).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        text, "13e0ea9ccbd74d3700a53ff4897ddfe7295b405b22b3afb1b3d12c9aa4efb008",
        "a change here changes results or gas: name it in the changelog"
    );
    assert_ne!(fingerprint(Compiler::Cranelift), fingerprint(Compiler::Winch));
}

#[test]
fn the_engine_is_the_one_that_is_named() {
    let lock = include_str!("../../../../Cargo.lock");
    assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"")));
}

#[test]
fn ceilings_fit_into_the_stack() {
    assert!(Limits::default().stack_units_max <= STACK_UNITS_CEILING);
    assert!(2 * STACK_UNITS_CEILING as usize <= WASM_STACK_BYTES / 2);
    assert!(thread_stack_bytes(&Limits::default()) >= 8 * WASM_STACK_BYTES);
}
