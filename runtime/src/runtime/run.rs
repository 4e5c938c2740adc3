//! Blocks: resolve, plan, execute, repair; and what is left to commit.

use super::{ExecuteError, Runtime};
use crate::block::{Block, Gas};
use crate::commit::{batch_of_lanes, batch_of_overlay};
use crate::execute::cells::Cells;
use crate::execute::{LaneResult, LanesOutcome, run_lanes};
use crate::plan::report::{self, AccessSets, Timings};
use crate::plan::{Plan, PlanMemory, plan};
use crate::receipt::{Failure, Receipt};
use crate::repair;
use crate::resolve::{Resolved, Target, resolve};
use crate::store::WriteBatch;
use crate::trace::BlockTrace;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What became of a block. The state changes when `batch` is committed.
#[derive(Debug)]
pub struct BlockOutcome {
    /// One receipt a call, in block order.
    pub receipts: Vec<Receipt>,
    /// The changes of the block.
    pub batch: WriteBatch,
    /// Figures of the run. Not part of the result.
    pub stats: BlockStats,
    /// The trace, if [`Config::trace`](crate::Config::trace) asks for one. Not part of the result.
    pub trace: Option<BlockTrace>,
}

/// Figures of a block's run; times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockStats {
    /// Finding every call's keys, with their places and values in the store.
    pub resolve_ns: u64,
    /// Placing versions.
    pub plan_ns: u64,
    /// The lanes.
    pub execute_ns: u64,
    /// Repair, and building the batch.
    pub repair_ns: u64,
    /// Calls that ran again.
    pub repaired: u32,
}

/// The receipts of a block whose lanes need no repair.
fn take_receipts(
    resolved: &Resolved,
    results: &mut Cells<LaneResult>,
) -> Result<Vec<Receipt>, &'static str> {
    let has_gap = AtomicBool::new(false);
    let receipt = |(call, result)| match (result, resolved.target(call)) {
        (Some(LaneResult::Done(receipt)), _) => receipt,
        (None, Target::Refused(receipt)) => (**receipt).clone(),
        _ => {
            has_gap.store(true, Ordering::Relaxed);
            Receipt::failed(Failure::OutOfGas, Gas(0), 0)
        }
    };
    let results = results.par_take().with_min_len(RECEIPTS_AT_ONCE).enumerate();
    let receipts = results.map(receipt).collect();
    if has_gap.into_inner() { Err("a call was left out") } else { Ok(receipts) }
}

/// Fewer receipts than this are not worth another thread.
const RECEIPTS_AT_ONCE: usize = 1_024;

/// What a block leaves for the next one: megabytes that need not be asked for again.
#[derive(Debug, Default)]
pub(super) struct BlockMemory {
    resolved: Resolved,
    plan: PlanMemory,
    lanes: LanesOutcome,
}

/// What lanes and repair make of a block.
struct Settled {
    receipts: Vec<Receipt>,
    batch: WriteBatch,
    /// The calls that ran again.
    repaired: Vec<u32>,
}

impl Runtime {
    /// Executes a block on the head's state. Blocks the thread until it is done.
    ///
    /// The result depends on the state and the block alone.
    ///
    /// # Errors
    /// [`ExecuteError`] if the block is not valid; the state is as before.
    pub fn execute(&mut self, block: &Block) -> Result<BlockOutcome, ExecuteError> {
        self.check_block(block)?;
        let clock = Instant::now();
        let mut memory = self.memory.lock().take().unwrap_or_default();
        let (limits, registry) = (&self.config.limits, &self.registry);
        let resolve = || {
            resolve(
                block.height,
                &block.calls,
                registry,
                &self.store,
                limits,
                std::mem::take(&mut memory.resolved),
            )
        };
        let mut resolved = self.pool.install(resolve)?;
        if self.store.is_cache() {
            resolved.fetch(Self::owned(&mut self.store), registry)?;
        }
        memory.resolved = resolved;
        let this = &*self;
        this.pool
            .install(|| this.execute_in_pool(block, memory, clock))
            .map_err(|bug| this.failure().map_or(ExecuteError::Bug(bug), ExecuteError::Store))
    }

    fn check_block(&self, block: &Block) -> Result<(), ExecuteError> {
        let head = self.head();
        // A backend has every height from the first on.
        let starts = head.0 == 0 && block.height.0 > 0 && self.keeper.is_none();
        let follows = block.height.0 == head.0.wrapping_add(1) || starts;
        if !follows {
            return Err(ExecuteError::WrongHeight { block: block.height, head });
        }
        let (calls, limit) = (block.calls.len(), self.config.limits.calls_max);
        if calls > limit {
            return Err(ExecuteError::TooManyCalls { calls, limit });
        }
        Ok(())
    }

    /// Resolves and plans a block without running it, for tools.
    ///
    /// # Errors
    /// [`ExecuteError`] as for [`Self::execute`].
    pub fn plan(&self, block: &Block) -> Result<BlockTrace, ExecuteError> {
        self.check_block(block)?;
        self.pool.install(|| {
            let (limits, memory) = (&self.config.limits, Resolved::default());
            let (height, calls) = (block.height, &block.calls);
            let resolved = resolve(height, calls, &self.registry, &self.store, limits, memory)?;
            let plan = plan(&resolved, &self.store, PlanMemory::default());
            Ok(report::trace_of_plan(block, &resolved, &plan, &self.registry))
        })
    }

    /// Resolves and plans a block without running it, and returns what its calls declare: for tools
    /// that ask what else a plan could have been.
    ///
    /// # Errors
    /// [`ExecuteError`] as for [`Self::execute`].
    pub fn access_sets(&self, block: &Block) -> Result<AccessSets<'_>, ExecuteError> {
        self.check_block(block)?;
        self.pool.install(|| {
            let (limits, memory) = (&self.config.limits, Resolved::default());
            let resolved =
                resolve(block.height, &block.calls, &self.registry, &self.store, limits, memory)?;
            let plan = plan(&resolved, &self.store, PlanMemory::default());
            Ok(AccessSets::new(resolved, plan, &self.registry))
        })
    }

    #[inline(never)] // All phases but resolve and commit, for profilers: `cargo xtask instructions`.
    fn execute_in_pool(
        &self,
        block: &Block,
        memory: BlockMemory,
        clock: Instant,
    ) -> Result<BlockOutcome, &'static str> {
        let now = || clock.elapsed().as_nanos() as u64;
        let mut times = Timings { resolved_ns: now(), ..Timings::default() };
        let BlockMemory { resolved, plan: plan_memory, lanes: lanes_memory } = memory;
        let plan = plan(&resolved, &self.store, plan_memory);
        times.planned_ns = now();
        for worker in &self.workers {
            if let Some(ctx) = &mut *worker.lock() {
                self.prepare_context(ctx, block);
            }
        }
        let trace_clock = self.config.trace.then_some(clock);
        let lanes = run_lanes(block, &resolved, &plan, &self.workers, trace_clock, lanes_memory);
        times.executed_ns = now();
        let result = lanes.and_then(|mut lanes| {
            let settled = self.settle(block, &resolved, &plan, &mut lanes)?;
            let Settled { receipts, batch, repaired } = settled;
            times.repaired_ns = now();
            let trace = self.config.trace.then(|| {
                let run = report::Run { times, spans: &lanes.spans, repaired: &repaired };
                let threads = self.workers.len();
                report::trace_of_run(
                    block,
                    &resolved,
                    &plan,
                    &self.registry,
                    &receipts,
                    threads,
                    &run,
                )
            });
            let plan = PlanMemory::of(plan);
            *self.memory.lock() = Some(BlockMemory { resolved, plan, lanes });
            Ok(BlockOutcome { receipts, batch, stats: times.stats(repaired.len()), trace })
        });
        for worker in &self.workers {
            if let Some(ctx) = &mut *worker.lock() {
                self.park_context(ctx);
            }
        }
        result
    }

    /// Receipts, batch, and the calls that ran again.
    #[inline(never)] // A phase of its own, also for profilers: `cargo xtask instructions`.
    fn settle(
        &self,
        block: &Block,
        resolved: &Resolved,
        plan: &Plan,
        lanes: &mut LanesOutcome,
    ) -> Result<Settled, &'static str> {
        let (height, version) = (block.height, self.store.version());
        if !repair::is_needed(resolved, lanes)
            && let Ok(batch) = batch_of_lanes(resolved, plan, lanes, height, version, &self.room)
        {
            let receipts = take_receipts(resolved, &mut lanes.results)?;
            return Ok(Settled { receipts, batch, repaired: Vec::new() });
        }
        let mut worker = self.workers[0].lock();
        let on_miss = self.config.on_miss;
        let repaired =
            repair::repair(block, resolved, plan, lanes, &self.store, on_miss, &mut worker)?;
        let batch = batch_of_overlay(Some(plan), repaired.overlay, height, version);
        let (receipts, repaired) = (repaired.receipts, repaired.repaired);
        Ok(Settled { receipts, batch, repaired })
    }
}
