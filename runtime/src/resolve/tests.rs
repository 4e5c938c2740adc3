//! What access sets come of which templates, through one contract that has a method for each kind.

use super::{BlockTooLarge, Evaluator, Resolved, Sources, Target, resolve};
use crate::engine::validate::samples::{abi_of, field, list, method, module};
use crate::store::MemoryStore;
use crate::{Address, Call, Config, Failure, Gas, Height, Instantiate, Limits, Outcome, Runtime};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;
use tollway_host_api::shard::shard_of;
use tollway_host_api::{Abi, AccessTemplate, Expr, Method, Mode, Mutability, StorageField, Type};

const ALICE: Address = Address([0xa1; 32]);
const BOB: Address = Address([0xb0; 32]);

fn path(steps: &[&str]) -> Cow<'static, [Cow<'static, str>]> {
    list(steps.iter().map(|step| Cow::Owned((*step).to_owned())))
}

fn arg(param: u16, steps: &[&str]) -> Expr {
    Expr::Arg { param, path: path(steps) }
}

fn element(depth: u8, steps: &[&str]) -> Expr {
    Expr::Element { depth, path: path(steps) }
}

fn immutable(index: u16, steps: &[&str]) -> Expr {
    Expr::Immutable { index, path: path(steps) }
}

fn key(mode: Mode, field: u8, parts: &[Expr]) -> AccessTemplate {
    AccessTemplate::Key { mode, field, parts: list(parts.iter().cloned()) }
}

fn each(over: Expr, body: &[AccessTemplate]) -> AccessTemplate {
    AccessTemplate::ForEach { list: over, body: list(body.iter().cloned()) }
}

fn call_of(contract: Expr, method: &str, args: &[Expr]) -> AccessTemplate {
    AccessTemplate::Call {
        contract,
        method: method.to_owned().into(),
        args: list(args.iter().cloned()),
    }
}

fn shard(of: Expr, count: u16) -> Expr {
    Expr::Shard { of: list([of]), count }
}

fn declared(name: &str, params: &[Type], access: &[AccessTemplate]) -> Method {
    let params = params.iter().enumerate();
    Method {
        params: list(params.map(|(number, ty)| field(&format!("p{number}"), ty.clone()))),
        declared: true,
        access: list(access.iter().cloned()),
        ..method(name)
    }
}

const BALANCES: u8 = 0;
const TOTAL: u8 = 1;
const NOTES: u8 = 2;
const GRID: u8 = 3;
const ODD: u8 = 4;
const ORDERS: u8 = 5;

fn desk_abi() -> Abi {
    let storage = |name: &str, key: &[Type], counter| StorageField {
        name: name.to_owned().into(),
        key: list(key.iter().cloned()),
        value: Type::U128,
        counter,
        prefix_parts: None,
    };
    let leg = Type::Struct {
        name: "Leg".into(),
        fields: list([
            field("memo", Type::Text),
            field("to", Type::Address),
            field("place", Type::Tuple(list([Type::U8, Type::U8]))),
        ]),
    };
    let bytes = || Type::List(list([Type::U8]));
    let zero = || Expr::Integer(0);
    let methods = [
        declared(
            "pay",
            &[Type::Address, Type::U128],
            &[
                key(Mode::Write, BALANCES, &[Expr::Caller]),
                key(Mode::Add, BALANCES, &[arg(0, &[])]),
                key(Mode::Add, TOTAL, &[]),
            ],
        ),
        declared(
            "pay_all",
            &[Type::List(list([leg]))],
            &[each(
                arg(0, &[]),
                &[
                    key(Mode::Add, BALANCES, &[element(0, &["to"])]),
                    key(Mode::Read, GRID, &[element(0, &["place", "1"]), Expr::Integer(7)]),
                ],
            )],
        ),
        declared(
            "grid",
            &[bytes(), bytes()],
            &[each(
                arg(0, &[]),
                &[each(
                    arg(1, &[]),
                    &[key(Mode::Write, GRID, &[element(1, &[]), element(0, &[])])],
                )],
            )],
        ),
        // What stands before the byte that is used is passed over for every element.
        declared(
            "far",
            &[bytes(), Type::Tuple(list([bytes(), Type::U8]))],
            &[each(arg(0, &[]), &[key(Mode::Write, GRID, &[element(0, &[]), arg(1, &["1"])])])],
        ),
        declared(
            "idle",
            &[bytes()],
            &[each(
                arg(0, &[]),
                &[each(arg(0, &[]), &[call_of(Expr::Bytes(list([0; 32])), "x", &[])])],
            )],
        ),
        declared("note", &[Type::Text], &[key(Mode::Read, NOTES, &[arg(0, &[]), Expr::This])]),
        declared(
            "constants",
            &[],
            &[
                key(Mode::Write, NOTES, &[Expr::Bytes(list(*b"ab")), Expr::Bytes(list([9; 32]))]),
                key(Mode::Read, ODD, &[Expr::Integer(1), Expr::Integer(2), Expr::Integer(3)]),
                key(Mode::Read, GRID, &[immutable(1, &["1"]), immutable(1, &["0"])]),
            ],
        ),
        declared(
            "odd",
            &[Type::Bool, Type::I64, Type::U32],
            &[key(Mode::Write, ODD, &[arg(0, &[]), arg(1, &[]), arg(2, &[])])],
        ),
        declared(
            "order",
            &[Type::U128, Type::U8],
            &[
                key(Mode::Write, ORDERS, &[Expr::CallId]),
                key(Mode::Read, ORDERS, &[arg(0, &[])]),
                key(Mode::Read, GRID, &[shard(arg(0, &[]), 200), arg(1, &[])]),
            ],
        ),
        declared(
            "order_there",
            &[],
            &[call_of(immutable(0, &[]), "order", &[Expr::CallId, shard(Expr::This, 256)])],
        ),
        declared(
            "shards",
            &[Type::Address, Type::Tuple(list([Type::I64, Type::Address]))],
            &[
                key(Mode::Read, GRID, &[shard(Expr::Caller, 256), shard(Expr::This, 255)]),
                key(Mode::Read, GRID, &[shard(arg(0, &[]), 256), shard(arg(1, &["1"]), 254)]),
                key(Mode::Read, GRID, &[shard(arg(1, &[]), 256), shard(Expr::CallId, 256)]),
                key(Mode::Read, GRID, &[shard(immutable(1, &["1"]), 256), Expr::Integer(0)]),
            ],
        ),
        declared(
            "shard_of_text",
            &[Type::Text, bytes()],
            &[key(Mode::Read, GRID, &[shard(arg(0, &[]), 256), shard(arg(1, &[]), 256)])],
        ),
        declared(
            "merge",
            &[],
            &[
                key(Mode::Read, TOTAL, &[]),
                key(Mode::Add, TOTAL, &[]),
                key(Mode::Add, BALANCES, &[Expr::This]),
                key(Mode::Add, BALANCES, &[Expr::This]),
                key(Mode::Read, BALANCES, &[Expr::Caller]),
                key(Mode::Read, BALANCES, &[Expr::Caller]),
            ],
        ),
        declared(
            "pay_there",
            &[Type::Address],
            &[
                key(Mode::Write, TOTAL, &[]),
                call_of(immutable(0, &[]), "pay", &[arg(0, &[]), Expr::Unknown]),
            ],
        ),
        declared(
            "pay_unknown",
            &[],
            &[call_of(immutable(0, &[]), "pay", &[Expr::Unknown, Expr::Unknown])],
        ),
        declared(
            "pay_wrongly",
            &[Type::U8],
            &[call_of(immutable(0, &[]), "pay", &[arg(0, &[]), Expr::Unknown])],
        ),
        declared("pay_too_little", &[], &[call_of(immutable(0, &[]), "pay", &[Expr::This])]),
        declared("loop_unknown", &[], &[call_of(immutable(0, &[]), "idle", &[Expr::Unknown])]),
        declared("call_secret", &[], &[call_of(immutable(0, &[]), "secret", &[])]),
        declared("call_missing", &[], &[call_of(immutable(0, &[]), "missing", &[])]),
        declared(
            "call_nobody",
            &[Type::Address],
            &[key(Mode::Write, TOTAL, &[]), call_of(arg(0, &[]), "pay", &[])],
        ),
        // Each level writes a cell of its contract, and goes on at the other one.
        declared(
            "bounce",
            &[Type::Address],
            &[
                key(Mode::Write, BALANCES, &[Expr::Caller]),
                call_of(arg(0, &[]), "bounce", &[Expr::This]),
            ],
        ),
        // Twice as many calls at each level: 2⁷ at the last.
        declared(
            "fork",
            &[Type::Address],
            &[
                key(Mode::Add, TOTAL, &[]),
                call_of(arg(0, &[]), "fork", &[Expr::This]),
                call_of(arg(0, &[]), "fork", &[Expr::This]),
            ],
        ),
        Method { declared: false, ..method("secret") },
        Method { mutability: Mutability::View, ..declared("look", &[], &[]) },
        declared("take", &[Type::Bool, bytes()], &[key(Mode::Write, GRID, &[zero(), zero()])]),
        declared("init", &[], &[]),
    ];
    Abi {
        name: "desk".into(),
        immutables: list([
            field("other", Type::Address),
            field("pair", Type::Tuple(list([Type::U8, Type::U8]))),
        ]),
        storage: list([
            storage("balances", &[Type::Address], true),
            storage("total", &[], true),
            storage("notes", &[Type::Text, Type::Address], false),
            storage("grid", &[Type::U8, Type::U8], false),
            storage("odd", &[Type::Bool, Type::I64, Type::U32], false),
            storage("orders", &[Type::U128], false),
        ]),
        methods: list(methods),
        ..abi_of(&[])
    }
}

/// Two desks: number 0, whose `other` is nobody, and number 1, whose `other` is number 0.
struct Desks {
    runtime: Runtime,
    desks: [Address; 2],
    limits: Limits,
}

impl Desks {
    fn new() -> Self {
        let abi = desk_abi();
        let mut items = "(memory (export \"memory\") 1)".to_owned();
        for method in abi.methods.iter() {
            let name = &method.name;
            write!(items, "(func (export \"{name}\") (param i32) (result i32) (i32.const 0))")
                .unwrap();
        }
        let config = Config { threads: 2, ..Config::default() };
        let mut runtime = Runtime::new(config).unwrap();
        let code = runtime.upload(&module(&items, &abi)).unwrap();
        let mut make = |other: Address| {
            let immutables = borsh::to_vec(&(other, 5u8, 6u8)).unwrap();
            let (creator, args, gas_limit) = (ALICE, Vec::new(), Gas(1_000_000));
            let request = Instantiate { code, creator, salt: 0, immutables, args, gas_limit };
            runtime.instantiate(request).unwrap()
        };
        let first = make(Address::ZERO);
        let desks = [first, make(first)];
        Self { runtime, desks, limits: Limits::default() }
    }

    fn call(&self, desk: usize, method: &str, args: &impl borsh::BorshSerialize) -> Call {
        Call {
            caller: ALICE,
            contract: self.desks[desk],
            method: method.to_owned(),
            args: borsh::to_vec(args).unwrap(),
            gas_limit: Gas(1_000),
        }
    }

    fn resolve(&self, calls: &[Call]) -> Result<Resolved, BlockTooLarge> {
        let memory = Resolved::default();
        resolve(
            Height(0x0102),
            calls,
            self.runtime.registry(),
            &MemoryStore::new(1),
            &self.limits,
            memory,
        )
    }

    /// Access sets as text, a line a call: mode, number of the desk, key in hexadecimal, where
    /// addresses have their names.
    fn texts(&self, calls: &[Call]) -> Vec<String> {
        let resolved = self.resolve(calls).unwrap();
        let named: Vec<(String, &str)> = [
            (ALICE, "alice "),
            (BOB, "bob "),
            (self.desks[0], "desk0 "),
            (self.desks[1], "desk1 "),
        ]
        .map(|(address, name)| (address.to_string(), name))
        .to_vec();
        let text = |call: usize| {
            let accesses: Vec<_> =
                resolved.access_set(call).iter().map(|(access, ..)| access).collect();
            match resolved.target(call) {
                Target::Refused(receipt) => match &receipt.outcome {
                    Outcome::Failed(failure) => format!("refused: {failure}"),
                    outcome => panic!("{outcome:?}"),
                },
                Target::Method { declared: false, .. } => {
                    assert_eq!(accesses.len(), 0);
                    "undeclared".to_owned()
                }
                Target::Method { .. } => {
                    let keys = accesses.iter().map(|access| {
                        assert_eq!(access.call as usize, call);
                        let hex: String =
                            resolved.key(access).iter().map(|b| format!("{b:02x}")).collect();
                        let hex = named.iter().fold(hex, |hex, (bytes, name)| {
                            hex.replace(bytes, &format!(" {name}"))
                        });
                        let mode = match access.mode {
                            Mode::Read => "r",
                            Mode::Add => "+",
                            Mode::Write => "w",
                        };
                        format!("{mode}{}:{}", access.contract, hex.trim())
                    });
                    keys.collect::<Vec<_>>().join(", ")
                }
            }
        };
        (0..calls.len()).map(text).collect()
    }

    fn text(&self, call: Call) -> String {
        self.texts(&[call]).remove(0)
    }

    /// Compares access sets as sets: where addresses sort is of no interest here.
    #[track_caller]
    fn check(&self, desk: usize, method: &str, args: &impl borsh::BorshSerialize, expected: &str) {
        let found = self.text(self.call(desk, method, args));
        let set = |text: &str| text.split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(set(&found), set(expected), "{method}");
    }
}

#[test]
fn keys_come_from_caller_arguments_and_constants() {
    let desks = Desks::new();
    desks.check(0, "pay", &(BOB, 5u128), "w0:00 alice, +0:00 bob, +0:01");
    desks.check(0, "note", &"xyz", "r0:020378797a desk0");
    desks.check(1, "note", &"", "r1:0200 desk1");
    let nines = "09".repeat(32);
    desks.check(
        0,
        "constants",
        &(),
        &format!("w0:02026162{nines}, r0:030605, r0:0401800000000000000200000003"),
    );
}

#[test]
fn key_bytes_sort_like_values() {
    let desks = Desks::new();
    let odd = |flag: bool, signed: i64, number: u32| {
        desks.text(desks.call(0, "odd", &(flag, signed, number)))
    };
    assert_eq!(odd(true, -1, 258), "w0:04017fffffffffffffff00000102");
    let mut texts: Vec<String> =
        [i64::MIN, -2, 0, 1, i64::MAX].iter().map(|signed| odd(false, *signed, 0)).collect();
    let sorted = texts.clone();
    texts.sort_unstable();
    assert_eq!(texts, sorted);
}

#[test]
fn loops_reach_into_their_elements() {
    let desks = Desks::new();
    let legs = vec![("memo", BOB, 1u8, 2u8), ("", ALICE, 3, 4), ("again", BOB, 5, 2)];
    desks.check(0, "pay_all", &legs, "+0:00 alice, +0:00 bob, r0:030207, r0:030407");
    desks.check(0, "pay_all", &Vec::<(&str, Address, u8, u8)>::new(), "");
    desks.check(
        0,
        "grid",
        &(vec![1u8, 2], vec![8u8, 9]),
        "w0:030108, w0:030109, w0:030208, w0:030209",
    );
    desks.check(0, "grid", &(vec![1u8, 2], Vec::<u8>::new()), "");
}

#[test]
fn modes_of_one_key_merge() {
    let desks = Desks::new();
    desks.check(0, "merge", &(), "r0:00 alice, +0:00 desk0, w0:01");
    // One key by two names: the payer pays himself.
    desks.check(0, "pay", &(ALICE, 1u128), "w0:00 alice, +0:01");
}

#[test]
fn keys_stand_where_templates_name_them() {
    let desks = Desks::new();
    let text = desks.text(desks.call(0, "pay", &(BOB, 5u128)));
    assert_eq!(text, "w0:00 alice, +0:00 bob, +0:01");
    // Once each, where they were named first.
    let text = desks.text(desks.call(0, "merge", &()));
    assert_eq!(text, "w0:01, +0:00 desk0, r0:00 alice");
    let text = desks.text(desks.call(0, "pay", &(ALICE, 5u128)));
    assert_eq!(text, "w0:00 alice, +0:01");
}

#[test]
fn a_call_has_an_identifier() {
    let desks = Desks::new();
    let order = desks.call(0, "order", &(7u128, 3u8));
    let shard = shard_of(&7u128.to_le_bytes(), 200);
    let line = |index: u32| {
        let id = format!("{:016x}{index:08x}00000000", 0x0102);
        let arg = format!("{:032x}", 7);
        format!("w0:05{id}, r0:05{arg}, r0:03{shard:02x}03")
    };
    assert_eq!(desks.texts(&[order.clone(), order]), [line(0), line(1)]);
    // In what it calls, too: there it is written and read under the same key.
    let id = 0x0102u128 << 64;
    let (by_id, by_desk) = (shard_of(&id.to_le_bytes(), 200), shard_of(&desks.desks[1].0, 256));
    desks.check(1, "order_there", &(), &format!("w0:05{id:032x}, r0:03{by_id:02x}{by_desk:02x}"));
}

#[test]
fn shards_are_of_borsh_bytes() {
    let desks = Desks::new();
    let of = |bytes: &[u8], count| shard_of(bytes, count);
    let text = [&3u32.to_le_bytes()[..], b"abc"].concat();
    let bytes = [&2u32.to_le_bytes()[..], &[1, 2]].concat();
    let expected = format!("r0:03{:02x}{:02x}", of(&text, 256), of(&bytes, 256));
    desks.check(0, "shard_of_text", &("abc", [1u8, 2].to_vec()), &expected);
    let tuple = [&(-1i64).to_le_bytes()[..], &BOB.0].concat();
    let id = (0x0102u128 << 64).to_le_bytes();
    let keys = [
        (of(&ALICE.0, 256), of(&desks.desks[0].0, 255)),
        (of(&BOB.0, 256), of(&BOB.0, 254)),
        (of(&tuple, 256), of(&id, 256)),
        (of(&[6], 256), 0),
    ];
    let keys = keys.map(|(a, b)| format!("r0:03{a:02x}{b:02x}"));
    desks.check(0, "shards", &(BOB, (-1i64, BOB)), &keys.join(", "));
}

#[test]
fn long_values_take_steps_to_find_the_shard_of() {
    let desks = Desks::new();
    let steps = |length: usize| {
        let call = desks.call(0, "shard_of_text", &("", vec![0u8; length]));
        match desks.resolve(&[call]).unwrap().target(0) {
            Target::Method { steps, .. } => *steps,
            target => panic!("{target:?}"),
        }
    };
    assert_eq!(steps(6_400) - steps(0), 100);
}

#[test]
fn many_keys_of_a_call_are_told_apart() {
    let desks = Desks::new();
    let rows: Vec<u8> = (0..50).collect();
    let columns: Vec<u8> = (0..40).chain(0..40).collect();
    let resolved = desks.resolve(&[desks.call(0, "grid", &(rows, columns))]).unwrap();
    let keys: BTreeSet<_> = resolved.accesses().map(|a| resolved.key(a).to_vec()).collect();
    assert_eq!((resolved.access_count(), keys.len()), (2_000, 2_000));
}

#[test]
fn programs_equal_evaluation() {
    let desks = Desks::new();
    let registry = desks.runtime.registry();
    let abi = &registry.contract(0).code.abi;
    let mut programs = 0;
    for (desk, address) in desks.desks.into_iter().enumerate() {
        for (index, method) in abi.methods.iter().enumerate() {
            let Some(program) = registry.program(desk as u32, index, &desks.limits) else {
                continue;
            };
            programs += 1;
            for round in 0..40u8 {
                // All kinds of first bytes, so that bools are sometimes none.
                let args: Vec<u8> = (0..program.shape.args_size)
                    .map(|at| (at as u8).wrapping_mul(31) ^ round.wrapping_mul(7) >> (round % 8))
                    .collect();
                let mut evaluator = Evaluator::new(registry, &desks.limits);
                let call_id = (0x0102u128 << 64 | 5 << 32).to_le_bytes();
                let result = evaluator.resolve(desk as u32, index, &ALICE, &call_id, &args);
                assert_eq!(program.fits(&args), result.is_ok(), "{} {address}", method.name);
                if result.is_err() {
                    continue;
                }
                let evaluated: Vec<_> = evaluator
                    .keys()
                    .map(|(found, key)| (found.contract, key.to_vec(), found.mode))
                    .collect();
                let compiled: Vec<_> = program
                    .keys(Sources {
                        this: &address,
                        caller: &ALICE,
                        call_id: u128::from_le_bytes(call_id),
                        args: &args,
                    })
                    .map(|(contract, mode, _, append)| {
                        let mut bytes = Vec::new();
                        append(&mut bytes);
                        (contract, bytes, mode)
                    })
                    .collect();
                assert_eq!(compiled, evaluated, "{}", method.name);
                assert_eq!(program.shape.steps, evaluator.steps(), "{}", method.name);
            }
        }
    }
    assert!(programs >= 18, "only {programs} methods have a program");
}

#[test]
fn a_sub_call_brings_its_callees_keys() {
    let desks = Desks::new();
    desks.check(1, "pay_there", &BOB, "+0:00 bob, w0:00 desk1, +0:01, w1:01");
}

#[test]
fn a_sub_call_that_goes_nowhere_has_no_keys() {
    let desks = Desks::new();
    desks.check(0, "pay_there", &BOB, "w0:01");
    desks.check(1, "call_missing", &(), "");
    desks.check(0, "call_nobody", &BOB, "w0:01");
}

#[test]
fn sub_calls_end_at_the_depth_limit() {
    let mut desks = Desks::new();
    let all = "w0:00 alice, w0:00 desk1, w1:00 desk0";
    desks.check(0, "bounce", &desks.desks[1], all);
    desks.limits.call_depth_max = 2;
    desks.check(0, "bounce", &desks.desks[1], "w0:00 alice, w1:00 desk0");
    desks.limits.call_depth_max = 1;
    desks.check(0, "bounce", &desks.desks[1], "w0:00 alice");
}

#[test]
fn what_cannot_be_known_is_undeclared() {
    let desks = Desks::new();
    desks.check(0, "secret", &(), "undeclared");
    for method in ["pay_unknown", "pay_too_little", "loop_unknown", "call_secret"] {
        desks.check(1, method, &(), "undeclared");
    }
    desks.check(1, "pay_wrongly", &7u8, "undeclared");
    // The same templates, where the callee is not there.
    desks.check(0, "pay_unknown", &(), "");
    // Another contract, that has the method but with other parameters.
    let call = desks.call(0, "call_nobody", &desks.desks[1]);
    assert_eq!(desks.text(call), "undeclared");
}

#[test]
fn keys_that_are_too_long_are_left_out() {
    let desks = Desks::new();
    let length = |size: usize| desks.text(desks.call(0, "note", &"n".repeat(size))).len();
    // Field, length, text, address: 128 bytes are the most.
    assert!(length(128 - 34) > 0);
    for size in [128 - 33, 127, 255, 256, 10_000] {
        assert_eq!(length(size), 0, "{size}");
    }
}

#[test]
fn nested_loops_are_bounded() {
    let mut desks = Desks::new();
    let too_many = |limit: usize| format!("refused: call declares more than {limit} keys");
    let grid = |x: usize, y: usize| (vec![1u8; x], vec![2u8; y]);
    desks.check(0, "grid", &grid(30_000, 30_000), &too_many(4_096));
    desks.check(0, "idle", &vec![1u8; 60_000], &too_many(4_096));
    desks.limits.access_keys_max = 20;
    desks.check(0, "grid", &grid(4, 5), "w0:030102");
    desks.check(0, "grid", &grid(3, 7), &too_many(20));
    // Steps, not keys: 16 elements, of which each goes over 16 more, each with a call.
    desks.check(0, "idle", &vec![0u8; 5], "");
    desks.check(0, "idle", &vec![0u8; 16], &too_many(20));
    // Bytes passed over, too: a step for each 64.
    let far = |turns: usize, pad: usize| (vec![3u8; turns], (vec![0u8; pad], 9u8));
    desks.check(0, "far", &far(5, 60), "w0:030309");
    desks.check(0, "far", &far(5, 1_600), "w0:030309");
    desks.check(0, "far", &far(5, 2_600), &too_many(20));
    desks.check(0, "far", &far(1, 60_000), &too_many(20));
    // Sub-calls that double at each level.
    desks.check(0, "fork", &desks.desks[1], &too_many(20));
}

#[test]
fn refusals_come_in_their_order() {
    let mut desks = Desks::new();
    desks.limits.args_bytes_max = 8;
    desks.limits.call_gas_max = 5_000;
    let good = desks.call(0, "take", &(true, vec![1u8, 2]));
    assert_eq!(desks.text(good.clone()), "w0:030000");
    // Each also has all that the later ones are refused for.
    let mut bad = Call {
        args: vec![2; 9],
        contract: BOB,
        method: "nothing".to_owned(),
        gas_limit: Gas(0),
        ..good
    };
    let text = |call: &Call| desks.text(call.clone());
    assert_eq!(text(&bad), "refused: gas limit 0 is not between 1 and 5000");
    bad.gas_limit = Gas(5_001);
    assert_eq!(text(&bad), "refused: gas limit 5001 is not between 1 and 5000");
    bad.gas_limit = Gas(5_000);
    assert_eq!(text(&bad), "refused: arguments have 9 bytes, limit is 8");
    bad.args = vec![2; 8];
    assert_eq!(text(&bad), format!("refused: no contract at {BOB}"));
    bad.contract = desks.desks[0];
    let desk = desks.desks[0];
    assert_eq!(text(&bad), format!("refused: contract {desk} has no method \"nothing\""));
    bad.method = "init".to_owned();
    assert_eq!(text(&bad), format!("refused: contract {desk} has no method \"init\""));
    bad.method = "take".to_owned();
    assert_eq!(text(&bad), "refused: arguments of take: bytes are not a value of this type");
    bad.args = vec![1, 1, 0, 0];
    assert_eq!(text(&bad), "refused: arguments of take: bytes end before the value does");
    bad.args = vec![1, 1, 0, 0, 0, 9, 9];
    assert_eq!(text(&bad), "refused: arguments of take: bytes go on after the value");
}

/// A block with every kind of call, longer than one task resolves.
fn mixed_block(desks: &Desks) -> Vec<Call> {
    (0..1_100u32)
        .map(|number| {
            let account = Address::from_u64(u64::from(number % 13));
            let call = match number % 9 {
                0 => desks.call(1, "pay_there", &account),
                1 => desks.call(0, "secret", &()),
                2 => desks.call(0, "nothing", &()),
                3 => desks.call(0, "grid", &(vec![number as u8, 3], vec![1u8; 3])),
                4 => desks.call(0, "look", &()),
                5 => desks.call(1, "bounce", &desks.desks[0]),
                6 => desks.call(1, "pay_unknown", &()),
                7 => desks.call(0, "take", &7u8),
                _ => desks.call(0, "pay", &(account, 1u128)),
            };
            Call { caller: account, ..call }
        })
        .collect()
}

#[test]
fn is_pure() {
    let desks = Desks::new();
    let block = mixed_block(&desks);
    let expected = desks.texts(&block);
    for (call, expected) in block.iter().zip(&expected) {
        assert_eq!(&desks.text(call.clone()), expected, "alone or in a block");
    }
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| desks.texts(&block)), expected, "{threads} threads");
    }
}

#[test]
fn a_block_declares_so_many_keys_and_no_more() {
    let mut desks = Desks::new();
    let block = mixed_block(&desks);
    let count = desks.resolve(&block).unwrap().access_count();
    assert!(count > 1_000);
    for threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        desks.limits.block_keys_max = count;
        assert!(pool.install(|| desks.resolve(&block)).is_ok());
        desks.limits.block_keys_max = count - 1;
        let error = pool.install(|| desks.resolve(&block)).unwrap_err();
        assert_eq!(error, BlockTooLarge { declared: count, limit: count - 1 });
        desks.limits.block_keys_max = 3;
        assert!(pool.install(|| desks.resolve(&block)).unwrap_err().declared > 3);
    }
}

#[test]
fn a_long_name_is_cut_in_the_receipt() {
    let desks = Desks::new();
    let call = desks.call(0, &"ä".repeat(1_000_000), &());
    let resolved = desks.resolve(&[call]).unwrap();
    let Target::Refused(receipt) = resolved.target(0) else {
        panic!("a method of that name was found");
    };
    match &receipt.outcome {
        Outcome::Failed(Failure::UnknownMethod { method, .. }) => assert_eq!(method.len(), 64),
        outcome => panic!("{outcome:?}"),
    }
}
