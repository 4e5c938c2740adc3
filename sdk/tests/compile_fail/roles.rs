//! Roles and owners where they cannot be.
#![allow(unused, reason = "only errors matter here")]

#[tollway_sdk::contract]
mod sample {
    use tollway_sdk::env::caller;
    use tollway_sdk::{Address, Map, Owner, Role};

    #[storage]
    pub struct Sample {
        owner: Owner,
        minters: Map<Address, Role>,
    }

    impl Sample {
        #[view]
        pub fn grants(&self, to: Address) {
            self.minters.at(to).grant();
        }
    }
}

#[tollway_sdk::contract]
mod other {
    use tollway_sdk::{Address, Map, Owner};

    #[storage]
    pub struct Other {
        owner: Owner,
    }

    impl Other {
        #[view]
        pub fn offers(&self, to: Address) -> Result<(), ()> {
            self.owner.offer(to, to, ())
        }
    }
}

fn main() {}
