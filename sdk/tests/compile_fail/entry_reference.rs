//! An argument that refers to what nobody holds.
#![allow(unused, reason = "only errors matter here")]

#[tollway_sdk::contract]
mod sample {
    #[storage]
    pub struct Sample {}

    impl Sample {
        #[call]
        pub fn method(&mut self, name: &str) {}
    }
}

fn main() {}
