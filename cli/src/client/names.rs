//! Names of a contract as names of other languages.

use std::collections::BTreeSet;

/// Names that are taken.
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn new(reserved: &[&str]) -> Self {
        Self(reserved.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Takes a name; one that is taken gets `prefix` before it, and then numbers behind.
    pub(super) fn take(&mut self, name: &str, prefix: &str) -> String {
        let prefixed = format!("{prefix}{name}");
        let numbered = (2..).map(|number| format!("{prefixed}{number}"));
        let mut candidates = [name.to_owned(), prefixed.clone()].into_iter().chain(numbered);
        let free = candidates.find(|name| !self.0.contains(name)).expect("numbers do not end");
        self.0.insert(free.clone());
        free
    }
}

/// A type's name without what only Rust has in names: `Pair<u8>` is `Pair_u8`.
pub(super) fn identifier(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        match letter {
            letter if letter.is_ascii_alphanumeric() => text.push(letter),
            _ if text.ends_with('_') || text.is_empty() => {}
            _ => text.push('_'),
        }
    }
    let text = text.trim_end_matches('_');
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if starts { text.to_owned() } else { format!("T{text}") }
}

/// `balance_of` is `BalanceOf`.
pub(super) fn camel(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let text: String = words
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect();
    identifier(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        assert_eq!(identifier("Pair<u8, Vec<T>>"), "Pair_u8_Vec_T");
        assert_eq!(identifier("_"), "T");
        assert_eq!(camel("balance_of"), "BalanceOf");
        assert_eq!(camel("__x1_"), "X1");
        assert_eq!(camel("_1"), "T1");
    }

    #[test]
    fn taken_names_are_changed() {
        let mut names = Names::new(&["Error"]);
        assert_eq!(names.take("Leg", "Dex"), "Leg");
        assert_eq!(names.take("Error", "Dex"), "DexError");
        assert_eq!(names.take("Error", "Dex"), "DexError2");
    }
}
