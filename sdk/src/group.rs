//! Storage whose keys need not be known before a call runs, because calls wait for each other by
//! what is in front of them: groups, vectors, queues, and [ordered maps](crate::OrderedMap).
//!
//! ```text
//! #[storage]
//! struct Clob {
//!     orders: Group<u32, OrderedMap<u64, Order>>,    self.orders.of(market).first()
//!     fills: Group<u32, Vector<Fill>>,               self.fills.of(market).push(&fill)
//!     waiting: Queue<Address>,                       self.waiting.pop_front()
//! }
//!
//! calls on one market wait for each other, calls on two markets do not; all calls that change
//! `waiting` do
//! ```

use crate::key::KeyPart;
use crate::storage::{Cell, Counter, Item, Storage};
use crate::sys::trap;
use crate::typed::Typed;
use core::marker::PhantomData;
use tollway_host_api::Type;

/// A kind of storage that a [`Group`] can hold.
#[diagnostic::on_unimplemented(
    message = "a group holds `Item<T>`, `Counter`, `Map<K, C>`, `OrderedMap<K, V>`, `Vector<T>`, `Queue<T>` or `Set<K>`, not `{Self}`",
    label = "not a kind that can be grouped"
)]
pub trait Kind {
    /// The storage under a key of type `P`.
    type Of<P: KeyPart + Clone>;
    /// The shape of its values.
    const VALUE: Type;
    /// Whether values are counters.
    const COUNTER: bool;

    #[doc(hidden)]
    fn of<P: KeyPart + Clone>(field: u8, prefix: P) -> Self::Of<P>;
}

/// Storage of kind `S` for every key of type `P`: what calls wait for is `P`.
///
/// A call that reads or writes anything of kind `S` under one key declares all of it, so what lies
/// deeper may come from wherever it likes: from storage, from a result. Only `P` must be known before
/// the call runs. Two calls that change something under the same key run one after another, also
/// where they only add to a [`Counter`] there.
pub struct Group<P, S> {
    field: u8,
    kind: PhantomData<fn(P) -> S>,
}

impl<P: KeyPart + Clone, S: Kind> Group<P, S> {
    /// The storage under `key`. Touches nothing by itself.
    #[inline(always)]
    pub fn of(&self, key: P) -> S::Of<P> {
        S::of(self.field, key)
    }
}

impl<P: KeyPart + Clone, S: Kind> Storage for Group<P, S> {
    const KEY: &'static [Type] = P::PARTS;
    const PREFIX: Option<u8> = Some(P::PARTS.len() as u8);
    const VALUE: Type = S::VALUE;
    const COUNTER: bool = S::COUNTER;
    const TRANSIENT: bool = false;

    #[inline(always)]
    fn field(index: u8) -> Self {
        Self { field: index, kind: PhantomData }
    }
}

impl<T: Typed> Kind for Item<T> {
    type Of<P: KeyPart + Clone> = Item<T, P>;
    const VALUE: Type = T::TYPE;
    const COUNTER: bool = false;

    #[inline(always)]
    fn of<P: KeyPart + Clone>(field: u8, prefix: P) -> Item<T, P> {
        <Self as Cell>::at(field, prefix)
    }
}

impl Kind for Counter {
    type Of<P: KeyPart + Clone> = Counter<P>;
    const VALUE: Type = Type::U128;
    const COUNTER: bool = true;

    #[inline(always)]
    fn of<P: KeyPart + Clone>(field: u8, prefix: P) -> Counter<P> {
        <Self as Cell>::at(field, prefix)
    }
}

impl<K: KeyPart, C: Cell> Kind for crate::Map<K, C> {
    type Of<P: KeyPart + Clone> = MapOf<P, K, C>;
    const VALUE: Type = C::VALUE;
    const COUNTER: bool = C::COUNTER;

    #[inline(always)]
    fn of<P: KeyPart + Clone>(field: u8, prefix: P) -> MapOf<P, K, C> {
        const { assert!(!C::TRANSIENT, "transient storage needs no group: no call waits for it") };
        MapOf { field, prefix, entry: PhantomData }
    }
}

/// A [`Map`](crate::Map) of a [`Group`].
pub struct MapOf<P, K, C> {
    field: u8,
    prefix: P,
    entry: PhantomData<fn(K) -> C>,
}

impl<P: KeyPart + Clone, K: KeyPart, C: Cell> MapOf<P, K, C> {
    /// The cell under `key`, which need not be known before the call runs. Touches nothing by itself.
    #[inline(always)]
    pub fn at(&self, key: K) -> C::At<(P, K)> {
        C::at(self.field, (self.prefix.clone(), key))
    }
}

/// Keys of type `K` that are in it or not. Each key stands for itself: calls on two keys do not wait
/// for each other, so a key must be known before the call runs; in a [`Group`], it need not be.
///
/// `P` is the type of the key that leads here from a group; storage fields leave it out.
pub struct Set<K, P = ()> {
    field: u8,
    prefix: P,
    key: PhantomData<fn(K)>,
}

impl<K: KeyPart, P: KeyPart + Clone> Set<K, P> {
    #[inline(always)]
    fn at(&self, key: K) -> Item<(), (P, K)> {
        <Item<()> as Cell>::at(self.field, (self.prefix.clone(), key))
    }

    /// Whether `key` is in it. Reads.
    #[inline(always)]
    pub fn contains(&self, key: K) -> bool {
        self.at(key).exists()
    }

    /// Puts `key` in. Writes.
    #[inline(always)]
    pub fn insert(&self, key: K) {
        self.at(key).set(&());
    }

    /// Takes `key` out. Writes.
    #[inline(always)]
    pub fn remove(&self, key: K) {
        self.at(key).remove();
    }
}

impl<K: KeyPart> Storage for Set<K> {
    const KEY: &'static [Type] = K::PARTS;
    const VALUE: Type = Type::UNIT;
    const COUNTER: bool = false;
    const TRANSIENT: bool = false;

    #[inline(always)]
    fn field(index: u8) -> Self {
        Self { field: index, prefix: (), key: PhantomData }
    }
}

impl<K: KeyPart> Kind for Set<K> {
    type Of<P: KeyPart + Clone> = Set<K, P>;
    const VALUE: Type = Type::UNIT;
    const COUNTER: bool = false;

    #[inline(always)]
    fn of<P: KeyPart + Clone>(field: u8, prefix: P) -> Set<K, P> {
        Set { field, prefix, key: PhantomData }
    }
}

macro_rules! whole {
    ($kind:ident<$($param:ident: $bound:ident),*>, $value:expr) => {
        impl<$($param: $bound),*> Storage for $kind<$($param),*> {
            const KEY: &'static [Type] = &[];
            const PREFIX: Option<u8> = Some(0);
            const VALUE: Type = $value;
            const COUNTER: bool = false;
            const TRANSIENT: bool = false;

            #[inline(always)]
            fn field(index: u8) -> Self {
                Self { field: index, prefix: (), value: PhantomData }
            }
        }

        impl<$($param: $bound),*> Kind for $kind<$($param),*> {
            type Of<Prefix: KeyPart + Clone> = $kind<$($param,)* Prefix>;
            const VALUE: Type = $value;
            const COUNTER: bool = false;

            #[inline(always)]
            fn of<Prefix: KeyPart + Clone>(field: u8, prefix: Prefix) -> Self::Of<Prefix> {
                $kind { field, prefix, value: PhantomData }
            }
        }
    };
}
pub(crate) use whole;

/// Values one after another, by index from 0. All calls that change it wait for each other.
///
/// `P` is the type of the key that leads here from a [`Group`]; storage fields leave it out.
pub struct Vector<T, P = ()> {
    field: u8,
    prefix: P,
    value: PhantomData<fn() -> T>,
}
whole!(Vector<T: Typed>, T::TYPE);

impl<T: Typed, P: KeyPart + Clone> Vector<T, P> {
    #[inline(always)]
    fn length(&self) -> Item<u32, P> {
        <Item<u32> as Cell>::at(self.field, self.prefix.clone())
    }

    #[inline(always)]
    fn at(&self, index: u32) -> Item<T, (P, u32)> {
        <Item<T> as Cell>::at(self.field, (self.prefix.clone(), index))
    }

    /// How many values there are. Reads.
    pub fn len(&self) -> u32 {
        self.length().get_or(0)
    }

    /// Whether there are none. Reads.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`, or `None` beyond the end. Reads.
    pub fn get(&self, index: u32) -> Option<T> {
        self.at(index).get()
    }

    /// Sets the value at `index`. Writes.
    ///
    /// # Panics
    /// If `index` is beyond the end.
    pub fn set(&self, index: u32, value: &T) {
        let cell = self.at(index);
        if !cell.exists() {
            trap();
        }
        cell.set(value);
    }

    /// Appends a value. Writes.
    ///
    /// # Panics
    /// If there are 2³² − 1 values already.
    pub fn push(&self, value: &T) {
        let index = self.len();
        let Some(length) = index.checked_add(1) else { trap() };
        self.at(index).set(value);
        self.length().set(&length);
    }

    /// Takes the last value, if there is one. Writes.
    pub fn pop(&self) -> Option<T> {
        let index = self.len().checked_sub(1)?;
        let cell = self.at(index);
        let value = cell.get();
        cell.remove();
        if index == 0 {
            self.length().remove();
        } else {
            self.length().set(&index);
        }
        value
    }
}

/// Values that leave in the order in which they came. All calls that change it wait for each other.
///
/// `P` is the type of the key that leads here from a [`Group`]; storage fields leave it out.
pub struct Queue<T, P = ()> {
    field: u8,
    prefix: P,
    value: PhantomData<fn() -> T>,
}
whole!(Queue<T: Typed>, T::TYPE);

impl<T: Typed, P: KeyPart + Clone> Queue<T, P> {
    /// The number of the first value, and one more than that of the last.
    #[inline(always)]
    fn ends(&self) -> Item<(u64, u64), P> {
        <Item<(u64, u64)> as Cell>::at(self.field, self.prefix.clone())
    }

    #[inline(always)]
    fn at(&self, number: u64) -> Item<T, (P, u64)> {
        <Item<T> as Cell>::at(self.field, (self.prefix.clone(), number))
    }

    /// How many values there are. Reads.
    pub fn len(&self) -> u64 {
        let (first, end) = self.ends().get_or((0, 0));
        end.wrapping_sub(first)
    }

    /// Whether there are none. Reads.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a value. Writes.
    pub fn push_back(&self, value: &T) {
        let (first, end) = self.ends().get_or((0, 0));
        self.at(end).set(value);
        // Nobody lives to push 2⁶⁴ values.
        self.ends().set(&(first, end.wrapping_add(1)));
    }

    /// The first value, if there is one. Reads.
    pub fn peek(&self) -> Option<T> {
        let (first, end) = self.ends().get_or((0, 0));
        if first == end { None } else { self.at(first).get() }
    }

    /// Takes the first value, if there is one. Writes.
    pub fn pop_front(&self) -> Option<T> {
        let (first, end) = self.ends().get_or((0, 0));
        if first == end {
            return None;
        }
        let cell = self.at(first);
        let value = cell.get();
        cell.remove();
        let first = first.wrapping_add(1);
        if first == end {
            // An empty queue leaves no key behind.
            self.ends().remove();
        } else {
            self.ends().set(&(first, end));
        }
        value
    }
}
