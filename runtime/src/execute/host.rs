//! The host functions, and the frames in which contracts run and call each other.
//!
//! Each function charges its base and the bytes that come in, then checks ranges and lengths, then
//! touches state, then charges the bytes that go out. What a function does is told in
//! [`tollway_host_api::functions`].

use crate::bytes::Bytes;
use crate::engine::gas::{GROWN_GAS, PAGE_GAS};
use crate::engine::instance::LiveInstance;
use crate::engine::link::{HostFunctions, host_gas};
use crate::execute::call::{Abort, CallContext, Change, Exit, Frame, FrameEnd, leave_frame};
use crate::receipt::{Event, Failure, Outcome};
use crate::registry::ContractIndex;
use std::ops::Range;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::value::check_fields;
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
    frame: Frame,
    method: usize,
    allowance: u64,
) -> (Box<CallContext>, FrameEnd) {
    let marks = ctx.marks();
    let contract = frame.contract;
    let args_len = frame.args.len() as u32;
    ctx.frames.push(frame);
    ctx.transient.enter();
    let pages = ctx.registry.contract(contract).code.memory_pages_min;
    let end = match allowance.checked_sub(PAGE_GAS * pages) {
        None => FrameEnd { outcome: Outcome::Failed(Failure::OutOfGas), fuel_used: allowance },
        Some(running) => match take_instance(&mut ctx, contract) {
            Ok(mut instance) => {
                instance.store.data_mut().ctx = Some(ctx);
                let result = instance.call(method, args_len, running + 1);
                // Every host function puts the context back before it returns.
                ctx = instance.store.data_mut().ctx.take().expect("the context is back");
                let mut end = frame_end(&mut ctx, &mut instance, contract, result, running);
                end.fuel_used += allowance - running;
                if instance.has_grown() {
                    end = charge_for_growth(end, allowance);
                }
                ctx.pool.put(instance);
                end
            }
            Err(_) => {
                ctx.abort = Some(Abort::Bug("an uploaded module could not be instantiated"));
                trapped(&ctx, contract, allowance)
            }
        },
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
    match (result, ctx.exit.take()) {
        (Ok(status), _) => {
            let Some(fuel_used) = used(allowance, instance.fuel_left()) else {
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

/// Takes `amount` from the fuel left.
#[inline]
fn charge(caller: &mut Caller<'_, HostState>, amount: u64) -> Result<()> {
    let fuel = caller.get_fuel()?;
    if fuel <= amount {
        return Err(stop(caller, Exit::OutOfGas));
    }
    caller.set_fuel(fuel - amount)
}

#[inline]
fn charge_for(caller: &mut Caller<'_, HostState>, gas: (u64, u64), bytes: u64) -> Result<()> {
    charge(caller, gas.0 + gas.1 * bytes)
}

/// The caller's memory and the running call.
#[inline]
fn parts<'a>(caller: &'a mut Caller<'_, HostState>) -> Result<(&'a mut [u8], &'a mut CallContext)> {
    let memory = caller.data().memory.ok_or_else(missing_context)?;
    let (memory, state) = memory.data_and_store_mut(caller);
    Ok((memory, state.ctx.as_deref_mut().ok_or_else(missing_context)?))
}

#[cold]
fn missing_context() -> wasmtime::Error {
    wasmtime::Error::msg("a host function ran outside a call")
}

#[inline]
fn range(start: u32, length: u32, memory: &[u8]) -> Option<Range<usize>> {
    let (start, length) = (start as usize, length as usize);
    let end = start.checked_add(length)?;
    (end <= memory.len()).then_some(start..end)
}

/// Runs `body` on memory and context; an [`Exit`] from it stops the contract.
#[inline]
fn with<R>(
    caller: &mut Caller<'_, HostState>,
    body: impl FnOnce(&mut [u8], &mut CallContext) -> std::result::Result<R, Exit>,
) -> Result<R> {
    let (memory, ctx) = parts(caller)?;
    body(memory, ctx).map_err(|exit| stop(caller, exit))
}

#[inline]
fn key_at(memory: &[u8], key: u32, key_len: u32) -> std::result::Result<&[u8], Exit> {
    if key_len == 0 || key_len as usize > KEY_BYTES_MAX {
        return Err(Exit::Trap);
    }
    Ok(&memory[range(key, key_len, memory).ok_or(Exit::Trap)?])
}

fn copy_out(memory: &mut [u8], out: u32, bytes: &[u8]) -> std::result::Result<(), Exit> {
    let range = range(out, bytes.len() as u32, memory).ok_or(Exit::Trap)?;
    memory[range].copy_from_slice(bytes);
    Ok(())
}

/// Copies if there is room for it, as `read`, `immutables` and `call_output` do.
fn copy_if_fits(
    memory: &mut [u8],
    out: u32,
    capacity: u32,
    bytes: &[u8],
) -> std::result::Result<u32, Exit> {
    if bytes.len() <= capacity as usize {
        copy_out(memory, out, bytes)?;
    }
    Ok(bytes.len() as u32)
}

/// Touches a key that is to be changed, unless a view is running. Returns it, and the price of a
/// miss.
fn touch_to_change(
    ctx: &mut CallContext,
    key: &[u8],
    need: Mode,
) -> std::result::Result<(usize, u64), Exit> {
    let frame = ctx.frame()?;
    if frame.view {
        return Err(Exit::Trap);
    }
    let contract = frame.contract;
    ctx.touch(contract, key, need)
}

#[inline]
fn pay_for_miss(caller: &mut Caller<'_, HostState>, price: u64) -> Result<()> {
    if price == 0 { Ok(()) } else { charge(caller, price) }
}

impl HostFunctions for HostState {
    fn caller(caller: &mut Caller<'_, Self>, out: u32) -> Result<()> {
        charge_for(caller, host_gas::caller, 0)?;
        with(caller, |memory, ctx| copy_out(memory, out, &ctx.frame()?.caller.0))
    }

    fn this(caller: &mut Caller<'_, Self>, out: u32) -> Result<()> {
        charge_for(caller, host_gas::this, 0)?;
        with(caller, |memory, ctx| {
            let contract = ctx.frame()?.contract;
            copy_out(memory, out, &ctx.registry.contract(contract).address.0)
        })
    }

    fn height(caller: &mut Caller<'_, Self>) -> Result<u64> {
        charge_for(caller, host_gas::height, 0)?;
        with(caller, |_, ctx| Ok(ctx.height.0))
    }

    fn time_ms(caller: &mut Caller<'_, Self>) -> Result<u64> {
        charge_for(caller, host_gas::time_ms, 0)?;
        with(caller, |_, ctx| Ok(ctx.time_ms))
    }

    fn call_index(caller: &mut Caller<'_, Self>) -> Result<u32> {
        charge_for(caller, host_gas::call_index, 0)?;
        with(caller, |_, ctx| Ok(ctx.call_index))
    }

    fn args(caller: &mut Caller<'_, Self>, out: u32) -> Result<()> {
        let length = with(caller, |_, ctx| Ok(ctx.frame()?.args.len() as u64))?;
        charge_for(caller, host_gas::args, length)?;
        with(caller, |memory, ctx| copy_out(memory, out, &ctx.frame()?.args))
    }

    fn immutables(caller: &mut Caller<'_, Self>, out: u32, capacity: u32) -> Result<u32> {
        let length = with(caller, |_, ctx| {
            let contract = ctx.frame()?.contract;
            Ok(ctx.registry.contract(contract).immutables.len() as u64)
        })?;
        charge_for(caller, host_gas::immutables, length)?;
        with(caller, |memory, ctx| {
            let contract = ctx.frame()?.contract;
            copy_if_fits(memory, out, capacity, &ctx.registry.contract(contract).immutables)
        })
    }

    fn read(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        out: u32,
        capacity: u32,
    ) -> Result<u32> {
        charge_for(caller, host_gas::read, key_len.into())?;
        let (index, price, length) = with(caller, |memory, ctx| {
            let key = key_at(memory, key, key_len)?;
            let contract = ctx.frame()?.contract;
            let (index, price) = ctx.touch(contract, key, Mode::Read)?;
            // A miss is paid for before its value is looked at, so that it can't be used unpaid.
            let length = if price == 0 { ctx.value(index)?.map(|value| value.len()) } else { None };
            Ok((index, price, length))
        })?;
        let length = if price == 0 {
            length
        } else {
            pay_for_miss(caller, price)?;
            with(caller, |_, ctx| Ok(ctx.value(index)?.map(|value| value.len())))?
        };
        let Some(length) = length else {
            return Ok(ABSENT);
        };
        charge(caller, host_gas::read.1 * length as u64)?;
        with(caller, |memory, ctx| match ctx.value(index)? {
            Some(value) => copy_if_fits(memory, out, capacity, value),
            None => Ok(ABSENT),
        })
    }

    fn write(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        value: u32,
        value_len: u32,
    ) -> Result<()> {
        charge_for(caller, host_gas::write, u64::from(key_len) + u64::from(value_len))?;
        let price = with(caller, |memory, ctx| {
            let key = key_at(memory, key, key_len)?;
            let value = &memory[range(value, value_len, memory).ok_or(Exit::Trap)?];
            if value.len() > ctx.limits.value_bytes_max {
                return Err(Exit::Trap);
            }
            let (index, price) = touch_to_change(ctx, key, Mode::Write)?;
            ctx.change(index, Change::Written(Some(Bytes::new(value))));
            Ok(price)
        })?;
        pay_for_miss(caller, price)
    }

    fn remove(caller: &mut Caller<'_, Self>, key: u32, key_len: u32) -> Result<()> {
        charge_for(caller, host_gas::remove, key_len.into())?;
        let price = with(caller, |memory, ctx| {
            let key = key_at(memory, key, key_len)?;
            let (index, price) = touch_to_change(ctx, key, Mode::Write)?;
            ctx.change(index, Change::Written(None));
            Ok(price)
        })?;
        pay_for_miss(caller, price)
    }

    fn add(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        low: u64,
        high: u64,
    ) -> Result<()> {
        charge_for(caller, host_gas::add, key_len.into())?;
        let (index, price) = with(caller, |memory, ctx| {
            let key = key_at(memory, key, key_len)?;
            touch_to_change(ctx, key, Mode::Add)
        })?;
        pay_for_miss(caller, price)?;
        let amount = (u128::from(high) << 64) | u128::from(low);
        with(caller, |_, ctx| ctx.add(index, amount))
    }

    fn sub(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        low: u64,
        high: u64,
    ) -> Result<u32> {
        charge_for(caller, host_gas::sub, key_len.into())?;
        let (index, price) = with(caller, |memory, ctx| {
            let key = key_at(memory, key, key_len)?;
            touch_to_change(ctx, key, Mode::Add)
        })?;
        pay_for_miss(caller, price)?;
        let amount = (u128::from(high) << 64) | u128::from(low);
        with(caller, |_, ctx| ctx.sub(index, amount).map(u32::from))
    }

    fn transient_read(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        out: u32,
        capacity: u32,
    ) -> Result<u32> {
        charge_for(caller, host_gas::transient_read, key_len.into())?;
        let length = with(caller, |memory, ctx| {
            let key = key_at(memory, key, key_len)?;
            let contract = ctx.frame()?.contract;
            Ok(ctx.transient.get(contract, key).map(<[u8]>::len))
        })?;
        let Some(length) = length else {
            return Ok(ABSENT);
        };
        charge(caller, host_gas::transient_read.1 * length as u64)?;
        with(caller, |memory, ctx| {
            let contract = ctx.frame()?.contract;
            match ctx.transient.get(contract, key_at(memory, key, key_len)?) {
                Some(value) => copy_if_fits(memory, out, capacity, value),
                None => Ok(ABSENT),
            }
        })
    }

    fn transient_write(
        caller: &mut Caller<'_, Self>,
        key: u32,
        key_len: u32,
        value: u32,
        value_len: u32,
    ) -> Result<()> {
        charge_for(caller, host_gas::transient_write, u64::from(key_len) + u64::from(value_len))?;
        with(caller, |memory, ctx| {
            let key = key_at(memory, key, key_len)?;
            let value = &memory[range(value, value_len, memory).ok_or(Exit::Trap)?];
            let frame = ctx.frame()?;
            let (contract, view) = (frame.contract, frame.view);
            if view || value.len() > ctx.limits.value_bytes_max {
                return Err(Exit::Trap);
            }
            let keys_max = ctx.limits.transient_keys_max;
            ctx.transient.set(contract, key, value, keys_max).map_err(|_| Exit::Trap)
        })
    }

    fn sequence(caller: &mut Caller<'_, Self>) -> Result<u32> {
        charge_for(caller, host_gas::sequence, 0)?;
        with(caller, |_, ctx| ctx.next_number())
    }

    fn emit(caller: &mut Caller<'_, Self>, event: u32, data: u32, data_len: u32) -> Result<()> {
        charge_for(caller, host_gas::emit, data_len.into())?;
        with(caller, |memory, ctx| {
            let data = &memory[range(data, data_len, memory).ok_or(Exit::Trap)?];
            let frame = ctx.frame()?;
            let (contract, view) = (frame.contract, frame.view);
            let contract = ctx.registry.contract(contract);
            if view
                || data.len() > ctx.limits.event_bytes_max
                || ctx.events.len() >= ctx.limits.events_max
                || event as usize >= contract.code.abi.events.len()
            {
                return Err(Exit::Trap);
            }
            let event = Event { contract: contract.address, event, data: data.to_vec() };
            ctx.events.push(event);
            Ok(())
        })
    }

    fn output(caller: &mut Caller<'_, Self>, data: u32, data_len: u32) -> Result<()> {
        charge_for(caller, host_gas::output, data_len.into())?;
        with(caller, |memory, ctx| {
            let data = &memory[range(data, data_len, memory).ok_or(Exit::Trap)?];
            if data.len() > ctx.limits.output_bytes_max {
                return Err(Exit::Trap);
            }
            let output = &mut ctx.frame()?.output;
            output.clear();
            output.extend_from_slice(data);
            Ok(())
        })
    }

    fn revert(caller: &mut Caller<'_, Self>) -> Result<()> {
        charge_for(caller, host_gas::revert, 0)?;
        let fuel_left = caller.get_fuel()?;
        with(caller, |_, ctx| {
            let frame = ctx.frame()?;
            let (error, contract) = (std::mem::take(&mut frame.output), frame.contract);
            let contract = ctx.registry.contract(contract).address;
            Err(Exit::Chosen { outcome: Outcome::Reverted { contract, error }, fuel_left })
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
        charge_for(caller, host_gas::call, u64::from(method_len) + u64::from(args_len))?;
        let target = with(caller, |memory, ctx| {
            let address = &memory[range(address, 32, memory).ok_or(Exit::Trap)?];
            let method = &memory[range(method, method_len, memory).ok_or(Exit::Trap)?];
            let args = &memory[range(args, args_len, memory).ok_or(Exit::Trap)?];
            if method.len() > ctx.limits.name_bytes_max || args.len() > ctx.limits.args_bytes_max {
                return Err(Exit::Trap);
            }
            find_target(ctx, address, method, args)
        })?;
        let status = match target {
            Err(status) => {
                with(caller, |_, ctx| {
                    let contract = ctx.frame()?.contract;
                    let contract = ctx.registry.contract(contract).address;
                    let failure = Failure::CallRefused { contract, status: status as u32 };
                    note_call(ctx, Some(Outcome::Failed(failure)), Vec::new())
                })?;
                status
            }
            Ok((frame, method)) => call_contract(caller, frame, method, gas)?,
        };
        Ok(status as u32)
    }

    fn call_output(caller: &mut Caller<'_, Self>, out: u32, capacity: u32) -> Result<u32> {
        let length = with(caller, |_, ctx| Ok(ctx.frame()?.last_output.len() as u64))?;
        charge_for(caller, host_gas::call_output, length)?;
        with(caller, |memory, ctx| copy_if_fits(memory, out, capacity, &ctx.frame()?.last_output))
    }

    fn forward_failure(caller: &mut Caller<'_, Self>) -> Result<()> {
        charge_for(caller, host_gas::forward_failure, 0)?;
        let fuel_left = caller.get_fuel()?;
        with(caller, |_, ctx| {
            let outcome = ctx.frame()?.last_failure.take().ok_or(Exit::Trap)?;
            Err(Exit::Chosen { outcome, fuel_left })
        })
    }

    fn gas_left(caller: &mut Caller<'_, Self>) -> Result<u64> {
        charge_for(caller, host_gas::gas_left, 0)?;
        Ok(caller.get_fuel()?.saturating_sub(1))
    }
}

/// The frame of a call that a contract wants to make, or why it is refused.
fn find_target(
    ctx: &mut CallContext,
    address: &[u8],
    method: &[u8],
    args: &[u8],
) -> std::result::Result<std::result::Result<(Frame, usize), CallStatus>, Exit> {
    let this = ctx.frame()?;
    let (this_contract, view) = (this.contract, this.view);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(address);
    if ctx.frames.len() >= ctx.limits.call_depth_max {
        return Ok(Err(CallStatus::DepthExceeded));
    }
    let Some(target) = ctx.registry.find(&Address(bytes)) else {
        return Ok(Err(CallStatus::UnknownContract));
    };
    let abi = &ctx.registry.contract(target).code.abi;
    let found = abi.methods.iter().position(|m| m.name.as_bytes() == method);
    let Some(method) = found.filter(|index| abi.methods[*index].name != INIT_METHOD) else {
        return Ok(Err(CallStatus::UnknownMethod));
    };
    let declaration = &abi.methods[method];
    if ctx.is_running(target) && !declaration.reentrant {
        return Ok(Err(CallStatus::ReentrancyRefused));
    }
    if view && declaration.mutability == Mutability::Call {
        return Ok(Err(CallStatus::ViewViolated));
    }
    if check_fields(&declaration.params, args).is_err() {
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
    with(caller, |_, ctx| match end.outcome {
        Outcome::Returned(output) => {
            note_call(ctx, None, output)?;
            Ok(CallStatus::Ok)
        }
        Outcome::Reverted { contract, error } => {
            let outcome = Outcome::Reverted { contract, error: error.clone() };
            note_call(ctx, Some(outcome), error)?;
            Ok(CallStatus::Reverted)
        }
        Outcome::Failed(failure) => {
            let status = match failure {
                Failure::OutOfGas => CallStatus::OutOfGas,
                _ => CallStatus::Trapped,
            };
            note_call(ctx, Some(Outcome::Failed(failure)), Vec::new())?;
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
    frame.last_output = output;
    Ok(())
}
