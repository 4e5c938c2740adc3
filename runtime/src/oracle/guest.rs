//! A contract that runs, and what the host does for it.
//!
//! The running call travels as a box: it is in the store of the contract that runs, and moves into
//! the store of the contract that this one calls, and back.

use super::rehearse::{self, Log};
use super::window::{self, Image, Window};
use super::{State, World, field_of};
use crate::crypto;
use crate::engine::gas::{GROWN_GAS, MISS_GAS, PAGE_GAS, below_gas};
use crate::engine::link::HostFunctions;
use crate::receipt::{Event, Failure, Outcome};
use crate::runtime::OnMiss;
use crate::state::storage_key;
use std::collections::BTreeMap;
use std::sync::Arc;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::functions::host_function;
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::status::ABSENT;
use tollway_host_api::value::check_fields;
use tollway_host_api::{Address, CallStatus, Method, Mode, Mutability};
use wasmtime::{
    AsContextMut, Caller, Error, Extern, Memory, Result, Store, StoreContextMut, Trap, Val,
};

/// What a call made of a key.
#[derive(Clone)]
pub(super) enum Change {
    /// Its value, or `None` for no value.
    Written(Option<Vec<u8>>),
    /// So much more than it had.
    Added(u128),
    /// So much less than it had.
    Taken(u128),
}

/// A top-level call that is running.
pub(super) struct Run {
    pub(super) world: Arc<World>,
    /// The state before the call.
    pub(super) state: State,
    pub(super) height: u64,
    pub(super) time_ms: u64,
    pub(super) seed: [u8; 32],
    pub(super) call_index: u32,
    /// How each key may be touched. What was missed is added, as a write.
    pub(super) access_set: BTreeMap<Vec<u8>, Mode>,
    /// How keys that start so may be touched.
    pub(super) prefixes: BTreeMap<Vec<u8>, Mode>,
    /// The access set as it was declared, in its order.
    pub(super) declared: Vec<(Vec<u8>, Mode)>,
    pub(super) misses: u32,
    /// Keys in the access set that were not declared in any way.
    pub(super) extra_keys: usize,
    pub(super) changes: BTreeMap<Vec<u8>, Change>,
    /// By contract and key.
    pub(super) transient: BTreeMap<(Address, Vec<u8>), Vec<u8>>,
    /// The next number of `sequence`.
    pub(super) sequence: u32,
    pub(super) events: Vec<Event>,
    /// The contracts that run, the innermost last.
    pub(super) stack: Vec<Frame>,
    /// The contract of a key outside the access set that ended the call.
    pub(super) undeclared: Option<Address>,
    /// Whether what it did may depend on how much gas it had.
    pub(super) gas_matters: bool,
    /// What it touches, if this is a rehearsal.
    pub(super) log: Option<Log>,
}

/// A contract on the call stack.
#[derive(Default)]
pub(super) struct Frame {
    pub(super) contract: Address,
    pub(super) caller: Address,
    /// Whether it, or a contract below it on the stack, runs a view.
    pub(super) view: bool,
    pub(super) args: Vec<u8>,
    pub(super) output: Vec<u8>,
    /// How the last call that it made failed, if it did, and that call's output.
    pub(super) last_failure: Option<Outcome>,
    pub(super) last_output: Vec<u8>,
    pub(super) window: Option<Window>,
    /// In a rehearsal, its place in the log.
    pub(super) logged: usize,
}

/// How a frame ended.
pub(super) struct FrameEnd {
    pub(super) outcome: Outcome,
    pub(super) gas_used: u64,
}

/// Why a host function stopped its contract.
pub(super) enum Stop {
    Chosen { outcome: Outcome, gas_left: u64 },
    OutOfGas,
    Trap,
    AddOverflow,
    Undeclared,
}

/// The data of a contract's store.
pub(super) struct Guest {
    run: Option<Box<Run>>,
    stop: Option<Stop>,
}

impl Guest {
    /// The call.
    pub(super) fn run(&mut self) -> &mut Run {
        self.run.as_mut().expect("a call runs while its contract does")
    }
}

/// What a counter holds; `None` if the value is no counter.
pub(super) fn counter(value: Option<&[u8]>) -> Option<u128> {
    match value {
        Some(bytes) => Some(u128::from_le_bytes(bytes.try_into().ok()?)),
        None => Some(0),
    }
}

/// A counter after a change that did not read it; `None` if it leaves its range.
pub(super) fn after(before: u128, change: &Change) -> Option<u128> {
    match change {
        Change::Added(amount) => before.checked_add(*amount),
        Change::Taken(amount) => before.checked_sub(*amount),
        Change::Written(_) => unreachable!("a written value does not depend on the one before"),
    }
}

/// Runs a method of a contract with at most `allowance` gas, in an instance of its own. If it
/// fails, its changes and events are undone.
pub(super) fn run_frame(
    mut run: Box<Run>,
    mut frame: Frame,
    method: &str,
    allowance: u64,
) -> (Box<Run>, FrameEnd) {
    let (changes, events) = (run.changes.clone(), run.events.clone());
    let transient = run.transient.clone();
    let pages = run.world.contracts[&frame.contract].code.memory_pages_min;
    let out_of_gas =
        || FrameEnd { outcome: Outcome::Failed(Failure::OutOfGas), gas_used: allowance };
    let (window, image, window_gas) = match window::prepare(&run, &frame) {
        Some((window, image, gas)) => (Some(window), image, gas),
        None => (None, Image::new(), 0),
    };
    let Some(running) = allowance.checked_sub(PAGE_GAS * pages + window_gas) else {
        return (run, out_of_gas());
    };
    frame.window = window;
    for other in run.stack.iter_mut().filter(|other| other.contract == frame.contract) {
        other.window.iter_mut().for_each(|window| window.is_stale = true);
    }
    if let Some(log) = &mut run.log {
        frame.logged = log.begin(&frame, method);
    }
    run.stack.push(frame);
    let (mut run, mut end, pages_after) = run_instance(run, method, &image, running);
    run.stack.pop();
    end.gas_used += allowance - running;
    let all_is_gone = matches!(end.outcome, Outcome::Failed(_)) && end.gas_used == allowance;
    if pages_after > pages && !all_is_gone {
        end.gas_used += GROWN_GAS;
        if end.gas_used > allowance {
            end = out_of_gas();
        }
    }
    if !matches!(end.outcome, Outcome::Returned(_)) {
        run.changes = changes;
        run.transient = transient;
        run.events = events;
    }
    (run, end)
}

/// Runs a method. Returns also how many pages of memory there are at the end.
fn run_instance(
    run: Box<Run>,
    method: &str,
    image: &Image,
    allowance: u64,
) -> (Box<Run>, FrameEnd, u64) {
    let world = Arc::clone(&run.world);
    let frame = run.top();
    let (address, args_len) = (frame.contract, frame.args.len() as u32);
    let code = &world.contracts[&address].code;
    let mut store = Store::new(world.linker.engine(), Guest { run: Some(run), stop: None });
    store.set_fuel(u64::MAX).expect("the engine counts fuel");
    let instance =
        world.linker.instantiate(&mut store, &code.module).expect("upload checked that it can be");
    let entry = instance.get_typed_func::<u32, i32>(&mut store, method);
    let entry = entry.expect("upload checked that methods are exported");
    let memory = instance.get_memory(&mut store, "memory");
    let memory = memory.expect("upload checked that it is exported");
    window::fill(&mut store.as_context_mut(), memory, image);
    // The engine stops where no fuel is left, and gas may be used to the last unit.
    store.set_fuel(allowance + 1).expect("the engine counts fuel");
    let mut result = entry.call(&mut store, args_len);
    if let Ok(status) = result
        && store.get_fuel().is_ok_and(|fuel| fuel > 0)
    {
        let take = if status == 0 { window::take_all } else { window::take_output };
        if let Err(why) = take(&mut store.as_context_mut(), memory) {
            store.data_mut().stop = Some(why);
            result = Err(Error::msg("stopped by what it left in its window"));
        }
    }
    let fuel_left = store.get_fuel().expect("the engine counts fuel");
    let depth = code.depth_global.as_ref().map(|name| {
        let global = instance.get_global(&mut store, name).expect("the upload pass exports it");
        match global.get(&mut store) {
            Val::I32(units) => units as u32,
            _ => unreachable!("the upload pass makes it an i32"),
        }
    });
    let pages = memory.size(&store);
    let exhausted = depth.is_some_and(|units| units > code.stack_units_max);
    let Guest { run, stop } = store.into_data();
    let mut run = run.expect("host functions give the call back");
    let failed = |failure| FrameEnd { outcome: Outcome::Failed(failure), gas_used: allowance };
    let end = match (result, stop) {
        (Ok(_), _) if fuel_left == 0 => failed(Failure::OutOfGas),
        (Ok(status), _) => {
            let output = std::mem::take(&mut run.top_mut().output);
            let outcome = match status {
                0 => Outcome::Returned(output),
                _ => Outcome::Reverted { contract: address, error: output },
            };
            FrameEnd { outcome, gas_used: allowance + 1 - fuel_left }
        }
        (Err(_), Some(Stop::Chosen { outcome, gas_left })) => {
            FrameEnd { outcome, gas_used: allowance - gas_left }
        }
        (Err(_), Some(Stop::OutOfGas)) => failed(Failure::OutOfGas),
        (Err(_), Some(Stop::AddOverflow)) => failed(Failure::AddOverflow { contract: address }),
        (Err(_), Some(Stop::Trap | Stop::Undeclared)) => {
            failed(Failure::Trap { contract: address })
        }
        (Err(error), None) => match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => failed(Failure::OutOfGas),
            Some(Trap::StackOverflow) | None => panic!("the engine failed: {error:?}"),
            Some(_) if exhausted => failed(Failure::StackExhausted { contract: address }),
            Some(_) => failed(Failure::Trap { contract: address }),
        },
    };
    (run, end, pages)
}

impl Run {
    pub(super) fn top(&self) -> &Frame {
        self.stack.last().expect("a contract runs")
    }

    pub(super) fn top_mut(&mut self) -> &mut Frame {
        self.stack.last_mut().expect("a contract runs")
    }

    /// Touches a key of the contract that runs. Returns the key in the state, and the gas that a
    /// miss costs.
    fn touch(&mut self, key: &[u8], need: Mode) -> Result<(Vec<u8>, u64), Stop> {
        if need != Mode::Read && self.top().view {
            return Err(Stop::Trap);
        }
        let key = storage_key(&self.top().contract, key);
        let prefix = self.declared_prefix(&key);
        let mut mode = self.access_set.get(&key).copied();
        let frame = self.top().logged;
        if let Some(log) = &mut self.log {
            log.touch(frame, &key, need, mode.or(prefix.map(|(_, mode)| mode)));
            if let Some((length, _)) = prefix {
                log.touch_below(frame, &key[..length], need);
            }
        }
        if mode.is_none()
            && let Some((_, declared)) = prefix
        {
            if declared == need || declared == Mode::Write {
                self.access_set.insert(key.clone(), declared);
                let gas = below_gas(self.state.get(&key).map(Vec::as_slice));
                return Ok((key, gas));
            }
            mode = Some(declared);
        }
        if mode == Some(need) || mode == Some(Mode::Write) {
            return Ok((key, 0));
        }
        if self.world.on_miss == OnMiss::Fail && self.log.is_none() {
            self.undeclared = Some(self.top().contract);
            return Err(Stop::Undeclared);
        }
        if mode.is_none() {
            if self.extra_keys >= self.world.limits.access_keys_max {
                return Err(Stop::Trap);
            }
            self.extra_keys += 1;
        }
        self.access_set.insert(key.clone(), Mode::Write);
        self.misses += 1;
        Ok((key, MISS_GAS))
    }

    /// The declared beginning of a key, by its length, and how the keys may be touched that start
    /// with it.
    fn declared_prefix(&self, key: &[u8]) -> Option<(usize, Mode)> {
        field_of(&self.world, key)?.prefix_parts?;
        (0..=key.len()).find_map(|length| Some((length, *self.prefixes.get(&key[..length])?)))
    }

    /// The value of a key now.
    fn value(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Stop> {
        let before = self.state.get(key);
        match self.changes.get(key) {
            None => Ok(before.cloned()),
            Some(Change::Written(value)) => Ok(value.clone()),
            Some(change) => {
                let before = counter(before.map(Vec::as_slice)).ok_or(Stop::AddOverflow)?;
                let total = after(before, change).ok_or(Stop::AddOverflow)?;
                let value = Some(total.to_le_bytes().to_vec());
                self.changes.insert(key.to_vec(), Change::Written(value.clone()));
                Ok(value)
            }
        }
    }

    /// Adds to a key: to its value if the call knows it, and otherwise to what it adds at its end.
    pub(super) fn add(&mut self, key: Vec<u8>, amount: u128) -> Result<(), Stop> {
        let change = match self.changes.get(&key) {
            None => Some(Change::Added(amount)),
            Some(Change::Added(earlier)) => earlier.checked_add(amount).map(Change::Added),
            Some(Change::Taken(earlier)) if amount > *earlier => {
                Some(Change::Added(amount - earlier))
            }
            Some(Change::Taken(earlier)) => Some(Change::Taken(earlier - amount)),
            Some(Change::Written(value)) => counter(value.as_deref())
                .and_then(|value| value.checked_add(amount))
                .map(|total| Change::Written(Some(total.to_le_bytes().to_vec()))),
        };
        self.changes.insert(key, change.ok_or(Stop::AddOverflow)?);
        Ok(())
    }

    /// Takes from a key if it holds as much now, and says whether it does.
    fn sub(&mut self, key: Vec<u8>, amount: u128) -> Result<bool, Stop> {
        let before = || counter(self.state.get(&key).map(Vec::as_slice)).ok_or(Stop::AddOverflow);
        let change = match self.changes.get(&key) {
            None => (before()? >= amount).then_some(Change::Taken(amount)),
            // What was added may, with what was there, be more than a counter holds.
            Some(Change::Added(added)) => {
                let before = before()?;
                match amount.checked_sub(*added) {
                    None => Some(Change::Added(added - amount)),
                    Some(missing) => (before >= missing).then_some(Change::Taken(missing)),
                }
            }
            Some(Change::Taken(taken)) => {
                let rest = before()?.checked_sub(*taken).expect("no more is taken than is there");
                (rest >= amount).then(|| Change::Taken(taken + amount))
            }
            Some(Change::Written(value)) => {
                let value = counter(value.as_deref()).ok_or(Stop::AddOverflow)?;
                let rest = value.checked_sub(amount);
                rest.map(|rest| Change::Written(Some(rest.to_le_bytes().to_vec())))
            }
        };
        let is_done = change.is_some();
        self.changes.extend(change.map(|change| (key, change)));
        Ok(is_done)
    }

    /// Emits an event of the contract that runs.
    pub(super) fn emit(&mut self, event: u32, data: Vec<u8>) -> Result<(), Stop> {
        let (contract, view) = (self.top().contract, self.top().view);
        let allowed = !view
            && data.len() <= self.world.limits.event_bytes_max
            && self.events.len() < self.world.limits.events_max
            && (event as usize) < self.world.contracts[&contract].code.abi.events.len();
        if !allowed {
            return Err(Stop::Trap);
        }
        self.events.push(Event { contract, event, data: data.into() });
        Ok(())
    }

    /// The method that a contract wants to call, or why it can't.
    fn find_callee(
        &self,
        address: Address,
        method: &[u8],
        args: &[u8],
    ) -> Result<Method, CallStatus> {
        if self.stack.len() >= self.world.limits.call_depth_max {
            return Err(CallStatus::DepthExceeded);
        }
        let contract = self.world.contracts.get(&address).ok_or(CallStatus::UnknownContract)?;
        let method = std::str::from_utf8(method).map_err(|_| CallStatus::UnknownMethod)?;
        let found = contract.code.abi.method(method).filter(|_| method != INIT_METHOD);
        let found = found.ok_or(CallStatus::UnknownMethod)?;
        if !found.reentrant && self.stack.iter().any(|frame| frame.contract == address) {
            return Err(CallStatus::ReentrancyRefused);
        }
        if self.top().view && found.mutability == Mutability::Call {
            return Err(CallStatus::ViewViolated);
        }
        check_fields(&found.params, args).map_err(|_| CallStatus::BadArguments)?;
        Ok(found.clone())
    }
}

/// A host function's view of who called it.
type Host<'a> = Caller<'a, Guest>;

fn stop(host: &mut Host<'_>, why: Stop) -> Error {
    host.data_mut().stop = Some(why);
    Error::msg("stopped by a host function")
}

fn run<'a>(host: &'a mut Host<'_>) -> &'a mut Run {
    host.data_mut().run()
}

fn top<'a>(host: &'a mut Host<'_>) -> &'a mut Frame {
    run(host).top_mut()
}

/// Runs part of a host function that may stop the contract.
fn check<R>(host: &mut Host<'_>, part: impl FnOnce(&mut Run) -> Result<R, Stop>) -> Result<R> {
    part(run(host)).map_err(|why| stop(host, why))
}

fn require(host: &mut Host<'_>, condition: bool) -> Result<()> {
    if condition { Ok(()) } else { Err(stop(host, Stop::Trap)) }
}

/// Takes gas. One unit of fuel has to remain, because the engine stops at none.
fn charge(host: &mut Host<'_>, gas: u64) -> Result<()> {
    let charged = charge_store(&mut host.as_context_mut(), gas);
    charged.map_err(|why| stop(host, why))
}

/// Takes gas from a contract that runs, or has just ended.
pub(super) fn charge_store(store: &mut StoreContextMut<'_, Guest>, gas: u64) -> Result<(), Stop> {
    let fuel = store.get_fuel().expect("the engine counts fuel");
    if fuel <= gas {
        return Err(Stop::OutOfGas);
    }
    store.set_fuel(fuel - gas).expect("the engine counts fuel");
    Ok(())
}

/// Takes something from the window.
fn take(
    host: &mut Host<'_>,
    part: impl FnOnce(&mut StoreContextMut<'_, Guest>, Memory) -> Result<(), Stop>,
) -> Result<()> {
    let memory = memory(host);
    part(&mut host.as_context_mut(), memory).map_err(|why| stop(host, why))
}

/// Takes what the table of host functions says that one costs.
fn charge_for(host: &mut Host<'_>, name: &str, bytes: u64) -> Result<()> {
    let row = host_function(name).expect("it is in the table");
    charge(host, row.gas_base + row.gas_byte * bytes)
}

fn gas_left(host: &mut Host<'_>) -> Result<u64> {
    Ok(host.get_fuel()?.saturating_sub(1))
}

fn memory(host: &mut Host<'_>) -> Memory {
    match host.get_export("memory") {
        Some(Extern::Memory(memory)) => memory,
        _ => unreachable!("upload checked that the memory is exported"),
    }
}

fn bytes_at(host: &mut Host<'_>, start: u32, length: u32) -> Result<Vec<u8>> {
    let memory = memory(host);
    let range = start as usize..start as usize + length as usize;
    let bytes = memory.data(&*host).get(range).map(<[u8]>::to_vec);
    bytes.ok_or_else(|| stop(host, Stop::Trap))
}

fn array_at<const N: usize>(host: &mut Host<'_>, start: u32) -> Result<[u8; N]> {
    let bytes = bytes_at(host, start, N as u32)?;
    Ok(bytes.try_into().expect("there are as many as were asked for"))
}

fn key_at(host: &mut Host<'_>, key: u32, length: u32) -> Result<Vec<u8>> {
    require(host, (1..=KEY_BYTES_MAX).contains(&(length as usize)))?;
    bytes_at(host, key, length)
}

fn put(host: &mut Host<'_>, out: u32, bytes: &[u8]) -> Result<()> {
    let memory = memory(host);
    let done = memory.write(&mut *host, out as usize, bytes);
    done.map_err(|_| stop(host, Stop::Trap))
}

fn put_if_fits(host: &mut Host<'_>, out: u32, capacity: u32, bytes: &[u8]) -> Result<u32> {
    if bytes.len() <= capacity as usize {
        put(host, out, bytes)?;
    }
    Ok(bytes.len() as u32)
}

impl HostFunctions for Guest {
    fn caller(host: &mut Host<'_>, out: u32) -> Result<()> {
        charge_for(host, "caller", 0)?;
        let caller = top(host).caller;
        put(host, out, &caller.0)
    }

    fn this(host: &mut Host<'_>, out: u32) -> Result<()> {
        charge_for(host, "this", 0)?;
        let this = top(host).contract;
        put(host, out, &this.0)
    }

    fn height(host: &mut Host<'_>) -> Result<u64> {
        charge_for(host, "height", 0)?;
        Ok(run(host).height)
    }

    fn time_ms(host: &mut Host<'_>) -> Result<u64> {
        charge_for(host, "time_ms", 0)?;
        Ok(run(host).time_ms)
    }

    fn call_index(host: &mut Host<'_>) -> Result<u32> {
        charge_for(host, "call_index", 0)?;
        Ok(run(host).call_index)
    }

    fn seed(host: &mut Host<'_>, out: u32) -> Result<()> {
        charge_for(host, "seed", 0)?;
        let seed = run(host).seed;
        put(host, out, &seed)
    }

    fn args(host: &mut Host<'_>, out: u32) -> Result<()> {
        let args = top(host).args.clone();
        charge_for(host, "args", args.len() as u64)?;
        put(host, out, &args)
    }

    fn immutables(host: &mut Host<'_>, out: u32, capacity: u32) -> Result<u32> {
        let this = top(host).contract;
        let immutables = run(host).world.contracts[&this].immutables.clone();
        charge_for(host, "immutables", immutables.len() as u64)?;
        put_if_fits(host, out, capacity, &immutables)
    }

    fn read(host: &mut Host<'_>, key: u32, key_len: u32, out: u32, capacity: u32) -> Result<u32> {
        charge_for(host, "read", key_len.into())?;
        let key = key_at(host, key, key_len)?;
        take(host, |context, memory| window::release(context, memory, &key))?;
        let (key, miss_gas) = check(host, |run| run.touch(&key, Mode::Read))?;
        charge(host, miss_gas)?;
        let Some(value) = check(host, |run| run.value(&key))? else { return Ok(ABSENT) };
        let gas_byte = host_function("read").map_or(0, |row| row.gas_byte);
        charge(host, gas_byte * value.len() as u64)?;
        put_if_fits(host, out, capacity, &value)
    }

    fn write(
        host: &mut Host<'_>,
        key: u32,
        key_len: u32,
        value: u32,
        value_len: u32,
    ) -> Result<()> {
        charge_for(host, "write", u64::from(key_len) + u64::from(value_len))?;
        let key = key_at(host, key, key_len)?;
        let value = bytes_at(host, value, value_len)?;
        let fits = value.len() <= run(host).world.limits.value_bytes_max;
        require(host, fits)?;
        take(host, |context, memory| window::release(context, memory, &key))?;
        let (key, miss_gas) = check(host, |run| run.touch(&key, Mode::Write))?;
        charge(host, miss_gas)?;
        run(host).changes.insert(key, Change::Written(Some(value)));
        Ok(())
    }

    fn remove(host: &mut Host<'_>, key: u32, key_len: u32) -> Result<()> {
        charge_for(host, "remove", key_len.into())?;
        let key = key_at(host, key, key_len)?;
        take(host, |context, memory| window::release(context, memory, &key))?;
        let (key, miss_gas) = check(host, |run| run.touch(&key, Mode::Write))?;
        charge(host, miss_gas)?;
        run(host).changes.insert(key, Change::Written(None));
        Ok(())
    }

    fn add(host: &mut Host<'_>, key: u32, key_len: u32, low: u64, high: u64) -> Result<()> {
        charge_for(host, "add", key_len.into())?;
        let key = key_at(host, key, key_len)?;
        take(host, |context, memory| window::release(context, memory, &key))?;
        let (key, miss_gas) = check(host, |run| run.touch(&key, Mode::Add))?;
        charge(host, miss_gas)?;
        let amount = (u128::from(high) << 64) + u128::from(low);
        check(host, |run| run.add(key, amount))
    }

    fn sub(host: &mut Host<'_>, key: u32, key_len: u32, low: u64, high: u64) -> Result<u32> {
        charge_for(host, "sub", key_len.into())?;
        let key = key_at(host, key, key_len)?;
        take(host, |context, memory| window::release(context, memory, &key))?;
        let (key, miss_gas) = check(host, |run| run.touch(&key, Mode::Add))?;
        charge(host, miss_gas)?;
        let amount = (u128::from(high) << 64) + u128::from(low);
        check(host, |run| run.sub(key, amount)).map(u32::from)
    }

    fn transient_read(
        host: &mut Host<'_>,
        key: u32,
        key_len: u32,
        out: u32,
        capacity: u32,
    ) -> Result<u32> {
        charge_for(host, "transient_read", key_len.into())?;
        let key = (top(host).contract, key_at(host, key, key_len)?);
        let Some(value) = run(host).transient.get(&key).cloned() else { return Ok(ABSENT) };
        let gas_byte = host_function("transient_read").map_or(0, |row| row.gas_byte);
        charge(host, gas_byte * value.len() as u64)?;
        put_if_fits(host, out, capacity, &value)
    }

    fn transient_write(
        host: &mut Host<'_>,
        key: u32,
        key_len: u32,
        value: u32,
        value_len: u32,
    ) -> Result<()> {
        charge_for(host, "transient_write", u64::from(key_len) + u64::from(value_len))?;
        let key = (top(host).contract, key_at(host, key, key_len)?);
        let value = bytes_at(host, value, value_len)?;
        let run = run(host);
        let limits = &run.world.limits;
        let is_new = !run.transient.contains_key(&key);
        let allowed = !run.top().view
            && value.len() <= limits.value_bytes_max
            && !(is_new && run.transient.len() >= limits.transient_keys_max);
        if allowed {
            run.transient.insert(key, value);
        }
        require(host, allowed)
    }

    fn sequence(host: &mut Host<'_>) -> Result<u32> {
        charge_for(host, "sequence", 0)?;
        let number = run(host).sequence;
        let next = number.checked_add(1);
        require(host, next.is_some())?;
        run(host).sequence = next.unwrap_or(number);
        Ok(number)
    }

    fn emit(host: &mut Host<'_>, event: u32, data: u32, data_len: u32) -> Result<()> {
        charge_for(host, "emit", data_len.into())?;
        let data = bytes_at(host, data, data_len)?;
        take(host, window::take_events)?;
        check(host, |run| run.emit(event, data))
    }

    fn output(host: &mut Host<'_>, data: u32, data_len: u32) -> Result<()> {
        charge_for(host, "output", data_len.into())?;
        let data = bytes_at(host, data, data_len)?;
        let fits = data.len() <= run(host).world.limits.output_bytes_max;
        require(host, fits)?;
        top(host).output = data;
        take(host, |context, memory| {
            window::forget_output(context, memory);
            Ok(())
        })
    }

    fn revert(host: &mut Host<'_>) -> Result<()> {
        charge_for(host, "revert", 0)?;
        take(host, window::take_output)?;
        let gas_left = gas_left(host)?;
        let Frame { contract, output, .. } = top(host);
        let outcome = Outcome::Reverted { contract: *contract, error: output.clone() };
        Err(stop(host, Stop::Chosen { outcome, gas_left }))
    }

    fn call(
        host: &mut Host<'_>,
        address: u32,
        method: u32,
        method_len: u32,
        args: u32,
        args_len: u32,
        gas: u64,
    ) -> Result<u32> {
        charge_for(host, "call", u64::from(method_len) + u64::from(args_len))?;
        let mut target = Address::ZERO;
        target.0.copy_from_slice(&bytes_at(host, address, 32)?);
        let method = bytes_at(host, method, method_len)?;
        let args = bytes_at(host, args, args_len)?;
        let (frame, gas_matters) = (top(host).logged, gas != 0);
        run(host).gas_matters |= gas_matters;
        if let Some(log) = &mut run(host).log {
            log.call(frame, target, &method, &args);
        }
        let limits = run(host).world.limits.clone();
        let fit = method.len() <= limits.name_bytes_max && args.len() <= limits.args_bytes_max;
        require(host, fit)?;
        take(host, window::take_events)?;
        take(host, window::take_slots)?;
        let (status, failure, output) = match run(host).find_callee(target, &method, &args) {
            Ok(method) => call_contract(host, target, &method, args, gas)?,
            Err(status) => {
                let contract = top(host).contract;
                let failure = Failure::CallRefused { contract, status: status as u32 };
                (status, Some(Outcome::Failed(failure)), Vec::new())
            }
        };
        take(host, |context, memory| {
            window::refresh(context, memory);
            Ok(())
        })?;
        let frame = top(host);
        frame.last_failure = failure;
        frame.last_output = output;
        Ok(status as u32)
    }

    fn call_output(host: &mut Host<'_>, out: u32, capacity: u32) -> Result<u32> {
        let output = top(host).last_output.clone();
        charge_for(host, "call_output", output.len() as u64)?;
        put_if_fits(host, out, capacity, &output)
    }

    fn forward_failure(host: &mut Host<'_>) -> Result<()> {
        charge_for(host, "forward_failure", 0)?;
        let gas_left = gas_left(host)?;
        let why = match top(host).last_failure.clone() {
            Some(outcome) => Stop::Chosen { outcome, gas_left },
            None => Stop::Trap,
        };
        Err(stop(host, why))
    }

    fn gas_left(host: &mut Host<'_>) -> Result<u64> {
        charge_for(host, "gas_left", 0)?;
        run(host).gas_matters = true;
        gas_left(host)
    }

    fn sha256(host: &mut Host<'_>, data: u32, data_len: u32, out: u32) -> Result<()> {
        charge_for(host, "sha256", data_len.into())?;
        let data = bytes_at(host, data, data_len)?;
        put(host, out, &crypto::sha256(&data))
    }

    fn keccak256(host: &mut Host<'_>, data: u32, data_len: u32, out: u32) -> Result<()> {
        charge_for(host, "keccak256", data_len.into())?;
        let data = bytes_at(host, data, data_len)?;
        put(host, out, &crypto::keccak256(&data))
    }

    fn blake3(host: &mut Host<'_>, data: u32, data_len: u32, out: u32) -> Result<()> {
        charge_for(host, "blake3", data_len.into())?;
        let data = bytes_at(host, data, data_len)?;
        put(host, out, &crypto::blake3(&data))
    }

    fn ed25519_verify(
        host: &mut Host<'_>,
        public_key: u32,
        message: u32,
        message_len: u32,
        signature: u32,
    ) -> Result<u32> {
        charge_for(host, "ed25519_verify", message_len.into())?;
        let message = bytes_at(host, message, message_len)?;
        let (public_key, signature) = (array_at(host, public_key)?, array_at(host, signature)?);
        Ok(crypto::ed25519_verify(&public_key, &message, &signature).into())
    }

    fn secp256k1_verify(
        host: &mut Host<'_>,
        public_key: u32,
        digest: u32,
        signature: u32,
    ) -> Result<u32> {
        charge_for(host, "secp256k1_verify", 0)?;
        let (public_key, digest) = (array_at(host, public_key)?, array_at(host, digest)?);
        let signature = array_at(host, signature)?;
        Ok(crypto::secp256k1_verify(&public_key, &digest, &signature).into())
    }

    fn secp256k1_recover(
        host: &mut Host<'_>,
        digest: u32,
        signature: u32,
        recovery_id: u32,
        out: u32,
    ) -> Result<u32> {
        charge_for(host, "secp256k1_recover", 0)?;
        let (digest, signature) = (array_at(host, digest)?, array_at(host, signature)?);
        // What would be written has to fit, whether there is something to write or not.
        bytes_at(host, out, 64)?;
        match crypto::secp256k1_recover(&digest, &signature, recovery_id) {
            Some(key) => put(host, out, &key).map(|()| 1),
            None => Ok(0),
        }
    }

    fn secp256r1_verify(
        host: &mut Host<'_>,
        public_key: u32,
        digest: u32,
        signature: u32,
    ) -> Result<u32> {
        charge_for(host, "secp256r1_verify", 0)?;
        let (public_key, digest) = (array_at(host, public_key)?, array_at(host, digest)?);
        let signature = array_at(host, signature)?;
        Ok(crypto::secp256r1_verify(&public_key, &digest, &signature).into())
    }
}

/// Runs a method that may be called. Returns the status, how it failed if it did, and its output.
fn call_contract(
    host: &mut Host<'_>,
    target: Address,
    method: &Method,
    args: Vec<u8>,
    gas: u64,
) -> Result<(CallStatus, Option<Outcome>, Vec<u8>)> {
    let left = gas_left(host)?;
    // A caller keeps a 64th, to go on after a callee that lost all that it got.
    let most = left - left / 64;
    let gas = if run(host).log.is_some() && gas > 0 { rehearse::room(gas) } else { gas };
    let allowance = if gas == 0 { most } else { gas.min(most) };
    let this = top(host);
    let frame = Frame {
        contract: target,
        caller: this.contract,
        view: this.view || method.mutability == Mutability::View,
        args,
        ..Frame::default()
    };
    let taken = host.data_mut().run.take().expect("a call runs while its contract does");
    let (back, end) = run_frame(taken, frame, &method.name, allowance);
    let ended = back.undeclared.is_some();
    host.data_mut().run = Some(back);
    if ended {
        return Err(stop(host, Stop::Undeclared));
    }
    charge(host, end.gas_used)?;
    Ok(match end.outcome {
        Outcome::Returned(output) => (CallStatus::Ok, None, output),
        Outcome::Reverted { contract, error } => {
            let outcome = Outcome::Reverted { contract, error: error.clone() };
            (CallStatus::Reverted, Some(outcome), error)
        }
        Outcome::Failed(Failure::OutOfGas) => {
            run(host).gas_matters = true;
            (CallStatus::OutOfGas, Some(Outcome::Failed(Failure::OutOfGas)), Vec::new())
        }
        Outcome::Failed(failure) => {
            (CallStatus::Trapped, Some(Outcome::Failed(failure)), Vec::new())
        }
    })
}
