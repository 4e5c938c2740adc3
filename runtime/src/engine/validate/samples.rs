//! Modules to test with, and a way to run them.

use super::Prepared;
use crate::engine::config::{Compiler, engine_config};
use std::borrow::Cow;
use std::fmt::Write;
use tollway_host_api::abi::ABI_VERSION;
use tollway_host_api::{
    Abi, AccessTemplate, Event, Expr, Field, Method, Mode, Mutability, StorageField, Type, Variant,
};
use wasmtime::{Engine, Instance, Module, Store, Trap, Val};

/// A list as an ABI holds it.
pub(crate) fn list<T: Clone>(items: impl IntoIterator<Item = T>) -> Cow<'static, [T]> {
    Cow::Owned(items.into_iter().collect())
}

/// A named value.
pub(crate) fn field(name: &str, ty: Type) -> Field {
    Field { name: name.to_owned().into(), ty }
}

/// A method without parameters that declares nothing.
pub(crate) fn method(name: &str) -> Method {
    Method {
        name: name.to_owned().into(),
        mutability: Mutability::Call,
        reentrant: false,
        params: list([]),
        returns: Type::UNIT,
        declared: false,
        access: list([]),
    }
}

/// An ABI with these methods and nothing else.
pub(crate) fn abi_of(methods: &[&str]) -> Abi {
    Abi {
        version: ABI_VERSION,
        name: "sample".into(),
        immutables: list([]),
        storage: list([]),
        methods: list(methods.iter().map(|name| method(name))),
        events: list([]),
        error: list([]),
    }
}

/// An ABI that uses everything that there is.
pub(crate) fn rich_abi() -> Abi {
    let leg = Type::Struct {
        name: "Leg".into(),
        fields: list([
            field("to", Type::Address),
            field("pair", Type::Tuple(list([Type::U8, Type::I64]))),
        ]),
    };
    let side = Type::Enum {
        name: "Side".into(),
        variants: list([
            Variant { name: "Buy".into(), fields: list([]) },
            Variant { name: "Sell".into(), fields: list([field("0", Type::Text)]) },
        ]),
    };
    let storage = |name: &str, key: &[Type], value: Type, counter: bool| StorageField {
        name: name.to_owned().into(),
        key: list(key.iter().cloned()),
        value,
        counter,
        prefix_parts: None,
    };
    let path = |steps: &[&str]| list(steps.iter().map(|step| Cow::Owned((*step).to_owned())));
    let key = |mode, field, parts: &[Expr]| AccessTemplate::Key {
        mode,
        field,
        parts: list(parts.iter().cloned()),
    };
    let pay = Method {
        params: list([
            field("legs", Type::List(list([leg]))),
            field("side", side.clone()),
            field("nested", Type::List(list([Type::List(list([Type::U64]))]))),
            field("maybe", Type::Option(list([Type::FixedBytes(4)]))),
        ]),
        returns: Type::U128,
        declared: true,
        access: list([
            key(Mode::Write, 0, &[Expr::Caller]),
            key(Mode::Read, 1, &[]),
            AccessTemplate::ForEach {
                list: Expr::Arg { param: 0, path: path(&[]) },
                body: list([
                    key(Mode::Add, 0, &[Expr::Element { depth: 0, path: path(&["to"]) }]),
                    key(
                        Mode::Read,
                        2,
                        &[
                            Expr::Element { depth: 0, path: path(&["pair", "1"]) },
                            Expr::Arg { param: 1, path: path(&[]) },
                            Expr::Bytes(list(*b"ab")),
                            Expr::Integer(1),
                        ],
                    ),
                ]),
            },
            AccessTemplate::ForEach {
                list: Expr::Arg { param: 2, path: path(&[]) },
                body: list([AccessTemplate::ForEach {
                    list: Expr::Element { depth: 0, path: path(&[]) },
                    body: list([AccessTemplate::Call {
                        contract: Expr::Immutable { index: 0, path: path(&[]) },
                        method: "transfer".into(),
                        args: list([
                            Expr::This,
                            Expr::Unknown,
                            Expr::Element { depth: 1, path: path(&[]) },
                        ]),
                    }]),
                }]),
            },
        ]),
        ..method("pay")
    };
    let view = Method {
        mutability: Mutability::View,
        reentrant: true,
        declared: true,
        access: list([key(Mode::Read, 0, &[Expr::This])]),
        ..method("view")
    };
    Abi {
        name: "rich-sample".into(),
        immutables: list([field("token", Type::Address)]),
        storage: list([
            storage("balances", &[Type::Address], Type::U128, true),
            storage("total", &[], Type::U64, false),
            storage("notes", &[Type::I64, side, Type::Text, Type::Bool], Type::UNIT, false),
        ]),
        methods: list([pay, view, method("init")]),
        events: list([Event { name: "Paid".into(), fields: list([field("amount", Type::I128)]) }]),
        error: list([Type::Enum {
            name: "Error".into(),
            variants: list([Variant { name: "Empty".into(), fields: list([]) }]),
        }]),
        ..abi_of(&[])
    }
}

/// A custom section in Wasm's text.
pub(crate) fn custom_section(name: &str, bytes: &[u8]) -> String {
    let mut text = format!("(@custom {name:?} \"");
    bytes.iter().for_each(|byte| write!(text, "\\{byte:02x}").expect("strings take all"));
    text + "\")"
}

/// A module of these items, and the ABI.
pub(crate) fn module(items: &str, abi: &Abi) -> Vec<u8> {
    let section = custom_section("tollway.abi", &borsh::to_vec(abi).expect("an ABI encodes"));
    assemble(&format!("(module {items} {section})"))
}

/// A module in Wasm's text.
pub(crate) fn assemble(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A module that uses everything that is allowed: its methods are those of [`rich_abi`].
pub(crate) fn rich_module() -> Vec<u8> {
    module(
        r#"
        (type $method (func (param i32) (result i32)))
        (type $pair (func (result i64 i32)))
        (import "tollway" "read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "tollway" "gas_left" (func $gas_left (result i64)))
        (memory (export "memory") 1)
        (table (export "table") 4 funcref)
        (elem (i32.const 1) $pay $view)
        (global $stack (mut i32) (i32.const 1024))
        (global $base (export "base") i32 (i32.const 7))
        (global $float (mut f64) (f64.const 0))
        (data (i32.const 16) "hello")
        (data $passive "world")
        (func $two (type $pair)
            (if (i64.eqz (call $gas_left)) (then (return (i64.const 1) (i32.const 2))))
            (call $two))
        (func $pay (export "pay") (type $method)
            (local i64 f32)
            (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 5))
            (memory.copy (i32.const 8) (i32.const 0) (i32.const 5))
            (memory.fill (i32.const 0) (i32.const 0) (i32.const 5))
            (drop (memory.grow (i32.const 1)))
            (global.set $float (f64.add (global.get $float) (f64.const 1)))
            (drop (i32.trunc_sat_f32_s (local.get 2)))
            (drop (i32.extend8_s (local.get 0)))
            (drop (drop (i64.mul_wide_u (i64.const 3) (i64.const 5))))
            (block $out
                (br_table $out $out (local.get 0)))
            (drop (call $two))
            (local.set 1)
            (call_indirect (type $method) (local.get 0) (i32.const 2)))
        (func $view (export "view") (type $method)
            (call $read (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)))
        (func (export "init") (type $method) (i32.const 0))
        "#,
        &rich_abi(),
    )
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With this value, having used so much fuel.
    Returned(i32, u64),
    /// Without fuel.
    OutOfFuel,
    /// With the depth counter above the budget.
    StackExhausted,
    /// By the native stack, which upload should make impossible.
    NativeOverflow,
    /// By anything else.
    Trapped,
}

const FUEL_TO_INSTANTIATE: u64 = 1_000_000;

/// Runs the method `run` of a module without imports. Returns how it ended, the values of its
/// exported globals in the order of their names, and its memory.
pub(crate) fn run(
    wasm: &[u8],
    depth_global: Option<&str>,
    stack_units_max: u32,
    compiler: Compiler,
    argument: i32,
    fuel: u64,
) -> (End, Vec<u64>, Vec<u8>) {
    let engine = Engine::new(&engine_config(compiler).expect("a target")).expect("an engine");
    let module = Module::new(&engine, wasm).expect("it compiles");
    let mut store = Store::new(&engine, ());
    // Filling a table takes fuel under some compilers.
    store.set_fuel(FUEL_TO_INSTANTIATE).expect("fuel is on");
    let instance = Instance::new(&mut store, &module, &[]).expect("it has no imports");
    store.set_fuel(fuel).expect("fuel is on");
    let method = instance.get_typed_func::<i32, i32>(&mut store, "run").expect("it is there");
    let result = method.call(&mut store, argument);
    let depth = depth_global.map(|name| global(&mut store, &instance, name));
    let end = match result {
        Ok(value) => End::Returned(value, fuel - store.get_fuel().expect("fuel is on")),
        Err(_) if depth.is_some_and(|depth| depth > u64::from(stack_units_max)) => {
            End::StackExhausted
        }
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => End::OutOfFuel,
            Some(Trap::StackOverflow) => End::NativeOverflow,
            _ => End::Trapped,
        },
    };
    let mut names: Vec<String> =
        module.exports().filter(|e| e.ty().global().is_some()).map(|e| e.name().into()).collect();
    names.sort_unstable();
    let globals = names.iter().map(|name| global(&mut store, &instance, name)).collect();
    let memory = instance.get_memory(&mut store, "memory").expect("it is there");
    (end, globals, memory.data(&store).to_vec())
}

/// The bits of a global.
fn global(store: &mut Store<()>, instance: &Instance, name: &str) -> u64 {
    let global = instance.get_global(&mut *store, name).expect("it is there");
    match global.get(store) {
        Val::I32(value) => u64::from(value as u32),
        Val::I64(value) => value as u64,
        Val::F32(bits) => u64::from(bits),
        Val::F64(bits) => bits,
        other => panic!("{other:?} is no number"),
    }
}

/// [`run`] for a prepared module.
pub(crate) fn run_prepared(
    prepared: &Prepared,
    stack_units_max: u32,
    compiler: Compiler,
    argument: i32,
    fuel: u64,
) -> (End, Vec<u64>, Vec<u8>) {
    let depth = prepared.depth_global.as_deref();
    run(&prepared.wasm, depth, stack_units_max, compiler, argument, fuel)
}

/// Runs `f` on a thread with the stack that contracts are promised.
pub(crate) fn with_stack<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    let size = crate::engine::config::thread_stack_bytes(&crate::limits::Limits::default());
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(size).spawn_scoped(scope, f);
        match thread.expect("threads can be made").join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
