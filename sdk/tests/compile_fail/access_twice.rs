//! Two declarations on one method.

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::Counter;

    #[storage]
    pub struct Sample {
        total: Counter,
    }

    impl Sample {
        #[call]
        #[access(read total)]
        #[access(add total)]
        pub fn method(&self) {}
    }
}

fn main() {}
