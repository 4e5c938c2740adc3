//! A swap for engines without a chain around them: three host functions, arguments in registers.
//!
//! ```text
//! key    three u32 in memory: what, of which pool or trader, of which token
//! value  a u128 in memory
//! ```
#![no_std]

use core::panic::PanicInfo;
use guest_formula::amount_out;

/// What a key names; the host knows the same numbers.
const ENABLED: u32 = 0;
const FEE: u32 = 1;
const RESERVE: u32 = 2;
const BALANCE: u32 = 3;

type Key = [u32; 3];

/// What a swap tells the world.
#[repr(C)]
struct Event {
    pool: u32,
    trader: u32,
    dir: u32,
    /// So that no byte of it is undefined.
    zero: u32,
    amount_in: u128,
    out: u128,
}

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    fn read(key: *const Key, value: *mut u128);
    fn write(key: *const Key, value: *const u128);
    fn emit(event: *const Event);
}

fn get(key: Key) -> u128 {
    let mut value = 0;
    // SAFETY: the host reads 12 bytes and writes 16, which both places have.
    unsafe { read(&key, &mut value) };
    value
}

fn set(key: Key, value: u128) {
    // SAFETY: the host reads 12 bytes and 16 bytes.
    unsafe { write(&key, &value) };
}

fn wide(low: u64, high: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// Swaps; `dir` is 0 if token A comes in. Amounts come as two halves. Returns whether it was done.
#[unsafe(no_mangle)]
pub extern "C" fn swap(
    pool: u32,
    trader: u32,
    dir: u32,
    amount_low: u64,
    amount_high: u64,
    min_low: u64,
    min_high: u64,
) -> u32 {
    let (amount_in, min_out) = (wide(amount_low, amount_high), wide(min_low, min_high));
    u32::from(try_swap(pool, trader, dir, amount_in, min_out).is_some())
}

fn try_swap(pool: u32, trader: u32, dir: u32, amount_in: u128, min_out: u128) -> Option<()> {
    let (input, output) = (dir & 1, 1 - (dir & 1));
    if get([ENABLED, pool, 0]) != 1 {
        return None;
    }
    let fee = get([FEE, pool, 0]);
    let x = get([RESERVE, pool, input]);
    let y = get([RESERVE, pool, output]);
    let balance_in = get([BALANCE, trader, input]).checked_sub(amount_in)?;
    let out = amount_out(x, y, amount_in, min_out, fee)?;
    let balance_out = get([BALANCE, trader, output]).checked_add(out)?;
    set([RESERVE, pool, input], x + amount_in);
    set([RESERVE, pool, output], y - out);
    set([BALANCE, trader, input], balance_in);
    set([BALANCE, trader, output], balance_out);
    let event = Event { pool, trader, dir: input, zero: 0, amount_in, out };
    // SAFETY: the host reads the size of an event.
    unsafe { emit(&event) };
    Some(())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
