//! A declaration on a method that nobody calls from outside.

#[tollway_sdk::contract]
mod sample {
    #[storage]
    pub struct Sample {}

    impl Sample {
        #[access(none)]
        fn helper(&self) {}
    }
}

fn main() {}
