//! A contract's keys and values in words, where its ABI has them.

use super::{Key, hex};
use tollway::state::{code_key, contract_key};
use tollway::{CodeHash, Config, Contract, Registry, Runtime};
use tollway_host_api::key::restore;
use tollway_host_api::value::{Value, decode};
use tollway_host_api::{Abi, Type};
use tollway_state::{Backend, Found};

/// `token.balances[0x1111…1111]`, or hexadecimal where there is no such word.
pub(crate) fn key_name(registry: &Registry, key: &[u8]) -> String {
    let Some((contract, key)) = found(registry, key) else { return format!("0x{}", hex(key)) };
    let abi = &contract.code.abi;
    // Contracts of one code share a name, so they are told apart by address.
    let same_code = |other: &&Contract| other.code.hash == contract.code.hash;
    let mut owner = abi.name.to_string();
    if registry.contracts().iter().filter(same_code).take(2).count() > 1 {
        owner.push_str(&format!("@0x{}", contract.address));
    }
    let named = name_of_key(abi, &owner, key);
    named.unwrap_or_else(|| format!("{owner}[0x{}]", hex(key)))
}

/// A stored value by its type, or hexadecimal where it has none.
pub(crate) fn value_text(registry: &Registry, key: &[u8], value: &[u8]) -> String {
    let text = found(registry, key)
        .and_then(|(contract, key)| text_of_value(&contract.code.abi, key, value));
    text.unwrap_or_else(|| format!("0x{}", hex(value)))
}

fn found<'a>(registry: &'a Registry, key: &'a [u8]) -> Option<(&'a Contract, &'a [u8])> {
    let (address, key) = Key::split(key)?;
    Some((registry.contract(registry.find(&address)?), key))
}

/// The words for one key of a kept state, whose contract may be there or not.
pub(crate) struct Words<'k> {
    abi: Option<Abi>,
    key: &'k [u8],
}

impl<'k> Words<'k> {
    /// Looks for the contract at the head, and reads what its code declares. Without one there are
    /// no words, only hexadecimal.
    pub(crate) fn of(backend: &dyn Backend, key: &'k Key) -> Self {
        let split = Key::split(key.bytes());
        let abi = split.and_then(|(address, _)| abi_of(backend, &contract_key(&address)));
        Self { abi, key: split.map_or(&[], |(_, key)| key) }
    }

    /// `dex.reserves[7]`, if there is a word for it.
    pub(crate) fn key(&self) -> Option<String> {
        self.abi.as_ref().and_then(|abi| name_of_key(abi, &abi.name, self.key))
    }

    /// A value by its type, if it has one.
    pub(crate) fn value(&self, value: &[u8]) -> Option<String> {
        self.abi.as_ref().and_then(|abi| text_of_value(abi, self.key, value))
    }
}

/// What the code of a contract declares.
fn abi_of(backend: &dyn Backend, contract: &[u8]) -> Option<Abi> {
    let read = |key: &[u8]| {
        let mut found = Found::new();
        backend.read_many(&[key], &mut found).ok()?;
        found.get(0).map(<[u8]>::to_vec)
    };
    let hash = CodeHash(*read(contract)?.first_chunk()?);
    let wasm = read(&code_key(&hash))?;
    // Only a code that may be uploaded has an ABI that can be trusted to be small and well formed.
    let artifact_dir = backend.artifact_dir().map(Into::into);
    let mut runtime =
        Runtime::new(Config { threads: 1, artifact_dir, ..Config::default() }).ok()?;
    let hash = runtime.upload(&wasm).ok()?;
    Some(runtime.code(&hash)?.abi.clone())
}

fn name_of_key(abi: &Abi, owner: &str, key: &[u8]) -> Option<String> {
    let (index, mut rest) = key.split_first()?;
    let field = abi.storage.get(usize::from(*index))?;
    let mut parts: Vec<String> =
        field.key.iter().map(|ty| part_name(ty, &mut rest)).collect::<Option<_>>()?;
    // What follows a prefix is the contract's own affair.
    if field.prefix_parts.is_some() && !rest.is_empty() {
        parts.push(format!("0x{}", hex(std::mem::take(&mut rest))));
    }
    let name = match parts.is_empty() {
        true => format!("{owner}.{}", field.name),
        false => format!("{owner}.{}[{}]", field.name, parts.join(", ")),
    };
    // What is left over is no part of such a key.
    rest.is_empty().then_some(name)
}

fn text_of_value(abi: &Abi, key: &[u8], value: &[u8]) -> Option<String> {
    let field = abi.storage.get(usize::from(*key.first()?))?;
    // Below a prefix there may be values of several kinds.
    if field.prefix_parts.is_some() {
        return None;
    }
    let mut rest = value;
    let decoded = decode(&field.value, &mut rest).ok()?;
    rest.is_empty().then(|| decoded.to_string())
}

fn part_name(ty: &Type, rest: &mut &[u8]) -> Option<String> {
    let mut borsh = Vec::new();
    restore(ty, rest, &mut borsh).ok()?;
    Some(match decode(ty, &mut &borsh[..]).ok()? {
        Value::Address(address) => format!("0x{address}"),
        Value::Bytes(bytes) => format!("0x{}", hex(&bytes)),
        value => value.to_string(),
    })
}
