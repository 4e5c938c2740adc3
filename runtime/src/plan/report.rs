//! What a plan allows and what a run made of it, as a [`BlockTrace`]. For people; no result depends
//! on it.

mod names;
mod schedule;
mod sets;

pub use sets::AccessSets;

use crate::block::Block;
use crate::execute::Span;
use crate::execute::cells::Cells;
use crate::plan::{CellIndex, PARENT, Plan};
use crate::receipt::{Outcome, Receipt};
use crate::registry::Registry;
use crate::resolve::{Resolved, Target};
use crate::runtime::BlockStats;
use crate::trace::{BlockTrace, CallTrace, HOT_KEYS_MAX, HotKey, PhaseSpan, PlanSummary};
use names::key_name;
use schedule::Costs;
use std::collections::BTreeMap;
use tollway_host_api::Mode;

/// When each phase ended, in ns since the start of the block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timings {
    pub(crate) resolved_ns: u64,
    pub(crate) planned_ns: u64,
    pub(crate) executed_ns: u64,
    pub(crate) repaired_ns: u64,
}

impl Timings {
    pub(crate) fn stats(&self, repaired: usize) -> BlockStats {
        BlockStats {
            resolve_ns: self.resolved_ns,
            plan_ns: self.planned_ns - self.resolved_ns,
            execute_ns: self.executed_ns - self.planned_ns,
            repair_ns: self.repaired_ns - self.executed_ns,
            repaired: repaired as u32,
        }
    }

    fn phases(&self) -> Vec<PhaseSpan> {
        let ends = [
            ("resolve", self.resolved_ns),
            ("plan", self.planned_ns),
            ("execute", self.executed_ns),
            ("repair", self.repaired_ns),
        ];
        let mut start_ns = 0;
        ends.map(|(name, end_ns)| PhaseSpan {
            name,
            start_ns: std::mem::replace(&mut start_ns, end_ns),
            end_ns,
        })
        .into()
    }
}

/// What is known of a run beyond its receipts.
pub(crate) struct Run<'r> {
    pub(crate) times: Timings,
    pub(crate) spans: &'r Cells<Span>,
    pub(crate) repaired: &'r [u32],
}

/// The most entries of [`CallTrace::waits_for`]: a reader may wait for every adder of a block.
const WAITS_FOR_MAX: usize = 16;

/// The trace of a block that was planned but not run: every call costs 1.
pub(crate) fn trace_of_plan(
    block: &Block,
    resolved: &Resolved,
    plan: &Plan,
    registry: &Registry,
) -> BlockTrace {
    let costs = vec![1; resolved.call_count()];
    base_trace(block, resolved, plan, registry, &costs)
}

/// The trace of a block that ran.
pub(crate) fn trace_of_run(
    block: &Block,
    resolved: &Resolved,
    plan: &Plan,
    registry: &Registry,
    receipts: &[Receipt],
    threads: usize,
    run: &Run<'_>,
) -> BlockTrace {
    let costs: Vec<u64> = receipts.iter().map(|receipt| receipt.gas_used.0).collect();
    let mut trace = base_trace(block, resolved, plan, registry, &costs);
    trace.threads = threads;
    trace.phases = run.times.phases();
    let lanes = lane_numbers(run.spans);
    for ((call, receipt), index) in trace.calls.iter_mut().zip(receipts).zip(0u32..) {
        call.gas = receipt.gas_used.0;
        call.missed = receipt.misses > 0;
        call.outcome = match receipt.outcome {
            Outcome::Returned(_) => "ok",
            Outcome::Reverted { .. } => "reverted",
            Outcome::Failed(_) => "failed",
        };
        call.repaired = run.repaired.binary_search(&index).is_ok();
        if let Some(span) = run.spans.get(index as usize) {
            call.worker = span.worker;
            call.lane = lanes.get(&(span.worker, span.lane)).copied().unwrap_or(0);
            call.start_ns = span.start_ns;
            call.end_ns = span.end_ns;
        }
    }
    trace
}

/// Lanes of all workers, numbered by when they began.
fn lane_numbers(spans: &Cells<Span>) -> BTreeMap<(u32, u32), u32> {
    let mut starts: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for span in (0..spans.len()).filter_map(|call| spans.get(call)) {
        let start = starts.entry((span.worker, span.lane)).or_insert(u64::MAX);
        *start = span.start_ns.min(*start);
    }
    let mut order: Vec<_> = starts.into_iter().map(|(lane, start)| (start, lane)).collect();
    order.sort_unstable();
    order.into_iter().zip(0..).map(|((_, lane), number)| (lane, number)).collect()
}

fn base_trace(
    block: &Block,
    resolved: &Resolved,
    plan: &Plan,
    registry: &Registry,
    costs: &[u64],
) -> BlockTrace {
    let is_declared: Vec<bool> = resolved
        .targets()
        .map(|target| !matches!(target, Target::Method { declared: false, .. }))
        .collect();
    let costs = Costs::new(resolved, plan, costs, &is_declared);
    let uses = key_uses(resolved, plan);
    let calls = (0..block.calls.len())
        .map(|call| call_trace(call, block, resolved, plan, registry, &costs, &uses))
        .collect();
    let summary = PlanSummary {
        calls: block.calls.len() as u32,
        undeclared: is_declared.iter().filter(|declared| !**declared).count() as u32,
        accesses: resolved.access_count() as u64,
        keys: plan.keys.len() as u64,
        edges: count_edges(resolved, plan),
        critical_path_calls: costs.critical_path_calls(),
        critical_path_gas: costs.critical_path(),
        gas_total: costs.total(),
        speedup_gas: costs.speedups(),
    };
    BlockTrace {
        height: block.height.0,
        hot_keys: hot_keys(uses, plan, registry),
        calls,
        plan: summary,
        ..BlockTrace::default()
    }
}

fn call_trace(
    call: usize,
    block: &Block,
    resolved: &Resolved,
    plan: &Plan,
    registry: &Registry,
    costs: &Costs<'_>,
    uses: &[KeyUse],
) -> CallTrace {
    let request = &block.calls[call];
    let contract = match resolved.target(call) {
        Target::Method { contract, .. } => registry.contract(*contract).code.abi.name.to_string(),
        Target::Refused(_) => String::new(),
    };
    // Of several keys that one call hands on, the hotter one is named.
    let mut waits: Vec<(u64, u32, u32, u32)> = Vec::new();
    let set = resolved.access_set(call);
    for (at, (access, ..)) in set.numbers().zip(set.iter()) {
        if access.mode != Mode::Add {
            let key = plan.placement(at).key;
            origins(plan.placement(at).source, resolved, plan, &mut |from| {
                if waits.len() < 4 * WAITS_FOR_MAX {
                    waits.push((costs.finish(from), from, uses[key as usize].chain, key));
                }
            });
        }
    }
    waits.sort_unstable_by(|a, b| b.cmp(a));
    waits.dedup_by_key(|wait| wait.1);
    waits.truncate(WAITS_FOR_MAX);
    let waits_on = waits.first().map(|(_, _, _, key)| {
        let (contract, key) = plan.keys.name(*key, &plan.store);
        key_name(registry, contract, key)
    });
    CallTrace {
        call: call as u32,
        contract,
        address: format!("0x{}", request.contract),
        method: request.method.chars().take(64).collect(),
        worker: 0,
        lane: 0,
        start_ns: 0,
        end_ns: 0,
        waits_for: waits.into_iter().map(|(_, from, ..)| from).collect(),
        waits_on: waits_on.unwrap_or_default(),
        gas: 0,
        outcome: "",
        repaired: false,
        missed: false,
    }
}

/// The calls whose values are in a cell: its writer, or all that a sum adds up. At most
/// [`WAITS_FOR_MAX`] adders of each sum, the latest.
fn origins(cell: CellIndex, resolved: &Resolved, plan: &Plan, found: &mut impl FnMut(u32)) {
    let mut cell = cell;
    for _ in 0..WAITS_FOR_MAX {
        if cell == PARENT {
            return;
        }
        if let Some(access) = resolved.access(cell as usize) {
            return found(access.call);
        }
        let sum = &plan.sums[cell as usize - plan.access_count()];
        let mut add = plan.last_add(sum);
        for _ in 0..WAITS_FOR_MAX {
            if add == PARENT {
                break;
            }
            resolved
                .access(add as usize)
                .map(|access| access.call)
                .into_iter()
                .for_each(&mut *found);
            add = plan.placement(add as usize).source;
        }
        cell = plan.prior(sum);
    }
}

/// How many (call, call, key) have a value flow from the first to the second.
fn count_edges(resolved: &Resolved, plan: &Plan) -> u64 {
    let mut behind_sum: Vec<u64> = Vec::with_capacity(plan.sums.len());
    let behind = |cell: CellIndex, behind_sum: &[u64]| match cell {
        PARENT => 0,
        cell if (cell as usize) < plan.access_count() => 1,
        cell => behind_sum[cell as usize - plan.access_count()],
    };
    let mut adds = Vec::new();
    // A sum's prior is a sum of the same key, placed before it, so its count is there already.
    for sum in &plan.sums {
        plan.adds_of(sum, &mut adds);
        behind_sum.push(adds.len() as u64 + behind(plan.prior(sum), &behind_sum));
    }
    resolved
        .accesses()
        .zip(plan.placements())
        .filter(|(access, _)| access.mode != Mode::Add)
        .map(|(_, placement)| behind(placement.source, &behind_sum))
        .sum()
}

/// How the calls of a block use a key.
#[derive(Clone, Default)]
struct KeyUse {
    readers: u32,
    writers: u32,
    adders: u32,
    waits: u32,
    /// Calls on the longest chain up to the key's latest version.
    version: u32,
    has_adds: bool,
    chain: u32,
}

/// The use of every key, by its number.
fn key_uses(resolved: &Resolved, plan: &Plan) -> Vec<KeyUse> {
    let mut uses = vec![KeyUse::default(); plan.keys.number_count()];
    for (access, placement) in resolved.accesses().zip(plan.placements()) {
        let key = &mut uses[placement.key as usize];
        if access.mode == Mode::Add {
            key.adders += 1;
            key.has_adds = true;
            key.chain = key.chain.max(1);
            continue;
        }
        key.waits += u32::from(placement.source != PARENT);
        if std::mem::take(&mut key.has_adds) {
            key.version = key.version.max(1);
        }
        key.chain = key.chain.max(key.version + 1);
        if access.mode == Mode::Write {
            key.writers += 1;
            key.version += 1;
        } else {
            key.readers += 1;
        }
    }
    uses
}

/// The keys that make calls wait, hottest first.
fn hot_keys(uses: Vec<KeyUse>, plan: &Plan, registry: &Registry) -> Vec<HotKey> {
    let mut hot: Vec<(usize, KeyUse)> =
        uses.into_iter().enumerate().filter(|(_, key)| key.waits > 0).collect();
    hot.sort_by_key(|(number, key)| (std::cmp::Reverse((key.chain, key.waits)), *number));
    hot.truncate(HOT_KEYS_MAX);
    hot.into_iter()
        .map(|(number, key)| {
            let (contract, name) = plan.keys.name(number as u32, &plan.store);
            HotKey {
                number: number as u32,
                name: key_name(registry, contract, name),
                calls: key.readers + key.writers + key.adders,
                readers: key.readers,
                writers: key.writers,
                adders: key.adders,
                waits: key.waits,
                chain: key.chain,
            }
        })
        .collect()
}
