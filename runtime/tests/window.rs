//! The window, case by case: what a contract finds in it, what is taken from it, and the gas of
//! both, to the unit. Each case says what comes out of it; the oracle and the runtime are held
//! against that one by one, so that a failure says who is wrong.

mod support;

use std::fmt::Write as _;
use support::{ALICE, abi, call, field, list, method, module, text};
use tollway::engine::gas::{
    ARGUMENT_GAS_BYTE, CALL_GAS_BASE, DECLARED_KEY_GAS, MISS_GAS, PAGE_GAS, RESOLVE_STEP_GAS,
};
use tollway::host_api::functions::host_function;
use tollway::host_api::status::ABSENT;
use tollway::host_api::window::*;
use tollway::host_api::{
    Abi, AccessTemplate, Event as EventType, Expr, Method, Mode, Mutability, StorageField, Type,
};
use tollway::oracle::Oracle;
use tollway::{
    Address, Block, Call, Compiler, Config, Failure, Gas, Height, Instantiate, Outcome, Receipt,
    Runtime,
};

/// Where the window of every contract here lies.
const W: usize = 1024;
/// What a case puts into memory beside the window lies from here on.
const DATA: usize = 8192;

/// Instructions, and what they cost: fuel and the gas of host functions.
#[derive(Clone, Default)]
struct Script {
    wat: String,
    gas: u64,
    data: Vec<Vec<u8>>,
    data_bytes: usize,
}

fn script() -> Script {
    Script::default()
}

impl Script {
    fn op(mut self, wat: &str, fuel: u64) -> Self {
        writeln!(self.wat, "{wat}").expect("strings take all");
        self.gas += fuel;
        self
    }

    /// Stores bytes at a constant address.
    fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let mut at = at;
        while let Some((head, tail)) = rest.split_first_chunk::<8>() {
            let value = i64::from_le_bytes(*head);
            self = self.op(&format!("(i64.store (i32.const {at}) (i64.const {value}))"), 4);
            (rest, at) = (tail, at + 8);
        }
        for byte in rest {
            self = self.op(&format!("(i32.store8 (i32.const {at}) (i32.const {byte}))"), 4);
            at += 1;
        }
        self
    }

    fn put32(self, at: usize, value: u32) -> Self {
        self.op(&format!("(i32.store (i32.const {at}) (i32.const {}))", value as i32), 4)
    }

    /// Puts bytes into memory before the contract runs, and says where.
    fn place(mut self, bytes: &[u8]) -> (Self, usize) {
        let at = DATA + self.data_bytes;
        self.data.push(bytes.to_vec());
        self.data_bytes += bytes.len();
        (self, at)
    }

    /// Calls a host function. `gas_bytes` is what it is charged for, beside its base.
    fn host(mut self, name: &str, args: &[&str], gas_bytes: usize) -> Self {
        let row = host_function(name).expect("it is in the table");
        let drop = if row.result.is_some() { "drop" } else { "" };
        let args: Vec<_> = args.iter().map(|arg| format!("({arg})")).collect();
        self.gas += row.gas_base + row.gas_byte * gas_bytes as u64;
        let fuel = 12 + args.len() as u64;
        self.op(&format!("(call ${name} {}) {drop}", args.join(" ")), fuel)
    }

    fn host_output(self, at: usize, size: usize) -> Self {
        self.host("output", &[&i32(at), &i32(size)], size)
    }

    fn host_write(self, key: &[u8], value: &[u8]) -> Self {
        let (script, key_at) = self.place(key);
        let (script, value_at) = script.place(value);
        let args = [&i32(key_at), &i32(key.len()), &i32(value_at), &i32(value.len())];
        script.host("write", &args.map(String::as_str), key.len() + value.len())
    }

    fn host_remove(self, key: &[u8]) -> Self {
        let (script, at) = self.place(key);
        script.host("remove", &[&i32(at), &i32(key.len())], key.len())
    }

    fn host_add(self, key: &[u8], amount: u64) -> Self {
        let (script, at) = self.place(key);
        let amount = format!("i64.const {amount}");
        let args = [&i32(at), &i32(key.len()), &amount, &"i64.const 0".to_owned()];
        script.host("add", &args.map(String::as_str), key.len())
    }

    /// Reads a value of so many bytes to `out`.
    fn host_read(self, key: &[u8], out: usize, size: usize) -> Self {
        let (script, at) = self.place(key);
        let args = [&i32(at), &i32(key.len()), &i32(out), &i32(64)];
        script.host("read", &args.map(String::as_str), key.len() + size)
    }

    fn host_emit(self, event: u32, data: &[u8]) -> Self {
        let (script, at) = self.place(data);
        let args = [&i32(event as usize), &i32(at), &i32(data.len())];
        script.host("emit", &args.map(String::as_str), data.len())
    }

    /// Calls a method of this contract that takes nothing. `callee_gas` is what it uses.
    fn call_self(self, method: &str, callee_gas: u64) -> Self {
        let (script, at) = self.place(method.as_bytes());
        let this = i32(W + offset::THIS);
        let args =
            [&this, &i32(at), &i32(method.len()), &i32(0), &i32(0), &"i64.const 0".to_owned()];
        script.host("call", &args.map(String::as_str), method.len()).charge(callee_gas)
    }

    /// Adds what is charged beside the instructions.
    fn charge(mut self, gas: u64) -> Self {
        self.gas += gas;
        self
    }

    /// A new value for slot `slot`, which lies in the heap where `value_at` says.
    fn change(self, slot: usize, value_at: usize, value: &[u8]) -> Self {
        self.put(W + value_at, value).state(slot, SLOT_PRESENT | SLOT_CHANGED)
    }

    fn state(self, slot: usize, state: u8) -> Self {
        self.put(W + state_at(slot), &[state])
    }

    /// Leaves events in the window.
    fn events(self, events: &[(u16, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        for (event, data) in events {
            bytes.extend(event.to_le_bytes());
            bytes.extend((data.len() as u16).to_le_bytes());
            bytes.extend(*data);
        }
        self.put(W + offset::EVENTS, &bytes).put32(W + offset::EVENTS_LEN, bytes.len() as u32)
    }

    /// Leaves an output in the window.
    fn output(self, bytes: &[u8]) -> Self {
        self.put(W + offset::OUTPUT, bytes).put32(W + offset::OUTPUT_LEN, bytes.len() as u32)
    }
}

fn i32(value: usize) -> String {
    format!("i32.const {value}")
}

fn state_at(slot: usize) -> usize {
    offset::DIRECTORY + slot * SLOT_ENTRY_BYTES + 3
}

/// What a slot of so many bytes costs when its change is taken.
fn taken(size: u64) -> u64 {
    SLOT_CHANGE_GAS + SLOT_CHANGE_GAS_BYTE * size
}

fn event_gas(bytes: u64) -> u64 {
    let row = host_function("emit").expect("it is in the table");
    row.gas_base + row.gas_byte * bytes
}

fn output_gas(bytes: u64) -> u64 {
    let row = host_function("output").expect("it is in the table");
    row.gas_base + row.gas_byte * bytes
}

/// A method: its instructions, and the keys that it declares.
#[derive(Clone)]
struct Spec {
    method: Method,
    script: Script,
    status: u32,
    keys: Vec<(Mode, Vec<u8>)>,
}

fn go(keys: &[(Mode, &[u8])], script: Script) -> Spec {
    named("go", keys, script)
}

fn named(name: &str, keys: &[(Mode, &[u8])], script: Script) -> Spec {
    let keys: Vec<_> = keys.iter().map(|(mode, key)| (*mode, key.to_vec())).collect();
    let access = list(keys.iter().map(|(mode, key)| template(*mode, key)));
    Spec { method: Method { access, ..method(name) }, script, status: 0, keys }
}

impl Spec {
    fn reentrant(mut self) -> Self {
        self.method.reentrant = true;
        self
    }

    fn view(mut self) -> Self {
        self.method.mutability = Mutability::View;
        self
    }

    fn undeclared(mut self) -> Self {
        self.method.declared = false;
        self.method.access = list([]);
        self.keys.clear();
        self
    }

    fn reverts(mut self) -> Self {
        self.status = 1;
        self
    }

    fn takes(mut self, ty: Type) -> Self {
        self.method.params = list([field("bytes", ty)]);
        self
    }

    /// What it costs before it is resolved and so on, and a page.
    fn gas_before(&self) -> u64 {
        let steps: u64 = self.keys.iter().map(|(_, key)| 1 + u64::from(key.len() > 1)).sum();
        CALL_GAS_BASE
            + RESOLVE_STEP_GAS * steps
            + DECLARED_KEY_GAS * self.keys.len() as u64
            + self.args_bytes() * ARGUMENT_GAS_BYTE
    }

    fn args_bytes(&self) -> u64 {
        self.method.params.iter().filter_map(|param| param.ty.fixed_size()).sum::<usize>() as u64
    }

    /// What its frame costs that has so many slots, until what it leaves is taken.
    fn frame_gas(&self, slots: u64) -> u64 {
        let args = self.args_bytes();
        let args = if args <= WINDOW_ARGS_BYTES_MAX as u64 { args } else { 0 };
        // One for entering the function, and one for its status.
        PAGE_GAS + WINDOW_GAS + SLOT_GAS * slots + args + self.script.gas + 2
    }

    /// What a call of it costs, where `taken` is for what is taken at its end.
    fn gas(&self, slots: u64, taken: u64) -> u64 {
        self.gas_before() + self.frame_gas(slots) + taken
    }
}

fn template(mode: Mode, key: &[u8]) -> AccessTemplate {
    let parts = match key {
        [_] => vec![],
        [_, number] => vec![Expr::Integer(u128::from(*number))],
        [_, bytes @ ..] => vec![Expr::Bytes(list(bytes.iter().copied()))],
        [] => unreachable!("a key has a field"),
    };
    AccessTemplate::Key { mode, field: key[0], parts: list(parts) }
}

/// Fields of storage: the first bytes of keys.
const CELLS: u8 = 0;
const BLOBS: u8 = 1;
const TEXTS: u8 = 2;
const LARGE: u8 = 3;
const FLAG: u8 = 4;
const FAR: u8 = 5;

fn contract_abi(immutables: usize, specs: &[Spec]) -> Abi {
    let storage = |name: &str, key: &[Type], value: Type| StorageField {
        name: text(name),
        key: list(key.iter().cloned()),
        value,
        counter: false,
        prefix_parts: None,
    };
    let number = &[Type::U8][..];
    Abi {
        // A type without bytes would be refused.
        immutables: list(
            (immutables > 0).then(|| field("bytes", Type::FixedBytes(immutables as u32))),
        ),
        storage: list([
            support::cells(),
            storage("blobs", number, Type::FixedBytes(128)),
            storage("texts", number, Type::Text),
            storage("large", number, Type::FixedBytes(129)),
            storage("flag", &[], Type::Bool),
            storage("far", &[Type::FixedBytes(127)], Type::U128),
        ]),
        events: list(
            ["First", "Second"].map(|name| EventType { name: text(name), fields: list([]) }),
        ),
        ..abi("windowed", specs.iter().map(|spec| spec.method.clone()))
    }
}

fn wasm(abi: &Abi, specs: &[Spec], background: Option<&[u8]>) -> Vec<u8> {
    let mut fields = format!(
        "(memory (export \"memory\") 1)
         (global (export \"{WINDOW_EXPORT}\") i32 (i32.const {W}))\n"
    );
    let escaped =
        |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    if let Some(bytes) = background {
        writeln!(fields, "(data (i32.const {W}) \"{}\")", escaped(bytes))
            .expect("strings take all");
    }
    for (index, spec) in specs.iter().enumerate() {
        // Each method has its own part of memory.
        let base = DATA + index * 4096;
        let data = spec.script.data.concat();
        writeln!(fields, "(data (i32.const {base}) \"{}\")", escaped(&data))
            .expect("strings take all");
        let mut wat = spec.script.wat.clone();
        if index > 0 {
            // Addresses are written for the first part.
            wat = moved(&wat, index * 4096);
        }
        writeln!(
            fields,
            "(func (export \"{}\") (param i32) (result i32) {wat} (i32.const {}))",
            spec.method.name, spec.status
        )
        .expect("strings take all");
    }
    module(abi, &fields)
}

/// The same instructions, with addresses of data moved.
fn moved(wat: &str, by: usize) -> String {
    let mut out = String::new();
    let mut rest = wat;
    while let Some(position) = rest.find("i32.const ") {
        let (head, tail) = rest.split_at(position + "i32.const ".len());
        out.push_str(head);
        let end = tail.find(')').expect("the constant ends");
        let value: i64 = tail[..end].parse().expect("it is a number");
        let is_data = (DATA as i64..(DATA + 4096) as i64).contains(&value);
        let value = if is_data { value + by as i64 } else { value };
        write!(out, "{value}").expect("strings take all");
        rest = &tail[end..];
    }
    out + rest
}

/// How a call ends.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Returned(Vec<u8>),
    Reverted(Vec<u8>),
    Trap,
    OutOfGas,
    AddOverflow,
    /// None of the cases ends like this.
    Other(Outcome),
}

/// What a call does, and what comes of it.
struct Expected {
    call: (&'static str, Vec<u8>, u64),
    end: End,
    gas: u64,
    events: Vec<(u32, Vec<u8>)>,
    misses: u32,
}

struct Case {
    name: &'static str,
    /// Values that are there before.
    before: Vec<(Vec<u8>, Vec<u8>)>,
    immutables: Vec<u8>,
    background: Option<Vec<u8>>,
    specs: Vec<Spec>,
    calls: Vec<Expected>,
    after: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

const LIMIT: u64 = 1_000_000;

impl Case {
    fn new(name: &'static str, specs: impl Into<Vec<Spec>>) -> Self {
        Self {
            name,
            before: vec![(vec![CELLS, 1], amount(5)), (vec![FLAG], vec![1])],
            immutables: Vec::new(),
            background: None,
            specs: specs.into(),
            calls: Vec::new(),
            after: Vec::new(),
        }
    }

    fn before(mut self, key: &[u8], value: &[u8]) -> Self {
        self.before.push((key.to_vec(), value.to_vec()));
        self
    }

    /// Calls the first method without arguments.
    fn ends(self, end: End, gas: u64) -> Self {
        self.ends_within(LIMIT, end, gas)
    }

    fn ends_within(mut self, limit: u64, end: End, gas: u64) -> Self {
        let args = vec![7; self.specs[0].args_bytes() as usize];
        let call = ("go", args, limit);
        self.calls.push(Expected { call, end, gas, events: vec![], misses: 0 });
        self
    }

    /// The first method, which has so many slots, returns `output`; `taken` is the gas of what is
    /// taken.
    fn returns(self, output: &[u8], slots: u64, taken: u64) -> Self {
        let gas = self.specs[0].gas(slots, taken);
        self.ends(End::Returned(output.to_vec()), gas)
    }

    fn fails(self, end: End) -> Self {
        self.ends(end, LIMIT)
    }

    fn events(mut self, events: &[(u32, &[u8])]) -> Self {
        let last = self.calls.last_mut().expect("there is a call");
        last.events = events.iter().map(|(event, data)| (*event, data.to_vec())).collect();
        self
    }

    fn misses(mut self, count: u32) -> Self {
        self.calls.last_mut().expect("there is a call").misses = count;
        self
    }

    fn after(mut self, key: &[u8], value: Option<&[u8]>) -> Self {
        self.after.push((key.to_vec(), value.map(<[u8]>::to_vec)));
        self
    }
}

fn amount(amount: u128) -> Vec<u8> {
    amount.to_le_bytes().to_vec()
}

/// An entry of the directory.
fn entry(
    field: u8,
    key_len: u8,
    mode: u8,
    state: u8,
    key: usize,
    value: usize,
    size: u16,
) -> Vec<u8> {
    let words = [key as u16, value as u16, size, 0, 0, 0].map(u16::to_le_bytes);
    [&[field, key_len, mode, state][..], words.as_flattened()].concat()
}

/// Where the first slot's key and value lie if its key has one byte after the first.
const KEY: usize = offset::HEAP;
const VALUE: usize = offset::HEAP + 8;
/// And those of the second, after a value of 16 bytes.
const KEY_2: usize = VALUE + 16;
const VALUE_2: usize = KEY_2 + 8;

const CELL: &[u8] = &[CELLS, 1];
const OTHER: &[u8] = &[CELLS, 2];
const READ: (Mode, &[u8]) = (Mode::Read, CELL);
const WRITE: (Mode, &[u8]) = (Mode::Write, CELL);
const ADD: (Mode, &[u8]) = (Mode::Add, CELL);

fn returned(bytes: &[u8]) -> End {
    End::Returned(bytes.to_vec())
}

fn layout_cases() -> Vec<Case> {
    let show_directory = script().host_output(W + offset::DIRECTORY, 256 + 64);
    let directory = |entries: &[Vec<u8>], heap: &[u8]| {
        let mut bytes = entries.concat();
        bytes.resize(256, 0);
        bytes.extend(heap);
        bytes.resize(256 + 64, 0);
        bytes
    };
    let all = go(
        &[(Mode::Write, OTHER), (Mode::Read, &[FLAG]), (Mode::Add, CELL)],
        show_directory.clone(),
    );
    let all_heap = [
        &[2, 0, 0, 0, 0, 0, 0, 0][..],
        &[0; 16],
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let all_bytes = directory(
        &[
            entry(CELLS, 2, SLOT_WRITE, 0, KEY, VALUE, 16),
            entry(FLAG, 1, SLOT_READ, SLOT_PRESENT, KEY_2, KEY_2, 1),
            entry(CELLS, 2, SLOT_ADD, 0, KEY_2 + 8, KEY_2 + 16, 16),
        ],
        &all_heap,
    );
    let twice = go(&[READ, (Mode::Read, OTHER), ADD], show_directory.clone());
    let mut cases = vec![
        Case::new("slots stand in the order of the templates", [all]).returns(&all_bytes, 3, 0),
        Case::new("a key that is named twice has one slot, of both modes", [twice.clone()]).ends(
            returned(&directory(
                &[
                    entry(CELLS, 2, SLOT_WRITE, SLOT_PRESENT, KEY, VALUE, 16),
                    entry(CELLS, 2, SLOT_READ, 0, KEY_2, VALUE_2, 16),
                ],
                &[&[1, 0, 0, 0, 0, 0, 0, 0][..], &amount(5), &[2]].concat(),
            )),
            twice.gas(2, 0) - DECLARED_KEY_GAS,
        ),
        Case::new(
            "a value of another size has no slot, unless it is added to",
            [go(&[(Mode::Read, OTHER), READ], show_directory.clone())],
        )
        .before(OTHER, b"abc")
        .returns(
            &directory(
                &[entry(CELLS, 2, SLOT_READ, SLOT_PRESENT, KEY, VALUE, 16)],
                &[&[1, 0, 0, 0, 0, 0, 0, 0][..], &amount(5)].concat(),
            ),
            1,
            0,
        ),
        Case::new(
            "what is no counter has a slot to add to, and fails at the end",
            [go(&[(Mode::Add, OTHER)], script().change(0, VALUE, &amount(1)))],
        )
        .before(OTHER, b"abc")
        .ends(
            End::AddOverflow,
            go(&[(Mode::Add, OTHER)], script().change(0, VALUE, &amount(1))).gas(1, taken(16)),
        )
        .after(OTHER, Some(b"abc")),
        Case::new(
            "values of no fixed size, or too large ones, have no slot",
            [go(&[(Mode::Write, &[TEXTS, 1]), (Mode::Write, &[LARGE, 1])], show_directory)],
        )
        .returns(&directory(&[], &[]), 0, 0),
        Case::new(
            "a call without an access set has no slots",
            [go(&[], script().host_output(W + offset::SLOT_COUNT, 4)).undeclared()],
        )
        .returns(&[0; 4], 0, 0),
    ];

    let header = go(&[READ], script().host_output(W, 104)).takes(Type::FixedBytes(9));
    // The contract's own address is known to the check only.
    cases.push(
        Case::new("the header", [header]).returns(
            &[
                &1u32.to_le_bytes()[..],
                &0u32.to_le_bytes(),
                &HEIGHT.to_le_bytes(),
                &TIME_MS.to_le_bytes(),
                &0u32.to_le_bytes(),
                &9u32.to_le_bytes(),
                &ALICE.0,
                &THIS,
                &ABSENT.to_le_bytes(),
                &0u32.to_le_bytes(),
            ]
            .concat(),
            1,
            0,
        ),
    );
    for (name, size, length) in [
        ("the longest arguments", WINDOW_ARGS_BYTES_MAX, WINDOW_ARGS_BYTES_MAX as u32),
        ("arguments that are too long", WINDOW_ARGS_BYTES_MAX + 1, ABSENT),
    ] {
        let shown = script().host_output(W + offset::ARGS, WINDOW_ARGS_BYTES_MAX);
        let shown = shown.put32(W + 2048, 0);
        let spec = go(&[], shown).takes(Type::FixedBytes(size as u32));
        let byte = if length == ABSENT { 0 } else { 7 };
        cases.push(Case::new(name, [spec]).returns(&[byte; WINDOW_ARGS_BYTES_MAX], 0, 0));
        let spec = go(&[], script().host_output(W + offset::ARGS_LEN, 4));
        let spec = spec.takes(Type::FixedBytes(size as u32));
        cases.push(Case::new(name, [spec]).returns(&length.to_le_bytes(), 0, 0));
    }
    for (name, size, length) in [
        ("the longest immutables", WINDOW_IMMUTABLES_BYTES_MAX, WINDOW_IMMUTABLES_BYTES_MAX as u32),
        ("immutables that are too long", WINDOW_IMMUTABLES_BYTES_MAX + 1, ABSENT),
    ] {
        let laid_out = if length == ABSENT { 0 } else { size };
        let shown = go(&[], script().host_output(W + offset::IMMUTABLES, 128));
        let gas = shown.gas(0, laid_out as u64);
        let mut bytes = vec![9; laid_out];
        bytes.resize(128, 0);
        let mut case = Case::new(name, [shown]).ends(returned(&bytes), gas);
        case.immutables = vec![9; size];
        cases.push(case);
        let shown = go(&[], script().host_output(W + offset::IMMUTABLES_LEN, 4));
        let gas = shown.gas(0, laid_out as u64);
        let mut case = Case::new(name, [shown]).ends(returned(&length.to_le_bytes()), gas);
        case.immutables = vec![9; size];
        cases.push(case);
    }

    let keys: Vec<[u8; 2]> = (10..27).map(|number| [CELLS, number]).collect();
    let keys: Vec<(Mode, &[u8])> = keys.iter().map(|key| (Mode::Add, &key[..])).collect();
    let many = script().change(15, offset::HEAP + 15 * 24 + 8, &amount(3)).host_add(keys[16].1, 4);
    cases.push(
        Case::new("seventeen keys", [go(&keys, many.host_output(W, 4))])
            .returns(&16u32.to_le_bytes(), 16, taken(16))
            .after(&[CELLS, 25], Some(&amount(3)))
            .after(&[CELLS, 26], Some(&amount(4)))
            .after(&[CELLS, 24], None),
    );
    let mut far = vec![FAR];
    far.extend([0xab; 127]);
    let blobs: Vec<[u8; 2]> = (0..8).map(|number| [BLOBS, number]).collect();
    let mut full: Vec<(Mode, &[u8])> = blobs.iter().map(|key| (Mode::Write, &key[..])).collect();
    // 7 of 136 bytes leave 96: too little for the eighth and the far key, enough for four cells.
    full.push((Mode::Write, &far));
    full.push((Mode::Read, CELL));
    full.push((Mode::Read, OTHER));
    let last = offset::DIRECTORY + 7 * SLOT_ENTRY_BYTES;
    let at = offset::HEAP + 7 * 136;
    cases.push(
        Case::new("a full heap", [go(&full, script().host_output(W + last, 48))]).returns(
            &[
                entry(CELLS, 2, SLOT_READ, SLOT_PRESENT, at, at + 8, 16),
                entry(CELLS, 2, SLOT_READ, 0, at + 24, at + 32, 16),
                vec![0; 16],
            ]
            .concat(),
            9,
            0,
        ),
    );
    let far_value = offset::HEAP + 128;
    let longest = script().change(0, far_value, &amount(1)).host_output(W + offset::HEAP, 136);
    let mut shown = vec![0xab; 127];
    shown.push(0);
    shown.push(1);
    shown.resize(136, 0);
    cases.push(
        Case::new("the longest key", [go(&[(Mode::Write, &far)], longest)])
            .returns(&shown, 1, taken(16))
            .after(&far, Some(&amount(1))),
    );
    let mut overlapping = Case::new(
        "other bytes are as the memory starts with them",
        [go(
            &[READ],
            script().host_output(W + offset::OUTPUT, 64).host_output(W + offset::DIRECTORY, 312),
        )],
    );
    overlapping.background = Some(vec![0xee; WINDOW_BYTES]);
    let mut expected = entry(CELLS, 2, SLOT_READ, SLOT_PRESENT, KEY, VALUE, 16);
    expected.resize(256, 0xee);
    expected.extend([&[1, 0, 0, 0, 0, 0, 0, 0][..], &amount(5)].concat());
    expected.resize(312, 0xee);
    cases.push(overlapping.returns(&expected, 1, 0));
    cases
}

/// The height and time of the blocks that are checked.
const HEIGHT: u64 = 2;
const TIME_MS: u64 = 1_700_000_000_000;
/// Stands for the address of the contract in an output.
const THIS: [u8; 32] = [0x5a; 32];

fn slot_cases() -> Vec<Case> {
    let write = |script: Script| [go(&[WRITE], script)];
    let add = |script: Script| [go(&[ADD], script)];
    vec![
        Case::new("a write", write(script().change(0, VALUE, &amount(9))))
            .returns(&[], 1, taken(16))
            .after(CELL, Some(&amount(9))),
        Case::new(
            "a write of what held nothing",
            [go(&[(Mode::Write, OTHER)], script().change(0, VALUE, &amount(9)))],
        )
        .returns(&[], 1, taken(16))
        .after(OTHER, Some(&amount(9))),
        Case::new(
            "a value without the bit is no change",
            write(script().put(W + VALUE, &amount(9))),
        )
        .returns(&[], 1, 0)
        .after(CELL, Some(&amount(5))),
        Case::new("a removal", write(script().state(0, SLOT_CHANGED)))
            .returns(&[], 1, taken(16))
            .after(CELL, None),
        Case::new(
            "other bits of the state mean nothing",
            write(script().put(W + VALUE, &amount(9)).state(0, 0xfe)),
        )
        .returns(&[], 1, taken(16))
        .after(CELL, None),
        Case::new(
            "other bits alone are no change",
            write(script().put(W + VALUE, &amount(9)).state(0, 0x7f)),
        )
        .returns(&[], 1, 0)
        .after(CELL, Some(&amount(5))),
        Case::new("two adds", add(script().change(0, VALUE, &amount(4))))
            .returns(&[], 1, taken(16))
            .returns(&[], 1, taken(16))
            .after(CELL, Some(&amount(13))),
        Case::new(
            "an add of nothing makes a counter",
            [go(&[(Mode::Add, OTHER)], script().change(0, VALUE, &amount(0)))],
        )
        .returns(&[], 1, taken(16))
        .after(OTHER, Some(&amount(0))),
        Case::new(
            "an add that overflows fails at the end",
            add(script().change(0, VALUE, &amount(u128::MAX))),
        )
        .ends(
            End::AddOverflow,
            go(&[ADD], script().change(0, VALUE, &amount(u128::MAX))).gas(1, taken(16)),
        )
        .after(CELL, Some(&amount(5))),
        Case::new(
            "the host adds to what a slot holds, or fails",
            add(script().change(0, VALUE, &amount(4)).host_add(CELL, 3).charge(taken(16))),
        )
        .returns(&[], 1, 0)
        .after(CELL, Some(&amount(12))),
        Case::new(
            "what overflows on the way fails at once",
            add(script().change(0, VALUE, &amount(u128::MAX)).host_add(CELL, 1).output(b"x")),
        )
        .fails(End::AddOverflow)
        .after(CELL, Some(&amount(5))),
        Case::new(
            "what is no slot is not looked at",
            write(script().state(1, 0x81).state(15, 0x80).put(W + KEY_2, &[0xff; 64])),
        )
        .returns(&[], 1, 0)
        .after(CELL, Some(&amount(5))),
        Case::new(
            "the host knows its slots by itself",
            write({
                // Header, directory and the slot's key are overwritten, but for the state.
                let scribbled = script().put(W, &[0xff; 96]).put(W + KEY, &[0xff; 8]);
                let entry = W + offset::DIRECTORY;
                let scribbled = scribbled.put(entry, &[0xff; 3]).put(entry + 4, &[0xff; 252]);
                scribbled.put(W + VALUE, &amount(8)).state(0, 0x81)
            }),
        )
        .returns(&[], 1, taken(16))
        .after(CELL, Some(&amount(8))),
        Case::new(
            "a host read takes the change, and the slot out",
            write(
                script()
                    .change(0, VALUE, &amount(9))
                    .host_read(CELL, DATA + 2048, 16)
                    .charge(taken(16))
                    // Too late: the slot is out.
                    .change(0, VALUE, &amount(10))
                    .put(DATA + 2064, &[0])
                    .op(
                        &format!(
                            "(i32.store8 (i32.const {}) (i32.load8_u (i32.const {})))",
                            DATA + 2064,
                            W + offset::DIRECTORY + 1
                        ),
                        6,
                    )
                    .host_output(DATA + 2048, 17),
            ),
        )
        .returns(&[&amount(9)[..], &[0]].concat(), 1, 0)
        .after(CELL, Some(&amount(9))),
        Case::new(
            "a host read of what is unchanged takes the slot out",
            write(
                script()
                    .host_read(CELL, DATA + 2048, 16)
                    .change(0, VALUE, &amount(10))
                    .host_output(W + offset::DIRECTORY, 2),
            ),
        )
        .returns(&[CELLS, 0], 1, 0)
        .after(CELL, Some(&amount(5))),
        Case::new(
            "a host write after a change counts",
            write(
                script()
                    .change(0, VALUE, &amount(9))
                    .host_write(CELL, &amount(11))
                    .charge(taken(16))
                    .host_read(CELL, DATA + 2048, 16)
                    .host_output(DATA + 2048, 16),
            ),
        )
        .returns(&amount(11), 1, 0)
        .after(CELL, Some(&amount(11))),
        Case::new(
            "a host removal after a change counts",
            write(script().change(0, VALUE, &amount(9)).host_remove(CELL).charge(taken(16))),
        )
        .returns(&[], 1, 0)
        .after(CELL, None),
        Case::new(
            "a host write to a slot that may only be read is a miss",
            [go(&[READ], script().host_write(CELL, &amount(6)).charge(MISS_GAS))],
        )
        .returns(&[], 1, 0)
        .misses(1)
        .after(CELL, Some(&amount(6))),
        Case::new(
            "a change of what may only be read, found by a host function",
            [go(&[READ], script().change(0, VALUE, &amount(6)).host_read(CELL, DATA + 2048, 16))],
        )
        .fails(End::Trap),
        Case::new(
            "another key's host functions leave the slot alone",
            write(
                script()
                    .change(0, VALUE, &amount(9))
                    .host_read(&[FLAG], DATA + 2048, 1)
                    .charge(MISS_GAS),
            ),
        )
        .returns(&[], 1, taken(16))
        .misses(1)
        .after(CELL, Some(&amount(9))),
        Case::new(
            "what traps leaves nothing",
            write(script().change(0, VALUE, &amount(9)).op("unreachable", 0)),
        )
        .fails(End::Trap)
        .after(CELL, Some(&amount(5))),
        Case::new(
            "what reverts leaves nothing, and may have misused its slots",
            [go(
                &[READ],
                script()
                    .change(0, VALUE, &amount(9))
                    .put32(W + offset::EVENTS_LEN, 999)
                    .output(b"no"),
            )
            .reverts()],
        )
        .ends(
            End::Reverted(b"no".to_vec()),
            go(
                &[READ],
                script()
                    .change(0, VALUE, &amount(9))
                    .put32(W + offset::EVENTS_LEN, 999)
                    .output(b"no"),
            )
            .gas(1, output_gas(2)),
        )
        .after(CELL, Some(&amount(5))),
        Case::new(
            "a change of what may only be read",
            [go(&[READ], script().change(0, VALUE, &amount(9)))],
        )
        .fails(End::Trap)
        .after(CELL, Some(&amount(5))),
        Case::new(
            "a removal of what may only be read",
            [go(&[READ], script().state(0, SLOT_CHANGED))],
        )
        .fails(End::Trap),
        Case::new("a removal of what may only be added to", add(script().state(0, SLOT_CHANGED)))
            .fails(End::Trap),
        Case::new(
            "a change in a view",
            [go(&[READ], script().change(0, VALUE, &amount(9))).view()],
        )
        .fails(End::Trap),
    ]
}

fn output_cases() -> Vec<Case> {
    let plain = |script: Script| [go(&[], script)];
    let long = [3; 64];
    let event_misuse = |name, script: Script| Case::new(name, plain(script)).fails(End::Trap);
    let length = W + offset::EVENTS_LEN;
    let mut cases = vec![
        Case::new("an output", plain(script().output(b"hello"))).returns(
            b"hello",
            0,
            output_gas(5),
        ),
        Case::new("the longest output", plain(script().output(&long))).returns(
            &long,
            0,
            output_gas(64),
        ),
        Case::new("an empty output", plain(script().output(b""))).returns(b"", 0, output_gas(0)),
        Case::new(
            "the host's output is the last",
            plain(script().output(b"window").host_output(W + offset::OUTPUT, 3)),
        )
        .returns(b"win", 0, 0),
        Case::new(
            "the window's output is the last",
            plain(script().host_output(W, 8).output(b"window")),
        )
        .returns(b"window", 0, output_gas(6)),
        Case::new("an output that is too long", plain(script().put32(W + offset::OUTPUT_LEN, 65)))
            .fails(End::Trap),
        Case::new(
            "an output without end",
            plain(script().put32(W + offset::OUTPUT_LEN, ABSENT - 1)),
        )
        .fails(End::Trap),
        Case::new(
            "a revert by the host takes the output",
            plain(script().output(b"why").host("revert", &[], 0)),
        )
        .ends(End::Reverted(b"why".to_vec()), {
            // It does not come to its status.
            go(&[], script().output(b"why").host("revert", &[], 0)).gas(0, output_gas(3)) - 1
        }),
        Case::new(
            "a revert with an output that is too long",
            plain(script().put32(W + offset::OUTPUT_LEN, 65).host("revert", &[], 0)),
        )
        .fails(End::Trap),
        Case::new(
            "a status that reverts takes an output that is too long",
            [go(&[], script().put32(W + offset::OUTPUT_LEN, 65)).reverts()],
        )
        .fails(End::Trap),
        Case::new("events", plain(script().events(&[(1, b"abc"), (0, b""), (1, b"d")])))
            .returns(&[], 0, event_gas(3) + event_gas(0) + event_gas(1))
            .events(&[(1, b"abc"), (0, b""), (1, b"d")]),
        Case::new("the most events' bytes", plain(script().events(&[(1, &[1; 188])])))
            .returns(&[], 0, event_gas(188))
            .events(&[(1, &[1; 188])]),
        Case::new(
            "events stand before what the host emits later",
            plain(
                script()
                    .events(&[(1, b"abc")])
                    .host_emit(0, b"host")
                    .charge(event_gas(3))
                    .host_output(W + offset::EVENTS_LEN, 4)
                    .events(&[(0, b"z")]),
            ),
        )
        .returns(&[0; 4], 0, event_gas(1))
        .events(&[(1, b"abc"), (0, b"host"), (0, b"z")]),
        Case::new("an event in a view", [go(&[], script().events(&[(0, b"")])).view()])
            .fails(End::Trap),
        event_misuse(
            "an event that the ABI does not have",
            script().events(&[(0, b"a"), (2, b"b")]),
        ),
        event_misuse("events that are too long", script().put32(length, 193)),
        event_misuse("events without end", script().put32(length, u32::MAX)),
        event_misuse("an event whose header is cut short", script().put32(length, 3)),
        event_misuse(
            "an event whose header is cut short, after one",
            script().events(&[(0, b"a")]).put32(length, 8),
        ),
        event_misuse(
            "an event whose data is cut short",
            script().events(&[(0, b"abc")]).put32(length, 6),
        ),
        event_misuse(
            "an event that is longer than its place",
            script().put(W + offset::EVENTS, &[0, 0, 0xff, 0xff]).put32(length, 192),
        ),
        event_misuse(
            "misused events that emit finds",
            script().put32(length, 193).host_emit(0, b"a"),
        ),
    ];

    // A slot's misuse decides before an output's, events before slots.
    let all =
        go(&[WRITE], script().events(&[(0, b"a")]).change(0, VALUE, &amount(9)).output(b"xy"));
    let gas = all.gas(1, event_gas(1) + taken(16) + output_gas(2));
    let case = |name| Case::new(name, [all.clone()]);
    cases.push(
        case("exactly enough gas")
            .ends_within(gas, returned(b"xy"), gas)
            .events(&[(0, b"a")])
            .after(CELL, Some(&amount(9))),
    );
    for missing in [1, output_gas(2) + 1, output_gas(2) + taken(16) + 1, gas - all.gas_before() - 1]
    {
        let limit = gas - missing;
        cases.push(
            case("not enough gas for what is taken")
                .ends_within(limit, End::OutOfGas, limit)
                .after(CELL, Some(&amount(5))),
        );
    }
    let misused = go(&[READ], script().events(&[(0, b"a")]).state(0, SLOT_CHANGED));
    let enough = misused.gas(1, event_gas(1));
    cases.push(Case::new("a misuse is found before it is charged", [misused.clone()]).ends_within(
        enough,
        End::Trap,
        enough,
    ));
    cases.push(Case::new("what comes first decides", [misused]).ends_within(
        enough - 1,
        End::OutOfGas,
        enough - 1,
    ));
    cases
}

fn call_cases() -> Vec<Case> {
    let inner = |script: Script| named("inner", &[], script).reentrant();
    let show = inner(script().host_output(W + VALUE, 16));
    let copy_output = |script: Script| {
        script.host("call_output", &[&i32(DATA + 3000), &i32(64)], 16).host_output(DATA + 3000, 16)
    };
    let show_slot = |script: Script| script.host_output(W + VALUE, 16);
    let change_9 = || script().change(0, VALUE, &amount(9));
    let mut cases = vec![
        Case::new("a callee sees what was changed", {
            let outer = change_9().charge(taken(16)).call_self("inner", show.frame_gas(1));
            [go(&[WRITE], copy_output(outer)), show.clone()]
        })
        .returns(&amount(9), 1, 0)
        .after(CELL, Some(&amount(9))),
        Case::new("a callee sees what was added", {
            let outer = change_9().charge(taken(16)).call_self("inner", show.frame_gas(1));
            // Slots of mode add show the callee nothing; afterwards they hold nothing either.
            [go(&[ADD], show_slot(outer)), show.clone()]
        })
        .returns(&amount(0), 1, 0)
        .after(CELL, Some(&amount(14))),
        Case::new("what was added without reading is shown as a sum", {
            let outer = script().host_add(CELL, 3).call_self("inner", show.frame_gas(1));
            [go(&[WRITE], copy_output(outer)), show.clone()]
        })
        .returns(&amount(8), 1, 0)
        .after(CELL, Some(&amount(8))),
        Case::new("what has no sum has no slot, and is still an add", {
            let callee = inner(script().host_output(W + offset::SLOT_COUNT, 4));
            let outer = script().host_add(OTHER, 1).call_self("inner", callee.frame_gas(0));
            let outer = outer.host("call_output", &[&i32(DATA + 3000), &i32(64)], 4);
            [go(&[(Mode::Write, OTHER)], outer.host_write(OTHER, &amount(1))), callee]
        })
        .before(OTHER, &amount(u128::MAX))
        .returns(&[], 1, 0)
        .after(OTHER, Some(&amount(1))),
        Case::new("slots are unchanged after a call", {
            let outer = change_9().charge(taken(16)).call_self("none", 0);
            [go(&[WRITE], outer.host_output(W + state_at(0), 1))]
        })
        .returns(&[SLOT_PRESENT], 1, 0)
        .after(CELL, Some(&amount(9))),
        Case::new("removed slots are unchanged after a call", {
            let outer = script().state(0, 0xf0).charge(taken(16)).call_self("none", 0);
            [go(&[WRITE], outer.host_output(W + state_at(0), 1))]
        })
        .returns(&[0x70], 1, 0)
        .after(CELL, None),
        Case::new("what was not changed is left alone", {
            let outer = script().put(W + VALUE, &amount(3)).state(0, 0x40).call_self("none", 0);
            [go(&[WRITE], outer.host_output(W + state_at(0), 1))]
        })
        .returns(&[0x40], 1, 0)
        .after(CELL, Some(&amount(5))),
        Case::new("slots that were added to hold nothing after a call", {
            let outer = change_9().charge(taken(16)).call_self("none", 0);
            let outer = outer.change(0, VALUE, &amount(1));
            [go(&[ADD], outer.host_output(W + VALUE, 16))]
        })
        .returns(&amount(1), 1, taken(16))
        .after(CELL, Some(&amount(15))),
        Case::new("events stand before those of the callee", {
            let callee = inner(script().events(&[(1, b"inner")]));
            let gas = callee.frame_gas(1) + event_gas(5);
            let outer =
                script().events(&[(0, b"outer")]).charge(event_gas(5)).call_self("inner", gas);
            [go(&[READ], outer.events(&[(0, b"after")])), callee]
        })
        .returns(&[], 1, event_gas(5))
        .events(&[(0, b"outer"), (1, b"inner"), (0, b"after")]),
        Case::new("what the contract did in the meantime is laid out", {
            let callee = inner(script().change(0, VALUE, &amount(20)));
            let gas = callee.frame_gas(1) + taken(16);
            let outer = script().put(W + VALUE, &amount(3)).state(0, 0x40).call_self("inner", gas);
            [go(&[WRITE], outer.host_output(W + VALUE, 16)), callee]
        })
        .returns(&amount(20), 1, 0)
        .after(CELL, Some(&amount(20))),
        Case::new("what the contract removed in the meantime is laid out", {
            let callee = inner(script().state(0, SLOT_CHANGED));
            let gas = callee.frame_gas(1) + taken(16);
            let outer = script().call_self("inner", gas).host_output(W + VALUE, 16);
            let outer = outer.host_output(W + state_at(0), 1);
            [go(&[WRITE], outer), callee]
        })
        .returns(&[0], 1, 0)
        .after(CELL, None),
        Case::new("a value of another size takes the slot out", {
            let callee = inner(script().host_write(CELL, b"abc"));
            let outer =
                script().call_self("inner", callee.frame_gas(1)).change(0, VALUE, &amount(7));
            [go(&[WRITE], outer.host_output(W + offset::DIRECTORY, 2)), callee]
        })
        .returns(&[CELLS, 0], 1, 0)
        .after(CELL, Some(b"abc")),
        Case::new("a callee that reverts leaves nothing, and slots are laid out", {
            let callee = inner(script().change(0, VALUE, &amount(20))).reverts();
            let gas = callee.frame_gas(1);
            let outer = script().put(W + VALUE, &amount(3)).call_self("inner", gas);
            [go(&[WRITE], outer.host_output(W + VALUE, 16)), callee]
        })
        .returns(&amount(5), 1, 0)
        .after(CELL, Some(&amount(5))),
        Case::new("slots that were taken out stay out", {
            let callee = inner(script().change(0, VALUE, &amount(20)));
            let gas = callee.frame_gas(1) + taken(16);
            let outer = script().host_read(CELL, DATA + 3000, 16).call_self("inner", gas);
            [go(&[WRITE], outer.host_output(W + offset::DIRECTORY, 2)), callee]
        })
        .returns(&[CELLS, 0], 1, 0)
        .after(CELL, Some(&amount(20))),
        Case::new("what one frame takes out, another has", {
            let callee = inner(script().host_write(CELL, &amount(20)));
            let outer =
                script().call_self("inner", callee.frame_gas(1)).change(0, VALUE, &amount(21));
            [go(&[WRITE], outer), callee]
        })
        .returns(&[], 1, taken(16))
        .after(CELL, Some(&amount(21))),
        Case::new("a misuse that call finds", {
            [go(&[READ], script().change(0, VALUE, &amount(9)).call_self("none", 0))]
        })
        .fails(End::Trap),
        Case::new("the failure of a callee is forwarded, not the output", {
            let callee = inner(script().output(b"inner")).reverts();
            let gas = callee.frame_gas(1) + output_gas(5);
            let outer = script().output(b"outer").call_self("inner", gas);
            [go(&[READ], outer.host("forward_failure", &[], 0)), callee]
        }),
    ];
    let forwarded = cases.pop().expect("it was just made");
    // It does not come to its status.
    let gas = forwarded.specs[0].gas(1, 0) - 1;
    cases.push(forwarded.ends(End::Reverted(b"inner".to_vec()), gas));

    // A callee that traps loses what it was given: all but a 64th.
    let callee = inner(script().change(0, VALUE, &amount(20)).op("unreachable", 0));
    let outer = |script: Script| change_9().charge(taken(16)).call_self("inner", 0).with(script);
    let spec = go(&[WRITE], outer(script().host_output(W + VALUE, 16)));
    let after_call = script().host_output(W + VALUE, 16).gas + 1;
    let before_call = spec.gas(1, 0) - after_call;
    let left = LIMIT - before_call;
    let gas = before_call + left - left / 64 + after_call;
    cases.push(
        Case::new("a callee that traps leaves nothing", [spec, callee])
            .ends(returned(&amount(9)), gas)
            .after(CELL, Some(&amount(9))),
    );
    let view = inner(script().change(0, VALUE, &amount(20))).view();
    let spec = go(&[WRITE], outer(script().host_output(W + VALUE, 16)));
    cases.push(
        Case::new("a change in a view that is called", [spec, view])
            .ends(returned(&amount(9)), gas)
            .after(CELL, Some(&amount(9))),
    );
    cases
}

impl Script {
    /// These instructions, then those.
    fn with(mut self, next: Script) -> Self {
        assert!(next.data.is_empty(), "data of the second would move");
        self.wat.push_str(&next.wat);
        self.gas += next.gas;
        self
    }
}

fn all_cases() -> Vec<Case> {
    [layout_cases(), slot_cases(), output_cases(), call_cases()].into_iter().flatten().collect()
}

/// What a side made of a case.
struct Found {
    receipts: Vec<Receipt>,
    values: Vec<Option<Vec<u8>>>,
}

fn check(case: &Case, side: &str, contract: Address, found: &Found, wrong: &mut Vec<String>) {
    let name = case.name;
    for (index, (receipt, expected)) in found.receipts.iter().zip(&case.calls).enumerate() {
        let end = match &receipt.outcome {
            Outcome::Returned(bytes) => End::Returned(bytes.clone()),
            Outcome::Reverted { error, .. } => End::Reverted(error.clone()),
            Outcome::Failed(Failure::Trap { .. }) => End::Trap,
            Outcome::Failed(Failure::OutOfGas) => End::OutOfGas,
            Outcome::Failed(Failure::AddOverflow { .. }) => End::AddOverflow,
            outcome => End::Other(outcome.clone()),
        };
        let mut expected_end = expected.end.clone();
        if let End::Returned(bytes) = &mut expected_end
            && let Some(at) = bytes.windows(32).position(|window| window == THIS)
        {
            bytes[at..at + 32].copy_from_slice(&contract.0);
        }
        let mut differs = |what: &str, found: String, expected: String| {
            if found != expected {
                wrong.push(format!(
                    "{side}: {name}: {what} of call {index} is {found}, not {expected}"
                ));
            }
        };
        differs("end", format!("{end:?}"), format!("{expected_end:?}"));
        differs("gas", receipt.gas_used.0.to_string(), expected.gas.to_string());
        differs("misses", receipt.misses.to_string(), expected.misses.to_string());
        let events: Vec<_> =
            receipt.events.iter().map(|event| (event.event, event.data.to_vec())).collect();
        differs("events", format!("{events:?}"), format!("{:?}", expected.events));
    }
    assert_eq!(found.receipts.len(), case.calls.len(), "{name}");
    for ((key, expected), value) in case.after.iter().zip(&found.values) {
        if value != expected {
            wrong.push(format!("{side}: {name}: {key:?} holds {value:?}, not {expected:?}"));
        }
    }
}

/// Makes the case's contract, and the values that are there before.
fn prepare(case: &Case, config: &Config) -> (Runtime, Address) {
    let mut runtime = Runtime::new(config.clone()).expect("the runtime starts");
    let mut set_up = script();
    for (key, value) in &case.before {
        set_up = set_up.host_write(key, value);
    }
    let mut specs = case.specs.clone();
    specs.push(named("set_up", &[], set_up).undeclared());
    let abi = contract_abi(case.immutables.len(), &specs);
    let wasm = wasm(&abi, &specs, case.background.as_deref());
    let code = runtime.upload(&wasm).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let request = Instantiate {
        code,
        creator: ALICE,
        salt: 0,
        immutables: case.immutables.clone(),
        args: Vec::new(),
        gas_limit: Gas(LIMIT),
    };
    let contract = runtime.instantiate(request).expect("it is made");
    let set_up = call(contract, "set_up");
    let block = Block {
        height: Height(HEIGHT - 1),
        time_ms: TIME_MS,
        calls: vec![set_up],
        ..Block::default()
    };
    let outcome = runtime.execute(&block).expect("the block is valid");
    assert!(outcome.receipts[0].is_success(), "{}: {:?}", case.name, outcome.receipts[0]);
    runtime.commit(outcome.batch).expect("the batch follows the head");
    (runtime, contract)
}

fn block(case: &Case, contract: Address) -> Block {
    let calls = case.calls.iter().map(|expected| {
        let (method, args, gas_limit) = &expected.call;
        let (method, args, gas_limit) = ((*method).to_owned(), args.clone(), Gas(*gas_limit));
        Call { caller: ALICE, contract, method, args, gas_limit }
    });
    Block { height: Height(HEIGHT), time_ms: TIME_MS, calls: calls.collect(), ..Block::default() }
}

#[test]
fn the_oracle_does_as_the_window_says() {
    let mut wrong = Vec::new();
    for case in all_cases() {
        let (runtime, contract) = prepare(&case, &Config { threads: 1, ..Config::default() });
        let mut oracle = Oracle::new(&runtime);
        let receipts = oracle.execute(&block(&case, contract));
        let state = oracle.state_entries();
        let key = |key: &[u8]| [&[2][..], &contract.0, key].concat();
        let values = case.after.iter().map(|(own, _)| state.get(&key(own)).cloned()).collect();
        check(&case, "oracle", contract, &Found { receipts, values }, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_runtime_does_as_the_window_says() {
    let mut wrong = Vec::new();
    for compiler in Compiler::ALL {
        for case in all_cases() {
            let config = Config { threads: 2, compiler, ..Config::default() };
            let (mut runtime, contract) = prepare(&case, &config);
            let outcome = runtime.execute(&block(&case, contract)).expect("the block is valid");
            runtime.commit(outcome.batch).expect("the batch follows the head");
            let values = case
                .after
                .iter()
                .map(|(key, _)| runtime.storage(contract, key).expect("the state can be read"))
                .collect();
            let found = Found { receipts: outcome.receipts, values };
            let side = format!("runtime with {}", compiler.name());
            check(&case, &side, contract, &found, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
