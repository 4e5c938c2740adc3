//! A contract that does with ordered maps, vectors, queues and sets what its callers say, so that
//! tests can hold them against those of the standard library.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod collections {
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::ops::Bound;
    use tollway_sdk::{Counter, Group, Item, Map, OrderedMap, Queue, Set, Vector, contract_type};

    /// The state.
    #[storage]
    pub struct Collections {
        map: OrderedMap<u64, u64>,
        books: Group<u32, OrderedMap<u64, u64>>,
        names: OrderedMap<String, String>,
        list: Vector<u64>,
        lists: Group<(u32, String), Vector<String>>,
        queue: Queue<u64>,
        queues: Group<u32, Queue<u64>>,
        members: Set<u64>,
        teams: Group<u32, Set<u64>>,
        tallies: Group<u32, Map<u64, Counter>>,
        labels: Group<u32, Item<String>>,
        totals: Group<u32, Counter>,
    }

    /// What is done with an ordered map.
    #[contract_type]
    #[derive(Clone, Debug)]
    pub enum MapOp {
        /// The entry under a key.
        Get(u64),
        /// Sets an entry.
        Set(u64, u64),
        /// Removes an entry.
        Remove(u64),
        /// The least entry.
        First,
        /// The greatest entry.
        Last,
        /// So many entries from a key on, upwards; the key itself, or not.
        Ascend(u64, bool, u32),
        /// So many entries from a key on, downwards; the key itself, or not.
        Descend(u64, bool, u32),
        /// Removes so many entries, the least.
        RemoveFirst(u32),
    }

    /// What is done with a vector or a queue.
    #[contract_type]
    #[derive(Clone, Debug)]
    pub enum ListOp {
        /// The value at a place; of a queue, the first.
        Get(u32),
        /// Sets the value at a place; of a queue, nothing.
        Set(u32, u64),
        /// Appends a value.
        Push(u64),
        /// Takes the last value; of a queue, the first.
        Pop,
        /// How many there are.
        Len,
    }

    impl Collections {
        /// Works on the ordered map that is a field. Returns the entries that each step finds.
        #[call]
        #[access(write map)]
        pub fn map(&mut self, ops: Vec<MapOp>) -> Vec<Vec<(u64, u64)>> {
            let mut found = Vec::with_capacity(ops.len());
            for op in ops {
                found.push(step(&self.map, op));
            }
            found
        }

        /// [`map`](Self::map) on the ordered map of a market.
        #[call]
        #[access(write books[market])]
        pub fn book(&mut self, market: u32, ops: Vec<MapOp>) -> Vec<Vec<(u64, u64)>> {
            let book = self.books.of(market);
            let mut found = Vec::with_capacity(ops.len());
            for op in ops {
                found.push(step(&book, op));
            }
            found
        }

        /// Goes through all of a market, so many entries at a time, from one end or the other, and
        /// removes those on the way whose value is odd. Returns how many there were, and the sum of
        /// all values, each times its place.
        #[call]
        pub fn sweep(&mut self, market: u32, page: u32, down: bool) -> (u64, u64) {
            let book = self.books.of(market);
            let (mut count, mut sum) = (0u64, 0u64);
            let mut last: Option<u64> = None;
            loop {
                let from = match &last {
                    Some(key) => Bound::Excluded(key),
                    None => Bound::Unbounded,
                };
                let found = if down { book.descend(from, page) } else { book.ascend(from, page) };
                let is_end = found.len() < page as usize;
                for (key, value) in found {
                    count += 1;
                    sum = sum.wrapping_add(value.wrapping_mul(count));
                    if value % 2 == 1 {
                        book.remove(&key);
                    }
                    last = Some(key);
                }
                if is_end {
                    return (count, sum);
                }
            }
        }

        /// The best entry of a market.
        #[view]
        pub fn best(&self, market: u32) -> Option<(u64, u64)> {
            self.books.of(market).first()
        }

        /// Takes the best entry of a market, whichever that is.
        #[call]
        pub fn take_best(&mut self, market: u32) -> Option<(u64, u64)> {
            let book = self.books.of(market);
            let (key, value) = book.first()?;
            book.remove(&key);
            self.totals.of(market).add(value.into());
            Some((key, value))
        }

        /// Sets names, returns those that were there, then all of them backwards.
        #[call]
        pub fn rename(&mut self, names: Vec<(String, String)>) -> Vec<(String, String)> {
            let mut before = Vec::new();
            for (name, value) in names {
                before.extend(self.names.get(&name).map(|old| (name.clone(), old)));
                self.names.set(name, value);
            }
            before.extend(self.names.descend(Bound::Unbounded, 1_000));
            before
        }

        /// Works on the vector that is a field.
        #[call]
        #[access(write list)]
        pub fn list(&mut self, ops: Vec<ListOp>) -> Vec<Option<u64>> {
            let mut found = Vec::with_capacity(ops.len());
            for op in ops {
                found.push(match op {
                    ListOp::Get(place) => self.list.get(place),
                    ListOp::Set(place, value) => {
                        let fits = place < self.list.len();
                        if fits {
                            self.list.set(place, &value);
                        }
                        fits.then_some(value)
                    }
                    ListOp::Push(value) => {
                        self.list.push(&value);
                        None
                    }
                    ListOp::Pop => self.list.pop(),
                    ListOp::Len => Some(self.list.len().into()),
                });
            }
            found
        }

        /// Sets a place of a vector, which traps if it is not there.
        #[call]
        pub fn set_place(&mut self, place: u32, value: u64) {
            self.list.set(place, &value);
        }

        /// Appends to the vector of a number and a name, and returns how many values it then has.
        #[call]
        pub fn append(&mut self, number: u32, name: String, value: String) -> u32 {
            let list = self.lists.of((number, name));
            list.push(&value);
            list.len()
        }

        /// Works on the queue that is a field.
        #[call]
        #[access(write queue)]
        pub fn queue(&mut self, ops: Vec<ListOp>) -> Vec<Option<u64>> {
            let mut found = Vec::with_capacity(ops.len());
            for op in ops {
                found.push(match op {
                    ListOp::Get(_) => self.queue.peek(),
                    ListOp::Set(..) => None,
                    ListOp::Push(value) => {
                        self.queue.push_back(&value);
                        None
                    }
                    ListOp::Pop => self.queue.pop_front(),
                    ListOp::Len => Some(self.queue.len()),
                });
            }
            found
        }

        /// Moves the first value of a queue to the end of another, if there is one.
        #[call]
        pub fn pass_on(&mut self, from: u32, to: u32, new: Option<u64>) -> Option<u64> {
            let source = self.queues.of(from);
            if let Some(new) = new {
                source.push_back(&new);
            }
            let value = source.pop_front()?;
            self.queues.of(to).push_back(&value);
            Some(value)
        }

        /// Puts a member in or takes it out, and says whether it is in then.
        #[call]
        pub fn member(&mut self, member: u64, is_in: bool) -> bool {
            if is_in {
                self.members.insert(member);
            } else {
                self.members.remove(member);
            }
            self.members.contains(member)
        }

        /// Puts the member of a team after the one that its label is long into the team, and says
        /// how many of ten are in it.
        #[call]
        pub fn join(&mut self, team: u32, letter: String) -> u64 {
            let label = self.labels.of(team);
            let mut text = label.get_or_default();
            text.push_str(&letter);
            let members = self.teams.of(team);
            members.insert(text.len() as u64 % 10);
            let mut count = 0;
            for member in 0..10u64 {
                count += u64::from(members.contains(member));
            }
            self.tallies.of(team).at(count).add(1);
            label.set(&text);
            count
        }

        /// What was tallied.
        #[view]
        pub fn tally(&self, team: u32, count: u64) -> u128 {
            self.tallies.of(team).at(count).get()
        }
    }

    fn bound(key: &u64, is_in: bool) -> Bound<&u64> {
        if is_in { Bound::Included(key) } else { Bound::Excluded(key) }
    }

    fn step<P: tollway_sdk::KeyPart + Clone>(
        map: &OrderedMap<u64, u64, P>,
        op: MapOp,
    ) -> Vec<(u64, u64)> {
        match op {
            MapOp::Get(key) => map.get(&key).map(|value| (key, value)).into_iter().collect(),
            MapOp::Set(key, value) => {
                map.set(key, value);
                Vec::new()
            }
            MapOp::Remove(key) => map.remove(&key).map(|value| (key, value)).into_iter().collect(),
            MapOp::First => map.first().into_iter().collect(),
            MapOp::Last => map.last().into_iter().collect(),
            MapOp::Ascend(key, is_in, count) => map.ascend(bound(&key, is_in), count),
            MapOp::Descend(key, is_in, count) => map.descend(bound(&key, is_in), count),
            MapOp::RemoveFirst(count) => {
                map.remove_first(count);
                Vec::new()
            }
        }
    }
}
