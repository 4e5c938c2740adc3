//! What came of a call, and what a test may require of it; told by the names that the contracts
//! give things.

use borsh::BorshDeserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;
use tollway::host_api::key::restore;
use tollway::host_api::value::{Value, decode, decode_fields};
use tollway::host_api::{Abi, Text};
use tollway::oracle::Miss;
use tollway::{Address, BlockTrace, Call, Failure, Outcome, Receipt};
use tollway_display::notation::bracketed;

/// The names of accounts and contracts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    accounts: Arc<BTreeMap<[u8; 32], String>>,
    contracts: Arc<BTreeMap<[u8; 32], Arc<Abi>>>,
}

impl Names {
    pub(crate) fn add_account(&mut self, address: Address, name: &str) {
        Arc::make_mut(&mut self.accounts).insert(address.0, name.to_owned());
    }

    pub(crate) fn add_contract(&mut self, address: Address, abi: Arc<Abi>) {
        Arc::make_mut(&mut self.contracts).insert(address.0, abi);
    }

    pub(crate) fn abi(&self, address: &Address) -> Option<&Arc<Abi>> {
        self.contracts.get(&address.0)
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = Address> {
        self.accounts.keys().map(|bytes| Address(*bytes))
    }

    pub(crate) fn name(&self, address: &Address) -> String {
        let account = self.accounts.get(&address.0).cloned();
        let contract = || self.abi(address).map(|abi| abi.name.to_string());
        account.or_else(contract).unwrap_or_else(|| format!("0x{address}"))
    }

    /// Puts the names of accounts into a trace.
    pub(crate) fn rename(&self, trace: &mut BlockTrace) {
        let accounts = self.accounts.iter().map(|(bytes, name)| (name.clone(), Address(*bytes)));
        tollway_display::names::Names::of(&accounts.collect()).rename(trace);
    }

    /// The name of a call's contract and method.
    pub(crate) fn method(&self, call: &Call) -> (String, String) {
        (self.name(&call.contract), call.method.clone())
    }

    /// A call as people write it.
    pub(crate) fn describe(&self, call: &Call) -> String {
        let contract = self.name(&call.contract);
        let method = self.abi(&call.contract).and_then(|abi| abi.method(&call.method));
        let args = method.and_then(|method| {
            let fields = decode_fields(&method.params, &mut &call.args[..]).ok()?;
            let shown = fields.iter().map(|(name, value)| format!("{name}: {}", self.show(value)));
            Some(shown.collect::<Vec<_>>().join(", "))
        });
        let args = args.unwrap_or_else(|| format!("{} bytes", call.args.len()));
        format!("{contract}.{}({args}) by {}", call.method, self.name(&call.caller))
    }

    /// A storage key of a contract, from its field on: `shares[bob]`.
    pub(crate) fn key(&self, contract: &Address, key: &[u8]) -> String {
        let field = || {
            let (field, mut rest) = key.split_first()?;
            let field = self.abi(contract)?.storage.get(usize::from(*field))?;
            let part = |ty| {
                let mut bytes = Vec::new();
                restore(ty, &mut rest, &mut bytes).ok()?;
                Some(self.show(&decode(ty, &mut &bytes[..]).ok()?))
            };
            let parts = field.key.iter().map(part).collect::<Option<Vec<_>>>()?;
            Some(format!("{}{}", field.name, bracketed(&parts)))
        };
        field().unwrap_or_else(|| {
            let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("key 0x{digits}")
        })
    }

    /// A value, with accounts by name where it is one.
    fn show(&self, value: &Value) -> String {
        match value {
            Value::Address(address) => self.name(address),
            value => value.to_string(),
        }
    }
}

/// An event, with its fields by name: `event["amount"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOf {
    /// Its name.
    pub name: String,
    /// Where it was emitted.
    pub contract: Address,
    fields: Vec<(Text, Value)>,
}

impl Index<&str> for EventOf {
    type Output = Value;

    /// # Panics
    /// If the event has no such field.
    fn index(&self, field: &str) -> &Value {
        let found = self.fields.iter().find(|(name, _)| name == field);
        let names = || self.fields.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
        match found {
            Some((_, value)) => value,
            None => panic!("event {} has no field {field}, but {}", self.name, names().join(", ")),
        }
    }
}

/// A call that ran.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The call.
    pub call: Call,
    /// What came of it.
    pub receipt: Receipt,
    misses: Vec<Miss>,
    names: Names,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names.describe(&self.call))
    }
}

impl Ran {
    pub(crate) fn new(call: Call, receipt: Receipt, names: Names) -> Self {
        Self { call, receipt, misses: Vec::new(), names }
    }

    pub(crate) fn add_misses(&mut self, misses: Vec<Miss>) {
        self.misses = misses;
    }

    /// What it touched and does not declare: `token.pay: add balances[bob]`.
    pub fn misses(&self) -> Vec<String> {
        let told = self.misses.iter().map(|miss| {
            let Miss { contract, method, key, need, declared } = miss;
            let declared = declared.map_or_else(String::new, |mode| {
                format!(", which it declares as `{}`", mode.name())
            });
            let (name, key) = (self.names.name(contract), self.names.key(contract, key));
            format!("{name}.{method}: {} {key}{declared}", need.name())
        });
        told.collect()
    }

    pub(crate) fn method(&self) -> (String, String) {
        self.names.method(&self.call)
    }

    /// The call and how it ended, in words.
    pub(crate) fn ending(&self) -> String {
        let ending = match &self.receipt.outcome {
            Outcome::Returned(bytes) => format!("returned {} bytes", bytes.len()),
            Outcome::Reverted { contract, error } => match self.error_of(contract, error) {
                Some(value) => format!("reverted with {value} of {}", self.names.name(contract)),
                None => format!("reverted in {} without an error", self.names.name(contract)),
            },
            Outcome::Failed(failure) => format!("failed: {failure}"),
        };
        format!("{self} {ending}")
    }

    fn error_of(&self, contract: &Address, error: &[u8]) -> Option<Value> {
        decode(self.names.abi(contract)?.error.first()?, &mut &error[..]).ok()
    }

    /// Requires success.
    ///
    /// # Panics
    /// If it failed, with how.
    pub fn succeeded(&self) -> &Self {
        assert!(self.receipt.is_success(), "{}", self.ending());
        self
    }

    /// What it returned.
    ///
    /// # Panics
    /// If it failed, or returned something of another type.
    pub fn returned<T: BorshDeserialize>(&self) -> T {
        match &self.receipt.outcome {
            Outcome::Returned(bytes) => borsh::from_slice(bytes)
                .unwrap_or_else(|error| panic!("{self} returned something else: {error}")),
            _ => panic!("{}", self.ending()),
        }
    }

    /// Requires that a contract, this one or one that it called, reverted with an error of this name.
    ///
    /// # Panics
    /// If it ended otherwise, with how.
    pub fn reverted_with(&self, name: &str) -> &Self {
        let found = match &self.receipt.outcome {
            Outcome::Reverted { contract, error } => self.error_of(contract, error),
            _ => None,
        };
        let is_it = matches!(&found, Some(Value::Enum(_, found, _)) if found == name);
        assert!(is_it, "{}, not with {name}", self.ending());
        self
    }

    /// Requires that it was stopped: by a trap, for lack of gas, or before it ran.
    ///
    /// # Panics
    /// If it ended otherwise, with how.
    pub fn failed(&self) -> &Failure {
        match &self.receipt.outcome {
            Outcome::Failed(failure) => failure,
            _ => panic!("{}, and was not stopped", self.ending()),
        }
    }

    /// What it emitted, in order, also in contracts that it called.
    ///
    /// # Panics
    /// If an event is not what its contract declares.
    pub fn events(&self) -> Vec<EventOf> {
        let decoded = self.receipt.events.iter().map(|event| {
            let abi = self.names.abi(&event.contract).expect("contracts here are deployed here");
            let declared = &abi.events[event.event as usize];
            let fields = decode_fields(&declared.fields, &mut &event.data[..]);
            let fields =
                fields.unwrap_or_else(|error| panic!("{self}: event {}: {error}", declared.name));
            EventOf { name: declared.name.to_string(), contract: event.contract, fields }
        });
        decoded.collect()
    }

    /// The one event of this name that it emitted.
    ///
    /// # Panics
    /// If there is none, or more than one.
    pub fn event(&self, name: &str) -> EventOf {
        let events = self.events();
        let mut found = events.iter().filter(|event| event.name == name);
        match (found.next(), found.next()) {
            (Some(event), None) => event.clone(),
            (Some(_), Some(_)) => panic!("{self} emitted {name} more than once"),
            _ => {
                let names: Vec<_> = events.iter().map(|event| &event.name[..]).collect();
                panic!("{}; it emitted no {name}, but [{}]", self.ending(), names.join(", "))
            }
        }
    }

    /// The gas that it was charged.
    pub fn gas(&self) -> u64 {
        self.receipt.gas_used.0
    }
}
