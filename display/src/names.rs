//! What people call the addresses and keys of a block: `token.balances[alice]` says more than
//! `token.balances[0x0000…0003]`.

use std::collections::BTreeMap;
use tollway::{Address, BlockTrace, Registry};

/// Names for what a runtime prints as hexadecimal or numbers.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By the text that the runtime prints; empty where two names share it.
    texts: BTreeMap<String, String>,
    traders: bool,
}

impl Names {
    /// Names of addresses.
    pub fn of(names: &BTreeMap<String, Address>) -> Self {
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        for (name, address) in names {
            texts.entry(short(address)).and_modify(String::clear).or_insert_with(|| name.clone());
        }
        Self { texts, traders: false }
    }

    /// Names of whole keys.
    pub fn of_keys(texts: BTreeMap<String, String>) -> Self {
        Self { texts, traders: false }
    }

    /// The accounts of the generated swaps, by number; and its contracts, where there are several
    /// of one code, by the order in which they were made.
    pub fn traders(registry: &Registry) -> Self {
        let mut made: BTreeMap<&str, u32> = BTreeMap::new();
        let mut names = BTreeMap::new();
        for contract in registry.contracts() {
            let abi = &contract.code.abi;
            let number = made.entry(abi.name.as_ref()).or_default();
            names.insert(format!("{} {number}", abi.name), contract.address);
            *number += 1;
        }
        Self { traders: true, ..Self::of(&names) }
    }

    /// Puts names into a trace.
    pub fn rename(&self, trace: &mut BlockTrace) {
        for key in &mut trace.hot_keys {
            key.name = self.renamed(&key.name);
        }
        for call in &mut trace.calls {
            call.waits_on = self.renamed(&call.waits_on);
        }
    }

    /// A key's name, with addresses by theirs.
    pub fn renamed(&self, key: &str) -> String {
        if let Some(name) = self.texts.get(key) {
            return name.clone();
        }
        let mut text = String::with_capacity(key.len());
        let mut rest = key;
        // `pair@0x12…ab.reserves` becomes `pair 17.reserves`: the name says what kind it is.
        if let Some((kind, address)) = key.split_once('@') {
            let length = address.find('.').unwrap_or(address.len());
            let name = self.name_of(&address[..length]);
            if name.starts_with(kind) {
                text.push_str(&name);
                rest = &address[length..];
            }
        }
        while let Some(at) = rest.find("0x") {
            let end = rest[at + 2..]
                .find(|character: char| !character.is_ascii_hexdigit() && character != '…')
                .map_or(rest.len(), |length| at + 2 + length);
            text.push_str(&rest[..at]);
            text.push_str(&self.name_of(&rest[at..end]));
            rest = &rest[end..];
        }
        text + rest
    }

    fn name_of(&self, address: &str) -> String {
        let trader = address.strip_prefix("0x0000…").filter(|_| self.traders);
        let trader = trader.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match (self.texts.get(address), trader) {
            (Some(name), _) if !name.is_empty() => name.clone(),
            (_, Some(number)) => format!("trader {number}"),
            _ => address.to_owned(),
        }
    }
}

/// An address as the runtime shortens it.
fn short(address: &Address) -> String {
    let digits = address.to_string();
    format!("0x{}…{}", &digits[..4], &digits[digits.len() - 4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_their_names() {
        let address = Address::from_u64;
        let names = [("alice", address(1)), ("bob", address(2))];
        let names = Names::of(&names.map(|(name, address)| (name.to_owned(), address)).into());
        assert_eq!(names.renamed("token.balances[0x0000…0001]"), "token.balances[alice]");
        assert_eq!(
            names.renamed("token@0x0000…0002.allowances[0x0000…0001, 0x0000…0003]"),
            "token@bob.allowances[alice, 0x0000…0003]"
        );
        assert_eq!(names.renamed("dex.reserves[17]"), "dex.reserves[17]");
        assert_eq!(names.renamed("0x"), "0x");
    }

    #[test]
    fn contracts_of_one_code_are_told_apart() {
        let names = [("pair 17", Address::from_u64(1)), ("gold", Address::from_u64(2))];
        let names = Names::of(&names.map(|(name, address)| (name.to_owned(), address)).into());
        assert_eq!(names.renamed("pair@0x0000…0001.reserves"), "pair 17.reserves");
        assert_eq!(names.renamed("token@0x0000…0002.supply"), "token@gold.supply");
        assert_eq!(names.renamed("pair@0x0000…0003.reserves"), "pair@0x0000…0003.reserves");
    }

    #[test]
    fn names_that_look_alike_are_not_given() {
        let mut other = Address::from_u64(1);
        other.0[10] = 9;
        let names = [("alice", Address::from_u64(1)), ("eve", other)];
        let names = Names::of(&names.map(|(name, address)| (name.to_owned(), address)).into());
        assert_eq!(names.renamed("balances[0x0000…0001]"), "balances[0x0000…0001]");
    }

    #[test]
    fn traders_have_numbers() {
        let names = Names::traders(&Registry::default());
        assert_eq!(names.renamed("dex.balances[0x0000…0d2f, 5]"), "dex.balances[trader 3375, 5]");
        assert_eq!(names.renamed("dex.balances[0x1234…0d2f, 5]"), "dex.balances[0x1234…0d2f, 5]");
    }
}
