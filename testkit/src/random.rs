//! Random calls of contracts, from their ABI: for properties that hold whatever is called.
//!
//! ```
//! use tollway_testkit::{TestChain, random::RandomCalls};
//! # let token_wasm = tollway_contracts_wasm::TOKEN;
//! let mut chain = TestChain::new();
//! let [alice, bob] = chain.accounts(["alice", "bob"]);
//! let token = chain.deploy(token_wasm, &alice);
//! let mut calls = RandomCalls::new(&chain, 7, [token]);
//! for _ in 0..5 {
//!     // Compared with the oracle, as every block is.
//!     chain.block(calls.take(20));
//!     let held: u128 = [alice, bob].map(|owner| chain.query(token, "balance_of", owner)).iter().sum();
//!     assert!(held <= chain.query(token, "total_supply", ()));
//! }
//! ```
//!
//! Values are small numbers, edges of their type, the chain's accounts and contracts, and now and
//! then anything. The same seed makes the same calls.

use crate::{Contract, Dice, TestChain};
use tollway::host_api::abi::INIT_METHOD;
use tollway::host_api::{Method, Mutability, Type};
use tollway::{Address, Call};

/// The most elements of a list, and bytes of a text.
const LENGTH_MAX: u64 = 4;

/// Makes calls.
#[derive(Clone, Debug)]
pub struct RandomCalls {
    dice: Dice,
    callers: Vec<Address>,
    addresses: Vec<Address>,
    methods: Vec<(Contract, Method)>,
}

impl RandomCalls {
    /// Calls of all methods of these contracts but `init`, by the chain's accounts.
    ///
    /// # Panics
    /// If there are no contracts or accounts.
    pub fn new(
        chain: &TestChain,
        seed: u64,
        contracts: impl IntoIterator<Item = Contract>,
    ) -> Self {
        let callers: Vec<Address> = chain.names().accounts().collect();
        let mut addresses = callers.clone();
        let mut methods = Vec::new();
        for contract in contracts {
            addresses.push(contract.address);
            let abi = chain.names().abi(&contract.address).expect("it was deployed here");
            let callable = abi.methods.iter().filter(|method| method.name != INIT_METHOD);
            methods.extend(callable.map(|method| (contract, method.clone())));
        }
        assert!(!callers.is_empty() && !methods.is_empty(), "nobody and nothing to call");
        Self { dice: Dice::new(seed), callers, addresses, methods }
    }

    /// Leaves out views, which change nothing.
    pub fn without_views(mut self) -> Self {
        self.methods.retain(|(_, method)| method.mutability == Mutability::Call);
        self
    }

    /// Leaves out methods of this name.
    pub fn without(mut self, name: &str) -> Self {
        self.methods.retain(|(_, method)| method.name != name);
        self
    }

    /// So many calls.
    pub fn take(&mut self, count: usize) -> Vec<Call> {
        (0..count).map(|_| self.call()).collect()
    }

    fn call(&mut self) -> Call {
        let at = self.below(self.methods.len() as u64) as usize;
        let (contract, method) = self.methods[at].clone();
        let at = self.below(self.callers.len() as u64) as usize;
        let caller = self.callers[at];
        let mut args = Vec::new();
        method.params.iter().for_each(|param| self.value(&param.ty, &mut args));
        Call { args, ..contract.call(caller, &method.name, ()) }
    }

    /// A number below `bound`, for what a test chooses itself among its random calls.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.dice.below(bound)
    }

    fn bytes(&mut self, count: usize, out: &mut Vec<u8>) {
        out.extend((0..count).map(|_| self.dice.roll() as u8));
    }

    fn length(&mut self, out: &mut Vec<u8>) -> u32 {
        let length = self.below(LENGTH_MAX + 1) as u32;
        out.extend(length.to_le_bytes());
        length
    }

    /// A number of so many bytes: mostly small, sometimes at an edge, sometimes anything.
    fn number(&mut self, size: usize, out: &mut Vec<u8>) {
        match self.below(10) {
            0 => out.extend(std::iter::repeat_n(0, size)),
            1 => out.extend(std::iter::repeat_n(0xff, size)),
            2 => self.bytes(size, out),
            3..=5 => {
                let small = self.below(1_000_000).to_le_bytes();
                out.extend((0..size).map(|at| small.get(at).copied().unwrap_or(0)));
            }
            _ => {
                out.push(self.below(20) as u8);
                out.extend(std::iter::repeat_n(0, size - 1));
            }
        }
    }

    fn value(&mut self, ty: &Type, out: &mut Vec<u8>) {
        match ty {
            Type::Bool => out.push(self.below(2) as u8),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::U128 | Type::I64 | Type::I128 => {
                self.number(ty.fixed_size().expect("numbers have a size"), out);
            }
            Type::Address => {
                let at = self.below(self.addresses.len() as u64 + 1) as usize;
                match self.addresses.get(at) {
                    Some(address) => out.extend(address.0),
                    None => self.bytes(32, out),
                }
            }
            Type::FixedBytes(size) => self.bytes(*size as usize, out),
            Type::Bytes => {
                let length = self.length(out);
                self.bytes(length as usize, out);
            }
            Type::Text => {
                let length = self.length(out);
                out.extend((0..length).map(|_| b'a' + self.below(26) as u8));
            }
            Type::Option(inner) => {
                let is_some = self.below(2) == 1;
                out.push(u8::from(is_some));
                inner.iter().filter(|_| is_some).for_each(|ty| self.value(ty, out));
            }
            Type::List(inner) => {
                let length = self.length(out);
                (0..length).for_each(|_| inner.iter().for_each(|ty| self.value(ty, out)));
            }
            Type::Tuple(types) => types.iter().for_each(|ty| self.value(ty, out)),
            Type::Struct { fields, .. } => {
                fields.iter().for_each(|field| self.value(&field.ty, out));
            }
            Type::Enum { variants, .. } => {
                let at = self.below(variants.len() as u64) as u8;
                out.push(at);
                let fields = &variants[usize::from(at)].fields;
                fields.iter().for_each(|field| self.value(&field.ty, out));
            }
        }
    }
}
