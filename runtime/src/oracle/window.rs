//! The window of a contract that runs, by the letter of [`tollway_host_api::window`].
//!
//! ```text
//! before a frame   prepare ─▶ Window, and the bytes to put there
//! in it            take_events, take_slots, release (one slot), refresh (after a call)
//! at its end       take_all, or take_output
//! ```

use super::guest::{Change, Frame, Guest, Run, Stop, after, charge_store, counter};
use crate::state::storage_key;
use tollway_host_api::Mode;
use tollway_host_api::functions::host_function;
use tollway_host_api::status::ABSENT;
use tollway_host_api::window::{
    SLOT_ADD, SLOT_CHANGE_GAS, SLOT_CHANGE_GAS_BYTE, SLOT_CHANGED, SLOT_ENTRY_BYTES, SLOT_GAS,
    SLOT_PRESENT, SLOT_READ, SLOT_WRITE, WINDOW_ARGS_BYTES_MAX, WINDOW_EVENTS_BYTES_MAX,
    WINDOW_GAS, WINDOW_HEAP_BYTES, WINDOW_IMMUTABLES_BYTES_MAX, WINDOW_OUTPUT_BYTES_MAX,
    WINDOW_SLOTS_MAX, WINDOW_VALUE_BYTES_MAX, offset,
};
use wasmtime::{Memory, StoreContextMut};

/// Bytes to put into a window, and where.
pub(super) type Image = Vec<(usize, Vec<u8>)>;

/// The window of a frame.
pub(super) struct Window {
    /// Where it starts in the contract's memory.
    start: usize,
    slots: Vec<Slot>,
    /// Whether the contract ran again since the slots were laid out.
    pub(super) is_stale: bool,
}

struct Slot {
    /// As it stands in the state.
    key: Vec<u8>,
    mode: Mode,
    /// How many bytes its value has, and where in the window it lies.
    size: usize,
    value: usize,
    is_out: bool,
}

type Context<'a> = StoreContextMut<'a, Guest>;

/// The window of a frame that is about to start, what to put there, and the gas for that.
pub(super) fn prepare(run: &Run, frame: &Frame) -> Option<(Window, Image, u64)> {
    let contract = &run.world.contracts[&frame.contract];
    let start = contract.code.window? as usize;
    let (args, args_len) = part(&frame.args, WINDOW_ARGS_BYTES_MAX);
    let (immutables, immutables_len) = part(&contract.immutables, WINDOW_IMMUTABLES_BYTES_MAX);
    let (slots, mut image) = lay_out(run, frame);
    let gas = WINDOW_GAS + SLOT_GAS * slots.len() as u64 + (args.len() + immutables.len()) as u64;
    image.extend([
        (offset::SLOT_COUNT, (slots.len() as u32).to_le_bytes().to_vec()),
        (offset::IMMUTABLES_LEN, immutables_len.to_le_bytes().to_vec()),
        (offset::HEIGHT, run.height.to_le_bytes().to_vec()),
        (offset::TIME_MS, run.time_ms.to_le_bytes().to_vec()),
        (offset::CALL_INDEX, run.call_index.to_le_bytes().to_vec()),
        (offset::ARGS_LEN, args_len.to_le_bytes().to_vec()),
        (offset::CALLER, frame.caller.0.to_vec()),
        (offset::THIS, frame.contract.0.to_vec()),
        (offset::OUTPUT_LEN, ABSENT.to_le_bytes().to_vec()),
        (offset::EVENTS_LEN, 0u32.to_le_bytes().to_vec()),
        (offset::ARGS, args),
        (offset::IMMUTABLES, immutables),
    ]);
    Some((Window { start, slots, is_stale: false }, image, gas))
}

/// Bytes that have a place of their own, and their length there.
fn part(bytes: &[u8], most: usize) -> (Vec<u8>, u32) {
    if bytes.len() <= most { (bytes.to_vec(), bytes.len() as u32) } else { (Vec::new(), ABSENT) }
}

fn lay_out(run: &Run, frame: &Frame) -> (Vec<Slot>, Image) {
    let storage = &run.world.contracts[&frame.contract].code.abi.storage;
    let mut slots: Vec<Slot> = Vec::new();
    let mut image = Vec::new();
    let mut used = 0;
    // A rehearsal wants to see every touch, and so has them all come as host calls.
    let declared = if run.log.is_some() { &[][..] } else { &run.declared };
    for (key, mode) in declared {
        let Some(own_key) = key.strip_prefix(&storage_key(&frame.contract, &[])[..]) else {
            continue;
        };
        if storage[usize::from(own_key[0])].prefix_parts.is_some() {
            continue;
        }
        let size = storage[usize::from(own_key[0])].value.fixed_size();
        let Some(size) = size.filter(|size| *size <= WINDOW_VALUE_BYTES_MAX) else { continue };
        let Some(value) = shown_value(run, key, *mode, size) else { continue };
        let key_bytes = padded(&own_key[1..]);
        let bytes = key_bytes.len() + size.next_multiple_of(8);
        if slots.len() == WINDOW_SLOTS_MAX || used + bytes > WINDOW_HEAP_BYTES {
            continue;
        }
        let key_at = offset::HEAP + used;
        let value_at = key_at + key_bytes.len();
        let mut entry = vec![own_key[0], own_key.len() as u8, mode_byte(*mode), state_of(&value)];
        entry.extend((key_at as u16).to_le_bytes());
        entry.extend((value_at as u16).to_le_bytes());
        entry.extend((size as u16).to_le_bytes());
        entry.resize(SLOT_ENTRY_BYTES, 0);
        image.push((offset::DIRECTORY + slots.len() * SLOT_ENTRY_BYTES, entry));
        image.push((key_at, key_bytes));
        image.push((value_at, padded(&value.unwrap_or(vec![0; size]))));
        slots.push(Slot { key: key.clone(), mode: *mode, size, value: value_at, is_out: false });
        used += bytes;
    }
    (slots, image)
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(8), 0);
    padded
}

fn mode_byte(mode: Mode) -> u8 {
    match mode {
        Mode::Read => SLOT_READ,
        Mode::Write => SLOT_WRITE,
        Mode::Add => SLOT_ADD,
    }
}

fn state_of(value: &Option<Vec<u8>>) -> u8 {
    if value.is_some() { SLOT_PRESENT } else { 0 }
}

/// What a slot shows of its key, or `None` if there can't be one.
fn shown_value(run: &Run, key: &[u8], mode: Mode, size: usize) -> Option<Option<Vec<u8>>> {
    if mode == Mode::Add {
        return Some(None);
    }
    let before = run.state.get(key);
    let value = match run.changes.get(key) {
        None => before.cloned(),
        Some(Change::Written(value)) => value.clone(),
        Some(change) => {
            let before = counter(before.map(Vec::as_slice))?;
            Some(after(before, change)?.to_le_bytes().to_vec())
        }
    };
    value.as_ref().is_none_or(|value| value.len() == size).then_some(value)
}

/// The window of the contract that runs, if it has one.
fn window<'a>(context: &'a mut Context<'_>) -> Option<&'a mut Window> {
    context.data_mut().run().top_mut().window.as_mut()
}

fn read<const N: usize>(context: &Context<'_>, memory: Memory, place: usize) -> [u8; N] {
    let mut bytes = [0; N];
    memory.read(context, place, &mut bytes).expect("upload checked that the window is in memory");
    bytes
}

/// Puts bytes into a window that starts at `start`.
pub(super) fn put(context: &mut Context<'_>, memory: Memory, start: usize, image: &Image) {
    for (place, bytes) in image {
        let written = memory.write(&mut *context, start + place, bytes);
        written.expect("upload checked that the window is in memory");
    }
}

/// Puts the first bytes into the window of a frame that starts.
pub(super) fn fill(context: &mut Context<'_>, memory: Memory, image: &Image) {
    if let Some(start) = window(context).map(|window| window.start) {
        put(context, memory, start, image);
    }
}

/// Emits the events in the window.
pub(super) fn take_events(context: &mut Context<'_>, memory: Memory) -> Result<(), Stop> {
    let Some(start) = window(context).map(|window| window.start) else { return Ok(()) };
    let length = u32::from_le_bytes(read(context, memory, start + offset::EVENTS_LEN)) as usize;
    if length > WINDOW_EVENTS_BYTES_MAX {
        return Err(Stop::Trap);
    }
    let all: [u8; WINDOW_EVENTS_BYTES_MAX] = read(context, memory, start + offset::EVENTS);
    let mut rest = &all[..length];
    while !rest.is_empty() {
        let ([header @ .., low, high], tail) = rest.split_first_chunk::<4>().ok_or(Stop::Trap)?;
        let size = u16::from_le_bytes([*low, *high]).into();
        let (data, tail) = tail.split_at_checked(size).ok_or(Stop::Trap)?;
        charge_for(context, "emit", size)?;
        context.data_mut().run().emit(u16::from_le_bytes(*header).into(), data.to_vec())?;
        rest = tail;
    }
    put(context, memory, start, &vec![(offset::EVENTS_LEN, vec![0; 4])]);
    Ok(())
}

/// Takes what the contract did to its slots, which are unchanged then.
pub(super) fn take_slots(context: &mut Context<'_>, memory: Memory) -> Result<(), Stop> {
    let count = window(context).map_or(0, |window| window.slots.len());
    (0..count).try_for_each(|index| take_slot(context, memory, index))
}

fn take_slot(context: &mut Context<'_>, memory: Memory, index: usize) -> Result<(), Stop> {
    let Some(window) = window(context) else { return Ok(()) };
    let (start, slot) = (window.start, &window.slots[index]);
    let (key, mode, size, place) = (slot.key.clone(), slot.mode, slot.size, slot.value);
    let state_at = offset::DIRECTORY + index * SLOT_ENTRY_BYTES + 3;
    if slot.is_out {
        return Ok(());
    }
    let [state] = read(context, memory, start + state_at);
    if state & SLOT_CHANGED == 0 {
        return Ok(());
    }
    let is_present = state & SLOT_PRESENT != 0;
    let is_view = context.data_mut().run().top_mut().view;
    if is_view || mode == Mode::Read || mode == Mode::Add && !is_present {
        return Err(Stop::Trap);
    }
    charge_store(context, SLOT_CHANGE_GAS + SLOT_CHANGE_GAS_BYTE * size as u64)?;
    let bytes: [u8; WINDOW_VALUE_BYTES_MAX] = {
        let mut bytes = [0; WINDOW_VALUE_BYTES_MAX];
        let read = memory.read(&*context, start + place, &mut bytes[..size]);
        read.expect("upload checked that the window is in memory");
        bytes
    };
    let run = context.data_mut().run();
    let state_after = match mode {
        Mode::Add => {
            let amount = counter(Some(&bytes[..size])).ok_or(Stop::Trap)?;
            run.add(key, amount)?;
            let zeros = vec![(place, vec![0; size])];
            put(context, memory, start, &zeros);
            0
        }
        Mode::Read | Mode::Write => {
            if is_present && size > run.world.limits.value_bytes_max {
                return Err(Stop::Trap);
            }
            let value = is_present.then(|| bytes[..size].to_vec());
            run.changes.insert(key, Change::Written(value));
            state & !SLOT_CHANGED
        }
    };
    put(context, memory, start, &vec![(state_at, vec![state_after])]);
    Ok(())
}

/// Takes the change of the slot that a key of the running contract has, if it has one, and takes
/// the slot out.
pub(super) fn release(context: &mut Context<'_>, memory: Memory, key: &[u8]) -> Result<(), Stop> {
    let key = storage_key(&context.data_mut().run().top_mut().contract, key);
    let Some(window) = window(context) else { return Ok(()) };
    let has_key = |slot: &Slot| slot.key == key && !slot.is_out;
    let Some(index) = window.slots.iter().position(has_key) else { return Ok(()) };
    take_slot(context, memory, index)?;
    take_out(context, memory, index);
    Ok(())
}

fn take_out(context: &mut Context<'_>, memory: Memory, index: usize) {
    let Some(window) = window(context) else { return };
    window.slots[index].is_out = true;
    let start = window.start;
    let length_at = offset::DIRECTORY + index * SLOT_ENTRY_BYTES + 1;
    put(context, memory, start, &vec![(length_at, vec![0])]);
}

/// Lays values out anew if the contract ran again since they were.
pub(super) fn refresh(context: &mut Context<'_>, memory: Memory) {
    let Some(window) = window(context).filter(|window| window.is_stale) else { return };
    window.is_stale = false;
    let (start, count) = (window.start, window.slots.len());
    for index in 0..count {
        let run = context.data_mut().run();
        let Some(window) = &run.top().window else { return };
        let slot = &window.slots[index];
        if slot.is_out {
            continue;
        }
        match shown_value(run, &slot.key, slot.mode, slot.size) {
            Some(value) => {
                let state_at = offset::DIRECTORY + index * SLOT_ENTRY_BYTES + 3;
                let state = (state_at, vec![state_of(&value)]);
                let value = (slot.value, padded(&value.unwrap_or(vec![0; slot.size])));
                put(context, memory, start, &vec![state, value]);
            }
            None => take_out(context, memory, index),
        }
    }
}

/// Says in the window that the output is not there.
pub(super) fn forget_output(context: &mut Context<'_>, memory: Memory) {
    if let Some(start) = window(context).map(|window| window.start) {
        put(context, memory, start, &vec![(offset::OUTPUT_LEN, ABSENT.to_le_bytes().to_vec())]);
    }
}

/// Takes the output, if it is in the window.
pub(super) fn take_output(context: &mut Context<'_>, memory: Memory) -> Result<(), Stop> {
    let Some(start) = window(context).map(|window| window.start) else { return Ok(()) };
    let length = u32::from_le_bytes(read(context, memory, start + offset::OUTPUT_LEN));
    if length == ABSENT {
        return Ok(());
    }
    let length = length as usize;
    if length > WINDOW_OUTPUT_BYTES_MAX {
        return Err(Stop::Trap);
    }
    charge_for(context, "output", length)?;
    let all: [u8; WINDOW_OUTPUT_BYTES_MAX] = read(context, memory, start + offset::OUTPUT);
    let run = context.data_mut().run();
    if length > run.world.limits.output_bytes_max {
        return Err(Stop::Trap);
    }
    run.top_mut().output = all[..length].to_vec();
    Ok(())
}

/// Takes all that a frame that succeeded left.
pub(super) fn take_all(context: &mut Context<'_>, memory: Memory) -> Result<(), Stop> {
    take_events(context, memory)?;
    take_slots(context, memory)?;
    take_output(context, memory)
}

fn charge_for(context: &mut Context<'_>, name: &str, bytes: usize) -> Result<(), Stop> {
    let row = host_function(name).expect("it is in the table");
    charge_store(context, row.gas_base + row.gas_byte * bytes as u64)
}
