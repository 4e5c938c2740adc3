//! A method of an argument that is no client of another contract.

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::contract_type;

    #[contract_type]
    pub struct Order {
        pub price: u64,
    }

    impl Order {
        fn validate(&self) -> bool {
            self.price > 0
        }
    }

    #[storage]
    pub struct Sample {}

    impl Sample {
        #[call]
        pub fn place(&mut self, order: Order) -> bool {
            order.validate()
        }
    }
}

fn main() {}
