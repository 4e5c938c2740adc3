//! A storage field that is none.

#[tollway_sdk::contract]
mod sample {
    #[storage]
    pub struct Sample {
        total: u128,
    }
}

fn main() {}
