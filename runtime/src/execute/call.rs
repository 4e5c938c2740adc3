//! One call: from its access set and inputs to its effects and receipt. Knows nothing of blocks,
//! plans or lanes.
//!
//! ```text
//! load(keys, inputs) ─▶ run ─▶ frame ─▶ host functions ─▶ frame (a call that it makes) ─▶ …
//!                               └─▶ Effects { receipt, what became of each key }
//! ```
//!
//! A [`CallContext`] travels as a box from instance to instance while contracts call each other;
//! a worker keeps one for its whole life.
//!
//! # Semantics, shared with the oracle
//! 1. A failed inner call leaves nothing behind: its writes, adds and events are undone; what it
//!    touched outside the access set stays paid for.
//! 2. `add` does not read. The sum is checked at the end of the top-level call (or when a later
//!    read of the same call needs it); if it leaves the range, or the key holds no counter, the
//!    call fails there with [`Failure::AddOverflow`] and the gas that it used. Credits that leave
//!    the range by themselves, debits of the call taken off, end the running contract so.
//!    `sub` takes from the counter's value before the call, plus what the call added, minus what
//!    it took, if that is enough: the value between two steps may be above the range. Where the
//!    value is not known it says that it is enough, and a [`Premise`] remains, also of calls that
//!    fail. A key that holds no counter ends the running contract with `AddOverflow`.
//! 3. The first touch of a key outside the access set, or in a way that its mode does not allow,
//!    counts as a miss and costs [`MISS_GAS`]; after it the call may do anything with that key.
//! 4. Gas is engine fuel. The engine stops when fuel reaches 0, so it is given one unit more than
//!    the allowance, and a frame that ends without any left ran out of gas.
//! 5. A top-level call pays [`intrinsic_gas`] first, and fails with its whole limit if it can't.
//!    Then every frame, the outermost included, pays [`PAGE_GAS`](crate::engine::gas::PAGE_GAS) for each page of its memory
//!    before it starts, and [`GROWN_GAS`](crate::engine::gas::GROWN_GAS) after it ended if its memory grew; if its allowance does
//!    not cover that, it ran out of gas.
//! 6. Transient storage is the top-level call's own, by contract and key; a failed inner call's
//!    writes to it are undone. The sequence number is never set back.
//! 7. A trap costs all gas of the frame that it stops; a caller may survive it, with what it kept
//!    back for itself.

use crate::block::{Call, Gas, Height};
use crate::bytes::Bytes;
use crate::delta::{Net, Premise, counter};
use crate::engine::gas::{MISS_GAS, below_gas, intrinsic_gas};
use crate::execute::below::{Below, Prefixes};
use crate::execute::overlay::Overlay;
use crate::execute::pool::InstancePool;
use crate::execute::transient::Transient;
use crate::execute::window::Window;
use crate::limits::Limits;
use crate::receipt::{Event, Failure, Outcome, Receipt};
use crate::registry::{ContractIndex, Registry};
use crate::store::MemoryStore;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;
use tollway_host_api::{Address, Mode};

/// What happens when a call touches a key outside its access set.
pub(crate) enum Outside {
    /// The run is given up; repair will run the call again.
    GiveUp,
    /// The key is read from here; the call pays for the miss.
    Read(Box<Overlay>),
    /// The key is read from here, free of charge: instantiation and queries have no access set.
    Free(Box<Overlay>),
    /// The call fails: the host does not repair misses. Declared keys still come from the plan.
    Fail,
}

/// A range of the bytes that a call holds; see [`CallContext::bytes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    #[inline]
    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..][..self.length as usize]
    }
}

/// What a call has done to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing, or only read it.
    None,
    /// Written, or removed if `None`.
    Written(Option<Span>),
    /// Added to and taken from, without reading.
    Added(Net),
}

/// A key of the access set, or one touched outside it.
#[derive(Debug)]
pub(crate) struct Touched {
    pub(crate) contract: ContractIndex,
    pub(crate) key: Span,
    /// What the call may do with it.
    pub(crate) mode: Mode,
    /// What its access set says that it may.
    pub(crate) declared: Mode,
    /// The value before the call.
    pub(crate) input: Option<Span>,
    /// Whether `input` is known. It need not be for keys of mode `add`, whose value the call can't
    /// see either way.
    pub(crate) is_known: bool,
    pub(crate) change: Change,
    /// What the answers to `sub` stand on. Never undone.
    pub(crate) premise: Premise,
}

/// A key's value before a call, as far as it is known.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    Known(Option<&'a [u8]>),
    Unknown,
}

/// The call to run.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) call_index: u32,
    pub(crate) caller: Address,
    pub(crate) contract: ContractIndex,
    pub(crate) method: usize,
    pub(crate) args: &'a [u8],
    /// The steps that it took to find its keys.
    pub(crate) resolve_steps: u32,
    pub(crate) gas_limit: Gas,
}

impl<'a> Task<'a> {
    /// A call of a block, with what resolve found out about it.
    pub(crate) fn new(
        request: &'a Call,
        call_index: u32,
        contract: ContractIndex,
        method: u32,
        resolve_steps: u32,
    ) -> Self {
        let (caller, gas_limit) = (request.caller, request.gas_limit);
        let (method, args) = (method as usize, &request.args[..]);
        Self { call_index, caller, contract, method, args, resolve_steps, gas_limit }
    }
}

/// How a run ended for the runtime; the call's own end is in its receipt.
#[derive(Debug)]
pub(crate) enum RunEnd {
    /// The run counts. What it changed is in [`CallContext::changes`].
    Done(Receipt),
    /// The run met a key outside the access set, and nothing of it counts.
    Missed,
    /// The engine failed in a way that no guest should be able to cause.
    Bug(&'static str),
}

/// Why the contract that is running stops before its end.
#[derive(Debug)]
pub(crate) enum Exit {
    /// By its own choice, with this outcome and so much fuel left.
    Chosen { outcome: Outcome, fuel_left: u64 },
    /// Out of fuel in a host function.
    OutOfGas,
    /// It misused a host function.
    Trap,
    /// A sum left the range of a counter.
    AddOverflow,
    /// The top-level call ends here, whatever its callers would make of it.
    Abort(Abort),
}

/// Why a whole top-level call stops.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Abort {
    Missed,
    Undeclared(ContractIndex),
    Bug(&'static str),
}

/// A contract on the call stack.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) contract: ContractIndex,
    pub(crate) caller: Address,
    /// Whether it, or a caller of it, is a view.
    pub(crate) view: bool,
    pub(crate) args: Vec<u8>,
    pub(crate) output: Vec<u8>,
    /// How the last call that it made failed, if it did, and that call's output.
    pub(crate) last_failure: Option<Outcome>,
    pub(crate) last_output: Vec<u8>,
    pub(crate) window: Window,
}

/// How a frame ended.
pub(crate) struct FrameEnd {
    pub(crate) outcome: Outcome,
    pub(crate) fuel_used: u64,
}

/// Everything that a running call needs, apart from the engine.
pub(crate) struct CallContext {
    pub(crate) pool: InstancePool,
    pub(crate) registry: Arc<Registry>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) height: Height,
    pub(crate) time_ms: u64,
    pub(crate) seed: [u8; 32],
    pub(crate) call_index: u32,
    pub(crate) outside: Outside,
    /// Keys of the access set, in its order, then those touched outside it.
    touched: Vec<Touched>,
    declared: usize,
    prefixes: Prefixes,
    /// How many keys the call touched that the access set does not have in any way.
    extra: usize,
    /// Keys and values of the call, one after another.
    bytes: Vec<u8>,
    /// Finds keys where there are many of them. The first so many are in it.
    index: HashTable<u32>,
    hasher: RandomState,
    /// Where the next touched key is likely to be: contracts touch keys in much the same order.
    hint: usize,
    misses: u32,
    /// Earlier changes, to be put back if the inner call that made newer ones fails.
    journal: Vec<(usize, Change)>,
    pub(crate) transient: Transient,
    /// The next number of the host function `sequence`.
    pub(crate) sequence: u32,
    pub(crate) events: Vec<Event>,
    pub(crate) frames: Vec<Frame>,
    spare_frames: Vec<Frame>,
    pub(crate) exit: Option<Exit>,
    pub(crate) abort: Option<Abort>,
}

/// The contract of what stands for a prefix among the keys of an access set.
pub(crate) const NOBODY: ContractIndex = ContractIndex::MAX;

/// Up to so many keys are compared one by one.
const COMPARED_MAX: usize = 12;

impl CallContext {
    pub(crate) fn new(pool: InstancePool, registry: Arc<Registry>, limits: Arc<Limits>) -> Self {
        Self {
            pool,
            registry,
            limits,
            height: Height(0),
            time_ms: 0,
            seed: [0; 32],
            call_index: 0,
            outside: Outside::GiveUp,
            touched: Vec::new(),
            declared: 0,
            prefixes: Prefixes::default(),
            extra: 0,
            bytes: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::default(),
            hint: 0,
            misses: 0,
            journal: Vec::new(),
            transient: Transient::default(),
            sequence: 0,
            events: Vec::new(),
            frames: Vec::new(),
            spare_frames: Vec::new(),
            exit: None,
            abort: None,
        }
    }

    /// Forgets the last call's keys.
    pub(crate) fn clear(&mut self) {
        self.touched.clear();
        self.bytes.clear();
        self.index.clear();
        self.declared = 0;
        self.prefixes.clear();
        self.extra = 0;
    }

    /// Adds a prefix of the access set, with the version that the call reads, and the parent state
    /// below it.
    #[cold]
    pub(crate) fn declare_prefix(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        mode: Mode,
        before: Below,
        store: &Arc<MemoryStore>,
    ) {
        self.prefixes.add(contract, key, mode, before, store);
        // It has a place in the access set, but no key of its own.
        self.declare(NOBODY, &[], mode, Input::Known(None));
    }

    /// The versions that the call leaves of the prefixes that it may write, in the order of the access
    /// set: what it read, and if the run counts, its changes.
    #[inline]
    pub(crate) fn versions_below(&self, counts: bool) -> Vec<Below> {
        if self.prefixes.is_empty() { Vec::new() } else { self.make_versions_below(counts) }
    }

    #[cold]
    fn make_versions_below(&self, counts: bool) -> Vec<Below> {
        let prefixes = self.prefixes.list();
        let mut versions: Vec<Below> =
            prefixes.iter().map(|prefix| prefix.before.clone()).collect();
        for touched in self.undeclared().iter().filter(|_| counts) {
            if let Change::Written(value) = touched.change
                && let key = self.key(touched)
                && let Some(prefix) = self.prefixes.of(&self.registry, touched.contract, key)
            {
                versions[prefix].set(key, value.map(|value| Bytes::new(self.bytes(value))));
            }
        }
        let is_written = prefixes.iter().map(|prefix| prefix.mode == Mode::Write);
        versions
            .into_iter()
            .zip(is_written)
            .filter_map(|(version, is)| is.then_some(version))
            .collect()
    }

    /// Adds a key of the access set, with its value before the call, which must be known unless
    /// the mode is `add`.
    #[inline]
    pub(crate) fn declare(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        mode: Mode,
        input: Input<'_>,
    ) {
        self.push(contract, key, mode, input);
        self.declared += 1;
    }

    #[inline]
    fn push(&mut self, contract: ContractIndex, key: &[u8], mode: Mode, input: Input<'_>) {
        let key = self.keep(key);
        let (is_known, input) = match input {
            Input::Known(value) => (true, value.map(|value| self.keep(value))),
            Input::Unknown => (false, None),
        };
        self.touched.push(Touched {
            contract,
            key,
            mode,
            declared: mode,
            input,
            is_known,
            change: Change::None,
            premise: Premise::default(),
        });
    }

    /// Copies bytes to where the call's bytes are.
    #[inline]
    fn keep(&mut self, bytes: &[u8]) -> Span {
        let span = Span { start: self.bytes.len() as u32, length: bytes.len() as u32 };
        self.bytes.extend_from_slice(bytes);
        span
    }

    /// The bytes of a span of this call.
    #[inline]
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }

    /// The keys of the access set.
    #[inline]
    pub(crate) fn declared(&self) -> &[Touched] {
        &self.touched[..self.declared]
    }

    /// The bytes of a touched key.
    #[inline]
    pub(crate) fn key(&self, touched: &Touched) -> &[u8] {
        self.bytes(touched.key)
    }

    /// The keys touched outside the access set.
    pub(crate) fn undeclared(&self) -> &[Touched] {
        &self.touched[self.declared..]
    }

    /// Finds a key that the running contract touches. On a miss, the key is added or opened and
    /// the second value is the gas to be paid for it.
    pub(crate) fn touch(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        need: Mode,
    ) -> Result<(usize, u64), Exit> {
        let found = self.find(contract, key);
        if let Some(index) = found {
            self.hint = index + 1;
            let mode = self.touched[index].mode;
            if mode == need || mode == Mode::Write {
                return Ok((index, 0));
            }
        }
        let covered = !self.prefixes.is_empty() && found.is_none();
        let prefix = if covered { self.prefixes.of(&self.registry, contract, key) } else { None };
        match prefix {
            Some(prefix) => self.touch_below(prefix, contract, key, need),
            None => self.miss(found, contract, key, false),
        }
    }

    /// Touches a key below a prefix for the first time.
    #[cold]
    fn touch_below(
        &mut self,
        prefix: usize,
        contract: ContractIndex,
        key: &[u8],
        need: Mode,
    ) -> Result<(usize, u64), Exit> {
        let mode = self.prefixes.list()[prefix].mode;
        if mode != need && mode != Mode::Write {
            return self.miss(None, contract, key, true);
        }
        let value = self
            .prefixes
            .read(prefix, &self.registry, key)
            .map_err(|_| Exit::Abort(Abort::Bug("the state could not be read")))?;
        self.push(contract, key, mode, Input::Known(value.as_deref()));
        let index = self.touched.len() - 1;
        self.hint = index + 1;
        Ok((index, below_gas(value.as_deref())))
    }

    #[inline]
    fn find(&mut self, contract: ContractIndex, key: &[u8]) -> Option<usize> {
        let bytes = &self.bytes;
        let is_it =
            |touched: &Touched| touched.contract == contract && touched.key.of(bytes) == key;
        if self.touched.get(self.hint).is_some_and(is_it) {
            return Some(self.hint);
        }
        if self.touched.len() <= COMPARED_MAX {
            return self.touched.iter().position(is_it);
        }
        let (touched, hasher) = (&self.touched, &self.hasher);
        let hash_of = |at: &u32| {
            let touched = &touched[*at as usize];
            hasher.hash_one((touched.contract, touched.key.of(bytes)))
        };
        for at in self.index.len() as u32..touched.len() as u32 {
            self.index.insert_unique(hash_of(&at), at, hash_of);
        }
        let hash = hasher.hash_one((contract, key));
        self.index.find(hash, |at| is_it(&touched[*at as usize])).map(|at| *at as usize)
    }

    #[cold]
    fn miss(
        &mut self,
        found: Option<usize>,
        contract: ContractIndex,
        key: &[u8],
        is_below: bool,
    ) -> Result<(usize, u64), Exit> {
        let (reader, price) = match &self.outside {
            Outside::GiveUp => return Err(Exit::Abort(Abort::Missed)),
            Outside::Fail => return Err(Exit::Abort(Abort::Undeclared(contract))),
            Outside::Read(reader) => (reader, MISS_GAS),
            Outside::Free(reader) => (reader, 0),
        };
        // Why it can't be read is known to the keeper.
        let value = reader
            .read(&self.registry, contract, key)
            .map_err(|_| Exit::Abort(Abort::Bug("the state could not be read")))?;
        let index = match found {
            Some(index) => {
                let input = value.map(|value| self.keep(&value));
                let touched = &mut self.touched[index];
                touched.mode = Mode::Write;
                touched.input = input;
                touched.is_known = true;
                index
            }
            None => {
                if !is_below {
                    if self.extra >= self.limits.access_keys_max {
                        return Err(Exit::Trap);
                    }
                    self.extra += 1;
                }
                self.push(contract, key, Mode::Write, Input::Known(value.as_deref()));
                self.touched.len() - 1
            }
        };
        self.hint = index + 1;
        self.misses += u32::from(price > 0);
        Ok((index, price))
    }

    /// The value of a touched key as the call sees it now.
    pub(crate) fn value(&mut self, index: usize) -> Result<Option<&[u8]>, Exit> {
        if let Change::Added(net) = self.touched[index].change {
            let sum = net.apply(self.input(index)).ok_or(Exit::AddOverflow)?;
            self.write_amount(index, sum);
        }
        let touched = &self.touched[index];
        let value = match touched.change {
            Change::None => touched.input,
            Change::Written(value) => value,
            Change::Added(_) => return Err(Exit::Abort(Abort::Bug("sum was not written"))),
        };
        Ok(value.map(|value| self.bytes(value)))
    }

    /// A touched key's value before the call, if it is known.
    fn input(&self, index: usize) -> Option<&[u8]> {
        self.touched[index].input.map(|input| self.bytes(input))
    }

    /// Writes a touched key, or removes it.
    #[inline]
    pub(crate) fn write(&mut self, index: usize, value: Option<&[u8]>) {
        let value = value.map(|value| match self.touched[index].change {
            // Written before, and nothing will undo that: the bytes are used again, so that a
            // contract that writes a key over and over does not make the call larger.
            Change::Written(Some(span))
                if self.frames.len() <= 1 && span.length as usize >= value.len() =>
            {
                let span = Span { length: value.len() as u32, ..span };
                self.bytes[span.start as usize..][..value.len()].copy_from_slice(value);
                span
            }
            _ => self.keep(value),
        });
        self.change(index, Change::Written(value));
    }

    fn write_amount(&mut self, index: usize, amount: u128) {
        self.write(index, Some(&amount.to_le_bytes()));
    }

    #[inline]
    fn change(&mut self, index: usize, change: Change) {
        let before = std::mem::replace(&mut self.touched[index].change, change);
        if self.frames.len() > 1 {
            self.journal.push((index, before));
        }
    }

    /// Adds an amount to a touched key.
    pub(crate) fn add(&mut self, index: usize, amount: u128) -> Result<(), Exit> {
        let net = match self.touched[index].change {
            Change::None => Net::default(),
            Change::Added(net) => net,
            Change::Written(value) => {
                let value = counter(value.map(|value| self.bytes(value)));
                let sum = value.and_then(|value| value.checked_add(amount));
                self.write_amount(index, sum.ok_or(Exit::AddOverflow)?);
                return Ok(());
            }
        };
        self.change(index, Change::Added(net.plus(amount).ok_or(Exit::AddOverflow)?));
        Ok(())
    }

    /// Takes an amount from a touched key, and says whether it held as much: for sure if its value
    /// is known, and under a premise if not.
    pub(crate) fn sub(&mut self, index: usize, amount: u128) -> Result<bool, Exit> {
        let net = match self.touched[index].change {
            Change::None => Net::default(),
            Change::Added(net) => net,
            Change::Written(value) => {
                let value = counter(value.map(|value| self.bytes(value)));
                let rest = value.ok_or(Exit::AddOverflow)?.checked_sub(amount);
                if let Some(rest) = rest {
                    self.write_amount(index, rest);
                }
                return Ok(rest.is_some());
            }
        };
        let least = net.least_for(amount);
        if self.touched[index].is_known {
            let value = counter(self.input(index)).ok_or(Exit::AddOverflow)?;
            if least.is_some_and(|least| value < least) {
                self.touched[index].premise.exactly();
                return Ok(false);
            }
        }
        // No counter can hold more than all: that is the answer whatever this one holds, if it is
        // a counter.
        self.touched[index].premise.at_least(least.unwrap_or(0));
        let Some(net) = net.minus(amount).filter(|_| least.is_some()) else {
            return Ok(false);
        };
        self.change(index, Change::Added(net));
        Ok(true)
    }

    /// The next number of this top-level call.
    pub(crate) fn next_number(&mut self) -> Result<u32, Exit> {
        let number = self.sequence;
        self.sequence = number.checked_add(1).ok_or(Exit::Trap)?;
        Ok(number)
    }

    /// Puts a frame that starts on the stack.
    pub(crate) fn push_frame(&mut self, frame: Frame) {
        self.frames.push(frame);
        self.transient.enter();
    }

    /// A frame with empty buffers, reused where there is one.
    pub(crate) fn new_frame(&mut self) -> Frame {
        self.spare_frames.pop().unwrap_or_default()
    }

    /// The frame of the contract that is running.
    #[inline]
    pub(crate) fn frame(&mut self) -> Result<&mut Frame, Exit> {
        self.frames.last_mut().ok_or(Exit::Abort(Abort::Bug("no contract is running")))
    }

    /// Gives the next frame an empty buffer for its output, in the place of the one that its last
    /// output was taken with.
    pub(crate) fn reuse_output(&mut self, buffer: Vec<u8>) {
        if let Some(frame) = self.spare_frames.last_mut()
            && frame.output.capacity() == 0
        {
            frame.output = buffer;
        }
    }

    fn recycle(&mut self, mut frame: Frame) {
        frame.args.clear();
        frame.output.clear();
        frame.last_output.clear();
        frame.last_failure = None;
        frame.window.clear();
        self.spare_frames.push(frame);
    }

    fn roll_back(&mut self, marks: Marks) {
        while self.journal.len() > marks.journal {
            if let Some((index, before)) = self.journal.pop() {
                self.touched[index].change = before;
            }
        }
        self.events.truncate(marks.events);
    }

    /// Adds up what was added to keys whose value is known here.
    fn settle(&mut self) -> Result<(), SumOutOfRange> {
        for index in 0..self.touched.len() {
            // The value of a key that is only added to is not known here: repair and commit check
            // its sum at this call's place in block order.
            if self.touched[index].mode == Mode::Add {
                continue;
            }
            if let Change::Added(net) = self.touched[index].change {
                let sum = net.apply(self.input(index)).ok_or(SumOutOfRange)?;
                self.write_amount(index, sum);
            }
        }
        Ok(())
    }
}

/// A sum left the range of a counter, or the key holds no counter.
#[derive(Debug)]
struct SumOutOfRange;

/// Runs a top-level call whose keys were declared. The call's arguments have been checked.
///
/// After [`RunEnd::Done`] with a receipt of success, [`CallContext::changes`] gives its changes;
/// after a failure there are none, but the premises remain.
pub(crate) fn run(mut ctx: Box<CallContext>, task: Task<'_>) -> (Box<CallContext>, RunEnd) {
    ctx.call_index = task.call_index;
    ctx.hint = 0;
    ctx.misses = 0;
    ctx.journal.clear();
    ctx.transient.clear();
    ctx.sequence = 0;
    ctx.events.clear();
    let intrinsic = intrinsic_gas(task.args.len(), task.resolve_steps, ctx.declared);
    let Some(fuel) = task.gas_limit.0.checked_sub(intrinsic.0) else {
        let receipt = Receipt::failed(Failure::OutOfGas, task.gas_limit, 0);
        return (ctx, RunEnd::Done(receipt));
    };
    let contract = ctx.registry.contract(task.contract);
    let view =
        contract.code.abi.methods[task.method].mutability == tollway_host_api::Mutability::View;
    let mut frame = ctx.new_frame();
    frame.contract = task.contract;
    frame.caller = task.caller;
    frame.view = view;
    frame.args.extend_from_slice(task.args);
    let (mut ctx, end) = super::host::run_frame(ctx, frame, task.method, fuel);
    let run_end = finish(&mut ctx, task, intrinsic, end);
    (ctx, run_end)
}

fn finish(ctx: &mut CallContext, task: Task<'_>, intrinsic: Gas, end: FrameEnd) -> RunEnd {
    let gas_used = Gas(intrinsic.0 + end.fuel_used);
    let misses = ctx.misses;
    let address_of = |ctx: &CallContext, index| ctx.registry.contract(index).address;
    let receipt = match ctx.abort.take() {
        Some(Abort::Missed) => return RunEnd::Missed,
        Some(Abort::Bug(what)) => return RunEnd::Bug(what),
        Some(Abort::Undeclared(contract)) => {
            let contract = address_of(ctx, contract);
            Receipt::failed(Failure::Undeclared { contract }, task.gas_limit, misses)
        }
        None => match end.outcome {
            Outcome::Returned(output) => match ctx.settle() {
                Ok(()) => Receipt {
                    outcome: Outcome::Returned(output),
                    gas_used,
                    misses,
                    events: ctx.events.drain(..).collect(),
                },
                Err(SumOutOfRange) => {
                    let contract = address_of(ctx, task.contract);
                    Receipt::failed(Failure::AddOverflow { contract }, gas_used, misses)
                }
            },
            outcome => Receipt { outcome, gas_used, misses, events: Vec::new() },
        },
    };
    if !receipt.is_success() {
        for touched in &mut ctx.touched {
            touched.change = Change::None;
        }
    }
    RunEnd::Done(receipt)
}

/// Where the journal and the events stood when a frame started.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    journal: usize,
    events: usize,
}

/// Takes a frame that ended off the stack, and undoes what it did if it failed.
pub(crate) fn leave_frame(ctx: &mut CallContext, outcome: &Outcome, marks: Marks) {
    let is_success = matches!(outcome, Outcome::Returned(_));
    if !is_success {
        ctx.roll_back(marks);
    }
    ctx.transient.leave(is_success);
    if let Some(frame) = ctx.frames.pop() {
        ctx.recycle(frame);
    }
}

impl CallContext {
    /// What a frame that starts now goes back to if it fails.
    pub(crate) fn marks(&self) -> Marks {
        Marks { journal: self.journal.len(), events: self.events.len() }
    }

    /// Whether a contract is on the call stack.
    pub(crate) fn is_running(&self, contract: ContractIndex) -> bool {
        self.frames.iter().any(|frame| frame.contract == contract)
    }
}
