//! What calls really touched, held against what their methods declare.
//!
//! ```text
//! each call of a block ─▶ rehearsal (see `tollway::oracle`) ─▶ by contract, method and template:
//!                                                              read, written, added to, called
//! ```
//!
//! # Invariants
//! 1. A template is unused only if no contract that ran its method, called from outside or by
//!    another contract, touched a key that it names (`tests/lints.rs`).
//! 2. Nothing is concluded from a call whose rehearsal ended otherwise than the call itself.

use crate::ran::Names;
use std::collections::BTreeMap;
use std::fmt;
use tollway::host_api::{Abi, AccessTemplate, Mode, Type, abi::INIT_METHOD};
use tollway::oracle::{LoggedFrame, Miss, Rehearsal, Rehearsed, Template, Touch};
use tollway::{Address, Failure, Outcome, Receipt};
use tollway_display::notation::single_templates;

/// What is the matter with a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Calls touch the key, and declare nothing of it.
    Missing,
    /// Calls touch the key in a way that the mode which they declare does not allow.
    TooNarrow {
        /// What they declare.
        declared: Mode,
    },
    /// It is declared, and no call used it.
    Unused,
    /// It is declared as `write`, and calls only read it.
    OnlyRead,
    /// It is declared as `write`, and calls only add to it or take from it.
    OnlyAdded,
    /// A hint, not a mistake: calls read and write a `u128`, and in each of them that succeeded,
    /// had it held more, by 1 or by 2⁴⁰, they would have left so much more in it, and everything
    /// else would have been the same. An `add` or a `sub` of a counter may do.
    MayAdd,
}

impl Finding {
    /// Whether it is more than a hint.
    pub fn is_mistake(self) -> bool {
        self != Self::MayAdd
    }

    /// Whether more is declared than was used.
    pub fn is_too_wide(self) -> bool {
        matches!(self, Self::Unused | Self::OnlyRead | Self::OnlyAdded)
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The contract's name.
    pub contract: String,
    /// The method.
    pub method: String,
    /// The declaration, as an author writes it: `write shares[caller]`. For what is missing or too
    /// narrow, the one that the key would need, with the key as one call touched it.
    pub declaration: String,
    /// What is the matter.
    pub finding: Finding,
    /// Calls of the method so far, those by other contracts included.
    pub calls: u64,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { contract, method, declaration, finding, calls } = self;
        let rest = || declaration.replacen("write ", "", 1);
        write!(f, "{contract}.{method}: ")?;
        match finding {
            Finding::Missing => write!(f, "needs `{declaration}`, and declares nothing of it"),
            Finding::TooNarrow { declared } => {
                write!(f, "needs `{declaration}`, and declares it as `{}`", declared.name())
            }
            Finding::Unused if *calls == 1 => {
                write!(f, "`{declaration}` is declared, and the one call did not use it")
            }
            Finding::Unused => {
                write!(f, "`{declaration}` is declared, and none of {calls} calls used it")
            }
            Finding::OnlyRead => {
                let read = declaration.replacen("write ", "read ", 1);
                write!(f, "`{declaration}` is only read: `{read}` is enough")
            }
            Finding::OnlyAdded => {
                let add = declaration.replacen("write ", "add ", 1);
                write!(f, "`{declaration}` is only added to or taken from: `{add}` is enough")
            }
            Finding::MayAdd => write!(
                f,
                "hint: `{declaration}`: {} is read only to be changed by an amount; as a counter \
                 that is added to, calls would not wait for each other",
                rest()
            ),
        }
    }
}

/// All findings of a test, by contract, method and declaration. Shown a line each.
#[derive(Clone, Debug, Default)]
pub struct Lints {
    lints: Vec<Lint>,
    /// Calls of which nothing could be learned: they depend on how much gas they have.
    pub skipped: u64,
}

impl Lints {
    /// The findings.
    pub fn iter(&self) -> impl Iterator<Item = &Lint> {
        self.lints.iter()
    }

    /// Those that are about one method.
    pub fn of<'l>(&'l self, contract: &'l str, method: &'l str) -> impl Iterator<Item = &'l Lint> {
        self.iter().filter(move |lint| lint.contract == contract && lint.method == method)
    }

    /// Whether there is nothing to find, hints included.
    pub fn is_empty(&self) -> bool {
        self.lints.is_empty()
    }
}

impl fmt::Display for Lints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.lints.iter().map(Lint::to_string).collect();
        f.write_str(&lines.join("\n"))?;
        if self.skipped > 0 {
            let line_end = if lines.is_empty() { "" } else { "\n" };
            write!(
                f,
                "{line_end}({} calls depend on their gas, and count for nothing)",
                self.skipped
            )?;
        }
        Ok(())
    }
}

/// How often something was seen to be an add in disguise before it is believed.
const ADDS_SEEN_MAX: u32 = 8;

/// By how much values are raised, to see what comes of it.
const RAISED_BY: [u128; 2] = [1, 1 << 40];

/// A template, and what calls did with what it names.
#[derive(Clone, Debug)]
struct Use {
    template: AccessTemplate,
    text: String,
    used: u64,
    touch: Touch,
    /// Calls in which it was seen to be an add in disguise; `None` once one was not.
    adds: Option<u32>,
}

/// The templates of one method.
#[derive(Clone, Debug, Default)]
struct MethodUse {
    calls: u64,
    templates: Vec<Use>,
    misses: BTreeMap<(String, &'static str), Finding>,
}

/// What the calls of a test touched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    /// By contract's name and method.
    methods: BTreeMap<(String, String), MethodUse>,
    /// The ABIs so far, each with the name that findings have for it: versions of one contract may
    /// share their own.
    abis: Vec<(Abi, String)>,
    shown: BTreeMap<[u8; 32], String>,
    skipped: u64,
}

impl Uses {
    /// Gets to know the templates of a contract.
    pub(crate) fn add_contract(&mut self, address: Address, abi: &Abi) {
        let known = self.abis.iter().find(|(other, _)| other == abi);
        let shown = known.map(|(_, shown)| shown.clone());
        let shown = shown.unwrap_or_else(|| self.add_abi(abi));
        self.shown.insert(address.0, shown);
    }

    fn add_abi(&mut self, abi: &Abi) -> String {
        let same = self.abis.iter().filter(|(other, _)| other.name == abi.name).count();
        let shown = match same {
            0 => abi.name.to_string(),
            _ => format!("{} ({})", abi.name, same + 1),
        };
        for method in abi.methods.iter().filter(|method| method.name != INIT_METHOD) {
            let templates = single_templates(abi, method).into_iter().map(|(template, text)| Use {
                template,
                text,
                used: 0,
                touch: Touch::default(),
                adds: Some(0),
            });
            let method_use = MethodUse { templates: templates.collect(), ..MethodUse::default() };
            self.methods.insert((shown.clone(), method.name.to_string()), method_use);
        }
        self.abis.push((abi.clone(), shown.clone()));
        shown
    }

    /// The name that findings have for a contract.
    pub(crate) fn name(&self, contract: &Address) -> Option<&str> {
        self.shown.get(&contract.0).map(String::as_str)
    }

    fn method(&mut self, contract: &Address, method: &str) -> Option<&mut MethodUse> {
        let name = self.shown.get(&contract.0)?.clone();
        self.methods.get_mut(&(name, method.to_owned()))
    }

    pub(crate) fn was_called(&self, contract: &str, method: &str) -> bool {
        let method = self.methods.get(&(contract.to_owned(), method.to_owned()));
        method.is_some_and(|method| method.calls > 0)
    }

    /// Rehearses a call, and looks for adds in disguise.
    pub(crate) fn rehearse(
        &mut self,
        names: &Names,
        rehearsal: &mut Rehearsal<'_>,
    ) -> Option<Rehearsed> {
        let rehearsed = rehearsal.run()?;
        if !matches!(rehearsed.outcome, Outcome::Returned(_)) {
            return Some(rehearsed);
        }
        let mut known: BTreeMap<&[u8], bool> = BTreeMap::new();
        for frame in &rehearsed.frames {
            let Some(abi) = names.abi(&frame.contract) else { continue };
            let Some(method) = self.method(&frame.contract, &frame.method) else { continue };
            for (number, template) in &frame.used {
                let Template::Key { key, touch } = template else { continue };
                let Some(found) = method.templates.get_mut(*number) else { continue };
                let Some(seen) = found.adds.filter(|seen| *seen < ADDS_SEEN_MAX) else { continue };
                let AccessTemplate::Key { mode: Mode::Write, field, .. } = &found.template else {
                    continue;
                };
                let is_amount = abi.storage[usize::from(*field)].value == Type::U128;
                if !touch.read || !is_amount {
                    continue;
                }
                let is_add =
                    *known.entry(key).or_insert_with(|| is_an_add(rehearsal, &rehearsed, key));
                let seen = seen + u32::from(touch.written || touch.added);
                found.adds = is_add.then_some(seen);
            }
        }
        Some(rehearsed)
    }

    /// Adds what a rehearsal saw, if the real run ended in the same way. Returns whether it did.
    ///
    /// # Panics
    /// If it did not, and that is not for its gas.
    pub(crate) fn add(
        &mut self,
        names: &Names,
        rehearsed: &Rehearsed,
        receipt: &Receipt,
        gas_matters: bool,
        call: &dyn fmt::Display,
    ) -> bool {
        if rehearsed.outcome != receipt.outcome || rehearsed.events != receipt.events {
            let stopped = Outcome::Failed(Failure::OutOfGas) == receipt.outcome
                || matches!(receipt.outcome, Outcome::Failed(Failure::Undeclared { .. }));
            assert!(
                stopped || gas_matters || rehearsed.gas_matters,
                "{call} comes to something else where no value is laid out in its window:\n\
                 {:?} {:?}\nand not\n{:?} {:?}",
                rehearsed.outcome,
                rehearsed.events,
                receipt.outcome,
                receipt.events
            );
            self.skipped += 1;
            return false;
        }
        rehearsed.frames.iter().for_each(|frame| self.add_frame(frame));
        rehearsed.misses.iter().for_each(|miss| self.add_miss(names, miss));
        true
    }

    fn add_frame(&mut self, frame: &LoggedFrame) {
        let Some(method) = self.method(&frame.contract, &frame.method) else { return };
        method.calls += 1;
        for (number, template) in &frame.used {
            let Some(found) = method.templates.get_mut(*number) else { continue };
            found.used += 1;
            if let Template::Key { touch, .. } = template {
                found.touch.read |= touch.read;
                found.touch.written |= touch.written;
                found.touch.added |= touch.added;
            }
        }
    }

    fn add_miss(&mut self, names: &Names, miss: &Miss) {
        let key = names.key(&miss.contract, &miss.key);
        let finding = match miss.declared {
            None => Finding::Missing,
            Some(declared) => Finding::TooNarrow { declared },
        };
        let Some(method) = self.method(&miss.contract, &miss.method) else { return };
        method.misses.entry((key, miss.need.name())).or_insert(finding);
    }

    /// What is the matter with the declarations, as far as calls went.
    pub(crate) fn lints(&self) -> Lints {
        let mut lints = Vec::new();
        for ((contract, name), method) in &self.methods {
            let lint = |declaration, finding| Lint {
                contract: contract.clone(),
                method: name.clone(),
                declaration,
                finding,
                calls: method.calls,
            };
            let misses = method.misses.iter();
            lints.extend(
                misses.map(|((key, need), finding)| lint(format!("{need} {key}"), *finding)),
            );
            if method.calls > 0 {
                let found = method.templates.iter();
                let found = found.filter_map(|found| Some(lint(found.text.clone(), judge(found)?)));
                lints.extend(found);
            }
        }
        Lints { lints, skipped: self.skipped }
    }
}

fn judge(found: &Use) -> Option<Finding> {
    if found.used == 0 {
        return Some(Finding::Unused);
    }
    if !matches!(found.template, AccessTemplate::Key { mode: Mode::Write, .. }) {
        return None;
    }
    match found.touch {
        Touch { written: false, added: false, .. } => Some(Finding::OnlyRead),
        Touch { read: false, written: false, added: true } => Some(Finding::OnlyAdded),
        Touch { read: true, .. } if found.adds.is_some_and(|seen| seen > 0) => {
            Some(Finding::MayAdd)
        }
        _ => None,
    }
}

/// Whether a call that succeeded does nothing with the amount under a key but to change it by what
/// does not depend on it.
fn is_an_add(rehearsal: &mut Rehearsal<'_>, rehearsed: &Rehearsed, key: &[u8]) -> bool {
    let amount = |value: Option<&[u8]>| match value {
        Some(bytes) => bytes.try_into().ok().map(u128::from_le_bytes),
        None => Some(0),
    };
    let Some(before) = amount(rehearsal.value(key)) else { return false };
    let after = |rehearsed: &Rehearsed, before: u128| match rehearsed.writes.get(key) {
        Some(value) => amount(value.as_deref()),
        None => Some(before),
    };
    let Some(left) = after(rehearsed, before) else { return false };
    RAISED_BY.into_iter().all(|by| {
        let Some(raised) = before.checked_add(by) else { return false };
        let value = Some(raised.to_le_bytes().to_vec());
        let Some(other) = rehearsal.run_with(key, value) else { return false };
        let elsewhere = |rehearsed: &Rehearsed| {
            let mut writes = rehearsed.writes.clone();
            writes.remove(key);
            writes
        };
        other.outcome == rehearsed.outcome
            && other.events == rehearsed.events
            && elsewhere(&other) == elsewhere(rehearsed)
            && after(&other, raised).is_some_and(|now| Some(now) == left.checked_add(by))
    })
}
