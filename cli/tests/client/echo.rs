//! A client of the contract `echo`, made from its ABI by `tollway client --lang rust`. Not to be
//! edited.
//!
//! It needs the crate `borsh` with its feature `derive`. A call is a value of [`calls`]: its
//! [`ContractMethod::NAME`] and [`ContractMethod::args`] go into the chain's transaction, and what a
//! receipt has is decoded by [`ContractMethod::returned`].
#![allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    rustdoc::all,
    unreachable_pub,
    reason = "names and texts come from the contract"
)]

/// The address of an account or contract.
pub type Address = [u8; 32];

/// A method of the contract; the value is its arguments.
pub trait ContractMethod: ::borsh::BorshSerialize {
    /// Its name.
    const NAME: &'static str;
    /// Whether it only reads.
    const IS_VIEW: bool;
    /// What it returns.
    type Returns: ::borsh::BorshDeserialize;

    /// The arguments as a call carries them.
    fn args(&self) -> ::std::vec::Vec<u8> {
        ::borsh::to_vec(self).expect("writing to a vector does not fail")
    }

    /// What a call returned, from the data of its receipt.
    ///
    /// # Errors
    /// If it is not what this method returns.
    fn returned(data: &[u8]) -> ::borsh::io::Result<Self::Returns> {
        ::borsh::from_slice(data)
    }
}

/// Why an event could not be decoded.
#[derive(Debug)]
pub enum DecodeEventError {
    /// The contract has no event of this number.
    Unknown { event: u32 },
    /// The data is not that of the event.
    Data { event: u32, source: ::borsh::io::Error },
}

impl ::std::fmt::Display for DecodeEventError {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        match self {
            Self::Unknown { event } => write!(f, "the contract has no event {event}"),
            Self::Data { event, source } => write!(f, "data of event {event}: {source}"),
        }
    }
}

impl ::std::error::Error for DecodeEventError {}

/// What is fixed when a contract is created, as `Instantiate` takes it.
#[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
pub struct Immutables {
    pub owner: Address,
    pub label: ::std::string::String,
}

/// `Numbers` of the contract.
#[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
pub struct Numbers {
    pub tiny: u8,
    pub small: u16,
    pub medium: u32,
    pub large: u64,
    pub huge: u128,
    pub signed: i64,
    pub signed_huge: i128,
    pub flag: bool,
}

/// `Choice` of the contract.
#[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
pub enum Choice {
    Nothing,
    One(u64),
    Two(Address, ::std::vec::Vec<Numbers>),
    Named {
        r#type: ::std::string::String,
        new: ::std::option::Option<bool>,
    },
}

/// `Nested` of the contract.
#[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
pub struct Nested {
    pub maybe: ::std::option::Option<::std::option::Option<u32>>,
    pub lists: ::std::vec::Vec<::std::vec::Vec<u16>>,
    pub pair: (u8, ::std::string::String),
    pub raw: ::std::vec::Vec<u8>,
    pub fixed: [u8; 20],
    pub choices: ::std::vec::Vec<Choice>,
}

/// `Error` of the contract.
#[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
pub enum Error {
    Asked,
    Because(Choice),
}

/// The data of a call that this contract reverted.
///
/// # Errors
/// If it is no error of this contract.
pub fn decode_error(data: &[u8]) -> ::borsh::io::Result<Error> {
    ::borsh::from_slice(data)
}

/// The methods, with what they take.
pub mod calls {
    /// `init(first: u64)`
    ///
    /// Runs once, when a contract is created.
    #[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
    pub struct Init {
        pub first: u64,
    }

    impl super::ContractMethod for Init {
        const NAME: &'static str = "init";
        const IS_VIEW: bool = false;
        type Returns = ();
    }

    /// `numbers(numbers: Numbers) -> Numbers`
    ///
    /// Touches nothing.
    #[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
    pub struct Numbers {
        pub numbers: super::Numbers,
    }

    impl super::ContractMethod for Numbers {
        const NAME: &'static str = "numbers";
        const IS_VIEW: bool = false;
        type Returns = super::Numbers;
    }

    /// `nested(nested: Nested, by: Address) -> (Nested, Address)`
    ///
    /// Touches nothing.
    #[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
    pub struct Nested {
        pub nested: super::Nested,
        pub by: super::Address,
    }

    impl super::ContractMethod for Nested {
        const NAME: &'static str = "nested";
        const IS_VIEW: bool = false;
        type Returns = (super::Nested, super::Address);
    }

    /// `emit(numbers: Numbers, nested: Nested)`
    ///
    /// Touches nothing.
    #[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
    pub struct Emit {
        pub numbers: super::Numbers,
        pub nested: super::Nested,
    }

    impl super::ContractMethod for Emit {
        const NAME: &'static str = "emit";
        const IS_VIEW: bool = false;
        type Returns = ();
    }

    /// `fail(because: Option<Choice>) -> u64`
    ///
    /// Touches nothing.
    #[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
    pub struct Fail {
        pub because: ::std::option::Option<super::Choice>,
    }

    impl super::ContractMethod for Fail {
        const NAME: &'static str = "fail";
        const IS_VIEW: bool = false;
        type Returns = u64;
    }

    /// `last() -> Option<u64>`
    ///
    /// Touches:
    /// - `read last`
    #[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
    pub struct Last {}

    impl super::ContractMethod for Last {
        const NAME: &'static str = "last";
        const IS_VIEW: bool = true;
        type Returns = ::std::option::Option<u64>;
    }
}

/// What events carry.
pub mod events {
    /// `Echoed` of the contract.
    #[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
    pub struct Echoed {
        pub numbers: super::Numbers,
        pub nested: super::Nested,
    }

    /// `Silence` of the contract.
    #[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]
    pub struct Silence {}
}

/// An event of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractEvent {
    /// `Echoed` of the contract.
    Echoed(events::Echoed),
    /// `Silence` of the contract.
    Silence(events::Silence),
}

impl ContractEvent {
    /// The event with this number and data, as a receipt has them.
    ///
    /// # Errors
    /// If it is no event of this contract.
    pub fn decode(event: u32, data: &[u8]) -> ::std::result::Result<Self, DecodeEventError> {
        let decoded = match event {
            0 => ::borsh::from_slice(data).map(Self::Echoed),
            1 => ::borsh::from_slice(data).map(Self::Silence),
            _ => return Err(DecodeEventError::Unknown { event }),
        };
        decoded.map_err(|source| DecodeEventError::Data { event, source })
    }
}
