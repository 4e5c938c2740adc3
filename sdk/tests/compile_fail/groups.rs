//! Groups, sets and the like, used wrongly.
#![allow(unused, reason = "only errors matter here")]

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::{Address, Counter, Group, Item, OrderedMap, Queue, Set, Vector};

    #[storage]
    pub struct Sample {
        market: Item<u32>,
        books: Group<u32, OrderedMap<u64, u64>>,
        members: Set<Address>,
        list: Vector<u64>,
        queue: Queue<u64>,
    }

    impl Sample {
        #[call]
        pub fn group_from_state(&mut self) {
            self.books.of(self.market.get_or(0)).set(1, 1);
        }

        #[call]
        pub fn member_from_state(&mut self) {
            let index = self.list.len();
            self.members.insert(Address::from_u64(index.into()));
        }

        #[view]
        pub fn writing_view(&self) {
            self.list.push(&1);
        }

        #[view]
        pub fn writing_view_of_a_group(&self, market: u32) {
            self.books.of(market).remove(&1);
        }

        #[call]
        pub fn escaping_group(&mut self, market: u32) {
            let books = [self.books.of(market)];
        }

        #[call]
        pub fn unknown_method(&mut self) {
            self.queue.push_front(&1);
        }

        #[call]
        #[access(write books)]
        pub fn whole_group(&mut self) {}

        #[call]
        #[access(add books[market])]
        pub fn adding_below(&mut self, market: u32) {}

        #[call]
        #[access(write members)]
        pub fn whole_set(&mut self) {}

        #[call]
        #[access(write list[0])]
        pub fn place_of_a_vector(&mut self) {}
    }
}

fn main() {}
