//! A contract's keys and values in words, where its ABI has them.

use super::{Key, hex};
use tollway::{Contract, Registry};
use tollway_host_api::key::restore;
use tollway_host_api::value::{Value, decode};
use tollway_host_api::{StorageField, Type};

/// `token.balances[0x1111…1111]`, or hexadecimal where there is no such word.
pub(crate) fn key_name(registry: &Registry, key: &[u8]) -> String {
    let Some((contract, key)) = found(registry, key) else { return format!("0x{}", hex(key)) };
    // Contracts of one code share a name, so they are told apart by address.
    let same_code = |other: &&Contract| other.code.hash == contract.code.hash;
    let mut owner = contract.code.abi.name.to_string();
    if registry.contracts().iter().filter(same_code).take(2).count() > 1 {
        owner.push_str(&format!("@0x{}", contract.address));
    }
    let named = field(contract, key).and_then(|field| {
        let mut rest = &key[1..];
        let parts: Vec<String> =
            field.key.iter().map(|ty| part_name(ty, &mut rest)).collect::<Option<_>>()?;
        Some(match parts.is_empty() {
            true => format!("{owner}.{}", field.name),
            false => format!("{owner}.{}[{}]", field.name, parts.join(", ")),
        })
    });
    named.unwrap_or_else(|| format!("{owner}[0x{}]", hex(key)))
}

/// A stored value by its type, or hexadecimal where it has none.
pub(crate) fn value_text(registry: &Registry, key: &[u8], value: &[u8]) -> String {
    let decoded = found(registry, key).and_then(|(contract, key)| {
        let mut rest = value;
        let decoded = decode(&field(contract, key)?.value, &mut rest).ok()?;
        rest.is_empty().then(|| decoded.to_string())
    });
    decoded.unwrap_or_else(|| format!("0x{}", hex(value)))
}

fn found<'a>(registry: &'a Registry, key: &'a [u8]) -> Option<(&'a Contract, &'a [u8])> {
    let (address, key) = Key::split(key)?;
    Some((registry.contract(registry.find(&address)?), key))
}

fn field<'a>(contract: &'a Contract, key: &[u8]) -> Option<&'a StorageField> {
    contract.code.abi.storage.get(usize::from(*key.first()?))
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
