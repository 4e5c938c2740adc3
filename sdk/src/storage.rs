//! Typed storage: one value, one counter, a value that lives as long as the call, or a map of any.
//!
//! ```text
//! #[storage]
//! struct Token {
//!     owner: Item<Address>,              self.owner.get()
//!     supply: Counter,                   self.supply.add(5)
//!     balances: Map<Address, Counter>,   self.balances.at(to).add(5)
//!     locked: Transient<bool>,           self.locked.set(&true)
//! }
//! ```
//!
//! A field or an entry of a map is a *cell*: a name for a key, which costs nothing to make. Every
//! method of a cell is a few loads and stores where its key has a slot in the window (see
//! [`tollway_host_api::window`]), and one or two host calls where it has none.

use crate::key::{Key, KeyPart};
use crate::sys::window::{self, Need, Slot};
use crate::sys::{self, Buffer, trap};
use crate::typed::{STACK_BYTES_MAX, Typed, decode_all, fixed_size, is_small, with_encoded};
use core::marker::PhantomData;
use tollway_host_api::window::WINDOW_VALUE_BYTES_MAX;
use tollway_host_api::{StorageField, Text, Type};

/// A kind of cell: [`Item`], [`Counter`], [`Role`](crate::Role), [`Owner`](crate::Owner) or
/// [`Transient`].
#[diagnostic::on_unimplemented(
    message = "a map holds `Item<T>`, `Counter`, `Role`, `Owner` or `Transient<T>`, not `{Self}`",
    label = "not a cell"
)]
pub trait Cell {
    /// The cell under a key of type `K`.
    type At<K: KeyPart>;
    /// The shape of its values.
    const VALUE: Type;
    /// Whether values are counters.
    const COUNTER: bool;
    /// Whether values live as long as a call.
    const TRANSIENT: bool;

    #[doc(hidden)]
    fn at<K: KeyPart>(field: u8, key: K) -> Self::At<K>;
}

/// A storage field: what the `#[storage]` struct may hold.
#[diagnostic::on_unimplemented(
    message = "a storage field is an `Item<T>`, a `Counter`, a `Role`, an `Owner`, a `Transient<T>`, a `Map<K, C>`, a `Set<K>`, an `OrderedMap<K, V>`, a `Vector<T>`, a `Queue<T>` or a `Group<P, S>`, not `{Self}`",
    label = "not a storage field"
)]
pub trait Storage {
    #[doc(hidden)]
    const KEY: &'static [Type];
    /// How many parts of a key calls wait for, if not all of them.
    #[doc(hidden)]
    const PREFIX: Option<u8> = None;
    #[doc(hidden)]
    const VALUE: Type;
    #[doc(hidden)]
    const COUNTER: bool;
    #[doc(hidden)]
    const TRANSIENT: bool;
    #[doc(hidden)]
    fn field(index: u8) -> Self;
}

#[doc(hidden)]
pub const fn describe<S: Storage>(name: &'static str) -> StorageField {
    StorageField {
        name: Text::Borrowed(name),
        key: alloc::borrow::Cow::Borrowed(S::KEY),
        value: S::VALUE,
        counter: S::COUNTER,
        prefix_parts: S::PREFIX,
    }
}

/// Whether values of type `T` can have slots.
#[inline(always)]
const fn fits_slot<T: Typed>() -> bool {
    match fixed_size::<T>() {
        Some(size) => size <= WINDOW_VALUE_BYTES_MAX,
        None => false,
    }
}

/// Touches a key: in its slot if it has one that allows `need`, else through the host.
#[inline(always)]
fn touch<K: KeyPart, R>(
    field: u8,
    key: &K,
    need: Need,
    in_slot: impl FnOnce(Slot) -> R,
    at_host: impl FnOnce(&[u8]) -> R,
) -> R {
    let slot = 'found: {
        // A key of fixed size, which has as many bytes as a value of its type, is compared with
        // the next slot's without being built.
        if let Some(size) = fixed_size::<K>()
            && let Some(mut candidate) = window::next(field, size, need)
        {
            key.push_to(&mut candidate);
            if let Some(slot) = candidate.check() {
                break 'found slot;
            }
        }
        let bytes = match fixed_size::<K>() {
            Some(size) if size <= SHORT_KEY_BYTES => short_key_bytes(field, key),
            _ => key_bytes(field, key),
        };
        match window::find(&bytes, need) {
            Some(slot) => slot,
            None => return at_host(bytes.as_slice()),
        }
    };
    in_slot(slot)
}

#[inline(always)]
pub(crate) fn key_bytes<K: KeyPart>(field: u8, key: &K) -> Key {
    let mut bytes = Key::new();
    bytes.push(&[field]);
    key.push_to(&mut bytes);
    bytes
}

/// Keys of up to so many bytes are built by a function, where that is seldom done: it need not stand
/// wherever a key is touched. A longer one, which holds an address, would have to be put into memory for
/// it first, also where it then is the next slot's.
const SHORT_KEY_BYTES: usize = 31;

#[inline(never)]
fn short_key_bytes<K: KeyPart>(field: u8, key: &K) -> Key {
    key_bytes(field, key)
}

/// Touches a key through the host.
#[inline(always)]
fn touch_at_host<K: KeyPart, R>(field: u8, key: &K, at_host: impl FnOnce(&[u8]) -> R) -> R {
    at_host(key_bytes(field, key).as_slice())
}

/// The value in a slot. One that is not of type `T` traps.
#[inline(always)]
fn load_slot<T: Typed>(slot: Slot) -> Option<T> {
    if !slot.is_present() {
        return None;
    }
    let bytes: [u8; WINDOW_VALUE_BYTES_MAX] = slot.get(T::SIZE_MIN);
    match bytes.get(..T::SIZE_MIN).and_then(decode_all) {
        Some(value) => Some(value),
        None => trap(),
    }
}

/// The value under `key`. A stored value that is not of type `T` traps.
#[inline(never)]
fn load<T: Typed>(key: &[u8]) -> Option<T> {
    let mut buffer = Buffer::<STACK_BYTES_MAX>::new();
    Some(or_trap(match sys::read(key, &mut buffer)? {
        Ok(bytes) => decode_all(bytes),
        Err(_) if is_small::<T>() => None,
        Err(length) => decode_all(&sys::read_vec(key, length)),
    }))
}

/// The transient value under `key`. One that is not of type `T` traps.
#[inline(always)]
fn load_transient<T: Typed>(key: &[u8]) -> Option<T> {
    let mut buffer = Buffer::<STACK_BYTES_MAX>::new();
    Some(or_trap(match sys::transient_read(key, &mut buffer)? {
        Ok(bytes) => decode_all(bytes),
        Err(_) if is_small::<T>() => None,
        Err(length) => decode_all(&sys::transient_read_vec(key, length)),
    }))
}

#[inline(always)]
pub(crate) fn or_trap<T>(value: Option<T>) -> T {
    match value {
        Some(value) => value,
        None => trap(),
    }
}

/// One value of type `T`, or none.
///
/// `K` is the type of the key that leads here from a [`Map`]; storage fields leave it out.
pub struct Item<T, K = ()> {
    field: u8,
    key: K,
    value: PhantomData<fn() -> T>,
}

impl<T: Typed, K: KeyPart> Item<T, K> {
    /// Touches the key, if values of this type can have slots.
    #[inline(always)]
    fn touch<R>(
        &self,
        need: Need,
        in_slot: impl FnOnce(Slot) -> R,
        at_host: impl FnOnce(&[u8]) -> R,
    ) -> R {
        if fits_slot::<T>() {
            touch(self.field, &self.key, need, in_slot, at_host)
        } else {
            touch_at_host(self.field, &self.key, at_host)
        }
    }

    /// The value, or `None` if nothing was set. Reads.
    #[inline(always)]
    pub fn get(&self) -> Option<T> {
        self.touch(Need::Read, load_slot, load)
    }

    /// The value, or `fallback` if nothing was set. Reads.
    #[inline(always)]
    pub fn get_or(&self, fallback: T) -> T {
        self.get().unwrap_or(fallback)
    }

    /// The value, or `T::default()` if nothing was set. Reads.
    #[inline(always)]
    pub fn get_or_default(&self) -> T
    where
        T: Default,
    {
        self.get().unwrap_or_default()
    }

    /// Whether a value was set. Reads.
    #[inline(always)]
    pub fn exists(&self) -> bool {
        self.touch(Need::Read, Slot::is_present, sys::has)
    }

    /// Sets the value. Writes.
    #[inline(always)]
    pub fn set(&self, value: &T) {
        self.touch(
            Need::Write,
            |slot| value.encode(&mut slot.set(T::SIZE_MIN)),
            |key| with_encoded(value, |bytes| sys::write(key, bytes)),
        );
    }

    /// Removes the value. Writes.
    #[inline(always)]
    pub fn remove(&self) {
        self.touch(Need::Write, Slot::remove, sys::remove);
    }
}

impl<T: Typed> Cell for Item<T> {
    type At<K: KeyPart> = Item<T, K>;
    const VALUE: Type = T::TYPE;
    const COUNTER: bool = false;
    const TRANSIENT: bool = false;

    #[inline(always)]
    fn at<K: KeyPart>(field: u8, key: K) -> Item<T, K> {
        Item { field, key, value: PhantomData }
    }
}

impl<T: Typed> Storage for Item<T> {
    const KEY: &'static [Type] = &[];
    const VALUE: Type = T::TYPE;
    const COUNTER: bool = false;
    const TRANSIENT: bool = false;

    #[inline(always)]
    fn field(index: u8) -> Self {
        <Self as Cell>::at(index, ())
    }
}

/// More was taken from a [`Counter`] than it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Underflow;

/// An amount, 0 at first, that calls may add to and take from without reading it: adders and takers
/// of one counter run in parallel.
///
/// `K` is the type of the key that leads here from a [`Map`]; storage fields leave it out.
pub struct Counter<K = ()> {
    field: u8,
    key: K,
}

impl<K: KeyPart> Counter<K> {
    /// The amount. Reads, and so waits for everyone who adds or takes before.
    #[inline(always)]
    pub fn get(&self) -> u128 {
        touch(self.field, &self.key, Need::Read, Slot::amount, load_amount)
    }

    /// Adds `amount` without reading.
    ///
    /// If the sum leaves the range of `u128`, the whole top-level call fails at its end.
    #[inline(always)]
    pub fn add(&self, amount: u128) {
        let added = touch(
            self.field,
            &self.key,
            Need::Add,
            |slot| match slot.amount().checked_add(amount) {
                Some(sum) => {
                    slot.set_amount(sum);
                    true
                }
                None => false,
            },
            |key| {
                sys::add(key, amount);
                true
            },
        );
        if !added {
            // The host takes what the slot holds, and fails by its own rules.
            touch_at_host(self.field, &self.key, |key| sys::add(key, amount));
        }
    }

    /// Takes `amount` away, if there is as much. Does not read: whoever adds to the counter or
    /// takes from it does not wait, and is not waited for.
    ///
    /// The answer is the serial one even so. The runtime first takes it for granted that there is
    /// enough; a call for which that is not true at its place in the block runs once more, at no
    /// extra charge.
    ///
    /// # Errors
    /// [`Underflow`] if there is less; nothing is changed then.
    #[inline(always)]
    pub fn sub(&self, amount: u128) -> Result<(), Underflow> {
        let is_done = touch(
            self.field,
            &self.key,
            Need::Write,
            |slot| {
                let rest = slot.amount().checked_sub(amount);
                rest.is_some_and(|rest| {
                    slot.set_amount(rest);
                    true
                })
            },
            |key| sys::sub(key, amount),
        );
        if is_done { Ok(()) } else { Err(Underflow) }
    }

    /// Sets the amount. Writes.
    #[inline(always)]
    pub fn set(&self, amount: u128) {
        touch(
            self.field,
            &self.key,
            Need::Write,
            |slot| slot.set_amount(amount),
            |key| sys::write(key, &amount.to_le_bytes()),
        );
    }
}

/// The amount under `key`, from the host.
#[inline(never)]
fn load_amount(key: &[u8]) -> u128 {
    load(key).unwrap_or(0)
}

impl Cell for Counter {
    type At<K: KeyPart> = Counter<K>;
    const VALUE: Type = Type::U128;
    const COUNTER: bool = true;
    const TRANSIENT: bool = false;

    #[inline(always)]
    fn at<K: KeyPart>(field: u8, key: K) -> Counter<K> {
        Counter { field, key }
    }
}

impl Storage for Counter {
    const KEY: &'static [Type] = &[];
    const VALUE: Type = Type::U128;
    const COUNTER: bool = true;
    const TRANSIENT: bool = false;

    #[inline(always)]
    fn field(index: u8) -> Self {
        <Self as Cell>::at(index, ())
    }
}

/// One value of type `T`, or none, for as long as the top-level call runs: what passes through a
/// contract, or that it is at work. Every call starts without it, and nothing of it is stored, so
/// it is in no access set, no ABI, and no two calls ever wait for it.
///
/// Each contract has its own. It stays between several calls of one contract in the same top-level
/// call. Where a call between contracts fails, what it set is undone.
///
/// `K` is the type of the key that leads here from a [`Map`]; storage fields leave it out.
pub struct Transient<T, K = ()> {
    field: u8,
    key: K,
    value: PhantomData<fn() -> T>,
}

impl<T: Typed, K: KeyPart> Transient<T, K> {
    #[inline(always)]
    fn key(&self) -> Key {
        key_bytes(self.field, &self.key)
    }

    /// The value, or `None` if this top-level call has not set it.
    #[inline]
    pub fn get(&self) -> Option<T> {
        load_transient(self.key().as_slice())
    }

    /// The value, or `fallback` if this top-level call has not set it.
    #[inline]
    pub fn get_or(&self, fallback: T) -> T {
        self.get().unwrap_or(fallback)
    }

    /// The value, or `T::default()` if this top-level call has not set it.
    #[inline]
    pub fn get_or_default(&self) -> T
    where
        T: Default,
    {
        self.get().unwrap_or_default()
    }

    /// Sets the value. Traps in a view, and above the host's limit of transient keys.
    #[inline]
    pub fn set(&self, value: &T) {
        let key = self.key();
        with_encoded(value, |bytes| sys::transient_write(key.as_slice(), bytes));
    }
}

impl<T: Typed> Cell for Transient<T> {
    type At<K: KeyPart> = Transient<T, K>;
    const VALUE: Type = T::TYPE;
    const COUNTER: bool = false;
    const TRANSIENT: bool = true;

    #[inline(always)]
    fn at<K: KeyPart>(field: u8, key: K) -> Transient<T, K> {
        Transient { field, key, value: PhantomData }
    }
}

impl<T: Typed> Storage for Transient<T> {
    const KEY: &'static [Type] = &[];
    const VALUE: Type = T::TYPE;
    const COUNTER: bool = false;
    const TRANSIENT: bool = true;

    #[inline(always)]
    fn field(index: u8) -> Self {
        <Self as Cell>::at(index, ())
    }
}

/// A cell of kind `C` for every key of type `K`.
pub struct Map<K, C> {
    field: u8,
    entry: PhantomData<fn(K) -> C>,
}

impl<K: KeyPart, C: Cell> Map<K, C> {
    /// The cell under `key`. Touches nothing by itself.
    #[inline(always)]
    pub fn at(&self, key: K) -> C::At<K> {
        C::at(self.field, key)
    }
}

impl<K: KeyPart, C: Cell> Storage for Map<K, C> {
    const KEY: &'static [Type] = K::PARTS;
    const VALUE: Type = C::VALUE;
    const COUNTER: bool = C::COUNTER;
    const TRANSIENT: bool = C::TRANSIENT;

    #[inline(always)]
    fn field(index: u8) -> Self {
        Self { field: index, entry: PhantomData }
    }
}
