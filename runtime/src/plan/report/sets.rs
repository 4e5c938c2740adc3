//! The access sets of a planned block, for tools that ask what else a plan could have been.

use super::names::key_name;
use crate::plan::Plan;
use crate::registry::Registry;
use crate::resolve::{Resolved, Target};
use tollway_host_api::Mode;

/// What each call of a block declares, with keys by number: see
/// [`Runtime::access_sets`](crate::Runtime::access_sets).
pub struct AccessSets<'r> {
    resolved: Resolved,
    plan: Plan,
    registry: &'r Registry,
}

impl std::fmt::Debug for AccessSets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessSets").field("calls", &self.call_count()).finish_non_exhaustive()
    }
}

impl<'r> AccessSets<'r> {
    pub(crate) fn new(resolved: Resolved, plan: Plan, registry: &'r Registry) -> Self {
        Self { resolved, plan, registry }
    }

    /// Calls of the block.
    pub fn call_count(&self) -> usize {
        self.resolved.call_count()
    }

    /// Whether a call declares what it touches. If not, it runs alone, after those that do.
    pub fn is_declared(&self, call: usize) -> bool {
        !matches!(self.resolved.target(call), Target::Method { declared: false, .. })
    }

    /// The keys of a call, each once, and how it may touch them.
    pub fn of_call(&self, call: usize) -> impl Iterator<Item = (u32, Mode)> + '_ {
        let set = self.resolved.access_set(call);
        set.numbers()
            .zip(set.iter())
            .map(|(at, (access, ..))| (self.plan.placement(at).key, access.mode))
    }

    /// The numbers of all keys, as [`HotKey::number`](crate::HotKey::number) has them.
    pub fn keys(&self) -> impl Iterator<Item = u32> + '_ {
        self.plan.keys.iter().map(|(number, _)| number)
    }

    /// No key has this number or a higher one.
    pub fn key_bound(&self) -> u32 {
        self.plan.keys.number_count() as u32
    }

    /// The names of a key's contract and field.
    pub fn field(&self, key: u32) -> (&str, Option<&str>) {
        let (contract, key) = self.plan.keys.name(key, &self.plan.store);
        let abi = &self.registry.contract(contract).code.abi;
        let field = key.first().and_then(|field| abi.storage.get(usize::from(*field)));
        (&abi.name, field.map(|field| field.name.as_ref()))
    }

    /// The whole name of a key, as [`HotKey::name`](crate::HotKey::name) has it.
    pub fn name(&self, key: u32) -> String {
        let (contract, key) = self.plan.keys.name(key, &self.plan.store);
        key_name(self.registry, contract, key)
    }
}
