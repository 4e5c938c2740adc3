//! What happened in a block, for people and tools. Never part of the result.

use serde::Serialize;

/// A block's run: its phases, its lanes, and the keys that made calls wait.
///
/// Times are in nanoseconds since the start of `execute`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BlockTrace {
    /// Height of the block.
    pub height: u64,
    /// Worker threads of the run.
    pub threads: usize,
    /// The phases, in order: resolve, plan, execute, repair.
    pub phases: Vec<PhaseSpan>,
    /// One entry a call, in block order.
    pub calls: Vec<CallTrace>,
    /// Keys that calls waited for, hottest first; at most [`HOT_KEYS_MAX`].
    pub hot_keys: Vec<HotKey>,
    /// What the plan allows.
    pub plan: PlanSummary,
}

/// The most entries of [`BlockTrace::hot_keys`].
pub const HOT_KEYS_MAX: usize = 32;

/// One phase of a block.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseSpan {
    /// `resolve`, `plan`, `execute` or `repair`.
    pub name: &'static str,
    /// When it began.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
}

/// One call's run.
#[derive(Clone, Debug, Serialize)]
pub struct CallTrace {
    /// Its position in the block.
    pub call: u32,
    /// Its contract's name.
    pub contract: String,
    /// Its contract's address.
    pub address: String,
    /// Its method.
    pub method: String,
    /// The worker that ran it.
    pub worker: u32,
    /// Its lane; lanes are numbered from 0 within a run.
    pub lane: u32,
    /// When it began, in the lanes.
    pub start_ns: u64,
    /// When it ended, in the lanes.
    pub end_ns: u64,
    /// The calls whose values it waited for, the latest on its critical chain first.
    pub waits_for: Vec<u32>,
    /// The key that its longest wait was for, by name; empty if it waited for nobody.
    pub waits_on: String,
    /// Its gas.
    pub gas: u64,
    /// `ok`, `reverted` or `failed`.
    pub outcome: &'static str,
    /// Whether it ran again in repair.
    pub repaired: bool,
    /// Whether it touched undeclared keys.
    pub missed: bool,
}

/// A key that calls waited for.
#[derive(Clone, Debug, Serialize)]
pub struct HotKey {
    /// Its number in this plan; another plan of the same block on the same state has the same.
    #[serde(skip)]
    pub number: u32,
    /// Contract, field and key parts, such as `token.balances[0x…]`.
    pub name: String,
    /// Calls that touch it.
    pub calls: u32,
    /// Of these, how many only read.
    pub readers: u32,
    /// Of these, how many may write.
    pub writers: u32,
    /// Of these, how many add.
    pub adders: u32,
    /// Calls that wait for another one because of this key.
    pub waits: u32,
    /// The longest chain of calls that this key alone makes.
    pub chain: u32,
}

/// What a plan allows, every call costing 1; gas-weighted where `gas` is in the name.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanSummary {
    /// Calls of the block.
    pub calls: u32,
    /// Calls without a declaration, which run in repair.
    pub undeclared: u32,
    /// Declared (call, key) pairs.
    pub accesses: u64,
    /// Different keys.
    pub keys: u64,
    /// Pairs of calls of which one waits for the other. Waits through the same key count once a
    /// pair.
    pub edges: u64,
    /// Calls on the longest chain.
    pub critical_path_calls: u32,
    /// Gas of the costliest chain.
    pub critical_path_gas: u64,
    /// Gas of all calls.
    pub gas_total: u64,
    /// Greedy list schedule by gas, longest remaining chain first, no overheads: speed-up on 1, 2,
    /// 4, 8, 16, 32 workers and on any number of them (the last).
    pub speedup_gas: Vec<(u32, f64)>,
}
