//! The host's side of a contract's window: laid out before a frame, taken from while it runs and at
//! its end. What lies where, and what costs what, is told in [`tollway_host_api::window`].
//!
//! ```text
//! before a frame   choose ─▶ slots, and the gas for them; lay_out
//! in it            take_events, take_slots, release (one slot), refresh (after a call)
//! at its end       take_all, or take_output
//! ```
//!
//! # Invariants
//! 1. Nothing in the window is trusted: which slots there are, and what they are for, is known here
//!    (`tests/window.rs`).

use crate::engine::link::host_gas;
use crate::execute::call::{CallContext, Change, Exit, Frame, Touched};
use crate::receipt::Event;
use tollway_host_api::Mode;
use tollway_host_api::status::ABSENT;
use tollway_host_api::window::{
    SLOT_ADD, SLOT_CHANGE_GAS, SLOT_CHANGE_GAS_BYTE, SLOT_CHANGED, SLOT_ENTRY_BYTES, SLOT_GAS,
    SLOT_PRESENT, SLOT_READ, SLOT_WRITE, WINDOW_ARGS_BYTES_MAX, WINDOW_BYTES,
    WINDOW_EVENTS_BYTES_MAX, WINDOW_GAS, WINDOW_HEAP_BYTES, WINDOW_IMMUTABLES_BYTES_MAX,
    WINDOW_OUTPUT_BYTES_MAX, WINDOW_SLOTS_MAX, offset,
};

/// The window of a frame.
#[derive(Default)]
pub(crate) struct Window {
    /// Where it starts in the contract's memory, if the contract has one.
    start: Option<usize>,
    slots: Vec<Slot>,
    /// Whether the contract ran again since the slots were laid out.
    pub(crate) is_stale: bool,
}

struct Slot {
    /// The position of its key among those that the call touched.
    touched: usize,
    mode: Mode,
    size: u16,
    key_at: u16,
    value_at: u16,
    /// Whether host functions alone serve the key now.
    is_out: bool,
}

impl Window {
    pub(crate) fn clear(&mut self) {
        self.start = None;
        self.slots.clear();
        self.is_stale = false;
    }
}

type Taken = Result<(), Exit>;

/// Takes an amount from fuel, of which one unit has to remain.
#[inline]
pub(crate) fn charge(fuel: &mut u64, amount: u64) -> Taken {
    if *fuel <= amount {
        return Err(Exit::OutOfGas);
    }
    *fuel -= amount;
    Ok(())
}

/// Chooses the slots of a frame that is to start. Returns the gas for laying its window out.
pub(crate) fn choose(ctx: &CallContext, frame: &mut Frame) -> u64 {
    let contract = ctx.registry.contract(frame.contract);
    let Some(start) = contract.code.window else { return 0 };
    frame.window.start = Some(start as usize);
    let slots = &mut frame.window.slots;
    let mut used = 0;
    for (touched, key) in ctx.declared().iter().enumerate() {
        if key.contract != frame.contract {
            continue;
        }
        if slots.len() == WINDOW_SLOTS_MAX {
            break;
        }
        let bytes = ctx.key(key);
        let Some(size) = contract.code.slot_size(bytes[0]) else { continue };
        if shown(ctx, key, size).is_none() {
            continue;
        }
        let (key_size, value_size) = (padded(bytes.len() - 1), padded(size));
        if used + key_size + value_size > WINDOW_HEAP_BYTES {
            continue;
        }
        let key_at = offset::HEAP + used;
        slots.push(Slot {
            touched,
            mode: key.declared,
            size: size as u16,
            key_at: key_at as u16,
            value_at: (key_at + key_size) as u16,
            is_out: false,
        });
        used += key_size + value_size;
    }
    let mut gas = WINDOW_GAS + SLOT_GAS * slots.len() as u64;
    if frame.args.len() <= WINDOW_ARGS_BYTES_MAX {
        gas += frame.args.len() as u64;
    }
    if contract.immutables.len() <= WINDOW_IMMUTABLES_BYTES_MAX {
        gas += contract.immutables.len() as u64;
    }
    gas
}

#[inline]
fn padded(size: usize) -> usize {
    size.next_multiple_of(8)
}

/// What a slot shows of a key: nothing for adds, else its value now. `None` if there can't be a
/// slot of this size.
#[inline]
fn shown<'c>(ctx: &'c CallContext, touched: &Touched, size: usize) -> Option<Shown<'c>> {
    if touched.declared == Mode::Add {
        return Some(Shown::Nothing);
    }
    let input = || touched.input.map(|input| ctx.bytes(input));
    let value = match touched.change {
        Change::None => input(),
        Change::Written(value) => value.map(|value| ctx.bytes(value)),
        Change::Added(net) => {
            return match size {
                16 => net.apply(input()).map(|sum| Shown::Sum(sum.to_le_bytes())),
                _ => None,
            };
        }
    };
    match value {
        None => Some(Shown::Nothing),
        Some(value) if value.len() == size => Some(Shown::Value(value)),
        Some(_) => None,
    }
}

enum Shown<'a> {
    Nothing,
    Value(&'a [u8]),
    Sum([u8; 16]),
}

impl Shown<'_> {
    /// Writes the padded value and returns the slot's state.
    #[inline]
    fn write(&self, place: &mut [u8]) -> u8 {
        let bytes: &[u8] = match self {
            Shown::Nothing => {
                place.fill(0);
                return 0;
            }
            Shown::Value(value) => value,
            Shown::Sum(bytes) => bytes,
        };
        let (value, rest) = place.split_at_mut(bytes.len());
        value.copy_from_slice(bytes);
        rest.fill(0);
        SLOT_PRESENT
    }
}

/// The frame that runs, and its window in the memory of its contract, if it has one.
#[inline]
fn window<'m>(memory: &'m mut [u8], frame: &Frame) -> Option<&'m mut [u8; WINDOW_BYTES]> {
    memory.get_mut(frame.window.start?..)?.first_chunk_mut()
}

#[inline]
fn put<const N: usize>(window: &mut [u8; WINDOW_BYTES], at: usize, bytes: [u8; N]) {
    window[at..at + N].copy_from_slice(&bytes);
}

#[inline]
fn get_u32(window: &[u8; WINDOW_BYTES], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&window[at..at + 4]);
    u32::from_le_bytes(bytes)
}

#[inline]
fn state_at(slot: usize) -> usize {
    offset::DIRECTORY + slot * SLOT_ENTRY_BYTES + 3
}

/// Fills the window of the frame on top, which is about to start.
pub(crate) fn lay_out(memory: &mut [u8], ctx: &mut CallContext) {
    let Some(frame) = ctx.frames.last() else { return };
    let Some(window) = window(memory, frame) else { return };
    let contract = ctx.registry.contract(frame.contract);
    put(window, offset::SLOT_COUNT, (frame.window.slots.len() as u32).to_le_bytes());
    put(window, offset::HEIGHT, ctx.height.0.to_le_bytes());
    put(window, offset::TIME_MS, ctx.time_ms.to_le_bytes());
    put(window, offset::CALL_INDEX, ctx.call_index.to_le_bytes());
    put(window, offset::CALLER, frame.caller.0);
    put(window, offset::THIS, contract.address.0);
    put(window, offset::OUTPUT_LEN, ABSENT.to_le_bytes());
    put(window, offset::EVENTS_LEN, [0; 4]);
    let length = put_part(window, offset::ARGS, WINDOW_ARGS_BYTES_MAX, &frame.args);
    put(window, offset::ARGS_LEN, length.to_le_bytes());
    let most = WINDOW_IMMUTABLES_BYTES_MAX;
    let length = put_part(window, offset::IMMUTABLES, most, &contract.immutables);
    put(window, offset::IMMUTABLES_LEN, length.to_le_bytes());
    for (index, slot) in frame.window.slots.iter().enumerate() {
        let touched = &ctx.declared()[slot.touched];
        let key = ctx.key(touched);
        let place = &mut window[usize::from(slot.value_at)..][..padded(slot.size.into())];
        let state = shown(ctx, touched, slot.size.into()).map_or(0, |shown| shown.write(place));
        let (first, rest) = (key[0], &key[1..]);
        let place = &mut window[usize::from(slot.key_at)..usize::from(slot.value_at)];
        let (bytes, padding) = place.split_at_mut(rest.len());
        bytes.copy_from_slice(rest);
        padding.fill(0);
        let mode = match slot.mode {
            Mode::Read => SLOT_READ,
            Mode::Write => SLOT_WRITE,
            Mode::Add => SLOT_ADD,
        };
        let mut entry = [0; SLOT_ENTRY_BYTES];
        entry[..4].copy_from_slice(&[first, key.len() as u8, mode, state]);
        entry[4..6].copy_from_slice(&slot.key_at.to_le_bytes());
        entry[6..8].copy_from_slice(&slot.value_at.to_le_bytes());
        entry[8..10].copy_from_slice(&slot.size.to_le_bytes());
        put(window, offset::DIRECTORY + index * SLOT_ENTRY_BYTES, entry);
    }
}

/// Puts bytes that have a place of their own, if they fit. Returns their length there.
#[inline]
fn put_part(window: &mut [u8; WINDOW_BYTES], at: usize, most: usize, bytes: &[u8]) -> u32 {
    if bytes.len() > most {
        return ABSENT;
    }
    window[at..at + bytes.len()].copy_from_slice(bytes);
    bytes.len() as u32
}

/// Emits the events in the window.
pub(crate) fn take_events(memory: &mut [u8], ctx: &mut CallContext, fuel: &mut u64) -> Taken {
    let Some(frame) = ctx.frames.last() else { return Ok(()) };
    let (contract, view) = (frame.contract, frame.view);
    let Some(window) = window(memory, frame) else { return Ok(()) };
    let length = get_u32(window, offset::EVENTS_LEN) as usize;
    if length == 0 {
        return Ok(());
    }
    if length > WINDOW_EVENTS_BYTES_MAX {
        return Err(Exit::Trap);
    }
    let mut rest = &window[offset::EVENTS..offset::EVENTS + length];
    while !rest.is_empty() {
        let ([first, second, low, high], tail) = rest.split_first_chunk().ok_or(Exit::Trap)?;
        let size = usize::from(u16::from_le_bytes([*low, *high]));
        let (data, tail) = tail.split_at_checked(size).ok_or(Exit::Trap)?;
        charge(fuel, host_gas::emit.0 + host_gas::emit.1 * size as u64)?;
        let event = u16::from_le_bytes([*first, *second]).into();
        emit(ctx, contract, view, event, data)?;
        rest = tail;
    }
    put(window, offset::EVENTS_LEN, [0; 4]);
    Ok(())
}

/// Emits an event of a contract that runs.
pub(crate) fn emit(
    ctx: &mut CallContext,
    contract: u32,
    view: bool,
    event: u32,
    data: &[u8],
) -> Taken {
    let contract = ctx.registry.contract(contract);
    if view
        || data.len() > ctx.limits.event_bytes_max
        || ctx.events.len() >= ctx.limits.events_max
        || event as usize >= contract.code.abi.events.len()
    {
        return Err(Exit::Trap);
    }
    ctx.events.push(Event { contract: contract.address, event, data: data.into() });
    Ok(())
}

/// Takes what the contract did to its slots, which are unchanged then.
pub(crate) fn take_slots(memory: &mut [u8], ctx: &mut CallContext, fuel: &mut u64) -> Taken {
    let count = ctx.frames.last().map_or(0, |frame| frame.window.slots.len());
    (0..count).try_for_each(|index| take_slot(memory, ctx, fuel, index))
}

#[inline]
fn take_slot(memory: &mut [u8], ctx: &mut CallContext, fuel: &mut u64, index: usize) -> Taken {
    let Some(frame) = ctx.frames.last() else { return Ok(()) };
    let Some(window) = window(memory, frame) else { return Ok(()) };
    let slot = &frame.window.slots[index];
    let state = window[state_at(index)];
    if slot.is_out || state & SLOT_CHANGED == 0 {
        return Ok(());
    }
    let is_present = state & SLOT_PRESENT != 0;
    if frame.view || slot.mode == Mode::Read || slot.mode == Mode::Add && !is_present {
        return Err(Exit::Trap);
    }
    let (touched, size) = (slot.touched, usize::from(slot.size));
    charge(fuel, SLOT_CHANGE_GAS + SLOT_CHANGE_GAS_BYTE * size as u64)?;
    let value = &mut window[usize::from(slot.value_at)..][..size];
    if slot.mode == Mode::Add {
        let bytes: &[u8; 16] = (&*value).try_into().map_err(|_| Exit::Trap)?;
        let amount = u128::from_le_bytes(*bytes);
        value.fill(0);
        window[state_at(index)] = 0;
        return ctx.add(touched, amount);
    }
    if is_present && size > ctx.limits.value_bytes_max {
        return Err(Exit::Trap);
    }
    let value = usize::from(slot.value_at)..usize::from(slot.value_at) + size;
    window[state_at(index)] = state & !SLOT_CHANGED;
    let value = is_present.then_some(&window[value]);
    ctx.write(touched, value);
    Ok(())
}

/// Takes the change of the slot that a key of the running contract has, if it has one, and takes
/// the slot out.
pub(crate) fn release(
    memory: &mut [u8],
    ctx: &mut CallContext,
    fuel: &mut u64,
    key: &[u8],
) -> Taken {
    let Some(frame) = ctx.frames.last() else { return Ok(()) };
    let is_it = |slot: &Slot| {
        let touched = &ctx.declared()[slot.touched];
        !slot.is_out && ctx.key(touched) == key
    };
    let Some(index) = frame.window.slots.iter().position(is_it) else { return Ok(()) };
    take_slot(memory, ctx, fuel, index)?;
    take_out(memory, ctx, index);
    Ok(())
}

fn take_out(memory: &mut [u8], ctx: &mut CallContext, index: usize) {
    let Some(frame) = ctx.frames.last_mut() else { return };
    frame.window.slots[index].is_out = true;
    if let Some(window) = window(memory, frame) {
        window[offset::DIRECTORY + index * SLOT_ENTRY_BYTES + 1] = 0;
    }
}

/// Lays values out anew if the contract ran again since they were.
pub(crate) fn refresh(memory: &mut [u8], ctx: &mut CallContext) {
    let Some(frame) = ctx.frames.last_mut() else { return };
    if !std::mem::take(&mut frame.window.is_stale) {
        return;
    }
    for index in 0..frame.window.slots.len() {
        let Some(frame) = ctx.frames.last() else { return };
        let Some(window) = window(memory, frame) else { return };
        let slot = &frame.window.slots[index];
        if slot.is_out {
            continue;
        }
        let size = usize::from(slot.size);
        match shown(ctx, &ctx.declared()[slot.touched], size) {
            Some(shown) => {
                let place = &mut window[usize::from(slot.value_at)..][..padded(size)];
                window[state_at(index)] = shown.write(place);
            }
            None => take_out(memory, ctx, index),
        }
    }
}

/// Says in the window that the output is not there.
pub(crate) fn forget_output(memory: &mut [u8], ctx: &CallContext) {
    if let Some(window) = ctx.frames.last().and_then(|frame| window(memory, frame)) {
        put(window, offset::OUTPUT_LEN, ABSENT.to_le_bytes());
    }
}

/// Takes the output, if it is in the window.
pub(crate) fn take_output(memory: &mut [u8], ctx: &mut CallContext, fuel: &mut u64) -> Taken {
    let Some(frame) = ctx.frames.last_mut() else { return Ok(()) };
    let Some(window) = window(memory, frame) else { return Ok(()) };
    let length = get_u32(window, offset::OUTPUT_LEN);
    if length == ABSENT {
        return Ok(());
    }
    let length = length as usize;
    if length > WINDOW_OUTPUT_BYTES_MAX {
        return Err(Exit::Trap);
    }
    charge(fuel, host_gas::output.0 + host_gas::output.1 * length as u64)?;
    if length > ctx.limits.output_bytes_max {
        return Err(Exit::Trap);
    }
    frame.output.clear();
    frame.output.extend_from_slice(&window[offset::OUTPUT..offset::OUTPUT + length]);
    Ok(())
}

/// Takes all that a frame that succeeded left.
pub(crate) fn take_all(memory: &mut [u8], ctx: &mut CallContext, fuel: &mut u64) -> Taken {
    take_events(memory, ctx, fuel)?;
    take_slots(memory, ctx, fuel)?;
    take_output(memory, ctx, fuel)
}
