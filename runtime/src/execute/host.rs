//! The host functions, and the frames in which contracts run and call each other.
//!
//! Each function charges its base and the bytes that come in, then checks ranges and lengths, then
//! touches state, then charges the bytes that go out. What a function does is told in
//! [`tollway_host_api::functions`].

use crate::bytes::Bytes;
use crate::crypto;
use crate::engine::gas::{GROWN_GAS, PAGE_GAS};
use crate::engine::instance::LiveInstance;
use crate::engine::link::{HostFunctions, host_gas};
use crate::execute::call::{Abort, CallContext, Exit, Frame, FrameEnd, leave_frame};
use crate::execute::window;
use crate::receipt::{EventData, Failure, Outcome};
use crate::registry::{Contract, ContractIndex};
use std::ops::Range;
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::{Address, CallStatus, Mode, Mutability, status::ABSENT};
use wasmtime::{Caller, Memory, Result, Trap};

/// Store data of a live instance.
#[derive(Default)]
pub(crate) struct HostState {
    /// The running call; here only while this instance runs.
    ctx: Option<Box<CallContext>>,
    memory: Option<Memory>,
}

impl HostState {
    pub(crate) fn new(memory: Memory) -> Self {
        Self { ctx: None, memory: Some(memory) }
    }
}

/// A contract that calls another keeps one part in so many of its gas, so that it can go on after
/// a callee that trapped and lost all it got (after Ethereum's EIP-150).
pub(crate) const CALLER_KEEPS: u64 = 64;

/// Runs one frame: a clean instance, the method, and what became of it.
pub(crate) fn run_frame(
    mut ctx: Box<CallContext>,
    mut frame: Frame,
    method: usize,
    allowance: u64,
) -> (Box<CallContext>, FrameEnd) {
    let marks = ctx.marks();
    let contract = frame.contract;
    let args_len = frame.args.len() as u32;
    let pages = ctx.registry.contract(contract).code.memory_pages_min;
    let price = PAGE_GAS * pages + window::choose(&ctx, &mut frame);
    let end = match allowance.checked_sub(price) {
        None => {
            ctx.push_frame(frame);
            FrameEnd { outcome: Outcome::Failed(Failure::OutOfGas), fuel_used: allowance }
        }
        Some(running) => {
            for other in ctx.frames.iter_mut().filter(|other| other.contract == contract) {
                other.window.is_stale = true;
            }
            ctx.push_frame(frame);
            match take_instance(&mut ctx, contract) {
                Ok(mut instance) => {
                    window::lay_out(instance.memory_and_data().0, &mut ctx);
                    instance.store.data_mut().ctx = Some(ctx);
                    let result = instance.call(method, args_len, running + 1);
                    // Every host function puts the context back before it returns.
                    ctx = instance.store.data_mut().ctx.take().expect("the context is back");
                    let mut end = frame_end(&mut ctx, &mut instance, contract, result, running);
                    end.fuel_used += allowance - running;
                    if instance.has_grown() {
                        end = charge_for_growth(end, allowance);
                    }
                    if instance.is_broken() {
                        ctx.abort = Some(Abort::Bug("the system refused to open a page of memory"));
                    }
                    ctx.pool.put(instance);
                    end
                }
                Err(_) => {
                    ctx.abort = Some(Abort::Bug("an uploaded module could not be instantiated"));
                    trapped(&ctx, contract, allowance)
                }
            }
        }
    };
    leave_frame(&mut ctx, &end.outcome, marks);
    (ctx, end)
}

/// Adds the price of a grown memory, unless a failure has taken all gas already.
fn charge_for_growth(end: FrameEnd, allowance: u64) -> FrameEnd {
    let all_is_gone = matches!(end.outcome, Outcome::Failed(_)) && end.fuel_used == allowance;
    match end.fuel_used + GROWN_GAS {
        _ if all_is_gone => end,
        fuel_used if fuel_used <= allowance => FrameEnd { fuel_used, ..end },
        _ => FrameEnd { outcome: Outcome::Failed(Failure::OutOfGas), fuel_used: allowance },
    }
}

fn take_instance(
    ctx: &mut CallContext,
    contract: ContractIndex,
) -> Result<Box<LiveInstance<HostState>>> {
    let CallContext { pool, registry, .. } = ctx;
    pool.take(&registry.contract(contract).code)
}

fn frame_end(
    ctx: &mut CallContext,
    instance: &mut LiveInstance<HostState>,
    contract: ContractIndex,
    result: Result<i32>,
    allowance: u64,
) -> FrameEnd {
    let address = ctx.registry.contract(contract).address;
    let failed = |failure| FrameEnd { outcome: Outcome::Failed(failure), fuel_used: allowance };
    let result = result.and_then(|status| {
        let mut fuel_left = instance.fuel_left();
        // One without any left ran out of gas; there is nothing to take.
        if fuel_left > 0 {
            let memory = instance.memory_and_data().0;
            let take = if status == 0 { window::take_all } else { window::take_output };
            if let Err(exit) = take(memory, ctx, &mut fuel_left) {
                ctx.exit = Some(exit);
                return Err(wasmtime::Error::msg("stopped by what is in the window"));
            }
        }
        Ok((status, fuel_left))
    });
    match (result, ctx.exit.take()) {
        (Ok((status, fuel_left)), _) => {
            let Some(fuel_used) = used(allowance, fuel_left) else {
                return failed(Failure::OutOfGas);
            };
            let output = match ctx.frame() {
                Ok(frame) => std::mem::take(&mut frame.output),
                Err(_) => Vec::new(),
            };
            let outcome = if status == 0 {
                Outcome::Returned(output)
            } else {
                Outcome::Reverted { contract: address, error: output }
            };
            FrameEnd { outcome, fuel_used }
        }
        (Err(_), Some(Exit::Chosen { outcome, fuel_left })) => {
            FrameEnd { outcome, fuel_used: used(allowance, fuel_left).unwrap_or(allowance) }
        }
        (Err(_), Some(Exit::OutOfGas)) => failed(Failure::OutOfGas),
        (Err(_), Some(Exit::Trap)) => failed(Failure::Trap { contract: address }),
        (Err(_), Some(Exit::AddOverflow)) => failed(Failure::AddOverflow { contract: address }),
        (Err(_), Some(Exit::Abort(abort))) => {
            ctx.abort = Some(abort);
            trapped(ctx, contract, allowance)
        }
        (Err(error), None) => match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => failed(Failure::OutOfGas),
            Some(Trap::StackOverflow) | None => {
                ctx.abort =
                    Some(Abort::Bug("the native stack was exhausted before the counted one"));
                trapped(ctx, contract, allowance)
            }
            Some(_) if instance.is_stack_exhausted() => {
                failed(Failure::StackExhausted { contract: address })
            }
            Some(_) => failed(Failure::Trap { contract: address }),
        },
    }
}

/// The fuel used of an allowance, or `None` if more than it.
fn used(allowance: u64, fuel_left: u64) -> Option<u64> {
    Some(allowance - fuel_left.checked_sub(1)?)
}

fn trapped(ctx: &CallContext, contract: ContractIndex, allowance: u64) -> FrameEnd {
    let contract = ctx.registry.contract(contract).address;
    FrameEnd { outcome: Outcome::Failed(Failure::Trap { contract }), fuel_used: allowance }
}

/// Stops the contract that is running.
#[cold]
fn stop(caller: &mut Caller<'_, HostState>, exit: Exit) -> wasmtime::Error {
    if let Some(ctx) = &mut caller.data_mut().ctx {
        ctx.exit = Some(exit);
    }
    wasmtime::Error::msg("stopped by a host function")
}

/// Memory, running call and fuel of a contract that called a host function.
struct Host<'a> {
    memory: &'a mut [u8],
    ctx: &'a mut CallContext,
    fuel: u64,
}

type Done<R> = std::result::Result<R, Exit>;

/// Runs a host function's body; an [`Exit`] from it stops the contract.
#[inline(always)]
fn host<R>(
    caller: &mut Caller<'_, HostState>,
    body: impl FnOnce(&mut Host<'_>) -> Done<R>,
) -> Result<R> {
    let before = caller.get_fuel()?;
    let memory = caller.data().memory.ok_or_else(missing_context)?;
    let (memory, state) = memory.data_and_store_mut(&mut *caller);
    let ctx = state.ctx.as_deref_mut().ok_or_else(missing_context)?;
    let mut host = Host { memory, ctx, fuel: before };
    match body(&mut host) {
        Ok(result) => {
            let after = host.fuel;
            if after != before {
                caller.set_fuel(after)?;
            }
            Ok(result)
        }
        Err(exit) => Err(stop(caller, exit)),
    }
}

#[cold]
fn missing_context() -> wasmtime::Error {
    wasmtime::Error::msg("a host function ran outside a call")
}

#[inline]
fn range(start: u32, length: u32, memory: &[u8]) -> Done<Range<usize>> {
    let (start, length) = (start as usize, length as usize);
    let end = start + length;
    if end <= memory.len() { Ok(start..end) } else { Err(Exit::Trap) }
}

/// A key that a contract named, out of reach of what happens to its memory.
struct KeyCopy {
    bytes: [u8; KEY_BYTES_MAX],
    length: usize,
}

impl std::ops::Deref for KeyCopy {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Host<'_> {
    #[inline]
    fn charge(&mut self, amount: u64) -> Done<()> {
        window::charge(&mut self.fuel, amount)
    }

    /// Charges for a host function, and for so many bytes.
    #[inline]
    fn charge_for(&mut self, gas: (u64, u64), bytes: u64) -> Done<()> {
        self.charge(gas.0 + gas.1 * bytes)
    }

    #[inline]
    fn bytes(&self, start: u32, length: u32) -> Done<&[u8]> {
        Ok(&self.memory[range(start, length, self.memory)?])
    }

    /// So many bytes as the result has.
    #[inline]
    fn array<const N: usize>(&self, start: u32) -> Done<[u8; N]> {
        self.bytes(start, N as u32)?.try_into().map_err(|_| Exit::Trap)
    }

    /// Charges for a hash function, and writes its hash of some bytes.
    fn hash(
        &mut self,
        gas: (u64, u64),
        hash: impl FnOnce(&[u8]) -> [u8; 32],
        data: u32,
        data_len: u32,
        out: u32,
    ) -> Done<()> {
        self.charge_for(gas, data_len.into())?;
        let data = self.bytes(data, data_len)?;
        range(out, 32, self.memory)?;
        self.copy_out(out, &hash(data))
    }

    #[inline]
    fn key(&self, key: u32, key_len: u32) -> Done<KeyCopy> {
        if key_len == 0 || key_len as usize > KEY_BYTES_MAX {
            return Err(Exit::Trap);
        }
        let mut copy = KeyCopy { bytes: [0; KEY_BYTES_MAX], length: key_len as usize };
        copy.bytes[..key_len as usize].copy_from_slice(self.bytes(key, key_len)?);
        Ok(copy)
    }

    /// The frame of the contract that is running.
    #[inline]
    fn frame(&mut self) -> Done<&mut Frame> {
        self.ctx.frame()
    }

    /// The contract that is running.
    #[inline]
    fn contract(&mut self) -> Done<&Contract> {
        let contract = self.ctx.frame()?.contract;
        Ok(self.ctx.registry.contract(contract))
    }

    #[inline]
    fn copy_out(&mut self, out: u32, bytes: &[u8]) -> Done<()> {
        let range = range(out, bytes.len() as u32, self.memory)?;
        self.memory[range].copy_from_slice(bytes);
        Ok(())
    }

    /// Takes the key's slot out of the window, if it has one.
    #[inline]
    fn release(&mut self, key: &[u8]) -> Done<()> {
        window::release(self.memory, self.ctx, &mut self.fuel, key)
    }

    /// Touches a key, and pays for a miss: before its value is looked at, so that it can't be used
    /// unpaid.
    #[inline]
    fn touch(&mut self, key: &[u8], need: Mode) -> Done<usize> {
        self.release(key)?;
        let frame = self.ctx.frame()?;
        if frame.view && need != Mode::Read {
            return Err(Exit::Trap);
        }
        let contract = frame.contract;
        let (index, price) = self.ctx.touch(contract, key, need)?;
        if price > 0 {
            self.charge(price)?;
        }
        Ok(index)
    }
}

/// Copies if there is room for it, as `read`, `immutables` and `call_output` do.
#[inline]
fn copy_if_fits(memory: &mut [u8], out: u32, capacity: u32, bytes: &[u8]) -> Done<u32> {
    if bytes.len() <= capacity as usize {
        let range = range(out, bytes.len() as u32, memory)?;
        memory[range].copy_from_slice(bytes);
    }
    Ok(bytes.len() as u32)
}

#[inline]
fn amount(low: u64, high: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

impl HostFunctions for HostState {
    fn caller(caller: &mut Caller<'_, Self>, out: u32) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::caller, 0)?;
            let address = host.frame()?.caller;
            host.copy_out(out, &address.0)
        })
    }

    fn this(caller: &mut Caller<'_, Self>, out: u32) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::this, 0)?;
            let address = host.contract()?.address;
            host.copy_out(out, &address.0)
        })
    }

    fn height(caller: &mut Caller<'_, Self>) -> Result<u64> {
        host(caller, |host| {
            host.charge_for(host_gas::height, 0)?;
            Ok(host.ctx.height.0)
        })
    }

    fn time_ms(caller: &mut Caller<'_, Self>) -> Result<u64> {
        host(caller, |host| {
            host.charge_for(host_gas::time_ms, 0)?;
            Ok(host.ctx.time_ms)
        })
    }

    fn call_index(caller: &mut Caller<'_, Self>) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::call_index, 0)?;
            Ok(host.ctx.call_index)
        })
    }

    fn seed(caller: &mut Caller<'_, Self>, out: u32) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::seed, 0)?;
            let seed = host.ctx.seed;
            host.copy_out(out, &seed)
        })
    }

    fn args(caller: &mut Caller<'_, Self>, out: u32) -> Result<()> {
        host(caller, |host| {
            let length = host.frame()?.args.len();
            host.charge_for(host_gas::args, length as u64)?;
            let range = range(out, length as u32, host.memory)?;
            host.memory[range].copy_from_slice(&host.ctx.frame()?.args);
            Ok(())
        })
    }

    fn immutables(caller: &mut Caller<'_, Self>, out: u32, capacity: u32) -> Result<u32> {
        host(caller, |host| {
            let length = host.contract()?.immutables.len();
            host.charge_for(host_gas::immutables, length as u64)?;
            let contract = host.ctx.frame()?.contract;
            let immutables = &host.ctx.registry.contract(contract).immutables;
            copy_if_fits(host.memory, out, capacity, immutables)
        })
    }

    fn read(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        out: u32,
        capacity: u32,
    ) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::read, key_len.into())?;
            let key = host.key(key, key_len)?;
            let index = host.touch(&key, Mode::Read)?;
            let Some(value) = host.ctx.value(index)? else {
                return Ok(ABSENT);
            };
            window::charge(&mut host.fuel, host_gas::read.1 * value.len() as u64)?;
            copy_if_fits(host.memory, out, capacity, value)
        })
    }

    fn write(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        value: u32,
        value_len: u32,
    ) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::write, u64::from(key_len) + u64::from(value_len))?;
            let key = host.key(key, key_len)?;
            let value = host.bytes(value, value_len)?;
            if value.len() > host.ctx.limits.value_bytes_max {
                return Err(Exit::Trap);
            }
            // The value may lie where a slot is taken from.
            let value = Bytes::new(value);
            let index = host.touch(&key, Mode::Write)?;
            host.ctx.write(index, Some(&value));
            Ok(())
        })
    }

    fn remove(caller: &mut Caller<'_, Self>, key: u32, key_len: u32) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::remove, key_len.into())?;
            let key = host.key(key, key_len)?;
            let index = host.touch(&key, Mode::Write)?;
            host.ctx.write(index, None);
            Ok(())
        })
    }

    fn add(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        low: u64,
        high: u64,
    ) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::add, key_len.into())?;
            let key = host.key(key, key_len)?;
            let index = host.touch(&key, Mode::Add)?;
            host.ctx.add(index, amount(low, high))
        })
    }

    fn sub(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        low: u64,
        high: u64,
    ) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::sub, key_len.into())?;
            let key = host.key(key, key_len)?;
            let index = host.touch(&key, Mode::Add)?;
            host.ctx.sub(index, amount(low, high)).map(u32::from)
        })
    }

    fn transient_read(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        out: u32,
        capacity: u32,
    ) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::transient_read, key_len.into())?;
            let key = host.key(key, key_len)?;
            let contract = host.frame()?.contract;
            let Some(value) = host.ctx.transient.get(contract, &key) else {
                return Ok(ABSENT);
            };
            window::charge(&mut host.fuel, host_gas::transient_read.1 * value.len() as u64)?;
            copy_if_fits(host.memory, out, capacity, value)
        })
    }

    fn transient_write(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        value: u32,
        value_len: u32,
    ) -> Result<()> {
        host(caller, |host| {
            let bytes = u64::from(key_len) + u64::from(value_len);
            host.charge_for(host_gas::transient_write, bytes)?;
            let key = host.key(key, key_len)?;
            let frame = host.ctx.frame()?;
            let (contract, view) = (frame.contract, frame.view);
            let value = &host.memory[range(value, value_len, host.memory)?];
            if view || value.len() > host.ctx.limits.value_bytes_max {
                return Err(Exit::Trap);
            }
            let keys_max = host.ctx.limits.transient_keys_max;
            host.ctx.transient.set(contract, &key, value, keys_max).map_err(|_| Exit::Trap)
        })
    }

    fn sequence(caller: &mut Caller<'_, Self>) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::sequence, 0)?;
            host.ctx.next_number()
        })
    }

    fn emit(caller: &mut Caller<'_, Self>, event: u32, data: u32, data_len: u32) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::emit, data_len.into())?;
            // The data may lie where events are taken from.
            let data = EventData::from(host.bytes(data, data_len)?);
            window::take_events(host.memory, host.ctx, &mut host.fuel)?;
            let frame = host.ctx.frame()?;
            let (contract, view) = (frame.contract, frame.view);
            window::emit(host.ctx, contract, view, event, &data)
        })
    }

    fn output(caller: &mut Caller<'_, Self>, data: u32, data_len: u32) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::output, data_len.into())?;
            let data = &host.memory[range(data, data_len, host.memory)?];
            if data.len() > host.ctx.limits.output_bytes_max {
                return Err(Exit::Trap);
            }
            let output = &mut host.ctx.frame()?.output;
            output.clear();
            output.extend_from_slice(data);
            window::forget_output(host.memory, host.ctx);
            Ok(())
        })
    }

    fn revert(caller: &mut Caller<'_, Self>) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::revert, 0)?;
            window::take_output(host.memory, host.ctx, &mut host.fuel)?;
            let contract = host.contract()?.address;
            let error = std::mem::take(&mut host.frame()?.output);
            let outcome = Outcome::Reverted { contract, error };
            Err(Exit::Chosen { outcome, fuel_left: host.fuel })
        })
    }

    fn call(
        caller: &mut Caller<'_, Self>,
        address: u32,
        method: u32,
        method_len: u32,
        args: u32,
        args_len: u32,
        gas: u64,
    ) -> Result<u32> {
        let target = host(caller, |host| {
            host.charge_for(host_gas::call, u64::from(method_len) + u64::from(args_len))?;
            let address = host.array(address)?;
            let method = range(method, method_len, host.memory)?;
            let args = range(args, args_len, host.memory)?;
            let limits = &host.ctx.limits;
            if method.len() > limits.name_bytes_max || args.len() > limits.args_bytes_max {
                return Err(Exit::Trap);
            }
            // Arguments may lie in the window, so the target is found first; what is taken changes
            // nothing for it.
            let (method, args) = (&host.memory[method], &host.memory[args]);
            let target = find_target(host.ctx, Address(address), method, args)?;
            window::take_events(host.memory, host.ctx, &mut host.fuel)?;
            window::take_slots(host.memory, host.ctx, &mut host.fuel)?;
            if let Err(status) = &target {
                let contract = host.contract()?.address;
                let failure = Failure::CallRefused { contract, status: *status as u32 };
                note_call(host.ctx, Some(Outcome::Failed(failure)), Vec::new())?;
            }
            Ok(target)
        })?;
        let (frame, method) = match target {
            Ok(target) => target,
            Err(status) => return Ok(status as u32),
        };
        let status = call_contract(caller, frame, method, gas)?;
        host(caller, |host| {
            window::refresh(host.memory, host.ctx);
            Ok(status as u32)
        })
    }

    fn call_output(caller: &mut Caller<'_, Self>, out: u32, capacity: u32) -> Result<u32> {
        host(caller, |host| {
            let length = host.frame()?.last_output.len();
            host.charge_for(host_gas::call_output, length as u64)?;
            copy_if_fits(host.memory, out, capacity, &host.ctx.frame()?.last_output)
        })
    }

    fn forward_failure(caller: &mut Caller<'_, Self>) -> Result<()> {
        host(caller, |host| {
            host.charge_for(host_gas::forward_failure, 0)?;
            let outcome = host.frame()?.last_failure.take().ok_or(Exit::Trap)?;
            Err(Exit::Chosen { outcome, fuel_left: host.fuel })
        })
    }

    fn gas_left(caller: &mut Caller<'_, Self>) -> Result<u64> {
        host(caller, |host| {
            host.charge_for(host_gas::gas_left, 0)?;
            Ok(host.fuel.saturating_sub(1))
        })
    }

    fn sha256(caller: &mut Caller<'_, Self>, data: u32, data_len: u32, out: u32) -> Result<()> {
        host(caller, |host| host.hash(host_gas::sha256, crypto::sha256, data, data_len, out))
    }

    fn keccak256(caller: &mut Caller<'_, Self>, data: u32, data_len: u32, out: u32) -> Result<()> {
        host(caller, |host| host.hash(host_gas::keccak256, crypto::keccak256, data, data_len, out))
    }

    fn blake3(caller: &mut Caller<'_, Self>, data: u32, data_len: u32, out: u32) -> Result<()> {
        host(caller, |host| host.hash(host_gas::blake3, crypto::blake3, data, data_len, out))
    }

    fn ed25519_verify(
        caller: &mut Caller<'_, Self>,
        public_key: u32,
        message: u32,
        message_len: u32,
        signature: u32,
    ) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::ed25519_verify, message_len.into())?;
            let public_key = host.array(public_key)?;
            let message = host.bytes(message, message_len)?;
            let signature = host.array(signature)?;
            Ok(crypto::ed25519_verify(&public_key, message, &signature).into())
        })
    }

    fn secp256k1_verify(
        caller: &mut Caller<'_, Self>,
        public_key: u32,
        digest: u32,
        signature: u32,
    ) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::secp256k1_verify, 0)?;
            let (public_key, digest) = (host.array(public_key)?, host.array(digest)?);
            let signature = host.array(signature)?;
            Ok(crypto::secp256k1_verify(&public_key, &digest, &signature).into())
        })
    }

    fn secp256k1_recover(
        caller: &mut Caller<'_, Self>,
        digest: u32,
        signature: u32,
        recovery_id: u32,
        out: u32,
    ) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::secp256k1_recover, 0)?;
            let (digest, signature) = (host.array(digest)?, host.array(signature)?);
            range(out, 64, host.memory)?;
            let Some(key) = crypto::secp256k1_recover(&digest, &signature, recovery_id) else {
                return Ok(0);
            };
            host.copy_out(out, &key)?;
            Ok(1)
        })
    }

    fn secp256r1_verify(
        caller: &mut Caller<'_, Self>,
        public_key: u32,
        digest: u32,
        signature: u32,
    ) -> Result<u32> {
        host(caller, |host| {
            host.charge_for(host_gas::secp256r1_verify, 0)?;
            let (public_key, digest) = (host.array(public_key)?, host.array(digest)?);
            let signature = host.array(signature)?;
            Ok(crypto::secp256r1_verify(&public_key, &digest, &signature).into())
        })
    }
}

/// The frame of a call that a contract wants to make, or why it is refused.
fn find_target(
    ctx: &mut CallContext,
    address: Address,
    method: &[u8],
    args: &[u8],
) -> std::result::Result<std::result::Result<(Frame, usize), CallStatus>, Exit> {
    let this = ctx.frame()?;
    let (this_contract, view) = (this.contract, this.view);
    if ctx.frames.len() >= ctx.limits.call_depth_max {
        return Ok(Err(CallStatus::DepthExceeded));
    }
    let Some(target) = ctx.registry.find(&address) else {
        return Ok(Err(CallStatus::UnknownContract));
    };
    let code = &ctx.registry.contract(target).code;
    let Some(method) = code.methods.find(&code.abi, method) else {
        return Ok(Err(CallStatus::UnknownMethod));
    };
    let declaration = &code.abi.methods[method];
    if ctx.is_running(target) && !declaration.reentrant {
        return Ok(Err(CallStatus::ReentrancyRefused));
    }
    if view && declaration.mutability == Mutability::Call {
        return Ok(Err(CallStatus::ViewViolated));
    }
    if !code.methods.accepts(method, args) {
        return Ok(Err(CallStatus::BadArguments));
    }
    let view = view || declaration.mutability == Mutability::View;
    let caller = ctx.registry.contract(this_contract).address;
    let mut frame = ctx.new_frame();
    frame.contract = target;
    frame.caller = caller;
    frame.view = view;
    frame.args.extend_from_slice(args);
    Ok(Ok((frame, method)))
}

/// Runs a call that a contract makes, in an instance of its own, and notes how it ended.
fn call_contract(
    caller: &mut Caller<'_, HostState>,
    frame: Frame,
    method: usize,
    gas: u64,
) -> Result<CallStatus> {
    let fuel = caller.get_fuel()?;
    let left = fuel.saturating_sub(1);
    let most = left - left / CALLER_KEEPS;
    let allowance = if gas == 0 { most } else { gas.min(most) };
    let ctx = caller.data_mut().ctx.take().ok_or_else(missing_context)?;
    let (ctx, end) = run_frame(ctx, frame, method, allowance);
    let abort = ctx.abort;
    caller.data_mut().ctx = Some(ctx);
    if let Some(abort) = abort {
        return Err(stop(caller, Exit::Abort(abort)));
    }
    caller.set_fuel(fuel - end.fuel_used)?;
    host(caller, |host| match end.outcome {
        Outcome::Returned(output) => {
            note_call(host.ctx, None, output)?;
            Ok(CallStatus::Ok)
        }
        Outcome::Reverted { contract, error } => {
            let outcome = Outcome::Reverted { contract, error: error.clone() };
            note_call(host.ctx, Some(outcome), error)?;
            Ok(CallStatus::Reverted)
        }
        Outcome::Failed(failure) => {
            let status = match failure {
                Failure::OutOfGas => CallStatus::OutOfGas,
                _ => CallStatus::Trapped,
            };
            note_call(host.ctx, Some(Outcome::Failed(failure)), Vec::new())?;
            Ok(status)
        }
    })
}

fn note_call(
    ctx: &mut CallContext,
    failure: Option<Outcome>,
    output: Vec<u8>,
) -> std::result::Result<(), Exit> {
    let frame = ctx.frame()?;
    frame.last_failure = failure;
    let mut before = std::mem::replace(&mut frame.last_output, output);
    before.clear();
    ctx.reuse_output(before);
    Ok(())
}
