//! Declarations whose names do not fit the contract.
#![allow(unused, reason = "only errors matter here")]

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::{Address, Counter, Item, Map};

    #[immutables]
    pub struct Immutables {
        pub owner: Address,
    }

    #[storage]
    pub struct Sample {
        total: Counter,
        name: Item<String>,
        balances: Map<Address, Counter>,
        allowances: Map<(Address, Address), Item<u128>>,
    }

    impl Sample {
        #[call]
        #[access(read balanecs[caller])]
        pub fn unknown_field(&mut self) {}

        #[call]
        #[access(read balances[form])]
        pub fn unknown_argument(&mut self, from: Address) {}

        #[call]
        #[access(read balances[imm.admin])]
        pub fn unknown_immutable(&mut self) {}

        #[call]
        #[access(read allowances[(from, caller, from)])]
        pub fn too_many_parts(&mut self, from: Address) {}

        #[call]
        #[access(read allowances[caller])]
        pub fn too_few_parts(&mut self) {}

        #[call]
        #[access(read total[caller])]
        pub fn key_of_single_value(&mut self) {}

        #[call]
        #[access(read balances)]
        pub fn no_key(&mut self) {}

        #[call]
        #[access(add allowances[(from, caller)])]
        pub fn add_to_item(&mut self, from: Address) {}

        #[call]
        #[access(modify total)]
        pub fn unknown_word(&mut self) {}

        #[call]
        #[access(read balances[from], write balances[from])]
        pub fn twice(&mut self, from: Address) {}

        #[call]
        #[access(read balances[from.clone()])]
        pub fn computed(&mut self, from: Address) {}

        #[call]
        #[access(read balances[shard_of(from, count)])]
        pub fn shards_as_asked(&mut self, from: Address, count: u16) {}

        #[call]
        #[access(read balances[shard_of(5, 8)])]
        pub fn shard_of_constant(&mut self) {}

        #[call]
        #[access(for who in imm.owner { read balances[who] })]
        pub fn loop_over_immutable(&mut self) {}

        #[call]
        #[access(call total)]
        pub fn no_call(&mut self) {}

        #[call]
        #[access]
        pub fn empty(&mut self) {}

        #[view]
        #[access(write total)]
        pub fn writing_view(&self) {}
    }
}

fn main() {}
