//! A declaration on a function.

#[tollway_sdk::contract]
mod sample {
    #[storage]
    pub struct Sample {}

    #[access(none)]
    fn helper() {}
}

fn main() {}
