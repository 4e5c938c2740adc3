//! Whether a code may take the place of another, as far as their ABIs tell: what becomes of values
//! that are stored already, and of callers that know the old code.
//!
//! ```text
//! storage   same index, same key and value ─▶ stored values are read as they were written
//! methods   same name, takes what was sent, returns what is understood ─▶ callers go on
//! ```
//!
//! Names are for people: a field that has another name and is otherwise the same was renamed. One whose
//! name now stands elsewhere was moved, and its values were not.
//!
//! | part | breaks state | breaks callers | fine |
//! | --- | --- | --- | --- |
//! | storage field | removed, moved, other key or value type | | renamed, added at the end, counter or not |
//! | immutable | removed, added, moved, other type | | renamed |
//! | method | | removed, other parameters, returns what callers don't know, a view that now writes, no longer reentrant, no longer declared | added, other access |
//! | event | | removed, moved, other fields | added at the end |
//! | error | | removed, moved, other fields | added at the end |
//!
//! A type may take the place of another if every value of the old one is, byte for byte, the same value
//! of the new one: an enum with more variants at its end, and nothing else. A wider integer has other
//! bytes.
//!
//! The same function is behind [`Runtime::upgrade`](crate::Runtime::upgrade) and `tollway
//! check-upgrade`, so what the one says the other does.

mod types;

#[cfg(test)]
mod tests;

use std::fmt;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::{Abi, Event, Field, Method, Mutability, StorageField, Text, Type};
use types::reads;

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing that anybody has to care for.
    Fine,
    /// Callers, or who reads receipts, that know the old code do not understand the new one.
    BreaksCallers,
    /// Values that are stored would be read as something else, or not at all.
    BreaksState,
}

/// A part of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A storage field.
    Storage,
    /// An immutable.
    Immutable,
    /// A method.
    Method,
    /// An event.
    Event,
    /// A variant of the error type, or the type itself.
    Error,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storage => "storage field",
            Self::Immutable => "immutable",
            Self::Method => "method",
            Self::Event => "event",
            Self::Error => "error",
        })
    }
}

/// A difference between two codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it does.
    pub effect: Effect,
    /// What kind of thing is different.
    pub part: Part,
    /// Its name, in the old code if it has one there.
    pub name: String,
    /// What is different.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.part, self.name, self.what)
    }
}

/// Compares the ABI of a code with that of one that shall take its place. In the order of the parts;
/// nothing where they are the same.
///
/// # Examples
/// ```
/// # use tollway::host_api::{Abi, StorageField, Type, abi::ABI_VERSION};
/// # let none = || Vec::new().into();
/// # let abi = |value| Abi {
/// #     version: ABI_VERSION, name: "jar".into(), immutables: none(), methods: vec![].into(),
/// #     storage: vec![StorageField { name: "total".into(), key: vec![].into(), value, counter: false, prefix_parts: None }].into(),
/// #     events: vec![].into(), error: vec![].into(),
/// # };
/// use tollway::upgrade::{Effect, compare};
/// let findings = compare(&abi(Type::U64), &abi(Type::U128));
/// assert_eq!(findings[0].effect, Effect::BreaksState);
/// assert_eq!(findings[0].to_string(), "storage field total: value was u64, is u128");
/// ```
pub fn compare(old: &Abi, new: &Abi) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    findings.storage(&old.storage, &new.storage);
    findings.immutables(&old.immutables, &new.immutables);
    findings.methods(&old.methods, &new.methods);
    findings.events(&old.events, &new.events);
    findings.error(old.error.first(), new.error.first());
    findings.0
}

/// Whether `old` at `index` stands elsewhere in `new`: where.
fn moved<'n>(old: &str, index: usize, new: impl Iterator<Item = &'n Text>) -> Option<usize> {
    let found = new.enumerate().find(|(_, name)| *name == old).map(|(at, _)| at);
    found.filter(|at| *at != index)
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, effect: Effect, part: Part, name: &str, what: impl Into<String>) {
        self.0.push(Finding { effect, part, name: name.to_owned(), what: what.into() });
    }

    fn storage(&mut self, old: &[StorageField], new: &[StorageField]) {
        use Effect::{BreaksState, Fine};
        for (index, field) in old.iter().enumerate() {
            let mut add = |effect, what| self.add(effect, Part::Storage, &field.name, what);
            if let Some(at) = moved(&field.name, index, new.iter().map(|field| &field.name)) {
                add(
                    BreaksState,
                    format!("was number {index}, is number {at}: its values stay behind"),
                );
                continue;
            }
            let Some(now) = new.get(index) else {
                let what =
                    "removed: its values stay, for whatever field gets its number next; keep it";
                add(BreaksState, what.to_owned());
                continue;
            };
            let key = |field: &StorageField| Type::Tuple(field.key.clone());
            if let Err(mismatch) = reads(&key(field), &key(now)) {
                add(BreaksState, format!("key {mismatch}"));
            }
            if let Err(mismatch) = reads(&field.value, &now.value) {
                add(BreaksState, format!("value {mismatch}"));
            }
            if field.prefix_parts != now.prefix_parts {
                let what = |parts: Option<u8>| match parts {
                    None => "one value a key".to_owned(),
                    Some(parts) => format!("all keys below {parts} parts"),
                };
                let (was, is) = (what(field.prefix_parts), what(now.prefix_parts));
                add(BreaksState, format!("held {was}, holds {is}"));
            }
            if field.name != now.name {
                add(Fine, format!("renamed to {}", now.name));
            }
            if field.counter != now.counter {
                let what = if now.counter { "is a counter now" } else { "is no counter any more" };
                add(Fine, format!("{what}; the bytes are the same"));
            }
        }
        for field in new.iter().skip(old.len()) {
            if old.iter().all(|known| known.name != field.name) {
                self.add(Fine, Part::Storage, &field.name, "added");
            }
        }
    }

    fn immutables(&mut self, old: &[Field], new: &[Field]) {
        use Effect::{BreaksState, Fine};
        for (index, field) in old.iter().enumerate() {
            let mut add = |effect, what| self.add(effect, Part::Immutable, &field.name, what);
            if let Some(at) = moved(&field.name, index, new.iter().map(|field| &field.name)) {
                add(BreaksState, format!("was number {index}, is number {at}"));
                continue;
            }
            match new.get(index) {
                None => add(BreaksState, "removed: contracts have a value of it".to_owned()),
                Some(now) => {
                    if let Err(mismatch) = reads(&field.ty, &now.ty) {
                        add(BreaksState, mismatch.to_string());
                    }
                    if field.name != now.name {
                        add(Fine, format!("renamed to {}", now.name));
                    }
                }
            }
        }
        for field in new.iter().skip(old.len()) {
            if old.iter().all(|known| known.name != field.name) {
                let what = "added: contracts that exist have no value of it";
                self.add(BreaksState, Part::Immutable, &field.name, what);
            }
        }
    }

    fn methods(&mut self, old: &[Method], new: &[Method]) {
        use Effect::{BreaksCallers, Fine};
        // `init` ran, and never will again.
        let callable = |method: &&Method| method.name != INIT_METHOD;
        for method in old.iter().filter(callable) {
            match new.iter().find(|now| now.name == method.name) {
                Some(now) => self.method(method, now),
                None => self.add(BreaksCallers, Part::Method, &method.name, "removed"),
            }
        }
        for method in new.iter().filter(callable) {
            if old.iter().all(|known| known.name != method.name) {
                self.add(Fine, Part::Method, &method.name, "added");
            }
        }
    }

    fn method(&mut self, old: &Method, new: &Method) {
        use Effect::{BreaksCallers, Fine};
        let mut add = |effect, what| self.add(effect, Part::Method, &old.name, what);
        for (index, param) in old.params.iter().enumerate() {
            let name = &param.name;
            if let Some(at) = moved(name, index, new.params.iter().map(|param| &param.name)) {
                add(BreaksCallers, format!("parameter {name} was number {index}, is number {at}"));
                continue;
            }
            match new.params.get(index) {
                None => add(BreaksCallers, format!("parameter {name} removed")),
                Some(now) => {
                    if let Err(mismatch) = reads(&param.ty, &now.ty) {
                        add(BreaksCallers, format!("parameter {name} {mismatch}"));
                    }
                    if *name != now.name {
                        add(Fine, format!("parameter {name} renamed to {}", now.name));
                    }
                }
            }
        }
        for param in new.params.iter().skip(old.params.len()) {
            if old.params.iter().all(|known| known.name != param.name) {
                add(BreaksCallers, format!("parameter {} added", param.name));
            }
        }
        // The other way around: who knows the old type gets values of the new one.
        if let Err(mismatch) = reads(&new.returns, &old.returns) {
            add(BreaksCallers, format!("what it returns {}", mismatch.reversed()));
        }
        match (old.mutability, new.mutability) {
            (Mutability::View, Mutability::Call) => {
                add(BreaksCallers, "was a view, may write now".to_owned());
            }
            (Mutability::Call, Mutability::View) => add(Fine, "is a view now".to_owned()),
            _ => {}
        }
        match (old.reentrant, new.reentrant) {
            (true, false) => add(BreaksCallers, "is no longer reentrant".to_owned()),
            (false, true) => add(Fine, "is reentrant now".to_owned()),
            _ => {}
        }
        match (old.declared, new.declared) {
            (true, false) => add(
                BreaksCallers,
                "no longer declares its access: who declares a call of it declares nothing either"
                    .to_owned(),
            ),
            (false, true) => add(Fine, "declares its access now".to_owned()),
            _ if old.access != new.access => add(Fine, "declares other access".to_owned()),
            _ => {}
        }
    }

    fn events(&mut self, old: &[Event], new: &[Event]) {
        use Effect::{BreaksCallers, Fine};
        for (index, event) in old.iter().enumerate() {
            let mut add = |effect, what| self.add(effect, Part::Event, &event.name, what);
            if let Some(at) = moved(&event.name, index, new.iter().map(|event| &event.name)) {
                add(BreaksCallers, format!("was number {index}, is number {at}"));
                continue;
            }
            let Some(now) = new.get(index) else {
                add(BreaksCallers, "removed: its number is free for another event".to_owned());
                continue;
            };
            if let Err(mismatch) = types::fields_read(&now.fields, &event.fields) {
                add(BreaksCallers, mismatch.reversed().to_string());
            }
            if event.name != now.name {
                add(Fine, format!("renamed to {}", now.name));
            }
        }
        for event in new.iter().skip(old.len()) {
            if old.iter().all(|known| known.name != event.name) {
                self.add(Fine, Part::Event, &event.name, "added");
            }
        }
    }

    fn error(&mut self, old: Option<&Type>, new: Option<&Type>) {
        use Effect::{BreaksCallers, Fine};
        let name = |ty: &Type| match ty {
            Type::Enum { name, .. } | Type::Struct { name, .. } => name.to_string(),
            other => types::name(other),
        };
        match (old, new) {
            (None, None) => {}
            (None, Some(new)) => self.add(Fine, Part::Error, &name(new), "added"),
            (Some(old), None) => self.add(BreaksCallers, Part::Error, &name(old), "removed"),
            // An error that a caller can't name is an error all the same, so more of them are fine.
            (Some(old), Some(new)) => match reads(old, new) {
                Err(mismatch) => {
                    self.add(BreaksCallers, Part::Error, &name(old), mismatch.to_string())
                }
                Ok(()) => {
                    let count = |ty: &Type| match ty {
                        Type::Enum { variants, .. } => variants.len(),
                        _ => 0,
                    };
                    if let Type::Enum { variants, .. } = new {
                        for variant in variants.iter().skip(count(old)) {
                            self.add(Fine, Part::Error, &variant.name, "added");
                        }
                    }
                }
            },
        }
    }
}
