//! The least that is a contract, and one without state.

#[tollway_sdk::contract]
pub mod empty {
    #[storage]
    pub struct Empty {}

    impl Empty {
        #[view]
        pub fn answer(&self) -> u64 {
            42
        }
    }
}

#[tollway_sdk::contract]
pub mod unit {
    #[immutables]
    pub struct Immutables {
        pub number: u32,
    }

    #[storage]
    pub struct Unit;

    impl Unit {
        #[view]
        pub fn number(&self) -> u32 {
            self.imm.number
        }
    }
}

fn main() {
    assert_eq!(empty::ABI.methods.len(), 1);
    assert_eq!(unit::ABI.immutables.len(), 1);
}
