//! Keys of the state in arguments and tables.

use std::fmt;
use std::str::FromStr;
use tollway::Address;
use tollway::state::{CODE, CONTRACT, STORAGE, storage_key};
use tollway_host_api::key::KEY_BYTES_MAX;

/// A key that a runtime's state can have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    /// A contract's key.
    pub(crate) fn of_contract(contract: &Address, key: &[u8]) -> Self {
        Self(storage_key(contract, key))
    }

    /// A key as the state has it.
    ///
    /// # Errors
    /// Says what no key of a state is like.
    pub(crate) fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let digits = 2 * bytes.len();
        let hash = |what| match bytes.len() {
            33 => Ok(()),
            _ => Err(format!(
                "the key of a {what} is {:02x} and 64 hexadecimal digits, these are {digits}",
                bytes[0]
            )),
        };
        match bytes.first() {
            Some(&CODE) => hash("code")?,
            Some(&CONTRACT) => hash("contract")?,
            Some(&STORAGE) if bytes.len() > 33 => check_length(bytes.len() - 33)?,
            Some(&STORAGE) => {
                return Err(format!(
                    "the key of a stored value is 02, 64 hexadecimal digits of an address and a \
                     contract's key, these are {digits} digits"
                ));
            }
            Some(kind) => {
                return Err(format!(
                    "a key of the state starts with 00 for a code, 01 for a contract or 02 for a \
                     stored value, not with {kind:02x}"
                ));
            }
            None => return Err("a key of the state is not empty".to_owned()),
        }
        Ok(Self(bytes))
    }

    /// The key as the state has it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the key is the key of.
    pub(crate) fn kind(&self) -> &'static str {
        match self.0.first() {
            Some(&CODE) => "code",
            Some(&CONTRACT) => "contract",
            _ => "value",
        }
    }

    /// The contract and its key, if it is that of a stored value.
    pub(crate) fn split(bytes: &[u8]) -> Option<(Address, &[u8])> {
        let (&STORAGE, rest) = bytes.split_first()? else { return None };
        let (address, key) = rest.split_first_chunk::<32>()?;
        Some((Address(*address), key))
    }
}

/// `02`, the address and the key as hexadecimal.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A state key in hexadecimal, or `ADDRESS/KEY`.
impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((contract, key)) => {
                let contract = contract.parse::<Address>().map_err(|error| error.to_string())?;
                Ok(Self::of_contract(&contract, &contract_key_bytes(key)?))
            }
            None => Self::new(hex_bytes(text)?),
        }
    }
}

/// The bytes of a contract's key in hexadecimal.
///
/// # Errors
/// Says what no contract's key is like.
pub(crate) fn contract_key_bytes(text: &str) -> Result<Vec<u8>, String> {
    let bytes = hex_bytes(text)?;
    check_length(bytes.len())?;
    Ok(bytes)
}

fn check_length(bytes: usize) -> Result<(), String> {
    match bytes {
        0 => Err("a contract's key is not empty".to_owned()),
        1..=KEY_BYTES_MAX => Ok(()),
        _ => Err(format!("a contract's key has at most {KEY_BYTES_MAX} bytes, not {bytes}")),
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that hexadecimal digits stand for, with or without `0x`.
///
/// # Errors
/// Names the first character that is no digit, or says that their number is odd.
pub(crate) fn hex_bytes(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let values: Vec<u8> = (digits.chars())
        .map(|character| match character.to_digit(16) {
            Some(value) => Ok(value as u8),
            None => Err(format!("{character:?} is no hexadecimal digit")),
        })
        .collect::<Result<_, _>>()?;
    let (pairs, []) = values.as_chunks::<2>() else {
        return Err(format!("{} hexadecimal digits are no whole bytes", values.len()));
    };
    Ok(pairs.iter().map(|[high, low]| 16 * high + low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_read_as_it_is_written() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(hex_bytes(&hex(&bytes)), Ok(bytes.clone()));
        assert_eq!(hex_bytes(&format!("0x{}", hex(&bytes).to_uppercase())), Ok(bytes));
        assert_eq!(hex_bytes(""), Ok(vec![]));
        assert!(hex_bytes("abc").is_err_and(|error| error.contains("no whole bytes")));
        assert!(hex_bytes("0xäb").is_err_and(|error| error.contains("'ä'")));
    }

    #[test]
    fn only_keys_of_a_state_are_keys() {
        let digits = |kind: &str, bytes: usize| format!("{kind}{}", "ab".repeat(bytes));
        for good in [digits("00", 32), digits("01", 32), digits("02", 33), digits("0x02", 160)] {
            assert!(good.parse::<Key>().is_ok(), "{good}");
        }
        let wrong = [
            (digits("00", 31), "the key of a code is 00 and 64 hexadecimal digits, these are 64"),
            (digits("01", 33), "the key of a contract is 01"),
            (digits("02", 32), "the key of a stored value is 02"),
            (digits("02", 161), "at most 128 bytes, not 129"),
            (digits("03", 32), "not with 03"),
            (String::new(), "not empty"),
            (digits("", 32) + "/", "not empty"),
            (digits("", 31) + "/00", "an address is 64 hexadecimal digits"),
        ];
        for (text, expected) in wrong {
            let error = text.parse::<Key>().expect_err("no key of a state");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_contracts_key_has_two_spellings() {
        let address = "ab".repeat(32);
        let short: Key = format!("{address}/0007").parse().expect("a key");
        assert_eq!(Ok(short.clone()), format!("02{address}0007").parse());
        assert_eq!(Key::split(short.bytes()), Some((Address([0xab; 32]), &[0, 7][..])));
        assert_eq!(Key::split(&[0; 40]), None);
    }
}
