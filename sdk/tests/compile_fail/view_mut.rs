//! A view that could write.

#[tollway_sdk::contract]
mod sample {
    #[storage]
    pub struct Sample {}

    impl Sample {
        #[view]
        pub fn method(&mut self) {}
    }
}

fn main() {}
