//! Native runs beside those of the Wasm, and what differs.

use super::machine::{ByAddress, Env, Machine, NativeRun, Twin};
use crate::ran::{Names, Ran};
use std::fmt::Write;
use std::sync::Arc;
use tollway::oracle::{Rehearsal, Rehearsed};
use tollway::state::{STORAGE, storage_key};
use tollway::{Address, Call, Failure, Limits, Outcome};

/// The contracts of a chain, natively as far as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Twins(Arc<ByAddress>);

/// Whether native code can come to this end: it has no gas, and its stack is the test's own.
pub(crate) fn may_run_natively(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Returned(_) | Outcome::Reverted { .. } => true,
        Outcome::Failed(Failure::Trap { .. } | Failure::CallRefused { .. }) => true,
        Outcome::Failed(failure) => matches!(failure, Failure::AddOverflow { .. }),
    }
}

impl Twins {
    pub(crate) fn add_contract(&mut self, address: Address) {
        Arc::make_mut(&mut self.0).insert(address, None);
    }

    pub(crate) fn add_twin(&mut self, address: Address, twin: Twin) {
        Arc::make_mut(&mut self.0).insert(address, Some(twin));
    }

    pub(crate) fn all(&self) -> &Arc<ByAddress> {
        &self.0
    }

    /// Whether the contract is there natively.
    pub(crate) fn has(&self, address: &Address) -> bool {
        matches!(self.0.get(address), Some(Some(_)))
    }

    /// Runs a call natively, if it can be compared with its rehearsal.
    pub(crate) fn run_beside(
        &self,
        limits: &Limits,
        env: Env,
        call: &Call,
        rehearsal: &mut Rehearsal<'_>,
        rehearsed: &Rehearsed,
    ) -> Option<NativeRun> {
        let is_comparable = may_run_natively(&rehearsed.outcome) && !rehearsed.gas_matters;
        if !self.has(&call.contract) || !is_comparable {
            return None;
        }
        let mut ran = None;
        rehearsal.lend_state(|state| {
            let (state, native) = Machine::run(&self.0, limits, env, call, state);
            ran = Some(native);
            state
        });
        ran
    }
}

impl NativeRun {
    /// Requires that the Wasm did the same.
    ///
    /// # Panics
    /// If it did not, with what differs.
    pub(crate) fn compare(&self, wasm: &Rehearsed, names: &Names, call: &Ran) {
        let mut told = String::new();
        let mut tell = |what: &str, native: &dyn std::fmt::Debug, wasm: &dyn std::fmt::Debug| {
            write!(told, "\n  {what}: {native:?} natively, {wasm:?} as Wasm")
                .expect("writing to a string cannot fail");
        };
        if self.outcome != wasm.outcome {
            tell("outcome", &self.outcome, &wasm.outcome);
        }
        if self.events != wasm.events {
            tell("events", &self.events, &wasm.events);
        }
        let keys = self
            .writes
            .keys()
            .chain(wasm.writes.keys().filter(|key| !self.writes.contains_key(*key)));
        for key in keys {
            let (native, wasm) = (self.writes.get(key), wasm.writes.get(key));
            if native != wasm {
                tell(&key_name(names, key), &native, &wasm);
            }
        }
        assert!(told.is_empty(), "{call} does one thing natively and another as Wasm:{told}");
    }
}

/// A key in the state, by the contract's and its own name.
fn key_name(names: &Names, key: &[u8]) -> String {
    let start = storage_key(&Address::ZERO, &[]).len();
    match key.split_at_checked(start) {
        Some(([STORAGE, address @ ..], key)) => {
            let address = address.try_into().map(Address).unwrap_or(Address::ZERO);
            format!("{}.{}", names.name(&address), names.key(&address, key))
        }
        _ => "an entry of the state".to_owned(),
    }
}
