//! Bodies whose access cannot be known.
#![allow(unused, reason = "only errors matter here")]

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::{Address, Counter, Item, Map};

    #[storage]
    pub struct Sample {
        total: Counter,
        owner: Item<Address>,
        balances: Map<Address, Counter>,
        orders: Map<u128, Item<u64>>,
        pools: Map<u8, Item<u64>>,
    }

    impl Sample {
        #[call]
        pub fn key_from_state(&mut self) {
            let owner = self.owner.get_or(Address::ZERO);
            self.balances.at(owner).add(1);
        }

        #[call]
        pub fn key_that_changes(&mut self, who: Address) {
            let mut to = who;
            to = Address::ZERO;
            self.balances.at(to).add(1);
        }

        #[call]
        pub fn key_in_closure(&mut self, who: Vec<Address>) {
            who.iter().for_each(|who| self.balances.at(*who).add(1));
        }

        #[call]
        pub fn escaping_cell(&mut self) {
            core::mem::drop(&self.total);
        }

        #[call]
        pub fn escaping_map(&mut self) {
            let maps = [&self.balances];
            maps[0].at(Address::ZERO).add(1);
        }

        #[call]
        pub fn escaping_self(&mut self) {
            let Sample { total, .. } = self;
            total.add(1);
        }

        #[call]
        pub fn reassigned_cell(&mut self, a: Address, b: Address) {
            let mut cell = self.balances.at(a);
            cell = self.balances.at(b);
            cell.add(1);
        }

        #[call]
        pub fn hidden_in_macro(&mut self) {
            run! { with self.total => add 1 }
        }

        #[call]
        pub fn recursion(&mut self, depth: u32) {
            self.recursion(depth - 1);
        }

        #[call]
        pub fn new_identifier(&mut self) {
            self.orders.at(tollway_sdk::env::next_id()).set(&1);
        }

        #[call]
        pub fn shards_as_asked(&mut self, count: u16) {
            self.pools.at(tollway_sdk::shard_of(&tollway_sdk::env::caller(), count)).set(&1);
        }

        #[view]
        pub fn writing_view(&self) {
            self.total.add(1);
        }

        #[call]
        pub fn unknown_cell_method(&mut self) {
            self.total.double();
        }
    }
}

fn main() {}
