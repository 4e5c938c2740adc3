//! A contract that runs a script from its arguments: anything that a contract can do to the host,
//! in any order, right or wrong.
//!
//! ```text
//! act_leaf(script, reads, writes, adds)           declares the cells in its lists
//! act(script, reads, writes, adds, callees)       and, for each callee, its act_leaf
//! act_undeclared(script, reads, writes, adds)     declares nothing
//! act_reentrant(script, reads, writes, adds)      like act_leaf, may be re-entered
//! look(script)                                    a view, declares nothing
//! ```
//!
//! All that a script sees is mixed into what it writes, emits and returns, so a single wrong bit
//! anywhere shows.

use super::{abi, arg, call_with, cells, element, field, list, list_of, method, module, text};
use borsh::BorshSerialize;
use tollway::host_api::{AccessTemplate, Expr, Method, Mode, Mutability, StorageField, Type};
use tollway::{Address, Call};

/// One step of a script.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Reads a cell and mixes it in.
    Read(u8),
    /// Writes the mix to a cell.
    Write(u8),
    /// Adds an amount to a cell.
    Add(u8, u64),
    /// Adds 2¹²⁸ − 1 to a cell.
    AddMost(u8),
    /// Removes a cell.
    Remove(u8),
    /// Writes three bytes to a cell, so that it is no counter any more.
    Spoil(u8),
    /// Emits the mix.
    Emit,
    /// Reverts through the host function, with the mix as its error.
    Revert,
    /// Ends as reverted through the entry point's status.
    ReturnError,
    /// Traps.
    Trap,
    /// Never ends.
    Spin,
    /// Calls a contract, and mixes in the status and what came back.
    Call { contract: Address, method: &'static str, gas: u64, args: Vec<u8> },
    /// Ends with the failure of the last call.
    Forward,
    /// Mixes in the gas that is left.
    GasLeft,
    /// Mixes in memory and globals that no fresh instance has changed, then changes them.
    Dirty,
    /// Grows memory by a page and writes to it.
    Grow,
    /// Turns a loop so often.
    Burn(u32),
    /// Calls `read` with these parameters.
    HostRead { key: u32, key_len: u32, out: u32, capacity: u32 },
    /// Mixes in caller, contract, height, time and call index.
    Context,
    /// Calls a function of its own, so deep.
    Recurse(u32),
    /// Takes an amount from a cell, and mixes in the answer; reverts on the answer it says.
    Sub(u8, u64, RevertOn),
    /// Takes 2¹²⁸ − 1 from a cell, and mixes in the answer.
    SubMost(u8),
    /// Sets a cell to an amount.
    Set(u8, u64),
    /// Reads a transient cell and mixes it in.
    ReadTransient(u8),
    /// Writes the mix to a transient cell.
    WriteTransient(u8),
    /// Mixes in the next number of the call.
    Sequence,
}

/// The answer to a debit on which a script reverts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RevertOn {
    Less = 0,
    Done = 1,
    Neither = 2,
}

fn encode_op(op: &Op, out: &mut Vec<u8>) {
    match op {
        Op::Read(cell) => out.extend([0, *cell]),
        Op::Write(cell) => out.extend([1, *cell]),
        Op::Add(cell, amount) => {
            out.extend([2, *cell]);
            out.extend(amount.to_le_bytes());
        }
        Op::AddMost(cell) => out.extend([3, *cell]),
        Op::Remove(cell) => out.extend([4, *cell]),
        Op::Spoil(cell) => out.extend([5, *cell]),
        Op::Emit => out.push(6),
        Op::Revert => out.push(7),
        Op::ReturnError => out.push(8),
        Op::Trap => out.push(9),
        Op::Spin => out.push(10),
        Op::Call { contract, method, gas, args } => {
            out.push(11);
            out.extend(gas.to_le_bytes());
            out.extend(contract.0);
            out.extend((method.len() as u32).to_le_bytes());
            out.extend((args.len() as u32).to_le_bytes());
            out.extend(method.as_bytes());
            out.extend(args);
        }
        Op::Forward => out.push(12),
        Op::GasLeft => out.push(13),
        Op::Dirty => out.push(14),
        Op::Grow => out.push(15),
        Op::Burn(turns) => {
            out.push(16);
            out.extend(turns.to_le_bytes());
        }
        Op::HostRead { key, key_len, out: to, capacity } => {
            out.push(17);
            for word in [key, key_len, to, capacity] {
                out.extend(word.to_le_bytes());
            }
        }
        Op::Context => out.push(18),
        Op::Recurse(depth) => {
            out.push(19);
            out.extend(depth.to_le_bytes());
        }
        Op::Sub(cell, amount, revert_on) => {
            out.extend([20, *cell]);
            out.extend(amount.to_le_bytes());
            out.push(*revert_on as u8);
        }
        Op::SubMost(cell) => out.extend([21, *cell]),
        Op::Set(cell, amount) => {
            out.extend([22, *cell]);
            out.extend(amount.to_le_bytes());
        }
        Op::ReadTransient(cell) => out.extend([23, *cell]),
        Op::WriteTransient(cell) => out.extend([24, *cell]),
        Op::Sequence => out.push(25),
    }
}

/// The bytes of a script.
pub(crate) fn script(ops: &[Op]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ops.iter().for_each(|op| encode_op(op, &mut bytes));
    bytes
}

/// The cells that a call declares.
#[derive(Clone, Debug, Default, BorshSerialize)]
pub(crate) struct Cells {
    pub(crate) reads: Vec<u8>,
    pub(crate) writes: Vec<u8>,
    pub(crate) adds: Vec<u8>,
}

/// What `act` declares of a contract that it calls.
#[derive(Clone, Debug, BorshSerialize)]
pub(crate) struct Callee {
    pub(crate) contract: Address,
    pub(crate) cells: Cells,
}

/// The arguments of every method but `act` and `look`.
pub(crate) fn leaf_args(ops: &[Op], cells: &Cells) -> Vec<u8> {
    borsh::to_vec(&(script(ops), cells)).expect("arguments encode")
}

/// A call of a method that takes a script and cells.
pub(crate) fn act_as(contract: Address, method: &str, ops: &[Op], cells: Cells) -> Call {
    call_with(contract, method, &(script(ops), cells))
}

/// A call that declares its own cells.
pub(crate) fn act_leaf(contract: Address, ops: &[Op], cells: Cells) -> Call {
    act_as(contract, "act_leaf", ops, cells)
}

/// A call that declares its own cells and those of contracts that it calls.
pub(crate) fn act(contract: Address, ops: &[Op], cells: Cells, callees: &[Callee]) -> Call {
    call_with(contract, "act", &(script(ops), cells, callees))
}

/// A call that declares nothing.
pub(crate) fn act_undeclared(contract: Address, ops: &[Op]) -> Call {
    act_as(contract, "act_undeclared", ops, Cells::default())
}

/// A call of the view.
pub(crate) fn look(contract: Address, ops: &[Op]) -> Call {
    call_with(contract, "look", &script(ops))
}

/// A step that calls another puppet.
pub(crate) fn call_op(contract: Address, method: &'static str, ops: &[Op], cells: &Cells) -> Op {
    Op::Call { contract, method, gas: 0, args: leaf_args(ops, cells) }
}

/// The puppet.
pub(crate) fn wasm() -> Vec<u8> {
    wasm_by(None)
}

/// The puppet with cells that conflict by so many parts of their keys: all of them together by none,
/// each by one.
pub(crate) fn wasm_by(prefix_parts: Option<u8>) -> Vec<u8> {
    let each_cell = |mode, cells| {
        let parts = list((prefix_parts != Some(0)).then(element));
        let key = AccessTemplate::Key { mode, field: 0, parts };
        AccessTemplate::ForEach { list: cells, body: list([key]) }
    };
    let bytes = || list_of(Type::U8);
    let params = || {
        vec![
            field("script", Type::Bytes),
            field("reads", bytes()),
            field("writes", bytes()),
            field("adds", bytes()),
        ]
    };
    let own = || {
        vec![
            each_cell(Mode::Read, arg(1)),
            each_cell(Mode::Write, arg(2)),
            each_cell(Mode::Add, arg(3)),
        ]
    };
    let callee = Type::Struct {
        name: text("Callee"),
        fields: list([
            field("contract", Type::Address),
            field("reads", bytes()),
            field("writes", bytes()),
            field("adds", bytes()),
        ]),
    };
    let of = |name: &str| Expr::Element { depth: 0, path: list([text(name)]) };
    let calls = AccessTemplate::ForEach {
        list: arg(4),
        body: list([AccessTemplate::Call {
            contract: of("contract"),
            method: text("act_leaf"),
            args: list([Expr::Unknown, of("reads"), of("writes"), of("adds")]),
        }]),
    };
    let leaf = |name: &str| Method { params: list(params()), access: list(own()), ..method(name) };
    let mut act = leaf("act");
    act.params = list(params().into_iter().chain([field("callees", list_of(callee))]));
    act.access = list(own().into_iter().chain([calls]));
    let methods = [
        leaf("act_leaf"),
        act,
        Method { declared: false, access: list([]), ..leaf("act_undeclared") },
        Method { reentrant: true, ..leaf("act_reentrant") },
        Method {
            mutability: Mutability::View,
            declared: false,
            params: list([field("script", Type::Bytes)]),
            ..method("look")
        },
    ];
    let mut fields = WAT.to_owned();
    for method in &methods {
        fields.push_str(&format!("(export \"{}\" (func $main))\n", method.name));
    }
    let mut abi = abi("puppet", methods);
    abi.storage = list([StorageField { prefix_parts, ..cells() }]);
    module(&abi, &fields)
}

/// Key at 0, numbers at 16, addresses at 32, what is read and returned at 128, dirt at 1000,
/// arguments from 4096.
const WAT: &str = r#"
(memory (export "memory") 1 3)
(global $mix (mut i64) (i64.const 0))
(global $dirt (mut i64) (i64.const 7))
(global $nan (mut f64) (f64.const nan:0x4000000000001))
(data (i32.const 1000) "clean   ")

(func $mix (param $value i64)
  (global.set $mix
    (i64.mul
      (i64.xor (i64.rotl (global.get $mix) (i64.const 17)) (local.get $value))
      (i64.const 0x9E3779B97F4A7C15)))
  (global.set $mix (i64.xor (global.get $mix) (i64.shr_u (global.get $mix) (i64.const 29)))))

;; Mixes in `length` bytes, at most 64, at 128.
(func $mix_bytes (param $length i32)
  (local $at i32)
  (call $mix (i64.extend_i32_u (local.get $length)))
  (if (i32.gt_u (local.get $length) (i32.const 64)) (then (local.set $length (i32.const 64))))
  (loop $next
    (if (i32.lt_u (local.get $at) (local.get $length)) (then
      (call $mix (i64.load8_u offset=128 (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))))

(func $recurse (param $depth i32) (result i64)
  (if (i32.eqz (local.get $depth)) (then (return (i64.const 1))))
  (i64.add (i64.const 3)
    (i64.mul (i64.const 5) (call $recurse (i32.sub (local.get $depth) (i32.const 1))))))

(func $main (param $args_len i32) (result i32)
  (local $p i32) (local $end i32) (local $op i32) (local $n i32) (local $m i32)
  (call $args (i32.const 4096))
  (local.set $p (i32.const 4100))
  (local.set $end (i32.add (local.get $p) (i32.load (i32.const 4096))))
  (loop $next
    (if (i32.ge_u (local.get $p) (local.get $end)) (then
      (i64.store (i32.const 16) (global.get $mix))
      (call $output (i32.const 16) (i32.const 8))
      (return (i32.const 0))))
    (local.set $op (i32.load8_u (local.get $p)))
    (i32.store8 (i32.const 1) (i32.load8_u offset=1 (local.get $p)))
    (if (i32.eq (local.get $op) (i32.const 0)) (then
      (local.set $n (call $read (i32.const 0) (i32.const 2) (i32.const 128) (i32.const 64)))
      (if (i32.eq (local.get $n) (i32.const -1))
        (then (call $mix (i64.const -1)))
        (else (call $mix_bytes (local.get $n))))
      (local.set $p (i32.add (local.get $p) (i32.const 2))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 1)) (then
      ;; Half of the range, so that adds to it fit unless they are meant not to.
      (i64.store (i32.const 16) (global.get $mix))
      (i64.store (i32.const 24) (i64.shr_u (global.get $mix) (i64.const 1)))
      (call $write (i32.const 0) (i32.const 2) (i32.const 16) (i32.const 16))
      (local.set $p (i32.add (local.get $p) (i32.const 2))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 2)) (then
      (call $add (i32.const 0) (i32.const 2) (i64.load offset=2 (local.get $p)) (i64.const 0))
      (local.set $p (i32.add (local.get $p) (i32.const 10))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 3)) (then
      (call $add (i32.const 0) (i32.const 2) (i64.const -1) (i64.const -1))
      (local.set $p (i32.add (local.get $p) (i32.const 2))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 4)) (then
      (call $remove (i32.const 0) (i32.const 2))
      (local.set $p (i32.add (local.get $p) (i32.const 2))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 5)) (then
      (call $write (i32.const 0) (i32.const 2) (i32.const 1000) (i32.const 3))
      (local.set $p (i32.add (local.get $p) (i32.const 2))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 6)) (then
      (i64.store (i32.const 16) (global.get $mix))
      (call $emit (i32.const 0) (i32.const 16) (i32.const 8))
      (local.set $p (i32.add (local.get $p) (i32.const 1))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 7)) (then
      (i64.store (i32.const 16) (global.get $mix))
      (call $output (i32.const 16) (i32.const 8))
      (call $revert)))
    (if (i32.eq (local.get $op) (i32.const 8)) (then
      (i64.store (i32.const 16) (global.get $mix))
      (call $output (i32.const 16) (i32.const 8))
      (return (i32.const 9))))
    (if (i32.eq (local.get $op) (i32.const 9)) (then (unreachable)))
    (if (i32.eq (local.get $op) (i32.const 10)) (then (loop $forever (br $forever))))
    (if (i32.eq (local.get $op) (i32.const 11)) (then
      (local.set $n (i32.load offset=41 (local.get $p)))
      (local.set $m (i32.load offset=45 (local.get $p)))
      (call $mix (i64.extend_i32_u (call $call
        (i32.add (local.get $p) (i32.const 9))
        (i32.add (local.get $p) (i32.const 49))
        (local.get $n)
        (i32.add (i32.add (local.get $p) (i32.const 49)) (local.get $n))
        (local.get $m)
        (i64.load offset=1 (local.get $p)))))
      (call $mix_bytes (call $call_output (i32.const 128) (i32.const 64)))
      (local.set $p (i32.add (i32.add (i32.add (local.get $p) (i32.const 49)) (local.get $n))
        (local.get $m)))
      (br $next)))
    (if (i32.eq (local.get $op) (i32.const 12)) (then (call $forward_failure)))
    (if (i32.eq (local.get $op) (i32.const 13)) (then
      (call $mix (call $gas_left))
      (local.set $p (i32.add (local.get $p) (i32.const 1))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 14)) (then
      (call $mix (i64.load (i32.const 1000)))
      (call $mix (i64.load (i32.const 65528)))
      (call $mix (i64.extend_i32_u (memory.size)))
      (call $mix (global.get $dirt))
      (call $mix (i64.reinterpret_f64 (global.get $nan)))
      (i64.store (i32.const 1000) (global.get $mix))
      (i64.store (i32.const 65528) (global.get $mix))
      (global.set $dirt (global.get $mix))
      (global.set $nan (f64.const nan:0x7000000000003))
      (local.set $p (i32.add (local.get $p) (i32.const 1))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 15)) (then
      (call $mix (i64.extend_i32_s (memory.grow (i32.const 1))))
      (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 1))
      (local.set $p (i32.add (local.get $p) (i32.const 1))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 16)) (then
      (local.set $n (i32.load offset=1 (local.get $p)))
      (loop $turn
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $turn (i32.gt_s (local.get $n) (i32.const 0))))
      (local.set $p (i32.add (local.get $p) (i32.const 5))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 17)) (then
      (call $mix (i64.extend_i32_u (call $read
        (i32.load offset=1 (local.get $p)) (i32.load offset=5 (local.get $p))
        (i32.load offset=9 (local.get $p)) (i32.load offset=13 (local.get $p)))))
      (local.set $p (i32.add (local.get $p) (i32.const 17))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 18)) (then
      (call $caller (i32.const 128))
      (call $mix_bytes (i32.const 32))
      (call $this (i32.const 128))
      (call $mix_bytes (i32.const 32))
      (call $mix (call $height))
      (call $mix (call $time_ms))
      (call $mix (i64.extend_i32_u (call $call_index)))
      (local.set $p (i32.add (local.get $p) (i32.const 1))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 19)) (then
      (call $mix (call $recurse (i32.load offset=1 (local.get $p))))
      (local.set $p (i32.add (local.get $p) (i32.const 5))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 20)) (then
      (local.set $n (call $sub (i32.const 0) (i32.const 2)
        (i64.load offset=2 (local.get $p)) (i64.const 0)))
      (call $mix (i64.extend_i32_u (local.get $n)))
      (if (i32.eq (local.get $n) (i32.load8_u offset=10 (local.get $p))) (then
        (i64.store (i32.const 16) (global.get $mix))
        (call $output (i32.const 16) (i32.const 8))
        (call $revert)))
      (local.set $p (i32.add (local.get $p) (i32.const 11))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 21)) (then
      (call $mix (i64.extend_i32_u
        (call $sub (i32.const 0) (i32.const 2) (i64.const -1) (i64.const -1))))
      (local.set $p (i32.add (local.get $p) (i32.const 2))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 22)) (then
      (i64.store (i32.const 16) (i64.load offset=2 (local.get $p)))
      (i64.store (i32.const 24) (i64.const 0))
      (call $write (i32.const 0) (i32.const 2) (i32.const 16) (i32.const 16))
      (local.set $p (i32.add (local.get $p) (i32.const 10))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 23)) (then
      (local.set $n
        (call $transient_read (i32.const 0) (i32.const 2) (i32.const 128) (i32.const 64)))
      (if (i32.eq (local.get $n) (i32.const -1))
        (then (call $mix (i64.const -1)))
        (else (call $mix_bytes (local.get $n))))
      (local.set $p (i32.add (local.get $p) (i32.const 2))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 24)) (then
      (i64.store (i32.const 16) (global.get $mix))
      (call $transient_write (i32.const 0) (i32.const 2) (i32.const 16) (i32.const 8))
      (local.set $p (i32.add (local.get $p) (i32.const 2))) (br $next)))
    (if (i32.eq (local.get $op) (i32.const 25)) (then
      (call $mix (i64.extend_i32_u (call $sequence)))
      (local.set $p (i32.add (local.get $p) (i32.const 1))) (br $next)))
    (unreachable))
  (unreachable))
"#;
