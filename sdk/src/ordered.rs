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
//! # Invariants
//! 1. Every node but the root holds something (`contracts/bench/collections`), so a walk over entries
//!    visits no more nodes than it finds entries, times the depth.
//! 2. The memory for a node is given back when it is done with: all is freed in the reverse order of
//!    its allocation, which is what the heap of a contract can do.

use crate::group::{Kind, whole};
use crate::key::{Key, KeyPart};
use crate::storage::{Cell, Item, Storage, key_bytes};
use crate::sys::{self, Buffer, trap};
use crate::typed::{Sink, Typed};
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Bound;
use tollway_host_api::Type;

/// The most entries, or children, of a node.
const NODE_MAX: usize = 16;

/// The number of the root.
const ROOT: u32 = 0;

/// Nodes of up to so many bytes are read onto the stack.
const NODE_STACK_BYTES: usize = 768;

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

/// What a node holds: entries or, if it is an inner one, children by their least keys.
struct Node<K, V> {
    // Dropped first, because allocated last.
    entries: Vec<(K, V)>,
    children: Vec<(K, u32)>,
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
            let mut node = self.load(number);
            if node.children.is_empty() {
                let place = find(&node.entries, key).ok()?;
                return Some(node.entries.swap_remove(place).1);
            }
            number = child(&node.children, key).1;
        }
    }

    /// Sets the value under `key`. Writes.
    pub fn set(&self, key: K, value: V) {
        let Some((separator, right)) = self.set_below(ROOT, key, value) else { return };
        let left = self.new_number();
        let root = self.load(ROOT);
        self.store(left, &root);
        drop(root);
        let mut root = Node::new();
        root.children.push((separator.clone(), left));
        root.children.push((separator, right));
        self.store(ROOT, &root);
    }

    /// Removes the value under `key`, and returns it. Writes.
    pub fn remove(&self, key: &K) -> Option<V> {
        let (value, is_empty) = self.remove_below(ROOT, key)?;
        if is_empty {
            // An empty map leaves no key behind.
            <Item<u32> as Cell>::at(self.field, self.prefix.clone()).remove();
            return Some(value);
        }
        // A root with one child is that child.
        loop {
            let root = self.load(ROOT);
            let &[(_, only)] = &root.children[..] else { return Some(value) };
            drop(root);
            let child = self.load(only);
            self.store(ROOT, &child);
            drop(child);
            sys::remove(self.key(only).as_slice());
        }
    }

    /// The entry with the least key. Reads.
    pub fn first(&self) -> Option<(K, V)> {
        self.ascend(Bound::Unbounded, 1).pop()
    }

    /// The entry with the greatest key. Reads.
    pub fn last(&self) -> Option<(K, V)> {
        self.descend(Bound::Unbounded, 1).pop()
    }

    /// Whether there are no entries. Reads.
    pub fn is_empty(&self) -> bool {
        self.load(ROOT).is_empty()
    }

    /// Up to `count` entries from a bound on, by growing key. Reads.
    pub fn ascend(&self, from: Bound<&K>, count: u32) -> Vec<(K, V)> {
        self.walk(from, count, Way::Up)
    }

    /// Up to `count` entries from a bound on, by falling key. Reads.
    pub fn descend(&self, from: Bound<&K>, count: u32) -> Vec<(K, V)> {
        self.walk(from, count, Way::Down)
    }

    fn walk(&self, from: Bound<&K>, count: u32, way: Way) -> Vec<(K, V)> {
        let count = count as usize;
        let mut found = Vec::with_capacity(count.min(2 * NODE_MAX));
        if count > 0 {
            self.walk_below(ROOT, from, count, way, &mut found);
        }
        found
    }

    fn walk_below(
        &self,
        number: u32,
        from: Bound<&K>,
        count: usize,
        way: Way,
        found: &mut Vec<(K, V)>,
    ) {
        // Dropped the other way round: entries first, because allocated last.
        let Node { children, entries } = self.load(number);
        let is_in = |key: &K| match (from, way) {
            (Bound::Unbounded, _) => true,
            (Bound::Included(from), Way::Up) => key >= from,
            (Bound::Excluded(from), Way::Up) => key > from,
            (Bound::Included(from), Way::Down) => key <= from,
            (Bound::Excluded(from), Way::Down) => key < from,
        };
        // Where the bound is, or the end at which the way begins.
        let start = match (from, way) {
            (Bound::Included(key) | Bound::Excluded(key), _) => child_place(&children, key),
            (Bound::Unbounded, Way::Up) => 0,
            (Bound::Unbounded, Way::Down) => children.len().saturating_sub(1),
        };
        let is_done = |found: &Vec<(K, V)>| found.len() >= count;
        match way {
            Way::Up => {
                for (_, child) in children.iter().skip(start) {
                    if is_done(found) {
                        return;
                    }
                    self.walk_below(*child, from, count, way, found);
                }
                for entry in entries.into_iter().filter(|(key, _)| is_in(key)) {
                    if is_done(found) {
                        return;
                    }
                    found.push(entry);
                }
            }
            Way::Down => {
                for (_, child) in children.iter().take(start.saturating_add(1)).rev() {
                    if is_done(found) {
                        return;
                    }
                    self.walk_below(*child, from, count, way, found);
                }
                for entry in entries.into_iter().rev().filter(|(key, _)| is_in(key)) {
                    if is_done(found) {
                        return;
                    }
                    found.push(entry);
                }
            }
        }
    }

    /// Sets a value below a node. If that splits, returns the new node to its right, and the least
    /// key there.
    fn set_below(&self, number: u32, key: K, value: V) -> Option<(K, u32)> {
        let mut node = self.load(number);
        if node.children.is_empty() {
            match find(&node.entries, &key) {
                Ok(place) => {
                    if let Some(entry) = node.entries.get_mut(place) {
                        entry.1 = value;
                    }
                }
                Err(place) => node.entries.insert(place, (key, value)),
            }
        } else {
            let (place, below) = child(&node.children, &key);
            let new = self.set_below(below, key, value)?;
            node.children.insert(place.saturating_add(1), new);
        }
        if node.entries.len() <= NODE_MAX && node.children.len() <= NODE_MAX {
            self.store(number, &node);
            return None;
        }
        let mut right = Node::new();
        let half = NODE_MAX / 2;
        let separator = if node.children.is_empty() {
            right.entries.extend(node.entries.drain(half..));
            right.entries.first().map(|(key, _)| key.clone())
        } else {
            right.children.extend(node.children.drain(half..));
            right.children.first().map(|(key, _)| key.clone())
        };
        let new = self.new_number();
        self.store(new, &right);
        self.store(number, &node);
        separator.map(|separator| (separator, new))
    }

    /// Removes a key below a node. Returns its value, and whether the node went with it.
    fn remove_below(&self, number: u32, key: &K) -> Option<(V, bool)> {
        let mut node = self.load(number);
        let value = if node.children.is_empty() {
            let place = find(&node.entries, key).ok()?;
            node.entries.remove(place).1
        } else {
            let (place, below) = child(&node.children, key);
            let (value, is_gone) = self.remove_below(below, key)?;
            if !is_gone {
                return Some((value, false));
            }
            node.children.remove(place);
            value
        };
        if node.is_empty() {
            sys::remove(self.key(number).as_slice());
            return Some((value, true));
        }
        self.store(number, &node);
        Some((value, false))
    }

    fn key(&self, number: u32) -> Key {
        key_bytes(self.field, &(self.prefix.clone(), number))
    }

    /// A number that no node has.
    fn new_number(&self) -> u32 {
        let next = <Item<u32> as Cell>::at(self.field, self.prefix.clone());
        let number = next.get_or(ROOT + 1);
        let Some(after) = number.checked_add(1) else { trap() };
        next.set(&after);
        number
    }

    fn load(&self, number: u32) -> Node<K, V> {
        let mut node = Node::new();
        let key = self.key(number);
        let mut buffer = Buffer::<NODE_STACK_BYTES>::new();
        let is_node = match sys::read(key.as_slice(), &mut buffer) {
            None => true,
            Some(Ok(bytes)) => node.decode(bytes).is_some(),
            Some(Err(length)) => node.decode(&sys::read_vec(key.as_slice(), length)).is_some(),
        };
        if !is_node {
            trap();
        }
        node
    }

    fn store(&self, number: u32, node: &Node<K, V>) {
        let mut bytes = Vec::with_capacity(NODE_STACK_BYTES);
        node.encode(&mut bytes);
        sys::write(self.key(number).as_slice(), &bytes);
    }
}

impl<K: OrderedKey, V: Typed> Node<K, V> {
    fn new() -> Self {
        let children = Vec::with_capacity(NODE_MAX + 1);
        Self { entries: Vec::with_capacity(NODE_MAX + 1), children }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.children.is_empty()
    }

    /// Whether it is an inner node, then its entries or children.
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.put(&[u8::from(!self.children.is_empty())]);
        for (key, value) in &self.entries {
            key.encode(bytes);
            value.encode(bytes);
        }
        for (key, number) in &self.children {
            key.encode(bytes);
            number.encode(bytes);
        }
    }

    fn decode(&mut self, mut bytes: &[u8]) -> Option<()> {
        let is_inner = bool::decode(&mut bytes)?;
        while !bytes.is_empty() {
            let key = K::decode(&mut bytes)?;
            if is_inner {
                self.children.push((key, u32::decode(&mut bytes)?));
            } else {
                self.entries.push((key, V::decode(&mut bytes)?));
            }
        }
        Some(())
    }
}

/// The place of a key among entries, or where it would stand.
fn find<K: Ord, V>(entries: &[(K, V)], key: &K) -> Result<usize, usize> {
    entries.binary_search_by(|(other, _)| other.cmp(key))
}

/// The place of the child that a key belongs to.
fn child_place<K: Ord>(children: &[(K, u32)], key: &K) -> usize {
    children.iter().skip(1).take_while(|(least, _)| least <= key).count()
}

/// The child that a key belongs to: its place, and its number.
fn child<K: Ord>(children: &[(K, u32)], key: &K) -> (usize, u32) {
    let place = child_place(children, key);
    match children.get(place) {
        Some((_, number)) => (place, *number),
        None => trap(),
    }
}
