//! A contract that gives back what it gets, in every type that there is: for tests of whoever encodes
//! calls and decodes what comes of them.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod echo {
    use alloc::string::String;
    use alloc::vec::Vec;
    use tollway_sdk::{Address, Bytes, Item, contract_type};

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Anybody.
        pub owner: Address,
        /// Anything.
        pub label: String,
    }

    /// The state: nothing that matters.
    #[storage]
    pub struct Echo {
        last: Item<u64>,
    }

    /// Every number.
    #[contract_type]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Numbers {
        /// One byte.
        pub tiny: u8,
        /// Two.
        pub small: u16,
        /// Four.
        pub medium: u32,
        /// Eight.
        pub large: u64,
        /// Sixteen.
        pub huge: u128,
        /// Eight, signed.
        pub signed: i64,
        /// Sixteen, signed.
        pub signed_huge: i128,
        /// A bit.
        pub flag: bool,
    }

    /// A choice of every form.
    #[contract_type]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Choice {
        /// Without fields.
        Nothing,
        /// With a field that has no name.
        One(u64),
        /// With two of them.
        Two(Address, Vec<Numbers>),
        /// With fields that have names.
        Named {
            /// A word that languages keep for themselves.
            r#type: String,
            /// More of the same.
            new: Option<bool>,
        },
    }

    /// Types inside types.
    #[contract_type]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Nested {
        /// There or not, or there and not there.
        pub maybe: Option<Option<u32>>,
        /// Lists of lists.
        pub lists: Vec<Vec<u16>>,
        /// A tuple.
        pub pair: (u8, String),
        /// Bytes of any length.
        pub raw: Bytes,
        /// Bytes of one length.
        pub fixed: [u8; 20],
        /// Choices.
        pub choices: Vec<Choice>,
    }

    /// All of it.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Echoed {
        /// Numbers.
        pub numbers: Numbers,
        /// The rest.
        pub nested: Nested,
    }

    /// Nothing of it.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Silence {}

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Error {
        /// It shall.
        Asked,
        /// It shall, for this reason.
        Because(Choice),
    }

    impl Echo {
        /// Runs once.
        #[init]
        pub fn init(&mut self, first: u64) {
            self.last.set(&first);
        }

        /// Gives numbers back.
        #[call]
        pub fn numbers(&mut self, numbers: Numbers) -> Numbers {
            numbers
        }

        /// Gives the rest back.
        #[call]
        pub fn nested(&mut self, nested: Nested, by: Address) -> (Nested, Address) {
            (nested, by)
        }

        /// Emits both.
        #[call]
        pub fn emit(&mut self, numbers: Numbers, nested: Nested) {
            Silence {}.emit();
            Echoed { numbers, nested }.emit();
        }

        /// Fails.
        #[call]
        pub fn fail(&mut self, because: Option<Choice>) -> Result<u64, Error> {
            match because {
                Some(choice) => Err(Error::Because(choice)),
                None => Err(Error::Asked),
            }
        }

        /// A number from the state.
        #[view]
        pub fn last(&self) -> Option<u64> {
            self.last.get()
        }
    }
}
