//! A map in key order: a B+ tree whose nodes are values of point keys.
//!
//! ```text
//! 0: [ a → 7 │ k → 9 ]                 the root is always node 0
//!     7: [ a=1  c=5 ]   9: [ k=2  x=4 ]
//! under the prefix itself: the number of the next new node
//! ```
//!
//! A node splits when it is full, and goes when it is empty; half-empty ones are left alone, so that a
//! removal changes one node nearly always. An inner node's first separator means nothing: what is less
//! than the second one belongs to the first child.
//!
//! A node stays as the bytes that it is stored as: a search decodes the keys that it compares, and a
//! change puts other bytes in the place of some.
//!
//! # Invariants
//! 1. Every node but the root holds something (`contracts/bench/collections`), so a walk over entries
//!    visits no more nodes than it finds entries, times the depth.
//! 2. The memory for a node is given back when it is done with: all is freed in the reverse order of
//!    its allocation, which is what the heap of a contract can do.

use crate::group::{Kind, whole};
use crate::key::{Key, KeyPart};
use crate::storage::{Cell, Item, Storage, key_bytes, or_trap};
use crate::sys::{self, trap};
use crate::typed::{Typed, fixed_size, is_small, max_sizes, sum_sizes, with_encoded};
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Bound;
use tollway_host_api::Type;

/// The most entries, or children, of a node.
const NODE_MAX: usize = 16;

/// The number of the root.
const ROOT: u32 = 0;

/// Room for so many bytes is made before a node is read; one that is longer is read twice.
const NODE_BYTES: usize = 768;

/// How a node begins: as one that holds entries, or one that holds children.
const LEAF: u8 = 0;
const INNER: u8 = 1;

/// A map in the order of its keys, with the entries from a bound on. All calls that change it wait for
/// each other; put it into a [`Group`](crate::Group) by market, by owner, and only calls of one market
/// or owner do.
///
/// Keys are compared as Rust compares them, so a key's type decides what comes first. Each operation
/// reads or writes O(log n) values of up to sixteen entries: keep entries small, 500 bytes at most.
/// How many entries there are is not kept: have a counter, if you need it.
///
/// `P` is the type of the key that leads here from a group; storage fields leave it out.
pub struct OrderedMap<K, V, P = ()> {
    field: u8,
    prefix: P,
    value: PhantomData<fn(K) -> V>,
}
whole!(OrderedMap<K: OrderedKey, V: Typed>, V::TYPE);

/// What keys of an [`OrderedMap`] can be: any contract type that has an order and can be copied.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of an ordered map",
    label = "not a key with an order",
    note = "it has to be a contract type that is `Ord` and `Clone`"
)]
pub trait OrderedKey: Typed + Ord + Clone {}
impl<K: Typed + Ord + Clone> OrderedKey for K {}

/// A node: parts by their keys, which are entries or, in an inner one, the numbers of children.
struct Node<K, V> {
    /// Where parts start, and where the last one ends, if their size is not always the same. Dropped
    /// first, because allocated last.
    starts: Vec<usize>,
    /// What is stored: [`LEAF`] or [`INNER`], then the parts.
    bytes: Vec<u8>,
    /// How many parts there are.
    count: usize,
    types: PhantomData<fn() -> (K, V)>,
}

/// What a removal left of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing: it is gone.
    Nothing,
    /// An inner node with one child.
    Child,
    /// Something else.
    Enough,
}

/// The way in which a walk goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl<K: OrderedKey, V: Typed, P: KeyPart + Clone> OrderedMap<K, V, P> {
    /// The value under `key`. Reads.
    pub fn get(&self, key: &K) -> Option<V> {
        let mut number = ROOT;
        loop {
            let node = self.load(number);
            let after = node.place_after(key);
            if !node.is_inner() {
                let place = node.place_of(key, after)?;
                return Some(node.entry(place).1);
            }
            number = node.child(before(after));
        }
    }

    /// Sets the value under `key`. Writes.
    pub fn set(&self, key: K, value: V) {
        let Some((separator, right)) = self.set_below(ROOT, &(key, value)) else { return };
        let left = self.new_number();
        let root = self.load(ROOT);
        self.store(left, &root.bytes);
        drop(root);
        let parts = ((separator.clone(), left), (separator, right));
        self.store(ROOT, &Node::<K, V>::of([INNER].into()).with(0, 0, &parts));
    }

    /// Removes the value under `key`, and returns it. Writes.
    pub fn remove(&self, key: &K) -> Option<V> {
        let (value, left) = self.remove_below(ROOT, key)?;
        self.mend_root(left);
        Some(value)
    }

    /// Removes the first `count` entries, or all if there are fewer. Writes, each node once: what is
    /// worked off from the front is better removed at the end, all at once.
    pub fn remove_first(&self, count: u32) {
        if count > 0 {
            let left = self.remove_first_below(ROOT, &mut (count as usize));
            self.mend_root(left);
        }
    }

    /// The entry with the least key. Reads.
    pub fn first(&self) -> Option<(K, V)> {
        self.end(Way::Up)
    }

    /// The entry with the greatest key. Reads.
    pub fn last(&self) -> Option<(K, V)> {
        self.end(Way::Down)
    }

    /// Whether there are no entries. Reads.
    pub fn is_empty(&self) -> bool {
        self.load(ROOT).count == 0
    }

    /// Up to `count` entries from a bound on, by growing key. Reads.
    pub fn ascend(&self, from: Bound<&K>, count: u32) -> Vec<(K, V)> {
        self.walk(from, count, Way::Up)
    }

    /// Up to `count` entries from a bound on, by falling key. Reads.
    pub fn descend(&self, from: Bound<&K>, count: u32) -> Vec<(K, V)> {
        self.walk(from, count, Way::Down)
    }

    /// The entry at which a way begins.
    fn end(&self, way: Way) -> Option<(K, V)> {
        let mut number = ROOT;
        loop {
            let node = self.load(number);
            let last = node.count.checked_sub(1)?;
            let place = if way == Way::Up { 0 } else { last };
            if !node.is_inner() {
                return Some(node.entry(place));
            }
            number = node.child(place);
        }
    }

    fn walk(&self, from: Bound<&K>, count: u32, way: Way) -> Vec<(K, V)> {
        let count = count as usize;
        let mut found = Vec::with_capacity(count.min(2 * NODE_MAX));
        if count > 0 {
            self.walk_below(ROOT, from, count, way, &mut found);
        }
        found
    }

    #[inline(never)]
    fn walk_below(
        &self,
        number: u32,
        from: Bound<&K>,
        count: usize,
        way: Way,
        found: &mut Vec<(K, V)>,
    ) {
        let node = self.load(number);
        // How many parts are before the bound: of an inner node, with the child that it belongs to.
        let after = match (from, way) {
            (Bound::Included(key) | Bound::Excluded(key), _) => node.place_after(key),
            (Bound::Unbounded, Way::Up) => 0,
            (Bound::Unbounded, Way::Down) => node.count,
        };
        let start = match (from, way) {
            _ if node.is_inner() => before(after),
            (Bound::Included(key), Way::Up) | (Bound::Excluded(key), Way::Down) => {
                node.place_of(key, after).unwrap_or(after)
            }
            _ => after,
        };
        let steps = match way {
            Way::Up => node.count.saturating_sub(start),
            Way::Down if node.is_inner() => start.saturating_add(1),
            Way::Down => start,
        };
        for step in 0..steps {
            if found.len() >= count {
                return;
            }
            let place = match way {
                Way::Up => start.wrapping_add(step),
                Way::Down => steps.wrapping_sub(step).wrapping_sub(1),
            };
            if node.is_inner() {
                self.walk_below(node.child(place), from, count, way, found);
            } else {
                found.push(node.entry(place));
            }
        }
    }

    /// Sets a value below a node. If that splits, returns the new node to its right, and the least
    /// key there.
    fn set_below(&self, number: u32, entry: &(K, V)) -> Option<(K, u32)> {
        let node = self.load(number);
        let after = node.place_after(&entry.0);
        let bytes = if node.is_inner() {
            let new = self.set_below(node.child(before(after)), entry)?;
            node.with(after, after, &new)
        } else {
            let place = node.place_of(&entry.0, after).unwrap_or(after);
            node.with(place, after, entry)
        };
        let node = Node::<K, V>::of(bytes);
        if node.count <= NODE_MAX {
            self.store(number, &node.bytes);
            return None;
        }
        let half = NODE_MAX / 2;
        let new = self.new_number();
        let right = node.with(0, half, &());
        self.store(new, &right);
        drop(right);
        self.store(number, &node.with(half, node.count, &()));
        Some((node.key(half), new))
    }

    /// Removes a key below a node. Returns its value, and what that left of the node.
    fn remove_below(&self, number: u32, key: &K) -> Option<(V, Left)> {
        let node = self.load(number);
        let after = node.place_after(key);
        if node.is_inner() {
            let place = before(after);
            let (value, left) = self.remove_below(node.child(place), key)?;
            if left != Left::Nothing {
                return Some((value, Left::Enough));
            }
            return Some((value, self.cut(number, &node, place, place.wrapping_add(1))));
        }
        let place = node.place_of(key, after)?;
        let value = node.entry(place).1;
        Some((value, self.cut(number, &node, place, after)))
    }

    /// Removes the first `count` entries below a node, and takes off `count` how many those were.
    fn remove_first_below(&self, number: u32, count: &mut usize) -> Left {
        let node = self.load(number);
        let mut gone = 0;
        if node.is_inner() {
            while *count > 0 && gone < node.count {
                if self.remove_first_below(node.child(gone), count) != Left::Nothing {
                    break;
                }
                gone = gone.wrapping_add(1);
            }
        } else {
            gone = node.count.min(*count);
            *count = count.wrapping_sub(gone);
        }
        if gone == 0 && node.count > 0 {
            return Left::Enough;
        }
        self.cut(number, &node, 0, gone)
    }

    /// Stores a node without some of its parts, or removes it if those were all.
    #[inline(never)]
    fn cut(&self, number: u32, node: &Node<K, V>, from: usize, to: usize) -> Left {
        let left = node.count.saturating_sub(to.saturating_sub(from));
        if left == 0 {
            sys::remove(self.key(number).as_slice());
            return Left::Nothing;
        }
        self.store(number, &node.with(from, to, &()));
        if left == 1 && node.is_inner() { Left::Child } else { Left::Enough }
    }

    /// Puts the tree right after a removal.
    fn mend_root(&self, mut left: Left) {
        if left == Left::Nothing {
            // An empty map leaves no key behind.
            self.next().remove();
        }
        // A root with one child is that child.
        while left == Left::Child {
            let only = self.load(ROOT).child(0);
            let child = self.load(only);
            self.store(ROOT, &child.bytes);
            sys::remove(self.key(only).as_slice());
            left = if child.is_inner() && child.count == 1 { Left::Child } else { Left::Enough };
        }
    }

    #[inline(never)]
    fn key(&self, number: u32) -> Key {
        key_bytes(self.field, &(self.prefix.clone(), number))
    }

    /// The number that the next new node gets, if it is not the first.
    fn next(&self) -> Item<u32, P> {
        <Item<u32> as Cell>::at(self.field, self.prefix.clone())
    }

    /// A number that no node has.
    #[inline(never)]
    fn new_number(&self) -> u32 {
        let next = self.next();
        let number = next.get_or(ROOT + 1);
        let Some(after) = number.checked_add(1) else { trap() };
        next.set(&after);
        number
    }

    #[inline(never)]
    fn load(&self, number: u32) -> Node<K, V> {
        let bytes = sys::read_to_vec(self.key(number).as_slice(), Node::<K, V>::ROOM);
        Node::of(bytes.unwrap_or_else(|| [LEAF].into()))
    }

    #[inline(never)]
    fn store(&self, number: u32, bytes: &[u8]) {
        sys::write(self.key(number).as_slice(), bytes);
    }
}

impl<K: OrderedKey, V: Typed> Node<K, V> {
    /// The size of an entry, if it is always the same.
    const ENTRY: Option<usize> = sum_sizes(&[fixed_size::<K>(), fixed_size::<V>()]);

    /// The same of a child.
    const CHILD: Option<usize> = sum_sizes(&[fixed_size::<K>(), fixed_size::<u32>()]);

    /// The most bytes of a node, or a guess.
    const ROOM: usize = match max_sizes(&[Self::ENTRY, Self::CHILD]) {
        Some(size) if NODE_MAX * size < NODE_BYTES => 1 + NODE_MAX * size,
        _ => NODE_BYTES,
    };

    /// A node from what is stored. Bytes that are none trap.
    fn of(bytes: Vec<u8>) -> Self {
        const {
            assert!(K::SIZE_MIN > 0, "keys of an ordered map need bytes");
        }
        let mut node = Self { starts: Vec::new(), bytes, count: 0, types: PhantomData };
        let Some((_, mut parts)) = node.bytes.split_first() else { trap() };
        if let Some(size) = node.part_size() {
            node.count = parts.len() / size;
            if node.count.wrapping_mul(size) != parts.len() {
                trap();
            }
            return node;
        }
        node.starts.reserve_exact(NODE_MAX + 2);
        loop {
            node.starts.push(node.bytes.len().wrapping_sub(parts.len()));
            if parts.is_empty() {
                node.count = node.starts.len().saturating_sub(1);
                return node;
            }
            let is_part = K::decode(&mut parts).is_some()
                && if node.is_inner() {
                    u32::decode(&mut parts).is_some()
                } else {
                    V::decode(&mut parts).is_some()
                };
            if !is_part {
                trap();
            }
        }
    }

    #[inline(always)]
    fn is_inner(&self) -> bool {
        self.bytes.first() == Some(&INNER)
    }

    #[inline(always)]
    fn part_size(&self) -> Option<usize> {
        if self.is_inner() { Self::CHILD } else { Self::ENTRY }
    }

    /// Where a part starts, or the one before ends.
    #[inline(always)]
    fn start(&self, place: usize) -> usize {
        match self.part_size() {
            Some(size) => place.wrapping_mul(size).wrapping_add(1),
            None => match self.starts.get(place) {
                Some(start) => *start,
                None => trap(),
            },
        }
    }

    /// What is in the node from a place on.
    #[inline(always)]
    fn from(&self, place: usize) -> &[u8] {
        match self.bytes.get(self.start(place)..) {
            Some(bytes) => bytes,
            None => trap(),
        }
    }

    #[inline(always)]
    fn key(&self, place: usize) -> K {
        or_trap(K::decode(&mut self.from(place)))
    }

    fn entry(&self, place: usize) -> (K, V) {
        or_trap(<(K, V)>::decode(&mut self.from(place)))
    }

    fn child(&self, place: usize) -> u32 {
        or_trap(<(K, u32)>::decode(&mut self.from(place))).1
    }

    /// How many parts have keys up to this one; of an inner node, at least one.
    #[inline(never)]
    fn place_after(&self, key: &K) -> usize {
        let (mut low, mut high) = (usize::from(self.is_inner()), self.count);
        while low < high {
            let middle = low.wrapping_add(high) / 2;
            if self.key(middle) <= *key {
                low = middle.wrapping_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// The place of a key, if it has one: that before the place that [`Self::place_after`] says.
    fn place_of(&self, key: &K, after: usize) -> Option<usize> {
        let place = after.checked_sub(1)?;
        (self.key(place) == *key).then_some(place)
    }

    /// What is to be stored with `new`, which is nothing or one part or more, in the place of some
    /// of its parts.
    fn with<T: Typed>(&self, from: usize, to: usize, new: &T) -> Vec<u8> {
        let (from, to) = (self.start(from), self.start(to));
        if is_small::<T>() {
            return with_encoded(new, |new| spliced(&self.bytes, from, to, new));
        }
        // On the heap, other bytes before these could not be given back.
        let mut bytes = spliced(&self.bytes, from, self.bytes.len(), &[]);
        new.encode(&mut bytes);
        bytes.extend_from_slice(self.bytes.get(to..).unwrap_or_default());
        bytes
    }
}

/// The place before another. There is always one.
#[inline(always)]
fn before(place: usize) -> usize {
    place.saturating_sub(1)
}

/// `bytes` with `new` in the place of some.
#[inline(never)]
fn spliced(bytes: &[u8], from: usize, to: usize, new: &[u8]) -> Vec<u8> {
    let (Some(head), Some(tail)) = (bytes.get(..from), bytes.get(to..)) else { trap() };
    let size = head.len().wrapping_add(new.len()).wrapping_add(tail.len());
    let mut all = Vec::with_capacity(size);
    for part in [head, new, tail] {
        all.extend_from_slice(part);
    }
    all
}
