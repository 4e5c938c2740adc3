//! A contract's ABI: everything that others may know of it without running it, as data in one
//! custom section of the Wasm.
//!
//! The section is the borsh encoding of [`Abi`]; the SDK writes it at compile time
//! ([`crate::encode`]), the runtime reads it at upload. A contract in any language may carry one.

use crate::key::parts_len;
use crate::schema::{Field, List, Text, Type};
use crate::template::AccessTemplate;
use borsh::{BorshDeserialize, BorshSerialize};

/// The name of the custom section that holds the ABI.
pub const ABI_SECTION: &str = "tollway.abi";

/// The version of this format. The runtime refuses others.
pub const ABI_VERSION: u16 = 2;

/// The exported entry point that runs once, at instantiation.
pub const INIT_METHOD: &str = "init";

/// A contract, as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Abi {
    /// [`ABI_VERSION`].
    pub version: u16,
    /// The contract's name, for people.
    pub name: Text,
    /// Values set once at instantiation, which access templates may use.
    pub immutables: List<Field>,
    /// Storage fields; a field's index is the first byte of its keys.
    pub storage: List<StorageField>,
    /// Entry points. One named [`INIT_METHOD`] runs at instantiation only.
    pub methods: List<Method>,
    /// Events; an event's index is its number on the wire.
    pub events: List<Event>,
    /// The type of revert data, if the contract has an error type.
    pub error: List<Type>,
}

/// A storage field: one value, or a map of values. Transient storage, which no other call ever
/// sees, is no part of the ABI.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StorageField {
    /// The name, as written in the contract.
    pub name: Text,
    /// The parts of its keys; empty for a single value.
    pub key: List<Type>,
    /// The shape of its values.
    pub value: Type,
    /// Whether values are counters: `u128` amounts that calls may add to, and take from, without
    /// reading.
    pub counter: bool,
    /// If it is `n`, the first so many parts of a key (0 for none) are what calls wait for: each
    /// access template of the field has exactly `n` parts and means *all keys that start with them*,
    /// those parts alone included. Such a *prefix* is read or written (`add` means `write`), its keys
    /// have no slots in the window, and what stands in them after the first `n` parts is up to the
    /// contract: `key` need not tell.
    pub prefix_parts: Option<u8>,
}

impl StorageField {
    /// The parts that access templates of the field have.
    pub fn template_parts(&self) -> &[Type] {
        match self.prefix_parts {
            Some(count) => self.key.get(..usize::from(count)).unwrap_or(&self.key),
            None => &self.key,
        }
    }

    /// The length of the prefix that a key of the field is below, its first byte included; `None` if
    /// the field has no prefixes, or the key does not have that many parts.
    pub fn prefix_len(&self, key: &[u8]) -> Option<usize> {
        self.prefix_parts?;
        parts_len(self.template_parts(), key)
    }
}

/// Whether an entry point may change state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Mutability {
    /// Only reads; the host refuses writes and events, also in what it calls.
    View,
    /// May write.
    Call,
}

/// An entry point: the Wasm exports a function `(args_len: i32) -> i32` of this name.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Method {
    /// The name of the method and of the exported function.
    pub name: Text,
    /// Whether it may change state.
    pub mutability: Mutability,
    /// Whether it may run while its contract is already running further up the call stack.
    pub reentrant: bool,
    /// The parameters; the arguments are their values one after another.
    pub params: List<Field>,
    /// What it returns.
    pub returns: Type,
    /// Whether the method declares its access at all. If not, it runs in repair.
    pub declared: bool,
    /// The keys that it may read, write or add to.
    pub access: List<AccessTemplate>,
}

/// An event: a name and its fields.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Event {
    /// The name, as written in the contract.
    pub name: Text,
    /// The fields, in wire order.
    pub fields: List<Field>,
}

impl Abi {
    /// The method of this name.
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.name == name)
    }

    /// The index of the storage field of this name.
    pub fn field_index(&self, name: &str) -> Option<u8> {
        let index = self.storage.iter().position(|field| field.name == name)?;
        u8::try_from(index).ok()
    }
}
