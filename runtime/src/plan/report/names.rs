//! Keys by name: `token.balances[0x1111…1111]`, and prefixes: `clob.orders[7, ..]`.

use crate::registry::{ContractIndex, Registry};
use tollway_host_api::key::restore;
use tollway_host_api::value::{Value, decode};

/// The name of a key: contract, field and key parts, or hexadecimal where they do not decode.
pub(super) fn key_name(registry: &Registry, contract: ContractIndex, key: &[u8]) -> String {
    let contract = registry.contract(contract);
    let abi = &contract.code.abi;
    let field = key.first().and_then(|field| abi.storage.get(usize::from(*field)));
    // Contracts of one code share a name, so they are told apart by address.
    let same_code = |other: &&crate::registry::Contract| other.code.hash == contract.code.hash;
    let owner = if registry.contracts().iter().filter(same_code).take(2).count() > 1 {
        format!("{}@{}", abi.name, short(&contract.address.0))
    } else {
        abi.name.to_string()
    };
    let Some(field) = field else {
        return format!("{owner}[{}]", short(key));
    };
    let mut rest = &key[1..];
    let types = field.template_parts();
    let parts: Option<Vec<String>> = types.iter().map(|ty| part_name(ty, &mut rest)).collect();
    let all_below = field.prefix_parts.map(|_| "..".to_owned());
    let parts = parts.map(|parts| parts.into_iter().chain(all_below).collect::<Vec<_>>());
    match parts {
        Some(parts) if parts.is_empty() => format!("{owner}.{}", field.name),
        Some(parts) => format!("{owner}.{}[{}]", field.name, parts.join(", ")),
        None => format!("{owner}.{}[{}]", field.name, short(&key[1..])),
    }
}

fn part_name(ty: &tollway_host_api::Type, rest: &mut &[u8]) -> Option<String> {
    let mut borsh = Vec::new();
    restore(ty, rest, &mut borsh).ok()?;
    Some(match decode(ty, &mut &borsh[..]).ok()? {
        Value::Address(address) => short(&address.0),
        Value::Bytes(bytes) => short(&bytes),
        value => value.to_string(),
    })
}

/// Hexadecimal, with the middle left out.
fn short(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if bytes.len() <= 8 {
        return format!("0x{}", hex(bytes));
    }
    format!("0x{}…{}", hex(&bytes[..2]), hex(&bytes[bytes.len() - 2..]))
}
