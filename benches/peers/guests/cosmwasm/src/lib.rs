//! The exchange as a contract for CosmWasm, written against its interface and not with its SDK.
//!
//! The SDK needs Rust's `std`, which is compiled with bulk memory instructions today, and the VM
//! refuses those. This is less work than the SDK makes: keys and values are plain bytes, and only
//! what is needed of the JSON is read.
//!
//! ```text
//! key                          value
//! 'p' pool                     reserve A, reserve B, fee, enabled
//! 'b' token trader's address   balance
//! ```
//!
//! There is no set-up here: the host writes these entries to its storage.
#![no_std]

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};
use guest_formula::amount_out;
use serde::Deserialize;

/// How the host and a contract pass bytes: where they are, how much room and how much of it is used.
#[repr(C)]
struct Region {
    offset: u32,
    capacity: u32,
    length: u32,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn db_read(key: *const Region) -> *const Region;
    fn db_write(key: *const Region, value: *const Region);
}

/// The most bytes of all that a call allocates.
const HEAP_BYTES: usize = 16 << 10;

/// What is allocated is never freed: each call has an instance of its own.
#[repr(align(16))]
struct Heap(#[expect(dead_code, reason = "used by its address only")] [u8; HEAP_BYTES]);

static mut HEAP: Heap = Heap([0; HEAP_BYTES]);
static USED: AtomicUsize = AtomicUsize::new(0);

/// Bytes that nobody else has.
fn take(size: usize) -> *mut u8 {
    let start = USED.load(Ordering::Relaxed);
    let end = start + size.next_multiple_of(16);
    assert!(end <= HEAP_BYTES);
    USED.store(end, Ordering::Relaxed);
    // SAFETY: the range is inside the heap, and no other has it, as `USED` only grows.
    unsafe { (&raw mut HEAP).cast::<u8>().add(start) }
}

/// Room for what the host passes.
#[unsafe(no_mangle)]
extern "C" fn allocate(size: usize) -> *mut Region {
    let bytes = take(size);
    let region = take(size_of::<Region>()).cast::<Region>();
    // SAFETY: the heap is aligned and the room has the size.
    unsafe { region.write(Region { offset: bytes as u32, capacity: size as u32, length: 0 }) };
    region
}

#[unsafe(no_mangle)]
extern "C" fn deallocate(_: *mut Region) {}

#[unsafe(no_mangle)]
extern "C" fn interface_version_8() {}

/// The bytes of a region that the host filled.
///
/// # Safety
/// It is one that [`allocate`] made.
unsafe fn bytes_of(region: *const Region) -> &'static [u8] {
    // SAFETY: as the caller promises; nothing on the heap is written twice.
    unsafe {
        let region = &*region;
        core::slice::from_raw_parts(region.offset as *const u8, region.length as usize)
    }
}

fn region_of(bytes: &[u8]) -> Region {
    let length = bytes.len() as u32;
    Region { offset: bytes.as_ptr() as u32, capacity: length, length }
}

fn read(key: &[u8]) -> Option<&'static [u8]> {
    // SAFETY: the host reads the key, and answers null or with a region that it allocated.
    unsafe {
        let region = db_read(&region_of(key));
        if region.is_null() { None } else { Some(bytes_of(region)) }
    }
}

fn write(key: &[u8], value: &[u8]) {
    // SAFETY: the host only reads both.
    unsafe { db_write(&region_of(key), &region_of(value)) };
}

/// Text in a buffer of fixed size.
struct Text<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl Text<'_> {
    fn new(size: usize) -> Self {
        let start = take(size);
        // SAFETY: nobody else has these bytes, and they are zero.
        Self { buffer: unsafe { core::slice::from_raw_parts_mut(start, size) }, length: 0 }
    }

    /// As the answer of an entry point, which the host reads after it returned.
    fn answer(self) -> *const Region {
        let region = allocate(0);
        // SAFETY: the region was just made.
        unsafe { region.write(region_of(&self.buffer[..self.length])) };
        region
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.buffer.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[derive(Deserialize)]
struct Info<'a> {
    sender: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message<'a> {
    #[serde(borrow)]
    Swap(Swap<'a>),
}

/// Amounts are decimal numbers in strings, as the SDK's are.
#[derive(Deserialize)]
struct Swap<'a> {
    pool: u32,
    reversed: bool,
    amount_in: &'a str,
    min_out: &'a str,
}

#[unsafe(no_mangle)]
extern "C" fn instantiate(_env: u32, _info: u32, _message: u32) -> *const Region {
    refuse("nothing to set up")
}

/// The entry point of all calls; the host passes JSON.
#[unsafe(no_mangle)]
extern "C" fn execute(
    _env: *const Region,
    info: *const Region,
    message: *const Region,
) -> *const Region {
    // SAFETY: the host passes regions that it allocated.
    let (info, message) = unsafe { (bytes_of(info), bytes_of(message)) };
    let Ok((info, _)) = serde_json_core::from_slice::<Info<'_>>(info) else {
        return refuse("bad info");
    };
    let Ok((Message::Swap(swap), _)) = serde_json_core::from_slice(message) else {
        return refuse("bad message");
    };
    match try_swap(info.sender, &swap) {
        Some(out) => {
            let mut text = Text::new(512);
            let Swap { pool, reversed, amount_in, .. } = swap;
            let sender = info.sender;
            let written = write!(
                text,
                concat!(
                    r#"{{"ok":{{"messages":[],"attributes":["#,
                    r#"{{"key":"pool","value":"{}"}},{{"key":"trader","value":"{}"}},"#,
                    r#"{{"key":"reversed","value":"{}"}},{{"key":"amount_in","value":"{}"}},"#,
                    r#"{{"key":"out","value":"{}"}}],"events":[],"data":null}}}}"#
                ),
                pool, sender, reversed, amount_in, out
            );
            assert!(written.is_ok());
            text.answer()
        }
        None => refuse("no such swap"),
    }
}

fn refuse(reason: &str) -> *const Region {
    let mut text = Text::new(64);
    assert!(write!(text, r#"{{"error":"{reason}"}}"#).is_ok());
    text.answer()
}

/// Key and value of a balance.
struct Balance {
    key: [u8; 96],
    length: usize,
    amount: u128,
}

impl Balance {
    fn read(trader: &str, token: u8) -> Option<Self> {
        let length = 2 + trader.len();
        let mut key = [0; 96];
        key[..2].copy_from_slice(&[b'b', token]);
        key.get_mut(2..length)?.copy_from_slice(trader.as_bytes());
        let amount = match read(&key[..length]) {
            Some(value) => u128::from_le_bytes(value.try_into().ok()?),
            None => 0,
        };
        Some(Self { key, length, amount })
    }

    fn write(&self, amount: u128) {
        write(&self.key[..self.length], &amount.to_le_bytes());
    }
}

fn try_swap(trader: &str, swap: &Swap<'_>) -> Option<u128> {
    let amount_in: u128 = swap.amount_in.parse().ok()?;
    let min_out: u128 = swap.min_out.parse().ok()?;
    let mut key = [b'p'; 5];
    key[1..].copy_from_slice(&swap.pool.to_le_bytes());
    let mut pool: [u8; 34] = read(&key)?.try_into().ok()?;
    let (reserves, config) = pool.split_at_mut(32);
    let [fee, enabled] = *config else { return None };
    if enabled != 1 {
        return None;
    }
    let (a, b) = reserves.split_at_mut(16);
    let (x_bytes, y_bytes) = if swap.reversed { (b, a) } else { (a, b) };
    let x = u128::from_le_bytes((&*x_bytes).try_into().ok()?);
    let y = u128::from_le_bytes((&*y_bytes).try_into().ok()?);

    let balance_in = Balance::read(trader, swap.reversed.into())?;
    let left = balance_in.amount.checked_sub(amount_in)?;
    let out = amount_out(x, y, amount_in, min_out, fee.into())?;
    let balance_out = Balance::read(trader, (!swap.reversed).into())?;

    x_bytes.copy_from_slice(&(x + amount_in).to_le_bytes());
    y_bytes.copy_from_slice(&(y - out).to_le_bytes());
    write(&key, &pool);
    balance_in.write(left);
    balance_out.write(balance_out.amount.checked_add(out)?);
    Some(out)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
