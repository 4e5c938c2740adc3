//! What a group cannot hold, and what an ordered map cannot be sorted by.

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::{Group, OrderedMap, Transient, Vector, contract_type};

    #[contract_type]
    #[derive(Clone)]
    pub struct Unordered {
        pub id: u32,
    }

    #[storage]
    pub struct Sample {
        locks: Group<u32, Transient<bool>>,
        groups: Group<u32, Group<u32, Vector<u64>>>,
        book: OrderedMap<Unordered, u64>,
    }
}

fn main() {}
