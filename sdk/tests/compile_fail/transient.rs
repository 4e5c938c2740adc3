//! Transient storage where it does not belong.
#![allow(unused, reason = "only errors matter here")]

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::{Address, Map, Transient};

    type Hidden = Transient<u32>;

    #[storage]
    pub struct Sample {
        locked: Transient<bool>,
        hidden: Map<Address, Hidden>,
    }

    impl Sample {
        #[call]
        #[access(write locked)]
        pub fn declared(&mut self) {}

        #[view]
        pub fn sets(&self) {
            self.locked.set(&true);
        }
    }
}

fn main() {}
