//! Types that cannot cross the border, or be a key.
#![allow(unused, reason = "only errors matter here")]

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::{Counter, Map};

    #[storage]
    pub struct Sample {
        balances: Map<Vec<u8>, Counter>,
    }

    pub struct Plain;

    impl Sample {
        #[call]
        pub fn parameter(&mut self, ratio: f64) {}

        #[call]
        pub fn result(&mut self) -> Plain {
            Plain
        }
    }
}

fn main() {}
