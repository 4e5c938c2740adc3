//! The guest's end of [`tollway_host_api::window`]: the region itself, and every access to it.
//!
//! The region is exported, so no optimizer may assume that it still holds the zeros that it starts
//! with, nor that nobody reads what is stored in it. It is only touched through raw pointers. The
//! parts that references are given out to, arguments and immutables, are never written to here.
//!
//! Natively there is no host that could fill a window: the twins below find nothing in it.

use super::Key;

/// What an access needs of a slot: the bits of its mode.
#[derive(Clone, Copy)]
pub enum Need {
    /// To read it.
    Read,
    /// To change or remove it.
    Write,
    /// To add to it.
    Add,
}

/// Whether there is a window: then whatever fits in its place is there.
pub const IS_THERE: bool = cfg!(target_family = "wasm");

#[cfg(target_family = "wasm")]
pub use guest::*;
#[cfg(not(target_family = "wasm"))]
pub use native::*;

#[cfg(target_family = "wasm")]
mod guest {
    use super::{Key, Need};
    use core::cell::{Cell, UnsafeCell};
    use core::ptr;
    use tollway_host_api::Address;
    use tollway_host_api::status::ABSENT;
    use tollway_host_api::window::{
        SLOT_ADD, SLOT_CHANGED, SLOT_ENTRY_BYTES, SLOT_PRESENT, SLOT_READ, SLOT_WRITE,
        WINDOW_ARGS_BYTES_MAX, WINDOW_BYTES, WINDOW_EVENTS_BYTES_MAX, WINDOW_OUTPUT_BYTES_MAX,
        WINDOW_SLOTS_MAX, offset,
    };

    #[repr(C, align(8))]
    struct Window(UnsafeCell<[u8; WINDOW_BYTES]>);

    // SAFETY: contracts have no threads.
    unsafe impl Sync for Window {}

    #[unsafe(export_name = "tollway_window")]
    static WINDOW: Window = Window(UnsafeCell::new([0; WINDOW_BYTES]));

    /// Where in the directory the slot after the last one that was found lies: calls mostly touch
    /// keys in the order in which they declare them. It is at its start again after every call,
    /// like all memory.
    struct Next(Cell<usize>);

    // SAFETY: contracts have no threads.
    unsafe impl Sync for Next {}

    static NEXT: Next = Next(Cell::new(0));

    const DIRECTORY_BYTES: usize = WINDOW_SLOTS_MAX * SLOT_ENTRY_BYTES;

    // What is masked off below stays a multiple of an entry inside the directory.
    const _: () = assert!(DIRECTORY_BYTES.is_power_of_two() && SLOT_ENTRY_BYTES.is_power_of_two());

    /// The byte `offset` behind `place`. In two steps, so that a constant offset becomes part of a
    /// load or store.
    #[inline(always)]
    fn at(place: usize, offset: usize) -> *mut u8 {
        // SAFETY: every caller's byte is inside the window: the constants are, slots are masked,
        // and the host puts keys and values there.
        unsafe { WINDOW.0.get().cast::<u8>().add(place).add(offset) }
    }

    #[inline(always)]
    fn get<T: Copy>(place: usize, offset: usize) -> T {
        // SAFETY: `at` points into the window, of which any bytes are an integer or an address.
        unsafe { at(place, offset).cast::<T>().read_unaligned() }
    }

    #[inline(always)]
    fn set<T: Copy>(place: usize, offset: usize, value: T) {
        // SAFETY: `at` points into the window, and no reference to this part exists.
        unsafe { at(place, offset).cast::<T>().write_unaligned(value) }
    }

    /// Who calls this contract.
    #[inline(always)]
    pub fn caller() -> Address {
        Address(get(0, offset::CALLER))
    }

    /// This contract's address.
    #[inline(always)]
    pub fn this() -> Address {
        Address(get(0, offset::THIS))
    }

    /// The height of the block.
    #[inline(always)]
    pub fn height() -> u64 {
        get(0, offset::HEIGHT)
    }

    /// The block's time in milliseconds since the Unix epoch.
    #[inline(always)]
    pub fn time_ms() -> u64 {
        get(0, offset::TIME_MS)
    }

    /// The position of the top-level call in its block.
    #[inline(always)]
    pub fn call_index() -> u32 {
        get(0, offset::CALL_INDEX)
    }

    /// The arguments, `length` bytes as the entry point was told, if they are laid out.
    #[inline(always)]
    pub fn args(length: u32) -> Option<&'static [u8]> {
        let length = length as usize;
        if length > WINDOW_ARGS_BYTES_MAX {
            return None;
        }
        // SAFETY: the host laid out all of arguments that are no longer than their place, and
        // nothing writes there while the contract runs.
        Some(unsafe { core::slice::from_raw_parts(at(0, offset::ARGS), length) })
    }

    /// The immutables, if they are laid out.
    #[inline(always)]
    pub fn immutables() -> Option<&'static [u8]> {
        let length: u32 = get(0, offset::IMMUTABLES_LEN);
        if length == ABSENT {
            return None;
        }
        // SAFETY: the host laid out so many bytes, and nothing writes there while the contract
        // runs.
        Some(unsafe { core::slice::from_raw_parts(at(0, offset::IMMUTABLES), length as usize) })
    }

    /// A part of the window that is filled from the front.
    pub struct Writer {
        start: usize,
        size: usize,
        size_max: usize,
    }

    impl Writer {
        #[inline(always)]
        const fn new(start: usize, size_max: usize) -> Self {
            Self { start, size: 0, size_max }
        }

        /// Appends `bytes`. Traps if there is no room.
        #[inline(always)]
        pub fn push(&mut self, bytes: &[u8]) {
            if bytes.len() > self.size_max.wrapping_sub(self.size) {
                crate::sys::trap()
            }
            let next = at(self.start, self.size);
            // SAFETY: there is room for the bytes, checked above, and no reference to this part
            // exists.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), next, bytes.len()) };
            self.size = self.size.wrapping_add(bytes.len());
        }
    }

    /// Room for an output of at most `size_max` bytes, if the window has it. It counts once it is
    /// handed to [`set_output`].
    #[inline(always)]
    pub fn output(size_max: usize) -> Option<Writer> {
        (size_max <= WINDOW_OUTPUT_BYTES_MAX).then_some(Writer::new(offset::OUTPUT, size_max))
    }

    /// Sets the output to what was written.
    #[inline(always)]
    pub fn set_output(output: Writer) {
        set(0, offset::OUTPUT_LEN, output.size as u32);
    }

    const EVENT_HEADER_BYTES: usize = 4;

    /// Room for the data of event number `event`, at most `size_max` bytes, if the window has it.
    /// It counts once it is handed to [`emit`].
    #[inline(always)]
    pub fn event(event: u32, size_max: usize) -> Option<Writer> {
        const ROOM: usize = WINDOW_EVENTS_BYTES_MAX - EVENT_HEADER_BYTES;
        if size_max > ROOM || event > u16::MAX.into() {
            return None;
        }
        let used = get::<u32>(0, offset::EVENTS_LEN) as usize;
        if used > ROOM.wrapping_sub(size_max) {
            return None;
        }
        Some(Writer::new((offset::EVENTS + EVENT_HEADER_BYTES).wrapping_add(used), size_max))
    }

    /// Emits event number `event` with what was written.
    #[inline(always)]
    pub fn emit(event: u32, data: Writer) {
        set(data.start.wrapping_sub(EVENT_HEADER_BYTES), 0, event | (data.size as u32) << 16);
        let end = data.start.wrapping_add(data.size);
        set(0, offset::EVENTS_LEN, end.wrapping_sub(offset::EVENTS) as u32);
    }

    /// A slot that allows what was asked for.
    #[derive(Clone, Copy)]
    pub struct Slot {
        /// Where its entry lies in the directory.
        entry: usize,
    }

    impl Slot {
        /// A part of its entry.
        #[inline(always)]
        fn part<T: Copy>(self, offset: usize) -> T {
            get(self.entry, offset::DIRECTORY + offset)
        }

        #[inline(always)]
        fn key(self) -> usize {
            usize::from(self.part::<u16>(4))
        }

        #[inline(always)]
        fn value(self) -> usize {
            usize::from(self.part::<u16>(6))
        }

        #[inline(always)]
        fn set_state(self, state: u8) {
            set(self.entry, offset::DIRECTORY + 3, state);
        }

        /// Whether there is a value.
        #[inline(always)]
        pub fn is_present(self) -> bool {
            self.part::<u8>(3) & SLOT_PRESENT != 0
        }

        /// The place of the value, of which `size` bytes mean something, as an array. They are
        /// zeros if there is no value.
        #[inline(always)]
        pub fn get<const N: usize>(self, size: usize) -> [u8; N] {
            let mut out = [0; N];
            let size = size.min(N);
            // SAFETY: the host gives out slots whose values have the size of their type; `out` has
            // room for so much.
            unsafe { ptr::copy_nonoverlapping(at(self.value(), 0), out.as_mut_ptr(), size) };
            out
        }

        /// Room for a new value of `size` bytes, all of which must be written.
        #[inline(always)]
        pub fn set(self, size: usize) -> Writer {
            self.set_state(SLOT_PRESENT | SLOT_CHANGED);
            Writer::new(self.value(), size)
        }

        /// Removes the key.
        #[inline(always)]
        pub fn remove(self) {
            self.set_state(SLOT_CHANGED);
        }

        /// The value as an amount.
        #[inline(always)]
        pub fn amount(self) -> u128 {
            get(self.value(), 0)
        }

        /// Sets the value to an amount.
        #[inline(always)]
        pub fn set_amount(self, amount: u128) {
            set(self.value(), 0, amount);
            self.set_state(SLOT_PRESENT | SLOT_CHANGED);
        }
    }

    impl Need {
        #[inline(always)]
        const fn bits(self) -> u8 {
            match self {
                Self::Read => SLOT_READ,
                Self::Write => SLOT_WRITE,
                Self::Add => SLOT_ADD,
            }
        }
    }

    /// The next slot, which may be that of a key: to be held against the key's parts.
    pub struct Candidate {
        slot: Slot,
        /// Where the slot's key lies, and how much of it was compared.
        key: usize,
        size: usize,
        /// Bits that differ.
        differ: u64,
    }

    impl Candidate {
        /// The next word of the slot's key.
        #[inline(always)]
        fn take<T: Copy>(&mut self) -> T {
            let word = get(self.key, self.size);
            self.size = self.size.wrapping_add(size_of::<T>());
            word
        }

        /// Compares the next bytes.
        #[inline(always)]
        pub fn push(&mut self, bytes: &[u8]) {
            let mut rest = bytes;
            while let Some((head, tail)) = rest.split_first_chunk() {
                self.differ |= u64::from_le_bytes(*head) ^ self.take::<u64>();
                rest = tail;
            }
            while let Some((head, tail)) = rest.split_first_chunk() {
                self.differ |= u64::from(u32::from_le_bytes(*head) ^ self.take::<u32>());
                rest = tail;
            }
            for byte in rest {
                self.differ |= u64::from(byte ^ self.take::<u8>());
            }
        }

        /// The slot, if all of its key was the same.
        #[inline(always)]
        pub fn check(self) -> Option<Slot> {
            if self.differ != 0 {
                return None;
            }
            found(self.slot);
            Some(self.slot)
        }
    }

    /// Field and length of a key, as an entry of the directory begins.
    #[inline(always)]
    const fn tag(field: u8, size: usize) -> u16 {
        u16::from_le_bytes([field, size as u8])
    }

    /// The next slot, if its key is of this field, has parts of `size` bytes together, and it
    /// allows `need`.
    #[inline(always)]
    pub fn next(field: u8, size: usize, need: Need) -> Option<Candidate> {
        let slot = Slot { entry: NEXT.0.get() };
        // Field, length and mode at once.
        let (mode, tag) = ((need.bits() as u32) << 16, tag(field, size.wrapping_add(1)) as u32);
        if slot.part::<u32>(0) & (mode | 0xffff) != mode | tag {
            return None;
        }
        Some(Candidate { slot, key: slot.key(), size: 0, differ: 0 })
    }

    /// The slot of `key`, if it has one that allows `need`.
    #[inline(always)]
    pub fn find(key: &Key, need: Need) -> Option<Slot> {
        let entry = find_entry(key);
        let slot = Slot { entry };
        let allows = entry != NONE && slot.part::<u8>(2) & need.bits() == need.bits();
        allows.then_some(slot)
    }

    const NONE: usize = usize::MAX;

    /// Where the entry of `key` lies in the directory, or [`NONE`].
    #[inline(never)]
    fn find_entry(key: &Key) -> usize {
        let (bytes, words) = (key.as_slice(), key.words());
        let tag = tag(bytes.first().copied().unwrap_or(0), bytes.len());
        let count = get::<u32>(0, offset::SLOT_COUNT) as usize;
        let mut slot = Slot { entry: 0 };
        while slot.entry < count.wrapping_mul(SLOT_ENTRY_BYTES) {
            if slot.part::<u16>(0) == tag && holds(slot, words) {
                found(slot);
                return slot.entry;
            }
            slot.entry = slot.entry.wrapping_add(SLOT_ENTRY_BYTES);
        }
        NONE
    }

    /// Whether a slot with the same length of key has the key with these words.
    #[inline(always)]
    fn holds(slot: Slot, words: &[u64]) -> bool {
        let mut place = slot.key();
        for word in words {
            if *word != get(place, 0) {
                return false;
            }
            place = place.wrapping_add(8);
        }
        true
    }

    #[inline(always)]
    fn found(slot: Slot) {
        NEXT.0.set(slot.entry.wrapping_add(SLOT_ENTRY_BYTES) & (DIRECTORY_BYTES - 1));
    }
}

#[cfg(not(target_family = "wasm"))]
mod native {
    #![allow(missing_docs, clippy::missing_const_for_fn, reason = "twins of what is above")]
    use super::{Key, Need};
    use crate::sys::{at_mut, import};
    use core::convert::Infallible;
    use tollway_host_api::Address;

    macro_rules! from_host {
        ($($name:ident: $ty:ident),*) => {$(
            pub fn $name() -> $ty {
                // SAFETY: the twin of the import touches no memory.
                unsafe { import::$name() }
            }
        )*};
    }
    from_host!(height: u64, time_ms: u64, call_index: u32);

    pub fn caller() -> Address {
        let mut address = Address::ZERO;
        // SAFETY: there is room for an address.
        unsafe { import::caller(at_mut(&mut address.0)) };
        address
    }

    pub fn this() -> Address {
        let mut address = Address::ZERO;
        // SAFETY: there is room for an address.
        unsafe { import::this(at_mut(&mut address.0)) };
        address
    }

    pub fn args(_length: u32) -> Option<&'static [u8]> {
        None
    }

    pub fn immutables() -> Option<&'static [u8]> {
        None
    }

    pub struct Writer(Infallible);

    impl Writer {
        pub fn push(&mut self, _bytes: &[u8]) {
            match self.0 {}
        }
    }

    pub fn output(_size_max: usize) -> Option<Writer> {
        None
    }

    pub fn set_output(output: Writer) {
        match output.0 {}
    }

    pub fn event(_event: u32, _size_max: usize) -> Option<Writer> {
        None
    }

    pub fn emit(_event: u32, data: Writer) {
        match data.0 {}
    }

    #[derive(Clone, Copy)]
    pub struct Slot(Infallible);

    impl Slot {
        pub fn is_present(self) -> bool {
            match self.0 {}
        }

        pub fn get<const N: usize>(self, _size: usize) -> [u8; N] {
            match self.0 {}
        }

        pub fn set(self, _size: usize) -> Writer {
            match self.0 {}
        }

        pub fn remove(self) {
            match self.0 {}
        }

        pub fn amount(self) -> u128 {
            match self.0 {}
        }

        pub fn set_amount(self, _amount: u128) {
            match self.0 {}
        }
    }

    pub struct Candidate(Infallible);

    impl Candidate {
        pub fn push(&mut self, _bytes: &[u8]) {
            match self.0 {}
        }

        pub fn check(self) -> Option<Slot> {
            match self.0 {}
        }
    }

    pub fn next(_field: u8, _size: usize, _need: Need) -> Option<Candidate> {
        None
    }

    pub fn find(_key: &Key, _need: Need) -> Option<Slot> {
        None
    }
}
