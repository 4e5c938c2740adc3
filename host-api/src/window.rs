//! The window: a region of a contract's own memory in which the host lays out what a call will
//! need before it starts, and from which it takes back what the call changed. What is in the
//! window needs no host function.
//!
//! A contract has a window if it exports an immutable `i32` global named [`WINDOW_EXPORT`] whose
//! value is the address of [`WINDOW_BYTES`] bytes, aligned to 8, inside the memory that it starts
//! with. Each frame (a contract on the call stack) has its own.
//!
//! ```text
//!    0  u32 slot count             96  u32 output length, guest sets   616  immutables, 128
//!    4  u32 immutables' length    100  u32 events' length, guest sets  744  directory, 16 entries of 16
//!    8  u64 height                104  output, 64                     1000  heap: keys and values, 1048
//!   16  u64 time_ms               168  events, 192
//!   24  u32 call index            360  arguments, 256
//!   28  u32 arguments' length
//!   32  caller    64  this
//! ```
//!
//! All numbers are little-endian. Arguments and immutables that are longer than their place are
//! not laid out: their length is [`ABSENT`](crate::status::ABSENT), and the host functions give
//! them. The output's length starts as `ABSENT`, that of the events as 0. Bytes that this page does
//! not name are left as the instance's memory starts with them.
//!
//! # Slots
//! A *slot* is a key of the top-level call's access set that belongs to the running contract and
//! whose value is at hand. Keys are taken in the order of the access set (that of the templates,
//! each key where it is first named) as long as there are slots and there is room. A key gets a
//! slot if
//! 1. its storage field's values have a fixed size of at most [`WINDOW_VALUE_BYTES_MAX`] bytes, and
//!    the field has no [prefixes](crate::StorageField::prefix_parts),
//! 2. the mode is [`Add`](crate::Mode::Add), or it now holds nothing, or a value of exactly that
//!    size,
//! 3. the heap has room left for key and value, each padded to a multiple of 8 bytes.
//!
//! A key that does not is passed over, and takes no room. A call without an access set has no
//! slots. Keys that a call touched outside its access set do not count, nor does a mode that it
//! exceeded: slots follow the declaration alone.
//!
//! What a key *now holds* is its value before the call, with what the call did to it so far. If the
//! call added to it without reading, that is the sum; if there is no such sum, the key is passed
//! over. Laying a key out changes nothing: what was added is still an add.
//!
//! Each slot has an entry in the directory:
//!
//! | offset | | |
//! | --- | --- | --- |
//! | 0 | u8 | storage field: the key's first byte |
//! | 1 | u8 | length of the key, first byte included; 0 if the slot was taken out |
//! | 2 | u8 | mode: [`SLOT_READ`], [`SLOT_WRITE`] or [`SLOT_ADD`] |
//! | 3 | u8 | state: bits [`SLOT_PRESENT`] and [`SLOT_CHANGED`] |
//! | 4 | u16 | where the key's bytes after the first lie, from the start of the window |
//! | 6 | u16 | where the value lies |
//! | 8 | u16 | size of the value |
//! | 10 | | zeros |
//!
//! The heap is filled from its start without gaps: each slot's key, then its value. Keys and values
//! are padded with zeros; the value of a key that holds nothing is all zeros, and its state 0. The
//! guest may read a slot of mode read or write, change one of mode write (new value and both bits,
//! or [`SLOT_CHANGED`] alone to remove the key), and add to one of mode add: its state starts as 0
//! and its value as 16 zeros, the guest sets it to all that was added so far and sets both bits.
//! Anything else goes through the host functions.
//!
//! A host function that touches a key that has a slot in the running frame first takes the slot's
//! change, then takes the slot out: its entry's key length becomes 0, and host functions alone serve
//! the key until the frame ends.
//!
//! # What is taken, and when
//! - Events: one after another, each a u16 index, a u16 length and the data, no padding; their
//!   length together at offset 100. Taken before `emit` emits, before `call` calls, and at the end
//!   of a frame that succeeds. Then the length is 0 again.
//! - Changed slots, in order: before `call` calls, and at the end of a frame that succeeds. After
//!   `call`, slots that were changed are unchanged again: [`SLOT_CHANGED`] is gone, and slots of
//!   mode add hold 0 and have the state 0. If the contract ran again in the meantime (a frame of it
//!   started, however it ended), state and value of every slot are laid out anew; one that
//!   would get no slot now, because of what its key holds, is taken out.
//! - The output: at the end of a frame, whether it succeeds or reverts (but not where it ends by
//!   `forward_failure`), if its length is not [`ABSENT`](crate::status::ABSENT), which the host sets
//!   before the frame and whenever the host function `output` is used.
//!
//! At the end of a frame that succeeds, events come first, then slots, then the output. A host
//! function takes what it has to take once it was charged for and its lengths and ranges are found
//! right, before it checks or does anything else; `call` also takes if it is then refused. A frame
//! that fails in any other way leaves nothing to take.
//!
//! A slot is changed if [`SLOT_CHANGED`] is set in its state, and holds a value if [`SLOT_PRESENT`]
//! is; other bits mean nothing. A change of mode write counts like the host function `write` or
//! `remove`, one of mode add like `add`, each event like `emit`, the output like `output`, with
//! their limits and failures.
//!
//! What does not fit this description is a misuse and ends the frame with a trap: a changed slot of
//! mode read, a removed one of mode add, a change or an event in a view, events or output that are
//! longer than their place or cut short, an event that the ABI does not have. What is taken is taken
//! one by one, and the first that fails decides how the frame ends. The host looks at no other byte
//! of the window: it knows by itself which slots there are.
//!
//! # Gas
//! Before the frame starts: [`WINDOW_GAS`], [`SLOT_GAS`] a slot, and 1 for each byte of arguments
//! and immutables in the window. When taken: [`SLOT_CHANGE_GAS`] for a changed slot and
//! [`SLOT_CHANGE_GAS_BYTE`] for each byte of its size (removed ones too), and for events and output
//! what the host functions `emit` and `output` cost. A slot's misuse is found before it is charged;
//! events and output are charged once they are found to lie in their place, before anything else
//! about them is checked, as those functions do. A call that can't pay for what is taken at its end
//! ran out of gas.

/// The name of the exported global that holds the window's address.
pub const WINDOW_EXPORT: &str = "tollway_window";

/// Bytes of a window.
pub const WINDOW_BYTES: usize = 2048;

/// The address of a window is a multiple of this.
pub const WINDOW_ALIGNMENT: u32 = 8;

/// The most slots.
pub const WINDOW_SLOTS_MAX: usize = 16;

/// The most bytes of arguments that are laid out.
pub const WINDOW_ARGS_BYTES_MAX: usize = 256;

/// The most bytes of immutables that are laid out.
pub const WINDOW_IMMUTABLES_BYTES_MAX: usize = 128;

/// The most bytes of a slot's value.
pub const WINDOW_VALUE_BYTES_MAX: usize = 128;

/// The most bytes of output that the window takes.
pub const WINDOW_OUTPUT_BYTES_MAX: usize = 64;

/// The most bytes of events, with four for each, that the window holds at once.
pub const WINDOW_EVENTS_BYTES_MAX: usize = 192;

/// Bytes of the heap.
pub const WINDOW_HEAP_BYTES: usize = WINDOW_BYTES - offset::HEAP;

/// Bytes of a directory entry.
pub const SLOT_ENTRY_BYTES: usize = 16;

/// Mode of a slot: the guest may read it.
pub const SLOT_READ: u8 = 0x01;
/// Mode of a slot: the guest may add to it.
pub const SLOT_ADD: u8 = 0x02;
/// Mode of a slot: the guest may read, change and remove it, and so add to it. The modes are bits,
/// so that a guest sees by one mask whether a slot allows what it wants.
pub const SLOT_WRITE: u8 = SLOT_READ | SLOT_ADD;

/// State of a slot: there is a value.
pub const SLOT_PRESENT: u8 = 0x01;
/// State of a slot: the guest changed it.
pub const SLOT_CHANGED: u8 = 0x80;

/// Gas for a frame that has a window.
pub const WINDOW_GAS: u64 = 100;
/// Gas for every slot that is laid out.
pub const SLOT_GAS: u64 = 30;
/// Gas for every changed slot that is taken.
pub const SLOT_CHANGE_GAS: u64 = 100;
/// Gas for every byte of a changed slot that is taken.
pub const SLOT_CHANGE_GAS_BYTE: u64 = 2;

/// Where the parts of a window lie, from its start.
pub mod offset {
    #![allow(missing_docs, reason = "named like the parts in the drawing above")]
    pub const SLOT_COUNT: usize = 0;
    pub const IMMUTABLES_LEN: usize = 4;
    pub const HEIGHT: usize = 8;
    pub const TIME_MS: usize = 16;
    pub const CALL_INDEX: usize = 24;
    pub const ARGS_LEN: usize = 28;
    pub const CALLER: usize = 32;
    pub const THIS: usize = 64;
    pub const OUTPUT_LEN: usize = 96;
    pub const EVENTS_LEN: usize = 100;
    pub const OUTPUT: usize = 104;
    pub const EVENTS: usize = 168;
    pub const ARGS: usize = 360;
    pub const IMMUTABLES: usize = 616;
    pub const DIRECTORY: usize = 744;
    pub const HEAP: usize = 1000;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other() {
        use offset::*;
        assert_eq!(OUTPUT + WINDOW_OUTPUT_BYTES_MAX, EVENTS);
        assert_eq!(EVENTS + WINDOW_EVENTS_BYTES_MAX, ARGS);
        assert_eq!(ARGS + WINDOW_ARGS_BYTES_MAX, IMMUTABLES);
        assert_eq!(IMMUTABLES + WINDOW_IMMUTABLES_BYTES_MAX, DIRECTORY);
        assert_eq!(DIRECTORY + WINDOW_SLOTS_MAX * SLOT_ENTRY_BYTES, HEAP);
        assert_eq!(HEAP % 8, 0);
    }
}
